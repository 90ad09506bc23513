//! What opening and reading stores depends on besides their URL.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::model::{Environment, Fault, Layout};

/// Where relative paths start, and how patient forge is with a network.
#[derive(Clone)]
pub struct StoreSettings {
    /// The workspace where relative `dir:` URLs and relative paths given to [`super::Fetcher`] start,
    /// and the home folder where those with `~/` do.
    pub layout: Layout,
    /// How forge introduces itself to web servers.
    pub user_agent: String,
    /// Refuse everything that would need the network.
    pub offline: bool,
    /// Whether the proxies that the environment names (`HTTPS_PROXY`, `NO_PROXY`...) are used.
    pub proxies: bool,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long a server may stay silent, before its answer and between two pieces of it.
    pub idle_timeout: Duration,
    /// How often something is tried in all before it is given up; a transfer starts
    /// counting anew when it got further.
    pub attempts: u32,
    /// The wait before the second attempt; it doubles from there and is jittered.
    pub backoff: Duration,
    /// How long forge waits in all between attempts at one thing. A server that asks for
    /// more (`Retry-After`) is given up at once.
    pub patience: Duration,
    /// What the environment says of hosts and logins: the variables of `GITHUB_*`, `GH_*`,
    /// `AWS_*` and the like, of a job of GitLab CI, and of proxies. A blank one is as good as unset and is left out.
    pub environment: BTreeMap<String, String>,
    /// Who knows logins.
    pub logins: Arc<dyn Logins>,
    /// Who wants to know of long waits.
    pub waits: Waits,
    /// How hosts with limits are treated; as suits each of them if nobody says.
    pub tempo: Option<Tempo>,
    /// The most that is sent to S3 as one object, in bytes; as much as it takes if nobody says.
    pub most_at_once: Option<u64>,
}

/// The pace that hosts of releases want to be written to with, and how long things take to settle
/// there. Tests are in more of a hurry than the defaults.
#[derive(Clone, Debug)]
pub struct Tempo {
    /// How many writes may follow each other at once.
    pub burst: u32,
    /// The time between writes after that. GitHub asks for a second, and allows about 80 requests
    /// a minute that create content ("Best practices for using the REST API", "Rate limits for
    /// the REST API").
    pub between_writes: Duration,
    /// The wait after a refusal for too many requests that says of no time; it doubles with
    /// each. GitHub asks for at least a minute ("Rate limits for the REST API").
    pub after_refusal: Duration,
    /// How long what was created may stay undiscoverable. GitHub's releases do for seconds.
    pub settling: Duration,
    /// The time between two looks at what settles.
    pub look: Duration,
    /// How long somebody else's upload may be under way, besides the time that its bytes take.
    /// What is half-made after that was left by one who was stopped.
    pub upload: Duration,
    /// How long an answer about a release is good enough for reading.
    pub recent: Duration,
}

impl Tempo {
    /// That of a server of one's own, which counts nothing unless its owner wants it to, and says
    /// so then with each answer.
    pub(super) fn of_own_server() -> Self {
        Self { burst: u32::MAX, between_writes: Duration::ZERO, ..Self::default() }
    }
}

impl Default for Tempo {
    fn default() -> Self {
        Self {
            burst: 10,
            between_writes: Duration::from_secs(1),
            after_refusal: Duration::from_secs(60),
            settling: Duration::from_secs(30),
            look: Duration::from_secs(1),
            upload: Duration::from_secs(30),
            recent: Duration::from_secs(20),
        }
    }
}

/// A login to a host: a token, and where it came from.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The token. It goes into requests to its host and nowhere else.
    pub token: String,
    /// Where it came from, for people: `FORGE_GITHUB_TOKEN`, `gh auth token`.
    pub source: String,
}

impl fmt::Debug for Login {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("source", &self.source).finish_non_exhaustive()
    }
}

/// The port to whoever knows logins.
#[async_trait]
pub trait Logins: fmt::Debug + Send + Sync {
    /// The login for the forge (GitHub, Gitea, GitLab) at `host`, if there is one. Asked only when
    /// one is needed, and then once.
    async fn login(&self, host: &str) -> Option<Login>;

    /// The login for the repository `path` of the registry at `host`, if there is one. Asked only
    /// when one is needed.
    ///
    /// # Errors
    /// If what keeps logins cannot be read.
    async fn registry(&self, host: &str, path: &str) -> Result<Option<RegistryLogin>, Fault> {
        let _ = (host, path);
        Ok(None)
    }
}

/// A login to a registry, and where it came from.
#[derive(Clone, PartialEq, Eq)]
pub struct RegistryLogin {
    /// What is shown to the registry, or to the server that gives its tokens.
    pub secret: RegistrySecret,
    /// Where it came from, for people: `~/.docker/config.json`.
    pub source: String,
}

/// What a registry is shown.
#[derive(Clone, PartialEq, Eq)]
pub enum RegistrySecret {
    /// A user's name and password.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
    /// What is exchanged for a token, as OAuth 2 does it ("refresh token").
    IdentityToken(String),
    /// A token that the registry takes as it is.
    Token(String),
}

impl RegistrySecret {
    /// The part of it that is shown nowhere.
    pub fn secret(&self) -> &str {
        match self {
            Self::Password { password: secret, .. }
            | Self::IdentityToken(secret)
            | Self::Token(secret) => secret,
        }
    }
}

impl fmt::Debug for RegistrySecret {
    /// Its kind alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password { .. } => "Password",
            Self::IdentityToken(_) => "IdentityToken",
            Self::Token(_) => "Token",
        })
    }
}

impl fmt::Debug for RegistryLogin {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryLogin").field("source", &self.source).finish_non_exhaustive()
    }
}

/// Nobody knows any login.
#[derive(Clone, Copy, Debug)]
struct NoLogins;

#[async_trait]
impl Logins for NoLogins {
    async fn login(&self, _: &str) -> Option<Login> {
        None
    }
}

/// Is told of every wait of more than a second, in one sentence: why, and how long.
#[derive(Clone)]
pub struct Waits(pub Arc<dyn Fn(&str) + Send + Sync>);

impl Waits {
    /// Tells of a wait, if it is long enough to be noticed.
    pub(super) fn report(&self, wait: Duration, why: &str) {
        if wait > Duration::from_secs(1) {
            (self.0)(&format!("{why}; going on in {} s", wait.as_secs_f64().ceil()));
        }
    }
}

impl fmt::Debug for StoreSettings {
    /// Without the environment, where tokens are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { layout, offline, logins, .. } = self;
        let mut shown = f.debug_struct("Settings");
        shown.field("workspace", &layout.root()).field("offline", offline).field("logins", logins);
        shown.finish_non_exhaustive()
    }
}

impl fmt::Debug for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waits")
    }
}

impl StoreSettings {
    /// The settings that serve people well, with what `environment` says of hosts and logins.
    pub fn new(layout: Layout, environment: &Environment) -> Self {
        Self {
            layout,
            user_agent: concat!("forge/", env!("CARGO_PKG_VERSION")).into(),
            offline: false,
            proxies: true,
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            attempts: 5,
            backoff: Duration::from_millis(300),
            patience: Duration::from_secs(90),
            environment: of_hosts(environment),
            logins: Arc::new(NoLogins),
            waits: Waits(Arc::new(|_| ())),
            tempo: None,
            most_at_once: None,
        }
    }
}

/// The variables that say something of hosts and logins.
fn of_hosts(environment: &Environment) -> BTreeMap<String, String> {
    const PREFIXES: [&str; 7] =
        ["AWS_", "FORGE_", "FORGEJO_", "GH_", "GITEA_", "GITHUB_", "GITLAB_"];
    const OF_GITLAB_CI: [&str; 4] =
        ["CI_DEFAULT_BRANCH", "CI_JOB_TOKEN", "CI_PROJECT_PATH", "CI_SERVER_URL"];
    environment
        .texts()
        .filter(|(name, value)| {
            let is_proxy =
                name.to_ascii_lowercase().ends_with("_proxy") || *name == "REQUEST_METHOD";
            let is_listed = is_proxy || OF_GITLAB_CI.contains(name);
            let counts = is_listed || PREFIXES.iter().any(|prefix| name.starts_with(prefix));
            counts && !value.trim().is_empty()
        })
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
