//! The document that `--json` puts on standard output. Other programs read it: keys,
//! their order and the words of `how` are fixed by [`SCHEMA`].

use serde::Serialize;

use crate::model::{ArtifactReport, How, Platform, RunReport};

/// The version of the document; grows when a key changes its meaning or goes.
pub const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    ok: bool,
    seconds: f64,
    artifacts: Vec<Artifact<'a>>,
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Artifact<'a> {
    name: &'a str,
    version: &'a str,
    platform: Platform,
    how: &'static str,
    published: bool,
    bytes: u64,
    seconds: f64,
    reason: String,
    log: Option<String>,
}

/// The document about `report`: one line with its end.
pub fn render_json(report: &RunReport) -> String {
    let document = Document {
        schema: SCHEMA,
        ok: report.is_good(),
        seconds: milliseconds(report.seconds),
        artifacts: report.artifacts.iter().map(artifact).collect(),
        warnings: report.warnings.iter().map(ToString::to_string).collect(),
    };
    let text = serde_json::to_string(&document).expect("numbers and strings always serialize");
    text + "\n"
}

fn artifact(report: &ArtifactReport) -> Artifact<'_> {
    Artifact {
        name: report.id.name.as_str(),
        version: &report.version,
        platform: report.id.platform,
        how: word(report.how),
        published: report.published,
        bytes: report.bytes,
        seconds: milliseconds(report.seconds),
        reason: reason(report),
        log: report.log.as_ref().map(|log| log.display().to_string()),
    }
}

/// The set of words is closed; to a reader, cancelled is skipped for a special reason.
fn word(how: How) -> &'static str {
    match how {
        How::Cancelled => How::Skipped.as_str(),
        how => how.as_str(),
    }
}

fn reason(report: &ArtifactReport) -> String {
    match &report.fault {
        _ if report.how == How::Cancelled => How::Cancelled.as_str().to_owned(),
        // A fault beside a good outcome (it is there, but could not be published) is the news.
        Some(fault) if report.how.is_good() || report.reason.is_empty() => fault.to_string(),
        _ => report.reason.clone(),
    }
}

/// Nobody reads nanoseconds, and a clock gives no more than noise there.
fn milliseconds(seconds: f64) -> f64 {
    if seconds.is_finite() { (seconds * 1000.0).round() / 1000.0 } else { 0.0 }
}
