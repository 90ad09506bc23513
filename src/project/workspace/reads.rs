//! What a build's commands use of the workspace outside of their source, as far as it can be seen in
//! them: such files are inputs of the build, as if `also` named them.
//!
//! Seen are the words of commands once templates are rendered: `../scripts/build.sh`,
//! `{{ root }}/VERSION`, `-I../include`, an absolute path below the workspace; also by variables that
//! `env:` sets and after `cd` to a folder that is written out. A word that leaves the source and then
//! goes on in a way that only the shell knows (`../$DIR/x`) is an error unless `also` says what is
//! meant. So is a folder around the source that is given to a program (`find ..`), and a command that
//! runs there and names nothing (`cd .. && make`): what they use cannot be told. Not seen is what a
//! program reads by itself, such as a script that reaches out.

mod words;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Component, Path, PathBuf},
};

use super::{Build, Places, Source, Text};
use crate::model::normal_path;
use words::{ShellWord, WordPart};

/// Where the workspace and the places of a build are while commands are looked at. No path can hold
/// such a sign.
const ROOT: &str = "/\u{2}root";
const ELSEWHERE: &str = "/\u{2}elsewhere";

/// No more folders than these are followed by `cd`.
const MOST_FOLDERS: usize = 16;

/// No more lists of alternatives (`{a,b}`) than these are written out in one word.
const MOST_BRACES: usize = 3;

/// No folder deeper than this is followed.
const DEEPEST: usize = 64;

/// No more paths than these are looked at: each word that may be one, in each folder that it may stand in.
const MOST_PATHS: usize = 50_000;

/// Commands that read nothing but words.
const TELLING: [&str; 9] = ["echo", "printf", "true", "false", ":", "test", "[", "mkdir", "pwd"];
/// Commands and words that only change what follows.
const SETTING: [&str; 10] =
    ["export", "set", "unset", "shift", "popd", "fi", "done", "esac", "}", "trap"];
/// Options after which stands the folder that a command works in.
const FOLDER: [&str; 3] = ["-C", "--directory", "--chdir"];

/// What was seen.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Files, folders and patterns that are used, relative to the workspace, as `also` names them.
    pub used: BTreeSet<String>,
    /// Words that lead out of the source to what cannot be told: which command, and the word.
    pub unseen: Vec<(usize, String)>,
}

/// Looks at the commands of `build`, which builds `source` in the workspace at `root`.
pub fn reads(build: &Build, source: &Source, root: &Path) -> Reads {
    let (own, src) = match source {
        Source::Path { dir, .. } => (Some(normal_path(dir)), Path::new(ROOT).join(dir)),
        _ => (None, PathBuf::from(ELSEWHERE)),
    };
    let elsewhere = || PathBuf::from(ELSEWHERE);
    let places = Places {
        root: ROOT.into(),
        src: src.clone(),
        out: elsewhere(),
        work: elsewhere(),
        bin: elsewhere(),
        commit: String::new(),
    };
    let real_root = root.display().to_string();
    let written = |text: &Text| within(&text.expand(&places), &real_root);
    let env: BTreeMap<String, String> =
        build.env.iter().map(|(name, value)| (name.clone(), written(value))).collect();
    let start = build.dir.as_ref().map_or_else(|| src.clone(), |dir| src.join(written(dir)));
    let mut look =
        ReadsFinder { root, own, env: &env, found: Reads::default(), paths: 0, named: 0 };
    // Commands that run elsewhere use what is there, whatever they are.
    if let Some(dir) = build.dir.as_ref() {
        look.path(&format!("{}/", written(dir).trim_end_matches('/')), &src);
    }
    for (at, step) in build.steps.iter().enumerate() {
        look.command(at, &written(step), &start);
        if look.is_over() {
            look.found.unseen.push((at, "a command of so many words".into()));
            break;
        }
    }
    // A variable may be meant for the program itself. Which command that is nobody knows.
    let unseen = look.found.unseen.len();
    for value in env.values() {
        look.command(0, value, &start);
    }
    look.found.unseen.truncate(unseen);
    look.found
}

/// `text`, in which paths of the workspace are such that begin with [`ROOT`].
fn within(text: &str, root: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(root) {
        let after = &rest[at + root.len()..];
        let is_whole = after.chars().next().is_none_or(|c| c == '/' || !is_of_name(c));
        result.push_str(&rest[..at]);
        result.push_str(if is_whole { ROOT } else { root });
        rest = after;
    }
    result + rest
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}

struct ReadsFinder<'a> {
    root: &'a Path,
    /// The source's folder, relative to the workspace; none if it is not in it.
    own: Option<PathBuf>,
    env: &'a BTreeMap<String, String>,
    found: Reads,
    /// How many paths were looked at.
    paths: usize,
    /// How often something outside of the source was named.
    named: usize,
}

impl ReadsFinder<'_> {
    /// Whether more is asked for than is looked at.
    fn is_over(&self) -> bool {
        self.paths > MOST_PATHS
    }

    /// Looks at a command that begins in the folder `start`.
    fn command(&mut self, at: usize, text: &str, start: &Path) {
        let mut folders = vec![start.to_owned()];
        for words in words::commands(text, self.env) {
            if self.is_over() {
                return;
            }
            let command = words::bare(&words);
            if command.first().is_some_and(|word| word.is("cd") || word.is("pushd")) {
                for word in &words {
                    self.word(at, word, &folders);
                }
                if let Some(to) = command.get(1).and_then(ShellWord::text) {
                    go(&mut folders, &to);
                }
                continue;
            }
            self.simple(at, &words, &folders);
            for inner in nested(&words) {
                for folder in &folders {
                    self.command(at, &inner, folder);
                }
            }
        }
    }

    /// Looks at one command that runs in one of `folders`, most likely in the last.
    fn simple(&mut self, at: usize, words: &[ShellWord], folders: &[PathBuf]) {
        let mut folders = folders.to_vec();
        let (named, unseen) = (self.named, self.found.unseen.len());
        let command = words::bare(words);
        let mut given = command;
        for two in words.windows(2).filter(|two| is_one_of(&two[0], &FOLDER)) {
            let Some(to) = two[1].text() else { continue };
            for folder in folders.clone() {
                self.path(&format!("{to}/"), &folder);
            }
            go(&mut folders, &to);
            // What runs there is looked at by the folder.
            given = &[];
        }
        for word in words.iter().filter(|word| !word.is_written) {
            self.word(at, word, &folders);
        }
        let Some(name) = command.first() else { return };
        if named < self.named || unseen < self.found.unseen.len() || is_one_of(name, &TELLING) {
            return;
        }
        let leads_around = |word: &ShellWord| {
            let text = word.text().filter(|text| text.contains("..") || text.contains(ROOT));
            let is_around =
                |text: &str| folders.iter().all(|from| self.is_around(&from.join(text)));
            !word.is_written && text.is_some_and(|text| is_around(&text))
        };
        let runs_around = folders.last().is_some_and(|folder| self.is_around(folder));
        if runs_around && !is_one_of(name, &SETTING) || given.iter().skip(1).any(leads_around) {
            let shown: Vec<_> = command.iter().map(ShellWord::shown).collect();
            self.found.unseen.push((at, shown.join(" ")));
        }
    }

    fn word(&mut self, at: usize, word: &ShellWord, folders: &[PathBuf]) {
        for candidate in word.candidates() {
            let (sure, is_unknown) = split_at_unknown(candidate);
            if !is_unknown {
                for folder in folders {
                    self.path(&sure, folder);
                }
                continue;
            }
            let fixed = folder_of(&sure);
            let outside: Vec<PathBuf> =
                folders.iter().filter_map(|folder| self.outside(fixed, folder)).collect();
            // After `cd`, one of the folders is the right one.
            if fixed.is_empty() || outside.len() < folders.len() {
                continue;
            }
            match outside.iter().any(|path| self.holds_source(path)) {
                true => self.found.unseen.push((at, word.shown())),
                false => {
                    for folder in folders {
                        self.path(fixed, folder);
                    }
                }
            }
        }
    }

    /// A path that is written out, perhaps with the signs of a pattern.
    fn path(&mut self, written: &str, folder: &Path) {
        self.paths += 1;
        if self.is_over() {
            return;
        }
        // Only a path has alternatives: braces are also those of JSON and of programs.
        let leads_out = written.starts_with("../") || written.starts_with(ROOT);
        let may_be_path = leads_out || !self.is_own(folder) && !written.contains('"');
        if let Some(alternatives) = alternatives(written).filter(|_| may_be_path) {
            // Lists multiply.
            if written.matches('{').count() > MOST_BRACES {
                self.paths += if leads_out { MOST_PATHS } else { 0 };
                return;
            }
            for one in &alternatives {
                self.path(one, folder);
            }
        }
        let is_there = |path: &PathBuf| fs::symlink_metadata(self.root.join(path)).is_ok();
        let is_literal = |_: &_| self.outside(written, folder).as_ref().is_some_and(is_there);
        let magic = written.find(['*', '?', '[']).filter(|magic| !is_literal(magic));
        let fixed = magic.map_or(written, |magic| folder_of(&written[..magic]));
        let Some(path) = self.outside(fixed, folder) else { return };
        let rest = written[fixed.len()..].trim_start_matches('/');
        let Ok(found) = fs::symlink_metadata(self.root.join(&path)) else { return };
        // In the source, a word that is no path may be called as a folder elsewhere is.
        let is_path = written.contains('/') || found.is_file() || !self.is_own(folder);
        if self.holds_source(&path) && rest.is_empty() || !is_path {
            return;
        }
        self.named += 1;
        let path = escaped(&path);
        self.found.used.insert(match (path.as_str(), rest) {
            (_, "") => path,
            ("", _) => rest.into(),
            _ => format!("{path}/{rest}"),
        });
    }

    /// The path relative to the workspace that `written` means in `folder`, if it is in the workspace and
    /// not in the source.
    fn outside(&self, written: &str, folder: &Path) -> Option<PathBuf> {
        let path = normal_path(&folder.join(written));
        let path = path.strip_prefix(ROOT).ok()?.to_owned();
        let is_made =
            |part: Component| matches!(part.as_os_str().to_str(), Some(".forge" | ".git"));
        let is_own = self.own.as_ref().is_some_and(|own| path.starts_with(own));
        (!is_own && !path.components().any(is_made)).then_some(path)
    }

    /// Whether `folder`, which may begin with [`ROOT`], is the source or in it.
    fn is_own(&self, folder: &Path) -> bool {
        let path = folder.strip_prefix(ROOT);
        path.is_ok_and(|path| self.own.as_ref().is_some_and(|own| path.starts_with(own)))
    }

    /// Whether `folder`, which may begin with [`ROOT`], holds the source and is not it.
    fn is_around(&self, folder: &Path) -> bool {
        let path = normal_path(folder);
        !self.is_own(&path) && path.strip_prefix(ROOT).is_ok_and(|path| self.holds_source(path))
    }

    /// Whether `path` is the workspace, or holds the source.
    fn holds_source(&self, path: &Path) -> bool {
        path.as_os_str().is_empty() || self.own.as_ref().is_some_and(|own| own.starts_with(path))
    }
}

/// Goes from one of `folders` to `to`: each of them may be the right one, the last most likely.
fn go(folders: &mut Vec<PathBuf>, to: &str) {
    let is_near = |path: &PathBuf| path.components().count() <= DEEPEST;
    let more = folders.iter().map(|from| normal_path(&from.join(to))).filter(is_near);
    let more: Vec<PathBuf> = more.collect();
    folders.retain(|folder| !more.contains(folder));
    folders.extend(more);
    let spare = folders.len().saturating_sub(MOST_FOLDERS);
    folders.drain(..spare);
}

fn is_one_of(word: &ShellWord, names: &[&str]) -> bool {
    names.iter().any(|name| word.is(name))
}

/// What `a{b,c}d` means to a shell that knows braces.
fn alternatives(written: &str) -> Option<Vec<String>> {
    let (before, rest) = written.split_once('{')?;
    let (inner, after) = rest.split_once('}')?;
    let all: Vec<_> = inner.split(',').take(MOST_FOLDERS).collect();
    let is_list = all.len() > 1 && !inner.contains('{');
    is_list.then(|| all.iter().map(|one| format!("{before}{one}{after}")).collect())
}

/// The commands that a command is given as a word: `sh -c '…'`, `eval '…'`.
fn nested(words: &[ShellWord]) -> Vec<String> {
    let is_given = |pair: &&[ShellWord]| {
        let before = pair[0].text().unwrap_or_default();
        before == "eval" || before.starts_with('-') && before.ends_with('c')
    };
    let inner = words.windows(2).filter(is_given).map(|pair| pair[1].shown());
    inner.filter(|text| text.contains(char::is_whitespace)).collect()
}

/// What is sure of a word from its beginning on, and whether it goes on in an unknown way.
fn split_at_unknown(pieces: &[WordPart]) -> (String, bool) {
    let mut sure = String::new();
    for piece in pieces {
        match piece {
            WordPart::Sure(c) => sure.push(*c),
            WordPart::Unknown => return (sure, true),
        }
    }
    (sure, false)
}

/// The part of a path up to its last slash, without that.
fn folder_of(written: &str) -> &str {
    written.rfind('/').map_or("", |slash| &written[..slash.max(1)])
}

/// `path` as a pattern that means it alone.
fn escaped(path: &Path) -> String {
    let mut pattern = String::new();
    for c in path.to_string_lossy().chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '{' | '}' | '\\' | '!' | '#') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

#[cfg(test)]
mod tests;
