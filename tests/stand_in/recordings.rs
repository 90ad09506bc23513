//! The same requests as in recordings of the real one get answers of the same shape.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{
    Ask, Reply,
    github::{GitHub, NewRelease, Role},
};

/// Fields that the API has got since the recordings were made.
const NEWER: [&str; 4] = ["digest", "immutable", "updated_at", "status"];

const SCENARIOS: [&str; 3] = [
    include_str!("../support/github/recorded/release-assets.json"),
    include_str!("../support/github/recorded/release-assets-conflict.json"),
    include_str!("../support/github/recorded/get-archive.json"),
];

/// How the two may differ: the same keys, with values of the same types. Codes are the same too.
fn compare(path: &str, recorded: &Value, ours: &Value) {
    match (recorded, ours) {
        (Value::Object(recorded), Value::Object(ours)) => {
            for (key, value) in recorded {
                let found = ours.get(key).unwrap_or_else(|| panic!("{path} lacks {key}"));
                compare(&format!("{path}.{key}"), value, found);
            }
            for key in ours.keys().filter(|key| !recorded.contains_key(*key)) {
                assert!(NEWER.contains(&key.as_str()), "{path} has {key}, which nobody recorded");
            }
        }
        (Value::Array(recorded), Value::Array(ours)) => {
            assert_eq!(recorded.len(), ours.len(), "{path}");
            for (recorded, ours) in recorded.iter().zip(ours) {
                compare(&format!("{path}[]"), recorded, ours);
            }
        }
        (Value::String(recorded), Value::String(ours)) => {
            let same = ["code", "field", "resource", "message", "state", "content_type", "type"];
            let same = same.iter().any(|key| path.ends_with(&format!(".{key}")));
            assert!(!same || recorded == ours, "{path} is {ours:?}, not {recorded:?}");
        }
        (recorded, ours) => {
            let kind = std::mem::discriminant::<Value>;
            assert_eq!(kind(recorded), kind(ours), "{path}: {ours} instead of {recorded}");
        }
    }
}

/// Asks as recorded, with the numbers that the stand-in gave since.
fn replay(github: &GitHub, recorded: &Value, numbers: &BTreeMap<&str, u64>) -> Reply {
    let text = |key: &str| recorded[key].as_str().unwrap_or_default();
    let mut path = text("path").to_owned();
    for (before, number) in numbers {
        path = path.replace(&format!("{before}1000"), &format!("{before}{number}"));
    }
    let base = match text("scope") {
        "https://uploads.github.com:443" => format!("{}/uploads", github.url()),
        _ => github.api_url(),
    };
    let ask = Ask::new(&text("method").to_uppercase(), &format!("{base}{path}"))
        .header("accept", "application/vnd.github.v3+json")
        .token(github.token(Role::Write));
    let ask = match recorded["asked_with"]["content-type"].as_str() {
        Some(kind) => ask.header("content-type", kind),
        None => ask,
    };
    match &recorded["body"] {
        Value::String(body) => ask.body(body.as_str()).send(),
        document => ask.body(document.to_string()).send(),
    }
}

#[test]
fn it_answers_as_the_real_one_did() {
    for scenario in SCENARIOS {
        let scenario: Value = serde_json::from_str(scenario).expect("JSON");
        let exchanges = scenario["exchanges"].as_array().expect("a list");
        let folder = exchanges[0]["path"].as_str().expect("a path");
        let folder = folder.split('/').skip(2).take(2).collect::<Vec<_>>().join("/");
        let github = GitHub::new(&folder);
        let conflict = folder.ends_with("conflict");
        github.add_release(NewRelease::tagged("v1.0.0").titled("Version 1.0.0", "Initial release"));
        let mut asked = 0;
        for recorded in exchanges {
            // The archive itself is on a host that has nothing to do with releases.
            if recorded["scope"] == "https://codeload.github.com:443" {
                continue;
            }
            let release = github.release("v1.0.0").expect("the release");
            let asset = release.assets.first().map_or(0, |asset| asset.id);
            let numbers = BTreeMap::from([("/releases/", release.id), ("/assets/", asset)]);
            let reply = replay(&github, recorded, &numbers);
            asked += 1;
            let what = format!("{} {}", recorded["method"], recorded["path"]);
            assert_eq!(reply.status, recorded["status"], "{what}: {reply}");
            match &recorded["response"] {
                Value::String(_) => assert!(reply.body.is_empty(), "{what}: {reply}"),
                response => compare(&what, response, &reply.json()),
            }
            let location = recorded["headers"].get("location").filter(|_| reply.status == 302);
            assert_eq!(location.is_some(), reply.status == 302, "{what}");
            // The asset that stands in the way was uploaded off the record.
            if conflict && asked == 1 {
                let numbers = BTreeMap::from([("/releases/", release.id)]);
                assert_eq!(replay(&github, &exchanges[1], &numbers).status, 201);
            }
        }
        assert!(asked > 0);
    }
}
