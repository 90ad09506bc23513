//! What the pipeline gives account of: the plan, the table at the end, the JSON document, and in
//! GitHub Actions the outputs and the summary of the step.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    ci::{Planned, Runs, SELECTED, Stage},
    model::{ArtifactId, Fault, Kind, Name},
    report::{Align, Cell, Role, Table, human_time, summary_table},
};

use super::{super::session::Session, stages::Did, voice::Voice};

/// Which subsystems were built, published and downloaded.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) built: BTreeSet<Name>,
    pub(super) published: BTreeSet<Name>,
    pub(super) downloaded: BTreeSet<Name>,
    pub(super) remote: BTreeSet<Name>,
    /// The artifacts that were published.
    pub(super) assets: BTreeSet<ArtifactId>,
    /// The images that are released, by their digests.
    pub(super) images: BTreeMap<Name, String>,
}

/// What became of one stage.
pub(super) struct StageReport {
    pub(super) stage: Stage,
    result: &'static str,
    because: String,
    /// How long it took; none if it did not run.
    seconds: Option<f64>,
    /// Its exit code.
    pub(super) code: u8,
}

/// What became of all of them.
pub(super) struct StageSummary {
    pub(super) stages: Vec<StageReport>,
    pub(super) counts: Counts,
}

impl StageReport {
    /// One that did not run.
    pub(super) fn skipped(stage: Stage, because: String) -> Self {
        Self { stage, result: "skipped", because, seconds: None, code: 0 }
    }

    /// One that ran.
    pub(super) fn ran(stage: Stage, did: Did, seconds: f64) -> Self {
        let result = if did.code == 0 { "done" } else { "failed" };
        Self { stage, result, because: did.what, seconds: Some(seconds), code: did.code }
    }

    fn role(&self) -> Role {
        match (self.code, self.seconds) {
            (0, None) => Role::Dim,
            (0, Some(_)) => Role::Ok,
            _ => Role::Error,
        }
    }

    fn time(&self) -> String {
        self.seconds.map(human_time).unwrap_or_default()
    }
}

impl Counts {
    /// The outputs of the step, by their names.
    fn outputs(&self) -> [(&'static str, String); 6] {
        let list = |names: &BTreeSet<Name>| {
            names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(",")
        };
        [
            ("built", list(&self.built)),
            ("published", list(&self.published)),
            ("downloaded", list(&self.downloaded)),
            ("remote", list(&self.remote)),
            ("hit", self.built.is_empty().to_string()),
            // One line, for `fromJSON`.
            ("images", self.images().to_string()),
        ]
    }
}

impl Counts {
    /// The images, as JSON has them.
    fn images(&self) -> serde_json::Value {
        let entries =
            self.images.iter().map(|(name, image)| (name.to_string(), image.as_str().into()));
        serde_json::Value::Object(entries.collect())
    }
}

impl StageSummary {
    /// That of the first stage that failed; an interruption explains all else.
    pub(super) fn exit_code(&self) -> u8 {
        let mut codes = self.stages.iter().map(|stage| stage.code).filter(|code| *code != 0);
        let interrupted = Kind::Interrupted.exit_code();
        let first = codes.next().unwrap_or(0);
        if codes.any(|code| code == interrupted) { interrupted } else { first }
    }

    /// Tells it to all who want to know.
    pub(super) fn close(&self, session: &Session, voice: &Voice) -> Result<(), Fault> {
        let mut table = Table::new([
            ("stage", Align::Left),
            ("result", Align::Left),
            ("time", Align::Right),
            ("because", Align::Left),
        ]);
        for stage in &self.stages {
            table.row([
                Cell::new(Role::Name, stage.stage.name()),
                Cell::new(stage.role(), stage.result),
                Cell::from(stage.time()),
                Cell::new(Role::Dim, &stage.because),
            ]);
        }
        voice.note(&table.render(voice.style()))?;
        if let Some(actions) = voice.actions() {
            actions.set_outputs(&self.counts.outputs())?;
            let row = |stage: &StageReport| {
                [
                    stage.stage.name().into(),
                    stage.result.into(),
                    stage.time(),
                    stage.because.clone(),
                ]
            };
            let rows: Vec<_> = self.stages.iter().map(row).collect();
            actions.add_summary(&summary_table(["stage", "result", "time", "because"], &rows))?;
        }
        if session.flags.json {
            session.say(&self.json())?;
        }
        Ok(())
    }

    fn json(&self) -> String {
        let stage = |stage: &StageReport| {
            serde_json::json!({
                "stage": stage.stage.name(),
                "result": stage.result,
                "because": stage.because,
                "seconds": stage.seconds,
                "exit_code": stage.code,
            })
        };
        let Counts { built, published, downloaded, remote, .. } = &self.counts;
        let list =
            |names: &BTreeSet<Name>| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        let document = serde_json::json!({
            "schema": 1,
            "stages": self.stages.iter().map(stage).collect::<Vec<_>>(),
            "built": list(built),
            "published": list(published),
            "downloaded": list(downloaded),
            "remote": list(remote),
            "hit": built.is_empty(),
            "images": self.counts.images(),
        });
        format!("{document:#}\n")
    }
}

/// Shows which stages would run, and why.
pub(super) fn show_plan(session: &Session, planned: &[Planned]) -> Result<(), Fault> {
    if session.flags.json {
        let service = |(name, because): (&Name, &String)| serde_json::json!({ "name": name.as_str(), "because": because });
        let stage = |planned: &Planned| {
            serde_json::json!({
                "stage": planned.stage.name(),
                "runs": planned.runs != Runs::Not,
                "by_task": planned.runs == Runs::Task,
                "because": planned.because,
                "services": planned.services.iter().map(service).collect::<Vec<_>>(),
            })
        };
        let stages: Vec<_> = planned.iter().map(stage).collect();
        let document = serde_json::json!({"schema": 1, "stages": stages});
        return session.say(&format!("{document:#}\n"));
    }
    let mut table =
        Table::new([("stage", Align::Left), ("runs", Align::Left), ("because", Align::Left)]);
    for planned in planned {
        let role = if planned.runs == Runs::Not { Role::Dim } else { Role::Ok };
        table.row([
            Cell::new(Role::Name, planned.stage.name()),
            Cell::new(role, planned.runs.as_str()),
            Cell::new(Role::Dim, because(planned)),
        ]);
    }
    session.say(&table.render(session.stdout_style()))
}

/// Why a stage runs, and which services it brings up. That those are selected needs no word.
fn because(planned: &Planned) -> String {
    let service = |(name, because): (&Name, &String)| match because.as_str() {
        SELECTED => name.to_string(),
        because => format!("{name} ({because})"),
    };
    let services: Vec<_> = planned.services.iter().map(service).collect();
    match services.is_empty() {
        true => planned.because.clone(),
        false => format!("{}; with services {}", planned.because, services.join(", ")),
    }
}
