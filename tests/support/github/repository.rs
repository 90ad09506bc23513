//! A repository: its releases, refs and rules.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{api::Record, asset::Asset, origins::Origins, release::Release, token::Role, user};

/// A repository, as it is stored.
#[derive(Clone, Debug)]
pub struct Repository {
    pub id: u64,
    /// `owner/repo`.
    pub folder: String,
    pub private: bool,
    /// Browsers that may not see it get a page to sign in, with status 200, instead of 404.
    pub asks_to_sign_in: bool,
    /// Publishing a release seals it.
    pub seals: bool,
    /// Beginnings of tags that a ruleset keeps from being created.
    pub blocked_tags: Vec<String>,
    pub releases: Vec<Release>,
    /// The release that was last made the latest.
    pub latest: Option<u64>,
    /// Full names, `refs/tags/v1`, and what they point to.
    pub refs: BTreeMap<String, Object>,
    /// Annotated tags by their digest.
    pub tags: BTreeMap<String, Value>,
    /// Records of deployments, the oldest first.
    pub deployments: Vec<Record>,
    /// Statuses of commits: what they say, with the commit.
    pub statuses: Vec<Value>,
    /// Comments, each with the number of its pull request.
    pub comments: Vec<(u64, Value)>,
    /// Pull requests by their numbers.
    pub pulls: BTreeMap<u64, Value>,
    /// Tags that sealed releases used, for ever.
    pub burned: BTreeSet<String>,
}

/// What a ref points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    pub sha: String,
    /// `commit` or `tag`.
    pub kind: &'static str,
}

/// The commit at the tip of every default branch.
pub const HEAD: &str = "6dcb09b5b57875f334f61aebed695e2e4193db5e";

/// The branch that releases are made from unless they say otherwise.
pub const DEFAULT_BRANCH: &str = "main";

/// Addresses that a repository has below its own, for `<key>_url`.
const BELOW: &[(&str, &str)] = &[
    ("archive", "/{archive_format}{/ref}"),
    ("assignees", "/assignees{/user}"),
    ("blobs", "/git/blobs{/sha}"),
    ("branches", "/branches{/branch}"),
    ("collaborators", "/collaborators{/collaborator}"),
    ("comments", "/comments{/number}"),
    ("commits", "/commits{/sha}"),
    ("compare", "/compare/{base}...{head}"),
    ("contents", "/contents/{+path}"),
    ("contributors", "/contributors"),
    ("deployments", "/deployments"),
    ("downloads", "/downloads"),
    ("events", "/events"),
    ("forks", "/forks"),
    ("git_commits", "/git/commits{/sha}"),
    ("git_refs", "/git/refs{/sha}"),
    ("git_tags", "/git/tags{/sha}"),
    ("hooks", "/hooks"),
    ("issue_comment", "/issues/comments{/number}"),
    ("issue_events", "/issues/events{/number}"),
    ("issues", "/issues{/number}"),
    ("keys", "/keys{/key_id}"),
    ("labels", "/labels{/name}"),
    ("languages", "/languages"),
    ("merges", "/merges"),
    ("milestones", "/milestones{/number}"),
    ("notifications", "/notifications{?since,all,participating}"),
    ("pulls", "/pulls{/number}"),
    ("releases", "/releases{/id}"),
    ("stargazers", "/stargazers"),
    ("statuses", "/statuses/{sha}"),
    ("subscribers", "/subscribers"),
    ("subscription", "/subscription"),
    ("tags", "/tags"),
    ("teams", "/teams"),
    ("trees", "/git/trees{/sha}"),
];

impl Repository {
    /// A public one without releases, `folder` being `owner/repo`.
    pub fn new(id: u64, folder: &str) -> Self {
        let head = Object { sha: HEAD.into(), kind: "commit" };
        Self {
            id,
            folder: folder.into(),
            private: false,
            asks_to_sign_in: false,
            seals: false,
            blocked_tags: Vec::new(),
            releases: Vec::new(),
            latest: None,
            refs: BTreeMap::from([(format!("refs/heads/{DEFAULT_BRANCH}"), head)]),
            tags: BTreeMap::new(),
            deployments: Vec::new(),
            statuses: Vec::new(),
            comments: Vec::new(),
            pulls: BTreeMap::new(),
            burned: BTreeSet::new(),
        }
    }

    /// The published release of a tag.
    pub fn published(&self, tag: &str) -> Option<&Release> {
        self.releases.iter().find(|release| !release.draft && release.tag == tag)
    }

    /// A release by its number.
    pub fn release(&self, id: u64) -> Option<&Release> {
        self.releases.iter().find(|release| release.id == id)
    }

    /// A release by its number, to change it.
    pub fn release_mut(&mut self, id: u64) -> Option<&mut Release> {
        self.releases.iter_mut().find(|release| release.id == id)
    }

    /// An asset by its number, with its release.
    pub fn asset(&self, id: u64) -> Option<(&Release, &Asset)> {
        self.releases
            .iter()
            .find_map(|release| Some((release, release.assets.iter().find(|a| a.id == id)?)))
    }

    /// An asset by its number, to change it.
    pub fn asset_mut(&mut self, id: u64) -> Option<&mut Asset> {
        self.releases.iter_mut().flat_map(|release| &mut release.assets).find(|a| a.id == id)
    }

    /// The release that `releases/latest` means: the one last made so, else the newest.
    pub fn latest(&self) -> Option<&Release> {
        let stable = |release: &&Release| !release.draft && !release.prerelease;
        let chosen = self.latest.and_then(|id| self.release(id)).filter(stable);
        chosen.or_else(|| self.releases.iter().rev().find(stable))
    }

    /// Whether a ruleset keeps this tag from being created.
    pub fn blocks(&self, tag: &str) -> bool {
        self.blocked_tags.iter().any(|start| tag.starts_with(start.as_str()))
            && !self.refs.contains_key(&format!("refs/tags/{tag}"))
    }

    /// Makes the tag of a release that has none yet.
    pub fn ensure_tag(&mut self, tag: &str) {
        let head = Object { sha: HEAD.into(), kind: "commit" };
        self.refs.entry(format!("refs/tags/{tag}")).or_insert(head);
    }

    /// The object that the API gives for it to somebody with `role`.
    pub fn to_json(&self, origins: &Origins, role: Option<Role>) -> Value {
        let (owner, name) = self.folder.split_once('/').unwrap_or(("", &self.folder));
        let web = format!("{}/{}", origins.web, self.folder);
        let api = format!("{}/repos/{}", origins.api, self.folder);
        let Value::Object(mut fields) = json!({
            "id": self.id,
            "node_id": format!("R_{}", self.id),
            "name": name,
            "full_name": self.folder,
            "private": self.private,
            "owner": user::owner_json(origins, owner),
            "html_url": web,
            "url": api,
            "clone_url": format!("{web}.git"),
            "git_url": format!("git://github.com/{}.git", self.folder),
            "ssh_url": format!("git@github.com:{}.git", self.folder),
            "svn_url": web,
            "mirror_url": null,
            "default_branch": DEFAULT_BRANCH,
            "visibility": if self.private { "private" } else { "public" },
        }) else {
            unreachable!("a literal object")
        };
        for (key, suffix) in BELOW {
            fields.insert(format!("{key}_url"), format!("{api}{suffix}").into());
        }
        add_what_no_client_needs(&mut fields);
        if let Some(role) = role {
            let may = |least| role >= least;
            let permissions = json!({
                "admin": may(Role::Admin),
                "maintain": may(Role::Admin),
                "push": may(Role::Write),
                "triage": may(Role::Write),
                "pull": may(Role::Read) || !self.private,
            });
            fields.insert("permissions".into(), permissions);
        }
        Value::Object(fields)
    }
}

/// The fields that the description requires and that say nothing about releases.
fn add_what_no_client_needs(fields: &mut Map<String, Value>) {
    for key in ["description", "homepage", "language", "license"] {
        fields.insert(key.into(), Value::Null);
    }
    for key in ["fork", "has_projects", "has_wiki", "has_pages", "has_discussions"] {
        fields.insert(key.into(), false.into());
    }
    for key in ["archived", "disabled"] {
        fields.insert(key.into(), false.into());
    }
    fields.insert("has_issues".into(), true.into());
    let counts = ["forks", "forks_count", "open_issues", "open_issues_count", "size"];
    let more = ["stargazers_count", "watchers", "watchers_count", "network_count"];
    for key in counts.into_iter().chain(more).chain(["subscribers_count"]) {
        fields.insert(key.into(), 0.into());
    }
    for key in ["created_at", "updated_at", "pushed_at"] {
        fields.insert(key.into(), "2024-01-01T00:00:00Z".into());
    }
}
