//! `forge migrate`: a tree of Taskfiles, written down as a workspace of forge. The originals stay as
//! they are.

mod comparison;
mod sides;
mod told;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{
    adopt::published_sums,
    disk::Folder,
    migrate::{self as migration, Migration, MigrationAids, WrittenFile},
    model::{Diagnostic, Fault, Kind},
    process::SyntaxCheck,
    taskfile::{self, Given, TaskfileTree},
    workspace::{Documents, LoadError, LoadInputs, check_root},
};

use super::{CliError, included, session::Session, task_names};
use comparison::Comparison;

/// What is asked of a migration.
#[derive(Debug, clap::Args)]
pub(super) struct MigrateArgs {
    /// The Taskfile, or its folder
    #[arg(default_value = ".")]
    path: PathBuf,
    /// The folder for what is written [default: beside the Taskfile]
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
    /// Say what would come out of each Taskfile, and write nothing
    #[arg(long)]
    check: bool,
}

/// Writes the stack of the Taskfile that is named to the folder that is wished, or else beside the
/// Taskfile.
pub(super) fn migrate(session: &Session, wish: &MigrateArgs) -> Result<u8, CliError> {
    let found = taskfile::find(&session.folder()?.join(&wish.path), true);
    let path = found.map_err(|fault| fault.hint("name it, or its folder: `forge migrate PATH`"))?;
    // The environment is not the project's: what comes from it stays a question.
    let given = Given { words: BTreeMap::new(), env: BTreeMap::new() };
    let layout = session.layout_at(path.parent().unwrap_or(Path::new("/")).to_owned());
    let tree =
        included::loaded(session, &layout, |library| taskfile::read(&path, &given, library))?;
    let folder = match &wish.into {
        Some(into) => session.folder()?.join(into),
        None => tree.root.clone(),
    };
    check_root(&folder)?;
    let mut migration =
        migration::migrate(tree.clone(), &MigrationAids { published_sums: &published_sums });
    if !wish.check {
        nothing_is_there(&folder, &migration.pages)?;
    }
    let outcome = looked_at(session, &tree, &mut migration)?;
    if session.flags.dry_run {
        for page in &migration.pages {
            session.say(&format!("# {}\n{}", page.path.display(), page.text))?;
        }
    } else if !wish.check {
        write(&folder, &migration.pages)?;
    }
    let shown = wish.into.as_deref().unwrap_or(&folder);
    let verb = if session.flags.dry_run || wish.check { "would write to" } else { "wrote to" };
    let text = told::told(&format!("{verb} {}", shown.display()), &migration, &outcome);
    session.console().err(&text);
    Ok(if outcome.is_good() { 0 } else { Kind::Partial.exit_code() })
}

/// What was found of a migration before anything is written.
struct Outcome {
    /// What `forge check` would show.
    problems: usize,
    /// How the tasks of both sides compare; none while there are problems.
    comparison: Option<Comparison>,
}

impl Outcome {
    fn is_good(&self) -> bool {
        self.problems == 0 && self.comparison.as_ref().is_none_or(|one| one.differences.is_empty())
    }
}

/// Checks and compares what would be written, and marks what is wrong or differs.
fn looked_at(
    session: &Session,
    tree: &TaskfileTree,
    migration: &mut Migration,
) -> Result<Outcome, CliError> {
    let pages = migration.pages.iter().map(|page| (page.path.as_path(), page.text.as_str()));
    let pages: Vec<(&Path, &str)> = pages.collect();
    let documents = Documents::of_pages(&tree.root, &pages, session.host.user())?;
    let none = |_| None;
    let (mut marks, mut problems, mut compared) = (Vec::new(), 0, None);
    let mut resolved = documents.resolve(session.platform(), &session.outside(&none));
    if let Err(LoadError::Problems(wrong)) = resolved {
        problems = wrong.diagnostics.len();
        let mark = |wrong: Diagnostic| (wrong.span.file, wrong.span.bytes.start, wrong.what);
        marks.extend(wrong.diagnostics.into_iter().map(mark));
        // A command that no shell can read keeps nothing from being compared.
        let unchecked = LoadInputs { syntax_check: SyntaxCheck::off(), ..session.outside(&none) };
        resolved = documents.resolve(session.platform(), &unchecked);
    }
    match resolved {
        Err(LoadError::Problems(_)) => {}
        Err(other) => return Err(other.into()),
        Ok(workspace) => {
            let mut tree = tree.clone();
            migration::with_places(&mut tree);
            let found = sides::compared(session, &tree, migration, &documents, &workspace);
            for (name, what) in &found.differences {
                if let Ok(task) = task_names::find(&workspace, name) {
                    let (file, at) = (task.place.file.clone(), task.place.bytes.start);
                    marks.push((file, at, format!("`{name}` is not the same: {what}")));
                }
            }
            compared = Some(found);
        }
    }
    marks.sort_by_key(|(_, at, _)| std::cmp::Reverse(*at));
    for (file, at, what) in marks {
        if let Some(page) = migration.pages.iter_mut().find(|page| page.path == file) {
            page.mark(at, &what);
        }
    }
    Ok(Outcome { problems, comparison: compared })
}

/// Files that are there already are nobody's to replace.
fn nothing_is_there(folder: &Path, pages: &[WrittenFile]) -> Result<(), Fault> {
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

/// Writes all pages or none; `versions.yml`, which makes a workspace of the folder, last.
fn write(folder: &Path, pages: &[WrittenFile]) -> Result<(), Fault> {
    let mut written: Vec<PathBuf> = Vec::new();
    for page in pages.iter().rev() {
        let file = folder.join(&page.path);
        let done = Folder::make(folder).and_then(|folder| {
            folder.replace(&page.path, page.text.as_bytes(), Path::new(""), true)
        });
        if let Err(error) = done {
            // They were not there before.
            for file in &written {
                let _ = std::fs::remove_file(file);
            }
            return Err(Fault::io(format!("cannot write {}", file.display()), &error));
        }
        written.push(file);
    }
    Ok(())
}
