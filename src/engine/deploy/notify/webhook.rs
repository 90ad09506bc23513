//! Signed webhooks, as Standard Webhooks has them (`store::signed_headers`). A message has the same
//! identifier however often it is sent, so that whoever takes it twice can tell.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::message::DeployEvent;
use crate::{
    deploy::DeployStep,
    model::checksum,
    store::{WebCall, signed_headers},
};

/// The call that tells of `event` at `url`, signed by `secret`.
///
/// # Errors
/// What is wrong with the secret.
pub(super) fn call(
    url: &str,
    secret: &str,
    step: &DeployStep,
    event: DeployEvent,
    limit: Duration,
) -> Result<WebCall, String> {
    let DeployStep { deployment, change, .. } = step;
    let body = json!({
        "type": format!("deployment.{}", event.word()),
        "timestamp": change.at,
        "data": {
            "id": deployment.id,
            "environment": deployment.environment,
            "name": deployment.name,
            "version": deployment.version,
            "digest": deployment.artifact.digest(),
            "stack": deployment.stack,
            "state": change.state.as_str(),
            "why": change.why,
            "url": deployment.url,
            "back_from": deployment.back_from,
            "pull_request": deployment.pull_request,
            "run": deployment.run,
        },
    });
    let body = body.to_string().into_bytes();
    let digest = checksum(&body);
    let id: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let headers =
        signed_headers(secret, &format!("msg_{id}"), Timestamp::now().as_second(), &body)?;
    let body = Some(("application/json", body));
    Ok(WebCall { url: url.to_owned(), headers, body, limit })
}
