//! `forge doctor`: what this machine, this workspace and its stores are fit for, and what to do
//! about the rest. Looks and asks; changes nothing.

mod check;
mod images;
mod places;
mod remote;
mod stores;
mod tools;

use std::sync::Arc;

use crate::{
    model::{Fault, Kind},
    process::{Runner, can_sandbox, find_outside, path_outside, sandbox_holds},
    workspace::{Source, Workspace},
};

use super::{CliError, session::Session};
use check::{Check, Checks};

/// Examines, and tells. Exit code 1 if something would fail.
pub(super) fn doctor(session: &Session) -> Result<u8, CliError> {
    let workspace = session.workspace();
    let checks = Checks(session.host.runtime()?.block_on(examine(session, workspace))?);
    session.say(&match session.flags.json {
        true => checks.json(session.platform()),
        false => checks.text(session.platform(), session.stdout_style()),
    })?;
    Ok(if checks.are_good() { 0 } else { Kind::Failed.exit_code() })
}

/// Makes all checks, in the order in which they are told.
async fn examine(
    session: &Session,
    workspace: Result<Workspace, CliError>,
) -> Result<Vec<Check>, CliError> {
    let runner = Arc::new(session.host.runner(1));
    let surroundings = session.surroundings();
    let told = Check::new("surroundings", "this run", surroundings.describe());
    let workspace = match workspace {
        Ok(workspace) => workspace,
        Err(stop) => return Ok(vec![unusable(stop), places::cache(&session.host), told]),
    };
    let mut checks = vec![usable(&workspace)];
    checks.extend(places::check_folders(&session.host, &workspace));
    checks.extend(git(&workspace, &runner).await);
    checks.extend(tools::check_programs(&workspace, &runner).await);
    checks.push(sandbox());
    checks.push(told);
    checks.extend(stores::check_stores(session, &workspace, surroundings).await);
    checks.extend(remote::check_remote(session, &workspace, &*runner).await);
    checks.extend(images::check_registries(session, &workspace, surroundings).await);
    Ok(checks)
}

fn usable(workspace: &Workspace) -> Check {
    let count = workspace.subsystems.len();
    let s = if count == 1 { "" } else { "s" };
    let found = format!("{count} subsystem{s} in {}", workspace.layout.root().display());
    Check::new("workspace", &workspace.project, found)
}

fn unusable(stop: CliError) -> Check {
    let fault = match stop {
        CliError::Fault(fault) => fault,
        CliError::Problems(problems) => {
            let count = problems.diagnostics.len();
            let s = if count == 1 { "" } else { "s" };
            Fault::new(Kind::Usage, format!("the workspace has {count} problem{s}"))
                .hint("`forge check` shows each with its place")
        }
    };
    Check::new("workspace", "versions.yml", "cannot be used").bad(fault)
}

/// Whether builds can be kept from writing elsewhere. It is not a fault of a system that it cannot.
fn sandbox() -> Check {
    let found = match (can_sandbox(), sandbox_holds()) {
        (true, true) => "builds write only to their own folders and the caches of toolchains",
        (true, false) => "builds write only to their own folders and caches, but for truncate(2)",
        (false, _) => "not available (it needs Landlock, Linux 5.19): builds may write everywhere",
    };
    Check::new("system", "sandbox", found)
}

/// Git, if something needs it.
async fn git(workspace: &Workspace, runner: &Runner) -> Option<Check> {
    let is_from_git = |source: &Source| matches!(source, Source::Git { .. });
    let mut users = workspace.subsystems.values().filter(|it| is_from_git(&it.source));
    let user = users.next()?;
    let root = workspace.layout.root();
    let Some(program) = find_outside("git", &path_outside(&workspace.environment, root), root)
    else {
        let fault = Fault::new(Kind::Failed, "git is not installed")
            .because(format!("the source of {} is fetched with it", user.name))
            .hint("install git and put it on PATH; until then only what a release has can be installed");
        return Some(Check::new("tool", "git", "not installed").bad(fault));
    };
    let lines = tools::ask(runner, workspace, &program, &|_| true).await;
    Some(Check::new("tool", "git", lines.first().map_or("there", String::as_str)))
}
