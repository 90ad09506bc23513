//! Checksums files as vendors write them: which digest a file gives for an asset.
//!
//! There is no one form of such a file. What all have in common is a digest in hexadecimal
//! digits, on a line of its own or with the name of a file before or after it; that is what
//! is looked for, whatever stands between. Read are the output of `sha256sum` and its like
//! (`<digest>  <name>`, also with size and date between the two), of BSD's tools and of openssl
//! (`SHA256 (<name>) = <digest>`), of `certutil` and `Get-FileHash` on Windows, lists with the name
//! first, tables, lists in Markdown, JSON of every shape, several digests of one file on a line, the groups
//! of `gpg --print-md`, and a digest that stands alone in its file; also within the text of a PGP signed
//! message.

mod json;
mod lines;

use std::{collections::BTreeSet, rc::Rc};

use crate::model::{Algorithm, Digest};

/// Fewer hexadecimal digits in a row are no digest: MD5 has 32.
const FEWEST: usize = 32;

/// What stands around digests and names and is part of neither.
const AROUND: &str = "|\"'`,;=:<>\u{feff}";

/// What stands right before and right after a digest that is in brackets.
const OPENING: &str = "([";
const CLOSING: &str = ")]";

/// The digest that `text` gives for the asset at `path`, a URL's path or the name alone.
///
/// Where several names in `text` end like `path`, that which agrees with more of its folders is
/// meant. Where it has digests of several algorithms, SHA-256 is taken before the others.
///
/// # Errors
/// Says in one sentence, without naming the file, why it gives none.
pub fn find_digest(text: &str, path: &str) -> Result<Digest, String> {
    let lines = json::entries(text).unwrap_or_else(|| entries(text));
    let asset = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let best = lines.iter().filter_map(|entry| entry.agreement(path)).max();
    let meant: Vec<&ListedDigest> = match best {
        Some(best) => lines.iter().filter(|entry| entry.agreement(path) == Some(best)).collect(),
        // Without any name, the file is about whatever it stands beside.
        None if lines.iter().all(|entry| entry.names.is_empty()) => lines.iter().collect(),
        None => Vec::new(),
    };
    choose(&meant, asset).unwrap_or_else(|| Err(absent(&lines, asset)))
}

/// The path of the asset at `url`, as a checksums file would write it: without host and query,
/// and with `%2B` as `+`.
pub fn asset_path(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let path = path.split_once("://").map_or(path, |(_, rest)| rest);
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|code| std::str::from_utf8(code).ok());
        match code.filter(|_| *first == b'%').and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A digest in a checksums file.
#[derive(Debug)]
struct ListedDigest {
    /// What it may be the digest of, and how near to the digest that stands: the higher, the nearer.
    names: Vec<(Rc<str>, usize)>,
    /// The digest, or why it is of no use, as the end of a sentence that begins with "it".
    digest: Result<Digest, String>,
}

/// How near a name is that a line has as it stands, and one that is left without the columns before it.
const WHOLE: usize = 1;
const AFTER_COLUMNS: usize = 0;

impl ListedDigest {
    /// How much the names agree with `path`, and how near the one that does so most is.
    fn agreement(&self, path: &str) -> Option<((usize, bool), usize)> {
        let agreements =
            self.names.iter().map(|(name, near)| Some((agreement(name, path)?, *near)));
        agreements.flatten().max()
    }
}

/// The one digest that `meant` give, of the best algorithm there is. `None` if they give none.
fn choose(meant: &[&ListedDigest], asset: &str) -> Option<Result<Digest, String>> {
    let good: BTreeSet<Digest> =
        meant.iter().filter_map(|entry| entry.digest.as_ref().ok().copied()).collect();
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512, Algorithm::Sha384] {
        let of: Vec<_> = good.iter().filter(|it| it.algorithm() == algorithm).collect();
        match of.as_slice() {
            [] => {}
            [digest] => return Some(Ok(**digest)),
            [a, b, ..] if meant.iter().any(|entry| !entry.names.is_empty()) => {
                let why =
                    format!("it gives two digests for `{asset}`: {} and {}", a.short(), b.short());
                return Some(Err(why));
            }
            _ => return None,
        }
    }
    let bad = meant.iter().find_map(|entry| entry.digest.as_ref().err());
    bad.map(|why| Err(format!("what it gives for `{asset}` {why}")))
}

fn absent(lines: &[ListedDigest], asset: &str) -> String {
    match lines {
        [] => "it holds no SHA-256, SHA-384 or SHA-512 digest".into(),
        [ListedDigest { names, .. }] if !names.is_empty() => {
            format!("it is about `{}`, not about `{asset}`", names[0].0.escape_debug())
        }
        _ => format!("none of its {} digests is for `{asset}`", lines.len()),
    }
}

/// How much `name` agrees with `path`, from the end on: the number of parts, and whether that
/// is all of `name`. `None` if not even the last part is the same.
fn agreement(name: &str, path: &str) -> Option<(usize, bool)> {
    let parts = |text: &str| -> Vec<String> {
        let parts = text.split(['/', '\\']).filter(|part| !matches!(*part, "" | "."));
        parts.map(str::to_owned).rev().collect()
    };
    let (name, path) = (parts(name), parts(path));
    let same = name.iter().zip(&path).take_while(|(a, b)| a == b).count();
    (same > 0).then_some((same, same == name.len()))
}

fn entries(text: &str) -> Vec<ListedDigest> {
    let mut entries: Vec<ListedDigest> = Vec::new();
    // A name above digests, and the algorithms of those that it was given to.
    let mut heading: Option<(Rc<str>, Vec<Algorithm>)> = None;
    let mut is_property = false;
    for line in lines::lines(text) {
        let found = line_entries(&line);
        if found.is_empty() {
            let Some(name) = told_name(&line) else { continue };
            // Of a list of properties, the name may come before the digest or after it.
            let last = entries.last_mut().filter(|last| is_property && last.names.is_empty());
            match last {
                Some(last) => last.names.push((name.into(), WHOLE)),
                None => heading = Some((name.into(), Vec::new())),
            }
            continue;
        }
        is_property = line.split_once([':', '=']).is_some_and(|(key, _)| label(key).is_some());
        for mut entry in found {
            // A heading is about the next digest of each algorithm only.
            match entry.digest.as_ref().map(|digest| digest.algorithm()) {
                _ if !entry.names.is_empty() => heading = None,
                Ok(it) if heading.as_ref().is_some_and(|(_, had)| had.contains(&it)) => {
                    heading = None;
                }
                algorithm => {
                    if let Some((name, had)) = &mut heading {
                        had.extend(algorithm.ok());
                        entry.names.push((name.clone(), WHOLE));
                    }
                }
            }
            entries.push(entry);
        }
    }
    entries
}

/// The name of a file on a line without a digest: `SHA256 hash of file e.zip:`, as
/// `certutil -hashfile` writes it above the digest, or a property such as `Path : C:\e.zip`.
fn told_name(line: &str) -> Option<String> {
    let line = line.trim();
    if is_comment(line) {
        return None;
    }
    if let Some((algorithm, name)) =
        line.strip_suffix(':').and_then(|it| it.split_once(" hash of "))
    {
        label(algorithm)?;
        return Some(name.strip_prefix("file ").unwrap_or(name).to_owned());
    }
    let (key, value) = line.split_once([':', '='])?;
    if names_a_file(key) { clean(value) } else { None }
}

fn is_comment(line: &str) -> bool {
    line.starts_with('#') || line.starts_with("//")
}

/// Whether a property that is called `key` says which file is meant.
fn names_a_file(key: &str) -> bool {
    const NAMES: [&str; 11] = [
        "archive", "artifact", "asset", "file", "filename", "link", "name", "path", "tarball",
        "uri", "url",
    ];
    let word: String = key.chars().filter(char::is_ascii_alphanumeric).collect();
    let word = word.to_ascii_lowercase();
    NAMES.iter().any(|name| word.ends_with(name))
}

/// The digests on a line: mostly none or one, or several of one file.
fn line_entries(line: &str) -> Vec<ListedDigest> {
    let line = line.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    if is_comment(line) {
        return Vec::new();
    }
    let line = ["- ", "* ", "+ "].iter().find_map(|it| line.strip_prefix(it)).unwrap_or(line);
    // coreutils begins a line with a backslash if the name has escapes.
    let escaped = line.starts_with('\\');
    let mut rest = line.trim_start_matches('\\');
    let (mut digests, mut texts) = (Vec::new(), Vec::new());
    while let Some((before, digits, after)) = split(rest) {
        let (algorithm, text) = head(before);
        digests.push((digits.len(), digest(digits, algorithm)));
        texts.push(text);
        rest = after.trim_start_matches(|c| CLOSING.contains(c));
    }
    texts.push(rest);
    texts.retain(|text| clean(text).is_some());
    texts.dedup();
    // A size is the name of a file only if there is nothing else.
    if texts.iter().any(|text| !without_columns(text).is_empty()) {
        texts.retain(|text| !without_columns(text).is_empty());
    }
    let names = |text: &&str| names_in(text, escaped);
    let lengths: BTreeSet<usize> = digests.iter().map(|(length, _)| *length).collect();
    // `A  x  B  y` are two files on one line.
    let is_list = lengths.len() < digests.len() && texts.len() == digests.len();
    let all = digests.into_iter().enumerate().map(|(at, (_, digest))| ListedDigest {
        names: match is_list {
            true => names(&texts[at]),
            false => texts.iter().flat_map(names).collect(),
        },
        digest,
    });
    all.collect()
}

/// What may be the name of a file in a text that has no digest: all of it first, and what is left
/// without the columns, the cells and the marks of Markdown around it.
fn names_in(text: &str, escaped: bool) -> Vec<(Rc<str>, usize)> {
    let Some(whole) = clean(text) else { return Vec::new() };
    let whole = if escaped { unescape(&whole) } else { whole };
    let cells = text.split(['|', '\t', ',', ';', '<', '>']);
    let pieces = cells.chain([text]).flat_map(|piece| {
        let bare = clean(without_columns(piece)).unwrap_or_default();
        let plain = bare.trim_matches(['*', '_', '~', '`', ':']).to_owned();
        let linked = link_text(&plain).map(str::to_owned);
        [Some(bare), Some(plain), linked]
    });
    let mut pieces: Vec<String> = pieces.flatten().filter(|piece| *piece != whole).collect();
    pieces.sort();
    pieces.dedup();
    let pieces = pieces.into_iter().filter(|piece| !piece.is_empty());
    [(whole.into(), WHOLE)]
        .into_iter()
        .chain(pieces.map(|piece| (piece.into(), AFTER_COLUMNS)))
        .collect()
}

/// What people see of a link in Markdown: `x` of `[x](https://example.org/x)`.
fn link_text(text: &str) -> Option<&str> {
    let (text, _) = text.strip_prefix('[')?.strip_suffix(')')?.split_once("](")?;
    Some(text.trim_matches('`'))
}

/// A line as what stands before a digest, its digits, and what comes after.
fn split(line: &str) -> Option<(&str, &str, &str)> {
    let is_edge = |c: Option<char>, edges: &str| {
        c.is_none_or(|c| c.is_whitespace() || AROUND.contains(c) || edges.contains(c))
    };
    let mut from = 0;
    while let Some(start) = line[from..].find(|c: char| c.is_ascii_hexdigit()).map(|at| from + at) {
        let rest = &line[start..];
        let length = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
        let (before, end) = (line[..start].chars().next_back(), start + length);
        if length >= FEWEST
            && is_edge(before, OPENING)
            && is_edge(line[end..].chars().next(), CLOSING)
        {
            return Some((&line[..start], &line[start..end], &line[end..]));
        }
        from = end;
    }
    None
}

/// What stands before a digest: the algorithm, as far as it says, and what may be the name.
fn head(before: &str) -> (Option<Label>, &str) {
    let is_around = |c: char| c.is_whitespace() || AROUND.contains(c) || OPENING.contains(c);
    let before = before.trim_end_matches(is_around);
    if let Some((algorithm, name)) = bsd(before) {
        return (Some(algorithm), name);
    }
    let last = before.rsplit([' ', '\t']).next().unwrap_or_default();
    match label(last) {
        Some(algorithm) => (Some(algorithm), &before[..before.len() - last.len()]),
        None => (None, before),
    }
}

/// `SHA256 (<name>)` of BSD's tools, `SHA2-256(<name>)` of openssl.
fn bsd(before: &str) -> Option<(Label, &str)> {
    let (algorithm, name) = before.strip_suffix(')')?.split_once('(')?;
    Some((label(algorithm.trim())?, name))
}

/// A name without what stands around it; `None` if nothing is left, or what `sha256sum` and
/// openssl call their standard input.
fn clean(text: &str) -> Option<String> {
    let is_around = |c: char| c.is_whitespace() || AROUND.contains(c);
    let name = text.trim_matches(is_around);
    let bare = name.strip_prefix('(').and_then(|name| name.strip_suffix(')')).unwrap_or(name);
    let name = bare.strip_prefix('*').unwrap_or(bare);
    let is_name = !matches!(name, "" | "-" | "stdin") && !name.starts_with("# ");
    is_name.then(|| name.to_owned())
}

/// `text` without the words at its beginning and end that are numbers, dates, times or sizes, or the
/// asterisk that stands for binary. Empty if there are no others.
fn without_columns(text: &str) -> &str {
    let is_blank = char::is_whitespace;
    let mut rest = text.trim_matches(|c: char| is_blank(c) || AROUND.contains(c));
    while let Some(first) = rest.split(is_blank).next().filter(|word| is_column(word)) {
        rest = rest[first.len()..].trim_start();
    }
    while let Some(last) = rest.rsplit(is_blank).next().filter(|word| is_column(word)) {
        rest = rest[..rest.len() - last.len()].trim_end();
    }
    rest
}

fn is_column(word: &str) -> bool {
    const UNITS: [&str; 9] = ["b", "byte", "bytes", "kb", "mb", "gb", "kib", "mib", "gib"];
    let word = word.trim_matches(|c: char| AROUND.contains(c) || "()[]".contains(c));
    let figures = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = word[figures.len()..].to_ascii_lowercase();
    let is_unit = UNITS.contains(&unit.as_str());
    match figures.starts_with(|c: char| c.is_ascii_digit()) {
        true => {
            figures.chars().all(|c| c.is_ascii_digit() || "-/:.,+TZ".contains(c))
                && (is_unit || matches!(unit.as_str(), "" | "z" | "k" | "m" | "g"))
        }
        false => word == "*" || figures.is_empty() && is_unit,
    }
}

fn unescape(name: &str) -> String {
    name.replace("\\\\", "\0").replace("\\n", "\n").replace("\\r", "\r").replace('\0', "\\")
}

/// What a file calls the algorithm of a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Label {
    Checked(Algorithm),
    /// A digest, it says, and not by which algorithm.
    Unsaid,
    /// Somebody can make another file with the same digest.
    Weak(&'static str),
    /// Good enough, but forge does not have it.
    Other(&'static str),
}

fn label(word: &str) -> Option<Label> {
    let word: String = word.chars().filter(char::is_ascii_alphanumeric).collect();
    let word = word.to_ascii_lowercase();
    if let "digest" | "hash" | "checksum" | "sum" | "shasum" | "sha" = word.as_str() {
        return Some(Label::Unsaid);
    }
    let word = word.strip_suffix("sum").or_else(|| word.strip_suffix("hash")).unwrap_or(&word);
    Some(match word {
        "sha256" | "sha2256" => Label::Checked(Algorithm::Sha256),
        "sha384" | "sha2384" => Label::Checked(Algorithm::Sha384),
        "sha512" | "sha2512" => Label::Checked(Algorithm::Sha512),
        "md5" => Label::Weak("MD5"),
        "sha1" => Label::Weak("SHA-1"),
        "sha224" | "sha2224" => Label::Other("SHA-224"),
        "sha512224" | "sha2512224" => Label::Other("SHA-512/224"),
        "sha512256" | "sha2512256" => Label::Other("SHA-512/256"),
        "sha3224" | "sha3256" | "sha3384" | "sha3512" => Label::Other("SHA-3"),
        "blake2" | "blake2b" | "b2" | "blake2b256" | "blake2b512" | "blake2s" | "blake2s256" => {
            Label::Other("BLAKE2")
        }
        "blake3" | "b3" => Label::Other("BLAKE3"),
        "rmd160" | "ripemd160" => Label::Other("RIPEMD-160"),
        "sm3" => Label::Other("SM3"),
        _ => return None,
    })
}

/// The digest that `digits` stand for, if they fit what the file calls them.
fn digest(digits: &str, label: Option<Label>) -> Result<Digest, String> {
    match label {
        Some(Label::Weak(name)) => {
            return Err(format!("is {name}, which proves nothing any more: {TAKES}"));
        }
        Some(Label::Other(name)) => {
            return Err(format!("is {name}, which forge does not check: {TAKES}"));
        }
        Some(Label::Checked(_) | Label::Unsaid) | None => {}
    }
    let digest = Digest::from_digits(digits)?;
    match label {
        Some(Label::Checked(algorithm)) if algorithm != digest.algorithm() => {
            let (name, count) = (algorithm.as_str(), algorithm.bytes() * 2);
            Err(format!("is called {name} and has {} digits, not {count}", digits.len()))
        }
        _ => Ok(digest),
    }
}

const TAKES: &str = "forge takes SHA-256, SHA-384 and SHA-512";

#[cfg(test)]
mod tests;
