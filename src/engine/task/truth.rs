//! Whether a task that says what goes in and what comes out has anything to do: what is recorded,
//! what the cache holds, and who else is at it.

use std::time::Duration;

use crate::{
    cache::{Busy, BusyLock, Cache, KeptOutputs, OutputPlace, another, stage},
    model::Fault,
    provenance::RunClass,
};

use super::{
    TaskEvent,
    files::{Marks, PatternsBelow},
    frame::RunScope,
    key::{is_kept, patterns},
    ledger::{RecordOrigin, TaskLedger},
    perform::{PreparedTask, TaskRun},
    record::{TaskRecord, changed, digest},
};

/// How often somebody who waits for another forge looks whether it is done.
const LOOK_AGAIN: Duration = Duration::from_millis(30);

impl<'w> TaskRun<'_, 'w> {
    /// Whether there is nothing to do: what `status` says and what the record says, if both speak.
    pub(super) async fn is_done(
        &self,
        scene: &PreparedTask<'_, 'w>,
        now: Option<&TaskRecord>,
        frame: &RunScope<'_>,
    ) -> Result<bool, Fault> {
        let status = &self.invocation.task.status;
        if now.is_none() && status.is_empty() {
            return Ok(false);
        }
        if let Some(now) = now {
            let known = self.engine.ledger.read(self.invocation);
            if known.is_none_or(|known| known.difference(now).is_some()) {
                return Ok(false);
            }
        }
        self.has_status(scene, frame).await
    }

    /// What is up to date rests on the files that go in and come out.
    pub(super) fn rest(&self, scene: &PreparedTask<'_, 'w>) -> Result<(), Fault> {
        let (basis, task) = (&self.engine.context.basis, self.invocation.task);
        if task.gitignore {
            // What git ignores is said in more places than are looked at here.
            basis.is_more();
        }
        for written in [&task.inputs, &task.outputs] {
            if basis.stands() {
                let written = patterns(&scene.rendering, &scene.ground, written)?;
                let meant = PatternsBelow::inputs(&scene.ground.dir, &written, None);
                basis.add(meant.looked_at()?);
            }
        }
        Ok(())
    }

    /// Whether each command of `status` succeeds.
    async fn has_status(
        &self,
        scene: &PreparedTask<'_, 'w>,
        frame: &RunScope<'_>,
    ) -> Result<bool, Fault> {
        for line in &self.invocation.task.status {
            if !self.holds(scene, &scene.rendering.text(line)?, frame).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Waits until no other forge, and no other part of this one, runs the same task. Says whether
    /// somebody did.
    pub(super) async fn turn(
        &self,
        scene: &PreparedTask<'_, 'w>,
        frame: &RunScope<'_>,
    ) -> Result<(BusyLock, bool), Fault> {
        let name = format!("task-{}", &digest(&self.invocation.key())[..16]);
        let layout = &self.engine.context.workspace.layout;
        let path = layout.state().join("locks").join(name);
        let mut waits = false;
        loop {
            let whose = match BusyLock::take(layout, &path)? {
                Busy::Ours(lock) => return Ok((lock, waits)),
                Busy::Theirs(whose) => whose,
            };
            if !waits {
                let note = format!("waiting for {}, which runs it", another(whose));
                self.report(&scene.label, TaskEvent::Note(&note));
            }
            waits = true;
            let what = format!("the task {}", self.invocation.task.name);
            frame.pause(LOOK_AGAIN, &what).await?;
        }
    }

    /// Takes what it would make from the cache, or from the one that machines share, if that is known.
    /// Says who made it, if all is as if it had run.
    pub(super) async fn is_restored(
        &self,
        scene: &PreparedTask<'_, 'w>,
        now: &TaskRecord,
        frame: &RunScope<'_>,
    ) -> Result<Option<RecordOrigin>, Fault> {
        if !is_kept(self.invocation.task) {
            return Ok(None);
        }
        let here = self.ledger_keys(now);
        let found = match self.restored(scene, here)? {
            Some(found) => Some(found),
            None => Box::pin(self.shared(scene, now, frame)).await?,
        };
        let Some((origin, kept)) = found else { return Ok(None) };
        if !self.has_status(scene, frame).await? {
            return Ok(None);
        }
        let Some(record) = self.with_outputs(scene, now.clone())? else { return Ok(None) };
        // A link may lead to something else than it did then.
        let is_same = |(name, digest): (&String, &String)| {
            record.outputs.get(name).is_some_and(|mark| mark.digest == *digest)
        };
        if !kept.iter().all(is_same) {
            return Ok(None);
        }
        self.engine.context.basis.is_more();
        let tell = |text: &str| self.report(&scene.label, TaskEvent::Note(text));
        let patience = TaskLedger::patience(&frame.cancel, &tell);
        self.engine.ledger.write(&origin, self.invocation, &record, &patience)?;
        Ok(Some(origin))
    }

    /// Where the user's cache may have what this machine made, and who made it.
    fn ledger_keys(&self, now: &TaskRecord) -> Vec<(RecordOrigin, String)> {
        let keys = self.engine.ledger.looked_for(now);
        keys.map(|(class, key)| (RecordOrigin::of_run(class), key)).collect()
    }

    /// Puts the outputs that are kept under the first of `keys` that has some into their places. Returns
    /// what they are, and who made them.
    pub(super) fn restored(
        &self,
        scene: &PreparedTask<'_, 'w>,
        keys: Vec<(RecordOrigin, String)>,
    ) -> Result<Option<(RecordOrigin, KeptOutputs)>, Fault> {
        let layout = &self.engine.context.workspace.layout;
        let dir = &scene.ground.dir;
        let written = patterns(&scene.rendering, &scene.ground, &self.invocation.task.outputs)?;
        let is_declared = PatternsBelow::outputs(dir, &written).meaning()?;
        let stage = || stage(layout);
        let place = OutputPlace { dir, stage: &stage, is_declared: &is_declared };
        let restore = |cache: Cache| -> Result<_, Fault> {
            for (origin, key) in keys {
                if let Some(kept) = cache.restore_outputs(&key, &place)? {
                    return Ok(Some((origin, kept)));
                }
            }
            Ok(None)
        };
        restore(Cache::for_workspace(layout).0).or_else(|fault: Fault| {
            self.report(&scene.label, TaskEvent::Note(&format!("runs, since {fault}")));
            Ok(None)
        })
    }

    /// Records what went in and what came out, and keeps that in the cache.
    pub(super) fn keep(
        &self,
        scene: &PreparedTask<'_, 'w>,
        now: Option<TaskRecord>,
        origin: &RecordOrigin,
        frame: &RunScope<'_>,
    ) -> Result<(), Fault> {
        let Some(now) = now else { return Ok(()) };
        let Some(record) = self.with_outputs(scene, now)? else { return Ok(()) };
        let (task, dir) = (self.invocation.task, &scene.ground.dir);
        let written = patterns(&scene.rendering, &scene.ground, &task.inputs)?;
        let gitignore = task.gitignore.then_some(&self.engine.context.workspace.layout);
        let inputs = PatternsBelow::inputs(dir, &written, gitignore).marks(&record.inputs)?;
        // What was read before is recorded: whether the run saw the change nobody knows.
        let tell = |text: &str| self.report(&scene.label, TaskEvent::Note(text));
        let patience = TaskLedger::patience(&frame.cancel, &tell);
        self.engine.ledger.write(origin, self.invocation, &record, &patience)?;
        if let Some(change) = changed("input", &record.inputs, &inputs, false) {
            let note = format!("is not up to date: {change} while it ran");
            self.report(&scene.label, TaskEvent::Note(&note));
            return Ok(());
        }
        if is_kept(task) {
            let written = patterns(&scene.rendering, &scene.ground, &task.outputs)?;
            let special = PatternsBelow::outputs(dir, &written).special()?;
            for name in &special {
                let note = format!(
                    "made {name}, which is not kept: only files, folders and links are, and no `.git`"
                );
                self.report(&scene.label, TaskEvent::Note(&note));
            }
            // A repository is a whole: what is restored without it is something else.
            if special.iter().any(|name| name.ends_with(".git") || name.ends_with(".forge")) {
                return Ok(());
            }
            let outputs = record.outputs.iter();
            let outputs = outputs.map(|(name, mark)| (name.clone(), mark.digest.clone())).collect();
            let key = match &origin.remote {
                None => self.engine.ledger.kept_under(&record),
                Some(remote) => self.engine.ledger.fetched_under(remote, &record),
            };
            let cache = Cache::for_workspace(self.engine.ledger.layout()).0;
            let kept = cache.keep_outputs(&key, dir, &outputs);
            match kept {
                Ok(()) if origin.class > RunClass::Untrusted => {
                    self.share(scene, &record, &cache, &key);
                }
                Ok(()) => {}
                Err(fault) => {
                    self.report(&scene.label, TaskEvent::Note(&format!("is done; but {fault}")));
                }
            }
        }
        Ok(())
    }

    /// `record` with what came out; nothing if something is not there.
    fn with_outputs(
        &self,
        scene: &PreparedTask<'_, 'w>,
        record: TaskRecord,
    ) -> Result<Option<TaskRecord>, Fault> {
        let outputs = patterns(&scene.rendering, &scene.ground, &self.invocation.task.outputs)?;
        let is_plain = |path: &&String| !path.contains(['*', '?', '[', '{', '!']);
        for path in outputs.iter().filter(is_plain) {
            if scene.ground.dir.join(path).symlink_metadata().is_err() {
                let note = format!("did not make {path}, so it is not up to date");
                self.report(&scene.label, TaskEvent::Note(&note));
                return Ok(None);
            }
        }
        let outputs = PatternsBelow::outputs(&scene.ground.dir, &outputs).marks(&Marks::new())?;
        Ok(Some(TaskRecord { outputs, ..record }))
    }
}
