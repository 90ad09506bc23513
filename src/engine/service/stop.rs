//! Ends one service: the supervisor asks it, and what does not end in time is killed here. The
//! supervisor alone would wait for ever for one that left a process behind which still holds its output.

use std::time::Duration;

use super::{ServicePaths, ServiceState, Supervisor, configuration::VARIABLE};
use crate::{
    model::{Fault, Kind, Name},
    process::{ProcessId, carriers, outlast_all},
};

/// Ends the service `name`, which is as `state` says.
///
/// # Errors
/// If a process of it cannot be killed.
pub fn stop(
    home: &ServicePaths,
    supervisor: &Supervisor,
    name: &Name,
    grace: Duration,
    state: &ServiceState,
) -> Result<(), Fault> {
    let leader = ProcessId::find(state.pid).filter(|_| state.is_running());
    let all = || processes(home, name, leader);
    if state.is_over() && all().is_empty() {
        return Ok(());
    }
    if let Err(fault) = supervisor.stop(name) {
        // It ended by itself just now; or nobody asks it, and then it is killed at once.
        if fault.kind == Kind::Timeout {
            all().iter().for_each(ProcessId::kill);
        }
    }
    if outlast_all(&all, grace) {
        return Ok(());
    }
    let left: Vec<_> = all().iter().map(|left| left.pid.to_string()).collect();
    let what = format!("{name} cannot be killed: process {}", left.join(", "));
    Err(Fault::new(Kind::Failed, what))
}

/// All processes of a service, also those that left its group.
fn processes(home: &ServicePaths, name: &Name, leader: Option<ProcessId>) -> Vec<ProcessId> {
    let own = format!("{name} ");
    let is_own = |process: &ProcessId| {
        process.variable(VARIABLE).is_some_and(|variable| variable.starts_with(&own))
    };
    let mut all = leader.map_or(Vec::new(), |leader| leader.group());
    all.extend(carriers(&home.mark()).into_iter().filter(is_own));
    all
}
