//! `upstream:` to an [`Upstream`], in the vendor's words for platforms.

use std::collections::BTreeMap;

use minijinja::value::Value as Word;

use super::{
    Upstream, UpstreamDigest,
    settings::platform_help,
    source::{digest, is_web, lexical, unprotected},
    template::Scope,
};
use crate::{
    manifest::{DigestDoc, Findings, Pairs, Scalar, UpstreamDoc},
    model::{Arch, Os, Platform, is_unprotected, suggestion},
};

/// Resolves `upstream:` for `platform`. None if the vendor has nothing for it, or if
/// something is wrong, which goes to `found`.
pub fn resolve(
    doc: &UpstreamDoc,
    platform: Platform,
    binaries: &[String],
    scope: &Scope,
    found: &mut Findings,
) -> Option<Upstream> {
    known(
        &doc.os,
        "an operating system",
        &Os::ALL.iter().map(|os| os.as_str()).collect::<Vec<_>>(),
        found,
    );
    known(
        &doc.arch,
        "an architecture",
        &Arch::ALL.iter().map(|arch| arch.as_str()).collect::<Vec<_>>(),
        found,
    );
    known(
        &doc.paths,
        "a binary of this spec",
        &binaries.iter().map(String::as_str).collect::<Vec<_>>(),
        found,
    );
    platforms(&doc.platform, found);

    let scope = vendor_scope(doc, platform, scope, found)?;
    let digest = vendor_digest(&doc.sha256, platform, &scope, found);
    let url = web(&doc.url, &scope, found);
    match (&doc.sha256, &url, &digest) {
        (DigestDoc::Text(text), _, Some(UpstreamDigest::Published(sums)))
            if is_unprotected(sums) =>
        {
            unprotected(text, sums, "a checksums file that comes so proves nothing", HELP, found);
        }
        (_, Some(url), Some(UpstreamDigest::Published(_))) if is_unprotected(url) => {
            let why = "nothing in the manifest says what has to come";
            unprotected(&doc.url, url, why, HELP, found);
        }
        _ => {}
    }
    let mut paths = BTreeMap::new();
    for (binary, path) in &doc.paths {
        let rendered = scope.plain(path, found)?;
        lexical(path, &rendered, "the archive", found)?;
        paths.insert(binary.value.clone(), rendered);
    }
    Some(Upstream { url: url?, digest: digest?, strip: doc.strip, paths })
}

/// What to do about a URL that is not protected.
const HELP: &str = "write `https://…`, or pin the digest itself in `sha256`";

/// The scope in which `os`, `arch` and `platform` are the vendor's words.
fn vendor_scope<'e>(
    doc: &UpstreamDoc,
    platform: Platform,
    scope: &Scope<'e>,
    found: &mut Findings,
) -> Option<Scope<'e>> {
    let mut word = |words: &Pairs<Scalar>, own: &str| -> Option<Option<String>> {
        match words.iter().find(|(name, _)| name.value == own) {
            Some((_, word)) => scope.plain(word, found).map(Some),
            None => Some(None),
        }
    };
    let os = word(&doc.os, platform.os.as_str())?.unwrap_or_else(|| platform.os.to_string());
    let arch =
        word(&doc.arch, platform.arch.as_str())?.unwrap_or_else(|| platform.arch.to_string());
    let both =
        word(&doc.platform, &platform.to_string())?.unwrap_or_else(|| format!("{os}-{arch}"));
    Some(scope.with([
        ("os", Word::from(os)),
        ("arch", Word::from(arch)),
        ("platform", Word::from(both)),
    ]))
}

fn vendor_digest(
    doc: &DigestDoc,
    platform: Platform,
    scope: &Scope,
    found: &mut Findings,
) -> Option<UpstreamDigest> {
    match doc {
        DigestDoc::Text(text) => {
            let rendered = scope.plain(text, found)?;
            if is_web(&rendered) {
                return Some(UpstreamDigest::Published(rendered));
            }
            if let Ok(digest) = rendered.trim().parse() {
                return Some(UpstreamDigest::Pinned(digest));
            }
            let what = format!("`{rendered}` is neither a digest nor the URL of a checksums file");
            let help = "write a SHA-256 digest (64 hexadecimal digits; SHA-384 and SHA-512 do as well), or a URL that begins with `https://`";
            found.add(text.bytes.clone(), what, "neither of them", help);
            None
        }
        DigestDoc::PerPlatform(pairs) => {
            platforms(pairs, found);
            let mut own = None;
            for (name, text) in pairs {
                let digest = digest(text, scope, found);
                if name.value == platform.to_string() {
                    own = digest.map(UpstreamDigest::Pinned);
                }
            }
            own
        }
    }
}

fn web(scalar: &Scalar, scope: &Scope, found: &mut Findings) -> Option<String> {
    let url = scope.plain(scalar, found)?;
    if is_web(&url) && !url.contains(char::is_whitespace) {
        return Some(url);
    }
    let what = format!("`{url}` is not a URL that forge can download");
    found.add(
        scalar.bytes.clone(),
        what,
        "not an HTTP URL",
        "write a URL that begins with `https://` and has no blanks",
    );
    None
}

fn platforms(pairs: &Pairs<Scalar>, found: &mut Findings) {
    for (name, _) in pairs {
        if let Err(why) = name.value.parse::<Platform>() {
            let help = platform_help(&name.value);
            found.add(name.bytes.clone(), why, "not a platform", help);
        }
    }
}

fn known(pairs: &Pairs<Scalar>, kind: &str, words: &[&str], found: &mut Findings) {
    for (name, _) in pairs {
        if !words.contains(&name.value.as_str()) {
            let what = format!("`{}` is not {kind}", name.value);
            found.add(
                name.bytes.clone(),
                what,
                "not known",
                suggestion(&name.value, words.iter().copied()),
            );
        }
    }
}
