//! The words of shell commands, as far as they can be read without running anything: quotes removed,
//! variables that are known put in, and a sign for whatever only the shell knows.

use std::collections::BTreeMap;

/// A part of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordPart {
    /// This character.
    Sure(char),
    /// What only the shell knows: a variable, what a command prints.
    Unknown,
}

/// A word.
#[derive(Clone, Debug, Default)]
pub struct ShellWord {
    pieces: Vec<WordPart>,
    /// How it is written.
    written: String,
    /// Whether it is only written to: what `>` leads to, what `mkdir` makes.
    pub is_written: bool,
}

/// Commands that make or remove what they name.
const MAKING: [&str; 5] = ["mkdir", "rm", "rmdir", "touch", "chmod"];
/// Commands that make the last of what they name.
const MAKING_LAST: [&str; 4] = ["cp", "mv", "install", "ln"];
/// Options after which stands what is made.
const OUTPUT: [&str; 2] = ["-o", "--output"];

impl ShellWord {
    /// Whether it is `text` for sure.
    pub fn is(&self, text: &str) -> bool {
        self.text().is_some_and(|own| own == text)
    }

    /// The word, if all of it is sure.
    pub fn text(&self) -> Option<String> {
        let sure = |piece: &WordPart| match piece {
            WordPart::Sure(c) => Some(*c),
            WordPart::Unknown => None,
        };
        self.pieces.iter().map(sure).collect()
    }

    /// The variable that it sets, if it is `NAME=value`, and the value if that is known.
    fn sets(&self) -> Option<(String, Option<String>)> {
        let at = self.pieces.iter().position(|piece| *piece == WordPart::Sure('='))?;
        let text = |pieces: &[WordPart]| Self { pieces: pieces.to_vec(), ..Self::default() }.text();
        let name = text(&self.pieces[..at])?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let is_fine = !name.is_empty() && name.chars().all(is_name);
        is_fine.then(|| (name, text(&self.pieces[at + 1..])))
    }

    /// How it is written, for messages.
    pub fn shown(&self) -> String {
        self.written.clone()
    }

    /// Parts of it that may be paths: all of it, and what stands after a sign that sets a path apart, as
    /// in `--file=../x`, `-v ../a:/b`, `-Wl,-T,../x.ld` and `-I../include`.
    pub fn candidates(&self) -> Vec<&[WordPart]> {
        let is_apart = |piece: &WordPart| matches!(piece, WordPart::Sure('=' | ':' | ',' | '@'));
        let mut all: Vec<&[WordPart]> = vec![&self.pieces];
        all.extend(self.pieces.split(is_apart).skip_while(|part| part.len() == self.pieces.len()));
        if self.pieces.first() == Some(&WordPart::Sure('-')) {
            let is_path = |rest: &&[WordPart]| begins(rest, "../") || begins(rest, "/");
            let after_letter = (1..self.pieces.len()).map(|at| &self.pieces[at..]).find(is_path);
            all.extend(after_letter);
        }
        all
    }
}

fn begins(pieces: &[WordPart], text: &str) -> bool {
    let mut pieces = pieces.iter();
    text.chars().all(|c| pieces.next() == Some(&WordPart::Sure(c)))
}

/// The simple commands in `text`, with those that stand within `$(…)` and backquotes, each as its
/// words. `env` holds variables that are known.
pub fn commands(text: &str, env: &BTreeMap<String, String>) -> Vec<Vec<ShellWord>> {
    let mut reader = WordReader {
        rest: text,
        env: env.clone(),
        all: Vec::new(),
        command: Vec::new(),
        word: None,
        is_target: false,
    };
    reader.read();
    for command in &mut reader.all {
        mark_made(command);
    }
    reader.all
}

/// Marks what a command only makes.
fn mark_made(command: &mut [ShellWord]) {
    let name = command.first().and_then(ShellWord::text).unwrap_or_default();
    let name = name.rsplit('/').next().unwrap_or_default();
    if MAKING.contains(&name) {
        command.iter_mut().skip(1).for_each(|word| word.is_written = true);
    }
    if MAKING_LAST.contains(&name)
        && let Some(last) = command.iter_mut().skip(2).next_back()
    {
        last.is_written = true;
    }
    for at in 1..command.len() {
        if OUTPUT.iter().any(|option| command[at - 1].is(option)) {
            command[at].is_written = true;
        }
    }
}

struct WordReader<'a> {
    rest: &'a str,
    /// Variables that are known: those that are given, and those that commands before set.
    env: BTreeMap<String, String>,
    all: Vec<Vec<ShellWord>>,
    command: Vec<ShellWord>,
    word: Option<ShellWord>,
    /// Whether the next word is what `>` leads to.
    is_target: bool,
}

impl WordReader<'_> {
    fn read(&mut self) {
        while let Some(c) = self.next() {
            match c {
                '\'' => self.single(),
                '"' => self.double(),
                '\\' => match self.next() {
                    Some('\n') | None => {}
                    Some(c) => self.sure(c),
                },
                '$' => self.dollar(),
                '`' => self.backquotes(),
                '#' if self.word.is_none() => {
                    let end = self.rest.find('\n').unwrap_or(self.rest.len());
                    self.rest = &self.rest[end..];
                }
                ' ' | '\t' | '<' => self.end_word(),
                ';' | '|' | '&' | '(' | ')' | '\n' => self.end_command(),
                '>' => {
                    // `2>` says which, not what.
                    self.word.take_if(|word| word.written.bytes().all(|b| b.is_ascii_digit()));
                    self.end_word();
                    self.is_target = true;
                }
                c => self.sure(c),
            }
        }
        self.end_command();
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn word(&mut self) -> &mut ShellWord {
        self.word.get_or_insert_default()
    }

    fn sure(&mut self, c: char) {
        let word = self.word();
        word.written.push(c);
        word.pieces.push(WordPart::Sure(c));
    }

    fn end_word(&mut self) {
        if let Some(mut word) = self.word.take() {
            word.is_written = std::mem::take(&mut self.is_target);
            self.learn(&word);
            self.command.push(word);
        }
    }

    /// Takes note of a variable that `word` sets: `NAME=value` before anything else.
    fn learn(&mut self, word: &ShellWord) {
        let is_first = self.command.iter().all(|word| word.is("export") || word.sets().is_some());
        if let Some((name, value)) = word.sets().filter(|_| is_first) {
            match value {
                Some(value) => drop(self.env.insert(name, value)),
                None => drop(self.env.remove(&name)),
            }
        }
    }

    fn end_command(&mut self) {
        self.end_word();
        self.is_target = false;
        if !self.command.is_empty() {
            self.all.push(std::mem::take(&mut self.command));
        }
    }

    fn single(&mut self) {
        self.word();
        while let Some(c) = self.next().filter(|c| *c != '\'') {
            self.sure(c);
        }
    }

    fn double(&mut self) {
        self.word();
        while let Some(c) = self.next().filter(|c| *c != '"') {
            match c {
                '\\' => match self.next() {
                    Some(c @ ('"' | '\\' | '$' | '`')) => self.sure(c),
                    Some('\n') | None => {}
                    Some(c) => {
                        self.sure('\\');
                        self.sure(c);
                    }
                },
                '$' => self.dollar(),
                '`' => self.backquotes(),
                c => self.sure(c),
            }
        }
    }

    /// What comes after `$`.
    fn dollar(&mut self) {
        let rest = self.rest;
        if rest.starts_with('(') {
            let end = closing(rest).unwrap_or(rest.len());
            let inner = &rest[1..end];
            self.rest = rest.get(end + 1..).unwrap_or_default();
            self.all.extend(commands(inner, &self.env));
            return self.unknown(&format!("$({inner})"));
        }
        let (name, after, written) = match rest.strip_prefix('{') {
            Some(inner) => {
                let end = inner.find('}').unwrap_or(inner.len());
                let after = inner.get(end + 1..).unwrap_or_default();
                (&inner[..end], after, format!("${{{}}}", &inner[..end]))
            }
            None => {
                let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
                let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
                // `$@`, `$1` and the like are one sign long.
                let end =
                    if end == 0 { rest.chars().next().map_or(0, char::len_utf8) } else { end };
                (&rest[..end], &rest[end..], format!("${}", &rest[..end]))
            }
        };
        self.rest = after;
        match self.env.get(name) {
            Some(value) => value.clone().chars().for_each(|c| self.sure(c)),
            // Where the command is: in its folder.
            None if name == "PWD" => self.sure('.'),
            None => self.unknown(&written),
        }
    }

    fn backquotes(&mut self) {
        let end = self.rest.find('`').unwrap_or(self.rest.len());
        let inner = &self.rest[..end];
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
        self.all.extend(commands(inner, &self.env));
        self.unknown(&format!("`{inner}`"));
    }

    fn unknown(&mut self, written: &str) {
        let word = self.word();
        word.written.push_str(written);
        word.pieces.push(WordPart::Unknown);
    }
}

/// Where the parenthesis that `text` begins with is closed.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}
