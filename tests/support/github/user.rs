//! The one user, who wrote everything.

use serde_json::{Value, json};

use super::origins::Origins;

const LOGIN: &str = "octo-builder";

/// The object that the API gives for the user.
pub fn to_json(origins: &Origins) -> Value {
    owner_json(origins, LOGIN)
}

/// The object that the API gives for the owner of a repository.
pub fn owner_json(origins: &Origins, login: &str) -> Value {
    let url = format!("{}/users/{login}", origins.api);
    json!({
        "login": login,
        "id": 1000,
        "node_id": "U_1000",
        "avatar_url": format!("{}/avatars/1000", origins.web),
        "gravatar_id": "",
        "url": url,
        "html_url": format!("{}/{login}", origins.web),
        "followers_url": format!("{url}/followers"),
        "following_url": format!("{url}/following{{/other_user}}"),
        "gists_url": format!("{url}/gists{{/gist_id}}"),
        "starred_url": format!("{url}/starred{{/owner}}{{/repo}}"),
        "subscriptions_url": format!("{url}/subscriptions"),
        "organizations_url": format!("{url}/orgs"),
        "repos_url": format!("{url}/repos"),
        "events_url": format!("{url}/events{{/privacy}}"),
        "received_events_url": format!("{url}/received_events"),
        "type": "User",
        "site_admin": false,
    })
}
