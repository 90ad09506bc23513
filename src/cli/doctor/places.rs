//! The folders that forge writes to: can it, and is there room?

use std::path::Path;

use rustix::fs::{Access, access, statvfs};

use crate::{
    cache::Cache,
    model::{Fault, Kind},
    report::human_size,
    workspace::Workspace,
};

use super::{super::host::Host, check::Check};

const MIB: u64 = 1 << 20;
/// With less room than this, in bytes, hardly anything can be built.
const TOO_LITTLE: u64 = 64 * MIB;
/// With less room than this, in bytes, many a build fails.
const LITTLE: u64 = 1024 * MIB;

/// The folders that `workspace` needs. That of its stores is theirs to tell of.
pub(super) fn check_folders(host: &Host, workspace: &Workspace) -> Vec<Check> {
    let own = workspace.layout.forge();
    let forge = examine(&workspace.layout.display(&own), &own);
    let (cache, no_cache) = Cache::for_workspace(&workspace.layout);
    let cache = match no_cache {
        // It serves all the same: what a run only warns of does not fail.
        Some(fault) => {
            Check::new("folder", "your cache", "none: that of the workspace").note(fault)
        }
        None => examine("your cache", cache.root()),
    };
    [forge, cache].into_iter().chain(seal(host)).collect()
}

/// That the key which records are sealed with cannot be kept, if so.
fn seal(host: &Host) -> Option<Check> {
    if host.seal_key().lasts() {
        return None;
    }
    let place =
        host.user().data().map_or_else(|_| "nowhere".into(), |path| path.display().to_string());
    let fault = Fault::new(Kind::Failed, "what forge records counts for one run only")
        .because(format!("the key that seals it cannot be kept: {place} cannot be made or written to"))
        .hint(
            "set FORGE_DATA_DIR to a folder of yours; until then all that is installed is hashed in each run",
        );
    Some(Check::new("folder", "your data", format!("{place}: cannot be made")).note(fault))
}

/// The user's cache.
pub(super) fn cache(host: &Host) -> Check {
    match host.cache() {
        Ok(cache) => examine("your cache", cache.root()),
        Err(fault) => Check::new("folder", "your cache", "nowhere").bad(fault),
    }
}

fn examine(subject: &str, folder: &Path) -> Check {
    let there = folder.ancestors().find(|place| place.exists()).unwrap_or(Path::new("/"));
    let place = folder.display();
    let check = |found: &str| Check::new("folder", subject, format!("{place}: {found}"));
    let fault = |why: &str| {
        let what = format!("forge cannot write to {place}");
        Fault::new(Kind::Failed, what).because(format!("{} {why}", there.display()))
    };
    if !there.is_dir() {
        return check("no folder").bad(fault("is not a folder").hint("move it out of the way"));
    }
    if access(there, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let fault = fault("may not be written to");
        return check("not writable").bad(fault.hint("`chown` or `chmod` it, or run as its owner"));
    }
    match statvfs(there) {
        Ok(system) => roomy(check, subject, system.f_bavail.saturating_mul(system.f_frsize)),
        Err(_) => check("writable"),
    }
}

/// What to think of so much room, in bytes.
fn roomy(check: impl Fn(&str) -> Check, subject: &str, free: u64) -> Check {
    let check = check(&format!("writable, {} free", human_size(free)));
    let fault = || {
        Fault::new(Kind::Failed, format!("there is little room left for {subject}"))
            .because(format!("its file system has {} free", human_size(free)))
            .hint("free some space; `forge clean:dist` and `forge clean:src` help")
    };
    match free {
        ..TOO_LITTLE => check.bad(fault()),
        TOO_LITTLE..LITTLE => check.note(fault()),
        _ => check,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::check::Checks, *};
    use crate::{model::Platform, report::Style};

    fn told(check: Check) -> String {
        Checks(vec![check]).text(Platform::host(), Style::PLAIN)
    }

    #[test]
    fn little_room_is_told_before_it_is_too_little() {
        let roomy = |free| told(roomy(|found| Check::new("folder", "x", found), "x", free));
        assert!(roomy(1 << 40).ends_with("\nall is well\n"));
        let little = roomy(500 << 20);
        assert!(little.contains("warning: there is little room left for x\n"), "{little}");
        assert!(little.ends_with("\nnothing would fail; 1 thing is worth knowing\n"));
        let none = roomy(1 << 20);
        assert!(none.contains("error: there is little room left for x\n"), "{none}");
        assert!(none.ends_with("\n1 thing would fail\n"));
    }

    #[test]
    fn a_folder_that_is_not_there_yet_is_judged_by_where_it_would_be() {
        let temp = tempfile::tempdir().unwrap();
        assert!(told(examine("x", &temp.path().join("a/b"))).contains("writable, "));
        std::fs::write(temp.path().join("file"), "").unwrap();
        let text = told(examine("x", &temp.path().join("file/b")));
        assert!(text.contains("/file is not a folder\n  help: move it out of the way"), "{text}");
    }
}
