//! What GitHub's refusals mean, and what their reader can do about them.
//!
//! They are told apart by `errors[].code` and `field`, and by the text where there is nothing
//! else: <https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api>.

use reqwest::StatusCode;
use serde::Deserialize;

use super::super::refusal::{Parties, Refusal};
use crate::store::call::{ApiRequest, ApiResponse};

/// The body of a refusal.
#[derive(Debug, Default, Deserialize)]
struct RefusalBody {
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: Vec<Detail>,
}

/// One of its reasons: now a text, now an object.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Detail {
    Text(String),
    Reason {
        #[serde(default)]
        code: String,
        #[serde(default)]
        field: String,
        #[serde(default)]
        message: Option<String>,
    },
}

impl RefusalBody {
    fn by(reply: &ApiResponse) -> Self {
        serde_json::from_slice(&reply.body).unwrap_or_default()
    }

    fn has(&self, wanted_code: &str, wanted_field: &str) -> bool {
        self.errors.iter().any(|detail| match detail {
            Detail::Text(_) => false,
            Detail::Reason { code, field, .. } => {
                (wanted_code.is_empty() || code == wanted_code) && field == wanted_field
            }
        })
    }

    /// All its words, for people.
    fn words(&self) -> String {
        let mut words = vec![self.message.trim_end_matches('.').to_owned()];
        for detail in &self.errors {
            words.push(match detail {
                Detail::Text(text) | Detail::Reason { message: Some(text), .. } => {
                    text.lines().collect::<Vec<_>>().join(" ")
                }
                Detail::Reason { code, field, .. } => format!("{field}: {code}"),
            });
        }
        words.retain(|text| !text.is_empty());
        words.join("; ")
    }
}

/// Whether what was to be created is there already: a release of that tag, an asset of that name.
pub(super) fn is_taken(reply: &ApiResponse) -> bool {
    let told = RefusalBody::by(reply);
    reply.status == StatusCode::UNPROCESSABLE_ENTITY
        && (told.has("already_exists", "tag_name") || told.has("already_exists", "name"))
}

/// Whether a release is locked for ever.
pub(super) fn is_locked(reply: &ApiResponse) -> bool {
    let words = RefusalBody::by(reply).words().to_lowercase();
    reply.status == StatusCode::UNPROCESSABLE_ENTITY
        && words.contains("immutable release")
        && !words.contains("was used by")
}

/// Whether a tag belongs, or belonged, to an immutable release.
pub(super) fn is_burned(reply: &ApiResponse) -> bool {
    reply.status == StatusCode::UNPROCESSABLE_ENTITY
        && RefusalBody::by(reply).words().contains(BURNED)
}

const BURNED: &str = "was used by an immutable release";

/// What GitHub says in `reply`.
pub(super) fn told(call: &ApiRequest, reply: &ApiResponse, who: &Parties) -> Refusal {
    let told = RefusalBody::by(reply);
    let known = match reply.status {
        StatusCode::UNAUTHORIZED => Some(unauthorized(who)),
        StatusCode::FORBIDDEN => Some(forbidden(reply, &told, call, who)),
        StatusCode::NOT_FOUND => Some(unseen(who)),
        StatusCode::UNPROCESSABLE_ENTITY => unprocessable(&told, who),
        _ => None,
    };
    Refusal { words: told.words(), known }
}

fn unauthorized(who: &Parties) -> (String, String) {
    let what = format!("{} is not valid for {}", who.login(), who.store);
    let hint = "it may have expired or been revoked: log in again with `gh auth login`, or set \
                FORGE_GITHUB_TOKEN to another token";
    (what, hint.into())
}

fn forbidden(
    reply: &ApiResponse,
    told: &RefusalBody,
    call: &ApiRequest,
    who: &Parties,
) -> (String, String) {
    let (login, store) = (who.login(), &who.store);
    let words = told.words().to_lowercase();
    if reply.header("x-github-sso").is_some() || words.contains("saml") {
        let what = format!("{login} is not allowed in the organisation of {store} yet");
        return (what, "authorize the token for single sign-on in GitHub's settings".into());
    }
    if words.contains("archived") {
        let hint = "publish elsewhere (`releases` in versions.yml), or unarchive the repository";
        return (format!("{store} is archived, so that nobody can write to it"), hint.into());
    }
    if words.contains("ip allow list") {
        let hint = "run it from an address that the organisation allows";
        return (format!("{store} is closed to this machine's address"), hint.into());
    }
    let what = match call.is_read() {
        true => format!("{login} may not read {}", call.url.path()),
        false => format!("{login} may not write to {store}"),
    };
    let hint = "it lacks `contents: write`: in GitHub Actions give the job `permissions: \
                {contents: write}`; a fine-grained token needs \"Contents: Read and write\" for \
                this repository, a classic one the scope `repo`. `--no-publish` goes without";
    (what, hint.into())
}

fn unseen(who: &Parties) -> (String, String) {
    let what = format!("{} cannot write to {}", who.login(), who.store);
    let hint = "GitHub says \"not found\" to a token without permission: a classic token needs the \
                scope `repo`, a fine-grained one \"Contents: Read and write\" for this repository";
    (what, hint.into())
}

/// Refusals of what was sent, if forge knows them.
fn unprocessable(told: &RefusalBody, who: &Parties) -> Option<(String, String)> {
    let words = told.words();
    let store = &who.store;
    let (what, hint) = if words.contains(BURNED) {
        (
            "its tag belonged to an immutable release that was deleted".to_owned(),
            "GitHub never gives such a tag away again: publish the next version, or the next \
             revision of this one",
        )
    } else if told.has("", "pre_receive") || words.contains("being restricted") {
        (
            format!("a rule for tags of {store} forbids it"),
            "let whoever publishes pass the ruleset (Settings, Rules, Rulesets: the bypass list), \
             or leave forge's tags out of it",
        )
    } else if told.has("", "file_count") {
        (
            "the release is full".to_owned(),
            "GitHub takes 1000 assets per release: remove what is not needed, or publish under \
             another tag",
        )
    } else if words.contains("size must be less than") {
        (
            "it is too large for a release".to_owned(),
            "GitHub takes less than 2 GiB per asset: strip the binaries, or pack them as `tar.zst`",
        )
    } else {
        return None;
    };
    Some((what, hint.into()))
}

#[cfg(test)]
mod tests {
    use reqwest::{Method, Url, header::HeaderMap};

    use super::{
        super::{super::refusal::failure, DIALECT},
        *,
    };
    use crate::store::retry::{AttemptFailure, RetryDecision};

    fn reply(status: u16, body: &str) -> ApiResponse {
        let url = Url::parse("https://api.github.com/x").unwrap();
        let status = StatusCode::from_u16(status).unwrap();
        ApiResponse { status, headers: HeaderMap::new(), body: body.to_owned().into(), url }
    }

    fn refused(status: u16, body: &str) -> AttemptFailure {
        let call = ApiRequest::new(Method::POST, Url::parse("https://api.github.com/x").unwrap());
        let who = Parties {
            store: "github:o/r".into(),
            host: "github.com".into(),
            login: Some("GITHUB_TOKEN".into()),
            advice: &DIALECT.advice,
        };
        let reply = reply(status, body);
        failure(&call, &reply, told(&call, &reply, &who), &who)
    }

    #[test]
    fn every_known_refusal_says_what_to_do() {
        for (status, body, what, hint) in [
            (
                401,
                r#"{"message":"Bad credentials"}"#,
                "the login from GITHUB_TOKEN is not valid for github:o/r: the server says: Bad credentials",
                "expired",
            ),
            (
                403,
                r#"{"message":"Resource not accessible by integration"}"#,
                "the login from GITHUB_TOKEN may not write to github:o/r: the server says: Resource not",
                "contents: write",
            ),
            (
                403,
                r#"{"message":"Resource protected by organization SAML enforcement."}"#,
                "organisation",
                "single sign-on",
            ),
            (
                403,
                r#"{"message":"Repository was archived so is read-only."}"#,
                "archived",
                "unarchive",
            ),
            (
                404,
                r#"{"message":"Not Found"}"#,
                "the login from GITHUB_TOKEN cannot write to github:o/r",
                "scope `repo`",
            ),
            (
                422,
                r#"{"message":"Validation Failed","errors":[{"resource":"ReleaseAsset","code":"custom","field":"file_count","message":"file_count limited to 1000 assets per release"}]}"#,
                "the release is full: the server says: Validation Failed; file_count limited",
                "1000 assets",
            ),
            (
                422,
                r#"{"message":"Validation Failed","errors":[{"resource":"ReleaseAsset","code":"custom","field":"size","message":"size must be less than or equal to 2147483648"}]}"#,
                "too large",
                "2 GiB",
            ),
            (
                422,
                r#"{"message":"Validation Failed","errors":[{"resource":"Release","code":"custom","field":"tag_name","message":"tag_name was used by an immutable release"},"Published releases must have a valid tag"]}"#,
                "its tag belonged to an immutable release",
                "next revision",
            ),
            (
                422,
                r#"{"message":"Validation Failed","errors":[{"resource":"Release","code":"custom","field":"pre_receive","message":"pre_receive Repository rule violations found\n\nCannot create ref due to creations being restricted."}]}"#,
                "a rule for tags of github:o/r forbids it",
                "bypass list",
            ),
        ] {
            let failure = refused(status, body);
            let told = failure.fault.to_string();
            assert!(told.contains(what) && !told.contains('\n'), "{told}");
            assert!(failure.fault.hint.as_deref().unwrap().contains(hint), "{failure:?}");
            assert_eq!(failure.again, RetryDecision::Never);
        }
    }

    #[test]
    fn what_is_not_known_is_told_in_the_servers_words() {
        let told = refused(
            422,
            r#"{"message":"Validation Failed","errors":[{"code":"odd","field":"f"}]}"#,
        );
        assert_eq!(
            told.fault.to_string(),
            "cannot write to https://api.github.com/x: the server answered 422 Unprocessable \
             Entity: the server says: Validation Failed; f: odd"
        );
        assert_eq!(refused(502, "<html>").again, RetryDecision::Later(None));
    }

    #[test]
    fn taken_and_locked_are_told_apart() {
        let taken = r#"{"message":"Validation Failed","errors":[{"resource":"Release","code":"already_exists","field":"tag_name"}]}"#;
        assert!(is_taken(&reply(422, taken)) && !is_taken(&reply(409, taken)));
        let locked = r#"{"message":"Cannot upload assets to an immutable release."}"#;
        assert!(is_locked(&reply(422, locked)) && !is_taken(&reply(422, locked)));
        let burned = r#"{"message":"Validation Failed","errors":["tag_name was used by an immutable release"]}"#;
        assert!(!is_locked(&reply(422, burned)));
    }
}
