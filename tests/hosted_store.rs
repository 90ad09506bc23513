//! Gitea and GitLab as stores, against stand-ins: whatever goes wrong on the way, it ends in one
//! release, whole or not seen, and doubt is not an absence. GitHub has tests of its own.

use std::time::Duration;

use async_trait::async_trait;
use forge::{
    model::{Environment, Fault, Kind, Layout, Sha256, UserFolders},
    store::{
        Login, Logins, Mode, Published, Receipt, Store, StoreRelease, StoreSettings, StoreUrl,
        Tempo, Upload, open,
    },
};

use crate::support::{
    Invocation, Sandbox, git,
    gitea::{self, Gitea},
    gitlab::{self, GitLab},
    is_here,
};

const TAG: &str = "nats-v2.10.24";
const ASSETS: [&str; 2] = ["n-linux-amd64.tar.gz", "n-darwin-arm64.tar.gz"];

#[derive(Debug)]
struct Token(Option<Login>);

#[async_trait]
impl Logins for Token {
    async fn login(&self, _: &str) -> Option<Login> {
        self.0.clone()
    }
}

fn store(url: &str, login: Option<(&str, &str)>) -> std::sync::Arc<dyn Store> {
    let login = login.map(|(token, source)| Login { token: token.into(), source: source.into() });
    let settings = StoreSettings {
        proxies: false,
        attempts: 4,
        backoff: Duration::from_millis(1),
        logins: std::sync::Arc::new(Token(login)),
        tempo: Some(Tempo {
            between_writes: Duration::ZERO,
            after_refusal: Duration::from_millis(5),
            look: Duration::from_millis(2),
            ..Tempo::default()
        }),
        ..StoreSettings::new(
            Layout::new("/nowhere".into(), UserFolders::default()),
            &Environment::default(),
        )
    };
    open(&StoreUrl::parse(url).unwrap(), &settings).unwrap()
}

fn at_gitea(gitea: &Gitea) -> std::sync::Arc<dyn Store> {
    store(&gitea.store(), Some((gitea::WRITER, "GITEA_TOKEN")))
}

fn at_gitlab(gitlab: &GitLab) -> std::sync::Arc<dyn Store> {
    store(&gitlab.store(), Some((gitlab::WRITER, "GITLAB_TOKEN")))
}

fn digest(bytes: &[u8]) -> Sha256 {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    Sha256(digest.as_ref().try_into().unwrap())
}

fn release(mode: Mode) -> StoreRelease {
    let expected = ASSETS.map(str::to_owned).to_vec();
    StoreRelease { mode, ..StoreRelease::of_subsystem(TAG.into(), expected) }
}

async fn publish_as(
    store: &dyn Store,
    asset: &str,
    bytes: &[u8],
    mode: Mode,
) -> Result<Receipt, Fault> {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("source");
    std::fs::write(&path, bytes).unwrap();
    store.publish(&release(mode), &Upload::new(asset.into(), path, digest(bytes))).await
}

async fn publish(store: &dyn Store) -> Result<Receipt, Fault> {
    publish_as(store, ASSETS[0], b"binary", Mode::Append).await
}

/// The release of [`TAG`]: whether it is a draft, and the names in it.
async fn there(store: &dyn Store) -> (bool, Vec<String>) {
    let info = store.release(TAG).await.unwrap().unwrap();
    (info.is_draft, info.assets.into_iter().map(|asset| asset.name).collect())
}

fn whole() -> (bool, Vec<String>) {
    (false, vec![ASSETS[0].to_owned(), format!("{}.sha256", ASSETS[0])])
}

#[tokio::test]
async fn lost_answers_end_in_one_release_at_gitea() {
    use gitea::Goes::{DoneThen, Status};
    for goes in [Status(500), Status(502), DoneThen(502)] {
        for (method, path) in [("POST", "/releases"), ("POST", "/assets"), ("GET", "/releases/")] {
            let gitea = Gitea::start();
            let store = at_gitea(&gitea);
            gitea.next(method, path, goes.clone());
            let receipt = publish(&*store).await.unwrap();
            assert_eq!(receipt.published, Published::Created, "{method} {path} {goes:?}");
            assert_eq!(there(&*store).await, whole(), "{method} {path} {goes:?}");
            let release = gitea.release(TAG).unwrap();
            assert_eq!(release.attachments.len(), 2, "{method} {path} {goes:?}");
        }
    }
}

#[tokio::test]
async fn lost_answers_end_in_one_release_at_gitlab() {
    use gitlab::Goes::{DoneThen, Status, TooMany};
    for goes in [Status(500), Status(502), TooMany, DoneThen(502)] {
        for (method, path) in [
            ("POST", "/releases"),
            ("PUT", "/generic/"),
            ("GET", "/releases"),
            ("GET", "/packages"),
        ] {
            let gitlab = GitLab::start();
            let store = at_gitlab(&gitlab);
            gitlab.next(method, path, goes.clone());
            let receipt = publish(&*store).await.unwrap();
            assert_eq!(receipt.published, Published::Created, "{method} {path} {goes:?}");
            assert!(receipt.waits_for.is_empty());
            assert_eq!(there(&*store).await, whole(), "{method} {path} {goes:?}");
        }
        // Into a release that is there.
        let gitlab = GitLab::start();
        let store = at_gitlab(&gitlab);
        publish_as(&*store, ASSETS[1], b"other", Mode::Append).await.unwrap();
        gitlab.next("POST", "/assets/links", goes.clone());
        let receipt = publish(&*store).await.unwrap();
        assert_eq!(receipt.published, Published::Created, "{goes:?}");
        assert_eq!(gitlab.release(TAG).unwrap().links.len(), 4, "{goes:?}");
    }
}

#[tokio::test]
async fn who_was_faster_is_compared_with() {
    for (theirs, published) in [
        (b"binary", Published::Identical),
        (b"others", Published::Conflict { theirs: digest(b"others") }),
    ] {
        let gitea = Gitea::start();
        gitea.next("POST", "/assets", gitea::Goes::SomebodyWasFaster(theirs.to_vec()));
        assert_eq!(publish(&*at_gitea(&gitea)).await.unwrap().published, published);
        assert_eq!(gitea.release(TAG).unwrap().attachments[0].bytes, &theirs[..]);

        // While the release is not made yet, the first file counts.
        let gitlab = GitLab::start();
        gitlab.next("PUT", "/generic/", gitlab::Goes::SomebodyWasFaster(theirs.to_vec()));
        assert_eq!(publish(&*at_gitlab(&gitlab)).await.unwrap().published, published);

        // After that the first link does.
        let gitlab = GitLab::start();
        let store = at_gitlab(&gitlab);
        publish_as(&*store, ASSETS[1], b"other", Mode::Append).await.unwrap();
        gitlab.next("POST", "/assets/links", gitlab::Goes::SomebodyWasFaster(theirs.to_vec()));
        let receipt = publish(&*store).await.unwrap();
        assert_eq!(receipt.published, published);
        let links = gitlab.release(TAG).unwrap().links;
        let link = links.iter().find(|link| link.name == ASSETS[0]).unwrap();
        assert!(link.url.contains(&digest(theirs).to_string()), "{}", link.url);
        // What lost is not kept.
        let lost = digest(b"binary").to_string();
        let files = gitlab.package(TAG).unwrap().files;
        assert_eq!(files.iter().any(|file| file.name.starts_with(&lost)), theirs == b"binary");
    }
}

#[tokio::test]
async fn what_was_not_stored_as_sent_goes_away_again() {
    let gitea = Gitea::start();
    gitea.next("POST", "/assets", gitea::Goes::Corrupt);
    let fault = publish(&*at_gitea(&gitea)).await.unwrap_err();
    assert!(fault.to_string().contains("was not stored as sent"), "{fault}");
    assert!(gitea.release(TAG).unwrap().attachments.is_empty());

    for is_visible in [false, true] {
        let gitlab = GitLab::start();
        let store = at_gitlab(&gitlab);
        if is_visible {
            publish_as(&*store, ASSETS[1], b"other", Mode::Append).await.unwrap();
        }
        gitlab.next("PUT", "/generic/", gitlab::Goes::Corrupt);
        let fault = publish(&*store).await.unwrap_err();
        assert_eq!(fault.kind, Kind::Verification);
        assert!(fault.to_string().contains("was not stored as sent"), "{fault}");
        let files = gitlab.package(TAG).unwrap().files;
        assert!(!files.iter().any(|file| file.name.ends_with(ASSETS[0])), "{files:?}");
        assert_eq!(store.find(TAG, ASSETS[0]).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_sealed_release_is_seen_when_it_is_complete() {
    let (gitea, gitlab) = (Gitea::start(), GitLab::start());
    for store in [at_gitea(&gitea), at_gitlab(&gitlab)] {
        let receipt = publish_as(&*store, ASSETS[0], b"one", Mode::Sealed).await.unwrap();
        assert_eq!(receipt.published, Published::Created);
        assert_eq!(receipt.waits_for, [ASSETS[1].to_owned(), format!("{}.sha256", ASSETS[1])]);
        assert_eq!(store.find(TAG, ASSETS[0]).await.unwrap(), None);
        assert!(there(&*store).await.0, "a draft");
        let receipt = publish_as(&*store, ASSETS[1], b"two", Mode::Sealed).await.unwrap();
        assert!(receipt.waits_for.is_empty(), "{receipt:?}");
        let (is_draft, names) = there(&*store).await;
        assert_eq!((is_draft, names.len()), (false, 4));
        assert!(store.find(TAG, ASSETS[0]).await.unwrap().is_some());
    }
    assert_eq!(gitlab.release(TAG).unwrap().links.len(), 4);
}

#[tokio::test]
async fn what_cannot_be_seen_is_not_absent_at_gitlab() {
    let gitlab = GitLab::start();
    publish(&*at_gitlab(&gitlab)).await.unwrap();
    let stranger = store(&gitlab.store(), None);
    assert!(stranger.find(TAG, ASSETS[0]).await.unwrap().is_some());
    assert_eq!(stranger.find("nats-v9", ASSETS[0]).await.unwrap(), None);

    gitlab.world().closes_registry = true;
    let stranger = store(&gitlab.store(), None);
    let fault = stranger.open(TAG, ASSETS[0]).await.err().unwrap();
    assert!(fault.to_string().contains("the release lists it"), "{fault}");

    gitlab.world().is_private = true;
    let stranger = store(&gitlab.store(), None);
    for fault in [
        stranger.find(TAG, ASSETS[0]).await.err(),
        stranger.open(TAG, ASSETS[0]).await.err(),
        stranger.release(TAG).await.err(),
        stranger.releases().await.err(),
        stranger.remove(TAG).await.err(),
    ] {
        let fault = fault.expect("doubt");
        assert!(fault.to_string().contains("does not exist, or is private"), "{fault}");
        assert!(fault.hint.unwrap().contains("GITLAB_TOKEN"));
    }
    let reader = store(&gitlab.store(), Some((gitlab::READER, "git credential fill")));
    assert!(reader.find(TAG, ASSETS[0]).await.unwrap().is_some());
    assert!(reader.open(TAG, ASSETS[0]).await.unwrap().is_some());
    let elsewhere = format!("gitlab:{}/group/other", gitlab.url());
    assert!(store(&elsewhere, None).find(TAG, ASSETS[0]).await.is_err());
}

#[tokio::test]
async fn refusals_of_gitlab_say_what_to_do() {
    type Spoil = fn(&GitLab);
    let cases: [(Spoil, Option<&str>, &str, &str); 6] = [
        (|_| (), None, "takes a login: forge has none for `127.0.0.1:", "GITLAB_TOKEN"),
        (|_| (), Some("glpat-gone"), "is not valid for gitlab:", "expired"),
        (|_| (), Some(gitlab::READER), "may not write to gitlab:", "role Developer"),
        (
            |gitlab| gitlab.world().protected = Some("nats-".into()),
            Some(gitlab::WRITER),
            "a rule for tags",
            "Protected tags",
        ),
        (
            |gitlab| gitlab.world().is_archived = true,
            Some(gitlab::WRITER),
            "project is archived",
            "",
        ),
        (|gitlab| gitlab.world().max_size = 3, Some(gitlab::WRITER), "is too large", "tar.zst"),
    ];
    for (spoil, token, why, what_to_do) in cases {
        let gitlab = GitLab::start();
        spoil(&gitlab);
        let login = token.map(|token| (token, "GITLAB_TOKEN"));
        let fault = publish(&*store(&gitlab.store(), login)).await.unwrap_err();
        let told = fault.to_string();
        assert!(told.starts_with(&format!("cannot publish {TAG}/{} to gitlab:http", ASSETS[0])));
        assert!(told.contains(why), "{told}");
        assert!(fault.hint.as_deref().unwrap_or_default().contains(what_to_do), "{fault:?}");
        assert!(!format!("{fault:?}").contains("glpat"), "{fault:?}");
        assert!(gitlab.release(TAG).is_none());
    }
}

#[tokio::test]
async fn notes_replace_the_page_at_gitlab_and_removal_is_complete() {
    let gitlab = GitLab::start();
    let store = at_gitlab(&gitlab);
    publish(&*store).await.unwrap();
    let notes = StoreRelease { notes: "new".into(), ..release(Mode::Append) };
    assert!(store.describe(&notes).await.unwrap());
    let seen = gitlab.release(TAG).unwrap();
    assert_eq!((seen.description.as_str(), seen.links.len()), ("new", 2));
    let link = seen.links.iter().find(|link| link.name == ASSETS[0]).unwrap();
    assert_eq!(link.direct_asset_path.as_deref(), Some("/n-linux-amd64.tar.gz"));
    store.remove(TAG).await.unwrap();
    let world = gitlab.world();
    assert!(world.releases.is_empty() && world.packages.is_empty() && world.tags.is_empty());
}

#[tokio::test]
async fn what_people_link_to_is_no_asset_and_is_read_from_nowhere() {
    let gitlab = GitLab::start();
    let store = at_gitlab(&gitlab);
    publish(&*store).await.unwrap();
    let place = format!("packages/generic/forge/{TAG}/{}.5.page", digest(b"hello"));
    for (name, url) in [
        ("docs", "https://example.org/docs".to_owned()),
        // It looks like a file of the registry, and leads elsewhere.
        ("page", format!("http://localhost:9/{place}")),
    ] {
        let mut world = gitlab.world();
        let links = &mut world.releases[0].links;
        let mut link = links[0].clone();
        (link.id, link.name, link.url) = (link.id + 100, name.to_owned(), url);
        links.push(link);
    }
    assert_eq!(store.find(TAG, "docs").await.unwrap(), None);
    // Read from the registry's own address, where it is not.
    assert!(store.open(TAG, "page").await.is_err());
    assert!(
        gitlab.asked(|asked| asked.path.contains("/objects/") && asked.login.is_some()).is_empty()
    );
}

/// A workspace whose releases are at `gitlab`.
fn workspace(gitlab: &GitLab) -> Sandbox {
    Sandbox::new().head(&format!("releases: {}", gitlab.store())).script("hello", "v1.0.0")
}

/// A job of GitLab CI at the default branch, which is protected.
fn job(gitlab: &GitLab, sandbox: &Sandbox, words: &str) -> Invocation {
    let forge = sandbox.forge(words).env("CI", "true").env("GITLAB_CI", "true");
    let forge = forge.env("CI_SERVER_URL", gitlab.url()).env("CI_JOB_TOKEN", gitlab::JOB);
    let forge = forge.env("CI_PIPELINE_SOURCE", "push").env("CI_COMMIT_BRANCH", "main");
    forge.env("CI_DEFAULT_BRANCH", "main").env("CI_COMMIT_REF_PROTECTED", "true")
}

#[test]
fn a_job_of_gitlab_publishes_and_others_download() {
    let gitlab = GitLab::new();
    let sandbox = workspace(&gitlab);
    // A merge request publishes nothing, whatever its token may.
    let request = job(&gitlab, &sandbox, "ensure").env("CI_MERGE_REQUEST_IID", "7");
    request.env("CI_PIPELINE_SOURCE", "merge_request_event").succeeds();
    assert!(gitlab.world().packages.is_empty() && gitlab.world().releases.is_empty());

    job(&gitlab, &sandbox, "ensure").succeeds().keeps_quiet_about(gitlab::JOB);
    let tags: Vec<_> = gitlab.world().releases.iter().map(|it| it.tag.clone()).collect();
    let [tag] = tags.as_slice() else { panic!("{tags:?}") };
    assert_eq!(gitlab.release(tag).unwrap().links.len(), 3, "asset, checksum, provenance");
    job(&gitlab, &sandbox, "release:list").succeeds().says("v1.0.0").says("gitlab:http");
    let told = job(&gitlab, &sandbox, "doctor").succeeds();
    told.says("with the login from CI_JOB_TOKEN").says("yes: `push` at the default branch, main");

    let files = |it: &gitlab::Asked| it.path.starts_with("/objects/");
    let before = gitlab.asked(files).len();
    workspace(&gitlab).forge("ensure").succeeds();
    assert!(gitlab.asked(files).len() > before, "downloaded");
    assert_eq!(gitlab.world().releases.len(), 1);
}

/// A project with three releases, made by jobs one after the other.
fn with_three_releases() -> (GitLab, Sandbox) {
    let gitlab = GitLab::new();
    let sandbox = workspace(&gitlab);
    for version in ["v1.0.0", "v1.1.0", "v1.2.0"] {
        let manifest = sandbox.read("versions.yml");
        let pin = manifest.lines().find(|line| line.contains("hello: ")).unwrap().to_owned();
        sandbox.write("versions.yml", &manifest.replace(&pin, &format!("  hello: {version}")));
        job(&gitlab, &sandbox, "ensure").succeeds();
    }
    (gitlab, sandbox)
}

#[test]
fn at_gitlab_pruning_goes_on_where_it_stopped() {
    let (gitlab, sandbox) = with_three_releases();
    let tags = || {
        let world = gitlab.world();
        let mut tags: Vec<_> = world.releases.iter().map(|it| it.tag.clone()).collect();
        tags.sort();
        tags
    };
    assert_eq!(tags().len(), 3);
    let prune = || {
        let forge = job(&gitlab, &sandbox, "release:prune --keep 1 --yes");
        forge.env("GITLAB_TOKEN", gitlab::WRITER)
    };
    let request = prune().env("CI_MERGE_REQUEST_IID", "7");
    let request = request.env("CI_PIPELINE_SOURCE", "merge_request_event").exits(2);
    request.says("cannot change the releases").says("merge request");
    assert_eq!(tags().len(), 3);
    gitlab.next("DELETE", "/releases/", gitlab::Goes::Status(403));
    prune().exits(3).says("1 deleted from gitlab:").says("1 could not be: run it again");
    assert_eq!(tags().len(), 2);
    prune().succeeds().says("deleted hello-v1.");
    // The files are gone with the release, and what is pinned is there.
    assert_eq!(tags(), ["hello-v1.2.0"]);
    let packages: Vec<_> = gitlab.world().packages.iter().map(|it| it.version.clone()).collect();
    assert_eq!(packages, ["hello-v1.2.0"]);
    sandbox.forge("release:list").succeeds().says("1 release in gitlab:");
}

#[test]
fn a_jobs_token_is_told_what_it_may_not_remove() {
    let (gitlab, sandbox) = with_three_releases();
    let run = job(&gitlab, &sandbox, "release:prune --keep 1 --yes").exits(3);
    run.says("the login from CI_JOB_TOKEN may not do that in gitlab:");
    run.says("a job's token may remove no tags").says("set GITLAB_TOKEN");
    run.keeps_quiet_about("expired").keeps_quiet_about(gitlab::JOB);
}

#[test]
fn at_gitlab_a_component_is_published_under_its_own_version_alone() {
    if !is_here("git") {
        return;
    }
    let gitlab = GitLab::new();
    let sandbox = Sandbox::new()
        .head(&format!("releases: {}", gitlab.store()))
        .spec("api", "{ scheme: commits, first: 1.0.0 }", "source: { path: code }\nbuild: { run: \"printf '#!/bin/sh\\necho {{ version }}\\n' > {{ out }}/api && chmod +x {{ out }}/api\" }\n")
        .file("code/text", "one\n")
        .file(".gitignore", ".forge/\nforge.lock\n");
    let root = sandbox.root();
    git(&root, &["init", "--quiet", "--initial-branch=main"]);
    git(&root, &["add", "-A"]);
    git(&root, &["commit", "--quiet", "-m", "feat: answers"]);
    let published = || {
        let world = gitlab.world();
        let links = world.releases.iter().map(|it| (it.tag.clone(), it.links.len()));
        links.collect::<Vec<_>>()
    };
    // No release, no package, not even a part of one, under the placeholder or a version of other code.
    job(&gitlab, &sandbox, "ensure").succeeds();
    assert_eq!(published(), []);
    git(&root, &["tag", "-m", "x", "api-1.0.0"]);
    sandbox.write("code/text", "two\n");
    git(&root, &["commit", "--quiet", "-am", "fix: later"]);
    let run = job(&gitlab, &sandbox, "ensure --publish --force").succeeds();
    run.says("api is not published: it is not 1.0.0");
    assert_eq!(published(), []);
    assert!(gitlab.world().packages.is_empty());
    git(&root, &["checkout", "--quiet", "api-1.0.0"]);
    job(&gitlab, &sandbox, "ensure --force").succeeds().says("published");
    assert_eq!(published(), [("api-1.0.0".to_owned(), 3)]);
}

#[test]
fn a_token_of_gitlab_goes_to_no_host_that_only_a_manifest_names() {
    let gitlab = GitLab::new();
    let sandbox = workspace(&gitlab);
    let elsewhere =
        job(&gitlab, &sandbox, "doctor").env("CI_SERVER_URL", "https://git.example.org");
    elsewhere.env("GITLAB_TOKEN", gitlab::WRITER).run().says("without a login");
    assert!(gitlab.asked(|it| it.login.is_some()).is_empty());
}
