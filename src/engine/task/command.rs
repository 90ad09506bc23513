//! One command of a task: where it runs, and with which variables.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    io::Read,
    path::{Path, PathBuf},
};

use crate::{
    disk::{MOST_OF_TEXT, read_text},
    model::{Environment, Fault, Kind, normal_path, shown_url},
    process::{Command, CommandLine, Inherit, Shell},
    workspace::{Bindings, Places, SecretTable, Task, TaskText, Text, Workspace},
};

use super::{
    dotenv::{self, DotenvError},
    frame::RunScope,
    steps::Rendering,
};

/// How much a command may print that gives a value, in bytes.
const MAX_PRINTED: usize = 4 << 20;

/// What all commands of one run of a task share.
pub struct Ground {
    /// What the places are.
    pub places: Places,
    /// Where they run.
    pub dir: PathBuf,
    /// Their variables.
    pub env: BTreeMap<String, String>,
    /// The files that variables stand in.
    pub read: Vec<PathBuf>,
    /// Whether those files refer to variables of the environment.
    pub looks_outside: bool,
    /// Those of them whose values are written down nowhere: they come from files or from outside.
    pub unwritten: BTreeSet<String>,
    /// What they inherit of the environment.
    inherit: Inherit,
    path: Vec<PathBuf>,
    shell: Shell,
    /// Whether `dir` is made if it is missing.
    makes_dir: bool,
}

impl Ground {
    /// The ground of `task` as it lies before its variables are known: where it runs, and what is
    /// set for all commands.
    pub fn bare(workspace: &Workspace, rendering: &Rendering) -> Result<Self, Fault> {
        let (task, root) = (rendering.task, workspace.layout.root());
        let places = workspace.places(task.subsystem.as_ref());
        let dir = dir_of(workspace, rendering, &places)?;
        let refused = |fault: Fault| fault.within(format!("task {} cannot begin", task.name));
        let mut env: BTreeMap<String, String> = BTreeMap::new();
        let (mut read, mut unwritten, mut looks_outside) = (Vec::new(), BTreeSet::new(), false);
        for (folder, path, may_be_missing) in &task.home.dotenv {
            let path = root.join(folder).join(path.expand(&places));
            let known = |name: &str| env.get(name).cloned();
            let own = read_dotenv(
                &path,
                *may_be_missing,
                &workspace.environment,
                &known,
                &mut looks_outside,
            );
            for (name, value) in own.map_err(refused)? {
                unwritten.insert(name.clone());
                let value = rendering.of_environment(&name).unwrap_or(value);
                env.entry(name).or_insert(value);
            }
            read.push(path);
        }
        for (name, value) in &task.home.env {
            unwritten.remove(name);
            env.insert(name.clone(), value.expand(&places));
        }
        let path = vec![workspace.layout.bin()];
        let (shell, inherit) = (task.shell.clone(), workspace.inherit(&task.pass_env));
        let makes_dir = task.make_dir;
        Ok(Self {
            places,
            dir,
            env,
            read,
            looks_outside,
            unwritten,
            inherit,
            path,
            shell,
            makes_dir,
        })
    }

    /// Looks again where commands run, now that `rendering` knows what only a run finds out.
    ///
    /// # Errors
    /// If that cannot be rendered.
    pub fn settle_dir(
        &mut self,
        workspace: &Workspace,
        rendering: &Rendering,
    ) -> Result<(), Fault> {
        self.dir = dir_of(workspace, rendering, &self.places)?;
        Ok(())
    }

    /// Adds what `dotenv` and `env` say; `of_file` is what words mean to the file of the task.
    ///
    /// # Errors
    /// If a file cannot be read and must be there.
    pub fn furnish(&mut self, rendering: &Rendering, of_file: &Bindings) -> Result<(), Fault> {
        let (task, renderer) = (rendering.task, rendering.renderer);
        for (name, value) in &task.home.late_env {
            self.mark(name, value);
            self.env.insert(name.clone(), renderer.plain(task, value, of_file)?);
        }
        let refused = |fault: Fault| fault.within(format!("task {} cannot begin", task.name));
        let mut looks_outside = self.looks_outside;
        let mut of_files: BTreeMap<String, String> = BTreeMap::new();
        for (file, may_be_missing) in &rendering.task.dotenv {
            let file = self.dir.join(rendering.text(file)?.expand(&self.places));
            let known = |name: &str| of_files.get(name).or_else(|| self.env.get(name)).cloned();
            let own = read_dotenv(
                &file,
                *may_be_missing,
                renderer.environment(),
                &known,
                &mut looks_outside,
            );
            for (name, value) in own.map_err(refused)? {
                self.unwritten.insert(name.clone());
                let value = rendering.of_environment(&name).unwrap_or(value);
                of_files.entry(name).or_insert(value);
            }
            self.read.push(file);
        }
        self.looks_outside = looks_outside;
        self.env.append(&mut of_files);
        for (name, value) in &rendering.task.env {
            self.mark(name, value);
            self.env.insert(name.clone(), rendering.text(value)?.expand(&self.places));
        }
        Ok(())
    }

    /// Notes whether the variable `name`, which is `value`, comes from outside.
    fn mark(&mut self, name: &str, value: &TaskText) {
        match value.mentions("env") {
            true => self.unwritten.insert(name.to_owned()),
            false => self.unwritten.remove(name),
        };
    }

    /// The command that `line` is, with the secrets of `keyring`.
    ///
    /// # Errors
    /// `Usage` if there is no way to give a secret to its shell.
    pub fn command(&self, keyring: &SecretTable, line: &Text) -> Result<Command, Fault> {
        if line.has_secrets() && !self.shell.is_posix() {
            let shell = self.shell.words().join(" ");
            let what = format!("`{}` puts a secret into a command", line.symbolic());
            return Err(Fault::new(Kind::Usage, what)
                .because(format!("`{shell}` would get it where everybody can see it"))
                .hint("give it as a variable: `env: { NAME: '{{ … }}' }`"));
        }
        let open = |(name, value): (&String, &String)| (name.clone(), keyring.opened(value));
        let mut env = self.env.iter().map(open).collect();
        let line = line.expand_with_secrets(&self.places, keyring, &mut env);
        Ok(Command {
            env,
            inherit: self.inherit.clone(),
            path: self.path.clone(),
            jobs: true,
            shell: self.shell.clone(),
            ..Command::new(CommandLine::Shell(line), &self.dir)
        })
    }

    /// The words of the shell that reads commands.
    pub fn shell_words(&self) -> Vec<String> {
        self.shell.words()
    }

    /// Whether the folder that commands run in has yet to be made.
    pub fn lacks_dir(&self) -> bool {
        self.makes_dir && !self.dir.is_dir()
    }

    /// Makes the folder that commands run in, if that is wanted and it is missing.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn make_dir(&self) -> Result<(), Fault> {
        if !self.lacks_dir() {
            return Ok(());
        }
        std::fs::create_dir_all(&self.dir)
            .map_err(|error| Fault::io(format!("cannot make {}", self.dir.display()), &error))
    }

    /// The ground of the variables of a file in `folder`, whose commands `shell` runs.
    pub fn of_file(&self, workspace: &Workspace, folder: &Path, shell: &Shell) -> Self {
        Self {
            dir: normal_path(&workspace.layout.root().join(folder)),
            env: self.env.clone(),
            unwritten: self.unwritten.clone(),
            places: self.places.clone(),
            read: Vec::new(),
            inherit: self.inherit.clone(),
            looks_outside: self.looks_outside,
            path: self.path.clone(),
            shell: shell.clone(),
            makes_dir: false,
        }
    }

    /// What `line` prints on standard output, without the line breaks at its end; without one alone if
    /// `is_whole`.
    ///
    /// # Errors
    /// If it fails, with what it said on standard error.
    pub async fn printed(
        &self,
        frame: &RunScope<'_>,
        keyring: &SecretTable,
        line: &Text,
        is_whole: bool,
    ) -> Result<String, Fault> {
        self.make_dir()?;
        let failed = |error| Fault::io("cannot keep what a command says", &error);
        let mut said = tempfile::NamedTempFile::new().map_err(failed)?;
        let mut command = self.command(keyring, line)?;
        // A value is never in pieces: what is longer is refused.
        command.longest_line = MAX_PRINTED;
        if let CommandLine::Shell(line) = &mut command.line {
            let file = said.path().display();
            if self.shell.is_posix() {
                *line = format!("exec 2>'{file}'\n{line}");
            } else {
                let line = std::mem::take(line);
                let around = ["sh", "-c", "file=$1; shift; exec \"$@\" 2>\"$file\"", "sh"];
                let around = around.map(str::to_owned).into_iter().chain([file.to_string()]);
                command.line =
                    CommandLine::Argv(around.chain(self.shell.words()).chain([line]).collect());
            }
        }
        let stop = frame.cancel.part();
        let (mut lines, mut bytes) = (Vec::<String>::new(), 0);
        let mut keep = |line: &str| {
            bytes += line.len() + 1;
            match bytes <= MAX_PRINTED {
                true => lines.push(line.to_owned()),
                false => stop.cancel_because("it prints too much"),
            }
        };
        let done = frame.stopped_by(stop.clone()).run(command, &mut keep).await;
        if bytes > MAX_PRINTED {
            let what = format!("`{}` prints too much for a value", line.symbolic());
            let fault = Fault::new(Kind::Failed, what);
            return Err(fault.because(format!("a value may have {} MiB", MAX_PRINTED >> 20)));
        }
        done.map_err(|mut fault| {
            let mut text = String::new();
            let _ = said.read_to_string(&mut text);
            fault.what = shown_url(&format!("`{}` failed", line.symbolic()));
            text.lines()
                .last()
                .into_iter()
                .fold(fault, |fault, last| fault.because(last.to_owned()))
        })?;
        let text = lines.join("\n");
        Ok(if is_whole { text } else { text.trim_end().to_owned() })
    }
}

/// Where the commands of a task run.
fn dir_of(workspace: &Workspace, rendering: &Rendering, places: &Places) -> Result<PathBuf, Fault> {
    let task = rendering.task;
    let own = task.dir.as_ref().map(|dir| rendering.text(dir)).transpose()?;
    let own = own.map(|dir| dir.expand(places)).unwrap_or_default();
    // An empty part would leave a slash at the end, `./` a part that says nothing.
    let parts = [task.home.runs_in.as_path(), Path::new(&own)];
    let parts = parts.into_iter().filter(|part| !part.as_os_str().is_empty());
    let root = workspace.layout.root().to_owned();
    Ok(normal_path(&parts.fold(root, |dir, part| dir.join(part))))
}

/// The variables in `file`. What it refers to and does not define, `known` tells, or else the
/// environment: then `looks_outside` is set.
fn read_dotenv(
    file: &Path,
    may_be_missing: bool,
    environment: &Environment,
    known: &dyn Fn(&str) -> Option<String>,
    looks_outside: &mut bool,
) -> Result<Vec<(String, String)>, Fault> {
    let unreadable = |why: String| {
        Fault::new(Kind::Usage, format!("cannot read the variables in {}", file.display()))
            .because(why)
            .hint("`dotenv: FILE?` lets it be missing; a line is `NAME=value`")
    };
    match read_text(file, MOST_OF_TEXT) {
        Ok(text) => {
            let asked = Cell::new(*looks_outside);
            let outside = |name: &str| {
                known(name).or_else(|| {
                    asked.set(true);
                    environment.get(name).map(str::to_owned)
                })
            };
            let read = dotenv::parse(&text, &outside);
            *looks_outside = asked.get();
            read.map_err(|DotenvError { line, why }| unreadable(format!("line {line} {why}")))
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
    templates.extend(task.vars.iter().flat_map(|var| var.variable.templates()));
    !templates.iter().any(|template| template.mentions("src"))
        || workspace.places(task.subsystem.as_ref()).src.is_dir()
}
