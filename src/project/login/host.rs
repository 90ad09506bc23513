//! What kind of host a login is for, and whether the environment names it: a manifest can name any
//! host it likes, so its word decides nothing here.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::is_loopback;

/// A host that a login is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginHost {
    /// Its name, with its port if it has one, in small letters.
    pub name: String,
    /// How it is spoken to: `https`, or `http` on this machine.
    pub scheme: &'static str,
    pub kind: HostKind,
    /// Whether variables that name no host are meant for it.
    pub meant: HostBinding,
}

/// Who serves a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostKind {
    /// `github.com`, a tenant of GitHub's (`*.ghe.com`), or what stands in for it on this machine.
    GitHub,
    /// A GitHub of one's own.
    Enterprise,
    /// Gitea or Forgejo.
    Gitea,
    /// GitLab.
    GitLab,
}

/// Whether variables that name no host are meant for a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostBinding {
    /// They are not: only what somebody said of this very host counts.
    No,
    /// It is the well-known one, and the environment names no other.
    ByDefault,
    /// The environment names it.
    Named,
    /// This process is a step of the Actions of this very host, or a job of its CI.
    ItsRunner,
}

/// The variables that say which GitHub is meant, as URLs or names of hosts.
const GITHUBS: [&str; 3] = ["GITHUB_SERVER_URL", "GITHUB_API_URL", "GH_HOST"];

/// The variables that say which Gitea or Forgejo is meant. Their Actions set those of GitHub.
const GITEAS: [&str; 3] = ["GITEA_SERVER_URL", "FORGEJO_SERVER_URL", "GITHUB_SERVER_URL"];

/// The variables that say which GitLab is meant: that of the job, and that of `glab`.
const GITLABS: [&str; 2] = ["CI_SERVER_URL", "GITLAB_HOST"];

/// The host that variables for a Gitea are for if nothing names another.
const PUBLIC_GITEA: &str = "gitea.com";

/// The host that variables for a GitLab are for if nothing names another.
const PUBLIC_GITLAB: &str = "gitlab.com";

/// The hosts that a workspace's stores name, by who serves them; all others are GitHub's. Names are
/// with their ports.
#[derive(Clone, Debug, Default)]
pub struct NamedHosts {
    /// Gitea and Forgejo.
    pub gitea: BTreeSet<String>,
    /// GitLab; gitlab.com need not be named.
    pub gitlab: BTreeSet<String>,
}

impl LoginHost {
    /// The host called `name`; none if that is no name of a host.
    pub fn find(
        name: &str,
        environment: &BTreeMap<String, String>,
        named: &NamedHosts,
    ) -> Option<Self> {
        let name = canonical(name)?;
        let is_among =
            |hosts: &BTreeSet<String>| hosts.iter().any(|host| host.eq_ignore_ascii_case(&name));
        let kind = match name.as_str() {
            _ if is_among(&named.gitea) => HostKind::Gitea,
            _ if is_among(&named.gitlab) => HostKind::GitLab,
            PUBLIC_GITLAB => HostKind::GitLab,
            "github.com" => HostKind::GitHub,
            other if other.ends_with(".ghe.com") || is_loopback(other) => HostKind::GitHub,
            _ => HostKind::Enterprise,
        };
        let meant = meant(&name, kind, environment);
        let scheme = if is_loopback(&name) { "http" } else { "https" };
        Some(Self { name, scheme, kind, meant })
    }

    /// Whether `gh` may keep a login for it.
    pub fn is_github(&self) -> bool {
        matches!(self.kind, HostKind::GitHub | HostKind::Enterprise)
    }
}

fn meant(name: &str, kind: HostKind, environment: &BTreeMap<String, String>) -> HostBinding {
    let get = |name: &str| environment.get(name).map_or("", |value| value.trim());
    let named = |variables: &[&str]| -> Vec<String> {
        variables.iter().filter_map(|variable| host_of(get(variable))).collect()
    };
    let (ci, server) = match kind {
        HostKind::GitLab => ("GITLAB_CI", "CI_SERVER_URL"),
        _ => ("GITHUB_ACTIONS", "GITHUB_SERVER_URL"),
    };
    let (named, default) = match kind {
        HostKind::GitLab => (named(&GITLABS), PUBLIC_GITLAB),
        HostKind::Gitea => (named(&GITEAS), PUBLIC_GITEA),
        HostKind::GitHub | HostKind::Enterprise => (named(&GITHUBS), "github.com"),
    };
    if get(ci) == "true" && host_of(get(server)).as_deref() == Some(name) {
        HostBinding::ItsRunner
    } else if named.iter().any(|named| named == name) {
        HostBinding::Named
    } else if name == default && named.is_empty() {
        HostBinding::ByDefault
    } else {
        HostBinding::No
    }
}

/// The host of a URL, or the host that `text` is, as logins are kept under it.
fn host_of(text: &str) -> Option<String> {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    canonical(host.rsplit('@').next().unwrap_or_default())
}

/// `name` in small letters; `api.github.com` and the like belong to the host after the first dot.
/// None if it is not a name of a host.
fn canonical(name: &str) -> Option<String> {
    let name = name.trim().to_ascii_lowercase();
    let name = match name.as_str() {
        "api.github.com" | "uploads.github.com" => "github.com".to_owned(),
        other => match other.strip_prefix("api.") {
            Some(rest) if rest.ends_with(".ghe.com") => rest.to_owned(),
            _ => name,
        },
    };
    is_host(&name).then_some(name)
}

/// Whether `name` can be the name of a host: it goes into a command line.
fn is_host(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
    !name.is_empty() && !name.starts_with('-') && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GITEA: &str = "git.example.org:3000";
    const GITLAB: &str = "gitlab.example.org";

    fn host(name: &str, variables: &[(&str, &str)]) -> Option<LoginHost> {
        let environment =
            variables.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let named = NamedHosts {
            gitea: BTreeSet::from([GITEA.to_owned(), "gitea.com".to_owned()]),
            gitlab: BTreeSet::from([GITLAB.to_owned()]),
        };
        LoginHost::find(name, &environment, &named)
    }

    fn kind(name: &str) -> HostKind {
        host(name, &[]).unwrap().kind
    }

    fn meant(name: &str, variables: &[(&str, &str)]) -> HostBinding {
        host(name, variables).unwrap().meant
    }

    #[test]
    fn kinds_of_hosts() {
        assert_eq!(kind("github.com"), HostKind::GitHub);
        assert_eq!(kind("GitHub.com"), HostKind::GitHub);
        assert_eq!(host("api.github.com", &[]).unwrap().name, "github.com");
        assert_eq!(kind("corp.ghe.com"), HostKind::GitHub);
        assert_eq!(host("api.corp.ghe.com", &[]).unwrap().name, "corp.ghe.com");
        for name in ["evilghe.com", "github.com.evil.org", "127.0.0.1.evil.org", "git.example.org"]
        {
            assert_eq!(kind(name), HostKind::Enterprise, "{name}");
        }
        assert_eq!(kind(GITEA), HostKind::Gitea);
        assert_eq!((kind(GITLAB), kind("gitlab.com")), (HostKind::GitLab, HostKind::GitLab));
        assert_eq!(host("[::1]:80", &[]).unwrap().scheme, "http");
    }

    #[test]
    fn variables_are_meant_for_the_host_that_the_environment_names() {
        assert_eq!(meant("github.com", &[]), HostBinding::ByDefault);
        assert_eq!(meant("gitea.com", &[]), HostBinding::ByDefault);
        let own = ("GITHUB_SERVER_URL", "https://Git.corp.org/");
        assert_eq!(meant("git.corp.org", &[own]), HostBinding::Named);
        assert_eq!(meant("git.corp.org", &[("GH_HOST", "git.corp.org")]), HostBinding::Named);
        assert_eq!(meant("corp.ghe.com", &[("GH_HOST", "corp.ghe.com")]), HostBinding::Named);
        let api = ("GITHUB_API_URL", "https://api.corp.ghe.com");
        assert_eq!(meant("corp.ghe.com", &[api]), HostBinding::Named);
        assert_eq!(
            meant(GITEA, &[("GITEA_SERVER_URL", "https://git.example.org:3000")]),
            HostBinding::Named
        );
        let runner = [("GITHUB_ACTIONS", "true"), own];
        assert_eq!(meant("git.corp.org", &runner), HostBinding::ItsRunner);
        let ci = [("GITLAB_CI", "true"), ("CI_SERVER_URL", "https://gitlab.example.org")];
        assert_eq!(meant("gitlab.com", &[]), HostBinding::ByDefault);
        assert_eq!(meant(GITLAB, &ci[1..]), HostBinding::Named);
        assert_eq!(meant(GITLAB, &[("GITLAB_HOST", GITLAB)]), HostBinding::Named);
        assert_eq!(meant(GITLAB, &ci), HostBinding::ItsRunner);
        assert_eq!(meant("gitlab.com", &ci), HostBinding::No);
        // Who names one means no other, not even the well-known one.
        for name in ["github.com", "other.corp.org", "git.corp.org:8443", GITEA, "gitea.com"] {
            assert_eq!(meant(name, &[own]), HostBinding::No, "{name}");
        }
        // What a manifest names is nobody's word.
        for name in
            ["git.corp.org", "evil.ghe.com", GITEA, GITLAB, "127.0.0.1:80", "localhost", "[::1]:80"]
        {
            assert_eq!(meant(name, &[]), HostBinding::No, "{name}");
        }
    }

    #[test]
    fn this_machine_is_meant_only_by_that_very_address() {
        let local = [("GITHUB_SERVER_URL", "http://127.0.0.1:81")];
        assert_eq!(meant("127.0.0.1:81", &local), HostBinding::Named);
        for name in ["127.0.0.1:82", "127.0.0.1", "localhost:81", "[::1]:81"] {
            assert_eq!(meant(name, &local), HostBinding::No, "{name}");
            assert_eq!(
                meant(name, &[("GITHUB_SERVER_URL", "https://github.com")]),
                HostBinding::No
            );
        }
    }

    #[test]
    fn only_names_of_hosts_are_hosts() {
        for name in ["", "-x", "a b", "a;b", "$(x)", "a/b", "a\nb", "a@b", "'"] {
            assert_eq!(host(name, &[]), None, "{name:?}");
        }
    }
}
