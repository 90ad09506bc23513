//! `forge release:notes`: what changed between two releases of the project.

use crate::{
    git::{History, Tag},
    model::{Fault, Kind, Layout, nearest},
    probe::trusted_repositories,
    process::CommandRunner,
    release::{Components, ImageNotes, Links, Notes, latest, previous},
    workspace::Workspace,
};

use super::{CliError, component_notes, session::Session};

/// Prints the notes of a tag of the project, or of a subsystem's release; with `write`, puts those
/// onto the release's page.
pub(super) fn print_notes(
    session: &Session,
    of: Option<&str>,
    write: bool,
) -> Result<u8, CliError> {
    if let Some(word) = of {
        let workspace = session.workspace()?;
        let name = word.split('@').next().unwrap_or(word);
        if workspace.subsystems.contains_key(name) {
            return component_notes::notes(session, &workspace, word, write);
        }
        if write {
            let fault = Fault::new(Kind::Usage, format!("`{word}` is not a subsystem"));
            return Err(fault
                .because("`--write` is for the notes of a subsystem's release")
                .hint("`forge release:bundle` writes those of the project")
                .into());
        }
    }
    notes(session, of)
}

/// Prints the notes of `tag`; without one, those of the tag that is checked out, or of what is
/// not released yet.
fn notes(session: &Session, tag: Option<&str>) -> Result<u8, CliError> {
    let layout = session.layout()?;
    // Notes of what is checked out can be had where that does not load.
    let links = session.workspace().ok().and_then(|workspace| links(&workspace));
    let (tag, mut notes) = session.host.runtime()?.block_on(async {
        let runner = session.host.runner(1);
        let history = history(&runner, &layout)?;
        let tags = history.tags().await?;
        let tag = match tag {
            Some(tag) => Some(known(&tags, tag)?.name.clone()),
            None => tag_of_head(&history, &tags).await?,
        };
        let notes = notes_of(&history, &tags, tag.as_deref()).await?;
        Ok::<_, Fault>((tag, notes))
    })?;
    notes.links = links;
    if session.flags.json {
        let document = serde_json::json!({
            "schema": 1,
            "tag": tag,
            "since": notes.since,
            "commits": notes.commits.len(),
            "notes": notes.render(),
        });
        session.say(&format!("{document:#}\n"))?;
    } else {
        session.say(&notes.render())?;
    }
    Ok(0)
}

/// Where the source of the project can be looked at: as `repository:` says, or where its releases are.
pub(super) fn links(workspace: &Workspace) -> Option<Links> {
    let repository = trusted_repositories(workspace).into_iter().next()?;
    Some(Links { repository })
}

/// The history of the workspace.
pub(super) fn history<'r>(
    runner: &'r dyn CommandRunner,
    layout: &Layout,
) -> Result<History<'r>, Fault> {
    History::around(runner, layout.root()).ok_or_else(|| {
        let what = format!("{} is in no git repository", layout.root().display());
        Fault::new(Kind::Usage, what).because("releases of a project are its tags")
    })
}

/// The tag called `name`.
pub(super) fn known<'t>(tags: &'t [Tag], name: &str) -> Result<&'t Tag, Fault> {
    tags.iter().find(|tag| tag.name == name).ok_or_else(|| {
        let fault = Fault::new(Kind::Usage, format!("there is no tag `{name}` in this clone"));
        match nearest(name, tags.iter().map(|tag| tag.name.as_str())) {
            Some(near) => fault.hint(format!("did you mean `{near}`?")),
            None => fault.hint("`git fetch --tags` brings those of the remote"),
        }
    })
}

/// The highest version that is checked out.
pub(super) async fn tag_of_head(
    history: &History<'_>,
    tags: &[Tag],
) -> Result<Option<String>, Fault> {
    let Some(head) = history.head().await? else { return Ok(None) };
    let here = tags.iter().filter(|tag| tag.commit == head).map(|tag| tag.name.as_str());
    Ok(latest(here).map(str::to_owned))
}

/// Refuses a clone that lacks commits.
pub(super) async fn whole(history: &History<'_>) -> Result<(), Fault> {
    if history.is_shallow().await? {
        return Err(Fault::new(Kind::Usage, "cannot tell what changed")
            .because("this clone holds only the last commits")
            .hint("run `git fetch --unshallow --tags`; in GitHub Actions, give actions/checkout `fetch-depth: 0`"));
    }
    Ok(())
}

/// What changed up to `tag`, or up to now.
pub(super) async fn notes_of(
    history: &History<'_>,
    tags: &[Tag],
    tag: Option<&str>,
) -> Result<Notes, Fault> {
    whole(history).await?;
    let names = tags.iter().map(|tag| tag.name.as_str());
    let since = match tag {
        Some(tag) => previous(names, tag),
        None => latest(names),
    };
    let until = tag.map_or_else(|| "HEAD".to_owned(), |tag| format!("refs/tags/{tag}"));
    let since_ref = since.map(|tag| format!("refs/tags/{tag}"));
    let before = match &since_ref {
        Some(revision) => components(history, revision).await?,
        None => Components::default(),
    };
    Ok(Notes {
        since: since.map(str::to_owned),
        tag: tag.map(str::to_owned),
        links: None,
        commits: history.commits(since_ref.as_deref(), &until).await?,
        before,
        now: components(history, &until).await?,
        images: ImageNotes::default(),
    })
}

/// The versions that the workspace pinned at a revision.
async fn components(history: &History<'_>, revision: &str) -> Result<Components, Fault> {
    let Some(manifest) = history.file(revision, Layout::MANIFEST).await? else {
        return Ok(Components::default());
    };
    let lock = history.file(revision, Layout::LOCK).await?;
    Ok(Components::read(&manifest, lock.as_deref()))
}
