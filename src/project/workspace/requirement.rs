//! `forge:` in the manifest: which versions of forge the workspace works with.

use semver::{Prerelease, Version, VersionReq};

use crate::{
    manifest::{ManifestFile, Scalar},
    model::Diagnostic,
};

/// The version of this forge.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What is wrong if this forge is not one of those that `wanted`, in `file`, asks for.
pub fn unmet(wanted: &Scalar, file: &ManifestFile) -> Option<Diagnostic> {
    unmet_by(VERSION, wanted, file)
}

fn unmet_by(version: &str, wanted: &Scalar, file: &ManifestFile) -> Option<Diagnostic> {
    let span = file.span(wanted.bytes.clone());
    let text = &wanted.text;
    let Ok(required) = VersionReq::parse(text) else {
        let what = format!("`{text}` does not say which versions of forge are wanted");
        let help = "write it as `>=0.2`, `0.2` or `>=0.2, <0.4`";
        return Some(Diagnostic::new(span, what, "not a requirement").help(help));
    };
    // A release candidate has all that its release has.
    let is_met = Version::parse(version)
        .is_ok_and(|version| required.matches(&Version { pre: Prerelease::EMPTY, ..version }));
    if is_met {
        return None;
    }
    let what = format!("this workspace works with forge {text}, and this is forge {version}");
    let help =
        "`forge self-update` installs the newest forge, `forge self-update VERSION` a certain one";
    Some(Diagnostic::new(span, what, "another forge is asked for").help(help))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Quoting;

    fn told(version: &str, wanted: &str) -> Option<String> {
        let text = format!("forge: \"{wanted}\"\n");
        let file = ManifestFile::new("versions.yml".into(), text.into_bytes(), 100);
        let wanted =
            Scalar { text: wanted.into(), style: Quoting::Plain, bytes: 7..9 + wanted.len() };
        unmet_by(version, &wanted, &file).map(|wrong| wrong.what)
    }

    #[test]
    fn requirements_are_those_of_cargo() {
        for (version, wanted) in [
            ("0.2.0", ">=0.2"),
            ("0.2.9", "0.2"),
            ("0.2.0-rc.1", ">=0.2"),
            ("0.3.1", ">=0.2, <0.4"),
        ] {
            assert_eq!(told(version, wanted), None, "{version} {wanted}");
        }
        for (version, wanted) in [("0.1.9", ">=0.2"), ("0.3.0", "0.2"), ("1.0.0", "<1")] {
            let what = format!("works with forge {wanted}, and this is forge {version}");
            assert!(told(version, wanted).unwrap().contains(&what));
        }
        assert!(told("0.2.0", "newest").unwrap().contains("does not say which versions"));
    }
}
