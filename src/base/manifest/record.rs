//! What forge itself writes in YAML: `forge.lock` and stamps. The text is the same for
//! the same contents, one line per fact, so that it diffs and merges well.

use std::{fmt::Write as _, ops::Range, path::PathBuf, str::FromStr};

use super::{
    check,
    file::{Findings, ManifestFile},
    node::{Node, Pair, Scalar, Sp},
    record_language,
    shape::Shape,
    yaml,
};
use crate::model::{
    Binaries, BinaryName, Diagnostic, Layout, Lock, Locked, LockedAsset, LockedImage,
    LockedUpstream, Name, Platform, Revision, Sha256, Stamp,
};

const LOCK_HEAD: &str =
    "# Written by forge: what each version means, and what its releases hold. Commit this file.\n";
/// How long a lock may be, in bytes: some 70,000 assets.
const MAX_LOCK_BYTES: usize = 16 << 20;

/// Reads `forge.lock`. An empty file is an empty lock.
///
/// # Errors
/// The first thing in it that forge did not write, with its place.
pub fn parse_lock(text: &str) -> Result<Lock, Box<Diagnostic>> {
    let file =
        ManifestFile::new(PathBuf::from(Layout::LOCK), text.as_bytes().to_vec(), MAX_LOCK_BYTES);
    let locked = read(&file, &record_language::LOCK).and_then(|root| match root {
        Some(root) => root.entries().iter().map(locked).collect(),
        None => Ok(std::collections::BTreeMap::new()),
    });
    let (bytes, what) = match locked {
        Ok(subsystems) => return Ok(Lock { subsystems }),
        Err(wrong) => wrong,
    };
    let conflict = text.lines().any(|line| line.starts_with("<<<<<<< "));
    let help = if conflict {
        "git left the marks of a conflict in it: take one side (`git checkout --theirs forge.lock`) and run `forge lock`"
    } else {
        "restore it from git, or delete it: forge writes it anew"
    };
    let what = format!("forge.lock is not as forge wrote it: {what}");
    Err(Box::new(Diagnostic::new(file.span(bytes), what, "here").help(help)))
}

/// Writes `forge.lock`: the same lock always gives the same text.
pub fn render_lock(lock: &Lock) -> String {
    let mut text = LOCK_HEAD.to_owned();
    for (name, locked) in &lock.subsystems {
        let _ = writeln!(text, "{name}:\n  version: {}", quoted(&locked.version));
        if let Some(commit) = &locked.commit {
            let _ = writeln!(text, "  commit: {}", quoted(commit));
        }
        if !locked.assets.is_empty() {
            text.push_str("  assets:\n");
        }
        for (platform, asset) in &locked.assets {
            let LockedAsset { sha256, size, fingerprint, revision } = asset;
            let _ = write!(
                text,
                "    {platform}: {{sha256: {sha256}, size: {size}, fingerprint: {fingerprint}"
            );
            if *revision != Revision::FIRST {
                let _ = write!(text, ", revision: {}", revision.number());
            }
            if let Some(binaries) = locked.binaries.get(platform) {
                let binary =
                    |(name, digest): (&BinaryName, &Sha256)| format!("{}: {digest}", quoted(name));
                let binaries: Vec<_> = binaries.iter().map(binary).collect();
                let _ = write!(text, ", binaries: {{{}}}", binaries.join(", "));
            }
            text.push_str("}\n");
        }
        if !locked.upstream.is_empty() {
            text.push_str("  upstream:\n");
        }
        for (platform, LockedUpstream { fingerprint, digest }) in &locked.upstream {
            let _ =
                writeln!(text, "    {platform}: {{digest: {digest}, fingerprint: {fingerprint}}}");
        }
        if let Some(LockedImage { digest, fingerprint }) = &locked.image {
            let _ = writeln!(text, "  image: {{digest: {digest}, fingerprint: {fingerprint}}}");
        }
        if !locked.bases.is_empty() {
            text.push_str("  bases:\n");
        }
        for (image, digest) in &locked.bases {
            let _ = writeln!(text, "    {}: {digest}", quoted(image));
        }
    }
    text
}

/// Reads a stamp (`.version`).
///
/// # Errors
/// What is wrong with it, in one sentence.
pub fn parse_stamp(text: &str) -> Result<Stamp, String> {
    const MAX_BYTES: usize = 1 << 20;
    let file = ManifestFile::new(PathBuf::from(Stamp::FILE), text.as_bytes().to_vec(), MAX_BYTES);
    let root = read(&file, &record_language::STAMP).map_err(|(_, what)| what)?;
    let root = root.ok_or("the stamp is empty")?;
    stamp(&root).map_err(|(_, what)| what)
}

/// Writes a stamp (`.version`): the same stamp always gives the same text.
pub fn render_stamp(stamp: &Stamp) -> String {
    let mut text = format!("name: {}\nversion: {}\n", stamp.name, quoted(&stamp.version));
    if let Some(commit) = &stamp.commit {
        let _ = writeln!(text, "commit: {}", quoted(commit));
    }
    let _ = writeln!(text, "platform: {}\nfingerprint: {}", stamp.platform, stamp.fingerprint);
    if !stamp.inputs.is_empty() {
        text.push_str("inputs:\n");
    }
    for (field, digest) in &stamp.inputs {
        let _ = writeln!(text, "  {}: {}", quoted(field), quoted(digest));
    }
    text.push_str(if stamp.binaries.is_empty() { "binaries: {}\n" } else { "binaries:\n" });
    for (binary, digest) in &stamp.binaries {
        let _ = writeln!(text, "  {}: {digest}", quoted(binary));
    }
    text
}

/// What is wrong, and where.
type Wrong = (Range<usize>, String);

fn read(file: &ManifestFile, shape: &Shape) -> Result<Option<Node>, Wrong> {
    let mut found = Findings::new(file);
    let root = match yaml::parse(&file.text) {
        Ok(root) => root,
        Err(error) => return Err((error.bytes, error.what)),
    };
    if let Some(root) = &root {
        check::check(root, shape, &mut found);
    }
    match found.diagnostics.into_iter().next() {
        Some(first) => Err((first.span.bytes, first.what)),
        None => Ok(root),
    }
}

fn locked(entry: &Pair) -> Result<(Name, Locked), Wrong> {
    let of = |key: &str| entry.value.get(key).map(Node::entries).unwrap_or_default();
    let asset = |entry: &Pair| {
        let asset = LockedAsset {
            fingerprint: value(&entry.value, "fingerprint")?,
            sha256: value(&entry.value, "sha256")?,
            size: value(&entry.value, "size")?,
            revision: match entry.value.get("revision") {
                Some(revision) => of_node(revision)?,
                None => Revision::FIRST,
            },
        };
        Ok((key(&entry.key)?, asset))
    };
    let binaries = |entry: &Pair| -> Option<Result<(Platform, Binaries), Wrong>> {
        let listed = entry.value.get("binaries")?;
        Some(key(&entry.key).and_then(|platform| Ok((platform, digests(listed.entries())?))))
    };
    let upstream = |entry: &Pair| {
        let upstream = LockedUpstream {
            fingerprint: value(&entry.value, "fingerprint")?,
            digest: value(&entry.value, "digest")?,
        };
        Ok((key(&entry.key)?, upstream))
    };
    let locked = Locked {
        version: value(&entry.value, "version")?,
        commit: text(&entry.value, "commit"),
        assets: of("assets").iter().map(asset).collect::<Result<_, Wrong>>()?,
        binaries: of("assets").iter().filter_map(binaries).collect::<Result<_, Wrong>>()?,
        upstream: of("upstream").iter().map(upstream).collect::<Result<_, Wrong>>()?,
        image: entry.value.get("image").map(locked_image).transpose()?,
        bases: of("bases")
            .iter()
            .map(|entry| Ok((entry.key.value.clone(), of_node(&entry.value)?)))
            .collect::<Result<_, Wrong>>()?,
    };
    Ok((name(&entry.key)?, locked))
}

fn locked_image(node: &Node) -> Result<LockedImage, Wrong> {
    Ok(LockedImage { digest: value(node, "digest")?, fingerprint: value(node, "fingerprint")? })
}

fn stamp(root: &Node) -> Result<Stamp, Wrong> {
    let pairs = |key: &str| root.get(key).map(Node::entries).unwrap_or_default();
    let scalar = |entry: &Pair| entry.value.scalar().map(|scalar| scalar.text.clone());
    let named = root
        .get("name")
        .and_then(Node::scalar)
        .map(|Scalar { text, bytes, .. }| Sp { value: text.clone(), bytes: bytes.clone() });
    Ok(Stamp {
        name: name(&named.ok_or((0..0, "it has no name".to_owned()))?)?,
        version: value(root, "version")?,
        commit: text(root, "commit"),
        platform: value(root, "platform")?,
        fingerprint: value(root, "fingerprint")?,
        inputs: pairs("inputs")
            .iter()
            .map(|entry| (entry.key.value.clone(), scalar(entry).unwrap_or_default()))
            .collect(),
        binaries: digests(pairs("binaries"))?,
    })
}

/// Names of binaries with their digests.
fn digests(entries: &[Pair]) -> Result<Binaries, Wrong> {
    entries.iter().map(|entry| Ok((key(&entry.key)?, of_node(&entry.value)?))).collect()
}

fn name(key: &Sp<String>) -> Result<Name, Wrong> {
    Name::new(&key.value).map_err(|why| (key.bytes.clone(), why))
}

fn key<T: FromStr<Err = String>>(key: &Sp<String>) -> Result<T, Wrong> {
    key.value.parse().map_err(|why| (key.bytes.clone(), why))
}

fn text(node: &Node, key: &str) -> Option<String> {
    node.get(key).and_then(Node::scalar).map(|scalar| scalar.text.clone())
}

fn value<T: FromStr<Err: std::fmt::Display>>(node: &Node, key: &str) -> Result<T, Wrong> {
    match node.get(key) {
        Some(value) => of_node(value),
        None => Err((node.bytes.clone(), format!("`{key}` is missing"))),
    }
}

fn of_node<T: FromStr<Err: std::fmt::Display>>(node: &Node) -> Result<T, Wrong> {
    let text = node.scalar().map(|scalar| scalar.text.as_str()).unwrap_or_default();
    text.parse().map_err(|why| (node.bytes.clone(), format!("{why}")))
}

/// `text` as a YAML scalar: bare where nothing in it means something to YAML.
fn quoted(text: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || "._+@/-".contains(c);
    let is_bare = text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(bare)
        && !matches!(text, "null" | "Null" | "NULL");
    if is_bare {
        return text.to_owned();
    }
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            _ => {
                let _ = write!(quoted, "\\U{:08x}", u32::from(c));
            }
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Arch, Os};
    use proptest::{collection::btree_map, prelude::*};

    fn names() -> impl Strategy<Value = Name> {
        "[a-z0-9][a-z0-9_-]{0,12}".prop_map(|text| Name::new(&text).unwrap())
    }

    fn platforms() -> impl Strategy<Value = Platform> {
        (0..Os::ALL.len(), 0..Arch::ALL.len())
            .prop_map(|(os, arch)| Platform { os: Os::ALL[os], arch: Arch::ALL[arch] })
    }

    fn fingerprints() -> impl Strategy<Value = crate::model::Fingerprint> {
        "[0-9a-f]{64}".prop_map(|text| text.parse().unwrap())
    }

    fn texts() -> impl Strategy<Value = String> {
        prop_oneof!["[!-~]([ -~]{0,10}[!-~])?", "[a-z0-9.]{1,10}", "\\PC{1,5}", Just("null".into())]
            .prop_filter("not blank", |text: &String| !text.trim().is_empty())
    }

    fn digests() -> impl Strategy<Value = Binaries> {
        let name = "[a-zA-Z0-9_][ -~]{0,12}"
            .prop_filter_map("a binary's name", |text| BinaryName::new(&text).ok());
        btree_map(name, any::<[u8; 32]>().prop_map(Sha256), 0..4)
    }

    fn locks() -> impl Strategy<Value = Lock> {
        let asset = (fingerprints(), any::<[u8; 32]>(), any::<u64>(), 1..u32::MAX).prop_map(
            |(fingerprint, sha256, size, revision)| LockedAsset {
                fingerprint,
                sha256: Sha256(sha256),
                size,
                revision: Revision::new(revision).unwrap(),
            },
        );
        let assets = btree_map(platforms(), (asset, proptest::option::of(digests())), 0..4);
        let upstream = (fingerprints(), any::<[u8; 32]>()).prop_map(|(fingerprint, sha256)| {
            LockedUpstream { fingerprint, digest: Sha256(sha256).into() }
        });
        let upstream = btree_map(platforms(), upstream, 0..3);
        let image = (fingerprints(), any::<[u8; 32]>())
            .prop_map(|(fingerprint, digest)| LockedImage { fingerprint, digest: Sha256(digest) });
        let images = (
            proptest::option::of(image),
            btree_map(
                "[a-z.]{1,5}/[a-z]{1,5}:[a-z0-9.]{1,5}",
                any::<[u8; 32]>().prop_map(Sha256),
                0..3,
            ),
        );
        let locked = (texts(), proptest::option::of(texts()), assets, upstream, images).prop_map(
            |(version, commit, assets, upstream, (image, bases))| Locked {
                version,
                commit,
                binaries: assets
                    .iter()
                    .filter_map(|(platform, (_, binaries))| Some((*platform, binaries.clone()?)))
                    .collect(),
                assets: assets
                    .into_iter()
                    .map(|(platform, (asset, _))| (platform, asset))
                    .collect(),
                upstream,
                image,
                bases,
            },
        );
        btree_map(names(), locked, 0..5).prop_map(|subsystems| Lock { subsystems })
    }

    fn stamps() -> impl Strategy<Value = Stamp> {
        let inputs = btree_map("[a-z]{1,9}", "[0-9a-f]{16}", 0..6);
        let commit = proptest::option::of("[0-9a-f]{40}");
        (names(), texts(), commit, platforms(), fingerprints(), inputs, digests()).prop_map(
            |(name, version, commit, platform, fingerprint, inputs, binaries)| Stamp {
                name,
                version,
                commit,
                platform,
                fingerprint,
                inputs,
                binaries,
            },
        )
    }

    /// `text` with one piece of it replaced.
    fn mutated(text: &str, at: usize, length: usize, piece: &str) -> String {
        let mut chars: Vec<char> = text.chars().collect();
        let at = at % (chars.len() + 1);
        let end = (at + length).min(chars.len());
        chars.splice(at..end, piece.chars());
        chars.into_iter().collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_lock_survives_the_round_trip(lock in locks()) {
            let text = render_lock(&lock);
            prop_assert_eq!(parse_lock(&text), Ok(lock), "{}", text);
        }

        #[test]
        fn any_stamp_survives_the_round_trip(stamp in stamps()) {
            let text = render_stamp(&stamp);
            prop_assert_eq!(parse_stamp(&text), Ok(stamp), "{}", text);
        }

        #[test]
        fn damaged_text_never_panics_and_spans_fit(
            lock in locks(), stamp in stamps(), at: usize, length in 0usize..20, piece in "[ -~\n\t\\PC]{0,6}"
        ) {
            let text = mutated(&render_lock(&lock), at, length, &piece);
            if let Err(diagnostic) = parse_lock(&text) {
                prop_assert!(text.get(diagnostic.span.bytes.clone()).is_some(), "{diagnostic:?}");
            }
            let _ = parse_stamp(&mutated(&render_stamp(&stamp), at, length, &piece));
        }
    }

    #[test]
    fn a_lock_is_text_that_people_can_read() {
        let mut lock = Lock::default();
        let nats = lock.entry(&Name::new("nats").unwrap(), "v2.10.24");
        nats.commit = Some("0123456789abcdef0123456789abcdef01234567".into());
        let asset = LockedAsset {
            fingerprint: "ab".repeat(32).parse().unwrap(),
            sha256: Sha256([0xcd; 32]),
            size: 15_163_554,
            revision: Revision::FIRST,
        };
        let platform = "linux-amd64".parse().unwrap();
        nats.assets.insert(platform, asset);
        let binary = BinaryName::new("nats-server").unwrap();
        nats.binaries.insert(platform, Binaries::from([(binary, Sha256([0xef; 32]))]));
        let vendors =
            LockedUpstream { fingerprint: asset.fingerprint, digest: Sha256([0x12; 32]).into() };
        nats.upstream.insert(platform, vendors);
        let (sha256, fingerprint) = ("cd".repeat(32), "ab".repeat(32));
        let (binary, vendors) = ("ef".repeat(32), "12".repeat(32));
        let expected = format!(
            "{LOCK_HEAD}nats:\n  version: v2.10.24\n  commit: 0123456789abcdef0123456789abcdef01234567\n  \
             assets:\n    linux-amd64: {{sha256: {sha256}, size: 15163554, fingerprint: {fingerprint}, \
             binaries: {{nats-server: {binary}}}}}\n  \
             upstream:\n    linux-amd64: {{digest: {vendors}, fingerprint: {fingerprint}}}\n"
        );
        assert_eq!(render_lock(&lock), expected);
    }

    #[test]
    fn an_empty_lock_file_is_an_empty_lock() {
        assert_eq!(parse_lock(""), Ok(Lock::default()));
        assert_eq!(parse_lock(LOCK_HEAD), Ok(Lock::default()));
    }

    #[test]
    fn a_lock_with_conflict_marks_says_so() {
        let text = "nats:\n<<<<<<< HEAD\n  version: v1\n=======\n  version: v2\n>>>>>>> x\n";
        let help = parse_lock(text).unwrap_err().help.unwrap();
        assert!(help.contains("conflict"), "{help}");
    }

    #[test]
    fn what_forge_did_not_write_is_refused_with_its_place() {
        for (text, slice, part) in [
            ("nats:\n  version: v1\n  color: red\n", "color", "no key `color`"),
            ("nats:\n  commit: v1\n", "commit: v1", "no `version`"),
            ("NATS:\n  version: v1\n", "NATS", "a-z"),
            ("- nats\n", "- nats", "must be a mapping"),
            (
                "a: {version: v1, assets: {x: {sha256: 1, size: 1, fingerprint: 1}}}",
                "1",
                "fingerprint",
            ),
        ] {
            let diagnostic = parse_lock(text).unwrap_err();
            assert_eq!(&text[diagnostic.span.bytes.clone()], slice, "{diagnostic:?}");
            assert!(diagnostic.what.contains(part), "{diagnostic:?}");
            assert!(diagnostic.help.unwrap().contains("restore it from git"));
        }
    }

    #[test]
    fn a_stamp_or_lock_names_only_plain_files_as_binaries() {
        let digest = "ab".repeat(32);
        for name in ["../../.git/hooks/pre-commit", "/etc/x", ".version", ".record", "a b"] {
            let stamp = format!(
                "name: a\nversion: v1\nplatform: linux-amd64\nfingerprint: {digest}\nbinaries:\n  \"{name}\": {digest}\n"
            );
            let why = parse_stamp(&stamp).unwrap_err();
            assert!(why.contains("cannot be the name of a binary"), "{why}");
            let lock = format!(
                "a:\n  version: v1\n  assets:\n    linux-amd64: {{sha256: {digest}, size: 1, fingerprint: {digest}, binaries: {{\"{name}\": {digest}}}}}\n"
            );
            let diagnostic = parse_lock(&lock).unwrap_err();
            assert!(diagnostic.what.contains("cannot be the name of a binary"), "{diagnostic:?}");
        }
    }

    #[test]
    fn a_stamp_without_its_facts_is_refused() {
        assert_eq!(parse_stamp(""), Err("the stamp is empty".into()));
        assert_eq!(parse_stamp("name: a\n").unwrap_err(), "a stamp has no `version`");
    }
}
