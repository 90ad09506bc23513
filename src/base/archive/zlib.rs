//! Small texts that were packed by zlib (RFC 1950).

use std::io::{self, Read};

use flate2::read::ZlibDecoder;

/// What was packed as `bytes`, of at most `most` bytes.
///
/// # Errors
/// If it was not packed by zlib, or is longer.
pub fn inflate_zlib(bytes: &[u8], most: u64) -> io::Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    ZlibDecoder::new(bytes).take(most + 1).read_to_end(&mut unpacked)?;
    match unpacked.len() as u64 > most {
        true => Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is longer than expected")),
        false => Ok(unpacked),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::ZlibEncoder};

    use super::*;

    #[test]
    fn what_was_packed_comes_out_and_no_bomb_does() {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&[7; 5000]).unwrap();
        let packed = encoder.finish().unwrap();
        assert_eq!(inflate_zlib(&packed, 5000).unwrap(), vec![7; 5000]);
        assert!(inflate_zlib(&packed, 4999).is_err());
        assert!(inflate_zlib(b"no zlib", 10).is_err());
    }
}
