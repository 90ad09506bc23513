//! What GitHub allows, refuses and shows.

use std::{sync::Barrier, time::Duration};

use serde_json::{Value, json};

use super::{ask, create, first_error, page_of, published, transfer, upload, uploading};
use crate::support::{
    Ask, Reply,
    github::{GitHub, HEAD, Host, Lag, NewRelease, Operation, Role},
};

/// Asks from many threads at once.
fn at_once<T: Send>(count: usize, ask: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(count);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|number| {
                let (start, ask) = (&start, &ask);
                scope.spawn(move || {
                    start.wait();
                    ask(number)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("an answer")).collect()
    })
}

fn how_many(replies: &[Reply], status: u16) -> usize {
    replies.iter().filter(|reply| reply.status == status).count()
}

#[test]
fn of_four_publishers_one_creates_and_all_upload() {
    let github = GitHub::new("acme/stack");
    for round in 0..50 {
        let tag = format!("nats-v{round}");
        let creates = at_once(4, |_| create(&github, &published(&tag)));
        assert_eq!((how_many(&creates, 201), how_many(&creates, 422)), (1, 3));
        let lost = creates.iter().find(|reply| reply.status == 422).expect("one");
        assert_eq!(first_error(lost), ("already_exists".into(), "tag_name".into()));
        let uploads = at_once(4, |n| upload(&github, &tag, &format!("{n}.tar.gz"), &[n as u8]));
        assert_eq!(how_many(&uploads, 201), 4);
        let release = github.release(&tag).expect("the release");
        assert_eq!(release.asset_names(), ["0.tar.gz", "1.tar.gz", "2.tar.gz", "3.tar.gz"]);
    }
    assert_eq!(github.releases().len(), 50);
}

#[test]
fn of_four_uploads_of_one_name_one_is_stored() {
    let github = GitHub::new("acme/stack");
    github.add_release("nats-v1");
    let uploads = at_once(4, |n| upload(&github, "nats-v1", "nats.tar.gz", &[n as u8; 100_000]));
    assert_eq!((how_many(&uploads, 201), how_many(&uploads, 422)), (1, 3));
    let lost = uploads.iter().find(|reply| reply.status == 422).expect("one");
    assert_eq!(first_error(lost), ("already_exists".into(), "name".into()));
}

#[test]
fn an_asset_comes_back_by_every_way() {
    let github = GitHub::new("acme/stack");
    github.add_release("nats-v1");
    let asset = upload(&github, "nats-v1", "nats%20linux..tar.gz", b"the bytes").json();
    assert_eq!(asset["name"], "nats.linux.tar.gz");
    let sha256 = crate::support::sha256(b"the bytes");
    assert_eq!(asset["digest"], format!("sha256:{sha256}"));
    let by_page = transfer(&github, "nats-v1", "nats.linux.tar.gz").send();
    assert_eq!(by_page.body, b"the bytes");
    let by_api = ask(&github, "GET", &format!("/releases/assets/{}", asset["id"]))
        .header("accept", "application/octet-stream")
        .send();
    assert_eq!(by_api.status, 302);
    let location = by_api.header("location").expect("a location").to_owned();
    assert!(location.starts_with(&github.object_url()) && github.object_url() != github.url());
    assert_eq!(Ask::get(&location).send().body, b"the bytes");
    let with_token = Ask::get(&location).token("ghs_write").send();
    assert_eq!(with_token.status, 400);
    assert!(with_token.text().contains("Only one auth mechanism allowed"));
    assert_eq!(Ask::get(&location.replace("sig=", "sig=0")).send().status, 403);
    assert_eq!(github.downloads(), 2);
    assert_eq!(github.tokens_seen_at(Host::Object), ["Bearer ghs_write"]);
    github.hands_out_assets();
    let itself = ask(&github, "GET", &format!("/releases/assets/{}", asset["id"]))
        .header("accept", "application/octet-stream")
        .send();
    assert_eq!((itself.status, itself.body), (200, b"the bytes".to_vec()));
}

#[test]
fn a_transfer_goes_on_where_it_stopped() {
    let github = GitHub::new("acme/stack");
    github.add_release(NewRelease::tagged("nats-v1").asset("nats", *b"0123456789"));
    let whole = transfer(&github, "nats-v1", "nats");
    let tag = whole.clone().send().header("etag").expect("a tag").to_owned();
    let part = |range: &str| whole.clone().header("range", range);
    let rest = part("bytes=6-").header("if-range", &tag).send();
    assert_eq!((rest.status, rest.text().as_str()), (206, "6789"));
    assert_eq!(rest.header("content-range"), Some("bytes 6-9/10"));
    assert_eq!(part("bytes=2-3").send().text(), "23");
    assert_eq!(part("bytes=-3").send().text(), "789");
    assert_eq!(part("bytes=10-").send().status, 416);
    let changed = part("bytes=6-").header("if-range", "\"0xOTHER\"").send();
    assert_eq!((changed.status, changed.body.len()), (200, 10));
    assert_eq!(whole.header("if-none-match", &tag).send().status, 304);
}

#[test]
fn drafts_are_seen_by_those_who_may_push_and_have_no_tag() {
    let github = GitHub::new("acme/stack");
    let draft = json!({ "tag_name": "v1", "draft": true });
    let (first, second) = (create(&github, &draft), create(&github, &draft));
    assert_eq!((first.status, second.status), (201, 201), "drafts are not unique");
    let first = first.json();
    assert!(first["html_url"].as_str().expect("a URL").contains("untagged-"));
    assert_eq!(ask(&github, "GET", "/releases/tags/v1").send().status, 404);
    assert_eq!(ask(&github, "GET", "/git/ref/tags/v1").send().status, 404);
    let listed = |token| {
        let url = format!("{}/repos/acme/stack/releases", github.api_url());
        Ask::get(&url).token(token).send().json().as_array().expect("a list").len()
    };
    assert_eq!((listed("ghs_write"), listed("ghs_read")), (2, 0));
    let publish = |release: &Value| {
        let path = format!("/releases/{}", release["id"]);
        ask(&github, "PATCH", &path).json(&json!({ "draft": false })).send()
    };
    assert_eq!(publish(&first).status, 200);
    assert_eq!(ask(&github, "GET", "/git/ref/tags/v1").send().status, 200);
    let again = publish(&second.json());
    assert_eq!(first_error(&again), ("already_exists".into(), "tag_name".into()));
    let delete = ask(&github, "DELETE", &format!("/releases/{}", second.json()["id"])).send();
    assert_eq!((delete.status, github.releases().len()), (204, 1));
}

#[test]
fn lists_come_in_pages() {
    let github = GitHub::new("acme/stack");
    for number in 0..65 {
        github.add_release(format!("v{number}").as_str());
    }
    let mut url = format!("{}/repos/acme/stack/releases", github.api_url());
    let mut tags = Vec::new();
    loop {
        let reply = Ask::get(&url).send();
        let page = reply.json();
        tags.extend(page.as_array().expect("a list").iter().map(|r| r["tag_name"].clone()));
        let links = reply.header("link").expect("links").to_owned();
        let next = links.split(", ").find(|link| link.ends_with("rel=\"next\""));
        let Some(next) = next else { break };
        next[1..].split_once('>').expect("an address").0.clone_into(&mut url);
    }
    assert_eq!((tags.len(), github.api_requests()), (65, 3));
    assert_eq!((&tags[0], &tags[64]), (&json!("v64"), &json!("v0")));
    let all = Ask::get(&format!("{}/repos/acme/stack/releases?per_page=100", github.api_url()));
    assert_eq!(all.send().header("link"), None);
}

#[test]
fn what_has_not_changed_costs_nothing() {
    let github = GitHub::new("acme/stack");
    github.add_release("v1");
    let first = ask(&github, "GET", "/releases/tags/v1").send();
    let tag = first.header("etag").expect("a tag");
    let left = |reply: &Reply| reply.header("x-ratelimit-remaining").expect("a number").to_owned();
    let again = ask(&github, "GET", "/releases/tags/v1").header("if-none-match", tag).send();
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!((left(&first).as_str(), left(&again).as_str()), ("4999", "4999"));
    upload(&github, "v1", "nats", b"bytes");
    let changed = ask(&github, "GET", "/releases/tags/v1").header("if-none-match", tag).send();
    assert_eq!(changed.status, 200);
}

#[test]
fn an_hour_has_so_many_requests() {
    let github = GitHub::new("acme/stack");
    github.add_release(NewRelease::tagged("v1").asset("nats", *b"bytes")).limits(100, 2);
    let url = format!("{}/repos/acme/stack/releases/tags/v1", github.api_url());
    let anonymous = [(); 3].map(|()| Ask::get(&url).send());
    assert_eq!(anonymous.each_ref().map(|reply| reply.status), [200, 200, 403]);
    let refused = &anonymous[2];
    assert_eq!(refused.header("x-ratelimit-remaining"), Some("0"));
    assert!(refused.header("x-ratelimit-reset").is_some());
    assert_eq!(ask(&github, "GET", "/releases/tags/v1").send().status, 200);
    assert_eq!(transfer(&github, "v1", "nats").send().status, 200, "pages are not limited");
}

#[test]
fn roles_decide() {
    let github = GitHub::new("acme/stack");
    let status = |token: Option<&str>| {
        let url = format!("{}/repos/acme/stack/releases", github.api_url());
        let ask = Ask::post(&url, &published("v1"));
        match token {
            Some(token) => ask.token(token).send(),
            None => ask.send(),
        }
    };
    assert_eq!(status(None).status, 401);
    assert_eq!(status(Some("nobody")).json()["message"], "Bad credentials");
    let refused = status(Some(github.token(Role::Read)));
    assert_eq!(refused.status, 403);
    assert_eq!(refused.json()["message"], "Resource not accessible by integration");
    let refused = status(Some(github.token(Role::Outsider)));
    assert_eq!(refused.json()["message"], "Resource not accessible by personal access token");
    assert_eq!(status(Some(github.token(Role::Write))).status, 201);
    let nameless = ask(&github, "GET", "").without("user-agent").send();
    assert_eq!(nameless.status, 403);
    let seen = ask(&github, "GET", "").send().json();
    assert_eq!(seen["permissions"]["push"], true);
    assert_eq!(seen["default_branch"], "main");
}

#[test]
fn a_private_repository_is_not_there_for_others() {
    let github = GitHub::new("acme/secret");
    github.add_release(NewRelease::tagged("v1").asset("nats", *b"bytes")).make_private();
    let url = format!("{}/repos/acme/secret/releases/tags/v1", github.api_url());
    assert_eq!(Ask::get(&url).send().status, 404);
    assert_eq!(Ask::get(&url).token(github.token(Role::Outsider)).send().status, 404);
    assert_eq!(Ask::get(&url).token(github.token(Role::Read)).send().status, 200);
    let page = page_of(&github, "v1", "nats");
    assert_eq!(Ask::get(&page).token(github.token(Role::Write)).send().status, 404);
    github.asks_to_sign_in();
    let login = Ask::get(&page).send();
    assert_eq!(login.status, 200);
    assert!(login.header("content-type").expect("a type").starts_with("text/html"));
}

#[test]
fn what_is_published_in_an_immutable_repository_is_sealed() {
    let github = GitHub::new("acme/stack");
    github.make_immutable();
    let draft = create(&github, &json!({ "tag_name": "v1", "draft": true })).json();
    assert_eq!(upload(&github, "v1", "nats", b"bytes").status, 201);
    let path = format!("/releases/{}", draft["id"]);
    let sealed = ask(&github, "PATCH", &path).json(&json!({ "draft": false })).send().json();
    assert_eq!(sealed["immutable"], true);
    let late = upload(&github, "v1", "late", b"bytes");
    assert_eq!(late.status, 422);
    assert_eq!(late.json()["message"], "Cannot upload assets to an immutable release.");
    assert!(late.json().get("errors").is_none());
    let asset = format!("/releases/assets/{}", sealed["assets"][0]["id"]);
    assert_eq!(ask(&github, "DELETE", &asset).send().status, 422);
    assert_eq!(ask(&github, "DELETE", "/git/refs/tags/v1").send().status, 422);
    assert_eq!(ask(&github, "DELETE", &path).send().status, 204);
    let burned = create(&github, &published("v1"));
    assert_eq!(first_error(&burned), ("custom".into(), "tag_name".into()));
    assert!(burned.text().contains("tag_name was used by an immutable release"));
    let detected = |role| {
        let url = format!("{}/repos/acme/stack/immutable-releases", github.api_url());
        Ask::get(&url).token(github.token(role)).send().status
    };
    assert_eq!((detected(Role::Admin), detected(Role::Write)), (200, 404));
}

#[test]
fn a_ruleset_keeps_tags_from_being_created() {
    let github = GitHub::new("acme/stack");
    github.block_tags("nats-");
    let blocked = create(&github, &published("nats-v1"));
    assert_eq!(first_error(&blocked), ("custom".into(), "pre_receive".into()));
    assert!(blocked.text().contains("Cannot create ref due to creations being restricted"));
    assert_eq!(create(&github, &published("caddy-v1")).status, 201);
    let draft = create(&github, &json!({ "tag_name": "nats-v1", "draft": true }));
    assert_eq!(draft.status, 201, "a draft has no tag");
}

#[test]
fn refs_are_created_and_never_moved_by_it() {
    let github = GitHub::new("acme/stack");
    let tag = json!({
        "tag": "v1",
        "message": "claimed by run 7",
        "object": HEAD,
        "type": "commit",
        "tagger": { "name": "A", "email": "a@example.com", "date": "2026-01-01T00:00:00Z" },
    });
    let made = ask(&github, "POST", "/git/tags").json(&tag).send().json();
    let claim = json!({ "ref": "refs/tags/v1", "sha": made["sha"] });
    let claims = at_once(4, |_| ask(&github, "POST", "/git/refs").json(&claim).send());
    assert_eq!((how_many(&claims, 201), how_many(&claims, 422)), (1, 3));
    let lost = claims.iter().find(|reply| reply.status == 422).expect("one");
    assert_eq!(lost.json()["message"], "Reference already exists");
    let found = ask(&github, "GET", "/git/ref/tags/v1").send().json();
    assert_eq!((&found["object"]["type"], &found["object"]["sha"]), (&json!("tag"), &made["sha"]));
    let path = format!("/git/tags/{}", made["sha"].as_str().expect("a digest"));
    assert_eq!(ask(&github, "GET", &path).send().json()["message"], "claimed by run 7");
    let matching = ask(&github, "GET", "/git/matching-refs/tags/v").send().json();
    assert_eq!(matching.as_array().map(Vec::len), Some(1));
    let moved = json!({ "sha": HEAD, "force": true });
    assert_eq!(ask(&github, "PATCH", "/git/refs/tags/v1").json(&moved).send().status, 200);
    assert_eq!(ask(&github, "DELETE", "/git/refs/tags/v1").send().status, 204);
    assert_eq!(ask(&github, "DELETE", "/git/refs/tags/v1").send().status, 422);
}

#[test]
fn a_new_release_cannot_be_found_at_once() {
    let github = GitHub::new("acme/stack");
    github.lag(Lag::Requests(2));
    create(&github, &published("v1"));
    let found = [(); 3].map(|()| ask(&github, "GET", "/releases/tags/v1").send().status);
    assert_eq!(found, [404, 404, 200]);
    github.lag(Lag::Time(Duration::from_secs(3600)));
    create(&github, &published("v2"));
    assert_eq!(ask(&github, "GET", "/releases/tags/v2").send().status, 404);
}

#[test]
fn the_latest_is_the_one_made_so() {
    let github = GitHub::new("acme/stack");
    create(&github, &json!({ "tag_name": "v1" }));
    create(&github, &published("nats-v1"));
    create(&github, &json!({ "tag_name": "v2-rc", "prerelease": true }));
    assert_eq!(ask(&github, "GET", "/releases/latest").send().json()["tag_name"], "v1");
    assert_eq!(create(&github, &json!({ "tag_name": "x", "make_latest": false })).status, 422);
    let notes = json!({ "tag_name": "v2", "previous_tag_name": "v1" });
    let notes = ask(&github, "POST", "/releases/generate-notes").json(&notes).send().json();
    assert!(notes["body"].as_str().expect("a text").ends_with("acme/stack/compare/v1...v2"));
}

#[test]
fn an_enterprise_host_has_its_own_paths() {
    let github = GitHub::new("acme/stack");
    github.add_release("v1");
    let url = format!("{}/repos/acme/stack/releases/tags/v1", github.enterprise_api_url());
    let shown = Ask::get(&url).send().json();
    let own = |key: &str| shown[key].as_str().expect("a URL").replace(&github.url(), "");
    assert!(own("url").starts_with("/api/v3/repos/acme/stack/"), "{shown}");
    assert!(own("upload_url").starts_with("/api/uploads/repos/acme/stack/"), "{shown}");
    github.uploads_elsewhere();
    assert_eq!(upload(&github, "v1", "nats", b"bytes").status, 201);
    let uploads = |asked: &crate::support::github::Asked| asked.operation == Operation::Upload;
    assert_eq!((github.count(uploads), github.uploads()), (1, 1));
}

#[test]
fn uploads_say_what_they_are() {
    let github = GitHub::new("acme/stack");
    github.add_release("v1");
    let typeless = uploading(&github, "v1", "nats").without("content-type").body("x").send();
    assert_eq!(first_error(&typeless), ("missing_field".into(), "content_type".into()));
    let nameless = uploading(&github, "v1", "").body("x").send();
    assert_eq!(first_error(&nameless), ("missing_field".into(), "name".into()));
    assert!(github.release("v1").expect("it").assets.is_empty());
}
