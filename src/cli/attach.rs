//! `forge attach`: what a service prints, until it ends or somebody looks away.

use std::time::Duration;

use crate::{
    model::{Fault, Kind},
    service::{ServicePaths, ServiceState, select},
};

use super::{CliError, logs::LogFollower, services::states, session::Session};

/// How often it is looked whether the service ended.
const LOOK: Duration = Duration::from_millis(500);
/// How many lines of before are shown.
const LINES: usize = 20;

/// What can be written behind `forge attach`.
#[derive(Debug, clap::Args)]
pub(super) struct AttachArgs {
    /// The service
    name: String,
}

/// Shows it. Ctrl-C ends the looking, not the service; if that ends, its code is told.
pub(super) fn attach(session: &Session, wish: &AttachArgs) -> Result<u8, CliError> {
    let workspace = session.workspace()?;
    let names = select(&workspace, std::slice::from_ref(&wish.name))?;
    let is_running = |state: &ServiceState| state.is_running();
    let running = |name| states(&workspace).map(|all| all.get(name).is_some_and(is_running));
    let Some(name) = names.iter().next().filter(|_| names.len() == 1) else {
        let what = format!("`{}` means several services", wish.name);
        return Err(Fault::new(Kind::Usage, what).hint("name one").into());
    };
    if !running(name)? {
        let fault = Fault::new(Kind::Failed, format!("{name} does not run"));
        return Err(fault.hint(format!("`forge up {name}` starts it")).into());
    }
    let paths = ServicePaths::new(&workspace.layout);
    let mut follower = LogFollower::new(session.console(), &paths, &names, LINES);
    let (style, cancel) = (session.stdout_style(), session.host.cancel());
    follower.show_last(style)?;
    let ended = async {
        loop {
            tokio::time::sleep(LOOK).await;
            if !running(name)? {
                return Ok::<(), Fault>(());
            }
        }
    };
    session.host.runtime()?.block_on(async {
        tokio::select! {
            looked = follower.follow(cancel, style) => looked,
            over = ended => over,
        }
    })?;
    if cancel.is_cancelled() {
        session.note(&format!("{name} goes on; `forge stop {name}` ends it"));
        return Ok(0);
    }
    let code = states(&workspace)?.get(name).map_or(0, |state| state.exit_code);
    session.note(&format!("{name} ended with code {code}"));
    Ok(u8::from(code != 0))
}
