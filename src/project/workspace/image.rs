//! `image:` to an [`Image`], and the checks across images: repositories that are used twice, and
//! subsystems that they name.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::{
    Source,
    settings::platform_help,
    source::{inside, lexical},
    subsystem::{SubsystemContext, SubsystemDraft},
    template::TemplateScope,
};
use crate::{
    manifest::{Findings, Node, Pair, Quoting, Scalar, Sp, Value, pairs, scalar, scalars},
    model::{
        Diagnostic, Name, Os, Platform, is_port,
        oci::{ImageReference, ImageRepository, check_image_tag},
        suggestion,
    },
};

/// The container image of a subsystem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// `repo:`, the place of its tags.
    pub repo: ImageRepository,
    /// What it stands on; nothing for `scratch`.
    pub base: Option<ImageReference>,
    /// What it is for, sorted.
    pub platforms: Vec<Platform>,
    /// `also:`: the tags that move to each new version.
    pub also: Vec<String>,
    /// What containers of it are started with.
    pub settings: ContainerSettings,
    /// `files:`, sorted by where they go.
    pub files: Vec<ImageFile>,
    /// `with:`: subsystems whose binaries go into it too.
    pub with: BTreeSet<Name>,
    /// The Dockerfile that makes it, if one does.
    pub dockerfile: Option<Dockerfile>,
    /// `binaries:`: whether its binaries are released too, though the project's tag is its version.
    pub with_binaries: bool,
}

/// What containers of an image are started with, as far as its spec says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerSettings {
    /// `user:`.
    pub user: Option<String>,
    /// `entrypoint:`, or the first binary.
    pub entrypoint: Vec<String>,
    /// `args:`.
    pub args: Vec<String>,
    /// `env:`.
    pub env: BTreeMap<String, String>,
    /// `workdir:`.
    pub workdir: Option<String>,
    /// `ports:`, as `8080/tcp`.
    pub ports: BTreeSet<String>,
    /// `labels:`.
    pub labels: BTreeMap<String, String>,
    /// `volumes:`.
    pub volumes: BTreeSet<String>,
}

/// A file or folder of the workspace that goes into an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageFile {
    /// Where it is, relative to the workspace.
    pub from: PathBuf,
    /// Where it goes: an absolute path, with `/` at its end if it is a folder that it goes into.
    pub to: String,
    /// The mode of all files, if it is stated.
    pub mode: Option<u32>,
    /// The user and the group whose they are.
    pub owner: (u32, u32),
}

/// A Dockerfile that makes an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dockerfile {
    /// Where it is, relative to the workspace.
    pub path: PathBuf,
    /// The folder that it sees, relative to the workspace.
    pub context: PathBuf,
    /// The stage that is the image; the last if absent.
    pub target: Option<String>,
    /// Its build arguments.
    pub args: BTreeMap<String, String>,
    /// Whether the registry keeps the layers of earlier builds.
    pub is_cached: bool,
}

/// An image with the places that checks across subsystems point at.
#[derive(Clone, Debug)]
pub struct ImageDraft {
    /// The repository, where it is written.
    pub repo: Option<Sp<ImageRepository>>,
    /// `with`, where it is written.
    pub with: Vec<Scalar>,
    /// The image, if nothing in it is wrong.
    pub image: Option<Image>,
}

/// What `image:` is resolved with.
pub struct ImageInputs<'a> {
    /// The workspace around it.
    pub around: &'a SubsystemContext<'a>,
    /// The binaries of the subsystem.
    pub binaries: &'a [String],
    /// Where its source is.
    pub source: Option<&'a Source>,
    /// Whether it can be obtained apart from its image.
    pub has_binaries: bool,
}

/// Resolves `image:`. What is wrong goes to `found`.
pub fn resolve(
    entry: &Pair,
    inputs: &ImageInputs,
    scope: &TemplateScope,
    found: &mut Findings,
) -> ImageDraft {
    let binary = inputs.binaries.first().map_or("", String::as_str);
    let scope = &scope.with([("binary", binary.into())]);
    let node = &entry.value;
    let before = found.diagnostics.len();
    let repo = repository(node, scope, found);
    let image = repo.clone().and_then(|repo| image(node, repo.value, inputs, scope, found));
    ImageDraft {
        with: scalars(node, "with"),
        image: image.filter(|_| found.diagnostics.len() == before),
        repo,
    }
}

fn image(
    node: &Node,
    repo: ImageRepository,
    inputs: &ImageInputs,
    scope: &TemplateScope,
    found: &mut Findings,
) -> Option<Image> {
    let dockerfile = match scalar(node, "dockerfile") {
        Some(path) => {
            layers_are_not_said(node, found);
            Some(self::dockerfile(&path, node, inputs, scope, found)?)
        }
        None => {
            if !inputs.has_binaries && node.get("files").is_none() && node.get("with").is_none() {
                let what = "the image would be empty: there are no binaries and no files";
                let help = "write `build:` or `upstream:`, `files:`, or `dockerfile:`";
                found.add(node.bytes.clone(), what, "nothing to put into it", help);
            }
            None
        }
    };
    let base = scalar(node, "base").and_then(|base| base_reference(&base, scope, found));
    let platforms = platforms(node, found);
    Some(Image {
        files: files(node, inputs.around, base.is_some(), scope, found),
        settings: settings(node, inputs, dockerfile.is_some(), scope, found),
        with: scalars(node, "with").iter().filter_map(|one| Name::new(&one.text).ok()).collect(),
        also: tags(node, scope, found),
        repo,
        base,
        platforms,
        dockerfile,
        with_binaries: scalar(node, "binaries").is_some_and(|flag| flag.text == "true"),
    })
}

/// `repo:`, or what stands behind `image:` alone.
fn repository(
    node: &Node,
    scope: &TemplateScope,
    found: &mut Findings,
) -> Option<Sp<ImageRepository>> {
    let written = node.scalar().cloned().or_else(|| scalar(node, "repo"))?;
    let text = scope.plain(&written, found)?;
    let tell = |what: String, help: &str, found: &mut Findings| {
        found.add(written.bytes.clone(), what, "not a repository", help);
    };
    let example = "write where it is pushed to, such as `ghcr.io/OWNER/NAME`";
    if text.chars().any(char::is_uppercase) {
        let help = "repositories are lower case: write it so, or `{{ … | lower }}`";
        tell(format!("`{text}` has upper case, which no registry takes"), help, found);
        return None;
    }
    match text.parse::<ImageReference>() {
        Err(why) => tell(why, example, found),
        Ok(image) if image.tag.is_some() || image.digest.is_some() => {
            let what = format!("`{text}` names one image, where a repository is wanted");
            tell(what, "leave out the tag: it is the version", found);
        }
        Ok(_) if !text.contains('/') => {
            tell(format!("`{text}` does not say which registry it is at"), example, found);
        }
        Ok(image) => return Some(Sp { value: image.repository, bytes: written.bytes }),
    }
    None
}

/// `base:`; nothing for `scratch`.
fn base_reference(
    written: &Scalar,
    scope: &TemplateScope,
    found: &mut Findings,
) -> Option<ImageReference> {
    let text = scope.plain(written, found)?;
    if text == "scratch" {
        return None;
    }
    match text.parse() {
        Ok(reference) => Some(reference),
        Err(why) => {
            let help = "write `REGISTRY/NAME:TAG`, or `scratch`";
            found.add(written.bytes.clone(), why, "not an image", help);
            None
        }
    }
}

/// `platforms:`, sorted; empty if it is not stated.
fn platforms(node: &Node, found: &mut Findings) -> Vec<Platform> {
    let mut platforms = BTreeSet::new();
    for written in scalars(node, "platforms") {
        match written.text.parse::<Platform>() {
            Ok(platform) if platform.os == Os::Linux => drop(platforms.insert(platform)),
            Ok(platform) => {
                let what = format!("images are for Linux, and {platform} is not");
                found.add(written.bytes, what, "not Linux", "leave it out");
            }
            Err(why) => {
                let help = platform_help(&written.text);
                found.add(written.bytes, why, "not a platform", help);
            }
        }
    }
    platforms.into_iter().collect()
}

/// `also:`.
fn tags(node: &Node, scope: &TemplateScope, found: &mut Findings) -> Vec<String> {
    let mut tags = Vec::new();
    for written in scalars(node, "also") {
        let Some(tag) = scope.plain(&written, found) else { continue };
        if let Err(why) = check_image_tag(&tag) {
            let help = "write a word such as `latest`";
            found.add(written.bytes, why, "not a tag", help);
        } else if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags
}

/// The keys that say what a Dockerfile says already.
fn layers_are_not_said(node: &Node, found: &mut Findings) {
    const OF_LAYERS: [&str; 9] =
        ["base", "user", "entrypoint", "env", "workdir", "ports", "volumes", "files", "with"];
    let said = node.entries().iter().filter(|entry| OF_LAYERS.contains(&entry.key.value.as_str()));
    for entry in said {
        let what = format!("`{}` is said by the Dockerfile", entry.key.value);
        let help = "say it there, or leave out `dockerfile`";
        found.add(entry.key.bytes.clone(), what, "not beside `dockerfile`", help);
    }
}

fn dockerfile(
    written: &Scalar,
    node: &Node,
    inputs: &ImageInputs,
    scope: &TemplateScope,
    found: &mut Findings,
) -> Option<Dockerfile> {
    let path = scope.plain(written, found)?;
    let path = inside(written, &path, inputs.around, found)?;
    let context = match scalar(node, "context") {
        Some(written) => {
            let text = scope.plain(&written, found)?;
            inside(&written, &text, inputs.around, found)?
        }
        None => match inputs.source {
            Some(Source::Path { dir, .. }) => dir.clone(),
            _ => path.parent().unwrap_or(Path::new(".")).to_owned(),
        },
    };
    let args = match node.get("args") {
        Some(args) if !matches!(args.value, Value::Map(_)) => {
            let what = "`args` of a Dockerfile are its build arguments, which have names";
            found.add(args.bytes.clone(), what, "not a mapping", "write `args: { NAME: value }`");
            BTreeMap::new()
        }
        _ => texts(node, "args", scope, found),
    };
    let target = scalar(node, "target");
    Some(Dockerfile {
        path,
        context,
        target: target.and_then(|target| scope.plain(&target, found)),
        args,
        is_cached: scalar(node, "cache").is_some_and(|word| word.text == "registry"),
    })
}

fn settings(
    node: &Node,
    inputs: &ImageInputs,
    is_dockerfile: bool,
    scope: &TemplateScope,
    found: &mut Findings,
) -> ContainerSettings {
    let mut settings = ContainerSettings {
        labels: texts(node, "labels", scope, found),
        ..ContainerSettings::default()
    };
    if is_dockerfile {
        return settings;
    }
    let words = |key: &str, found: &mut Findings| -> Vec<String> {
        scalars(node, key).iter().filter_map(|word| scope.plain(word, found)).collect()
    };
    settings.entrypoint = words("entrypoint", found);
    if let Some(args) = node.get("args").filter(|args| matches!(args.value, Value::Map(_))) {
        let what = "`args` are a list, unless there is a `dockerfile`";
        found.add(args.bytes.clone(), what, "not a list", "write `args: [serve, --verbose]`");
    } else {
        settings.args = words("args", found);
    }
    let binary = inputs.binaries.first().filter(|_| inputs.has_binaries);
    if let (None, Some(binary)) = (node.get("entrypoint"), binary) {
        settings.entrypoint = vec![format!("{BINARIES}/{binary}")];
    }
    settings.env = texts(node, "env", scope, found);
    settings.user = scalar(node, "user").and_then(|user| scope.plain(&user, found));
    settings.workdir =
        scalar(node, "workdir").and_then(|folder| in_image(&folder, false, scope, found));
    let volumes = scalars(node, "volumes");
    let volumes = volumes.iter().filter_map(|folder| in_image(folder, false, scope, found));
    settings.volumes = volumes.collect();
    settings.ports =
        scalars(node, "ports").iter().filter_map(|it| port(it, scope, found)).collect();
    settings
}

/// Where binaries are in images.
pub const BINARIES: &str = "/usr/local/bin";

fn texts(
    node: &Node,
    key: &str,
    scope: &TemplateScope,
    found: &mut Findings,
) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    for (name, value) in pairs(node, key) {
        if let Some(text) = scope.plain(&value, found) {
            texts.insert(name.value, text);
        }
    }
    texts
}

/// A port with its protocol: `8080/tcp`.
fn port(written: &Scalar, scope: &TemplateScope, found: &mut Findings) -> Option<String> {
    let text = scope.plain(written, found)?;
    let (number, protocol) = text.split_once('/').unwrap_or((&text, "tcp"));
    if is_port(number) && matches!(protocol, "tcp" | "udp" | "sctp") {
        return Some(format!("{number}/{protocol}"));
    }
    let what = format!("`{text}` is not a port");
    let help = "a port is a number from 1 to 65535, with `/udp` behind it if it is not TCP";
    found.add(written.bytes.clone(), what, "not a port", help);
    None
}

/// `files:`, sorted by where they go.
fn files(
    node: &Node,
    around: &SubsystemContext,
    has_base: bool,
    scope: &TemplateScope,
    found: &mut Findings,
) -> Vec<ImageFile> {
    let entries = node.get("files").map(Node::entries).unwrap_or_default();
    let mut files: Vec<ImageFile> =
        entries.iter().filter_map(|entry| file(entry, around, has_base, scope, found)).collect();
    files.sort_by(|a, b| (&a.to, &a.from).cmp(&(&b.to, &b.from)));
    files
}

fn file(
    entry: &Pair,
    around: &SubsystemContext,
    has_base: bool,
    scope: &TemplateScope,
    found: &mut Findings,
) -> Option<ImageFile> {
    let Sp { value: text, bytes } = entry.key.clone();
    let key = Scalar { text, style: Quoting::Plain, bytes };
    let from = scope.plain(&key, found).and_then(|text| inside(&key, &text, around, found));
    let node = &entry.value;
    let to = node.scalar().cloned().or_else(|| scalar(node, "to"))?;
    let place = in_image(&to, true, scope, found);
    if let Some(place) = place.as_ref().filter(|place| has_base && is_a_home(place)) {
        let what = format!("`{place}` is below /home, whose folders the base may give to a user");
        let help = "put it elsewhere, such as below /srv or /etc";
        found.add(to.bytes.clone(), what, "would change whose folder that is", help);
        return None;
    }
    let mode = scalar(node, "mode").map(|mode| self::mode(&mode, found));
    let owner = scalar(node, "owner").map(|owner| self::owner(&owner, found));
    Some(ImageFile {
        from: from?,
        to: place?,
        mode: mode.map_or(Some(None), |mode| mode.map(Some))?,
        owner: owner.unwrap_or(Some((0, 0)))?,
    })
}

/// Whether `place` is in a folder below `/home`.
fn is_a_home(place: &str) -> bool {
    place.strip_prefix("/home/").is_some_and(|rest| !rest.is_empty())
}

fn mode(written: &Scalar, found: &mut Findings) -> Option<u32> {
    let digits = written.text.strip_prefix("0o").unwrap_or(&written.text);
    let mode = u32::from_str_radix(digits, 8).ok().filter(|mode| *mode <= 0o7777);
    if mode.is_none() {
        let what = format!("`{}` is not a mode", written.text);
        found.add(written.bytes.clone(), what, "not octal digits", "write it as \"0644\"");
    }
    mode
}

fn owner(written: &Scalar, found: &mut Findings) -> Option<(u32, u32)> {
    let (user, group) = written.text.split_once(':').unwrap_or((&written.text, &written.text));
    let owner = user.parse().ok().zip(group.parse().ok());
    if owner.is_none() {
        let what = format!("`{}` is not the number of a user", written.text);
        let help = "write numbers, such as `65532` or `65532:65532`: names mean something else in each base";
        found.add(written.bytes.clone(), what, "not a number", help);
    }
    owner
}

/// An absolute path in an image, without `.` and `..`; `/` at its end is kept where it `may_end` so.
fn in_image(
    written: &Scalar,
    may_end: bool,
    scope: &TemplateScope,
    found: &mut Findings,
) -> Option<String> {
    let text = scope.plain(written, found)?;
    let Some(below) = text.strip_prefix('/') else {
        let what = format!("`{text}` is not an absolute path");
        found.add(written.bytes.clone(), what, "relative to what?", "begin it with `/`");
        return None;
    };
    let below = lexical(written, below, "the image", found)?;
    let below =
        if below == Path::new(".") { String::new() } else { below.to_string_lossy().into() };
    if below.split('/').any(|part| part.starts_with(".wh.")) {
        let what = format!("`{text}` would delete something: so layers write that");
        found.add(written.bytes.clone(), what, "`.wh.`", "call it otherwise");
        return None;
    }
    let is_folder = may_end && (text.ends_with('/') || below.is_empty());
    Some(format!("/{below}{}", if is_folder && !below.is_empty() { "/" } else { "" }))
}

/// Every check across images. `known` are all names with a spec or a version.
pub fn check(drafts: &[SubsystemDraft], known: &BTreeSet<&str>) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    let mut owners: BTreeMap<String, &SubsystemDraft> = BTreeMap::new();
    for draft in drafts {
        let Some(image) = &draft.image else { continue };
        for name in image.with.iter().filter(|name| !known.contains(name.text.as_str())) {
            let what = format!(
                "the image of {} is with `{}`, which is not a subsystem",
                draft.name, name.text
            );
            let others = known.iter().copied().filter(|other| *other != draft.name.as_str());
            let place = draft.seams.span(name.bytes.clone());
            let help = suggestion(&name.text, others);
            diagnostics.push(Diagnostic::new(place, what, "not known").help(help));
        }
        let Some(repo) = &image.repo else { continue };
        let name = repo.value.to_string();
        let place = |of: &SubsystemDraft| {
            let repo = of.image.as_ref().and_then(|image| image.repo.as_ref());
            of.seams.span(repo.map(|repo| repo.bytes.clone()).unwrap_or_default())
        };
        if let Some(owner) = owners.get(&name) {
            let what = format!("{} and {} are both pushed to {name}", owner.name, draft.name);
            let diagnostic = Diagnostic::new(place(draft), what, "taken")
                .related(place(owner), format!("{} is pushed there", owner.name))
                .help("write another `repo:`, such as one with `{{ name }}` in it");
            diagnostics.push(diagnostic);
            continue;
        }
        owners.insert(name, draft);
    }
    diagnostics
}

/// Gives the images that name no platforms those of `platforms` that are Linux; without any, that
/// of this machine's processor.
pub fn with_platforms<'d>(images: impl Iterator<Item = &'d mut Image>, platforms: &[Platform]) {
    let is_linux = |platform: &&Platform| platform.os == Os::Linux;
    let mut usual: Vec<Platform> = platforms.iter().filter(is_linux).copied().collect();
    usual.sort_unstable();
    if usual.is_empty() {
        usual.push(Platform { os: Os::Linux, ..Platform::host() });
    }
    for image in images.filter(|image| image.platforms.is_empty()) {
        image.platforms.clone_from(&usual);
    }
}
