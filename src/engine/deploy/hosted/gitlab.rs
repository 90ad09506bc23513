//! Deployments at GitLab: <https://docs.gitlab.com/api/deployments/>. A job with `environment:` has one of
//! its own, which is left alone.

use serde_json::json;

use super::DeployRecords;
use crate::{
    deploy::{DeployState, DeployStep},
    model::Fault,
    store::ApiChange,
};

const HINT: &str =
    "the login needs the role Developer; a job of GitLab CI has one, or set GITLAB_TOKEN";

impl DeployRecords {
    pub(super) async fn take_at_gitlab(&mut self, step: &DeployStep) -> Result<(), Fault> {
        if self.place.has_environment {
            return Ok(());
        }
        self.post(step).await.map_err(|fault| Fault { hint: Some(HINT.to_owned()), ..fault })
    }

    async fn post(
        &mut self,
        DeployStep { deployment, change, .. }: &DeployStep,
    ) -> Result<(), Fault> {
        let status = match change.state {
            DeployState::Deploying => "running",
            DeployState::Succeeded => "success",
            DeployState::Failed | DeployState::TimedOut | DeployState::Interrupted => "failed",
            DeployState::Cancelled => "canceled",
            _ => return Ok(()),
        };
        if status == "running" {
            let (reference, is_tag) =
                self.place.reference.clone().unwrap_or_else(|| (self.place.commit.clone(), false));
            let body = json!({
                "environment": self.place.environment(deployment),
                "sha": self.place.commit,
                "ref": reference,
                "tag": is_tag,
                "status": status,
            });
            let made = self.api.change(ApiChange::Create, &["deployments"], &body).await?;
            self.known.extend(made["id"].as_u64().map(|record| (deployment.id, record)));
            return Ok(());
        }
        let Some(record) = self.known.get(&deployment.id) else { return Ok(()) };
        let path = ["deployments", &record.to_string()];
        self.api.change(ApiChange::Replace, &path, &json!({ "status": status })).await.map(drop)
    }
}
