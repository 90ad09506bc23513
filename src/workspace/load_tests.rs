use std::{fs, path::Path};

use super::*;
use crate::{
    model::{Diagnostic, Name, Platform, Problems, Version},
    workspace::{Source, Subsystem, Text},
};

/// A workspace on disk, written file by file.
struct Sandbox(tempfile::TempDir);

impl Sandbox {
    fn new(files: &[(&str, &str)]) -> Self {
        let sandbox = Self(tempfile::tempdir().unwrap());
        for (path, text) in files {
            sandbox.write(path, text.as_bytes());
        }
        sandbox
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn load(&self) -> Result<Workspace, LoadError> {
        let environment = Environment::new(|name| (name == "HOME").then(|| "/home/me".to_owned()));
        load_with(self.0.path(), on("linux-amd64"), &environment)
    }

    fn workspace(&self) -> Workspace {
        self.load().unwrap_or_else(|error| panic!("{error:#?}"))
    }

    fn problems(&self) -> Problems {
        match self.load() {
            Err(LoadError::Problems(problems)) => problems,
            other => panic!("no problems but {other:#?}"),
        }
    }
}

fn on(platform: &str) -> Platform {
    platform.parse().unwrap()
}

/// The subsystem `x` of a workspace that only has this spec.
fn subsystem(spec: &str) -> Subsystem {
    let sandbox = Sandbox::new(&[("versions.yml", "versions: {x: v1.2.3}\n"), ("subsystems/x.yml", spec)]);
    fs::create_dir_all(sandbox.0.path().join("code")).unwrap();
    sandbox.workspace().subsystems.remove("x").unwrap()
}

fn steps(subsystem: &Subsystem) -> Vec<String> {
    subsystem.build.as_ref().unwrap().steps.iter().map(Text::symbolic).collect()
}

const TELEMETRY: &str = "\
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

const NATS: &str = "\
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

#[test]
fn a_good_workspace_comes_out_resolved() {
    let sandbox = Sandbox::new(&[
        ("versions.yml", TELEMETRY),
        ("subsystems/nats.yml", NATS),
        ("subsystems/arc/subsystem.yml", "source: {path: arc}\nbuild: {run: ./make.sh, timeout: 5m}\nneeds: [nats]\n"),
        ("arc/make.sh", "#!/bin/sh\n"),
    ]);
    let workspace = sandbox.workspace();
    assert_eq!(workspace.project, "plat-telemetry");
    assert_eq!(workspace.stores, ["github:joeblew999/plat-telemetry"]);
    assert_eq!(workspace.platforms, [on("linux-amd64"), on("darwin-arm64")]);
    assert_eq!(workspace.groups["ci"], [Name::new("nats").unwrap()]);
    let nats = &workspace.subsystems["nats"];
    assert_eq!(nats.binaries, ["nats-server"]);
    assert_eq!(
        nats.source,
        Source::Git {
            url: "https://github.com/nats-io/nats-server.git".into(),
            reference: "v2.10.24".into()
        }
    );
    assert_eq!(
        steps(nats),
        ["go build -buildvcs=false -trimpath -ldflags \"-s -w -X main.version=v2.10.24\" -o \"{{ out }}/nats-server\" ."]
    );
    let env = &nats.build.as_ref().unwrap().env;
    assert_eq!(env["CGO_ENABLED"].symbolic(), "0");
    assert_eq!(env["GOOS"].symbolic(), "linux");
    assert_eq!(env["LANG"].symbolic(), "C");
    assert!(nats.upstream.as_ref().unwrap().url.ends_with("/v2.10.24/nats-server-v2.10.24-linux-amd64.tar.gz"));
    let arc = &workspace.subsystems["arc"];
    assert_eq!(arc.version, Version::Pin("1.10".into()));
    assert_eq!(arc.build.as_ref().unwrap().timeout.as_secs(), 300);
    assert_eq!(arc.spec, Path::new("subsystems/arc/subsystem.yml"));
}
