//! Extended headers of tar: what did not fit into an entry's own header.
//!
//! Sources: POSIX.1-2017, pax, "pax Extended Header"; GNU tar manual, "Sparse Formats"
//! and the `L` and `K` headers of its older format.

use tar::EntryType;

use super::sparse::SparseHeader;

/// The kind of the extended headers of Solaris, which are read as pax headers are.
pub(super) const SOLARIS: u8 = b'X';

/// What extended headers say about the next entry.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Extensions {
    pub(super) path: Option<Vec<u8>>,
    pub(super) target: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    /// Seconds since 1970.
    pub(super) modified: Option<u64>,
    pub(super) sparse: SparseHeader,
    local: bool,
}

impl Extensions {
    /// Whether no extended header waits for its entry.
    pub(super) fn is_empty(&self) -> bool {
        !self.local
    }

    /// Takes in the contents of an extended header of type `kind`.
    ///
    /// # Errors
    /// The end of the sentence "its entry `…`".
    pub(super) fn add(&mut self, kind: EntryType, contents: &[u8]) -> Result<(), &'static str> {
        match kind {
            EntryType::GNULongName => self.path = Some(until_nul(contents).to_vec()),
            EntryType::GNULongLink => self.target = Some(until_nul(contents).to_vec()),
            EntryType::XGlobalHeader => return check_global(contents),
            _ => {
                for record in Records(contents) {
                    let (key, value) = record?;
                    self.add_record(key, value)?;
                }
            }
        }
        self.local = true;
        Ok(())
    }

    fn add_record(&mut self, key: &[u8], value: &[u8]) -> Result<(), &'static str> {
        match key {
            // Of two the last one counts (POSIX).
            b"path" => {
                self.path = Some(value.to_vec());
                Ok(())
            }
            b"linkpath" => {
                self.target = Some(value.to_vec());
                Ok(())
            }
            b"size" => {
                let size = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                self.size = Some(size.ok_or("has no valid size")?);
                Ok(())
            }
            b"mtime" => {
                let whole = value.split(|byte| *byte == b'.').next().unwrap_or_default();
                self.modified = std::str::from_utf8(whole).ok().and_then(|text| text.parse().ok());
                Ok(())
            }
            key => match key.strip_prefix(b"GNU.sparse.") {
                Some(key) => self.sparse.add(key, value),
                None => Ok(()),
            },
        }
    }
}

/// A global header says something of all entries after it. Comments are common (`git
/// archive` writes the commit); other names and sizes for all would only serve to mislead.
fn check_global(contents: &[u8]) -> Result<(), &'static str> {
    for record in Records(contents) {
        let (key, _) = record?;
        if matches!(key, b"path" | b"linkpath" | b"size") || key.starts_with(b"GNU.sparse.") {
            return Err("is a global header that renames or resizes every entry");
        }
    }
    Ok(())
}

fn until_nul(contents: &[u8]) -> &[u8] {
    contents.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// The records of a pax header: length in decimal (of the whole record), a space,
/// `key=value`, a line feed. The value may hold anything, line feeds included.
struct Records<'a>(&'a [u8]);

impl<'a> Iterator for Records<'a> {
    type Item = Result<(&'a [u8], &'a [u8]), &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let record = self.split();
        if record.is_none() {
            self.0 = &[];
        }
        Some(record.ok_or("is an extended header that cannot be read"))
    }
}

impl<'a> Records<'a> {
    fn split(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        let space = self.0.iter().take(8).position(|byte| *byte == b' ')?;
        let length: usize = std::str::from_utf8(&self.0[..space]).ok()?.parse().ok()?;
        let (record, rest) = self.0.split_at_checked(length)?;
        let record = record.get(space + 1..)?.strip_suffix(b"\n")?;
        let equals = record.iter().position(|byte| *byte == b'=')?;
        self.0 = rest;
        Some((&record[..equals], &record[equals + 1..]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::tar_writer::pax_record;
    use proptest::prelude::*;

    fn read(contents: &[u8]) -> Result<Extensions, &'static str> {
        let mut extensions = Extensions::default();
        extensions.add(EntryType::XHeader, contents)?;
        Ok(extensions)
    }

    #[test]
    fn reads_what_it_knows_and_passes_over_the_rest() {
        let records = [
            ("path", "first"),
            ("path", "a/b"),
            ("comment", "two\nl=nes"),
            ("mtime", "123.4"),
            ("size", "7"),
        ];
        let header: String = records.iter().map(|(key, value)| pax_record(key, value)).collect();
        let extensions = read(header.as_bytes()).unwrap();
        assert_eq!(extensions.path.as_deref(), Some(&b"a/b"[..]));
        assert_eq!((extensions.modified, extensions.size), (Some(123), Some(7)));
    }

    #[test]
    fn refuses_lies() {
        let record = pax_record("path", "a");
        assert!(read(record.as_bytes()).is_ok());
        for header in [
            &record[1..],
            &record[..record.len() - 1],
            &record.replacen('9', "8", 1),
            &record.replacen('9', "99", 1),
            &record.replacen('9', "18446744073709551615", 1),
            &record.replacen('9', "-9", 1),
            &record.replacen('=', " ", 1),
            &pax_record("GNU.sparse.major", "x"),
            &pax_record("size", "-1"),
            "\n",
        ] {
            assert!(read(header.as_bytes()).is_err(), "{header:?}");
        }
    }

    #[test]
    fn a_global_header_may_only_comment() {
        let mut extensions = Extensions::default();
        let mut add = |key| {
            let record = pax_record(key, "0123456789");
            extensions.add(EntryType::XGlobalHeader, record.as_bytes())
        };
        assert!(add("comment").is_ok());
        for key in ["path", "linkpath", "size", "GNU.sparse.name"] {
            assert!(add(key).is_err(), "{key}");
        }
        assert!(extensions.is_empty());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(contents: Vec<u8>) {
            let _ = read(&contents);
        }
    }
}
