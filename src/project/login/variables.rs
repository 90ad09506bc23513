//! The variables that hold tokens, and the hosts they are for.

use std::collections::BTreeMap;

use super::host::{HostBinding, HostKind, LoginHost};
use crate::store::Login;

/// The login that the environment has for `host`.
pub fn login(host: &LoginHost, environment: &BTreeMap<String, String>) -> Option<Login> {
    names(host).into_iter().find_map(|name| {
        let token = environment.get(name)?.trim();
        let login = || Login { token: token.to_owned(), source: name.to_owned() };
        (!token.is_empty()).then(login)
    })
}

/// The names of the variables that are for `host`, in order.
fn names(host: &LoginHost) -> Vec<&'static str> {
    let named: &[&str] = match (host.kind, host.meant) {
        (_, HostBinding::No) => &[],
        (
            HostKind::GitHub,
            HostBinding::ByDefault | HostBinding::Named | HostBinding::ItsRunner,
        ) => &["FORGE_GITHUB_TOKEN", "GH_TOKEN", "GITHUB_TOKEN"],
        (HostKind::Enterprise, _) => {
            &["FORGE_GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"]
        }
        (HostKind::Gitea, _) => &["FORGE_GITEA_TOKEN", "GITEA_TOKEN"],
        (HostKind::GitLab, _) => &["FORGE_GITLAB_TOKEN", "GITLAB_TOKEN"],
    };
    // The token that a runner gives is for the host whose runner it is.
    let of_runner = match host.kind {
        _ if host.meant != HostBinding::ItsRunner => None,
        HostKind::GitHub => None,
        HostKind::GitLab => Some("CI_JOB_TOKEN"),
        HostKind::Enterprise | HostKind::Gitea => Some("GITHUB_TOKEN"),
    };
    named.iter().copied().chain(of_runner).collect()
}

/// The variables that `gh` would take for the token of any host; blanked when it is asked what it
/// keeps for one.
pub const OF_GH: [&str; 4] =
    ["GH_TOKEN", "GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::LOGINS;

    #[test]
    fn tasks_and_builds_do_not_inherit_any_variable_that_logs_in() {
        for kind in [HostKind::GitHub, HostKind::Enterprise, HostKind::Gitea, HostKind::GitLab] {
            for meant in [
                HostBinding::No,
                HostBinding::ByDefault,
                HostBinding::Named,
                HostBinding::ItsRunner,
            ] {
                let host = LoginHost { name: "host".into(), scheme: "https", kind, meant };
                for name in names(&host) {
                    assert!(LOGINS.contains(&name), "{name} is not in process::LOGINS");
                }
            }
        }
    }
}
