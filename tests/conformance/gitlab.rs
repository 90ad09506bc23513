//! The GitLab store, against the stand-in; and against a real one, if the environment names it:
//! `FORGE_TEST_GITLAB` (`gitlab:https://git.example.org/group/project`, with a commit and without
//! releases) and `FORGE_TEST_GITLAB_TOKEN`.

use forge::store::{StoreSettings, StoreUrl};

use super::suite::{Host, TAG, lists_many, logged_in, settings, stays_offline, store, writes};
use crate::support::gitlab::{GitLab, JOB, WRITER};

const HOST: Host = Host { takes_empty: true, decides_races: true, tells_digest: true };

fn writing(token: &str) -> StoreSettings {
    logged_in(settings(&[]), token, "GITLAB_TOKEN")
}

#[tokio::test]
async fn gitlab_conforms() {
    let gitlab = GitLab::start();
    writes(&*store(&gitlab.store(), &writing(WRITER)), HOST).await;
    stays_offline(&gitlab.store(), &writing(WRITER)).await;
}

#[tokio::test]
async fn a_private_gitlab_that_wants_nothing_twice_conforms() {
    let gitlab = GitLab::start();
    gitlab.world().is_private = true;
    gitlab.world().forbids_duplicates = true;
    writes(&*store(&gitlab.store(), &writing(WRITER)), HOST).await;
}

#[tokio::test]
async fn gitlab_lists_many_releases() {
    let gitlab = GitLab::start();
    gitlab.world().max_page = 7;
    lists_many(&*store(&gitlab.store(), &writing(WRITER)), 30).await;
}

#[tokio::test]
async fn a_job_publishes_and_reads_with_its_own_token() {
    let gitlab = GitLab::start();
    gitlab.world().is_private = true;
    let job = logged_in(settings(&[]), JOB, "CI_JOB_TOKEN");
    let store = store(&gitlab.store(), &job);
    let temp = tempfile::tempdir().unwrap();
    let upload = super::suite::upload(temp.path(), "a.tar.gz", b"binary");
    store.publish(&super::suite::release(TAG), &upload).await.unwrap();
    assert!(store.find(TAG, "a.tar.gz").await.unwrap().is_some());
    assert_eq!(store.find("nats-v9", "a.tar.gz").await.unwrap(), None);
    let access = store.access().await.unwrap();
    assert_eq!((access.may_read, access.may_write), (true, None));
    let logins = gitlab.asked(|asked| asked.login.is_some());
    assert!(logins.iter().all(|asked| asked.login == Some(("job-token", JOB.into()))));
}

#[tokio::test]
async fn a_real_gitlab_conforms() {
    let of = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (Some(url), Some(token)) = (of("FORGE_TEST_GITLAB"), of("FORGE_TEST_GITLAB_TOKEN")) else {
        eprintln!("skipped: no FORGE_TEST_GITLAB");
        return;
    };
    assert!(matches!(StoreUrl::parse(&url), Ok(StoreUrl::GitLab { .. })), "{url}");
    let store = store(&url, &writing(&token));
    writes(&*store, HOST).await;
    store.remove(TAG).await.unwrap();
    lists_many(&*store, 120).await;
}
