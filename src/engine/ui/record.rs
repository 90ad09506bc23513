//! Records when each action started and ended, for the trace.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    model::{ActionId, Event, EventSink},
    report::Lap,
};

/// A sink that remembers each action with its times.
pub struct Recorder {
    began: Instant,
    actions: Mutex<BTreeMap<ActionId, ActionRecord>>,
}

struct ActionRecord {
    what: String,
    verb: &'static str,
    start: Duration,
    end: Option<(Duration, &'static str)>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self { began: Instant::now(), actions: Mutex::default() }
    }
}

impl Recorder {
    /// Everything recorded so far, in the order of the plan. What has not ended yet ends now.
    pub fn laps(&self) -> Vec<Lap> {
        let now = self.began.elapsed();
        let actions = self.actions.lock().unwrap_or_else(PoisonError::into_inner);
        let lap = |action: &ActionRecord| {
            let (end, how) = action.end.unwrap_or((now, "running"));
            Lap {
                what: action.what.clone(),
                verb: action.verb.to_owned(),
                how: how.to_owned(),
                start: action.start,
                end,
            }
        };
        actions.values().map(lap).collect()
    }

    fn start(&self, id: ActionId, what: String, verb: &'static str) {
        let start = self.began.elapsed();
        let mut actions = self.actions.lock().unwrap_or_else(PoisonError::into_inner);
        actions.insert(id, ActionRecord { what, verb, start, end: None });
    }

    fn end(&self, id: ActionId, how: &'static str) {
        let end = self.began.elapsed();
        let mut actions = self.actions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(action) = actions.get_mut(&id) {
            action.end = Some((end, how));
        }
    }
}

impl EventSink for Recorder {
    fn emit(&self, event: Event) {
        match event {
            Event::Started { action, artifact, version, verb } => {
                self.start(action, format!("{artifact} {version}"), verb);
            }
            Event::Finished { action, report } => self.end(action, report.how.as_str()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    #[test]
    fn each_action_has_its_times_and_how_it_ended() {
        let recorder = Recorder::default();
        recorder.emit(sample::started(2, "arc", "building"));
        recorder.emit(sample::started(1, "nats", "downloading"));
        recorder.emit(sample::line(2, "x"));
        recorder.emit(sample::finished(2, "arc"));
        recorder.emit(sample::finished(9, "unknown"));
        let laps = recorder.laps();
        let words: Vec<String> =
            laps.iter().map(|lap| format!("{} {}: {}", lap.verb, lap.what, lap.how)).collect();
        assert_eq!(words, ["downloading nats v1.2.3: running", "building arc v1.2.3: built"]);
        assert!(laps.iter().all(|lap| lap.start <= lap.end));
        assert!(laps[1].end <= laps[0].end);
    }
}
