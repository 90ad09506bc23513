//! Everyday verbs: help, exec, which, why, tree, remove, cache, ps; and words that are none.

use std::{fs, os::unix::process::ExitStatusExt};

use crate::support::Sandbox;

/// Two scripts, one of which is built with the other, and a task that needs it.
fn pair() -> Sandbox {
    Sandbox::new()
        .head("# top\ngroups: { both: [end, user] }\ntasks: { go: { needs: [user], run: x } }")
        .script("end", "v1.0.0")
        .spec(
            "user",
            "v2.0.0",
            "binary: [use, use-more]\nneeds: [end]\nbuild_needs: [end]\nbuild: { run: 'for i in use use-more; do cp \"$(command -v end)\" {{ out }}/$i; done' }\n",
        )
}

#[test]
fn the_first_screen_of_help_is_grouped() {
    let sandbox = Sandbox::new();
    let help = sandbox.forge("--help").succeeds().stdout();
    for title in ["Start", "Daily", "Tasks and services", "Release", "Versions", "CI", "Workspace"]
    {
        assert!(help.lines().any(|line| line.starts_with(title)), "{help}");
    }
    assert_eq!(sandbox.forge("help").succeeds().stdout(), help);
    assert_eq!(sandbox.forge("-h").succeeds().stdout(), help);
    assert!(!help.contains('\u{1b}'), "{help}");
}

#[test]
fn help_of_a_verb_ends_with_an_example_and_tells_no_option_of_all() {
    let sandbox = Sandbox::new();
    let help = sandbox.forge("ensure --help").succeeds().stdout();
    assert!(help.trim_end().ends_with("forge ensure nats liftbridge"), "{help}");
    assert!(!help.contains("--trace") && help.contains("forge help options"), "{help}");
    assert_eq!(sandbox.forge("help ensure").succeeds().stdout(), help);
    sandbox.forge("help options").succeeds().says("--trace FILE").says("-C, --directory DIR");
}

#[test]
fn pages_come_out_of_the_tables() {
    let sandbox = Sandbox::new();
    for (page, text) in [
        ("spec", "upstream.sha256"),
        ("manifest", "platforms"),
        ("templates", "version_number"),
        ("services", "ready"),
        ("stores", "github:OWNER/REPO"),
        ("exit-codes", "124"),
        ("environment", "FORGE_CACHE_DIR"),
        ("verbs", "release:prune"),
    ] {
        sandbox.forge(&format!("help {page}")).succeeds().says(text);
    }
    sandbox.forge("help spce").exits(2).says("did you mean `forge help spec`?");
    sandbox.forge("help install").exits(2).says("`forge ensure` does that");
    pair().forge("help go").succeeds().says("would run");
}

#[test]
fn descriptions_are_listed_with_what_is_known() {
    let tasks = "vars: { ext: .exe }\ntasks:\n  b: { desc: 'builds x{{ ext }}', run: echo }\n  c: { desc: 'says {{ who }}', with: { who: you }, run: echo }\n";
    let sandbox = Sandbox::new().script("end", "v1").head(tasks);
    let list = sandbox.forge("list").succeeds();
    list.says("builds x.exe").says("says {{ who }}");
}

#[test]
fn words_of_other_tools_are_answered() {
    let sandbox = Sandbox::new().script("end", "v1").head("tasks: { lint: x, 'end:page': x }");
    sandbox.forge("page").exits(2).says("there is `end:page`");
    sandbox.forge("build").exits(2).says("`forge ensure` does that");
    sandbox.forge("uninstall x").exits(2).says("`forge remove`");
    sandbox.forge("lnit").exits(2).says("did you mean `init` or `lint`?");
    let both = Sandbox::new().script("end", "v1").head("tasks: { init: x, lint: x }");
    both.forge("lnit").exits(2).says("did you mean `init` or `lint`?");
    sandbox.forge("-C / build").exits(2).says("`forge ensure` does that");
}

#[test]
fn exec_ensures_and_becomes_the_command() {
    let sandbox = pair();
    sandbox.forge("exec end").succeeds().says("end v1.0.0");
    assert_eq!(sandbox.builds(), 1, "only what is needed");
    assert_eq!(sandbox.forge("x use --any -h").succeeds().stdout(), "end v1.0.0\n");
    let other = Sandbox::new()
        .script("end", "v1")
        .head("tasks: { x: { with: { n: 1 }, run: 'echo {{ n }} {{ args }}' } }");
    assert_eq!(other.forge("x n=2 -- a").succeeds().stdout(), "2 a\n", "a task of that name");
    sandbox.forge("exec user").exits(2).says("name one: use, use-more");
    sandbox
        .forge("exec ned")
        .exits(2)
        .says("there is no program `ned`")
        .says("did you mean `end`?");
    sandbox.forge("exec --dry-run end a").succeeds().says("would run end a");
    let run = sandbox.forge("exec -- sh -c").arg("command -v use; exit 7").exits(7);
    assert_eq!(run.stdout().trim(), sandbox.path(".forge/bin/use").display().to_string());
    let mut killed = sandbox.forge("exec -- sh -c").arg("kill -9 $$");
    assert_eq!(killed.command().status().unwrap().signal(), Some(9), "as if run directly");
}

#[test]
fn exec_looks_at_nothing_where_all_was_ensured_and_nothing_it_needs_changed() {
    let source = |name: &str| {
        format!(
            "source: {{ path: {name} }}\nbuild: {{ run: 'cp {name}.sh {{{{ out }}}}/{name} && chmod +x {{{{ out }}}}/{name}' }}\n"
        )
    };
    let code = |words: &str| format!("#!/bin/sh\necho {words}\n");
    let sandbox = Sandbox::new()
        .spec("one", "v1", &source("one"))
        .spec("two", "v1", &source("two"))
        .file("one/one.sh", &code("one"))
        .file("two/two.sh", &code("two"));
    sandbox.forge("ensure").succeeds();
    // What was made just now is too young to be believed: a later run keeps the answer.
    let snapshot = sandbox.path(".forge/state/snapshot");
    let began = std::time::Instant::now();
    while !snapshot.exists() {
        assert!(began.elapsed().as_secs() < 20, "no run kept the answer");
        sandbox.forge("ensure").succeeds();
    }
    sandbox.write("two/two.sh", &code("new"));
    // A run that looks at artifacts has a trace.
    let ran = |words: &str| {
        let path = sandbox.path("trace.json");
        let run = sandbox.forge(&format!("--trace trace.json {words}")).succeeds();
        (run.stdout(), fs::remove_file(path).is_ok())
    };
    assert_eq!(ran("exec one"), ("one\n".to_owned(), false));
    assert_eq!(ran("exec two"), ("new\n".to_owned(), true));
}

#[test]
fn which_prints_the_path_of_what_is_pinned() {
    let mut sandbox = pair();
    sandbox
        .forge("which use")
        .exits(1)
        .says("user v2.0.0 is not installed")
        .says("forge ensure user");
    sandbox.forge("ensure").succeeds();
    let path = |binary: &str| sandbox.path(".forge/bin").join(binary).display().to_string();
    assert_eq!(sandbox.forge("which use").succeeds().stdout().trim(), path("use"));
    let both = format!("{}\n{}\n", path("use"), path("use-more"));
    assert_eq!(sandbox.forge("which user").succeeds().stdout(), both);
    let row = &sandbox.forge("which end --json").succeeds().json()["binaries"][0];
    assert_eq!((row["version"].as_str(), row["installed"].as_bool()), (Some("v1.0.0"), Some(true)));
    sandbox.forge("which nope").exits(2).says("there is no subsystem or group `nope`");
    sandbox.bump("end", "v1.1.0");
    sandbox.forge("which end").exits(1).says("end v1.1.0 is not installed");
}

#[test]
fn tree_and_why_are_the_same_arrows_both_ways() {
    let sandbox = pair();
    insta::assert_snapshot!(sandbox.forge("tree").succeeds().stdout(), @r"
    user v2.0.0
    └── end v1.0.0 (build needs)
    ");
    insta::assert_snapshot!(sandbox.forge("why end").succeeds().stdout(), @r"
    end v1.0.0
    └── user v2.0.0 (build needs)
    groups: both
    ");
    sandbox.forge("why user").succeeds().says("tasks: go");
    let tree = sandbox.forge("tree --json").succeeds().json();
    assert_eq!(tree["subsystems"][1]["needs"][0]["name"], "end");
    let why = sandbox.forge("why end --json").succeeds().json();
    assert_eq!(why["needed_by"][0]["kinds"][1], "build needs");
}

#[test]
fn remove_takes_pin_spec_and_lock_and_keeps_comments() {
    let sandbox = Sandbox::with_store().script("end", "v1").script("other", "v1");
    sandbox.forge("ensure").succeeds();
    sandbox.write(
        "versions.yml",
        "# top\ngroups: { both: [end, other] }\nversions:\n  # of both\n  end: v1 # why\n  other: v1\n",
    );
    assert!(sandbox.read("forge.lock").contains("end:"));
    sandbox.forge("remove end --dry-run").succeeds().says("would remove end v1");
    sandbox.forge("remove end").succeeds().says("removed end v1");
    assert_eq!(
        sandbox.read("versions.yml"),
        "# top\ngroups: { both: [other] }\nversions:\n  # of both\n  other: v1\n"
    );
    assert!(!sandbox.path("subsystems/end.yml").exists());
    assert!(!sandbox.read("forge.lock").contains("end:"));
    sandbox.forge("check").succeeds();
    sandbox.forge("remove end").exits(2);
}

#[test]
fn what_others_need_is_not_removed() {
    let sandbox = pair();
    let before = sandbox.read("versions.yml");
    sandbox
        .forge("remove end")
        .exits(2)
        .says("user needs it (needs, build needs)")
        .says("forge why end");
    sandbox.forge("remove user").exits(2).says("tasks need it: go");
    sandbox.forge("remove both").exits(2).says("is a group");
    assert_eq!(sandbox.read("versions.yml"), before);
}

#[test]
fn the_cache_is_counted_checked_and_made_smaller() {
    let sandbox = pair();
    sandbox.forge("ensure").succeeds();
    let size = sandbox.forge("cache --json").succeeds().json();
    assert!(size["bytes"].as_u64().unwrap() > 0, "{size}");
    assert_eq!(size["parts"][0]["part"], "binaries");
    sandbox
        .forge("cache size")
        .succeeds()
        .says("binaries")
        .says(&sandbox.beside("cache").display().to_string());
    sandbox.forge("cache verify").succeeds().says("each is what its name says");
    sandbox.forge("cache prune --days 30").succeeds().says("removed 0 artifacts");
    sandbox.forge("cache prune --limit 1k").exits(2).says("such as `500M` or `20G`");
    let dry = sandbox.forge("cache prune --days 0 --dry-run").succeeds();
    dry.says("would remove");
    sandbox.forge("cache prune --days 0").succeeds().keeps_quiet_about("removed 0 artifacts");
    sandbox.all_are("fresh");
    fs::remove_dir_all(sandbox.path(".forge")).unwrap();
    sandbox.forge("ensure").succeeds();
}

#[test]
fn a_changed_file_of_the_cache_is_found() {
    let sandbox = pair();
    sandbox.forge("ensure").succeeds();
    let folder =
        fs::read_dir(sandbox.beside("cache/files")).unwrap().flatten().next().unwrap().path();
    let file = fs::read_dir(folder).unwrap().flatten().next().unwrap().path();
    fs::remove_file(&file).unwrap();
    fs::write(&file, "changed").unwrap();
    sandbox.forge("cache verify").exits(4).says("files in your cache were changed");
    assert!(!file.exists());
    sandbox.forge("cache verify").succeeds();
}

#[test]
fn old_artifacts_leave_the_cache_after_a_run_once_a_day() {
    let sandbox = pair().script("third", "v1");
    sandbox.forge("ensure end").succeeds();
    let age = |path: &std::path::Path| {
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
    };
    let records =
        || fs::read_dir(sandbox.beside("cache/artifacts")).unwrap().flatten().map(|it| it.path());
    let old: Vec<_> = records().collect();
    for path in &old {
        age(path);
    }
    age(&sandbox.beside("cache/collected"));
    sandbox.forge("ensure user").env("FORGE_CACHE_LIMIT", "off").succeeds();
    assert!(old.iter().all(|path| path.exists()), "switched off");
    sandbox.forge("ensure third").succeeds();
    assert!(old.iter().all(|path| !path.exists()), "collected");
    assert!(records().count() > 0, "what was used today stays");
}

#[test]
fn services_are_shown_without_being_started() {
    pair().forge("ps").succeeds().says("this workspace has no services");
    pair().forge("restart").exits(2).says("this workspace has no services");
    pair().forge("stop").exits(2);
}

#[test]
fn fmt_lays_out_files_and_keeps_what_they_say() {
    let sandbox = pair();
    sandbox.write("versions.yml", "# top\nversions:\n  end:   v1.0.0   # why  \n  user: v2.0.0\n\n\n\ngroups: {both: [ end,user ]}");
    sandbox.forge("fmt --check").exits(1).says("would lay out versions.yml");
    sandbox.forge("fmt").succeeds().says("laid out versions.yml");
    assert_eq!(
        sandbox.read("versions.yml"),
        "# top\nversions:\n  end: v1.0.0   # why\n  user: v2.0.0\n\ngroups: { both: [end, user] }\n"
    );
    sandbox.forge("fmt --check").succeeds();
    sandbox.write("subsystems/end.yml", "a: [");
    sandbox.forge("fmt").exits(2).says("subsystems/end.yml cannot be laid out");
}

/// What `script` prints in `shell`, with forge on PATH.
fn in_shell(sandbox: &Sandbox, shell: &str, script: &str) -> String {
    let forge = std::path::Path::new(env!("CARGO_BIN_EXE_forge")).parent().unwrap().to_owned();
    let path = format!("{}:{}", forge.display(), std::env::var("PATH").unwrap());
    let mut command = std::process::Command::new(shell);
    command.args(["-c", script]).current_dir(sandbox.root()).env("PATH", path);
    command.env("HOME", sandbox.beside("home"));
    command
        .env("FORGE_CACHE_DIR", sandbox.beside("cache"))
        .env("FORGE_DATA_DIR", sandbox.beside("data"));
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    format!("{}{errors}", String::from_utf8_lossy(&output.stdout))
}

#[test]
fn env_sets_path_and_variables_in_every_shell() {
    let sandbox = pair().head("env: { GREETING: \"it's me\" }");
    let bin = sandbox.path(".forge/bin").display().to_string();
    let env = sandbox.forge("env").succeeds().stdout();
    assert_eq!(env, format!("export PATH='{bin}':\"$PATH\"\nexport GREETING='it'\\''s me'\n"));
    sandbox.forge("env --shell fish").succeeds().says(r"set -gx GREETING 'it\'s me'");
    sandbox.forge("env --shell powershell").succeeds().says("$env:GREETING = 'it''s me'");
    assert_eq!(sandbox.forge("env --json").succeeds().json()["env"]["GREETING"], "it's me");
    let said = in_shell(&sandbox, "bash", "eval \"$(forge env)\"; echo \"$GREETING\"");
    assert_eq!(said, "it's me\n");
    let run = sandbox.forge("exec -- sh -c").arg("echo $GREETING").succeeds();
    assert!(run.stdout().ends_with("it's me\n"), "{run}");
}

#[test]
fn the_hook_follows_the_workspace_and_trusts_only_what_was_allowed() {
    let sandbox = pair().head("env: { GREETING: hello }");
    let look = "_forge_hook; echo \"<$GREETING>\"; command -v use; cd /; _forge_hook; echo \"<$GREETING>\"; command -v use";
    let script = format!("eval \"$(forge env --hook bash)\"; {look}");
    assert_eq!(in_shell(&sandbox, "bash", &script), "<>\n<>\n", "nothing is installed here");
    sandbox.forge("ensure").succeeds();
    let there = sandbox.path(".forge/bin/use").display().to_string();
    assert_eq!(in_shell(&sandbox, "bash", &script), format!("<>\n{there}\n<>\n"), "not allowed");
    sandbox.forge("env --allow").succeeds().says("GREETING");
    assert_eq!(in_shell(&sandbox, "bash", &script), format!("<hello>\n{there}\n<>\n"));
    let changed = sandbox.read("versions.yml").replace("hello", "other");
    sandbox.write("versions.yml", &changed);
    assert_eq!(in_shell(&sandbox, "bash", &script), format!("<>\n{there}\n<>\n"), "another value");
    for shell in ["zsh", "fish"] {
        sandbox.forge(&format!("env --hook {shell}")).succeeds().says("_forge_hook");
    }
}

#[test]
fn man_pages_and_completions_are_written() {
    let sandbox = pair();
    sandbox.forge("help --man man1").succeeds().says("pages to");
    assert!(
        sandbox.read("man1/forge.1").contains(".TH forge 1"),
        "{}",
        sandbox.read("man1/forge.1")
    );
    assert!(sandbox.read("man1/forge-ensure.1").contains("forge ensure nats"));
    for (shell, text) in [
        ("powershell", "Register-ArgumentCompleter"),
        ("nushell", "export extern forge"),
        ("elvish", "arg-completer"),
    ] {
        sandbox
            .forge(&format!("completions {shell}"))
            .succeeds()
            .says(text)
            .says("completions:words");
    }
}

#[test]
fn a_task_that_is_called_as_a_verb_is_told_everywhere() {
    let sandbox = Sandbox::new()
        .script("end", "v1")
        .head("tasks: { clean: { desc: tidy, run: echo MINE }, 'ci:test': echo CI }");
    let note = "`forge clean` is the verb; `forge run clean` runs the task";
    sandbox
        .forge("check")
        .succeeds()
        .says("the task `clean` has the name of a verb")
        .says(note)
        .keeps_quiet_about("ci:test is called");
    sandbox.forge("list").succeeds().says(&format!("tidy ({note})"));
    sandbox.forge("explain clean").succeeds().says(note);
    sandbox.forge("run clean").succeeds().says("MINE");
    let check = sandbox.forge("check --json").succeeds().json();
    assert_eq!(check["warnings"].as_array().unwrap().len(), 1);
}

#[test]
fn forge_alone_and_run_alone_do_what_is_expected() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "versions.yml",
        "versions: {}\ntasks: { default: echo DEFAULT, other: { desc: another, run: x } }\n",
    );
    sandbox.forge("").succeeds().says("DEFAULT");
    let listed = sandbox.forge("run").succeeds().stdout();
    assert!(listed.starts_with("task") && listed.contains("another"), "{listed}");
    sandbox
        .forge("list")
        .succeeds()
        .keeps_quiet_about("binaries")
        .keeps_quiet_about("forge ensure");
    pair().script("more", "v1").forge("run").succeeds().says("go");
    Sandbox::new().script("end", "v1").forge("run").succeeds().says("there are no tasks");
}

#[test]
fn arguments_that_nothing_uses_are_told() {
    let sandbox = Sandbox::new()
        .script("end", "v1")
        .head("tasks: { test: echo RAN, pass: 'echo {{ args }}' }");
    sandbox
        .forge("test -- -run Nope")
        .succeeds()
        .says("what stands after `--` changes nothing")
        .says("RAN");
    sandbox
        .forge("pass -- -run Nope")
        .succeeds()
        .says("-run Nope")
        .keeps_quiet_about("changes nothing");
}

#[test]
fn folders_of_outputs_are_made() {
    let sandbox = Sandbox::new().script("end", "v1").head("tasks: { gen: { inputs: versions.yml, outputs: [gen/a/x.json, 'out/**/*.txt'], run: 'echo 1 > gen/a/x.json; ls -d out' } }");
    sandbox.forge("gen").succeeds().says("out");
    assert!(sandbox.path("gen/a/x.json").exists());
}

#[test]
fn json_is_honoured_or_refused() {
    let sandbox = pair();
    sandbox.forge("lock --json").exits(2).says("has no JSON document");
    let explained = sandbox.forge("explain end --json").succeeds().json();
    let artifact = &explained["artifacts"][0];
    assert_eq!((&artifact["name"], &artifact["would_be"]), (&"end".into(), &"built".into()));
    assert_eq!(sandbox.forge("explain go --json").succeeds().json()["task"], "go");
    let graph = sandbox.forge("graph --json").succeeds().json();
    assert_eq!(graph["arrows"][0]["to"], "end");
    assert!(sandbox.forge("logs --json").succeeds().json()["services"].is_array());
    sandbox.forge("logs --json -f").exits(2).says("has an end");
    sandbox.forge("tree --json").succeeds().json();
}

#[test]
fn a_version_that_nobody_can_be_asked_for_is_pinned_with_a_warning() {
    let spec = "upstream: { url: 'https://127.0.0.1:1/x-{{ version }}', sha256: 'https://127.0.0.1:1/sums-{{ version }}' }\n";
    let sandbox = Sandbox::new().spec("x", "v1.0.0", spec);
    sandbox.forge("bump x v1.1.0").succeeds().says("nobody was asked whether there is x v1.1.0");
    assert!(sandbox.read("versions.yml").contains("x: v1.1.0"));
    let moved = sandbox.path("versions.yaml");
    fs::rename(sandbox.path("versions.yml"), &moved).unwrap();
    sandbox.forge("list").exits(2);
}
