//! What GitLab's refusals mean, and what their reader can do about them. They are told apart by
//! their status, and by the words of the body where there is nothing else
//! (<https://docs.gitlab.com/api/rest/troubleshooting/>).

use reqwest::StatusCode;
use serde_json::Value;

use super::super::refusal::{Parties, Refusal};
use crate::{
    model::{Fault, Kind},
    store::call::{ApiRequest, ApiResponse},
};

const UNARCHIVE: &str = "publish elsewhere (`releases` in versions.yml), or unarchive the project";

/// Nobody can write to an archived project.
pub(super) fn archived(store: &str) -> Fault {
    let what = format!("{store} is archived, so that nobody can write to it");
    Fault::new(Kind::Store, what).hint(UNARCHIVE)
}

/// Whether a link of that name or a release of that tag is there already.
pub(super) fn is_taken(reply: &ApiResponse) -> bool {
    let is_refusal = [StatusCode::BAD_REQUEST, StatusCode::UNPROCESSABLE_ENTITY];
    is_refusal.contains(&reply.status) && words(reply).contains("already been taken")
}

/// Whether the owner of the group wants no file twice, and this one is there.
pub(super) fn is_duplicate(reply: &ApiResponse) -> bool {
    words(reply).to_lowercase().contains("duplicate package")
}

/// What GitLab says in `reply`.
pub(super) fn told(call: &ApiRequest, reply: &ApiResponse, who: &Parties) -> Refusal {
    let words = words(reply);
    let known = known(reply.status, &words.to_lowercase(), call, who);
    Refusal { words, known: known.map(|(what, hint)| (what, hint.into())) }
}

/// All texts of `message`, which is now one, now a list, now a list for each field; or those of
/// `error`, as OAuth has it.
fn words(reply: &ApiResponse) -> String {
    fn collect(value: &Value, texts: &mut Vec<String>) {
        match value {
            Value::String(text) => texts.push(text.lines().collect::<Vec<_>>().join(" ")),
            Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
            Value::Object(fields) => fields.values().for_each(|field| collect(field, texts)),
            _ => {}
        }
    }
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let mut texts = Vec::new();
    for key in ["message", "error", "error_description"] {
        collect(&body[key], &mut texts);
    }
    texts.join("; ")
}

/// Where the login of a job comes from.
const JOB_TOKEN: &str = "CI_JOB_TOKEN";

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
        S::UNAUTHORIZED if who.login.as_deref() == Some(JOB_TOKEN) && !call.is_read() => (
            format!("{login} may not do that in {store}"),
            "a job's token may remove no tags, and ends with its job: set GITLAB_TOKEN to a token with \
             the scope `api`",
        ),
        S::UNAUTHORIZED => (
            format!("{login} is not valid for {store}"),
            "it may have expired or been revoked: set GITLAB_TOKEN to another token",
        ),
        S::FORBIDDEN if words.contains("scope") => (
            format!("{login} may not do that in {store}"),
            "its token needs the scope `api`, to read only `read_api`",
        ),
        S::FORBIDDEN if words.contains("protected") => (
            format!("a rule for tags of {store} forbids it"),
            "let whoever publishes create protected tags (Settings, Repository, Protected tags), or \
             leave forge's tags out of it",
        ),
        S::FORBIDDEN if call.is_read() => (
            format!("{login} may not read {}", call.url.path()),
            "releases, or the package registry, may be open to members only (Settings, General, \
             Visibility)",
        ),
        S::FORBIDDEN => (
            format!("{login} may not write to {store}"),
            "it needs the role Developer and the scope `api`, and the project its package registry \
             (Settings, General, Visibility); a job of another project needs a place in the job \
             token allowlist. `--no-publish` goes without",
        ),
        S::NOT_FOUND => (
            format!("{login} cannot write to {store}"),
            "GitLab says \"not found\" to who may not see: the login needs the role Developer in \
             the project",
        ),
        S::BAD_REQUEST | S::PAYLOAD_TOO_LARGE
            if status == S::PAYLOAD_TOO_LARGE || words.contains("too large") =>
        {
            (
                "it is too large for the package registry".into(),
                "strip the binaries, or pack them as `tar.zst`; the limit is that of the server's \
                 plan for generic packages",
            )
        }
        S::UNPROCESSABLE_ENTITY if words.contains("ref is not specified") => (
            format!("{store} is empty"),
            "a release has a tag, and a tag names a commit: push one first",
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
    use crate::store::retry::RetryDecision;

    fn reply(status: u16, body: &Value) -> ApiResponse {
        let url = Url::parse("https://gitlab.com/api/v4/x").unwrap();
        let status = StatusCode::from_u16(status).unwrap();
        ApiResponse { status, headers: HeaderMap::new(), body: body.to_string().into(), url }
    }

    #[test]
    fn every_known_refusal_says_what_to_do() {
        let who = Parties {
            store: "gitlab:g/p".into(),
            host: "gitlab.com".into(),
            login: Some("GITLAB_TOKEN".into()),
            advice: &DIALECT.advice,
        };
        for (status, message, what, hint) in [
            (401, "401 Unauthorized", "GITLAB_TOKEN is not valid for gitlab:g/p", "another token"),
            (403, "403 Forbidden", "may not write to gitlab:g/p", "role Developer"),
            (
                403,
                "You are not allowed to create this tag as it is protected.",
                "a rule for tags of gitlab:g/p",
                "Protected tags",
            ),
            (404, "404 Project Not Found", "cannot write to gitlab:g/p", "role Developer"),
            (400, "400 Bad request - File is too large", "is too large", "tar.zst"),
            (422, "Ref is not specified", "gitlab:g/p is empty", "push one first"),
        ] {
            let url = Url::parse("https://gitlab.com/api/v4/x").unwrap();
            let call = ApiRequest::new(Method::POST, url);
            let reply = reply(status, &serde_json::json!({ "message": message }));
            let failure = failure(&call, &reply, told(&call, &reply, &who), &who);
            let said = failure.fault.to_string();
            assert!(said.contains(what) && said.contains(message), "{said}");
            assert!(failure.fault.hint.as_deref().unwrap().contains(hint), "{failure:?}");
            assert_eq!(failure.again, RetryDecision::Never);
        }
        let scope = serde_json::json!({ "error": "insufficient_scope", "scope": "api" });
        let reply = reply(403, &scope);
        let call = ApiRequest::get(Url::parse("https://gitlab.com/api/v4/x").unwrap());
        assert!(told(&call, &reply, &who).known.unwrap().1.contains("scope `api`"));
    }

    #[test]
    fn messages_of_all_shapes_are_read() {
        for message in [
            serde_json::json!(["Url has already been taken", "Name has already been taken"]),
            serde_json::json!({ "name": ["has already been taken"] }),
            serde_json::json!("Validation failed: Name has already been taken"),
        ] {
            assert!(is_taken(&reply(400, &serde_json::json!({ "message": message }))));
        }
        let message = "400 Bad request - Duplicate package is not allowed";
        let duplicate = reply(400, &serde_json::json!({ "message": message }));
        assert!(is_duplicate(&duplicate) && !is_taken(&duplicate));
    }
}
