//! `forge changelog`: what changed with each version of a subsystem, or of the project.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{
    affected::PathScope,
    cache::rewrite_file,
    disk::{MOST_OF_TEXT, is_absent, read_text},
    git::{History, Tag},
    model::{Fault, Kind, Name, Precedence, Revision, Scheme, TagStem, nearest},
    release::{Changelog, Released, Section, is_project_tag, shown, update},
    workspace::{Source, Subsystem, Workspace},
};

use super::{
    CliError,
    notes::{history, links, whole},
    session::{Session, select},
};

/// Which part of history is told.
#[derive(Clone, Copy)]
pub(super) struct Range<'a> {
    /// What came after this version.
    pub(super) since: Option<&'a str>,
    /// What this has.
    pub(super) to: Option<&'a str>,
}

/// Where the changelog goes.
#[derive(Clone, Copy)]
pub(super) struct ChangelogTarget<'a> {
    /// Whether it goes to a file.
    pub(super) is_file: bool,
    /// Which one; that beside the code if absent.
    pub(super) file: Option<&'a Path>,
}

/// What the changelog is of.
pub(super) struct Component<'w> {
    name: &'w str,
    /// What its tags begin with, and how its versions come about; absent for the project.
    tags: Option<(&'w TagStem, Option<&'w Scheme>)>,
    /// What goes into it; everything if absent.
    extent: Option<PathScope<'w>>,
    /// The folder of its changelog.
    folder: PathBuf,
    /// Whether no remote is asked.
    is_offline: bool,
}

/// Prints the changelog of the subsystem `name`, or of the project; or brings a file up to date.
pub(super) fn changelog(
    session: &Session,
    name: Option<&str>,
    range: Range<'_>,
    output: ChangelogTarget<'_>,
) -> Result<u8, CliError> {
    let workspace = session.workspace()?;
    let component = Component::named(&workspace, name, session.flags.offline)?;
    let sections = session.host.runtime()?.block_on(async {
        let runner = session.host.runner(1);
        let history = history(&runner, &workspace.layout)?;
        component.sections(&history, range).await
    })?;
    let links = links(&workspace);
    let changelog = Changelog { name: component.name.to_owned(), sections, links };
    match output.file {
        Some(file) => bring_up_to_date(session, &session.folder()?.join(file), &changelog)?,
        None if output.is_file => {
            let path = workspace.layout.root().join(&component.folder).join("CHANGELOG.md");
            bring_up_to_date(session, &path, &changelog)?;
        }
        None if session.flags.json => session.say(&json(&changelog))?,
        None => session.say(&changelog.render())?,
    }
    Ok(0)
}

impl<'w> Component<'w> {
    pub(super) fn named(
        workspace: &'w Workspace,
        name: Option<&str>,
        is_offline: bool,
    ) -> Result<Self, Fault> {
        let Some(word) = name else {
            let (extent, folder) = (None, PathBuf::new());
            return Ok(Self { name: &workspace.project, tags: None, extent, folder, is_offline });
        };
        let names: Vec<Name> = select(workspace, &[word.to_owned()])?.into_iter().collect();
        let [name] = names.as_slice() else {
            return Err(Fault::new(Kind::Usage, format!("`{word}` is a group"))
                .because("each of its subsystems has a changelog of its own"));
        };
        Self::for_subsystem(workspace, &workspace.subsystems[name], is_offline)
    }

    fn for_subsystem(
        workspace: &'w Workspace,
        subsystem: &'w Subsystem,
        is_offline: bool,
    ) -> Result<Self, Fault> {
        let Source::Path { dir, .. } = &subsystem.source else {
            return Err(Fault::new(
                Kind::Usage,
                format!("cannot tell what changed in {}", subsystem.name),
            )
            .because("its code is not in this workspace")
            .hint("`forge changelog` alone tells of the project, which pins it"));
        };
        let tags = Some((&subsystem.tag, subsystem.scheme.as_ref()));
        let extent = Some(PathScope::for_component(workspace, subsystem)?);
        Ok(Self { name: subsystem.name.as_str(), tags, extent, folder: dir.clone(), is_offline })
    }

    /// The version that a tag is of, if it is one of this component.
    fn label<'t>(&self, tag: &'t str) -> Option<&'t str> {
        let Some((stem, scheme)) = self.tags else {
            return is_project_tag(tag).then_some(tag);
        };
        let (label, revision) = stem.read(tag)?;
        let is_version = match scheme {
            Some(scheme) => scheme.makes(label),
            None => Precedence::parse(label).is_some(),
        };
        (is_version && revision == Revision::FIRST).then_some(label)
    }

    /// What is told, the newest first.
    pub(super) async fn sections(
        &self,
        history: &History<'_>,
        range: Range<'_>,
    ) -> Result<Vec<Section>, Fault> {
        whole(history).await?;
        let tags = self.all_tags(history).await?;
        let until = self.until(&tags, range.to)?;
        let (days, of_tags) = (history.days(&until).await?, history.days_of_tags().await?);
        let released = |(tag, commit): (&String, &String)| {
            // What `until` has not is not a version of it, whenever it was tagged.
            let day = days.get(commit)?;
            let day = of_tags.get(tag).unwrap_or(day).clone();
            let label = self.label(tag)?.to_owned();
            Some(Released { label, tag: tag.clone(), day })
        };
        let versions = shown(tags.iter().filter_map(released).collect());
        let end = match range.since {
            Some(since) => position(&versions, since)?,
            None => versions.len(),
        };
        let commit_of = |tag: &Option<String>| tags.get(tag.as_ref()?).map(String::as_str);
        let newest = versions.first().map(|one| one.tag.clone());
        let fresh = self.commits(history, commit_of(&newest), &until).await?;
        let mut sections = Vec::new();
        if range.to.is_none() || !fresh.is_empty() {
            sections.push(Section::from_commits(None, newest, &fresh));
        }
        for (at, released) in versions.iter().enumerate().take(end) {
            let since = versions.get(at + 1).map(|one| one.tag.clone());
            let commits = self.commits(history, commit_of(&since), &tags[&released.tag]).await?;
            sections.push(Section::from_commits(Some(released.clone()), since, &commits));
        }
        Ok(sections)
    }

    /// The tags with their commits: those of this clone, and those of the remote, which say which
    /// versions of a subsystem there are.
    async fn all_tags(&self, history: &History<'_>) -> Result<BTreeMap<String, String>, Fault> {
        let mut tags: Vec<Tag> = history.tags().await?;
        if let Some((stem, _)) = self.tags.filter(|_| !self.is_offline) {
            let remote = history.remote().await?.tags(&[stem.as_str()]).await;
            let hint = "`--offline` goes by the tags of this clone";
            let remote = remote.map_err(|fault| fault.hint(hint))?;
            tags.extend(remote.into_iter().map(|tag| tag.tag));
        }
        Ok(tags.into_iter().map(|tag| (tag.name, tag.commit)).collect())
    }

    /// Refuses a version that no tag names.
    pub(super) async fn known(&self, history: &History<'_>, label: &str) -> Result<(), Fault> {
        let tags = self.all_tags(history).await?;
        let labels: Vec<&str> = tags.keys().filter_map(|tag| self.label(tag)).collect();
        if labels.contains(&label) {
            return Ok(());
        }
        let what = format!("there is no version {label} of {}", self.name);
        let fault = Fault::new(Kind::Usage, what);
        Err(match nearest(label, labels.iter().copied()) {
            Some(near) => fault.hint(format!("did you mean `{near}`?")),
            None => fault.hint(format!("`forge history {}` shows which there are", self.name)),
        })
    }

    /// What git calls the end of the range.
    fn until(&self, tags: &BTreeMap<String, String>, to: Option<&str>) -> Result<String, Fault> {
        let Some(to) = to else { return Ok("HEAD".into()) };
        let is_meant = |tag: &str| tag == to || self.label(tag).is_some_and(|label| label == to);
        let commit = tags.iter().find(|(tag, _)| is_meant(tag)).map(|(_, commit)| commit);
        if to.starts_with('-') {
            return Err(Fault::new(Kind::Usage, format!("`{to}` is not a tag, branch or commit")));
        }
        Ok(commit.map_or_else(|| to.to_owned(), Clone::clone))
    }

    async fn commits(
        &self,
        history: &History<'_>,
        after: Option<&str>,
        until: &str,
    ) -> Result<Vec<crate::git::Commit>, Fault> {
        let Some(extent) = &self.extent else {
            return history.commits(after, until).await;
        };
        let counts = |path: &str| extent.covers(path);
        history.commits_to(&extent.starts(), &counts, after, until).await
    }
}

/// Where the version or tag `since` is among `versions`.
fn position(versions: &[Released], since: &str) -> Result<usize, Fault> {
    let is_meant = |one: &Released| one.tag == since || one.label == since;
    versions.iter().position(is_meant).ok_or_else(|| {
        let what = format!("there is no version `{since}` that has a section of its own");
        let known = versions.iter().flat_map(|one| [one.label.as_str(), one.tag.as_str()]);
        let fault = Fault::new(Kind::Usage, what);
        match nearest(since, known) {
            Some(near) => fault.hint(format!("did you mean `{near}`?")),
            None => fault.hint("`git fetch --tags` brings the tags of the remote"),
        }
    })
}

fn bring_up_to_date(session: &Session, path: &Path, changelog: &Changelog) -> Result<(), Fault> {
    let file = match read_text(path, MOST_OF_TEXT) {
        Ok(text) => text,
        Err(error) if is_absent(&error) => String::new(),
        Err(error) => return Err(Fault::io(format!("cannot read {}", path.display()), &error)),
    };
    let updated = update(&file, changelog);
    if session.flags.dry_run {
        return session.say(&updated);
    }
    let is_new = updated != file;
    if is_new {
        rewrite_file(&session.layout()?, path, updated.as_bytes())?;
    }
    let what = if is_new { "wrote" } else { "nothing is new in" };
    if session.flags.quiet { Ok(()) } else { session.say(&format!("{what} {}\n", path.display())) }
}

fn json(changelog: &Changelog) -> String {
    let change = |change: &crate::release::NoteEntry| {
        serde_json::json!({
            "chapter": change.chapter_of_changelog().title(),
            "breaking": change.is_breaking,
            "scope": change.scope,
            "text": change.description,
            "breaks": change.breaks,
            "commit": change.hash,
        })
    };
    let section = |section: &Section| {
        let released = section.released.as_ref();
        serde_json::json!({
            "version": released.map(|released| released.label.as_str()),
            "tag": released.map(|released| released.tag.as_str()),
            "date": released.map(|released| released.day.as_str()),
            "since": section.since,
            "changes": section.changes.iter().map(change).collect::<Vec<_>>(),
            "contributors": section.contributors,
        })
    };
    let document = serde_json::json!({
        "schema": 1,
        "name": changelog.name,
        "sections": changelog.sections.iter().map(section).collect::<Vec<_>>(),
        "changelog": changelog.render(),
    });
    format!("{document:#}\n")
}
