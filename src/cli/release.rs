//! `forge release:binary`, `release:all` and `promote`: what is pinned, put into the first
//! store because somebody asks for it.

use std::sync::Arc;

use crate::{
    model::{Fault, Kind, Name},
    workspace::Subsystem,
};

use super::{
    CliError, affected, component_notes,
    ensure::close_as,
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
    publish(session, words, terms, (Publish::Asked, "released"))
}

/// Releases everything, or only what a change affects.
pub(super) fn all(session: &Session, affected_only: bool) -> Result<u8, CliError> {
    if !affected_only {
        return release(session, &[], &VersionArgs::default());
    }
    match affected::words(session, |_, said| said.to_vec(), &[], None)? {
        words if words.is_empty() => affected::nothing(session),
        words => release(session, &words, &VersionArgs::default()),
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
        codes.push(publish(
            session,
            &names,
            &VersionArgs::default(),
            (Publish::Again, "promoted"),
        )?);
    }
    if let Some(names) = images {
        codes.push(super::images::promote(session, &names)?);
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
    let of = |is_meant: &dyn Fn(&Subsystem) -> bool| {
        let meant = names.iter().filter(|name| is_meant(&workspace.subsystems[*name]));
        // What chose a version is passed on as it was written.
        let words = meant.map(|name| {
            let chosen = words.iter().find(|word| word.split('@').next() == Some(name.as_str()));
            chosen.cloned().unwrap_or_else(|| name.to_string())
        });
        Some(words.collect::<Vec<_>>()).filter(|words| !words.is_empty())
    };
    let (binaries, images) = (of(&Subsystem::releases_binaries), of(&|it| it.image.is_some()));
    if binaries.is_none() && images.is_none() {
        // Nothing at all is told as it ever was.
        return Ok(PromotedParts { binaries: Some(words.to_vec()), images });
    }
    Ok(PromotedParts { binaries, images })
}

fn publish(
    session: &Session,
    words: &[String],
    terms: &VersionArgs,
    (publish, done): (Publish, &str),
) -> Result<u8, CliError> {
    let documents = session.documents()?;
    let (chosen, current) = (Versions::new(), Versions::new());
    let mut workspaces = Arc::new(session.resolved_at(&documents, &chosen, &current)?);
    let mut names = select(workspaces.any(), words)?;
    let request = RunRequest { workspaces: workspaces.clone(), names: &names, publish };
    if session.flags.dry_run {
        return plan_of(session, &request);
    }
    may_publish_at_all(session, &request)?;
    let Claimed { versions, nothing } = claimed(session, workspaces.any(), &names, terms)?;
    if !nothing.is_empty() {
        tell_nothing(session, &nothing, names.len() == nothing.len())?;
        names.retain(|name| nothing.iter().all(|(other, _)| other != name));
        if names.is_empty() {
            return Ok(0);
        }
    }
    if !versions.is_empty() {
        // What a version is goes into what is built.
        workspaces = Arc::new(session.resolved_at(&documents, &chosen, &versions)?);
    }
    let request = RunRequest { workspaces: workspaces.clone(), names: &names, publish };
    let outcome = session.host.runtime()?.block_on(run(session, request))?;
    if outcome.report.is_good() {
        settled(workspaces.layout(), &versions);
        component_notes::keep_current(session, workspaces.any(), &versions);
    }
    close_as(session, workspaces.layout(), &outcome.report, done)
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
