//! A GitHub for tests: it keeps to the published API, and goes wrong on demand.
//!
//! One origin has the API (also below `/api/v3`), the uploads (below `/uploads`) and the pages;
//! another one, at a port of its own, has the bytes behind signed addresses. All state is
//! behind one lock, so that operations are atomic however many clients there are.

mod answer;
mod api;
mod asset;
mod call;
mod contract;
mod exchange;
mod fault;
mod journal;
mod listener;
mod objects;
mod operation;
mod origins;
mod release;
mod repository;
mod token;
mod user;
mod web;
mod world;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

pub use api::Record;
pub use asset::State;
pub use fault::Fault;
pub use journal::Asked;
pub use operation::{Host, Operation};
pub use release::{NewRelease, Release};
pub use repository::HEAD;
pub use token::{Kind, Role, Token};
pub use world::Lag;

use call::Door;
use exchange::Shared;
use fault::Planned;
use origins::Origins;
use repository::Repository;
use serde_json::json;
use world::{World, now};

/// Where a stand-in listens; by default at free ports of 127.0.0.1.
#[derive(Clone, Debug, Default)]
pub struct Listen {
    /// The port of the front; 0 for any.
    pub port: u16,
    /// A socket that serves as `api.github.com`, `uploads.github.com` and `github.com` at once.
    pub socket: Option<PathBuf>,
}

/// A GitHub that lives as long as the value and its clones. They share everything; each looks at
/// one repository.
#[derive(Clone)]
pub struct GitHub {
    running: Arc<Running>,
    folder: String,
}

struct Running {
    shared: Arc<Shared>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl GitHub {
    /// One with a public repository, `owner/repo`.
    pub fn new(folder: &str) -> Self {
        Self::listening(folder, &Listen::default())
    }

    /// The same, at a given place.
    pub fn listening(folder: &str, listen: &Listen) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let nowhere = Origins {
            api: String::new(),
            uploads: String::new(),
            web: String::new(),
            objects: String::new(),
        };
        let shared =
            Arc::new(Shared { world: Mutex::new(World::new()), origins: Mutex::new(nowhere) });
        let front = listener::port(&runtime, &shared, Door::Front, listen.port);
        let objects = listener::port(&runtime, &shared, Door::Objects, 0);
        if let Some(path) = &listen.socket {
            listener::socket(&runtime, &shared, path);
        }
        let uploads = format!("{front}/uploads");
        *shared.origins.lock().expect("no panic") =
            Origins { api: front.clone(), uploads, web: front, objects };
        let running = Arc::new(Running { shared, runtime: Some(runtime) });
        let github = Self { running, folder: folder.into() };
        github.add_repository(folder)
    }

    /// With one more public repository, and looking at it.
    #[must_use]
    pub fn add_repository(&self, folder: &str) -> Self {
        let mut world = self.world();
        let id = world.next_id();
        world.repositories.push(Repository::new(id, folder));
        drop(world);
        Self { running: self.running.clone(), folder: folder.into() }
    }

    fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.running.shared.world()
    }

    /// Changes the repository looked at.
    fn change<T>(&self, change: impl FnOnce(&mut Repository) -> T) -> T {
        change(self.world().repository(&self.folder).expect("the repository"))
    }
}

/// Addresses and tokens.
impl GitHub {
    /// The origin of pages and API, without a slash at the end: what `GITHUB_SERVER_URL` is.
    pub fn url(&self) -> String {
        self.running.shared.origins().web
    }

    /// What `GITHUB_API_URL` is.
    pub fn api_url(&self) -> String {
        self.running.shared.origins().api
    }

    /// What it is for an Enterprise host.
    pub fn enterprise_api_url(&self) -> String {
        self.running.shared.origins().enterprise().api
    }

    /// The origin of signed addresses.
    pub fn object_url(&self) -> String {
        self.running.shared.origins().objects
    }

    /// `owner/repo`.
    pub fn repository(&self) -> &str {
        &self.folder
    }

    /// A token with this role.
    #[allow(clippy::unused_self, reason = "it reads as what it is: a token of this GitHub")]
    pub fn token(&self, role: Role) -> &'static str {
        role.token()
    }

    /// One more token.
    pub fn add_token(&self, text: &str, role: Role, kind: Kind) -> &Self {
        self.world().tokens.insert(text.into(), Token { role, kind });
        self
    }

    /// Uploads get an origin of their own, as the real one has, instead of a path of the front's.
    pub fn uploads_elsewhere(&self) -> &Self {
        let runtime = self.running.runtime.as_ref().expect("it runs");
        let uploads = listener::port(runtime, &self.running.shared, Door::Uploads, 0);
        self.running.shared.origins.lock().expect("no panic").uploads = uploads;
        self
    }
}

/// What the repository is like.
impl GitHub {
    /// Only those with a role see it. Browsers without one get 404.
    pub fn make_private(&self) -> &Self {
        self.change(|repository| repository.private = true);
        self
    }

    /// Browsers that may not see it get a page to sign in, with status 200.
    pub fn asks_to_sign_in(&self) -> &Self {
        self.change(|repository| repository.asks_to_sign_in = true);
        self
    }

    /// Publishing a release seals it and its tag, from now on.
    pub fn make_immutable(&self) -> &Self {
        self.change(|repository| repository.seals = true);
        self
    }

    /// A ruleset keeps tags that begin so from being created.
    pub fn block_tags(&self, start: &str) -> &Self {
        self.change(|repository| repository.blocked_tags.push(start.into()));
        self
    }

    /// A sealed release used this tag once.
    pub fn burn_tag(&self, tag: &str) -> &Self {
        self.change(|repository| repository.burned.insert(tag.into()));
        self
    }

    /// New assets have no digest.
    pub fn without_digests(&self) -> &Self {
        self.world().without_digests = true;
        self
    }

    /// The API gives the bytes of an asset itself, instead of redirecting to them.
    pub fn hands_out_assets(&self) -> &Self {
        self.world().hands_out_assets = true;
        self
    }

    /// How long releases published from now on cannot be found by their tag.
    pub fn lag(&self, lag: Lag) -> &Self {
        self.world().lag = Some(lag);
        self
    }

    /// How much later every answer comes.
    pub fn latency(&self, latency: Duration) -> &Self {
        self.world().latency = latency;
        self
    }

    /// How many requests an hour has, for each token and without one.
    pub fn limits(&self, with_token: u64, anonymous: u64) -> &Self {
        self.world().limits = (with_token, anonymous);
        self
    }

    /// Adds a release, as if it had been there always.
    pub fn add_release(&self, new: impl Into<NewRelease>) -> &Self {
        let new = new.into();
        let mut world = self.world();
        let mut release = Release {
            id: world.next_id(),
            tag: new.tag,
            target: "main".into(),
            name: new.name,
            body: new.body,
            draft: new.draft,
            prerelease: new.prerelease,
            immutable: false,
            created_at: now(),
            published_at: None,
            assets: Vec::new(),
        };
        for (name, bytes) in new.assets {
            let asset = api::uploaded(&mut world, &name, bytes);
            release.assets.push(asset);
        }
        for name in new.starters {
            let mut asset = api::uploaded(&mut world, &name, Vec::new());
            asset.state = State::Starter;
            asset.digest = None;
            release.assets.push(asset);
        }
        let lag = world.lag.take();
        let added = api::insert(&mut world, &self.folder, release, &json!({}));
        world.lag = lag;
        drop(world);
        assert!(added.is_ok(), "such a release cannot be: {added:?}");
        self
    }
}

/// Deployments and what is said of them.
impl GitHub {
    /// The records of deployments, the oldest first.
    pub fn deployments(&self) -> Vec<Record> {
        self.change(|repository| repository.deployments.clone())
    }

    /// Statuses of commits: `CONTEXT STATE`, in the order in which they came.
    pub fn commit_statuses(&self) -> Vec<String> {
        let text = |value: &serde_json::Value, key: &str| {
            value[key].as_str().unwrap_or_default().to_owned()
        };
        self.change(|repository| {
            let all = repository.statuses.iter();
            all.map(|it| format!("{} {}", text(it, "context"), text(it, "state"))).collect()
        })
    }

    /// What the comments of a pull request say.
    pub fn comments(&self, number: u64) -> Vec<String> {
        self.change(|repository| {
            let all = repository.comments.iter().filter(|(issue, _)| *issue == number);
            all.map(|(_, it)| it["body"].as_str().unwrap_or_default().to_owned()).collect()
        })
    }

    /// Adds a comment by somebody of whom GitHub says that they are this to the repository.
    pub fn comment(&self, number: u64, body: &str, association: &str) -> &Self {
        let id = self.world().next_id();
        let comment = json!({ "id": id, "body": body, "author_association": association });
        let comment = contract::filled("issue-comment", comment);
        self.change(|repository| repository.comments.push((number, comment)));
        self
    }

    /// Adds a pull request from `head` (`OWNER/REPO`), or changes it.
    pub fn pull(&self, number: u64, state: &str, head: &str, labels: &[&str]) -> &Self {
        let labels: Vec<_> = labels
            .iter()
            .map(|name| json!({ "id": 1, "node_id": "L", "url": "https://example.org/", "name": name, "description": null, "color": "f29513", "default": false }))
            .collect();
        let known = json!({ "number": number, "state": state, "labels": labels, "head": { "sha": HEAD, "repo": { "full_name": head } } });
        self.change(|repository| repository.pulls.insert(number, known));
        self
    }

    /// Adds a record of a deployment that GitHub made for a job with `environment:`.
    pub fn job_deployment(&self, environment: &str, sha: &str, run: &str) -> &Self {
        let id = self.world().next_id();
        let value = json!({ "id": id, "environment": environment, "sha": sha, "ref": sha, "task": "deploy", "payload": {}, "production_environment": environment == "production", "transient_environment": false });
        self.change(|repository| {
            let value = contract::filled("deployment", value);
            let status =
                json!({ "id": id + 1, "state": "in_progress", "log_url": run, "target_url": run });
            let statuses = vec![contract::filled("deployment-status", status)];
            repository.deployments.push(Record { value, statuses });
        });
        self
    }
}

/// What goes wrong.
impl GitHub {
    /// The next upload goes wrong.
    pub fn next_upload(&self, fault: Fault) -> &Self {
        self.next(Operation::Upload, fault)
    }

    /// The next creation of a release goes wrong.
    pub fn next_create(&self, fault: Fault) -> &Self {
        self.next(Operation::CreateRelease, fault)
    }

    /// The next transfer from the object host goes wrong.
    pub fn next_transfer(&self, fault: Fault) -> &Self {
        self.next(Operation::Object, fault)
    }

    /// The next such operation goes wrong; faults for one operation strike in their order.
    pub fn next(&self, operation: Operation, fault: Fault) -> &Self {
        self.next_times(1, operation, fault)
    }

    /// The next so many such operations go wrong.
    pub fn next_times(&self, times: usize, operation: Operation, fault: Fault) -> &Self {
        self.world().planned.push(Planned { operation, path: String::new(), fault, times });
        self
    }

    /// Such operations go wrong from now on.
    pub fn always(&self, operation: Operation, fault: Fault) -> &Self {
        self.next_times(usize::MAX, operation, fault)
    }

    /// The next such operation whose path or query contains `part` goes wrong.
    pub fn next_at(&self, part: &str, operation: Operation, fault: Fault) -> &Self {
        let planned = Planned { operation, path: part.into(), fault, times: 1 };
        self.world().planned.push(planned);
        self
    }

    /// Nothing goes wrong any more.
    pub fn heal(&self) -> &Self {
        self.world().planned.clear();
        self
    }
}

/// What was asked.
impl GitHub {
    /// All requests so far, in the order in which they came.
    pub fn requests(&self) -> Vec<Asked> {
        self.world().asked.clone()
    }

    /// How many of them were for the API, uploads not among them.
    pub fn api_requests(&self) -> usize {
        self.count(|asked| asked.host == Host::Api)
    }

    /// How many transfers from the object host were begun and not refused.
    pub fn downloads(&self) -> usize {
        self.count(|asked| asked.host == Host::Object && matches!(asked.status, 200 | 206))
    }

    /// How many releases were tried to create.
    pub fn creates(&self) -> usize {
        self.count(|asked| asked.operation == Operation::CreateRelease)
    }

    /// How many uploads were tried.
    pub fn uploads(&self) -> usize {
        self.count(|asked| asked.operation == Operation::Upload)
    }

    /// How many requests are such.
    pub fn count(&self, is_such: impl Fn(&Asked) -> bool) -> usize {
        self.world().asked.iter().filter(|asked| is_such(asked)).count()
    }

    /// The `Authorization` headers that came to a host.
    pub fn tokens_seen_at(&self, host: Host) -> Vec<String> {
        let world = self.world();
        let there = world.asked.iter().filter(|asked| asked.host == host);
        there.filter_map(|asked| asked.authorization.clone()).collect()
    }

    /// Answers that broke GitHub's own description of its API. None, when all is well.
    pub fn violations(&self) -> Vec<String> {
        self.world().violations.clone()
    }
}

/// What there is.
impl GitHub {
    /// The published release of a tag, or else the oldest draft.
    pub fn release(&self, tag: &str) -> Option<Release> {
        let of_tag = self.releases().into_iter().filter(|release| release.tag == tag);
        of_tag.min_by_key(|release| (release.draft, release.id))
    }

    /// All releases, drafts too, in the order in which they were created.
    pub fn releases(&self) -> Vec<Release> {
        self.change(|repository| repository.releases.clone())
    }

    /// The release that is the latest.
    pub fn latest(&self) -> Option<Release> {
        self.change(|repository| repository.latest().cloned())
    }

    /// The refs, as full names with what they point to.
    pub fn refs(&self) -> Vec<(String, String)> {
        self.change(|repository| {
            repository
                .refs
                .iter()
                .map(|(name, object)| (name.clone(), object.sha.clone()))
                .collect()
        })
    }

    /// Everything about releases and refs is forgotten, as if the repository were new.
    pub fn forget_releases(&self) -> &Self {
        self.change(|repository| *repository = Repository::new(repository.id, &repository.folder));
        self
    }

    /// Somebody else ends the upload that they began: the starter becomes an asset.
    pub fn finish_starter(&self, tag: &str, asset: &str, bytes: &[u8]) -> &Self {
        self.tamper(tag, asset, bytes);
        self.change(|repository| {
            let releases = repository.releases.iter_mut().filter(|release| release.tag == tag);
            let assets = releases.flat_map(|release| &mut release.assets);
            for starter in assets.filter(|known| known.name == asset) {
                starter.state = State::Uploaded;
                starter.digest = Some(asset::digest_of(bytes));
            }
        });
        self
    }

    /// The most requests of one kind that were being worked on at the same time.
    pub fn most_at_once(&self, operation: Operation) -> usize {
        let asked = self.requests();
        let some: Vec<_> = asked.iter().filter(|asked| asked.operation == operation).collect();
        let works_at = |asked: &&&Asked, moment| {
            asked.came <= moment && asked.ended.is_none_or(|ended| moment < ended)
        };
        let at_once = |moment| some.iter().filter(|asked| works_at(asked, moment)).count();
        some.iter().map(|asked| at_once(asked.came)).max().unwrap_or(0)
    }

    /// Changes the bytes of an asset behind everybody's back; its digest stays as it was.
    pub fn tamper(&self, tag: &str, asset: &str, bytes: &[u8]) -> &Self {
        self.change(|repository| {
            let releases = repository.releases.iter_mut().filter(|release| release.tag == tag);
            let mut assets = releases.flat_map(|release| &mut release.assets);
            let found = assets.find(|known| known.name == asset).expect("the asset");
            found.etag = asset::etag_of(&asset::digest_of(bytes));
            found.bytes = bytes.to_vec().into();
        });
        self
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        let violations = std::mem::take(&mut self.shared.world().violations);
        if !std::thread::panicking() {
            assert!(violations.is_empty(), "the stand-in broke its contract: {violations:#?}");
        }
    }
}
