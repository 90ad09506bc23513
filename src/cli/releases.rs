//! `forge release:list`: the releases of each subsystem, and what they hold.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    model::{Fault, Kind, Name, Revision},
    release::{CatalogEntry, Pin, Pins, ReleaseCatalog},
    report::{Align, Cell, Role, Table, human_size},
    store::Store,
    workspace::Workspace,
};

use super::{
    CliError,
    images::released::ImagesThere,
    session::{Session, select},
};

/// What every verb about releases begins with.
pub(super) struct Releases {
    /// What the workspace pins.
    pub(super) pins: Pins,
    /// The subsystems that were asked for.
    pub(super) names: BTreeSet<Name>,
    /// The first store: the one that is published to.
    pub(super) store: Arc<dyn Store>,
    /// Whether it is the user's own, which nobody else sees.
    pub(super) is_private: bool,
}

impl Releases {
    /// Of the subsystems that `words` mean.
    pub(super) fn select(
        session: &Session,
        workspace: &Workspace,
        words: &[String],
    ) -> Result<Self, CliError> {
        let names = select(workspace, words)?;
        let stores = session.stores(workspace)?.all;
        let Some(store) = stores.into_iter().next() else {
            return Err(Fault::new(Kind::Usage, "there is no store to look into").into());
        };
        let is_private = workspace.stores.is_empty();
        Ok(Self { pins: Pins::from_workspace(workspace), names, store, is_private })
    }

    /// All releases in the store.
    pub(super) async fn catalog(&self) -> Result<ReleaseCatalog, Fault> {
        Ok(ReleaseCatalog::from_releases(&self.pins, self.store.releases().await?))
    }
}

/// Lists them.
pub(super) fn list(session: &Session, words: &[String]) -> Result<u8, CliError> {
    let workspace = session.workspace()?;
    let releases = Releases::select(session, &workspace, words)?;
    let (catalog, images) = session.host.runtime()?.wait_for(async {
        let catalog = releases.catalog().await?.only(&releases.names);
        let images = ImagesThere::read(session, &workspace, &releases.names).await?;
        Ok::<_, Fault>((catalog, images))
    })?;
    let text = match session.flags.json {
        true => json(&releases, &catalog, &images),
        false => text(session, &releases, &catalog, &images),
    };
    session.say(&text)?;
    Ok(0)
}

fn text(
    session: &Session,
    releases: &Releases,
    catalog: &ReleaseCatalog,
    images: &ImagesThere,
) -> String {
    let mut table = Table::new([
        ("subsystem", Align::Left),
        ("version", Align::Left),
        ("platforms", Align::Left),
        ("size", Align::Right),
        ("published", Align::Left),
        ("", Align::Left),
    ]);
    for pin in releases.pins.of_names(&releases.names) {
        for entry in catalog.of_name(&pin.name) {
            table.row(row(pin, entry, &releases.pins));
        }
        if !catalog.of_name(&pin.name).any(|entry| pin.pins(&entry.label)) {
            let version = Cell::new(Role::Plain, pin.version.as_str());
            let none = Cell::new(Role::Warn, "not released");
            table.row([Cell::new(Role::Name, pin.name.as_str()), version, none]);
        }
    }
    images.add_rows(&mut table);
    let style = session.stdout_style();
    format!("{}\n{}{}\n", table.render(style), sum(releases, catalog), images.sum())
}

fn row(pin: &Pin, entry: &CatalogEntry, pins: &Pins) -> [Cell; 6] {
    let version = version(entry);
    let lacks = entry.lacks(&pins.platforms);
    let all = pins.platforms.len();
    let platforms = match lacks.as_slice() {
        [] => Cell::new(Role::Ok, format!("{all} of {all}")),
        lacks => {
            let names: Vec<_> = lacks.iter().map(ToString::to_string).collect();
            let text = format!("{} of {all}, not {}", all - lacks.len(), names.join(", "));
            Cell::new(Role::Warn, text)
        }
    };
    let day = |time: jiff::Timestamp| time.strftime("%Y-%m-%d").to_string();
    [
        Cell::new(Role::Name, entry.name.as_str()),
        Cell::new(Role::Plain, version),
        platforms,
        Cell::new(Role::Plain, human_size(entry.bytes())),
        Cell::new(Role::Dim, entry.published().map(day).unwrap_or_default()),
        Cell::new(Role::Plain, marks(pin, entry).join(", ")),
    ]
}

/// `v1.2.0`, or `v1.2.0 r2`.
pub(super) fn version(entry: &CatalogEntry) -> String {
    match entry.revision {
        Revision::FIRST => entry.label.clone(),
        revision => format!("{} {revision}", entry.label),
    }
}

fn marks(pin: &Pin, entry: &CatalogEntry) -> Vec<&'static str> {
    let marks = [
        ("pinned", pin.pins(&entry.label)),
        ("locked", pin.locks(&entry.label)),
        ("draft", entry.info.is_draft),
        ("immutable", entry.info.is_immutable),
    ];
    marks.into_iter().filter_map(|(mark, holds)| holds.then_some(mark)).collect()
}

fn sum(releases: &Releases, catalog: &ReleaseCatalog) -> String {
    let bytes = catalog.entries.iter().map(CatalogEntry::bytes).sum();
    let count = catalog.entries.len();
    let word = if count == 1 { "release" } else { "releases" };
    let own = match releases.is_private {
        true => "; nobody else sees them: versions.yml names no `releases`",
        false => "",
    };
    format!("{count} {word} in {}, {}{own}", releases.store.url(), human_size(bytes))
}

fn json(releases: &Releases, catalog: &ReleaseCatalog, images: &ImagesThere) -> String {
    let subsystem = |pin: &Pin| {
        let entries = catalog.of_name(&pin.name);
        serde_json::json!({
            "name": pin.name.as_str(),
            "pinned": pin.version.as_str(),
            "releases": entries.map(|entry| entry_json(pin, entry, &releases.pins)).collect::<Vec<_>>(),
        })
    };
    let subsystems: Vec<_> = releases.pins.of_names(&releases.names).map(subsystem).collect();
    let images: Vec<_> = releases.names.iter().flat_map(|name| images.json_of(name)).collect();
    let others: Vec<_> = catalog.others.iter().map(|info| info.tag.as_str()).collect();
    let document = serde_json::json!({
        "schema": 1,
        "store": releases.store.url(),
        "subsystems": subsystems,
        "images": images,
        "other_tags": others,
    });
    format!("{document:#}\n")
}

fn entry_json(pin: &Pin, entry: &CatalogEntry, pins: &Pins) -> serde_json::Value {
    let words = |platforms: Vec<crate::model::Platform>| {
        platforms.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let assets = entry.info.assets.iter().map(|asset| {
        serde_json::json!({
            "name": asset.name,
            "bytes": asset.size,
            "sha256": asset.sha256.map(|digest| digest.to_string()),
        })
    });
    serde_json::json!({
        "tag": entry.info.tag,
        "version": entry.label,
        "revision": entry.revision.number(),
        "platforms": words(entry.platforms().into_iter().collect()),
        "missing": words(entry.lacks(&pins.platforms)),
        "bytes": entry.bytes(),
        "published": entry.info.published_at,
        "pinned": pin.pins(&entry.label),
        "locked": pin.locks(&entry.label),
        "draft": entry.info.is_draft,
        "immutable": entry.info.is_immutable,
        "assets": assets.collect::<Vec<_>>(),
    })
}
