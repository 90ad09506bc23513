//! `discover:`: folders of one shape, each of which is a subsystem. `apis/{provider}/v{n}` means
//! every folder that is called so; what stands for `{provider}` is a word in its templates.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use super::template::TemplateScope;
use crate::{
    manifest::{Findings, Scalar},
    model::Fault,
};

/// A folder that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscoveredFolder {
    /// Relative to the workspace, with `/` between its parts.
    pub folder: String,
    /// What stands for each capture.
    pub captures: BTreeMap<String, String>,
}

/// The shape of folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<Vec<PatternPart>>);

/// A piece of a folder's name.
#[derive(Clone, Debug, PartialEq, Eq)]
enum PatternPart {
    Text(String),
    Capture(String),
}

impl Pattern {
    /// Reads `discover:`. What is wrong goes to `found`.
    pub fn read(written: &Scalar, scope: &TemplateScope, found: &mut Findings) -> Option<Self> {
        let tell = |found: &mut Findings, what: String, label: &str| {
            let help = "write a path relative to the workspace, with names in braces: \
                        `modules/{provider}/{component}`";
            found.add(written.bytes.clone(), what, label, help);
        };
        match Self::parse(&written.text) {
            Ok(pattern) => {
                let captures = pattern.captures();
                let own = captures.iter().find(|word| scope.knows(word));
                let twice =
                    captures.iter().enumerate().find(|(at, word)| captures[..*at].contains(word));
                if let Some(word) = own {
                    tell(
                        found,
                        format!("`{word}` is a word of forge's own"),
                        "already has a meaning",
                    );
                } else if let Some((_, word)) = twice {
                    tell(found, format!("`{{{word}}}` stands twice"), "which of them counts?");
                } else {
                    return Some(pattern);
                }
            }
            Err(why) => tell(found, format!("`{}` {why}", written.text), "no path with captures"),
        }
        None
    }

    fn parse(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix("./").unwrap_or(text).trim_end_matches('/');
        let parts = text.split('/').map(part).collect::<Result<Vec<_>, _>>()?;
        let pattern = Self(parts);
        match pattern.captures().is_empty() {
            true => Err("holds no name in braces, so it can mean one folder only".into()),
            false => Ok(pattern),
        }
    }

    /// The names of its captures, in order.
    pub fn captures(&self) -> Vec<String> {
        let name = |piece: &PatternPart| match piece {
            PatternPart::Capture(name) => Some(name.clone()),
            PatternPart::Text(_) => None,
        };
        self.0.iter().flatten().filter_map(name).collect()
    }

    /// The folders below `root` that have this shape, sorted; and every folder that was listed to
    /// find them, absolute. Symbolic links are not followed.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn find(&self, root: &Path) -> Result<(Vec<DiscoveredFolder>, Vec<PathBuf>), Fault> {
        let mut found = vec![DiscoveredFolder { folder: String::new(), captures: BTreeMap::new() }];
        let mut listed = Vec::new();
        for part in &self.0 {
            let mut deeper = Vec::new();
            for above in &found {
                match part.as_slice() {
                    [PatternPart::Text(name)] => {
                        let below = above.below(name, BTreeMap::new());
                        let path = root.join(&below.folder);
                        if path.symlink_metadata().is_ok_and(|data| data.is_dir()) {
                            deeper.push(below);
                        } else {
                            // It may come to be.
                            listed.push(path);
                        }
                    }
                    pieces => {
                        let path = root.join(&above.folder);
                        for name in folders(&path)? {
                            if let Some(captures) = matched(pieces, &name) {
                                deeper.push(above.below(&name, captures));
                            }
                        }
                        listed.push(path);
                    }
                }
            }
            found = deeper;
        }
        found.sort_by(|a, b| a.folder.cmp(&b.folder));
        Ok((found, listed))
    }
}

impl DiscoveredFolder {
    fn below(&self, name: &str, captures: BTreeMap<String, String>) -> Self {
        let slash = if self.folder.is_empty() { "" } else { "/" };
        let captures = self.captures.clone().into_iter().chain(captures).collect();
        Self { folder: format!("{}{slash}{name}", self.folder), captures }
    }
}

/// Reads one part of a path: `v{n}`.
fn part(text: &str) -> Result<Vec<PatternPart>, String> {
    if matches!(text, "" | "." | "..") {
        return Err("leads out of the workspace, or holds an empty part".into());
    }
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or("opens a brace and does not close it")?;
        let is_word = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_word {
            return Err(format!("names `{name}`, which can be no word in a template"));
        }
        if before.is_empty() && matches!(pieces.last(), Some(PatternPart::Capture(_))) {
            return Err("has two captures with nothing between them".into());
        }
        if !before.is_empty() {
            pieces.push(PatternPart::Text(before.to_owned()));
        }
        pieces.push(PatternPart::Capture(name.to_owned()));
        rest = after;
    }
    if rest.contains('}') {
        return Err("closes a brace that it does not open".into());
    }
    if !rest.is_empty() {
        pieces.push(PatternPart::Text(rest.to_owned()));
    }
    Ok(pieces)
}

/// What stands for the captures of `pieces` in `name`; each as short as can be.
fn matched(pieces: &[PatternPart], name: &str) -> Option<BTreeMap<String, String>> {
    match pieces {
        [] => name.is_empty().then(BTreeMap::new),
        [PatternPart::Text(text), rest @ ..] => matched(rest, name.strip_prefix(text.as_str())?),
        [PatternPart::Capture(capture), rest @ ..] => {
            let ends = name.char_indices().skip(1).map(|(at, _)| at).chain([name.len()]);
            for end in ends.filter(|end| *end > 0) {
                if let Some(mut captures) = matched(rest, &name[end..]) {
                    captures.insert(capture.clone(), name[..end].to_owned());
                    return Some(captures);
                }
            }
            None
        }
    }
}

/// The folders in `path`, without those that are hidden.
fn folders(path: &Path) -> Result<Vec<String>, Fault> {
    let cannot = |error: io::Error| Fault::io(format!("cannot list {}", path.display()), &error);
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(cannot(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(cannot)?;
        if !entry.file_type().map_err(cannot)?.is_dir() {
            continue;
        }
        names.extend(entry.file_name().into_string().ok().filter(|name| !name.starts_with('.')));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_the_shape_are_found_with_what_their_names_hold() {
        let dir = tempfile::tempdir().unwrap();
        for folder in [
            "p/aws/ecs/v1/iac",
            "p/aws/s3/v2/iac",
            "p/gcp/run/v1",
            "p/aws/x/w1/iac",
            "p/.git/x/v1/iac",
        ] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        fs::write(dir.path().join("p/file"), "").unwrap();
        let pattern = Pattern::parse("./p/{provider}/{component}/v{n}/iac/").unwrap();
        assert_eq!(pattern.captures(), ["provider", "component", "n"]);
        let (found, listed) = pattern.find(dir.path()).unwrap();
        let told: Vec<_> = found
            .iter()
            .map(|one| {
                format!(
                    "{} {}",
                    one.folder,
                    one.captures.values().cloned().collect::<Vec<_>>().join(",")
                )
            })
            .collect();
        assert_eq!(told, ["p/aws/ecs/v1/iac ecs,1,aws", "p/aws/s3/v2/iac s3,2,aws"]);
        let is_listed = |path: &str| listed.contains(&dir.path().join(path));
        assert!(is_listed("p") && is_listed("p/aws") && is_listed("p/gcp/run/v1/iac"));
        let (none, listed) = Pattern::parse("q/{x}").unwrap().find(dir.path()).unwrap();
        assert!(none.is_empty() && listed == [dir.path().join("q")]);
    }

    #[test]
    fn a_name_is_taken_apart_at_what_is_written_between_the_captures() {
        let taken = |pattern: &str, name: &str| {
            let found = matched(&part(pattern).unwrap(), name)?;
            Some(found.into_iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(taken("{a}-{b}", "x-y-z").as_deref(), Some("a=x b=y-z"));
        assert_eq!(taken("{a}-svc", "x-svc-svc").as_deref(), Some("a=x-svc"));
        assert_eq!(taken("v{n}", "v"), None);
    }

    #[test]
    fn what_is_no_shape_is_refused() {
        for bad in ["a/b", "../{x}", "a//{x}", "{x", "x}", "{x y}", "{a}{b}", "{}"] {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
    }
}
