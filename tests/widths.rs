//! Tables and help at terminals of every width: nothing is cut off, and in a pipe lines are as long as they
//! are.

use crate::support::{Invocation, Sandbox, at_a_terminal, is_here};

const SENTENCE: &str = "serves the pages that people read, in every language that there is";

fn workspace() -> Sandbox {
    let tasks = format!(
        "tasks:\n  publish-pages: {{ desc: '{SENTENCE}', with: {{ to: {{ enum: [staging, production] }}, language: en }}, run: x }}\n  clean: x\n"
    );
    Sandbox::new()
        .head(&tasks)
        .script("end", "v1.0.0")
        .spec("a-service-with-a-name", "v2.0.0", &format!("desc: {SENTENCE}\nbuild: {{ run: 'printf \"#!/bin/sh\\n\" > {{{{ out }}}}/a-service-with-a-name && chmod +x {{{{ out }}}}/*' }}\n"))
}

/// What is shown, without blanks and line ends: what is wrapped is the same.
fn dense(text: &str) -> String {
    text.split_whitespace().collect()
}

/// The lines of `text` up to the first empty one: a table.
fn table(text: &str) -> Vec<&str> {
    text.lines().take_while(|line| !line.is_empty()).collect()
}

#[test]
fn tables_fit_and_nothing_of_them_is_cut_off() {
    let sandbox = workspace();
    sandbox.forge("ensure").succeeds();
    for words in ["list", "status", "plan", "release:list", "cache", "ci --plan"] {
        let whole = sandbox.forge(words).succeeds().stdout();
        for width in ["40", "60", "80"] {
            let shown = sandbox.forge(words).env("COLUMNS", width).succeeds().stdout();
            let room: usize = width.parse().unwrap();
            let wide: Vec<_> =
                table(&shown).into_iter().filter(|line| line.chars().count() > room).collect();
            assert!(wide.is_empty(), "{words} at {width}: {wide:#?}");
            assert!(!shown.contains('…'), "{words} at {width}: {shown}");
            let first = table(&whole).len();
            for word in table(&whole)[1..first].iter().flat_map(|line| line.split("  ")) {
                let is_there = dense(&shown).contains(&dense(word));
                // A cell that goes on below stands beside others.
                let words = || word.split_whitespace().all(|word| shown.contains(word));
                assert!(
                    is_there || words(),
                    "{words:?} at {width}: {word} in\n{shown}",
                    words = words()
                );
            }
        }
    }
}

#[test]
fn a_row_that_has_no_room_is_a_list() {
    let sandbox = workspace();
    let shown = sandbox.forge("list").env("COLUMNS", "40").succeeds().stdout();
    insta::assert_snapshot!(shown.split("\n\n").next().unwrap(), @r"
    a-service-with-a-name
      version      v2.0.0
      binaries     a-service-with-a-name
      description  serves the pages that
                   people read, in every
                   language that there is
    end
      version      v1.0.0
      binaries     end
    ");
}

#[test]
fn help_fits_the_terminal() {
    let sandbox = workspace();
    for (words, width) in ["--help", "help", "help verbs", "help options", "ensure --help"]
        .into_iter()
        .flat_map(|words| [(words, 40), (words, 80)])
    {
        let run = sandbox.forge(words).env("COLUMNS", width.to_string()).succeeds();
        let shown = run.stdout();
        let wide: Vec<_> = shown.lines().filter(|line| line.chars().count() > width).collect();
        assert!(wide.is_empty(), "{words} at {width}: {wide:#?}");
    }
}

#[test]
fn a_terminal_says_how_wide_it_is_and_a_pipe_has_no_width() {
    if !is_here("python3") {
        return;
    }
    let sandbox = workspace();
    let list = || sandbox.forge("list").env("TERM", "xterm");
    let at = |forge: Invocation, columns| {
        let (shown, code) = at_a_terminal(forge, columns, "never", "");
        assert_eq!(code, 0, "{shown}");
        shown.replace("\r\n", "\n")
    };
    let colours = regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap();
    let bare = |text: &str| colours.replace_all(text, "").into_owned();
    let narrow = at(list(), 40);
    assert!(narrow.contains("\u{1b}[1m"), "{narrow}");
    let asked = list().env("COLUMNS", "40").succeeds().stdout();
    assert_eq!(bare(&narrow), asked);
    assert!(!asked.contains('\u{1b}'), "a pipe has no colours");
    let grey = at(list().env("NO_COLOR", "1"), 40);
    assert_eq!(grey, asked);
    let wide = at(list().env("NO_COLOR", "1"), 200);
    assert_eq!(wide, list().succeeds().stdout());
    assert!(wide.contains(SENTENCE), "{wide}");
    let help = at(sandbox.forge("--help").env("TERM", "xterm").env("NO_COLOR", "1"), 40);
    assert!(help.lines().all(|line| line.chars().count() <= 40), "{help}");
}
