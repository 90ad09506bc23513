//! Which runner builds for which platform.
//!
//! GitHub's are those of "GitHub-hosted runners reference" in its documentation, GitLab's those of
//! "Hosted runners on GitLab.com".

use std::collections::BTreeMap;

use crate::model::{Arch, Os, Platform};

/// Whose runners there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunnerHost {
    /// GitHub Actions.
    GitHub,
    /// GitLab CI.
    GitLab,
}

/// A runner that can be had from its host, and what it is.
struct Hosted {
    label: &'static str,
    os: Os,
    arch: Arch,
}

const fn hosted(label: &'static str, os: Os, arch: Arch) -> Hosted {
    Hosted { label, os, arch }
}

/// GitHub's; of those for one platform the first is taken.
const OF_GITHUB: &[Hosted] = &[
    hosted("ubuntu-24.04", Os::Linux, Arch::Amd64),
    hosted("ubuntu-24.04-arm", Os::Linux, Arch::Arm64),
    hosted("macos-15", Os::Darwin, Arch::Arm64),
    hosted("macos-15-intel", Os::Darwin, Arch::Amd64),
    hosted("windows-2025", Os::Windows, Arch::Amd64),
    hosted("windows-11-arm", Os::Windows, Arch::Arm64),
    hosted("ubuntu-latest", Os::Linux, Arch::Amd64),
    hosted("ubuntu-22.04", Os::Linux, Arch::Amd64),
    hosted("ubuntu-22.04-arm", Os::Linux, Arch::Arm64),
    hosted("ubuntu-26.04", Os::Linux, Arch::Amd64),
    hosted("ubuntu-26.04-arm", Os::Linux, Arch::Arm64),
    hosted("macos-latest", Os::Darwin, Arch::Arm64),
    hosted("macos-14", Os::Darwin, Arch::Arm64),
    hosted("macos-26", Os::Darwin, Arch::Arm64),
    hosted("macos-26-intel", Os::Darwin, Arch::Amd64),
    hosted("windows-latest", Os::Windows, Arch::Amd64),
    hosted("windows-2022", Os::Windows, Arch::Amd64),
];

/// GitLab's.
const OF_GITLAB: &[Hosted] = &[
    hosted("saas-linux-small-amd64", Os::Linux, Arch::Amd64),
    hosted("saas-linux-small-arm64", Os::Linux, Arch::Arm64),
    hosted("saas-macos-medium-m1", Os::Darwin, Arch::Arm64),
    hosted("saas-windows-medium-amd64", Os::Windows, Arch::Amd64),
    hosted("saas-linux-medium-amd64", Os::Linux, Arch::Amd64),
    hosted("saas-linux-medium-arm64", Os::Linux, Arch::Arm64),
    hosted("saas-linux-large-amd64", Os::Linux, Arch::Amd64),
    hosted("saas-linux-large-arm64", Os::Linux, Arch::Arm64),
    hosted("saas-macos-large-m2pro", Os::Darwin, Arch::Arm64),
];

impl RunnerHost {
    fn hosted(self) -> &'static [Hosted] {
        match self {
            Self::GitHub => OF_GITHUB,
            Self::GitLab => OF_GITLAB,
        }
    }

    /// The runner that the host has for `platform`; its first, a Linux, if it has none: much can be
    /// built on another machine than it runs on.
    fn runner(self, platform: Platform) -> &'static str {
        let of_platform = |it: &&Hosted| it.os == platform.os && it.arch == platform.arch;
        let hosted = self.hosted();
        hosted.iter().find(of_platform).unwrap_or(&hosted[0]).label
    }

    /// What a runner with one of these labels is; nothing if the host has none called so.
    fn machine(self, labels: &[String]) -> Option<Platform> {
        let found = self.hosted().iter().find(|it| labels.iter().any(|label| label == it.label))?;
        Some(Platform { os: found.os, arch: found.arch })
    }
}

/// The runner for a platform.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlatformRunner {
    /// Its labels, of which it must have all.
    pub labels: Vec<String>,
    /// What it is itself: what tools have to be built for there.
    pub machine: Platform,
}

impl PlatformRunner {
    /// The one for `platform`: as `named`, or else the host's. What a runner of one's own is nobody
    /// knows; it is taken for what it builds for.
    pub fn for_platform(
        host: RunnerHost,
        platform: Platform,
        named: &BTreeMap<Platform, Vec<String>>,
    ) -> Self {
        let named = named.get(&platform).filter(|labels| !labels.is_empty()).cloned();
        let labels = named.unwrap_or_else(|| vec![host.runner(platform).to_owned()]);
        let machine = host.machine(&labels).unwrap_or(platform);
        Self { labels, machine }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runner(host: RunnerHost, platform: &str, named: &[&str]) -> (String, String) {
        let platform: Platform = platform.parse().unwrap();
        let labels = named.iter().map(|label| (*label).to_owned()).collect();
        let runner =
            PlatformRunner::for_platform(host, platform, &BTreeMap::from([(platform, labels)]));
        (runner.labels.join(" "), runner.machine.to_string())
    }

    #[test]
    fn each_platform_has_its_runner() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        for (platform, named, label, machine) in [
            ("linux-amd64", &[][..], "ubuntu-24.04", "linux-amd64"),
            ("linux-arm64", &[], "ubuntu-24.04-arm", "linux-arm64"),
            ("darwin-arm64", &[], "macos-15", "darwin-arm64"),
            ("darwin-amd64", &[], "macos-15-intel", "darwin-amd64"),
            ("windows-amd64", &[], "windows-2025", "windows-amd64"),
            // Nobody hosts such a machine: it is built for on another.
            ("freebsd-amd64", &[], "ubuntu-24.04", "linux-amd64"),
            ("darwin-arm64", &["ubuntu-22.04"], "ubuntu-22.04", "linux-amd64"),
            ("linux-arm64", &["self-hosted", "arm"], "self-hosted arm", "linux-arm64"),
        ] {
            assert_eq!(
                runner(RunnerHost::GitHub, platform, named),
                pair(label, machine),
                "{platform}"
            );
        }
        let of_gitlab = runner(RunnerHost::GitLab, "darwin-arm64", &[]);
        assert_eq!(of_gitlab, pair("saas-macos-medium-m1", "darwin-arm64"));
        // It has no Intel Macs.
        let of_gitlab = runner(RunnerHost::GitLab, "darwin-amd64", &[]);
        assert_eq!(of_gitlab, pair("saas-linux-small-amd64", "linux-amd64"));
    }
}
