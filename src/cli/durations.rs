//! How long builds took the last time: on this machine, or as the provenance of releases says.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};
use jiff::Timestamp;

use crate::{
    cache::{InstallPlace, SealKey},
    model::{ArtifactId, Fault, Platform, Version},
    provenance::{MAX_BYTES, StatementRun, read_statements, statement_name},
    release::{Pin, Pins, ReleaseCatalog},
    store::{Store, read_text},
    workspace::Workspaces,
};

/// How many statements are read at once.
const READS_AT_ONCE: usize = 16;

/// The seconds that each of `ids` took, where anything is known; and what kept us from knowing more.
pub(super) async fn durations(
    workspaces: &Workspaces,
    store: Option<&dyn Store>,
    ids: &BTreeSet<ArtifactId>,
) -> (BTreeMap<ArtifactId, f64>, Option<Fault>) {
    let mut known = recorded_seconds(workspaces, ids);
    let mut trouble = None;
    if let Some(store) = store {
        let pins = Pins::from_workspace(workspaces.any());
        let unknown = ids.iter().filter(|id| !known.contains_key(*id));
        let locked: Vec<_> = unknown.filter_map(|id| of_lock(&pins, id)).collect();
        known.extend(read_all(store, locked).await);
        let unknown: Vec<_> = ids.iter().filter(|id| !known.contains_key(*id)).collect();
        if !unknown.is_empty() {
            match store.releases().await {
                Ok(releases) => {
                    let catalog = ReleaseCatalog::from_releases(&pins, releases);
                    let last = unknown.into_iter().filter_map(|id| last(&pins, &catalog, id));
                    let last: Vec<_> = last.collect();
                    known.extend(read_all(store, last).await);
                }
                Err(fault) => trouble = Some(fault),
            }
        }
    }
    (with_siblings(ids, &known), trouble)
}

/// The seconds that each of `ids` took to build, of those that are installed here.
pub(super) fn recorded_seconds<'i>(
    workspaces: &Workspaces,
    ids: impl IntoIterator<Item = &'i ArtifactId>,
) -> BTreeMap<ArtifactId, f64> {
    let layout = workspaces.layout();
    let key = SealKey::of_user(layout.user());
    let seconds =
        |id: &ArtifactId| InstallPlace::for_artifact(layout, id).known(&key)?.build_seconds;
    ids.into_iter().filter_map(|id| Some((id.clone(), seconds(id)?))).collect()
}

/// Where the duration of one artifact is told.
struct StatementAsset {
    id: ArtifactId,
    tag: String,
    asset: String,
}

/// The release that `forge.lock` has.
fn of_lock(pins: &Pins, id: &ArtifactId) -> Option<StatementAsset> {
    let pin = pins.get(&id.name)?;
    let locked = pin.locked.as_ref()?;
    let revision = locked.assets.get(&id.platform)?.revision;
    let version = Version::new(&locked.version).ok()?;
    let commit = locked.commit.as_deref().filter(|_| version.is_moving());
    let tag = pin.tag.revised(&version.label(commit), revision);
    Some(StatementAsset { id: id.clone(), tag, asset: pin.asset(id.platform) })
}

/// The last release that has the artifact, or else one of another platform.
fn last(pins: &Pins, catalog: &ReleaseCatalog, id: &ArtifactId) -> Option<StatementAsset> {
    let pin: &Pin = pins.get(&id.name)?;
    let has = |platform: &Platform| {
        let entry = catalog.of_name(&id.name).find(|entry| entry.platforms().contains(platform))?;
        let (tag, asset) = (entry.info.tag.clone(), pin.asset(*platform));
        Some(StatementAsset { id: id.clone(), tag, asset })
    };
    has(&id.platform).or_else(|| pins.platforms.iter().find_map(has))
}

/// What the statements at these places say. One that cannot be read costs balance, nothing more.
async fn read_all(store: &dyn Store, places: Vec<StatementAsset>) -> Vec<(ArtifactId, f64)> {
    let read = places.into_iter().map(|place| async move {
        let name = statement_name(&place.asset);
        let text = read_text(store, &place.tag, &name, MAX_BYTES).await.ok()??;
        let statements = read_statements(&text).ok()?;
        Some((place.id, statements.iter().find_map(|statement| seconds(&statement.run))?))
    });
    stream::iter(read).buffered(READS_AT_ONCE).filter_map(std::future::ready).collect().await
}

fn seconds(run: &StatementRun) -> Option<f64> {
    let time = |text: &Option<String>| text.as_deref()?.parse::<Timestamp>().ok();
    let took = time(&run.finished_on)?.duration_since(time(&run.started_on)?);
    Some(took.as_secs_f64()).filter(|seconds| *seconds >= 0.0)
}

/// What is not known is taken for what the same takes for another platform.
fn with_siblings(
    ids: &BTreeSet<ArtifactId>,
    known: &BTreeMap<ArtifactId, f64>,
) -> BTreeMap<ArtifactId, f64> {
    let sibling = |id: &ArtifactId| {
        let same = known.iter().filter(|(other, _)| other.name == id.name);
        same.map(|(_, seconds)| *seconds).max_by(f64::total_cmp)
    };
    let guessed =
        |id: &ArtifactId| Some((id.clone(), known.get(id).copied().or_else(|| sibling(id))?));
    ids.iter().filter_map(guessed).collect()
}
