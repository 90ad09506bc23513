//! What is sent to GitHub's REST API for releases (<https://docs.github.com/en/rest/releases>).

use serde::Serialize;

use crate::store::StoreRelease;

/// A release as it is to be created.
#[derive(Serialize)]
pub(super) struct NewRelease<'a> {
    tag_name: &'a str,
    name: &'a str,
    body: String,
    draft: bool,
    prerelease: bool,
    make_latest: &'static str,
}

/// What makes a draft visible.
#[derive(Serialize)]
pub(super) struct DraftPublication {
    draft: bool,
    make_latest: &'static str,
}

/// What replaces the text of a release.
#[derive(Serialize)]
pub(super) struct NotesUpdate {
    body: String,
    make_latest: &'static str,
}

/// What replaces the text of a release, and how it is shown.
#[derive(Serialize)]
pub(super) struct PageUpdate {
    #[serde(flatten)]
    notes: NotesUpdate,
    prerelease: bool,
}

impl PageUpdate {
    pub(super) fn for_release(release: &StoreRelease) -> Self {
        Self { notes: NotesUpdate::for_release(release), prerelease: release.is_partial }
    }
}

impl NotesUpdate {
    pub(super) fn for_release(release: &StoreRelease) -> Self {
        let body = release.notes.chars().take(MAX_BODY).collect();
        Self { body, make_latest: make_latest(release) }
    }
}

/// The most characters that the body of a release may have.
const MAX_BODY: usize = 125_000;

impl<'a> NewRelease<'a> {
    /// `release`, visible at once or as a draft. Names no commit: that takes permissions which
    /// the logins of workflows cannot have, and the provenance beside an asset says it better.
    pub(super) fn for_release(release: &'a StoreRelease, draft: bool) -> Self {
        Self {
            tag_name: &release.tag,
            name: &release.title,
            body: release.notes.chars().take(MAX_BODY).collect(),
            draft,
            prerelease: release.is_partial,
            make_latest: make_latest(release),
        }
    }
}

impl DraftPublication {
    pub(super) fn for_release(release: &StoreRelease) -> Self {
        Self { draft: false, make_latest: make_latest(release) }
    }
}

/// Said always, since the host's default is to call whatever came last the latest.
fn make_latest(release: &StoreRelease) -> &'static str {
    if release.is_latest { "true" } else { "false" }
}
