//! What upstream has, and which of it is the newest. Pure.

use crate::{
    model::{Precedence, Series, Version},
    workspace::TagFormat,
};

/// What is listed under one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListedVersions {
    /// The name: a tag, or a version.
    pub name: String,
    /// Whether it is called a pre-release, whatever its name.
    pub is_pre: bool,
    /// Whether it was taken back: a crate that is yanked.
    pub is_withdrawn: bool,
}

impl ListedVersions {
    /// One of which no more than the name is known.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}

/// A version that can be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// As it is pinned.
    pub version: String,
    /// As it is listed.
    pub listed: ListedVersions,
}

/// All that can be had of one subsystem.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offers(Vec<Offer>);

/// What may be offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfferFilter {
    /// Pre-releases too.
    pub pre: bool,
    /// Another major version too.
    pub major: bool,
}

impl Offers {
    /// What of `listed` has the form of a version.
    pub fn from_listed(form: &TagFormat, listed: &[ListedVersions]) -> Self {
        let offer = |listed: &ListedVersions| {
            let version = form.version(&listed.name)?;
            Some(Offer { version, listed: listed.clone() })
        };
        Self(listed.iter().filter_map(offer).collect())
    }

    /// What of `listed` is a version as it is listed.
    pub fn as_listed(listed: &[ListedVersions]) -> Self {
        TagFormat::infer("0", "0").map(|form| Self::from_listed(&form, listed)).unwrap_or_default()
    }

    /// The offer of exactly `version`.
    pub fn get(&self, version: &str) -> Option<&Offer> {
        self.0.iter().find(|offer| offer.version == version)
    }

    /// Whether `version` moves by itself: a branch. What looks like one and is listed is a tag, such as
    /// `RELEASE.2025-04-22T22-12-26Z`.
    pub fn is_branch(&self, version: &Version) -> bool {
        version.is_moving() && self.get(version.as_str()).is_none()
    }

    /// All of their versions.
    pub fn versions(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.iter().map(|offer| offer.version.as_str())
    }

    /// Only what `other` has too.
    #[must_use]
    pub fn shared_with(mut self, other: &Self) -> Self {
        self.0.retain(|offer| other.get(&offer.version).is_some());
        self
    }

    /// The newest version that can take the place of `pinned`: with the same before its numbers, of the same
    /// flavour, a day if that is one. Pre-releases and other major versions are left out unless wished for;
    /// but where a pre-release is pinned, those of the same version count. A `pinned` that says nothing
    /// of its age, such as a branch, is like any.
    pub fn newest(&self, pinned: &str, wish: OfferFilter) -> Option<&Offer> {
        let series = Series::parse(pinned);
        let like = Precedence::beside(pinned, pinned);
        let ranked = self.0.iter().filter(|offer| !offer.listed.is_withdrawn).filter_map(|offer| {
            let Some((series, like)) = series.as_ref().zip(like.as_ref()) else {
                let own = Precedence::parse(&offer.version).filter(|own| !own.has_flavour())?;
                return (wish.pre || !is_pre(offer, &own)).then_some((own, offer));
            };
            let own = Precedence::beside(pinned, &offer.version)?;
            let goes_on = !like.is_stable() && own.has_numbers_of(like);
            let is_offered = Series::parse(&offer.version).as_ref() == Some(series)
                && (wish.pre || !is_pre(offer, &own) || goes_on)
                && (wish.major || series.is_day() || own.major() == like.major());
            is_offered.then_some((own, offer))
        });
        ranked.max_by(|a, b| a.0.cmp(&b.0)).map(|(_, offer)| offer)
    }
}

/// Whether it is called a pre-release, or its version says so.
fn is_pre(offer: &Offer, version: &Precedence) -> bool {
    offer.listed.is_pre || !version.is_stable()
}

/// Whether `version` comes after `pinned`; never, if one of them says nothing of its age, or if it is
/// of another series.
pub fn is_newer(version: &str, pinned: &str) -> bool {
    let is_alternative =
        Series::parse(version).is_some_and(|own| Series::parse(pinned) == Some(own));
    is_alternative && Precedence::beside(pinned, version) > Precedence::beside(pinned, pinned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn offers(versions: &str) -> Offers {
        let form = TagFormat::infer("0", "0").unwrap();
        let listed = |text: &str| {
            let name = text.trim_end_matches(['!', '~']).to_owned();
            let (is_pre, is_withdrawn) = (text.ends_with('~'), text.ends_with('!'));
            ListedVersions { name, is_pre, is_withdrawn }
        };
        let all: Vec<_> = versions.split(' ').map(listed).collect();
        Offers::from_listed(&form, &all)
    }

    #[test]
    fn the_newest_is_like_the_pinned_one() {
        const ANY: OfferFilter = OfferFilter { pre: false, major: true };
        const SAME: OfferFilter = OfferFilter { pre: false, major: false };
        const PRE: OfferFilter = OfferFilter { pre: true, major: true };
        for (listed, pinned, wish, newest) in [
            ("v1.0.0 v1.10.0 v1.9.0 v2.0.0", "v1.0.0", ANY, Some("v2.0.0")),
            ("v1.0.0 v1.10.0 v1.9.0 v2.0.0", "v1.0.0", SAME, Some("v1.10.0")),
            ("v1.0.0 v2.0.0-rc.1 v1.1.0~", "v1.0.0", ANY, Some("v1.0.0")),
            ("v1.0.0 v2.0.0-rc.1 v2.0.0-rc.10", "v1.0.0", PRE, Some("v2.0.0-rc.10")),
            ("2.0.0-rc.2 2.0.0-rc.1 3.0.0-a", "2.0.0-rc.1", ANY, Some("2.0.0-rc.2")),
            ("2.0.0-rc.2 2.0.0 3.0.0-a", "2.0.0-rc.1", ANY, Some("2.0.0")),
            ("v1.0.0 1.1.0 v20240101 v1.0.1!", "v1.0.0", ANY, Some("v1.0.0")),
            ("20260107.0 20260107.10 20260107.9 2.0.0", "20251231.1", SAME, Some("20260107.10")),
            ("0.1.0 0.2.0 1.0.0", "0.1.0", SAME, Some("0.2.0")),
            ("v1.0.0 v1.1.0 v2.0.0-rc", "main", ANY, Some("v1.1.0")),
            ("17.2 17.3-alpine 18+1-slim", "main", PRE, Some("17.2")),
            ("jdk-21+35 jdk-22+5-ea jdk-21+37-EA jdk-22-ea+6", "jdk-21+35", ANY, Some("jdk-21+35")),
            ("jdk-21+35 jdk-22+5-ea jdk-22-ea+6", "jdk-21+35", PRE, Some("jdk-22-ea+6")),
            ("jdk-21+34-ea jdk-21+35-ea jdk-22+1-ea", "jdk-21+34-ea", ANY, Some("jdk-21+35-ea")),
            ("jdk-21+35 jdk-21+36-alpine", "jdk-21+35", PRE, Some("jdk-21+35")),
            ("v2 nightly vnext", "1.0", ANY, None),
            ("v1.0.0-rc9 v1.0.0-rc10 v1.0.0-rc2", "v1.0.0-rc9", ANY, Some("v1.0.0-rc10")),
            ("5.0.0-M9 5.0.0-M12", "5.0.0-M9", ANY, Some("5.0.0-M12")),
            ("2024-12-30 2025-02-03 2025-01-06", "2024-12-30", SAME, Some("2025-02-03")),
            ("1.2.3-1 1.2.4-1 1.3.0-1", "1.2.3-1", ANY, Some("1.3.0-1")),
            ("1.2.3 1.2.3-1", "1.2.3", ANY, Some("1.2.3-1")),
            (
                "17.2-alpine 17.3-alpine 18.0 18.1-slim 17.4-rc1-alpine",
                "17.2-alpine",
                ANY,
                Some("17.3-alpine"),
            ),
            ("17.2 17.3-alpine 17.3-slim-bookworm", "17.2", PRE, Some("17.2")),
            ("17.2-slim 17.3-slim-bookworm", "17.2-slim", PRE, Some("17.2-slim")),
            ("16.2.0-ce.0 16.3.0-ee.0 16.3.0-rc1-ce.0", "16.1.0-ce.0", ANY, Some("16.2.0-ce.0")),
            (
                "v20240102-0a1b2c3 v20231231-fedcba9",
                "v20240101-abc123f",
                SAME,
                Some("v20240102-0a1b2c3"),
            ),
            (
                "4.4.0-debian-12-r10 4.4.1-debian-11-r0",
                "4.4.0-debian-12-r9",
                ANY,
                Some("4.4.0-debian-12-r10"),
            ),
            (
                "3.9.7-eclipse-temurin-17 3.9.8-eclipse-temurin-21",
                "3.9.6-eclipse-temurin-17",
                ANY,
                Some("3.9.7-eclipse-temurin-17"),
            ),
            ("12.1.0-cuda12.1 12.1.0-cuda11.8", "12.0.0-cuda11.8", ANY, Some("12.1.0-cuda11.8")),
            ("n7.0 n7.1 n7.2-dev v9 8.0", "n7.0", ANY, Some("n7.1")),
            ("cli/v1.2 cli/v1.10 lib/v9.0 v9.0", "cli/v1.2", ANY, Some("cli/v1.10")),
            ("jdk-21.0.2+13 jdk-21.0.2+7 jdk-22+36", "jdk-21.0.2+7", SAME, Some("jdk-21.0.2+13")),
            (
                "RELEASE.2025-04-22T22-12-26Z RELEASE.2025-05-24T17-08-30Z",
                "RELEASE.2025-04-22T22-12-26Z",
                SAME,
                Some("RELEASE.2025-05-24T17-08-30Z"),
            ),
        ] {
            let offers = offers(listed);
            let found = offers.newest(pinned, wish).map(|offer| offer.version.as_str());
            assert_eq!(found, newest, "{listed} for {pinned} {wish:?}");
        }
        let offers = offers("RELEASE.2025-04-22T22-12-26Z release-1.2 v1.0.0");
        for (version, is_branch) in [
            ("RELEASE.2025-04-22T22-12-26Z", false),
            ("release-1.2", false),
            ("v1.1.0", false),
            ("release-1.x", true),
            ("main", true),
        ] {
            assert_eq!(offers.is_branch(&Version::new(version).unwrap()), is_branch, "{version}");
        }
        assert!(is_newer("v1.10.0", "v1.9.0") && !is_newer("v1.9.0", "v1.9.0"));
        assert!(!is_newer("v1.9.0", "main") && !is_newer("main", "v1"));
    }

    proptest! {
        #[test]
        fn nothing_that_is_offered_is_newer_than_the_newest(
            numbers in prop::collection::vec((0u8..4, 0u8..12, any::<bool>()), 1..12),
            pinned in (0u8..4, 0u8..12),
            pre: bool,
            major: bool,
        ) {
            let text = |(a, b, is_pre): &(u8, u8, bool)| {
                format!("v{a}.{b}.0{}", if *is_pre { "-rc.1" } else { "" })
            };
            let all: Vec<_> = numbers.iter().map(text).collect();
            let offers = offers(&all.join(" "));
            let pinned = format!("v{}.{}.0", pinned.0, pinned.1);
            let newest = offers.newest(&pinned, OfferFilter { pre, major });
            let newest = newest.map(|offer| offer.version.clone());
            for version in &all {
                let fits = (pre || !version.contains("rc")) && (major || version[..3] == pinned[..3]);
                if fits {
                    prop_assert!(newest.as_ref().is_some_and(|newest| !is_newer(version, newest)));
                }
            }
        }
    }
}
