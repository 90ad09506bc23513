//! What kind of host a login is for.

use std::collections::{BTreeMap, BTreeSet};

/// A host that a login is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its name, with its port if it has one, in small letters.
    pub name: String,
    /// How it is spoken to: `https`, or `http` on this machine.
    pub scheme: &'static str,
    pub kind: Kind,
    /// Whether this process is a step of the Actions of this very host.
    pub is_ours: bool,
}

/// Who serves a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `github.com`, `*.ghe.com`, and what stands in for it on this machine.
    GitHub,
    /// A GitHub of one's own.
    Enterprise {
        /// Whether the environment names it, so that a variable for "the" GitHub is meant for it.
        is_named: bool,
    },
    /// Gitea or Forgejo.
    Gitea,
}

impl Host {
    /// The host called `name`; none if that is no name of a host. A host on this machine stands
    /// for the server that the environment names.
    pub fn of(
        name: &str,
        environment: &BTreeMap<String, String>,
        gitea_hosts: &BTreeSet<String>,
    ) -> Option<Self> {
        let get = |name: &str| environment.get(name).map_or("", |value| value.trim());
        let server = host_of_url(get("GITHUB_SERVER_URL"));
        let name = name.trim().to_ascii_lowercase();
        // `api.github.com` and the like belong to the host after the first dot.
        let name = match name.as_str() {
            "api.github.com" | "uploads.github.com" => "github.com".to_owned(),
            other => match other.strip_prefix("api.") {
                Some(rest) if rest.ends_with(".ghe.com") => rest.to_owned(),
                _ => name,
            },
        };
        if !is_host(&name) {
            return None;
        }
        let is_gitea = gitea_hosts.iter().any(|gitea| gitea.eq_ignore_ascii_case(&name));
        let in_actions = get("GITHUB_ACTIONS") == "true";
        if is_gitea {
            let is_ours = in_actions && server.as_deref() == Some(&*name);
            let scheme = scheme(&name);
            return Some(Self { name, scheme, kind: Kind::Gitea, is_ours });
        }
        let name = match server {
            Some(ref server) if is_loopback(&name) => server.clone(),
            _ => name,
        };
        let is_named =
            server.as_deref() == Some(&*name) || get("GH_HOST").eq_ignore_ascii_case(&name);
        let kind = match name.as_str() {
            "github.com" => Kind::GitHub,
            other if other.ends_with(".ghe.com") || is_loopback(other) => Kind::GitHub,
            _ => Kind::Enterprise { is_named },
        };
        let is_ours = in_actions && server.as_deref() == Some(&*name);
        Some(Self { scheme: scheme(&name), name, kind, is_ours })
    }

    pub fn is_gitea(&self) -> bool {
        self.kind == Kind::Gitea
    }
}

fn scheme(name: &str) -> &'static str {
    if is_loopback(name) { "http" } else { "https" }
}

/// The host of a URL, with its port, in small letters.
fn host_of_url(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default().to_ascii_lowercase();
    is_host(&host).then_some(host)
}

/// Whether `name` can be the name of a host: it goes into a command line.
fn is_host(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
    !name.is_empty() && !name.starts_with('-') && name.chars().all(plain)
}

fn is_loopback(name: &str) -> bool {
    let host = match name.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => name.split(':').next().unwrap_or_default(),
    };
    host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str, variables: &[(&str, &str)]) -> Option<Host> {
        let environment =
            variables.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Host::of(name, &environment, &BTreeSet::from(["git.example.org:3000".to_owned()]))
    }

    fn kind(name: &str, variables: &[(&str, &str)]) -> Kind {
        host(name, variables).unwrap().kind
    }

    #[test]
    fn kinds_of_hosts() {
        assert_eq!(kind("github.com", &[]), Kind::GitHub);
        assert_eq!(kind("GitHub.com", &[]), Kind::GitHub);
        assert_eq!(host("api.github.com", &[]).unwrap().name, "github.com");
        assert_eq!(kind("corp.ghe.com", &[]), Kind::GitHub);
        assert_eq!(host("api.corp.ghe.com", &[]).unwrap().name, "corp.ghe.com");
        assert_eq!(kind("evilghe.com", &[]), Kind::Enterprise { is_named: false });
        assert_eq!(kind("github.com.evil.org", &[]), Kind::Enterprise { is_named: false });
        let server = [("GITHUB_SERVER_URL", "https://Git.corp.org/")];
        assert_eq!(kind("git.corp.org", &server), Kind::Enterprise { is_named: true });
        assert_eq!(kind("other.corp.org", &server), Kind::Enterprise { is_named: false });
        let named = [("GH_HOST", "git.corp.org")];
        assert_eq!(kind("git.corp.org", &named), Kind::Enterprise { is_named: true });
        assert_eq!(kind("git.example.org:3000", &[]), Kind::Gitea);
        assert_eq!(kind("git.example.org", &[]), Kind::Enterprise { is_named: false });
    }

    #[test]
    fn this_machine_stands_for_the_server_that_is_named() {
        let found = |name, server| {
            let host = host(name, &[("GITHUB_SERVER_URL", server)]).unwrap();
            (host.name, host.scheme, host.kind)
        };
        let (github, own) = ("https://github.com", "https://git.corp.org");
        let name = |name: &str| name.to_owned();
        assert_eq!(found("127.0.0.1:80", github), (name("github.com"), "https", Kind::GitHub));
        let enterprise = Kind::Enterprise { is_named: true };
        assert_eq!(found("localhost:80", own), (name("git.corp.org"), "https", enterprise));
        let local = "http://127.0.0.1:80";
        assert_eq!(found("127.0.0.1:80", local), (name("127.0.0.1:80"), "http", Kind::GitHub));
        assert_eq!(host("[::1]:80", &[]).unwrap().kind, Kind::GitHub);
        assert_eq!(kind("127.0.0.1.evil.org", &[]), Kind::Enterprise { is_named: false });
    }

    #[test]
    fn only_names_of_hosts_are_hosts() {
        for name in ["", "-x", "a b", "a;b", "$(x)", "a/b", "a\nb", "a@b", "'"] {
            assert_eq!(host(name, &[]), None, "{name:?}");
        }
    }

    #[test]
    fn within_its_own_actions_a_host_is_ours() {
        let actions =
            [("GITHUB_ACTIONS", "true"), ("GITHUB_SERVER_URL", "https://git.example.org:3000")];
        assert!(host("git.example.org:3000", &actions).unwrap().is_ours);
        assert!(!host("github.com", &actions).unwrap().is_ours);
        assert!(!host("git.example.org:3000", &actions[1..]).unwrap().is_ours);
    }
}
