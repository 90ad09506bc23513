//! Notifications: people, and programs of people, are told how deployments go. Each message is tried a few
//! times within some seconds; one that nobody took is a warning.

mod message;
mod slack;
mod webhook;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use self::message::DeployEvent;
use super::{DeployState, DeployStep};
use crate::{
    store::{StoreSettings, WebCall, web_call},
    workspace::{Notification, NotificationKind},
};

/// How long one try may take.
const LIMIT: Duration = Duration::from_secs(5);
/// How long all tries of a message may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// Tells one of those who want to know.
pub struct Notifier {
    wish: Notification,
    /// What the variable holds that `wish` names.
    secret: String,
    settings: StoreSettings,
    /// The deployments from which an earlier version is brought back: what brings it is told as theirs.
    rolling: BTreeSet<u64>,
}

impl Notifier {
    /// Tells whom `wish` names, by the `secret`.
    pub fn new(wish: Notification, secret: String, settings: StoreSettings) -> Self {
        Self { wish, secret, settings, rolling: BTreeSet::new() }
    }

    /// Tells of a step, if that is wanted.
    ///
    /// # Errors
    /// That nobody took it, as a sentence.
    pub async fn take(&mut self, step: &DeployStep) -> Result<(), String> {
        if step.change.state == DeployState::RollingBack {
            self.rolling.insert(step.deployment.id);
        }
        if step.deployment.back_from.is_some_and(|from| self.rolling.contains(&from)) {
            return Ok(());
        }
        let is_wanted = |event: &&DeployEvent| self.wish.on.iter().any(|on| on == event.word());
        match DeployEvent::all(step).iter().find(is_wanted) {
            Some(event) => self.send(step, *event).await,
            None => Ok(()),
        }
    }

    async fn send(&self, step: &DeployStep, event: DeployEvent) -> Result<(), String> {
        let call = match &self.wish.kind {
            NotificationKind::Slack => Ok(slack::call(&self.secret, step, event, LIMIT)),
            NotificationKind::Webhook { url } => {
                webhook::call(url, &self.secret, step, event, LIMIT)
            }
        };
        let sent = match call {
            Ok(call) => self.tried(&call).await,
            Err(why) => Err(format!("`{}`: {why}", self.wish.secret)),
        };
        sent.map_err(|why| {
            // What answers may repeat what it was asked by.
            let why = why.replace(&self.secret, "***");
            format!("{} was not told that {}: {why}", self.wish.kind.label(), event.sentence(step))
        })
    }

    async fn tried(&self, call: &WebCall) -> Result<(), String> {
        let began = Instant::now();
        let mut pause = self.settings.backoff;
        for left in (0..self.settings.attempts).rev() {
            let (why, asked) = match web_call(&self.settings, call).await {
                Ok(answer) if (200..300).contains(&answer.status) => return Ok(()),
                Ok(answer) => {
                    let why = format!("it answers {}{}", answer.status, said(&answer.text));
                    if !matches!(answer.status, 408 | 429 | 500..) {
                        return Err(why);
                    }
                    (why, answer.retry_after.map(Duration::from_secs))
                }
                Err(why) => (why, None),
            };
            let wait = asked.unwrap_or(pause);
            if left == 0 || began.elapsed() + wait > PATIENCE {
                return Err(why);
            }
            sleep(wait).await;
            pause *= 2;
        }
        Err("it was not tried".into())
    }
}

/// What an answer says, if that is a word or two.
fn said(text: &str) -> String {
    let line: String = text.lines().next().unwrap_or_default().trim().chars().take(80).collect();
    if line.is_empty() { line } else { format!(": {line}") }
}
