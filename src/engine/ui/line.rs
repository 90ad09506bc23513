//! The lines that stay: what ended, what a command printed, what somebody should know.

use super::board::News;
use crate::{
    model::{ArtifactReport, How},
    report::{Role, Style, human_size, human_time, one_line, render_warning},
};

/// Verbs and outcomes stand in a column of this width: `downloading` fits.
pub(super) const VERB: usize = 11;

/// `news` as text; each line has its end. Empty if there is nothing to say.
pub(super) fn news_text(news: &News, style: Style) -> String {
    match news {
        News::Line { name, line } => {
            let bar = style.paint(Role::Dim, &format!("{name} |"));
            format!("{} {}", bar, one_line(line)).trim_end().to_owned() + "\n"
        }
        News::LeftOut(lines) => {
            let text = format!("({lines} lines came too fast to be shown; the logs have them)");
            style.paint(Role::Dim, &text) + "\n"
        }
        News::Warning { artifact, fault } => render_warning(artifact.as_ref(), fault, style),
        News::Waiting(why) => action(Role::Warn, "waiting", &one_line(why), style) + "\n",
        News::Finished(report) => finished(report, style),
    }
}

/// `verb        what`, the beginning of every line about an action.
pub(super) fn action(role: Role, verb: &str, what: &str, style: Style) -> String {
    format!("{} {what}", style.paint(role, &format!("{verb:<VERB$}")))
}

fn finished(report: &ArtifactReport, style: Style) -> String {
    let reason = || match &report.fault {
        Some(fault) => fault.to_string(),
        None => report.reason.clone(),
    };
    let took = human_time(report.seconds);
    let (role, rest) = match report.how {
        _ if report.published => return published(report, style),
        How::Fresh if report.fault.is_none() => return String::new(),
        // Why is told at the end, once.
        How::Failed => (Role::Error, format!("after {took}")),
        How::Skipped | How::Cancelled => (Role::Warn, reason()),
        _ => {
            let size =
                if report.bytes > 0 { human_size(report.bytes) + " " } else { String::new() };
            let but = report.fault.as_ref().map_or(String::new(), |fault| format!(", but {fault}"));
            (Role::Ok, format!("{size}in {took}{but}"))
        }
    };
    let what = format!("{} {}", style.paint(Role::Name, &report.id.to_string()), report.version);
    let line = action(role, report.how.as_str(), &what, style);
    format!("{line}  {}", one_line(&rest)).trim_end().to_owned() + "\n"
}

fn published(report: &ArtifactReport, style: Style) -> String {
    let what = format!("{} {}", style.paint(Role::Name, &report.id.to_string()), report.version);
    action(Role::Ok, "published", &what, style) + "\n"
}
