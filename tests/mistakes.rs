//! Mistakes of the command line: one error in the shape of all others, with what to write instead, exit
//! code 2, and a document with `--json`.

use std::fs;

use crate::support::Sandbox;

fn workspace() -> Sandbox {
    Sandbox::new().head("tasks: { greet: echo hi }").script("end", "v1.0.0")
}

#[test]
fn each_mistake_is_told_with_what_to_write_instead() {
    let sandbox = workspace();
    for (words, what, help) in [
        ("ensrue", "there is no verb and no task `ensrue`", "did you mean `ensure`?"),
        ("build --all", "there is no verb and no task `build`", "`forge ensure` does that"),
        ("biuld", "there is no verb and no task `biuld`", "did you mean `build`? `forge ensure`"),
        ("-- nope", "there is no verb `nope`", "`forge help` shows the verbs"),
        ("plan --jsn", "`forge plan` has no option `--jsn`", "did you mean `--json`?"),
        ("plan --nope", "`forge plan` has no option `--nope`", "`forge help plan` shows"),
        (
            "plan --keep 3",
            "`forge plan` has no option `--keep`",
            "an option of `forge release:prune`",
        ),
        ("ensure --no-color", "has no option `--no-color`", "`--color never` does that"),
        ("greet --loudly", "`forge greet` has no option `--loudly`", "`forge greet -- --loudly`"),
        ("--nope", "`forge` has no option `--nope`", "`forge help options`"),
        ("which", "`forge which` needs `NAME`", "for example `forge which nats-server`"),
        ("release:prune", "needs `--keep N`", "for example `forge release:prune --keep 3`"),
        ("which a b", "`b` is one word too many for `forge which`", "`forge which <NAME>`"),
        ("graph --format svg", "`svg` is not a value of `--format`", "write `mermaid` or `dot`"),
        ("graph --format dott", "`dott` is not a value of `--format`", "did you mean `dot`?"),
        ("clean everything", "`forge clean` does not know `everything`", "`dist` or `all`"),
        ("list --color", "`--color` needs a value", "`auto`, `always` or `never`"),
        ("list -C", "`--directory` needs a value", "write `--directory DIR`"),
        ("release:prune --keep x", "because: it is not a whole number", "forge help release:prune"),
        ("ensure --publish --no-publish", "exclude each other", "leave one of them out"),
        ("ensure --json --json", "`--json` is given twice", "give it once"),
        ("run --watch=3 greet", "`--watch` takes no value", "write `--watch` alone"),
    ] {
        let run = sandbox.forge(words).exits(2);
        run.says(what).says(help).keeps_quiet_about("Usage:").keeps_quiet_about("tip:");
        assert!(run.stderr().starts_with("error: "), "{run}");
        assert!(run.stderr().contains("\n  help: "), "{run}");
    }
}

#[test]
fn a_mistake_is_a_document_where_one_is_asked_for() {
    let sandbox = workspace();
    for words in ["ensure --keep 3 --json", "--json which", "--json list --nope", "ensrue --json"] {
        let run = sandbox.forge(words).exits(2);
        let document = run.json();
        assert_eq!(document["ok"], false, "{run}");
        assert_eq!(document["exit_code"], 2, "{run}");
        let what = document["error"]["what"].as_str().unwrap();
        assert!(run.stderr().starts_with(&format!("error: {what}\n")), "{run}");
        assert!(document["error"]["help"].is_string(), "{run}");
    }
}

#[test]
fn what_stops_a_verb_is_a_document_too() {
    let sandbox = workspace();
    let run = sandbox.forge("ensure nothing --json").exits(2);
    assert_eq!(run.json()["error"]["what"], "there is no subsystem or group `nothing`");
    sandbox.write("subsystems/end.yml", "build: { rum: x }\n");
    for words in ["check --json", "plan --json", "status --json"] {
        let run = sandbox.forge(words).exits(2);
        let problem = &run.json()["problems"][0];
        assert_eq!(problem["file"], "subsystems/end.yml", "{run}");
        assert_eq!((&problem["line"], &problem["column"]), (&1.into(), &10.into()), "{run}");
        assert!(problem["help"].as_str().unwrap().contains("did you mean `run`?"), "{run}");
    }
    // A verb with a document of its own prints that, and no second one.
    sandbox.write("subsystems/end.yml", "build: { run: exit 3 }\n");
    let run = sandbox.forge("ensure --json").exits(1);
    assert_eq!(run.json()["artifacts"][0]["how"], "failed", "{run}");
}

#[test]
fn a_mistake_without_a_workspace_names_the_verb_that_was_meant() {
    let sandbox = Sandbox::new();
    let empty = sandbox.beside("empty");
    fs::create_dir_all(&empty).unwrap();
    for (words, help) in [
        ("build --release", "`forge ensure` does that"),
        ("ensrue --force", "did you mean `ensure`?"),
        ("ensrue --json", "did you mean `ensure`?"),
        ("wholly-unknown --x", "`forge help` shows the verbs"),
    ] {
        let run = sandbox.forge(words).within(&empty).exits(2);
        run.says("no workspace that has a task so called").says(help);
    }
}
