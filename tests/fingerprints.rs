//! A fingerprint holds what is pinned and nothing else.

use std::{collections::BTreeMap, fs};

use crate::support::{Sandbox, overwrite};

/// A subsystem that mentions every place, so that a path that slips in is noticed.
const SPEC: &str = "
source: { path: code }
vars: { greeting: hello }
env: { ROOT: '{{ root }}', GREETING: '{{ greeting }}' }
build:
  run:
    - mkdir -p {{ work }} && test -d {{ src }} && test \"$ROOT\" = {{ root }}
    - (echo '#!/bin/sh'; echo \"echo $GREETING {{ version }}\") > {{ out }}/tool
";

fn workspace() -> Sandbox {
    Sandbox::with_store()
        .file("code/a.txt", "a")
        .file("code/b/c.txt", "c")
        .spec("tool", "v1.0.0", SPEC)
        .spec(
            "user",
            "v2",
            "build_needs: [tool]\nbuild: { run: 'cp \"$(command -v tool)\" {{ out }}/user' }\n",
        )
}

/// Name to fingerprint, as installed.
fn fingerprints(sandbox: &Sandbox) -> BTreeMap<String, String> {
    let stamp = |name: &str| sandbox.read(&format!(".forge/installed/{name}/.version"));
    let line = |stamp: &str| {
        let line = stamp.lines().find(|line| line.starts_with("fingerprint:"));
        line.expect("a fingerprint").to_owned()
    };
    ["tool", "user"].into_iter().map(|name| (name.to_owned(), line(&stamp(name)))).collect()
}

#[test]
fn the_same_workspace_elsewhere_has_the_same_fingerprints() {
    let here = workspace();
    here.forge("ensure").succeeds();
    let there = workspace();
    // Another time, another place, another user, other settings of the machine.
    for file in ["code/a.txt", "versions.yml", "subsystems/tool.yml"] {
        let file = fs::File::open(there.path(file)).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
    }
    let other = |mut invocation: crate::support::Invocation| {
        let command = invocation.command();
        command.env("TZ", "Asia/Tokyo").env("LANG", "tr_TR.UTF-8").env("USER", "somebody");
        command.env("HOSTNAME", "elsewhere").env("SHLVL", "7");
        invocation
    };
    other(there.forge("ensure -j 1")).succeeds();
    assert_eq!(fingerprints(&here), fingerprints(&there));
    for tag in ["tool-v1.0.0", "user-v2"] {
        let bytes = |sandbox: &Sandbox| fs::read(sandbox.asset(tag)).unwrap();
        assert_eq!(bytes(&here), bytes(&there), "the packed {tag} differs");
    }
    // Each would therefore take what the other built.
    let mut third = workspace();
    third.releases_from(&format!("dir:{}", here.beside("store").display()));
    third.all_are("downloaded");
}

#[test]
fn variables_of_the_environment_that_no_spec_names_change_nothing() {
    const SECRET: &str = "hunter2-hunter2";
    let sandbox = workspace();
    sandbox.forge("ensure").env("MY_TOKEN", SECRET).succeeds();
    let before = fingerprints(&sandbox);
    let run = sandbox.forge("ensure --json").env("MY_TOKEN", "another").succeeds();
    assert!(run.json()["artifacts"].as_array().unwrap().iter().all(|a| a["how"] == "fresh"));
    sandbox.forge("ensure --force --no-publish").succeeds();
    assert_eq!(before, fingerprints(&sandbox));
    // And the value reached no file: no stamp, lock, record, plan or log.
    for path in sandbox.listing().into_keys() {
        let bytes = fs::read(sandbox.beside("").join(&path)).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(SECRET), "{} holds it", path.display());
    }
}

#[test]
fn a_variable_that_a_spec_names_counts_set_or_not() {
    let sandbox = Sandbox::new().spec(
        "tool",
        "v1",
        "env: { MODE: '{{ env.MODE | default(\"none\") }}' }\nbuild: { run: '(echo \"#!/bin/sh\"; echo \"echo $MODE\") > {{ out }}/tool' }\n",
    );
    let how = |mode: Option<&str>| {
        let run = sandbox.forge("ensure --json");
        let run = match mode {
            Some(mode) => run.env("MODE", mode).succeeds(),
            None => run.succeeds(),
        };
        run.json()["artifacts"][0]["how"].as_str().unwrap().to_owned()
    };
    assert_eq!(how(None), "built");
    assert_eq!(how(Some("fast")), "built");
    assert_eq!(sandbox.run_binary("tool"), "fast\n");
    assert_eq!(how(Some("fast")), "fresh");
    std::thread::sleep(std::time::Duration::from_millis(120)); // beyond the clock tick of the snapshot
    assert_eq!(how(Some("fast")), "fresh");
    assert_eq!(how(Some("slow")), "built");
    assert_eq!(how(None), "cached");
    assert_eq!(sandbox.run_binary("tool"), "none\n");
}

#[test]
fn in_repo_sources_notice_what_changed_came_and_went_and_nothing_that_git_ignores() {
    let sandbox = Sandbox::new().script("hello", "v1.0.0");
    sandbox.write("code/hello/.gitignore", "*.o\n/target/\n");
    sandbox.forge("ensure").succeeds();
    let expect = |how: &str, what: &str| {
        let hows = sandbox.hows("ensure");
        assert_eq!(hows, [("hello".to_owned(), how.to_owned())], "{what}");
    };
    // A snapshot is only kept of what is older than a clock tick.
    std::thread::sleep(std::time::Duration::from_millis(120));
    expect("fresh", "nothing changed");
    sandbox.write("code/hello/x.o", "ignored");
    sandbox.write("code/hello/target/debug/y", "ignored");
    expect("fresh", "ignored files came");
    sandbox.write("code/hello/sub/new.txt", "new");
    expect("built", "a file came in a new folder");
    std::thread::sleep(std::time::Duration::from_millis(120));
    expect("fresh", "nothing changed");
    overwrite(&sandbox.path("code/hello/sub/new.txt"), b"old");
    expect("built", "a file changed and kept its length");
    fs::remove_file(sandbox.path("code/hello/sub/new.txt")).unwrap();
    expect("cached", "it went: as it was at first");
    sandbox.write("code/hello/.gitignore", "/target/\n");
    expect("built", "what was ignored counts now");
}

#[test]
fn another_step_variable_or_need_is_another_fingerprint() {
    // In the private store another fingerprint is another artifact, in a shared one it is a warning.
    let mut sandbox = workspace();
    sandbox.without_store();
    sandbox.forge("ensure").succeeds();
    let mut seen = vec![fingerprints(&sandbox)["user"].clone()];
    for (what, from, to) in [
        ("a step", "mkdir -p", "mkdir  -p"),
        ("a variable", "greeting: hello", "greeting: hallo"),
        ("a name of a variable", "GREETING:", "GREETINGS:"),
    ] {
        sandbox.write("subsystems/tool.yml", &SPEC.replace(from, to));
        if what == "a name of a variable" {
            sandbox.write(
                "subsystems/tool.yml",
                &SPEC.replace("GREETING:", "GREETINGS:").replace("$GREETING", "$GREETINGS"),
            );
        }
        sandbox.forge("ensure --no-publish").succeeds();
        let now = fingerprints(&sandbox)["user"].clone();
        assert!(!seen.contains(&now), "{what} does not reach those that need it");
        seen.push(now);
    }
}

#[test]
fn a_comment_in_the_manifest_changes_nothing_and_a_version_beside_it_does() {
    let sandbox = Sandbox::new().script("tool", "v1.0.0");
    sandbox.forge("ensure").succeeds();
    let manifest = sandbox.read("versions.yml");
    let newer = manifest.replace("v1.0.0", "v1.0.1");
    for (text, how) in [
        (manifest.clone(), "fresh"),
        (format!("# the tools\n{manifest}\n"), "fresh"),
        (format!("# the tools\n{newer}"), "built"),
        (format!("# newer\n{newer}"), "fresh"),
        (manifest, "cached"),
    ] {
        // A snapshot is only kept of what is older than a clock tick.
        std::thread::sleep(std::time::Duration::from_millis(60));
        sandbox.write("versions.yml", &text);
        let hows = sandbox.hows("ensure");
        assert_eq!(hows, [("tool".to_owned(), how.to_owned())], "{text}");
    }
}
