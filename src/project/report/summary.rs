//! The closing of a run: the table, failures with the root cause first, the sum.

use std::{cmp::Reverse, path::Path};

use super::{
    failures::{Failures, fault_of},
    fault::render_fault,
    human::{human_size, human_time},
    style::{Role, Style},
    table::{Align, Cell, Table},
    text::one_line,
};
use crate::model::{ArtifactReport, How, Layout, RunReport};

/// Which artifacts the closing table shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Show {
    /// No table, and no sum unless something failed (`-q`).
    Failures,
    /// Those that were not simply fresh.
    #[default]
    Changed,
    /// All.
    All,
}

/// What the closing needs to know beside the report.
pub struct Closing<'a> {
    /// What was done to the artifacts, as a participle for the sum: `ensured`.
    pub done: &'a str,
    /// What the table shows.
    pub show: Show,
    /// Shortens the paths of logs.
    pub layout: &'a Layout,
    /// Reads the last lines of a log; asked only for the root cause.
    pub tail: &'a dyn Fn(&Path) -> Vec<String>,
}

/// The table, the failures and the sum, as far as there is something to say: with
/// [`Show::Failures`], a good run leaves nothing.
pub fn render_summary(report: &RunReport, closing: &Closing<'_>, style: Style) -> String {
    if closing.show == Show::Failures && report.is_good() {
        return String::new();
    }
    let table = table(report, closing.show);
    let mut parts = Vec::new();
    if !table.is_empty() {
        parts.push(table.render(style));
    }
    parts.extend(failures(report, closing, style));
    let role = if report.is_good() { Role::Ok } else { Role::Error };
    parts.push(style.paint(role, &render_sum(report, closing.done)) + "\n");
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

/// The sum, without a line end: `8 ensured in 14.2 s: 5 downloaded, 2 fresh, 1 built and
/// published`, or `2 failed, 1 skipped, 5 ensured in 3.2 s`.
pub fn render_sum(report: &RunReport, done: &str) -> String {
    if report.artifacts.is_empty() {
        return "nothing to do".into();
    }
    let time = human_time(report.seconds);
    let total = report.artifacts.len();
    if report.is_good() {
        return format!("{total} {done} in {time}: {}", outcomes(report));
    }
    let bad = Failures::in_report(report);
    let (failed, skipped, cancelled) = (bad.failed.len(), bad.skipped.len(), bad.cancelled.len());
    let good = total - failed - skipped - cancelled;
    let counts = [(failed, "failed"), (skipped, "skipped"), (cancelled, "cancelled"), (good, done)];
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts.map(|(count, word)| format!("{count} {word}")).collect();
    format!("{} in {time}", counts.join(", "))
}

/// `5 downloaded, 2 fresh, 1 built and published`: the most frequent first.
fn outcomes(report: &RunReport) -> String {
    let mut counts: Vec<(usize, String)> = Vec::new();
    for how in How::ALL {
        for published in [false, true] {
            let same = |one: &&ArtifactReport| one.how == *how && one.published == published;
            let count = report.artifacts.iter().filter(same).count();
            counts.push((count, how_words(*how, published)));
        }
    }
    counts.retain(|(count, _)| *count > 0);
    counts.sort_by_key(|(count, _)| Reverse(*count));
    let words: Vec<String> =
        counts.iter().map(|(count, words)| format!("{count} {words}")).collect();
    words.join(", ")
}

/// `built`, `built and published`.
fn how_words(how: How, published: bool) -> String {
    format!("{}{}", how.as_str(), if published { " and published" } else { "" })
}

fn table(report: &RunReport, show: Show) -> Table {
    let mut table = Table::new([
        ("subsystem", Align::Left),
        ("version", Align::Left),
        ("how", Align::Left),
        ("size", Align::Right),
        ("time", Align::Right),
    ]);
    let shown = |one: &&ArtifactReport| match show {
        Show::Failures => false,
        Show::Changed => one.how != How::Fresh || one.published || one.fault.is_some(),
        Show::All => true,
    };
    for artifact in report.artifacts.iter().filter(shown) {
        table.row(row(artifact));
    }
    table
}

fn row(artifact: &ArtifactReport) -> Vec<Cell> {
    let role = match artifact.how {
        _ if artifact.how.is_good() && artifact.fault.is_none() => Role::Ok,
        How::Skipped | How::Cancelled => Role::Warn,
        _ => Role::Error,
    };
    let [name, version, how, size, time] = columns(artifact);
    let mut cells = vec![
        Cell::new(Role::Name, name),
        Cell::from(version),
        Cell::new(role, how),
        Cell::from(size),
        Cell::from(time),
    ];
    if artifact.is_beside_its_release() {
        cells.push(Cell::new(Role::Dim, "not released"));
    }
    cells
}

/// Subsystem, version, how, size and time; empty where there is none.
pub(super) fn columns(artifact: &ArtifactReport) -> [String; 5] {
    let size = Some(artifact.bytes).filter(|bytes| *bytes > 0).map(human_size);
    let is_tried = !matches!(artifact.how, How::Skipped | How::Cancelled);
    [
        artifact.id.to_string(),
        artifact.version.clone(),
        how_words(artifact.how, artifact.published),
        size.unwrap_or_default(),
        if is_tried { human_time(artifact.seconds) } else { String::new() },
    ]
}

/// A part per failure, the root cause first, and one for all that was skipped.
fn failures(report: &RunReport, closing: &Closing<'_>, style: Style) -> Vec<String> {
    let failures = Failures::in_report(report);
    let mut parts = Vec::new();
    for (at, artifact) in failures.failed.iter().enumerate() {
        let mut text = render_fault(&fault_of(artifact), style);
        if let Some(log) = &artifact.log {
            let tail = if at == 0 { (closing.tail)(log) } else { Vec::new() };
            text.push_str(&log_lines(&tail, style));
            let label = style.paint(Role::Dim, "  log:");
            text = format!("{text}{label} {}\n", closing.layout.display(log));
        }
        parts.push(text);
    }
    let waited = failures.skipped.iter().map(|one| {
        let label = style.paint(Role::Warn, "skipped:");
        format!("{label} {}: {}\n", one.id, one_line(&one.reason))
    });
    parts.push(waited.collect());
    parts
}

/// The last lines of a log, marked as somebody else's words.
fn log_lines(tail: &[String], style: Style) -> String {
    let line = |line: &String| {
        let bar = style.paint(Role::Dim, "  |");
        format!("{bar} {}", one_line(line)).trim_end().to_owned() + "\n"
    };
    tail.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};
    use crate::model::{Fault, Kind};

    fn render(report: &RunReport, show: Show, style: Style) -> String {
        let tail = |_: &Path| {
            vec!["cc -c a.c".to_owned(), "\u{1b}[31ma.c:1: error\u{1b}[0m".into(), String::new()]
        };
        let layout = Layout::at("/w".into());
        let closing = Closing { done: "ensured", show, layout: &layout, tail: &tail };
        render_summary(report, &closing, style)
    }

    #[test]
    fn a_good_run_closes_with_what_changed_and_the_sum() {
        insta::assert_snapshot!(render(&sample::good_run(), Show::Changed, Style::PLAIN), @r"
        subsystem   version  how                     size       time
        arc         v1.2.3   built and published  14.2 MB  2 min 5 s
        liftbridge  v1.2.3   downloaded           14.2 MB      1.4 s
        telegraf    v1.2.3   downloaded           14.2 MB      1.4 s

        4 ensured in 2 min 6 s: 2 downloaded, 1 fresh, 1 built and published
        ");
        insta::assert_snapshot!(render(&sample::good_run(), Show::All, Style::PLAIN), @r"
        subsystem   version  how                     size       time
        arc         v1.2.3   built and published  14.2 MB  2 min 5 s
        liftbridge  v1.2.3   downloaded           14.2 MB      1.4 s
        nats        v1.2.3   fresh                14.2 MB      1.4 s
        telegraf    v1.2.3   downloaded           14.2 MB      1.4 s

        4 ensured in 2 min 6 s: 2 downloaded, 1 fresh, 1 built and published
        ");
        assert_eq!(render(&sample::good_run(), Show::Failures, Style::PLAIN), "");
    }

    #[test]
    fn a_run_in_which_nothing_was_to_do_is_one_line() {
        let fresh = vec![sample::artifact("nats", How::Fresh)];
        let report = RunReport { artifacts: fresh, seconds: 0.003, ..RunReport::default() };
        assert_eq!(render(&report, Show::Changed, Style::PLAIN), "1 ensured in 3 ms: 1 fresh\n");
        assert_eq!(render(&RunReport::default(), Show::Changed, Style::PLAIN), "nothing to do\n");
    }

    #[test]
    fn a_failed_run_closes_with_the_root_cause_first() {
        insta::assert_snapshot!(render(&sample::bad_run(), Show::Changed, Style::PLAIN), @r"
        subsystem  version  how         size   time
        app        v1.2.3   skipped
        docs       v1.2.3   cached   14.2 MB  1.4 s
        gcc-lib    v1.2.3   failed            1.4 s
        nats       v1.2.3   failed            1.4 s

        error: cannot build nats v1.2.3
          because: `make all` exited with code 2
          help: read its log
          | cc -c a.c
          | a.c:1: error
          |
          log: .forge/logs/7/nats.log

        error: cannot build gcc-lib v1.2.3
          because: `make all` exited with code 2
          help: read its log
          log: .forge/logs/7/gcc-lib.log

        skipped: app: needs gcc-lib, which failed

        2 failed, 1 skipped, 2 ensured in 3.2 s
        ");
        let quiet = render(&sample::bad_run(), Show::Failures, Style::PLAIN);
        assert!(quiet.starts_with("error: cannot build nats"), "{quiet}");
    }

    #[test]
    fn colour_marks_outcomes_labels_and_the_sum() {
        let coloured = Style { color: true, width: Some(80) };
        let text = render(&sample::bad_run(), Show::Changed, coloured);
        insta::assert_snapshot!(text.replace('\u{1b}', "␛"), @r"
        ␛[2msubsystem␛[0m  ␛[2mversion␛[0m  ␛[2mhow␛[0m         ␛[2msize␛[0m   ␛[2mtime␛[0m
        ␛[1mapp␛[0m        v1.2.3   ␛[1m␛[33mskipped␛[0m
        ␛[1mdocs␛[0m       v1.2.3   ␛[32mcached␛[0m   14.2 MB  1.4 s
        ␛[1mgcc-lib␛[0m    v1.2.3   ␛[1m␛[31mfailed␛[0m            1.4 s
        ␛[1mnats␛[0m       v1.2.3   ␛[1m␛[31mfailed␛[0m            1.4 s

        ␛[1m␛[31merror:␛[0m cannot build nats v1.2.3
        ␛[2m  because:␛[0m `make all` exited with code 2
        ␛[32m  help:␛[0m read its log
        ␛[2m  |␛[0m cc -c a.c
        ␛[2m  |␛[0m a.c:1: error
        ␛[2m  |␛[0m
        ␛[2m  log:␛[0m .forge/logs/7/nats.log

        ␛[1m␛[31merror:␛[0m cannot build gcc-lib v1.2.3
        ␛[2m  because:␛[0m `make all` exited with code 2
        ␛[32m  help:␛[0m read its log
        ␛[2m  log:␛[0m .forge/logs/7/gcc-lib.log

        ␛[1m␛[33mskipped:␛[0m app: needs gcc-lib, which failed

        ␛[1m␛[31m2 failed, 1 skipped, 2 ensured in 3.2 s␛[0m
        ");
    }

    #[test]
    fn what_is_there_but_could_not_be_published_counts_as_failed() {
        let mut report = sample::good_run();
        report.artifacts[1].fault = Some(Fault::new(Kind::Store, "cannot publish it"));
        let text = render(&report, Show::Failures, Style::PLAIN);
        insta::assert_snapshot!(text, @r"
        error: liftbridge v1.2.3: cannot publish it

        1 failed, 3 ensured in 2 min 6 s
        ");
    }

    #[test]
    fn a_stopped_run_says_what_was_cancelled() {
        let mut report = sample::good_run();
        report.artifacts[3].how = How::Cancelled;
        assert_eq!(render_sum(&report, "ensured"), "1 cancelled, 3 ensured in 2 min 6 s");
    }
}
