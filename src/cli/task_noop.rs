//! Tasks that have nothing to do, found out by looking at files alone: what was said of them then
//! is said again.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use crate::{
    model::{Fault, Layout, checksum},
    probe::{Snapshot, SnapshotBasis, SnapshotInput, SnapshotPlace},
    task::{TaskEnd, TaskEngine, TaskEvent, TaskMessage},
    workspace::{Task, Workspace},
};

use super::{
    choice::TaskOutputMode, host::Host, session::Session, task_args::TaskArgs,
    task_screen::TaskScreen,
};

/// So many answers are kept, each for a request of its own.
const PLACES: u8 = 16;

/// How an answer says that a task ended, in place of a note.
const FRESH: &str = "";

/// What a run of tasks is asked for, where an answer is kept if there is nothing to do.
pub(super) struct NoopCache {
    layout: Layout,
    host: Host,
    /// The words, and all that makes them mean something else.
    request: String,
    place: String,
    output: TaskOutputMode,
    asked: SystemTime,
    /// What the answer rests on beside what a run looks at.
    more: Vec<PathBuf>,
    said: Mutex<Vec<String>>,
}

/// Variables that differ from one shell to the next and mean nothing to tasks.
const OF_SHELLS: [&str; 4] = ["_", "SHLVL", "OLDPWD", "PWD"];

impl NoopCache {
    /// The question of `wish`; none where tasks run or nothing is to happen in any case.
    ///
    /// # Errors
    /// If there is no workspace here.
    pub(super) fn open(session: &Session, wish: &TaskArgs) -> Result<Option<Self>, Fault> {
        if session.flags.force || session.flags.dry_run {
            return Ok(None);
        }
        Self::asking(session, wish, session.layout()?, "").map(Some)
    }

    /// The question of `wish` for tasks of the Taskfile at `path`. The answer rests on the whole
    /// environment, which any template of Task may look at.
    ///
    /// # Errors
    /// If the current folder cannot be told.
    pub(super) fn of_taskfile(
        session: &Session,
        wish: &TaskArgs,
        path: &Path,
    ) -> Result<Option<Self>, Fault> {
        let TaskArgs { list, list_all, summary, status, watch, .. } = wish;
        let is_other = *list || *list_all || *summary || *status || *watch;
        if is_other || session.flags.force || session.flags.dry_run {
            return Ok(None);
        }
        let mut environment = session.host.environment().to_texts();
        environment.retain(|name, _| !OF_SHELLS.contains(&name.as_str()));
        let layout = session.layout_at(path.parent().unwrap_or(Path::new("/")).to_owned());
        Self::asking(session, wish, layout, &format!("{} {environment:?} ", path.display()))
            .map(Some)
    }

    fn asking(
        session: &Session,
        wish: &TaskArgs,
        layout: Layout,
        about: &str,
    ) -> Result<Self, Fault> {
        let (here, flags) = (session.folder()?, &session.flags);
        let TaskArgs { words, args, output, .. } = wish;
        let class = session.classes().own.as_str();
        let tag = session.surroundings().tag();
        let here = here.display();
        let request =
            format!("{about}{words:?} {args:?} {output:?} {class} {tag:?} {here} {flags:?}");
        let slot = checksum(request.as_bytes())[0] % PLACES;
        Ok(Self {
            layout,
            host: session.host.clone(),
            request,
            output: wish.output.unwrap_or(TaskOutputMode::Plain),
            place: format!("snapshot-run-{slot}"),
            asked: SystemTime::now(),
            more: Vec::new(),
            said: Mutex::default(),
        })
    }

    /// The same, whose answer rests on `files` too, whether they are there or not.
    #[must_use]
    pub(super) fn resting_on(self, files: Vec<PathBuf>) -> Self {
        Self { more: files, ..self }
    }

    /// Answers it as before on `screen`, if nothing changed. Says whether it did.
    pub(super) fn answered(&self, session: &Session) -> bool {
        let Some(known) = Snapshot::load(self.kept(), &self.request) else {
            return false;
        };
        let screen = TaskScreen::showing(session, &self.layout, self.output);
        for (label, note) in known.answer.iter().filter_map(|line| line.split_once('\t')) {
            let event = match note {
                FRESH => TaskEvent::Ended(TaskEnd::Fresh),
                note => TaskEvent::Note(note),
            };
            screen.show(TaskMessage { run: 0, label, event });
        }
        screen.finish(None);
        true
    }

    /// Hears what is said meanwhile.
    pub(super) fn hear(&self, told: TaskMessage) {
        let told_of = match told.event {
            TaskEvent::Note(note) => note,
            TaskEvent::Ended(TaskEnd::Fresh) => FRESH,
            _ => return,
        };
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.push(format!("{}\t{told_of}", told.label));
    }

    /// Keeps the answer of `engine`, if it rests on files alone.
    pub(super) fn keep(&self, workspace: &Workspace, engine: &TaskEngine) {
        let Some(files) = engine.rested_on() else { return };
        let answer = self.said.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let content = |path| workspace.contents.get(path);
        let inputs: Vec<_> = (workspace.inputs.iter().chain(&files).chain(&self.more))
            .map(|path| SnapshotInput { path, content: content(path), line: 0 })
            .collect();
        let basis = SnapshotBasis {
            started: self.asked,
            inputs: &inputs,
            environment: &workspace.seen_variables,
            unsure: &BTreeSet::new(),
            before: None,
        };
        Snapshot { answer }.save(self.kept(), &self.request, &basis);
    }

    fn kept(&self) -> SnapshotPlace<'_> {
        let (key, environment) = (self.host.seal_key(), self.host.environment());
        SnapshotPlace { layout: &self.layout, name: &self.place, key, environment }
    }
}

/// Whether an answer may be kept for `tasks` of `workspace`: not if one of them asks a question, nor
/// if nothing is said at all.
pub(super) fn is_lasting(workspace: &Workspace, tasks: &[&Task]) -> bool {
    workspace.output.as_deref() != Some("quiet") && tasks.iter().all(|task| task.confirm.is_none())
}
