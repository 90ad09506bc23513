//! Where the files of the user who runs forge lie, outside of every workspace. Only names: nothing
//! here touches the disk.
//!
//! The folders are those of the XDG Base Directory Specification
//! (<https://specifications.freedesktop.org/basedir-spec/latest/>), on macOS too.

use std::path::{Path, PathBuf};

use super::{Environment, Fault, Kind};

/// The folders of the user who runs forge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserFolders {
    /// The home folder.
    home: Option<PathBuf>,
    /// `$FORGE_CACHE_DIR`, as the user named it.
    named_cache: Option<PathBuf>,
    /// The cache folder that the system sets aside.
    cache: Option<PathBuf>,
    data: Option<PathBuf>,
    settings: Option<PathBuf>,
    runtime: Option<PathBuf>,
    linked: Vec<PathBuf>,
    git_settings: Vec<PathBuf>,
    git_ignore: Option<PathBuf>,
}

impl UserFolders {
    /// What is where, for people.
    pub const PLACES: &'static [(&'static str, &'static str)] = &[
        (
            "~/.cache/forge/",
            "Files and records that all workspaces of a user share, by digest; `$FORGE_CACHE_DIR`, or below `$XDG_CACHE_HOME`.",
        ),
        (
            "~/.local/share/forge/releases/",
            "A store per workspace whose `versions.yml` names none; `$FORGE_DATA_DIR`, or below `$XDG_DATA_HOME`.",
        ),
        (
            "~/.local/share/forge/record.key",
            "The key that seals this user's records on this machine.",
        ),
    ];

    /// Those that `environment` names. `home` is the home folder if it names none.
    #[must_use]
    pub fn new(environment: &Environment, home: Option<PathBuf>) -> Self {
        let home = environment.path("HOME").or(home).filter(|home| home.is_absolute());
        let base = |name: &str, below: &str| {
            let named = environment.path(name).filter(|path| path.is_absolute());
            named.or_else(|| home.as_ref().map(|home| home.join(below)))
        };
        let linked = environment.raw("FORGE_LINKED_DIRS").map(std::env::split_paths);
        let own = |base: PathBuf| base.join("forge");
        Self {
            named_cache: environment.path("FORGE_CACHE_DIR"),
            cache: base("XDG_CACHE_HOME", ".cache").map(own),
            data: environment
                .path("FORGE_DATA_DIR")
                .or_else(|| base("XDG_DATA_HOME", ".local/share").map(own)),
            settings: match cfg!(target_os = "macos") {
                true => home.as_ref().map(|home| home.join("Library/Application Support")),
                false => base("XDG_CONFIG_HOME", ".config"),
            },
            runtime: environment.path("XDG_RUNTIME_DIR"),
            linked: linked.into_iter().flatten().collect(),
            git_settings: git_settings(environment, home.as_deref()),
            git_ignore: git_folder(environment, home.as_deref()).map(|it| it.join("ignore")),
            home,
        }
    }

    /// The home folder.
    ///
    /// # Errors
    /// `Failed` if there is none.
    pub fn home(&self) -> Result<&Path, Fault> {
        self.home.as_deref().ok_or_else(|| {
            Fault::new(Kind::Failed, "cannot tell where your home folder is")
                .because("there is no home directory")
                .hint("set HOME, or name a store in `releases` of versions.yml")
        })
    }

    /// The folder of the cache that workspaces share: `$FORGE_CACHE_DIR`, or `forge` in the cache
    /// folder that the system sets aside (`$XDG_CACHE_HOME`, `~/.cache`).
    ///
    /// # Errors
    /// `Failed` if there is no home folder.
    pub fn cache(&self) -> Result<&Path, Fault> {
        self.named_cache.as_deref().or(self.cache.as_deref()).ok_or_else(|| {
            Fault::new(Kind::Failed, "cannot tell where your cache folder is")
                .because("there is no home directory")
                .hint("set HOME, or FORGE_CACHE_DIR to the folder to use")
        })
    }

    /// Whether the user named the folder of the cache.
    #[must_use]
    pub fn is_cache_named(&self) -> bool {
        self.named_cache.is_some()
    }

    /// Where forge keeps what is worth keeping of this user: `$FORGE_DATA_DIR`, or `forge` in the
    /// user's data folder (`$XDG_DATA_HOME`, `~/.local/share`).
    ///
    /// # Errors
    /// `Failed` if there is no home folder.
    pub fn data(&self) -> Result<&Path, Fault> {
        self.data.as_deref().ok_or_else(|| {
            Fault::new(Kind::Failed, "cannot tell where your home folder is")
                .because("there is no home directory")
                .hint("set HOME, or FORGE_DATA_DIR to the folder to use")
        })
    }

    /// Where other programs of this system keep their settings: `$XDG_CONFIG_HOME`, `~/.config`; on macOS
    /// `~/Library/Application Support`.
    #[must_use]
    pub fn settings_of_programs(&self) -> Option<&Path> {
        self.settings.as_deref()
    }

    /// Where the sockets of this user are: `$XDG_RUNTIME_DIR`.
    #[must_use]
    pub fn runtime(&self) -> Option<&Path> {
        self.runtime.as_deref()
    }

    /// The folders into which a `.forge` that is a symbolic link may lead: `$FORGE_LINKED_DIRS`.
    #[must_use]
    pub fn linked(&self) -> &[PathBuf] {
        &self.linked
    }

    /// Where settings of git may be for this user, those that count most first: git-config(1), "FILES".
    #[must_use]
    pub fn git_settings(&self) -> &[PathBuf] {
        &self.git_settings
    }

    /// The list of files that git ignores for this user, unless settings name another.
    #[must_use]
    pub fn git_ignore(&self) -> Option<&Path> {
        self.git_ignore.as_deref()
    }
}

fn git_folder(environment: &Environment, home: Option<&Path>) -> Option<PathBuf> {
    let named = environment.path("XDG_CONFIG_HOME");
    named.or_else(|| home.map(|home| home.join(".config"))).map(|folder| folder.join("git"))
}

fn git_settings(environment: &Environment, home: Option<&Path>) -> Vec<PathBuf> {
    let own = match environment.path("GIT_CONFIG_GLOBAL") {
        Some(named) => vec![named],
        None => {
            let shared = git_folder(environment, home).map(|folder| folder.join("config"));
            home.map(|home| home.join(".gitconfig")).into_iter().chain(shared).collect()
        }
    };
    let system = environment.path("GIT_CONFIG_SYSTEM").unwrap_or_else(|| "/etc/gitconfig".into());
    own.into_iter().chain([system]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders(variables: &[(&str, &str)]) -> UserFolders {
        UserFolders::new(&variables.iter().copied().collect(), None)
    }

    #[test]
    fn variables_name_the_folders_and_else_they_are_below_home() {
        let home = folders(&[("HOME", "/h"), ("FORGE_CACHE_DIR", ""), ("FORGE_DATA_DIR", "")]);
        assert_eq!(home.cache().unwrap(), Path::new("/h/.cache/forge"));
        assert_eq!(home.data().unwrap(), Path::new("/h/.local/share/forge"));
        let xdg = folders(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/c"), ("XDG_DATA_HOME", "rel")]);
        assert_eq!(xdg.cache().unwrap(), Path::new("/c/forge"));
        assert_eq!(xdg.data().unwrap(), Path::new("/h/.local/share/forge"), "not absolute");
        let own = folders(&[("FORGE_CACHE_DIR", "/mine"), ("FORGE_DATA_DIR", "/d")]);
        assert_eq!((own.cache().unwrap(), own.data().unwrap()), ("/mine".as_ref(), "/d".as_ref()));
        assert!(own.is_cache_named() && !xdg.is_cache_named() && own.home().is_err());
        assert!(folders(&[]).cache().is_err() && folders(&[]).data().is_err());
    }

    #[test]
    fn settings_of_git_are_where_git_looks_for_them() {
        let home = folders(&[("HOME", "/h")]);
        let paths = ["/h/.gitconfig", "/h/.config/git/config", "/etc/gitconfig"].map(PathBuf::from);
        assert_eq!(home.git_settings(), paths);
        assert_eq!(home.git_ignore(), Some("/h/.config/git/ignore".as_ref()));
        let named = folders(&[
            ("HOME", "/h"),
            ("GIT_CONFIG_GLOBAL", "/g"),
            ("GIT_CONFIG_SYSTEM", "/s"),
            ("XDG_CONFIG_HOME", "/x"),
        ]);
        assert_eq!(named.git_settings(), ["/g", "/s"].map(PathBuf::from));
        assert_eq!(named.git_ignore(), Some("/x/git/ignore".as_ref()));
        assert!(folders(&[]).git_ignore().is_none());
    }
}
