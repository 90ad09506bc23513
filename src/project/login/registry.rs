//! Logins to registries of images, from where people have them.
//!
//! In this order, the first that is there wins:
//!
//! 1. `FORGE_REGISTRY_TOKEN`, for the registry that `FORGE_REGISTRY` names; in a job of GitLab's CI
//!    `CI_REGISTRY_PASSWORD`, for `CI_REGISTRY`.
//! 2. For `ghcr.io`, the variables with a token for `github.com`.
//! 3. `DOCKER_AUTH_CONFIG`, then the files of Docker and podman. In each, a helper that is named for
//!    the host is asked and no other entry counts; one that is not installed is passed over.
//! 4. For `ghcr.io`, what `gh` and git keep for `github.com`.
//!
//! A helper that knows nothing of a host means that there is no login. No variable is for a host
//! that only a manifest names.

use std::path::{Path, PathBuf};

use super::{
    Discovery,
    docker_config::{DockerConfig, helper_key, parse_answer},
    host::LoginHost,
    variables,
};
use crate::{
    disk::{is_absent, read_text},
    model::{Fault, Kind},
    store::{Login, RegistryLogin, RegistrySecret},
};

/// The most that a file of logins has, in bytes.
const MAX_CONFIG: u64 = 1 << 20;

/// GitHub's registry, and the host that its logins are for.
const GITHUB: (&str, &str) = ("ghcr.io", "github.com");

/// The user of whoever has a token only.
const ANYBODY: &str = "forge";

impl Discovery {
    /// The login for the repository `path` of the registry at `host`.
    pub(super) async fn find_registry(
        &self,
        host: &str,
        path: &str,
    ) -> Result<Option<RegistryLogin>, Fault> {
        if let Some(login) = self.of_variables(host) {
            return Ok(Some(login));
        }
        for (config, source) in self.configs()? {
            if let Some(name) = config.helper(host)
                && let Some(answer) = self.asking.helper(name, helper_key(host)).await
            {
                let source = format!("docker-credential-{name}");
                return Ok(parse_answer(&answer).map(|secret| RegistryLogin { secret, source }));
            }
            if let Some(secret) = config.secret(host, path) {
                return Ok(Some(RegistryLogin { secret, source }));
            }
        }
        if host != GITHUB.0 {
            return Ok(None);
        }
        // Held here too, so that `gh` is asked once.
        let login = crate::store::Logins::login(self, GITHUB.1).await;
        Ok(login.map(github_login))
    }

    fn of_variables(&self, host: &str) -> Option<RegistryLogin> {
        let environment = self.asking.runner.environment();
        let get = |name: &str| {
            environment
                .get(name)
                .map(str::trim)
                .filter(|value| !value.is_empty())
                .map(str::to_owned)
        };
        for [named, user, password] in [
            ["FORGE_REGISTRY", "FORGE_REGISTRY_USER", "FORGE_REGISTRY_TOKEN"],
            ["CI_REGISTRY", "CI_REGISTRY_USER", "CI_REGISTRY_PASSWORD"],
        ] {
            let is_meant = get(named).is_some_and(|named| named.eq_ignore_ascii_case(host));
            if let Some(secret) = get(password).filter(|_| is_meant) {
                let user = get(user).unwrap_or_else(|| ANYBODY.to_owned());
                let secret = RegistrySecret::Password { user, password: secret };
                return Some(RegistryLogin { secret, source: password.to_owned() });
            }
        }
        if host != GITHUB.0 {
            return None;
        }
        let github = LoginHost::find(GITHUB.1, &self.environment, &self.named)?;
        variables::login(&github, &self.environment).map(github_login)
    }

    /// The files that are there, and how people call them.
    fn configs(&self) -> Result<Vec<(DockerConfig, String)>, Fault> {
        let environment = self.asking.runner.environment();
        let unusable = |source: &str, why: String| {
            Fault::new(Kind::Failed, format!("cannot use {source}, where logins to registries are"))
                .because(why)
                .hint("correct it, or remove it and run `docker login` again")
        };
        let mut configs = Vec::new();
        if let Some(text) = environment.get("DOCKER_AUTH_CONFIG").filter(|it| !it.trim().is_empty())
        {
            let source = "DOCKER_AUTH_CONFIG".to_owned();
            let config = DockerConfig::parse(text).map_err(|why| unusable(&source, why))?;
            configs.push((config, source));
        }
        for path in self.config_files() {
            let source = path.display().to_string();
            match read_text(&path, MAX_CONFIG) {
                Ok(text) => {
                    let config =
                        DockerConfig::parse(&text).map_err(|why| unusable(&source, why))?;
                    configs.push((config, source));
                }
                Err(error) if is_absent(&error) => {}
                // Of another user, say: as good as none, since all of this is optional.
                Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {}
                Err(error) => return Err(unusable(&source, error.to_string())),
            }
        }
        Ok(configs)
    }

    fn config_files(&self) -> Vec<PathBuf> {
        let environment = self.asking.runner.environment();
        let folder = |name: &str| environment.path(name);
        let home = folder("HOME");
        let below_home = |path: &str| home.as_ref().map(|home| home.join(path));
        let docker = folder("DOCKER_CONFIG").or_else(|| below_home(".docker"));
        let settings = folder("XDG_CONFIG_HOME").or_else(|| below_home(".config"));
        let containers = |folder: PathBuf| folder.join("containers/auth.json");
        let files = [
            docker.map(|folder| folder.join("config.json")),
            folder("REGISTRY_AUTH_FILE"),
            folder("XDG_RUNTIME_DIR").map(containers),
            settings.map(containers),
        ];
        files.into_iter().flatten().filter(|path| Path::is_absolute(path)).collect()
    }
}

/// A login to GitHub as its registry takes it: of the two, only the token counts.
fn github_login(login: Login) -> RegistryLogin {
    let secret = RegistrySecret::Password { user: ANYBODY.to_owned(), password: login.token };
    RegistryLogin { secret, source: login.source }
}
