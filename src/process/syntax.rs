//! What a shell would find wrong with a command, before any of it runs.
//!
//! Asking a shell takes a process, and there are thousands of commands. Most are plain words with a
//! few signs between, of which it is certain that every shell can read them: they are looked at
//! here, and the doubtful ones are left to the shell.

use std::{
    iter::Peekable,
    process::{Command, Stdio},
    str::Chars,
};

use super::Shell;
use super::children::Unmarked;

/// Why a shell cannot read a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// The line of the command that the shell names, from 1, if it names one.
    pub line: Option<usize>,
    /// What it says.
    pub why: String,
}

/// What `shell` finds wrong with `line` before it runs any of it. A shell that is not here, or speaks
/// a language of its own, is not asked.
pub fn syntax_error(shell: &Shell, line: &str) -> Option<SyntaxError> {
    let dialect = shell.dialect()?;
    if is_surely_sound(line) {
        return None;
    }
    let _unmarked = Unmarked::begin();
    let asked =
        Command::new(dialect).args(["-n", "-c", line]).stdin(Stdio::null()).output().ok()?;
    if asked.status.success() {
        return None;
    }
    // `sh: 1: Syntax error: "fi" unexpected`, `sh: -c: line 1: syntax error: …`
    let said = String::from_utf8_lossy(&asked.stderr);
    let first = said.lines().next().unwrap_or_default();
    let parts = first.split(": ").map(|part| part.strip_prefix("line ").unwrap_or(part));
    let line = parts.take(4).find_map(|part| part.trim().parse().ok());
    let why = first.split_once("yntax error: ").map_or(first, |(_, why)| why);
    Some(SyntaxError { line, why: why.trim().to_owned() })
}

/// Words that may mean something else where a command begins.
const RESERVED: &[&str] = &[
    "!",
    "[[",
    "]]",
    "{",
    "}",
    "always",
    "case",
    "coproc",
    "do",
    "done",
    "elif",
    "else",
    "end",
    "esac",
    "fi",
    "for",
    "foreach",
    "function",
    "if",
    "in",
    "namespace",
    "nocorrect",
    "repeat",
    "select",
    "then",
    "time",
    "until",
    "while",
];

/// Whether every shell of the family of `sh` can read `line`, for certain.
fn is_surely_sound(line: &str) -> bool {
    // It would be taken for an option.
    if line.starts_with(['-', '+']) {
        return false;
    }
    let mut reader = Reader { rest: line.chars().peekable(), ..Reader::default() };
    reader.read().is_some()
}

/// Reads simple commands with `&&`, `||`, `|`, `&`, `;` and line breaks between. Nothing stands for doubt.
struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    /// The word that is being read; nothing between words.
    word: Option<String>,
    /// Whether the command has begun.
    has_words: bool,
    /// Whether another command must follow.
    is_open: bool,
    /// Whether a file must follow.
    is_redirected: bool,
}

impl Default for Reader<'_> {
    fn default() -> Self {
        let rest = "".chars().peekable();
        Self { rest, word: None, has_words: false, is_open: false, is_redirected: false }
    }
}

impl Reader<'_> {
    fn read(&mut self) -> Option<()> {
        while let Some(c) = self.rest.next() {
            match c {
                ' ' | '\t' => self.end_word()?,
                '\n' => {
                    self.end_word()?;
                    if self.has_words || self.is_redirected {
                        self.end_command(false)?;
                    }
                }
                '&' | '|' if self.rest.next_if_eq(&c).is_some() => self.separate(true)?,
                '|' => self.separate(true)?,
                ';' | '&' => self.separate(false)?,
                '<' | '>' => self.redirect(c)?,
                '#' if self.word.is_none() => while self.rest.next_if(|c| *c != '\n').is_some() {},
                '\'' => self.single()?,
                '"' => self.double()?,
                '\\' => match self.rest.next()? {
                    '\n' => {}
                    c => self.push(c),
                },
                '$' => self.dollar()?,
                '(' | ')' | '`' | '\0' | '\r' => return None,
                // In bash, an element of an array may be meant.
                '[' if self.word.is_some() => return None,
                c => self.push(c),
            }
        }
        self.end_word()?;
        if self.is_redirected {
            return None;
        }
        (self.has_words || !self.is_open).then_some(())
    }

    fn push(&mut self, c: char) {
        self.word.get_or_insert_default().push(c);
    }

    fn end_word(&mut self) -> Option<()> {
        let Some(word) = self.word.take() else { return Some(()) };
        // Wherever they stand: something before them may not count as a word.
        if RESERVED.contains(&word.as_str()) && !self.has_words {
            return None;
        }
        (self.has_words, self.is_redirected) = (true, false);
        Some(())
    }

    fn end_command(&mut self, is_open: bool) -> Option<()> {
        if !self.has_words || self.is_redirected {
            return None;
        }
        (self.has_words, self.is_open) = (false, is_open);
        Some(())
    }

    fn separate(&mut self, is_open: bool) -> Option<()> {
        self.end_word()?;
        // `|&`, `&>` and `;;` are not the same in all shells.
        if self.rest.next_if(|c| "&|;>".contains(*c)).is_some() {
            return None;
        }
        self.end_command(is_open)
    }

    fn redirect(&mut self, sign: char) -> Option<()> {
        // A number before it would be no file, but part of it.
        if self.is_redirected {
            return None;
        }
        self.end_word()?;
        let _ = self.rest.next_if(|c| sign == '>' && ">&".contains(*c));
        if self.rest.next_if(|c| "<>&|!(".contains(*c)).is_some() {
            return None;
        }
        self.is_redirected = true;
        Some(())
    }

    fn single(&mut self) -> Option<()> {
        // A quoted word is none of those that mean something.
        self.push('\'');
        loop {
            if self.rest.next()? == '\'' {
                return Some(());
            }
        }
    }

    fn double(&mut self) -> Option<()> {
        self.push('"');
        loop {
            match self.rest.next()? {
                '"' => return Some(()),
                '\\' => drop(self.rest.next()?),
                '$' => self.dollar()?,
                '`' | '\0' => return None,
                _ => {}
            }
        }
    }

    /// `$NAME` and `${NAME}`; what else may follow is left to the shell.
    fn dollar(&mut self) -> Option<()> {
        self.push('$');
        match self.rest.peek() {
            Some('(' | '\'' | '"' | '[') => None,
            Some('{') => {
                self.rest.next();
                let begins = |c: &char| c.is_ascii_alphabetic() || *c == '_';
                self.rest.next_if(begins)?;
                while self.rest.next_if(|c| begins(c) || c.is_ascii_digit()).is_some() {}
                self.rest.next_if_eq(&'}').map(drop)
            }
            _ => Some(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn errors_are_told_with_their_lines() {
        let told = |line| syntax_error(&Shell::Sh, line);
        assert_eq!(told("echo a && echo b > c 2>&1"), None);
        assert_eq!(told("for a in b; do echo $a; done"), None);
        let error = told("echo\nif true; then\n  echo\n}\n").unwrap();
        assert!(error.line.is_some_and(|line| line > 3) && !error.why.is_empty(), "{error:?}");
        assert_eq!(told("echo \"a").unwrap().line, Some(1));
        assert_eq!(syntax_error(&Shell::Words(vec!["python3".into(), "-c".into()]), "if"), None);
    }

    #[test]
    fn what_is_plain_costs_no_process() {
        for line in [
            "echo a && echo \"b $c\" > d",
            "a | b | c 2>&1; d & e",
            "cp 'a b' c\n# why\nmv c d || exit 1\n",
            "X=1 make -j${N} all",
            "test -f a &&\n  cat a",
            "",
        ] {
            assert!(is_surely_sound(line), "{line}");
        }
        for line in [
            "if a; then b; fi",
            "a &&",
            "a > ",
            "\"",
            "a;; b",
            "echo $(a)",
            "(a)",
            "; a",
            "f() { a; }",
        ] {
            assert!(!is_surely_sound(line), "{line}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn what_is_surely_sound_is_sound(
            words in prop::collection::vec(
                prop::sample::select(vec![
                    "a", "if", "fi", "then", "{", "}", "!", "[[", "in", "case", "esac", "do", "done", " ", " ", " ",
                    "\n", ";", "&", "&&", "|", "||", ">", ">>", "<", "2>", "&1", "'", "\"", "\\", "$", "${a}",
                    "$a", "#", "(", ")", "=", "a=b", "-", "*", "~", "[", "]", "%", "for", "while", "time",
                ]),
                0..9,
            ),
        ) {
            let line = words.concat();
            if is_surely_sound(&line) {
                for shell in ["sh", "bash"] {
                    let Ok(asked) = Command::new(shell).args(["-n", "-c", &line]).output() else { continue };
                    let said = String::from_utf8_lossy(&asked.stderr);
                    prop_assert!(asked.status.success(), "{}: {:?}: {}", shell, line, said);
                }
            }
        }
    }
}
