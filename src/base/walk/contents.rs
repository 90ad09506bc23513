//! What is in a file that counts, read piece by piece.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    time::SystemTime,
};

use super::{
    large_files::{LargeFile, LargeFiles},
    lfs,
    lister::{InputFile, InputKind},
};
use crate::{
    disk::open_file,
    model::{Checksum, FileStat, checksum},
};

/// How much of a file is in memory at once. BLAKE3 is fastest on pieces of this size.
const PIECE: usize = 128 << 10;

/// What is in something that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileDigest {
    /// One letter: `f` file, `x` executable, `l` link, `d` empty folder.
    pub letter: char,
    /// The digest of its bytes, or of where it points.
    pub checksum: [u8; 32],
    /// What `stat` said of it before it was read; of a link, of the link itself.
    pub stat: FileStat,
    /// Whether it looks like a pointer of Git LFS.
    pub is_pointer: bool,
}

/// Reads `input`. What a link points to is not read.
///
/// # Errors
/// If it cannot be read, or is by now something else.
pub fn read(input: &InputFile) -> io::Result<FileDigest> {
    read_unless_known(input, None)
}

/// As [`read`]; a file that is among the `known` ones is not read again.
pub(super) fn read_unless_known(
    input: &InputFile,
    known: Option<&LargeFiles>,
) -> io::Result<FileDigest> {
    let path = &input.path;
    let of = |letter, metadata: &fs::Metadata, checksum| FileDigest {
        letter,
        checksum,
        stat: FileStat::from_metadata(metadata),
        is_pointer: false,
    };
    match input.kind {
        InputKind::Link => {
            let metadata = fs::symlink_metadata(path)?;
            let target = fs::read_link(path)?;
            Ok(of('l', &metadata, checksum(target.as_os_str().as_bytes())))
        }
        InputKind::EmptyFolder => Ok(of('d', &fs::symlink_metadata(path)?, checksum(&[]))),
        InputKind::File => {
            let file = open_file(path)?;
            let metadata = file.metadata()?;
            let letter = letter_of_file(&metadata);
            let stat = FileStat::from_metadata(&metadata);
            if let Some(checksum) = known.and_then(|known| known.checksum(path, &stat)) {
                return Ok(of(letter, &metadata, checksum));
            }
            let read_at = SystemTime::now();
            let (checksum, is_pointer) = digest(file, metadata.len())?;
            if let Some(known) = known {
                known.learn(path, LargeFile { stat, checksum }, read_at);
            }
            Ok(FileDigest { is_pointer, ..of(letter, &metadata, checksum) })
        }
    }
}

/// The letter of a file: whether its owner may execute it.
pub fn letter_of_file(metadata: &fs::Metadata) -> char {
    if metadata.permissions().mode() & 0o100 == 0 { 'f' } else { 'x' }
}

/// The digest of all that `file` holds, and whether that looks like a pointer of Git LFS.
fn digest(mut file: File, size: u64) -> io::Result<([u8; 32], bool)> {
    let mut hasher = Checksum::new();
    // Most files are small.
    let size = usize::try_from(size).unwrap_or(PIECE);
    let mut piece = vec![0; size.saturating_add(1).min(PIECE)];
    let (mut total, mut is_pointer) = (0, false);
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok((hasher.finish(), is_pointer)),
            Ok(count) => {
                is_pointer = total == 0 && lfs::is_pointer(&piece[..count]);
                total += count;
                hasher.update(&piece[..count]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_large_file_is_read_again_only_if_somebody_wrote_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let write = |letter: u8| fs::write(&path, vec![letter; 1 << 20]).unwrap();
        let input = InputFile { path: path.clone(), kind: InputKind::File };
        let checksum_with =
            |known: &LargeFiles| read_unless_known(&input, Some(known)).unwrap().checksum;
        write(b'a');
        std::thread::sleep(2 * FileStat::CLOCK_TICK);
        let first = LargeFiles::new(BTreeMap::new);
        let a = checksum_with(&first);
        let mut table = first.news(10).unwrap();
        // What is remembered is believed: the digest given here is not the file's.
        table.get_mut(&path).unwrap().checksum = [7; 32];
        let kept = table.clone();
        let second = LargeFiles::new(move || kept);
        assert_eq!((checksum_with(&second), second.news(10)), ([7; 32], None));
        write(b'b');
        let third = LargeFiles::new(move || table);
        assert_ne!(checksum_with(&third), [7; 32]);
        assert_ne!(checksum_with(&third), a);
    }

    #[test]
    fn pieces_come_to_the_digest_of_the_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        for size in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 7] {
            let bytes: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
            fs::write(&path, &bytes).unwrap();
            let input = InputFile { path: path.clone(), kind: InputKind::File };
            assert_eq!(read(&input).unwrap().checksum, checksum(&bytes), "{size}");
        }
    }
}
