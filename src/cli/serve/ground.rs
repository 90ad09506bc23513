//! What a server knows of the workspace and its ledger: read anew each time, since people edit both.

use async_trait::async_trait;

use crate::{
    deploy::{DeployHistory, DeployOwner, DeployState, Ledger},
    model::{Fault, Kind},
    process::ProcessId,
    report::{Style, render_problems},
    serve::{Catalog, DeployGround, JobState, LedgerEntry, ServedEnvironment, ServedPlacement},
    workspace::{DeploySchedule, Workspace},
};

use super::super::{
    CliError,
    deploy::{ledger_of, placement_notes},
    flags::Global,
    host::Host,
    session::Session,
};

/// The workspace of a session.
pub(super) struct WorkspaceGround {
    host: Host,
    flags: Global,
}

impl WorkspaceGround {
    /// That of `session`.
    pub(super) fn new(session: &Session) -> Self {
        Self { host: session.host.clone(), flags: session.flags.clone() }
    }

    /// What `question` finds, on a thread that may wait for the disk.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Session, &Workspace) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let (host, flags) = (self.host.clone(), self.flags.clone());
        let asked = tokio::task::spawn_blocking(move || {
            let session = Session::new(host, flags, false);
            let workspace = session.workspace().map_err(into_fault)?;
            question(&session, &workspace)
        });
        asked.await.map_err(|error| {
            let fault = Fault::new(Kind::Failed, "the workspace cannot be read");
            fault.because(error.to_string())
        })?
    }
}

/// Why a verb ended early, as a fault.
pub(super) fn into_fault(error: CliError) -> Fault {
    match error {
        CliError::Fault(fault) => fault,
        CliError::Problems(problems) => {
            let text = render_problems(&problems, Style::PLAIN);
            Fault::new(Kind::Usage, "the workspace has mistakes").because(text.trim().to_owned())
        }
    }
}

fn history(session: &Session, workspace: &Workspace) -> Result<DeployHistory, Fault> {
    ledger_of(session, workspace)?.history()
}

#[async_trait]
impl DeployGround for WorkspaceGround {
    async fn catalog(&self) -> Result<Catalog, Fault> {
        self.ask(|_, workspace| {
            Ok(Catalog {
                environments: workspace.environments.iter().map(|it| it.name.clone()).collect(),
                names: workspace.deploys.keys().map(ToString::to_string).collect(),
            })
        })
        .await
    }

    async fn schedules(&self) -> Result<Vec<DeploySchedule>, Fault> {
        self.ask(|_, workspace| Ok(workspace.schedules.clone())).await
    }

    async fn placements(&self) -> Result<Vec<ServedEnvironment>, Fault> {
        self.ask(|session, workspace| {
            let history = history(session, workspace)?;
            let environment = |place: &str| {
                let placements = workspace.deploys.keys().map(|name| {
                    let current = history.current(place, name.as_str());
                    ServedPlacement {
                        name: name.to_string(),
                        version: current.map(|it| it.version.clone()),
                        ledger_id: current.map(|it| it.id),
                        notes: placement_notes(&history, place, name.as_str()),
                    }
                });
                ServedEnvironment { name: place.to_owned(), placements: placements.collect() }
            };
            Ok(workspace.environments.iter().map(|it| environment(&it.name)).collect())
        })
        .await
    }

    async fn deployed_by(&self, process: ProcessId) -> Result<Vec<LedgerEntry>, Fault> {
        self.ask(move |session, workspace| {
            let owner = DeployOwner { process, ..DeployOwner::this() };
            let history = history(session, workspace)?;
            let own = history.all.values().filter(|it| it.owner == owner);
            let entry = own.map(|it| LedgerEntry {
                id: it.id,
                state: match it.state() {
                    DeployState::Succeeded => JobState::Succeeded,
                    _ => JobState::Interrupted,
                },
                told: format!(
                    "deployment {} of the ledger, {}, is {}",
                    it.id,
                    it.label(),
                    it.state()
                ),
            });
            Ok(entry.collect())
        })
        .await
    }
}
