//! `forge release:binary`, `release:all` and `promote`: what is pinned, put into the first
//! store because somebody asks for it.

use std::sync::Arc;

use crate::model::{Fault, Kind};

use super::{
    Stop,
    ensure::close_as,
    plan::plan_of,
    run::{Publish, Request, run, runtime},
    session::{Session, select, surroundings},
    versions::{self, Versions},
};

/// Makes sure that the artifacts are released as the specs have them now: builds what no
/// release holds, packs and publishes it. What is released already costs a question.
pub(super) fn release(session: &Session, words: &[String]) -> Result<u8, Stop> {
    publish(session, words, Publish::Asked, "released")
}

/// Builds released artifacts again, and says beside those that came out bit for bit the same
/// that CI made them.
pub(super) fn promote(session: &Session, words: &[String]) -> Result<u8, Stop> {
    let surroundings = surroundings();
    if !surroundings.builder().is_ci_of_accepted_code() {
        return Err(Fault::new(Kind::Usage, "cannot promote what is released")
            .because(format!(
                "promoting adds the word of CI, and this is {}",
                surroundings.describe()
            ))
            .hint("let CI run it, on the default branch or a tag")
            .into());
    }
    publish(session, words, Publish::Again, "promoted")
}

fn publish(session: &Session, words: &[String], publish: Publish, done: &str) -> Result<u8, Stop> {
    let mut workspaces = Arc::new(session.workspaces()?);
    let names = select(workspaces.any(), words)?;
    let request = Request { workspaces: workspaces.clone(), names: &names, publish };
    if session.flags.dry_run {
        return plan_of(session, &request);
    }
    may_publish_at_all(session, &request)?;
    let versions = versions::claimed(session, workspaces.any(), &names)?;
    if !versions.is_empty() {
        // What a version is goes into what is built.
        workspaces = Arc::new(session.workspaces_at(&Versions::new(), &versions)?);
    }
    let request = Request { workspaces: workspaces.clone(), names: &names, publish };
    let outcome = runtime()?.block_on(run(session, request))?;
    if outcome.report.is_good() {
        versions::settled(workspaces.layout(), &versions);
    }
    close_as(session, workspaces.layout(), &outcome.report, done)
}

/// Whoever asks for a release wants to know at once that there can be none.
fn may_publish_at_all(session: &Session, request: &Request<'_>) -> Result<(), Fault> {
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
