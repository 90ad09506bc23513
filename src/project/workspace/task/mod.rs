//! Tasks: what people wrote, read and checked, with what their templates know. What only a run
//! knows (parameters, what commands print) is put in by `render`.
//!
//! `read` makes tasks of trees, `entry` their commands, `names` finds which task or subsystem a
//! name means and where tasks need each other in a cycle.

mod data;
mod each;
mod entry;
mod home;
mod names;
mod read;
mod render;
mod vars;
mod words;

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

pub use data::Data;
pub use each::{Each, MatrixPart, Over};
pub use home::{Pool, TaskFileScope};
pub use names::{Meaning, Names, check, twins};
pub use read::{is_name, resolve};
pub use render::{Bindings, Renderer, TemplateValue, render_fixed};
#[cfg(test)]
pub use words::OWN as OWN_WORDS;
pub use words::is_free;

use super::{remote::RemoteUse, template::ScopeWords};
use crate::{
    manifest::{Quoting, Scalar},
    model::{Name, Span},
    process::Shell,
};

/// A named list of commands, of a subsystem or of the workspace.
#[derive(Clone, Debug)]
pub struct Task {
    /// What it is called: `hello`, or `nats:test` if it is a subsystem's. `*` stands for any text.
    pub name: String,
    /// The subsystem it belongs to.
    pub subsystem: Option<Name>,
    /// Where its name is written.
    pub place: Span,
    /// The line of its name, from 1.
    pub line: usize,
    /// `desc:`.
    pub desc: Option<String>,
    /// `help:`.
    pub help: Option<String>,
    /// `alias:`, as they are called: `nats:t` if it is a subsystem's.
    pub aliases: Vec<String>,
    /// `label:`.
    pub label: Option<TaskText>,
    /// `with:`.
    pub with: Vec<Parameter>,
    /// `needs:`.
    pub needs: Vec<TaskNeed>,
    /// `run:`.
    pub run: Vec<TaskCommand>,
    /// `finally:`.
    pub finally: Vec<TaskCommand>,
    /// `for:`.
    pub each: Option<Each>,
    /// `dir:`; the workspace if absent. Relative to the workspace.
    pub dir: Option<TaskText>,
    /// `make_dir:`.
    pub make_dir: bool,
    /// What is said for all tasks of its file.
    pub home: Arc<TaskFileScope>,
    /// `env:`.
    pub env: Vec<(String, TaskText)>,
    /// `pass_env:`, also that of its file.
    pub pass_env: BTreeSet<String>,
    /// `dotenv:`: files, and whether each may be missing.
    pub dotenv: Vec<(TaskText, bool)>,
    /// `vars:`, in the order written.
    pub vars: Vec<Var>,
    /// `if:`.
    pub condition: Option<TaskText>,
    /// `only:`.
    pub only: Vec<String>,
    /// `confirm:`.
    pub confirm: Option<TaskText>,
    /// `status:`.
    pub status: Vec<TaskText>,
    /// `assert:`, each with its message.
    pub assert: Vec<(TaskText, Option<TaskText>)>,
    /// `inputs:`.
    pub inputs: Vec<TaskText>,
    /// `outputs:`.
    pub outputs: Vec<TaskText>,
    /// `timeout:`.
    pub timeout: Option<Duration>,
    /// `retry:`.
    pub retry: TaskRetry,
    /// `shell:`, or that of its file.
    pub shell: Shell,
    /// `pool:`.
    pub pool: Option<Pool>,
    /// `interactive:`.
    pub interactive: bool,
    /// `gitignore:`.
    pub gitignore: bool,
    /// `remote:`.
    pub remote: Option<RemoteUse>,
    /// `private:`.
    pub private: bool,
    /// `quiet:`, or that of its file.
    pub quiet: bool,
    /// `once:`.
    pub once: bool,
    /// `once_as:`.
    pub once_as: Option<String>,
    /// `fail_fast:`.
    pub fail_fast: bool,
    /// `allow_failure:`.
    pub allow_failure: bool,
    words: Arc<ScopeWords>,
}

/// Text as people wrote it, rendered when it is known what its words mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskText(pub(super) Scalar);

impl TaskText {
    /// A text that stands in no file.
    pub fn unplaced(text: &str) -> Self {
        Self(Scalar { text: text.to_owned(), bytes: 0..0, style: Quoting::Plain })
    }

    /// The text as it is written.
    pub fn source(&self) -> &str {
        &self.0.text
    }
}

/// A parameter of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// `desc:`.
    pub desc: Option<String>,
    /// What it is if it is not given; absent if it must be given.
    pub default: Option<String>,
    /// All that it can be; anything if empty.
    pub choices: Vec<String>,
}

/// A task or subsystem, as another task names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRef {
    /// What it is called there, and where.
    pub name: Scalar,
    /// Its name, if that is a template, so that only a run knows which task it is.
    pub open: Option<TaskText>,
    /// What it is given.
    pub with: Vec<(String, TaskText)>,
}

impl TaskRef {
    /// The templates in it.
    pub fn templates(&self) -> impl Iterator<Item = &TaskText> {
        self.open.iter().chain(self.with.iter().map(|(_, value)| value))
    }
}

/// One entry of `needs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskNeed {
    /// What is needed.
    pub call: TaskRef,
    /// `for:`.
    pub each: Option<Each>,
}

/// `retry:`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskRetry {
    /// How often it is tried again.
    pub times: u16,
    /// How long to wait before each try.
    pub delay: Duration,
}

/// One entry of `run` or `finally`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskCommand {
    /// What it does.
    pub what: TaskAction,
    /// `if:`.
    pub condition: Option<TaskText>,
    /// `timeout:`.
    pub timeout: Option<Duration>,
    /// `allow_failure:`.
    pub allow_failure: bool,
    /// `quiet:`.
    pub quiet: bool,
    /// `only:`.
    pub only: Vec<String>,
    /// `for:`.
    pub each: Option<Each>,
    /// `interactive:`.
    pub interactive: bool,
    /// Whether it stands under `finally:`, so that it runs at the end, once it was reached.
    pub at_end: bool,
}

/// What an entry does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskAction {
    /// Runs a command.
    Run(TaskText),
    /// Runs another task.
    Call(TaskRef),
}

/// A template variable, of a task or of all tasks of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Var {
    /// Its name.
    pub name: String,
    /// What it is.
    pub variable: TaskVariable,
    /// Whether only a run finds out what it is.
    pub is_lazy: bool,
    /// The folder of the file that has it for all its tasks, relative to the workspace.
    pub dir: Option<PathBuf>,
}

/// What a template variable is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskVariable {
    /// A value.
    Value(Data),
    /// What an expression gives.
    Expr(TaskText),
    /// What a command prints.
    Sh(TaskText),
    /// A value that is shown nowhere.
    Secret(Secret),
}

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// It stands here.
    Text(TaskText),
    /// A command prints it.
    Sh(TaskText),
    /// In an environment variable of this name.
    Env(TaskText),
}

impl TaskVariable {
    /// The templates it is made of.
    pub fn templates(&self) -> Vec<&TaskText> {
        match self {
            Self::Value(data) => data.templates(),
            Self::Expr(one)
            | Self::Sh(one)
            | Self::Secret(Secret::Text(one) | Secret::Sh(one) | Secret::Env(one)) => vec![one],
        }
    }
}

impl Task {
    /// What it calls in `run` and `finally`.
    pub fn calls(&self) -> impl Iterator<Item = &TaskRef> {
        self.run.iter().chain(&self.finally).filter_map(|entry| match &entry.what {
            TaskAction::Call(call) => Some(call),
            TaskAction::Run(_) => None,
        })
    }

    /// All that it may come to run: what it needs and what it calls.
    pub fn reach(&self) -> impl Iterator<Item = &TaskRef> {
        self.needs.iter().map(|need| &need.call).chain(self.calls())
    }

    /// The expressions in it, but for those of its variables.
    pub fn expressions(&self) -> Vec<&TaskText> {
        let own = self.run.iter().chain(&self.finally).filter_map(|entry| entry.each.as_ref());
        let own = own.chain(&self.each).flat_map(Each::expressions);
        own.chain(self.expressions_of_needs()).collect()
    }

    /// The expressions in `needs`.
    pub fn expressions_of_needs(&self) -> Vec<&TaskText> {
        let needs = self.needs.iter().filter_map(|need| need.each.as_ref());
        needs.flat_map(Each::expressions).collect()
    }

    /// Everything that is rendered to tell what it needs.
    pub fn templates_of_needs(&self) -> Vec<&TaskText> {
        let mut all: Vec<&TaskText> = Vec::new();
        for need in &self.needs {
            match need.each.as_ref().map(|each| &each.over) {
                Some(Over::Inputs) => all.extend(&self.inputs),
                Some(Over::Outputs) => all.extend(&self.outputs),
                _ => all.extend(need.each.iter().flat_map(Each::templates)),
            }
            all.extend(need.call.templates());
        }
        all
    }

    /// Everything in it that is rendered when it runs, but for its variables and expressions.
    pub fn templates(&self) -> Vec<&TaskText> {
        let mut all = self.templates_of_needs();
        for entry in self.run.iter().chain(&self.finally) {
            all.extend(&entry.condition);
            all.extend(entry.each.iter().flat_map(Each::templates));
            match &entry.what {
                TaskAction::Run(line) => all.push(line),
                TaskAction::Call(call) => all.extend(call.templates()),
            }
        }
        all.extend(self.each.iter().flat_map(Each::templates));
        all.extend(self.env.iter().map(|(_, value)| value));
        all.extend(self.dotenv.iter().map(|(path, _)| path));
        all.extend(self.condition.iter().chain(&self.confirm));
        all.extend(&self.status);
        all.extend(
            self.assert.iter().flat_map(|(line, message)| [Some(line), message.as_ref()]).flatten(),
        );
        all.extend(self.inputs.iter().chain(&self.outputs).chain(&self.label).chain(&self.dir));
        all
    }
}
