//! How releases and their assets are named: `<subsystem>-<version>` and
//! `<binary>-<platform>.tar.gz`.

use std::{fmt, str::FromStr};

use super::{Name, Platform};

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
            format!("`{text}` is no archive format forge packs; it packs tar.gz, tar.zst and zip")
        })
    }
}

/// The tag of a release. `label` is [`super::Version::label`].
#[must_use]
pub fn tag_name(name: &Name, label: &str) -> String {
    format!("{name}-{label}")
}

/// The file name of an asset. `binary` is the first binary of the subsystem.
/// Characters that release hosts would rewrite are replaced by `-`.
#[must_use]
pub fn asset_name(binary: &str, platform: Platform, compression: Compression) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "_+@.-".contains(c) { c } else { '-' };
    let binary: String = binary.chars().map(plain).collect();
    format!("{binary}-{platform}.{compression}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_published_layout() {
        let name = Name::new("nats").unwrap();
        let platform = "linux-amd64".parse().unwrap();
        assert_eq!(tag_name(&name, "v2.10.24"), "nats-v2.10.24");
        assert_eq!(
            asset_name("nats-server", platform, Compression::TarGz),
            "nats-server-linux-amd64.tar.gz"
        );
        assert_eq!(asset_name("a b", platform, Compression::Zip), "a-b-linux-amd64.zip");
    }

    #[test]
    fn compressions_survive_the_round_trip() {
        for compression in Compression::ALL {
            assert_eq!(compression.to_string().parse(), Ok(*compression));
        }
        assert!("rar".parse::<Compression>().is_err());
    }
}
