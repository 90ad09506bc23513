//! What is shown to registries: which of them want what, and the tokens that they gave.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};

use tokio::sync::Mutex;

use super::{
    super::{
        Logins, RegistryLogin, RegistrySecret, call::ApiResponse, client::Client,
        retry::AttemptFailure,
    },
    challenge::Challenge,
    token::{RegistryToken, TokenServer, basic},
};
use crate::model::oci::ImageRepository;

/// What a request does with a repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RegistryScope {
    path: String,
    is_push: bool,
}

impl RegistryScope {
    /// It reads from `repository`.
    pub(super) fn pull(repository: &ImageRepository) -> Self {
        Self { path: repository.path().to_owned(), is_push: false }
    }

    /// It writes to `repository`.
    pub(super) fn push(repository: &ImageRepository) -> Self {
        Self { path: repository.path().to_owned(), is_push: true }
    }

    /// As servers of tokens are asked for it.
    fn text(&self) -> String {
        let actions = if self.is_push { "pull,push" } else { "pull" };
        format!("repository:{}:{actions}", self.path)
    }

    /// Whether who may do this may do `other`.
    fn covers(&self, other: &Self) -> bool {
        self.path == other.path && (self.is_push || !other.is_push)
    }
}

/// What is shown to each registry.
pub(super) struct KeyRing {
    logins: Arc<dyn Logins>,
    hosts: Mutex<BTreeMap<String, Arc<Mutex<HostKeys>>>>,
}

/// What a registry wants to be shown, and what there is for it.
#[derive(Default)]
struct HostKeys {
    wants: Option<Wanted>,
    tokens: Vec<(BTreeSet<RegistryScope>, RegistryToken)>,
    /// What is read beside what is asked for, so that one token serves for all.
    expected: BTreeSet<RegistryScope>,
}

#[derive(Clone)]
enum Wanted {
    Basic,
    Token(TokenServer),
}

impl KeyRing {
    pub(super) fn new(logins: Arc<dyn Logins>) -> Self {
        Self { logins, hosts: Mutex::default() }
    }

    async fn host(&self, repository: &ImageRepository) -> Arc<Mutex<HostKeys>> {
        let mut hosts = self.hosts.lock().await;
        hosts.entry(repository.host().to_owned()).or_default().clone()
    }

    async fn login(
        &self,
        repository: &ImageRepository,
    ) -> Result<Option<RegistryLogin>, AttemptFailure> {
        let login = self.logins.registry(repository.host(), repository.path()).await;
        login.map_err(AttemptFailure::never)
    }

    /// Where the login for `repository` comes from, if there is one.
    pub(super) async fn login_source(&self, repository: &ImageRepository) -> Option<String> {
        let login = self.login(repository).await.ok().flatten();
        login.map(|login| login.source)
    }

    /// That all of `repositories` will be read: a token for one of them is one for all.
    pub(super) async fn expect(&self, repositories: &[ImageRepository]) {
        for repository in repositories {
            let host = self.host(repository).await;
            host.lock().await.expected.insert(RegistryScope::pull(repository));
        }
    }

    /// What to show for `scopes`, as far as it is known what is wanted.
    pub(super) async fn ready(
        &self,
        client: &Client,
        repository: &ImageRepository,
        scopes: &[RegistryScope],
    ) -> Result<Option<String>, AttemptFailure> {
        let host = self.host(repository).await;
        // Held while a token is asked for: whoever needs the same meanwhile waits for it.
        let mut keys = host.lock().await;
        match keys.wants.clone() {
            None => Ok(None),
            Some(Wanted::Basic) => {
                Ok(self.login(repository).await?.map(|login| header(&login.secret)))
            }
            Some(Wanted::Token(server)) => {
                let login = self.login(repository).await?;
                if let Some(RegistrySecret::Token(token)) = login.as_ref().map(|it| &it.secret) {
                    return Ok(Some(format!("Bearer {token}")));
                }
                if let Some(token) = keys.token(scopes) {
                    return Ok(Some(token));
                }
                keys.get(client, repository, scopes, "", &server, login.as_ref()).await.map(Some)
            }
        }
    }

    /// What to show for `scopes` after the registry answered 401 to what was `shown`: something else,
    /// or nothing if there is nothing else.
    pub(super) async fn challenged(
        &self,
        client: &Client,
        repository: &ImageRepository,
        scopes: &[RegistryScope],
        reply: &ApiResponse,
        shown: Option<&str>,
    ) -> Result<Option<String>, AttemptFailure> {
        let written = reply.headers.get_all("www-authenticate");
        let headers: Vec<&str> = written.iter().filter_map(|value| value.to_str().ok()).collect();
        let Some(challenge) = Challenge::parse(&headers.join(", ")) else { return Ok(None) };
        let host = self.host(repository).await;
        let mut keys = host.lock().await;
        let login = self.login(repository).await?;
        let secret = login.as_ref().map(|login| &login.secret);
        let other = |key: String| Some(key).filter(|key| Some(key.as_str()) != shown);
        if let Some(RegistrySecret::Token(token)) = secret {
            keys.wants = Some(Wanted::Basic);
            return Ok(other(format!("Bearer {token}")));
        }
        let Challenge::Bearer { realm, service, scope } = challenge else {
            keys.wants = Some(Wanted::Basic);
            return Ok(secret.map(header).and_then(other));
        };
        let server = TokenServer { realm, service };
        keys.wants = Some(Wanted::Token(server.clone()));
        // Somebody else may have renewed it meanwhile.
        if let Some(token) = keys.token(scopes).and_then(other) {
            return Ok(Some(token));
        }
        keys.forget(shown);
        if shown.is_some() {
            // A token for many may be one for none of them.
            keys.expected.clear();
        }
        let also = scope.as_deref().unwrap_or_default();
        keys.get(client, repository, scopes, also, &server, login.as_ref()).await.map(Some)
    }
}

impl HostKeys {
    /// A token that is there and allows `scopes`.
    fn token(&mut self, scopes: &[RegistryScope]) -> Option<String> {
        let now = Instant::now();
        self.tokens.retain(|(_, token)| token.until > now);
        let allows = |granted: &BTreeSet<RegistryScope>| {
            scopes.iter().all(|scope| granted.iter().any(|it| it.covers(scope)))
        };
        let found = self.tokens.iter().find(|(granted, _)| allows(granted))?;
        Some(format!("Bearer {}", found.1.value))
    }

    fn forget(&mut self, shown: Option<&str>) {
        let is_it = |token: &RegistryToken| {
            shown.and_then(|shown| shown.strip_prefix("Bearer ")) == Some(&token.value)
        };
        self.tokens.retain(|(_, token)| !is_it(token));
    }

    /// Gets a token for `scopes`, and for what the registry itself wants `also`.
    async fn get(
        &mut self,
        client: &Client,
        repository: &ImageRepository,
        scopes: &[RegistryScope],
        also: &str,
        server: &TokenServer,
        login: Option<&RegistryLogin>,
    ) -> Result<String, AttemptFailure> {
        let mut wanted: BTreeSet<_> = scopes.iter().cloned().collect();
        if scopes.iter().all(|scope| !scope.is_push) {
            wanted.extend(self.expected.iter().cloned());
        }
        let mut texts: Vec<_> = wanted.iter().map(RegistryScope::text).collect();
        let is_new = |scope: &&str| !texts.iter().any(|text| text == scope);
        let also: Vec<_> = also.split(' ').filter(|it| !it.is_empty()).filter(is_new).collect();
        texts.extend(also.into_iter().map(str::to_owned));
        let token = server.token(client, repository, &texts, login).await?;
        let header = format!("Bearer {}", token.value);
        self.tokens.push((wanted, token));
        Ok(header)
    }
}

/// `secret` as a header shows it.
fn header(secret: &RegistrySecret) -> String {
    match secret {
        RegistrySecret::Token(token) => format!("Bearer {token}"),
        secret => basic(secret),
    }
}
