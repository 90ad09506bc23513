//! `forge release:bundle`: a release of the project, made of the bundles of the tag that is
//! checked out, with notes that name its images.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    cache::{InstallPlace, SealKey, Staging, stage},
    git::{History, resolve},
    model::{ArtifactId, Fault, Kind, Layout, Name, Platform},
    process::CommandRunner,
    release::{ImageNotes, Notes, bundle_name, is_latest, is_project_tag},
    report::{human_size, render_fault},
    store::{Published, Store, StoreRelease, Upload},
    workspace::Workspaces,
};

use super::{
    CliError,
    bundle::{Bundle, changes, pack_all},
    images::ImageBoard,
    notes::{history, known, links, notes_of},
    session::{Session, select},
};

/// A release of the project, packed and ready to be published.
struct Prepared {
    store: Arc<dyn Store>,
    release: StoreRelease,
    bundles: Vec<Bundle>,
    /// Whether its page names images.
    has_images: bool,
    /// Holds the bundles.
    _staging: Staging,
}

/// Publishes the bundles as the release `tag` of the project.
pub(super) fn release(session: &Session, tag: &str) -> Result<u8, CliError> {
    let checked = check(session, tag)?;
    if session.flags.dry_run {
        for name in checked.bundle_names(checked.workspaces.wanted()) {
            session.say(&format!("would publish {name} as {tag} in {}\n", checked.store.url()))?;
        }
        return Ok(0);
    }
    let mut prepared = checked.pack(session)?;
    let Prepared { store, release, bundles, has_images, .. } = &mut prepared;
    let results = publish_all(session, store, release, bundles)?;
    let page = page(session, store, release, *has_images && exit_code(&results) == 0)?;
    if !session.flags.json {
        session.say(&page)?;
    }
    close(session, store, release, &results)
}

/// As [`release`], for the pipeline: what there is to tell, and the exit code.
pub(super) fn release_of_ci(session: &Session, tag: &str) -> Result<(String, u8), CliError> {
    let mut prepared = check(session, tag)?.pack(session)?;
    let Prepared { store, release, bundles, has_images, .. } = &mut prepared;
    let results = publish_all(session, store, release, bundles)?;
    let page = page(session, store, release, *has_images && exit_code(&results) == 0)?;
    let faults = results.iter().filter_map(|(_, result)| result.as_ref().err());
    let faults: String = faults.map(|fault| render_fault(fault, session.stderr_style())).collect();
    let text = faults + &told(store, release, &results, &waits_for(&results)) + &page;
    Ok((text, exit_code(&results)))
}

/// Tells on the page of the release `tag` what it has so far, and what of it is `missing`: as a
/// pre-release, which the run that completes it corrects. What there is to tell.
pub(super) fn announce_partial(
    session: &Session,
    tag: &str,
    board: &ImageBoard<'_>,
    missing: Vec<(String, String)>,
) -> Result<String, CliError> {
    let mut checked = check_tag(session, tag)?;
    checked.notes.images = image_notes(board);
    checked.notes.images.missing.extend(missing);
    let store = checked.store.clone();
    let release = StoreRelease { is_partial: true, ..checked.release() };
    match session.host.runtime()?.wait_for(store.announce(&release))? {
        true => {
            Ok(format!("{tag} in {} is a pre-release that says what is missing\n", store.url()))
        }
        false => Ok(format!(
            "{} has no page for {tag}, which would say:\n\n{}",
            store.url(),
            release.notes
        )),
    }
}

/// The images of `board` as notes tell them.
fn image_notes(board: &ImageBoard<'_>) -> ImageNotes {
    let there = board.versioned().filter_map(|seen| Some((seen.name.to_string(), seen.pinned()?)));
    let missing = board.missing().map(|seen| (seen.name.to_string(), seen.row()[2].clone()));
    ImageNotes { images: there.collect(), missing: missing.collect() }
}

/// Brings the page of `release` up to date where it has more than files: what there is to tell.
fn page(
    session: &Session,
    store: &Arc<dyn Store>,
    release: &StoreRelease,
    has_images: bool,
) -> Result<String, CliError> {
    if !has_images {
        return Ok(String::new());
    }
    Ok(match session.host.runtime()?.wait_for(store.announce(release))? {
        true => format!("{} in {} names every image\n", release.tag, store.url()),
        false => release.notes.clone(),
    })
}

/// Publishes all bundles. Whether the release is the latest one is known only now.
fn publish_all<'b>(
    session: &Session,
    store: &Arc<dyn Store>,
    release: &mut StoreRelease,
    bundles: &'b [Bundle],
) -> Result<Vec<Outcome<'b>>, CliError> {
    let results = session.host.runtime()?.wait_for(async {
        let others = store.releases().await?;
        let visible = others.iter().filter(|info| !info.is_draft).map(|info| info.tag.as_str());
        release.is_latest = is_latest(visible, &release.tag);
        Ok::<_, Fault>(publish(store, release, bundles).await)
    })?;
    Ok(results)
}

/// A tag that can be released from here.
struct Checked {
    tag: String,
    workspaces: Workspaces,
    names: BTreeSet<Name>,
    store: Arc<dyn Store>,
    notes: Notes,
}

/// Checks that `tag` can be released from here.
fn check(session: &Session, tag: &str) -> Result<Checked, CliError> {
    let mut checked = check_tag(session, tag)?;
    all_locked(&checked.workspaces, &checked.names)?;
    let images = session.for_images();
    let all = checked.workspaces.any().subsystems.keys().cloned().collect();
    let mut board = ImageBoard::open(&images, &all)?;
    session.host.runtime()?.wait_for(board.look_again());
    if let Some(seen) = board.missing().next() {
        let count = board.missing().count();
        let what = format!("{tag} lacks {count} of its images");
        let [image, _, why] = seen.row();
        return Err(Fault::new(Kind::Partial, what)
            .because(format!("{image}: {why}"))
            .hint("`forge release:image` releases those that are missing")
            .into());
    }
    checked.notes.images = image_notes(&board);
    Ok(checked)
}

/// Checks all of that but for its images.
fn check_tag(session: &Session, tag: &str) -> Result<Checked, CliError> {
    if !is_project_tag(tag) {
        let what = format!("`{tag}` is not a version of a project");
        return Err(Fault::new(Kind::Usage, what).hint("versions begin with `v`: v1.2.0").into());
    }
    let workspaces = session.workspaces()?;
    // What is released as an image alone is in no bundle.
    let names = workspaces.with_released_binaries(&select(workspaces.any(), &[])?);
    let Some(store) = session.stores(workspaces.any())?.all.into_iter().next() else {
        return Err(Fault::new(Kind::Usage, "there is no store to release to").into());
    };
    let needs_lock = !names.is_empty();
    let notes = tagged(session, &workspaces, &*store, (tag, needs_lock));
    let notes = session.host.runtime()?.block_on(notes)?;
    session.may_change(&*store)?;
    Ok(Checked { tag: tag.to_owned(), workspaces, names, store, notes })
}

/// The notes of `tag`, after it has turned out to be what is checked out, and to be pushed where
/// others read the store.
async fn tagged(
    session: &Session,
    workspaces: &Workspaces,
    store: &dyn Store,
    (tag, needs_lock): (&str, bool),
) -> Result<Notes, Fault> {
    let runner = session.host.runner(1);
    let history = history(&runner, workspaces.layout())?;
    let commit = is_checked_out(&history, tag, needs_lock).await?;
    // A run of CI that a tag began needs no proof that the tag was pushed.
    let is_known = session.surroundings().tag() == Some(tag);
    if store.is_shared() && !session.flags.offline && !is_known {
        is_pushed(&runner, &history, tag, &commit).await?;
    }
    let notes = notes_of(&history, &history.tags().await?, Some(tag)).await?;
    Ok(Notes { links: links(workspaces.any()), ..notes })
}

impl Checked {
    fn bundle_names(&self, platforms: &[Platform]) -> Vec<String> {
        if self.names.is_empty() {
            return Vec::new();
        }
        let project = &self.workspaces.any().project;
        platforms.iter().map(|platform| bundle_name(project, &self.tag, *platform)).collect()
    }

    /// The release as it is to be. Whether it is the latest is not known yet.
    fn release(&self) -> StoreRelease {
        let workspace = self.workspaces.any();
        StoreRelease {
            title: self.tag.clone(),
            notes: self.notes.render(),
            mode: workspace.mode,
            ..StoreRelease::of_subsystem(self.tag.clone(), self.bundle_names(&workspace.platforms))
        }
    }

    /// Packs the bundles.
    fn pack(self, session: &Session) -> Result<Prepared, CliError> {
        let (release, has_images) = (self.release(), !self.notes.images.is_empty());
        let staging = stage(&self.workspaces.any().layout)?;
        let bundles = match self.names.is_empty() {
            true => Vec::new(),
            false => pack_all(session, &self.workspaces, &self.names, &self.tag, staging.path())?,
        };
        Ok(Prepared { store: self.store, release, bundles, has_images, _staging: staging })
    }
}

/// What became of each bundle: whether it was new, and what the release waits for.
type Outcome<'b> = (&'b Bundle, Result<(bool, Vec<String>), Fault>);

/// Publishes them one after the other; goes on where one cannot be.
async fn publish<'b>(
    store: &Arc<dyn Store>,
    release: &StoreRelease,
    bundles: &'b [Bundle],
) -> Vec<Outcome<'b>> {
    let mut results = Vec::new();
    for bundle in bundles {
        let packed = bundle.packed;
        let upload = Upload::new(bundle.name.clone(), bundle.path.clone(), packed.sha256);
        let result = match store.publish(release, &upload).await {
            Err(fault) => Err(fault.within(format!("cannot publish {}", bundle.name))),
            Ok(receipt) => match receipt.published {
                Published::Created => Ok((true, receipt.waits_for)),
                Published::Identical => Ok((false, receipt.waits_for)),
                Published::Conflict { theirs } => {
                    Err(upload.conflict(store.url(), &release.tag, theirs))
                }
            },
        };
        results.push((bundle, result));
    }
    results
}

fn close(
    session: &Session,
    store: &Arc<dyn Store>,
    release: &StoreRelease,
    results: &[Outcome<'_>],
) -> Result<u8, CliError> {
    let faults: Vec<_> = results.iter().filter_map(|(_, result)| result.as_ref().err()).collect();
    for fault in &faults {
        session.console().err(&render_fault(fault, session.stderr_style()));
    }
    let waits_for = waits_for(results);
    if session.flags.json {
        let line = |(bundle, result): &Outcome<'_>| {
            let mut line = bundle.json();
            line["published"] = matches!(result, Ok((true, _))).into();
            line["fault"] = result.as_ref().err().map(ToString::to_string).into();
            line
        };
        let document = serde_json::json!({
            "schema": 1,
            "tag": release.tag,
            "store": store.url(),
            "latest": release.is_latest,
            "bundles": results.iter().map(line).collect::<Vec<_>>(),
            "waits_for": waits_for,
        });
        session.say(&format!("{document:#}\n"))?;
    } else {
        session.say(&told(store, release, results, &waits_for))?;
    }
    Ok(exit_code(results))
}

/// What the release lacks before it becomes visible.
fn waits_for<'o>(results: &'o [Outcome<'_>]) -> Vec<&'o String> {
    match results.last() {
        Some((_, Ok((_, waits_for)))) => waits_for.iter().collect(),
        _ => Vec::new(),
    }
}

fn exit_code(results: &[Outcome<'_>]) -> u8 {
    let faults: Vec<_> = results.iter().filter_map(|(_, result)| result.as_ref().err()).collect();
    match faults.first() {
        None => 0,
        Some(fault) if faults.len() == results.len() => fault.kind.exit_code(),
        Some(_) => Kind::Partial.exit_code(),
    }
}

fn told(
    store: &Arc<dyn Store>,
    release: &StoreRelease,
    results: &[Outcome<'_>],
    waits_for: &[&String],
) -> String {
    let mut text = String::new();
    for (bundle, result) in results {
        let size = human_size(bundle.packed.size);
        match result {
            Ok((true, _)) => text.push_str(&format!("published {}  {size}\n", bundle.name)),
            Ok((false, _)) => text.push_str(&format!("{} is there already\n", bundle.name)),
            Err(_) => text.push_str(&format!("{} is not published\n", bundle.name)),
        }
    }
    if !waits_for.is_empty() {
        let names: Vec<_> = waits_for.iter().map(|name| name.as_str()).collect();
        let names = names.join(", ");
        let line =
            format!("{} in {} stays a draft until it has {names}\n", release.tag, store.url());
        text.push_str(&line);
    }
    text
}

/// Everything in a bundle has to be what `forge.lock` pins, so that others can have the same.
fn all_locked(workspaces: &Workspaces, names: &BTreeSet<Name>) -> Result<(), Fault> {
    let key = SealKey::of_user(workspaces.layout().user());
    let is_unlocked = |id: &ArtifactId| {
        let version = workspaces.subsystem(id).version.as_str();
        let locked = workspaces.any().lock.get(&id.name, version);
        let asset = locked.and_then(|locked| locked.assets.get(&id.platform));
        let installed = InstallPlace::for_artifact(workspaces.layout(), id).known(&key);
        asset.is_none_or(|asset| {
            installed.is_some_and(|record| record.stamp.fingerprint != asset.fingerprint)
        })
    };
    let unlocked: Vec<_> = workspaces.artifacts(names).filter(is_unlocked).collect();
    if unlocked.is_empty() {
        return Ok(());
    }
    let fault = Fault::new(Kind::Usage, "cannot release what is not locked");
    let fault = unlocked.iter().fold(fault, |fault, id| {
        let version = &workspaces.subsystem(id).version;
        fault.because(format!("forge.lock has no {id} {version} as it is installed"))
    });
    Err(fault.hint("`forge release:all` releases and locks them; commit forge.lock before the tag"))
}

/// Refuses a tag that is not the commit in the workspace, as it is there.
async fn is_checked_out(
    history: &History<'_>,
    tag: &str,
    needs_lock: bool,
) -> Result<String, Fault> {
    let tags = history.tags().await?;
    let commit = known(&tags, tag)?.commit.clone();
    let refused =
        |why: String| Fault::new(Kind::Usage, format!("cannot release {tag}")).because(why);
    match history.head().await? {
        Some(head) if head == commit => {}
        head => {
            let short = |hash: &str| hash.get(..12).unwrap_or(hash).to_owned();
            let head = head.map_or_else(|| "nothing".into(), |head| short(&head));
            let why = format!("{tag} is {}, checked out is {head}", short(&commit));
            return Err(refused(why).hint(format!("`git switch --detach {tag}` checks it out")));
        }
    }
    let mut changes = changes(history).await?;
    // It says what was released here a moment ago, and goes into bundles alone.
    changes.retain(|path| needs_lock || !path.ends_with(Layout::LOCK));
    if changes.is_empty() {
        return Ok(commit);
    }
    let (shown, more) = changes.split_at(changes.len().min(3));
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    let why = format!("what is here is not what was tagged: {}{more} changed", shown.join(", "));
    Err(refused(why).hint("commit it and tag that, or put it away with `git stash -u`"))
}

/// Refuses a tag that the remote has not: a host that is asked to release it would make
/// one of that name, at whatever commit it thinks best.
async fn is_pushed(
    runner: &dyn CommandRunner,
    history: &History<'_>,
    tag: &str,
    commit: &str,
) -> Result<(), Fault> {
    let Some(origin) = history.origin().await? else { return Ok(()) };
    let refused = |why: &str| {
        Fault::new(Kind::Usage, format!("cannot release {tag}"))
            .because(why)
            .hint(format!("`git push origin {tag}` comes first"))
    };
    match resolve(runner, &origin, tag).await {
        Ok(there) if there.commit == commit => Ok(()),
        Ok(_) => Err(refused("the remote `origin` has another commit under that name")),
        Err(fault) if fault.kind == Kind::Usage => {
            Err(refused("the remote `origin` does not have that tag"))
        }
        Err(fault) => Err(fault),
    }
}
