//! How forge gets onto the machines of a CI.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{
    quote::{scalar, shell_word},
    steps::{Step, lines},
};
use crate::model::{Os, Platform, Sha256};

/// How forge gets onto a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForgeInstall {
    /// It is built there, by a line for a shell.
    Build(String),
    /// A release of it is downloaded, and verified by the digests that stand in the workflow.
    Release(PinnedForge),
}

/// A release of forge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinnedForge {
    /// The version, without a `v`.
    pub version: String,
    /// The URL below which there is TAG/ASSET.
    pub base: String,
    /// The digest of each platform's asset.
    pub digests: BTreeMap<Platform, Sha256>,
    /// forge's own setup action: `OWNER/REPO@COMMIT`, where both are known.
    pub action: Option<String>,
}

impl ForgeInstall {
    /// The line that builds `version` of forge from its git repository at `url`.
    #[must_use]
    pub fn from_git(url: &str, version: &str) -> Self {
        Self::Build(format!(
            "cargo install --locked --git {} --tag forge-v{version} forge",
            shell_word(url)
        ))
    }

    /// The step of a job of GitHub Actions, which runs under `condition`. A job that `publishes` takes
    /// nothing from a cache that others may have filled.
    #[must_use]
    pub(super) fn step(&self, condition: &str, publishes: bool) -> String {
        match self {
            Self::Release(PinnedForge { action: Some(action), version, digests, .. }) => {
                let condition = match condition {
                    "" => String::new(),
                    condition => format!("        if: {}\n", scalar(condition)),
                };
                let cache = if publishes { "          cache: false\n" } else { "" };
                format!(
                    "      - uses: {action} # v{version}\n{condition}        with:\n          version: v{version}\n{}{cache}",
                    lines("          ", "sha256", &listed(digests)),
                )
            }
            Self::Build(line) => {
                Step { name: "Install forge", condition, run: line, ..Step::default() }.render()
            }
            Self::Release(release) => {
                let run =
                    format!("{}\necho \"$HOME/.local/bin\" >> \"$GITHUB_PATH\"", release.script());
                Step { name: "Install forge", condition, run: &run, ..Step::default() }.render()
            }
        }
    }

    /// The lines for a shell of GitLab CI, which keep what was built in the folder `kept`.
    #[must_use]
    pub(super) fn lines(&self, kept: &str) -> Vec<String> {
        match self {
            Self::Build(line) => vec![
                format!("export PATH=\"$CI_PROJECT_DIR/{kept}/bin:$PATH\""),
                format!("command -v forge || {line} --root \"$CI_PROJECT_DIR/{kept}\""),
            ],
            Self::Release(release) => {
                vec![release.script(), "export PATH=\"$HOME/.local/bin:$PATH\"".to_owned()]
            }
        }
    }
}

impl PinnedForge {
    /// Downloads it into `~/.local/bin`, and verifies it before.
    fn script(&self) -> String {
        let Self { version, base, digests, .. } = self;
        let mut text = String::from("case \"$(uname -s)-$(uname -m)\" in\n");
        for (platform, digest) in digests {
            let (os, arch) = machine(*platform);
            let _ = writeln!(text, "  {os}-{arch}) platform={platform} sha256={digest} ;;");
        }
        let url = shell_word(&format!("{base}/forge-v{version}/forge-"));
        let _ = write!(
            text,
            r#"  *) echo "there is no forge for this machine" >&2; exit 1 ;;
esac
mkdir -p "$HOME/.local/bin"
cd "$HOME/.local/bin"
curl --fail --silent --show-error --location --retry 3 --output forge.tar.gz {url}"$platform.tar.gz"
echo "$sha256  forge.tar.gz" | shasum -a 256 --check
tar -xzf forge.tar.gz forge
rm forge.tar.gz
cd - >/dev/null"#
        );
        text
    }
}

/// `PLATFORM DIGEST`, one a line.
fn listed(digests: &BTreeMap<Platform, Sha256>) -> String {
    let line = |(platform, digest): (&Platform, &Sha256)| format!("{platform} {digest}\n");
    digests.iter().map(line).collect()
}

/// What `uname` says on a platform: the system, and a pattern for the machine.
fn machine(platform: Platform) -> (&'static str, &'static str) {
    use crate::model::Arch;
    let is_mac = platform.os == Os::Darwin;
    let arch = match platform.arch {
        Arch::Amd64 => "x86_64",
        Arch::Arm64 if is_mac => "arm64",
        _ => "aarch64",
    };
    (if is_mac { "Darwin" } else { "Linux" }, arch)
}
