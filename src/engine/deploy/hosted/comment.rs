//! The one comment of a pull request that says what its preview is like: found by a mark that nobody sees,
//! and edited. <https://docs.github.com/rest/issues/comments>,
//! <https://docs.gitlab.com/api/notes/#merge-requests>.

use serde_json::{Value, json};

use super::super::{DeployState, Deployment};
use crate::{
    model::Fault,
    store::{ApiChange, RepositoryApi, RepositoryHost},
};

/// The most that GitHub takes, in characters.
const MOST: usize = 65_536;
/// How many pages of comments are looked through.
const PAGES: usize = 30;
const HINT: &str = "a job needs `pull-requests: write`";

/// What is said of a preview.
#[derive(Clone, Debug)]
pub struct PreviewComment<'a> {
    /// The project, of which a repository may hold several.
    pub project: &'a str,
    /// The number of the pull request.
    pub number: u64,
    /// The commit.
    pub commit: Option<&'a str>,
    /// The page of the run.
    pub run: Option<&'a str>,
    /// What was deployed last of each subsystem.
    pub deployments: &'a [&'a Deployment],
    /// A sentence besides, without a full stop.
    pub note: &'a str,
}

impl PreviewComment<'_> {
    fn mark(&self) -> String {
        format!("<!-- forge:preview {} -->", self.project.replace("--", "-"))
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{}\n### Preview of {}\n\n", self.mark(), plain(self.project));
        if !self.deployments.is_empty() {
            text.push_str("| | state | where |\n|---|---|---|\n");
        }
        for one in self.deployments {
            let is_gone = one.destroys && one.state() == DeployState::Succeeded;
            let state = if is_gone { "destroyed" } else { one.state().as_str() };
            let place = one.url.as_deref().filter(|_| !one.destroys).unwrap_or_default();
            let (name, version) = (plain(&one.name), plain(&one.version));
            text.push_str(&format!("| {name} {version} | {state} | {} |\n", plain(place)));
        }
        if !self.note.is_empty() {
            text.push_str(&format!("\n{}.\n", plain(self.note)));
        }
        let commit =
            self.commit.map(|commit| format!("commit {}", commit.get(..12).unwrap_or(commit)));
        let run = self.run.map(|run| format!("[run]({run})"));
        let foot: Vec<String> = commit.into_iter().chain(run).collect();
        if !foot.is_empty() {
            text.push_str(&format!("\n<sub>{}</sub>\n", foot.join(" · ")));
        }
        text.chars().take(MOST).collect()
    }

    /// Makes the comment of the pull request say this.
    ///
    /// # Errors
    /// `Store` if the host does not take it.
    pub async fn keep(&self, api: &RepositoryApi) -> Result<(), Fault> {
        let kept = self.kept(api).await;
        kept.map_err(|fault| Fault { hint: Some(HINT.to_owned()), ..fault })
    }

    async fn kept(&self, api: &RepositoryApi) -> Result<(), Fault> {
        let number = self.number.to_string();
        let list: [&str; 3] = match api.kind() {
            RepositoryHost::GitHub => ["issues", &number, "comments"],
            RepositoryHost::GitLab => ["merge_requests", &number, "notes"],
        };
        let body = json!({ "body": self.text() });
        let mut own = self.own(api, &list).await?;
        let mut is_said = false;
        if own.is_empty() {
            api.change(ApiChange::Create, &list, &body).await?;
            is_said = true;
            // Another run may have done the same meanwhile: all of them see all comments now, and keep the first.
            own = self.own(api, &list).await?;
            is_said &= own.len() < 2;
        }
        own.sort_unstable();
        let Some((first, others)) = own.split_first() else { return Ok(()) };
        let edit = match api.kind() {
            RepositoryHost::GitHub => ApiChange::Edit,
            RepositoryHost::GitLab => ApiChange::Replace,
        };
        if !is_said {
            api.change(edit, &Self::one(api, &list, &first.to_string()), &body).await?;
        }
        for other in others {
            // Another run may have deleted it already.
            api.delete(&Self::one(api, &list, &other.to_string())).await?;
        }
        Ok(())
    }

    /// The numbers of the comments in `list` that say what a preview is like.
    async fn own(&self, api: &RepositoryApi, list: &[&str]) -> Result<Vec<u64>, Fault> {
        let mark = self.mark();
        let all = api.list(list, &[], PAGES).await?;
        let begins = |it: &Value| it["body"].as_str().is_some_and(|body| body.starts_with(&mark));
        let own = all.iter().filter(|it| begins(it) && is_trusted(it));
        Ok(own.filter_map(|it| it["id"].as_u64()).collect())
    }

    /// Where the comment `id` of `list` is.
    fn one<'a>(api: &RepositoryApi, list: &[&'a str; 3], id: &'a str) -> Vec<&'a str> {
        match api.kind() {
            RepositoryHost::GitHub => vec!["issues", "comments", id],
            RepositoryHost::GitLab => [list.as_slice(), &[id]].concat(),
        }
    }
}

/// Whether somebody wrote a comment who may: anybody can write the mark.
fn is_trusted(comment: &Value) -> bool {
    let is_program = comment["user"]["type"] == "Bot";
    match comment["author_association"].as_str() {
        Some(who) => is_program || ["OWNER", "MEMBER", "COLLABORATOR"].contains(&who),
        // GitLab does not say; there only its author can edit it, and those who may do more.
        None => true,
    }
}

/// `text` in a cell of a table, with nothing in it that means something there.
fn plain(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace(['\n', '\r'], " ")
}

/// What the host says of a pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequestState {
    /// Whether it is closed or merged.
    pub is_closed: bool,
    /// Its labels.
    pub labels: Vec<String>,
}

/// The state of the pull request `number`; nothing if the host knows none.
///
/// # Errors
/// `Store` if it cannot be asked.
pub async fn pull_request(
    api: &RepositoryApi,
    number: u64,
) -> Result<Option<PullRequestState>, Fault> {
    let number = number.to_string();
    let (path, is_github) = match api.kind() {
        RepositoryHost::GitHub => (["pulls", number.as_str()], true),
        RepositoryHost::GitLab => (["merge_requests", number.as_str()], false),
    };
    let Some(found) = api.find(&path).await? else { return Ok(None) };
    let state = found["state"].as_str().unwrap_or_default();
    let labels = found["labels"].as_array().into_iter().flatten();
    let label = |label: &serde_json::Value| match is_github {
        true => label["name"].as_str().map(str::to_owned),
        false => label.as_str().map(str::to_owned),
    };
    Ok(Some(PullRequestState {
        is_closed: state == "closed" || state == "merged",
        labels: labels.filter_map(label).collect(),
    }))
}
