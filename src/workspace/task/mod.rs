//! Tasks: what people wrote, read and checked, with what their templates know. What only a run
//! knows (parameters, what commands print) is put in by `render`.
//!
//! `read` makes tasks of trees, `entry` their commands, `names` finds which task or subsystem a
//! name means and where tasks need each other in a circle.

mod entry;
mod names;
mod read;
mod render;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

pub use names::{Meaning, Names, check, twins};
pub use read::{is_name, resolve};
pub use render::{Bindings, Renderer};

use super::{Text, template::Words};
use crate::{
    manifest::Scalar,
    model::{Name, Span},
};

/// A named list of commands, of a subsystem or of the workspace.
#[derive(Clone, Debug)]
pub struct Task {
    /// What it is called: `hello`, or `nats:test` if it is a subsystem's.
    pub name: String,
    /// The subsystem it belongs to.
    pub subsystem: Option<Name>,
    /// Where its name is written.
    pub place: Span,
    /// `desc:`.
    pub desc: Option<String>,
    /// `help:`.
    pub help: Option<String>,
    /// `alias:`, as they are called: `nats:t` if it is a subsystem's.
    pub aliases: Vec<String>,
    /// `label:`.
    pub label: Option<Template>,
    /// Where it stands.
    pub stand: Stand,
    /// `with:`.
    pub with: Vec<Parameter>,
    /// `needs:`.
    pub needs: Vec<Call>,
    /// `run:`.
    pub run: Vec<Entry>,
    /// `finally:`.
    pub finally: Vec<Entry>,
    /// `for:`.
    pub each: Option<Each>,
    /// `dir:`; the workspace if absent. Relative to the workspace.
    pub dir: Option<Template>,
    /// Variables that manifest and spec set for all commands.
    pub base_env: BTreeMap<String, Text>,
    /// `env:`.
    pub env: Vec<(String, Template)>,
    /// `dotenv:`: files, and whether each may be missing.
    pub dotenv: Vec<(Template, bool)>,
    /// `vars:`, in the order written.
    pub vars: Vec<(String, Variable)>,
    /// `if:`.
    pub condition: Option<Template>,
    /// `only:`.
    pub only: Vec<String>,
    /// `confirm:`.
    pub confirm: Option<String>,
    /// `status:`.
    pub status: Vec<Template>,
    /// `assert:`, each with its message.
    pub assert: Vec<(Template, Option<Template>)>,
    /// `inputs:`.
    pub inputs: Vec<Template>,
    /// `outputs:`.
    pub outputs: Vec<Template>,
    /// `timeout:`.
    pub timeout: Option<Duration>,
    /// `retry:`.
    pub retry: u16,
    /// `private:`.
    pub private: bool,
    /// `quiet:`.
    pub quiet: bool,
    /// `once:`.
    pub once: bool,
    /// `fail_fast:`.
    pub fail_fast: bool,
    /// `allow_failure:`.
    pub allow_failure: bool,
    /// A key of the task that is part of the language and not run yet.
    pub beyond: Option<String>,
    words: Arc<Words>,
}

/// Where a task stands, as far as that decides what it means by names and where it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stand {
    /// What stands before the names of its file's tasks, without `:`; empty for the workspace's.
    pub space: String,
    /// Whether its file is included: names of the workspace's tasks then begin with `:`.
    pub is_included: bool,
    /// The folder it runs in, relative to the workspace.
    pub dir: PathBuf,
}

/// Text as people wrote it, rendered when it is known what its words mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(pub(super) Scalar);

impl Template {
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
pub struct Call {
    /// What it is called there, and where.
    pub name: Scalar,
    /// What it is given.
    pub with: Vec<(String, Template)>,
}

/// One entry of `run` or `finally`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it does.
    pub what: Deed,
    /// `if:`.
    pub condition: Option<Template>,
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
}

/// What an entry does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Runs a command.
    Run(Template),
    /// Runs another task.
    Call(Call),
}

/// `for:`: what `{{ item }}` is, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Each {
    /// Each of these.
    List(Vec<Template>),
    /// Each combination of one value per name.
    Matrix(Vec<(String, Vec<Template>)>),
}

/// A template variable of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variable {
    /// What the template gives.
    Text(Template),
    /// What each of the templates gives.
    List(Vec<Template>),
    /// What the command prints.
    Sh(Template),
}

impl Variable {
    /// The templates it is made of.
    pub fn templates(&self) -> &[Template] {
        match self {
            Self::Text(one) | Self::Sh(one) => std::slice::from_ref(one),
            Self::List(many) => many,
        }
    }
}

impl Task {
    /// What it calls in `run` and `finally`.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.run.iter().chain(&self.finally).filter_map(|entry| match &entry.what {
            Deed::Call(call) => Some(call),
            Deed::Run(_) => None,
        })
    }

    /// Everything in it that is rendered when it runs, but for its variables.
    pub fn templates(&self) -> Vec<&Template> {
        let mut all: Vec<&Template> = Vec::new();
        for entry in self.run.iter().chain(&self.finally) {
            all.extend(&entry.condition);
            all.extend(entry.each.iter().flat_map(Each::templates));
            match &entry.what {
                Deed::Run(line) => all.push(line),
                Deed::Call(call) => all.extend(call.with.iter().map(|(_, value)| value)),
            }
        }
        all.extend(self.each.iter().flat_map(Each::templates));
        all.extend(self.env.iter().map(|(_, value)| value));
        all.extend(self.dotenv.iter().map(|(path, _)| path));
        all.extend(&self.condition);
        all.extend(&self.status);
        all.extend(
            self.assert.iter().flat_map(|(line, message)| [Some(line), message.as_ref()]).flatten(),
        );
        all.extend(self.inputs.iter().chain(&self.outputs).chain(&self.label).chain(&self.dir));
        all
    }
}

impl Each {
    fn templates(&self) -> Vec<&Template> {
        match self {
            Self::List(items) => items.iter().collect(),
            Self::Matrix(parts) => parts.iter().flat_map(|(_, items)| items).collect(),
        }
    }
}
