//! `forge migrate`: a tree of Taskfiles, written down as a workspace of forge. The originals stay as
//! they are.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
};

use crate::{
    disk::Folder,
    migrate::{self as migration, Migration, Page},
    model::{Diagnostic, Fault, Kind},
    taskfile::{self, Given},
    workspace::{LoadError, check_root, load},
};

use super::{Stop, included, session::Session};

/// Writes the stack of the Taskfile that `path` is or is in to the folder `into`, or else beside the
/// Taskfile.
pub(super) fn migrate(session: &Session, path: &Path, into: Option<&Path>) -> Result<u8, Stop> {
    let found = taskfile::find(&session.folder()?.join(path), true);
    let path = found.map_err(|fault| fault.hint("name it, or its folder: `forge migrate PATH`"))?;
    // The environment is not the project's: what comes from it stays a question.
    let given = Given { words: BTreeMap::new(), env: BTreeMap::new() };
    let layout = session.layout_at(path.parent().unwrap_or(Path::new("/")).to_owned());
    let tree =
        included::loaded(session, &layout, |library| taskfile::read(&path, &given, library))?;
    let folder = match into {
        Some(into) => session.folder()?.join(into),
        None => tree.root.clone(),
    };
    check_root(&folder)?;
    let shown = into.unwrap_or(&folder);
    let mut migration = migration::migrate(tree);
    nothing_is_there(&folder, &migration.pages)?;
    if session.flags.dry_run {
        for page in &migration.pages {
            session.say(&format!("# {}\n{}", page.path.display(), page.text))?;
        }
        session.console().err(&told(session, shown, &migration));
        return Ok(0);
    }
    write(&folder, &migration.pages)?;
    let problems = problems(session, &folder)?;
    for problem in problems.iter().rev() {
        let page = migration.pages.iter_mut().find(|page| page.path == problem.span.file);
        if let Some(page) = page {
            page.mark(problem.span.bytes.start, &problem.what);
        }
    }
    write(&folder, &migration.pages)?;
    session.console().err(&told(session, shown, &migration));
    let what = match problems.len() {
        0 => return Ok(0),
        1 => "1 error that is",
        more => &format!("{more} errors that are"),
    };
    session.console().err(&format!("`forge check` shows {what} left to mend\n"));
    Ok(Kind::Partial.exit_code())
}

/// What `forge check` would show: what is left to mend is easier mended in files than not written at
/// all.
fn problems(session: &Session, folder: &Path) -> Result<Vec<Diagnostic>, Stop> {
    match load(folder, session.platform(), &session.outside(&|_| None)) {
        Ok(_) => Ok(Vec::new()),
        Err(LoadError::Problems(problems)) => Ok(problems.diagnostics),
        Err(other) => Err(other.into()),
    }
}

/// Files that are there already are nobody's to replace.
fn nothing_is_there(folder: &Path, pages: &[Page]) -> Result<(), Fault> {
    let paths = pages.iter().map(|page| folder.join(&page.path));
    let there: Vec<PathBuf> = paths.filter(|path| path.symlink_metadata().is_ok()).collect();
    let Some(first) = there.first() else { return Ok(()) };
    let more = match there.len() - 1 {
        0 => String::new(),
        more => {
            format!(", and so {} {more} more of the files", if more == 1 { "is" } else { "are" })
        }
    };
    let what = format!("{} is there already{more}", first.display());
    let hint = "`forge migrate --into FOLDER` writes to another folder; it overwrites nothing";
    Err(Fault::new(Kind::Usage, what).hint(hint))
}

fn write(folder: &Path, pages: &[Page]) -> Result<(), Fault> {
    for page in pages {
        let file = folder.join(&page.path);
        Folder::make(folder)
            .and_then(|folder| {
                folder.replace(&page.path, page.text.as_bytes(), Path::new(""), true)
            })
            .map_err(|error| Fault::io(format!("cannot write {}", file.display()), &error))?;
    }
    Ok(())
}

/// What became what, what needs a person, and what to do next.
fn told(session: &Session, folder: &Path, migration: &Migration) -> String {
    let pages = &migration.pages;
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{} {}",
        if session.flags.dry_run { "would write to" } else { "wrote to" },
        folder.display()
    );
    for page in pages {
        let from: Vec<String> =
            page.from.iter().map(|(path, _)| path.display().to_string()).collect();
        let before: usize = page.from.iter().map(|(_, lines)| lines).sum();
        let (from, after) = (from.join(", "), page.text.lines().count());
        let _ =
            writeln!(text, "  {from} -> {}: {before} lines became {after}", page.path.display());
    }
    let before: usize = pages.iter().flat_map(|page| &page.from).map(|(_, lines)| lines).sum();
    let after: usize = pages.iter().map(|page| page.text.lines().count()).sum();
    if pages.len() > 1 {
        let _ = writeln!(text, "  {before} lines in all became {after}");
    }
    if !migration.gone.is_empty() {
        let _ = writeln!(text, "left to forge, so no tasks any more:");
        for (instead, names) in &migration.gone {
            let _ = writeln!(text, "  {instead:<20} {}", grouped(names, pages));
        }
    }
    let marks: Vec<String> = pages.iter().flat_map(marks).collect();
    if !marks.is_empty() {
        let _ = match marks.len() {
            1 => writeln!(text, "1 place needs a person, marked `# migrate:`:"),
            more => writeln!(text, "{more} places need a person, each marked `# migrate:`:"),
        };
        let _ = writeln!(text, "{}", marks.join("\n"));
    }
    let into = if session.flags.dry_run { "forge migrate" } else { "forge check" };
    let _ = writeln!(text, "next: {into}");
    text
}

fn marks(page: &Page) -> Vec<String> {
    page.marks().map(|(line, what)| format!("  {}:{line}: {what}", page.path.display())).collect()
}

/// `nats:ensure, docs:ensure` of subsystems as `*:ensure (2)`.
fn grouped(names: &[String], pages: &[Page]) -> String {
    let is_subsystem = |name: &str| {
        pages.iter().any(|page| page.path.file_stem().is_some_and(|stem| stem == name))
    };
    let mut by_end: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for name in names {
        let end = name.split_once(':').filter(|(before, _)| is_subsystem(before));
        by_end.entry(end.map_or(name.as_str(), |(_, end)| end)).or_default().push(name);
    }
    let said = by_end.into_iter().map(|(end, names)| match names.as_slice() {
        [_, _, ..] => format!("*:{end} ({})", names.len()),
        _ => names.join(", "),
    });
    said.collect::<Vec<_>>().join(", ")
}
