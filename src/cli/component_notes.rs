//! `forge release:notes NAME`: what changed with a release of a subsystem, and what it holds; with
//! `--write`, onto the page of the release.

use crate::{
    model::{Fault, Kind, Revision},
    release::{CatalogEntry, ComponentNotes, Pin},
    report::render_warning,
    store::StoreRelease,
    workspace::Workspace,
};

use super::{
    CliError,
    changelog::{Component, Range},
    evidence::evidence,
    notes::{history, links},
    releases::Releases,
    session::Session,
    versions::Versions,
};

/// The notes of one release.
struct ReleaseNotes {
    tag: Option<String>,
    text: String,
    /// The platforms that it has nothing for yet.
    missing: Vec<String>,
}

/// Prints the notes of `NAME` or `NAME@VERSION`: those of the last version, or of what is not
/// released yet if there is none. With `write`, puts them onto the release's page.
pub(super) fn notes(
    session: &Session,
    workspace: &Workspace,
    word: &str,
    write: bool,
) -> Result<u8, CliError> {
    let told = draft_notes(session, workspace, word)?;
    if !write {
        session.say(&match session.flags.json {
            true => json(&told),
            false => told.text.clone(),
        })?;
        return Ok(0);
    }
    let releases = Releases::select(session, workspace, &[])?;
    let Some(tag) = &told.tag else {
        let what = format!("{word} has no release whose notes could be written");
        return Err(Fault::new(Kind::Usage, what).into());
    };
    session.may_change(&*releases.store)?;
    if !put(session, &releases, tag, &told.text)? {
        let what = format!("{} has no pages for notes", releases.store.url());
        return Err(Fault::new(Kind::Usage, what)
            .hint(
                "releases of GitHub, Gitea, Forgejo and GitLab have; without `--write` they are \
                 printed",
            )
            .into());
    }
    let url = releases.store.url();
    if told.missing.is_empty() {
        session.say(&format!("wrote the notes of {tag} in {url}\n"))?;
        return Ok(0);
    }
    let missing = told.missing.join(", ");
    session.say(&format!(
        "wrote the notes of {tag} in {url}, which has nothing for {missing} yet; \
         write them again when it has\n"
    ))?;
    Ok(Kind::Partial.exit_code())
}

/// Brings the pages of these releases up to date, which somebody else may have begun. That it
/// cannot be done costs a warning: the releases are there.
pub(super) fn keep_current(session: &Session, workspace: &Workspace, versions: &Versions) {
    for (name, version) in versions {
        let written = Releases::select(session, workspace, &[name.as_str().to_owned()]).and_then(
            |releases| match releases.store.is_shared() {
                false => Ok(()),
                true => {
                    let told = draft_notes(session, workspace, &format!("{name}@{version}"))?;
                    let tag = told.tag.unwrap_or_default();
                    put(session, &releases, &tag, &told.text).map(drop)
                }
            },
        );
        if let Err(CliError::Fault(fault)) = written {
            let fault = fault.within(format!("cannot write the notes of {name} {version}"));
            session.console().err(&render_warning(None, &fault, session.stderr_style()));
        }
    }
}

fn put(session: &Session, releases: &Releases, tag: &str, text: &str) -> Result<bool, CliError> {
    let release = StoreRelease {
        notes: text.to_owned(),
        ..StoreRelease::of_subsystem(tag.to_owned(), Vec::new())
    };
    Ok(session.host.runtime()?.wait_for(releases.store.describe(&release))?)
}

fn draft_notes(
    session: &Session,
    workspace: &Workspace,
    word: &str,
) -> Result<ReleaseNotes, CliError> {
    let (name, label) = match word.split_once('@') {
        Some((name, label)) => (name, Some(label)),
        None => (word, None),
    };
    let component = Component::named(workspace, Some(name), session.flags.offline)?;
    let releases = Releases::select(session, workspace, &[name.to_owned()])?;
    let told = session.host.runtime()?.block_on(async {
        let runner = session.host.runner(1);
        let history = history(&runner, &workspace.layout)?;
        if let Some(label) = label {
            component.known(&history, label).await?;
        }
        let sections = component.sections(&history, Range { since: None, to: label }).await?;
        let section = sections.iter().find(|section| match (label, &section.released) {
            (Some(label), Some(released)) => label == released.label,
            (None, released) => released.is_some(),
            (Some(_), None) => false,
        });
        let section = section.or_else(|| sections.first().filter(|_| label.is_none()));
        let section = section.ok_or_else(|| {
            Fault::new(Kind::Usage, format!("{word} was left behind by a later version"))
                .because("a pre-release of what is out has no notes of its own")
        })?;
        let tag = section.released.as_ref().map(|released| released.tag.clone());
        let links = links(workspace);
        let mut notes = ComponentNotes {
            section,
            links: links.as_ref(),
            assets: Vec::new(),
            missing: Vec::new(),
        };
        let pin: Option<&Pin> = releases.pins.of_names(&releases.names).next();
        if let (Some(released), Some(pin)) = (&section.released, pin) {
            notes.missing.clone_from(&releases.pins.platforms);
            if let Some(info) = releases.store.release(&released.tag).await? {
                let entry = CatalogEntry::new(pin, &released.label, Revision::FIRST, info);
                notes.missing = entry.lacks(&releases.pins.platforms);
                let evidence = evidence(&*releases.store, &entry).await?;
                notes.assets = evidence.into_iter().map(|one| one.asset).collect();
            }
        }
        let missing = notes.missing.iter().map(ToString::to_string).collect();
        Ok::<_, Fault>(ReleaseNotes { tag, text: notes.render(), missing })
    })?;
    Ok(told)
}

fn json(told: &ReleaseNotes) -> String {
    let document = serde_json::json!({
        "schema": 1,
        "tag": told.tag,
        "complete": told.missing.is_empty(),
        "missing": told.missing,
        "notes": told.text,
    });
    format!("{document:#}\n")
}
