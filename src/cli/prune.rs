//! `forge release:prune`: old releases, told or deleted.

use jiff::{Timestamp, ToSpan};

use crate::{
    image::ReleasedImage,
    model::{Fault, Kind, counted},
    release::{CatalogEntry, RetentionPolicy, outdated},
    report::{Align, Cell, Role, Table, human_size, render_fault},
    versioning::day,
};

use super::{
    CliError,
    images::released::{ImagesThere, image_json, table_of_old},
    releases::Releases,
    session::Session,
};

/// What became of one release.
type Gone<'c> = (&'c CatalogEntry, Result<(), Fault>);

/// What became of one image.
type GoneImage<'i> = (&'i ReleasedImage, Result<(), Fault>);

/// What stays: `number` of the newest, and whatever is no older than `days`.
pub(super) fn keep(number: Option<u16>, days: Option<u16>) -> RetentionPolicy {
    let since = days.map(|days| day(Timestamp::now()).saturating_sub(i64::from(days).days()));
    // The last one of each is what is taken now.
    RetentionPolicy { number: number.map_or(1, usize::from), since }
}

/// Lists the releases beyond what `keep` says of each subsystem; with `yes`, deletes them.
pub(super) fn prune(
    session: &Session,
    words: &[String],
    keep: RetentionPolicy,
    yes: bool,
) -> Result<u8, CliError> {
    let workspace = session.workspace()?;
    let releases = Releases::select(session, &workspace, words)?;
    let runtime = session.host.runtime()?;
    let (catalog, images) = runtime.wait_for(async {
        let catalog = releases.catalog().await?;
        let images = ImagesThere::read(session, &workspace, &releases.names).await?;
        Ok::<_, Fault>((catalog, images))
    })?;
    let old = outdated(&catalog, &releases.pins, &releases.names, keep);
    let old_images = images.old(keep);
    let is_told_only = !yes || session.flags.dry_run;
    if is_told_only || old.is_empty() && old_images.is_empty() {
        session.say(&told(session, &releases, &old, &old_images))?;
        return Ok(0);
    }
    if !old.is_empty() {
        session.may_change(&*releases.store)?;
    }
    let (gone, gone_images) = runtime.wait_for(async {
        let gone_images = match old_images.as_slice() {
            [] => Vec::new(),
            old => images.remove(session, old).await?,
        };
        tell_images(session, &gone_images)?;
        Ok::<_, Fault>((delete(session, &releases, &old).await?, gone_images))
    })?;
    Ok(close(session, &releases, &gone, &gone_images)?)
}

/// Tells what became of old images.
fn tell_images(session: &Session, gone: &[GoneImage<'_>]) -> Result<(), Fault> {
    for (image, result) in gone {
        match result {
            Ok(()) if session.flags.quiet || session.flags.json => {}
            Ok(()) => session.say(&format!("deleted {}\n", image.reference()))?,
            Err(fault) => session.console().err(&render_fault(fault, session.stderr_style())),
        }
    }
    Ok(())
}

/// Deletes them, one after the other; goes on where one cannot be deleted.
async fn delete<'c>(
    session: &Session,
    releases: &Releases,
    old: &[&'c CatalogEntry],
) -> Result<Vec<Gone<'c>>, Fault> {
    let mut gone = Vec::new();
    for entry in old {
        let result = releases.store.remove(&entry.info.tag).await;
        match &result {
            Ok(()) if session.flags.quiet || session.flags.json => {}
            Ok(()) => session.say(&format!("deleted {}\n", entry.info.tag))?,
            Err(fault) => session.console().err(&render_fault(fault, session.stderr_style())),
        }
        gone.push((*entry, result));
    }
    Ok(gone)
}

fn close(
    session: &Session,
    releases: &Releases,
    gone: &[Gone<'_>],
    gone_images: &[GoneImage<'_>],
) -> Result<u8, Fault> {
    let left: Vec<_> = gone.iter().filter(|(_, result)| result.is_err()).collect();
    let bytes: u64 =
        gone.iter().filter(|(_, result)| result.is_ok()).map(|(entry, _)| entry.bytes()).sum();
    let images_left = gone_images.iter().filter(|(_, result)| result.is_err()).count();
    if session.flags.json {
        let line = |(entry, result): &Gone<'_>| {
            let fault = result.as_ref().err().map(ToString::to_string);
            let mut line = entry_json(entry);
            line["deleted"] = result.is_ok().into();
            line["fault"] = fault.into();
            line
        };
        let lines: Vec<_> = gone.iter().map(line).collect();
        let image = |(image, result): &GoneImage<'_>| {
            let fault = result.as_ref().err().map(ToString::to_string);
            gone_image_json(image, result.is_ok(), fault)
        };
        let images: Vec<_> = gone_images.iter().map(image).collect();
        session.say(&document(releases, &lines, &images))?;
    } else {
        let (count, bytes) = (gone.len() - left.len(), human_size(bytes));
        let url = releases.store.url();
        let images = match gone_images.len() - images_left {
            0 => String::new(),
            count => format!("; {} deleted", counted(count, "image")),
        };
        session.say(&match left.len() + images_left {
            0 => format!("{count} deleted from {url}, {bytes}{images}\n"),
            left => format!(
                "{count} deleted from {url}, {bytes}{images}; {left} could not be: run it again to go on\n"
            ),
        })?;
    }
    Ok(if left.len() + images_left == 0 { 0 } else { Kind::Partial.exit_code() })
}

fn told(
    session: &Session,
    releases: &Releases,
    old: &[&CatalogEntry],
    old_images: &[&ReleasedImage],
) -> String {
    if session.flags.json {
        let lines = old.iter().map(|entry| {
            let mut line = entry_json(entry);
            line["deleted"] = false.into();
            line
        });
        let images: Vec<_> =
            old_images.iter().map(|image| gone_image_json(image, false, None)).collect();
        return document(releases, &lines.collect::<Vec<_>>(), &images);
    }
    let told = told_releases(session, releases, old);
    if old_images.is_empty() {
        return told;
    }
    let bytes = human_size(old_images.iter().map(|image| image.bytes()).sum());
    let told = if old.is_empty() { String::new() } else { told + "\n" };
    format!(
        "{told}{}\n{}, {bytes}; with --yes they are deleted, for good\n",
        table_of_old(old_images).render(session.stdout_style()),
        counted(old_images.len(), "image")
    )
}

fn told_releases(session: &Session, releases: &Releases, old: &[&CatalogEntry]) -> String {
    let url = releases.store.url();
    if old.is_empty() {
        return format!("nothing to delete in {url}\n");
    }
    let mut table =
        Table::new([("would go", Align::Left), ("size", Align::Right), ("published", Align::Left)]);
    for entry in old {
        let day = entry.published().map(|time| time.strftime("%Y-%m-%d").to_string());
        table.row([
            Cell::new(Role::Name, &entry.info.tag),
            Cell::new(Role::Plain, human_size(entry.bytes())),
            Cell::new(Role::Dim, day.unwrap_or_default()),
        ]);
    }
    let bytes = human_size(old.iter().map(|entry| entry.bytes()).sum());
    let what = if old.len() == 1 { "release" } else { "releases" };
    format!(
        "{}\n{} {what} in {url}, {bytes}; with --yes they are deleted, for good\n",
        table.render(session.stdout_style()),
        old.len()
    )
}

fn entry_json(entry: &CatalogEntry) -> serde_json::Value {
    serde_json::json!({
        "tag": entry.info.tag,
        "name": entry.name.as_str(),
        "version": entry.label,
        "revision": entry.revision.number(),
        "published": entry.info.published_at,
        "bytes": entry.bytes(),
    })
}

fn gone_image_json(
    image: &ReleasedImage,
    is_deleted: bool,
    fault: Option<String>,
) -> serde_json::Value {
    let mut line = image_json(image);
    line["deleted"] = is_deleted.into();
    line["fault"] = fault.into();
    line
}

fn document(
    releases: &Releases,
    lines: &[serde_json::Value],
    images: &[serde_json::Value],
) -> String {
    let document = serde_json::json!({
        "schema": 1,
        "store": releases.store.url(),
        "releases": lines,
        "images": images,
    });
    format!("{document:#}\n")
}
