//! Asking the remote cache, and taking what it has. Nothing counts as a hit before all its bytes are here and are
//! what they should be.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use async_trait::async_trait;
use futures_util::{StreamExt, stream};

use super::{NamedFiles, RemoteCache, RemoteRights};
use crate::{
    cache::stage,
    manifest::parse_stamp,
    model::{ArtifactId, Fault, Kind, Stamp},
    probe::{
        Acceptance, ArtifactSpec, RemoteAnswer, RemoteHit, RemoteLookup, accept, check_header,
        trusted_repositories,
    },
    provenance::{Builder, Trust, refusal},
    reapi::{ActionOutput, ActionOutputs, Connection, Trouble, TroubleKind},
};

/// How many artifacts are asked for, and come, at once.
const AT_ONCE: usize = 8;
/// No stamp is longer, in bytes.
const MOST_OF_STAMP: u64 = 1 << 20;

/// A remote cache that is only spoken of: verbs that look run no tool, and without that nobody knows a key.
pub struct RemoteMention {
    /// Which cache.
    pub identity: String,
    /// What a run may do with it.
    pub rights: RemoteRights,
}

impl RemoteMention {
    /// What the name of each begins with, where it is one of the places that were looked at.
    pub const LABEL: &'static str = "remote cache ";
}

#[async_trait]
impl RemoteLookup for RemoteMention {
    fn label(&self) -> String {
        format!("{}{}", Self::LABEL, self.identity)
    }

    async fn look_up(&self, wants: &[&ArtifactSpec]) -> BTreeMap<ArtifactId, RemoteAnswer> {
        let found = match self.rights.unread {
            None => "asked before it is built; the key holds what its tools say then".to_owned(),
            Some(why) => format!("not asked: {why}"),
        };
        let answer = || RemoteAnswer { found: found.clone(), ..RemoteAnswer::default() };
        wants.iter().map(|want| (want.id.clone(), answer())).collect()
    }
}

#[async_trait]
impl RemoteLookup for RemoteCache {
    fn label(&self) -> String {
        format!("{}{}", RemoteMention::LABEL, self.identity())
    }

    async fn look_up(&self, wants: &[&ArtifactSpec]) -> BTreeMap<ArtifactId, RemoteAnswer> {
        let looks = wants.iter().map(|want| async { (want.id.clone(), self.look_for(want).await) });
        let looks: Vec<_> = looks.collect();
        let mut answers: BTreeMap<_, _> =
            stream::iter(looks).buffer_unordered(AT_ONCE).collect().await;
        // What concerns the server as a whole is said with the first artifact.
        if let Some(first) = answers.values_mut().next() {
            let mut unsaid = self.take_warnings().into_iter();
            if first.warning.is_none() {
                first.warning = unsaid.next();
            }
            self.state().warnings.extend(unsaid);
        }
        answers
    }
}

/// Why there is no hit.
pub(super) enum Miss {
    /// Nothing is wrong.
    Absent(String),
    /// What the server gave is not what it should be.
    Wrong(String),
}

impl RemoteCache {
    async fn look_for(&self, want: &ArtifactSpec) -> RemoteAnswer {
        if let Some(why) = self.rights.unread {
            return RemoteAnswer { found: format!("not asked: {why}"), ..RemoteAnswer::default() };
        }
        let found = match self.find(want).await {
            Ok(hit) => {
                self.state().totals.fetched += 1;
                let found = "it is there".to_owned();
                return RemoteAnswer { found, hit: Some(hit), warning: None };
            }
            Err(miss) => miss,
        };
        self.state().totals.missed += 1;
        match found {
            Miss::Absent(found) => RemoteAnswer { found, ..RemoteAnswer::default() },
            Miss::Wrong(why) => {
                let fault = self.unusable(&want.id.to_string(), "built", why.clone());
                RemoteAnswer { found: why, hit: None, warning: Some(fault) }
            }
        }
    }

    /// What the cache has of `what` is not what it should be, so that is made another way.
    pub(super) fn unusable(&self, what: &str, made: &str, why: String) -> Fault {
        let what = format!("what the remote cache {} has of {what} is not used", self.identity());
        let hint = format!(
            "it is {made} instead; find out who writes there, or disown all with another `salt` in \
             versions.yml"
        );
        Fault::new(Kind::Verification, what).because(why).hint(hint)
    }

    async fn find(&self, want: &ArtifactSpec) -> Result<RemoteHit, Miss> {
        let action =
            self.action(want).await.map_err(|why| Miss::Absent(format!("not asked: {why}")))?;
        let unused = || Miss::Absent("not asked: it is not used in this run".into());
        let connection = self.connection().await.ok_or_else(unused)?;
        let digest = action.digest();
        let short = digest.sha256.short();
        let outputs = match connection.result(digest, Stamp::FILE).await {
            Ok(Some(outputs)) => outputs,
            Ok(None) => return Err(Miss::Absent(format!("it has no action {short}"))),
            Err(trouble) => return Err(self.miss(&trouble)),
        };
        let builder = self.builder_of(&outputs).map_err(Miss::Wrong)?;
        let stamp = self.stamp(want, connection, &outputs).await?;
        let staging = stage(self.workspaces.layout())
            .map_err(|fault| Miss::Absent(format!("it cannot be taken: {fault}")))?;
        let mut names: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (name, sha256) in &stamp.binaries {
            let output = outputs.files.iter().find(|file| file.path == name.as_str());
            let output =
                output.filter(|output| output.digest.sha256 == *sha256).ok_or_else(|| {
                    Miss::Wrong(format!("its `{name}` is not the one that its stamp speaks of"))
                })?;
            names.entry(output.digest).or_default().push(name);
        }
        let sink = NamedFiles { folder: staging.folder(), names };
        let taken = connection.read_all(sink.digests(), &sink).await;
        taken.map_err(|trouble| self.miss(&trouble))?;
        for name in stamp.binaries.keys() {
            check_header(want.id.platform, name, &staging.path().join(name))
                .map_err(|fault| Miss::Wrong(fault.to_string()))?;
        }
        Ok(RemoteHit { stamp, staging: Arc::new(staging), cache: self.identity(), builder })
    }

    /// The stamp, which says that it is what is wanted.
    async fn stamp(
        &self,
        want: &ArtifactSpec,
        connection: &Connection,
        outputs: &ActionOutputs,
    ) -> Result<Stamp, Miss> {
        let wanted: BTreeSet<&str> =
            want.binaries.iter().map(|name| name.as_str()).chain([Stamp::FILE]).collect();
        let found: BTreeSet<&str> = outputs.files.iter().map(|file| file.path.as_str()).collect();
        if found != wanted || outputs.files.len() != wanted.len() {
            return Err(Miss::Wrong("its files are not those that the spec names".into()));
        }
        let file = outputs.files.iter().find(|file| file.path == Stamp::FILE);
        let file = file.filter(|file| file.digest.size <= MOST_OF_STAMP);
        let file = file.ok_or_else(|| Miss::Wrong("its stamp is too long".into()))?;
        let text = read_output(connection, file).await.map_err(|trouble| self.miss(&trouble))?;
        let text = String::from_utf8_lossy(&text);
        let stamp = parse_stamp(&text)
            .map_err(|why| Miss::Wrong(format!("its stamp is damaged: {why}")))?;
        match accept(want, &stamp, None) {
            Acceptance::Yes => Ok(stamp),
            Acceptance::WithWarning(fault) => Err(Miss::Wrong(fault.to_string())),
            Acceptance::No(why) => Err(Miss::Wrong(why)),
        }
    }

    /// Who built it, as the cache says. Where only CI is trusted, that has to be one that is.
    pub(super) fn builder_of(&self, outputs: &ActionOutputs) -> Result<Option<String>, String> {
        let workspace = self.workspaces.any();
        let builder = Some(outputs.worker.clone()).filter(|worker| !worker.is_empty());
        if workspace.trust == Trust::Ci {
            let who = Builder::new(builder.clone().unwrap_or_default());
            if let Some(why) = refusal(&who, &trusted_repositories(workspace)) {
                return Err(format!("`trust: ci` takes only what CI built: {why}"));
            }
        }
        Ok(builder)
    }

    /// What `trouble` means for one artifact; what concerns the server ends all asking.
    pub(super) fn miss(&self, trouble: &Trouble) -> Miss {
        match trouble.kind {
            // Servers forget blobs when they need the room.
            TroubleKind::Absent => {
                Miss::Absent("it has the action, but not all of its files any more".into())
            }
            TroubleKind::Wrong => Miss::Wrong(trouble.why.clone()),
            TroubleKind::Local => Miss::Absent(format!("it cannot be taken: {}", trouble.why)),
            TroubleKind::Refused | TroubleKind::Unavailable | TroubleKind::Late => {
                self.give_up(trouble);
                Miss::Absent(trouble.why.clone())
            }
        }
    }
}

/// What the small file `output` holds: it came with the result, or comes now.
pub(super) async fn read_output(
    connection: &Connection,
    output: &ActionOutput,
) -> Result<Vec<u8>, Trouble> {
    if let Some(contents) = &output.contents {
        return Ok(contents.to_vec());
    }
    let mut bytes = Vec::new();
    connection.read(output.digest, &mut bytes).await?;
    Ok(bytes)
}
