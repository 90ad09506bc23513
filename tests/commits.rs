//! Versions that follow from commits, in real repositories.

use std::{fs, path::Path, process::Command};

use crate::support::{Sandbox, copy_tree};

/// A copy of an example in a repository of its own, in which each commit is a day younger.
struct Repository {
    sandbox: Sandbox,
    day: u32,
}

impl Repository {
    fn of_example(name: &str) -> Self {
        let sandbox = Sandbox::new();
        copy_tree(&Path::new("examples").join(name), &sandbox.root());
        let mut repository = Self { sandbox, day: 0 };
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository.commit("chore: begin", "Ann");
        repository
    }

    fn git(&self, words: &[&str]) -> String {
        let day = format!("2026-01-{:02}T12:00:00Z", self.day + 1);
        let output = Command::new("git")
            .args(words)
            .current_dir(self.sandbox.root())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .envs(["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"].map(|name| (name, "Ann")))
            .envs(["GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"].map(|name| (name, "ann@a.b")))
            .envs(["GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"].map(|name| (name, day.as_str())))
            .output()
            .expect("git");
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn commit(&mut self, message: &str, author: &str) {
        self.day += 1;
        self.git(&["add", "-A"]);
        let author = format!("--author={author} <a@b.c>");
        self.git(&["commit", "--quiet", "--allow-empty", &author, "-m", message]);
    }

    /// Works on `branch`, which begins here if it is new.
    fn check_out(&self, branch: &str) {
        let known = self.git(&["branch", "--list", branch]);
        let words: &[&str] = match known.is_empty() {
            true => &["checkout", "--quiet", "-b", branch],
            false => &["checkout", "--quiet", branch],
        };
        self.git(words);
    }

    /// The next version of `name`, after what is said `besides`: a label, or a flag.
    fn next(&self, name: &str, besides: &str) -> Option<String> {
        let mut forge = self.sandbox.forge(&format!("version:next {name} --json"));
        match besides.split_once(' ') {
            Some(("label", label)) => {
                let event = self.sandbox.beside("event.json");
                let labels = serde_json::json!({"pull_request": {"labels": [{"name": label}]}});
                fs::write(&event, labels.to_string()).expect("the event");
                forge = forge.env("GITHUB_EVENT_PATH", event);
            }
            Some((one, flag)) if one == name => {
                forge = flag.split(' ').fold(forge, |forge, word| forge.arg(word));
            }
            _ => {}
        }
        let document = forge.succeeds().json();
        document["versions"][0]["version"].as_str().map(str::to_owned)
    }
}

/// The rows of the story, a text for each cell.
fn rows(page: &str) -> Vec<Vec<String>> {
    let rows = page.lines().filter(|line| line.starts_with("| ")).skip(1);
    let cells = |line: &str| {
        let cells = line.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().replace("<br>", "\n\n").replace('`', "")).collect()
    };
    rows.map(cells).collect()
}

/// The example's story, told until its end.
fn pantstack() -> Repository {
    let story = fs::read_to_string("examples/pantstack/history.md").expect("the story");
    let mut repository = Repository::of_example("pantstack");
    let rows = rows(&story);
    assert!(rows.len() > 20, "{rows:?}");
    for (at, row) in rows.iter().enumerate() {
        let [branch, touches, message, besides, versions] = row.as_slice() else {
            panic!("{row:?}");
        };
        repository.check_out(branch);
        if let Some(other) = touches.strip_prefix("merge ") {
            repository.git(&["merge", "--quiet", "--no-ff", "-m", "Merge it", other]);
        } else {
            for place in touches.split(' ') {
                let folder = if place == "docs" { "docs" } else { &format!("services/{place}") };
                repository.sandbox.write(&format!("{folder}/{at}.txt"), message);
            }
            let last = repository.git(&["rev-parse", "HEAD"]);
            repository
                .commit(&message.replace("{last}", &last), if at % 3 == 0 { "Bob" } else { "Ann" });
        }
        let mut released = Vec::new();
        for name in ["api", "web"] {
            if besides == "later" {
                continue;
            }
            if let Some(label) = repository.next(name, besides) {
                repository.git(&["tag", &format!("{name}-{label}")]);
                released.push(format!("{name} {label}"));
            }
        }
        let released = if released.is_empty() { "-".into() } else { released.join(", ") };
        assert_eq!(&released, versions, "after {row:?}");
    }
    repository.check_out("main");
    repository
}

#[test]
fn a_merge_that_is_taken_back_takes_all_that_it_brought_until_it_comes_again() {
    let mut repository = Repository::of_example("pantstack");
    repository.git(&["tag", "api-0.1.0"]);
    repository.check_out("topic");
    for message in ["feat: search", "fix: crash"] {
        repository.sandbox.write(&format!("services/api/{}.txt", &message[..3]), message);
        repository.commit(message, "Ann");
    }
    repository.check_out("main");
    repository.git(&["merge", "--quiet", "--no-ff", "-m", "Merge it", "topic"]);
    let merged = repository.next("api", "");
    assert!(merged.is_some());
    repository.git(&["revert", "--no-edit", "-m", "1", "HEAD"]);
    assert_eq!(repository.next("api", ""), None);
    let changelog = repository.sandbox.forge("changelog api").succeeds();
    changelog.keeps_quiet_about("search");
    repository.git(&["revert", "--no-edit", "HEAD"]);
    assert_eq!(repository.next("api", ""), merged);
    repository.sandbox.forge("changelog api").succeeds().says("search");
}

/// A text without what each machine hashes for itself.
fn settled(text: &str) -> String {
    let hash = regex::Regex::new("[0-9a-f]{40}|[0-9a-f]{10}").expect("a pattern");
    hash.replace_all(text, "HASH").into_owned()
}

#[test]
fn the_story_of_pantstack_comes_out_as_it_is_told() {
    let repository = pantstack();
    let sandbox = &repository.sandbox;
    let run = sandbox.forge("changelog api").succeeds();
    insta::assert_snapshot!(settled(&run.stdout()), @r#"
    # Changelog

    All notable changes of api, in the form of [Keep a Changelog](https://keepachangelog.com/en/1.1.0/).

    ## [Unreleased]

    ### Security

    - refuse what is too long ([HASH](https://git.example/pantstack/pantstack/commit/HASH))

    Contributors: Ann

    ## [2.0.1] - 2026-01-18

    ### Changed

    - **api:** one module less ([HASH](https://git.example/pantstack/pantstack/commit/HASH))
    - **api:** one more ([HASH](https://git.example/pantstack/pantstack/commit/HASH))

    Contributors: Ann, Bob

    ## [2.0.0] - 2026-01-16

    ### Added

    - **api:** search ([HASH](https://git.example/pantstack/pantstack/commit/HASH))
    - **api:** search answers in pages (**breaking**) ([HASH](https://git.example/pantstack/pantstack/commit/HASH))

    ### Fixed

    - **api:** search finds umlauts ([HASH](https://git.example/pantstack/pantstack/commit/HASH))
    - **api:** the last page ([HASH](https://git.example/pantstack/pantstack/commit/HASH))

    Contributors: Ann, Bob

    ## [1.0.0] - 2026-01-09

    Nothing that users notice.

    Contributors: Bob

    ## [0.3.0] - 2026-01-08

    ### Fixed

    - **api:** ids are strings. **Breaking:** who reads ids as numbers reads strings now ([HASH](https://git.example/pantstack/pantstack/commit/HASH))

    Contributors: Ann

    ## [0.2.0] - 2026-01-07

    ### Added

    - one login for both ([HASH](https://git.example/pantstack/pantstack/commit/HASH))

    Contributors: Ann

    ## [0.1.1] - 2026-01-06

    ### Fixed

    - **api:** answer while the database sleeps ([HASH](https://git.example/pantstack/pantstack/commit/HASH))

    Contributors: Bob

    ## [0.1.0] - 2026-01-04

    ### Added

    - **api:** a health check ([HASH](https://git.example/pantstack/pantstack/commit/HASH))

    Contributors: Ann

    [Unreleased]: https://git.example/pantstack/pantstack/compare/api-2.0.1...HEAD
    [2.0.1]: https://git.example/pantstack/pantstack/compare/api-2.0.0...api-2.0.1
    [2.0.0]: https://git.example/pantstack/pantstack/compare/api-1.0.0...api-2.0.0
    [1.0.0]: https://git.example/pantstack/pantstack/compare/api-0.3.0...api-1.0.0
    [0.3.0]: https://git.example/pantstack/pantstack/compare/api-0.2.0...api-0.3.0
    [0.2.0]: https://git.example/pantstack/pantstack/compare/api-0.1.1...api-0.2.0
    [0.1.1]: https://git.example/pantstack/pantstack/compare/api-0.1.0...api-0.1.1
    [0.1.0]: https://git.example/pantstack/pantstack/commits/api-0.1.0
    "#);
    // Ranges, by version and by tag.
    let titles = |words: &str| {
        let json = sandbox.forge(words).arg("--json").succeeds().json();
        let sections = json["sections"].as_array().expect("sections").clone();
        let title = |one: &serde_json::Value| one["version"].as_str().unwrap_or("-").to_owned();
        sections.iter().map(title).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(titles("changelog api"), "- 2.0.1 2.0.0 1.0.0 0.3.0 0.2.0 0.1.1 0.1.0");
    assert_eq!(titles("changelog api --since 1.0.0"), "- 2.0.1 2.0.0");
    assert_eq!(titles("changelog api --since api-0.2.0 --to 1.0.0"), "1.0.0 0.3.0");
    assert_eq!(titles("changelog web --to web-0.2.1"), "0.2.1 0.2.0 0.1.0");
    assert_eq!(titles("changelog api --to dev --since 2.0.1"), "2.0.2-dev.1");
    sandbox.forge("changelog api --since 1.0.x").exits(2).says("did you mean `1.0.0`?");
    sandbox.forge("changelog api --to nowhere").run().says("nowhere");
    sandbox.forge("changelog apii").exits(2).says("did you mean `api`?");
}

#[test]
fn a_changelog_that_people_write_in_is_brought_up_to_date() {
    let repository = pantstack();
    let sandbox = &repository.sandbox;
    sandbox.forge("changelog api --write").succeeds().says("wrote");
    let path = "services/api/CHANGELOG.md";
    let written = sandbox.read(path);
    assert_eq!(written, sandbox.forge("changelog api").succeeds().stdout());
    sandbox.forge("changelog api --write").succeeds().says("nothing is new");
    let edited =
        written.replace("\n### Security\n", "\nRead this first.\n\n### Security\n\n- By hand\n");
    assert_ne!(edited, written);
    sandbox.write(path, &edited);
    repository.git(&["tag", "api-2.0.2"]);
    let run = sandbox.forge("changelog api --write --file services/api/CHANGELOG.md").succeeds();
    run.says("wrote");
    let updated = sandbox.read(path);
    let (_, newest) = updated.split_once("## [2.0.2]").expect("the new version");
    let (newest, _) = newest.split_once("## [2.0.1]").expect("the old one");
    assert!(newest.contains("Read this first.") && newest.contains("- By hand"), "{updated}");
}

#[test]
fn messages_in_any_encoding_are_told() {
    let repository = Repository::of_example("pantstack");
    let root = repository.sandbox.root();
    fs::write(root.join("services/api/x"), "x").expect("a file");
    repository.git(&["add", "-A"]);
    // Latin-1 that says it is UTF-8, and bytes that are nothing.
    fs::write(root.join("message"), b"feat(api): caf\xe9 \xff\xfe\n\nBREAKING CHANGE: \xc3\x28\n")
        .expect("a message");
    repository.git(&["commit", "--quiet", "-F", "message", "--", "services/api/x"]);
    let run = repository.sandbox.forge("changelog api").succeeds();
    run.says("**api:** caf").says("**Breaking:** ");
}

#[test]
fn a_clone_that_lacks_commits_says_what_to_fetch() {
    let mut repository = Repository::of_example("pantstack");
    repository.commit("feat: more", "Ann");
    let clone = repository.sandbox.beside("clone");
    let source = format!("file://{}", repository.sandbox.root().display());
    repository.git(&["clone", "--quiet", "--depth=1", &source, clone.to_str().expect("a path")]);
    let run = repository.sandbox.forge("changelog api").within(&clone).exits(2);
    run.says("git fetch --unshallow --tags");
}

#[test]
fn a_title_is_checked_before_it_becomes_a_version() {
    let sandbox = Sandbox::new();
    let check = |title: &str| {
        let run = sandbox.forge("lint:title").arg(title).run();
        format!("{}{}[{}]\n", run.stdout(), run.stderr(), run.code().expect("a code"))
    };
    let told: String = [
        "feat(api): search",
        "fix!: ids are strings",
        "docs: words",
        "Add search",
        "feature(api): search",
        "feat (api): search",
        "fix: ",
    ]
    .map(check)
    .concat();
    insta::assert_snapshot!(told, @r#"
    feat(api): search: a minor release
    [0]
    fix!: ids are strings: a major release
    [0]
    docs: words: no release
    [0]
    error: the title does not follow Conventional Commits
    error: the title has no type: it does not begin with a word and a colon
     --> title:1:1
      |
    1 | Add search
      | ^^^ a type such as `feat:` or `fix:` belongs before it

      help: write `feat: Add search`
    [1]
    error: the title does not follow Conventional Commits
    error: `feature` is not a usual type
     --> title:1:1
      |
    1 | feature(api): search
      | ^^^^^^^ did you mean `feat`?

      help: write `feat(api): search`
    [1]
    error: the title does not follow Conventional Commits
    error: a blank stands before the scope
     --> title:1:5
      |
    1 | feat (api): search
      |     ^ remove it

      help: write `feat(api): search`
    [1]
    error: the title does not follow Conventional Commits
    error: nothing is described
     --> title:1:4
      |
    1 | fix:
      |    ^ what changes?

      help: write `TYPE: what changes`, such as `fix: the crash on start`
    [1]
    "#);
    let json = sandbox.forge("lint:title feat:x --json").exits(1).json();
    assert_eq!((&json["valid"], &json["right"]), (&false.into(), &"feat: x".into()));
    sandbox.forge("lint:title --quiet fix:x").exits(1);
}

#[test]
fn the_title_of_the_pull_request_is_checked_in_ci() {
    let sandbox = Sandbox::new();
    let check = |title: &str| {
        let event = serde_json::json!({ "pull_request": { "title": title } }).to_string();
        fs::write(sandbox.beside("event.json"), event).expect("the event");
        sandbox.forge("lint:title").env("GITHUB_EVENT_PATH", sandbox.beside("event.json"))
    };
    check("feat: search").succeeds().says("a minor release");
    check("search").exits(1).says("write `feat: search`");
    // Without an event, as a hook of git does it: the message comes in.
    let message = sandbox.beside("message");
    fs::write(&message, b"fix: caf\xe9\nno blank line\n# a comment\n").expect("a message");
    let mut run = sandbox.forge("lint:title");
    run.command().stdin(fs::File::open(&message).expect("the message"));
    run.exits(1).says("no blank line stands between");
}
