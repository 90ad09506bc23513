//! May what is on this machine already be used? Not if a run made or fetched it whose class is lower
//! than what this run takes; nor, under `trust: ci`, if it was downloaded from whom nobody looked at,
//! or whose builder does not count now.

use crate::{
    cache::ArtifactRecord,
    model::{Environment, Fault, LockedAsset, Name, Sha256},
    provenance::{
        Builder, MAX_BYTES, RunClass, Trust, distrusted, judge, promotion_name, read_statements,
        refusal, statement_name,
    },
    store::{Store, StoreUrl, read_text},
    workspace::Workspace,
};

/// Why the artifact of `record` may not be used in `workspace` by a run that takes what runs of the
/// class `takes` made; none if it may. `locked` is what the lock pins of it.
pub fn distrust(
    workspace: &Workspace,
    record: &ArtifactRecord,
    locked: Option<&LockedAsset>,
    takes: RunClass,
) -> Option<String> {
    // Whoever downloaded an asset held it to its digest: no run can make another of that digest.
    let is_pinned = record.made.is_none()
        && record.asset().zip(locked).is_some_and(|(asset, locked)| asset.sha256 == locked.sha256);
    if record.class < takes && !is_pinned {
        let did = if record.made.is_some() { "made" } else { "brought here" };
        let event = record.made.as_ref().and_then(|made| made.event.as_deref());
        let event = event.map_or_else(String::new, |event| format!(" (`{event}`)"));
        return Some(format!("it was {did} by {}{event}", record.class));
    }
    let is_ours = workspace.trust == Trust::Any || record.made.is_some();
    match &record.builder {
        _ if is_ours => None,
        Some(builder) => refusal(&Builder::new(builder), &trusted_repositories(workspace)),
        None => Some("when it was downloaded, nobody looked at who built it".into()),
    }
}

/// The repositories whose CI counts, as URLs: the project's, or else those that `releases:` names.
/// None if nothing names any, as with folders and buckets; then every CI counts.
pub fn trusted_repositories(workspace: &Workspace) -> Vec<String> {
    if let Some(repository) = &workspace.repository {
        return vec![repository.clone()];
    }
    repositories(&workspace.stores, &workspace.environment)
}

fn repositories(stores: &[String], environment: &Environment) -> Vec<String> {
    let filled = |name| environment.get(name).filter(|value| !value.trim().is_empty());
    let server = || {
        filled("GITHUB_SERVER_URL")
            .map(|url| url.trim().trim_end_matches('/').to_owned())
            .or_else(|| filled("GH_HOST").map(|host| format!("https://{}", host.trim())))
            .unwrap_or_else(|| "https://github.com".into())
    };
    let repository = |store: &String| match StoreUrl::parse(store).ok()? {
        StoreUrl::GitHub { base, owner, repo } => {
            Some(format!("{}/{owner}/{repo}", base.unwrap_or_else(server)))
        }
        StoreUrl::Gitea { base, owner, repo } => Some(format!("{base}/{owner}/{repo}")),
        StoreUrl::GitLab { base, project } => {
            Some(format!("{}/{project}", base.as_deref().unwrap_or("https://gitlab.com")))
        }
        // `https://github.com/OWNER/REPO/releases/download`
        StoreUrl::Http(url) => url.strip_suffix("/releases/download").map(str::to_owned),
        StoreUrl::Dir(_) | StoreUrl::S3 { .. } | StoreUrl::Oci(_) => None,
    };
    stores.iter().filter_map(repository).collect()
}

/// Who built the asset `asset` of `name` in the release `tag` of `store`; nobody is asked unless the
/// workspace wants to know. `sha256` is the digest that the asset will be held to.
///
/// # Errors
/// `Verification` if the workspace does not take assets of whoever built it; `Store` if that
/// cannot be read.
pub async fn builder_of_asset(
    workspace: &Workspace,
    name: &Name,
    (store, tag, asset): (&dyn Store, &str, &str),
    sha256: Option<Sha256>,
) -> Result<Option<String>, Fault> {
    if workspace.trust == Trust::Any {
        return Ok(None);
    }
    let label = format!("{tag}/{asset} from {}", store.url());
    let refused = |why: String| distrusted(name.as_str(), &label, why);
    let sha256 = sha256.ok_or_else(|| {
        refused(
            "neither forge.lock nor a .sha256 file gives its digest, which provenance is about"
                .into(),
        )
    })?;
    let repositories = trusted_repositories(workspace);
    let (mut statements, mut unread, mut why) = (Vec::new(), None, String::new());
    for name in [statement_name(asset), promotion_name(asset)] {
        let text = read_text(store, tag, &name, MAX_BYTES).await?.unwrap_or_default();
        match read_statements(&text) {
            Ok(read) => statements.extend(read),
            Err(wrong) => {
                unread = Some(format!("its provenance {name} cannot be used: {wrong}"));
            }
        }
        match judge(Trust::Ci, &repositories, sha256, &statements) {
            Ok(builder) => return Ok(builder.map(|builder| builder.id().to_owned())),
            Err(reason) => why = reason,
        }
    }
    Err(refused(unread.unwrap_or(why)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(stores: &[&str], variables: &[(&str, &str)]) -> Vec<String> {
        let stores: Vec<_> = stores.iter().map(|store| (*store).to_owned()).collect();
        repositories(&stores, &variables.iter().copied().collect())
    }

    #[test]
    fn the_stores_name_the_repositories_whose_ci_counts() {
        let github = ["https://github.com/o/r"];
        assert_eq!(found(&["dir:x", "github:o/r", "s3:b"], &[]), github);
        assert_eq!(found(&["https://github.com/o/r/releases/download"], &[]), github);
        assert_eq!(
            found(&["gitea:git.example.org:3000/o/r"], &[]),
            ["https://git.example.org:3000/o/r"]
        );
        let gitlab = ["gitlab:g/s/p", "gitlab:git.example.org/g/p"];
        assert_eq!(
            found(&gitlab, &[]),
            ["https://gitlab.com/g/s/p", "https://git.example.org/g/p"]
        );
        let server = [("GITHUB_SERVER_URL", "http://127.0.0.1:80/"), ("GH_HOST", "x.org")];
        assert_eq!(found(&["github:o/r"], &server), ["http://127.0.0.1:80/o/r"]);
        let host = [("GITHUB_SERVER_URL", " "), ("GH_HOST", "git.corp.org")];
        assert_eq!(found(&["github:o/r"], &host), ["https://git.corp.org/o/r"]);
        assert!(found(&["dir:x", "https://example.org/mirror", "s3:b/p"], &[]).is_empty());
    }
}
