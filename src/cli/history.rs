//! `forge history`: the versions of a subsystem, with their commits, digests, and who built them when.

use std::collections::BTreeMap;

use crate::{
    git::{History, RemoteTag},
    model::{Fault, Kind},
    release::{CatalogEntry, ReleaseCatalog},
    report::{Align, Cell, Role, Table},
    workspace::Workspace,
};

use super::{
    CliError,
    evidence::{Evidence, evidence},
    releases::{Releases, version},
    session::Session,
};

/// One release.
struct Past {
    entry: CatalogEntry,
    /// The commit of its tag.
    tagged: Option<String>,
    evidence: Vec<Evidence>,
}

/// Prints the newest `limit` versions.
pub(super) fn history(session: &Session, name: &str, limit: usize) -> Result<u8, CliError> {
    let workspace = session.workspace()?;
    let releases = Releases::select(session, &workspace, &[name.to_owned()])?;
    if releases.names.len() != 1 {
        return Err(Fault::new(Kind::Usage, format!("`{name}` is a group"))
            .because("each of its subsystems has a history of its own")
            .into());
    }
    let (past, count) = session.host.runtime()?.block_on(async {
        let catalog = releases.catalog().await?.only(&releases.names);
        let tags = tags(session, &workspace, &releases).await?.unwrap_or_default();
        collect(&releases, catalog, &tags, limit).await
    })?;
    let text = match session.flags.json {
        true => json(&releases, &past),
        false => text(session, &releases, &past, count),
    };
    session.say(&text)?;
    Ok(0)
}

/// The tags of the subsystems at the remote; nothing outside of a repository, or offline.
pub(super) async fn tags(
    session: &Session,
    workspace: &Workspace,
    releases: &Releases,
) -> Result<Option<BTreeMap<String, RemoteTag>>, Fault> {
    let runner = session.host.runner(1);
    let Some(history) = History::around(&runner, workspace.layout.root()) else {
        return Ok(None);
    };
    if session.flags.offline {
        return Ok(None);
    }
    let stems = releases.pins.of_names(&releases.names).map(|pin| pin.tag.as_str());
    let stems: Vec<&str> = stems.collect();
    let tags = history.remote().await?.tags(&stems).await?;
    Ok(Some(tags.into_iter().map(|tag| (tag.tag.name.clone(), tag)).collect()))
}

async fn collect(
    releases: &Releases,
    catalog: ReleaseCatalog,
    tags: &BTreeMap<String, RemoteTag>,
    limit: usize,
) -> Result<(Vec<Past>, usize), Fault> {
    let count = catalog.entries.len();
    let mut past = Vec::new();
    for entry in catalog.entries.into_iter().take(limit) {
        let tagged = tags.get(&entry.info.tag).map(|tag| tag.tag.commit.clone());
        let evidence = evidence(&*releases.store, &entry).await?;
        past.push(Past { entry, tagged, evidence });
    }
    Ok((past, count))
}

impl Past {
    /// The commit it was made from: what its tag says, or else its provenance.
    fn commit(&self) -> Option<&str> {
        self.tagged.as_deref().or_else(|| self.evidence.iter().find_map(Evidence::commit))
    }

    fn day(&self) -> String {
        let day = |time: jiff::Timestamp| time.strftime("%Y-%m-%d").to_string();
        let built = || self.evidence.iter().find_map(Evidence::built)?.parse().ok();
        self.entry.published().or_else(built).map(day).unwrap_or_default()
    }
}

fn text(session: &Session, releases: &Releases, past: &[Past], count: usize) -> String {
    if past.is_empty() {
        return format!("nothing is released in {}\n", releases.store.url());
    }
    let mut table = Table::new([
        ("version", Align::Left),
        ("date", Align::Left),
        ("commit", Align::Left),
        ("asset", Align::Left),
        ("sha256", Align::Left),
        ("built by", Align::Left),
    ]);
    let short = |hash: &str, length: usize| hash.get(..length).unwrap_or(hash).to_owned();
    for one in past {
        let commit = one.commit().map(|commit| short(commit, 10)).unwrap_or_default();
        let mut head = [version(&one.entry), one.day(), commit];
        for evidence in &one.evidence {
            let digest = evidence.asset.sha256.map(|digest| short(&digest.to_string(), 12));
            let by = evidence.run().or(evidence.builder()).unwrap_or("nobody says");
            let [version, day, commit] = std::mem::take(&mut head);
            table.row([
                Cell::new(Role::Name, version),
                Cell::new(Role::Dim, day),
                Cell::new(Role::Plain, commit),
                Cell::new(Role::Plain, &evidence.asset.name),
                Cell::new(Role::Plain, digest.unwrap_or_default()),
                Cell::new(Role::Dim, by),
            ]);
        }
    }
    let more = match count - past.len() {
        0 => String::new(),
        more => format!(", and {more} before them: `--limit {count}` shows all"),
    };
    let what = if past.len() == 1 { "release" } else { "releases" };
    let sum = format!("{} {what} in {}{more}", past.len(), releases.store.url());
    format!("{}\n{sum}\n", table.render(session.stdout_style()))
}

fn json(releases: &Releases, past: &[Past]) -> String {
    let asset = |evidence: &Evidence| {
        serde_json::json!({
            "name": evidence.asset.name,
            "bytes": evidence.asset.size,
            "sha256": evidence.asset.sha256.map(|digest| digest.to_string()),
            "commit": evidence.commit(),
            "builder": evidence.builder(),
            "run": evidence.run(),
            "built": evidence.built(),
        })
    };
    let one = |past: &Past| {
        serde_json::json!({
            "version": past.entry.label,
            "revision": past.entry.revision.number(),
            "tag": past.entry.info.tag,
            "published": past.entry.info.published_at,
            "commit": past.commit(),
            "assets": past.evidence.iter().map(asset).collect::<Vec<_>>(),
        })
    };
    let document = serde_json::json!({
        "schema": 1,
        "store": releases.store.url(),
        "versions": past.iter().map(one).collect::<Vec<_>>(),
    });
    format!("{document:#}\n")
}
