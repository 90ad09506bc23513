//! `forge cache`: how large the user's cache is, and less of it; and the collection after runs.

use std::time::Duration;

use clap::Subcommand;
use serde::Serialize;

use crate::{
    cache::{Cache, CollectRequest, Collected},
    model::{Fault, Kind, parse_size},
    report::{Align, Cell, Role, Table, human_size, render_warning},
};

use super::{CliError, session::Session};

/// The variable that says how large the cache may become, or `off`.
const LIMIT: &str = "FORGE_CACHE_LIMIT";
/// How large it may become if nobody says so.
const USUAL_LIMIT: u64 = 20 << 30;
const DAY: Duration = Duration::from_secs(24 * 3600);
/// What was not used for so long goes by itself.
const USUAL_DAYS: u32 = 90;
/// For how long a run is held up by that.
const MOMENT: Duration = Duration::from_secs(1);
/// For how long somebody who asks for it waits.
const PATIENCE: Duration = Duration::from_secs(600);

/// What can be written behind `forge cache`.
#[derive(Debug, clap::Args)]
pub(super) struct CacheArgs {
    #[command(subcommand)]
    what: Option<CacheVerb>,
}

/// What is done with the cache.
#[derive(Debug, Subcommand)]
enum CacheVerb {
    /// Show how large it is, and where
    Size,
    /// Remove what was not used for some days
    ///
    /// It is done by itself too, once a day: what was not used for 90 days, and what is over 20 GiB.
    /// FORGE_CACHE_LIMIT names another size, or `off`.
    Prune {
        /// What was not used for so many days
        #[arg(long, value_name = "N", default_value = "30")]
        days: u32,
        /// What was not used for longest, until it is no larger than this: 500M, 20G
        #[arg(long, value_name = "SIZE", value_parser = size)]
        limit: Option<u64>,
    },
    /// Hash every file, and remove those that were changed
    Verify,
}

/// A part of the cache, for `--json`.
#[derive(Debug, Serialize)]
struct CacheRow {
    part: &'static str,
    files: usize,
    bytes: u64,
}

fn size(text: &str) -> Result<u64, String> {
    parse_size(text).ok_or_else(|| "write a number and `M` or `G`, such as `500M` or `20G`".into())
}

/// Does it.
pub(super) fn cache(session: &Session, wish: &CacheArgs) -> Result<u8, CliError> {
    let cache = session.host.cache()?;
    match wish.what.as_ref().unwrap_or(&CacheVerb::Size) {
        CacheVerb::Size => show_size(session, cache),
        CacheVerb::Prune { days, limit } => prune(session, cache, *days, *limit),
        CacheVerb::Verify => verify(session, cache),
    }
}

fn show_size(session: &Session, cache: &Cache) -> Result<u8, CliError> {
    let parts = cache.parts();
    let total: u64 = parts.iter().map(|part| part.bytes).sum();
    let root = cache.root().display();
    if session.flags.json {
        let rows: Vec<_> = parts
            .iter()
            .map(|part| CacheRow { part: part.what, files: part.files, bytes: part.bytes })
            .collect();
        let document = serde_json::json!({
            "schema": 1, "folder": root.to_string(), "bytes": total, "parts": rows,
        });
        session.say(&format!("{document:#}\n"))?;
        return Ok(0);
    }
    let mut table =
        Table::new([("part", Align::Left), ("files", Align::Right), ("size", Align::Right)]);
    for part in &parts {
        table.row([
            Cell::new(Role::Name, part.what),
            Cell::new(Role::Plain, part.files.to_string()),
            Cell::new(Role::Plain, human_size(part.bytes)),
        ]);
    }
    let text = table.render(session.stdout_style());
    session.say(&format!("{text}{} in {root}\n", human_size(total)))?;
    Ok(0)
}

fn prune(session: &Session, cache: &Cache, days: u32, limit: Option<u64>) -> Result<u8, CliError> {
    let is_dry = session.flags.dry_run;
    let wish = CollectRequest { oldest: DAY * days, most_bytes: limit, time: PATIENCE, is_dry };
    let done = cache.collect(&wish);
    if session.flags.json {
        let document = serde_json::json!({
            "schema": 1, "artifacts": done.artifacts, "files": done.files, "bytes": done.bytes,
            "busy": done.is_busy, "dry_run": is_dry,
        });
        session.say(&format!("{document:#}\n"))?;
    } else if !session.flags.quiet {
        session.say(&told(&done, is_dry))?;
    }
    if done.is_busy {
        session.note("another forge works with the cache: what is left can go later");
    }
    Ok(0)
}

fn told(done: &Collected, is_dry: bool) -> String {
    let verb = if is_dry { "would remove" } else { "removed" };
    let what = if done.artifacts == 1 { "artifact" } else { "artifacts" };
    format!("{verb} {} {what}, {}\n", done.artifacts, human_size(done.bytes))
}

fn verify(session: &Session, cache: &Cache) -> Result<u8, CliError> {
    let (count, damaged) = cache.audit(session.flags.dry_run);
    if session.flags.json {
        let paths: Vec<_> = damaged.iter().map(|path| path.display().to_string()).collect();
        let document = serde_json::json!({ "schema": 1, "files": count, "damaged": paths });
        session.say(&format!("{document:#}\n"))?;
    }
    if damaged.is_empty() {
        if !session.flags.quiet && !session.flags.json {
            session.say(&format!("{count} files: each is what its name says\n"))?;
        }
        return Ok(0);
    }
    let what = format!("{} of {count} files in your cache were changed", damaged.len());
    let fault = damaged.iter().take(5).fold(Fault::new(Kind::Verification, what), |fault, path| {
        fault.because(cache.root().join(path).display().to_string())
    });
    let hint = match session.flags.dry_run {
        true => "they would be removed, and what they were is obtained anew when it is wanted",
        false => "they are removed, and what they were is obtained anew when it is wanted",
    };
    Err(fault.hint(hint).into())
}

/// Collects what is old, after a run that wrote to the cache: for a moment, once a day, unless
/// `FORGE_CACHE_LIMIT` says `off`.
pub(super) fn collect_after_run(session: &Session) {
    if !session.host.wrote_cache() {
        return;
    }
    let most_bytes = match session.host.environment().get(LIMIT).filter(|text| !text.is_empty()) {
        None => USUAL_LIMIT,
        Some("off") => return,
        Some(text) => match parse_size(text) {
            Some(most) => most,
            None => {
                let what = format!("{LIMIT} is `{text}`, which is not a size");
                let fault = Fault::new(Kind::Usage, what).hint("write `20G`, `500M` or `off`");
                session.console().err(&render_warning(None, &fault, session.stderr_style()));
                return;
            }
        },
    };
    let Ok(cache) = session.host.cache() else { return };
    let oldest = DAY * USUAL_DAYS;
    let wish = CollectRequest { oldest, most_bytes: Some(most_bytes), time: MOMENT, is_dry: false };
    let done = cache.collect_if_due(&wish);
    if let Some(done) = done.filter(|done| done.artifacts > 0 && session.flags.verbose) {
        session.note(&format!("the cache: {}", told(&done, false).trim_end()));
    }
}
