//! `forge remove`: a subsystem leaves the workspace: its pin, its spec and what is locked of it.

use crate::{
    disk::{MOST_OF_TEXT, read_text},
    manifest::{parse_yaml, without_entry, without_item},
    model::{Fault, Kind, Layout, Name},
    upgrade::RosterEdit,
    workspace::Workspace,
};

use super::{
    CliError,
    session::{Session, select},
    tree::who_needs,
};

/// What can be written behind `forge remove`.
#[derive(Debug, clap::Args)]
pub(super) struct RemoveArgs {
    /// The subsystem
    name: String,
}

/// Removes it, unless others need it.
pub(super) fn remove(session: &Session, wish: &RemoveArgs) -> Result<u8, CliError> {
    let workspace = session.workspace()?;
    if !workspace.subsystems.contains_key(wish.name.as_str()) {
        select(&workspace, std::slice::from_ref(&wish.name))?;
    }
    let Some(subsystem) = workspace.subsystems.get(wish.name.as_str()) else {
        let what = format!("`{}` is a group", wish.name);
        return Err(Fault::new(Kind::Usage, what).hint("name one subsystem").into());
    };
    let name = &subsystem.name;
    refuse_if_needed(session, &workspace, name)?;
    let layout = &workspace.layout;
    let before = read_text(&layout.manifest(), MOST_OF_TEXT)
        .map_err(|error| Fault::io(format!("cannot read {}", Layout::MANIFEST), &error))?;
    let after = without(&workspace, name, &before)?;
    let spec = subsystem.spec.clone();
    let edit = RosterEdit { name: name.clone(), before, after, spec, text: None };
    let verb = if session.flags.dry_run { "would remove" } else { "removed" };
    if !session.flags.dry_run {
        edit.make(layout, session.host.cancel(), &|text| session.note(text))?;
    }
    if !session.flags.quiet {
        session.say(&format!(
            "{verb} {name} {}: its pin in {}, what {} says of it, and {}\n",
            subsystem.version,
            Layout::MANIFEST,
            Layout::LOCK,
            edit.spec.display()
        ))?;
    }
    Ok(0)
}

fn refuse_if_needed(session: &Session, workspace: &Workspace, name: &Name) -> Result<(), Fault> {
    let refused = || Fault::new(Kind::Usage, format!("cannot remove {name}"));
    if session.flags.locked {
        return Err(refused().because("--locked forbids it"));
    }
    let family = workspace.subsystems[name].family();
    if family != name.as_str() {
        let spec = &workspace.subsystems[name].spec;
        return Err(refused()
            .because(format!("{} discovered it", spec.display()))
            .hint("remove its folder"));
    }
    let reasons = who_needs(workspace, name)?;
    if reasons.is_empty() {
        return Ok(());
    }
    let fault = reasons.into_iter().fold(refused(), Fault::because);
    Err(fault.hint(format!("`forge why {name}` shows who needs it")))
}

/// The text of `versions.yml` without `name`: without its pin, and in no group.
fn without(workspace: &Workspace, name: &Name, before: &str) -> Result<String, Fault> {
    let by_hand = |_| {
        let what = format!("{} is not written so that a program can edit it", Layout::MANIFEST);
        Fault::new(Kind::Failed, what)
            .because(format!("removing {name} would change something else too"))
            .hint(format!("remove the line of {name} by hand, and its spec"))
    };
    let mut after = before.to_owned();
    let root = parse_yaml(before).ok().flatten();
    let pins = root.as_ref().and_then(|root| root.get("versions"));
    // A scheme may be in its spec.
    if pins.is_some_and(|pins| pins.get(name.as_str()).is_some()) {
        after = without_entry(&after, &["versions"], name.as_str()).map_err(by_hand)?;
    }
    for (group, members) in &workspace.groups {
        if members.contains(name)
            && let Ok(text) = without_item(&after, &["groups", group], name.as_str())
        {
            after = text;
        }
    }
    Ok(after)
}
