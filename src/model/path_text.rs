//! Paths as text. Names of files are bytes, while keys, records, JSON and messages hold text: what
//! is not UTF-8 becomes an escape, so that different names stay different and each can be read back.
//!
//! A byte that is not part of UTF-8 becomes `\xE9`, and a backslash becomes `\\`. All else, which is
//! nearly everything, stays as it is.

use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Component, Path, PathBuf},
};

/// The text for a path.
#[must_use]
pub fn path_to_text(path: &Path) -> String {
    bytes_to_text(path.as_os_str().as_bytes())
}

/// The text for a path that is given as bytes.
#[must_use]
pub fn bytes_to_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        match chunk.valid().contains('\\') {
            true => text.push_str(&chunk.valid().replace('\\', r"\\")),
            false => text.push_str(chunk.valid()),
        }
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02X}")));
    }
    text
}

/// The path that a text stands for. What is not an escape stays as it is.
#[must_use]
pub fn text_to_path(text: &str) -> PathBuf {
    if !text.contains('\\') {
        return PathBuf::from(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let hexadecimal = after.strip_prefix('x').and_then(|digits| digits.get(..2));
        let byte = hexadecimal.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        rest = match byte {
            Some(byte) => {
                bytes.push(byte);
                &after[3..]
            }
            None => {
                bytes.push(b'\\');
                after.strip_prefix('\\').unwrap_or(after)
            }
        };
    }
    bytes.extend_from_slice(rest.as_bytes());
    OsString::from_vec(bytes).into()
}

/// `path` without `.` and `..`, by its words alone: links are not looked at.
#[must_use]
pub fn normal_path(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(normal.pop()),
            part => normal.push(part),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn usual_names_stay_as_they_are_and_odd_ones_are_told_apart() {
        assert_eq!(path_to_text(Path::new("a b/ä.txt")), "a b/ä.txt");
        assert_eq!(bytes_to_text(b"l\xe9"), r"l\xE9");
        assert_ne!(bytes_to_text(b"l\xe9"), bytes_to_text(b"l\xe8"));
        assert_ne!(bytes_to_text(b"l\xe9"), bytes_to_text(br"l\xE9"));
        assert_eq!(text_to_path(r"a\b"), Path::new(r"a\b"));
    }

    proptest! {
        #[test]
        fn every_name_comes_back(bytes in prop::collection::vec(prop_oneof![Just(b'\\'), Just(b'x'), any::<u8>()], 0..12)) {
            let path = PathBuf::from(OsString::from_vec(bytes));
            prop_assert_eq!(text_to_path(&path_to_text(&path)), path);
        }
    }

    #[test]
    fn a_normal_path_has_no_dots() {
        for (path, normal) in [("a/./b/../c", "a/c"), ("/../a", "/a"), ("../a", "a"), ("a/..", "")]
        {
            assert_eq!(normal_path(Path::new(path)), Path::new(normal));
        }
    }
}
