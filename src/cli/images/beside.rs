//! Images beside binaries: what `release:all` and the pipeline do with them, and what those look at
//! that ask whether a release is complete.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};

use crate::{
    image::ImageState,
    model::{Fault, Name, RunReport},
    workspace::Workspaces,
};

use super::{
    super::{CliError, session::Session, versions, versions::Versions},
    ImageWants, ImageWork, PushWish, Seen, may_push, release_images, with_images,
};

/// Releases the images of `names`; `current` are the versions that schemes came to just now. Nothing if
/// none has an image, or they may not be pushed from here.
pub(in super::super) fn released_beside(
    session: &Session,
    names: &BTreeSet<Name>,
    current: &Versions,
    wish: PushWish,
) -> Result<Option<RunReport>, CliError> {
    let session = &session.for_images();
    let Some((wants, names)) = wanted_beside(session, names, current)? else { return Ok(None) };
    match may_push(session, &wants, wish.is_asked())? {
        true => release_images(session, wants, &names, wish).map(Some),
        false => Ok(None),
    }
}

/// How the images of `names` stand, for who only looks.
pub(in super::super) fn seen(
    session: &Session,
    names: &BTreeSet<Name>,
) -> Result<Vec<Seen>, CliError> {
    work(session, names, |session, work| Ok(session.host.runtime()?.wait_for(work.planned())))
}

/// What is at the tags of the images of `names`, whatever is in the workspace.
pub(in super::super) fn stand(
    session: &Session,
    names: &BTreeSet<Name>,
) -> Result<Vec<Seen>, CliError> {
    work(session, names, |session, work| Ok(session.host.runtime()?.wait_for(work.look_at_tags())))
}

fn work(
    session: &Session,
    names: &BTreeSet<Name>,
    look: impl Fn(&Session, &ImageWork<'_>) -> Result<Vec<Seen>, CliError>,
) -> Result<Vec<Seen>, CliError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let session = &session.for_images();
    let Some((wants, _)) = wanted_beside(session, names, &Versions::new())? else {
        return Ok(Vec::new());
    };
    look(session, &ImageWork::new(session, wants))
}

/// Adds images to a JSON document, if there are some.
pub(in super::super) fn add_to(document: &mut serde_json::Value, images: &[Seen]) {
    if !images.is_empty() {
        document["images"] = images.iter().map(Seen::json).collect();
    }
}

/// Whether others read the registries that the images of `names` are pushed to; nothing if none has one.
pub(in super::super) fn registry_of(
    workspaces: &Workspaces,
    names: &BTreeSet<Name>,
) -> Option<bool> {
    let images = names.iter().filter_map(|name| workspaces.any().subsystems[name].image.as_ref());
    images.map(|image| !image.repo.is_local()).reduce(|a, b| a || b)
}

/// Makes those images of `names` that no registry has. Nothing if none has an image, or one platform alone
/// is worked for.
pub(in super::super) fn made_beside(
    session: &Session,
    names: &BTreeSet<Name>,
) -> Result<Option<RunReport>, CliError> {
    if session.flags.platform.is_some() {
        return Ok(None);
    }
    let session = &session.for_images();
    let Some((wants, mut names)) = wanted_beside(session, names, &Versions::new())? else {
        return Ok(None);
    };
    let work = ImageWork::new(session, wants);
    let runtime = session.host.runtime()?;
    if !session.flags.offline {
        for seen in runtime.wait_for(work.look_at_tags()) {
            if matches!(seen.state, Ok(ImageState::Released { .. })) {
                names.remove(&seen.name);
            }
        }
    }
    if names.is_empty() {
        return Ok(None);
    }
    let began = Instant::now();
    let mut report = runtime.block_on(work.make(&names))?;
    report.seconds = began.elapsed().as_secs_f64();
    work.keep_bases();
    Ok(Some(report))
}

/// What the images of `names` should be; nothing if there are none.
fn wanted_beside(
    session: &Session,
    names: &BTreeSet<Name>,
    current: &Versions,
) -> Result<Option<(ImageWants, BTreeSet<Name>)>, CliError> {
    // Asked of one platform first: to resolve all of them costs, and most workspaces have no images.
    let with_image = with_images(&session.workspace()?, names);
    if with_image.is_empty() {
        return Ok(None);
    }
    let workspaces = workspaces_at(session, &with_image, current)?;
    let wants = ImageWants::find(session, Arc::new(workspaces), &with_image)?;
    Ok(Some((wants, with_image)))
}

/// The workspaces where `current` has the versions of some, and the others are at their last ones.
fn workspaces_at(
    session: &Session,
    names: &BTreeSet<Name>,
    current: &Versions,
) -> Result<Workspaces, CliError> {
    let words: Vec<String> = names.iter().map(Name::to_string).collect();
    let (workspaces, _) = versions::workspaces(session, &words)?;
    if current.is_empty() {
        return Ok(workspaces);
    }
    let made = workspaces.any().subsystems.values().filter(|one| one.scheme.is_some());
    let made = made.filter(|one| !one.version.is_unreleased());
    let mut all: Versions = made.map(|one| (one.name.clone(), one.version.clone())).collect();
    all.extend(current.clone());
    session.workspaces_at(&Versions::new(), &all)
}

/// Which images of a release are there: the state of each, looked at until a deadline.
pub(in super::super) struct ImageBoard<'s> {
    work: Option<ImageWork<'s>>,
    seen: BTreeMap<Name, Seen>,
}

impl<'s> ImageBoard<'s> {
    /// The board of `names`; asks no registry yet. `session` is one for images.
    pub(in super::super) fn open(
        session: &'s Session,
        names: &BTreeSet<Name>,
    ) -> Result<Self, CliError> {
        let found = wanted_beside(session, names, &Versions::new())?;
        let work = found.map(|(wants, _)| ImageWork::new(session, wants));
        Ok(Self { work, seen: BTreeMap::new() })
    }

    /// Looks at those that were not there yet.
    pub(in super::super) async fn look_again(&mut self) {
        let Some(work) = &self.work else { return };
        let is_open = |name: &&Name| {
            !self.seen.get(*name).is_some_and(|seen| seen.is_hit() || !seen.is_versioned)
        };
        let open: Vec<Name> = work.wants.specs.keys().filter(is_open).cloned().collect();
        for seen in work.look_at(&open).await {
            self.seen.insert(seen.name.clone(), seen);
        }
    }

    /// Whether one may still come: nothing is at its tag.
    pub(in super::super) fn awaits(&self) -> bool {
        self.missing().any(|seen| seen.state == Ok(ImageState::Absent))
    }

    /// Whether there is no image at all.
    pub(in super::super) fn is_empty(&self) -> bool {
        self.work.is_none()
    }

    /// All of them.
    pub(in super::super) fn all(&self) -> impl Iterator<Item = &Seen> {
        self.seen.values()
    }

    /// Those that have a version, by name.
    pub(in super::super) fn versioned(&self) -> impl Iterator<Item = &Seen> {
        self.seen.values().filter(|seen| seen.is_versioned)
    }

    /// Those that have a version, and are not there.
    pub(in super::super) fn missing(&self) -> impl Iterator<Item = &Seen> {
        self.versioned().filter(|seen| !seen.is_hit())
    }

    /// What a registry did not say, if one did not.
    pub(in super::super) fn doubt(&self) -> Option<&Fault> {
        self.versioned().find_map(Seen::fault)
    }
}
