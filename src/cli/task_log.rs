//! What tasks printed: all of it in a file, and as much as can be shown again in memory.

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use crate::{
    cache::make_folder,
    disk::{Folder, open_file},
    model::Layout,
};

use super::run::is_run_name;

/// How many of the last lines of a task that failed are shown again.
const SHOWN_AGAIN: usize = 200;
/// How many bytes of what a task printed are kept in memory.
const IN_MEMORY: usize = 256 * 1024;
/// How many runs have their logs kept.
const RUNS: usize = 50;

/// Where the logs of one run are.
pub(super) struct Logs {
    layout: Layout,
    folder: PathBuf,
    opened: OnceLock<Option<Folder>>,
}

/// What one task printed.
pub(super) struct Printed {
    /// Absent if it cannot be written: that ruins no task.
    log: Option<(PathBuf, File)>,
    /// The lines in memory, each with its end: all of them, or the last ones.
    text: String,
    is_cut: bool,
}

impl Logs {
    /// For the run called `name`.
    pub(super) fn new(layout: Layout, name: String) -> Self {
        let folder = layout.logs().join(name);
        Self { layout, folder, opened: OnceLock::new() }
    }

    /// For what the task `label` prints, in its run of this number. The first one makes room for
    /// this run's logs among those of the last runs.
    pub(super) fn begin(&self, label: &str, run: usize) -> Printed {
        if self.opened.get().is_none() {
            let _ = self.opened.set(self.open());
        }
        let name = label.replace(['/', '\0'], "-");
        let create = |name: String| {
            let folder = self.opened.get()?.as_ref()?;
            let file = folder.create_new(Path::new(&name), 0o666).ok()?;
            Some((self.folder.join(name), file))
        };
        let log = create(format!("{name}.log")).or_else(|| create(format!("{name}-{run}.log")));
        Printed { log, text: String::new(), is_cut: false }
    }

    /// The folder, in which nothing is written if it cannot be made: that ruins no task.
    fn open(&self) -> Option<Folder> {
        let folder = make_folder(&self.layout, &self.folder).ok()?;
        sweep(&make_folder(&self.layout, &self.layout.logs()).ok()?);
        Some(folder)
    }

    /// `path` as people are shown it.
    pub(super) fn shown(&self, path: &Path) -> String {
        self.layout.display(path)
    }
}

/// Deletes the logs of all but the last runs. The names of folders begin with the time.
fn sweep(logs: &Folder) {
    let mut names = logs.names_in().unwrap_or_default();
    names.retain(|name| name.to_str().is_some_and(is_run_name));
    for name in names.iter().rev().skip(RUNS) {
        // Another forge may be doing the same.
        let _ = logs.remove_all(Path::new(name));
    }
}

impl Printed {
    /// Takes the next line.
    pub(super) fn push(&mut self, line: &str) {
        let line = format!("{line}\n");
        let written = self.log.as_mut().map(|(_, file)| file.write_all(line.as_bytes()));
        if let Some(Err(_)) = written {
            self.log = None;
        }
        if self.text.len() + line.len() > IN_MEMORY {
            let half = self.text.len() / 2;
            let end = self.text.bytes().skip(half).position(|byte| byte == b'\n');
            self.text.drain(..end.map_or(self.text.len(), |at| half + at + 1));
            self.is_cut = true;
        }
        self.text.push_str(&line);
    }

    /// Passes all of it on, in pieces that end with a line, as far as it was kept.
    pub(super) fn each(&self, pass: &mut dyn FnMut(&str)) {
        let file = self.log.as_ref().filter(|_| self.is_cut);
        let Some(file) = file.and_then(|(path, _)| open_file(path).ok()) else {
            return pass(&self.text);
        };
        for line in BufReader::new(file).lines().map_while(Result::ok) {
            pass(&format!("{line}\n"));
        }
    }

    /// The last lines, and whether there were others before.
    pub(super) fn last(&self) -> (Vec<&str>, bool) {
        let mut lines: Vec<&str> = self.text.lines().rev().take(SHOWN_AGAIN + 1).collect();
        let is_cut = self.is_cut || lines.len() > SHOWN_AGAIN;
        lines.truncate(SHOWN_AGAIN);
        lines.reverse();
        (lines, is_cut)
    }

    /// Where all of it is.
    pub(super) fn path(&self) -> Option<&Path> {
        self.log.as_ref().map(|(path, _)| path.as_path())
    }
}
