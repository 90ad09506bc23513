//! Tasks that have nothing to do, found out by looking at files alone: what was said of them then
//! is said again.

use std::{
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use crate::{
    model::{Fault, Layout, checksum},
    probe::Snapshot,
    task::{Engine, Event, Told},
    workspace::{Task, Workspace},
};

use super::{session::Session, task::Wish, task_screen::TaskScreen};

/// So many answers are kept, each for a request of its own.
const PLACES: u8 = 16;

/// What a run of tasks is asked for, where an answer is kept if there is nothing to do.
pub(super) struct Question {
    layout: Layout,
    /// The words, and all that makes them mean something else.
    request: String,
    place: String,
    asked: SystemTime,
    said: Mutex<Vec<String>>,
}

impl Question {
    /// The question of `wish`; none where tasks run or nothing is to happen in any case.
    ///
    /// # Errors
    /// If there is no workspace here.
    pub(super) fn of(session: &Session, wish: &Wish) -> Result<Option<Self>, Fault> {
        let flags = &session.flags;
        if flags.force || flags.dry_run {
            return Ok(None);
        }
        let here = session.folder()?;
        let request = format!("{:?} {:?} {} {flags:?}", wish.words, wish.args, here.display());
        let slot = checksum(request.as_bytes())[0] % PLACES;
        Ok(Some(Self {
            layout: session.layout()?,
            request,
            place: format!("snapshot-run-{slot}"),
            asked: SystemTime::now(),
            said: Mutex::default(),
        }))
    }

    /// Answers it as before on `screen`, if nothing changed. Says whether it did.
    pub(super) fn answered(&self, session: &Session) -> bool {
        let Some(known) = Snapshot::load(&self.layout, &self.place, &self.request) else {
            return false;
        };
        let screen = TaskScreen::of(session, true, true);
        for (label, note) in known.answer.iter().filter_map(|line| line.split_once('\t')) {
            screen.tell(Told { run: 0, label, event: Event::Note(note) });
        }
        true
    }

    /// Hears what is said meanwhile.
    pub(super) fn hear(&self, told: Told) {
        if let Event::Note(note) = told.event {
            let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            said.push(format!("{}\t{note}", told.label));
        }
    }

    /// Keeps the answer of `engine`, if it rests on files alone.
    pub(super) fn keep(&self, workspace: &Workspace, engine: &Engine) {
        let Some(files) = engine.rested_on() else { return };
        let answer = self.said.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let inputs = workspace.inputs.iter().chain(&files);
        let environment = workspace.environment.iter();
        let snapshot = Snapshot { answer };
        snapshot.save(&self.layout, &self.place, &self.request, self.asked, inputs, environment);
    }
}

/// Whether an answer may be kept for `tasks`: not if one of them asks a question.
pub(super) fn is_lasting(tasks: &[&Task]) -> bool {
    tasks.iter().all(|task| task.confirm.is_none())
}
