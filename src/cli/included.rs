//! Files of tasks that are included by URL: had from the user's cache, else fetched, compared with
//! their digests and kept there. Every verb that loads a workspace may do that; nothing in the
//! workspace is written.

use std::collections::BTreeMap;

use crate::{
    manifest::MAX_BYTES,
    model::{Fault, Kind, Layout, Sha256},
    report::render_warning,
    store::{Fetcher, StoreSettings},
    workspace::{Library, LoadError, Pinned},
};

use super::{CliError, session::Session};

/// What `load` gives once all files at URLs that it wants are here.
pub(super) fn loaded<T>(
    session: &Session,
    layout: &Layout,
    load: impl Fn(&Library) -> Result<T, LoadError>,
) -> Result<T, CliError> {
    // Without a cache, what was fetched serves this run.
    let cache = session.host.cache().ok();
    let mut fetched: BTreeMap<Sha256, Vec<u8>> = BTreeMap::new();
    loop {
        let known = |sha256: Sha256| {
            let fetched = fetched.get(&sha256).cloned();
            fetched.or_else(|| cache?.pinned(sha256))
        };
        let wanted = match load(&known) {
            Err(LoadError::Wanted(files)) => files,
            other => return Ok(other?),
        };
        // Each round has fetched all that the one before wanted, so there is an end to it.
        let settings = StoreSettings::new(layout.clone(), session.host.environment());
        let settings = StoreSettings { offline: session.flags.offline, ..settings };
        let fetcher = Fetcher::new(&settings);
        for file in wanted {
            if fetched.contains_key(&file.sha256) {
                continue;
            }
            let bytes = session.host.runtime()?.wait_for(fetch(&fetcher, &file))?;
            if let Some(Err(fault)) = cache.map(|it| it.keep_pinned(file.sha256, &bytes)) {
                let fault = fault.within(format!("{} is not kept in your cache", file.shown));
                session.console().err(&render_warning(None, &fault, session.stderr_style()));
            }
            fetched.insert(file.sha256, bytes);
        }
    }
}

async fn fetch(fetcher: &Fetcher, file: &Pinned) -> Result<Vec<u8>, Fault> {
    let Pinned { url, shown, sha256, place } = file;
    let what = || format!("cannot include {shown}, as {place} says");
    let answer = fetcher.get_small(url, MAX_BYTES as u64).await.map_err(|fault| {
        let hint = "once it was fetched, it is in your cache, and no network is needed";
        fault.within(what()).hint(hint)
    })?;
    match answer {
        None => Err(Fault::new(Kind::Store, what())
            .because("the server says that there is no such file")
            .hint("is the URL right?")),
        Some((bytes, found)) if found == *sha256 => Ok(bytes),
        Some((_, found)) => Err(Fault::new(
            Kind::Verification,
            format!("{shown} is not the file that {place} pins"),
        )
        .because(format!("its sha256 is {found}"))
        .because(format!("pinned is {sha256}"))
        .hint("read what changed there before you pin the new digest")),
    }
}
