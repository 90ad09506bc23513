//! What registries' errors mean (distribution-spec 1.1, "Error Codes"), and what to do about them.

use reqwest::{Method, StatusCode};
use serde::Deserialize;

use super::super::{
    call::{ApiRequest, ApiResponse},
    retry::{AttemptFailure, RetryDecision},
};
use crate::model::oci::ImageRepository;

/// The longest message of a registry that is passed on, in bytes.
const MAX_MESSAGE: usize = 300;

/// An error of a registry.
#[derive(Debug, Default, Deserialize)]
pub(super) struct RegistryError {
    #[serde(default)]
    pub(super) code: String,
    #[serde(default)]
    pub(super) message: String,
}

/// The first of the errors that `reply` carries; none if it is not the answer of a registry.
pub(super) fn error(reply: &ApiResponse) -> Option<RegistryError> {
    #[derive(Deserialize)]
    struct Errors {
        errors: Vec<RegistryError>,
    }
    let errors: Errors = serde_json::from_slice(&reply.body).ok()?;
    errors.errors.into_iter().next()
}

/// Whether `reply`, to a GET, confirms that there is no such thing: a registry says so, and does not
/// mean that it has it in another form.
pub(super) fn is_absence(reply: &ApiResponse) -> bool {
    const ABSENCES: [&str; 4] = ["MANIFEST_UNKNOWN", "NAME_UNKNOWN", "BLOB_UNKNOWN", "NOT_FOUND"];
    reply.status == StatusCode::NOT_FOUND
        && error(reply).is_some_and(|error| {
            ABSENCES.contains(&error.code.as_str()) && !error.message.contains("Accept header")
        })
}

/// That trying `call` again may get another answer than `reply`.
pub(super) fn passes(call: &ApiRequest, reply: &ApiResponse) -> Option<AttemptFailure> {
    let is_busy = error(reply).is_some_and(|error| error.code == "TOOMANYREQUESTS");
    let failure = reply.failure(call);
    match failure.again {
        RetryDecision::Never if is_busy && !reply.status.is_success() => {
            Some(AttemptFailure { again: RetryDecision::Later(None), ..failure })
        }
        RetryDecision::Never | RetryDecision::FromStart => None,
        _ => Some(failure),
    }
}

/// `reply` as what went wrong with `call`, where the login is from `login`.
pub(super) fn failure(
    call: &ApiRequest,
    repository: &ImageRepository,
    reply: &ApiResponse,
    login: Option<&str>,
) -> AttemptFailure {
    if let Some(failure) = passes(call, reply) {
        return failure;
    }
    let said = error(reply);
    let host = repository.api_host();
    let mut fault = call.failed().because(match &said {
        Some(error) => format!("{host} answered {}{}", reply.status, words(error)),
        None if is_page(reply) => format!("{host} answered {} with a web page", reply.status),
        None => format!("{host} answered {}", reply.status),
    });
    if let Some(hint) = hint(call, repository, reply, said.as_ref(), login) {
        fault = fault.hint(hint);
    }
    AttemptFailure::never(fault)
}

/// What a registry says of an error, as a part of a sentence.
fn words(error: &RegistryError) -> String {
    let plain: String = error.message.chars().filter(|c| !c.is_control()).collect();
    let end = (0..=MAX_MESSAGE.min(plain.len())).rev().find(|at| plain.is_char_boundary(*at));
    let message = plain[..end.unwrap_or_default()].trim();
    match (error.code.as_str(), message) {
        ("", "") => String::new(),
        ("", message) => format!(" ({message})"),
        (code, "") => format!(" ({code})"),
        (code, message) => format!(" ({code}: {message})"),
    }
}

/// A page for people.
pub(super) fn is_page(reply: &ApiResponse) -> bool {
    reply.header("content-type").is_some_and(|kind| kind.to_ascii_lowercase().contains("html"))
}

fn hint(
    call: &ApiRequest,
    repository: &ImageRepository,
    reply: &ApiResponse,
    said: Option<&RegistryError>,
    login: Option<&str>,
) -> Option<String> {
    let (host, path) = (repository.host(), repository.path());
    let code = said.map_or("", |error| error.code.as_str());
    let message = said.map_or("", |error| error.message.as_str());
    let is_denied = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&reply.status)
        || ["DENIED", "UNAUTHORIZED"].contains(&code);
    let is_write = ![Method::GET, Method::HEAD].contains(&call.method);
    if is_denied && login.is_none() {
        return Some(no_login(host));
    }
    if is_denied && host == "ghcr.io" && is_write {
        return Some(format!(
            "a token needs `write:packages` (in GitHub Actions: `permissions: packages: write`). A package \
             that was first pushed by hand must let the repository in: its settings, \"Manage Actions \
             access\" at https://github.com/{}",
            packages(path)
        ));
    }
    if is_denied {
        let login = login.unwrap_or_default();
        let may = if is_write { "write to" } else { "read" };
        return Some(format!("the login from {login} may not {may} {repository}, or has expired"));
    }
    if code == "NAME_UNKNOWN" && is_write && is_ecr(host) {
        return Some(format!("run `aws ecr create-repository --repository-name {path}`"));
    }
    if code == "NAME_UNKNOWN" && is_write {
        return Some(format!("make the repository `{path}` at {host} first"));
    }
    if message.contains("immutable") {
        return Some(
            "a tag that was pushed stays as it is there: a new version releases it".into(),
        );
    }
    (reply.status == StatusCode::NOT_FOUND && said.is_none())
        .then(|| format!("is {host} a registry of container images?"))
}

fn no_login(host: &str) -> String {
    if host == "ghcr.io" {
        return "forge found no login for it: set GITHUB_TOKEN (in GitHub Actions, with \
                `permissions: packages: write`), or run `docker login ghcr.io`"
            .to_owned();
    }
    if is_ecr(host) {
        return format!(
            "forge found no login for it: run `aws ecr get-login-password | docker login --username AWS \
             --password-stdin {host}`, or configure the helper `ecr-login`"
        );
    }
    format!(
        "forge found no login for it: run `docker login {host}`, or set FORGE_REGISTRY={host} and \
         FORGE_REGISTRY_TOKEN"
    )
}

/// Whether it is one of Amazon's.
fn is_ecr(host: &str) -> bool {
    host.contains(".dkr.ecr.") && host.contains(".amazonaws.com")
}

/// Where the settings of a package of GitHub's are.
pub(super) fn packages(path: &str) -> String {
    let (owner, name) = path.split_once('/').unwrap_or((path, ""));
    format!("{owner}?tab=packages (package `{name}`)")
}
