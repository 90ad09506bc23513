//! Which of two versions is the newer one, and which versions are compared at all.
//!
//! The order is that of Semantic Versioning 2.0.0, section 11, taken further where people go beyond
//! it. A version is numbers, then parts behind hyphens or written to the numbers, then build metadata:
//!
//! | written | means | place |
//! |---|---|---|
//! | `-rc.1`, `-rc10`, `-M9`, `rc1`, `.RC1`, `-x.1` | a pre-release, its numbers compared as numbers | before the numbers alone |
//! | `-1`, `-r2`, `k`, `.Final`, `.post1` | a revision | after them |
//! | `-alpine`, `-alpine3.19`, `-slim-bookworm`, `-ce.0` | a flavour: another thing with the same number | compared only with its own |
//! | `-debian-12`, `-temurin-17`, `-cuda11.8` | a flavour of which each version is another one | compared only with its own |
//! | `-abc123f`, `-gabcdef0` | an abbreviated commit | none |
//! | `2024-12-30`, `2025-04-22T22-12-26Z` | a day, and a time | numbers |
//! | `+13`, `+k3s1` | a build that is counted | after all else |
//! | `+35-ea`, `+35-alpine` | behind a build that is counted, the same as behind the numbers | |
//!
//! Build metadata that is not counted (`+incompatible`, a hash), a leading `v`, and zeros at the end of
//! the numbers do not matter. Numbers compare as numbers, whatever their length; words without case.

/// A version as it is compared. The order is total over all versions, also of other flavours, so that lists
/// of any of them can be sorted; [`Series`] says which are alternatives to each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Precedence {
    /// Without zeros at its end.
    core: Vec<Number>,
    stage: VersionStage,
    flavour: Vec<Identifier>,
    /// The numbers of a build that is counted.
    build: Vec<Number>,
}

/// Where a version stands beside the one that is its numbers alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum VersionStage {
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
const EARLY: [&str; 30] = [
    "alpha",
    "beta",
    "canary",
    "candidate",
    "cr",
    "daily",
    "dev",
    "devel",
    "develop",
    "development",
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
    "tip",
    "trunk",
    "unstable",
    "weekly",
    "wip",
];
/// Letters that do so before a number.
const EARLY_LETTERS: [&str; 4] = ["a", "b", "c", "m"];
/// Words of what comes after a version, or says that it is out.
const LATE: [&str; 16] = [
    "build", "final", "fix", "ga", "hotfix", "p", "patch", "pl", "post", "r", "release", "rev",
    "revision", "sp", "stable", "u",
];

/// Editions, which are flavours also where a counter follows: `-ce.0`.
const EDITIONS: [&str; 9] =
    ["ce", "community", "ee", "ent", "enterprise", "fips", "lts", "oss", "pro"];
/// What something is made for or with, in versions of its own of which none takes the place of another.
const PLATFORMS: [&str; 29] = [
    "centos", "corretto", "cuda", "debian", "dotnet", "el", "fc", "fedora", "go", "golang", "java",
    "jdk", "jre", "node", "nodejs", "openjdk", "php", "pg", "postgres", "py", "python", "rhel",
    "rocky", "ruby", "scala", "temurin", "ubi", "ubuntu", "zulu",
];

impl Number {
    /// Reads digits.
    fn parse(text: &str) -> Self {
        let text = text.trim_start_matches('0').to_owned();
        Self { digits: text.len(), text }
    }
}

impl Precedence {
    /// Reads a version: what begins with a digit, or with `v` and a digit. `None` for everything
    /// else, and for a commit hash, which says nothing of its age.
    #[must_use]
    pub fn parse(version: &str) -> Option<Self> {
        let text = version.strip_prefix('v').unwrap_or(version);
        if is_hash(version) || !text.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let (text, build) = text.split_once('+').unwrap_or((text, ""));
        let (mut core, rest) = numbers(text);
        while core.last().is_some_and(|number| number.digits == 0) {
            core.pop();
        }
        let (build, behind) = read_build(build);
        let VersionParts { stage, flavour } = parts(&format!("{rest}{behind}"));
        Some(Self { core, stage, flavour, build })
    }

    /// Reads a version of which something stands before the numbers, as `pinned` has it: `cli/v1.2`
    /// beside `cli/v1.1`. `None` if that differs, or if the rest is not a version.
    #[must_use]
    pub fn beside(pinned: &str, version: &str) -> Option<Self> {
        let prefix = prefix(pinned);
        (prefix == self::prefix(version)).then(|| Self::parse(&version[prefix.len()..])).flatten()
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

    /// Whether it is of some flavour, another thing than the version of this number.
    #[must_use]
    pub fn has_flavour(&self) -> bool {
        !self.flavour.is_empty()
    }

    /// Whether it is not a pre-release.
    #[must_use]
    pub fn is_stable(&self) -> bool {
        !matches!(self.stage, VersionStage::Before(_))
    }
}

impl Series {
    /// That of a version; `None` if it has no numbers that say its age.
    #[must_use]
    pub fn parse(version: &str) -> Option<Self> {
        let prefix = prefix(version);
        let text = &version[prefix.len()..];
        let precedence = Precedence::parse(text)?;
        let is_day = precedence.major().len() >= DIGITS_OF_A_DAY || date(text).is_some();
        let flavour = series_of_flavour(&precedence.flavour);
        Some(Self { prefix: prefix.to_owned(), is_day, flavour })
    }

    /// Whether its numbers are days, which have no major version.
    #[must_use]
    pub fn is_day(&self) -> bool {
        self.is_day
    }
}

/// The words of a flavour, and of what has versions of its own the first two numbers.
fn series_of_flavour(flavour: &[Identifier]) -> Vec<String> {
    let mut series = Vec::new();
    let mut told = None;
    for (at, one) in flavour.iter().enumerate() {
        match one {
            Identifier::Word(word) => {
                told = has_versions(word).then_some(0);
                series.push(word.clone());
            }
            Identifier::Number(number) => {
                let is_alone = !matches!(flavour.get(at + 1), Some(Identifier::Number(_)));
                let is_revision = told == Some(0) && is_alone && is_small(&number.text);
                if let Some(count) = told.as_mut().filter(|count| **count < 2 && !is_revision) {
                    *count += 1;
                    series.push(number.text.clone());
                }
            }
        }
    }
    series
}

/// Whether `word` is something that has versions of its own.
fn has_versions(word: &str) -> bool {
    PLATFORMS.contains(&word)
}

/// Whether a number alone counts the revisions of what it stands behind (`-debian-1`): the platforms are
/// further on.
fn is_small(digits: &str) -> bool {
    matches!(digits.trim_start_matches('0'), "" | "1" | "2" | "3" | "4")
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
        return (core.split('.').map(Number::parse).collect(), rest);
    };
    // A count within the day: `2024-12-30.1`.
    let more = rest.strip_prefix('.').map_or(0, core_length);
    let counts = rest.get(1..=more).unwrap_or_default();
    let counts = counts.split('.').filter(|count| !count.is_empty()).map(Number::parse);
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
    let mut numbers: Vec<_> = [year, month, of_month].map(Number::parse).into();
    let Some(time) = rest.strip_prefix(['T', 't']) else { return Some((numbers, rest)) };
    let is_of_time = |c: char| c.is_ascii_digit() || "-_.:".contains(c);
    let end = time.find(|c| !is_of_time(c)).unwrap_or(time.len());
    let end = time[..end].trim_end_matches(|c: char| !c.is_ascii_digit()).len();
    // With and without separators a time is the same.
    let figures: String = time[..end].chars().filter(char::is_ascii_digit).collect();
    numbers.extend(
        figures.as_bytes().chunks(2).map(|two| Number::parse(&String::from_utf8_lossy(two))),
    );
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
struct VersionParts {
    stage: VersionStage,
    flavour: Vec<Identifier>,
}

/// What one part is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PartKind {
    Early,
    Late,
    Flavour,
    /// An abbreviated hash, which says nothing of its age.
    Commit,
}

/// Reads what stands behind the numbers.
fn parts(rest: &str) -> VersionParts {
    let (mut ids, mut flavour, mut first) = (Vec::new(), Vec::new(), None);
    if is_pseudo(rest) {
        return VersionParts { stage: VersionStage::Before(runs(rest)), flavour };
    }
    // Whether the part before is one of a flavour that has versions.
    let mut is_awaited = false;
    for (at, part) in rest.split('-').enumerate().filter(|(_, part)| !part.is_empty()) {
        let kind = match kind(part) {
            PartKind::Commit if at == 0 => PartKind::Flavour,
            kind => kind,
        };
        let is_version = is_awaited
            && part.split('.').all(|number| number.bytes().all(|b| b.is_ascii_digit()))
            && !is_small(part);
        is_awaited = kind == PartKind::Flavour && has_versions(&part.to_ascii_lowercase());
        match kind {
            _ if is_version => flavour.extend(runs(part)),
            PartKind::Commit => {}
            // What is written to the numbers is no other thing: `1.0.2k`.
            PartKind::Flavour if at == 0 => {
                ids.extend(runs(part));
                first = Some(PartKind::Late);
            }
            PartKind::Flavour => flavour.extend(runs(part)),
            kind => {
                ids.extend(runs(part));
                if kind == PartKind::Early || first.is_none() {
                    first = Some(kind);
                }
            }
        }
    }
    let stage = match first {
        Some(PartKind::Early) => VersionStage::Before(ids),
        Some(_) if !ids.is_empty() => VersionStage::After(ids),
        _ => VersionStage::Itself,
    };
    VersionParts { stage, flavour }
}

/// Whether `rest` is what go makes of a commit without a tag: `-20191109021931-daa7c04131f5`
/// (<https://go.dev/ref/mod#pseudo-versions>).
fn is_pseudo(rest: &str) -> bool {
    let Some((before, hash)) = rest.rsplit_once('-') else { return false };
    let time = before.rsplit(['-', '.']).next().unwrap_or_default();
    let is_time = time.len() == 14 && time.bytes().all(|b| b.is_ascii_digit());
    is_time && hash.len() == 12 && hash.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Whether one of the words of `text` announces what it stands behind: `0.3.rc1`, `nightly.20240101`. What
/// stands among the digits of a hash is not a word.
fn is_early(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| {
        let word = word.trim_matches(|c: char| c.is_ascii_digit()).to_ascii_lowercase();
        EARLY.contains(&word.as_str())
    })
}

/// What the part between two hyphens is.
fn kind(part: &str) -> PartKind {
    if is_early(part) {
        return PartKind::Early;
    }
    let runs = runs(part);
    let is_letter = |word: &str| EARLY_LETTERS.contains(&word) && runs.len() == 2;
    if is_commit(part) && !matches!(runs.first(), Some(Identifier::Word(word)) if is_letter(word)) {
        return PartKind::Commit;
    }
    let Some(Identifier::Word(word)) = runs.first() else { return PartKind::Late };
    let is_counted = matches!(runs.get(1), Some(Identifier::Number(_)));
    // SemVer's form of a pre-release, whatever it is called: `-staging.1`.
    let behind = part.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
    let is_dotted =
        behind.get(word.len()..).is_some_and(|rest| rest.starts_with('.')) && is_counted;
    match word.as_str() {
        word if EARLY_LETTERS.contains(&word) && is_counted => PartKind::Early,
        word if LATE.contains(&word) => PartKind::Late,
        word if EDITIONS.contains(&word) => PartKind::Flavour,
        _ if is_dotted => PartKind::Early,
        _ => PartKind::Flavour,
    }
}

/// Whether `part` is an abbreviated hash as git writes it, perhaps behind a `g`: seven hexadecimal
/// digits or more, letters and figures.
fn is_commit(part: &str) -> bool {
    let hash = part.strip_prefix('g').unwrap_or(part);
    let has_letter = hash.bytes().any(|b| b.is_ascii_alphabetic());
    (7..=40).contains(&hash.len())
        && hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        && hash.bytes().any(|b| b.is_ascii_digit())
        && (has_letter || hash.len() < part.len())
}

/// Build metadata: its numbers, if it is counted, and what follows them as it would follow the numbers of
/// the version (`35-ea`). Of what is not counted only that it is a pre-release (`nightly.20240101`).
fn read_build(build: &str) -> (Vec<Number>, String) {
    let (first, rest) = build.split_once('-').unwrap_or((build, ""));
    let numbers = counted(first);
    let behind = match numbers.is_empty() {
        false => rest,
        true if is_early(build) => build,
        true => "",
    };
    (numbers, if behind.is_empty() { String::new() } else { format!("-{behind}") })
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
        true => Identifier::Number(Number::parse(text)),
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
mod tests;
