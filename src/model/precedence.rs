//! Which of two versions is the newer one, and which versions are compared at all.
//!
//! The order is that of Semantic Versioning 2.0.0, section 11, taken further where people go beyond
//! it. A version is numbers, then parts behind hyphens or written to the numbers, then build metadata:
//!
//! | written | means | place |
//! |---|---|---|
//! | `-rc.1`, `-rc10`, `-M9`, `rc1`, `.RC1`, `-x.1` | a pre-release, its numbers compared as numbers | before the numbers alone |
//! | `-1`, `-r2`, `k`, `.Final`, `.post1` | a revision | after them |
//! | `-alpine`, `-alpine3.19`, `-slim-bookworm` | a flavour: another thing with the same number | compared only with its own |
//! | `2024-12-30`, `2025-04-22T22-12-26Z` | a day, and a time | numbers |
//! | `+13`, `+k3s1` | a build that is counted | after all else |
//!
//! Build metadata that is not counted (`+incompatible`, a hash), a leading `v`, and zeros at the end of
//! the numbers do not matter. Numbers compare as numbers, whatever their length; words without case.

/// A version as it is compared. The order is total over all versions, also of other flavours, so that lists
/// of any of them can be sorted; [`Series`] says which are alternatives to each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Precedence {
    /// Without zeros at its end.
    core: Vec<Number>,
    stage: Stage,
    flavour: Vec<Identifier>,
    /// The numbers of a build that is counted.
    build: Vec<Number>,
}

/// Where a version stands beside the one that is its numbers alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// `1.0.0-rc.1`
    Before(Vec<Identifier>),
    /// `1.0.0`
    Itself,
    /// `1.0.0k`, `1.0.0-1`
    After(Vec<Identifier>),
}

/// A word or a number among what follows the numbers. Numbers come before words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Identifier {
    Number(Number),
    /// In lower case.
    Word(String),
}

/// A number of any length: the longer one is the greater one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Number {
    digits: usize,
    text: String,
}

/// What versions have in common of which one can take the place of another: what stands before the
/// numbers, whether these are a day, and the flavour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    prefix: String,
    is_day: bool,
    flavour: Vec<String>,
}

/// From here on, the first number of a version is a day (`20260107.0`): no major version gets
/// that far.
const DIGITS_OF_A_DAY: usize = 6;
/// Words that announce what they stand behind.
const EARLY: [&str; 21] = [
    "alpha",
    "beta",
    "canary",
    "cr",
    "dev",
    "ea",
    "eap",
    "edge",
    "experimental",
    "insider",
    "insiders",
    "milestone",
    "next",
    "nightly",
    "pre",
    "prerelease",
    "preview",
    "rc",
    "snapshot",
    "test",
    "unstable",
];
/// Letters that do so before a number.
const EARLY_LETTERS: [&str; 4] = ["a", "b", "c", "m"];
/// Words of what comes after a version, or says that it is out.
const LATE: [&str; 16] = [
    "build", "final", "fix", "ga", "hotfix", "p", "patch", "pl", "post", "r", "release", "rev",
    "revision", "sp", "stable", "u",
];

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
        let text = version.strip_prefix('v').unwrap_or(version);
        if is_hash(version) || !text.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let (text, build) = text.split_once('+').unwrap_or((text, ""));
        let (mut core, rest) = numbers(text);
        while core.last().is_some_and(|number| number.digits == 0) {
            core.pop();
        }
        let Parts { stage, flavour } = parts(rest);
        Some(Self { core, stage, flavour, build: counted(build) })
    }

    /// Reads a version of which something stands before the numbers, as `pinned` has it: `cli/v1.2`
    /// beside `cli/v1.1`. `None` if that differs, or if the rest is no version.
    #[must_use]
    pub fn beside(pinned: &str, version: &str) -> Option<Self> {
        let prefix = prefix(pinned);
        (prefix == self::prefix(version)).then(|| Self::of(&version[prefix.len()..])).flatten()
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

impl Series {
    /// That of a version; `None` if it has no numbers that say its age.
    #[must_use]
    pub fn of(version: &str) -> Option<Self> {
        let prefix = prefix(version);
        let text = &version[prefix.len()..];
        let precedence = Precedence::of(text)?;
        let is_day = precedence.major().len() >= DIGITS_OF_A_DAY || date(text).is_some();
        let word = |one: Identifier| match one {
            Identifier::Word(word) => Some(word),
            Identifier::Number(_) => None,
        };
        let flavour = precedence.flavour.into_iter().filter_map(word).collect();
        Some(Self { prefix: prefix.to_owned(), is_day, flavour })
    }

    /// Whether its numbers are days, which have no major version.
    #[must_use]
    pub fn is_day(&self) -> bool {
        self.is_day
    }
}

/// What stands before the first number of a version: nothing, `v`, `release-`, `cli/v`. What has
/// no number is all of it.
#[must_use]
pub fn prefix(version: &str) -> &str {
    if is_hash(version) {
        return "";
    }
    &version[..version.find(|c: char| c.is_ascii_digit()).unwrap_or(version.len())]
}

fn is_hash(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The numbers that a version begins with, and what follows them.
fn numbers(text: &str) -> (Vec<Number>, &str) {
    let Some((numbers, rest)) = date(text) else {
        let (core, rest) = text.split_at(core_length(text));
        return (core.split('.').map(Number::of).collect(), rest);
    };
    // A count within the day: `2024-12-30.1`.
    let more = rest.strip_prefix('.').map_or(0, core_length);
    let counts = rest.get(1..=more).unwrap_or_default();
    let counts = counts.split('.').filter(|count| !count.is_empty()).map(Number::of);
    (numbers.into_iter().chain(counts).collect(), &rest[more + usize::from(more > 0)..])
}

/// Reads a day with hyphens, and a time behind a `T`: `2025-04-22T22-12-26Z`, `2025-04-22T221226`.
fn date(text: &str) -> Option<(Vec<Number>, &str)> {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let within = |text: &str, least: u8, most: u8| {
        digits(text) && text.parse().is_ok_and(|number: u8| (least..=most).contains(&number))
    };
    let day = text.get(..10)?;
    let mut parts = day.split('-');
    let (year, month, of_month) = (parts.next()?, parts.next()?, parts.next()?);
    let is_day = year.len() == 4
        && digits(year)
        && month.len() == 2
        && within(month, 1, 12)
        && within(of_month, 1, 31);
    let rest = &text[10..];
    if !is_day || rest.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut numbers: Vec<_> = [year, month, of_month].map(Number::of).into();
    let Some(time) = rest.strip_prefix(['T', 't']) else { return Some((numbers, rest)) };
    let is_of_time = |c: char| c.is_ascii_digit() || "-_.:".contains(c);
    let end = time.find(|c| !is_of_time(c)).unwrap_or(time.len());
    let end = time[..end].trim_end_matches(|c: char| !c.is_ascii_digit()).len();
    // With and without separators a time is the same.
    let figures: String = time[..end].chars().filter(char::is_ascii_digit).collect();
    numbers
        .extend(figures.as_bytes().chunks(2).map(|two| Number::of(&String::from_utf8_lossy(two))));
    let rest = &time[end..];
    Some((numbers, rest.strip_prefix(['Z', 'z']).unwrap_or(rest)))
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

/// What stands behind the numbers.
struct Parts {
    stage: Stage,
    flavour: Vec<Identifier>,
}

/// What one part is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Early,
    Late,
    Flavour,
}

/// Reads what stands behind the numbers.
fn parts(rest: &str) -> Parts {
    let (mut ids, mut flavour, mut first) = (Vec::new(), Vec::new(), None);
    if is_pseudo(rest) {
        return Parts { stage: Stage::Before(runs(rest)), flavour };
    }
    for (at, part) in rest.split('-').enumerate().filter(|(_, part)| !part.is_empty()) {
        match kind(part) {
            // What is written to the numbers is no other thing: `1.0.2k`.
            Kind::Flavour if at == 0 => {
                ids.extend(runs(part));
                first = Some(Kind::Late);
            }
            Kind::Flavour => flavour.extend(runs(part)),
            kind => {
                ids.extend(runs(part));
                if kind == Kind::Early || first.is_none() {
                    first = Some(kind);
                }
            }
        }
    }
    let stage = match first {
        Some(Kind::Early) => Stage::Before(ids),
        Some(_) if !ids.is_empty() => Stage::After(ids),
        _ => Stage::Itself,
    };
    Parts { stage, flavour }
}

/// Whether `rest` is what go makes of a commit without a tag: `-20191109021931-daa7c04131f5`
/// (<https://go.dev/ref/mod#pseudo-versions>).
fn is_pseudo(rest: &str) -> bool {
    let Some((before, hash)) = rest.rsplit_once('-') else { return false };
    let time = before.rsplit(['-', '.']).next().unwrap_or_default();
    let is_time = time.len() == 14 && time.bytes().all(|b| b.is_ascii_digit());
    is_time && hash.len() == 12 && hash.bytes().all(|b| b.is_ascii_hexdigit())
}

/// What the part between two hyphens is.
fn kind(part: &str) -> Kind {
    let runs = runs(part);
    let Some(Identifier::Word(word)) = runs.first() else { return Kind::Late };
    let is_counted = matches!(runs.get(1), Some(Identifier::Number(_)));
    // SemVer's form of a pre-release, whatever it is called: `-staging.1`.
    let behind = part.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
    let is_dotted =
        behind.get(word.len()..).is_some_and(|rest| rest.starts_with('.')) && is_counted;
    match word.as_str() {
        word if EARLY.contains(&word) => Kind::Early,
        word if EARLY_LETTERS.contains(&word) && is_counted => Kind::Early,
        word if LATE.contains(&word) => Kind::Late,
        _ if is_dotted => Kind::Early,
        _ => Kind::Flavour,
    }
}

/// The numbers of a build that is counted: `13`, `k3s2`. A hash is none.
fn counted(build: &str) -> Vec<Number> {
    const LONGEST: usize = 6;
    let is_number = build.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let is_name = build.len() <= LONGEST
        && build.bytes().all(|b| b.is_ascii_alphanumeric())
        && build.ends_with(|c: char| c.is_ascii_digit());
    if !is_number && !is_name {
        return Vec::new();
    }
    let number = |one: Identifier| match one {
        Identifier::Number(number) => Some(number),
        Identifier::Word(_) => None,
    };
    runs(build).into_iter().filter_map(number).collect()
}

fn identifier(text: &str) -> Identifier {
    match !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        true => Identifier::Number(Number::of(text)),
        false => Identifier::Word(text.to_ascii_lowercase()),
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
            // Pre-releases as people number them.
            "v1.0.0-rc1 v1.0.0-rc2 v1.0.0-rc9 v1.0.0-rc10 v1.0.0",
            "5.0.0-M9 5.0.0-M12 5.0.0-RC1 5.0.0-rc2 5.0.0",
            "1.0.0-beta-2 1.0.0-beta-10 1.0.0 1.0.1-SNAPSHOT 1.0.1",
            "6.0.0.Alpha2 6.0.0.Beta1 6.0.0.CR1 6.0.0.CR2 6.0.0.Final 6.0.0.SP1 6.0.1.Final",
            "1.3.0-dev.1 1.3.0-dev.10 1.3.0-staging.2 1.3.0",
            "1.0a1 1.0rc1 1.0 1.0.post1 1.0.post10",
            // Revisions.
            "1.2.3 1.2.3-1 1.2.3-2 1.2.3-10 1.2.4-1 1.3.0-1",
            "1.3.0-r1 1.3.0-r2 1.3.1-r0",
            // Days and times.
            "2024-12-30 2025-01-06 2025-02-03 2025-02-03-1 2025-02-03-2 2025-11-01",
            "2024-09-30 2024-10-01 2024-10-01.1 2024-10-01.2 2024-10-02",
            "2025-04-22T22-12-26Z 2025-04-22T22-15-00Z 2025-05-24T17-08-30Z",
            "20240108-1 20240108-2 20240108-10 20240109-1",
            // Builds that are counted.
            "21.0.2+7 21.0.2+13 21.0.3+1",
            "v1.30.2+k3s1 v1.30.2+k3s2 v1.30.3+k3s1",
            // What go makes of commits comes before what they lead to.
            "v0.0.0-20191109021931-daa7c04131f5 v0.0.0-20200101000000-000000000000 v0.0.0",
            "v1.2.3 v1.2.4-0.20191109021931-daa7c04131f5 v1.2.4",
            "17.2-alpine 17.3-alpine 17.10-alpine 18.0-rc1-alpine 18.0-alpine",
            "1.0-alpine3.9 1.0-alpine3.10 1.1-alpine3.9",
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
        for (a, b) in [
            ("v1.2.0", "1.2"),
            ("1.0.0+a", "1.0.0+b"),
            ("1.0.0+g1a2b3c4", "1.0.0+exp.sha.5114f85"),
            ("2.0.0+incompatible", "2.0.0"),
            ("1.02", "1.2"),
            ("v0", "0.0.0"),
            ("1.0.0-RC1", "1.0.0-rc.1"),
            ("2025-04-22T22-12-26Z", "2025-04-22T221226"),
        ] {
            assert_eq!(of(a), of(b), "{a} {b}");
        }
    }

    #[test]
    fn what_is_no_version_has_no_place() {
        let (hash, long) = ("1a".repeat(20), "1a".repeat(32));
        for text in ["", "main", "v", "vnext", "main-0123456789ab", "n7.1", &hash, &long] {
            assert_eq!(Precedence::of(text), None, "{text}");
        }
    }

    #[test]
    fn pre_releases_are_not_stable() {
        for stable in
            "v1.0.0 1.0.2k 20260107.0 2024-12-30 1.2.3-1 17.3-alpine 5.0.Final 1.0-p1".split(' ')
        {
            assert!(of(stable).is_stable(), "{stable}");
        }
        for early in
            "v1.0.0-rc.1 1.22rc1 1.0-M1 1.0-alpha 1.0-x.7.z.92 1.0-SNAPSHOT 18.0-rc1-alpine"
                .split(' ')
        {
            assert!(!of(early).is_stable(), "{early}");
        }
    }

    #[test]
    fn the_first_number_is_the_major_one() {
        for (version, major) in [("v2.10.24", "2"), ("0.1.0", ""), ("20260107.1", "20260107")] {
            assert_eq!(of(version).major(), major);
        }
        assert!(of("1.0.0-rc.1").has_numbers_of(&of("v1.0")));
        assert!(!of("1.0.0").has_numbers_of(&of("1.0.1")));
    }

    #[test]
    fn a_series_is_what_can_take_the_place_of_each_other() {
        let is_same = |a: &str, b: &str| Series::of(a).unwrap() == Series::of(b).unwrap();
        for row in [
            "v1.0.0 v2.3.0-rc1 v1.2.3-1 v2.0.0+incompatible",
            "17.2-alpine 17.3-alpine 17.3-rc1-alpine 17-alpine3.19",
            "17.3 18.0 18.0-1",
            "17.3-slim-bookworm 17.4-slim-bookworm",
            "2024-12-30 2025-02-03 20250203",
            "RELEASE.2025-04-22T22-12-26Z RELEASE.2025-05-24T17-08-30Z",
            "cli/v1.2 cli/v1.3.0-rc1",
            "n7.1 n7.2",
            "jdk-21.0.2+13 jdk-22.0.1+8",
        ] {
            let versions: Vec<_> = row.split(' ').collect();
            for pair in versions.windows(2) {
                assert!(is_same(pair[0], pair[1]), "{pair:?}");
            }
        }
        let firsts = "v1.0.0 17.2-alpine 17.3 17.3-slim-bookworm 17.3-bookworm 2024-12-30 \
                      RELEASE.2025-04-22T22-12-26Z cli/v1.2 n7.1 jdk-21.0.2+13";
        let firsts: Vec<_> = firsts.split_whitespace().collect();
        for (at, a) in firsts.iter().enumerate() {
            for b in &firsts[at + 1..] {
                assert!(!is_same(a, b), "{a} {b}");
            }
        }
        assert_eq!(Series::of("main"), None);
        assert_eq!(Series::of(&"1a".repeat(20)), None);
        let beside = |version| Precedence::beside("cli/v1.2", version);
        assert!(beside("cli/v1.9") < beside("cli/v1.10") && beside("cli/v1.9").is_some());
        assert_eq!((beside("lib/v1.9"), beside("1.9"), beside("main")), (None, None, None));
    }

    /// Versions of all shapes that people write.
    fn version() -> impl Strategy<Value = String> {
        let core = prop_oneof![
            "[0-9]{1,2}(\\.[0-9]{1,2}){0,3}",
            "20(09|2[0-9])-(0[1-9]|1[0-2])-[0-2][0-9](T[0-2][0-9]-[0-5][0-9]-[0-5][0-9]Z)?",
            "202[0-9](0[1-9]|1[0-2])[0-2][0-9](\\.[0-9]{1,2})?",
        ];
        let part = prop_oneof![
            "-(rc|M|beta|alpha|dev|x)[.-]?[0-9]{1,2}",
            "-[0-9]{1,2}",
            "-(alpine|slim|a|r|p|linux)([0-9]\\.[0-9])?",
            "(rc|k|a|\\.Final|\\.post)[0-9]{0,2}",
        ];
        let build = prop_oneof![Just(String::new()), "\\+(k3s)?[0-9]{1,2}", "\\+[0-9a-f]{8}"];
        ("v?", core, prop::collection::vec(part, 0..3), build)
            .prop_map(|(v, core, parts, build)| format!("{v}{core}{}{build}", parts.concat()))
    }

    proptest! {
        #[test]
        fn numbers_compare_as_numbers(a in any::<[u32; 3]>(), b in any::<[u32; 3]>()) {
            let text = |v: [u32; 3]| format!("v{}.{}.{}", v[0], v[1], v[2]);
            prop_assert_eq!(of(&text(a)).cmp(&of(&text(b))), a.cmp(&b));
        }

        #[test]
        fn what_is_numbered_goes_by_its_number(
            base in "v?[0-9]{1,2}\\.[0-9]{1,2}(\\.[0-9]{1,2})?",
            between in "-(rc|RC|M|beta|r|p|x)\\.?|-|rc|-alpine",
            a: u16,
            b: u16,
        ) {
            let text = |number: u16| format!("{base}{between}{number}");
            prop_assert_eq!(of(&text(a)).cmp(&of(&text(b))), a.cmp(&b));
        }

        #[test]
        fn the_order_is_total(a in version(), b in version(), c in version()) {
            let (x, y, z) = (of(&a), of(&b), of(&c));
            prop_assert_eq!(x.cmp(&y), y.cmp(&x).reverse());
            prop_assert!(!(x <= y && y <= z) || x <= z, "{} {} {}", a, b, c);
            prop_assert_eq!(x == y, x.cmp(&y).is_eq());
            prop_assert_eq!(of(&a), of(&a));
        }

        #[test]
        fn nothing_panics(text in "\\PC{0,3}v?[0-9]{0,5}[-.+TZa-z0-9é]{0,16}") {
            let _ = Precedence::of(&text);
            let _ = Series::of(&text);
            let _ = Precedence::beside("v1", &text);
        }
    }
}
