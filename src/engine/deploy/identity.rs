//! The identity of a run of CI, by OpenID Connect: a token that the runner gives, handed to commands as a
//! file, or exchanged for credentials of AWS. None of it is written down, and all of it is masked.
//!
//! - <https://docs.github.com/actions/reference/security/oidc>; GitLab has the token in a variable,
//!   <https://docs.gitlab.com/ci/secrets/id_token_authentication/>.
//! - <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use super::{DeployOrder, Deployer};
use crate::{
    disk::Folder,
    model::{Environment, Fault, Kind, Secrets},
    store::{WebCall, form_body, token_claims, url_with_query, web_call},
    workspace::DeployIdentity,
};

/// Where a run of GitHub Actions gets tokens.
const REQUEST_URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
/// What it shows to get one.
pub(super) const REQUEST_TOKEN: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";
/// What to do where there is no token.
pub(super) const IDENTITY: &str = "in GitHub Actions, a job needs `permissions: { id-token: write }`; in GitLab CI, name the variable of `id_tokens:` as `oidc.token`";
/// Whom a token for AWS is for.
const AWS_AUDIENCE: &str = "sts.amazonaws.com";
/// How long a call may take.
const LIMIT: Duration = Duration::from_secs(20);
/// How long credentials of AWS hold, at least and at most: roles give no more unless they are told to.
const HOLD: (u64, u64) = (900, 3600);
/// The file with the token, in the folder of the run.
const FILE: &str = "id-token";

/// What commands get of the identity of the run.
#[derive(Default)]
pub(super) struct RunIdentity {
    /// Variables.
    pub env: BTreeMap<String, String>,
    /// What none may see of them.
    pub secrets: Secrets,
}

/// Why there is no token to be had for `wish`, if there is none.
pub fn missing_identity(wish: &DeployIdentity, variables: &Environment) -> Option<String> {
    let is_set = |name: &str| variables.get(name).is_some_and(|it| !it.trim().is_empty());
    match &wish.token {
        Some(name) => (!is_set(name)).then(|| format!("`{name}` is not set")),
        None if is_set(REQUEST_URL) && is_set(REQUEST_TOKEN) => None,
        None => Some(format!("the runner gives none (`{REQUEST_URL}` is not set)")),
    }
}

impl Deployer<'_> {
    /// The identity that the commands of `order` run with, as the deployment `id`.
    ///
    /// # Errors
    /// If there is no token, or it is not taken.
    pub(super) async fn identity(
        &self,
        order: &DeployOrder<'_>,
        id: u64,
        staging: &Folder,
    ) -> Result<RunIdentity, Fault> {
        let Some(wish) = &order.deploy.identity else { return Ok(RunIdentity::default()) };
        let mut identity = RunIdentity::default();
        let token = self.token(wish).await?;
        identity.secrets.add(&token);
        // From here on no fault and no line shows it.
        self.host.secrets.add(&token);
        if let Some(variable) = &wish.file {
            let write = || -> std::io::Result<()> {
                let mut file = staging.create_new(FILE.as_ref(), 0o600)?;
                std::io::Write::write_all(&mut file, token.as_bytes())
            };
            write().map_err(|error| Fault::io("cannot write the token of the run", &error))?;
            let path = staging.path().join(FILE).display().to_string();
            identity.env.insert(variable.clone(), path);
        }
        if let Some(role) = &wish.aws {
            let role = order.deploy.plain(role, &order.words)?;
            self.assume(order, &role, (id, &token), &mut identity).await?;
        }
        self.host.secrets.add_all(&identity.secrets);
        Ok(identity)
    }

    /// The token of this run.
    async fn token(&self, wish: &DeployIdentity) -> Result<String, Fault> {
        let variables = self.host.variables;
        let none = |why: String| {
            Fault::new(Kind::Usage, "there is no identity to deploy with")
                .because(why)
                .hint(IDENTITY)
        };
        if let Some(why) = missing_identity(wish, variables) {
            return Err(none(why));
        }
        if let Some(name) = &wish.token {
            return Ok(variables.get(name).unwrap_or_default().trim().to_owned());
        }
        let asked = variables.get(REQUEST_URL).unwrap_or_default().trim();
        let bearer = variables.get(REQUEST_TOKEN).unwrap_or_default().trim();
        self.host.secrets.add(bearer);
        let audience = wish.audience.as_deref().or(wish.aws.as_ref().map(|_| AWS_AUDIENCE));
        let query: Vec<_> = audience.map(|audience| ("audience", audience)).into_iter().collect();
        let url =
            url_with_query(asked, &query).map_err(|why| none(format!("`{REQUEST_URL}`: {why}")))?;
        let call = WebCall {
            url,
            headers: vec![("authorization", format!("bearer {bearer}"))],
            body: None,
            limit: LIMIT,
        };
        let refused = |why: String| {
            Fault::new(Kind::Store, "the runner gives no token for this run").because(why)
        };
        let answer = web_call(&self.host.settings, &call).await.map_err(refused)?;
        if !(200..300).contains(&answer.status) {
            return Err(refused(format!("it answers {}", answer.status)));
        }
        let document: Value = serde_json::from_str(&answer.text).unwrap_or_default();
        let token = document["value"].as_str().filter(|it| !it.is_empty());
        token.map(str::to_owned).ok_or_else(|| refused("its answer has no `value`".into()))
    }

    /// Exchanges `token` for credentials of `role`.
    async fn assume(
        &self,
        order: &DeployOrder<'_>,
        role: &str,
        (id, token): (u64, &str),
        identity: &mut RunIdentity,
    ) -> Result<(), Fault> {
        let variables = self.host.variables;
        let set = |name: &str| variables.get(name).map(str::trim).filter(|it| !it.is_empty());
        let region = set("AWS_REGION").or_else(|| set("AWS_DEFAULT_REGION"));
        let url = match set("AWS_ENDPOINT_URL_STS").or_else(|| set("AWS_ENDPOINT_URL")) {
            Some(url) => url.to_owned(),
            None => region.map_or_else(
                || "https://sts.amazonaws.com/".to_owned(),
                |region| format!("https://sts.{region}.amazonaws.com/"),
            ),
        };
        let hold = (order.limit + order.deploy.grace).as_secs().clamp(HOLD.0, HOLD.1).to_string();
        let session = session_name(&format!("forge-{}-{id}", order.environment.name));
        let body = form_body(&[
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", "2011-06-15"),
            ("RoleArn", role),
            ("RoleSessionName", &session),
            ("WebIdentityToken", token),
            ("DurationSeconds", &hold),
        ]);
        let call = WebCall { url, headers: Vec::new(), body: Some(body), limit: LIMIT };
        let refused = |why: String| {
            let fault = Fault::new(Kind::Store, format!("AWS does not give the role {role}"));
            let claims = token_claims(token).unwrap_or_default();
            let subject = claims["sub"].as_str().unwrap_or("which it does not say");
            fault
                .because(why)
                .hint(format!("its trust policy has to allow the subject of this run, {subject}"))
        };
        let answer = web_call(&self.host.settings, &call).await.map_err(refused)?;
        let part = |name: &str| element(&answer.text, name);
        let found = (part("AccessKeyId"), part("SecretAccessKey"), part("SessionToken"));
        let (200..300, (Some(key), Some(secret), Some(session))) = (answer.status, found) else {
            let code = part("Code").unwrap_or("no error code");
            let message = part("Message").unwrap_or_default();
            return Err(refused(format!("it answers {}: {code} {message}", answer.status)));
        };
        for secret in [secret, session] {
            identity.secrets.add(secret);
        }
        for (name, value) in [
            ("AWS_ACCESS_KEY_ID", Some(key)),
            ("AWS_SECRET_ACCESS_KEY", Some(secret)),
            ("AWS_SESSION_TOKEN", Some(session)),
            ("AWS_REGION", region),
            ("AWS_DEFAULT_REGION", region),
        ] {
            identity.env.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        }
        Ok(())
    }
}

/// What is in the element `name` of `text`, in which keys and tokens stand as they are.
fn element<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0.trim()).filter(|it| !it.is_empty())
}

/// `text` as the name of a session may be.
fn session_name(text: &str) -> String {
    let sign = |c: char| if c.is_ascii_alphanumeric() || "=,.@-".contains(c) { c } else { '-' };
    text.chars().map(sign).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_aws_answers_is_read() {
        let text = "<R><Credentials><AccessKeyId>A</AccessKeyId>\n<SecretAccessKey> b/c+ </SecretAccessKey></Credentials></R>";
        assert_eq!(element(text, "AccessKeyId"), Some("A"));
        assert_eq!(element(text, "SecretAccessKey"), Some("b/c+"));
        assert_eq!(element(text, "SessionToken"), None);
        assert_eq!(element("<Code></Code>", "Code"), None);
        assert_eq!(session_name("forge-a b/ü-7"), "forge-a-b---7");
    }
}
