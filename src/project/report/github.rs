//! GitHub Actions: groups, annotations and the step summary.
//!
//! Formats: "Workflow commands for GitHub Actions" in GitHub's documentation. In the
//! data of a command, `%`, CR and LF are written `%25`, `%0D` and `%0A`; in its
//! properties `:` and `,` are `%3A` and `%2C` as well.

use std::path::Path;

use super::{
    compilers::CodePlace,
    failures::{Failures, fault_of},
    images::images_sum,
    place::LineStarts,
    summary::{columns, render_sum},
    text::one_line,
};
use crate::console::{ConsoleReader, harmless};
use crate::model::{
    ArtifactReport, Diagnostic, Fault, How, ImageHow, ImageReport, Problems, RunReport,
};

/// Begins a group: what is printed up to [`CLOSE_GROUP`] is folded under `title`.
pub fn open_group(title: &str) -> String {
    format!("::group::{}\n", data(title))
}

/// Ends the group that was begun last.
pub const CLOSE_GROUP: &str = "::endgroup::\n";

/// An `::error` annotation for what stopped a run.
pub fn annotate_fault(fault: &Fault) -> String {
    command("error", &[], &lines(fault))
}

/// A table for the step summary.
pub fn summary_table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> String {
    let line = |cells: [String; N]| format!("| {} |\n", cells.join(" | "));
    let rows: String =
        rows.iter().map(|row| line(row.clone().map(|cell| markdown(&cell)))).collect();
    format!("\n{}{}{rows}", line(heading.map(str::to_owned)), line(heading.map(|_| "---".into())))
}

/// An `::error` annotation per problem, at its place in its file. `workspace` is the
/// workspace relative to the repository (empty if they are the same).
pub fn annotate_problems(problems: &Problems, workspace: &Path) -> String {
    let annotate = |problem| annotate_problem(problem, problems, workspace);
    problems.diagnostics.iter().map(annotate).collect()
}

/// An `::error` annotation per place in code that `who` failed over. Files are relative to the repository.
pub fn annotate_places(who: &str, places: &[CodePlace]) -> String {
    let annotate = |place: &CodePlace| {
        let mut properties = vec![("file", place.file.clone()), ("line", place.line.to_string())];
        properties.extend(place.column.map(|column| ("col", column.to_string())));
        properties.push(("title", who.to_owned()));
        command("error", &properties, &place.message)
    };
    places.iter().map(annotate).collect()
}

/// The last `lines` that `who` printed, folded, and where all of it is, for the step's summary.
pub fn log_details(who: &str, lines: &[String], log: Option<&str>) -> String {
    let body: String = lines.iter().map(|line| format!("{}\n", html(line))).collect();
    let log = log.map(|log| format!("\nAll of it: {}\n", markdown(log))).unwrap_or_default();
    let who = html(who);
    format!(
        "\n<details><summary>The last lines of {who}</summary>\n\n<pre>\n{body}</pre>\n{log}\n</details>\n"
    )
}

/// One line that HTML shows as it is.
fn html(text: &str) -> String {
    one_line(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// An `::error` annotation per failed artifact, the root cause first, and a `::warning` per warning.
pub fn annotate_run(report: &RunReport) -> String {
    let error = |artifact: &&ArtifactReport| {
        let title = format!("{} {}", artifact.id, artifact.version);
        command("error", &[("title", title)], &lines(&fault_of(artifact)))
    };
    let warning = |fault: &Fault| command("warning", &[], &lines(fault));
    let errors = Failures::in_report(report).failed.iter().map(error).collect::<String>();
    let image = |one: &ImageReport| {
        let title = format!("image of {} {}", one.name, one.version);
        let fault = one.fault.as_ref().filter(|_| one.how == ImageHow::Failed)?;
        Some(command("error", &[("title", title)], &lines(fault)))
    };
    let images = report.images.iter().filter_map(image).collect::<String>();
    errors + &images + &report.warnings.iter().map(warning).collect::<String>()
}

/// The step summary in Markdown, for the file that `$GITHUB_STEP_SUMMARY` names. `done`
/// is what was done to the artifacts: `ensured`.
pub fn step_summary(report: &RunReport, done: &str) -> String {
    let sum = match (report.artifacts.is_empty(), report.images.is_empty()) {
        (true, false) => images_sum(&report.images, report.seconds),
        (false, false) => {
            format!("{}; {}", render_sum(report, done), images_sum(&report.images, report.seconds))
        }
        (_, true) => render_sum(report, done),
    };
    let mut text = format!("### {}\n", markdown(&sum));
    let rows: String =
        report.artifacts.iter().filter(|one| one.how != How::Fresh).map(row).collect();
    if !rows.is_empty() {
        text.push_str("\n| subsystem | version | how | size | time |\n|---|---|---|---:|---:|\n");
        text.push_str(&rows);
    }
    let row = |one: &ImageReport| {
        [one.pinned().unwrap_or_else(|| one.image.clone()), one.how.as_str().into()]
    };
    let rows: Vec<[String; 2]> = report.images.iter().map(row).collect();
    if !rows.is_empty() {
        text.push_str(&summary_table(["image", "how"], &rows));
    }
    let failures = Failures::in_report(report);
    let failed = failures.failed.iter().map(|one| lines(&fault_of(one)));
    let skipped = failures.skipped.iter().map(|one| format!("{}: {}", one.id, one.reason));
    let images = report.images.iter().filter(|one| !one.how.is_good());
    let images = images.map(|one| format!("image of {}: {}", one.name, one.reason));
    let items: Vec<String> =
        failed.chain(skipped).chain(images).map(|item| markdown(&item)).collect();
    if items.is_empty() { text } else { format!("{text}\n- {}\n", items.join("\n- ")) }
}

fn annotate_problem(problem: &Diagnostic, problems: &Problems, workspace: &Path) -> String {
    let mut properties = vec![("file", workspace.join(&problem.span.file).display().to_string())];
    if let Some(text) = problems.texts.get(&problem.span.file) {
        let place = LineStarts::new(text).position(problem.span.bytes.start);
        properties.push(("line", place.line.to_string()));
        properties.push(("col", place.column.to_string()));
    }
    let label = Some(&problem.label).filter(|label| !label.is_empty());
    let help = problem.help.as_ref().map(|help| format!("help: {help}"));
    let parts = [Some(problem.what.clone()), label.cloned(), help];
    let text: Vec<String> = parts.into_iter().flatten().collect();
    command("error", &properties, &text.join("\n"))
}

/// The fault, a line for what, for each cause, and for what to do.
fn lines(fault: &Fault) -> String {
    let why = fault.why.iter().map(|why| format!("\nbecause: {why}"));
    let hint = fault.hint.iter().map(|hint| format!("\nhelp: {hint}"));
    std::iter::once(fault.what.clone()).chain(why).chain(hint).collect()
}

fn command(name: &str, properties: &[(&str, String)], text: &str) -> String {
    let properties: Vec<String> =
        properties.iter().map(|(key, value)| format!("{key}={}", property(value))).collect();
    let blank = if properties.is_empty() { "" } else { " " };
    format!("::{name}{blank}{}::{}\n", properties.join(","), data(text))
}

fn data(text: &str) -> String {
    let text = harmless(text, ConsoleReader::Person);
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

fn row(artifact: &ArtifactReport) -> String {
    let cells = columns(artifact).map(|cell| markdown(&cell));
    format!("| {} |\n", cells.join(" | "))
}

/// `text` as Markdown that shows just that, on one line.
fn markdown(text: &str) -> String {
    let text = text.lines().map(one_line).collect::<Vec<_>>().join(" — ");
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '&' => escaped.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '|' | '[' | ']' | '#' | '~' | '$' | '@' => {
                escaped.push('\\');
                escaped.push(c);
            }
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};
    use crate::model::Span;

    #[test]
    fn an_annotation_points_at_the_place_and_escapes_what_would_end_it() {
        let span = Span { file: "a,b:c.yml".into(), bytes: 4..5 };
        let problem = Diagnostic::new(span, "100 % wrong", "here").help("write\r\nanother");
        let texts = [("a,b:c.yml".into(), "x: 1\ny: 2\n".into())].into();
        let problems = Problems { diagnostics: vec![problem], texts };
        insta::assert_snapshot!(annotate_problems(&problems, Path::new("sub")), @r"::error file=sub/a%2Cb%3Ac.yml,line=1,col=5::100 %25 wrong%0Ahere%0Ahelp: write%0Aanother");
    }

    #[test]
    fn failures_and_warnings_become_annotations() {
        let mut report = sample::bad_run();
        report
            .warnings
            .push(Fault::new(crate::model::Kind::Store, "cannot reach the second store"));
        insta::assert_snapshot!(annotate_run(&report), @r"
        ::error title=nats v1.2.3::cannot build nats v1.2.3%0Abecause: `make all` exited with code 2%0Ahelp: read its log
        ::error title=gcc-lib v1.2.3::cannot build gcc-lib v1.2.3%0Abecause: `make all` exited with code 2%0Ahelp: read its log
        ::warning::cannot reach the second store
        ");
    }

    #[test]
    fn places_in_code_become_annotations_and_the_last_lines_are_folded() {
        let place = CodePlace {
            file: "cmd/a,b.go".into(),
            line: 9,
            column: Some(14),
            message: "100 % wrong".into(),
        };
        let places = [place.clone(), CodePlace { column: None, ..place }];
        insta::assert_snapshot!(annotate_places("cli v1", &places), @r"
        ::error file=cmd/a%2Cb.go,line=9,col=14,title=cli v1::100 %25 wrong
        ::error file=cmd/a%2Cb.go,line=9,title=cli v1::100 %25 wrong
        ");
        let lines = ["a <b> & c".to_owned(), "```".to_owned()];
        insta::assert_snapshot!(log_details("cli v1", &lines, Some(".forge/logs/cli.log")), @r"

        <details><summary>The last lines of cli v1</summary>

        <pre>
        a &lt;b&gt; &amp; c
        ```
        </pre>

        All of it: .forge/logs/cli.log

        </details>
        ");
    }

    #[test]
    fn the_step_summary_is_a_table_with_what_failed() {
        insta::assert_snapshot!(step_summary(&sample::good_run(), "ensured"), @r"
        ### 4 ensured in 2 min 6 s: 2 downloaded, 1 fresh, 1 built and published

        | subsystem | version | how | size | time |
        |---|---|---|---:|---:|
        | arc | v1.2.3 | built and published | 14.2 MB | 2 min 5 s |
        | liftbridge | v1.2.3 | downloaded | 14.2 MB | 1.4 s |
        | telegraf | v1.2.3 | downloaded | 14.2 MB | 1.4 s |
        ");
        let mut report = sample::bad_run();
        report.artifacts[2].fault =
            Some(Fault::new(crate::model::Kind::Failed, "gcc-lib: `a|b` <c>"));
        insta::assert_snapshot!(step_summary(&report, "ensured"), @r"
        ### 2 failed, 1 skipped, 2 ensured in 3.2 s

        | subsystem | version | how | size | time |
        |---|---|---|---:|---:|
        | app | v1.2.3 | skipped |  |  |
        | docs | v1.2.3 | cached | 14.2 MB | 1.4 s |
        | gcc-lib | v1.2.3 | failed |  | 1.4 s |
        | nats | v1.2.3 | failed |  | 1.4 s |

        - cannot build nats v1.2.3 — because: \`make all\` exited with code 2 — help: read its log
        - gcc-lib: \`a\|b\` &lt;c>
        - app: needs gcc-lib, which failed
        ");
    }

    #[test]
    fn a_table_of_the_summary_escapes_its_cells() {
        insta::assert_snapshot!(summary_table(["a", "b"], &[["1|2".into(), "x".into()]]), @r"

        | a | b |
        | --- | --- |
        | 1\|2 | x |
        ");
    }
}
