//! Whether a file can run on a platform, by its header.

use std::{io::Read, path::Path};

use crate::{
    disk::open_file,
    model::{Fault, HEADER_BYTES, Header, Kind, Platform, read_header},
};

/// Checks that the file at `path` can run on `platform`.
pub fn check_header(platform: Platform, name: &str, path: &Path) -> Result<(), Fault> {
    let mut head = Vec::with_capacity(HEADER_BYTES);
    open_file(path)
        .and_then(|file| file.take(HEADER_BYTES as u64).read_to_end(&mut head))
        .map_err(|e| Fault::io(format!("cannot read {}", path.display()), &e))?;
    let header = read_header(&head);
    header.check(platform).map_err(|is| {
        let fault = Fault::new(Kind::Verification, format!("`{name}` does not run on {platform}"))
            .because(format!("it is {is}"));
        match header {
            Header::Other(_) => fault.hint("a script begins with a line such as `#!/bin/sh`"),
            _ => fault,
        }
    })
}
