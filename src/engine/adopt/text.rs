//! The text of a spec for a tool of others, and the templates in it. Pure.

use std::{collections::BTreeMap, fmt::Write as _};

use regex::Regex;

use crate::model::{Digest, Platform, Version};

/// What stands before the version in a tag, and the version.
pub fn version_in(tag: &str) -> Option<(&str, &str)> {
    const SHAPE: &str = r"^(.*?)(v?[0-9]+(?:\.[0-9A-Za-z]+)+(?:[-+][0-9A-Za-z.+-]*)?|v?[0-9]+)$";
    let found = Regex::new(SHAPE).ok()?.captures(tag)?;
    let (before, version) = (found.get(1)?.as_str(), found.get(2)?.as_str());
    let is_apart = before.is_empty() || before.ends_with(|c: char| !c.is_ascii_alphanumeric());
    let is_pin = Version::new(version).is_ok_and(|version| !version.is_moving());
    (is_apart && is_pin).then_some((before, version))
}

/// `text` with the version in it as templates.
pub fn with_version(text: &str, version: &str) -> String {
    let whole = text.replace(version, "{{ version }}");
    match version.strip_prefix('v') {
        Some(number) if number.contains('.') => whole.replace(number, "{{ version_number }}"),
        _ => whole,
    }
}

/// What an asset is called for each platform, in one template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameTemplate {
    /// The name, with `{{ platform }}` or the like where names differ.
    pub text: String,
    /// The words of platforms that are not forge's own.
    pub words: BTreeMap<Platform, String>,
}

impl NameTemplate {
    /// That of `names`, whose version is a template already.
    pub fn from_names(names: &BTreeMap<Platform, String>) -> Self {
        let all: Vec<&str> = names.values().map(String::as_str).collect();
        let Some(first) = all.first().filter(|_| names.len() > 1) else {
            let text = all.first().copied().unwrap_or_default().to_owned();
            return Self { text, words: BTreeMap::new() };
        };
        if all.iter().all(|name| name == first) {
            return Self { text: (*first).to_owned(), words: BTreeMap::new() };
        }
        let before = common_start(&all);
        let rest: Vec<String> =
            all.iter().map(|name| name[before.len()..].chars().rev().collect()).collect();
        let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
        let after: String = common_start(&rest).chars().rev().collect();
        let middle = |name: &str| name[before.len()..name.len() - after.len()].to_owned();
        let words: BTreeMap<Platform, String> =
            names.iter().map(|(platform, name)| (*platform, middle(name))).collect();
        for (form, template) in
            [("-", "{{ platform }}"), ("_", "{{ os }}_{{ arch }}"), (".", "{{ os }}.{{ arch }}")]
        {
            let is_own = |(platform, word): (&Platform, &String)| {
                *word == format!("{}{form}{}", platform.os, platform.arch)
            };
            if words.iter().all(is_own) {
                return Self { text: format!("{before}{template}{after}"), words: BTreeMap::new() };
            }
        }
        Self { text: format!("{before}{{{{ platform }}}}{after}"), words }
    }
}

/// What all of `names` begin with, up to where a word ends, outside of templates.
fn common_start<'n>(names: &[&'n str]) -> &'n str {
    let Some(first) = names.first() else { return "" };
    let same = |other: &&str| {
        first.bytes().zip(other.bytes()).take_while(|(one, another)| one == another).count()
    };
    let mut end = names.iter().map(same).min().unwrap_or(0);
    while end > 0 {
        let text = &first.as_bytes()[..end];
        let is_cut = matches!(text[end - 1], b'-' | b'_' | b'.');
        // A template in reverse has its braces the other way round.
        let open = text.windows(2).filter(|pair| matches!(*pair, b"{{" | b"}}")).count();
        if is_cut && open % 2 == 0 {
            return &first[..end];
        }
        end -= 1;
    }
    ""
}

/// How assets are verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpecDigest {
    /// By the file with checksums at this URL, a template.
    Published(String),
    /// By digests.
    Pinned(BTreeMap<Platform, Digest>),
}

/// A spec that takes its vendor's assets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamSpec {
    /// The command that writes it.
    pub command: String,
    /// The binaries, if they are not called as the subsystem is.
    pub binaries: Vec<String>,
    /// The URL, a template.
    pub url: String,
    /// The words of platforms.
    pub words: BTreeMap<Platform, String>,
    /// How they are verified.
    pub digest: SpecDigest,
    /// How many folders are dropped.
    pub strip: usize,
    /// Binaries that are called otherwise in the archive.
    pub paths: BTreeMap<String, String>,
}

impl UpstreamSpec {
    /// The text of the spec.
    pub fn text(&self) -> String {
        let mut text = head(&self.command, &self.binaries);
        let _ = write!(text, "upstream:\n  url: {}\n", self.url);
        match &self.digest {
            SpecDigest::Published(url) => {
                let _ = writeln!(text, "  sha256: {url}");
            }
            SpecDigest::Pinned(digests) => {
                text.push_str("  sha256:\n");
                for (platform, digest) in digests {
                    let _ = writeln!(text, "    {platform}: {digest}");
                }
            }
        }
        if !self.words.is_empty() {
            text.push_str("  platform:\n");
            for (platform, word) in &self.words {
                let _ = writeln!(text, "    {platform}: {}", quoted(word));
            }
        }
        if self.strip > 0 {
            let _ = writeln!(text, "  strip: {}", self.strip);
        }
        if !self.paths.is_empty() {
            text.push_str("  paths:\n");
            for (binary, path) in &self.paths {
                let _ = writeln!(text, "    {}: {}", quoted(binary), quoted(path));
            }
        }
        text
    }
}

/// The text of a spec that `command` writes, and that builds with `preset: {install: what}`.
pub fn install_spec(command: &str, binaries: &[String], preset: &str, what: &str) -> String {
    format!("{}build: {{ {preset}: {{ install: {} }} }}\n", head(command, binaries), quoted(what))
}

fn head(command: &str, binaries: &[String]) -> String {
    let mut text = format!("# Added by `{command}`.\n");
    let names: Vec<String> = binaries.iter().map(|name| quoted(name)).collect();
    match names.as_slice() {
        [] => {}
        [one] => text.push_str(&format!("binary: {one}\n")),
        several => text.push_str(&format!("binary: [{}]\n", several.join(", "))),
    }
    text
}

/// A version as a manifest writes it: versions are read as they are written.
pub fn quoted_version(version: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./+".contains(c);
    match version.chars().all(is_plain) {
        true => version.to_owned(),
        false => quoted(version),
    }
}

/// As YAML takes it for text.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./@+".contains(c);
    let begins_plain = text.starts_with(|c: char| c.is_ascii_alphabetic());
    match begins_plain && text.chars().all(is_plain) && !matches!(text, "null" | "true" | "false") {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_a_tag_is_found() {
        for (tag, parts) in [
            ("v4.44.3", Some(("", "v4.44.3"))),
            ("jq-1.7.1", Some(("jq-", "1.7.1"))),
            ("kustomize/v5.5.0", Some(("kustomize/", "v5.5.0"))),
            ("bun-v1.1.34", Some(("bun-", "v1.1.34"))),
            ("version_119", Some(("version_", "119"))),
            ("v1.0.0-rc.1", Some(("", "v1.0.0-rc.1"))),
            ("14.1.1", Some(("", "14.1.1"))),
            ("2024.11.0", Some(("", "2024.11.0"))),
            ("latest", None),
            ("nightly", None),
        ] {
            assert_eq!(version_in(tag), parts, "{tag}");
        }
    }

    fn template(names: &[(&str, &str)]) -> (String, Vec<String>) {
        let names: BTreeMap<Platform, String> = names
            .iter()
            .map(|(platform, name)| (platform.parse().unwrap(), (*name).to_owned()))
            .collect();
        let made = NameTemplate::from_names(&names);
        (
            made.text,
            made.words.into_iter().map(|(platform, word)| format!("{platform}={word}")).collect(),
        )
    }

    #[test]
    fn what_differs_between_platforms_becomes_a_word() {
        let own = [
            ("linux-amd64", "age-{{ version }}-linux-amd64.tar.gz"),
            ("darwin-arm64", "age-{{ version }}-darwin-arm64.tar.gz"),
        ];
        assert_eq!(template(&own), ("age-{{ version }}-{{ platform }}.tar.gz".into(), vec![]));
        let joined = [("linux-amd64", "yq_linux_amd64"), ("darwin-arm64", "yq_darwin_arm64")];
        assert_eq!(template(&joined), ("yq_{{ os }}_{{ arch }}".into(), vec![]));
        let words = [
            ("linux-amd64", "rg-{{ version }}-x86_64-unknown-linux-musl.tar.gz"),
            ("windows-amd64", "rg-{{ version }}-x86_64-pc-windows-msvc.zip"),
        ];
        assert_eq!(
            template(&words),
            (
                "rg-{{ version }}-x86_64-{{ platform }}".into(),
                vec![
                    "linux-amd64=unknown-linux-musl.tar.gz".into(),
                    "windows-amd64=pc-windows-msvc.zip".into()
                ]
            )
        );
        let one = [("linux-amd64", "x-linux")];
        assert_eq!(template(&one), ("x-linux".into(), vec![]));
    }

    #[test]
    fn versions_become_templates() {
        assert_eq!(with_version("gh_2.62.0_linux", "v2.62.0"), "gh_{{ version_number }}_linux");
        assert_eq!(with_version("age-v1.2.0-linux", "v1.2.0"), "age-{{ version }}-linux");
        assert_eq!(with_version("jq-linux-amd64", "1.7.1"), "jq-linux-amd64");
        assert_eq!(with_version("rg-14.1.1-x", "14.1.1"), "rg-{{ version }}-x");
    }

    #[test]
    fn the_text_is_a_spec() {
        let spec = UpstreamSpec {
            command: "forge add github:BurntSushi/ripgrep".into(),
            binaries: vec!["rg".into()],
            url: "https://github.com/a/b/releases/download/{{ version }}/rg-{{ platform }}".into(),
            words: [("linux-amd64".parse().unwrap(), "x86_64-linux.tar.gz".into())].into(),
            digest: SpecDigest::Published("https://x/sums.txt".into()),
            strip: 1,
            paths: BTreeMap::new(),
        };
        assert_eq!(
            spec.text(),
            "# Added by `forge add github:BurntSushi/ripgrep`.\nbinary: rg\nupstream:\n  url: https://github.com/a/b/releases/download/{{ version }}/rg-{{ platform }}\n  sha256: https://x/sums.txt\n  platform:\n    linux-amd64: x86_64-linux.tar.gz\n  strip: 1\n"
        );
        assert_eq!(
            install_spec("forge add go:a.b/c", &[], "go", "a.b/c"),
            "# Added by `forge add go:a.b/c`.\nbuild: { go: { install: a.b/c } }\n"
        );
    }
}
