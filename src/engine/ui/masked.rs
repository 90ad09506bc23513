//! A sink before all others that masks the secrets in what people and files get to see.

use std::sync::Arc;

use crate::model::{ArtifactReport, Event, EventSink, Fault, KnownSecrets, RunReport};

/// A sink that passes events on with the secrets in them masked.
pub struct Masked {
    secrets: KnownSecrets,
    sink: Arc<dyn EventSink>,
}

impl Masked {
    /// Masks `secrets`, those that become known later too, and passes to `sink`.
    pub fn new(secrets: KnownSecrets, sink: Arc<dyn EventSink>) -> Self {
        Self { secrets, sink }
    }
}

impl EventSink for Masked {
    fn emit(&self, event: Event) {
        let mask = |text: String| self.secrets.mask(&text).into_owned();
        self.sink.emit(match event {
            Event::Phase { action, phase } => Event::Phase { action, phase: mask(phase) },
            Event::Line { action, line } => Event::Line { action, line: mask(line) },
            Event::Waiting { why } => Event::Waiting { why: mask(why) },
            Event::Warning { artifact, fault } => {
                Event::Warning { artifact, fault: masked_fault(&self.secrets, fault) }
            }
            Event::Finished { action, report } => {
                Event::Finished { action, report: masked_artifact(&self.secrets, report) }
            }
            other @ (Event::Planned { .. } | Event::Started { .. } | Event::Transfer { .. }) => {
                other
            }
        });
    }
}

/// `report` with `secrets` masked: what tables, JSON documents and annotations are made of.
#[must_use]
pub fn masked_report(secrets: &KnownSecrets, report: RunReport) -> RunReport {
    let artifacts = report.artifacts.into_iter();
    let warnings = report.warnings.into_iter();
    RunReport {
        artifacts: artifacts.map(|artifact| masked_artifact(secrets, artifact)).collect(),
        warnings: warnings.map(|fault| masked_fault(secrets, fault)).collect(),
        ..report
    }
}

fn masked_artifact(secrets: &KnownSecrets, report: ArtifactReport) -> ArtifactReport {
    ArtifactReport {
        reason: secrets.mask(&report.reason).into_owned(),
        fault: report.fault.map(|fault| masked_fault(secrets, fault)),
        ..report
    }
}

fn masked_fault(secrets: &KnownSecrets, fault: Fault) -> Fault {
    fault.in_words(|text| secrets.mask(text).into_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::model::{ActionId, Kind};

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl EventSink for Heard {
        fn emit(&self, event: Event) {
            self.0.lock().unwrap().push(format!("{event:?}"));
        }
    }

    #[test]
    fn secrets_are_masked_in_whatever_is_told_also_those_that_become_known_late() {
        let (secrets, heard) = (KnownSecrets::default(), Arc::new(Heard::default()));
        let sink = Masked::new(secrets.clone(), heard.clone());
        secrets.add("hunter2");
        let action = ActionId(0);
        let fault = Fault::new(Kind::Failed, "hunter2").because("x hunter2").hint("hunter2 y");
        sink.emit(Event::Line { action, line: "is hunter2".into() });
        sink.emit(Event::Phase { action, phase: "hunter2".into() });
        sink.emit(Event::Waiting { why: "hunter2".into() });
        sink.emit(Event::Warning { artifact: None, fault: fault.clone() });
        let report = RunReport { warnings: vec![fault], ..RunReport::default() };
        let report = format!("{:?}", masked_report(&secrets, report));
        let heard = heard.0.lock().unwrap().join("\n");
        assert!(!heard.contains("hunter2") && heard.matches("***").count() >= 6, "{heard}");
        assert!(!report.contains("hunter2") && report.contains("***"), "{report}");
    }
}
