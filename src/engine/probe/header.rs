//! Whether a file can run on a platform, by its header.

use std::{io::Read, path::Path};

use crate::{
    disk::open_file,
    model::{Fault, HEADER_BYTES, Kind, Platform, read_header},
};

/// Checks that the file at `path` can run on `platform`.
pub fn check_header(platform: Platform, name: &str, path: &Path) -> Result<(), Fault> {
    let mut head = Vec::with_capacity(HEADER_BYTES);
    open_file(path)
        .and_then(|file| file.take(HEADER_BYTES as u64).read_to_end(&mut head))
        .map_err(|e| Fault::io(format!("cannot read {}", path.display()), &e))?;
    read_header(&head).check(platform).map_err(|is| {
        Fault::new(Kind::Verification, format!("`{name}` does not run on {platform}"))
            .because(format!("it is {is}"))
    })
}
