//! What an update of Pulumi does, from the events that it writes down: how far it is, and what runs. How
//! long a change took is what the events say, however late they are read.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde::Deserialize;

/// From when on what runs is told again.
const SLOW: Duration = Duration::from_secs(10);

/// How far an update is.
#[derive(Debug, Default)]
pub struct PulumiProgress {
    /// How much is changed, as its preview said.
    total: usize,
    begun: usize,
    running: BTreeMap<String, RunningChange>,
    /// What of the log is not a whole line yet.
    rest: Vec<u8>,
    /// Whether the update came to its end, good or bad.
    pub is_whole: bool,
    /// What went wrong, as the log has it.
    pub errors: Vec<String>,
}

#[derive(Debug)]
struct RunningChange {
    number: usize,
    doing: &'static str,
    name: String,
    /// When it began, as the log has it.
    at: u64,
    /// When forge heard of that.
    began: Instant,
    told: Instant,
}

#[derive(Deserialize)]
struct UpdateEvent {
    /// When it happened, in seconds since 1970.
    #[serde(default)]
    timestamp: u64,
    #[serde(rename = "resourcePreEvent")]
    begins: Option<ResourceEvent>,
    #[serde(rename = "resOutputsEvent")]
    ends: Option<ResourceEvent>,
    #[serde(rename = "resOpFailedEvent")]
    fails: Option<ResourceEvent>,
    #[serde(rename = "diagnosticEvent")]
    says: Option<DiagnosticEvent>,
    #[serde(rename = "cancelEvent")]
    closes: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct ResourceEvent {
    metadata: ChangedResource,
}

#[derive(Deserialize)]
struct ChangedResource {
    op: String,
    urn: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct DiagnosticEvent {
    #[serde(default)]
    severity: String,
    #[serde(default)]
    message: String,
}

impl PulumiProgress {
    /// That of an update of which a preview printed `text`.
    pub fn after(text: &str) -> Self {
        let mut progress = Self::default();
        text.lines().for_each(|line| progress.printed(line));
        progress
    }

    /// Takes a line that the preview printed, which may say how much is to be changed:
    /// `    + 3 to create`.
    fn printed(&mut self, line: &str) {
        let mut words = line.split_whitespace();
        let (Some(sign), Some(count), Some("to")) = (words.next(), words.next(), words.next())
        else {
            return;
        };
        let is_sign = sign.chars().all(|c| "+-~<>=".contains(c));
        self.total += count.parse::<usize>().ok().filter(|_| is_sign).unwrap_or(0);
    }

    /// Takes bytes of the log. Returns what is to be told.
    pub fn logged(&mut self, bytes: &[u8], now: Instant) -> Vec<String> {
        self.rest.extend_from_slice(bytes);
        let end = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let whole: Vec<u8> = self.rest.drain(..end).collect();
        let lines = whole.split(|byte| *byte == b'\n');
        let events = lines.filter_map(|line| serde_json::from_slice::<UpdateEvent>(line).ok());
        let mut told: Vec<String> = events.filter_map(|event| self.take(event, now)).collect();
        let slow = self.running.values_mut().filter(|it| now.duration_since(it.told) >= SLOW);
        for change in slow {
            change.told = now;
            let seconds = now.duration_since(change.began).as_secs();
            told.push(change.shown(self.total, change.doing, seconds));
        }
        told
    }

    fn take(&mut self, event: UpdateEvent, now: Instant) -> Option<String> {
        self.is_whole |= event.closes.is_some();
        if let Some(diagnostic) = event.says.filter(|it| it.severity == "error") {
            self.errors.push(diagnostic.message.trim().to_owned());
        }
        if let Some(ResourceEvent { metadata }) = event.begins {
            let (doing, _) = verb(&metadata)?;
            self.begun += 1;
            let name = metadata.urn.rsplit("::").next().unwrap_or_default().to_owned();
            let (number, at) = (self.begun, event.timestamp);
            let change = RunningChange { number, doing, name, at, began: now, told: now };
            let text = change.shown(self.total, doing, 0);
            self.running.insert(metadata.urn, change);
            return Some(text);
        }
        if let Some(ResourceEvent { metadata }) = event.ends {
            let change = self.running.remove(&metadata.urn)?;
            let seconds = event.timestamp.saturating_sub(change.at);
            return Some(change.shown(self.total, verb(&metadata)?.1, seconds));
        }
        let ResourceEvent { metadata } = event.fails?;
        let change = self.running.remove(&metadata.urn)?;
        let seconds = event.timestamp.saturating_sub(change.at);
        Some(format!("{} failed", change.shown(self.total, change.doing, seconds)))
    }

    /// What runs now.
    pub fn running(&self) -> Vec<&str> {
        self.running.values().map(|change| change.name.as_str()).collect()
    }
}

impl RunningChange {
    /// `3 of 7: creating db (12 s)`.
    fn shown(&self, total: usize, doing: &str, seconds: u64) -> String {
        let time = if seconds == 0 { String::new() } else { format!(" ({seconds} s)") };
        match total >= self.number {
            true => format!("{} of {total}: {doing} {}{time}", self.number, self.name),
            false => format!("{}: {doing} {}{time}", self.number, self.name),
        }
    }
}

/// What is done, and was; nothing for what changes nothing.
fn verb(metadata: &ChangedResource) -> Option<(&'static str, &'static str)> {
    if metadata.kind.starts_with("pulumi:providers:") {
        return None;
    }
    Some(match metadata.op.as_str() {
        "create" | "create-replacement" => ("creating", "created"),
        "update" => ("updating", "updated"),
        "replace" => ("replacing", "replaced"),
        "delete" | "delete-replaced" => ("deleting", "deleted"),
        "import" | "import-replacement" => ("importing", "imported"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_told_as_progress() {
        let mut progress = PulumiProgress::default();
        progress.printed("Resources:");
        progress.printed("    + 2 to create");
        progress.printed("    ~ 1 to update");
        progress.printed("there is 1 to like");
        let start = Instant::now();
        let event = |at: u64, kind: &str, op: &str, name: &str| {
            format!(
                "{{\"sequence\":1,\"timestamp\":{at},\"{kind}\":{{\"metadata\":{{\"op\":\"{op}\",\"urn\":\"urn:pulumi:test::shop::slow:index:File::{name}\",\"type\":\"slow:index:File\"}}}}}}\n"
            )
        };
        let begins = event(5, "resourcePreEvent", "create", "db");
        let (one, two) = begins.split_at(30);
        assert!(progress.logged(one.as_bytes(), start).is_empty());
        assert_eq!(progress.logged(two.as_bytes(), start), ["1 of 3: creating db"]);
        let later = start + Duration::from_secs(12);
        assert_eq!(progress.logged(b"", later), ["1 of 3: creating db (12 s)"]);
        assert!(progress.logged(b"", later).is_empty());
        let ends = event(18, "resOutputsEvent", "create", "db")
            + &event(18, "resourcePreEvent", "same", "x");
        assert_eq!(progress.logged(ends.as_bytes(), later), ["1 of 3: created db (13 s)"]);
        let fails = event(20, "resourcePreEvent", "update", "web")
            + &event(23, "resOpFailedEvent", "update", "web")
            + "{\"diagnosticEvent\":{\"severity\":\"error\",\"message\":\"no room\\n\"}}\n{\"cancelEvent\":{}}\n";
        assert_eq!(
            progress.logged(fails.as_bytes(), later),
            ["2 of 3: updating web", "2 of 3: updating web (3 s) failed"]
        );
        assert!(progress.is_whole && progress.running().is_empty());
        assert_eq!(progress.errors, ["no room"]);
    }
}
