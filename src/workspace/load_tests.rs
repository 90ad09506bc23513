use std::{fs, path::Path};

use super::*;
use crate::{
    model::{Diagnostic, Name, Platform, Problems, Sha256, Version},
    workspace::{Source, Subsystem, Text, UpstreamDigest, starter},
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

/// A workspace with one subsystem `x` and something wrong in its spec; tells what is at `slice`.
fn spec_problem(spec: &str, slice: &str) -> Diagnostic {
    let sandbox = Sandbox::new(&[("versions.yml", "versions: {x: v1.2.3}\n"), ("subsystems/x.yml", spec)]);
    one(&sandbox.problems(), "subsystems/x.yml", slice)
}

/// The same with something wrong in `versions.yml`.
fn manifest_problem(manifest: &str, slice: &str) -> Diagnostic {
    let sandbox = Sandbox::new(&[("versions.yml", manifest), ("subsystems/x.yml", "build: {run: make}\n")]);
    one(&sandbox.problems(), "versions.yml", slice)
}

/// The only problem, which must stand in `file` exactly at `slice`.
fn one(problems: &Problems, file: &str, slice: &str) -> Diagnostic {
    let [only] = problems.diagnostics.as_slice() else { panic!("not one problem: {problems:#?}") };
    assert_eq!(only.span.file, Path::new(file), "{only:#?}");
    assert_eq!(at(problems, only), slice, "{only:#?}");
    assert!(only.help.is_some() && !only.label.is_empty() && !only.what.ends_with('.'), "{only:#?}");
    only.clone()
}

fn at<'p>(problems: &'p Problems, diagnostic: &Diagnostic) -> &'p str {
    &problems.texts[&diagnostic.span.file][diagnostic.span.bytes.clone()]
}

macro_rules! problems {
    ($($(#[$attr:meta])* $test:ident: $of:ident($text:expr, $slice:expr) => $what:expr, $help:expr;)+) => {$(
        $(#[$attr])*
        #[test]
        fn $test() {
            let diagnostic = $of($text, $slice);
            assert!(diagnostic.what.contains($what), "{diagnostic:#?}");
            assert!(diagnostic.help.as_ref().unwrap().contains($help), "{diagnostic:#?}");
        }
    )+};
}

problems! {
    an_unknown_key: spec_problem("biuld: {run: make}\n", "biuld")
        => "a spec has no key `biuld`", "did you mean `build`?";
    an_unknown_key_deep_down: spec_problem("build: {run: make, timeot: 5m}\n", "timeot")
        => "a build has no key `timeot`", "did you mean `timeout`?";
    a_key_that_stands_twice: spec_problem("desc: a\nbuild: {run: make}\ndesc: b\n", "desc")
        => "`desc` stands twice", "keep one";
    a_list_for_text: spec_problem("desc: [a]\nbuild: {run: make}\n", "[a]")
        => "`desc` must be a description, not a list", "write";
    text_for_a_list: manifest_problem("versions: {x: v1}\nplatforms: linux-amd64\n", "linux-amd64")
        => "`platforms` must be a list", "write a list";
    a_key_without_value: spec_problem("desc:\nbuild: {run: make}\n", "")
        => "`desc` is empty", "remove the key";
    an_empty_text: spec_problem("binary: ''\nbuild: {run: make}\n", "''")
        => "`binary` is empty", "the name of a binary";
    no_number: spec_problem("source: {archive: 'https://x.y/z', sha256: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, strip: -1}\nbuild: {run: make}\n", "-1")
        => "`source.strip` must be a number", "a number";
    no_flag: spec_problem("build: {go: {module: m, cgo: yes}}\n", "yes")
        => "must be `true` or `false`, not `yes`", "true";
    another_archive_format: spec_problem("package: tar.xz\nbuild: {run: make}\n", "tar.xz")
        => "not `tar.xz`", "tar.";
    a_key_without_its_partner: spec_problem("source: {path: ., ref: main}\nbuild: {run: make}\n", "ref")
        => "`ref` belongs to `git`", "remove `ref`";
    an_archive_without_digest: spec_problem("source: {archive: 'https://x.y/z.tar.gz'}\nbuild: {run: make}\n", "{archive: 'https://x.y/z.tar.gz'}")
        => "`source` has no `sha256`", "add `sha256:`";
    two_ways_to_build: spec_problem("build: {run: make, go: .}\nsource: {path: .}\n", "go")
        => "takes only one of", "keep the one";
    no_way_to_build: spec_problem("build: {timeout: 5m}\n", "{timeout: 5m}")
        => "a build takes one of `go`, `cargo`, `run`", "write one";
    nothing_to_run: spec_problem("build: {run: []}\n", "[]")
        => "no command", "write a command";
    no_way_to_obtain: spec_problem("desc: nothing\n", "")
        => "x can neither be built nor downloaded", "upstream";
    upstream_lacks_this_platform: spec_problem(
        "upstream: {url: 'https://x.y/z', sha256: {darwin-arm64: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}}\n", "")
        => "x cannot be obtained for linux-amd64", "digest";
    a_preset_without_source: spec_problem("build:\n  go: .\n", "go")
        => "`build.go` builds a source", "go: {module: PATH}";
    a_bad_digest: spec_problem("source: {archive: 'https://x.y/z', sha256: abc}\nbuild: {run: make}\n", "abc")
        => "`abc` is no SHA-256 digest", "sha256sum";
    a_bad_digest_upstream: spec_problem("upstream: {url: 'https://x.y/z', sha256: ftp://x}\n", "ftp://x")
        => "no SHA-256 digest", "";
    a_bad_url: spec_problem("build: {run: make}\nupstream: {url: x.y/z, sha256: https://x.y/sums}\n", "x.y/z")
        => "`x.y/z` is no URL", "https://";
    a_vendor_word_for_nothing: spec_problem("build: {run: make}\nupstream: {url: 'https://x.y/z', sha256: https://x.y/s, os: {macos: m}}\n", "macos")
        => "`macos` is no operating system", "darwin";
    a_path_for_no_binary: spec_problem("build: {run: make}\nupstream: {url: 'https://x.y/z', sha256: https://x.y/s, paths: {y: z}}\n", "y")
        => "`y` is no binary of this spec", "x";
    a_bad_duration: spec_problem("build: {run: make, timeout: 10 minutes}\n", "10 minutes")
        => "`10 minutes` is no duration", "1h30m";
    a_bad_binary: spec_problem("binary: bin/x\nbuild: {run: make}\n", "bin/x")
        => "`bin/x` can be no binary's name", "file name";
    a_binary_named_twice: spec_problem("binary: [y, z, y]\nbuild: {run: make}\n", "y")
        => "`y` is named twice", "keep one";
    a_source_outside: spec_problem("source: {path: ../other}\nbuild: {run: make}\n", "../other")
        => "`../other` leads out of the workspace", "relative";
    an_absolute_source: spec_problem("source: {path: /etc}\nbuild: {run: make}\n", "/etc")
        => "`/etc` leads out of the workspace", "relative";
    a_source_that_is_not_there: spec_problem("source: {path: nowhere}\nbuild: {run: make}\n", "nowhere")
        => "there is no `nowhere` in the workspace", "relative";
    an_archive_that_is_not_there: spec_problem(
        "source: {archive: a.tgz, sha256: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}\nbuild: {run: make}\n", "a.tgz")
        => "there is no `a.tgz`", "relative";
    an_unknown_need: spec_problem("build: {run: make}\nneeds: [y]\n", "y")
        => "x needs `y`, which is no subsystem", "";
    a_need_of_itself: spec_problem("build: {run: make}\nbuild_needs: [x]\n", "x")
        => "x needs itself", "remove";
    an_unknown_word: spec_problem("build: {run: 'echo {{ vresion }}'}\n", "vresion")
        => "templates know no `vresion`", "did you mean `version`?";
    an_unknown_word_in_a_condition: spec_problem("build: {run: 'echo {% if verson == name %}a{% endif %}'}\n", "verson")
        => "templates know no `verson`", "did you mean `version`?";
    an_unknown_variable: spec_problem("vars: {color: red}\nbuild: {run: 'echo {{ vars.colour }}'}\n", "vars.colour")
        => "`vars` has no `colour`", "did you mean `color`?";
    a_variable_of_the_host_that_is_not_set: spec_problem("build: {run: 'echo {{ env.NOWHERE }}'}\n", "env.NOWHERE")
        => "`NOWHERE` is not set", "default(";
    a_template_that_does_not_parse: spec_problem("build: {run: 'echo {{ version'}\n", "version")
        => "does not parse", "{{ name }}";
    an_unknown_filter: spec_problem("build: {run: 'echo {{ version | shout }}'}\n", "shout")
        => "shout", "minijinja";
    a_template_without_end: spec_problem("build: {run: '{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}'}\n", "'{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}'")
        => "too much work", "shorter";
    a_place_too_early: spec_problem("binary: '{{ out }}/x'\nbuild: {run: make}\n", "out")
        => "`{{ out }}` is known only when a command runs", "commands";
    a_place_that_is_cut: spec_problem("build: {run: 'echo {{ commit[:8] }}'}\n", "commit")
        => "`{{ commit }}` cannot be cut", "shell";
    a_variable_with_a_taken_name: spec_problem("vars: {version: 2}\nbuild: {run: make}\n", "version")
        => "`version` is a word of forge's own", "another name";
    an_unquoted_template: spec_problem("build:\n  run: {{ name }}\n", "{{")
        => "YAML takes `{{`", "quotes";
    an_unquoted_template_with_more: spec_problem("build:\n  dir: {{ src }}/a\n  run: make\n", "{{")
        => "YAML takes `{{`", "quotes";
    a_control_character: spec_problem("build: {run: \"a\\x01b\"}\n", "\"a\\x01b\"")
        => "control character", "remove";
    an_empty_spec: spec_problem("# nothing yet\n", "")
        => "subsystems/x.yml is empty", "build:";
    two_documents: spec_problem("build: {run: make}\n---\ndesc: b\n", "---")
        => "a second document", "---";
    a_tab: spec_problem("build:\n\trun: make\n", "r")
        => "no valid YAML", "tab";
    an_open_bracket: spec_problem("needs: [a, b\n", "[")
        => "no valid YAML", "";
    an_endless_alias: spec_problem(
        "vars: {a: &a [x,x,x,x,x,x,x,x,x,x], b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a], c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b],\n\
         d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c], e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d], f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e],\n\
         g: [*f,*f,*f,*f,*f,*f,*f,*f,*f,*f]}\n", "*e")
        => "unfold into far more", "without aliases";

    no_versions: manifest_problem("project: p\n", "project: p")
        => "the manifest has no `versions`", "add `versions:`";
    an_invalid_version: manifest_problem("versions: {x: v1..2}\n", "v1..2")
        => "`v1..2` is no valid tag", "v1.2.3";
    an_invalid_name: manifest_problem("versions: {x: v1, Foo: v1}\n", "Foo")
        => "`Foo` holds 'F'", "rename";
    a_version_without_spec: manifest_problem("versions: {x: v1, nats: v1}\n", "nats")
        => "nats has a version but no spec", "subsystems/nats.yml";
    a_moving_ref_without_git: manifest_problem("versions: {x: main}\n", "main")
        => "`main` is a moving ref", "git";
    an_unknown_platform: manifest_problem("versions: {x: v1}\nplatforms: [linux-amd46]\n", "linux-amd46")
        => "`amd46` is no architecture", "linux-amd64";
    a_platform_twice: manifest_problem("versions: {x: v1}\nplatforms: [linux-amd64, linux-amd64]\n", "linux-amd64")
        => "stands twice", "keep one";
    an_unknown_store: manifest_problem("versions: {x: v1}\nreleases: gihub:a/b\n", "gihub:a/b")
        => "`gihub:a/b` is no store", "github:OWNER/REPO";
    an_unknown_member: manifest_problem("versions: {x: v1}\ngroups: {ci: [x, y]}\n", "y")
        => "group `ci` names `y`", "";
    an_unknown_word_for_all: manifest_problem("versions: {x: v1}\nenv: {A: '{{ nmae }}'}\n", "nmae")
        => "templates know no `nmae`", "did you mean `name`?";
}

#[test]
fn a_duplicate_points_at_both_places() {
    let spec = "desc: a\nbuild: {run: make}\ndesc: b\n";
    let diagnostic = spec_problem(spec, "desc");
    assert_eq!(diagnostic.span.bytes.start, spec.rfind("desc").unwrap());
    assert_eq!(diagnostic.related[0].0.bytes, 0..4);
    assert_eq!(diagnostic.related[0].1, "first written here");
}

#[test]
fn positions_inside_every_style_of_text() {
    for spec in [
        "build:\n  run: echo é {{ nope }} x\n",
        "build:\n  run: 'it''s é {{ nope }} x'\n",
        "build:\n  run: \"a\\t\\\"b\\u00e9 {{ nope }} x\"\n",
        "build:\n  run: |\n    first\n      echo é\n\n    go {{ nope }}\n    last\n",
        "build:\n  run: |-  # why\r\n    first\r\n    go {{ nope }}\r\n",
        "build:\n  run: >\n    folded é\n    text {{ nope }}\n\n    more\n",
        "build:\n  run: \"folded\n    é \\\n    text {{ nope }}\"\n",
        "build:\n  run:\n    plain and\n    folded {{ nope }} text\n",
        "build:\n  run:\n  - true\n  - |\n    {{ nope }}\n",
        "\u{feff}build: {run: ['x', \"{{ nope }}\"]}\n",
    ] {
        let diagnostic = spec_problem(spec, "nope");
        assert_eq!(diagnostic.span.bytes.start, spec.find("nope").unwrap(), "{spec}");
    }
}

#[test]
fn a_spec_without_version_is_told_to_get_one() {
    let sandbox = Sandbox::new(&[
        ("versions.yml", "versions: {x: v1}\n"),
        ("subsystems/x.yml", "build: {run: make}\n"),
        ("subsystems/nats.yml", "build: {run: make}\n"),
    ]);
    let diagnostic = one(&sandbox.problems(), "subsystems/nats.yml", "");
    assert_eq!(diagnostic.what, "nats has a spec but no version");
}

#[test]
fn a_slip_in_a_name_is_told_on_both_sides() {
    let sandbox = Sandbox::new(&[
        ("versions.yml", "versions: {natz: v1}\n"),
        ("subsystems/nats.yml", "build: {run: make}\n"),
    ]);
    let problems = sandbox.problems();
    assert_eq!(problems.diagnostics[0].help.as_deref(), Some("did you mean `nats`?"));
    assert_eq!(problems.diagnostics.len(), 2);
}

#[test]
fn cycles_are_told_as_a_path() {
    let sandbox = Sandbox::new(&[
        ("versions.yml", "versions: {a: v1, b: v1, c: v1, d: v1}\n"),
        ("subsystems/a.yml", "build: {run: make}\nneeds: [b]\n"),
        ("subsystems/b.yml", "build: {run: make}\nbuild_needs: [c]\n"),
        ("subsystems/c.yml", "build: {run: make}\nneeds: [d, a]\n"),
        ("subsystems/d.yml", "build: {run: make}\n"),
    ]);
    let diagnostic = one(&sandbox.problems(), "subsystems/a.yml", "b");
    assert!(diagnostic.what.ends_with("a → b → c → a"), "{}", diagnostic.what);
    let related: Vec<_> = diagnostic.related.iter().map(|(_, label)| label.as_str()).collect();
    assert_eq!(related, ["b needs c", "c needs a"]);
}

#[test]
fn two_subsystems_cannot_yield_the_same_binary() {
    let sandbox = Sandbox::new(&[
        ("versions.yml", "versions: {a: v1, b: v1}\n"),
        ("subsystems/a.yml", "build: {run: make}\nbinary: tool\n"),
        ("subsystems/b.yml", "build: {run: make}\nbinary: [b, tool]\n"),
    ]);
    let diagnostic = one(&sandbox.problems(), "subsystems/b.yml", "tool");
    assert_eq!(diagnostic.what, "a and b both yield a binary `tool`");
    assert_eq!(diagnostic.related[0].0.file, Path::new("subsystems/a.yml"));
}

#[test]
fn specs_in_two_places_or_under_wrong_names() {
    let sandbox = Sandbox::new(&[
        ("versions.yml", "versions: {a: v1}\n"),
        ("subsystems/a.yml", "build: {run: make}\n"),
        ("subsystems/a/subsystem.yml", "build: {run: make}\n"),
        ("subsystems/b.yaml", "build: {run: make}\n"),
        ("subsystems/Bad Name.yml", "build: {run: make}\n"),
        ("subsystems/notes/readme.md", "no spec\n"),
    ]);
    let problems = sandbox.problems();
    let whats: Vec<_> = problems.diagnostics.iter().map(|d| d.what.as_str()).collect();
    assert_eq!(whats.len(), 3, "{whats:#?}");
    assert!(whats[0].contains("`Bad Name` holds 'B'"), "{whats:#?}");
    assert_eq!(whats[1], "a has two specs");
    assert_eq!(whats[2], "subsystems/b.yaml is not read: specs end in `.yml`");
}

#[test]
fn everything_wrong_everywhere_is_told_at_once_in_order() {
    let sandbox = Sandbox::new(&[
        ("versions.yml", "versions:\n  a: v1..0\n  b: v1\n  c: v1\nplatform: [x]\n"),
        ("subsystems/a.yml", "build: {run: '{{ nmae }}', timeout: soon}\ncolor: red\nneeds: [d]\n"),
        ("subsystems/b.yml", "build: [\n"),
        ("subsystems/c.yml", "desc:\nbuild: {go: .}\n"),
        ("forge.lock", "a:\n  version: v1\n  what: x\n"),
    ]);
    let problems = sandbox.problems();
    let told: Vec<_> = problems
        .diagnostics
        .iter()
        .map(|d| (d.span.file.to_str().unwrap(), at(&problems, d)))
        .collect();
    assert_eq!(
        told,
        [
            ("versions.yml", "v1..0"),
            ("versions.yml", "platform"),
            ("subsystems/a.yml", "nmae"),
            ("subsystems/a.yml", "soon"),
            ("subsystems/a.yml", "color"),
            ("subsystems/a.yml", "d"),
            ("subsystems/b.yml", "["),
            ("subsystems/c.yml", ""),
            ("forge.lock", "what"),
        ]
    );
}

#[test]
fn bytes_that_are_no_text_are_told_with_their_offset() {
    let sandbox = Sandbox::new(&[("versions.yml", "versions: {x: v1}\n")]);
    sandbox.write("subsystems/x.yml", b"desc: \xff\xfe\n");
    let diagnostic = one(&sandbox.problems(), "subsystems/x.yml", "\u{fffd}");
    assert!(diagnostic.what.contains("byte 6"), "{}", diagnostic.what);
}

#[test]
fn sizes_and_depths_are_bounded() {
    let sandbox = Sandbox::new(&[("versions.yml", "versions: {x: v1}\n")]);
    sandbox.write("subsystems/x.yml", format!("desc: {}\n", "a".repeat(10 << 20)).as_bytes());
    assert!(one(&sandbox.problems(), "subsystems/x.yml", "").what.contains("at most 1048576"));
    sandbox.write("subsystems/x.yml", "[".repeat(100_000).as_bytes());
    assert!(sandbox.problems().diagnostics[0].what.contains("no valid YAML"));
    sandbox.write("subsystems/x.yml", "- ".repeat(100_000).as_bytes());
    assert!(sandbox.problems().diagnostics[0].what.contains("no valid YAML"));
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
                "cargo build --release --locked --target-dir \"{{ work }}\" --bin x".to_owned(),
                "cp \"{{ work }}/release/x\" \"{{ out }}/\"".to_owned(),
            ],
        ),
        (
            "source: {path: code}\nbinary: [a, b]\nbuild: {cargo: {package: p, features: [f, g]}}",
            vec![
                "cargo build --release --locked --target-dir \"{{ work }}\" --package p --bin a --bin b --features f,g".to_owned(),
                "cp \"{{ work }}/release/a\" \"{{ work }}/release/b\" \"{{ out }}/\"".to_owned(),
            ],
        ),
        (
            "build: {cargo: {install: ripgrep}}\nbinary: rg",
            vec![
                "cargo install --locked --root \"{{ work }}\" --version 1.2.3 --bin rg ripgrep".to_owned(),
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
    let env: Vec<_> = build.env.iter().map(|(name, value)| format!("{name}={}", value.symbolic())).collect();
    assert_eq!(env, ["A=2", "CGO_ENABLED=1", "GOARCH=amd64", "GOFLAGS=-x", "GOOS=linux", "W={{ work }}"]);
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
    assert_eq!(upstream.digest, UpstreamDigest::Pinned(Sha256([0xab; 32])));
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
    assert_eq!(workspace.environment["HOME"].as_deref(), Some("/home/me"));
    assert_eq!(workspace.environment["CI"], None);
    assert_eq!(workspace.environment.len(), 2);
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
    let mut inputs: Vec<_> =
        workspace.inputs.iter().map(|path| path.strip_prefix(&root).unwrap().to_str().unwrap()).collect();
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
    assert_eq!(crate::workspace::find_root(&sandbox.0.path().join("a/b")).unwrap(), sandbox.0.path());
    let fault = crate::workspace::find_root(Path::new("/")).unwrap_err();
    assert!(fault.hint.unwrap().contains("forge init"));
}

mod mutations {
    use super::*;
    use proptest::prelude::*;

    const FILES: [(&str, &str); 3] = [
        ("versions.yml", TELEMETRY),
        ("subsystems/nats.yml", NATS),
        ("subsystems/arc.yml", "vars: {a: &x ['{{ name }}'], b: 'it''s'}\nbuild:\n  run: |\n    echo {{ out }}\n    {{ b }}\n  env: {K: \"\\u00e9{{ vars.b }}\"}\n"),
    ];

    proptest! {
        #[test]
        fn no_text_makes_loading_panic(
            file in 0usize..3,
            edits in proptest::collection::vec(
                (any::<usize>(), 0usize..12, "[ -~\n\t]{0,4}|[{}%|'\"&*<:\\\\-]{1,3}|\\PC"), 1..4)
        ) {
            let sandbox = Sandbox::new(&FILES);
            let (path, text) = FILES[file];
            let mut chars: Vec<char> = text.chars().collect();
            for (at, length, piece) in edits {
                let at = at % (chars.len() + 1);
                let end = (at + length).min(chars.len());
                chars.splice(at..end, piece.chars());
            }
            let text: String = chars.into_iter().collect();
            sandbox.write(path, text.as_bytes());
            if let Err(LoadError::Problems(problems)) = sandbox.load() {
                prop_assert!(!problems.diagnostics.is_empty());
                for diagnostic in &problems.diagnostics {
                    let related = diagnostic.related.iter().map(|(span, _)| span);
                    for span in related.chain([&diagnostic.span]) {
                        prop_assert!(problems.texts[&span.file].get(span.bytes.clone()).is_some(), "{diagnostic:?}");
                    }
                }
            }
        }
    }
}
