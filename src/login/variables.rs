//! The variables that hold tokens, and the hosts they are for.

use std::collections::BTreeMap;

use super::host::{Host, Kind};
use crate::store::Login;

/// The login that the environment has for `host`.
pub fn login(host: &Host, environment: &BTreeMap<String, String>) -> Option<Login> {
    names(host).into_iter().find_map(|name| {
        let token = environment.get(name)?.trim();
        let login = || Login { token: token.to_owned(), source: name.to_owned() };
        (!token.is_empty()).then(login)
    })
}

/// The names of the variables that are for `host`, in order.
fn names(host: &Host) -> Vec<&'static str> {
    let named: &[&str] = match host.kind {
        Kind::GitHub => &["FORGE_GITHUB_TOKEN", "GH_TOKEN", "GITHUB_TOKEN"],
        Kind::Enterprise { is_named: true } => {
            &["FORGE_GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"]
        }
        Kind::Enterprise { is_named: false } => &["GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"],
        Kind::Gitea => &["FORGE_GITEA_TOKEN", "GITEA_TOKEN"],
    };
    // The token that a runner gives is for the host whose runner it is.
    let ours = (host.is_ours && host.kind != Kind::GitHub).then_some("GITHUB_TOKEN");
    named.iter().copied().chain(ours).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::LOGINS;

    #[test]
    fn tasks_and_builds_do_not_inherit_any_variable_that_logs_in() {
        let kinds = [
            Kind::GitHub,
            Kind::Enterprise { is_named: true },
            Kind::Enterprise { is_named: false },
            Kind::Gitea,
        ];
        for kind in kinds {
            for is_ours in [true, false] {
                let host = Host { name: "host".into(), scheme: "https", kind, is_ours };
                for name in names(&host) {
                    assert!(LOGINS.contains(&name), "{name} is not in process::LOGINS");
                }
            }
        }
    }
}
