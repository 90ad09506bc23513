//! What others wrote is only shown: a terminal obeys none of it, and neither does the CI that reads
//! along, whatever the verb.

use crate::support::Sandbox;

const LINES: &str = "##[set-output name=published]evil\n::error::no\n##vso[task.setvariable variable=x]y\n##teamcity[publishArtifacts 'x']\nsection_start:1:a\n--- gone\n+++ gone\nplain \u{9b}2J\u{202e}txt\u{1b}]0;title\u{7}\n";

/// A workspace whose build prints such lines and fails, and whose task prints them.
fn workspace() -> Sandbox {
    Sandbox::new()
        .head("tasks:\n  show: { desc: \"shows \\u202e##[error]it ::x\", run: cat lines }\n")
        .spec("tool", "v1", "binary: tool\nbuild: { run: 'cat {{ root }}/lines; exit 1' }\n")
        .file("lines", LINES)
}

/// What is in `text` that a reader would obey, forge's own commands aside.
fn obeyed(variable: &str, text: &str) -> Option<String> {
    let lines = text.split(['\n', '\r']);
    let mut foreign = lines.filter(|line| {
        !["::group::", "::endgroup::", "::error", "::warning"]
            .iter()
            .any(|own| line.starts_with(own))
            || line.starts_with("::error::no")
    });
    let is_obeyed = |line: &&str| {
        line.contains(['\u{9b}', '\u{202e}', '\u{7}'])
            || match variable {
                "GITHUB_ACTIONS" => line.contains("##[") || line.trim_start().starts_with("::"),
                "TF_BUILD" => line.contains("##[") || line.contains("##vso["),
                "TEAMCITY_VERSION" => line.contains("##teamcity["),
                "GITLAB_CI" => line.contains("section_start:"),
                "BUILDKITE" => ["---", "+++"].iter().any(|mark| line.starts_with(mark)),
                _ => false,
            }
    };
    foreign.find(is_obeyed).map(str::to_owned)
}

#[test]
fn no_ci_obeys_what_forge_passes_on() {
    for variable in ["GITHUB_ACTIONS", "TF_BUILD", "TEAMCITY_VERSION", "GITLAB_CI", "BUILDKITE"] {
        let sandbox = workspace();
        let words = [
            "ensure:all",
            "ensure:all -v",
            "ci:build",
            "show",
            "--output grouped show",
            "--output prefixed show",
            "list",
            "list --json",
            "explain tool",
        ];
        for words in words {
            let run = sandbox.forge(words).env(variable, "true").env("CI", "true").run();
            let printed = run.stdout() + &run.stderr();
            assert_eq!(obeyed(variable, &printed), None, "{variable} {words}: {run}");
        }
    }
}

#[test]
fn a_person_sees_what_a_terminal_would_have_obeyed() {
    let run = workspace().forge("ensure:all").exits(1);
    assert_eq!(obeyed("", &run.stderr()), None, "{run}");
    run.says("##[set-output name=published]evil");
    let listed = workspace().forge("list").succeeds().stdout();
    assert!(listed.contains("shows �##[error]it ::x"), "{listed}");
}
