//! The checksum that is published beside each of forge's own assets: `<asset>.sha256`.

use super::checksums::find_digest;
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
    let digest = find_digest(text, asset)?;
    digest.sha256().map(Some).ok_or_else(|| {
        format!("it holds a {} digest, not a SHA-256 one", digest.algorithm().as_str())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_power_loss_leaves_is_no_digest_and_no_error() {
        assert_eq!(read("", "x"), Ok(None));
        assert_eq!(read("\0\0\0\0", "x"), Ok(None));
        assert!(read("zzz", "x").is_err());
        assert!(read(&"a".repeat(128), "x").unwrap_err().contains("sha512"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_is_written_is_read(bytes: [u8; 32], name in "[A-Za-z0-9_+@-][A-Za-z0-9._+@-]{0,40}") {
            prop_assume!(name != "-");
            prop_assert_eq!(read(&text(&name, Sha256(bytes)), &name), Ok(Some(Sha256(bytes))));
        }
    }
}
