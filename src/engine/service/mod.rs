//! Services: what of the subsystems runs all day. Process Compose supervises; this room writes what
//! it is to run, starts it, asks it how things are, and ends it.
//!
//! - `home` says where things are, `configuration` what the supervisor is told: the file is the wish,
//!   and it is told to read it again whenever it changed. It names the services that were started, so
//!   one is added when its needs are ready; the order is kept here, since a supervisor that waits for
//!   a service that was replaced waits for ever.
//! - `supervisor` is the process, known again by number and start; `client` asks it.
//! - `last_line` is how it starts a service: by way of forge, which ends the last line of what is printed.
//! - `look` is what it starts to see whether a service is ready: forge once more.
//! - `raise` brings services up and waits for them; `stop` ends one, `lower` many, whatever became of the
//!   supervisor; `running` compares what runs with what is pinned; `renewal` replaces the supervisor itself.
//!
//! Everything here has a limit of time of its own.

mod client;
mod configuration;
mod home;
pub mod last_line;
pub mod look;
mod lower;
mod raise;
mod renewal;
mod running;
mod stop;
mod supervisor;

use std::collections::BTreeSet;

pub use home::{ServicePaths, detached_mark, is_service};
pub use lower::{DownGuard, lower, lower_all};
pub use raise::{UpReport, UpRequest, raise};
pub use renewal::interrupted;
pub use running::{Proof, prove};
pub use supervisor::{ServiceState, Supervisor};

use crate::{
    model::{Fault, Kind, Name, nearest},
    workspace::{SUPERVISOR, Service, Workspace},
};

/// The subsystem that yields the supervisor.
///
/// # Errors
/// `Usage` if none does.
pub fn supervising(workspace: &Workspace) -> Result<&Name, Fault> {
    let yields = |name: &&Name| {
        workspace.subsystems[*name].binaries.iter().any(|binary| binary == SUPERVISOR)
    };
    workspace.subsystems.keys().find(yields).ok_or_else(|| {
        Fault::new(Kind::Usage, "this workspace has no services")
            .hint("write `service:` in the spec of what is to run all day")
    })
}

/// The service of `name`.
pub fn find_service<'w>(workspace: &'w Workspace, name: &str) -> Option<&'w Service> {
    workspace.subsystems.get(name)?.service.as_ref()
}

/// The names of all services.
pub fn names(workspace: &Workspace) -> BTreeSet<Name> {
    let all = workspace.subsystems.iter();
    all.filter(|(_, subsystem)| subsystem.service.is_some()).map(|(name, _)| name.clone()).collect()
}

/// The services that `words` mean: names, or groups, of which those count that are services; all if
/// there are none.
///
/// # Errors
/// `Usage` for a word that means none.
pub fn select(workspace: &Workspace, words: &[String]) -> Result<BTreeSet<Name>, Fault> {
    let all = names(workspace);
    if words.is_empty() {
        return Ok(all);
    }
    let mut names = BTreeSet::new();
    for word in words {
        if let Some(name) = all.get(word.as_str()) {
            names.insert(name.clone());
        } else if let Some(group) = workspace.groups.get(word) {
            names.extend(group.iter().filter(|name| all.contains(*name)).cloned());
        } else {
            return Err(unknown(workspace, &all, word));
        }
    }
    Ok(names)
}

fn unknown(workspace: &Workspace, all: &BTreeSet<Name>, word: &str) -> Fault {
    if workspace.subsystems.contains_key(word) {
        return Fault::new(Kind::Usage, format!("{word} is not a service"))
            .hint("write `service:` in its spec");
    }
    let fault = Fault::new(Kind::Usage, format!("there is no service `{word}`"));
    let known: Vec<&str> = all.iter().map(Name::as_str).collect();
    match nearest(word, known.iter().copied()) {
        Some(near) => fault.hint(format!("did you mean `{near}`?")),
        None if known.is_empty() => fault.hint("write `service:` in the spec of a subsystem"),
        None => fault.hint(format!("there are {}", known.join(", "))),
    }
}

/// `names`, and every service that one of them needs.
pub fn with_needs(workspace: &Workspace, names: &BTreeSet<Name>) -> BTreeSet<Name> {
    let mut all = names.clone();
    let mut left: Vec<Name> = names.iter().cloned().collect();
    while let Some(name) = left.pop() {
        let needs =
            find_service(workspace, name.as_str()).into_iter().flat_map(|service| &service.needs);
        left.extend(needs.filter(|need| all.insert((*need).clone())).cloned());
    }
    all
}

/// `names`, and every service that needs one of them.
pub fn with_dependents(workspace: &Workspace, names: &BTreeSet<Name>) -> BTreeSet<Name> {
    let depends = |name: &&Name| {
        let only = BTreeSet::from([(*name).clone()]);
        !with_needs(workspace, &only).is_disjoint(names)
    };
    self::names(workspace).iter().filter(depends).chain(names).cloned().collect()
}
