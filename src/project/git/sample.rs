//! A repository to test with.

use std::{fs, path::PathBuf, process::Command};

use tempfile::TempDir;

use crate::disk::Folder;
use crate::process::{Cancel, Runner};

/// A repository in a temporary folder whose path has a space in it.
pub struct Sample {
    temp: TempDir,
    url: String,
}

impl Sample {
    pub fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let url = temp.path().join("the origin").to_str().unwrap().to_owned();
        fs::create_dir(&url).unwrap();
        let sample = Self { temp, url };
        sample.git(&["init", "--quiet", "--initial-branch=main"]);
        sample
    }

    /// What to fetch from.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A path beside the repository.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    /// The folder that all of it is in.
    pub fn root(&self) -> Folder {
        Folder::open(self.temp.path()).unwrap()
    }

    pub fn runner() -> Runner {
        Runner::new(crate::process::testing::environment(), 1, Cancel::new())
    }

    /// Commits `name` holding `text`, and returns the commit.
    pub fn commit(&self, name: &str, text: &str) -> String {
        fs::write(PathBuf::from(&self.url).join(name), text).unwrap();
        self.git(&["add", "-A"]);
        self.git(&["commit", "--quiet", "-m", text]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Runs git in the repository.
    pub fn git(&self, words: &[&str]) -> String {
        let output = Command::new("git")
            .args(words)
            .current_dir(&self.url)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .envs(["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"].map(|name| (name, "someone")))
            .envs(["GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"].map(|name| (name, "a@b.c")))
            .output()
            .unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}
