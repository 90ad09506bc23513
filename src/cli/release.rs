//! `forge release:binary`, `release:all` and `promote`: what is pinned, put into the first
//! store because somebody asks for it; of `release:all` images too, into their registries.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use crate::{
    model::{Fault, Kind, Name, RunReport},
    workspace::{Subsystem, Workspaces},
};

use super::{
    CliError, affected, component_notes,
    ensure::{close_as, note_private},
    images::{self, PushWish},
    next::{Claimed, claimed, settled},
    plan::plan_of,
    publish::Publish,
    run::{RunRequest, run},
    session::{Session, select},
    terms::VersionArgs,
    versions::Versions,
};

/// Makes sure that the artifacts are released as the specs have them now: builds what no
/// release holds, packs and publishes it. What is released already costs a question.
pub(super) fn release(
    session: &Session,
    words: &[String],
    terms: &VersionArgs,
) -> Result<u8, CliError> {
    publish(session, words, terms, &BINARIES)
}

/// Releases everything, or only what a change affects.
pub(super) fn all(session: &Session, affected_only: bool) -> Result<u8, CliError> {
    let terms = VersionArgs::default();
    if !affected_only {
        return publish(session, &[], &terms, &ALL);
    }
    match affected::words(session, |_, said| said.to_vec(), &[], None)? {
        words if words.is_empty() => affected::nothing(session),
        words => publish(session, &words, &terms, &ALL),
    }
}

/// Builds released artifacts again, and says beside those that came out bit for bit the same
/// that CI made them.
pub(super) fn promote(session: &Session, words: &[String]) -> Result<u8, CliError> {
    let surroundings = session.surroundings();
    if !surroundings.builder().is_ci_of_accepted_code() {
        return Err(Fault::new(Kind::Usage, "cannot promote what is released")
            .because(format!(
                "promoting adds the word of CI, and this is {}",
                surroundings.describe()
            ))
            .hint("let CI run it, on the default branch or a tag")
            .into());
    }
    let PromotedParts { binaries, images } = parts_to_promote(session, words)?;
    let mut codes = Vec::new();
    if let Some(names) = binaries {
        codes.push(publish(session, &names, &VersionArgs::default(), &PROMOTED)?);
    }
    if let Some(names) = images {
        codes.push(images::promote(session, &names)?);
    }
    // The gravest of them, as far as the codes tell.
    Ok(codes.into_iter().max().unwrap_or_default())
}

/// What `forge promote` is about, as words; nothing where there is none of the kind.
struct PromotedParts {
    /// Those of which binaries are released.
    binaries: Option<Vec<String>>,
    /// Those with an image.
    images: Option<Vec<String>>,
}

/// What `words` name of either kind.
fn parts_to_promote(session: &Session, words: &[String]) -> Result<PromotedParts, CliError> {
    let workspace = session.workspace()?;
    let (named, _) = super::versions::chosen(words)?;
    let names = select(&workspace, &named)?;
    let meant = |is_meant: &dyn Fn(&Subsystem) -> bool| {
        let those = names.iter().filter(|name| is_meant(&workspace.subsystems[*name]));
        // What chose a version is passed on as it was written.
        let words = those.map(|name| {
            let chosen = words.iter().find(|word| word.split('@').next() == Some(name.as_str()));
            chosen.cloned().unwrap_or_else(|| name.to_string())
        });
        Some(words.collect::<Vec<_>>()).filter(|words| !words.is_empty())
    };
    let (binaries, images) =
        (meant(&Subsystem::releases_binaries), meant(&|it| it.image.is_some()));
    if binaries.is_none() && images.is_none() {
        // Nothing at all is told as it ever was.
        return Ok(PromotedParts { binaries: Some(words.to_vec()), images });
    }
    Ok(PromotedParts { binaries, images })
}

/// What is released, and how that is called.
struct ReleaseKind {
    publish: Publish,
    done: &'static str,
    /// Whether images are released too.
    has_images: bool,
}

const BINARIES: ReleaseKind =
    ReleaseKind { publish: Publish::Asked, done: "released", has_images: false };
const ALL: ReleaseKind = ReleaseKind { has_images: true, ..BINARIES };
const PROMOTED: ReleaseKind =
    ReleaseKind { publish: Publish::Again, done: "promoted", has_images: false };

fn publish(
    session: &Session,
    words: &[String],
    terms: &VersionArgs,
    kind: &ReleaseKind,
) -> Result<u8, CliError> {
    let (publish, began) = (kind.publish, Instant::now());
    let documents = session.documents()?;
    let (chosen, current) = (Versions::new(), Versions::new());
    let mut workspaces = Arc::new(session.resolved_at(&documents, &chosen, &current)?);
    let mut names = select(workspaces.any(), words)?;
    let images = match kind.has_images && session.flags.platform.is_none() {
        true => images::with_images(workspaces.any(), &names),
        false => BTreeSet::new(),
    };
    if !kind.has_images {
        are_released(&workspaces, &names)?;
    }
    let request = RunRequest { workspaces: workspaces.clone(), names: &names, publish };
    if session.flags.dry_run {
        let released = workspaces.with_released_binaries(&names);
        return plan_of(session, &RunRequest { names: &released, ..request }, &images);
    }
    may_publish_at_all(session, &request)?;
    let Claimed { versions, nothing } = claimed(session, workspaces.any(), &names, terms)?;
    if !nothing.is_empty() {
        tell_nothing(session, &nothing, names.len() == nothing.len() && images.is_empty())?;
        names.retain(|name| nothing.iter().all(|(other, _)| other != name));
        if names.is_empty() && images.is_empty() {
            return Ok(0);
        }
    }
    if !versions.is_empty() {
        // What a version is goes into what is built.
        workspaces = Arc::new(session.resolved_at(&documents, &chosen, &versions)?);
    }
    let released = workspaces.with_released_binaries(&names);
    let mut report = RunReport::default();
    if !released.is_empty() {
        let request = RunRequest { workspaces: workspaces.clone(), names: &released, publish };
        let outcome = session.host.runtime()?.block_on(run(session, request))?;
        note_private(session, &outcome);
        report = outcome.report;
        if report.is_good() {
            settled(workspaces.layout(), &versions);
            component_notes::keep_current(session, workspaces.any(), &versions);
        }
    }
    if !images.is_empty()
        && let Some(pushed) = images::released_beside(session, &images, &versions, PushWish::All)?
    {
        report.add(pushed);
        report.seconds = began.elapsed().as_secs_f64();
    }
    close_as(session, workspaces.layout(), &report, kind.done)
}

/// Refuses what is released as an image alone.
fn are_released(workspaces: &Workspaces, names: &BTreeSet<Name>) -> Result<(), Fault> {
    let released = workspaces.with_released_binaries(names);
    let Some(name) = names.difference(&released).next() else { return Ok(()) };
    let what = format!("{name} is released as an image, and its binaries are not");
    let subsystem = &workspaces.any().subsystems[name];
    let fault = Fault::new(Kind::Usage, what);
    Err(match subsystem.has_binaries() {
        true => fault
            .because("the tag of the project is its version")
            .hint(format!("`forge release:image {name}` releases the image; `binaries: true` in its `image:` releases its binaries too")),
        false => fault
            .because("a Dockerfile makes all of it")
            .hint(format!("`forge release:image {name}` releases it")),
    })
}

/// Says what is not released, and why; as the answer, if that is `all`.
fn tell_nothing(session: &Session, nothing: &[(Name, String)], all: bool) -> Result<(), Fault> {
    if session.flags.json && all {
        let line =
            |(name, why): &(Name, String)| serde_json::json!({"name": name.as_str(), "why": why});
        let lines: Vec<_> = nothing.iter().map(line).collect();
        let document =
            serde_json::json!({"schema": 1, "artifacts": [], "nothing_to_release": lines});
        return session.say(&format!("{document:#}\n"));
    }
    for (name, why) in nothing {
        let line = format!("{name} is not released: {why}\n");
        match all && !session.flags.quiet {
            true => session.say(&line)?,
            false => session.console().err(&line),
        }
    }
    Ok(())
}

/// Whoever asks for a release wants to know at once that there can be none.
fn may_publish_at_all(session: &Session, request: &RunRequest<'_>) -> Result<(), Fault> {
    let flags = &session.flags;
    let refused = |flag: &str, why: &str| {
        Err(Fault::new(Kind::Usage, "cannot release anything").because(format!("{flag} {why}")))
    };
    if flags.no_publish {
        return refused("--no-publish", "forbids it");
    }
    if flags.locked {
        return refused("--locked", "keeps forge.lock as it is, and a release changes it");
    }
    let stores = session.stores(request.workspaces.any())?;
    match stores.all.first() {
        Some(store) if !store.is_writable() => {
            Err(Fault::new(Kind::Usage, format!("cannot release anything to {}", store.url()))
                .because("it is only read")
                .hint("put a store that can be written first in `releases` of versions.yml"))
        }
        _ => Ok(()),
    }
}
