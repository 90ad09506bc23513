//! Packs entries into a zip archive.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter},
};

use zip::{CompressionMethod, DateTime, System, ZipWriter, write::SimpleFileOptions};

use super::{contents::Measured, pack::INPUT_BUFFER};

/// The compression level of deflate. Part of the format as far as reproducibility goes.
const LEVEL: i64 = 6;

/// Writes the archive of `entries` into `file`, in their order.
///
/// # Errors
/// Those of `file` and of the contents.
pub(super) fn write(entries: &[Measured<'_>], file: &File) -> io::Result<()> {
    let mut zip = ZipWriter::new(BufWriter::with_capacity(1 << 20, file));
    for entry in entries {
        // The default time is 1980-01-01T00:00:00, the first that zip can express.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(LEVEL))
            .last_modified_time(DateTime::default())
            .system(System::Unix)
            .unix_permissions(entry.mode())
            .large_file(entry.size >= u64::from(u32::MAX));
        zip.start_file(entry.entry.name.as_str(), options)?;
        io::copy(&mut BufReader::with_capacity(INPUT_BUFFER, entry.open()?), &mut zip)?;
    }
    zip.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    Ok(())
}
