//! Where a spec's `extends:` leads: the files whose defaults it takes, and theirs.

use std::path::{Component, Path, PathBuf};

use super::files::{self, SpecFile};
use crate::{
    manifest::{ManifestFile, Scalar, extended},
    model::{Diagnostic, Fault, Layout, nearest},
};

/// A spec as it is read.
pub struct Gathered {
    /// Its file, with what it extends.
    pub file: ManifestFile,
    /// Other files that were read or looked for, absolute.
    pub looked_at: Vec<PathBuf>,
    /// Why one of them cannot be obtained.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads the spec `own` and what it extends. `specs` are all of the workspace.
///
/// # Errors
/// When a file cannot be read.
pub fn read(layout: &Layout, own: &SpecFile, specs: &[SpecFile]) -> Result<Gathered, Fault> {
    let file = files::read(layout, &own.path)?;
    let mut gathered = Gathered { file, looked_at: Vec::new(), diagnostics: Vec::new() };
    let mut chain = vec![own.path.clone()];
    let mut last = gathered.file.clone();
    while let Some(written) = extended(&last) {
        let mut tell = |what: String, label: &str, help: String| {
            let span = last.span(written.bytes.clone());
            gathered.diagnostics.push(Diagnostic::new(span, what, label).help(help));
        };
        let Some(path) = meant(&written, specs) else {
            let names = specs.iter().map(|spec| spec.name.as_str());
            let help = match nearest(&written.text, names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "write the name of a spec, or a path from the folder of versions.yml that \
                         ends in `.yml`"
                    .to_owned(),
            };
            tell(
                format!("`{}` is not a spec that could be extended", written.text),
                "no spec",
                help,
            );
            break;
        };
        let absolute = layout.root().join(&path);
        gathered.looked_at.push(absolute.clone());
        if chain.contains(&path) {
            chain.push(path);
            let chain: Vec<_> = chain.iter().map(|path| path.display().to_string()).collect();
            let what = format!("what extends what is a cycle: {}", chain.join(" → "));
            tell(what, "leads back", "take one of them out".into());
            break;
        }
        if !absolute.is_file() {
            let help = "paths are from the folder of versions.yml".into();
            tell(format!("there is no file {}", path.display()), "extends nothing", help);
            break;
        }
        last = files::read(layout, &path)?;
        gathered.file.extend(last.clone());
        chain.push(path);
    }
    Ok(gathered)
}

/// The file that `written` means, relative to the workspace: that of a spec of this name, or the
/// one at this path.
fn meant(written: &Scalar, specs: &[SpecFile]) -> Option<PathBuf> {
    let text = written.text.strip_prefix("./").unwrap_or(&written.text);
    let path = Path::new(text);
    if !text.ends_with(".yml") {
        return specs.iter().find(|spec| spec.name == text).map(|spec| spec.path.clone());
    }
    let is_inside = path.components().all(|part| matches!(part, Component::Normal(_)));
    is_inside.then(|| path.to_owned())
}
