//! `forge graph`: what needs what, for Markdown pages or Graphviz.

use std::fmt::Write as _;

use crate::workspace::{Subsystem, Workspace};

use super::{CliError, choice::GraphFormat, session::Session};

/// Draws the graph.
pub(super) fn graph(session: &Session, format: GraphFormat) -> Result<u8, CliError> {
    let workspace = session.workspace()?;
    if session.flags.json {
        return session.say(&format!("{:#}\n", json(&workspace))).map(|()| 0).map_err(Into::into);
    }
    let text = match format {
        GraphFormat::Mermaid => mermaid(&workspace),
        GraphFormat::Dot => dot(&workspace),
    };
    session.say(&text)?;
    Ok(0)
}

/// What an arrow means.
#[derive(Clone, Copy)]
enum ArrowKind {
    Needs,
    /// Only building needs it.
    BuildNeeds,
    /// Its binaries go into the image.
    ImageWith,
    /// It is deployed before.
    DeployNeeds,
}

impl ArrowKind {
    fn mermaid(self) -> &'static str {
        match self {
            Self::Needs => "-->",
            Self::BuildNeeds => "-. build .->",
            Self::ImageWith => "-. image .->",
            Self::DeployNeeds => "-. deploy .->",
        }
    }

    fn dot(self) -> &'static str {
        match self {
            Self::Needs => "",
            Self::BuildNeeds => " [style=dashed, label=build]",
            Self::ImageWith => " [style=dashed, label=image]",
            Self::DeployNeeds => " [style=dashed, label=deploy]",
        }
    }

    fn json(self) -> &'static str {
        match self {
            Self::Needs => "needs",
            Self::BuildNeeds => "build needs",
            Self::ImageWith => "image with",
            Self::DeployNeeds => "deployed after",
        }
    }
}

/// Every arrow: who, whom, and what it means.
fn arrows(workspace: &Workspace) -> impl Iterator<Item = (&Subsystem, &str, ArrowKind)> {
    workspace.subsystems.values().flat_map(|subsystem| {
        let with = subsystem.image.iter().flat_map(|image| &image.with);
        let needs = subsystem.needs.iter().map(|need| (need, ArrowKind::Needs));
        let build = subsystem.build_needs.iter().map(|need| (need, ArrowKind::BuildNeeds));
        let with = with.map(|need| (need, ArrowKind::ImageWith));
        let deploy = workspace.deploys.get(&subsystem.name).into_iter();
        let deploy = deploy.flat_map(|it| &it.needs).map(|need| (need, ArrowKind::DeployNeeds));
        needs
            .chain(build)
            .chain(with)
            .chain(deploy)
            .map(move |(need, kind)| (subsystem, need.as_str(), kind))
    })
}

fn json(workspace: &Workspace) -> serde_json::Value {
    let node = |subsystem: &Subsystem| {
        serde_json::json!({
            "name": subsystem.name.as_str(), "version": subsystem.version.to_string(),
            "image": subsystem.image.as_ref().map(|image| image.repo.to_string()),
        })
    };
    let arrow = |(subsystem, need, kind): (&Subsystem, &str, ArrowKind)| serde_json::json!({ "from": subsystem.name.as_str(), "to": need, "kind": kind.json() });
    serde_json::json!({
        "schema": 1,
        "subsystems": workspace.subsystems.values().map(node).collect::<Vec<_>>(),
        "arrows": arrows(workspace).map(arrow).collect::<Vec<_>>(),
    })
}

fn mermaid(workspace: &Workspace) -> String {
    let mut text = String::from("graph LR\n");
    for subsystem in workspace.subsystems.values() {
        let name = subsystem.name.as_str();
        let _ = writeln!(text, "  {}[\"{name} {}\"]", identifier(name), subsystem.version);
    }
    for (subsystem, need, kind) in arrows(workspace) {
        let arrow = kind.mermaid();
        let _ = writeln!(
            text,
            "  {} {arrow} {}",
            identifier(subsystem.name.as_str()),
            identifier(need)
        );
    }
    text
}

/// A Mermaid identifier: some words (`end`) are reserved there, and dots have a meaning.
fn identifier(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(
            |c| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("_{:x}_", c as u32) },
        )
        .collect();
    format!("n_{plain}")
}

fn dot(workspace: &Workspace) -> String {
    let mut text = String::from("digraph forge {\n  rankdir=LR;\n  node [shape=box];\n");
    for subsystem in workspace.subsystems.values() {
        let name = subsystem.name.as_str();
        let _ = writeln!(text, "  \"{name}\" [label=\"{name}\\n{}\"];", subsystem.version);
    }
    for (subsystem, need, kind) in arrows(workspace) {
        let style = kind.dot();
        let _ = writeln!(text, "  \"{}\" -> \"{need}\"{style};", subsystem.name);
    }
    text.push_str("}\n");
    text
}
