//! `forge image` and `release:image`: images of subsystems, made without a daemon and pushed.
//!
//! ```text
//! wants ── what each should be, and on which base ──> work ── make ──> .forge/dist
//!                                                       ├──── look, ensure, make, vouch, push, move tags
//!                                                       └──── promote: make again, vouch
//! ```

mod beside;
mod engine;
mod load;
mod make;
mod promote;
pub(super) mod released;
mod seen;
mod sends;
mod vouch;
mod wants;
mod work;

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use crate::{
    image::ImageState,
    model::{Fault, Kind, Layout, Name, RunReport},
    provenance::{Permission, may_publish_to},
    workspace::{Subsystem, Workspace},
};

use super::{CliError, ensure, session::Session, versions};
pub(super) use beside::{
    ImageBoard, add_to, made_beside, registry_of, released_beside, seen, stand,
};
pub(super) use promote::promote;
pub(super) use seen::{Seen, states, table};
use sends::ImageSends;
pub(super) use wants::{ImageWants, needed};
pub(super) use work::ImageWork;

/// Who wants images released, which decides what is a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PushWish {
    /// Somebody named them: each that cannot be released is a failure.
    Named,
    /// Somebody wants all that there are: those without a version are left out.
    All,
    /// CI, wherever that is allowed: so are those that are not what their pinned version says.
    Usual,
}

impl PushWish {
    /// Whether somebody asked for it.
    fn is_asked(self) -> bool {
        self != Self::Usual
    }
}

/// Makes images, and hands them to an engine if that is wanted.
pub(super) fn image(session: &Session, words: &[String], load: bool) -> Result<u8, CliError> {
    let session = &session.for_images();
    let began = Instant::now();
    let (wants, names) = wanted(session, words)?;
    if session.flags.dry_run {
        for spec in wants.specs.values() {
            let spec = spec.as_ref().map_err(Clone::clone)?;
            session.say(&format!(
                "would make {} for {}\n",
                spec.reference(),
                list(&spec.platforms)
            ))?;
        }
        return Ok(0);
    }
    let work = ImageWork::new(session, wants);
    let mut report = session.host.runtime()?.block_on(work.make(&names))?;
    report.seconds = began.elapsed().as_secs_f64();
    work.keep_bases();
    if load && report.is_good() {
        load::load(session, work.workspaces().layout(), &report.images)?;
    }
    close(session, work.workspaces().layout(), &report)
}

/// Releases images because somebody asks for it.
pub(super) fn release(session: &Session, words: &[String]) -> Result<u8, CliError> {
    let session = &session.for_images();
    let began = Instant::now();
    let (wants, names) = wanted(session, words)?;
    if session.flags.dry_run {
        return plan(session, wants);
    }
    may_push(session, &wants, true)?;
    let layout = wants.workspaces.layout().clone();
    let mut report = release_images(session, wants, &names, PushWish::Named)?;
    report.seconds = began.elapsed().as_secs_f64();
    close(session, &layout, &report)
}

/// Brings the images called `names` to their registries, and `forge.lock` up to date.
pub(super) fn release_images(
    session: &Session,
    wants: ImageWants,
    names: &BTreeSet<Name>,
    wish: PushWish,
) -> Result<RunReport, CliError> {
    let began = Instant::now();
    let work = ImageWork::new(session, wants);
    let mut report = session.host.runtime()?.block_on(work.release(names, wish))?;
    report.seconds = began.elapsed().as_secs_f64();
    work.keep(&report.images);
    Ok(report)
}

/// What the images of `words` should be; of all, if there are none.
pub(super) fn wanted(
    session: &Session,
    words: &[String],
) -> Result<(ImageWants, BTreeSet<Name>), CliError> {
    let (workspaces, selected) = versions::workspaces(session, words)?;
    let names = with_images(workspaces.any(), &selected);
    if names.is_empty() {
        let fault = match words {
            [] => Fault::new(Kind::Usage, "no subsystem has an image"),
            words => Fault::new(Kind::Usage, format!("there is no image of {}", words.join(", "))),
        };
        return Err(fault.hint("write `image: ghcr.io/OWNER/NAME` in a spec").into());
    }
    Ok((ImageWants::find(session, Arc::new(workspaces), &names)?, names))
}

/// Those of `names` that have an image.
pub(super) fn with_images(workspace: &Workspace, names: &BTreeSet<Name>) -> BTreeSet<Name> {
    let has_image = |name: &&Name| workspace.subsystems[*name].image.is_some();
    names.iter().filter(has_image).cloned().collect()
}

/// Whether images may be pushed from here.
///
/// # Errors
/// `Usage`, with the reason, if somebody asked for it and they may not.
pub(super) fn may_push(
    session: &Session,
    wants: &ImageWants,
    is_asked: bool,
) -> Result<bool, Fault> {
    let refused =
        |why: &str| Fault::new(Kind::Usage, "cannot push any image").because(why.to_owned());
    let flags = &session.flags;
    let forbidden = [
        (flags.no_publish, "--no-publish forbids it"),
        (flags.locked, "--locked keeps forge.lock as it is, and a release changes it"),
        (flags.offline, "--offline forbids the network"),
        (flags.platform.is_some(), "an image has all its platforms; leave out --platform"),
    ];
    if let Some((_, why)) = forbidden.iter().find(|(is_set, _)| *is_set) {
        return if is_asked { Err(refused(why)) } else { Ok(false) };
    }
    let is_shared = wants.specs.values().flatten().any(|spec| !spec.repository.is_local());
    match may_publish_to(session.surroundings(), is_shared) {
        Permission::Never(why) if is_asked => {
            Err(refused(&why)
                .hint("a push to the default branch or a tag publishes; so does a laptop"))
        }
        permission => Ok(permission.allows(is_asked || flags.publish)),
    }
}

/// Why the image of `subsystem` has no version to be released as.
pub(super) fn unreleasable(subsystem: &Subsystem) -> Option<Fault> {
    if !subsystem.version.is_unreleased() {
        return None;
    }
    let what = format!("the image of {} has no version to be released as", subsystem.name);
    let fault = Fault::new(Kind::Usage, what);
    Some(match subsystem.follows_tag {
        true => fault
            .because("its version is the tag of the project, and none is checked out as it is")
            .hint("`git tag v1.2.3` gives what is committed a version; commit or put away what has changed"),
        false => fault
            .because("its scheme has given it no version yet")
            .hint(format!("`forge release:binary {}` gives it one", subsystem.name)),
    })
}

/// Shows what a release would do.
fn plan(session: &Session, wants: ImageWants) -> Result<u8, CliError> {
    let work = ImageWork::new(session, wants);
    let (planned, sends) = session.host.runtime()?.wait_for(async {
        let planned = work.planned().await;
        let mut sends = Vec::new();
        let absent = |seen: &&Seen| matches!(seen.state, Ok(ImageState::Absent));
        for spec in planned.iter().filter(absent).filter_map(|seen| seen.spec.as_ref()) {
            sends.push(work.sends(spec).await?);
        }
        Ok::<_, Fault>((planned, sends))
    })?;
    if session.flags.json {
        let row = |seen: &Seen| {
            let mut row = seen.json();
            let sent = sends.iter().find(|it| row["image"] == it.image.as_str());
            row["sends"] = sent.map(ImageSends::json).into();
            row
        };
        let rows: Vec<_> = planned.iter().map(row).collect();
        let document = serde_json::json!({ "schema": 1, "images": rows });
        session.say(&format!("{document:#}\n"))?;
    } else {
        let lines: String = sends.iter().map(ImageSends::line).collect();
        let space = if lines.is_empty() { "" } else { "\n" };
        let table = table(&planned).render(session.stdout_style());
        session.say(&format!("{table}{space}{lines}"))?;
    }
    let fault = planned.iter().find_map(Seen::fault);
    Ok(fault.map_or(0, |fault| fault.kind.exit_code()))
}

/// Tells what became of images, and gives the exit code. Artifacts below them are told if something is
/// wrong with them.
fn close(session: &Session, layout: &Layout, report: &RunReport) -> Result<u8, CliError> {
    let artifacts = RunReport { images: Vec::new(), ..report.clone() };
    let is_short = artifacts.is_good() && !session.flags.verbose && !session.flags.json;
    let images = || RunReport { artifacts: Vec::new(), ..report.clone() };
    match is_short {
        true => ensure::close_as(session, layout, &images(), "released"),
        false => ensure::close_as(session, layout, report, ensure::DONE),
    }
}

/// Things with commas between them.
fn list(things: &[impl ToString]) -> String {
    things.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
