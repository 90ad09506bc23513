//! What good files come out as.

use std::{fs, path::Path};

use super::{NATS, Sandbox, TELEMETRY, on};
use crate::{
    model::{Name, Sha256, Version},
    provenance::Trust,
    workspace::{
        Documents, LoadInputs, Source, Subsystem, Text, UpstreamDigest, WantedPlatforms,
        Workspaces, find_root, starter,
    },
};

/// The subsystem `x` of a workspace that only has this spec.
fn subsystem(spec: &str) -> Subsystem {
    let sandbox =
        Sandbox::new(&[("versions.yml", "versions: {x: v1.2.3}\n"), ("subsystems/x.yml", spec)]);
    fs::create_dir_all(sandbox.0.path().join("code")).unwrap();
    sandbox.workspace().subsystems.remove("x").unwrap()
}

fn steps(subsystem: &Subsystem) -> Vec<String> {
    subsystem.build.as_ref().unwrap().steps.iter().map(Text::symbolic).collect()
}

#[test]
fn a_repository_is_a_page_without_its_end() {
    for url in ["https://github.com/o/r", "https://github.com/o/r/", "https://github.com/o/r.git"] {
        let manifest = format!("versions: {{x: v1}}\nrepository: {url}\n");
        let spec = ("subsystems/x.yml", "build: {run: make}\n");
        let workspace = Sandbox::new(&[("versions.yml", &manifest), spec]).workspace();
        assert_eq!(workspace.repository.as_deref(), Some("https://github.com/o/r"));
    }
}

#[test]
fn trust_is_about_what_others_published() {
    let trust = |manifest: &str| {
        let manifest = format!("versions: {{x: v1}}\n{manifest}");
        let spec = ("subsystems/x.yml", "build: {run: make}\n");
        Sandbox::new(&[("versions.yml", &manifest), spec]).workspace().trust
    };
    assert_eq!(trust("releases: dir:x"), Trust::Any);
    for word in Trust::WORDS {
        let trust = trust(&format!("releases: dir:x\ntrust: {word}"));
        assert_eq!(trust.as_str(), *word);
    }
    // In the user's own store there is nothing to distrust.
    assert_eq!(trust("trust: ci"), Trust::Any);
}

#[test]
fn a_good_workspace_comes_out_resolved() {
    let sandbox = Sandbox::new(&[
        ("versions.yml", TELEMETRY),
        ("subsystems/nats.yml", NATS),
        (
            "subsystems/arc/subsystem.yml",
            "source: {path: arc}\nbuild: {run: ./make.sh, timeout: 5m}\nneeds: [nats]\n",
        ),
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
        [
            "go build -buildvcs=false -trimpath -ldflags \"-s -w -X main.version=v2.10.24\" -o \"{{ out }}/nats-server\" ."
        ]
    );
    let env = &nats.build.as_ref().unwrap().env;
    assert_eq!(env["CGO_ENABLED"].symbolic(), "0");
    assert_eq!(env["GOOS"].symbolic(), "linux");
    assert_eq!(env["LANG"].symbolic(), "C");
    assert_eq!(env["GOWORK"].symbolic(), "off");
    assert!(
        nats.upstream
            .as_ref()
            .unwrap()
            .url
            .ends_with("/v2.10.24/nats-server-v2.10.24-linux-amd64.tar.gz")
    );
    let arc = &workspace.subsystems["arc"];
    assert_eq!(arc.version, Version::Pin("1.10".into()));
    assert_eq!(arc.build.as_ref().unwrap().timeout.as_secs(), 300);
    assert_eq!(arc.spec, Path::new("subsystems/arc/subsystem.yml"));
}

#[test]
fn line_ends_marks_anchors_and_tags_are_fine() {
    let sandbox = Sandbox::new(&[
        ("versions.yml", "\u{feff}versions:\r\n  x: &v 1.10\r\n  y: *v\r\n"),
        ("subsystems/x.yml", "vars: &all {a: !!str 1}\r\nbuild: {run: make}\r\n"),
        ("subsystems/y.yml", "vars: &all {a: b}\nenv: {<<: *all, c: d}\nbuild: {run: make}\n"),
    ]);
    let workspace = sandbox.workspace();
    assert_eq!(workspace.subsystems["x"].version.as_str(), "1.10");
    assert_eq!(workspace.subsystems["y"].version.as_str(), "1.10");
    let env = &workspace.subsystems["y"].build.as_ref().unwrap().env;
    assert_eq!((env["a"].symbolic().as_str(), env["c"].symbolic().as_str()), ("b", "d"));
}

#[test]
fn presets_expand_to_what_a_person_would_write() {
    let go = "go build -buildvcs=false -trimpath";
    for (spec, expected) in [
        (
            "build: {go: {module: github.com/BurntSushi/x, package: ./cmd/x, vars: {a.b: '{{ version_number }}'}}}",
            vec![
                "go mod download github.com/BurntSushi/x@v1.2.3".to_owned(),
                "go build -C \"$(go env GOMODCACHE)/github.com/!burnt!sushi/x@v1.2.3\" -buildvcs=false -trimpath \
                 -ldflags \"-s -w -X a.b=1.2.3\" -o \"{{ out }}/x\" ./cmd/x"
                    .to_owned(),
            ],
        ),
        (
            "binary: y\nbuild: {go: {install: github.com/a/b/v2, ldflags: -s, tags: [p, q]}}",
            vec![
                "go install -trimpath -tags p,q -ldflags \"-s\" github.com/a/b/v2@v1.2.3".to_owned(),
                "mv \"{{ out }}/b\" \"{{ out }}/y\"".to_owned(),
            ],
        ),
        (
            "binary: b\nbuild: {go: {install: github.com/a/b}}",
            vec!["go install -trimpath -ldflags \"-s -w -X main.version=v1.2.3\" github.com/a/b@v1.2.3".to_owned()],
        ),
        (
            "binary: [p, q]\nsource: {path: code}\nbuild: {go: {package: [./p, ./q], ldflags: ''}}",
            vec![format!("{go} -ldflags \"\" -o \"{{{{ out }}}}/\" ./p ./q")],
        ),
        (
            "source: {path: code}\nbuild: {cargo: .}",
            vec![
                "cargo build --release --locked --target-dir \"{{ work }}\" --target x86_64-unknown-linux-gnu --bin x".to_owned(),
                "cp \"{{ work }}/x86_64-unknown-linux-gnu/release/x\" \"{{ out }}/\"".to_owned(),
            ],
        ),
        (
            "source: {path: code}\nbinary: [a, b]\nbuild: {cargo: {package: p, features: [f, g]}}",
            vec![
                "cargo build --release --locked --target-dir \"{{ work }}\" --target x86_64-unknown-linux-gnu --package p --bin a --bin b --features f,g".to_owned(),
                "cp \"{{ work }}/x86_64-unknown-linux-gnu/release/a\" \"{{ work }}/x86_64-unknown-linux-gnu/release/b\" \"{{ out }}/\"".to_owned(),
            ],
        ),
        (
            "source: {path: code}\nbuild: {cargo: {profile: dist}}",
            vec![
                "cargo build --profile dist --locked --target-dir \"{{ work }}\" --target x86_64-unknown-linux-gnu --bin x".to_owned(),
                "cp \"{{ work }}/x86_64-unknown-linux-gnu/dist/x\" \"{{ out }}/\"".to_owned(),
            ],
        ),
        (
            "build: {cargo: {install: ripgrep}}\nbinary: rg",
            vec![
                "cargo install --locked --root \"{{ work }}\" --version 1.2.3 --target x86_64-unknown-linux-gnu --bin rg ripgrep".to_owned(),
                "cp \"{{ work }}/bin/rg\" \"{{ out }}/\"".to_owned(),
            ],
        ),
    ] {
        assert_eq!(steps(&subsystem(spec)), expected, "{spec}");
    }
}

#[test]
fn declared_variables_and_tools_go_over_the_presets() {
    let x = subsystem(
        "source: {path: code}\nenv: {A: '1', GOFLAGS: -x}\n\
         build: {go: ., env: {A: '2', CGO_ENABLED: 1, W: '{{ work }}'}, tools: {go: 1.26, cc: '12'}}\n",
    );
    let build = x.build.unwrap();
    let env: Vec<_> =
        build.env.iter().map(|(name, value)| format!("{name}={}", value.symbolic())).collect();
    assert_eq!(
        env,
        ["A=2", "CGO_ENABLED=1", "GOARCH=amd64", "GOFLAGS=-x", "GOOS=linux", "W={{ work }}"]
    );
    assert_eq!(build.tools["go"].as_deref(), Some("1.26"));
    assert_eq!(build.tools["cc"].as_deref(), Some("12"));
    assert_eq!(build.timeout.as_secs(), 3600);
}

#[test]
fn upstream_speaks_the_vendors_words() {
    let x = subsystem(
        "upstream:\n  url: https://x.y/{{ version_number }}/{{ os }}_{{ arch }}/{{ platform }}.zip\n  \
         sha256: {linux-amd64: sha256:abababababababababababababababababababababababababababababababab}\n  \
         paths: {x: 'bin/{{ os }}/x'}\n  os: {linux: Linux}\n  arch: {amd64: x86_64}\n  strip: 2\n",
    );
    let upstream = x.upstream.unwrap();
    assert_eq!(upstream.url, "https://x.y/1.2.3/Linux_x86_64/Linux-x86_64.zip");
    assert_eq!(upstream.digest, UpstreamDigest::Pinned(Sha256([0xab; 32]).into()));
    assert_eq!(upstream.paths["x"], "bin/Linux/x");
    assert_eq!(upstream.strip, 2);
    assert_eq!(x.build, None);
}

#[test]
fn variables_know_those_before_them_and_the_environment_is_remembered() {
    let sandbox = Sandbox::new(&[
        ("versions.yml", "versions: {x: v1}\nvars: {base: '{{ name }}-b', over: m}\n"),
        (
            "subsystems/x.yml",
            "vars: {full: '{{ base }}/{{ env.HOME }}', over: s}\n\
             build: {run: 'echo {{ full }} {{ vars.over }} {{ env.CI | default(\"no\") }}'}\n",
        ),
    ]);
    let workspace = sandbox.workspace();
    assert_eq!(steps(&workspace.subsystems["x"]), ["echo x-b//home/me s no"]);
    assert_eq!(workspace.seen_variables["HOME"].as_deref(), Some("/home/me"));
    assert_eq!(workspace.seen_variables["CI"], None);
    assert_eq!(workspace.seen_variables.len(), 2);
}

#[test]
fn inputs_name_all_that_was_looked_at() {
    let sandbox = Sandbox::new(&[
        ("versions.yml", "versions: {x: v1, y: v1}\n"),
        ("subsystems/x.yml", "build: {run: make}\n"),
        ("subsystems/y/subsystem.yml", "build: {run: make}\n"),
        ("subsystems/code/main.c", ""),
    ]);
    let workspace = sandbox.workspace();
    let root = workspace.layout.root().to_owned();
    let mut inputs: Vec<_> = workspace
        .inputs
        .iter()
        .map(|path| path.strip_prefix(&root).unwrap().to_str().unwrap())
        .collect();
    inputs.sort_unstable();
    assert_eq!(
        inputs,
        [
            "forge.lock",
            "subsystems",
            "subsystems/code/subsystem.yml",
            "subsystems/x.yml",
            "subsystems/y/subsystem.yml",
            "versions.yml"
        ]
    );
}

#[test]
fn the_starter_loads() {
    let sandbox = Sandbox::new(&[]);
    for file in starter() {
        sandbox.write(file.path, file.text.as_bytes());
    }
    let workspace = sandbox.workspace();
    assert_eq!(workspace.subsystems["hello"].binaries, ["hello"]);
    assert!(workspace.project.starts_with(".tmp"), "{}", workspace.project);
}

#[test]
fn the_root_is_found_from_below_and_missed_with_a_hint() {
    let sandbox = Sandbox::new(&[("versions.yml", ""), ("a/b/c", "")]);
    assert_eq!(find_root(&sandbox.0.path().join("a/b")).unwrap(), sandbox.0.path());
    let fault = find_root(Path::new("/")).unwrap_err();
    assert!(fault.hint.unwrap().contains("forge init"));
}

/// Real subsystems whose vendors have ways of their own.
#[test]
fn the_ways_of_real_vendors_can_be_said() {
    let gh = "\
desc: GitHub on the command line
build:
  go: {module: github.com/cli/cli/v2, package: ./cmd/gh, vars: {github.com/cli/cli/v2/internal/build.Version: \"{{ version }}\"}}
upstream:
  url: https://github.com/cli/cli/releases/download/{{ version }}/gh_{{ version_number }}_{{ os }}_{{ arch }}.{{ 'zip' if os == 'macOS' else 'tar.gz' }}
  sha256: https://github.com/cli/cli/releases/download/{{ version }}/gh_{{ version_number }}_checksums.txt
  os: {darwin: macOS}
  paths: {gh: bin/gh}
  strip: 1
";
    let docs = "\
binary: hugo
build:
  go: {module: github.com/gohugoio/hugo}
upstream:
  url: https://github.com/gohugoio/hugo/releases/download/{{ version }}/hugo_{{ version_number }}_{{ platform }}.tar.gz
  sha256: https://github.com/gohugoio/hugo/releases/download/{{ version }}/hugo_{{ version_number }}_checksums.txt
  platform: {darwin-amd64: darwin-universal, darwin-arm64: darwin-universal}
";
    let sandbox = Sandbox::new(&[
        ("versions.yml", "versions: {gh: v2.83.2, docs: v0.140.2}\n"),
        ("subsystems/gh.yml", gh),
        ("subsystems/docs.yml", docs),
    ]);
    let url = |platform: &str, name: &str| {
        let workspace = sandbox.load_on(platform).unwrap();
        let url = workspace.subsystems[name].upstream.as_ref().unwrap().url.clone();
        url.rsplit('/').next().unwrap().to_owned()
    };
    assert_eq!(url("linux-amd64", "gh"), "gh_2.83.2_linux_amd64.tar.gz");
    assert_eq!(url("darwin-arm64", "gh"), "gh_2.83.2_macOS_arm64.zip");
    assert_eq!(url("linux-arm64", "docs"), "hugo_0.140.2_linux-arm64.tar.gz");
    assert_eq!(url("darwin-arm64", "docs"), "hugo_0.140.2_darwin-universal.tar.gz");
    let gh = &sandbox.workspace().subsystems["gh"];
    assert!(steps(gh)[1].contains("-X github.com/cli/cli/v2/internal/build.Version=v2.83.2\""));
}

#[test]
fn the_shells_own_braces_stay() {
    for command in [
        "echo ${#PATH} ${HOME%/} {a,b} $(awk '{print $1}')",
        "if [ ${#x[@]} -gt 1 ]; then { true; } fi",
    ] {
        let spec = format!(
            "build:\n  run:\n  - |\n    {command}; ls {{{{ src }}}}{{{{# a comment #}}}}\n"
        );
        assert_eq!(steps(&subsystem(&spec)), [format!("{command}; ls {{{{ src }}}}")]);
    }
}

#[test]
fn files_are_read_once_for_all_platforms_and_versions() {
    let manifest = "versions: {a: v1.0.0, b: {scheme: date}}\nplatforms: [linux-amd64, linux-arm64, darwin-amd64, darwin-arm64]\ninclude: {more: more.yml}\n";
    let spec = "binary: x\nsource: {archive: 'https://x.y/{{ version }}-{{ platform }}.tar.gz', sha256: HASH}\nbuild: {run: make}\n";
    let spec = spec.replace("HASH", &"0".repeat(64));
    let own = "extends: a\nbinary: y\n";
    let sandbox = Sandbox::new(&[
        ("versions.yml", manifest),
        ("subsystems/a.yml", &spec),
        ("subsystems/b.yml", own),
        ("more.yml", "tasks: {t: 'echo {{ os }}'}\n"),
    ]);
    let outside = LoadInputs::nothing();
    let documents = Documents::read(sandbox.0.path(), &outside.user).unwrap();
    let first = documents.resolve(on("linux-amd64"), &outside).unwrap();
    for file in ["versions.yml", "subsystems/a.yml", "subsystems/b.yml", "more.yml"] {
        sandbox.write(file, b"- changed since");
    }
    let all = Workspaces::resolve(&documents, WantedPlatforms::All, &outside).unwrap();
    assert_eq!(all.wanted().len(), 4);
    for platform in all.wanted() {
        let workspace = all.for_platform(*platform);
        let url = format!("{:?}", workspace.subsystems["a"].source);
        assert!(url.contains(&format!("v1.0.0-{platform}.tar.gz")), "{url}");
        assert!(workspace.tasks.contains_key("more:t"));
        assert_eq!(workspace.inputs, first.inputs);
    }
    let current = [(Name::new("b").unwrap(), Version::new("2026.1.1").unwrap())].into();
    let outside = LoadInputs { current, ..LoadInputs::nothing() };
    let later = documents.resolve(on("linux-amd64"), &outside).unwrap();
    assert_eq!(later.subsystems["b"].version.as_str(), "2026.1.1");
}
