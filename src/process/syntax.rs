//! What a shell would find wrong with a command, before any of it runs.
//!
//! Asking a shell takes a process, and there are thousands of commands. Most are plain words with a
//! few signs between, of which it is certain that every shell can read them: they are looked at
//! here, and the doubtful ones are left to the shell.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    iter::Peekable,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    str::Chars,
    sync::{Arc, Mutex, PoisonError},
};

use super::Shell;
use super::children::Unmarked;
use crate::model::Environment;

/// Why a shell cannot read a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// The line of the command that the shell names, from 1, if it names one.
    pub line: Option<usize>,
    /// What it says.
    pub why: String,
}

/// Checks the syntax of commands by asking shells, each command once; clones share their answers.
#[derive(Clone, Debug, Default)]
pub struct SyntaxCheck {
    /// Where shells are looked for.
    path: OsString,
    /// What was answered, by shell and command; nothing if no shell may be asked.
    answers: Option<Arc<Mutex<Answers>>>,
}

type Answers = BTreeMap<(PathBuf, String), Option<SyntaxError>>;

impl SyntaxCheck {
    /// Finds nothing wrong with any command, and starts no process.
    pub fn off() -> Self {
        Self::default()
    }

    /// Starts a shell, found by the PATH of `environment`, for each command that is not plain.
    pub fn on(environment: &Environment) -> Self {
        let path = environment.raw("PATH").unwrap_or_default().to_owned();
        Self { path, answers: Some(Arc::default()) }
    }

    /// What `shell` finds wrong with `line` before it runs any of it. Only a shell of the system that
    /// speaks a known language is asked.
    pub fn error(&self, shell: &Shell, line: &str) -> Option<SyntaxError> {
        let answers = self.answers.as_ref()?;
        let dialect = shell.dialect()?;
        if is_surely_sound(line) {
            return None;
        }
        let program = shell_of_the_system(&self.path, dialect)?;
        let key = (program, line.to_owned());
        let known = |answers: &Mutex<Answers>| {
            answers.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
        };
        if let Some(answer) = known(answers) {
            return answer;
        }
        let answer = ask(&key.0, line);
        answers.lock().unwrap_or_else(PoisonError::into_inner).insert(key, answer.clone());
        answer
    }
}

/// Where only the administrator of a machine puts programs.
const SYSTEM: &[&str] = &["/bin", "/usr/bin"];

/// The file of the shell `name`, a path or what `path` has first, if it is one of the system. Any other
/// file may be somebody's program with the name of a shell, which must not run before the user runs
/// something.
fn shell_of_the_system(path: &OsStr, name: &str) -> Option<PathBuf> {
    let path = if name.contains('/') {
        PathBuf::from(name)
    } else {
        std::env::split_paths(path).map(|dir| dir.join(name)).find(|path| path.is_file())?
    };
    let folder = path.parent()?;
    SYSTEM.iter().any(|system| folder == Path::new(system)).then_some(path)
}

/// What `shell` says of `line`, without running it. The environment is left out: variables such as
/// `SHELLOPTS` change how a shell reads.
fn ask(shell: &Path, line: &str) -> Option<SyntaxError> {
    let _unmarked = Unmarked::begin();
    let mut command = Command::new(shell);
    let asked = command.args(["-n", "-c", line]).env_clear().stdin(Stdio::null()).output().ok()?;
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
    use crate::process::testing::environment;

    #[test]
    fn errors_are_told_with_their_lines() {
        let told = |line| SyntaxCheck::on(&environment()).error(&Shell::Sh, line);
        assert_eq!(told("echo a && echo b > c 2>&1"), None);
        assert_eq!(told("for a in b; do echo $a; done"), None);
        let error = told("echo\nif true; then\n  echo\n}\n").unwrap();
        assert!(error.line.is_some_and(|line| line > 3) && !error.why.is_empty(), "{error:?}");
        assert_eq!(told("echo \"a").unwrap().line, Some(1));
        let python = Shell::Words(vec!["python3".into(), "-c".into()]);
        assert_eq!(SyntaxCheck::on(&environment()).error(&python, "if"), None);
        assert_eq!(SyntaxCheck::off().error(&Shell::Sh, "if"), None);
    }

    #[test]
    fn each_command_is_asked_for_once() {
        let check = SyntaxCheck::on(&environment());
        for _ in 0..2 {
            assert!(check.clone().error(&Shell::Sh, "echo $(").is_some());
            assert_eq!(check.error(&Shell::Sh, "echo $(a)"), None);
            assert_eq!(check.error(&Shell::Sh, "plain"), None);
        }
        let answers = check.answers.unwrap();
        assert_eq!(answers.lock().unwrap().len(), 2);
    }

    #[test]
    fn only_shells_of_the_system_are_asked() {
        let folder = tempfile::tempdir().unwrap();
        let planted = folder.path().join("sh");
        std::fs::write(&planted, "#!/bin/sh\necho planted: syntax error >&2; exit 2\n").unwrap();
        rustix::fs::chmod(&planted, rustix::fs::Mode::from_raw_mode(0o755)).unwrap();
        let planted = planted.to_str().unwrap();
        let path = OsStr::new("/bin");
        for shell in [planted, "./sh", "../bin/sh", "bin/sh"] {
            assert_eq!(shell_of_the_system(path, shell), None, "{shell}");
            let shell = Shell::Words(vec![shell.to_owned(), "-c".into()]);
            assert_eq!(SyntaxCheck::on(&environment()).error(&shell, "echo $("), None);
        }
        assert_eq!(shell_of_the_system(path, "/bin/sh"), Some("/bin/sh".into()));
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
