//! What files are called in the registry of packages, and back.

use crate::{
    model::{Fault, Kind, Sha256},
    store::blob::Blob,
};

/// The package that holds all assets, in a version for each tag.
pub(super) const PACKAGE: &str = "forge";

/// The most characters of a file's name, as the database of the host has it.
const MOST: usize = 255;

/// The name of a file: what is in it, and the asset that it is.
pub(super) fn name(blob: &Blob) -> String {
    format!("{}.{}.{}", blob.sha256, blob.size, blob.name)
}

/// What a file's name says: digest, size, asset.
pub(super) fn parse(name: &str) -> Option<(Sha256, u64, &str)> {
    let (digest, rest) = name.split_once('.')?;
    let (size, asset) = rest.split_once('.')?;
    Some((digest.parse().ok()?, size.parse().ok()?, asset))
}

/// A file's place in the registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PackagePath {
    pub(super) tag: String,
    pub(super) file: String,
}

impl PackagePath {
    /// The end of a URL that leads to one of forge's files: `…/packages/generic/forge/TAG/FILE`.
    pub(super) fn parse(url: &str) -> Option<Self> {
        let mut parts = url.rsplit('/');
        let (file, tag) = (parts.next()?, parts.next()?);
        let is_ours = [PACKAGE, "generic", "packages"].iter().all(|it| parts.next() == Some(it));
        is_ours.then(|| Self { tag: tag.to_owned(), file: file.to_owned() })
    }
}

/// Checks that the registry keeps the names of `blob` and of the package of `tag` as they are ("Valid
/// package filename format"; versions are those of Maven).
pub(super) fn check(tag: &str, blob: &Blob) -> Result<(), Fault> {
    let refused = |what: String, why: &str| {
        Err(Fault::new(Kind::Usage, what).because(why.to_owned()).hint("give it another name"))
    };
    if tag.contains('@') {
        let what = format!("GitLab takes no package for the tag {tag:?}");
        return refused(what, "its versions hold letters, digits, `.`, `_`, `+` and `-`");
    }
    if blob.name.ends_with(['~', '@']) || name(blob).len() > MOST {
        let what = format!("GitLab takes no file for the asset {:?}", blob.name);
        return refused(what, "such a file's name ends with `~` or `@`, or is too long");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_what_it_holds_and_only_forges_own_count() {
        let digest = "ab".repeat(32);
        let file = format!("{digest}.17.n-linux.tar.gz");
        let (sha256, size, asset) = parse(&file).unwrap();
        assert_eq!((sha256.to_string(), size, asset), (digest, 17, "n-linux.tar.gz"));
        for other in ["n.tar.gz", "abc.17.n", "17", ""] {
            assert_eq!(parse(other), None, "{other}");
        }
        let url = format!("https://h/api/v4/projects/g%2Fp/packages/generic/forge/n-v1/{file}");
        assert_eq!(PackagePath::parse(&url), Some(PackagePath { tag: "n-v1".into(), file }));
        for other in ["https://h/packages/generic/other/v1/f", "https://h/x/forge/v1/f", "f"] {
            assert_eq!(PackagePath::parse(other), None, "{other}");
        }
    }
}
