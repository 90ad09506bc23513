//! Commands of which only a shell can tell whether a shell can read them. They are collected while a
//! workspace is resolved, and asked about all at once: better told before anything runs than in the
//! middle of a build.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use crate::{
    manifest::{Findings, Scalar, Seams},
    model::Diagnostic,
    process::{Shell, ShellQuestion, SyntaxCheck, SyntaxError},
};

/// The doubtful commands of a workspace.
#[derive(Debug, Default)]
pub struct Doubts {
    check: SyntaxCheck,
    commands: Mutex<Vec<(ShellQuestion, Written)>>,
}

/// A command as it is written.
#[derive(Debug)]
struct Written {
    /// As if its file held nothing else.
    command: Scalar,
    source: String,
    /// Where it begins in the text that was put together of files.
    begin: usize,
    seams: Seams,
}

impl Doubts {
    /// None yet; `check` is who asks.
    pub fn new(check: SyntaxCheck) -> Self {
        Self { check, commands: Mutex::default() }
    }

    /// Notes what `command`, which is `text` once it is rendered, has to be asked about.
    pub fn add(&self, shell: &Shell, text: &str, command: &Scalar, found: &Findings) {
        let Some(question) = self.check.question(shell, text) else { return };
        let source = found.text().get(command.bytes.clone()).unwrap_or_default().to_owned();
        let written = Written {
            command: Scalar { bytes: 0..source.len(), ..command.clone() },
            source,
            begin: command.bytes.start,
            seams: found.file().seams(),
        };
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        commands.push((question, written));
    }

    /// Asks about all of them, and says what is wrong.
    pub fn settle(&self) -> Vec<Diagnostic> {
        let commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        let questions: BTreeSet<ShellQuestion> = commands.iter().map(|one| one.0.clone()).collect();
        let errors = self.check.errors(&questions);
        let wrong = commands.iter().filter_map(|one| Some(one.1.diagnostic(errors.get(&one.0)?)));
        wrong.collect()
    }
}

impl Written {
    fn diagnostic(&self, error: &SyntaxError) -> Diagnostic {
        // What is not closed is only noticed at the end.
        let is_late = ["end of file", "EOF"].iter().any(|end| error.why.contains(end));
        let text = self.command.text.as_str();
        let mut lines = text.split('\n').scan(0, |at, line| {
            let begin = *at;
            *at += line.len() + 1;
            Some(begin + line.len() - line.trim_start().len()..begin + line.trim_end().len())
        });
        let line = error.line.filter(|_| text.contains('\n') && !is_late);
        let line = line.and_then(|line| lines.nth(line.checked_sub(1)?));
        let bytes = match line.filter(|line| !line.is_empty()) {
            Some(line) => self.command.locate(&self.source, line),
            None => self.command.bytes.clone(),
        };
        let span = self.seams.span(self.begin + bytes.start..self.begin + bytes.end);
        let what = format!("the shell cannot read this command: {}", error.why);
        Diagnostic::new(span, what, "no shell syntax")
            .help("look for quotes, brackets and keywords that are not closed")
    }
}
