//! The remote cache: whether it answers, what it lets do, and what this run would do.

use crate::{
    model::{Fault, Kind},
    probe::NOT_ASKED,
    process::CommandRunner,
    reapi::{Connection, ServerCapabilities, Trouble},
    remote::{RemoteRights, machine_in_keys},
    workspace::{RemoteSettings, Workspace},
};

use super::{
    super::{remote::connection_settings, session::Session},
    check::Check,
};

/// The checks of the remote cache, if `workspace` names one. It never fails a run, so nothing here is bad.
pub(super) async fn check_remote(
    session: &Session,
    workspace: &Workspace,
    runner: &dyn CommandRunner,
) -> Vec<Check> {
    let Some(settings) = &workspace.remote else { return Vec::new() };
    let name = settings.identity();
    if session.flags.offline {
        return vec![Check::new("remote cache", name, NOT_ASKED)];
    }
    let server = match asked(session, workspace, settings).await {
        Ok(capabilities) => Check::new("remote cache", &name, found(&capabilities)),
        Err(fault) => Check::new("remote cache", &name, "cannot be used").note(fault),
    };
    let classes = session.classes();
    let rights = RemoteRights::new(settings, classes, session.surroundings());
    let told = |what: &str, why: Option<&str>| match why {
        None => format!("{what}: yes"),
        Some(why) => format!("{what}: no, {why}"),
    };
    let rights = format!("{}; {}", told("read", rights.unread), told("written", rights.unwritten));
    let machine = machine_in_keys(runner, workspace.layout.root()).await;
    let mut checks = vec![
        server,
        Check::new("remote cache", "this run", rights),
        Check::new("remote cache", "keys of this machine", machine),
    ];
    if let Some(execution) = &settings.execution {
        let properties: Vec<String> =
            execution.properties.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let fallback = if execution.falls_back { ", here if there is none" } else { "" };
        let found =
            format!("{} at once on workers{fallback}: {}", execution.jobs, properties.join(" "));
        checks.push(Check::new("remote cache", "execution", found.trim_end_matches([':', ' '])));
    }
    let unset = settings.variables().filter(|name| session.host.environment().get(name).is_none());
    checks.extend(unset.map(|variable| {
        let fault = Fault::new(Kind::Usage, format!("{variable} is not set"))
            .because("`remote:` of versions.yml names it")
            .hint("set it, if the server asks for a login");
        Check::new("remote cache", variable, "not set").note(fault)
    }));
    checks
}

async fn asked(
    session: &Session,
    workspace: &Workspace,
    settings: &RemoteSettings,
) -> Result<ServerCapabilities, Fault> {
    let fault = |trouble: Trouble| {
        Fault::new(Kind::Store, "the remote cache does not answer as it should")
            .because(trouble.why)
            .hint("until it does, everything is built; nothing fails for it")
    };
    let connection = connection_settings(session, workspace, settings)?;
    let connection = Connection::new(connection).map_err(fault)?;
    let answer = tokio::time::timeout(settings.timeout, connection.capabilities()).await;
    match answer {
        Ok(answer) => answer.map_err(fault),
        Err(_) => Err(Fault::new(Kind::Store, "the remote cache does not answer in time")),
    }
}

fn found(capabilities: &ServerCapabilities) -> String {
    let ServerCapabilities { version, digest_functions, may_write, compresses, executes, .. } =
        capabilities;
    let write = if *may_write { "lets results be written" } else { "lets nobody write results" };
    let zstd = if *compresses { ", zstd" } else { "" };
    let executes = if *executes { ", executes too" } else { "" };
    let functions = digest_functions.join(" and ");
    format!("answers: version {version}, {functions}{zstd}, {write}{executes}")
}
