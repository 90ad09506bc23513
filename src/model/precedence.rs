//! Which of two versions is the newer one.
//!
//! The order is that of Semantic Versioning 2.0.0, section 11, taken further where versions are
//! none: any count of numbers (`1.2`, `20260107.10`), an optional `v`, what is written to a number
//! without a hyphen (`1.22rc1` comes before `1.22`, `1.0.2k` after `1.0.2`). Numbers compare as
//! numbers, whatever their length.

/// A version as it is compared. Versions that differ only in their build metadata, a leading `v`
/// or zeros at the end are equal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Precedence {
    /// Without zeros at its end.
    core: Vec<Number>,
    stage: Stage,
}

/// Where a version stands beside the one that is its numbers alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// `1.0.0-rc.1`
    Before(Vec<Identifier>),
    /// `1.0.0`
    Itself,
    /// `1.0.0k`
    After(Vec<Identifier>),
}

/// A part between two dots. Numbers come before words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Identifier {
    Number(Number),
    Word(String),
}

/// A number of any length: the longer one is the greater one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Number {
    digits: usize,
    text: String,
}

impl Number {
    /// Reads digits.
    fn of(text: &str) -> Self {
        let text = text.trim_start_matches('0').to_owned();
        Self { digits: text.len(), text }
    }
}

impl Precedence {
    /// Reads a version: what begins with a digit, or with `v` and a digit. `None` for everything
    /// else, and for a commit hash, which says nothing of its age.
    #[must_use]
    pub fn of(version: &str) -> Option<Self> {
        let is_hash = version.len() == 40 && version.bytes().all(|b| b.is_ascii_hexdigit());
        let text = version.strip_prefix('v').unwrap_or(version);
        if is_hash || !text.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let text = text.split('+').next().unwrap_or(text);
        let (core, rest) = text.split_at(core_length(text));
        let mut core: Vec<Number> = core.split('.').map(Number::of).collect();
        while core.last().is_some_and(|number| number.digits == 0) {
            core.pop();
        }
        Some(Self { core, stage: stage(rest) })
    }

    /// Its first number, without zeros before it: `2` of `v2.10.24`, nothing of `0.1.0`.
    #[must_use]
    pub fn major(&self) -> &str {
        self.core.first().map_or("", |number| &number.text)
    }

    /// Whether its numbers are those of `other`: `1.0.0-rc.1` and `1.0.0`.
    #[must_use]
    pub fn has_numbers_of(&self, other: &Self) -> bool {
        self.core == other.core
    }

    /// Whether it is no pre-release.
    #[must_use]
    pub fn is_stable(&self) -> bool {
        !matches!(self.stage, Stage::Before(_))
    }
}

/// How much of a version are numbers with dots between them.
fn core_length(text: &str) -> usize {
    let mut end = 0;
    for part in text.split('.') {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            break;
        }
        // Past the dot before this part, if it is not the first one.
        end += digits + usize::from(end > 0);
        if digits < part.len() {
            break;
        }
    }
    end
}

fn stage(rest: &str) -> Stage {
    if rest.is_empty() {
        return Stage::Itself;
    }
    if let Some(prerelease) = rest.strip_prefix('-') {
        return Stage::Before(prerelease.split('.').map(identifier).collect());
    }
    let parts = runs(rest);
    match is_before(&parts) {
        true => Stage::Before(parts),
        false => Stage::After(parts),
    }
}

fn identifier(text: &str) -> Identifier {
    match !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        true => Identifier::Number(Number::of(text)),
        false => Identifier::Word(text.to_owned()),
    }
}

/// Splits `rc1.dev2` into words and numbers.
fn runs(text: &str) -> Vec<Identifier> {
    let kind = |c: char| (c.is_ascii_digit(), c.is_ascii_alphabetic());
    let mut runs: Vec<String> = Vec::new();
    for c in text.chars() {
        match runs.last_mut() {
            Some(run) if run.chars().last().map(kind) == Some(kind(c)) => run.push(c),
            _ => runs.push(c.to_string()),
        }
    }
    let is_told = |run: &&String| run.starts_with(|c: char| c.is_ascii_alphanumeric());
    runs.iter().filter(is_told).map(|run| identifier(run)).collect()
}

/// Whether what follows the numbers announces them: `rc1`, `beta`, `a2`; and not `k`.
fn is_before(parts: &[Identifier]) -> bool {
    let Some(Identifier::Word(word)) = parts.first() else { return false };
    let word = word.to_ascii_lowercase();
    match word.as_str() {
        "rc" | "alpha" | "beta" | "pre" | "preview" | "dev" | "nightly" => true,
        "a" | "b" | "c" | "m" => matches!(parts.get(1), Some(Identifier::Number(_))),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> Precedence {
        Precedence::of(text).unwrap_or_else(|| panic!("{text} is a version"))
    }

    #[test]
    fn each_is_older_than_the_next() {
        for row in [
            // The example of the specification.
            "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0",
            "v1.9.0 v1.10.0-rc.2 v1.10.0-rc.10 v1.10.0 v1.10.1 v2.0.0 v10.0.0",
            "20251231.12 20260107.0 20260107.9 20260107.10 20260108.0",
            "1.21.9 1.22a1 1.22beta1 1.22rc1 1.22rc2 1.22rc10 1.22 1.22.0.1 1.22.1",
            "1.0.2 1.0.2a 1.0.2k 1.0.3",
            "1 1.0.1 1.1 2 99999999999999999999999 100000000000000000000000",
            "1.0.0-1 1.0.0-a 1.0.0-a.1 1.0.0-a-b",
        ] {
            let versions: Vec<_> = row.split(' ').collect();
            for (older, pair) in versions.iter().enumerate() {
                for newer in &versions[older + 1..] {
                    assert!(of(pair) < of(newer), "{pair} < {newer}");
                }
            }
        }
    }

    #[test]
    fn what_does_not_matter_does_not_count() {
        for (a, b) in [("v1.2.0", "1.2"), ("1.0.0+a", "1.0.0+b"), ("1.02", "1.2"), ("v0", "0.0.0")]
        {
            assert_eq!(of(a), of(b), "{a} {b}");
        }
    }

    #[test]
    fn what_is_no_version_has_no_place() {
        let hash = "1a".repeat(20);
        for text in ["", "main", "v", "vnext", "main-0123456789ab", hash.as_str()] {
            assert_eq!(Precedence::of(text), None, "{text}");
        }
    }

    #[test]
    fn pre_releases_are_not_stable() {
        assert!(
            of("v1.0.0").is_stable() && of("1.0.2k").is_stable() && of("20260107.0").is_stable()
        );
        assert!(!of("v1.0.0-rc.1").is_stable() && !of("1.22rc1").is_stable());
    }

    #[test]
    fn the_first_number_is_the_major_one() {
        for (version, major) in [("v2.10.24", "2"), ("0.1.0", ""), ("20260107.1", "20260107")] {
            assert_eq!(of(version).major(), major);
        }
        assert!(of("1.0.0-rc.1").has_numbers_of(&of("v1.0")));
        assert!(!of("1.0.0").has_numbers_of(&of("1.0.1")));
    }

    proptest! {
        #[test]
        fn numbers_compare_as_numbers(a in any::<[u32; 3]>(), b in any::<[u32; 3]>()) {
            let text = |v: [u32; 3]| format!("v{}.{}.{}", v[0], v[1], v[2]);
            prop_assert_eq!(of(&text(a)).cmp(&of(&text(b))), a.cmp(&b));
        }

        #[test]
        fn nothing_panics(text in "v?[0-9]{0,3}[-.+a-z0-9é]{0,12}") {
            let _ = Precedence::of(&text);
        }
    }
}
