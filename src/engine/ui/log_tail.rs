//! The end of a log file, for the report of a failure.

use std::{
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use crate::disk::open_file;

/// How many lines are worth showing.
const LINES: usize = 20;
/// How far from the end they are looked for.
const BYTES: u64 = 16 * 1024;

/// The last lines of the log at `path`, at most 20. A log that cannot be read has
/// none: its failure is reported all the same.
pub fn log_tail(path: &Path) -> Vec<String> {
    let Ok(bytes) = last_bytes(path) else { return Vec::new() };
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(LINES)..].iter().map(|line| (*line).to_owned()).collect()
}

/// The last bytes of a file. Where that begins within a line, so be it: the end counts.
fn last_bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = open_file(path)?;
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(BYTES)))?;
    let mut bytes = Vec::new();
    file.take(BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_log_the_end_is_shown() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let lines: Vec<String> = (0..9000).map(|n| format!("line {n}")).collect();
        std::fs::write(file.path(), lines.join("\n") + "\n\n").unwrap();
        assert_eq!(log_tail(file.path()), lines[8980..]);
        std::fs::write(file.path(), b"one\xff\n").unwrap();
        assert_eq!(log_tail(file.path()), ["one\u{fffd}"]);
        assert!(log_tail(Path::new("/nowhere/at/all")).is_empty());
    }
}
