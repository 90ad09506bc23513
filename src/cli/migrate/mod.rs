//! `forge migrate`: a tree of Taskfiles, written down as a workspace of forge. The originals stay as
//! they are.

mod comparison;
mod sides;
mod told;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::{
    adopt::published_sums,
    disk::{Folder, MOST_OF_TEXT, read_text},
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
    /// Leave the Taskfiles as they are, and include them: their tasks are forge's at once
    #[arg(long, conflicts_with = "check")]
    keep: bool,
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
    let folder = folder.canonicalize().unwrap_or(folder);
    check_root(&folder)?;
    let supervised = ["process-compose.yaml", "process-compose.yml"]
        .iter()
        .find_map(|name| read_text(&tree.root.join(name), MOST_OF_TEXT).ok());
    let kept_at = wish.keep.then(|| place_below(&folder, &path)).transpose()?;
    let make = |exactly: &BTreeSet<String>| {
        let aids = MigrationAids {
            published_sums: &published_sums,
            process_compose: supervised.as_deref(),
            exactly,
        };
        let mut migration = match &kept_at {
            Some(place) => migration::keep(&tree, place),
            None => migration::migrate(tree.clone(), &aids),
        };
        if !wish.check {
            nothing_is_there(&folder, &migration.pages)?;
        }
        let root = if kept_at.is_some() { &folder } else { &tree.root };
        let outcome = looked_at(session, root, &tree, &mut migration)?;
        Ok((migration, outcome))
    };
    let (migration, outcome) = best(&make)?;
    if session.flags.dry_run {
        for page in &migration.pages {
            session.say(&format!("# {}\n{}", page.path.display(), page.text))?;
        }
    } else if !wish.check {
        write(&folder, &migration.pages)?;
    }
    let shown = wish.into.as_deref().unwrap_or(&folder);
    let verb = if session.flags.dry_run || wish.check { "would write to" } else { "wrote to" };
    let text = match wish.check {
        true => told::checked(&migration, &outcome),
        false => told::told(&format!("{verb} {}", shown.display()), &migration, &outcome),
    };
    session.console().err(&text);
    Ok(if outcome.is_good() { 0 } else { Kind::Partial.exit_code() })
}

/// Where the Taskfile at `path` is from `folder`.
fn place_below(folder: &Path, path: &Path) -> Result<PathBuf, Fault> {
    path.strip_prefix(folder).map(Path::to_owned).map_err(|_| {
        let what = format!("{} is not below {}", path.display(), folder.display());
        Fault::new(Kind::Usage, what).hint("`--keep` writes above what it includes, or beside it")
    })
}

/// A migration, and what was found of it.
type Attempt = Result<(Migration, Outcome), CliError>;

/// The migration that differs least of those that `make` makes: as people would write it, or if that does not
/// do the same, with the tasks that differ as `run --taskfile` takes them.
fn best(make: &dyn Fn(&BTreeSet<String>) -> Attempt) -> Attempt {
    let mut best = make(&BTreeSet::new())?;
    let Some(comparison) = &best.1.comparison else { return Ok(best) };
    let all: BTreeSet<String> = comparison.differences.keys().cloned().collect();
    // What a task that it calls does is that one's own.
    let is_own =
        |what: &&String| !what.contains("in a call, ") && !what.contains("in what it needs, ");
    let own = comparison.differences.iter().filter(|(_, what)| is_own(what));
    let own: BTreeSet<String> = own.map(|(name, _)| name.clone()).collect();
    let with_variables =
        |names: &BTreeSet<String>| names.iter().cloned().chain([String::new()]).collect();
    for exactly in [own.clone(), with_variables(&own), with_variables(&all)] {
        if best.1.differing() == 0 {
            break;
        }
        let next = make(&exactly)?;
        if next.1.problems <= best.1.problems && next.1.differing() < best.1.differing() {
            best = next;
        }
    }
    Ok(best)
}

/// What was found of a migration before anything is written.
struct Outcome {
    /// What `forge check` would show.
    problems: usize,
    /// How the tasks of both sides compare; none while there are problems.
    comparison: Option<Comparison>,
}

impl Outcome {
    /// How many tasks do not do the same, or cannot be compared.
    fn differing(&self) -> usize {
        self.comparison.as_ref().map_or(usize::MAX, |one| one.differences.len())
    }

    fn is_good(&self) -> bool {
        self.problems == 0 && self.comparison.as_ref().is_none_or(|one| one.differences.is_empty())
    }
}

/// Checks and compares what would be written, and marks what is wrong or differs.
fn looked_at(
    session: &Session,
    root: &Path,
    tree: &TaskfileTree,
    migration: &mut Migration,
) -> Result<Outcome, CliError> {
    let none = |_| None;
    let mut documents = documents(session, root, migration)?;
    let (mut marks, mut problems, mut compared) = (Vec::new(), 0, None);
    let mut resolved = documents.resolve(session.platform(), &session.outside(&none));
    if let Err(LoadError::Problems(wrong)) = &resolved
        && with_unreadable(migration, &wrong.diagnostics)
    {
        documents = self::documents(session, root, migration)?;
        resolved = documents.resolve(session.platform(), &session.outside(&none));
    }
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
            if !migration.is_kept {
                migration::with_places(&mut tree);
            }
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

fn documents(session: &Session, root: &Path, migration: &Migration) -> Result<Documents, CliError> {
    let pages = migration.pages.iter().map(|page| (page.path.as_path(), page.text.as_str()));
    let pages: Vec<(&Path, &str)> = pages.collect();
    Ok(Documents::of_pages(root, &pages, session.host.user())?)
}

/// What stands where a command stood that no shell can read: it fails, as that did.
const UNREADABLE: &str = "'echo \"no shell can read what stood here\" >&2; exit 2'";

/// Writes what fails in the place of commands of one line that no shell can read, each with a mark. Returns
/// whether there are any.
fn with_unreadable(migration: &mut Migration, wrong: &[Diagnostic]) -> bool {
    let mut wrong: Vec<&Diagnostic> =
        wrong.iter().filter(|one| one.what.starts_with("the shell cannot read")).collect();
    wrong.sort_by_key(|one| std::cmp::Reverse(one.span.bytes.start));
    let mut is_any = false;
    for one in wrong {
        let Some(page) = migration.pages.iter_mut().find(|page| page.path == one.span.file) else {
            continue;
        };
        let Some((before, rest)) = page.text.split_at_checked(one.span.bytes.start) else {
            continue;
        };
        // The whole line, from what it begins with as an element of a list.
        let begin = before.rfind('\n').map_or(0, |end| end + 1);
        let line = rest.split('\n').next().unwrap_or_default();
        let Some(dash) =
            before[begin..].find("- ").filter(|at| before[begin..begin + at].trim().is_empty())
        else {
            continue;
        };
        let start = begin + dash + 2;
        let end = before.len() + line.len();
        let stood = page.text[start..end].to_owned();
        page.text.replace_range(start..end, UNREADABLE);
        page.mark(start, &format!("no shell can read {stood}: it failed, and it fails now"));
        is_any = true;
    }
    is_any
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
