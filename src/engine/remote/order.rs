//! What a worker is asked for: commands, what goes in, what comes out.
//!
//! The worker's folder is the workspace's: paths that commands name are put in there, by a script, since only the
//! worker knows where its folder is. Commands see fixed variables and those that are declared, none of this machine's.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    archive::hash_file,
    model::{Fault, Kind},
    reapi::{BlobDigest, InputTree, TreeEntry},
};

/// Where programs are on a worker.
const PATH: &str = "/usr/local/bin:/usr/local/go/bin:/usr/local/cargo/bin:/usr/bin:/bin";

/// What runs on a worker.
#[derive(Clone, Debug, Default)]
pub struct WorkerOrder {
    /// What it is, for people: `the task generate`.
    pub name: String,
    /// Its commands, each with the words of the shell that reads it. [`WorkerOrder::ROOT`] in them stands for the
    /// worker's folder.
    pub commands: Vec<WorkerCommand>,
    /// Variables; [`WorkerOrder::ROOT`] as in commands.
    pub variables: BTreeMap<String, String>,
    /// Folders put before PATH, relative to the folder.
    pub path: Vec<String>,
    /// Programs that the worker has to have.
    pub tools: Vec<String>,
    /// Where commands run, relative to the folder.
    pub dir: String,
    /// Folders that have to be there, relative to the folder.
    pub folders: Vec<String>,
    /// What goes in, by paths relative to the folder.
    pub inputs: BTreeMap<String, WorkerInput>,
    /// What comes out: files and folders, relative to the folder.
    pub outputs: Vec<String>,
    /// The properties of the worker.
    pub properties: BTreeMap<String, String>,
    /// How long it may take.
    pub timeout: Option<Duration>,
}

/// One command.
#[derive(Clone, Debug)]
pub struct WorkerCommand {
    /// The words of its shell.
    pub shell: Vec<String>,
    /// What that reads.
    pub line: String,
    /// Whether to go on if it fails.
    pub may_fail: bool,
}

/// Something that goes in.
#[derive(Clone, Debug)]
pub enum WorkerInput {
    /// The file at this path.
    File(PathBuf),
    /// A link, with where it points.
    Link(String),
    /// A folder with nothing in it.
    EmptyFolder,
}

impl WorkerOrder {
    /// What stands for the worker's folder. No shell takes it for anything but a word.
    pub const ROOT: &'static str = "/FORGE_WORKER_ROOT_5d1c";

    /// What the worker prints if it lacks a program, before the name of that.
    const LACKS: &'static str = "forge: this worker has no ";

    /// The fault of a program that the worker lacks, if that is what it printed.
    pub fn missing_tool(stderr: &[u8]) -> Option<Fault> {
        let printed = String::from_utf8_lossy(stderr);
        let tool = printed.lines().find_map(|line| line.strip_prefix(Self::LACKS))?;
        let fault = Fault::new(Kind::Failed, format!("{tool} is not on the worker"));
        Some(fault.hint(
            "let `properties` under `remote` name a worker that has it; a build may have it from `build_needs`",
        ))
    }

    /// The variables that its commands see, PATH among them.
    fn all_variables(&self) -> BTreeMap<String, String> {
        let mut variables = self.variables.clone();
        let path = variables.remove("PATH").unwrap_or_else(|| PATH.to_owned());
        let own = self.path.iter().map(|folder| format!("{}/{folder}", Self::ROOT));
        let folders: Vec<String> = own.chain([path]).collect();
        variables.insert("PATH".to_owned(), folders.join(":"));
        variables
    }

    /// Those of its variables that do not name the worker's folder.
    pub(super) fn plain_variables(&self) -> BTreeMap<String, String> {
        let mut variables = self.all_variables();
        variables.retain(|name, value| !value.contains(Self::ROOT) || name == "PATH");
        // The script puts the folder there, and needs programs for that.
        variables.entry("PATH".into()).and_modify(|path| {
            if path.contains(Self::ROOT) {
                PATH.clone_into(path);
            }
        });
        variables
    }

    /// What `sh -c` runs there.
    pub(super) fn script(&self) -> String {
        let mut script = String::from("root=$(pwd -P); base=${root%/}\n");
        let root = Self::ROOT;
        let _ = writeln!(
            script,
            "put() {{ printf %s \"$1\" | sed \"s|{root}/|$base/|g; s|{root}|$root|g\"; }}"
        );
        let variables = self.all_variables();
        for (name, value) in variables.iter().filter(|(_, value)| value.contains(root)) {
            let _ = writeln!(script, "export {name}=\"$(put {})\"", quoted(value));
        }
        let folders = [&self.dir].into_iter().chain(&self.folders);
        let folders = folders.filter(|folder| !folder.is_empty()).map(|folder| quoted(folder));
        let folders: Vec<String> = folders.collect();
        if !folders.is_empty() {
            let _ = writeln!(script, "mkdir -p {} || exit", folders.join(" "));
        }
        script.push_str("[ -n \"$HOME\" ] || export HOME=\"$root\"\n");
        for tool in &self.tools {
            let (tool, lack) = (quoted(tool), quoted(&format!("{}{tool}", Self::LACKS)));
            let _ = writeln!(
                script,
                "command -v {tool} >/dev/null || {{ echo {lack} >&2; exit 127; }}"
            );
        }
        if !self.dir.is_empty() {
            let _ = writeln!(script, "cd {} || exit", quoted(&self.dir));
        }
        for WorkerCommand { shell, line, may_fail } in &self.commands {
            let shell: Vec<String> = shell.iter().map(|word| quoted(word)).collect();
            let line = match line.contains(root) {
                true => format!("\"$(put {})\"", quoted(line)),
                false => quoted(line),
            };
            let otherwise = if *may_fail { ":" } else { "exit" };
            let _ = writeln!(script, "{} {line} || {otherwise}", shell.join(" "));
        }
        script
    }

    /// The tree of what goes in.
    pub(super) fn tree(&self) -> Result<InputTree, Fault> {
        let mut tree = InputTree::default();
        for (path, input) in &self.inputs {
            match input {
                WorkerInput::File(source) => {
                    let (digest, is_executable) = measured(source).map_err(|error| {
                        Fault::io(format!("cannot read {}", source.display()), &error)
                    })?;
                    tree.add_file(path, digest, is_executable, source.clone());
                }
                WorkerInput::Link(target) => tree.add(path, &TreeEntry::Link(target.clone())),
                WorkerInput::EmptyFolder => tree.add(path, &TreeEntry::EmptyFolder),
            }
        }
        Ok(tree)
    }
}

fn measured(path: &Path) -> std::io::Result<(BlobDigest, bool)> {
    use std::os::unix::fs::PermissionsExt;
    let (sha256, size) = hash_file(path)?;
    let mode = std::fs::metadata(path)?.permissions().mode();
    Ok((BlobDigest { sha256, size }, mode & 0o100 != 0))
}

/// `text` as one word of a shell.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-=:,+@%".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_puts_the_folder_where_it_is_named() {
        let order = WorkerOrder {
            commands: vec![
                WorkerCommand {
                    shell: vec!["sh".into(), "-c".into()],
                    line: format!("echo \"it's\" {}/x $V", WorkerOrder::ROOT),
                    may_fail: false,
                },
                WorkerCommand {
                    shell: vec!["sh".into(), "-c".into()],
                    line: "exit 7".into(),
                    may_fail: false,
                },
            ],
            variables: [("V".to_owned(), format!("{}/v", WorkerOrder::ROOT))].into(),
            dir: "a b".into(),
            ..WorkerOrder::default()
        };
        let folder = tempfile::tempdir().unwrap();
        let run = std::process::Command::new("sh")
            .args(["-c", &order.script()])
            .current_dir(folder.path())
            .output()
            .unwrap();
        let root = folder.path().canonicalize().unwrap().display().to_string();
        let printed = String::from_utf8(run.stdout).unwrap();
        assert_eq!(printed, format!("it's {root}/x {root}/v\n"));
        assert_eq!(run.status.code(), Some(7));
    }

    #[test]
    fn a_worker_that_lacks_a_tool_says_which_and_runs_nothing() {
        let order = WorkerOrder {
            tools: vec!["sh".into(), "no-such-tool-1".into()],
            path: vec!["tools/x".into()],
            commands: vec![WorkerCommand {
                shell: vec!["sh".into(), "-c".into()],
                line: "echo ran".into(),
                may_fail: false,
            }],
            ..WorkerOrder::default()
        };
        let run = std::process::Command::new("sh").args(["-c", &order.script()]).output().unwrap();
        let said = String::from_utf8(run.stderr).unwrap();
        assert_eq!(said, format!("{}no-such-tool-1\n", WorkerOrder::LACKS));
        assert_eq!((run.status.code(), run.stdout.as_slice()), (Some(127), &b""[..]));
        let path = &order.all_variables()["PATH"];
        assert_eq!(*path, format!("{}/tools/x:{PATH}", WorkerOrder::ROOT));
    }
}
