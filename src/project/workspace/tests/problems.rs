//! Each kind of problem: what is told, and exactly where.

use std::path::Path;

use super::Sandbox;
use crate::model::{Diagnostic, Problems};

/// A workspace with one subsystem `x` and something wrong in its spec; tells what is at `slice`.
fn spec_problem(spec: &str, slice: &str) -> Diagnostic {
    let sandbox =
        Sandbox::new(&[("versions.yml", "versions: {x: v1.2.3}\n"), ("subsystems/x.yml", spec)]);
    one(&sandbox.problems(), "subsystems/x.yml", slice)
}

/// The same with something wrong in `versions.yml`.
fn manifest_problem(manifest: &str, slice: &str) -> Diagnostic {
    let sandbox =
        Sandbox::new(&[("versions.yml", manifest), ("subsystems/x.yml", "build: {run: make}\n")]);
    one(&sandbox.problems(), "versions.yml", slice)
}

/// The only problem, which must stand in `file` exactly at `slice`.
fn one(problems: &Problems, file: &str, slice: &str) -> Diagnostic {
    let [only] = problems.diagnostics.as_slice() else { panic!("not one problem: {problems:#?}") };
    assert_eq!(only.span.file, Path::new(file), "{only:#?}");
    assert_eq!(at(problems, only), slice, "{only:#?}");
    assert!(
        only.help.is_some() && !only.label.is_empty() && !only.what.ends_with('.'),
        "{only:#?}"
    );
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
    a_key_on_the_wrong_level: spec_problem("build: {run: make}\ntimeout: 5m\n", "timeout")
        => "a spec has no key `timeout`", "it belongs under `build`";
    a_key_in_another_form: spec_problem("description: x\nbuild: {run: make}\n", "description")
        => "no key `description`", "did you mean `desc`?";
    a_key_that_stands_twice: spec_problem("desc: a\nbuild: {run: make}\ndesc: b\n", "desc")
        => "`desc` stands twice", "keep one";
    a_list_for_text: spec_problem("desc: [a]\nbuild: {run: make}\n", "[a]")
        => "`desc` must be a description, not a list", "write";
    text_for_a_list: manifest_problem("versions: {x: v1}\nplatforms: linux-amd64\n", "linux-amd64")
        => "`platforms` must be a list", "write a list";
    a_word_that_is_no_trust: manifest_problem("versions: {x: v1}\ntrust: Ci\n", "Ci")
        => "`trust` must be `any`, `ci` or `attested`, not `Ci`", "known are `any`, `ci`, `attested`";
    what_is_no_repository: manifest_problem("versions: {x: v1}\nrepository: o/r\n", "o/r")
        => "`o/r` is not the address of a repository", "https://github.com/OWNER/REPO";
    a_host_is_no_repository: manifest_problem("versions: {x: v1}\nrepository: https://github.com/o\n", "https://github.com/o")
        => "is not the address of a repository", "https://github.com/OWNER/REPO";
    trust_in_a_list: manifest_problem("versions: {x: v1}\ntrust: [ci]\n", "[ci]")
        => "`trust` must be `any`, `ci` or `attested`, not a list", "write";
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
        => "a build takes one of `go`, `cargo`, `run`, and none", "write one";
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
        => "`abc` is not a digest that forge can check: it has 3 hexadecimal digits", "sha256sum";
    a_bad_digest_upstream: spec_problem("upstream: {url: 'https://x.y/z', sha256: ftp://x}\n", "ftp://x")
        => "`ftp://x` is neither a digest nor", "https://";
    a_bad_url: spec_problem("build: {run: make}\nupstream: {url: x.y/z, sha256: https://x.y/sums}\n", "x.y/z")
        => "`x.y/z` is not a URL", "https://";
    a_vendor_word_for_nothing: spec_problem("build: {run: make}\nupstream: {url: 'https://x.y/z', sha256: https://x.y/s, os: {macos: m}}\n", "macos")
        => "`macos` is not an operating system", "darwin";
    a_path_for_no_binary: spec_problem("build: {run: make}\nupstream: {url: 'https://x.y/z', sha256: https://x.y/s, paths: {y: z}}\n", "y")
        => "`y` is not a binary of this spec", "x";
    a_bad_duration: spec_problem("build: {run: make, timeout: 10 minutes}\n", "10 minutes")
        => "`10 minutes` is not a duration", "1h30m";
    a_bad_binary: spec_problem("binary: bin/x\nbuild: {run: make}\n", "bin/x")
        => "`bin/x` cannot be the name of a binary", "file name";
    a_binary_whose_asset_would_have_too_long_a_name: spec_problem(&format!("binary: {}\nbuild: {{run: make}}\n", "b".repeat(230)), &"b".repeat(230))
        => "its name is longer than 240 bytes", "shorter";
    a_tag_with_a_slash: spec_problem("tag: 'api/v{{ version }}'\nbuild: {run: make}\n", "'api/v{{ version }}'")
        => "`api/v` cannot begin the name of a release: it holds `/`", "write `api-v{{ version }}`";
    a_tag_with_a_slash_from_a_template: spec_problem("tag: \"{{ 'a/' ~ name }}-{{ version }}\"\nbuild: {run: make}\n", "\"{{ 'a/' ~ name }}-{{ version }}\"")
        => "`a/x-` cannot begin the name of a release: it holds `/`", "write `a-x-{{ version }}`";
    a_tag_that_git_refuses: spec_problem("tag: 'x~{{ version }}'\nbuild: {run: make}\n", "'x~{{ version }}'")
        => "it holds `~`", "`x-{{ version }}`";
    a_tag_that_is_a_flag: spec_problem("tag: '-x{{ version }}'\nbuild: {run: make}\n", "'-x{{ version }}'")
        => "it begins with `-`", "`x-{{ version }}`";
    a_binary_named_twice: spec_problem("binary: [y, z, y]\nbuild: {run: make}\n", "y")
        => "`y` is named twice", "keep one";
    a_source_outside: spec_problem("source: {path: ../other}\nbuild: {run: make}\n", "../other")
        => "`../other` leads out of the workspace", "relative";
    a_part_of_a_source_that_is_not_there: spec_problem("source: {path: ., only: [subsystems, nope]}\nbuild: {run: make}\n", "nope")
        => "there is no `nope` in the workspace", "relative";
    a_part_outside_of_its_source: spec_problem("source: {path: subsystems, only: [../versions.yml]}\nbuild: {run: make}\n", "../versions.yml")
        => "leads out of its folder", "relative";
    a_path_outside_of_an_archive: spec_problem("build: {run: make}\nupstream: {url: 'https://x.y/z', sha256: https://x.y/s, paths: {x: ../x}}\n", "../x")
        => "leads out of the archive", "relative";
    a_repository_that_is_a_flag: spec_problem("source: {git: --upload-pack=x}\nbuild: {run: make}\n", "--upload-pack=x")
        => "not a URL of a git repository", "git clone";
    a_bad_ref: spec_problem("source: {git: 'https://x.y/z', ref: -x}\nbuild: {run: make}\n", "-x")
        => "`-x` is not a valid tag", "branch";
    an_unknown_platform_upstream: spec_problem("build: {run: make}\nupstream: {url: 'https://x.y/z', sha256: https://x.y/s, platform: {linux-x86: y}}\n", "linux-x86")
        => "`x86` is not an architecture", "";
    an_absolute_source: spec_problem("source: {path: /etc}\nbuild: {run: make}\n", "/etc")
        => "`/etc` leads out of the workspace", "relative";
    a_source_that_is_not_there: spec_problem("source: {path: nowhere}\nbuild: {run: make}\n", "nowhere")
        => "there is no `nowhere` in the workspace", "relative";
    an_archive_that_is_not_there: spec_problem(
        "source: {archive: a.tgz, sha256: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}\nbuild: {run: make}\n", "a.tgz")
        => "there is no `a.tgz`", "relative";
    an_unknown_need: spec_problem("build: {run: make}\nneeds: [y]\n", "y")
        => "x needs `y`, which is not a subsystem", "";
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
    a_tab: spec_problem("build:\n\trun: make\n", "\t")
        => "here is a tab", "spaces";
    an_open_bracket: spec_problem("needs: [a, b\n", "[")
        => "this `[` is not closed", "close it with `]`";
    an_endless_alias: spec_problem(
        "vars: {a: &a [x,x,x,x,x,x,x,x,x,x], b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a], c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b],\n\
         d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c], e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d], f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e],\n\
         g: [*f,*f,*f,*f,*f,*f,*f,*f,*f,*f]}\n", "*d")
        => "unfold into far more", "without aliases";

    no_versions: manifest_problem("project: p\n", "project: p")
        => "the manifest has no `versions`", "add `versions:`";
    an_invalid_version: manifest_problem("versions: {x: v1..2}\n", "v1..2")
        => "`v1..2` is not a valid tag", "v1.2.3";
    an_invalid_name: manifest_problem("versions: {x: v1, Foo: v1}\n", "Foo")
        => "`Foo` holds 'F'", "rename";
    a_version_without_spec: manifest_problem("versions: {x: v1, nats: v1}\n", "nats")
        => "nats has a version but no spec", "subsystems/nats.yml";
    a_moving_ref_without_git: manifest_problem("versions: {x: main}\n", "main")
        => "`main` is a moving ref", "git";
    an_unknown_platform: manifest_problem("versions: {x: v1}\nplatforms: [linux-amd46]\n", "linux-amd46")
        => "`amd46` is not an architecture", "linux-amd64";
    a_platform_twice: manifest_problem("versions: {x: v1}\nplatforms: [linux-amd64, linux-amd64]\n", "linux-amd64")
        => "stands twice", "keep one";
    an_unknown_store: manifest_problem("versions: {x: v1}\nreleases: gihub:a/b\n", "gihub:a/b")
        => "did you mean `github`", "github:OWNER/REPO";
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
    assert!(one(&sandbox.problems(), "subsystems/x.yml", "").what.contains("longer than 1048576"));
    sandbox.write("subsystems/x.yml", "[".repeat(100_000).as_bytes());
    assert!(sandbox.problems().diagnostics[0].what.contains("not valid YAML"));
    for (template, part) in [
        (format!("{{{{ {}1 }}}}", "(".repeat(100_000)), "longer than 1000 bytes"),
        (format!("{{{{ {}1 }}}}", "-".repeat(100_000)), "longer than 1000 bytes"),
        (format!("{{{{ {}'x' }}}}", "-".repeat(990)), "cannot be rendered"),
        ("{% if 1 %}".repeat(20_000), "does not parse"),
        ("{{ 'x' * 999999999999999999 }}".into(), "makes too much text"),
        ("{{ range(999999999999) | list }}".into(), "too many"),
        ("{% for a in range(99) %}{{ 'x' * 20000 }}{% endfor %}".into(), "bytes of text"),
    ] {
        let spec = format!("build: {{run: {template:?}}}\n");
        sandbox.write("subsystems/x.yml", spec.as_bytes());
        let problems = sandbox.problems();
        assert!(problems.diagnostics[0].what.contains(part), "{:#?}", problems.diagnostics[0]);
    }
    sandbox.write("subsystems/x.yml", "- ".repeat(100_000).as_bytes());
    assert!(sandbox.problems().diagnostics[0].what.contains("not valid YAML"));
}
