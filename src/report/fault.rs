//! Faults and warnings as people read them: what, why, what to do.

use super::{
    style::{Role, Style},
    text::visible,
};
use crate::model::{ArtifactId, Fault};

/// `fault` as `error: what`, a line `because: …` per cause, and `help: …`. Ends with a line end.
pub fn render_fault(fault: &Fault, style: Style) -> String {
    render(Role::Error, "error", &fault.what, fault, style)
}

/// Like [`render_fault`], for something that does not stop the run; `artifact` is what
/// it concerns.
pub fn render_warning(artifact: Option<&ArtifactId>, fault: &Fault, style: Style) -> String {
    match artifact {
        Some(id) if !fault.what.contains(id.name.as_str()) => {
            let what = format!("{id}: {}", fault.what);
            render(Role::Warn, "warning", &what, fault, style)
        }
        _ => render(Role::Warn, "warning", &fault.what, fault, style),
    }
}

fn render(role: Role, label: &str, what: &str, fault: &Fault, style: Style) -> String {
    let mut text = part(style, role, label, what);
    for why in &fault.why {
        text.push_str(&part(style, Role::Dim, "  because", why));
    }
    if let Some(hint) = &fault.hint {
        text.push_str(&part(style, Role::Ok, "  help", hint));
    }
    text
}

/// `label: text`; further lines of the text stand under its first one.
fn part(style: Style, role: Role, label: &str, text: &str) -> String {
    let mut lines = text.trim_end().lines();
    let first = visible(lines.next().unwrap_or_default());
    let mut part = format!("{} {first}\n", style.paint(role, &format!("{label}:")));
    for line in lines {
        let line = visible(line);
        part.push_str(format!("{:indent$}{line}", "", indent = label.len() + 2).trim_end());
        part.push('\n');
    }
    part
}
