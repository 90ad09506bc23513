//! Git's index, as far as it says which files are tracked: a list of paths.
//!
//! Format: gitformat-index(5), versions 2 to 4. What comes after the entries is not needed. A split
//! index (`core.splitIndex`) holds only what is new, and names the file that holds the rest; what it
//! removed of that is not looked at, so that a file may count as tracked a little longer.

use std::{ops::Range, path::Path};

use crate::disk::read_file;

/// The paths that are tracked, relative to the top of the repository, in the order of their bytes.
#[derive(Debug, Default)]
pub struct TrackedPaths {
    /// All paths, one after the other.
    bytes: Vec<u8>,
    /// Where each stands in `bytes`.
    paths: Vec<Range<usize>>,
    /// Those that a checkout may lack: what a sparse one leaves out, and submodules.
    optional: Vec<(Range<usize>, Lack)>,
}

/// Why something that is tracked may not be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// A sparse checkout leaves it out.
    Sparse,
    /// It is a submodule, which has a checkout of its own.
    Submodule,
}

/// More than any index takes, in bytes.
const MOST_OF_INDEX: u64 = 1 << 30;
/// The fields of an entry before the hash: times, device, inode, mode, owner, size.
const FIXED: usize = 40;
/// The flag that says that two more bytes of flags follow.
const EXTENDED: u16 = 0x4000;
/// The flag among those that says that the file need not be there.
const SKIP_WORKTREE: u16 = 0x4000;
/// Where the mode stands in an entry, and that of a submodule.
const MODE: Range<usize> = 24..28;
const SUBMODULE: u32 = 0o160_000;

impl TrackedPaths {
    /// Reads the file of the index in `git_dir`; hashes have `hash` bytes. Nothing is tracked if there
    /// is none, or it is damaged: git itself tells that better.
    pub fn read(git_dir: &Path, hash: usize) -> Self {
        let mut index = Self::default();
        let bytes = read_file(&git_dir.join("index"), MOST_OF_INDEX).unwrap_or_default();
        let rest = index.add(&bytes, hash).unwrap_or_default();
        if let Some(shared) = shared(rest, hash) {
            let bytes = read_file(&git_dir.join(shared), MOST_OF_INDEX).unwrap_or_default();
            let _ = index.add(&bytes, hash);
        }
        let Self { bytes, paths, .. } = &mut index;
        paths.sort_unstable_by(|a, b| bytes[a.clone()].cmp(&bytes[b.clone()]));
        index
    }

    /// Whether the file `path` is tracked.
    pub fn has(&self, path: &[u8]) -> bool {
        self.paths.binary_search_by(|at| self.bytes[at.clone()].cmp(path)).is_ok()
    }

    /// Whether something below the folder `path` is tracked.
    pub fn has_below(&self, path: &[u8]) -> bool {
        if path.is_empty() {
            return !self.paths.is_empty();
        }
        let start = [path, b"/"].concat();
        let at = self.paths.partition_point(|at| self.bytes[at.clone()] < start[..]);
        self.paths.get(at).is_some_and(|at| self.bytes[at.clone()].starts_with(&start))
    }

    /// What is tracked at or below `path` and may not be there.
    pub fn optional_below(&self, path: &[u8]) -> impl Iterator<Item = (&[u8], Lack)> {
        let all = self.optional.iter().map(|(at, lack)| (&self.bytes[at.clone()], *lack));
        all.filter(move |(one, _)| {
            let rest = one.strip_prefix(path);
            rest.is_some_and(|rest| path.is_empty() || matches!(rest, [] | [b'/', ..]))
        })
    }

    /// Adds the entries of a file; returns what follows them.
    fn add<'b>(&mut self, bytes: &'b [u8], hash: usize) -> Option<&'b [u8]> {
        let mut rest = bytes.strip_prefix(b"DIRC")?;
        let version = number(&mut rest)?;
        if !(2..=4).contains(&version) {
            return None;
        }
        let mut path: Vec<u8> = Vec::new();
        for _ in 0..number(&mut rest)? {
            let entry = rest;
            let head = rest.get(..FIXED + hash + 2)?;
            let flags = u16::from_be_bytes(head[FIXED + hash..].try_into().ok()?);
            rest = &rest[head.len()..];
            let mut lack = None;
            if version > 2 && flags & EXTENDED != 0 {
                let (more, after) = rest.split_first_chunk::<2>()?;
                rest = after;
                lack = (u16::from_be_bytes(*more) & SKIP_WORKTREE != 0).then_some(Lack::Sparse);
            }
            if u32::from_be_bytes(head[MODE].try_into().ok()?) == SUBMODULE {
                lack = Some(Lack::Submodule);
            }
            if version == 4 {
                let dropped = variable_number(&mut rest)?;
                path.truncate(path.len().checked_sub(dropped)?);
            } else {
                path.clear();
            }
            let end = rest.iter().position(|byte| *byte == 0)?;
            path.extend_from_slice(&rest[..end]);
            rest = &rest[end + 1..];
            if version < 4 {
                // Entries are as long as a multiple of eight.
                let length = entry.len() - rest.len();
                rest = rest.get(length.next_multiple_of(8) - length..)?;
            }
            // In a split index, what replaces an entry of the shared one has no name. A path that
            // ends with a slash is a folder that a sparse checkout left out.
            if !path.is_empty() {
                let from = self.bytes.len();
                self.bytes.extend_from_slice(path.strip_suffix(b"/").unwrap_or(&path));
                let at = from..self.bytes.len();
                self.optional.extend(lack.map(|lack| (at.clone(), lack)));
                self.paths.push(at);
            }
        }
        Some(rest)
    }
}

/// The name of the file that holds the rest of a split index, told by the extension `link` in `rest`.
fn shared(mut rest: &[u8], hash: usize) -> Option<String> {
    while rest.len() > hash {
        let (name, after) = rest.split_at_checked(4)?;
        rest = after;
        let length = usize::try_from(number(&mut rest)?).ok()?;
        let body = rest.get(..length)?;
        rest = &rest[length..];
        if name == b"link" {
            let digits = body.get(..hash)?.iter().map(|byte| format!("{byte:02x}"));
            return Some(format!("sharedindex.{}", digits.collect::<String>()));
        }
    }
    None
}

/// Takes four bytes.
fn number(rest: &mut &[u8]) -> Option<u32> {
    let (bytes, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    Some(u32::from_be_bytes(*bytes))
}

/// Takes a number as version 4 writes them, and as packs write offsets: seven bits a byte.
fn variable_number(rest: &mut &[u8]) -> Option<usize> {
    let mut value: usize = 0;
    loop {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value = value.checked_mul(128)?.checked_add(usize::from(byte & 127))?;
        if byte & 128 == 0 {
            return Some(value);
        }
        value = value.checked_add(1)?;
    }
}
