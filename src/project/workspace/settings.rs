//! What `versions.yml` says about the workspace as a whole.

use std::{collections::BTreeMap, path::Path};

use super::{
    remote::{self, RemoteSettings},
    subsystem::SubsystemDraft,
    version::{self, Stated},
};
use crate::{
    manifest::{Findings, ManifestDoc, Scalar, Sp},
    model::{Name, Platform, is_unprotected, nearest, normal_path, suggestion},
    provenance::Trust,
    store::StoreUrl,
};

/// `versions.yml`, without what belongs to single subsystems.
#[derive(Debug, Default)]
pub struct WorkspaceSettings {
    /// `releases`.
    pub stores: Vec<String>,
    /// `platforms`.
    pub platforms: Vec<Platform>,
    /// `ci.runners`.
    pub runners: BTreeMap<Platform, Vec<String>>,
    /// `repository`.
    pub repository: Option<String>,
    /// `trust`.
    pub trust: Trust,
    /// `remote`.
    pub remote: Option<RemoteSettings>,
    /// `trust`, for images.
    pub image_trust: Trust,
    /// `versions`, those that are valid.
    pub versions: BTreeMap<Name, Sp<Stated>>,
}

/// Resolves the settings of `doc`, of the workspace at `root`. What is wrong goes to `found`.
pub fn resolve(doc: &ManifestDoc, root: &Path, found: &mut Findings) -> WorkspaceSettings {
    let mut settings =
        WorkspaceSettings { versions: version::stated(doc, found), ..WorkspaceSettings::default() };
    for url in &doc.releases {
        match StoreUrl::parse(&url.text) {
            Ok(StoreUrl::Dir(path)) if is_lost(&path) => {
                let what = format!("`{}` would not last", url.text);
                let help = "`.forge` is removed by `forge clean:all`; name a folder beside it, such as \
                            `dir:../releases`";
                found.add(url.bytes.clone(), what, "below .forge", help);
            }
            Ok(StoreUrl::Dir(path)) if path.to_string_lossy().contains("{{") => {
                let what = format!("`{}` is not a template", url.text);
                let help = "a folder of a store is relative to the workspace; write the path out";
                found.add(url.bytes.clone(), what, "written as it is", help);
            }
            Ok(_) if is_unprotected(address(&url.text)) => {
                let what = format!("`{}` would be read over unprotected http", url.text);
                let help = "everybody on the way could replace what is there; write `https://…` \
                            (http is for this machine only)";
                found.add(url.bytes.clone(), what, "no protection", help);
            }
            Ok(_) => settings.stores.push(url.text.clone()),
            Err(why) => {
                let help = "a store is `dir:PATH`, `github:OWNER/REPO`, `gitea:HOST/OWNER/REPO`, \
                            `gitlab:HOST/GROUP/PROJECT`, `oci:HOST/REPOSITORY`, `s3:BUCKET/PREFIX` or `https://…`";
                found.add(url.bytes.clone(), why, "not a store", help);
            }
        }
    }
    settings.repository = doc.repository.as_ref().and_then(|url| repository(url, found));
    // A word that is none was told when the document was compared with its table. Without
    // `releases`, what is downloaded is what this user made.
    let trust = doc.trust.as_ref().and_then(|word| word.text.parse().ok()).unwrap_or_default();
    settings.trust = if doc.releases.is_empty() { Trust::Any } else { trust };
    settings.image_trust = trust;
    for text in &doc.platforms {
        match text.text.parse() {
            Ok(platform) if settings.platforms.contains(&platform) => {
                let what = format!("{platform} stands twice in `platforms`");
                found.add(text.bytes.clone(), what, "again here", "keep one of them");
            }
            Ok(platform) => settings.platforms.push(platform),
            Err(why) => {
                let help = platform_help(&text.text);
                found.add(text.bytes.clone(), why, "not a platform", help);
            }
        }
    }
    settings.runners = runners(doc, found);
    settings.remote = doc.remote.as_ref().and_then(|node| remote::resolve(node, root, found));
    settings
}

/// Whether a store in `path` would be removed with what forge made here.
fn is_lost(path: &Path) -> bool {
    normal_path(path).components().any(|part| part.as_os_str() == ".forge")
}

/// The address in a store's URL: `gitea:http://host/…` has one behind its kind.
fn address(url: &str) -> &str {
    let inner = url.split_once(':').map(|(_, rest)| rest);
    inner.filter(|rest| rest.contains("://")).unwrap_or(url)
}

/// The runners that `doc` names.
fn runners(doc: &ManifestDoc, found: &mut Findings) -> BTreeMap<Platform, Vec<String>> {
    let mut runners = BTreeMap::new();
    for (platform, labels) in &doc.runners {
        match platform.value.parse() {
            Ok(platform) => {
                let labels = labels.iter().map(|label| label.text.clone());
                runners.insert(platform, labels.collect());
            }
            Err(why) => {
                let help = platform_help(&platform.value);
                found.add(platform.bytes.clone(), why, "not a platform", help);
            }
        }
    }
    runners
}

/// The groups that `doc` and the specs make. `names` are those of all subsystems and specs. What is
/// wrong goes to `found`.
pub fn groups(
    doc: &ManifestDoc,
    drafts: &[SubsystemDraft],
    names: &[&str],
    found: &mut Findings,
) -> BTreeMap<String, Vec<Name>> {
    let mut groups: BTreeMap<String, Vec<Name>> = BTreeMap::new();
    for (group, members) in &doc.groups {
        let members =
            members.iter().filter_map(|member| known(member, &group.value, doc, names, found));
        groups.insert(group.value.clone(), members.collect());
    }
    for draft in drafts {
        for group in &draft.groups {
            let members = groups.entry(group.clone()).or_default();
            if !members.contains(&draft.name) {
                members.push(draft.name.clone());
            }
        }
    }
    groups
}

/// The page of a repository, as CI names it.
fn repository(text: &Scalar, found: &mut Findings) -> Option<String> {
    let url = text.text.trim_end_matches('/').trim_end_matches(".git");
    let web = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let is_page = web.is_some_and(|web| {
        let parts: Vec<&str> = web.split('/').collect();
        parts.len() > 2
            && parts.iter().all(|part| !part.is_empty())
            && !web.contains(['?', '#', '@'])
    });
    if !is_page {
        let what = format!("`{}` is not the address of a repository", text.text);
        let help = "write the page people see, such as `https://github.com/OWNER/REPO`";
        found.add(text.bytes.clone(), what, "not a repository", help);
    }
    is_page.then(|| url.to_owned())
}

/// The help for text that is no platform.
pub fn platform_help(text: &str) -> String {
    const USUAL: [&str; 6] = [
        "linux-amd64",
        "linux-arm64",
        "darwin-amd64",
        "darwin-arm64",
        "windows-amd64",
        "windows-arm64",
    ];
    match nearest(text, USUAL) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "write `<os>-<arch>`, such as `linux-amd64` or `darwin-arm64`".into(),
    }
}

fn known(
    member: &Scalar,
    group: &str,
    doc: &ManifestDoc,
    specs: &[&str],
    found: &mut Findings,
) -> Option<Name> {
    let versions = doc.versions.iter().map(|(name, _)| name.value.as_str());
    let mut names = versions.chain(specs.iter().copied());
    if names.clone().any(|name| name == member.text) {
        return Name::new(&member.text).ok();
    }
    let what = format!("group `{group}` names `{}`, which is not a subsystem", member.text);
    let mut known: Vec<_> = names.by_ref().collect();
    known.sort_unstable();
    known.dedup();
    let help = suggestion(&member.text, known.iter().copied());
    found.add(member.bytes.clone(), what, "not known", help);
    None
}
