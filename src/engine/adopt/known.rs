//! Tools that forge knows by name: where their vendors publish them, what the assets are called, and how
//! these are verified. So they join a workspace without anybody being asked; what is fetched later is
//! held against the checksums that the vendor publishes, which are locked at first use.
//!
//! What assets are called is checked against the tables of `naming` by a test.

use std::collections::BTreeMap;

use super::text::{SpecDigest, UpstreamSpec};
use crate::model::{Digest, Platform};

/// A tool that forge knows.
#[derive(Debug)]
pub struct KnownTool {
    /// What it is called here.
    pub name: &'static str,
    /// What else it is called.
    also: &'static [&'static str],
    /// Its repository at GitHub.
    pub repository: &'static str,
    /// What is before the version in its tags.
    before: &'static str,
    /// Whether its versions begin with `v`.
    has_v: bool,
    /// What its assets are called, a template; a URL, if they are no assets of a release of GitHub.
    asset: &'static str,
    /// What the file with checksums is called, likewise; it begins with `+` if it is called as the asset
    /// is, with this behind. Empty where digests are known.
    sums: &'static str,
    /// What is meant by `{{ platform }}` in it, if not forge's own word.
    words: Words,
    /// How many folders of an archive are dropped.
    strip: usize,
    /// Its binary, if it is not called as the tool is.
    binary: &'static str,
    /// The version whose digests are known, with them.
    digests: Option<(&'static str, Words)>,
}

/// A word for each platform.
type Words = &'static [(&'static str, &'static str)];

const GITHUB: KnownTool = KnownTool {
    name: "",
    also: &[],
    repository: "",
    before: "",
    has_v: true,
    asset: "",
    sums: "checksums.txt",
    words: &[],
    strip: 0,
    binary: "",
    digests: None,
};

/// As rustc names platforms, with musl for Linux.
const MUSL: Words = &[
    ("linux-amd64", "x86_64-unknown-linux-musl"),
    ("linux-arm64", "aarch64-unknown-linux-musl"),
    ("darwin-amd64", "x86_64-apple-darwin"),
    ("darwin-arm64", "aarch64-apple-darwin"),
];

/// As uname says.
const UNAME: Words = &[
    ("linux-amd64", "Linux-x86_64"),
    ("linux-arm64", "Linux-aarch64"),
    ("darwin-amd64", "Darwin-x86_64"),
    ("darwin-arm64", "Darwin-arm64"),
];

const TOOLS: &[KnownTool] = &[
    KnownTool {
        name: "actionlint",
        repository: "rhysd/actionlint",
        asset: "actionlint_{{ version_number }}_{{ os }}_{{ arch }}.tar.gz",
        sums: "actionlint_{{ version_number }}_checksums.txt",
        ..GITHUB
    },
    KnownTool {
        name: "air",
        repository: "air-verse/air",
        asset: "air_{{ version_number }}_{{ os }}_{{ arch }}.tar.gz",
        sums: "air_{{ version_number }}_checksums.txt",
        ..GITHUB
    },
    KnownTool {
        name: "buf",
        repository: "bufbuild/buf",
        asset: "buf-{{ platform }}",
        sums: "sha256.txt",
        words: UNAME,
        ..GITHUB
    },
    KnownTool {
        name: "cosign",
        repository: "sigstore/cosign",
        asset: "cosign-{{ platform }}",
        sums: "cosign_checksums.txt",
        ..GITHUB
    },
    KnownTool {
        name: "golangci-lint",
        repository: "golangci/golangci-lint",
        asset: "golangci-lint-{{ version_number }}-{{ platform }}.tar.gz",
        sums: "golangci-lint-{{ version_number }}-checksums.txt",
        strip: 1,
        ..GITHUB
    },
    KnownTool {
        name: "goose",
        repository: "pressly/goose",
        asset: "goose_{{ platform }}",
        words: &[
            ("linux-amd64", "linux_x86_64"),
            ("linux-arm64", "linux_arm64"),
            ("darwin-amd64", "darwin_x86_64"),
            ("darwin-arm64", "darwin_arm64"),
        ],
        ..GITHUB
    },
    KnownTool {
        name: "goreleaser",
        repository: "goreleaser/goreleaser",
        asset: "goreleaser_{{ platform }}.tar.gz",
        words: &[
            ("linux-amd64", "Linux_x86_64"),
            ("linux-arm64", "Linux_arm64"),
            ("darwin-amd64", "Darwin_all"),
            ("darwin-arm64", "Darwin_all"),
        ],
        ..GITHUB
    },
    KnownTool {
        name: "gotestsum",
        repository: "gotestyourself/gotestsum",
        asset: "gotestsum_{{ version_number }}_{{ os }}_{{ arch }}.tar.gz",
        sums: "gotestsum-{{ version_number }}-checksums.txt",
        ..GITHUB
    },
    KnownTool {
        name: "hadolint",
        repository: "hadolint/hadolint",
        asset: "hadolint-{{ platform }}",
        sums: "checksums.sha256",
        words: &[
            ("linux-amd64", "linux-x86_64"),
            ("linux-arm64", "linux-arm64"),
            ("darwin-amd64", "macos-x86_64"),
            ("darwin-arm64", "macos-arm64"),
        ],
        ..GITHUB
    },
    KnownTool {
        name: "helm",
        repository: "helm/helm",
        asset: "https://get.helm.sh/helm-{{ version }}-{{ platform }}.tar.gz",
        sums: "+.sha256sum",
        strip: 1,
        ..GITHUB
    },
    KnownTool {
        name: "jq",
        repository: "jqlang/jq",
        before: "jq-",
        has_v: false,
        asset: "jq-{{ platform }}",
        sums: "sha256sum.txt",
        words: &[
            ("linux-amd64", "linux-amd64"),
            ("linux-arm64", "linux-arm64"),
            ("darwin-amd64", "macos-amd64"),
            ("darwin-arm64", "macos-arm64"),
        ],
        ..GITHUB
    },
    KnownTool {
        name: "k9s",
        repository: "derailed/k9s",
        asset: "k9s_{{ platform }}.tar.gz",
        sums: "checksums.sha256",
        words: &[
            ("linux-amd64", "Linux_amd64"),
            ("linux-arm64", "Linux_arm64"),
            ("darwin-amd64", "Darwin_amd64"),
            ("darwin-arm64", "Darwin_arm64"),
        ],
        ..GITHUB
    },
    KnownTool {
        name: "kind",
        repository: "kubernetes-sigs/kind",
        asset: "kind-{{ platform }}",
        sums: "+.sha256sum",
        ..GITHUB
    },
    KnownTool {
        name: "kubectl",
        repository: "kubernetes/kubernetes",
        also: &["kubernetes/kubernetes/kubectl", "kubernetes/kubectl"],
        asset: "https://dl.k8s.io/{{ version }}/bin/{{ os }}/{{ arch }}/kubectl",
        sums: "+.sha256",
        ..GITHUB
    },
    KnownTool {
        name: "pc",
        also: &["process-compose"],
        repository: "F1bonacc1/process-compose",
        asset: "process-compose_{{ os }}_{{ arch }}.tar.gz",
        sums: "process-compose_checksums.txt",
        binary: "process-compose",
        digests: Some(("v1.87.0", PROCESS_COMPOSE)),
        ..GITHUB
    },
    KnownTool {
        name: "ripgrep",
        also: &["rg"],
        repository: "BurntSushi/ripgrep",
        has_v: false,
        asset: "ripgrep-{{ version }}-{{ platform }}.tar.gz",
        sums: "+.sha256",
        words: &[
            ("linux-amd64", "x86_64-unknown-linux-musl"),
            ("linux-arm64", "aarch64-unknown-linux-gnu"),
            ("darwin-amd64", "x86_64-apple-darwin"),
            ("darwin-arm64", "aarch64-apple-darwin"),
        ],
        strip: 1,
        binary: "rg",
        ..GITHUB
    },
    KnownTool {
        name: "ruff",
        repository: "astral-sh/ruff",
        has_v: false,
        asset: "ruff-{{ platform }}.tar.gz",
        sums: "+.sha256",
        words: MUSL,
        strip: 1,
        ..GITHUB
    },
    KnownTool {
        name: "sops",
        also: &["mozilla/sops"],
        repository: "getsops/sops",
        asset: "sops-{{ version }}.{{ os }}.{{ arch }}",
        sums: "sops-{{ version }}.checksums.txt",
        ..GITHUB
    },
    KnownTool {
        name: "syft",
        repository: "anchore/syft",
        asset: "syft_{{ version_number }}_{{ os }}_{{ arch }}.tar.gz",
        sums: "syft_{{ version_number }}_checksums.txt",
        ..GITHUB
    },
    KnownTool {
        name: "task",
        repository: "go-task/task",
        asset: "task_{{ os }}_{{ arch }}.tar.gz",
        sums: "task_checksums.txt",
        ..GITHUB
    },
    KnownTool {
        name: "terraform",
        repository: "hashicorp/terraform",
        asset: "https://releases.hashicorp.com/terraform/{{ version_number }}/terraform_{{ version_number }}_{{ os }}_{{ arch }}.zip",
        sums: "https://releases.hashicorp.com/terraform/{{ version_number }}/terraform_{{ version_number }}_SHA256SUMS",
        ..GITHUB
    },
    KnownTool {
        name: "tflint",
        repository: "terraform-linters/tflint",
        asset: "tflint_{{ os }}_{{ arch }}.zip",
        ..GITHUB
    },
    KnownTool {
        name: "trivy",
        repository: "aquasecurity/trivy",
        asset: "trivy_{{ version_number }}_{{ platform }}.tar.gz",
        sums: "trivy_{{ version_number }}_checksums.txt",
        words: &[
            ("linux-amd64", "Linux-64bit"),
            ("linux-arm64", "Linux-ARM64"),
            ("darwin-amd64", "macOS-64bit"),
            ("darwin-arm64", "macOS-ARM64"),
        ],
        ..GITHUB
    },
    KnownTool {
        name: "uv",
        repository: "astral-sh/uv",
        has_v: false,
        asset: "uv-{{ platform }}.tar.gz",
        sums: "+.sha256",
        words: MUSL,
        strip: 1,
        ..GITHUB
    },
];

/// Of the archives of Process Compose.
const PROCESS_COMPOSE: Words = &[
    ("darwin-amd64", "b57c1f660e92748109618a26b057e05fa7781b756b06ce4844d0dbac29a5cd3b"),
    ("darwin-arm64", "f145f25709822928f7d71c5ae66005a3a8c8cf6acba85fc69616b50a3cd65edc"),
    ("linux-amd64", "01b1784d9028995e68441fad896d363dbe0c34e60b73df015fc41cc4bd6667e1"),
    ("linux-arm64", "86cc4b19c74948fe69e62c09edee83bd196ae204ae987cc34c6c5ddf81fa9631"),
];

/// The tool that is called `word`, or is at that repository.
pub fn known_tool(word: &str) -> Option<&'static KnownTool> {
    let word = word.to_ascii_lowercase();
    TOOLS.iter().find(|tool| {
        let mut names = [tool.name, tool.repository].into_iter().chain(tool.also.iter().copied());
        names.any(|name| name.eq_ignore_ascii_case(&word))
    })
}

/// What files with checksums are called in the releases of others, by repository.
const OTHER_SUMS: &[(&str, &str)] = &[
    ("cli/cli", "gh_{{ version_number }}_checksums.txt"),
    ("gohugoio/hugo", "hugo_{{ version_number }}_checksums.txt"),
    ("nats-io/nats-server", "SHA256SUMS"),
];

/// The URL of the checksums that a vendor publishes for what is at `url`, where forge knows it. Both may be
/// templates.
pub fn published_sums(url: &str) -> Option<String> {
    let (folder, file) = url.rsplit_once('/')?;
    if let Some(rest) = folder.strip_prefix("https://releases.hashicorp.com/") {
        let (name, version) = rest.split_once('/')?;
        return Some(format!("{folder}/{name}_{version}_SHA256SUMS"));
    }
    let rest = folder.strip_prefix("https://github.com/")?;
    let (repository, _) = rest.split_once("/releases/download/")?;
    let other = OTHER_SUMS.iter().find(|(name, _)| *name == repository).map(|(_, sums)| *sums);
    let sums = other.or_else(|| known_tool(repository).map(|tool| tool.sums))?;
    match sums.strip_prefix('+') {
        Some(ending) => Some(format!("{folder}/{file}{ending}")),
        None if sums.starts_with("https://") => Some(sums.to_owned()),
        None => Some(format!("{folder}/{sums}")),
    }
}

impl KnownTool {
    /// The version whose digests are known.
    pub fn pinned_version(&self) -> Option<&'static str> {
        self.digests.map(|(version, _)| version)
    }

    /// The binary that it yields.
    pub fn binary(&self) -> &'static str {
        if self.binary.is_empty() { self.name } else { self.binary }
    }

    /// `version` as this tool spells it.
    pub fn spelled(&self, version: &str) -> String {
        let version = version.strip_prefix(self.before).unwrap_or(version);
        let number = version.strip_prefix('v').unwrap_or(version);
        if self.has_v { format!("v{number}") } else { number.to_owned() }
    }

    /// The text of its spec as `name`, at `version`, which `command` makes. Assets are at `server`, which is
    /// that of GitHub.
    pub fn spec(&self, name: &str, version: &str, command: &str, server: &str) -> String {
        let folder = format!(
            "{server}/{}/releases/download/{}{{{{ version }}}}",
            self.repository,
            self.before.replace('/', "%2F")
        );
        let link = |file: &str| match file.starts_with("https://") {
            true => file.to_owned(),
            false => format!("{folder}/{file}"),
        };
        let url = link(self.asset);
        let published = || match self.sums.strip_prefix('+') {
            Some(ending) => format!("{url}{ending}"),
            None => link(self.sums),
        };
        let digest = match self.digests {
            Some((known, digests)) if known == version => {
                let digest = |(platform, hex): &(&str, &str)| {
                    Some((platform.parse().ok()?, hex.parse::<Digest>().ok()?))
                };
                SpecDigest::Pinned(digests.iter().filter_map(digest).collect())
            }
            _ => SpecDigest::Published(published()),
        };
        let binary = self.binary();
        UpstreamSpec {
            command: command.to_owned(),
            binaries: if binary == name { Vec::new() } else { vec![binary.to_owned()] },
            words: self.words(),
            url,
            digest,
            strip: self.strip,
            paths: BTreeMap::new(),
        }
        .text()
    }

    fn words(&self) -> BTreeMap<Platform, String> {
        let parsed =
            |(platform, word): &(&str, &str)| Some((platform.parse().ok()?, (*word).into()));
        self.words.iter().filter_map(parsed).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adopt::read_asset;

    const PLATFORMS: [&str; 4] = ["linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64"];

    /// What the asset of `tool` is called for `platform`.
    fn asset(tool: &KnownTool, platform: Platform) -> String {
        let own = platform.to_string();
        let word = tool.words().get(&platform).cloned().unwrap_or(own);
        let file = tool.asset.replace("{{ version }}", "v1.2.3").replace("{{ platform }}", &word);
        let file = file.replace("{{ version_number }}", "1.2.3");
        file.replace("{{ os }}", platform.os.as_str()).replace("{{ arch }}", platform.arch.as_str())
    }

    #[test]
    fn what_assets_are_called_says_the_platform_that_they_are_for() {
        for tool in TOOLS {
            for platform in PLATFORMS.map(|platform| platform.parse::<Platform>().unwrap()) {
                let asset = asset(tool, platform);
                // kubectl's say it by their folders.
                let name = asset.split_once("/bin/").map_or_else(
                    || asset.rsplit('/').next().unwrap().to_owned(),
                    |(_, rest)| rest.replace('/', "-"),
                );
                let read = read_asset(&name).unwrap_or_else(|| panic!("{name} of {}", tool.name));
                assert!(read.platforms.contains(&platform), "{name} is for {:?}", read.platforms);
            }
        }
    }

    #[test]
    fn each_is_found_by_its_names_and_its_repository() {
        for (word, name) in [
            ("jq", "jq"),
            ("jqlang/jq", "jq"),
            ("rg", "ripgrep"),
            ("process-compose", "pc"),
            ("f1bonacc1/process-compose", "pc"),
            ("golangci/golangci-lint", "golangci-lint"),
        ] {
            assert_eq!(known_tool(word).unwrap().name, name);
        }
        assert!(known_tool("left-pad").is_none());
        let mut names: Vec<_> = TOOLS.iter().map(|tool| tool.name).collect();
        assert!(names.is_sorted());
        names.dedup();
        assert_eq!(names.len(), TOOLS.len());
    }

    #[test]
    fn the_checksums_of_vendors_are_beside_their_assets() {
        let github = "https://github.com";
        for (url, sums) in [
            (
                "cli/cli/releases/download/{{ version }}/gh.tar.gz",
                "gh_{{ version_number }}_checksums.txt",
            ),
            ("helm/helm/releases/download/v1/helm.tar.gz", "helm.tar.gz.sha256sum"),
        ] {
            let found = published_sums(&format!("{github}/{url}")).unwrap();
            assert_eq!(found.rsplit('/').next(), Some(sums));
            assert!(url.starts_with(&found[github.len() + 1..found.len() - sums.len()]));
        }
        assert_eq!(
            published_sums(
                "https://releases.hashicorp.com/packer/{{ version }}/packer_{{ os }}.zip"
            )
            .unwrap(),
            "https://releases.hashicorp.com/packer/{{ version }}/packer_{{ version }}_SHA256SUMS"
        );
        assert!(published_sums("https://github.com/a/b/releases/download/v1/b.tar.gz").is_none());
    }

    #[test]
    fn versions_are_spelled_as_tags_are() {
        for (name, version, spelled) in [
            ("jq", "1.7.1", "1.7.1"),
            ("jq", "jq-1.7.1", "1.7.1"),
            ("task", "3.39.2", "v3.39.2"),
            ("task", "v3.39.2", "v3.39.2"),
            ("ripgrep", "14.1.1", "14.1.1"),
        ] {
            assert_eq!(known_tool(name).unwrap().spelled(version), spelled);
        }
    }

    #[test]
    fn the_supervisor_is_pinned_by_digests_and_others_by_what_is_published() {
        let server = "https://github.com";
        let pc = known_tool("pc").unwrap();
        let spec = pc.spec("pc", "v1.87.0", "forge add pc", server);
        insta::assert_snapshot!(spec, @r"
        # Added by `forge add pc`.
        binary: process-compose
        upstream:
          url: https://github.com/F1bonacc1/process-compose/releases/download/{{ version }}/process-compose_{{ os }}_{{ arch }}.tar.gz
          sha256:
            linux-amd64: 01b1784d9028995e68441fad896d363dbe0c34e60b73df015fc41cc4bd6667e1
            linux-arm64: 86cc4b19c74948fe69e62c09edee83bd196ae204ae987cc34c6c5ddf81fa9631
            darwin-amd64: b57c1f660e92748109618a26b057e05fa7781b756b06ce4844d0dbac29a5cd3b
            darwin-arm64: f145f25709822928f7d71c5ae66005a3a8c8cf6acba85fc69616b50a3cd65edc
        ");
        let other = pc.spec("pc", "v1.90.0", "forge init", server);
        assert!(other.contains("sha256: https://github.com/F1bonacc1/process-compose/"), "{other}");
        let rg = known_tool("rg").unwrap().spec("ripgrep", "14.1.1", "forge init", server);
        assert!(rg.contains("-{{ platform }}.tar.gz.sha256\n"), "{rg}");
    }
}
