//! From a store's URL to the backend that serves it.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use etcetera::BaseStrategy;
use reqwest::Url;

use super::{
    Settings, Store, StoreUrl,
    dir::Dir,
    gitea::Gitea,
    github::{GitHub, Host},
    http::Http,
    s3::S3,
};
use crate::model::{Fault, Kind, Sha256, checksum, is_unprotected};

/// Opens the store at `url`. Touches neither disk nor network yet.
///
/// # Errors
/// `Usage` if this forge has no backend for the URL or it is none, `Failed` if a path
/// begins with `~/` and the user has no home folder.
pub fn open(url: &StoreUrl, settings: &Settings) -> Result<Arc<dyn Store>, Fault> {
    match url {
        StoreUrl::Dir(path) => {
            Ok(Arc::new(Dir::new(url.to_string(), absolute(path, &settings.workspace)?)))
        }
        StoreUrl::Http(text) if is_unprotected(text) => {
            Err(Fault::new(Kind::Usage, format!("`{url}` would be read over unprotected http"))
                .because("everybody on the way could replace what is there")
                .hint("write `https://…`; http is for this machine only"))
        }
        StoreUrl::Http(text) => {
            let base = Url::parse(text).map_err(|error| {
                Fault::new(Kind::Usage, format!("`{url}` is no URL")).because(error.to_string())
            })?;
            Ok(Arc::new(Http::new(base, settings)))
        }
        StoreUrl::GitHub { base, owner, repo } => Ok(Arc::new(GitHub::new(
            url.to_string(),
            Host::find(base.as_deref(), &settings.environment)?,
            [owner, repo],
            settings,
        ))),
        StoreUrl::S3 { bucket, prefix } => {
            Ok(Arc::new(S3::new(url.to_string(), bucket, prefix, settings)?))
        }
        StoreUrl::Gitea { base, owner, repo } => {
            Ok(Arc::new(Gitea::new(url.to_string(), base, [owner, repo], settings)?))
        }
        StoreUrl::Oci { .. } => Err(not_yet(url)),
    }
}

fn not_yet(url: &StoreUrl) -> Fault {
    let opens = "it opens `github:OWNER/REPO`, `gitea:https://HOST/OWNER/REPO`, `s3:BUCKET/PREFIX`, `dir:PATH`, \
                 `file:///PATH`, and `https://` and `http://` to read";
    Fault::new(Kind::Usage, format!("this forge cannot open `{url}` yet"))
        .because(opens)
        .hint("to keep releases in a folder, write `dir:PATH`")
}

fn absolute(path: &Path, workspace: &Path) -> Result<PathBuf, Fault> {
    match path.strip_prefix("~") {
        Ok(below) => Ok(etcetera::home_dir().map_err(|error| no_home(&error))?.join(below)),
        Err(_) => Ok(workspace.join(path)),
    }
}

/// What the store is called that is nowhere.
const NO_STORE: &str =
    "no store (there is no home folder to keep one in, and `releases` names none)";

fn no_home(error: &etcetera::HomeDirError) -> Fault {
    Fault::new(Kind::Failed, "cannot tell where your home folder is")
        .because(error.to_string())
        .hint("set HOME, or name a store in `releases` of versions.yml")
}

/// The store of a workspace whose manifest names none: [`default_url`]. Where the user has no home
/// folder, or may not write to it, it is only read.
pub fn private(project: &str, workspace: &Path) -> Arc<dyn Store> {
    let root = match default_url(project, workspace) {
        Ok(StoreUrl::Dir(root)) => Some(workspace.join(root)),
        _ => None,
    };
    let named = |root: PathBuf| Dir::private(StoreUrl::Dir(root.clone()).to_string(), root);
    let nowhere = || Dir::nowhere(NO_STORE.to_owned(), workspace.join(".forge/releases"));
    Arc::new(root.and_then(named).unwrap_or_else(nowhere))
}

/// The store of a workspace whose manifest names none: a folder for `project` as it lies at
/// `workspace`, below `$FORGE_DATA_DIR/releases` or `forge/releases` in the user's data folder. What
/// another folder calls the same may be a stranger's.
///
/// # Errors
/// `Failed` if the user has no home folder.
pub fn default_url(project: &str, workspace: &Path) -> Result<StoreUrl, Fault> {
    let workspace = fs::canonicalize(workspace).unwrap_or_else(|_| workspace.to_owned());
    let digest = Sha256(checksum(workspace.as_os_str().as_encoded_bytes())).short();
    let name = format!("{}-{digest}", folder(project));
    Ok(StoreUrl::Dir(data_folder()?.join("releases").join(name)))
}

/// Where forge keeps what is worth keeping of this user: `$FORGE_DATA_DIR`, or `forge` in the
/// user's data folder.
///
/// # Errors
/// `Failed` if the user has no home folder.
pub fn data_folder() -> Result<PathBuf, Fault> {
    data_dir(env::var_os("FORGE_DATA_DIR"))
}

/// As [`data_folder`], `named` by the user, if not empty.
fn data_dir(named: Option<OsString>) -> Result<PathBuf, Fault> {
    match named.filter(|named| !named.is_empty()) {
        Some(named) => Ok(named.into()),
        None => etcetera::choose_base_strategy()
            .map(|base| base.data_dir().join("forge"))
            .map_err(|error| no_home(&error)),
    }
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

    fn opened(url: &str) -> Result<Arc<dyn Store>, Fault> {
        open(&StoreUrl::parse(url).unwrap(), &Settings::new("/work space".into()))
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
    fn what_cannot_be_opened_yet_says_so_and_what_can() {
        let fault = opened("oci:h/r").err().unwrap();
        assert_eq!(fault.kind, Kind::Usage);
        assert!(fault.what.contains("`oci:h/r`"), "{fault}");
        assert!(fault.why[0].contains("dir:PATH") && fault.hint.is_some(), "{fault}");
    }

    #[test]
    fn a_login_never_travels_unprotected() {
        let fault = opened("gitea:http://git.example.org/o/r").err().unwrap();
        assert_eq!(fault.kind, Kind::Usage);
        assert!(fault.what.contains("cannot be the address of a Gitea"), "{fault}");
        assert!(opened("gitea:http://127.0.0.1:3000/o/r").is_ok());
        let fault = opened("http://example.org/releases").err().unwrap();
        assert!(fault.what.contains("unprotected http"), "{fault}");
    }

    #[test]
    fn paths_start_at_the_workspace_or_at_home() {
        let workspace = Path::new("/w");
        assert_eq!(absolute("r".as_ref(), workspace).unwrap(), Path::new("/w/r"));
        assert_eq!(absolute("/r".as_ref(), workspace).unwrap(), Path::new("/r"));
        let home = absolute("~/r".as_ref(), workspace).unwrap();
        assert!(home.is_absolute() && home.ends_with("r") && !home.starts_with("/w"), "{home:?}");
    }

    #[test]
    fn projects_have_folders_of_their_own_in_the_data_folder() {
        assert_eq!(data_dir(Some("/d".into())).unwrap(), Path::new("/d"));
        assert!(data_dir(Some("".into())).unwrap().ends_with("forge"));
        for (project, name) in
            [("plat-telemetry", "plat-telemetry"), ("a b/c", "a-b-c"), ("..", "workspace")]
        {
            assert_eq!(folder(project), name);
        }
    }
}
