//! Digests of large source files, sealed: a manifest that was edited, or a deleted `.forge`, makes
//! nobody read the same gigabytes again.

use std::path::{Path, PathBuf};

use super::{Cache, SealKey};
use crate::{
    disk::read_file,
    model::{Fault, FileStat},
    walk::{LargeFile, LargeFileTable, LargeFiles},
};

/// What the file is sealed as.
const PURPOSE: &str = "digests of large files";
/// How many files are kept in it.
const MOST_FILES: usize = 5_000;
/// More than it ever takes, in bytes: paths of 4 KiB each.
const MOST_BYTES: u64 = 32 << 20;

/// A file's path, and what is known of it.
type Row = (String, FileStat, [u8; 32]);

impl Cache {
    /// What earlier runs of this user learned of large files; read once somebody asks.
    pub fn large_files(&self) -> LargeFiles {
        let (path, key) = (self.large_files_path(), self.key().clone());
        LargeFiles::new(move || load(&path, &key))
    }

    /// Keeps what this run learned, if anything.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep_large_files(&self, files: &LargeFiles) -> Result<(), Fault> {
        let Some(table) = files.news(MOST_FILES) else { return Ok(()) };
        let row = |(path, file): (PathBuf, LargeFile)| {
            Some((path.to_str()?.to_owned(), file.stat, file.checksum))
        };
        let rows: Vec<Row> = table.into_iter().filter_map(row).collect();
        let body = serde_json::to_vec(&rows).unwrap_or_default();
        self.write(&self.large_files_path(), &self.key().seal(PURPOSE, &body))
    }

    fn large_files_path(&self) -> PathBuf {
        self.root().join("large-files")
    }
}

fn load(path: &Path, key: &SealKey) -> LargeFileTable {
    let bytes = read_file(path, MOST_BYTES).unwrap_or_default();
    let body = key.open(PURPOSE, &bytes).unwrap_or_default();
    let rows: Vec<Row> = serde_json::from_slice(body).unwrap_or_default();
    let entry = |(path, stat, checksum)| (PathBuf::from(path), LargeFile { stat, checksum });
    rows.into_iter().map(entry).collect()
}
