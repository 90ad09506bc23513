//! Where an included file is: in a path, or at a URL that is pinned by its digest.

use std::path::{Component, Path, PathBuf};

use crate::{
    manifest::{Findings, OriginDoc, Scalar},
    model::{Fault, Sha256},
    store::public_address,
};

use super::super::template::TemplateScope;

/// Who knows what URLs gave, by its digest.
pub type Library<'a> = dyn Fn(Sha256) -> Option<Vec<u8>> + Sync + 'a;

/// A file at a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// Where it is.
    pub url: String,
    /// The same for people, without what may be secret in it.
    pub shown: String,
    /// What it must be.
    pub sha256: Sha256,
    /// Where it is named: `versions.yml:3:9`.
    pub place: String,
}

/// Where an included file is.
#[derive(Clone, Debug)]
pub(super) enum IncludeOrigin {
    /// Relative to the workspace; perhaps a folder.
    File(PathBuf),
    /// Elsewhere.
    Url(Pinned),
    /// A Taskfile, relative to the workspace; perhaps its folder.
    Taskfile(PathBuf),
}

/// A Taskfile as a file of tasks.
#[derive(Clone, Debug)]
pub struct SaidTaskfile {
    /// What a file of tasks would say.
    pub text: String,
    /// The Taskfiles that it comes from, absolute: first the one that is included.
    pub files: Vec<PathBuf>,
}

/// Who says the Taskfile at an absolute path, or in that folder, as a file of tasks.
pub type TaskfileReader<'a> = dyn Fn(&Path) -> Result<SaidTaskfile, Fault> + Sync + 'a;

/// `written`, in a file that lies in `folder`, if it lies in one at all. What is wrong goes to `found`.
pub(super) fn origin(
    name: &str,
    written: &OriginDoc,
    folder: Option<&Path>,
    scope: &TemplateScope,
    found: &mut Findings,
) -> Option<IncludeOrigin> {
    match written {
        OriginDoc::File(path) | OriginDoc::Taskfile(path) => {
            let Some(folder) = folder else {
                let what =
                    format!("`{name}` includes a path, but the file that names it has no path");
                let help = "a file from a URL can only include other URLs, each with its `sha256`";
                found.add(path.bytes.clone(), what, "relative to nothing", help);
                return None;
            };
            let path = scope.plain(path, found)?;
            let path = normal(&folder.join(path));
            Some(match written {
                OriginDoc::Taskfile(_) => IncludeOrigin::Taskfile(path),
                _ => IncludeOrigin::File(path),
            })
        }
        OriginDoc::Url(url, sha256) => {
            pinned(name, url, sha256.as_ref(), scope, found).map(IncludeOrigin::Url)
        }
    }
}

fn pinned(
    name: &str,
    written: &Scalar,
    sha256: Option<&Scalar>,
    scope: &TemplateScope,
    found: &mut Findings,
) -> Option<Pinned> {
    let url = scope.plain(written, found)?;
    let shown = public_address(&url).map_err(|why| {
        let help = "write an `https://` URL, or the path of a file in the workspace";
        found.add(written.bytes.clone(), why, "cannot be included", help);
    });
    let Some(sha256) = sha256 else {
        let what = format!("`{name}` includes a URL without saying which `sha256` it must have");
        let help = format!(
            "read what is there, then write `sha256: …` beside it; `curl -sSfL {} | sha256sum` prints it",
            shown.ok()?
        );
        found.add(written.bytes.clone(), what, "not pinned", help);
        return None;
    };
    let digest = sha256.text.parse().map_err(|error: crate::model::ParseDigestError| {
        let help = "`sha256sum FILE` prints it";
        found.add(sha256.bytes.clone(), error.to_string(), "no digest", help);
    });
    let place = found.place(written.bytes.start);
    Some(Pinned { shown: shown.ok()?, url, sha256: digest.ok()?, place })
}

/// `path` without `.`, and without `..` where that leads back.
pub(super) fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(normal.components().next_back(), Some(Component::Normal(_))) =>
            {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_back_where_they_can() {
        for (path, expected) in [
            ("a/./b/../c", "a/c"),
            ("../a", "../a"),
            ("a/../../b", "../b"),
            ("/a/..", "/"),
            (".", ""),
        ] {
            assert_eq!(normal(Path::new(path)), Path::new(expected), "{path}");
        }
    }
}
