//! How releases and their assets are named: `<subsystem>-<version>`, unless the spec says another
//! `tag:`, and `<binary>-<platform>.tar.gz`.
//!
//! A release is never overwritten, so a recipe that changed at the same version gets a release
//! of its own: revision 2 of `nats-v2.10.24` is `nats-v2.10.24-r2`. The first revision has no
//! suffix, unless the version itself ends like one: `v1-r2` is first released as `v1-r2-r1`,
//! since `v1-r2` is the second revision of `v1`.

use std::{fmt, num::NonZeroU32, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{Name, Platform, check_release_name};

/// How an asset is packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the variants are the words themselves")]
pub enum Compression {
    #[default]
    TarGz,
    TarZst,
    Zip,
}

impl Compression {
    /// Every value, the default first.
    pub const ALL: &[Self] = &[Self::TarGz, Self::TarZst, Self::Zip];

    /// The file name extension, without the leading dot; also how manifests call it.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::TarGz => "tar.gz",
            Self::TarZst => "tar.zst",
            Self::Zip => "zip",
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.extension())
    }
}

impl FromStr for Compression {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|c| c.extension() == text).ok_or_else(|| {
            format!("`{text}` is not an archive format that forge packs; it packs tar.gz, tar.zst and zip")
        })
    }
}

/// How often the recipe of a version was released: the first time, the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Revision(NonZeroU32);

impl Default for Revision {
    fn default() -> Self {
        Self::FIRST
    }
}

impl FromStr for Revision {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.parse().ok().and_then(Self::new);
        number.ok_or_else(|| format!("`{text}` is not a revision; revisions are 1, 2, 3…"))
    }
}

impl Revision {
    /// The one without a suffix.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// The one with this number; there is none with number 0.
    #[must_use]
    pub fn new(number: u32) -> Option<Self> {
        NonZeroU32::new(number).map(Self)
    }

    /// Its number; the first is 1.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0.get()
    }

    /// The one after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Splits what follows the name in a tag into the label of the version and the revision.
    /// `None` if no release is called so: `v1-r1`.
    #[must_use]
    pub fn split(text: &str) -> Option<(&str, Self)> {
        match split_suffix(text) {
            None => Some((text, Self::FIRST)),
            Some((label, Self::FIRST)) if split_suffix(label).is_none() => None,
            Some(split) => Some(split),
        }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

/// Splits `v1-r2` at what looks like a revision. Digits that are not written as forge writes
/// them (`-r0`, `-r02`) belong to the version.
fn split_suffix(text: &str) -> Option<(&str, Revision)> {
    let (label, digits) = text.rsplit_once("-r")?;
    let revision = Revision::new(digits.parse().ok()?)?;
    let is_written_so = !label.is_empty() && digits == revision.number().to_string();
    is_written_so.then_some((label, revision))
}

/// What all tags of a subsystem's releases begin with: `nats-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TagStem(Box<str>);

impl TagStem {
    /// The longest that leaves room for every version behind it, in bytes: that of the longest name.
    const MOST_BYTES: usize = 101;

    /// The usual one: the name and a hyphen, and `+` for each `/` in the name, which no store takes.
    #[must_use]
    pub fn for_subsystem(name: &Name) -> Self {
        Self(format!("{}-", name.file_name()).into())
    }

    /// The stem `text`, which a version is written behind.
    ///
    /// # Errors
    /// When no release can be called so, whatever its version is: [`check_release_name`].
    pub fn new(text: &str) -> Result<Self, String> {
        let why = match check_release_name(&format!("{text}1")) {
            Err(why) => why,
            Ok(()) if text.len() > Self::MOST_BYTES => {
                format!(
                    "is longer than {} bytes, and leaves no room for a version",
                    Self::MOST_BYTES
                )
            }
            Ok(()) => return Ok(Self(text.into())),
        };
        Err(format!("`{}` cannot begin the name of a release: it {why}", text.escape_debug()))
    }

    /// The stem as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tag of a version's first release. `label` is [`super::Version::label`].
    #[must_use]
    pub fn first(&self, label: &str) -> String {
        self.revised(label, Revision::FIRST)
    }

    /// The tag of a release. `label` is [`super::Version::label`].
    #[must_use]
    pub fn revised(&self, label: &str, revision: Revision) -> String {
        if revision == Revision::FIRST && split_suffix(label).is_none() {
            format!("{}{label}", self.0)
        } else {
            format!("{}{label}-{revision}", self.0)
        }
    }

    /// What `tag` says, if it is the tag of a release of this stem: the label and the revision.
    #[must_use]
    pub fn read<'t>(&self, tag: &'t str) -> Option<(&'t str, Revision)> {
        let rest = tag.strip_prefix(&*self.0)?;
        Revision::split(rest).filter(|(label, _)| !label.is_empty())
    }
}

impl fmt::Display for TagStem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The file name of an asset. `binary` is the first binary of the subsystem.
/// Characters that release hosts would rewrite are replaced by `-`.
#[must_use]
pub fn asset_name(binary: &str, platform: Platform, compression: Compression) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "_+@.-".contains(c) { c } else { '-' };
    let binary: String = binary.chars().map(plain).collect();
    format!("{binary}-{platform}.{compression}")
}

/// The platform that an asset is for, by its name; `None` if it is not named as assets are.
#[must_use]
pub fn asset_platform(asset: &str) -> Option<Platform> {
    let stem =
        |compression: &Compression| asset.strip_suffix(compression.extension())?.strip_suffix('.');
    let (rest, arch) = Compression::ALL.iter().find_map(stem)?.rsplit_once('-')?;
    let (binary, os) = rest.rsplit_once('-')?;
    if binary.is_empty() { None } else { format!("{os}-{arch}").parse().ok() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::Version, *};

    #[test]
    fn names_follow_the_published_layout() {
        let stem = TagStem::for_subsystem(&Name::new("nats").unwrap());
        let platform = "linux-amd64".parse().unwrap();
        assert_eq!(stem.first("v2.10.24"), "nats-v2.10.24");
        assert_eq!(
            asset_name("nats-server", platform, Compression::TarGz),
            "nats-server-linux-amd64.tar.gz"
        );
        assert_eq!(asset_name("a b", platform, Compression::Zip), "a-b-linux-amd64.zip");
    }

    #[test]
    fn what_a_stem_begins_is_a_name_for_every_store() {
        let longest = Name::new(&"a".repeat(100)).unwrap();
        let nested = Name::new("aws/ecs").unwrap();
        assert_eq!(TagStem::for_subsystem(&nested).first("1.0.0"), "aws+ecs-1.0.0");
        let label = Version::new(&"m".repeat(100)).unwrap().label(Some(&"0".repeat(40)));
        for stem in [
            TagStem::for_subsystem(&longest),
            TagStem::for_subsystem(&nested),
            TagStem::new("").unwrap(),
        ] {
            let tag = stem.revised(&label, Revision::new(1000).unwrap());
            assert_eq!(check_release_name(&tag), Ok(()), "{tag}");
            assert_eq!(TagStem::new(stem.as_str()), Ok(stem));
        }
        for bad in ["api/v", "/", "a..", "-", "@", ".", "a~", "a b", &"a".repeat(102)] {
            let why = TagStem::new(bad).unwrap_err();
            assert!(why.starts_with(&format!("`{bad}` cannot begin the name of a release: it ")));
        }
        assert!(TagStem::new("a\u{1b}[2J").unwrap_err().starts_with("`a\\u{1b}[2J`"));
    }

    #[test]
    fn an_asset_tells_its_platform() {
        for compression in Compression::ALL {
            let platform = "darwin-arm64".parse().unwrap();
            assert_eq!(asset_platform(&asset_name("a-b", platform, *compression)), Some(platform));
        }
        for other in ["linux-amd64.tar.gz", "a-linux-amd64.tar.gz.sha256", "a-linux-x.zip", ""] {
            assert_eq!(asset_platform(other), None, "{other}");
        }
    }

    #[test]
    fn revisions_have_a_suffix_from_the_second_on() {
        let stem = TagStem::for_subsystem(&Name::new("nats").unwrap());
        let tag = |label, number| stem.revised(label, Revision::new(number).unwrap());
        for (label, number, written) in [
            ("v1", 1, "nats-v1"),
            ("v1", 2, "nats-v1-r2"),
            ("v1-r2", 1, "nats-v1-r2-r1"),
            ("v1-r2", 3, "nats-v1-r2-r3"),
            ("v1-r02", 1, "nats-v1-r02"),
            ("v1-r0", 2, "nats-v1-r0-r2"),
            ("v1-rc1", 1, "nats-v1-rc1"),
            ("v1-r4294967296", 1, "nats-v1-r4294967296"),
        ] {
            assert_eq!(tag(label, number), written);
            assert_eq!(stem.read(written), Some((label, Revision::new(number).unwrap())));
        }
        for other in ["nats", "nats-", "nats-v1-r1", "natsy-v1", "v1.0.0"] {
            assert_eq!(stem.read(other), None, "{other}");
        }
    }

    fn label() -> impl Strategy<Value = String> {
        let part = prop_oneof!["v[0-9]{1,2}", "-r[0-9]{1,3}", "-r1", "[a-z.]{1,3}", "-"];
        prop::collection::vec(part, 1..5).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn a_tag_means_one_label_and_one_revision(label in label(), number in 1u32..20) {
            let stem = TagStem::for_subsystem(&Name::new("a-b").unwrap());
            let revision = Revision::new(number).unwrap();
            let tag = stem.revised(&label, revision);
            prop_assert_eq!(stem.read(&tag), Some((label.as_str(), revision)));
        }

        #[test]
        fn what_is_read_is_written_the_same(rest in label()) {
            let stem = TagStem::for_subsystem(&Name::new("a").unwrap());
            let tag = format!("a-{rest}");
            if let Some((label, revision)) = stem.read(&tag) {
                prop_assert_eq!(stem.revised(label, revision), tag);
            }
        }
    }

    #[test]
    fn compressions_survive_the_round_trip() {
        for compression in Compression::ALL {
            assert_eq!(compression.to_string().parse(), Ok(*compression));
        }
        assert!("rar".parse::<Compression>().is_err());
    }
}
