//! Carries deployments out, writes down how they end, and brings back what was there before if they
//! fail.

use super::{
    ArtifactFinder, DeployOrder, DeployState, Deployment, Ledger, StateChange, attempt::Attempt,
};
use crate::{
    model::{Environment, Fault, Kind, KnownSecrets},
    process::{Cancel, CommandRunner},
    provenance::Surroundings,
    store::StoreSettings,
    workspace::Workspace,
};

/// What deployments are carried out with.
pub struct DeployHost<'a> {
    /// The workspace.
    pub workspace: &'a Workspace,
    /// What fetches what is deployed.
    pub finder: ArtifactFinder<'a>,
    /// Where they are written down.
    pub ledger: &'a dyn Ledger,
    /// What runs their commands.
    pub runner: &'a dyn CommandRunner,
    /// What stops them.
    pub cancel: Cancel,
    /// What forge was started with.
    pub variables: &'a Environment,
    /// How servers are asked.
    pub settings: StoreSettings,
    /// Where this process runs.
    pub surroundings: &'a Surroundings,
    /// The same, in words.
    pub run: String,
    /// What none may see. What becomes known on the way is added.
    pub secrets: KnownSecrets,
    /// Told what happens.
    pub tell: &'a (dyn Fn(&str) + Sync),
    /// Told what commands print.
    pub line: &'a (dyn Fn(&str) + Sync),
}

/// Carries deployments out.
pub struct Deployer<'a> {
    /// With what.
    pub host: DeployHost<'a>,
}

/// How a deployment ended.
#[derive(Clone, Debug)]
pub struct DeployEnd {
    /// Its number.
    pub id: u64,
    /// Its state.
    pub state: DeployState,
    /// Why it failed.
    pub fault: Option<Fault>,
    /// What brought an earlier version back: its version, and its number.
    pub back: Option<(String, u64)>,
    /// Whether it did not begin because the environment is held against it since it was queued.
    pub is_held: bool,
}

impl Deployer<'_> {
    /// Carries `order` out, up to its end.
    ///
    /// # Errors
    /// If the ledger cannot be written. That a deployment fails is not an error here.
    pub async fn deploy(&self, order: &DeployOrder<'_>) -> Result<DeployEnd, Fault> {
        let Attempt { ticket, began, is_held, outcome } = self.attempt(order, None).await?;
        let id = ticket.id;
        let end = |state, fault, back| DeployEnd { id, state, fault, back, is_held };
        let Err(fault) = outcome else {
            self.close(id, StateChange::now(DeployState::Succeeded, passed(order)))?;
            return Ok(end(DeployState::Succeeded, None, None));
        };
        let failed = failure(&fault);
        let state = failed.state;
        let is_wanted = began
            && order.deploy.rolls_back
            && order.back_from.is_none()
            && !order.destroys
            && state != DeployState::Cancelled;
        let target = if is_wanted { self.target(order)? } else { None };
        let Some(target) = target else {
            self.close(id, failed)?;
            let fault = match is_wanted {
                true => fault.hint(format!(
                    "no earlier version succeeded in {}, so there is nothing to go back to",
                    order.environment.name
                )),
                false => fault,
            };
            return Ok(end(state, Some(fault), None));
        };
        let why = format!("to {}, which deployment {} brought", target.version, target.id);
        // In one step, so that nobody gets its turn in between.
        let rolling = StateChange::now(DeployState::RollingBack, why);
        self.host.ledger.advance(id, vec![failed, rolling])?;
        (self.host.tell)(&format!("{fault}; rolling back to {}", target.version));
        let (state, back) = self.back(order, id, &target).await?;
        Ok(end(state, Some(fault), back))
    }

    /// What `order` is followed by if it fails.
    fn target(&self, order: &DeployOrder<'_>) -> Result<Option<Deployment>, Fault> {
        let history = self.host.ledger.history()?;
        let (environment, name) = (order.environment.name.as_str(), order.name.as_str());
        let candidates = history.candidates(environment, name, order.identity());
        Ok(candidates.first().map(|it| (*it).clone()))
    }

    /// Brings back what `target` deployed, within the deployment `id` that failed.
    async fn back(
        &self,
        order: &DeployOrder<'_>,
        id: u64,
        target: &Deployment,
    ) -> Result<(DeployState, Option<(String, u64)>), Fault> {
        let who = (&order.name, &*order.deploy);
        let variables = self.host.variables;
        let earlier = DeployOrder::back_to(who, order.environment, target, id, variables)?;
        let Attempt { ticket, outcome, .. } = self.attempt(&earlier, Some(id)).await?;
        let back = Some((target.version.clone(), ticket.id));
        let end = match outcome {
            Ok(()) => {
                self.close(ticket.id, StateChange::now(DeployState::Succeeded, passed(&earlier)))?;
                let why = format!("deployment {} brought {} back", ticket.id, target.version);
                StateChange::now(DeployState::RolledBack, why)
            }
            Err(fault) => {
                self.close(ticket.id, failure(&fault))?;
                let why = format!(
                    "deployment {} did not bring {} back: {fault}",
                    ticket.id, target.version
                );
                (self.host.tell)(&why);
                StateChange::now(DeployState::Stuck, why)
            }
        };
        let state = end.state;
        self.close(id, end)?;
        Ok((state, back))
    }

    fn close(&self, id: u64, end: StateChange) -> Result<(), Fault> {
        self.host.ledger.advance(id, vec![end])
    }
}

/// Why a deployment succeeded.
fn passed(order: &DeployOrder<'_>) -> &'static str {
    if order.destroys {
        return "it is removed";
    }
    match (order.deploy.smoke.is_empty(), &order.deploy.health) {
        (true, None) => "its commands succeeded, and it has no gates",
        _ => "it passed its gates",
    }
}

/// How a deployment ends that `fault` stopped.
fn failure(fault: &Fault) -> StateChange {
    let state = match fault.kind {
        Kind::Interrupted => DeployState::Cancelled,
        Kind::Timeout => DeployState::TimedOut,
        _ => DeployState::Failed,
    };
    StateChange { exit_code: fault.code, ..StateChange::now(state, fault.to_string()) }
}
