//! The Gitea store, against the stand-in; and against a real one, if the environment names it:
//! `FORGE_TEST_GITEA` (`gitea:http://127.0.0.1:3000/owner/repo`, with a commit and without
//! releases) and `FORGE_TEST_GITEA_TOKEN`.

use forge::store::{StoreSettings, StoreUrl};

use super::suite::{Host, lists_many, settings, stays_offline, store, with_token, writes};
use crate::support::gitea::{Gitea, WRITER};

const HOST: Host = Host { takes_empty: true, decides_races: true, tells_digest: false };

fn writing(token: &str) -> StoreSettings {
    with_token(settings(&[]), token)
}

#[tokio::test]
async fn gitea_conforms() {
    let gitea = Gitea::start();
    writes(&*store(&gitea.store(), &writing(WRITER)), HOST).await;
    stays_offline(&gitea.store(), &writing(WRITER)).await;
}

#[tokio::test]
async fn a_private_gitea_conforms() {
    let gitea = Gitea::start();
    gitea.world().is_private = true;
    writes(&*store(&gitea.store(), &writing(WRITER)), HOST).await;
}

#[tokio::test]
async fn gitea_lists_many_releases() {
    let gitea = Gitea::start();
    gitea.world().max_page = 7;
    lists_many(&*store(&gitea.store(), &writing(WRITER)), 30).await;
}

#[tokio::test]
async fn a_real_gitea_conforms() {
    let of = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (Some(url), Some(token)) = (of("FORGE_TEST_GITEA"), of("FORGE_TEST_GITEA_TOKEN")) else {
        eprintln!("skipped: no FORGE_TEST_GITEA");
        return;
    };
    assert!(matches!(StoreUrl::parse(&url), Ok(StoreUrl::Gitea { .. })), "{url}");
    let store = store(&url, &writing(&token));
    writes(&*store, HOST).await;
    store.remove(super::suite::TAG).await.unwrap();
    lists_many(&*store, 60).await;
}
