//! Documents: the manifest and specs as typed values, taken from checked trees. What a
//! tree has wrong was already told and is left out here.

use super::{
    check, extends,
    file::{Findings, ManifestFile},
    include::{self, IncludeDoc},
    language,
    newer::{self, NewerDoc},
    node::{Node, Pair, Scalar, Sp, Value},
    semantic_digest::SemanticDigest,
    shape::{Mapping, Presence, Shape},
    spec_language::SPEC,
    taskfile_language::TASKFILE,
    yaml,
};

/// Pairs in the order written.
pub type Pairs<T> = Vec<(Sp<String>, T)>;

/// What a file says for all tasks in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeadDoc {
    /// `vars`.
    pub vars: Pairs<Node>,
    /// `env`.
    pub env: Pairs<Scalar>,
    /// `pass_env`.
    pub pass_env: Vec<Scalar>,
    /// `dotenv`.
    pub dotenv: Vec<Scalar>,
    /// `shell`.
    pub shell: Option<Node>,
    /// `quiet`.
    pub quiet: bool,
    /// `output`.
    pub output: Option<Scalar>,
    /// `pools`.
    pub pools: Pairs<Scalar>,
}

/// `versions.yml`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManifestDoc {
    /// The digest of what it says, without comments and layout.
    pub meaning: Option<SemanticDigest>,
    /// `project`.
    pub project: Option<Scalar>,
    /// `releases`.
    pub releases: Vec<Scalar>,
    /// `versions`.
    pub versions: Pairs<VersionDoc>,
    /// `platforms`.
    pub platforms: Vec<Scalar>,
    /// `repository`.
    pub repository: Option<Scalar>,
    /// `forge`.
    pub forge: Option<Scalar>,
    /// `trust`.
    pub trust: Option<Scalar>,
    /// `remote`.
    pub remote: Option<Node>,
    /// `sealed`.
    pub sealed: Option<Scalar>,
    /// `groups`.
    pub groups: Pairs<Vec<Scalar>>,
    /// `environments`.
    pub environments: Pairs<Node>,
    /// `ledger`.
    pub ledger: Option<Scalar>,
    /// `schedules`.
    pub schedules: Pairs<Node>,
    /// `notify`.
    pub notify: Option<Node>,
    /// `ci.runners`.
    pub runners: Pairs<Vec<Scalar>>,
    /// `vars`, `env` and what else is said for all tasks.
    pub head: HeadDoc,
    /// `tasks`.
    pub tasks: Pairs<Node>,
    /// `include`.
    pub include: Vec<IncludeDoc>,
}

/// What stands behind a name under `versions`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionDoc {
    /// A pin or a moving ref.
    Text(Scalar),
    /// A scheme.
    Scheme(SchemeDoc),
}

/// A mapping under `versions`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemeDoc {
    /// `scheme`.
    pub scheme: Scalar,
    /// What is said of commits.
    pub commits: CommitsDoc,
}

/// What is said of versions that commits make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommitsDoc {
    /// `first`.
    pub first: Option<Scalar>,
    /// `bump_minor_pre_major`.
    pub bump_minor_pre_major: Option<Scalar>,
    /// `channels`.
    pub channels: Pairs<Scalar>,
}

/// A spec.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpecDoc {
    /// The digest of what it says, without comments and layout; none where it extends others.
    pub meaning: Option<SemanticDigest>,
    /// `discover`.
    pub discover: Option<Scalar>,
    /// `name`.
    pub name: Option<Scalar>,
    /// `group`.
    pub groups: Vec<Scalar>,
    /// `version`.
    pub version: Option<SchemeDoc>,
    /// `tag`.
    pub tag: Option<Scalar>,
    /// `desc`.
    pub desc: Option<Scalar>,
    /// `binary`.
    pub binary: Vec<Scalar>,
    /// `source`.
    pub source: Option<SourceDoc>,
    /// `also` of `source`.
    pub also: Vec<Scalar>,
    /// `build`.
    pub build: Option<BuildDoc>,
    /// `upstream`.
    pub upstream: Option<UpstreamDoc>,
    /// `newer`.
    pub newer: Option<NewerDoc>,
    /// `needs`.
    pub needs: Vec<Scalar>,
    /// `build_needs`.
    pub build_needs: Vec<Scalar>,
    /// `vars` and `env`.
    pub head: HeadDoc,
    /// `sandbox`.
    pub sandbox: Option<Scalar>,
    /// `package`.
    pub package: Option<Scalar>,
    /// `image`, with its key.
    pub image: Option<Pair>,
    /// `service`, with its key.
    pub service: Option<Pair>,
    /// `deploy`, with its key.
    pub deploy: Option<Pair>,
    /// `tasks`.
    pub tasks: Pairs<Node>,
    /// `tasks` of each file whose defaults it takes, in their order; positions are of that file.
    pub inherited: Vec<Pairs<Node>>,
    /// What else each of them gave it: keys.
    pub taken: Vec<Vec<String>>,
}

/// `source`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceDoc {
    /// A git repository.
    Git {
        /// `git`.
        url: Scalar,
        /// `ref`.
        reference: Option<Scalar>,
    },
    /// An archive.
    Archive {
        /// `archive`.
        url: Scalar,
        /// `sha256`.
        sha256: Scalar,
        /// `strip`.
        strip: usize,
    },
    /// A folder in the workspace.
    Path {
        /// `path`.
        dir: Scalar,
        /// `only`.
        only: Vec<Scalar>,
        /// `imports`.
        imports: Option<Scalar>,
    },
}

/// `build`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildDoc {
    /// `go`, `cargo` or `run`: the key, and its value.
    pub how: Sp<String>,
    /// What stands under that key.
    pub options: Node,
    /// `dir`.
    pub dir: Option<Scalar>,
    /// `env`.
    pub env: Pairs<Scalar>,
    /// `pass_env`.
    pub pass_env: Vec<Scalar>,
    /// `tools`, with declared versions.
    pub tools: Pairs<Option<Scalar>>,
    /// `timeout`.
    pub timeout: Option<Scalar>,
    /// `remote`.
    pub remote: Option<Node>,
}

/// `upstream`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamDoc {
    /// `url`.
    pub url: Scalar,
    /// `sha256`.
    pub sha256: DigestDoc,
    /// `strip`.
    pub strip: usize,
    /// `paths`.
    pub paths: Pairs<Scalar>,
    /// `os`.
    pub os: Pairs<Scalar>,
    /// `arch`.
    pub arch: Pairs<Scalar>,
    /// `platform`.
    pub platform: Pairs<Scalar>,
}

/// `upstream.sha256`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DigestDoc {
    /// A digest, or the URL of a checksums file.
    Text(Scalar),
    /// A digest per platform.
    PerPlatform(Pairs<Scalar>),
}

/// Reads `versions.yml`. What is wrong with it goes to `found`; the rest is returned.
pub fn read_manifest(file: &ManifestFile, found: &mut Findings) -> ManifestDoc {
    let Some(root) = read(file, &language::MANIFEST, found) else { return ManifestDoc::default() };
    let ci = root.get("ci");
    ManifestDoc {
        meaning: Some(root.semantic_digest()),
        project: text(&root, "project"),
        forge: text(&root, "forge"),
        releases: scalars(&root, "releases"),
        versions: versions(&root),
        platforms: scalars(&root, "platforms"),
        sealed: text(&root, "sealed"),
        repository: text(&root, "repository"),
        trust: text(&root, "trust"),
        remote: root.get("remote").cloned(),
        groups: lists(&root, "groups"),
        environments: nodes(&root, "environments"),
        ledger: text(&root, "ledger"),
        schedules: nodes(&root, "schedules"),
        notify: root.get("notify").cloned(),
        runners: ci.map(|ci| lists(ci, "runners")).unwrap_or_default(),
        head: head(&root),
        tasks: nodes(&root, "tasks"),
        include: include::includes(&root),
    }
}

/// Reads a spec. What is wrong with it goes to `found`; the rest is returned.
pub fn read_spec(file: &ManifestFile, found: &mut Findings) -> SpecDoc {
    let Some(root) = read(file, &SPEC, found) else { return SpecDoc::default() };
    let tasks = nodes(&root, "tasks");
    let from = |(begin, base): &(usize, ManifestFile)| {
        extends::keys_from(&root, *begin, begin + base.text.len())
    };
    SpecDoc {
        meaning: file.bases().is_empty().then(|| root.semantic_digest()),
        inherited: extends::inherited_tasks(file, &tasks, found),
        taken: file.bases().iter().map(from).collect(),
        discover: text(&root, "discover"),
        name: text(&root, "name"),
        groups: scalars(&root, "group"),
        version: root.get("version").and_then(scheme),
        tag: text(&root, "tag"),
        desc: text(&root, "desc"),
        binary: scalars(&root, "binary"),
        source: root.get("source").and_then(source),
        also: root.get("source").map(|source| scalars(source, "also")).unwrap_or_default(),
        build: root.get("build").and_then(build),
        upstream: root.get("upstream").and_then(upstream),
        newer: root.get("newer").and_then(newer::newer),
        needs: scalars(&root, "needs"),
        build_needs: scalars(&root, "build_needs"),
        head: head(&root),
        sandbox: text(&root, "sandbox"),
        package: text(&root, "package"),
        image: pair(&root, "image"),
        service: pair(&root, "service"),
        deploy: pair(&root, "deploy"),
        tasks,
    }
}

/// The entry under `key`.
fn pair(root: &Node, key: &str) -> Option<Pair> {
    root.entries().iter().find(|entry| entry.key.value == key).cloned()
}

/// Reads YAML of any shape. What is wrong with it goes to `found`.
pub fn read_tree(file: &ManifestFile, found: &mut Findings) -> Option<Node> {
    match yaml::parse(&file.text) {
        Ok(root) => root,
        Err(error) => {
            found.add(error.bytes, error.what, "here", error.help);
            None
        }
    }
}

/// Reads a Taskfile: a tree in which each known key holds what it may. What is wrong with it goes to
/// `found`.
pub fn read_taskfile(file: &ManifestFile, found: &mut Findings) -> Option<Node> {
    read(file, &TASKFILE, found)
}

/// What the file `root` says for all tasks in it.
pub(super) fn head(root: &Node) -> HeadDoc {
    HeadDoc {
        vars: nodes(root, "vars"),
        env: pairs(root, "env"),
        pass_env: scalars(root, "pass_env"),
        dotenv: scalars(root, "dotenv"),
        shell: root.get("shell").cloned(),
        quiet: text(root, "quiet").is_some_and(|flag| flag.text == "true"),
        output: text(root, "output"),
        pools: pairs(root, "pools"),
    }
}

pub(super) fn read(
    file: &ManifestFile,
    record: &'static Mapping,
    found: &mut Findings,
) -> Option<Node> {
    if !found.is_empty() {
        return None;
    }
    match yaml::parse(file.own_text()) {
        Ok(Some(root)) => {
            let root = extends::with_bases(root, file, record, found);
            check::check(&root, &Shape::Record(record), found);
            Some(root)
        }
        Ok(None) => {
            let required = record.fields.iter().filter(|f| f.need == Presence::Required);
            let required: Vec<_> = required.map(|field| format!("`{}:`", field.key)).collect();
            let help = if required.is_empty() {
                "write at least `build:` or `upstream:`".into()
            } else {
                format!("write at least {}", required.join(", "))
            };
            found.add(0..0, format!("{} is empty", file.path.display()), "nothing here", help);
            None
        }
        Err(error) => {
            found.add(error.bytes, error.what, "here", error.help);
            None
        }
    }
}

fn versions(root: &Node) -> Pairs<VersionDoc> {
    let version = |entry: &Pair| match entry.value.scalar() {
        Some(text) => Some((entry.key.clone(), VersionDoc::Text(text.clone()))),
        None => Some((entry.key.clone(), VersionDoc::Scheme(scheme(&entry.value)?))),
    };
    root.get("versions").map(Node::entries).unwrap_or_default().iter().filter_map(version).collect()
}

fn scheme(node: &Node) -> Option<SchemeDoc> {
    let commits = CommitsDoc {
        first: text(node, "first"),
        bump_minor_pre_major: text(node, "bump_minor_pre_major"),
        channels: pairs(node, "channels"),
    };
    Some(SchemeDoc { scheme: text(node, "scheme")?, commits })
}

fn source(node: &Node) -> Option<SourceDoc> {
    if let Some(url) = text(node, "git") {
        Some(SourceDoc::Git { url, reference: text(node, "ref") })
    } else if let Some(url) = text(node, "archive") {
        let sha256 = text(node, "sha256")?;
        Some(SourceDoc::Archive { url, sha256, strip: count(node, "strip") })
    } else {
        Some(SourceDoc::Path {
            dir: text(node, "path")?,
            only: scalars(node, "only"),
            imports: text(node, "imports"),
        })
    }
}

fn build(node: &Node) -> Option<BuildDoc> {
    let presets = node.entries().iter().find(|entry| {
        matches!(entry.key.value.as_str(), "go" | "cargo" | "run")
            && entry.value.value != Value::Null
    })?;
    let listed = scalars(node, "tools").into_iter();
    let listed = listed.map(|tool| (Sp { bytes: tool.bytes.clone(), value: tool.text }, None));
    let mapped = pairs(node, "tools").into_iter().map(|(tool, version)| (tool, Some(version)));
    Some(BuildDoc {
        how: presets.key.clone(),
        options: presets.value.clone(),
        dir: text(node, "dir"),
        env: pairs(node, "env"),
        pass_env: scalars(node, "pass_env"),
        tools: listed.chain(mapped).collect(),
        timeout: text(node, "timeout"),
        remote: node.get("remote").cloned(),
    })
}

fn upstream(node: &Node) -> Option<UpstreamDoc> {
    let sha256 = match &node.get("sha256")?.value {
        Value::Scalar(digest) => DigestDoc::Text(digest.clone()),
        _ => DigestDoc::PerPlatform(pairs(node, "sha256")),
    };
    Some(UpstreamDoc {
        url: text(node, "url")?,
        sha256,
        strip: count(node, "strip"),
        paths: pairs(node, "paths"),
        os: pairs(node, "os"),
        arch: pairs(node, "arch"),
        platform: pairs(node, "platform"),
    })
}

/// The scalar under `key`.
pub fn scalar(node: &Node, key: &str) -> Option<Scalar> {
    node.get(key).and_then(Node::scalar).cloned()
}

/// The scalar under `key`, where one that is empty was already told.
pub(super) fn text(node: &Node, key: &str) -> Option<Scalar> {
    scalar(node, key).filter(is_filled)
}

fn is_filled(scalar: &Scalar) -> bool {
    !scalar.text.trim().is_empty()
}

/// The scalars under `key`: one, or a list of them.
pub fn scalars(node: &Node, key: &str) -> Vec<Scalar> {
    node.get(key).map(elements).unwrap_or_default()
}

/// The pairs under `key` whose values are scalars; of a key that stands twice, the first.
pub fn pairs(node: &Node, key: &str) -> Pairs<Scalar> {
    let entries = node.get(key).map(Node::entries).unwrap_or_default();
    let scalar = |entry: &Pair| Some((entry.key.clone(), entry.value.scalar()?.clone()));
    entries.iter().filter_map(scalar).collect()
}

/// The pairs under `key`, whatever their values are; of a key that stands twice, the first.
pub(super) fn nodes(node: &Node, key: &str) -> Pairs<Node> {
    let entries = node.get(key).map(Node::entries).unwrap_or_default();
    entries.iter().map(|entry| (entry.key.clone(), entry.value.clone())).collect()
}

/// The pairs under `key`, each with one or many scalars.
fn lists(node: &Node, key: &str) -> Pairs<Vec<Scalar>> {
    let entries = node.get(key).map(Node::entries).unwrap_or_default();
    entries.iter().map(|entry| (entry.key.clone(), elements(&entry.value))).collect()
}

fn elements(node: &Node) -> Vec<Scalar> {
    node.one_or_many()
        .iter()
        .filter_map(Node::scalar)
        .filter(|scalar| is_filled(scalar))
        .cloned()
        .collect()
}

fn count(node: &Node, key: &str) -> usize {
    text(node, key).and_then(|scalar| scalar.text.parse().ok()).unwrap_or(0)
}
