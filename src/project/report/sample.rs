//! Reports that tests render.

use crate::model::{ArtifactId, ArtifactReport, Fault, How, Kind, Name, RunReport};

/// An artifact that was obtained in one way or the other.
pub fn artifact(name: &str, how: How) -> ArtifactReport {
    ArtifactReport {
        id: ArtifactId { name: Name::new(name).unwrap(), platform: crate::model::Platform::host() },
        version: "v1.2.3".into(),
        how,
        published: false,
        bytes: 14_234_567,
        seconds: 1.44,
        reason: "because of this".into(),
        log: None,
        fault: None,
    }
}

/// A failed one.
pub fn failed(name: &str, kind: Kind) -> ArtifactReport {
    let fault = Fault::new(kind, format!("cannot build {name} v1.2.3"))
        .because("`make all` exited with code 2")
        .hint("read its log");
    ArtifactReport {
        bytes: 0,
        reason: fault.to_string(),
        fault: Some(fault),
        log: Some(format!("/w/.forge/logs/7/{name}.log").into()),
        ..artifact(name, How::Failed)
    }
}

/// A skipped one.
pub fn skipped(name: &str, reason: &str) -> ArtifactReport {
    ArtifactReport { bytes: 0, seconds: 0.0, reason: reason.into(), ..artifact(name, How::Skipped) }
}

/// A run in which all went well.
pub fn good_run() -> RunReport {
    let built = artifact("arc", How::Built);
    let artifacts = vec![
        ArtifactReport { published: true, seconds: 125.2, ..built },
        artifact("liftbridge", How::Downloaded),
        artifact("nats", How::Fresh),
        artifact("telegraf", How::Downloaded),
    ];
    RunReport { artifacts, seconds: 126.0, ..RunReport::default() }
}

/// A run in which something failed.
pub fn bad_run() -> RunReport {
    let artifacts = vec![
        skipped("app", "needs gcc-lib, which failed"),
        artifact("docs", How::Cached),
        failed("gcc-lib", Kind::Failed),
        failed("nats", Kind::Verification),
        artifact("telegraf", How::Fresh),
    ];
    RunReport { artifacts, seconds: 3.2, ..RunReport::default() }
}
