//! Logins, found in environments and with programs of the tests' own.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt, path::Path};

use super::*;
use crate::process::{Cancel, Runner};

/// A folder that stands before PATH, with stand-ins for `gh` and `git`.
struct Programs(tempfile::TempDir);

impl Programs {
    /// With `gh` and `git` as these scripts; each notes that it was called.
    fn new(gh: &str, git: &str) -> Self {
        let programs = Self(tempfile::tempdir().unwrap());
        for (name, script) in [("gh", gh), ("git", git)] {
            let path = programs.path().join(name);
            let calls = programs.path().join("calls");
            let text = format!("#!/bin/sh\necho {name} \"$@\" >> {}\n{script}\n", calls.display());
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        programs
    }

    fn none() -> Self {
        Self::new("exit 1", "exit 1")
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn calls(&self) -> String {
        fs::read_to_string(self.path().join("calls")).unwrap_or_default()
    }

    fn discovery(&self, variables: &[(&str, &str)]) -> Discovery {
        let environment =
            variables.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let named = NamedHosts {
            gitea: BTreeSet::from(["git.example.org".to_owned()]),
            gitlab: BTreeSet::from(["gitlab.example.org".to_owned()]),
        };
        let runner =
            Arc::new(Runner::new(crate::process::testing::environment(), 1, Cancel::new()));
        let mut discovery = Discovery::new(environment, named, runner, self.path().to_owned());
        discovery.asking.path.push(self.path().to_owned());
        discovery
    }

    async fn find(&self, host: &str, variables: &[(&str, &str)]) -> Option<(String, String)> {
        let login = self.discovery(variables).login(host).await?;
        Some((login.token, login.source))
    }
}

fn pair(token: &str, source: &str) -> (String, String) {
    (token.to_owned(), source.to_owned())
}

const ALL: &[(&str, &str)] = &[
    ("FORGE_GITHUB_TOKEN", "forge"),
    ("GH_TOKEN", "gh"),
    ("GITHUB_TOKEN", "github"),
    ("GH_ENTERPRISE_TOKEN", "gh-own"),
    ("GITHUB_ENTERPRISE_TOKEN", "github-own"),
    ("FORGE_GITEA_TOKEN", "forge-gitea"),
    ("GITEA_TOKEN", "gitea"),
    ("FORGE_GITLAB_TOKEN", "forge-gitlab"),
    ("GITLAB_TOKEN", "gitlab"),
    ("CI_JOB_TOKEN", "job"),
];

/// The sources that win one after the other, when each winner is blanked.
async fn order(host: &str, more: &[(&str, &str)]) -> Vec<String> {
    let programs = Programs::none();
    let mut variables: Vec<(&str, &str)> = ALL.iter().chain(more).copied().collect();
    let mut order = Vec::new();
    while let Some((_, source)) = programs.find(host, &variables).await {
        for (name, value) in &mut variables {
            if *name == source {
                *value = " ";
            }
        }
        order.push(source);
    }
    order
}

#[tokio::test]
async fn each_host_has_its_variables_in_order() {
    let github = ["FORGE_GITHUB_TOKEN", "GH_TOKEN", "GITHUB_TOKEN"];
    assert_eq!(order("github.com", &[]).await, github);
    assert_eq!(order("api.corp.ghe.com", &[("GH_HOST", "corp.ghe.com")]).await, github);
    let named = ["FORGE_GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"];
    assert_eq!(order("git.corp.org", &[("GH_HOST", "git.corp.org")]).await, named);
    let server = ("GITHUB_SERVER_URL", "https://git.corp.org");
    assert_eq!(order("git.corp.org", &[server]).await, named);
    let gitea = ["FORGE_GITEA_TOKEN", "GITEA_TOKEN"];
    let server = ("GITEA_SERVER_URL", "https://git.example.org");
    assert_eq!(order("git.example.org", &[server]).await, gitea);
    let gitlab = ["FORGE_GITLAB_TOKEN", "GITLAB_TOKEN"];
    assert_eq!(order("gitlab.com", &[]).await, gitlab);
    let server = ("GITLAB_HOST", "gitlab.example.org");
    assert_eq!(order("gitlab.example.org", &[server]).await, gitlab);
}

#[tokio::test]
async fn a_host_that_only_a_manifest_names_gets_no_token_of_a_variable() {
    let none: [&str; 0] = [];
    for host in [
        "git.corp.org",
        "evil.ghe.com",
        "git.example.org",
        "gitlab.example.org",
        "127.0.0.1:80",
        "localhost",
    ] {
        assert_eq!(order(host, &[]).await, none, "{host}");
        let server = ("GITHUB_SERVER_URL", "https://github.com");
        assert_eq!(order(host, &[server]).await, none, "{host}");
    }
    // Nor by way of gh, which takes some of them for any host.
    let gh = "test -z \"$GH_TOKEN$GITHUB_TOKEN$GH_ENTERPRISE_TOKEN$GITHUB_ENTERPRISE_TOKEN\" || echo leaked";
    let programs = Programs::new(gh, "exit 1");
    assert_eq!(programs.find("git.corp.org", ALL).await, None);
    assert!(programs.calls().contains("gh auth token --hostname git.corp.org"));
}

#[tokio::test]
async fn the_token_of_a_runner_is_for_the_host_whose_runner_it_is() {
    let on = |server| [("GITHUB_ACTIONS", "true"), ("GITHUB_SERVER_URL", server)];
    let gitea = order("git.example.org", &on("https://git.example.org")).await;
    assert_eq!(gitea.last().unwrap(), "GITHUB_TOKEN");
    let own = order("git.corp.org", &on("https://git.corp.org")).await;
    assert_eq!(own.last().unwrap(), "GITHUB_TOKEN");
    let job = |server| [("GITLAB_CI", "true"), ("CI_SERVER_URL", server)];
    let gitlab = order("gitlab.example.org", &job("https://gitlab.example.org")).await;
    assert_eq!(gitlab.last().unwrap(), "CI_JOB_TOKEN");
    for host in ["gitlab.com", "gitlab.example.org", "git.example.org", "github.com"] {
        let elsewhere = order(host, &job("https://gitlab.corp.org")).await;
        assert!(!elsewhere.contains(&"CI_JOB_TOKEN".to_owned()), "{host}: {elsewhere:?}");
    }
    for host in ["git.example.org", "git.corp.org"] {
        let elsewhere = order(host, &on("https://github.com")).await;
        assert!(!elsewhere.contains(&"GITHUB_TOKEN".to_owned()), "{host}: {elsewhere:?}");
    }
}

#[tokio::test]
async fn no_variable_asks_a_program_in_vain() {
    let programs = Programs::none();
    assert_eq!(programs.find("github.com", ALL).await, Some(pair("forge", "FORGE_GITHUB_TOKEN")));
    assert_eq!(programs.calls(), "");
}

#[tokio::test]
async fn gh_is_asked_for_the_host_and_its_complaints_are_no_token() {
    let programs = Programs::new(
        "echo 'a warning' >&2; test \"$GH_PROMPT_DISABLED\" = 1 && echo token-of-gh",
        "echo password=token-of-git",
    );
    assert_eq!(programs.find("github.com", &[]).await, Some(pair("token-of-gh", "gh auth token")));
    assert_eq!(programs.calls(), "gh auth token --hostname github.com\n");
}

#[tokio::test]
async fn git_is_asked_last_and_asks_nobody() {
    let git = "test \"$GIT_TERMINAL_PROMPT$GIT_ASKPASS\" = 0 || exit 1; cat > \"$(dirname \"$0\")/asked\"\n\
               echo username=me; echo password=token-of-git";
    let programs = Programs::new("echo no >&2; exit 1", git);
    assert_eq!(
        programs.find("github.com", &[]).await,
        Some(pair("token-of-git", "git credential fill"))
    );
    let asked = fs::read_to_string(programs.path().join("asked")).unwrap();
    assert_eq!(asked, "protocol=https\nhost=github.com\n\n");
    // Not gh: it knows nothing of a Gitea.
    assert!(programs.find("git.example.org", &[]).await.is_some());
    assert_eq!(programs.calls().matches("gh auth").count(), 1);
}

#[tokio::test]
async fn who_has_no_login_is_asked_once() {
    let programs = Programs::new("echo", "echo password=; echo username=x");
    let discovery = programs.discovery(&[]);
    let both =
        futures_util::future::join(discovery.login("github.com"), discovery.login("github.com"));
    assert_eq!(both.await, (None, None));
    assert_eq!(discovery.login("github.com").await, None);
    assert_eq!(programs.calls().lines().count(), 2, "{}", programs.calls());
}

#[tokio::test]
async fn no_token_is_shown() {
    let programs = Programs::none();
    let discovery = programs.discovery(ALL);
    let secrets = KnownSecrets::default();
    let discovery = discovery.telling(secrets.clone());
    let login = discovery.login("github.com").await.unwrap();
    assert_eq!(
        secrets.mask("printed: forge"),
        "printed: ***",
        "what is found is masked from then on"
    );
    let shown = format!("{discovery:?} {login:?}");
    assert!(ALL.iter().all(|(_, token)| !shown.contains(&format!("\"{token}\""))), "{shown}");
    assert!(shown.contains("FORGE_GITHUB_TOKEN"));
}

#[tokio::test]
async fn gits_own_credential_helpers_are_understood() {
    let temp = tempfile::tempdir().unwrap();
    if !crate::process::is_program(&crate::process::testing::environment(), "git", &[]) {
        return;
    }
    fs::write(temp.path().join("store"), "https://me:token-of-helper@git.corp.org\n").unwrap();
    let runner = Arc::new(Runner::new(crate::process::testing::environment(), 1, Cancel::new()));
    let asking = |config: &str| {
        fs::write(temp.path().join("config"), config).unwrap();
        let script = format!(
            "#!/bin/sh\nunset GIT_CONFIG_COUNT\nexport GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL={}\nPATH=${{PATH#*:}}\nexec git \"$@\"\n",
            temp.path().join("config").display()
        );
        let git = temp.path().join("git");
        fs::write(&git, script).unwrap();
        fs::set_permissions(&git, fs::Permissions::from_mode(0o755)).unwrap();
        let (runner, dir) = (runner.clone(), temp.path().to_owned());
        program::Asking { runner, path: vec![dir.clone()], dir, is_outside: false }
    };
    let host = LoginHost::find("git.corp.org", &BTreeMap::new(), &NamedHosts::default()).unwrap();
    let helper =
        format!("[credential]\n\thelper = store --file={}\n", temp.path().join("store").display());
    let login = asking(&helper).git(&host).await.unwrap();
    assert_eq!(
        (login.token.as_str(), login.source.as_str()),
        ("token-of-helper", "git credential fill")
    );
    // Nobody at the keyboard is asked, and a program that would ask is not started.
    let asked = temp.path().join("asked");
    let askpass = format!("[core]\n\taskPass = \"touch {} && echo x\"\n", asked.display());
    assert_eq!(asking(&askpass).git(&host).await, None);
    assert!(!asked.exists());
}

#[tokio::test]
async fn registries_have_logins_from_where_people_have_them() {
    let temp = tempfile::tempdir().unwrap();
    let programs = temp.path().join("bin");
    fs::create_dir(&programs).unwrap();
    let script = |name: &str, text: &str| {
        let path = programs.join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    script(
        "docker-credential-known",
        "test \"$1\" = get || exit 2; read -r host || true\n\
         test \"$host\" = kept.example.org || { echo 'credentials not found in native keychain'; exit 1; }\n\
         printf '{\"ServerURL\":\"x\",\\n\"Username\":\"<token>\",\"Secret\":\"from-helper\"}'",
    );
    script("gh", "echo token-of-gh");
    let home = temp.path().join("home");
    fs::create_dir_all(home.join(".docker")).unwrap();
    fs::create_dir_all(home.join(".config/containers")).unwrap();
    let basic = "bWU6ZnJvbS1maWxl"; // me:from-file
    let docker = format!(
        r#"{{"auths":{{"filed.example.org":{{"auth":"{basic}"}},"silent.example.org":{{"auth":"{basic}"}}}},
            "credHelpers":{{"kept.example.org":"known","silent.example.org":"known","filed.example.org":"missing"}}}}"#
    );
    fs::write(home.join(".docker/config.json"), docker).unwrap();
    let podman = format!(r#"{{"auths":{{"podman.example.org/acme":{{"auth":"{basic}"}}}}}}"#);
    fs::write(home.join(".config/containers/auth.json"), podman).unwrap();

    let found = async |host: &str, variables: &[(&str, &str)]| {
        let path = format!("{}:/usr/bin:/bin", programs.display());
        let home = home.display().to_string();
        let mut all = vec![("PATH", path.as_str()), ("HOME", home.as_str())];
        all.extend(variables);
        let environment: crate::model::Environment = all.iter().copied().collect();
        let texts = all.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let runner = Arc::new(Runner::new(environment.clone(), 1, Cancel::new()));
        let folder = temp.path().to_owned();
        let discovery = Discovery::new(texts.collect(), NamedHosts::default(), runner, folder);
        let login = discovery.registry(host, "acme/api").await.unwrap();
        assert!(!format!("{discovery:?} {login:?}").contains("from-"));
        login.map(|login| (login.secret.secret().to_owned(), login.source))
    };
    let files = home.join(".docker/config.json").display().to_string();
    let from_file = Some(pair("from-file", &files));
    let helper = Some(pair("from-helper", "docker-credential-known"));
    assert_eq!(found("kept.example.org", &[]).await, helper);
    assert_eq!(found("silent.example.org", &[]).await, None, "a helper is the last word");
    assert_eq!(found("filed.example.org", &[]).await, from_file, "one that is missing is not");
    assert_eq!(found("podman.example.org", &[]).await.unwrap().0, "from-file");
    assert_eq!(found("other.example.org", &[]).await, None);
    assert_eq!(found("ghcr.io", &[]).await, Some(pair("token-of-gh", "gh auth token")));
    let github = ("GITHUB_TOKEN", "from-actions");
    assert_eq!(found("ghcr.io", &[github]).await, Some(pair("from-actions", "GITHUB_TOKEN")));
    assert_eq!(found("other.example.org", &[github]).await, None);
    let own = ("FORGE_REGISTRY_TOKEN", "from-own");
    let named = ("FORGE_REGISTRY", "other.example.org");
    assert_eq!(found("other.example.org", &[own]).await, None, "a variable that names no host");
    let from_own = Some(pair("from-own", "FORGE_REGISTRY_TOKEN"));
    assert_eq!(found("other.example.org", &[own, named]).await, from_own);
    assert_eq!(found("evil.example.org", &[own, named]).await, None);
    let in_env = format!(r#"{{"auths":{{"other.example.org":{{"auth":"{basic}"}}}}}}"#);
    let config = ("DOCKER_AUTH_CONFIG", in_env.as_str());
    let from_env = Some(pair("from-file", "DOCKER_AUTH_CONFIG"));
    assert_eq!(found("other.example.org", &[config]).await, from_env);
    let gitlab = [("CI_REGISTRY", "other.example.org"), ("CI_REGISTRY_PASSWORD", "from-job")];
    assert_eq!(found("other.example.org", &gitlab).await.unwrap().1, "CI_REGISTRY_PASSWORD");
}
