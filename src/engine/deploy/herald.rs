//! Whoever tells the world of deployments: the host of the repository, by records and statuses, and people,
//! by notifications. What cannot be told is a warning, once for each that should have heard, and never the
//! deployment's fault.

use std::{sync::Arc, time::Duration};

use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

use super::{DeployStep, hosted::DeployRecords, notify::Notifier};
use crate::model::Fault;

/// How long what is still to be told may take when all is done.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who is told.
#[derive(Default)]
pub struct Herald {
    /// The host of the repository.
    pub records: Option<DeployRecords>,
    /// People.
    pub notifiers: Vec<Notifier>,
}

/// A herald at work.
pub struct HeraldAtWork {
    task: JoinHandle<()>,
    warn: Warn,
}

/// Is told what could not be told.
type Warn = Arc<dyn Fn(&str) + Send + Sync>;

impl Herald {
    /// Whether nobody is told.
    pub fn is_silent(&self) -> bool {
        self.records.is_none() && self.notifiers.is_empty()
    }

    /// Begins to tell what comes, beside everything else. To be called in a runtime.
    pub fn begin(
        mut self,
        mut steps: mpsc::UnboundedReceiver<DeployStep>,
        warn: Warn,
    ) -> HeraldAtWork {
        let told = warn.clone();
        let task = tokio::spawn(async move {
            let mut has_warned = false;
            while let Some(step) = steps.recv().await {
                if let Some(records) = &mut self.records
                    && let Err(fault) = records.take(&step).await
                    && !std::mem::replace(&mut has_warned, true)
                {
                    told(&not_recorded(&fault));
                }
                for notifier in &mut self.notifiers {
                    if let Err(why) = notifier.take(&step).await {
                        told(&why);
                    }
                }
            }
        });
        HeraldAtWork { task, warn }
    }
}

impl HeraldAtWork {
    /// Waits until all is told, for some time.
    pub async fn end(self) {
        let mut task = self.task;
        if timeout(PATIENCE, &mut task).await.is_err() {
            task.abort();
            (self.warn)(&format!(
                "not everything could be told of these deployments within {} s",
                PATIENCE.as_secs()
            ));
        }
    }
}

fn not_recorded(fault: &Fault) -> String {
    let hint = fault.hint.as_ref().map_or(String::new(), |hint| format!(" ({hint})"));
    format!("the deployment is not shown at the host of the repository: {fault}{hint}")
}
