//! Names of entries: which of them may become paths below a folder.

use super::objection::Objection;

/// Longest name, in bytes: what Linux allows for a path.
const LONGEST: usize = 4096;

/// The name of an entry that stays below the folder it is unpacked into: parts separated
/// by `/`, none of them empty, `.` or `..`. Empty for the folder itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EntryName(String);

impl EntryName {
    /// Checks a name as it stands in an archive.
    ///
    /// # Errors
    /// Why it is none.
    pub(super) fn parse(raw: &[u8]) -> Result<Self, Objection> {
        let unfit = |why| Err(Objection::unfit(why));
        if raw.len() > LONGEST {
            return unfit("has a name longer than any file system takes");
        }
        let name = std::str::from_utf8(raw)
            .map_err(|_| Objection::unfit("has a name that is not UTF-8"))?;
        if name.is_empty() {
            return unfit("has no name");
        }
        if name.chars().any(char::is_control) {
            return unfit("has a control character in its name");
        }
        let leaves = |why| Err(Objection::leaves(why));
        if name.starts_with('/') {
            return leaves("has an absolute path");
        }
        if name.contains('\\') {
            return leaves("has a backslash in its name, which leads elsewhere on Windows");
        }
        if has_drive(name) {
            return leaves("names a Windows drive");
        }
        let parts: Vec<_> = name.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        if parts.contains(&"..") {
            return leaves("climbs out of its folder with `..`");
        }
        Ok(Self(parts.join("/")))
    }

    /// The name without its first `parts` parts; `None` if nothing is left.
    pub(super) fn strip(self, parts: usize) -> Option<String> {
        let mut rest = self.0.as_str();
        for _ in 0..parts {
            rest = rest.split_once('/')?.1;
        }
        if rest.is_empty() { None } else { Some(rest.to_owned()) }
    }
}

/// Checks where a symbolic link at `link` points to: a relative path, first up (not above
/// the folder), then down. Up again after down is refused: the way down may lead
/// through another link, and then up is not where it came from.
///
/// # Errors
/// Why it leads nowhere below the folder.
pub(super) fn check_link(link: &str, target: &[u8]) -> Result<String, Objection> {
    let target = link_text(target)?;
    if target.starts_with('/') || target.contains('\\') || has_drive(target) {
        return Err(Objection::leaves("is a link to an absolute path"));
    }
    let mut depth = link.matches('/').count();
    let mut down = false;
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if down || depth == 0 => {
                return Err(Objection::leaves("is a link that leaves its folder"));
            }
            ".." => depth -= 1,
            _ => down = true,
        }
    }
    Ok(target.to_owned())
}

/// The target of a symbolic link as text, wherever it leads.
///
/// # Errors
/// Why it is not a name.
pub(super) fn link_text(target: &[u8]) -> Result<&str, Objection> {
    let target = std::str::from_utf8(target)
        .map_err(|_| Objection::unfit("is a link to a name that is not UTF-8"))?;
    if target.is_empty() || target.len() > LONGEST || target.chars().any(char::is_control) {
        return Err(Objection::unfit("is a link to something that is no name"));
    }
    Ok(target)
}

/// Whether `name` begins with a drive as in `C:`; on Windows, whether it has any colon
/// (which there begins the name of an alternate stream).
fn has_drive(name: &str) -> bool {
    let bytes = name.as_bytes();
    let drive = bytes.len() >= 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':';
    drive || (cfg!(windows) && bytes.contains(&b':'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::{Component, Path};

    fn stripped(name: &str, parts: usize) -> Option<String> {
        EntryName::parse(name.as_bytes()).unwrap().strip(parts)
    }

    #[test]
    fn plain_names_pass() {
        assert_eq!(stripped("bin/nats-server", 0).as_deref(), Some("bin/nats-server"));
        assert_eq!(stripped("./a//b/./c/", 0).as_deref(), Some("a/b/c"));
        assert_eq!(stripped("man/Foo::Bar.3", 0).as_deref(), Some("man/Foo::Bar.3"));
        assert_eq!(stripped("a..b/...", 0).as_deref(), Some("a..b/..."));
    }

    #[test]
    fn strip_drops_leading_parts_and_what_has_no_more() {
        assert_eq!(stripped("top/bin/a", 1).as_deref(), Some("bin/a"));
        assert_eq!(stripped("top/", 1), None);
        assert_eq!(stripped("./", 0), None);
    }

    #[test]
    fn hostile_names_do_not() {
        let bad: [&[u8]; 11] = [
            b"",
            b"..",
            b"../a",
            b"a/../../b",
            b"/etc/passwd",
            b"a\\b",
            b"C:/a",
            b"c:a",
            b"a\0b",
            b"a\x1b[2J",
            b"\xff",
        ];
        for name in bad {
            assert!(EntryName::parse(name).is_err(), "{}", name.escape_ascii());
        }
        assert!(EntryName::parse(&[b'a'; LONGEST + 1]).is_err());
    }

    #[test]
    fn links_stay_inside() {
        for (link, target) in
            [("a", "b"), ("bin/a", "../lib/b"), ("a/b/c", "../../x"), ("a", "."), ("a", "./b/c")]
        {
            assert_eq!(check_link(link, target.as_bytes()), Ok(target.to_owned()));
        }
        for (link, target) in [
            ("a", ".."),
            ("a", "../b"),
            ("bin/a", "../../b"),
            ("a", "/etc"),
            ("a", "C:\\x"),
            ("a", ""),
            ("a", "b\nc"),
            // Through `x/y/up -> ..` this would climb out, though the names look balanced.
            ("a", "x/y/up/../.."),
        ] {
            assert!(check_link(link, target.as_bytes()).is_err(), "{link} -> {target}");
        }
    }

    proptest! {
        #[test]
        fn whatever_passes_has_only_normal_parts(name in "[a./\\\\:C\u{1}é]{0,12}", parts in 0usize..3) {
            if let Ok(Some(path)) = EntryName::parse(name.as_bytes()).map(|name| name.strip(parts)) {
                prop_assert!(Path::new(&path).components().all(|c| matches!(c, Component::Normal(_))));
                prop_assert!(!path.is_empty());
            }
        }
    }
}
