//! What upstream has, and which of it is the newest. Pure.

use crate::{model::Precedence, workspace::Form};

/// What is listed under one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// The name: a tag, or a version.
    pub name: String,
    /// Whether it is called a pre-release, whatever its name.
    pub is_pre: bool,
    /// Whether it was taken back: a crate that is yanked.
    pub is_withdrawn: bool,
}

impl Listed {
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
    pub listed: Listed,
}

/// All that can be had of one subsystem.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offers(Vec<Offer>);

/// What may be offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Pre-releases too.
    pub pre: bool,
    /// Another major version too.
    pub major: bool,
}

/// From here on, the first number of a version is a day (`20260107.0`): no major version gets
/// that far.
const DIGITS_OF_A_DAY: usize = 6;

impl Offers {
    /// What of `listed` has the form of a version.
    pub fn of(form: &Form, listed: &[Listed]) -> Self {
        let offer = |listed: &Listed| {
            let version = form.version(&listed.name)?;
            Some(Offer { version, listed: listed.clone() })
        };
        Self(listed.iter().filter_map(offer).collect())
    }

    /// The offer of exactly `version`.
    pub fn get(&self, version: &str) -> Option<&Offer> {
        self.0.iter().find(|offer| offer.version == version)
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

    /// The newest version like `pinned`: with or without a `v` as that one is, a day if that is one.
    /// Pre-releases and other major versions are left out unless wished for; but where a pre-release
    /// is pinned, those of the same version count. A `pinned` that says nothing of its age, such as
    /// a branch, is like any.
    pub fn newest(&self, pinned: &str, wish: Wish) -> Option<&Offer> {
        let like = Precedence::of(pinned);
        let ranked = self.0.iter().filter(|offer| !offer.listed.is_withdrawn).filter_map(|offer| {
            let own = Precedence::of(&offer.version)?;
            let is_pre = offer.listed.is_pre || !own.is_stable();
            let is_offered = match &like {
                None => wish.pre || !is_pre,
                Some(like) => {
                    let goes_on = !like.is_stable() && own.has_numbers_of(like);
                    is_alike(pinned, like, &offer.version, &own)
                        && (wish.pre || !is_pre || goes_on)
                        && (wish.major || is_day(like) || own.major() == like.major())
                }
            };
            is_offered.then_some((own, offer))
        });
        ranked.max_by(|a, b| a.0.cmp(&b.0)).map(|(_, offer)| offer)
    }
}

/// Whether `version` comes after `pinned`; never, if one of them says nothing of its age.
pub fn is_newer(version: &str, pinned: &str) -> bool {
    match (Precedence::of(version), Precedence::of(pinned)) {
        (Some(version), Some(pinned)) => version > pinned,
        _ => false,
    }
}

fn is_alike(a: &str, of_a: &Precedence, b: &str, of_b: &Precedence) -> bool {
    a.starts_with('v') == b.starts_with('v') && is_day(of_a) == is_day(of_b)
}

fn is_day(version: &Precedence) -> bool {
    version.major().len() >= DIGITS_OF_A_DAY
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn offers(versions: &str) -> Offers {
        let form = Form::of("0", "0").unwrap();
        let listed = |text: &str| {
            let name = text.trim_end_matches(['!', '~']).to_owned();
            let (is_pre, is_withdrawn) = (text.ends_with('~'), text.ends_with('!'));
            Listed { name, is_pre, is_withdrawn }
        };
        let all: Vec<_> = versions.split(' ').map(listed).collect();
        Offers::of(&form, &all)
    }

    #[test]
    fn the_newest_is_like_the_pinned_one() {
        const ANY: Wish = Wish { pre: false, major: true };
        const SAME: Wish = Wish { pre: false, major: false };
        const PRE: Wish = Wish { pre: true, major: true };
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
            ("v2 nightly vnext", "1.0", ANY, None),
        ] {
            let offers = offers(listed);
            let found = offers.newest(pinned, wish).map(|offer| offer.version.as_str());
            assert_eq!(found, newest, "{listed} for {pinned} {wish:?}");
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
            let newest = offers.newest(&pinned, Wish { pre, major });
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
