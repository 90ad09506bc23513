//! `forge migrate`: a tree of Taskfiles, written down in forge's language. The originals stay as they
//! are.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
};

use crate::{
    cache::replace_file,
    model::{Fault, Kind, Layout, Span},
    taskfile::{self, Given, Remark, Translation, Tree},
    workspace::{LoadError, load_text},
};

use super::{
    Stop, included,
    session::{Session, say},
};

/// What marks a thing that needs a person.
const MARK: &str = "# migrate:";

/// Writes the tasks of the Taskfile that `path` is or is in to `versions.yml` in the folder `into`,
/// or else beside the Taskfile.
pub(super) fn migrate(session: &Session, path: &Path, into: Option<&Path>) -> Result<u8, Stop> {
    let path = taskfile::find(&session.folder()?.join(path), true)?;
    // The environment is not the project's: what comes from it stays a question.
    let given = Given { words: BTreeMap::new(), env: BTreeMap::new() };
    let layout = Layout::new(path.parent().unwrap_or(Path::new("/")).to_owned());
    let tree =
        included::loaded(session, &layout, |library| taskfile::read(&path, &given, library))?;
    let wish = taskfile::Wish { tasks: None, given: &given, args: &[], flags: &[] };
    let translation = taskfile::translate(&tree, &wish);
    let text = marked(&tree, &translation);
    // What is left to mend is easier mended in a file than not written at all.
    let problems = match load_text(&tree.root, &text, session.platform()) {
        Ok(_) => 0,
        Err(LoadError::Problems(problems)) => problems.diagnostics.len(),
        Err(other) => return Err(other.into()),
    };
    let file = target(session, &tree, into)?;
    match session.flags.dry_run {
        true => say(&text)?,
        false => write(&file, &text)?,
    }
    tell(session, &tree, &file, &translation, problems);
    Ok(if problems > 0 { Kind::Partial.exit_code() } else { 0 })
}

/// Where it is written, which must be nothing yet.
fn target(session: &Session, tree: &Tree, into: Option<&Path>) -> Result<PathBuf, Fault> {
    let folder = match into {
        Some(into) => session.folder()?.join(into),
        None => tree.root.clone(),
    };
    let file = Layout::new(folder).manifest();
    match file.exists() {
        false => Ok(file),
        true => Err(Fault::new(Kind::Usage, format!("{} is there already", file.display()))
            .hint("`forge migrate --into FOLDER` writes to another folder; it overwrites nothing")),
    }
}

fn write(file: &Path, text: &str) -> Result<(), Fault> {
    let folder = file.parent().unwrap_or(Path::new("/"));
    let failed = |error| Fault::io(format!("cannot write {}", file.display()), &error);
    std::fs::create_dir_all(folder).map_err(failed)?;
    replace_file(file, text.as_bytes(), folder, true).map_err(failed)
}

/// The translation, with what needs a person on top.
fn marked(tree: &Tree, translation: &Translation) -> String {
    let mut text = String::new();
    for remark in &translation.remarks {
        let _ = writeln!(text, "{MARK} {}", told(tree, remark));
    }
    text + &translation.text
}

fn told(tree: &Tree, Remark { span, what, .. }: &Remark) -> String {
    format!("{}: {what}", place(tree, span))
}

/// `Taskfile.yml:12`.
fn place(tree: &Tree, span: &Span) -> String {
    let file = tree.files.iter().find(|file| file.file.path == span.file);
    let before = file.and_then(|file| file.file.text.get(..span.bytes.start)).unwrap_or_default();
    format!("{}:{}", span.file.display(), before.matches('\n').count() + 1)
}

fn tell(session: &Session, tree: &Tree, file: &Path, translation: &Translation, problems: usize) {
    let verb = if session.flags.dry_run { "would write" } else { "wrote" };
    let mut text = format!("{verb} {}\n", file.display());
    for remark in &translation.remarks {
        let _ = writeln!(text, "  needs a person: {}", told(tree, remark));
    }
    if problems > 0 {
        let _ = writeln!(text, "`forge check` shows {problems} places in it that are left to mend");
    }
    eprint!("{text}");
}
