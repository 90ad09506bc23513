//! Looking at images, and releasing those that are missing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};

use futures_util::{StreamExt, stream};
use tokio::sync::{Mutex, OnceCell};

use crate::{
    execute::{LockChange, OwnVersion, write_lock},
    image::{
        BaseFiles, BuildEngine, ImageSpec, ImageState, MovedTag, look_at, move_tag, push, to_push,
        trusted_image,
    },
    model::{
        ActionId, ArtifactId, ArtifactReport, Event, EventSink, Fault, How, ImageHow, ImageReport,
        Kind, LockedImage, Name, Platform, RunReport, Sha256,
    },
    probe::{not_asked, trusted_repositories},
    provenance::{Trust, distrusted},
    report::render_warning,
    store::Published,
    workspace::Workspaces,
};

use super::{
    super::{
        CliError,
        publish::Publish,
        run::{RunRequest, open_screen, run},
        session::Session,
    },
    ImageWants, PushWish, Seen, unreleasable,
    wants::needed,
};

/// How many images are looked at, or pushed, at once.
const AT_ONCE: usize = 8;
const PUSHES_AT_ONCE: usize = 3;

/// Images at work.
pub(in super::super) struct ImageWork<'s> {
    pub(super) session: &'s Session,
    pub(super) wants: ImageWants,
    /// What makes images of Dockerfiles, looked for once.
    pub(super) engine: OnceCell<Result<BuildEngine, Fault>>,
    /// The files of bases, by their digests, as far as somebody had to look.
    pub(super) base_files: Mutex<BTreeMap<(Sha256, Platform), BaseFiles>>,
}

impl<'s> ImageWork<'s> {
    pub(in super::super) fn new(session: &'s Session, wants: ImageWants) -> Self {
        Self { session, wants, engine: OnceCell::new(), base_files: Mutex::default() }
    }

    pub(in super::super) fn workspaces(&self) -> &Arc<Workspaces> {
        &self.wants.workspaces
    }

    /// Looks at the tags of all images, side by side.
    pub(in super::super) async fn look_at_tags(&self) -> Vec<Seen> {
        let all: Vec<Name> = self.wants.specs.keys().cloned().collect();
        self.look_at(&all).await
    }

    /// Looks at the tags of the images of `names`, side by side.
    pub(in super::super) async fn look_at(&self, names: &[Name]) -> Vec<Seen> {
        let known = names.iter().filter_map(|name| Some((name, self.wants.specs.get(name)?)));
        let known: Vec<_> = known.collect();
        let repositories = known.iter().filter_map(|(_, spec)| spec.as_ref().ok());
        let repositories: Vec<_> = repositories.map(|spec| spec.repository.clone()).collect();
        self.wants.registries.expect(&repositories).await;
        // The first of each registry shows what that wants to be shown, once for all.
        let mut hosts = BTreeSet::new();
        let (first, others): (Vec<_>, Vec<_>) = known.into_iter().partition(|(_, spec)| {
            spec.as_ref().is_ok_and(|spec| hosts.insert(spec.repository.host()))
        });
        let mut all = Vec::new();
        for looks in [first, others] {
            let looks = looks.into_iter().map(|(name, spec)| self.find_state(name, spec));
            all.extend(stream::iter(looks).buffered(AT_ONCE).collect::<Vec<_>>().await);
        }
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    /// Looks at the tag of one image.
    pub(in super::super) async fn find_state(
        &self,
        name: &Name,
        spec: &Result<ImageSpec, Fault>,
    ) -> Seen {
        let why = unreleasable(&self.workspaces().any().subsystems[name]);
        let is_versioned = why.is_none();
        let (spec, state) = match (spec, why) {
            (Err(fault), _) => (None, Err(fault.clone())),
            (Ok(spec), Some(why)) => (Some(spec.clone()), Err(why)),
            (Ok(spec), None) if self.session.flags.offline => {
                let fault = not_asked(&spec.reference().to_string(), spec.repository.host());
                (Some(spec.clone()), Err(fault))
            }
            (Ok(spec), None) => {
                let state = look_at(&self.wants.registries, spec, self.locked(spec)).await;
                (Some(spec.clone()), self.trusted(spec, state).await)
            }
        };
        Seen { name: name.clone(), spec, state, is_versioned }
    }

    /// The same as `state`, but for an image that `trust: ci` does not take.
    async fn trusted(
        &self,
        spec: &ImageSpec,
        state: Result<ImageState, Fault>,
    ) -> Result<ImageState, Fault> {
        let workspace = self.workspaces().any();
        let Ok(ImageState::Released { digest }) = &state else { return state };
        if workspace.image_trust == Trust::Any {
            return state;
        }
        let (registries, ours) = (&self.wants.registries, trusted_repositories(workspace));
        match trusted_image(registries, &spec.repository, *digest, &ours).await? {
            Ok(_) => state,
            Err(why) => {
                let image = spec.reference().to_string();
                Err(distrusted(Trust::Ci, spec.name.as_str(), &image, why))
            }
        }
    }

    /// As [`Self::look_at_tags`], as far as a release would get that far: what is missing may not be
    /// what its version says.
    pub(in super::super) async fn planned(&self) -> Vec<Seen> {
        let mut planned = self.look_at_tags().await;
        for seen in &mut planned {
            let missing = seen.spec.as_ref().filter(|_| seen.state == Ok(ImageState::Absent));
            let refused = match missing {
                Some(spec) => self.refusal(spec).await,
                None => Ok(None),
            };
            match refused {
                Ok(None) => {}
                Ok(Some(why)) | Err(why) => seen.state = Err(why),
            }
        }
        planned
    }

    /// Why what is in the workspace is not the version that the image would be released as.
    async fn refusal(&self, spec: &ImageSpec) -> Result<Option<Fault>, Fault> {
        let workspaces = self.workspaces();
        let own_version = OwnVersion {
            workspaces,
            runner: &self.session.host.runner(1),
            is_shared: !spec.repository.is_local(),
            offline: self.session.flags.offline,
        };
        let platform = workspaces.any().platform;
        let id = ArtifactId { name: spec.name.clone(), platform };
        own_version.refusal_of_image(&id, &spec.version).await
    }

    /// What `forge.lock` says of the image.
    fn locked(&self, spec: &ImageSpec) -> Option<&LockedImage> {
        let workspace = self.workspaces().any();
        let version = workspace.subsystems[&spec.name].version.as_str();
        workspace.lock.get(&spec.name, version)?.image.as_ref()
    }

    /// Brings all images to their registries: makes what no tag has, of what can be built. What is a
    /// failure of those that are not to be released, `wish` decides.
    pub(in super::super) async fn release(
        &self,
        names: &BTreeSet<Name>,
        wish: PushWish,
    ) -> Result<RunReport, CliError> {
        let mut images: BTreeMap<Name, ImageReport> = BTreeMap::new();
        let mut missing: BTreeMap<Name, ImageSpec> = BTreeMap::new();
        let mut there = Vec::new();
        for seen in self.planned().await.into_iter().filter(|seen| names.contains(&seen.name)) {
            let may_be_left_out = seen.may_be_left_out(wish);
            match (seen.state, seen.spec) {
                (Ok(ImageState::Absent), Some(spec)) => drop(missing.insert(seen.name, spec)),
                (Ok(ImageState::Released { digest }), Some(spec)) => {
                    let report = report(&spec, ImageHow::Released, "its tag has it");
                    images.insert(seen.name, ImageReport { digest: Some(digest), ..report });
                    // The lock has an image only when its tags had moved.
                    if self.locked(&spec).is_none() {
                        there.push(spec);
                    }
                }
                (Ok(ImageState::Other { why, .. }), Some(spec)) => {
                    let fault = Self::other(&spec, &why);
                    let image = match wish.is_asked() || self.follows_tag(&seen.name) {
                        true => failed(&spec, fault),
                        false => left_out(&spec, &fault),
                    };
                    images.insert(seen.name, image);
                }
                (Err(fault), Some(spec)) if may_be_left_out => {
                    images.insert(seen.name, left_out(&spec, &fault));
                }
                (state, spec) => {
                    let fault = state.err().unwrap_or_else(|| broken(&seen.name));
                    images.insert(seen.name.clone(), self.not_even(&seen.name, spec, fault));
                }
            }
        }
        let mut report = self.ensured(missing.keys(), Publish::InImages).await?;
        let events = open_screen(self.session);
        let pushes = missing.values().enumerate().map(|(at, spec)| {
            let (report, events) = (&report, events.2.clone());
            async move { self.release_one(spec, report, at, events).await }
        });
        let pushed: Vec<ImageReport> =
            stream::iter(pushes).buffer_unordered(PUSHES_AT_ONCE).collect().await;
        events.0.finish();
        for one in pushed {
            there.extend(missing.get(&one.name).filter(|_| one.how.is_good()).cloned());
            images.insert(one.name.clone(), one);
        }
        let moves = there.iter().map(|spec| {
            let own = images.get(&spec.name).and_then(|image| image.digest);
            async move {
                match own {
                    Some(own) => (spec, self.move_tags(spec, own).await),
                    None => (spec, Ok(Vec::new())),
                }
            }
        });
        let moves: Vec<_> = stream::iter(moves).buffer_unordered(AT_ONCE).collect().await;
        for (spec, moved) in moves {
            let Some(image) = images.get_mut(&spec.name) else { continue };
            match moved {
                Ok(moved) => image.moved = moved,
                Err(fault) => image.fault = Some(fault),
            }
        }
        report.images = images.into_values().collect();
        Ok(report)
    }

    /// Makes sure that what goes into the images of `names` is there, for all their platforms; with
    /// [`Publish::InImages`] what may go to others.
    pub(super) async fn ensured<'n>(
        &self,
        names: impl Iterator<Item = &'n Name>,
        publish: Publish,
    ) -> Result<RunReport, CliError> {
        let workspaces = self.workspaces();
        let parts: BTreeSet<Name> = names.flat_map(|name| needed(workspaces, name)).collect();
        if parts.is_empty() {
            return Ok(RunReport::default());
        }
        let request = RunRequest { workspaces: workspaces.clone(), names: &parts, publish };
        Ok(run(self.session, request).await?.report)
    }

    /// Makes and pushes one image, if all that it needs is there.
    async fn release_one(
        &self,
        spec: &ImageSpec,
        artifacts: &RunReport,
        at: usize,
        events: Arc<dyn EventSink>,
    ) -> ImageReport {
        let began = Instant::now();
        if let Some(lacks) = self.lacks(spec, artifacts) {
            let fault = Fault::new(Kind::Failed, format!("the image of {} {lacks}", spec.name));
            return ImageReport { how: ImageHow::Skipped, reason: lacks, ..failed(spec, fault) };
        }
        let action = ActionId(u32::try_from(at).unwrap_or(u32::MAX));
        let id = ArtifactId { name: spec.name.clone(), platform: Platform::host() };
        events.emit(Event::Started {
            action,
            artifact: id.clone(),
            version: spec.version.clone(),
            verb: "pushing",
        });
        let released = self.pushed(spec, action, &events).await;
        let seconds = began.elapsed().as_secs_f64();
        let image = match released {
            Ok(image) => ImageReport { seconds, ..image },
            Err(fault) => ImageReport { seconds, ..failed(spec, fault) },
        };
        events.emit(Event::Finished { action, report: shown(id, &image) });
        image
    }

    /// Which of what the image needs is not there, if something is not.
    pub(super) fn lacks(&self, spec: &ImageSpec, artifacts: &RunReport) -> Option<String> {
        let needed = needed(self.workspaces(), &spec.name);
        let is_needed = |one: &&ArtifactReport| {
            needed.contains(&one.id.name) && spec.platforms.contains(&one.id.platform)
        };
        let bad = artifacts.artifacts.iter().filter(is_needed).find(|one| !one.how.is_good())?;
        Some(format!(
            "needs {}, which {}",
            bad.id,
            match bad.how {
                How::Skipped => "was skipped",
                How::Cancelled => "was cancelled",
                _ => "failed",
            }
        ))
    }

    async fn pushed(
        &self,
        spec: &ImageSpec,
        action: ActionId,
        events: &Arc<dyn EventSink>,
    ) -> Result<ImageReport, Fault> {
        let made = self.made(spec, true).await?;
        let mut image = to_push(spec, &made.assembled, made.base.as_ref(), &made.layout);
        image.notes = self.notes(spec, &made).await?;
        let sink = events.clone();
        let progress = Arc::new(move |done, total| {
            sink.emit(Event::Transfer { action, done, total: Some(total) });
        });
        let pushed = push(&self.wants.registries, spec, &image, progress).await?;
        for why in &pushed.receipt.unsaid {
            let fault =
                why.clone().within(format!("{} is pushed without its provenance", spec.name));
            events.emit(Event::Warning { artifact: None, fault });
        }
        let is_new = pushed.receipt.published == Published::Created;
        let (how, why) = match is_new {
            true => (ImageHow::Pushed, "no tag had it"),
            false => (ImageHow::Released, "somebody pushed the same meanwhile"),
        };
        let bytes = pushed.receipt.sent_bytes;
        Ok(ImageReport { digest: Some(pushed.digest), bytes, ..report(spec, how, why) })
    }

    /// Moves the tags that `also` names. Which of them lead to the image now and did not before.
    async fn move_tags(&self, spec: &ImageSpec, own: Sha256) -> Result<Vec<String>, Fault> {
        let mut moved = Vec::new();
        for tag in &spec.also {
            match move_tag(&self.wants.registries, spec, own, tag).await? {
                MovedTag::Moved => moved.push(tag.clone()),
                MovedTag::There => {}
                MovedTag::Stays(why) => {
                    let text = format!("{}:{tag} stays: {why}", spec.repository);
                    if !self.session.flags.quiet {
                        self.session.note(&text);
                    }
                }
            }
        }
        Ok(moved)
    }

    /// Whether the tag of the project is its version.
    fn follows_tag(&self, name: &Name) -> bool {
        self.workspaces().any().subsystems[name].follows_tag
    }

    /// Another image is at the tag: what to say of that.
    pub(super) fn other(spec: &ImageSpec, why: &str) -> Fault {
        let what = format!("{} is another image", spec.reference());
        Fault::new(Kind::Verification, what)
            .because(why.to_owned())
            .hint("a release is never overwritten; a new version releases what is here")
    }

    /// An image of which it is not even known what it should be, or what is at its tag.
    fn not_even(&self, name: &Name, spec: Option<ImageSpec>, fault: Fault) -> ImageReport {
        match spec {
            Some(spec) => failed(&spec, fault),
            None => {
                let subsystem = &self.workspaces().any().subsystems[name];
                let image = subsystem.image.as_ref();
                let repo = image.map(|image| image.repo.to_string()).unwrap_or_default();
                ImageReport::failed(name.clone(), subsystem.version.label(None), repo, fault)
            }
        }
    }

    /// Enters images and bases into `forge.lock`.
    pub(in super::super) fn keep(&self, images: &[ImageReport]) {
        let mut changes = self.base_changes();
        // No commit of that tag could hold what the run of its tag enters.
        let is_of_tag = self.session.surroundings().tag().is_some();
        for image in images.iter().filter(|image| image.how.is_good() && image.fault.is_none()) {
            if is_of_tag && self.follows_tag(&image.name) {
                continue;
            }
            let Some(Ok(spec)) = self.wants.specs.get(&image.name) else { continue };
            let Some(digest) = image.digest else { continue };
            let locked = LockedImage { digest, fingerprint: spec.print.fingerprint };
            let version = self.workspaces().any().subsystems[&image.name].version.as_str();
            let change = LockChange::nothing_of(&image.name, version);
            changes.push(LockChange { image: Some(locked), ..change });
        }
        self.write(&changes);
    }

    /// Enters the bases that were not pinned into `forge.lock`.
    pub(in super::super) fn keep_bases(&self) {
        self.write(&self.base_changes());
    }

    fn base_changes(&self) -> Vec<LockChange> {
        let change = |(name, bases): (&Name, &BTreeMap<String, _>)| {
            let version = self.workspaces().any().subsystems[name].version.as_str();
            LockChange { bases: bases.clone(), ..LockChange::nothing_of(name, version) }
        };
        self.wants.new_bases.iter().map(change).collect()
    }

    fn write(&self, changes: &[LockChange]) {
        if self.session.flags.locked {
            return;
        }
        let layout = self.workspaces().layout();
        let console = self.session.console();
        let tell = |why: &str| console.err(&format!("waiting: {why}\n"));
        if let Err(fault) = write_lock(layout, changes, self.session.host.cancel(), &tell) {
            console.err(&render_warning(None, &fault, self.session.stderr_style()));
        }
    }
}

/// An image that stands `how`.
pub(super) fn report(spec: &ImageSpec, how: ImageHow, why: &str) -> ImageReport {
    ImageReport {
        name: spec.name.clone(),
        version: spec.version.clone(),
        image: spec.reference().to_string(),
        digest: None,
        how,
        moved: Vec::new(),
        bytes: 0,
        seconds: 0.0,
        reason: why.to_owned(),
        fault: None,
    }
}

/// An image that is not released, which is no failure.
fn left_out(spec: &ImageSpec, why: &Fault) -> ImageReport {
    report(spec, ImageHow::Skipped, &why.to_string())
}

pub(super) fn failed(spec: &ImageSpec, fault: Fault) -> ImageReport {
    let image = spec.reference().to_string();
    ImageReport::failed(spec.name.clone(), spec.version.clone(), image, fault)
}

fn broken(name: &Name) -> Fault {
    Fault::new(Kind::Failed, format!("the image of {name} was looked at, and nothing came of it"))
        .hint("this is a mistake in forge; please report it")
}

/// How the screen shows the end of a push.
fn shown(id: ArtifactId, image: &ImageReport) -> ArtifactReport {
    ArtifactReport {
        id,
        version: image.version.clone(),
        how: if image.how.is_good() { How::Built } else { How::Failed },
        published: image.how == ImageHow::Pushed,
        bytes: image.bytes,
        seconds: image.seconds,
        reason: image.reason.clone(),
        log: None,
        fault: image.fault.clone(),
    }
}
