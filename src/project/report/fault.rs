//! Faults and warnings as people read them: what, why, what to do.

use super::{
    problems::pictures_of,
    style::{Role, Style},
    text::{mentions, visible},
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
        Some(id) if !mentions(&fault.what, id.name.as_str()) => {
            let what = format!("{id}: {}", fault.what);
            render(Role::Warn, "warning", &what, fault, style)
        }
        _ => render(Role::Warn, "warning", &fault.what, fault, style),
    }
}

fn render(role: Role, label: &str, what: &str, fault: &Fault, style: Style) -> String {
    let mut text = part(style, role, label, what);
    // The last cause is told with the picture of its place.
    let pictured = usize::from(fault.shown.is_some());
    for why in &fault.why[..fault.why.len().saturating_sub(pictured)] {
        text.push_str(&part(style, Role::Dim, "  because", why));
    }
    text.push_str(&fault.shown.as_ref().map_or_else(String::new, |it| pictures_of(it, style)));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Kind, Name, Platform};

    fn fault() -> Fault {
        Fault::new(Kind::Store, "cannot read the release of nats v2.10.24")
            .because("https://example.org answered 503")
            .because("first line\nsecond\u{1b}line")
            .hint("try again later, or work `--offline`")
    }

    #[test]
    fn a_fault_says_what_why_and_what_to_do() {
        insta::assert_snapshot!(render_fault(&fault(), Style::PLAIN), @r"
        error: cannot read the release of nats v2.10.24
          because: https://example.org answered 503
          because: first line
                   second␛line
          help: try again later, or work `--offline`
        ");
        let bare = Fault::new(Kind::Usage, "no such subsystem");
        assert_eq!(render_fault(&bare, Style::PLAIN), "error: no such subsystem\n");
    }

    #[test]
    fn only_labels_are_coloured() {
        let text = render_fault(&fault(), Style { color: true, width: None });
        insta::assert_snapshot!(text.replace('\u{1b}', "␛"), @r"
        ␛[1m␛[31merror:␛[0m cannot read the release of nats v2.10.24
        ␛[2m  because:␛[0m https://example.org answered 503
        ␛[2m  because:␛[0m first line
                   second␛line
        ␛[32m  help:␛[0m try again later, or work `--offline`
        ");
    }

    #[test]
    fn a_warning_names_its_artifact_once() {
        let name = |name| Name::new(name).unwrap();
        let id = |text| ArtifactId { name: name(text), platform: Platform::host() };
        let bare = Fault::new(Kind::Failed, "the cache is full").because("no space left");
        insta::assert_snapshot!(render_warning(Some(&id("arc")), &bare, Style::PLAIN), @r"
        warning: arc: the cache is full
          because: no space left
        ");
        let about = render_warning(Some(&id("nats")), &fault(), Style::PLAIN);
        assert!(about.starts_with("warning: cannot read the release of nats"), "{about}");
        assert_eq!(
            render_warning(None, &Fault::new(Kind::Failed, "so"), Style::PLAIN),
            "warning: so\n"
        );
    }
}
