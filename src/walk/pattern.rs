//! What patterns of files mean. A pattern is as in `.gitignore`, anchored in a folder; a folder means
//! all below it; `!` leaves out.

use std::{
    borrow::Cow,
    fs,
    path::{Path, PathBuf},
};

use ignore::overrides::{Override, OverrideBuilder};

use super::{
    lister::{Lister, Listing},
    walker::Walker,
};
use crate::model::{Fault, Kind};

/// Patterns, and the folder that they are anchored in.
#[derive(Clone, Copy, Debug)]
pub struct Patterns<'p> {
    /// The folder, absolute.
    pub dir: &'p Path,
    /// The patterns, as people write them.
    pub written: &'p [String],
}

impl<'p> Patterns<'p> {
    /// What they mean, sorted, each once: files, links, empty folders. Links to folders are followed.
    /// With `walker`, what git ignores and does not track is left out, and so are empty folders.
    ///
    /// # Errors
    /// `Usage` for a pattern that is none.
    pub fn list(&self, walker: Option<&Walker>) -> Result<Listing, Fault> {
        let mut all = Listing::default();
        let (without, with) = self.split();
        for pattern in with {
            all.extend(self.list_one(pattern, &without, walker)?);
        }
        all.entries.sort_unstable();
        all.entries.dedup();
        Ok(all)
    }

    /// All that tells what they mean, and what is in it: each file that is or might be there, and the
    /// folders that were looked through.
    ///
    /// # Errors
    /// `Usage` for a pattern that is none.
    pub fn looked_at(&self) -> Result<Vec<PathBuf>, Fault> {
        let (without, with) = self.split();
        let mut all = Vec::new();
        for pattern in with {
            let whole = self.whole(pattern);
            all.push(self.dir.join(if is_plain(&whole) { pattern } else { literal_prefix(&whole) }));
            let found = self.list_one(pattern, &without, None)?;
            all.extend(found.folders);
            all.extend(found.entries.into_iter().map(|entry| entry.path));
        }
        Ok(all)
    }

    fn list_one(
        &self,
        pattern: &str,
        without: &[&String],
        walker: Option<&Walker>,
    ) -> Result<Listing, Fault> {
        let path = self.dir.join(pattern);
        let whole = self.whole(pattern);
        let everything = Lister { walker, patterns: None, follow: true };
        let mut listing = Listing::default();
        let start = match is_plain(&whole) {
            true if without.is_empty() => {
                let found = everything.list(&path).unwrap_or_default();
                listing.extend(found);
                listing.entries.retain(|entry| walker.is_none_or(|git| git.counts(&entry.path)));
                return Ok(listing);
            }
            true => path.clone(),
            false => self.dir.join(literal_prefix(&whole)),
        };
        let patterns = self.matcher(&whole, without)?;
        let by_patterns = Lister { patterns: Some(&patterns), ..everything };
        // What is not there has nothing in it.
        listing.extend(by_patterns.list(&start).unwrap_or_default());
        if is_plain(pattern) {
            // The folder itself: a link to one counts by where it points, an empty one as it is.
            let is_link = fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink());
            if is_link || listing.is_bare() && walker.is_none() {
                listing.add_itself(path, is_link);
            }
        }
        let is_left_out = |path: &Path| patterns.matched(path, false).is_ignore();
        if is_plain(&whole) {
            listing.entries.retain(|entry| !is_left_out(&entry.path));
        }
        Ok(listing)
    }

    fn split(&self) -> (Vec<&'p String>, Vec<&'p String>) {
        self.written.iter().partition(|pattern| pattern.starts_with('!'))
    }

    /// `pattern`; if it is that of a folder, one of all below.
    fn whole<'w>(&self, pattern: &'w str) -> Cow<'w, str> {
        match is_plain(pattern) && self.dir.join(pattern).is_dir() {
            true => format!("{}/**", pattern.trim_end_matches('/')).into(),
            false => pattern.into(),
        }
    }

    fn matcher(&self, pattern: &str, without: &[&String]) -> Result<Override, Fault> {
        let wrong = |pattern: &str, error: ignore::Error| {
            Fault::new(Kind::Usage, format!("`{pattern}` is not a pattern of files"))
                .because(error.to_string())
        };
        let mut builder = OverrideBuilder::new(self.dir);
        let anchored = |pattern: &str| format!("/{}", pattern.trim_start_matches("./"));
        builder.add(&anchored(pattern)).map_err(|error| wrong(pattern, error))?;
        for pattern in without {
            let glob = format!("!{}", anchored(&pattern[1..]));
            builder.add(&glob).map_err(|error| wrong(pattern, error))?;
        }
        builder.build().map_err(|error| wrong(pattern, error))
    }
}

/// Whether a pattern is a path.
fn is_plain(pattern: &str) -> bool {
    !pattern.contains(['*', '?', '[', '{'])
}

/// The folders of a pattern before its first sign that is not literal.
fn literal_prefix(pattern: &str) -> &str {
    let magic = pattern.find(['*', '?', '[', '{']).unwrap_or(pattern.len());
    pattern[..magic].rfind('/').map_or("", |slash| &pattern[..slash])
}
