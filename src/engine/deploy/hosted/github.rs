//! Records at GitHub: <https://docs.github.com/rest/deployments>, and statuses of commits:
//! <https://docs.github.com/rest/commits/statuses>.
//!
//! GitHub would make what came before inactive by itself, but never in production, and always all of an
//! environment, of which each subsystem has a deployment here. So it is told not to, and what was replaced
//! is made inactive one by one.

use serde_json::{Value, json};

use super::{DeployRecords, words};
use crate::{
    deploy::{DeployState, DeployStep, Deployment},
    model::Fault,
    store::ApiChange,
};

/// The key of a payload that is forge's.
pub(super) const KEY: &str = "forge";
/// How many records are looked at for what a deployment replaces.
const LOOKED_AT: &str = "20";
const HINT: &str = "a job needs `deployments: write` and `statuses: write`, and its step `GITHUB_TOKEN: ${{ github.token }}`";

impl DeployRecords {
    pub(super) async fn take_at_github(&mut self, step: &DeployStep) -> Result<(), Fault> {
        // What the store would say of its login is about releases.
        self.posted(step).await.map_err(|fault| Fault { hint: Some(HINT.to_owned()), ..fault })
    }

    async fn posted(&mut self, step: &DeployStep) -> Result<(), Fault> {
        let DeployStep { deployment, change, .. } = step;
        let state = match change.state {
            // Nothing of it happened yet, or nothing that is told apart there.
            DeployState::Queued
            | DeployState::Checking
            | DeployState::Verifying
            | DeployState::RollingBack => return Ok(()),
            DeployState::Deploying => "in_progress",
            // What has gone is shown as destroyed.
            DeployState::Succeeded if deployment.destroys => "inactive",
            DeployState::Succeeded => "success",
            DeployState::Failed | DeployState::RolledBack | DeployState::TimedOut => "failure",
            DeployState::Stuck | DeployState::Cancelled | DeployState::Interrupted => "error",
        };
        let record = match self.known.get(&deployment.id) {
            Some(record) => Some(*record),
            None if change.state == DeployState::Deploying => Some(self.record(deployment).await?),
            None => None,
        };
        if let Some(record) = record {
            self.known.insert(deployment.id, record);
            let mut body = json!({
                "state": state,
                "description": words::description(change),
                "auto_inactive": false,
            });
            body["log_url"] = self.place.run.clone().into();
            body["environment_url"] = page(deployment).into();
            self.state(record, body).await?;
            if change.state == DeployState::Succeeded {
                self.replace(deployment, record).await?;
            }
        }
        self.status(deployment, change.state).await
    }

    /// The number of the record of `deployment`: a new one, or that of the job.
    async fn record(&mut self, deployment: &Deployment) -> Result<u64, Fault> {
        let environment = self.place.environment(deployment).to_owned();
        if !self.of_job.contains_key(&environment) {
            let found = self.of_job(&environment).await?;
            self.of_job.insert(environment.clone(), found);
        }
        if let Some(Some(record)) = self.of_job.get(&environment) {
            return Ok(*record);
        }
        // The ledger has no secret in it.
        let payload =
            Deployment { changes: Vec::new(), commands: Vec::new(), ..deployment.clone() };
        let body = json!({
            "ref": self.place.commit,
            "task": task(deployment),
            "auto_merge": false,
            "required_contexts": [],
            "environment": environment,
            "description": words::cut(&deployment.label()),
            "transient_environment": deployment.pull_request.is_some(),
            "payload": { KEY: { "schema": 1, "deployment": payload } },
        });
        let made = self.api.change(ApiChange::Create, &["deployments"], &body).await?;
        Ok(made["id"].as_u64().unwrap_or_default())
    }

    /// The record that GitHub made of the job for `environment`, if there is one.
    async fn of_job(&self, environment: &str) -> Result<Option<u64>, Fault> {
        let Some(run) = self.place.run_page() else { return Ok(None) };
        let query = [("environment", environment), ("sha", self.place.commit.as_str())];
        for record in self.api.list(&["deployments"], &query, 1).await? {
            let Some(id) = record["id"].as_u64().filter(|_| is_foreign(&record)) else { continue };
            let number = id.to_string();
            let states = self.api.list(&["deployments", &number, "statuses"], &[], 1).await?;
            let names_run = |state: &Value| {
                let pages = [&state["log_url"], &state["target_url"]];
                pages.iter().any(|page| page.as_str().is_some_and(|page| page.starts_with(run)))
            };
            if states.iter().any(names_run) {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    async fn state(&self, record: u64, mut body: Value) -> Result<(), Fault> {
        if let Value::Object(fields) = &mut body {
            fields.retain(|_, value| !value.is_null());
        }
        let number = record.to_string();
        let path = ["deployments", &number, "statuses"];
        self.api.change(ApiChange::Add, &path, &body).await.map(drop)
    }

    /// Makes what `record` replaces inactive.
    async fn replace(&self, deployment: &Deployment, record: u64) -> Result<(), Fault> {
        let task = task(deployment);
        let query = [
            ("environment", self.place.environment(deployment)),
            ("task", task.as_str()),
            ("per_page", LOOKED_AT),
        ];
        for earlier in self.api.page(&["deployments"], &query).await? {
            let Some(id) = earlier["id"].as_u64().filter(|id| *id != record) else { continue };
            // One environment of the host has those of all pull requests.
            let of = super::restore::payload(&earlier).and_then(|it| it.pull_request);
            if deployment.pull_request.is_some() && of != deployment.pull_request {
                continue;
            }
            let number = id.to_string();
            let path = ["deployments", &number, "statuses"];
            let states = self.api.page(&path, &[("per_page", "1")]).await?;
            match states.first().and_then(|state| state["state"].as_str()) {
                Some("success") => {
                    let why = format!("{} replaced it", deployment.label());
                    let body = json!({ "state": "inactive", "description": words::cut(&why) });
                    self.state(id, body).await?;
                }
                // What came before it was replaced then.
                Some("inactive") => break,
                _ => {}
            }
        }
        Ok(())
    }

    /// Says beside the commit how it goes in the environment.
    async fn status(&mut self, deployment: &Deployment, state: DeployState) -> Result<(), Fault> {
        let environment = self.place.environment(deployment);
        let has_failed = self.failed.contains(environment);
        let (word, text) = match state {
            _ if has_failed => return Ok(()),
            _ if deployment.destroys => return Ok(()),
            DeployState::Succeeded if deployment.back_from.is_some() => return Ok(()),
            DeployState::Succeeded => ("success", format!("{} runs there", label(deployment))),
            state if state.is_over() => {
                self.failed.insert(environment.to_owned());
                ("failure", format!("{} {state}", label(deployment)))
            }
            state => ("pending", format!("{}: {state}", label(deployment))),
        };
        let mut body = json!({
            "state": word,
            "description": words::cut(&text),
            "context": format!("forge/deploy/{environment}"),
        });
        if let Some(run) = &self.place.run {
            body["target_url"] = run.as_str().into();
        }
        let path = ["statuses", self.place.commit.as_str()];
        self.api.change(ApiChange::Add, &path, &body).await.map(drop)
    }
}

/// `api v1.2.0`.
fn label(deployment: &Deployment) -> String {
    format!("{} {}", deployment.name, deployment.version)
}

/// What tells the records of a subsystem from those of others.
fn task(deployment: &Deployment) -> String {
    format!("deploy:{}", deployment.name)
}

/// Where people find it, if that is a page.
fn page(deployment: &Deployment) -> Option<&str> {
    deployment
        .url
        .as_deref()
        .filter(|url| url.starts_with("https://") || url.starts_with("http://"))
}

/// Whether a record is none of forge's.
fn is_foreign(record: &Value) -> bool {
    super::restore::payload(record).is_none()
}
