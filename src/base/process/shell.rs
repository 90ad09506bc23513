//! Which lines need a shell.
//!
//! A line that is one plain command, `go build -o x ./cmd`, does the same with and without
//! a shell between, and without is faster. GNU make does likewise. Here the doubtful always goes to
//! the shell: whatever is not certainly plain is left alone.

use std::path::Path;

/// What reads the line of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Shell {
    /// `sh -eu`.
    #[default]
    Sh,
    /// `bash -eu -o pipefail`.
    Bash,
    /// A program and its words; the line is added as the last.
    Words(Vec<String>),
}

impl Shell {
    /// The program and its words, up to the line.
    pub fn words(&self) -> Vec<String> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        match self {
            Self::Sh => words(&["sh", "-eu", "-c"]),
            Self::Bash => words(&["bash", "-eu", "-o", "pipefail", "-c"]),
            Self::Words(own) => own.clone(),
        }
    }

    /// Whether it reads lines as `sh` does: `$NAME`, quotes.
    pub fn is_posix(&self) -> bool {
        self.dialect().is_some()
    }

    /// The shell whose language its lines are in, if that is known.
    pub(super) fn dialect(&self) -> Option<&str> {
        const KNOWN: &[&str] = &["sh", "bash", "dash", "ash", "ksh", "mksh", "zsh"];
        match self {
            Self::Sh => Some("sh"),
            Self::Bash => Some("bash"),
            Self::Words(words) => {
                let program = Path::new(words.first()?).file_name()?.to_str()?;
                let takes_a_line = words.iter().skip(1).any(|word| {
                    word.starts_with('-') && !word.starts_with("--") && word.ends_with('c')
                });
                KNOWN.contains(&program).then_some(words.first()?.as_str()).filter(|_| takes_a_line)
            }
        }
    }
}

/// How a line is executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinePlan {
    /// These words are the program and its arguments.
    Direct(Vec<String>),
    /// Only a shell knows what the line means.
    Shell,
}

/// Words that a shell would not look up in PATH: the keywords, special built-ins and
/// built-ins of POSIX sh, and what dash, bash, ksh, zsh and busybox add to them.
const OF_THE_SHELL: &[&str] = &[
    ".",
    ":",
    "alias",
    "autoload",
    "bg",
    "bind",
    "break",
    "builtin",
    "caller",
    "case",
    "cd",
    "chdir",
    "command",
    "compgen",
    "complete",
    "compopt",
    "continue",
    "coproc",
    "declare",
    "dirs",
    "disown",
    "do",
    "done",
    "echo",
    "elif",
    "else",
    "enable",
    "end",
    "esac",
    "eval",
    "exec",
    "exit",
    "export",
    "false",
    "fc",
    "fg",
    "fi",
    "float",
    "for",
    "foreach",
    "function",
    "functions",
    "getopts",
    "hash",
    "help",
    "history",
    "if",
    "in",
    "integer",
    "jobs",
    "kill",
    "let",
    "local",
    "logout",
    "mapfile",
    "namespace",
    "newgrp",
    "nocorrect",
    "noglob",
    "popd",
    "print",
    "printf",
    "pushd",
    "pwd",
    "read",
    "readarray",
    "readonly",
    "rehash",
    "repeat",
    "return",
    "select",
    "set",
    "setopt",
    "shift",
    "shopt",
    "sleep",
    "source",
    "suspend",
    "test",
    "then",
    "time",
    "times",
    "trap",
    "true",
    "type",
    "typeset",
    "ulimit",
    "umask",
    "unalias",
    "unhash",
    "unset",
    "unsetopt",
    "until",
    "vared",
    "wait",
    "whence",
    "where",
    "which",
    "while",
];

/// Whether `line` runs one program and needs no shell for anything else.
pub fn is_one_program(line: &str) -> bool {
    plan(line) != LinePlan::Shell
}

/// Decides how `line` is executed by `sh -eu`.
pub fn plan(line: &str) -> LinePlan {
    let Some(words) = split(line.trim_matches([' ', '\t', '\n'])) else { return LinePlan::Shell };
    match words.first() {
        Some(program) if is_program(program) => LinePlan::Direct(words),
        _ => LinePlan::Shell,
    }
}

/// Whether a shell would take this first word for a program.
fn is_program(word: &str) -> bool {
    // `%1` names a job in some shells.
    !word.is_empty()
        && !word.starts_with('%')
        && !word.contains('=')
        && !OF_THE_SHELL.contains(&word)
}

/// The words of a line in which nothing but blanks and simple quotes has a meaning;
/// `None` if something else may have one.
fn split(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match c {
            ' ' | '\t' => words.extend(word.take()),
            '\'' | '"' => {
                let (quoted, after) = rest.as_str().split_once(c)?;
                if !quoted.chars().all(|q| is_literal_in(c, q)) {
                    return None;
                }
                word.get_or_insert_default().push_str(quoted);
                rest = after.chars();
            }
            _ if c.is_ascii_alphanumeric() || "_./:=,@%+-".contains(c) => {
                word.get_or_insert_default().push(c);
            }
            _ => return None,
        }
    }
    words.extend(word);
    Some(words)
}

/// Whether `c` stands for itself between two `quote`s.
fn is_literal_in(quote: char, c: char) -> bool {
    !c.is_control() && (quote == '\'' || !"$`\\!".contains(c))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn direct(words: &[&str]) -> LinePlan {
        LinePlan::Direct(words.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn plain_commands_go_without_a_shell() {
        assert_eq!(
            plan("go build -o out/nats ./cmd\n"),
            direct(&["go", "build", "-o", "out/nats", "./cmd"])
        );
        assert_eq!(plan("  a 'b c'\"d e\"f ''\t"), direct(&["a", "b cd ef", ""]));
        assert_eq!(plan("x '-ldflags=-s -w' \"a'b\""), direct(&["x", "-ldflags=-s -w", "a'b"]));
    }

    #[test]
    fn whatever_may_mean_more_goes_to_the_shell() {
        let lines = [
            "",
            " ",
            "a | b",
            "a; b",
            "a && b",
            "A=1 b",
            "echo $X",
            "ls *",
            "a ~",
            "a # b",
            "a > b",
            "cd x",
            "if",
            "'if' x",
            "\"\" a",
            "a 'b",
            "a \"$X\"",
            "a \"b\\c\"",
            "a\nb",
            "a b\\ c",
            "%1",
            "a {b,c}",
            "(a)",
            "! a",
            "a 'b\nc'",
            "a ü",
            "[ a ]",
        ];
        for line in lines {
            assert_eq!(plan(line), LinePlan::Shell, "{line:?}");
        }
    }

    /// What a shell passes to a program for the words of `line`.
    fn words_of_a_shell(line: &str) -> Vec<String> {
        let output = std::process::Command::new("sh")
            .args(["-eu", "-c", &format!("printf '<%s>\\0' {line}")])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.split_terminator('\0').map(|w| w[1..w.len() - 1].to_owned()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn the_words_are_those_of_a_shell(
            line in "a[ab1_./:=,@%+ 'ü\"\t-]{0,20}|a( |[a-z=./-]{1,4}|'[^'\\x00-\\x1f]{0,6}'|\"[^\"$`\\\\\\x00-\\x1f]{0,6}\"){0,6}"
        ) {
            if let LinePlan::Direct(words) = plan(&line) {
                prop_assert_eq!(words, words_of_a_shell(&line));
            }
        }
    }

    #[test]
    fn what_this_shell_builds_in_is_known() {
        let known = |word: &str| OF_THE_SHELL.contains(&word);
        let output =
            std::process::Command::new("bash").args(["-c", "compgen -b; compgen -k"]).output();
        // Not every machine has bash; where it is, it tells its own words.
        if let Ok(output) = output {
            for word in String::from_utf8_lossy(&output.stdout).lines() {
                let plain = word.chars().all(|c| c.is_ascii_lowercase());
                assert!(!plain || known(word), "{word}");
            }
        }
    }
}
