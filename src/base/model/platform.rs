//! Platforms in Go's names: `linux-amd64`, `darwin-arm64`, `windows-amd64`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "the variants are the words themselves")]
        pub enum $name { $($variant),+ }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word that stands for this value everywhere in forge.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            fn from_word(word: &str) -> Option<Self> {
                match word { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

words! {
    /// An operating system, by its `GOOS` name.
    Os { Linux = "linux", Darwin = "darwin", Windows = "windows", Freebsd = "freebsd" }
}
words! {
    /// A processor architecture, by its `GOARCH` name.
    Arch { Amd64 = "amd64", Arm64 = "arm64", Arm = "arm", I386 = "386", Riscv64 = "riscv64",
           Ppc64le = "ppc64le", S390x = "s390x", Loong64 = "loong64" }
}

/// What a binary runs on: `<os>-<arch>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[allow(missing_docs, reason = "the fields are the words themselves")]
pub struct Platform {
    pub os: Os,
    pub arch: Arch,
}

impl Platform {
    /// The platform this forge was built for.
    ///
    /// # Panics
    /// Never on a platform that forge can be built for: the list of words covers them.
    #[must_use]
    pub fn host() -> Self {
        let os = match std::env::consts::OS {
            "macos" => Os::Darwin,
            other => Os::from_word(other).unwrap_or(Os::Linux),
        };
        let arch = match std::env::consts::ARCH {
            "x86_64" => Arch::Amd64,
            "aarch64" => Arch::Arm64,
            "x86" => Arch::I386,
            "powerpc64" => Arch::Ppc64le,
            "loongarch64" => Arch::Loong64,
            other => Arch::from_word(other).unwrap_or(Arch::Amd64),
        };
        Self { os, arch }
    }

    /// What Rust calls it (`rustc --print target-list`), in the flavour that most machines are of.
    #[must_use]
    pub fn rust_target(self) -> String {
        let arch = match self.arch {
            Arch::Amd64 => "x86_64",
            Arch::Arm64 => "aarch64",
            Arch::Arm => "armv7",
            Arch::I386 => "i686",
            Arch::Riscv64 => "riscv64gc",
            Arch::Ppc64le => "powerpc64le",
            Arch::S390x => "s390x",
            Arch::Loong64 => "loongarch64",
        };
        let system = match (self.os, self.arch) {
            (Os::Linux, Arch::Arm) => "unknown-linux-gnueabihf",
            (Os::Linux, _) => "unknown-linux-gnu",
            (Os::Darwin, _) => "apple-darwin",
            (Os::Windows, _) => "pc-windows-msvc",
            (Os::Freebsd, _) => "unknown-freebsd",
        };
        format!("{arch}-{system}")
    }

    /// The file name of a program called `binary` on this platform.
    #[must_use]
    pub fn executable(self, binary: &str) -> String {
        match self.os {
            Os::Windows if !binary.ends_with(".exe") => format!("{binary}.exe"),
            _ => binary.to_owned(),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}-{}", self.os, self.arch))
    }
}

impl FromStr for Platform {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let list = |words: Vec<&str>| words.join(", ");
        let (os, arch) = text.split_once('-').ok_or_else(|| {
            format!("`{text}` is not a platform; write `<os>-<arch>`, for instance `linux-amd64`")
        })?;
        let os = Os::from_word(os).ok_or_else(|| {
            let known = list(Os::ALL.iter().map(|os| os.as_str()).collect());
            format!("`{os}` is not an operating system forge knows; it knows {known}")
        })?;
        let arch = Arch::from_word(arch).ok_or_else(|| {
            let known = list(Arch::ALL.iter().map(|arch| arch.as_str()).collect());
            format!("`{arch}` is not an architecture forge knows; it knows {known}")
        })?;
        Ok(Self { os, arch })
    }
}

impl TryFrom<String> for Platform {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Platform> for String {
    fn from(platform: Platform) -> Self {
        platform.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_platform_survives_the_round_trip() {
        for &os in Os::ALL {
            for &arch in Arch::ALL {
                let platform = Platform { os, arch };
                assert_eq!(platform.to_string().parse::<Platform>().unwrap(), platform);
            }
        }
    }

    #[test]
    fn other_spellings_are_refused_with_the_known_ones() {
        assert!("linux".parse::<Platform>().unwrap_err().contains("linux-amd64"));
        assert!("linux-x86_64".parse::<Platform>().unwrap_err().contains("amd64"));
        assert!("macos-arm64".parse::<Platform>().unwrap_err().contains("darwin"));
    }

    #[test]
    fn windows_programs_end_in_exe() {
        let windows: Platform = "windows-amd64".parse().unwrap();
        assert_eq!(windows.executable("nats"), "nats.exe");
        assert_eq!(windows.executable("nats.exe"), "nats.exe");
    }
}
