//! Incoming webhooks of Slack: <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>.
//! The address is the secret.

use std::time::Duration;

use serde_json::json;

use super::message::DeployEvent;
use crate::{deploy::DeployStep, store::WebCall};

/// The most that a section of a message takes, in characters.
const MOST: usize = 3000;

/// The call that tells of `event` at `url`.
pub(super) fn call(url: &str, step: &DeployStep, event: DeployEvent, limit: Duration) -> WebCall {
    let mark = if event.is_bad() { ":x:" } else { ":white_check_mark:" };
    let mark = if event == DeployEvent::Started { ":hourglass_flowing_sand:" } else { mark };
    let sentence = event.sentence(step);
    let mut text = format!("{mark} {}", escaped(&sentence));
    if event.is_bad() && !step.change.why.is_empty() {
        text.push_str(&format!("\n>{}", escaped(&step.change.why).replace('\n', "\n>")));
    }
    if let Some(url) = &step.deployment.url {
        text.push_str(&format!("\n{}", escaped(url)));
    }
    text.push_str(&format!("\n_{}_", escaped(&step.deployment.run)));
    let text: String = text.chars().take(MOST).collect();
    let body = json!({
        "text": sentence,
        "blocks": [{ "type": "section", "text": { "type": "mrkdwn", "text": text } }],
    });
    let body = Some(("application/json", body.to_string().into_bytes()));
    WebCall { url: url.trim().to_owned(), headers: Vec::new(), body, limit }
}

/// `text` with the signs that mean something to Slack escaped.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
