//! The log of a command: all it printed, of a flood its beginning and its end.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::plain::plain;
use crate::disk::{Folder, open_file};

/// How much of the output of one command is kept.
#[derive(Clone, Copy, Debug)]
pub struct LogLimits {
    /// Bytes from the beginning.
    pub head: u64,
    /// Bytes from the end, after the head is full.
    pub tail: usize,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self { head: 64 << 20, tail: 1 << 20 }
    }
}

impl LogLimits {
    /// Those of the log of a stream, which is told whole in a document.
    pub fn of_stream() -> Self {
        Self { head: 1 << 20, tail: 1 << 20 }
    }
}

/// A log that is being written; the file is created with the first byte.
pub struct CommandLog {
    path: PathBuf,
    limits: LogLimits,
    file: Option<File>,
    /// Bytes that the head still takes.
    room: u64,
    tail: Tail,
}

/// The last bytes of what did not fit, in two halves, so that nothing is ever moved.
#[derive(Default)]
struct Tail {
    older: Vec<u8>,
    newer: Vec<u8>,
    /// All bytes that came here.
    total: u64,
}

impl CommandLog {
    /// A log at `path`, to which is appended.
    pub fn new(path: PathBuf, limits: LogLimits) -> Self {
        Self { path, limits, file: None, room: limits.head, tail: Tail::default() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes output as it comes.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let fits = usize::try_from(self.room).unwrap_or(usize::MAX).min(bytes.len());
        let (head, rest) = bytes.split_at(fits);
        if !head.is_empty() {
            self.room -= head.len() as u64;
            self.file()?.write_all(head)?;
        }
        self.tail.push(rest, self.limits.tail);
        Ok(())
    }

    /// Writes the end of the output, if it did not fit. What comes after this is a new end.
    pub fn finish(&mut self) -> io::Result<()> {
        let tail = std::mem::take(&mut self.tail);
        if tail.total == 0 {
            return Ok(());
        }
        let kept = tail.last(self.limits.tail);
        let left_out = tail.total - kept.len() as u64;
        let file = self.file()?;
        if left_out > 0 {
            write!(file, "\n[forge: {left_out} bytes left out here]\n")?;
        }
        file.write_all(&kept)
    }

    fn file(&mut self) -> io::Result<&mut File> {
        let file = match self.file.take() {
            Some(file) => file,
            None => open(&self.path)?,
        };
        Ok(self.file.insert(file))
    }
}

/// Opens the log at `path`, whose folder is there. A link in its place is not followed, and no FIFO waits.
fn open(path: &Path) -> io::Result<File> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    Folder::open(parent)?.append(Path::new(path.file_name().unwrap_or_default()))
}

impl Drop for CommandLog {
    fn drop(&mut self) {
        // Only for a command that was abandoned; others were finished, with a look at errors.
        let _ = self.finish();
    }
}

impl Tail {
    fn push(&mut self, bytes: &[u8], limit: usize) {
        self.total += bytes.len() as u64;
        self.newer.extend_from_slice(bytes);
        if self.newer.len() >= limit {
            std::mem::swap(&mut self.older, &mut self.newer);
            self.newer.clear();
        }
    }

    /// The last `limit` bytes, from the beginning of a line on if there is one.
    fn last(&self, limit: usize) -> Vec<u8> {
        let mut bytes = [self.older.as_slice(), self.newer.as_slice()].concat();
        let cut = bytes.len().saturating_sub(limit);
        if cut > 0 || self.total > bytes.len() as u64 {
            bytes.drain(..cut);
            let line = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            bytes.drain(..line);
        }
        bytes
    }
}

/// The last `count` lines of the log at `path`, without colours; fewer, or none, if
/// there are no more.
pub fn tail(path: &Path, count: usize) -> Vec<String> {
    tail_from(path, 0, count)
}

/// [`tail`], of what is there from byte `from` on.
pub fn tail_from(path: &Path, from: u64, count: usize) -> Vec<String> {
    let bytes = last_bytes(path, from, 256 << 10).unwrap_or_default();
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    if bytes.is_empty() {
        return Vec::new();
    }
    let lines = bytes.rsplit(|byte| *byte == b'\n').take(count);
    let mut lines: Vec<_> = lines.map(|line| plain(line).into_owned()).collect();
    lines.reverse();
    lines
}

fn last_bytes(path: &Path, from: u64, most: u64) -> io::Result<Vec<u8>> {
    let mut file = open_file(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(from.max(length.saturating_sub(most))))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_silent_command_leaves_no_file() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("log");
        let mut log = CommandLog::new(path.clone(), LogLimits::default());
        log.write(b"").unwrap();
        log.finish().unwrap();
        assert!(!path.exists());
        log.write(b"x").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"x");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn the_head_and_the_tail_are_kept(count in 0usize..60, size in 1usize..50) {
            let text: String = (0..count).flat_map(|n| ["line ".to_owned(), n.to_string(), "\n".to_owned()]).collect();
            let temp = tempfile::tempdir().unwrap();
            let path = temp.path().join("log");
            let mut log = CommandLog::new(path.clone(), LogLimits { head: 100, tail: 50 });
            for chunk in text.as_bytes().chunks(size) {
                log.write(chunk).unwrap();
            }
            log.finish().unwrap();
            let kept = std::fs::read_to_string(&path).unwrap_or_default();
            if text.len() <= 150 {
                prop_assert_eq!(kept, text);
            } else {
                prop_assert!(kept.starts_with(&text[..100]));
                let (_, end) = kept.split_once("bytes left out here]\n").unwrap();
                prop_assert!(text.ends_with(end) && end.starts_with("line") && end.len() > 40);
            }
        }
    }

    #[test]
    fn the_tail_of_a_log_is_plain() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("log");
        assert!(tail(&path, 3).is_empty());
        std::fs::write(&path, "a\nb\n\x1b[31mc\x1b[0m\n\nd\n").unwrap();
        assert_eq!(tail(&path, 3), ["c", "", "d"]);
        assert_eq!(tail(&path, 9).len(), 5);
        std::fs::write(&path, "x".repeat(300 << 10) + "\nend").unwrap();
        assert_eq!(tail(&path, 1), ["end"]);
    }
}
