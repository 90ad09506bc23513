//! Logins: which token belongs to which host, and where it was found.
//!
//! Asked for in this order, the first that is not blank wins:
//!
//! | host | variables | then |
//! |---|---|---|
//! | `github.com`; a `*.ghe.com` that is named | `FORGE_GITHUB_TOKEN`, `GH_TOKEN`, `GITHUB_TOKEN` | `gh auth token`, `git credential fill` |
//! | a GitHub of one's own that is named | `FORGE_GITHUB_TOKEN`, `GH_ENTERPRISE_TOKEN`, `GITHUB_ENTERPRISE_TOKEN`, within its own Actions `GITHUB_TOKEN` | the same |
//! | `gitea.com`; a Gitea or Forgejo that is named | `FORGE_GITEA_TOKEN`, `GITEA_TOKEN`, within its own Actions `GITHUB_TOKEN` | `git credential fill` |
//! | `gitlab.com`; a GitLab that is named | `FORGE_GITLAB_TOKEN`, `GITLAB_TOKEN`, in its own CI `CI_JOB_TOKEN` | `git credential fill` |
//!
//! Registries of images have logins of their own ([`registry`]).
//!
//! The order is that of `gh`, behind a variable of forge's own: a token that may only read, set for
//! forge, does not get in the way of other tools. Variables name no host, so they are taken
//! only for the host that the environment names (`GITHUB_SERVER_URL`, `GITHUB_API_URL`, `GH_HOST`;
//! `GITEA_SERVER_URL`, `FORGEJO_SERVER_URL`; `CI_SERVER_URL`, `GITLAB_HOST`), or for the well-known one if it names none. What
//! `releases:` or a spec names is a repository's word, which must not decide where a token goes: for
//! such a host only what `gh` and git's helpers keep for that very host is taken. A token is in no
//! log, no message and no `Debug`.

mod docker_config;
mod host;
mod program;
mod registry;
mod variables;

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use tokio::sync::Mutex;

use crate::{
    model::{Fault, KnownSecrets},
    process::CommandRunner,
    store::{Login, Logins, RegistryLogin},
};
use host::LoginHost;
pub use host::NamedHosts;

/// Finds logins in the environment, and by asking the programs that keep them. Each host is
/// looked up once.
pub struct Discovery {
    environment: BTreeMap<String, String>,
    named: NamedHosts,
    asking: program::Asking,
    known: Mutex<BTreeMap<String, Option<Login>>>,
    registries: Mutex<BTreeMap<(String, String), Option<RegistryLogin>>>,
    secrets: KnownSecrets,
}

impl Discovery {
    /// Discovery in `environment`, where the workspace's stores name the hosts `named`. Programs run
    /// in the folder `dir`.
    #[must_use]
    pub fn new(
        environment: BTreeMap<String, String>,
        named: NamedHosts,
        runner: Arc<dyn CommandRunner>,
        dir: PathBuf,
    ) -> Self {
        let asking = program::Asking { runner, dir, path: Vec::new(), is_outside: false };
        let (known, registries) = (Mutex::default(), Mutex::default());
        let secrets = KnownSecrets::default();
        Self { environment, named, asking, known, registries, secrets }
    }

    /// The same, which makes every token that it finds known to `secrets`. Programs are asked by a
    /// runner that masks nothing: what they say is the token.
    #[must_use]
    pub fn telling(self, secrets: KnownSecrets) -> Self {
        Self { secrets, ..self }
    }

    /// Asks only programs that are not in the folder where they run.
    #[must_use]
    pub fn outside(mut self) -> Self {
        self.asking.is_outside = true;
        self
    }

    async fn find(&self, name: &str) -> Option<Login> {
        let host = LoginHost::find(name, &self.environment, &self.named)?;
        if let Some(login) = variables::login(&host, &self.environment) {
            return Some(login);
        }
        if host.is_github()
            && let Some(login) = self.asking.gh(&host).await
        {
            return Some(login);
        }
        self.asking.git(&host).await
    }
}

#[async_trait]
impl Logins for Discovery {
    async fn login(&self, host: &str) -> Option<Login> {
        // Held while looking: whoever asks meanwhile waits instead of asking twice.
        let mut known = self.known.lock().await;
        if let Some(login) = known.get(host) {
            return login.clone();
        }
        let login = self.find(host).await;
        if let Some(login) = &login {
            self.secrets.add(&login.token);
        }
        known.insert(host.to_owned(), login.clone());
        login
    }

    async fn registry(&self, host: &str, path: &str) -> Result<Option<RegistryLogin>, Fault> {
        let mut known = self.registries.lock().await;
        let key = (host.to_owned(), path.to_owned());
        if let Some(login) = known.get(&key) {
            return Ok(login.clone());
        }
        let login = self.find_registry(host, path).await?;
        if let Some(login) = &login {
            self.secrets.add(login.secret.secret());
        }
        known.insert(key, login.clone());
        Ok(login)
    }
}

impl fmt::Debug for Discovery {
    /// Without the environment, where tokens are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discovery").field("named", &self.named).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
