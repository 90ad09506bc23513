//! What is told of a shared store, with a stand-in that says what a test wants.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::*;
use crate::{
    cli::doctor::check::Checks,
    model::Platform,
    report::Style,
    store::{AssetInfo, AssetStream, Receipt, ReleaseInfo, StoreRelease, Upload},
};

struct StandIn(Access);

fn nothing<T>() -> Result<T, Fault> {
    Err(Fault::new(Kind::Failed, "nobody asks for that here"))
}

#[async_trait]
impl Store for StandIn {
    fn url(&self) -> &'static str {
        "github:o/r"
    }
    fn is_writable(&self) -> bool {
        true
    }
    async fn find(&self, _: &str, _: &str) -> Result<Option<AssetInfo>, Fault> {
        nothing()
    }
    async fn open(&self, _: &str, _: &str) -> Result<Option<AssetStream>, Fault> {
        nothing()
    }
    async fn publish(&self, _: &StoreRelease, _: &Upload) -> Result<Receipt, Fault> {
        nothing()
    }
    async fn release(&self, _: &str) -> Result<Option<ReleaseInfo>, Fault> {
        nothing()
    }
    async fn releases(&self) -> Result<Vec<ReleaseInfo>, Fault> {
        nothing()
    }
    async fn remove(&self, _: &str) -> Result<(), Fault> {
        nothing()
    }
    async fn access(&self) -> Result<Access, Fault> {
        Ok(self.0.clone())
    }
}

fn may(login: Option<&str>, may_read: bool, may_write: Option<bool>) -> StandIn {
    let notes = vec!["the repository is private".to_owned()];
    StandIn(Access { login: login.map(str::to_owned), may_read, may_write, notes })
}

/// A step of a workflow that runs for `event`.
fn step(event: &str) -> Surroundings {
    let variables = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_EVENT_NAME", event),
        ("GITHUB_REF", "refs/heads/main"),
    ];
    let variables: BTreeMap<String, String> =
        variables.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Surroundings::from_variables(&variables, Some(r#"{"repository":{"default_branch":"main"}}"#))
}

/// What the doctor says of `store` as the first one, in these surroundings.
async fn said(store: &StandIn, surroundings: &Surroundings) -> String {
    let permission = permission(store, surroundings, false);
    let check = examine(store, surroundings, Some(&permission)).await;
    Checks(vec![check, told(store, &permission)]).text(Platform::host(), Style::PLAIN)
}

#[tokio::test]
async fn a_push_that_may_write_is_well() {
    let text = said(&may(Some("GITHUB_TOKEN"), true, Some(true)), &step("push")).await;
    assert!(
        text.contains(
            "may be read and written, with the login from GITHUB_TOKEN; the repository is private"
        ),
        "{text}"
    );
    assert!(text.contains("yes: `push` at the default branch, main"), "{text}");
    assert!(text.ends_with("all is well\n"), "{text}");
}

#[tokio::test]
async fn a_push_that_may_not_write_would_fail() {
    let text = said(&may(Some("GITHUB_TOKEN"), true, Some(false)), &step("push")).await;
    assert!(text.contains("error: publishing to github:o/r would fail"), "{text}");
    assert!(text.contains("because: the login from GITHUB_TOKEN is not allowed to"), "{text}");
    assert!(text.contains("`permissions: { contents: write }`"), "{text}");
    let text = said(&may(None, true, Some(false)), &step("push")).await;
    assert!(text.contains("because: there is no login"), "{text}");
}

#[tokio::test]
async fn who_does_not_publish_need_not_be_allowed_to() {
    for surroundings in [step("pull_request"), Surroundings::Laptop] {
        let text = said(&may(None, true, Some(false)), &surroundings).await;
        assert!(text.contains("may be read, not written, without a login"), "{text}");
        assert!(text.ends_with("all is well\n"), "{text}");
    }
    let text = said(&may(Some("x"), true, Some(true)), &step("pull_request")).await;
    assert!(text.contains("never: a `pull_request` run never publishes"), "{text}");
}

#[tokio::test]
async fn what_may_not_be_read_would_fail() {
    let text = said(&may(None, false, None), &Surroundings::Laptop).await;
    assert!(
        text.contains("error: github:o/r may not be read\n  because: there is no login"),
        "{text}"
    );
    assert!(text.contains("`gh auth login`"), "{text}");
    assert!(text.ends_with("1 thing would fail\n"), "{text}");
}
