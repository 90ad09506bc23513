//! What a deployment would come to, as far as the ledger tells without asking any store: by the rules that a
//! deployment goes by.

use std::collections::BTreeSet;

use super::{DeployHistory, DeployOrder, forbidden, prepare::is_there};
use crate::{
    model::{Environment, Name},
    provenance::Surroundings,
    workspace::{DeployEnvironment, Workspace},
};

/// What a deployment would come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeployOutlook {
    /// It would be carried out.
    Deployed,
    /// The same is there, by its digest and its settings.
    Unchanged,
    /// It would be refused: why.
    Refused(String),
}

/// Who would deploy what.
pub struct OutlookRequest<'w> {
    /// The workspace.
    pub workspace: &'w Workspace,
    /// What was deployed.
    pub history: &'w DeployHistory,
    /// What is deployed together.
    pub names: &'w BTreeSet<Name>,
    /// What forge was started with.
    pub variables: &'w Environment,
    /// Where it runs.
    pub surroundings: &'w Surroundings,
}

impl OutlookRequest<'_> {
    /// What would become of `name`, at the version that the workspace pins, in `environment`.
    pub fn outlook(&self, environment: &DeployEnvironment, name: &Name) -> DeployOutlook {
        let Some(deploy) = self.workspace.deploys.get(name) else {
            return DeployOutlook::Unchanged;
        };
        let version = self.workspace.subsystems[name].version.as_str();
        let mut deployed = self.history.all.values().rev();
        let known = deployed.find(|it| it.name == name.as_str() && it.version == version);
        let Some(known) = known else {
            // Whatever its digest is, it was deployed nowhere.
            return match &environment.after {
                Some(after) => {
                    DeployOutlook::Refused(format!("{name} {version} has not succeeded in {after}"))
                }
                None => DeployOutlook::Deployed,
            };
        };
        let what = (version, &known.artifact);
        let order = match DeployOrder::new((name, deploy), environment, what, self.variables) {
            Ok(order) => order,
            Err(fault) => return DeployOutlook::Refused(fault.to_string()),
        };
        let against = forbidden(&order, self.surroundings, self.history, self.names);
        match against.into_iter().next() {
            Some(obstacle) => DeployOutlook::Refused(obstacle.what),
            None if is_there(&order, self.history).is_some() => DeployOutlook::Unchanged,
            None => DeployOutlook::Deployed,
        }
    }
}
