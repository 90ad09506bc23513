//! A first workspace out of what a folder has already: the pins of mise, asdf and aqua, the builds of
//! GoReleaser, Go programs, a Cargo package. Reads files and asks nobody: what is not known is left, with
//! the command that adds it.
//!
//! - `tools` says what becomes of a tool of others; `lists` reads the files that pin some.
//! - `goreleaser` and `programs` find what is built here.

mod goreleaser;
mod lists;
mod programs;
mod tools;

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use crate::{
    disk::{MOST_OF_TEXT, read_text},
    model::{Name, Platform},
};

/// The files that are read, in the order in which they count.
const MISE: &[&str] = &["mise.toml", ".mise.toml", ".config/mise.toml", "mise/config.toml"];
const ASDF: &[&str] = &[".tool-versions"];
const AQUA: &[&str] = &["aqua.yaml", "aqua.yml", ".aqua.yaml", ".aqua.yml"];
const GORELEASER: &[&str] =
    &[".goreleaser.yml", ".goreleaser.yaml", "goreleaser.yml", "goreleaser.yaml"];
const SUPERVISED: &[&str] = &["process-compose.yml", "process-compose.yaml"];
const TASKFILES: &[&str] =
    &["Taskfile.yml", "Taskfile.yaml", "taskfile.yml", "taskfile.yaml", "Taskfile.dist.yml"];

/// What a folder has already, as a workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportedWorkspace {
    /// What was found, in the order of its files.
    pub lines: Vec<ImportedLine>,
    /// The platforms that releases are made for; none if nothing says so.
    pub platforms: Vec<Platform>,
    /// The Taskfile in it, which is for `forge migrate`.
    pub taskfile: Option<String>,
}

/// Something that was found, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedLine {
    /// The file it is in.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// How it is written there.
    pub written: String,
    /// What becomes of it.
    pub outcome: ImportOutcome,
}

/// What becomes of something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportOutcome {
    /// A subsystem.
    Pinned {
        /// What it is called.
        name: Name,
        /// Its version.
        version: String,
        /// The text of its spec.
        spec: String,
        /// What of it is left, if anything.
        but: Vec<String>,
    },
    /// It is left.
    Left {
        /// Why.
        why: String,
        /// The command that adds it, if one does.
        command: Option<String>,
    },
}

impl ImportOutcome {
    fn left(why: impl Into<String>) -> Self {
        Self::Left { why: why.into(), command: None }
    }
}

/// What the folder `root` has.
pub fn import(root: &Path) -> ImportedWorkspace {
    let mut found = ImportedWorkspace::default();
    for (names, read) in [
        (MISE, lists::mise as fn(&str) -> Vec<(usize, String, ImportOutcome)>),
        (ASDF, lists::asdf),
        (AQUA, lists::aqua),
    ] {
        for file in names {
            let Some(text) = text_of(root, file) else { continue };
            found.add(file, read(&text));
        }
    }
    let builds = first(root, GORELEASER);
    if let Some((file, text)) = &builds {
        let (lines, platforms) = goreleaser::builds(text, &folder_name(root));
        found.platforms = platforms;
        found.add(file, lines);
    } else if let Some(text) = text_of(root, "go.mod") {
        found.add("go.mod", programs::go(root, &text));
    }
    if let Some(text) = text_of(root, "Cargo.toml") {
        found.add("Cargo.toml", programs::cargo(root, &text));
    }
    if let Some((file, _)) = first(root, SUPERVISED) {
        found.add(file, vec![(1, file.to_owned(), tools::supervisor())]);
    }
    found.taskfile = first(root, TASKFILES).map(|(file, _)| file.to_owned());
    found.leave_what_is_there_twice();
    found
}

impl ImportedWorkspace {
    fn add(&mut self, file: &str, lines: Vec<(usize, String, ImportOutcome)>) {
        let line =
            |(line, written, outcome)| ImportedLine { file: file.into(), line, written, outcome };
        self.lines.extend(lines.into_iter().map(line));
    }

    /// A name is one subsystem's: the first that has it.
    fn leave_what_is_there_twice(&mut self) {
        let mut there: BTreeMap<Name, (String, String)> = BTreeMap::new();
        for line in &mut self.lines {
            let ImportOutcome::Pinned { name, version, .. } = &line.outcome else { continue };
            let place = format!("{}:{}", line.file, line.line);
            match there.get(name) {
                Some((before, other)) => {
                    let why = match other == version {
                        true => format!("{before} says it already"),
                        false => format!("{before} says {other}"),
                    };
                    line.outcome = ImportOutcome::left(why);
                }
                None => {
                    there.insert(name.clone(), (place, version.clone()));
                }
            }
        }
    }

    /// The subsystems: name, version and spec.
    pub fn pinned(&self) -> impl Iterator<Item = (&Name, &str, &str)> {
        self.lines.iter().filter_map(|line| match &line.outcome {
            ImportOutcome::Pinned { name, version, spec, .. } => {
                Some((name, version.as_str(), spec.as_str()))
            }
            ImportOutcome::Left { .. } => None,
        })
    }

    /// The text of `versions.yml`.
    pub fn manifest(&self) -> String {
        let mut text = "# yaml-language-server: $schema=.forge/schema/versions.json\n\
                        # What this project runs, and in which version. `forge ensure:all` makes it so.\n\
                        versions:\n"
            .to_owned();
        for (name, version, _) in self.pinned() {
            let _ = writeln!(text, "  {name}: {}", super::text::quoted_version(version));
        }
        text.push_str(
            "\n# Where built binaries are published, so that nobody has to build them again.\n\
             # Without this line they go to a folder on this machine.\n\
             # releases: github:OWNER/REPO\n",
        );
        if !self.platforms.is_empty() {
            let platforms: Vec<_> = self.platforms.iter().map(ToString::to_string).collect();
            let _ = write!(
                text,
                "\n# The platforms a complete release has.\nplatforms: [{}]\n",
                platforms.join(", ")
            );
        }
        text
    }
}

fn text_of(root: &Path, file: &str) -> Option<String> {
    read_text(&root.join(file), MOST_OF_TEXT).ok()
}

fn first<'n>(root: &Path, names: &[&'n str]) -> Option<(&'n str, String)> {
    names.iter().find_map(|file| Some((*file, text_of(root, file)?)))
}

fn folder_name(root: &Path) -> String {
    root.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default()
}

/// The line of byte `at`, from 1.
fn line_at(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

/// The line `number` of `text`, as it is written.
fn written(text: &str, number: usize) -> String {
    text.lines().nth(number - 1).unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests;
