//! From a store's URL to the backend that serves it.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use reqwest::Url;

use super::{
    Store, StoreSettings, StoreUrl,
    dir::Dir,
    hosted::{gitea, github, gitlab},
    http::Http,
    oci::Oci,
    s3::S3,
};
use crate::model::{Fault, Kind, Layout, Sha256, checksum, is_unprotected};

/// Opens the store at `url`. Touches neither disk nor network yet.
///
/// # Errors
/// `Usage` if the URL is of no server that may be asked, `Failed` if a path
/// begins with `~/` and the user has no home folder.
pub fn open(url: &StoreUrl, settings: &StoreSettings) -> Result<Arc<dyn Store>, Fault> {
    match url {
        StoreUrl::Dir(path) => {
            Ok(Arc::new(Dir::new(url.to_string(), absolute(path, &settings.layout)?)))
        }
        StoreUrl::Http(text) if is_unprotected(text) => {
            Err(Fault::new(Kind::Usage, format!("`{url}` would be read over unprotected http"))
                .because("everybody on the way could replace what is there")
                .hint("write `https://…`; http is for this machine only"))
        }
        StoreUrl::Http(text) => {
            let base = Url::parse(text).map_err(|error| {
                Fault::new(Kind::Usage, format!("`{url}` is not a URL")).because(error.to_string())
            })?;
            Ok(Arc::new(Http::new(base, settings)))
        }
        StoreUrl::GitHub { base, owner, repo } => Ok(Arc::new(github::store(
            url.to_string(),
            github::GitHubServer::find(base.as_deref(), &settings.environment)?,
            [owner, repo],
            settings,
        ))),
        StoreUrl::S3 { bucket, prefix } => {
            Ok(Arc::new(S3::new(url.to_string(), bucket, prefix, settings)?))
        }
        StoreUrl::Oci(repository) => {
            Ok(Arc::new(Oci::new(url.to_string(), repository.clone(), settings)))
        }
        StoreUrl::Gitea { base, owner, repo } => {
            Ok(Arc::new(gitea::store(url.to_string(), base, [owner, repo], settings)?))
        }
        StoreUrl::GitLab { base, project } => {
            Ok(Arc::new(gitlab::store(url.to_string(), base.as_deref(), project, settings)?))
        }
    }
}

fn absolute(path: &Path, layout: &Layout) -> Result<PathBuf, Fault> {
    match path.strip_prefix("~") {
        Ok(below) => Ok(layout.user().home()?.join(below)),
        Err(_) => Ok(layout.root().join(path)),
    }
}

/// What the store is called that is nowhere.
const NO_STORE: &str =
    "no store (there is no home folder to keep one in, and `releases` names none)";

/// The store of a workspace whose manifest names none: [`default_url`]. Where the user has no home
/// folder, or may not write to it, it is only read.
pub fn private(project: &str, layout: &Layout) -> Arc<dyn Store> {
    let root = match default_url(project, layout) {
        Ok(StoreUrl::Dir(root)) => Some(layout.root().join(root)),
        _ => None,
    };
    let named = |root: PathBuf| Dir::private(StoreUrl::Dir(root.clone()).to_string(), root);
    let nowhere = || Dir::nowhere(NO_STORE.to_owned(), layout.forge().join("releases"));
    Arc::new(root.and_then(named).unwrap_or_else(nowhere))
}

/// The store of a workspace whose manifest names none: a folder for `project` as it lies at
/// `layout`, below `releases` in the data folder of the user. What another folder calls the same may
/// be a stranger's.
///
/// # Errors
/// `Failed` if the user has no home folder.
pub fn default_url(project: &str, layout: &Layout) -> Result<StoreUrl, Fault> {
    let workspace = fs::canonicalize(layout.root()).unwrap_or_else(|_| layout.root().to_owned());
    let digest = Sha256(checksum(workspace.as_os_str().as_encoded_bytes())).short();
    let name = format!("{}-{digest}", folder(project));
    Ok(StoreUrl::Dir(layout.user().data()?.join("releases").join(name)))
}

/// `project` as the name of a folder. It may be any text that a manifest or a folder's
/// name can be.
fn folder(project: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let name: String = project.chars().map(plain).collect();
    let name = name.trim_start_matches('.');
    if name.is_empty() { "workspace".into() } else { name.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Environment, UserFolders};

    fn opened(url: &str) -> Result<Arc<dyn Store>, Fault> {
        open(
            &StoreUrl::parse(url).unwrap(),
            &StoreSettings::new(Layout::at("/work space".into()), &Environment::default()),
        )
    }

    #[test]
    fn a_store_says_how_it_was_called() {
        for (url, writable) in [
            ("dir:releases", true),
            ("https://example.org/releases", false),
            ("http://127.0.0.1:8080/releases", false),
            ("github:o/r", true),
            ("github:https://ghe.example.org/o/r", true),
            ("gitea:git.example.org/o/r", true),
            ("gitlab:g/s/p", true),
            ("oci:ghcr.io/acme/releases", true),
            ("gitlab:git.example.org/g/p", true),
        ] {
            let store = opened(url).unwrap();
            assert_eq!((store.url(), store.is_writable()), (url, writable));
        }
        assert_eq!(
            opened("https://me:secret@example.org/r").unwrap().url(),
            "https://example.org/r"
        );
    }

    #[test]
    fn a_login_never_travels_unprotected() {
        let fault = opened("gitea:http://git.example.org/o/r").err().unwrap();
        assert_eq!(fault.kind, Kind::Usage);
        assert!(fault.what.contains("cannot be the address of a Gitea"), "{fault}");
        assert!(opened("gitea:http://127.0.0.1:3000/o/r").is_ok());
        let fault = opened("gitlab:http://git.example.org/g/p").err().unwrap();
        assert!(fault.what.contains("cannot be the address of a GitLab"), "{fault}");
        let fault = opened("http://example.org/releases").err().unwrap();
        assert!(fault.what.contains("unprotected http"), "{fault}");
    }

    #[test]
    fn paths_start_at_the_workspace_or_at_home() {
        let user = UserFolders::new(&[("HOME", "/h")].into_iter().collect(), None);
        let layout = Layout::new("/w".into(), user);
        for (path, found) in [("r", "/w/r"), ("/r", "/r"), ("~/r", "/h/r")] {
            assert_eq!(absolute(path.as_ref(), &layout).unwrap(), Path::new(found));
        }
        assert!(absolute("~/r".as_ref(), &Layout::at("/w".into())).is_err());
    }

    #[test]
    fn projects_have_folders_of_their_own_in_the_data_folder() {
        for (project, name) in
            [("plat-telemetry", "plat-telemetry"), ("a b/c", "a-b-c"), ("..", "workspace")]
        {
            assert_eq!(folder(project), name);
        }
    }
}
