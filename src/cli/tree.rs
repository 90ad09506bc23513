//! `forge tree`: what needs what, as a tree; and `forge why`: who needs one, upwards.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{
    model::{Fault, Name},
    report::{Role, Style},
    service::supervising,
    task::subsystems,
    workspace::{Names, NeedKind, NeedMap, Workspace},
};

use super::{
    CliError,
    services::list,
    session::{Session, select},
};

/// What can be written behind `forge tree`.
#[derive(Debug, clap::Args)]
pub(super) struct TreeArgs {
    /// Subsystems or groups [default: those that no other needs]
    pub(super) names: Vec<String>,
}

/// What can be written behind `forge why`.
#[derive(Debug, clap::Args)]
pub(super) struct WhyArgs {
    /// The subsystem
    name: String,
}

/// One subsystem of a tree, for `--json`.
#[derive(Debug, Serialize)]
struct TreeRow<'w> {
    name: &'w str,
    version: String,
    needs: Vec<NeedRow<'w>>,
}

/// One arrow, for `--json`.
#[derive(Debug, Serialize)]
struct NeedRow<'w> {
    name: &'w str,
    kinds: Vec<&'static str>,
}

/// Why a subsystem is pinned, for `--json`.
#[derive(Debug, Serialize)]
struct WhyDocument<'w> {
    schema: u32,
    name: &'w str,
    version: String,
    needed_by: Vec<NeedRow<'w>>,
    tasks: Vec<&'w str>,
    groups: Vec<&'w str>,
    supervises: Vec<&'w str>,
}

/// Draws what the subsystems need.
pub(super) fn tree(session: &Session, wish: &TreeArgs) -> Result<u8, CliError> {
    let workspace = session.workspace()?;
    let mut names = select(&workspace, &wish.names)?;
    if wish.names.is_empty() {
        names.retain(|name| workspace.needed_by(name).is_empty());
    }
    if session.flags.json {
        let document =
            serde_json::json!({ "schema": 1, "subsystems": tree_rows(&workspace, names) });
        session.say(&format!("{document:#}\n"))?;
        return Ok(0);
    }
    let mut drawing = Drawing::new(&workspace, session.stdout_style(), &Workspace::needs_of);
    for name in &names {
        drawing.root(name);
    }
    session.say(&drawing.text)?;
    Ok(0)
}

/// All that is reached from `names`, each once.
fn tree_rows(workspace: &Workspace, names: BTreeSet<Name>) -> Vec<TreeRow<'_>> {
    let mut open: Vec<Name> = names.into_iter().collect();
    let mut reached = BTreeSet::new();
    while let Some(name) = open.pop() {
        if reached.insert(name.clone()) {
            open.extend(workspace.needs_of(&name).into_keys().cloned());
        }
    }
    let known = workspace.subsystems.values().filter(|it| reached.contains(&it.name));
    known
        .map(|subsystem| TreeRow {
            name: subsystem.name.as_str(),
            version: subsystem.version.to_string(),
            needs: need_rows(workspace.needs_of(&subsystem.name)),
        })
        .collect()
}

fn need_rows(needs: NeedMap<'_>) -> Vec<NeedRow<'_>> {
    needs
        .into_iter()
        .map(|(name, kinds)| NeedRow {
            name: name.as_str(),
            kinds: kinds.into_iter().map(NeedKind::word).collect(),
        })
        .collect()
}

/// Shows who needs a subsystem.
pub(super) fn why(session: &Session, wish: &WhyArgs) -> Result<u8, CliError> {
    let workspace = session.workspace()?;
    let names = select(&workspace, std::slice::from_ref(&wish.name))?;
    let documents = names.iter().map(|name| why_document(&workspace, name));
    let documents = documents.collect::<Result<Vec<_>, _>>()?;
    for document in &documents {
        match session.flags.json {
            true => session.say(&format!("{:#}\n", serde_json::json!(document)))?,
            false => {
                let name = &workspace.subsystems[document.name].name;
                session.say(&why_text(session, &workspace, name, document))?;
            }
        }
    }
    Ok(0)
}

fn why_document<'w>(workspace: &'w Workspace, name: &Name) -> Result<WhyDocument<'w>, Fault> {
    let subsystem = &workspace.subsystems[name];
    let names = Names::new(workspace.tasks.values(), workspace.subsystems.keys());
    let mut tasks = Vec::new();
    for task in workspace.tasks.values() {
        if task.subsystem.as_ref() != Some(name) && subsystems(&names, task)?.contains(name) {
            tasks.push(task.name.as_str());
        }
    }
    let groups = workspace.groups.iter().filter(|(_, members)| members.contains(name));
    let is_supervisor = supervising(workspace).is_ok_and(|supervisor| supervisor == name);
    let services = workspace.subsystems.values().filter(|it| it.service.is_some());
    Ok(WhyDocument {
        schema: 1,
        name: subsystem.name.as_str(),
        version: subsystem.version.to_string(),
        needed_by: need_rows(workspace.needed_by(name)),
        tasks,
        groups: groups.map(|(group, _)| group.as_str()).collect(),
        supervises: services.filter(|_| is_supervisor).map(|it| it.name.as_str()).collect(),
    })
}

fn why_text(session: &Session, workspace: &Workspace, name: &Name, why: &WhyDocument) -> String {
    let mut drawing = Drawing::new(workspace, session.stdout_style(), &Workspace::needed_by);
    drawing.root(name);
    let mut text = drawing.text;
    for (label, names) in
        [("tasks", &why.tasks), ("groups", &why.groups), ("supervises", &why.supervises)]
    {
        if !names.is_empty() {
            text.push_str(&format!("{label}: {}\n", names.join(", ")));
        }
    }
    if text.lines().count() == 1 {
        text.push_str("nothing else needs it: it is pinned for itself\n");
    }
    text
}

/// That others need `name`, if they do: what stops its removal.
pub(super) fn who_needs(workspace: &Workspace, name: &Name) -> Result<Vec<String>, Fault> {
    let why = why_document(workspace, name)?;
    let mut reasons: Vec<String> = why
        .needed_by
        .iter()
        .map(|need| format!("{} needs it ({})", need.name, need.kinds.join(", ")))
        .collect();
    let spec = &workspace.subsystems[name].spec;
    let heirs =
        workspace.subsystems.values().filter(|it| it.extends.iter().any(|(base, _)| base == spec));
    let heirs: Vec<&Name> = heirs.map(|heir| &heir.name).collect();
    if !heirs.is_empty() {
        reasons.push(format!("its spec is extended by {}", list(heirs)));
    }
    if !why.tasks.is_empty() {
        reasons.push(format!("tasks need it: {}", why.tasks.join(", ")));
    }
    if !why.supervises.is_empty() {
        reasons.push(format!("it supervises the services {}", why.supervises.join(", ")));
    }
    Ok(reasons)
}

type Below = dyn for<'w> Fn(&'w Workspace, &Name) -> NeedMap<'w>;

/// A tree in the making. What was drawn with all below it is not drawn again.
struct Drawing<'w> {
    workspace: &'w Workspace,
    style: Style,
    below: &'w Below,
    drawn: BTreeSet<Name>,
    text: String,
}

impl<'w> Drawing<'w> {
    fn new(workspace: &'w Workspace, style: Style, below: &'w Below) -> Self {
        Self { workspace, style, below, drawn: BTreeSet::new(), text: String::new() }
    }

    fn root(&mut self, name: &Name) {
        self.node(name, "", "", &[]);
    }

    fn node(&mut self, name: &Name, before: &str, indent: &str, kinds: &[NeedKind]) {
        let below = (self.below)(self.workspace, name);
        let is_known = !self.drawn.insert(name.clone()) && !below.is_empty();
        let kinds: Vec<_> = kinds.iter().filter(|kind| **kind != NeedKind::Needs).collect();
        let words: Vec<_> = kinds.iter().map(|kind| kind.word()).collect();
        let how = if words.is_empty() { String::new() } else { format!(" ({})", words.join(", ")) };
        let again = if is_known { " (*)" } else { "" };
        let version = &self.workspace.subsystems[name].version;
        let shown = self.style.paint(Role::Name, name.as_str());
        let note = self.style.paint(Role::Dim, &format!("{how}{again}"));
        self.text.push_str(&format!("{before}{shown} {version}{note}\n"));
        if is_known {
            return;
        }
        let last = below.len().saturating_sub(1);
        for (index, (name, kinds)) in below.iter().enumerate() {
            let (branch, rest) =
                if index == last { ("└── ", "    ") } else { ("├── ", "│   ") };
            let (before, indent) = (format!("{indent}{branch}"), format!("{indent}{rest}"));
            self.node(name, &before, &indent, kinds);
        }
    }
}
