//! `forge release:wait`: until what is pinned can be downloaded for every platform.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{
    image::ImageState,
    model::{Fault, Kind, Platform, Revision},
    release::{Gap, Pauses, Pin, gaps},
    report::{human_time, render_warning},
    store::{Store, checksum_name},
};

use super::{
    CliError,
    images::{ImageBoard, Seen, states},
    releases::Releases,
    session::Session,
};

/// How many releases are looked at at once.
const LOOKS_AT_ONCE: usize = 16;

/// A release that is waited for.
struct Awaited<'p> {
    pin: &'p Pin,
    label: String,
    revision: Revision,
    /// The files that were seen.
    present: BTreeSet<String>,
}

/// Waits. Exit code 124 if `timeout` has passed and something is still missing.
pub(super) fn wait(session: &Session, words: &[String], timeout: Duration) -> Result<u8, CliError> {
    let workspace = session.workspace()?;
    let releases = Releases::select(session, &workspace, words)?;
    let for_images = session.for_images();
    let mut board = ImageBoard::open(&for_images, &releases.names)?;
    let pins = releases.pins.of_names(&releases.names);
    let mut awaited = pins.map(Awaited::new).collect::<Result<Vec<_>, Fault>>()?;
    let began = Instant::now();
    let missing = session.host.runtime()?.wait_for(watch(
        session,
        &releases,
        &mut awaited,
        &mut board,
        timeout,
    ))?;
    let seconds = began.elapsed().as_secs_f64();
    close(session, &releases, awaited.len(), &board, &missing, seconds)
}

/// Asks until nothing is missing or the time is over; returns what is missing then.
async fn watch(
    session: &Session,
    releases: &Releases,
    awaited: &mut [Awaited<'_>],
    board: &mut ImageBoard<'_>,
    timeout: Duration,
) -> Result<BTreeSet<Gap>, Fault> {
    let end = Instant::now() + timeout;
    let mut pauses = Pauses::new();
    // The first question has to be answered: where nobody answers at all, waiting is no use.
    let mut missing = ask(releases, awaited, board).await?;
    print_missing(session, &missing);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if missing.is_empty() {
            return Ok(missing);
        }
        if left.is_zero() {
            return Ok(explain(&*releases.store, missing).await);
        }
        let pause = pauses.next().unwrap_or(left);
        tokio::time::sleep(pause.min(left)).await;
        match ask(releases, awaited, board).await {
            Ok(now) if now == missing => {}
            Ok(now) => {
                print_missing(session, &now);
                missing = now;
            }
            Err(fault) if fault.kind == Kind::Store => {
                session.console().err(&render_warning(None, &fault, session.stderr_style()));
            }
            Err(fault) => return Err(fault),
        }
    }
}

/// What is missing now. Files are asked for one by one, which costs the least where many wait:
/// a release that everybody may see is found without its host's API.
async fn ask(
    releases: &Releases,
    awaited: &mut [Awaited<'_>],
    board: &mut ImageBoard<'_>,
) -> Result<BTreeSet<Gap>, Fault> {
    let (store, platforms) = (&*releases.store, releases.pins.platforms.as_slice());
    let asked = awaited.iter_mut().map(|awaited| awaited.find_missing(store, platforms));
    let gaps: Vec<_> = stream::iter(asked).buffered(LOOKS_AT_ONCE).try_collect().await?;
    board.look_again().await;
    let is_alone = awaited.is_empty();
    Ok(gaps.into_iter().flatten().chain(images(board, is_alone)?).collect())
}

/// The images that are not there yet.
///
/// # Errors
/// If another image is at a tag, one has no version, or a registry does not say.
fn images(board: &ImageBoard<'_>, is_alone: bool) -> Result<Vec<Gap>, Fault> {
    let mut gaps = Vec::new();
    for seen in board.all() {
        let [image, _, why] = seen.row();
        match &seen.state {
            Ok(ImageState::Released { .. }) => {}
            Ok(ImageState::Absent) => gaps.push(Gap::Image { image }),
            Ok(ImageState::Other { .. }) => {
                let what = format!("{image} is another image");
                return Err(Fault::new(Kind::Verification, what).because(why));
            }
            // Beside binaries that have versions, those without are of no release.
            Err(_) if !seen.is_versioned && !is_alone => {}
            Err(fault) => return Err(fault.clone()),
        }
    }
    Ok(gaps)
}

/// What is missing, now that the time is over: of what seemed not to be there, some may be drafts.
async fn explain(store: &dyn Store, missing: BTreeSet<Gap>) -> BTreeSet<Gap> {
    let mut explained = BTreeSet::new();
    for gap in missing {
        let is_absent = matches!(gap, Gap::Release { .. });
        let is_draft = is_absent
            && store.release(gap.tag()).await.is_ok_and(|info| info.is_some_and(|i| i.is_draft));
        let tag = gap.tag().to_owned();
        explained.insert(if is_draft { Gap::Draft { tag } } else { gap });
    }
    explained
}

impl<'p> Awaited<'p> {
    fn new(pin: &'p Pin) -> Result<Self, Fault> {
        let revision = pin.locked_revision().unwrap_or(Revision::FIRST);
        Ok(Self { pin, label: pin.known_label()?, revision, present: BTreeSet::new() })
    }

    /// What the pinned release lacks: that of the revision that is locked, or else the latest.
    /// Whether there is a later one is asked at the beginning and at the end only.
    async fn find_missing(
        &mut self,
        store: &dyn Store,
        platforms: &[Platform],
    ) -> Result<Vec<Gap>, Fault> {
        let (was_seen, was_complete) = (!self.present.is_empty(), self.is_complete(platforms));
        if was_complete {
            return Ok(Vec::new());
        }
        self.find_files(store, platforms).await?;
        while self.pin.locked_revision().is_none()
            && !self.present.is_empty()
            && (!was_seen || self.is_complete(platforms))
        {
            let (label, revision) = (self.label.clone(), self.revision.next());
            let mut later = Self { pin: self.pin, label, revision, present: BTreeSet::new() };
            later.find_files(store, platforms).await?;
            if later.present.is_empty() {
                break;
            }
            *self = later;
        }
        Ok(self.gaps(platforms))
    }

    /// Looks for the files that were not seen yet. They do not go away again.
    async fn find_files(&mut self, store: &dyn Store, platforms: &[Platform]) -> Result<(), Fault> {
        let tag = self.tag();
        for asset in platforms.iter().map(|platform| self.pin.asset(*platform)) {
            for file in [asset.clone(), checksum_name(&asset)] {
                if self.present.contains(&file) {
                    continue;
                }
                if store.find(&tag, &file).await?.is_none() {
                    break;
                }
                self.present.insert(file);
            }
        }
        Ok(())
    }

    fn gaps(&self, platforms: &[Platform]) -> Vec<Gap> {
        gaps(self.pin, platforms, &self.tag(), &self.present)
    }

    fn is_complete(&self, platforms: &[Platform]) -> bool {
        self.gaps(platforms).is_empty()
    }

    fn tag(&self) -> String {
        self.pin.tag.revised(&self.label, self.revision)
    }
}

fn print_missing(session: &Session, missing: &BTreeSet<Gap>) {
    if session.flags.quiet || missing.is_empty() {
        return;
    }
    let gaps: Vec<_> = missing.iter().map(ToString::to_string).collect();
    session.console().err(&format!("waiting: {}\n", gaps.join("; ")));
}

fn close(
    session: &Session,
    releases: &Releases,
    count: usize,
    board: &ImageBoard<'_>,
    missing: &BTreeSet<Gap>,
    seconds: f64,
) -> Result<u8, CliError> {
    if session.flags.json {
        let lines: Vec<_> = missing.iter().map(gap_json).collect();
        let mut document = serde_json::json!({
            "schema": 1,
            "store": releases.store.url(),
            "complete": missing.is_empty(),
            "missing": lines,
            "seconds": seconds,
        });
        if !board.is_empty() {
            document["images"] = board.all().map(Seen::json).collect();
        }
        session.say(&format!("{document:#}\n"))?;
    }
    if missing.is_empty() {
        if !session.flags.json && !session.flags.quiet {
            if !board.is_empty() {
                let seen: Vec<&Seen> = board.all().collect();
                session.say(&states(&seen).render(session.stdout_style()))?;
            }
            let word = if count == 1 { "release is" } else { "releases are" };
            if count > 0 || board.is_empty() {
                session.say(&format!("{count} {word} complete in {}\n", releases.store.url()))?;
            }
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
    let platform = match gap {
        Gap::File { platform, .. } => Some(platform.to_string()),
        _ => None,
    };
    serde_json::json!({
        "tag": gap.tag(),
        "platform": platform,
        "file": gap.file(),
        "why": gap.to_string(),
    })
}
