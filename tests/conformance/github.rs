//! The GitHub store, against the stand-in.

use std::time::Duration;

use forge::store::{StoreSettings, Tempo};

use super::suite::{Host, lists_many, settings, stays_offline, store, with_token, writes};
use crate::support::github::{GitHub, Role};

const HOST: Host = Host { takes_empty: false, decides_races: true, tells_digest: false };

fn github() -> (GitHub, String) {
    let github = std::thread::spawn(|| GitHub::new("owner/repo")).join().expect("it starts");
    let url = format!("github:{}/owner/repo", github.url());
    (github, url)
}

/// A writer in a hurry: what GitHub wants in its pace is tested elsewhere.
fn writing() -> StoreSettings {
    let tempo = Tempo {
        burst: 100_000,
        between_writes: Duration::ZERO,
        look: Duration::from_millis(2),
        ..Tempo::default()
    };
    with_token(StoreSettings { tempo: Some(tempo), ..settings(&[]) }, Role::Write.token())
}

#[tokio::test]
async fn github_conforms() {
    let (_github, url) = github();
    writes(&*store(&url, &writing()), HOST).await;
    stays_offline(&url, &writing()).await;
}

#[tokio::test]
async fn a_private_github_conforms() {
    let (github, url) = github();
    github.make_private();
    writes(&*store(&url, &writing()), Host { tells_digest: true, ..HOST }).await;
}

#[tokio::test]
async fn github_lists_many_releases() {
    let (_github, url) = github();
    lists_many(&*store(&url, &writing()), 130).await;
}
