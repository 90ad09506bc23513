//! `source:` to a [`Source`].

use std::{
    io,
    path::{Component, Path, PathBuf},
};

use super::{SharedInputs, Source, subsystem::SubsystemContext, template::TemplateScope};
use crate::{
    manifest::{Findings, Scalar, SourceDoc, SpecDoc},
    model::{Digest, Version, is_repository_url, is_unprotected},
    walk::Walker,
};

/// Resolves `source:`; without one the builder fetches by itself. What is wrong goes to
/// `found`; then there is none.
pub fn resolve(
    doc: Option<&SourceDoc>,
    version: &Version,
    around: &SubsystemContext,
    scope: &TemplateScope,
    found: &mut Findings,
) -> Option<Source> {
    match doc {
        None => Some(Source::None),
        Some(SourceDoc::Git { url, reference }) => {
            let reference = match reference {
                Some(reference) => self::reference(reference, scope, found)?,
                None => version.as_str().to_owned(),
            };
            let rendered = scope.plain(url, found)?;
            if !is_repository_url(&rendered) || rendered.contains(char::is_whitespace) {
                let what = format!("`{rendered}` is not a URL of a git repository");
                let help = "write what `git clone` takes, such as `https://…` or `git@…`";
                found.add(url.bytes.clone(), what, "not a repository", help);
                return None;
            }
            if is_unprotected(&rendered) {
                let why = "a commit is named by a SHA-1 digest, which vouches for nothing";
                unprotected(url, &rendered, why, "write `https://…` or `ssh://…`", found);
                return None;
            }
            Some(Source::Git { url: rendered, reference })
        }
        Some(SourceDoc::Archive { url, sha256, strip }) => {
            let rendered = scope.plain(url, found);
            let digest = digest(sha256, scope, found);
            let rendered = rendered?;
            if !is_web(&rendered) {
                inside(url, &rendered, around, found)?;
            }
            Some(Source::Archive { url: rendered, digest: digest?, strip: *strip })
        }
        Some(SourceDoc::Path { dir, only, .. }) => {
            let rendered = scope.plain(dir, found)?;
            let folder = inside(dir, &rendered, around, found)?;
            let mut parts = Vec::new();
            for part in only {
                let text = scope.plain(part, found)?;
                let below = lexical(part, &text, "its folder", found)?;
                inside(part, &folder.join(&below).to_string_lossy(), around, found)?;
                let below = below.iter().map(|part| part.to_string_lossy());
                parts.push(below.collect::<Vec<_>>().join("/"));
            }
            Some(Source::Path { dir: folder, only: parts })
        }
    }
}

/// Resolves what the spec `doc` says goes into what is built besides its source.
pub fn shared(
    doc: &SpecDoc,
    around: &SubsystemContext,
    scope: &TemplateScope,
    found: &mut Findings,
) -> Option<SharedInputs> {
    let mut shared = SharedInputs::default();
    for pattern in &doc.also {
        shared.also.push(self::pattern(pattern, around, scope, found)?);
    }
    shared.imports = matches!(&doc.source, Some(SourceDoc::Path { imports: Some(_), .. }));
    Some(shared)
}

/// A pattern of `also`. What of it is not a pattern must be there.
fn pattern(
    written: &Scalar,
    around: &SubsystemContext,
    scope: &TemplateScope,
    found: &mut Findings,
) -> Option<String> {
    let text = scope.plain(written, found)?;
    let below = lexical(written, &text, "the workspace", found)?;
    let pattern = below.to_string_lossy().into_owned();
    let fixed = SharedInputs::start(&pattern);
    inside(written, if fixed.is_empty() { "." } else { fixed }, around, found)?;
    if SharedInputs::is_pattern(&pattern) {
        return Some(pattern);
    }
    let help = "write a path or a pattern as in .gitignore";
    found.add(written.bytes.clone(), format!("`{text}` is not a pattern"), "not a pattern", help);
    None
}

fn reference(scalar: &Scalar, scope: &TemplateScope, found: &mut Findings) -> Option<String> {
    let text = scope.plain(scalar, found)?;
    match Version::new(&text) {
        Ok(_) => Some(text),
        Err(why) => {
            let help = "write a tag, a branch or a full commit hash";
            found.add(scalar.bytes.clone(), why, "not a ref", help);
            None
        }
    }
}

/// Whether `url` is fetched over HTTP.
pub fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

/// Adds that `url` would come unprotected over the network.
pub fn unprotected(scalar: &Scalar, url: &str, why: &str, help: &str, found: &mut Findings) {
    let what = format!("`{url}` is not protected: everybody on the way can change it, and {why}");
    let scheme = url.split(':').next().unwrap_or_default().to_ascii_lowercase();
    found.add(scalar.bytes.clone(), what, format!("unprotected {scheme}"), help);
}

/// The digest that `scalar` pins.
pub fn digest(scalar: &Scalar, scope: &TemplateScope, found: &mut Findings) -> Option<Digest> {
    let text = scope.plain(scalar, found)?;
    match text.trim().parse() {
        Ok(digest) => Some(digest),
        Err(why) => {
            found.add(
                scalar.bytes.clone(),
                why.to_string(),
                "not a digest",
                "take the digest of the file from the vendor's checksums, or run `sha256sum` on it",
            );
            None
        }
    }
}

/// The path `text` below the workspace. It must be there, unless git tracks it: a sparse checkout leaves
/// out what is tracked, and then it is missed only by who wants it.
pub(super) fn inside(
    scalar: &Scalar,
    text: &str,
    around: &SubsystemContext,
    found: &mut Findings,
) -> Option<PathBuf> {
    let path = lexical(scalar, text, "the workspace", found)?;
    let Ok(elsewhere) = leads_out(around.root, &path) else {
        let walker = around.walker.get_or_init(|| Walker::new(around.layout));
        if walker.tracks_below(&around.root.join(&path)) {
            return Some(path);
        }
        let what = format!("there is no `{}` in the workspace", path.display());
        found.add(
            scalar.bytes.clone(),
            what,
            "does not exist",
            "write a path relative to the folder of `versions.yml`",
        );
        return None;
    };
    if let Some(real) = elsewhere {
        let what = format!("`{text}` leads out of the workspace, to {}", real.display());
        found.add(
            scalar.bytes.clone(),
            what,
            "outside",
            "a source must lie in the workspace, so that it is the same for everyone",
        );
        return None;
    }
    Some(path)
}

/// Where `path` leads, if that is not below `root`.
///
/// # Errors
/// There is nothing.
fn leads_out(root: &Path, path: &Path) -> io::Result<Option<PathBuf>> {
    let mut at = root.to_owned();
    let mut has_symlink = false;
    for part in path.components() {
        at.push(part);
        has_symlink |= at.symlink_metadata()?.is_symlink();
    }
    // Only a symlink leads elsewhere, and where to takes many more calls to find out.
    if !has_symlink {
        return Ok(None);
    }
    let (real, root) = (at.canonicalize()?, root.canonicalize()?);
    Ok((!real.starts_with(root)).then_some(real))
}

/// The relative path `text`, without `.` and `..`; `place` is what it must stay in.
pub fn lexical(scalar: &Scalar, text: &str, place: &str, found: &mut Findings) -> Option<PathBuf> {
    let mut path = PathBuf::new();
    for part in Path::new(text).components() {
        let stays = match part {
            Component::Normal(part) => {
                path.push(part);
                true
            }
            Component::CurDir => true,
            Component::ParentDir => path.pop(),
            Component::RootDir | Component::Prefix(_) => false,
        };
        if !stays {
            let what = format!("`{text}` leads out of {place}");
            let help = format!("write a path relative to {place}, without `..` at its beginning");
            found.add(scalar.bytes.clone(), what, "outside", help);
            return None;
        }
    }
    Some(if path.as_os_str().is_empty() { PathBuf::from(".") } else { path })
}
