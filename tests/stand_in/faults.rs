//! What goes wrong goes wrong as planned, once, and leaves what the real one leaves.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{ask, create, first_error, page_of, published, transfer, upload};
use crate::support::{
    Ask,
    github::{Fault, GitHub, NewRelease, Operation, State},
};

const BYTES: [u8; 100_000] = [7; 100_000];

fn with_asset() -> GitHub {
    let github = GitHub::new("acme/stack");
    github.add_release(NewRelease::tagged("v1").asset("nats", BYTES));
    github
}

#[test]
fn an_upload_may_be_stored_though_its_answer_is_lost() {
    let github = GitHub::new("acme/stack");
    github.add_release("v1");
    for (name, fault, status) in [("a", Fault::DoneThen502, 502), ("b", Fault::DoneThenReset, 0)] {
        github.next_upload(fault);
        assert_eq!(upload(&github, "v1", name, b"bytes").status, status);
        assert_eq!(github.release("v1").unwrap().asset(name).unwrap().state, State::Uploaded);
        let again = upload(&github, "v1", name, b"bytes");
        assert_eq!(first_error(&again), ("already_exists".into(), "name".into()));
    }
    assert_eq!(github.uploads(), 4);
}

#[test]
fn an_upload_may_leave_a_starter() {
    let github = GitHub::new("acme/stack");
    github.add_release("v1");
    for (name, fault, status) in
        [("a", Fault::StarterThen502, 502), ("b", Fault::ResetAfter(10), 0)]
    {
        github.next_upload(fault);
        assert_eq!(upload(&github, "v1", name, &BYTES).status, status);
        let release = ask(&github, "GET", "/releases/tags/v1").send().json();
        let assets = release["assets"].as_array().unwrap();
        let left = assets.iter().find(|asset| asset["name"] == name).expect("a starter");
        assert_eq!((&left["state"], &left["size"]), (&json!("starter"), &json!(0)));
        assert_eq!(left["digest"], json!(null));
        assert_eq!(Ask::get(&page_of(&github, "v1", name)).send().status, 404);
        assert_eq!(upload(&github, "v1", name, &BYTES).status, 422);
        let path = format!("/releases/assets/{}", left["id"]);
        assert_eq!(ask(&github, "DELETE", &path).send().status, 204);
        assert_eq!(upload(&github, "v1", name, &BYTES).status, 201);
    }
}

#[test]
fn somebody_may_be_faster() {
    let github = GitHub::new("acme/stack");
    github.next_create(Fault::SomebodyWasFaster(None));
    let lost = create(&github, &published("v1"));
    assert_eq!(first_error(&lost), ("already_exists".into(), "tag_name".into()));
    github.next_upload(Fault::SomebodyWasFaster(None));
    github.next_upload(Fault::SomebodyWasFaster(Some(b"theirs".to_vec())));
    assert_eq!(upload(&github, "v1", "same", b"ours").status, 422);
    assert_eq!(upload(&github, "v1", "other", b"ours").status, 422);
    let release = github.release("v1").unwrap();
    assert_eq!(release.asset("same").unwrap().bytes, b"ours"[..]);
    assert_eq!(release.asset("other").unwrap().bytes, b"theirs"[..]);
    github.next_create(Fault::Twice);
    create(&github, &json!({ "tag_name": "v2", "draft": true }));
    let drafts = github.releases().into_iter().filter(|release| release.tag == "v2");
    assert_eq!(drafts.count(), 2);
}

#[test]
fn old_assets_have_no_digest() {
    let github = GitHub::new("acme/stack");
    github.without_digests().add_release("v1");
    assert_eq!(upload(&github, "v1", "nats", b"bytes").json()["digest"], json!(null));
}

#[test]
fn transfers_go_wrong_in_every_way() {
    let github = with_asset();
    let transfer = || transfer(&github, "v1", "nats").send();
    github.next_transfer(Fault::TruncatedTo(1000));
    let reply = transfer();
    assert_eq!((reply.body.len(), reply.complete), (1000, true));
    github.next_transfer(Fault::ResetAfter(20_000));
    let reply = transfer();
    assert_eq!((reply.body.len(), reply.complete), (20_000, false));
    github.next_transfer(Fault::PromisesMore(5));
    let reply = transfer();
    assert_eq!((reply.body.len(), reply.complete), (BYTES.len(), false));
    github.next_transfer(Fault::Corrupt);
    let reply = transfer();
    assert_eq!(reply.body.iter().filter(|byte| **byte != 7).count(), 1);
    assert_eq!((reply.body.len(), reply.complete), (BYTES.len(), true));
    github.next_transfer(Fault::Html);
    let reply = transfer();
    assert_eq!(reply.status, 200);
    assert!(reply.text().starts_with("<!DOCTYPE html>"));
    github.next_transfer(Fault::RedirectToItself);
    let reply = transfer();
    assert_eq!(reply.status, 302);
    assert!(reply.header("location").unwrap().starts_with(&github.object_url()));
    github.next_transfer(Fault::Slow(Duration::from_millis(2)));
    let begun = Instant::now();
    assert_eq!(transfer().body, BYTES);
    assert!(begun.elapsed() >= Duration::from_millis(2 * 100_000 / 4096));
    assert_eq!(transfer().body, BYTES, "and then all is well");
}

#[test]
fn limits_are_told_as_the_real_one_does() {
    let github = with_asset();
    let by_tag = || ask(&github, "GET", "/releases/tags/v1").send();
    let any = Operation::ReleaseByTag;
    github.next(any, Fault::RateLimit { resets_in: Duration::from_secs(60) });
    let reply = by_tag();
    assert_eq!((reply.status, reply.header("x-ratelimit-remaining")), (403, Some("0")));
    let reset: i64 = reply.header("x-ratelimit-reset").unwrap().parse().unwrap();
    assert!((55..=65).contains(&(reset - jiff::Timestamp::now().as_second())));
    for (status, retry_after) in [(403, Some(2)), (429, Some(1)), (403, None), (429, None)] {
        github.next(Operation::AnyApi, Fault::SecondaryLimit { status, retry_after });
        let reply = by_tag();
        assert_eq!(reply.status, status);
        assert_eq!(reply.header("retry-after").map(|s| s.parse().unwrap()), retry_after);
        assert_ne!(reply.header("x-ratelimit-remaining"), Some("0"));
        assert!(reply.text().contains("secondary rate limit"));
    }
    github.next(any, Fault::NotAccessible).next(any, Fault::NotFound).next(any, Fault::Status(500));
    let statuses = [(); 4].map(|()| by_tag().status);
    assert_eq!(statuses, [403, 404, 500, 200]);
    github.always(any, Fault::Status(503));
    assert_eq!([(); 3].map(|()| by_tag().status), [503, 503, 503]);
    assert_eq!(github.heal().requests().last().unwrap().status, 503);
    assert_eq!(by_tag().status, 200);
}

#[test]
fn answers_may_be_late() {
    let github = with_asset();
    let late = Duration::from_millis(40);
    github.next(Operation::Any, Fault::Late(late));
    let begun = Instant::now();
    assert_eq!(ask(&github, "GET", "/releases/tags/v1").send().status, 200);
    assert!(begun.elapsed() >= late);
    github.latency(late);
    let begun = Instant::now();
    ask(&github, "GET", "/releases/tags/v1").send();
    assert!(begun.elapsed() >= late);
}

#[test]
fn faults_meet_what_they_are_meant_for() {
    let github = with_asset();
    github.next_at("v2", Operation::ReleaseByTag, Fault::Status(500));
    assert_eq!(ask(&github, "GET", "/releases/tags/v1").send().status, 200);
    assert_eq!(ask(&github, "GET", "/releases/tags/v2").send().status, 500);
    assert_eq!(ask(&github, "GET", "/releases/tags/v2").send().status, 404);
    github.tamper("v1", "nats", b"other");
    assert_eq!(transfer(&github, "v1", "nats").send().body, b"other");
}
