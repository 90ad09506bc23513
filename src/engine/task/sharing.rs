//! What tasks make, shared between machines: taken from the remote cache before a task runs, and put there after
//! it ran. Only tasks that say `remote` are: their commands may use more than they say goes in.

use crate::{
    cache::{Cache, KeptOutputs},
    model::Fault,
    process::{Command, CommandLine},
    provenance::RunClass,
    remote::SharedAction,
};

use super::{
    files::PatternsBelow,
    frame::RunScope,
    key::patterns,
    ledger::RecordOrigin,
    perform::{PreparedTask, TaskRun},
    record::TaskRecord,
};

impl<'w> TaskRun<'_, 'w> {
    /// Takes what it would make from the remote cache, all of it or nothing. Nothing is in its place before
    /// all of it is here and is what it should be.
    pub(super) async fn shared(
        &self,
        scene: &PreparedTask<'_, 'w>,
        now: &TaskRecord,
        frame: &RunScope<'_>,
    ) -> Result<Option<(RecordOrigin, KeptOutputs)>, Fault> {
        let Some((remote, action)) = self.remote_action(scene, now) else { return Ok(None) };
        let (ledger, cache) =
            (&self.engine.ledger, Cache::for_workspace(self.engine.ledger.layout()).0);
        if !remote.is_read() {
            return Ok(None);
        }
        let key = ledger.fetched_under(&remote.identity(), now);
        let written = patterns(&scene.rendering, &scene.ground, &self.invocation.task.outputs)?;
        let is_declared = PatternsBelow::outputs(&scene.ground.dir, &written).meaning()?;
        if !cache.has_outputs(&key) {
            let receive = |list: &[u8]| cache.receive_outputs(list, &is_declared);
            tokio::select! {
                is_here = remote.take_outputs(&action, &receive, &key) => {
                    if !is_here {
                        return Ok(None);
                    }
                }
                () = frame.cancel.cancelled() => {
                    return Err(frame.cancel.fault(&format!("the task {}", self.invocation.name)));
                }
            }
        }
        // Whatever is made with it is not published either.
        let origin = RecordOrigin { class: RunClass::Untrusted, remote: Some(remote.identity()) };
        self.restored(scene, vec![(origin, key)])
    }

    /// Begins to put what `record` says came out, which `cache` keeps under `key`, into the remote cache.
    pub(super) fn share(
        &self,
        scene: &PreparedTask<'_, 'w>,
        record: &TaskRecord,
        cache: &Cache,
        key: &str,
    ) {
        let is_ours = self.engine.options.classes.own > RunClass::Untrusted;
        let Some((remote, action)) = self.remote_action(scene, record).filter(|_| is_ours) else {
            return;
        };
        if remote.is_written()
            && let Some(outputs) = cache.kept_outputs(key)
        {
            remote.keep_outputs(action, outputs);
        }
    }

    /// The remote cache, and what its key of this task holds; nothing if the task is not shared.
    fn remote_action(
        &self,
        scene: &PreparedTask<'_, 'w>,
        record: &TaskRecord,
    ) -> Option<(&std::sync::Arc<crate::remote::RemoteCache>, SharedAction)> {
        let shared = self.invocation.task.remote.as_ref()?;
        let remote = self.engine.remote.as_ref()?;
        let layout = &self.engine.context.workspace.layout;
        let surroundings = Command {
            env: scene.ground.env.clone(),
            path: vec![layout.bin()],
            ..Command::new(CommandLine::Argv(Vec::new()), layout.root())
        };
        let (name, key) = (self.invocation.task.name.clone(), record.key());
        let worker = self.engine.worker(self.invocation.task);
        let tools = shared.tools.clone();
        Some((remote, SharedAction { name, key, tools, surroundings, worker }))
    }
}
