//! What Gitea's refusals mean, and what their reader can do about them. They are told apart by
//! their status, and by the words of `message` where there is nothing else.

use reqwest::StatusCode;
use serde::Deserialize;

use super::super::refusal::{Parties, Refusal};
use crate::{
    model::{Fault, Kind},
    store::call::{ApiRequest, ApiResponse},
};

/// The body of a refusal. Who is not an administrator is told nothing of the server's own failures.
#[derive(Debug, Default, Deserialize)]
struct GiteaRefusalBody {
    #[serde(default)]
    message: String,
}

const UNARCHIVE: &str =
    "publish elsewhere (`releases` in versions.yml), or unarchive the repository";

/// Nobody can write to an archived repository.
pub(super) fn archived(store: &str) -> Fault {
    let what = format!("{store} is archived, so that nobody can write to it");
    Fault::new(Kind::Store, what).hint(UNARCHIVE)
}

/// The tag is there in other capitals, and Gitea takes both for the same.
pub(super) fn alike(tag: &str, other: &str) -> Fault {
    Fault::new(Kind::Store, format!("the server has the release {other} in place of {tag}"))
        .because("to Gitea, tags that differ in capitals only are the same")
        .hint("give one of the two another version")
}

/// What Gitea says in `reply`.
pub(super) fn told(call: &ApiRequest, reply: &ApiResponse, who: &Parties) -> Refusal {
    let told: GiteaRefusalBody = serde_json::from_slice(&reply.body).unwrap_or_default();
    let words = told.message.lines().collect::<Vec<_>>().join(" ");
    let known = known(reply.status, &words.to_lowercase(), call, who);
    Refusal { words, known: known.map(|(what, hint)| (what, hint.into())) }
}

/// Refusals that forge knows, and what helps.
fn known(
    status: StatusCode,
    words: &str,
    call: &ApiRequest,
    who: &Parties,
) -> Option<(String, &'static str)> {
    use StatusCode as S;
    let (login, store) = (who.login(), &who.store);
    let known = match status {
        S::UNAUTHORIZED => (
            format!("{login} is not valid for {store}"),
            "it may have expired or been removed: set FORGE_GITEA_TOKEN to another token",
        ),
        S::LOCKED => (format!("{store} is archived, so that nobody can write to it"), UNARCHIVE),
        S::FORBIDDEN if call.is_read() => (
            format!("{login} may not read {}", call.url.path()),
            "its token needs the permission \"repository\"",
        ),
        S::FORBIDDEN => (
            format!("{login} may not write to {store}"),
            "its user has to be allowed to write releases and code, and its token needs the \
             permission \"repository: Read and Write\". `--no-publish` goes without",
        ),
        S::NOT_FOUND if words.contains("attachment is not enabled") => (
            "the server takes no attachments".into(),
            "its administrator switches them on by `ENABLED` in `[attachment]`",
        ),
        S::NOT_FOUND => (
            format!("{login} cannot write to {store}"),
            "are releases switched on in the repository's settings, and may the login's user see \
             it?",
        ),
        S::UNPROCESSABLE_ENTITY if words.contains("repo is empty") => (
            format!("{store} is empty"),
            "a release has a tag, and a tag names a commit: push one first",
        ),
        S::UNPROCESSABLE_ENTITY if words.contains("protected") => (
            format!("a rule for tags of {store} forbids it"),
            "let whoever publishes pass the protection of tags (the repository's settings, Tags), \
             or leave forge's tags out of it",
        ),
        S::PAYLOAD_TOO_LARGE => (
            "it is too large for a release".into(),
            "strip the binaries, or pack them as `tar.zst`; the server's limit is `FILE_MAX_SIZE` in \
             `[repository.release]`, and a proxy before it may have one too",
        ),
        S::BAD_REQUEST if words.contains("type") => (
            "the server takes no files of this kind".into(),
            "its administrator allows them by `ALLOWED_TYPES` in `[repository.release]`",
        ),
        _ => return None,
    };
    Some(known)
}

#[cfg(test)]
mod tests {
    use reqwest::{Method, Url, header::HeaderMap};

    use super::{
        super::{super::refusal::failure, DIALECT},
        *,
    };
    use crate::store::retry::{AttemptFailure, RetryDecision};

    fn refused(status: u16, message: &str) -> AttemptFailure {
        let url = Url::parse("https://git.example.org/api/v1/x").unwrap();
        let body = serde_json::json!({ "message": message }).to_string();
        let status = StatusCode::from_u16(status).unwrap();
        let reply =
            ApiResponse { status, headers: HeaderMap::new(), body: body.into(), url: url.clone() };
        let who = Parties {
            store: "gitea:git.example.org/o/r".into(),
            host: "git.example.org".into(),
            login: Some("GITEA_TOKEN".into()),
            advice: &DIALECT.advice,
        };
        let call = ApiRequest::new(Method::POST, url);
        failure(&call, &reply, told(&call, &reply, &who), &who)
    }

    #[test]
    fn every_known_refusal_says_what_to_do() {
        let scope = "token does not have at least one of required scope(s)";
        for (status, message, what, hint) in [
            (401, "invalid username, password or token", "is not valid for gitea:", "expired"),
            (403, scope, "the login from GITEA_TOKEN may not write to gitea:", "Read and Write"),
            (404, "attachment is not enabled", "takes no attachments", "[attachment]"),
            (404, "not found", "GITEA_TOKEN cannot write to gitea:", "settings"),
            (422, "repo is empty", "r is empty: the server says: repo is empty", "push one first"),
            (422, "release tag name is protected [tag_name: x]", "a rule for tags", "protection"),
            (413, "attachment exceeds limit 1", "too large for a release", "FILE_MAX_SIZE"),
            (400, "This file cannot be uploaded due to its type", "of this kind", "ALLOWED_TYPES"),
            (423, "repo is archived", "r is archived", "unarchive"),
        ] {
            let failure = refused(status, message);
            let told = failure.fault.to_string();
            assert!(told.contains(what), "{told}");
            assert!(failure.fault.hint.as_deref().unwrap().contains(hint), "{failure:?}");
            assert_eq!(failure.again, RetryDecision::Never);
        }
    }

    #[test]
    fn what_is_not_known_is_told_in_the_servers_words() {
        let told = refused(409, "odd").fault.to_string();
        let expected = "cannot write to https://git.example.org/api/v1/x: the server answered 409 \
                        Conflict: the server says: odd";
        assert_eq!(told, expected);
        assert_eq!(refused(500, "").again, RetryDecision::Later(None));
    }
}
