//! The stand-in GitHub is what it stands for: it answers as recordings of the real one do, keeps
//! to the published description, and real clients get along with it.

mod clients;
mod faults;
mod recordings;
mod rules;

use serde_json::{Value, json};

use crate::support::{
    Ask, Reply,
    github::{GitHub, Role},
};

/// A request of the API below the repository, by somebody who may write.
fn ask(github: &GitHub, method: &str, path: &str) -> Ask {
    let url = format!("{}/repos/{}{path}", github.api_url(), github.repository());
    Ask::new(method, &url).token(github.token(Role::Write))
}

/// Creates a release, or tries to.
fn create(github: &GitHub, document: &Value) -> Reply {
    ask(github, "POST", "/releases").json(document).send()
}

/// Uploads to the published release of a tag, or tries to.
fn upload(github: &GitHub, tag: &str, name: &str, bytes: &[u8]) -> Reply {
    uploading(github, tag, name).body(bytes).send()
}

fn uploading(github: &GitHub, tag: &str, name: &str) -> Ask {
    let release = github.release(tag).expect("the release");
    let shown = ask(github, "GET", &format!("/releases/{}", release.id)).send().json();
    let address = shown["upload_url"].as_str().expect("an address");
    let address = address.split('{').next().expect("a text");
    Ask::new("POST", &format!("{address}?name={name}"))
        .token(github.token(Role::Write))
        .header("content-type", "application/octet-stream")
}

/// The address of an asset for browsers.
fn page_of(github: &GitHub, tag: &str, name: &str) -> String {
    format!("{}/{}/releases/download/{tag}/{name}", github.url(), github.repository())
}

/// The transfer behind the address for browsers.
fn transfer(github: &GitHub, tag: &str, name: &str) -> Ask {
    let redirect = Ask::get(&page_of(github, tag, name)).send();
    assert_eq!(redirect.status, 302, "{redirect}");
    Ask::get(redirect.header("location").expect("a location"))
}

/// The code and field of the first error in a 422.
fn first_error(reply: &Reply) -> (String, String) {
    assert_eq!(reply.status, 422, "{reply}");
    let error = &reply.json()["errors"][0];
    let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
    (text("code"), text("field"))
}

fn published(tag: &str) -> Value {
    json!({ "tag_name": tag, "make_latest": "false" })
}
