//! What patterns of files mean. A pattern is as in `.gitignore`, anchored in a folder; a folder means
//! all below it; `!` leaves out.

use std::{
    borrow::Cow,
    fs,
    path::{Path, PathBuf},
};

use ignore::overrides::{Override, OverrideBuilder};

use super::{
    is_own,
    lister::{InputFile, InputKind, Lister, Listing},
    walker::Walker,
};
use crate::model::{Fault, Kind};

/// FilePatterns, and the folder that they are anchored in.
#[derive(Clone, Copy, Debug)]
pub struct FilePatterns<'p> {
    /// The folder, absolute.
    pub dir: &'p Path,
    /// The patterns, as people write them.
    pub written: &'p [String],
    /// Whether links to folders are followed.
    pub follow: bool,
}

impl<'p> FilePatterns<'p> {
    /// What they mean, sorted, each once: files, links, empty folders. With `walker`, what git ignores and does not track is left out, and so are empty folders.
    ///
    /// # Errors
    /// `Usage` for a pattern that is none.
    pub fn list(&self, walker: Option<&Walker>) -> Result<Listing, Fault> {
        let mut all = Listing::default();
        let (without, with) = self.split();
        for pattern in with {
            all.extend(self.list_one(pattern, &without, walker)?);
        }
        all.inputs.sort_unstable();
        all.inputs.dedup();
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
            all.push(self.dir.join(if is_plain(&whole) {
                pattern
            } else {
                literal_prefix(&whole)
            }));
            let found = self.list_one(pattern, &without, None)?;
            all.extend(found.folders);
            all.extend(found.inputs.into_iter().map(|entry| entry.path));
        }
        Ok(all)
    }

    /// Tells of paths relative to the folder whether the patterns mean them, whether anything is there
    /// or not; what is below a path that is named is meant too.
    ///
    /// # Errors
    /// `Usage` for a pattern that is none.
    pub fn meaning(&self) -> Result<impl Fn(&Path) -> bool + use<>, Fault> {
        let (without, with) = self.split();
        let mut all = Vec::new();
        for pattern in with {
            all.push(self.matcher(pattern, &without)?);
            if is_plain(pattern) {
                let below = format!("{}/**", pattern.trim_end_matches('/'));
                all.push(self.matcher(&below, &without)?);
            }
        }
        let dir = self.dir.to_owned();
        Ok(move |path: &Path| {
            let path = dir.join(path);
            all.iter().any(|patterns| patterns.matched(&path, false).is_whitelist())
        })
    }

    fn list_one(
        &self,
        pattern: &str,
        without: &[&String],
        walker: Option<&Walker>,
    ) -> Result<Listing, Fault> {
        let path = self.dir.join(pattern);
        let whole = self.whole(pattern);
        let is_folder = is_plain(pattern) && !is_plain(&whole);
        let everything =
            Lister { walker, patterns: None, is_asked: true, follow: self.follow, depth: None };
        if is_plain(&whole) {
            // What is not there has nothing in it.
            let mut listing = everything.list(&path).unwrap_or_default();
            listing.inputs.retain(|input| walker.is_none_or(|git| git.counts(&input.path)));
            if !without.is_empty() {
                let patterns = self.matcher(&whole, without)?;
                let is_meant = |path: &Path| patterns.matched(path, false).is_whitelist();
                listing.inputs.retain(|input| is_meant(&input.path));
                listing.special.retain(|path| is_meant(path));
            }
            return Ok(listing);
        }
        let patterns = self.matcher(&whole, without)?;
        let depth =
            whole[literal_prefix(&whole).len()..].trim_start_matches('/').matches('/').count();
        let depth = Some(depth).filter(|_| !whole.contains("**"));
        let by_patterns = Lister { patterns: Some(&patterns), depth, ..everything };
        let start = self.dir.join(literal_prefix(&whole));
        let mut listing = by_patterns.list(&start).unwrap_or_default();
        // A folder that is named: a link to one counts by where it points, an empty one as it is.
        if is_folder && fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink()) {
            listing.inputs.push(InputFile { path, kind: InputKind::Link });
        } else if is_folder && walker.is_none() && is_empty(&path) {
            listing.inputs.push(InputFile { path, kind: InputKind::EmptyFolder });
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

/// Whether there is nothing in a folder.
fn is_empty(folder: &Path) -> bool {
    let is_input = |entry: fs::DirEntry| !is_own(&entry.file_name());
    fs::read_dir(folder).is_ok_and(|inside| !inside.flatten().any(is_input))
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
