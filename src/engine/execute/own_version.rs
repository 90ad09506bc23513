//! Whether what is about to be published is what its version says. A tag means one commit, so a
//! release of that tag holds what that commit builds, and nothing that came after it.
//!
//! What a scheme versions has its tag before it is published, on the commit that is checked out. What
//! `versions.yml` pins may have no tag, and may be published from later commits; but where there is a tag,
//! what goes into it has to be as it is there.

use super::Context;
use crate::{
    affected::PathScope,
    git::History,
    model::{ArtifactId, Fault, Kind, TagStem},
    probe::ArtifactSpec,
    process::CommandRunner,
    workspace::{Subsystem, Workspaces},
};

/// A subsystem whose code is in the repository around the workspace.
struct Candidate<'a> {
    subsystem: &'a Subsystem,
    history: History<'a>,
    extent: PathScope<'a>,
    tag: String,
    /// The commit that is checked out.
    head: String,
}

/// Something that is about to be published under a version.
#[derive(Clone, Copy)]
struct VersionClaim<'a> {
    id: &'a ArtifactId,
    /// The version as a tag has it.
    version: &'a str,
    /// What its tags begin with.
    stem: &'a TagStem,
    /// Whether it is made of code in the workspace.
    in_repo: bool,
    /// Whether only a release has that version.
    is_past: bool,
}

/// What has to be known of a run to tell whether artifacts are what their versions say.
#[derive(Clone, Copy)]
pub struct OwnVersion<'a> {
    /// The workspace.
    pub workspaces: &'a Workspaces,
    /// Runs git.
    pub runner: &'a dyn CommandRunner,
    /// Whether others read the store that is published to.
    pub is_shared: bool,
    /// Whether no remote is asked.
    pub offline: bool,
}

impl Context {
    /// As [`OwnVersion::refusal`], found out once for each subsystem.
    pub(super) async fn is_not_its_version(
        &self,
        want: &ArtifactSpec,
    ) -> Result<Option<Fault>, Fault> {
        let mut known = self.not_its_version.lock().await;
        if let Some(known) = known.get(&want.id.name) {
            return Ok(known.clone());
        }
        let own_version = OwnVersion {
            workspaces: &self.workspaces,
            runner: &*self.runner,
            is_shared: self.stores.first().is_some_and(|store| store.is_shared()),
            offline: self.options.offline,
        };
        let found = own_version.refusal(want).await?;
        known.insert(want.id.name.clone(), found.clone());
        Ok(found)
    }
}

impl OwnVersion<'_> {
    /// Why the artifact must not be published under its version; `None` if it may be.
    ///
    /// # Errors
    /// When that cannot be found out: `Store` if the remote does not say which tags there are, `Failed`
    /// without git, `Interrupted`.
    pub async fn refusal(&self, want: &ArtifactSpec) -> Result<Option<Fault>, Fault> {
        let claim = VersionClaim {
            id: &want.id,
            version: &want.version,
            stem: &want.stem,
            in_repo: want.in_repo,
            is_past: want.is_past,
        };
        self.refusal_of(&claim).await
    }

    /// As [`Self::refusal`], of the image of a subsystem. What it is made of lies in the workspace.
    ///
    /// # Errors
    /// As [`Self::refusal`].
    pub async fn refusal_of_image(
        &self,
        id: &ArtifactId,
        version: &str,
    ) -> Result<Option<Fault>, Fault> {
        let subsystem = self.workspaces.subsystem(id);
        let is_past = subsystem.is_chosen;
        let stem = &subsystem.tag;
        self.refusal_of(&VersionClaim { id, version, stem, in_repo: true, is_past }).await
    }

    async fn refusal_of(&self, want: &VersionClaim<'_>) -> Result<Option<Fault>, Fault> {
        let subsystem = self.workspaces.subsystem(want.id);
        let has_scheme = subsystem.scheme.is_some();
        // What was released before, and what is pinned by a commit or a digest, is that.
        if want.is_past || !want.in_repo && !has_scheme {
            return Ok(None);
        }
        if subsystem.version.is_unreleased() {
            let why = "its scheme has given it no version yet";
            return Ok(Some(refused(want).because(why).hint(release_it(subsystem))));
        }
        let workspace = self.workspaces.for_platform(want.id.platform);
        let root = workspace.layout.root();
        let history = History::around(self.runner, root);
        let Some(history) = history.filter(|_| want.in_repo) else {
            let why = format!("{} is in no git repository that could say so", root.display());
            return Ok(has_scheme.then(|| refused(want).because(why)));
        };
        let tag = match subsystem.follows_tag {
            true => want.version.to_owned(),
            false => want.stem.first(want.version),
        };
        let Some(tagged) = self.tagged(&history, &tag, has_scheme).await? else {
            let why = format!("there is no git tag `{tag}` that says which commit it is");
            let fault = || refused(want).because(why).hint(release_it(subsystem));
            return Ok(has_scheme.then(fault));
        };
        let head = history.head().await?.unwrap_or_default();
        let extent = PathScope::for_component(workspace, subsystem)?;
        let candidate = Candidate { subsystem, history, extent, tag, head };
        let why = match candidate.differs(&tagged).await? {
            Some(why) => Some(why),
            None => candidate.uncommitted().await?,
        };
        let hint = release_it(candidate.subsystem);
        Ok(why.map(|why| refused(want).because(why).hint(hint)))
    }

    /// The commit of `tag`: as the remote has it if others read the store, or if tags say who has which
    /// version; otherwise as this clone has it.
    async fn tagged(
        &self,
        history: &History<'_>,
        tag: &str,
        has_scheme: bool,
    ) -> Result<Option<String>, Fault> {
        let tags = match !self.offline && (has_scheme || self.is_shared) {
            true => {
                let tags = history.remote().await?.tags(&[tag]).await?;
                tags.into_iter().map(|tag| tag.tag).collect()
            }
            false => history.tags().await?,
        };
        Ok(tags.into_iter().find(|known| known.name == tag).map(|tag| tag.commit))
    }
}

impl Candidate<'_> {
    /// How what is checked out differs from the commit `tagged`.
    async fn differs(&self, tagged: &str) -> Result<Option<String>, Fault> {
        let Self { head, tag, .. } = self;
        if tagged == head {
            return Ok(None);
        }
        let other = || {
            let (tagged, head) = (short(tagged), short(head));
            format!("the git tag `{tag}` is of the commit {tagged}, and {head} is checked out")
        };
        if self.subsystem.scheme.is_some() {
            return Ok(Some(other()));
        }
        let trees = self.history.trees(&[tagged.to_owned(), head.clone()]).await?;
        let [Some(then), Some(now)] = trees.as_slice() else {
            return Ok(Some(format!("{}; this clone lacks the former", other())));
        };
        let files = self.history.differences(std::slice::from_ref(then), now).await?;
        let changed = files.into_iter().flatten().find(|file| self.extent.covers(file));
        Ok(changed.map(|file| format!("{}, where {file} is another", other())))
    }

    /// What of it is not as its commit has it.
    async fn uncommitted(&self) -> Result<Option<String>, Fault> {
        let changes = self.history.uncommitted().await?;
        let changed = changes.into_iter().find(|file| self.extent.covers(file));
        Ok(changed
            .map(|file| format!("{file} differs from the commit of the git tag `{}`", self.tag)))
    }
}

fn refused(want: &VersionClaim<'_>) -> Fault {
    let what = format!("{} is not published: it is not {}", want.id.name, want.version);
    Fault::new(Kind::Usage, what)
}

fn release_it(subsystem: &Subsystem) -> String {
    match subsystem.scheme {
        None if subsystem.follows_tag => {
            "check out the tag as it was pushed; a new tag gives what is committed a version".into()
        }
        Some(_) => format!(
            "`forge release:binary {}` gives what is committed a version of its own; to publish that \
             version, check out its tag",
            subsystem.name
        ),
        None => format!("pin another version of {} in versions.yml", subsystem.name),
    }
}

fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}
