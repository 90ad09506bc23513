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
/// Options of the latter after which stands the folder that all of it goes to.
const TARGET: [&str; 2] = ["-t", "--target-directory"];
/// Words before a command, or before one of its own.
const BEFORE: [&str; 15] = [
    "{", "!", "if", "then", "elif", "else", "while", "until", "do", "time", "exec", "command",
    "builtin", "nice", "env",
];
/// Commands within `$(…)` are read so deep; what is deeper only the shell knows.
const MOST_NESTED: usize = 16;
/// The value of a variable is known up to so many characters.
const LONGEST_VALUE: usize = 4096;

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

    /// Whether it gives a value to a variable or an option: `NAME=value`.
    pub fn is_setting(&self) -> bool {
        self.sets().is_some()
    }

    /// Parts of it that may be paths: all of it, and what stands after a sign that sets a path apart, as
    /// in `--file=../x`, `-v ../a:/b`, `-Wl,-T,../x.ld` and `-I../include`.
    pub fn candidates(&self) -> Vec<&[WordPart]> {
        let is_apart = |piece: &WordPart| matches!(piece, WordPart::Sure('=' | ':' | ',' | '@'));
        let mut all: Vec<&[WordPart]> = vec![&self.pieces];
        all.extend(self.pieces.split(is_apart).skip_while(|part| part.len() == self.pieces.len()));
        // A program within a word: `python3 -c 'open("../x")'`.
        let is_between = |piece: &WordPart| match piece {
            WordPart::Sure(c) => c.is_whitespace() || "\"'`()<>;|&=".contains(*c),
            WordPart::Unknown => false,
        };
        let parts = self.pieces.split(is_between);
        let is_path = |part: &[WordPart]| begins(part, "../") || begins(part, super::ROOT);
        all.extend(parts.filter(|part| is_path(part) && part.len() < self.pieces.len()));
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
    commands_within(text, env, 0)
}

fn commands_within(
    text: &str,
    env: &BTreeMap<String, String>,
    depth: usize,
) -> Vec<Vec<ShellWord>> {
    let mut reader = WordReader {
        rest: text,
        env: env.clone(),
        all: Vec::new(),
        command: Vec::new(),
        word: None,
        is_target: false,
        only_sets: true,
        depth,
    };
    reader.read();
    for command in &mut reader.all {
        mark_made(command);
    }
    reader.all
}

/// A command without the words that stand before it: `{`, `if`, `NAME=value`.
pub fn bare(command: &[ShellWord]) -> &[ShellWord] {
    let is_before =
        |word: &ShellWord| word.is_setting() || BEFORE.iter().any(|before| word.is(before));
    let at = command.iter().position(|word| !is_before(word)).unwrap_or(command.len());
    &command[at..]
}

/// What the command `text` prints, where it prints a folder that can be told without running it.
fn printed(commands: &[Vec<ShellWord>]) -> Option<String> {
    let words = |command: &Vec<ShellWord>| -> Option<Vec<String>> {
        command.iter().filter(|word| !word.is("--")).map(ShellWord::text).collect()
    };
    let commands: Vec<Vec<String>> = commands.iter().map(words).collect::<Option<_>>()?;
    let commands: Vec<Vec<&str>> =
        commands.iter().map(|one| one.iter().map(String::as_str).collect()).collect();
    let commands: Vec<&[&str]> = commands.iter().map(Vec::as_slice).collect();
    match commands.as_slice() {
        [["pwd", ..]] => Some(".".into()),
        [["cd" | "pushd", to, ..], ["pwd", ..]] => Some((*to).into()),
        [["realpath", path] | ["readlink", "-f" | "-e" | "-m", path]] => Some((*path).into()),
        [["dirname", path]] => Some(match path.trim_end_matches('/').rsplit_once('/') {
            _ if path.trim_end_matches(['/', '.']).is_empty() => format!("{path}/.."),
            Some((folder, _)) => folder.into(),
            None => ".".into(),
        }),
        [["git", "rev-parse", "--show-toplevel"]] => Some(super::ROOT.into()),
        _ => None,
    }
}

/// Marks what a command only makes.
fn mark_made(command: &mut [ShellWord]) {
    let name = command.first().and_then(ShellWord::text).unwrap_or_default();
    let name = name.rsplit('/').next().unwrap_or_default();
    if MAKING.contains(&name) {
        command.iter_mut().skip(1).for_each(|word| word.is_written = true);
    }
    let target = |word: &ShellWord| TARGET.iter().any(|option| word.is(option));
    if let Some(at) = command.iter().position(target).filter(|_| MAKING_LAST.contains(&name)) {
        command.iter_mut().skip(at + 1).take(1).for_each(|word| word.is_written = true);
    } else if MAKING_LAST.contains(&name)
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
    /// Whether all words of the command up to now set variables.
    only_sets: bool,
    /// Within how many commands it is.
    depth: usize,
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
        let sets = word.sets().filter(|_| self.only_sets);
        self.only_sets &= sets.is_some() || word.is("export");
        let Some((name, value)) = sets else { return };
        match value.filter(|value| value.len() <= LONGEST_VALUE) {
            Some(value) => drop(self.env.insert(name, value)),
            None => drop(self.env.remove(&name)),
        }
    }

    fn end_command(&mut self) {
        self.end_word();
        (self.is_target, self.only_sets) = (false, true);
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
            return self.substitution(inner, &format!("$({inner})"));
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
            None if name == "PWD%/*" => "..".chars().for_each(|c| self.sure(c)),
            None => self.unknown(&written),
        }
    }

    fn backquotes(&mut self) {
        let end = self.rest.find('`').unwrap_or(self.rest.len());
        let inner = &self.rest[..end];
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
        self.substitution(inner, &format!("`{inner}`"));
    }

    /// What the commands `inner` print, which are written as `written`.
    fn substitution(&mut self, inner: &str, written: &str) {
        if self.depth == MOST_NESTED {
            return self.unknown(written);
        }
        let mut commands = commands_within(inner, &self.env, self.depth + 1);
        match printed(&commands) {
            Some(folder) => folder.chars().for_each(|c| self.sure(c)),
            None => {
                self.all.append(&mut commands);
                self.unknown(written);
            }
        }
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
