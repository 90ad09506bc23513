//! Whether programs find what loads them: among the files that an image adds, or among those of its
//! base.

use std::{
    collections::{BTreeMap, VecDeque},
    io::BufReader,
    path::Path,
};

use super::{BaseImage, ImageSpec, PlatformParts, interpreter};
use crate::{
    archive::{Contents, list_layer},
    disk::open_file,
    model::{Fault, Kind, Platform},
};

/// How many links are followed.
const MOST_LINKS: usize = 40;

/// A program, and what loads it and is not among the files that the image adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LackingLoader {
    /// Where the program is in the image.
    pub program: String,
    /// Where its loader would be.
    pub loader: String,
}

/// The programs of `parts` whose loader is not in `parts`.
///
/// # Errors
/// `Failed` if a program cannot be read.
pub fn lacking_loaders(parts: &PlatformParts) -> Result<Vec<LackingLoader>, Fault> {
    let entries = || parts.layers.iter().flat_map(|layer| &layer.entries);
    let mut lacking = Vec::new();
    for entry in entries().filter(|entry| entry.file.executable) {
        let (Contents::Proven(path, _) | Contents::File(path)) = &entry.file.contents else {
            continue;
        };
        let loader = open_file(path).and_then(|mut file| interpreter(&mut file));
        let loader =
            loader.map_err(|error| Fault::io(format!("cannot read {}", path.display()), &error))?;
        let Some(loader) = loader else { continue };
        let name = loader.trim_start_matches('/');
        if !entries().any(|entry| entry.file.name == name) {
            lacking.push(LackingLoader { program: format!("/{}", entry.file.name), loader });
        }
    }
    Ok(lacking)
}

impl LackingLoader {
    /// That the program would not start in the image of `spec`, on `base`.
    pub fn fault(&self, spec: &ImageSpec, platform: Platform, base: Option<&BaseImage>) -> Fault {
        let Self { program, loader } = self;
        let what =
            format!("{program} would not start in the image of {} for {platform}", spec.name);
        let whose = match base {
            Some(base) => format!("its base {} does not have", base.reference),
            None => "is not in the image".to_owned(),
        };
        Fault::new(Kind::Usage, what)
            .because(format!("it is linked dynamically and needs {loader}, which {whose}"))
            .hint("name a `base:` that has it, such as `gcr.io/distroless/base-debian12`, or link it statically: `CGO_ENABLED=0` for Go, a musl target for Rust")
    }
}

/// The files of an image that others stand on, as far as its layers were listed.
#[derive(Clone, Debug, Default)]
pub struct BaseFiles(BTreeMap<String, Option<String>>);

impl BaseFiles {
    /// Adds what is in the packed layer at `path`, which is above those before it. What it deletes
    /// stays: no image deletes its loader.
    ///
    /// # Errors
    /// `Failed` if it cannot be read, or is not a layer.
    pub fn add(&mut self, path: &Path) -> Result<(), Fault> {
        let listed = open_file(path).and_then(|file| list_layer(BufReader::new(file)));
        let listed =
            listed.map_err(|error| Fault::io("cannot list a layer of the base", &error))?;
        self.0.extend(listed);
        Ok(())
    }

    /// Whether there is a file at the absolute path `path`, links followed.
    pub fn has(&self, path: &str) -> bool {
        let parts = |path: &str| -> VecDeque<String> {
            path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect()
        };
        let (mut at, mut open, mut links) = (Vec::<String>::new(), parts(path), 0);
        while let Some(part) = open.pop_front() {
            match part.as_str() {
                "." => continue,
                ".." => drop(at.pop()),
                _ => at.push(part),
            }
            let Some(Some(target)) = self.0.get(&at.join("/")) else { continue };
            links += 1;
            if links > MOST_LINKS {
                return false;
            }
            at.pop();
            if target.starts_with('/') {
                at.clear();
            }
            let rest = std::mem::take(&mut open);
            open = parts(target);
            open.extend(rest);
        }
        self.0.contains_key(&at.join("/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_to_the_file() {
        let entry = |(name, to): (&str, &str)| {
            (name.to_owned(), Some(to.to_owned()).filter(|to| !to.is_empty()))
        };
        let files = BaseFiles(
            [
                ("usr/lib/x/ld-2.36.so", ""),
                ("usr/lib64/ld.so", "../lib/x/ld-2.36.so"),
                ("lib64", "usr/lib64"),
                ("abs", "/lib64"),
                ("loop", "loop"),
            ]
            .map(entry)
            .into(),
        );
        for (path, is_there) in [
            ("/lib64/ld.so", true),
            ("/abs/ld.so", true),
            ("/usr/lib/x/ld-2.36.so", true),
            ("/lib/ld.so", false),
            ("/loop", false),
            ("/loop/x", false),
        ] {
            assert_eq!(files.has(path), is_there, "{path}");
        }
    }
}
