//! Commands that every shell of the family of `sh` can read, for certain: plain words with a few signs
//! between. Most commands are, and no shell need be asked about them.

use std::{iter::Peekable, str::Chars};

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
pub fn is_surely_sound(line: &str) -> bool {
    // It would be taken for an option.
    if line.starts_with(['-', '+']) {
        return false;
    }
    let mut reader = CommandReader { rest: line.chars().peekable(), ..CommandReader::default() };
    reader.read().is_some()
}

/// Reads simple commands with `&&`, `||`, `|`, `&`, `;` and line breaks between. Nothing stands for doubt.
struct CommandReader<'a> {
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

impl Default for CommandReader<'_> {
    fn default() -> Self {
        let rest = "".chars().peekable();
        Self { rest, word: None, has_words: false, is_open: false, is_redirected: false }
    }
}

impl CommandReader<'_> {
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
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

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
