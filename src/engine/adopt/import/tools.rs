//! What becomes of a tool that somebody pinned elsewhere.

use super::{
    super::{
        Origin,
        known::{KnownTool, known_tool},
        text::install_spec,
    },
    ImportOutcome,
};
use crate::model::Name;

/// The command that writes the specs.
const COMMAND: &str = "forge init";
/// Where their assets are.
const SERVER: &str = "https://github.com";

/// Toolchains: folders of many programs, and no binary.
const TOOLCHAINS: [&str; 19] = [
    "dotnet", "elixir", "erlang", "flutter", "go", "golang", "java", "julia", "kotlin", "node",
    "nodejs", "php", "perl", "poetry", "python", "ruby", "rust", "swift", "zig",
];

/// Where tools are that forge has no spec for: what `forge add` takes.
const PLACES: &[(&str, &str)] = &[
    ("bat", "github:sharkdp/bat"),
    ("bun", "github:oven-sh/bun"),
    ("delta", "github:dandavison/delta"),
    ("deno", "github:denoland/deno"),
    ("direnv", "github:direnv/direnv"),
    ("dive", "github:wagoodman/dive"),
    ("eza", "crate:eza"),
    ("fd", "github:sharkdp/fd"),
    ("fzf", "github:junegunn/fzf"),
    ("gh", "github:cli/cli"),
    ("github-cli", "github:cli/cli"),
    ("gofumpt", "github:mvdan/gofumpt"),
    ("grype", "github:anchore/grype"),
    ("hugo", "github:gohugoio/hugo"),
    ("just", "github:casey/just"),
    ("kustomize", "github:kubernetes-sigs/kustomize"),
    ("lazygit", "github:jesseduffield/lazygit"),
    ("lefthook", "github:evilmartians/lefthook"),
    ("pnpm", "github:pnpm/pnpm"),
    ("protoc", "github:protocolbuffers/protobuf"),
    ("shellcheck", "github:koalaman/shellcheck"),
    ("shfmt", "github:mvdan/sh"),
    ("sqlc", "github:sqlc-dev/sqlc"),
    ("staticcheck", "go:honnef.co/go/tools/cmd/staticcheck"),
    ("yq", "github:mikefarah/yq"),
];

/// What becomes of `tool`, as mise and asdf spell it, at `versions`, of which the first counts.
pub fn named(tool: &str, versions: &[String]) -> ImportOutcome {
    // `ubi:owner/repo[exe=name]`
    let tool = tool.split('[').next().unwrap_or(tool);
    let tool = tool.strip_prefix("core:").unwrap_or(tool);
    let Some(version) = versions.first() else {
        return ImportOutcome::left("it says no version");
    };
    let mut outcome = match tool.split_once(':') {
        Some(("go", path)) => installed(tool, path, version),
        Some(("cargo", name)) => installed(&format!("crate:{name}"), name, version),
        Some(("aqua" | "ubi" | "github", place)) => repository(place, version),
        Some((kind @ ("npm" | "pipx" | "gem" | "dotnet" | "spm"), _)) => {
            ImportOutcome::left(format!("forge takes nothing from {kind}; it stays where it is"))
        }
        Some((kind, _)) => ImportOutcome::left(format!("forge takes nothing from `{kind}`")),
        None => short(tool, version),
    };
    if let (ImportOutcome::Pinned { but, .. }, [_, more @ ..]) = (&mut outcome, versions)
        && !more.is_empty()
    {
        but.push(format!("of several versions the first counts, and not {}", more.join(", ")));
    }
    outcome
}

/// What becomes of what aqua calls `package`, at the tag `version`.
pub fn packaged(package: &str, version: &str) -> ImportOutcome {
    match package.split_once('/') {
        Some(("crates.io", name)) => installed(&format!("crate:{name}"), name, version),
        Some((host, _)) if host.contains('.') => {
            installed(&format!("go:{package}"), package, version)
        }
        _ => match known_tool(package) {
            Some(tool) => pinned(tool, version),
            None => unknown(&format!("github:{}", two_parts(package)), Some(version)),
        },
    }
}

/// The supervisor of services.
pub fn supervisor() -> ImportOutcome {
    match known_tool("pc").and_then(|tool| Some((tool, tool.pinned_version()?))) {
        Some((tool, version)) => match pinned(tool, version) {
            ImportOutcome::Pinned { name, version, spec, mut but } => {
                but.push("what it runs becomes `service:` of specs: `forge help services`".into());
                ImportOutcome::Pinned { name, version, spec, but }
            }
            left @ ImportOutcome::Left { .. } => left,
        },
        None => ImportOutcome::left("forge knows no supervisor"),
    }
}

fn short(tool: &str, version: &str) -> ImportOutcome {
    if TOOLCHAINS.contains(&tool) {
        return ImportOutcome::left("a toolchain: builds take the one on PATH");
    }
    match known_tool(tool) {
        Some(tool) if is_exact(version) => pinned(tool, version),
        Some(tool) => moving(tool.name, version),
        None => match PLACES.iter().find(|(name, _)| *name == tool) {
            Some((_, place)) => unknown(place, Some(version).filter(|it| is_exact(it))),
            None => ImportOutcome::Left {
                why: "forge does not know where it comes from".into(),
                command: Some("forge add github:OWNER/REPO".into()),
            },
        },
    }
}

fn repository(place: &str, version: &str) -> ImportOutcome {
    match known_tool(place) {
        Some(tool) if is_exact(version) => pinned(tool, version),
        Some(tool) => moving(tool.name, version),
        None => {
            let place = format!("github:{}", two_parts(place));
            unknown(&place, Some(version).filter(|it| is_exact(it)))
        }
    }
}

fn two_parts(place: &str) -> String {
    place.split('/').take(2).collect::<Vec<_>>().join("/")
}

fn pinned(tool: &KnownTool, version: &str) -> ImportOutcome {
    let version = tool.spelled(version);
    let spec = tool.spec(tool.name, &version, COMMAND, SERVER);
    match Name::new(tool.name) {
        Ok(name) => ImportOutcome::Pinned { name, version, spec, but: Vec::new() },
        Err(why) => ImportOutcome::left(why),
    }
}

/// What `go install` or `cargo install` makes.
fn installed(origin: &str, what: &str, version: &str) -> ImportOutcome {
    let (preset, called) = match Origin::parse(origin) {
        Ok(parsed @ Origin::Go { .. }) => ("go", parsed.usual_name()),
        Ok(parsed @ Origin::Crate { .. }) => ("cargo", parsed.usual_name()),
        _ => return ImportOutcome::left(format!("`{what}` is not a path that can be installed")),
    };
    if !is_exact(version) {
        return unknown(origin, None);
    }
    let number = version.trim_start_matches('v');
    let version = if preset == "go" { format!("v{number}") } else { number.to_owned() };
    let spec = install_spec(COMMAND, &[], preset, what);
    match Name::new(&called) {
        Ok(name) => ImportOutcome::Pinned { name, version, spec, but: Vec::new() },
        Err(why) => ImportOutcome::left(why),
    }
}

fn moving(tool: &str, version: &str) -> ImportOutcome {
    ImportOutcome::Left {
        why: format!("`{version}` is not one version, and a pin is"),
        command: Some(format!("forge add {tool}")),
    }
}

fn unknown(place: &str, version: Option<&str>) -> ImportOutcome {
    let at = version.map(|version| format!("@{version}")).unwrap_or_default();
    ImportOutcome::Left {
        why: match version {
            Some(_) => "forge has to look at what is published".into(),
            None => "no single version is named".into(),
        },
        command: Some(format!("forge add {place}{at}")),
    }
}

/// Whether `version` is one version: three numbers, and not `latest`, `1.2` or `ref:main`.
fn is_exact(version: &str) -> bool {
    let numbers = version.trim_start_matches(|c: char| !c.is_ascii_digit());
    let prefix = &version[..version.len() - numbers.len()];
    let is_prefix = prefix.is_empty() || prefix.ends_with(['v', '-', '/']);
    let mut parts = numbers.split('.');
    let is_number = |part: Option<&str>| {
        part.is_some_and(|part| part.starts_with(|c: char| c.is_ascii_digit()))
    };
    is_prefix
        && !prefix.contains(':')
        && is_number(parts.next())
        && is_number(parts.next())
        && is_number(parts.next())
}
