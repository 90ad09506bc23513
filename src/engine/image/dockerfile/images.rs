//! The images that a Dockerfile takes from elsewhere (Dockerfile reference: `FROM`, `COPY --from`,
//! `RUN --mount`), and the same Dockerfile with their digests in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use crate::model::{
    Platform, Sha256,
    oci::{ImagePlatform, ImageReference},
};

/// A Dockerfile, and which images it takes from elsewhere.
#[derive(Clone, Debug)]
pub struct DockerfileImages {
    text: String,
    /// Where each is named, and what that means.
    uses: Vec<(Range<usize>, ImageReference)>,
}

/// A word of an instruction, and where it is.
type DockerWord<'t> = (usize, &'t str);

impl DockerfileImages {
    /// Reads the Dockerfile `text`, which is built with `args` for `platforms`.
    ///
    /// # Errors
    /// Says in one sentence what cannot be pinned.
    pub fn parse(
        text: &str,
        args: &BTreeMap<String, String>,
        platforms: &[Platform],
    ) -> Result<Self, String> {
        let mut reader = InstructionReader {
            args,
            platforms,
            globals: BTreeMap::new(),
            stages: BTreeSet::new(),
            has_stage: false,
            uses: Vec::new(),
        };
        for words in instructions(text) {
            reader.take(&words)?;
        }
        if !reader.has_stage {
            return Err("it has no `FROM`".to_owned());
        }
        Ok(Self { text: text.to_owned(), uses: reader.uses })
    }

    /// The images, as the Dockerfile names them.
    pub fn images(&self) -> BTreeSet<&ImageReference> {
        self.uses.iter().map(|(_, image)| image).collect()
    }

    /// The Dockerfile with the digests of its images. The digest alone is named: some engines take no tag
    /// beside it.
    pub fn pinned(&self, digests: &BTreeMap<String, Sha256>) -> String {
        let mut text = self.text.clone();
        for (range, image) in self.uses.iter().rev() {
            if let Some(digest) = image.digest.or_else(|| digests.get(&image.to_string()).copied())
            {
                text.replace_range(range.clone(), &image.repository.at(digest).to_string());
            }
        }
        text
    }
}

/// Goes through the instructions.
struct InstructionReader<'a> {
    args: &'a BTreeMap<String, String>,
    platforms: &'a [Platform],
    /// The arguments before the first stage.
    globals: BTreeMap<String, String>,
    stages: BTreeSet<String>,
    has_stage: bool,
    uses: Vec<(Range<usize>, ImageReference)>,
}

impl InstructionReader<'_> {
    fn take(&mut self, words: &[DockerWord<'_>]) -> Result<(), String> {
        let Some(((_, instruction), words)) = words.split_first() else { return Ok(()) };
        match instruction.to_ascii_uppercase().as_str() {
            "ARG" if !self.has_stage => {
                for (_, word) in words {
                    self.argument(word);
                }
                Ok(())
            }
            "FROM" => self.stage(words),
            "COPY" | "ADD" => words
                .iter()
                .take_while(|(_, word)| word.starts_with("--"))
                .filter_map(|word| after(word, "--from="))
                .try_for_each(|word| self.source(word)),
            "RUN" => {
                let mounts = words.iter().take_while(|(_, word)| word.starts_with("--"));
                let mounts = mounts.filter_map(|word| after(word, "--mount="));
                let sources = mounts.flat_map(|(at, mount)| {
                    let mut start = at;
                    mount.split(',').filter_map(move |part| {
                        let word = (start, part);
                        start += part.len() + 1;
                        after(&word, "from=")
                    })
                });
                sources.collect::<Vec<_>>().into_iter().try_for_each(|word| self.source(word))
            }
            _ => Ok(()),
        }
    }

    /// An `ARG` before the first stage.
    fn argument(&mut self, word: &str) {
        let (name, default) = word.split_once('=').map_or((word, None), |(n, v)| (n, Some(v)));
        let default = default.map(|default| self.meaning(default.trim_matches(['"', '\'']), None));
        if let Some(value) = self.args.get(name).cloned().or(default) {
            self.globals.insert(name.to_owned(), value);
        }
    }

    fn stage(&mut self, words: &[DockerWord<'_>]) -> Result<(), String> {
        let mut words = words.iter().skip_while(|(_, word)| word.starts_with("--"));
        let Some(image) = words.next() else { return Err("a `FROM` names no image".to_owned()) };
        self.has_stage = true;
        self.source(*image)?;
        let is_as = |(_, word): &&DockerWord<'_>| word.eq_ignore_ascii_case("as");
        if let Some((_, name)) = words.next().filter(is_as).and(words.next()) {
            self.stages.insert(name.to_ascii_lowercase());
        }
        Ok(())
    }

    /// What a stage or a file comes from: an earlier stage, nothing, or an image.
    fn source(&mut self, (at, word): DockerWord<'_>) -> Result<(), String> {
        let quotes = usize::from(word.starts_with(['"', '\'']));
        let written = word.trim_matches(['"', '\'']);
        let range = at + quotes..at + quotes + written.len();
        let meanings: BTreeSet<String> =
            self.platforms.iter().map(|it| self.meaning(written, Some(*it))).collect();
        let is_inside = |name: &String| {
            let is_number = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
            name == "scratch" || is_number || self.stages.contains(&name.to_ascii_lowercase())
        };
        if meanings.iter().all(is_inside) {
            return Ok(());
        }
        let mut meanings = meanings.into_iter();
        let (Some(name), None) = (meanings.next(), meanings.next()) else {
            return Err(format!(
                "`{written}` is another image on each platform, which nothing pins"
            ));
        };
        if name.is_empty() || name.contains('$') {
            return Err(format!("`{written}` has no value: write a default for its `ARG`"));
        }
        self.uses.push((range, name.parse()?));
        Ok(())
    }

    /// `text` with its variables replaced; those that are not known stay.
    fn meaning(&self, text: &str, platform: Option<Platform>) -> String {
        let mut all = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            all.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            let (name, alternative, end) = variable(rest);
            let value = self.variable(name, platform);
            match (value.filter(|value| !value.is_empty()), alternative) {
                (Some(_), Some(('+', other))) => all.push_str(other),
                (Some(value), _) => all.push_str(&value),
                (None, Some(('-', other))) => all.push_str(&self.meaning(other, platform)),
                (None, Some(_)) => {}
                (None, None) => all += &format!("${}", &rest[..end]),
            }
            rest = &rest[end..];
        }
        all + rest
    }

    fn variable(&self, name: &str, platform: Option<Platform>) -> Option<String> {
        let words = |platform: Platform| ImagePlatform::from(platform);
        let host = Platform { os: crate::model::Os::Linux, ..Platform::host() };
        let target = platform.unwrap_or(host);
        Some(match name {
            "TARGETPLATFORM" => words(target).to_string(),
            "TARGETOS" => words(target).os,
            "TARGETARCH" => words(target).architecture,
            "TARGETVARIANT" => words(target).variant.unwrap_or_default(),
            "BUILDPLATFORM" => words(host).to_string(),
            "BUILDOS" => words(host).os,
            "BUILDARCH" => words(host).architecture,
            name => return self.globals.get(name).cloned(),
        })
    }
}

/// The part of `word` after `prefix`.
fn after<'t>((at, word): &DockerWord<'t>, prefix: &str) -> Option<DockerWord<'t>> {
    Some((at + prefix.len(), word.strip_prefix(prefix)?))
}

/// The variable that `text`, which is after a `$`, begins with: its name, what `:-` or `:+` give
/// instead, and where it ends.
fn variable(text: &str) -> (&str, Option<(char, &str)>, usize) {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let Some(inner) = text.strip_prefix('{').and_then(|rest| rest.split_once('}')) else {
        let end = text.find(|c| !is_word(c)).unwrap_or(text.len());
        return (&text[..end], None, end);
    };
    let inner = inner.0;
    let end = inner.len() + 2;
    let at = inner.find(|c| !is_word(c)).unwrap_or(inner.len());
    let (name, rest) = inner.split_at(at);
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    (name, rest.chars().next().map(|sign| (sign, &rest[1..])), end)
}

/// The instructions of `text` by their words, without comments, and without what heredocs hold.
fn instructions(text: &str) -> Vec<Vec<DockerWord<'_>>> {
    let escape = if escapes_with_backquote(text) { '`' } else { '\\' };
    let (mut all, mut words): (Vec<Vec<DockerWord<'_>>>, Vec<DockerWord<'_>>) =
        (Vec::new(), Vec::new());
    let (mut at, mut documents) = (0, Vec::<&str>::new());
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let plain = line.trim();
        if let Some(end) = documents.first() {
            if plain == *end {
                documents.remove(0);
            }
            continue;
        }
        if plain.starts_with('#') || plain.is_empty() {
            continue;
        }
        let goes_on = plain.ends_with(escape);
        let body = plain.strip_suffix(escape).unwrap_or(plain);
        words.extend(words_of(body, start + (line.len() - line.trim_start().len())));
        if !goes_on {
            documents = heredocs(&words);
            all.push(std::mem::take(&mut words));
        }
    }
    all.push(words);
    all
}

/// Whether the directive `escape` says so, which is in comments at the top.
fn escapes_with_backquote(text: &str) -> bool {
    let mut comments = text.lines().map_while(|line| line.trim().strip_prefix('#'));
    comments.any(|comment| {
        let directive = comment.split_once('=').map(|(key, value)| (key.trim(), value.trim()));
        directive.is_some_and(|(key, value)| key.eq_ignore_ascii_case("escape") && value == "`")
    })
}

fn words_of(body: &str, start: usize) -> impl Iterator<Item = DockerWord<'_>> {
    let offset = move |word: &str| start + (word.as_ptr() as usize - body.as_ptr() as usize);
    body.split_ascii_whitespace().map(move |word| (offset(word), word))
}

/// The ends of the heredocs that an instruction begins.
fn heredocs<'t>(words: &[DockerWord<'t>]) -> Vec<&'t str> {
    let takes = |word: &str| ["RUN", "COPY", "ADD"].iter().any(|it| word.eq_ignore_ascii_case(it));
    if !words.first().is_some_and(|(_, word)| takes(word)) {
        return Vec::new();
    }
    let end = |(_, word): &DockerWord<'t>| {
        let (_, end) = word.split_once("<<")?;
        let end = end.strip_prefix('-').unwrap_or(end).trim_matches(['"', '\'']);
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = &end[..end.find(|c| !is_word(c)).unwrap_or(end.len())];
        (!end.is_empty()).then_some(end)
    };
    words.iter().filter_map(end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<DockerfileImages, String> {
        let args = BTreeMap::from([("VERSION".to_owned(), "1.2".to_owned())]);
        let platforms = ["linux-amd64".parse().unwrap(), "linux-arm64".parse().unwrap()];
        DockerfileImages::parse(text, &args, &platforms)
    }

    fn names(text: &str) -> Vec<String> {
        parse(text).unwrap().images().into_iter().map(ToString::to_string).collect()
    }

    #[test]
    fn images_from_elsewhere_are_found() {
        for (text, expected) in [
            ("FROM debian:12", vec!["docker.io/library/debian:12"]),
            ("from  --platform=$BUILDPLATFORM \\\n  r.io/a:1 AS one\nFROM One", vec!["r.io/a:1"]),
            ("FROM scratch\nCOPY --from=r.io/b:2 /a /a\nCOPY --from=0 /a /b", vec!["r.io/b:2"]),
            ("ARG VERSION=9\nARG X=${VERSION}\nFROM r.io/a:$X", vec!["r.io/a:1.2"]),
            ("ARG V\nFROM r.io/a:${V:-3}", vec!["r.io/a:3"]),
            ("FROM scratch AS a-amd64\nFROM scratch AS a-arm64\nFROM a-${TARGETARCH}", vec![]),
            (
                "FROM r.io/a:1\nRUN <<EOF cat\nFROM r.io/b:1\nEOF\n# FROM r.io/c:1\n",
                vec!["r.io/a:1"],
            ),
            (
                "FROM r.io/a:1\nRUN --mount=type=bind,from=r.io/m:1,target=/m true",
                vec!["r.io/a:1", "r.io/m:1"],
            ),
            ("# escape=`\nFROM `\nr.io/a:1", vec!["r.io/a:1"]),
        ] {
            assert_eq!(names(text), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_pinned_is_told() {
        for (text, why) in [
            ("FROM r.io/a:$NOTHING", "has no value"),
            ("FROM r.io/a-$TARGETARCH:1", "another image on each platform"),
            ("RUN true", "no `FROM`"),
            ("FROM", "names no image"),
        ] {
            assert!(parse(text).unwrap_err().contains(why), "{text}");
        }
    }

    #[test]
    fn digests_take_the_place_of_tags_and_nothing_else_changes() {
        let text = "FROM \"r.io/a:1\" AS x\nCOPY --from=r.io/b:2 /FROM r.io/a:1\n";
        let digests = BTreeMap::from([
            ("r.io/a:1".to_owned(), Sha256([1; 32])),
            ("r.io/b:2".to_owned(), Sha256([2; 32])),
        ]);
        let (one, two) = (Sha256([1; 32]), Sha256([2; 32]));
        let expected = format!(
            "FROM \"r.io/a@sha256:{one}\" AS x\nCOPY --from=r.io/b@sha256:{two} /FROM r.io/a:1\n"
        );
        assert_eq!(parse(text).unwrap().pinned(&digests), expected);
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            let _ = parse(&text[..end]).map(|parsed| parsed.pinned(&digests));
        }
    }
}
