//! The document that `--json` puts on standard output. Other programs read it: keys,
//! their order and the words of `how` are fixed by [`SCHEMA`].

use serde::Serialize;

use crate::model::{ArtifactReport, How, ImageReport, Platform, RemoteTotals, RunReport};

/// The version of the document; grows when a key changes its meaning or goes.
pub const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    ok: bool,
    seconds: f64,
    artifacts: Vec<ArtifactRow<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<ImageRow<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote: Option<RemoteRow<'a>>,
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct ArtifactRow<'a> {
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

#[derive(Serialize)]
struct RemoteRow<'a> {
    cache: &'a str,
    fetched: usize,
    missed: usize,
    written: usize,
    executed: usize,
    bytes: u64,
}

#[derive(Serialize)]
struct ImageRow<'a> {
    name: &'a str,
    version: &'a str,
    image: &'a str,
    digest: Option<String>,
    how: &'static str,
    moved: &'a [String],
    bytes: u64,
    seconds: f64,
    reason: &'a str,
}

/// The document about `report`: one line with its end.
pub fn render_json(report: &RunReport) -> String {
    let document = Document {
        schema: SCHEMA,
        ok: report.is_good(),
        seconds: milliseconds(report.seconds),
        artifacts: report.artifacts.iter().map(artifact).collect(),
        images: report.images.iter().map(image).collect(),
        remote: report.remote.as_ref().map(remote),
        warnings: report.warnings.iter().map(ToString::to_string).collect(),
    };
    let text = serde_json::to_string(&document).expect("numbers and strings always serialize");
    text + "\n"
}

fn artifact(report: &ArtifactReport) -> ArtifactRow<'_> {
    ArtifactRow {
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

fn remote(totals: &RemoteTotals) -> RemoteRow<'_> {
    let RemoteTotals { cache, fetched, missed, written, executed, sent } = totals;
    let (fetched, missed, written) = (*fetched, *missed, *written);
    let (executed, bytes) = (*executed, *sent);
    RemoteRow { cache, fetched, missed, written, executed, bytes }
}

fn image(report: &ImageReport) -> ImageRow<'_> {
    ImageRow {
        name: report.name.as_str(),
        version: &report.version,
        image: &report.image,
        digest: report.digest.map(|digest| format!("sha256:{digest}")),
        how: report.how.as_str(),
        moved: &report.moved,
        bytes: report.bytes,
        seconds: milliseconds(report.seconds),
        reason: &report.reason,
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

#[cfg(test)]
mod tests {
    use super::{super::sample, *};
    use crate::model::{Fault, Kind};

    #[test]
    fn keys_their_order_and_the_words_are_fixed() {
        let mut report = sample::bad_run();
        report.artifacts[0].how = How::Cancelled;
        report.artifacts[1].published = true;
        report.artifacts[1].fault = Some(Fault::new(Kind::Store, "cannot publish").because("403"));
        for artifact in &mut report.artifacts {
            artifact.id.platform = "linux-amd64".parse().unwrap();
        }
        report.warnings.push(Fault::new(Kind::Failed, "the cache is full").because("no space"));
        let text = render_json(&report);
        insta::assert_snapshot!(text.replace("},{", "},\n{").replace(":[{", ":[\n{"), @r#"
        {"schema":1,"ok":false,"seconds":3.2,"artifacts":[
        {"name":"app","version":"v1.2.3","platform":"linux-amd64","how":"skipped","published":false,"bytes":0,"seconds":0.0,"reason":"cancelled","log":null},
        {"name":"docs","version":"v1.2.3","platform":"linux-amd64","how":"cached","published":true,"bytes":14234567,"seconds":1.44,"reason":"cannot publish: 403","log":null},
        {"name":"gcc-lib","version":"v1.2.3","platform":"linux-amd64","how":"failed","published":false,"bytes":0,"seconds":1.44,"reason":"cannot build gcc-lib v1.2.3: `make all` exited with code 2","log":"/w/.forge/logs/7/gcc-lib.log"},
        {"name":"nats","version":"v1.2.3","platform":"linux-amd64","how":"failed","published":false,"bytes":0,"seconds":1.44,"reason":"cannot build nats v1.2.3: `make all` exited with code 2","log":"/w/.forge/logs/7/nats.log"},
        {"name":"telegraf","version":"v1.2.3","platform":"linux-amd64","how":"fresh","published":false,"bytes":14234567,"seconds":1.44,"reason":"because of this","log":null}],"warnings":["the cache is full: no space"]}
        "#);
    }

    #[test]
    fn what_is_no_number_is_none_in_json_either() {
        let report = RunReport { seconds: f64::NAN, ..RunReport::default() };
        let expected = r#"{"schema":1,"ok":true,"seconds":0.0,"artifacts":[],"warnings":[]}"#;
        assert_eq!(render_json(&report).trim_end(), expected);
    }
}
