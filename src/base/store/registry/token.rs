//! Getting a token from the server that a registry names.

use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;

use super::super::{
    RegistryLogin, RegistrySecret,
    address::without_secrets,
    call::{ApiRequest, Content},
    client::Client,
    retry::AttemptFailure,
};
use crate::model::{Fault, Kind, is_loopback, oci::ImageRepository};

/// Who gives the tokens of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TokenServer {
    pub(super) realm: String,
    pub(super) service: Option<String>,
}

/// A token, and until when it is good enough.
#[derive(Clone)]
pub(super) struct RegistryToken {
    pub(super) value: String,
    pub(super) until: Instant,
}

/// How long a token holds that says nothing of it.
const USUAL: u64 = 60;

#[derive(Deserialize)]
struct Given {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl TokenServer {
    /// A token for `scopes` of the registry of `repository`, for whoever has `login`.
    pub(super) async fn token(
        &self,
        client: &Client,
        repository: &ImageRepository,
        scopes: &[String],
        login: Option<&RegistryLogin>,
    ) -> Result<RegistryToken, AttemptFailure> {
        let failed = format!("cannot get a token for {repository}");
        let wrong = |why: String| {
            AttemptFailure::never(Fault::new(Kind::Store, failed.clone()).because(why))
        };
        let realm = Url::parse(&self.realm).map_err(|error| {
            wrong(format!("the registry names a server that is not a URL: {error}"))
        })?;
        check_realm(&realm, repository, login.is_some()).map_err(wrong)?;
        let asked = Instant::now();
        let mut reply = None;
        if let Some(RegistrySecret::IdentityToken(token)) = login.map(|login| &login.secret) {
            let exchange = self.exchange(&realm, scopes, token).failing(&failed);
            reply = Some(client.call(&exchange).await?).filter(|reply| {
                // Who does not know of this way.
                ![StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED].contains(&reply.status)
            });
        }
        let call = self.question(&realm, scopes, login).failing(&failed);
        let reply = match reply {
            Some(reply) => reply,
            None => client.call(&call).await?,
        };
        if !reply.status.is_success() {
            return Err(not_given(&call, &realm, &reply, login));
        }
        let given: Given = reply.parse(&call)?;
        let value = given.token.or(given.access_token).filter(|token| !token.is_empty());
        let value = value.ok_or_else(|| wrong("the answer has no token in it".into()))?;
        // Some of its time is left for the request that it is shown with.
        let holds = Duration::from_secs(given.expires_in.unwrap_or(USUAL));
        Ok(RegistryToken { value, until: asked + holds * 4 / 5 })
    }

    /// The question of distribution's "Token Authentication Specification".
    fn question(
        &self,
        realm: &Url,
        scopes: &[String],
        login: Option<&RegistryLogin>,
    ) -> ApiRequest {
        let mut url = realm.clone();
        {
            let mut query = url.query_pairs_mut();
            if let Some(service) = &self.service {
                query.append_pair("service", service);
            }
            for scope in scopes {
                query.append_pair("scope", scope);
            }
        }
        // Nobody is redirected: where to, no rule of ours would know.
        let call = ApiRequest::get(url).staying();
        match login.map(|login| &login.secret) {
            Some(secret) => call.authorized(basic(secret)),
            None => call,
        }
    }

    /// The question for those who have an identity token ("Authenticate docker via OAuth2").
    fn exchange(&self, realm: &Url, scopes: &[String], token: &str) -> ApiRequest {
        let mut form = Url::parse("form:").unwrap_or_else(|_| realm.clone());
        form.query_pairs_mut()
            .append_pair("grant_type", "refresh_token")
            .append_pair("service", self.service.as_deref().unwrap_or_default())
            .append_pair("scope", &scopes.join(" "))
            .append_pair("client_id", "forge")
            .append_pair("refresh_token", token);
        let body = form.query().unwrap_or_default().to_owned();
        let content = Content::Bytes(body.into());
        ApiRequest::new(Method::POST, realm.clone())
            .staying()
            .carrying(content, "application/x-www-form-urlencoded")
    }
}

/// `secret` as a header shows a user and a password (RFC 7617).
pub(super) fn basic(secret: &RegistrySecret) -> String {
    let (user, password) = match secret {
        RegistrySecret::Password { user, password } => (user.as_str(), password.as_str()),
        RegistrySecret::IdentityToken(token) | RegistrySecret::Token(token) => {
            ("<token>", token.as_str())
        }
    };
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// Whether a token may be asked for at `realm`, which a registry named.
fn check_realm(realm: &Url, repository: &ImageRepository, has_login: bool) -> Result<(), String> {
    let host = realm.host_str().unwrap_or_default();
    let shown = without_secrets(realm.as_str());
    match realm.scheme() {
        "https" => {}
        "http" if repository.is_local() && is_loopback(host) => {}
        _ => return Err(format!("the registry names {shown} for it, which is not https")),
    }
    let registry = repository.api_host();
    if has_login && !is_kin(registry, host) {
        return Err(format!(
            "the registry at {registry} wants the login to be shown to {shown}, which is of another domain"
        ));
    }
    Ok(())
}

/// Second labels below a country that are nobody's domain: `co.uk`.
const SHARED: [&str; 7] = ["ac", "co", "com", "edu", "gov", "net", "org"];

/// Whether `other` is the host `registry`, or one of the same domain.
fn is_kin(registry: &str, other: &str) -> bool {
    let bare = |host: &str| match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name.to_owned(),
        _ => host.to_owned(),
    };
    let (registry, other) = (bare(registry), bare(other));
    if registry == other || is_loopback(&registry) && is_loopback(&other) {
        return true;
    }
    let is_address = |host: &str| host.starts_with('[') || host.parse::<std::net::IpAddr>().is_ok();
    if is_address(&registry) || is_address(&other) {
        return false;
    }
    let domain = |host: &str| {
        let labels: Vec<&str> = host.split('.').rev().collect();
        let is_shared = |label: &&&str| SHARED.contains(label);
        let has_country = labels.first().is_some_and(|label| label.len() == 2);
        let count =
            if has_country && labels.get(1).as_ref().is_some_and(is_shared) { 3 } else { 2 };
        (labels.len() >= count).then(|| labels[..count].join("."))
    };
    domain(&registry).is_some() && domain(&registry) == domain(&other)
}

fn not_given(
    call: &ApiRequest,
    realm: &Url,
    reply: &super::ApiResponse,
    login: Option<&RegistryLogin>,
) -> AttemptFailure {
    let failure = reply.failure(call);
    if ![400, 401, 403].contains(&reply.status.as_u16()) {
        return failure;
    }
    let at = realm.host_str().unwrap_or_default();
    let fault = call.failed().because(format!("{at} answered {}", reply.status));
    AttemptFailure::never(match login {
        Some(login) => fault
            .because(format!("it does not accept the login from {}", login.source))
            .hint("log in again: a password or token may have expired"),
        None => fault.hint("it wants a login: `docker login HOST` makes one that forge finds"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_shown_within_the_domain_of_the_registry() {
        for (registry, realm, is_fine) in [
            ("ghcr.io/a", "https://ghcr.io/token", true),
            ("docker.io/a", "https://auth.docker.io/token", true),
            ("registry.gitlab.com/a", "https://gitlab.com/jwt/auth", true),
            ("r.example.co.uk/a", "https://auth.example.co.uk/token", true),
            ("127.0.0.1:5000/a", "http://127.0.0.1:5001/token", true),
            ("ghcr.io/a", "https://evil.io/token", false),
            ("r.example.co.uk/a", "https://evil.co.uk/token", false),
            ("ghcr.io/a", "http://ghcr.io/token", false),
            ("ghcr.io/a", "https://ghcr.io.evil.org/token", false),
            ("10.0.0.1/a", "https://11.0.0.1/token", false),
            ("127.0.0.1:5000/a", "http://evil.org/token", false),
            ("127.0.0.1:5000/a", "https://evil.org/token", false),
            ("ghcr.io/a", "http://127.0.0.1/token", false),
        ] {
            let realm = Url::parse(realm).unwrap();
            let told = check_realm(&realm, &registry.parse().unwrap(), true);
            assert_eq!(told.is_ok(), is_fine, "{registry} {realm}: {told:?}");
        }
        let elsewhere = Url::parse("https://tokens.example.org/").unwrap();
        assert!(check_realm(&elsewhere, &"ghcr.io/a".parse().unwrap(), false).is_ok());
    }
}
