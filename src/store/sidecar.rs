//! Checksums as they are published beside assets: `<asset>.sha256`, and files that list
//! the digests of a whole release.

use std::collections::BTreeSet;

use crate::model::Sha256;

/// No checksums file is longer, in bytes; a longer one is something else.
pub(super) const MAX_BYTES: u64 = 64 * 1024;

/// The file name of the sidecar of `asset`.
pub fn name(asset: &str) -> String {
    format!("{asset}.sha256")
}

/// The text of a sidecar, as `sha256sum` writes it, so that `sha256sum -c` reads it.
pub(super) fn text(asset: &str, sha256: Sha256) -> String {
    format!("{sha256}  {asset}\n")
}

/// What a sidecar says. `None` if it is empty: writing it was cut short by a power loss,
/// which is as good as having none.
pub(super) fn read(text: &str, asset: &str) -> Result<Option<Sha256>, String> {
    if text.trim_matches(|c: char| c == '\0' || c.is_whitespace()).is_empty() {
        return Ok(None);
    }
    find_digest(text, asset).map(Some)
}

/// The digest that `text` gives for `asset`.
///
/// Reads what `sha256sum` writes (`<digest>  <name>`), also with a tab, with `*` before
/// the name (binary mode), with folders before the name, with CRLF; the BSD form
/// `SHA256 (<name>) = <digest>`; and a digest without a name that stands alone in its file.
///
/// # Errors
/// Says in one sentence, without naming the file, why it gives none.
pub fn find_digest(text: &str, asset: &str) -> Result<Sha256, String> {
    let entries: Vec<Entry> =
        text.trim_start_matches('\u{feff}').lines().filter_map(entry).collect();
    if let [Entry { name: None, digest }] = entries.as_slice() {
        return Ok(*digest);
    }
    let exact = digests(&entries, |name| name.trim_start_matches("./") == asset);
    let found = if exact.is_empty() {
        digests(&entries, |name| name.rsplit(['/', '\\']).next() == Some(asset))
    } else {
        exact
    };
    match found.iter().collect::<Vec<_>>().as_slice() {
        [digest] => Ok(**digest),
        [] => Err(absent(&entries, asset)),
        [a, b, ..] => {
            Err(format!("it gives two digests for `{asset}`: {} and {}", a.short(), b.short()))
        }
    }
}

/// A line of a checksums file.
struct Entry<'a> {
    name: Option<&'a str>,
    digest: Sha256,
}

/// Reads a line; `None` if it gives no SHA-256 digest (a comment, another algorithm).
fn entry(line: &str) -> Option<Entry<'_>> {
    let line = line.trim();
    if let Some((name, digest)) =
        line.strip_prefix("SHA256 (").and_then(|rest| rest.rsplit_once(") = "))
    {
        return Some(Entry { name: Some(name), digest: digest.parse().ok()? });
    }
    let (digest, name) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    let name = name.trim_start();
    let name = name.strip_prefix('*').unwrap_or(name);
    // `-` is what `sha256sum` calls its standard input.
    let name = Some(name).filter(|name| !name.is_empty() && *name != "-");
    Some(Entry { name, digest: digest.parse().ok()? })
}

fn digests(entries: &[Entry], is_it: impl Fn(&str) -> bool) -> BTreeSet<Sha256> {
    entries.iter().filter(|e| e.name.is_some_and(&is_it)).map(|e| e.digest).collect()
}

fn absent(entries: &[Entry], asset: &str) -> String {
    match entries {
        [] => "it holds no SHA-256 digest".into(),
        [Entry { name: Some(name), .. }] => format!("it is about `{name}`, not about `{asset}`"),
        _ => format!("none of its {} digests is for `{asset}`", entries.len()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn find(text: &str) -> Result<String, String> {
        find_digest(text, "x.tar.gz").map(|digest| digest.to_string())
    }

    #[test]
    fn reads_every_way_people_write_checksums() {
        for text in [
            format!("{A}  x.tar.gz\n"),
            format!("{A}  x.tar.gz\r\n"),
            format!("{A}\tx.tar.gz"),
            format!("{A} *x.tar.gz\n"),
            format!("{A}  ./dist/x.tar.gz\n"),
            format!("{A}  dist\\x.tar.gz\n"),
            format!("{A}\n"),
            format!("{A}  -\n"),
            format!("sha256:{A}\n"),
            format!("\u{feff}{}  x.tar.gz\n", A.to_uppercase()),
            format!("SHA256 (x.tar.gz) = {A}\n"),
            format!("{B}  y.tar.gz\n# a comment\n\n{A}  x.tar.gz\n{B}  xx.tar.gz\n"),
            format!("d41d8cd98f00b204e9800998ecf8427e  x.tar.gz\n{A}  x.tar.gz\n"),
            format!("{B}  old/x.tar.gz\n{A}  x.tar.gz\n"),
            format!("{A}  x.tar.gz\n{A}  again/x.tar.gz\n"),
        ] {
            assert_eq!(find(&text), Ok(A.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn says_why_there_is_no_digest() {
        for (text, why) in [
            (String::new(), "it holds no SHA-256 digest"),
            ("<html>404</html>".into(), "it holds no SHA-256 digest"),
            (format!("{A}  y.tar.gz\n"), "it is about `y.tar.gz`, not about `x.tar.gz`"),
            (format!("{A}\n{B}\n"), "none of its 2 digests is for `x.tar.gz`"),
            (format!("{A}  y\n{B}  yx.tar.gz\n"), "none of its 2 digests is for `x.tar.gz`"),
            (
                format!("{A}  a/x.tar.gz\n{B}  b/x.tar.gz\n"),
                "it gives two digests for `x.tar.gz`: aaaaaaaaaaaa and bbbbbbbbbbbb",
            ),
        ] {
            assert_eq!(find(&text).unwrap_err(), why, "{text:?}");
        }
    }

    #[test]
    fn what_a_power_loss_leaves_is_no_digest_and_no_error() {
        assert_eq!(read("", "x"), Ok(None));
        assert_eq!(read("\0\0\0\0", "x"), Ok(None));
        assert!(read("zzz", "x").is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_is_written_is_read(bytes: [u8; 32], name in "[A-Za-z0-9_+@-][A-Za-z0-9._+@-]{0,40}") {
            prop_assume!(name != "-");
            prop_assert_eq!(read(&text(&name, Sha256(bytes)), &name), Ok(Some(Sha256(bytes))));
        }

        #[test]
        fn no_text_makes_it_stumble(text in "(.|\n|\r\n|\t|\\*| ){0,200}", name in ".{0,20}") {
            let _ = find_digest(&text, &name);
        }
    }
}
