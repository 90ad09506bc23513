//! The remote cache of a run: how the server is reached, with what the environment holds for it.

use std::{path::Path, sync::Arc};

use crate::{
    disk::read_file,
    model::{Event, EventSink, Fault, Kind, RemoteTotals, RunReport},
    probe::ProbeOptions,
    process::{Cancel, CommandRunner},
    reapi::{ClientIdentity, ConnectionSettings},
    remote::{RemoteCache, RemoteRights},
    report::{human_size, render_warning},
    task::TaskOptions,
    workspace::{RemoteSettings, Task, Workspace, Workspaces},
};

use super::session::Session;

/// No certificate is longer, in bytes.
const MOST_OF_CERTIFICATE: u64 = 1 << 20;

/// The remote cache that `workspaces` name; none if they name none, or if nobody may be asked.
pub(super) fn remote_cache(
    session: &Session,
    workspaces: &Arc<Workspaces>,
    runner: Arc<dyn CommandRunner>,
    options: ProbeOptions,
) -> Option<Arc<RemoteCache>> {
    let settings = workspaces.any().remote.as_ref().filter(|_| !session.flags.offline)?;
    let rights = rights(session, settings, options);
    let builder = session.surroundings().builder();
    let connection = connection_settings(session, workspaces.any(), settings);
    let given_up = session.remote_given_up.clone();
    let cache = RemoteCache::new(workspaces.clone(), runner, builder, rights, connection, given_up);
    Some(Arc::new(cache))
}

/// The remote cache for `tasks`; none if no task of them is shared.
pub(super) fn remote_of_tasks(
    session: &Session,
    workspaces: &Arc<Workspaces>,
    tasks: &[&Task],
    options: TaskOptions,
) -> Option<Arc<RemoteCache>> {
    if options.as_task || tasks.iter().all(|task| task.remote.is_none()) {
        return None;
    }
    let probing = ProbeOptions {
        locked: session.flags.locked,
        classes: options.classes,
        ..ProbeOptions::default()
    };
    let runner = Arc::new(session.host.runner(options.jobs));
    remote_cache(session, workspaces, runner, probing)
}

/// Waits until what tasks made is written, and tells what became of it.
pub(super) async fn tell_remote_of_tasks(
    session: &Session,
    remote: Option<&RemoteCache>,
    cancel: &Cancel,
    tell: &dyn Fn(&str),
) {
    let Some(remote) = remote else { return };
    let (totals, warnings) = tokio::select! {
        told = remote.finish() => told,
        () = cancel.cancelled() => return,
    };
    for fault in warnings {
        tell(&session.host.secrets().mask(&render_warning(None, &fault, session.stderr_style())));
    }
    let RemoteTotals { cache, fetched, missed, written, executed, sent } = &totals;
    let parts = [
        (*fetched, "fetched"),
        (*missed, "missed"),
        (*executed, "executed"),
        (*written, "written"),
    ];
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    let mut parts: Vec<String> = parts.map(|(count, word)| format!("{count} {word}")).collect();
    if *sent > 0 {
        parts.push(format!("{} sent", human_size(*sent)));
    }
    if !parts.is_empty() {
        tell(&format!("remote cache {cache}: {}", parts.join(", ")));
    }
}

/// What this run may do with it.
pub(super) fn rights(
    session: &Session,
    settings: &RemoteSettings,
    options: ProbeOptions,
) -> RemoteRights {
    let mut rights = RemoteRights::new(settings, options.classes, session.surroundings());
    if options.locked {
        rights = rights.without_reading("--locked takes nothing that is not pinned");
    } else if options.exact {
        rights = rights.without_reading("what is released is built");
    }
    match session.flags.no_publish {
        true => rights.without_writing("--no-publish forbids it"),
        false => rights,
    }
}

/// How the server of `settings` is reached.
pub(super) fn connection_settings(
    session: &Session,
    workspace: &Workspace,
    settings: &RemoteSettings,
) -> Result<ConnectionSettings, Fault> {
    let environment = session.host.environment();
    let header = |(name, variable): &(String, String)| {
        let value = environment.get(variable).filter(|value| !value.trim().is_empty())?;
        session.host.secrets().add(value);
        Some((name.clone(), value.trim().to_owned()))
    };
    let root = workspace.layout.root();
    let authorities = settings.authorities.as_ref().map(|path| read(&root.join(path)));
    let named = |variable: &String| {
        let path = environment.path(variable).ok_or_else(|| {
            Fault::new(Kind::Usage, format!("{variable} is not set"))
                .because("`remote: { tls }` of versions.yml names it")
                .hint("set it to the path of a PEM file")
        })?;
        read(&root.join(path))
    };
    let identity = settings.identity.as_ref().map(|(certificate, key)| {
        Ok::<_, Fault>(ClientIdentity { certificate: named(certificate)?, key: named(key)? })
    });
    Ok(ConnectionSettings {
        address: settings.address.clone(),
        instance: settings.instance.clone(),
        headers: settings.headers.iter().filter_map(header).collect(),
        authorities: authorities.transpose()?,
        identity: identity.transpose()?,
        patience: settings.timeout,
        run: super::run::run_name(),
        user_agent: concat!("forge/", env!("CARGO_PKG_VERSION")).to_owned(),
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    read_file(path, MOST_OF_CERTIFICATE)
        .map_err(|error| Fault::io(format!("cannot read {}", path.display()), &error))
        .map_err(|fault| fault.within("the remote cache cannot be used"))
}

/// Waits until all is written, unless the run was stopped, and tells what became of it.
pub(super) async fn tell_remote(
    remote: &RemoteCache,
    cancel: &Cancel,
    events: &dyn EventSink,
    report: &mut RunReport,
) {
    let (totals, warnings) = tokio::select! {
        told = remote.finish() => told,
        () = cancel.cancelled() => return,
    };
    for fault in warnings {
        if !report.warnings.contains(&fault) {
            events.emit(Event::Warning { artifact: None, fault: fault.clone() });
            report.warnings.push(fault);
        }
    }
    report.remote = Some(totals);
}
