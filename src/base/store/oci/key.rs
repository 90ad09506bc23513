//! Releases and assets as tags: the asset `N` of the release `T` is tagged `esc(T)_.esc(N)`, where
//! `esc` writes what a tag cannot have, and `_` itself, behind a `_`.

use crate::model::oci::check_image_tag;

/// What stands between a release and its asset.
const BETWEEN: &str = "_.";

/// The tag of the asset `name` of `release`.
///
/// # Errors
/// If it is longer than tags can be, as the end of a sentence.
pub(super) fn tag(release: &str, name: &str) -> Result<String, String> {
    let tag = format!("{}{}", beginning(release), escaped(name));
    match check_image_tag(&tag) {
        Ok(()) => Ok(tag),
        Err(_) => {
            Err(format!("as a tag it has {} characters, and a tag has at most 128", tag.len()))
        }
    }
}

/// What the tags of all assets of `release` begin with.
pub(super) fn beginning(release: &str) -> String {
    escaped(release) + BETWEEN
}

/// The release and the asset that `tag` stands for; nothing if it is not an asset's.
pub(super) fn parse(tag: &str) -> Option<(String, String)> {
    let (mut parts, mut part) = (Vec::new(), String::new());
    let mut rest = tag.chars();
    while let Some(c) = rest.next() {
        if c != '_' {
            part.push(c);
            continue;
        }
        match rest.next()? {
            '_' => part.push('_'),
            'p' => part.push('+'),
            'a' => part.push('@'),
            '.' => parts.push(std::mem::take(&mut part)),
            _ => return None,
        }
    }
    match parts.as_mut_slice() {
        [release] => Some((std::mem::take(release), part)),
        _ => None,
    }
}

fn escaped(text: &str) -> String {
    text.replace('_', "__").replace('+', "_p").replace('@', "_a")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tags_are_readable() {
        assert_eq!(
            tag("nats-v2.10.24", "nats-linux-amd64.tar.gz").unwrap(),
            "nats-v2.10.24_.nats-linux-amd64.tar.gz"
        );
        assert_eq!(tag("a_b-v1+2", "x@y").unwrap(), "a__b-v1_p2_.x_ay");
        assert!(tag(&"a".repeat(80), &"b".repeat(60)).unwrap_err().contains("142 characters"));
        for other in ["latest", "v1", "a_b", "a_", "a_.b_.c", ""] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn every_name_comes_back(release in "[a-z0-9][a-zA-Z0-9._+@-]{0,30}", name in "[a-zA-Z0-9_+@-][a-zA-Z0-9._+@-]{0,30}") {
            prop_assert_eq!(parse(&tag(&release, &name).unwrap()), Some((release, name)));
        }
    }
}
