//! One command of a task: where it runs, and with which variables.

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use crate::{
    model::{Fault, Kind},
    process::{Command, CommandLine, CommandRunner, Runner},
    workspace::{Places, Task, Text, Workspace},
};

use super::{dotenv, steps::Rendering};

/// What all commands of one run of a task share.
pub struct Ground {
    /// What the places are.
    pub places: Places,
    /// Where they run.
    pub dir: PathBuf,
    /// Their variables.
    pub env: BTreeMap<String, String>,
    path: Vec<PathBuf>,
}

impl Ground {
    /// The ground of `task` as it lies before its variables are known: where it runs, and what is
    /// set for all commands.
    pub fn bare(workspace: &Workspace, rendering: &Rendering) -> Result<Self, Fault> {
        let (task, root) = (rendering.task, workspace.layout.root());
        let places = workspace.places(task.subsystem.as_ref());
        let dir = match &task.dir {
            Some(dir) => root.join(rendering.text(dir)?.expand(&places)),
            None => root.to_owned(),
        };
        let base = task.base_env.iter();
        let env = base.map(|(name, value)| (name.clone(), value.expand(&places))).collect();
        Ok(Self { places, dir, env, path: vec![workspace.layout.bin()] })
    }

    /// Adds what `dotenv` and `env` say.
    ///
    /// # Errors
    /// If a file cannot be read and must be there.
    pub fn furnish(&mut self, rendering: &Rendering) -> Result<(), Fault> {
        let mut env = BTreeMap::new();
        for (file, may_be_missing) in &rendering.task.dotenv {
            let file = self.dir.join(rendering.text(file)?.expand(&self.places));
            for (name, value) in read_dotenv(&file, *may_be_missing)? {
                env.entry(name).or_insert(value);
            }
        }
        env.append(&mut self.env);
        for (name, value) in &rendering.task.env {
            env.insert(name.clone(), rendering.text(value)?.expand(&self.places));
        }
        self.env = env;
        Ok(())
    }

    /// The command that `line` is.
    pub fn command(&self, line: &Text) -> Command {
        Command {
            env: self.env.clone(),
            path: self.path.clone(),
            jobs: true,
            ..Command::new(CommandLine::Shell(line.expand_in_shell(&self.places)), &self.dir)
        }
    }

    /// What `line` prints on standard output, without the line breaks at its end.
    ///
    /// # Errors
    /// If it fails, with what it said on standard error.
    pub async fn printed(&self, runner: &Runner, line: &Text) -> Result<String, Fault> {
        let failed = |error| Fault::io("cannot keep what a command says", &error);
        let mut said = tempfile::NamedTempFile::new().map_err(failed)?;
        let mut command = self.command(line);
        if let CommandLine::Shell(line) = &mut command.line {
            *line = format!("exec 2>'{}'\n{line}", said.path().display());
        }
        let mut lines: Vec<String> = Vec::new();
        let done = runner.run(&command, &mut |line| lines.push(line.to_owned())).await;
        done.map_err(|mut fault| {
            let mut text = String::new();
            let _ = said.read_to_string(&mut text);
            fault.what = format!("`{}` failed", line.symbolic());
            text.lines()
                .last()
                .into_iter()
                .fold(fault, |fault, last| fault.because(last.to_owned()))
        })?;
        Ok(lines.join("\n").trim_end().to_owned())
    }
}

fn read_dotenv(file: &Path, may_be_missing: bool) -> Result<Vec<(String, String)>, Fault> {
    let unreadable = |why: String| {
        Fault::new(Kind::Usage, format!("cannot read the variables in {}", file.display()))
            .because(why)
            .hint("`dotenv: FILE?` lets it be missing; a line is `NAME=value`")
    };
    match fs::read_to_string(file) {
        Ok(text) => {
            dotenv::parse(&text).map_err(|line| unreadable(format!("line {line} is no variable")))
        }
        Err(error) if may_be_missing && error.kind() == std::io::ErrorKind::NotFound => {
            Ok(Vec::new())
        }
        Err(error) => Err(unreadable(error.to_string())),
    }
}

/// Whether the source that `task` speaks of is there. What was downloaded has none here.
pub fn has_source(workspace: &Workspace, task: &Task) -> bool {
    let mut templates = task.templates();
    templates.extend(task.vars.iter().flat_map(|(_, variable)| variable.templates()));
    !templates.iter().any(|template| template.mentions("src"))
        || workspace.places(task.subsystem.as_ref()).src.is_dir()
}
