//! The stamp of an asset, read from its first bytes alone.

use std::io::{self, Read};

use flate2::read::GzDecoder;

use crate::model::Stamp;

/// Beyond this many bytes a stamp is taken without the checksum of what it is packed in: forge
/// itself packs it into a gzip member that is shorter.
const CHECKED: usize = 2 << 20;

/// The text of the stamp at the beginning of an asset, of which `head` is the first part.
/// Nothing if `head` is too short to tell, if it is damaged, or if the asset does not begin with
/// a stamp. The checksum that stands behind the packed stamp is read too: a stamp
/// with a changed bit would be taken for one of something else.
pub fn peek_stamp(head: &[u8]) -> Option<String> {
    match head {
        [0x1f, 0x8b, ..] => checked(GzDecoder::new(head), head.len()),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let frame = zstd::stream::read::Decoder::new(head).ok()?.single_frame();
            checked(frame, head.len())
        }
        [b'P', b'K', 3, 4, ..] => {
            let mut rest = head;
            let mut file = zip::read::read_zipfile_from_stream(&mut rest).ok()??;
            if file.name() != Stamp::FILE {
                return None;
            }
            let mut text = String::new();
            file.read_to_string(&mut text).ok()?;
            Some(text)
        }
        _ => None,
    }
}

/// The stamp at the beginning of `tar`, once all of `tar` was read and found undamaged.
fn checked(mut tar: impl Read, length: usize) -> Option<String> {
    let text = first_entry(&mut tar)?;
    match io::copy(&mut tar, &mut io::sink()) {
        Ok(_) => Some(text),
        Err(_) if length >= CHECKED => Some(text),
        Err(_) => None,
    }
}

fn first_entry(tar: impl Read) -> Option<String> {
    let mut archive = tar::Archive::new(tar);
    let mut entry = archive.entries().ok()?.next()?.ok()?;
    if entry.path_bytes() != Stamp::FILE.as_bytes() {
        return None;
    }
    let (size, mut text) = (entry.size(), String::new());
    entry.read_to_string(&mut text).ok()?;
    // A head that ends within the stamp reads as a shorter one.
    (text.len() as u64 == size).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        archive::{Contents, FileToPack, pack},
        model::Compression,
    };

    #[test]
    fn the_stamp_is_found_as_soon_as_it_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let entry = |name: &str, bytes: &[u8]| FileToPack {
            name: name.into(),
            contents: Contents::Bytes(bytes.to_vec()),
            executable: false,
        };
        let entries = [entry("nats", &[7; 3000]), entry(Stamp::FILE, b"name: nats\n")];
        for compression in Compression::ALL {
            let path = dir.path().join(compression.extension());
            pack(&entries, &path, *compression).unwrap();
            let bytes = std::fs::read(&path).unwrap();
            assert_eq!(peek_stamp(&bytes).as_deref(), Some("name: nats\n"), "{compression}");
            for at in 0..bytes.len() {
                let mut damaged = bytes.clone();
                damaged[at] ^= 0x10;
                let seen = peek_stamp(&damaged);
                assert!(
                    seen.is_none() || seen.as_deref() == Some("name: nats\n"),
                    "{compression} {at}"
                );
            }
            for cut in 0..bytes.len() {
                let seen = peek_stamp(&bytes[..cut]);
                assert!(
                    seen.is_none() || seen.as_deref() == Some("name: nats\n"),
                    "{compression} {cut}"
                );
            }
        }
    }
}
