//! Whole workspaces, written to disk and loaded.

mod discovered;
mod extended;
mod good;
mod images;
mod mutated;
mod problems;

use std::fs;

use super::{LoadError, LoadInputs, SeenEnvironment, Workspace, load};
use crate::model::{Platform, Problems};

/// A workspace on disk, written file by file.
pub struct Sandbox(pub tempfile::TempDir);

impl Sandbox {
    pub fn new(files: &[(&str, &str)]) -> Self {
        let sandbox = Self(tempfile::tempdir().unwrap());
        for (path, text) in files {
            sandbox.write(path, text.as_bytes());
        }
        sandbox
    }

    pub fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub fn load(&self) -> Result<Workspace, LoadError> {
        self.load_on("linux-amd64")
    }

    pub fn load_on(&self, platform: &str) -> Result<Workspace, LoadError> {
        let environment = SeenEnvironment::new([("HOME", "/home/me")].into_iter().collect());
        let outside = LoadInputs { environment, ..LoadInputs::nothing() };
        load(self.0.path(), on(platform), &outside)
    }

    pub fn workspace(&self) -> Workspace {
        self.load().unwrap_or_else(|error| panic!("{error:#?}"))
    }

    pub fn problems(&self) -> Problems {
        match self.load() {
            Err(LoadError::Problems(problems)) => problems,
            other => panic!("no problems but {other:#?}"),
        }
    }
}

pub fn on(platform: &str) -> Platform {
    platform.parse().unwrap()
}

pub const TELEMETRY: &str = "\
project: plat-telemetry
releases: github:joeblew999/plat-telemetry
versions:
  nats: v2.10.24
  arc: 1.10
platforms: [linux-amd64, darwin-arm64]
groups: { ci: [nats] }
tasks: {}
env: { LANG: C }
";

pub const NATS: &str = "\
desc: NATS server
binary: nats-server
source:
  git: https://github.com/nats-io/nats-server.git
build:
  go: .
upstream:
  url: https://github.com/nats-io/nats-server/releases/download/{{ version }}/nats-server-{{ version }}-{{ platform }}.tar.gz
  sha256: https://github.com/nats-io/nats-server/releases/download/{{ version }}/SHA256SUMS
  strip: 1
tasks:
  run: nats-server --config nats.conf
  test: { dir: \"{{ src }}\", run: go test ./... }
";
