//! `forge release:audit`: releases against the lock, and against what stands beside them.

use std::collections::BTreeMap;

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{
    archive::Hasher,
    model::{Fault, Kind, Sha256, asset_platform, counted},
    release::{AuditFinding, Audited, CatalogEntry, Severity, audit as examine, audit_tags},
    report::{Align, Cell, Role, Table},
    store::{Store, checksum_name, published_digest},
    workspace::Workspace,
};

use super::{
    CliError,
    evidence::{Evidence, evidence},
    history::tags,
    images::released::ImagesThere,
    releases::Releases,
    session::Session,
};

/// How many files are read at once.
const READS_AT_ONCE: usize = 8;

/// Audits the releases; with `deep`, every asset is downloaded and hashed. Exit code 4 if
/// a digest disagrees, 3 if something is missing.
pub(super) fn audit(session: &Session, words: &[String], deep: bool) -> Result<u8, CliError> {
    let workspace = session.workspace()?;
    let releases = Releases::select(session, &workspace, words)?;
    let (audited, tags, images) = session.host.runtime()?.wait_for(async {
        let tags = tags_of_schemes(session, &workspace, &releases).await?;
        let catalog = releases.catalog().await?.only(&releases.names);
        let store = &*releases.store;
        let read = catalog.entries.into_iter().map(|entry| read(store, entry, deep));
        let read = stream::iter(read).buffered(READS_AT_ONCE).try_collect::<Vec<_>>().await?;
        let images = ImagesThere::read(session, &workspace, &releases.names).await?;
        let found = images.audit(deep).await?;
        Ok::<_, Fault>((read, tags, (images.count(), found)))
    })?;
    let pins = releases.pins.only(&releases.names);
    let mut findings = examine(&pins, &audited);
    if let Some(tags) = &tags {
        findings.extend(audit_tags(&pins, &audited, tags));
    }
    let (images, found) = images;
    findings.extend(found);
    let counts = (audited.len(), images);
    let text = match session.flags.json {
        true => json(&releases, counts, &findings),
        false => text(session, &releases, counts, &findings),
    };
    session.say(&text)?;
    Ok(match worst(&findings) {
        Some(Severity::Wrong) => Kind::Verification.exit_code(),
        Some(Severity::Missing) => Kind::Partial.exit_code(),
        Some(Severity::Note) | None => 0,
    })
}

/// The tags of the remote with their commits; nothing if no version is made by a scheme, or none can
/// be asked.
async fn tags_of_schemes(
    session: &Session,
    workspace: &Workspace,
    releases: &Releases,
) -> Result<Option<BTreeMap<String, String>>, Fault> {
    let has_scheme = releases.pins.of_names(&releases.names).any(|pin| pin.scheme.is_some());
    let Some(tags) = (match has_scheme {
        true => tags(session, workspace, releases).await?,
        false => None,
    }) else {
        return Ok(None);
    };
    Ok(Some(tags.into_iter().map(|(name, tag)| (name, tag.tag.commit)).collect()))
}

fn worst(findings: &[AuditFinding]) -> Option<Severity> {
    findings.iter().map(|finding| finding.weight).max()
}

/// Reads the checksums of a release, and with `deep` the assets too.
async fn read(store: &dyn Store, entry: CatalogEntry, deep: bool) -> Result<Audited, Fault> {
    let (mut checksums, mut hashed) = (BTreeMap::new(), BTreeMap::new());
    let tag = &entry.info.tag;
    let files = &entry.info.assets;
    for asset in files.iter().map(|asset| &asset.name) {
        if asset_platform(asset).is_none() {
            continue;
        }
        if deep && let Some(digest) = hash(store, tag, asset).await? {
            hashed.insert(asset.clone(), digest);
        }
        if !files.iter().any(|file| file.name == checksum_name(asset)) {
            continue;
        }
        let checksum = match published_digest(store, tag, asset).await {
            Ok(Some(digest)) => Ok(digest),
            Ok(None) => Err("it is empty".to_owned()),
            Err(fault) => Err(fault.why.last().unwrap_or(&fault.what).clone()),
        };
        checksums.insert(asset.clone(), checksum);
    }
    let evidence = evidence(store, &entry).await?;
    let commit = |one: &Evidence| Some((one.asset.name.clone(), one.commit()?.to_owned()));
    let commits = evidence.iter().filter_map(commit).collect();
    Ok(Audited { entry, checksums, hashed, commits })
}

/// The digest of an asset's bytes; `None` if it went away meanwhile.
async fn hash(store: &dyn Store, tag: &str, asset: &str) -> Result<Option<Sha256>, Fault> {
    let Some(mut stream) = store.open(tag, asset).await? else { return Ok(None) };
    let mut hasher = Hasher::new();
    while let Some(bytes) = stream.bytes.try_next().await? {
        hasher.update(&bytes);
    }
    Ok(Some(hasher.finish()))
}

fn text(
    session: &Session,
    releases: &Releases,
    (count, images): (usize, usize),
    findings: &[AuditFinding],
) -> String {
    let word = if count == 1 { "release" } else { "releases" };
    let images = match images {
        0 => String::new(),
        images => format!(" and {}", counted(images, "image")),
    };
    let sum = format!("{count} {word} in {}{images} audited", releases.store.url());
    let count = |weight| findings.iter().filter(|finding| finding.weight == weight).count();
    let told =
        [(Severity::Wrong, "wrong"), (Severity::Missing, "missing"), (Severity::Note, "noted")];
    let counts = told.map(|(weight, word)| (count(weight), word));
    let counts: Vec<_> =
        counts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    if counts.is_empty() {
        return format!("{sum}: all is as it should be\n");
    }
    let mut table = Table::new([
        ("", Align::Left),
        ("release", Align::Left),
        ("file", Align::Left),
        ("what", Align::Left),
    ]);
    for finding in findings {
        let (role, word) = mark(finding.weight);
        table.row([
            Cell::new(role, word),
            Cell::new(Role::Name, &finding.tag),
            Cell::new(Role::Plain, finding.file.as_deref().unwrap_or_default()),
            Cell::new(Role::Plain, finding.trouble.to_string()),
        ]);
    }
    format!("{}\n{sum}: {}\n", table.render(session.stdout_style()), counts.join(", "))
}

fn mark(weight: Severity) -> (Role, &'static str) {
    match weight {
        Severity::Note => (Role::Dim, "note"),
        Severity::Missing => (Role::Warn, "missing"),
        Severity::Wrong => (Role::Error, "wrong"),
    }
}

fn json(releases: &Releases, (count, images): (usize, usize), findings: &[AuditFinding]) -> String {
    let line = |finding: &AuditFinding| {
        serde_json::json!({
            "weight": mark(finding.weight).1,
            "name": finding.name.as_str(),
            "tag": finding.tag,
            "file": finding.file,
            "what": finding.trouble.to_string(),
        })
    };
    let document = serde_json::json!({
        "schema": 1,
        "store": releases.store.url(),
        "ok": worst(findings).is_none_or(|weight| weight == Severity::Note),
        "releases": count,
        "images": images,
        "findings": findings.iter().map(line).collect::<Vec<_>>(),
    });
    format!("{document:#}\n")
}
