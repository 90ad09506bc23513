//! `forge release:wait`: until what is pinned can be downloaded for every platform.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use futures_util::future::try_join_all;

use crate::{
    model::{Fault, Kind, Platform, Revision, revised_tag_name},
    release::{Gap, Pauses, Pin, gaps},
    report::{human_time, render_warning},
    store::Store,
};

use super::{
    Stop,
    releases::Releases,
    run::runtime,
    session::{Session, say},
};

/// Waits. Exit code 124 if `timeout` has passed and something is still missing.
pub(super) fn wait(session: &Session, words: &[String], timeout: Duration) -> Result<u8, Stop> {
    let workspace = session.workspace()?;
    let releases = Releases::of(session, &workspace, words)?;
    let mut wanted = Vec::new();
    for pin in releases.pins.of_names(&releases.names) {
        wanted.push((pin, pin.known_label()?));
    }
    let began = Instant::now();
    let missing = runtime()?.block_on(watch(session, &releases, &wanted, timeout))?;
    let seconds = began.elapsed().as_secs_f64();
    close(session, &releases, wanted.len(), &missing, seconds)
}

/// Asks until nothing is missing or the time is over; returns what is missing then.
async fn watch(
    session: &Session,
    releases: &Releases,
    wanted: &[(&Pin, String)],
    timeout: Duration,
) -> Result<BTreeSet<Gap>, Fault> {
    let end = Instant::now() + timeout;
    let mut pauses = Pauses::new();
    // The first question has to be answered: where nobody answers at all, waiting is no use.
    let mut missing = ask(releases, wanted).await?;
    tell(session, &missing);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if missing.is_empty() || left.is_zero() {
            return Ok(missing);
        }
        let pause = pauses.next().unwrap_or(left);
        tokio::time::sleep(pause.min(left)).await;
        match ask(releases, wanted).await {
            Ok(now) if now == missing => {}
            Ok(now) => {
                tell(session, &now);
                missing = now;
            }
            Err(fault) if fault.kind == Kind::Store => {
                eprint!("{}", render_warning(None, &fault, session.stderr_style()));
            }
            Err(fault) => return Err(fault),
        }
    }
}

/// What is missing now.
async fn ask(releases: &Releases, wanted: &[(&Pin, String)]) -> Result<BTreeSet<Gap>, Fault> {
    let (store, platforms) = (&*releases.store, releases.pins.platforms.as_slice());
    let asked = wanted.iter().map(|(pin, label)| gaps_of(store, platforms, pin, label));
    Ok(try_join_all(asked).await?.into_iter().flatten().collect())
}

/// What the pinned release lacks: that of the revision that is locked, or else the latest.
async fn gaps_of(
    store: &dyn Store,
    platforms: &[Platform],
    pin: &Pin,
    label: &str,
) -> Result<Vec<Gap>, Fault> {
    let mut revision = pin.locked_revision().unwrap_or(Revision::FIRST);
    let mut tag = revised_tag_name(&pin.name, label, revision);
    let mut found = store.release(&tag).await?;
    while found.is_some() && pin.locked_revision().is_none() {
        revision = revision.next();
        let next = revised_tag_name(&pin.name, label, revision);
        let Some(info) = store.release(&next).await? else { break };
        (tag, found) = (next, Some(info));
    }
    Ok(gaps(pin, platforms, &tag, found.as_ref()))
}

fn tell(session: &Session, missing: &BTreeSet<Gap>) {
    if session.flags.quiet || missing.is_empty() {
        return;
    }
    let gaps: Vec<_> = missing.iter().map(ToString::to_string).collect();
    eprintln!("waiting: {}", gaps.join("; "));
}

fn close(
    session: &Session,
    releases: &Releases,
    count: usize,
    missing: &BTreeSet<Gap>,
    seconds: f64,
) -> Result<u8, Stop> {
    if session.flags.json {
        let lines: Vec<_> = missing.iter().map(gap_json).collect();
        let document = serde_json::json!({
            "schema": 1,
            "store": releases.store.url(),
            "complete": missing.is_empty(),
            "missing": lines,
            "seconds": seconds,
        });
        say(&format!("{document:#}\n"))?;
    }
    if missing.is_empty() {
        if !session.flags.json && !session.flags.quiet {
            let word = if count == 1 { "release is" } else { "releases are" };
            say(&format!("{count} {word} complete in {}\n", releases.store.url()))?;
        }
        return Ok(0);
    }
    let tags: BTreeSet<_> = missing.iter().map(Gap::tag).collect();
    let tags: Vec<_> = tags.into_iter().collect();
    let verb = if tags.len() == 1 { "is" } else { "are" };
    let what = format!("{} {verb} not complete after {}", tags.join(" and "), human_time(seconds));
    let fault = missing
        .iter()
        .fold(Fault::new(Kind::Timeout, what), |fault, gap| fault.because(gap.to_string()));
    Err(fault
        .hint("look at the runs that publish them; `forge release:list` shows what is there")
        .into())
}

fn gap_json(gap: &Gap) -> serde_json::Value {
    let (platform, file) = match gap {
        Gap::File { platform, file, .. } => (Some(platform.to_string()), Some(file)),
        _ => (None, None),
    };
    serde_json::json!({
        "tag": gap.tag(),
        "platform": platform,
        "file": file,
        "why": gap.to_string(),
    })
}
