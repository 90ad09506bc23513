//! What tasks make, in the remote cache: by the same rules as builds. The result of a task's action has its files,
//! and a list of them with what the API has no word for: permissions, links, empty folders.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    RemoteCache,
    files::{IntoCache, missing_of},
    keep::TURNS,
    lookup::{Miss, read_output},
};
use crate::{
    cache::{IncomingOutputs, OutgoingOutputs},
    model::{Fault, Kind, Sha256},
    process::Command,
    reapi::{
        ActionOutput, ActionOutputs, BlobContents, BlobDigest, Connection, RemoteBlob, Trouble,
    },
};

/// No list is longer, in bytes.
const MOST_OF_LIST: u64 = 16 << 20;

/// A task that is shared, with what its key holds.
#[derive(Clone, Debug)]
pub struct SharedAction {
    /// What it is called.
    pub name: String,
    /// A digest of its commands, its variables and what goes in.
    pub key: String,
    /// The programs that decide what it makes.
    pub tools: Vec<String>,
    /// How those run: with which variables, and which folders before PATH.
    pub surroundings: Command,
    /// The properties of the worker that runs it; nothing if it runs here.
    pub worker: Option<BTreeMap<String, String>>,
}

impl SharedAction {
    /// What the list of outputs is called among them.
    pub const LIST: &'static str = ".forge-outputs.json";
}

/// What begins to keep the outputs that a list names, once it is checked.
pub type Receive<'a> = &'a (dyn Fn(&[u8]) -> Result<IncomingOutputs<'a>, Fault> + Sync);

impl RemoteCache {
    /// Takes what `task` makes, if it is there: all of it, into the user's cache under `key`, by `receive`. Says
    /// whether it did.
    pub async fn take_outputs(&self, task: &SharedAction, receive: Receive<'_>, key: &str) -> bool {
        let found = self.find_outputs(task, receive, key).await;
        let mut state = self.state();
        match found {
            Ok(()) => state.totals.fetched += 1,
            Err(_) => state.totals.missed += 1,
        }
        drop(state);
        if let Err(Miss::Wrong(why)) = &found {
            let what = format!("the task {}", task.name);
            let fault = self.unusable(&what, "run", why.clone());
            self.state().warnings.push(fault);
        }
        found.is_ok()
    }

    async fn find_outputs(
        &self,
        task: &SharedAction,
        receive: Receive<'_>,
        key: &str,
    ) -> Result<(), Miss> {
        let action = self.task_action(task).await.map_err(Miss::Absent)?;
        let unused = || Miss::Absent("not asked: it is not used in this run".into());
        let connection = self.connection().await.ok_or_else(unused)?;
        let outputs = match connection.result(action.digest(), SharedAction::LIST).await {
            Ok(Some(outputs)) => outputs,
            Ok(None) => return Err(Miss::Absent("it has no such action".into())),
            Err(trouble) => return Err(self.miss(&trouble)),
        };
        self.builder_of(&outputs).map_err(Miss::Wrong)?;
        let list = outputs.files.iter().find(|file| file.path == SharedAction::LIST);
        let list = list.filter(|list| list.digest.size <= MOST_OF_LIST);
        let list = list.ok_or_else(|| Miss::Wrong("it has no list of its outputs".into()))?;
        let text = read_output(connection, list).await.map_err(|trouble| self.miss(&trouble))?;
        let incoming = receive(&text).map_err(|fault| match fault.kind {
            Kind::Verification => Miss::Wrong(fault.to_string()),
            _ => Miss::Absent(fault.to_string()),
        })?;
        self.take_files(connection, &outputs, &incoming).await?;
        incoming.finish(key).map_err(|fault| Miss::Absent(fault.to_string()))
    }

    async fn take_files(
        &self,
        connection: &Connection,
        outputs: &ActionOutputs,
        incoming: &IncomingOutputs<'_>,
    ) -> Result<(), Miss> {
        let sizes: BTreeMap<Sha256, u64> =
            outputs.files.iter().map(|file| (file.digest.sha256, file.digest.size)).collect();
        let mut left = incoming.limit();
        for sha256 in incoming.missing() {
            let size = *sizes
                .get(&sha256)
                .ok_or_else(|| Miss::Wrong("its list names a file that it does not have".into()))?;
            left = left
                .checked_sub(size)
                .ok_or_else(|| Miss::Wrong("its files are more than a task may make".into()))?;
        }
        let missing = || missing_of(incoming, &sizes);
        let taken = connection.read_missing(&missing, &IntoCache(incoming)).await;
        taken.map_err(|trouble| self.miss(&trouble))
    }

    /// Begins to write `outputs`, which `task` made in this run.
    pub fn keep_outputs(self: &Arc<Self>, task: SharedAction, outputs: OutgoingOutputs) {
        let cache = self.clone();
        let work = async move {
            let Ok(_turn) = TURNS.acquire().await else { return };
            // Without a key it is a task that nobody else asks for either.
            let Ok(action) = cache.task_action(&task).await else { return };
            let Some(connection) = cache.connection().await else { return };
            let list = RemoteBlob::of_bytes(outputs.list);
            let listed = ActionOutput {
                path: SharedAction::LIST.to_owned(),
                digest: list.digest,
                is_executable: false,
                contents: None,
            };
            let (mut blobs, mut files) = (vec![list], vec![listed]);
            for file in outputs.files {
                let digest = BlobDigest { sha256: file.digest, size: file.size };
                blobs.push(RemoteBlob { digest, contents: BlobContents::File(file.bytes) });
                let (path, is_executable) = (file.path, file.is_executable);
                files.push(ActionOutput { path, digest, is_executable, contents: None });
            }
            let result = ActionOutputs { files, worker: cache.builder.id().to_owned() };
            let written = async {
                blobs.extend(action.blobs());
                let sent = connection.write(&blobs).await?;
                connection.keep_result(action.digest(), &result).await?;
                Ok::<_, Trouble>(sent)
            };
            match written.await {
                Ok(sent) => {
                    let mut state = cache.state();
                    state.totals.written += 1;
                    state.totals.sent += sent;
                }
                Err(trouble) => cache.write_no_more(&trouble),
            }
        };
        let mut writing = self.writing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        writing.spawn(work);
    }
}
