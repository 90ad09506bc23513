//! `include`: files of tasks, read one after the other until none is named any more.
//!
//! ```text
//! include of a file ─errand─▶ Errand (where, what its tasks are called, what they are given)
//!                               └─read─▶ tasks, and the errands of its own `include`
//! ```
//!
//! What a URL names is not fetched here: it is asked of the [`Library`], and if that has it not,
//! told as [`Pinned`], for somebody to fetch before all is loaded again.

mod errand;
mod origin;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

pub use origin::{Library, Pinned, SaidTaskfile, TaskfileReader};

use super::{
    Task,
    documents::{Documents, Parsed},
    subsystem::{SubsystemContext, file_scope},
    task::{self, TaskFileScope},
    template::TemplateScope,
};
use crate::{
    manifest::{Findings, IncludeDoc, TaskFileDoc},
    model::{Diagnostic, Fault, Span, suggestion},
};
use errand::{IncludeContext, IncludeJob};
use origin::IncludeOrigin;

/// How many files may be included, so that a few that include each other many times come to an end.
const MAX_FILES: usize = 1000;

/// All that was included.
#[derive(Debug, Default)]
pub struct Included {
    /// The tasks.
    pub tasks: Vec<Task>,
    /// What is wrong with what was read.
    pub diagnostics: Vec<Diagnostic>,
    /// The files that were read.
    pub files: Vec<Arc<Parsed<TaskFileDoc>>>,
    /// Paths that were looked at, absolute.
    pub looked_at: Vec<PathBuf>,
    /// What is still to be fetched.
    pub wanted: Vec<Pinned>,
}

/// Reads all that `written`, the `include` of the manifest, leads to.
///
/// # Errors
/// When a file that is there cannot be read.
pub fn follow(
    documents: &Documents,
    around: &SubsystemContext,
    (library, taskfiles): (&Library, &TaskfileReader),
    written: &[IncludeDoc],
    found: &mut Findings,
) -> Result<Included, Fault> {
    let included = Included::default();
    let mut follower = IncludeFollower { documents, around, library, taskfiles, included };
    if written.is_empty() {
        return Ok(follower.included);
    }
    // What is wrong with the manifest's own variables is told with its tasks.
    let unheard = &mut Findings::new(found.file());
    let scope =
        file_scope(around, &around.manifest.head, &[], &mut TaskFileScope::default(), unheard);
    let mut open = errand::errands(written, &IncludeContext::workspace(), &scope, found);
    let mut count = 0;
    while let Some(errand) = open.pop() {
        count += 1;
        if count > MAX_FILES {
            let what = format!("more than {MAX_FILES} files are included");
            let help = "does a file include another one many times, and that one the next?";
            let diagnostic = Diagnostic::new(errand.place, what, "one too many").help(help);
            follower.included.diagnostics.push(diagnostic);
            break;
        }
        if let Some(file) = follower.open(&errand)? {
            open.extend(follower.read(&errand, file));
        }
    }
    Ok(follower.included)
}

struct IncludeFollower<'a> {
    documents: &'a Documents,
    around: &'a SubsystemContext<'a>,
    library: &'a Library<'a>,
    taskfiles: &'a TaskfileReader<'a>,
    included: Included,
}

impl IncludeFollower<'_> {
    /// The file that `errand` leads to; nothing if there is none to read.
    fn open(&mut self, errand: &IncludeJob) -> Result<Option<Arc<Parsed<TaskFileDoc>>>, Fault> {
        let root = self.documents.layout.root();
        match &errand.origin {
            IncludeOrigin::Url(pinned) => match (self.library)(pinned.sha256) {
                Some(bytes) => {
                    self.documents.fetched_task_file(&pinned.shown, pinned.sha256, bytes).map(Some)
                }
                None => {
                    self.included.wanted.push(pinned.clone());
                    Ok(None)
                }
            },
            IncludeOrigin::Taskfile(path) => {
                let absolute = root.join(path);
                if !absolute.exists() {
                    self.included.looked_at.push(absolute);
                    self.report(missing(errand, path, false, false));
                    return Ok(None);
                }
                let said = (self.taskfiles)(&absolute)?;
                let file = said.files.first().and_then(|file| file.strip_prefix(root).ok());
                let file = file.map_or_else(|| path.clone(), Path::to_owned);
                self.included.looked_at.extend(said.files);
                self.documents.said_task_file(&file, said.text).map(Some)
            }
            IncludeOrigin::File(path) => {
                let absolute = root.join(path);
                let is_folder = absolute.is_dir();
                let path = if is_folder { path.join("tasks.yml") } else { path.clone() };
                let absolute = root.join(&path);
                self.included.looked_at.push(absolute.clone());
                if errand.stand.chain.contains(&path) {
                    self.report(errand.cycle(&path));
                } else if absolute.is_file() {
                    return self.documents.task_file(&path).map(Some);
                } else if !errand.optional || absolute.exists() {
                    self.report(missing(errand, &path, is_folder, absolute.exists()));
                }
                Ok(None)
            }
        }
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.included.diagnostics.push(diagnostic);
    }

    /// Resolves the file that `errand` led to: takes its tasks, and returns the errands of its own.
    fn read(&mut self, errand: &IncludeJob, parsed: Arc<Parsed<TaskFileDoc>>) -> Vec<IncludeJob> {
        let (mut found, doc) = (parsed.findings(), &parsed.doc);
        let (tasks, scope) = self.tasks(errand, doc, &mut found);
        let more =
            errand::errands(&doc.include, &errand.within(&parsed.file.path), &scope, &mut found);
        let (is_good, diagnostics) = (found.is_empty(), found.diagnostics);
        if is_good {
            let unknown = errand
                .except
                .iter()
                .filter(|name| doc.tasks.iter().all(|(key, _)| !is_meant(&name.text, &key.value)));
            for name in unknown {
                let what = format!("`except` names `{}`, which is not a task of it", name.text);
                let known = doc.tasks.iter().map(|(key, _)| key.value.as_str());
                let span = Span { file: errand.place.file.clone(), bytes: name.bytes.clone() };
                let help = suggestion(&name.text, known);
                self.report(Diagnostic::new(span, what, "not there").help(help));
            }
        }
        self.included.diagnostics.extend(diagnostics);
        self.included.tasks.extend(tasks);
        self.included.files.push(parsed);
        more
    }

    /// The tasks that stand in a file, as they are called from outside, and what its templates know.
    fn tasks(
        &self,
        errand: &IncludeJob,
        doc: &TaskFileDoc,
        found: &mut Findings,
    ) -> (Vec<Task>, TemplateScope<'_>) {
        let mut home = errand.home(&found.file().path);
        let scope = file_scope(self.around, &doc.head, &errand.given, &mut home, found);
        let tasks = task::resolve(None, &doc.tasks, home, &scope, found);
        let is_wanted =
            |task: &Task| errand.except.iter().all(|one| !is_meant(&one.text, &task.name));
        let tasks = tasks.into_iter().filter(is_wanted).map(|mut task| {
            errand.settle(&mut task);
            task
        });
        (tasks.collect(), scope)
    }
}

/// Whether `except` means the task `name`: by its name, or by how it begins with a star at the end.
fn is_meant(except: &str, name: &str) -> bool {
    except == name || except.strip_suffix('*').is_some_and(|begin| name.starts_with(begin))
}

fn missing(errand: &IncludeJob, path: &Path, is_folder: bool, is_there: bool) -> Diagnostic {
    let (name, shown) = (&errand.name, path.display());
    let (what, label) = match (is_there, is_folder) {
        (true, _) => (format!("`{name}` includes {shown}, which is not a file"), "not a file"),
        (false, true) => {
            (format!("`{name}` includes a folder without a `tasks.yml`"), "no `tasks.yml` in it")
        }
        (false, false) => {
            (format!("`{name}` includes {shown}, which is not there"), "no such file")
        }
    };
    let help = "a path is relative to the file that names it; `{ file: PATH, optional: true }` lets \
                it be missing";
    Diagnostic::new(errand.place.clone(), what, label).help(help)
}
