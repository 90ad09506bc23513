//! The verbs that show: status, explain, graph, list, verify, clean, env, completions.

use std::{fs, process::Command};

use crate::support::{Sandbox, overwrite};

/// Two scripts, one of which is built with the other.
fn pair() -> Sandbox {
    Sandbox::new()
        .head("project: pair\ngroups: { both: [end, user] }")
        .script("end", "v1.0.0")
        .spec(
            "user",
            "v2.0.0",
            "desc: uses it\nbinary: [use, use-more]\nneeds: [end]\nbuild_needs: [end]\nbuild: { run: 'for i in use use-more; do cp \"$(command -v end)\" {{ out }}/$i; done', env: { A: '1' } }\n",
        )
}

#[test]
fn list_shows_what_there_is() {
    let sandbox = pair();
    insta::assert_snapshot!(sandbox.forge("list").succeeds().stdout(), @r"
    subsystem  version  binaries       description
    end        v1.0.0   end
    user       v2.0.0   use, use-more  uses it
    group both: end, user

    `forge ensure` installs all of them; `forge help` lists what else there is
    ");
    assert_eq!(sandbox.forge("").succeeds().stdout(), sandbox.forge("list").succeeds().stdout());
}

#[test]
fn list_shows_tasks_with_what_they_take() {
    let sandbox = Sandbox::new().script("end", "v1").head(
        "tasks:\n  build: { desc: makes it, alias: b, with: { to: { enum: [dev, prod] }, n: 3 }, run: x }\n  'at-*': x\n  own: { private: true, run: x }\ninclude: { docs: docs.yml }",
    );
    sandbox.write("docs.yml", "tasks: { page: { desc: one page, run: x } }\n");
    let listed = sandbox.forge("list").succeeds().stdout();
    let shown: Vec<&str> = listed.lines().skip(3).take(5).collect();
    assert_eq!(
        shown,
        [
            "task       parameters         description",
            "at-*",
            "build, b   to=dev|prod [n=3]  makes it",
            "",
            "docs:page                     one page",
        ]
    );
    sandbox.forge("list --all").succeeds().says("own").says("(private)");
    let named = |words: &str| sandbox.forge(words).succeeds().json()["tasks"].to_string();
    assert!(!named("list --json").contains("own") && named("list --all --json").contains("own"));
}

#[test]
fn bash_completes_verbs_tasks_and_parameters() {
    let sandbox = pair().head(
        "tasks: { feed: { with: { to: { enum: [dev, prod] }, port: 80 }, run: x }, own: { private: true, run: x }, 'user:test': x }",
    );
    let script = sandbox.forge("completions bash").succeeds().stdout();
    sandbox.write("script.bash", &script);
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_forge")).parent().unwrap().to_owned();
    let complete = |line: &str| {
        let ask = format!(
            "PATH={}:$PATH; source script.bash; COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}; _forge; echo \"${{COMPREPLY[*]}}\"",
            bin.display()
        );
        let done = Command::new("bash").args(["-c", &ask]).current_dir(sandbox.root()).output();
        String::from_utf8(done.unwrap().stdout).unwrap().trim().to_owned()
    };
    for (line, words) in [
        ("forge fee", "feed"),
        ("forge ow", ""),
        ("forge feed ", "feed port= to=dev to=prod user:test"),
        ("forge feed to=p", "prod"),
        ("forge run fe", "feed"),
        ("forge ensure b", "both"),
        ("forge user:te", "test"),
        ("forge user:ens", "ensure"),
        ("forge list --al", "--all --all-platforms"),
        ("forge --color ", "always auto never"),
        ("forge run feed -- x", ""),
    ] {
        assert_eq!(complete(line), words, "{line}");
    }
    sandbox.write("versions.yml", "tasks: [");
    assert_eq!(complete("forge ensu"), "ensure", "a broken workspace still has verbs");
}

#[test]
fn status_shows_what_is_pinned_installed_and_released() {
    let mut sandbox = pair();
    insta::assert_snapshot!(sandbox.forge("status").succeeds().stdout(), @r"
    subsystem  pinned  installed  size  released
    end        v1.0.0  -                -
    user       v2.0.0  -                -
    ");
    let states = |sandbox: &Sandbox| {
        let status = sandbox.forge("status --json").succeeds().json();
        [0, 1].map(|line| status["subsystems"][line]["state"].as_str().unwrap().to_owned())
    };
    sandbox.forge("ensure").succeeds();
    sandbox.forge("status").succeeds().says("your store");
    assert_eq!(states(&sandbox), ["hit", "hit"]);
    sandbox.bump("end", "v1.1.0");
    overwrite(&sandbox.path(".forge/installed/user/use"), b"#!/bin/no\n");
    let run = sandbox.forge("status").succeeds();
    run.says("v1.0.0 (its version is v1.0.0, pinned is v1.1.0)");
    run.says("damaged: `use` was changed");
    // What is released as `user` was built with the `end` of before: none has the one that is wanted.
    run.keeps_quiet_about("your store");
    assert_eq!(states(&sandbox), ["miss", "miss"]);
    sandbox.forge("ensure").succeeds();
    assert_eq!(states(&sandbox), ["hit", "hit"], "it is a revision of its version");
}

#[test]
fn the_graph_is_mermaid_or_dot() {
    let sandbox = pair();
    insta::assert_snapshot!(sandbox.forge("graph").succeeds().stdout(), @r#"
    graph LR
      n_end["end v1.0.0"]
      n_user["user v2.0.0"]
      n_user --> n_end
      n_user -. build .-> n_end
    "#);
    insta::assert_snapshot!(sandbox.forge("graph --format dot").succeeds().stdout(), @r#"
    digraph forge {
      rankdir=LR;
      node [shape=box];
      "end" [label="end\nv1.0.0"];
      "user" [label="user\nv2.0.0"];
      "user" -> "end";
      "user" -> "end" [style=dashed, label=build];
    }
    "#);
}

#[test]
fn explain_names_the_field_that_differs() {
    let sandbox = pair();
    sandbox.forge("ensure").succeeds();
    let same = sandbox.forge("explain user").succeeds();
    same.keeps_quiet_about("differs").says("left as it is");
    let spec = sandbox.read("subsystems/user.yml");
    for (field, from, to) in [("env", "A: '1'", "A: '2'"), ("steps", "for i in", "for i  in")] {
        sandbox.write("subsystems/user.yml", &spec.replace(from, to));
        let run = sandbox.forge("explain user").succeeds();
        let text = run.stdout();
        let differing: Vec<_> = text.lines().filter(|line| line.contains("differs:")).collect();
        assert_eq!(differing.len(), 1, "{run}");
        assert!(differing[0].trim_start().starts_with(field), "{run}");
        run.says(&format!("not the pinned one: its `{field}` differs"));
        run.says("with `forge ensure` it would be built");
    }
}

#[test]
fn explain_names_the_files_of_a_source_that_differ() {
    let sandbox = Sandbox::with_store()
        .file("code/a.sh", "#!/bin/sh\necho a\n")
        .file("code/old", "old")
        .spec(
            "tool",
            "v1",
            "source: { path: code }\nbuild: { run: 'install a.sh {{ out }}/tool' }\n",
        );
    sandbox.forge("ensure").succeeds();
    sandbox.write("code/a.sh", "#!/bin/sh\necho b\n");
    sandbox.write("code/new", "new");
    std::fs::remove_file(sandbox.path("code/old")).unwrap();
    let differs = "differs: changed code/a.sh, added code/new, removed code/old";
    sandbox.forge("explain tool").succeeds().says(differs);
    let changed =
        &sandbox.forge("explain tool --json").succeeds().json()["artifacts"][0]["changed"];
    assert_eq!(changed.as_array().map(Vec::len), Some(3), "{changed}");
    sandbox.forge("ensure").succeeds();
    sandbox.forge("explain tool").succeeds().keeps_quiet_about("differs");
}

#[test]
fn explain_shows_the_commands_that_a_preset_stands_for() {
    let sandbox = Sandbox::new().file("code/go.mod", "module x\n").spec(
        "tool",
        "v1.2.3",
        "source: { path: code }\nbuild: { go: . }\n",
    );
    let run = sandbox.forge("explain tool").succeeds();
    run.says("go build").says("{{ out }}/tool").says("main.version=v1.2.3");
}

#[test]
fn verify_names_what_was_tampered_with_and_nothing_else() {
    let sandbox = pair();
    sandbox.forge("verify").exits(4).says("it is not installed");
    sandbox.forge("ensure").succeeds();
    sandbox.forge("verify").succeeds().says("2 verified");
    sandbox.forge("bin:verify").succeeds();
    let file = sandbox.path(".forge/installed/user/use-more");
    let time = fs::metadata(&file).unwrap().modified().unwrap();
    // Same size, same time: only the bytes tell.
    let mut bytes = fs::read(&file).unwrap();
    bytes[3] ^= 1;
    overwrite(&file, &bytes);
    fs::File::options().append(true).open(&file).unwrap().set_modified(time).unwrap();
    let run = sandbox.forge("verify --json").exits(4);
    let document = run.json();
    assert_eq!(document["ok"], false);
    assert_eq!(document["artifacts"][0]["ok"], true, "{run}");
    assert!(document["artifacts"][1]["wrong"].as_str().unwrap().contains("use-more"), "{run}");
    sandbox.forge("verify end").succeeds();
    sandbox.forge("user:verify").exits(4);
}

#[test]
fn verify_notices_a_stamp_that_fits_a_swapped_binary() {
    let sandbox = Sandbox::new().script("hello", "v1");
    sandbox.forge("ensure").succeeds();
    let (binary, stamp) = (
        sandbox.path(".forge/installed/hello/hello"),
        sandbox.path(".forge/installed/hello/.version"),
    );
    let old = crate::support::sha256(&fs::read(&binary).unwrap());
    overwrite(&binary, b"#!/bin/sh\necho evil\n");
    let new = crate::support::sha256(&fs::read(&binary).unwrap());
    let text = fs::read_to_string(&stamp).unwrap().replace(&old, &new);
    overwrite(&stamp, text.as_bytes());
    sandbox.forge("verify").exits(4).says("its stamp is not the one that forge installed");
}

#[test]
fn verify_notices_a_link_that_points_elsewhere() {
    let sandbox = Sandbox::new().script("hello", "v1");
    sandbox.forge("ensure").succeeds();
    fs::remove_file(sandbox.path(".forge/bin/hello")).unwrap();
    std::os::unix::fs::symlink("/bin/false", sandbox.path(".forge/bin/hello")).unwrap();
    sandbox.forge("verify").exits(4).says(".forge/bin");
    sandbox.forge("ensure").succeeds();
    sandbox.forge("verify").succeeds();
    assert_eq!(sandbox.run_binary("hello"), "hello v1\n");
}

#[test]
fn clean_removes_what_it_says_and_nothing_else() {
    for (word, gone, kept) in [
        ("clean:bin", vec!["bin", "installed"], vec!["dist", "src", "logs"]),
        ("clean:dist", vec!["dist"], vec!["bin", "installed", "src"]),
        ("clean:src", vec!["src"], vec!["bin", "installed", "dist"]),
        ("clean", vec!["bin", "installed", "dist", "logs"], vec!["src"]),
        ("clean:all", vec!["."], vec![]),
    ] {
        let sandbox = Sandbox::new().script("hello", "v1").spec(
            "worker",
            "v1",
            "build: { run: 'echo x; mkdir -p {{ work }}; (echo \"#!/bin/sh\") > {{ out }}/worker' }\n",
        );
        sandbox.forge("package").succeeds();
        sandbox.forge(&format!("{word} --dry-run")).succeeds().says("would remove .forge");
        let there = |folder: &&str| sandbox.path(".forge").join(folder).exists();
        assert!(gone.iter().chain(&kept).all(there), "before {word}");
        sandbox.forge(word).succeeds().says("removed .forge");
        assert!(!gone.iter().any(there), "{word} left something of {gone:?}");
        assert!(kept.iter().all(there), "{word} took something of {kept:?}");
        assert!(sandbox.path("versions.yml").exists() && sandbox.path("code").exists());
        sandbox.all_are(if gone.contains(&"bin") || gone.contains(&".") {
            "cached"
        } else {
            "fresh"
        });
        sandbox.forge(word).succeeds();
        sandbox.forge(word).succeeds();
    }
}

#[test]
fn a_shell_takes_the_line_of_env() {
    let sandbox = Sandbox::new().script("hello", "v1");
    sandbox.forge("ensure").succeeds();
    let line = sandbox.forge("env").succeeds().stdout();
    let output = Command::new("sh").args(["-c", &format!("{line}hello")]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "hello v1\n", "{line}");
    // Also where the path has a blank and a quote in it.
    let odd = sandbox.beside("an 'odd' place");
    crate::support::copy_tree(&sandbox.root(), &odd);
    sandbox.forge("ensure").within(&odd).succeeds();
    let line = sandbox.forge("env").within(&odd).succeeds().stdout();
    let output =
        Command::new("sh").args(["-c", &format!("{line}command -v hello")]).output().unwrap();
    let found = String::from_utf8_lossy(&output.stdout);
    assert!(found.contains("an 'odd' place/.forge/bin/hello"), "{line}{found}");
}

#[test]
fn what_init_writes_works_at_once() {
    let sandbox = Sandbox::new();
    let new = sandbox.beside("new");
    sandbox.forge("init").arg(&new).succeeds().says("now run `forge ensure`");
    sandbox.forge("check").within(&new).succeeds();
    sandbox.forge("ensure").within(&new).succeeds();
    let output = Command::new(new.join(".forge/bin/hello")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "hello from v0.1.0\n");
    let before = fs::read(new.join("versions.yml")).unwrap();
    sandbox.forge("init").arg(&new).exits(2).says("is there already");
    assert_eq!(fs::read(new.join("versions.yml")).unwrap(), before);
}

#[test]
fn completions_are_made_for_every_shell() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = sandbox.forge(&format!("completions {shell}")).succeeds().stdout();
        assert!(script.contains("forge completions:words"), "{shell}");
    }
    let script = sandbox.forge("completions bash").succeeds().stdout();
    let path = sandbox.beside("completion");
    fs::write(&path, script).unwrap();
    if let Ok(output) = Command::new("bash").arg("-n").arg(&path).output() {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let sandbox = pair();
    let forge = env!("CARGO_BIN_EXE_forge");
    let line = format!(
        "'{forge}' -C '{}' schema | head -n 1; exit ${{PIPESTATUS[0]}}",
        sandbox.root().display()
    );
    let Ok(output) = Command::new("bash").args(["-c", &line]).output() else {
        eprintln!("skipped: there is no bash");
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn words_that_mean_nothing_are_answered_with_what_was_meant() {
    let sandbox = pair();
    sandbox.forge("ensure usr").exits(2).says("did you mean `user`?");
    sandbox.forge("ensure both").succeeds();
    sandbox.forge("ensrue").exits(2).says("ensure");
    sandbox.forge("list").within(&sandbox.beside("")).exits(2).says("versions.yml");
    sandbox.forge("list -C nowhere").exits(2).says("nowhere");
}

#[test]
fn a_workspace_may_lie_anywhere() {
    let sandbox = Sandbox::new();
    for name in ["my projects", "it's here", "a \"b\" $HOME", "ünï (code) [x]*", "#x;y&z"] {
        let root = sandbox.beside(name);
        sandbox.forge("init").arg(&root).succeeds();
        fs::write(
            root.join("subsystems/hello.yml"),
            "source: { path: hello }\nenv: { SRC: '{{ src }}' }\nbuild:\n  run:\n    - cp {{ src }}/hello.sh {{ out }}/hello\n    - test -d \"{{ src }}\" && test '{{ src }}' = \"$SRC\" && mkdir -p {{ work }} && chmod +x {{ out }}/hello\n",
        )
        .unwrap();
        // Each is built: another place has another cache.
        let cache = root.join("cache");
        sandbox
            .forge("ensure")
            .within(&root)
            .env("FORGE_CACHE_DIR", &cache)
            .env("FORGE_DATA_DIR", &cache)
            .succeeds();
        let output = Command::new(root.join(".forge/bin/hello")).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "hello from @version@\n", "{name}");
        let line = sandbox.forge("env").within(&root).succeeds().stdout();
        let output = Command::new("sh").args(["-c", &format!("{line}hello")]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "hello from @version@\n", "{line}");
    }
}

#[test]
fn a_group_is_selected_by_its_name_or_as_one() {
    let sandbox = pair().spec(
        "third",
        "v1.0.0",
        "group: one\nneeds: end\nbuild: { run: 'cp $(command -v end) {{ out }}/third' }\n",
    );
    let listed = |words: &str| sandbox.forge(words).succeeds().stdout();
    assert_eq!(listed("status --group one"), listed("status one"));
    assert_eq!(listed("--group one status"), listed("status third"));
    assert_ne!(listed("status --group one"), listed("status --group both"));
    sandbox.forge("release:binary").exits(2).says("needs `NAMES`");
    sandbox
        .forge("release:binary --group none")
        .exits(2)
        .says("there is no subsystem or group `none`");
    sandbox.forge("list --group one").exits(2).says("this command takes none");
}
