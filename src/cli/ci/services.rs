//! Services while tests run: what was not up before is brought up, and ended however it goes: when tests
//! fail, when somebody stops the run, and when forge is killed.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    console::Console,
    model::{Fault, Kind, Name},
    process::Cancel,
    service::{self, DownGuard, ServiceState},
    workspace::{Workspace, Workspaces},
};

use super::super::{
    CliError,
    host::AtWork,
    services::{bring_up, states},
    session::{Session, note},
};

/// What has to be ended.
pub(super) struct StartedServices<'w> {
    console: Console,
    workspace: &'w Workspace,
    /// What was started here; none if that is all there is.
    started: Option<BTreeSet<Name>>,
    is_over: bool,
    cancel: Cancel,
    /// As long as services run no signal ends forge before they are ended.
    _at_work: AtWork,
    _watch: Option<DownGuard>,
}

impl<'w> StartedServices<'w> {
    /// Brings `names` up, and waits until they are ready.
    pub(super) fn up(
        session: &Session,
        workspaces: &Arc<Workspaces>,
        workspace: &'w Workspace,
        names: &BTreeSet<Name>,
    ) -> Result<Self, CliError> {
        let before = states(workspace)?;
        let runs = |name: &&Name| before.get(*name).is_some_and(ServiceState::is_running);
        let started = names.iter().filter(|name| !runs(name)).cloned().collect();
        let services = Self {
            console: session.console(),
            workspace,
            started: (!before.is_empty()).then_some(started),
            is_over: false,
            cancel: session.host.cancel().clone(),
            _at_work: session.host.at_work()?,
            _watch: before.is_empty().then(|| DownGuard::over(workspace)),
        };
        match bring_up(session, workspaces, names, &BTreeSet::new(), &services.cancel)? {
            Some(_) => Ok(services),
            None => Err(Fault::new(Kind::Failed, "services could not be ensured").into()),
        }
    }

    /// Ends what was started.
    ///
    /// # Errors
    /// If something cannot be ended, or if somebody stopped the run meanwhile.
    pub(super) fn end(mut self) -> Result<(), Fault> {
        self.lower()?;
        match self.cancel.is_cancelled() {
            true => Err(self.cancel.fault("ci:test")),
            false => Ok(()),
        }
    }

    fn lower(&mut self) -> Result<(), Fault> {
        if std::mem::replace(&mut self.is_over, true)
            || self.started.as_ref().is_some_and(BTreeSet::is_empty)
        {
            return Ok(());
        }
        let cancel = self.cancel.patient();
        service::lower(self.workspace, self.started.as_ref(), &cancel, &|text| {
            note(self.console, text);
        })
        .map(|_| ())
    }
}

impl Drop for StartedServices<'_> {
    fn drop(&mut self) {
        // Something else went wrong before, and that is told.
        let _ = self.lower();
    }
}
