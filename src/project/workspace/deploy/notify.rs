//! `notify:` of `versions.yml`.

use crate::manifest::{Findings, ManifestDoc, Node, scalar, scalars};

/// What is told if nothing says: in a chat, what somebody should look at.
const OF_CHAT: &[&str] = &["failed", "rolled-back", "stuck", "recovered"];
/// What programs are told if nothing says.
const OF_PROGRAM: &[&str] =
    &["started", "succeeded", "failed", "rolled-back", "stuck", "cancelled", "recovered"];

/// Somebody who wants to know how deployments go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Who.
    pub kind: NotificationKind,
    /// The environment variable with the secret.
    pub secret: String,
    /// `on:`: what of.
    pub on: Vec<String>,
}

/// Who wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotificationKind {
    /// A channel of Slack; the secret is the address.
    Slack,
    /// A program at `url`; the secret signs what it is told.
    Webhook {
        /// Its address.
        url: String,
    },
}

impl NotificationKind {
    /// What it is called.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Slack => "Slack",
            Self::Webhook { .. } => "the webhook",
        }
    }
}

/// Resolves `notify:` of `doc`. What is wrong goes to `found`.
pub fn notifications(doc: &ManifestDoc, found: &mut Findings) -> Vec<Notification> {
    let Some(node) = &doc.notify else { return Vec::new() };
    let slack = node.get("slack").and_then(|node| read(node, NotificationKind::Slack, OF_CHAT));
    let webhook = node.get("webhook").and_then(|node| {
        let url = scalar(node, "url")?;
        if let Err(why) = crate::store::public_address(&url.text) {
            let what = format!("a webhook cannot be there: {why}");
            found.add(url.bytes, what, "not an address", "write `https://HOST/PATH`");
            return None;
        }
        read(node, NotificationKind::Webhook { url: url.text }, OF_PROGRAM)
    });
    slack.into_iter().chain(webhook).collect()
}

fn read(node: &Node, kind: NotificationKind, usual: &[&str]) -> Option<Notification> {
    let secret = scalar(node, "secret")?.text;
    let said: Vec<String> = scalars(node, "on").into_iter().map(|word| word.text).collect();
    let on = if said.is_empty() { usual.iter().map(|it| (*it).to_owned()).collect() } else { said };
    Some(Notification { kind, secret, on })
}
