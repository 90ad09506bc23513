//! One include: where its file is, what its tasks are called from outside, what they are given.

use std::path::{Path, PathBuf};

use minijinja::value::Value as Word;

use super::{
    super::{
        Task, TaskText,
        task::{Data, TaskFileScope, is_free, is_name},
        template::TemplateScope,
    },
    origin::{IncludeOrigin, normal, origin},
};
use crate::{
    manifest::{Findings, IncludeDoc, Node, OriginDoc, Scalar, Sp},
    model::{Diagnostic, Layout, Span},
};

/// The file that an include stands in, as far as that matters to what is included.
#[derive(Clone, Debug)]
pub(super) struct IncludeContext {
    /// What stands before the names of its tasks: first what they are really called. Empty for the
    /// workspace's own.
    spaces: Vec<String>,
    /// Its folder, relative to the workspace; nothing for a file from a URL.
    folder: Option<PathBuf>,
    /// Where its tasks run, relative to the workspace.
    dir: PathBuf,
    /// Whether only other tasks may use its tasks.
    private: bool,
    /// How it came to be read: the manifest, then each file that the one before includes.
    pub(super) chain: Vec<PathBuf>,
}

/// A file that is to be included.
#[derive(Debug)]
pub(super) struct IncludeJob {
    /// What it is called where it is included.
    pub(super) name: String,
    /// Where it is.
    pub(super) origin: IncludeOrigin,
    /// Where that is written.
    pub(super) place: Span,
    /// Variables that it is given.
    pub(super) given: Vec<(String, Word)>,
    /// Whether it may be missing.
    pub(super) optional: bool,
    /// Whether it is said where its tasks run.
    pub(super) has_dir: bool,
    /// Tasks to leave out.
    pub(super) except: Vec<Scalar>,
    /// The file that names it, with what follows from that for this one.
    pub(super) stand: IncludeContext,
}

impl IncludeContext {
    /// The manifest.
    pub(super) fn workspace() -> Self {
        Self {
            spaces: vec![String::new()],
            folder: Some(PathBuf::new()),
            dir: PathBuf::new(),
            private: false,
            chain: vec![PathBuf::from(Layout::MANIFEST)],
        }
    }
}

/// The errands of `written`, the `include` of a file. What is wrong goes to `found`.
pub(super) fn errands(
    written: &[IncludeDoc],
    stand: &IncludeContext,
    scope: &TemplateScope,
    found: &mut Findings,
) -> Vec<IncludeJob> {
    written.iter().filter_map(|doc| errand(doc, stand, scope, found)).collect()
}

fn errand(
    doc: &IncludeDoc,
    around: &IncludeContext,
    scope: &TemplateScope,
    found: &mut Findings,
) -> Option<IncludeJob> {
    let aliases = doc.alias.iter().map(|alias| (&alias.text, &alias.bytes));
    let names: Vec<_> = [(&doc.name.value, &doc.name.bytes)].into_iter().chain(aliases).collect();
    let are_names = names.iter().all(|(name, bytes)| is_name(name, bytes, found));
    let origin = origin(&doc.name.value, &doc.origin, around.folder.as_deref(), scope, found);
    let mut stand = around.clone();
    if !doc.flatten {
        let within =
            |space: &String| names.iter().map(|(name, _)| called(space, name)).collect::<Vec<_>>();
        stand.spaces = around.spaces.iter().flat_map(within).collect();
    }
    if let Some(dir) = &doc.dir {
        let dir = scope.plain(dir, found)?;
        stand.dir = normal(&around.folder.clone().unwrap_or_default().join(dir));
    }
    stand.private |= doc.private;
    let given = doc.with.iter().filter_map(|pair| given(pair, scope, found)).collect();
    let place = match &doc.origin {
        OriginDoc::File(at) | OriginDoc::Url(at, _) | OriginDoc::Taskfile(at) => {
            found.span(at.bytes.clone())
        }
    };
    Some(IncludeJob {
        name: doc.name.value.clone(),
        origin: origin.filter(|_| are_names)?,
        place,
        given,
        optional: doc.optional,
        has_dir: doc.dir.is_some(),
        except: doc.except.clone(),
        stand,
    })
}

/// A variable that is given, its texts rendered where the include stands.
fn given(
    (name, node): &(Sp<String>, Node),
    scope: &TemplateScope,
    found: &mut Findings,
) -> Option<(String, Word)> {
    if !is_free(name, scope, found) {
        return None;
    }
    let mut render = |TaskText(text): &TaskText| {
        scope.text(text, found).map(|text| Word::from(text.into_inner())).ok_or(())
    };
    Some((name.value.clone(), Data::from_node(node).value(&mut render).ok()?))
}

/// A name within a space.
fn called(space: &str, name: &str) -> String {
    if space.is_empty() { name.to_owned() } else { format!("{space}:{name}") }
}

impl IncludeJob {
    /// The file of this errand, which turned out to be at `path`, for what it includes itself.
    pub(super) fn within(&self, path: &Path) -> IncludeContext {
        let mut stand = self.stand.clone();
        stand.chain.push(path.to_owned());
        stand.folder = self.folder(path);
        stand
    }

    /// Makes a task of its file what it is from outside.
    pub(super) fn settle(&self, task: &mut Task) {
        let stand = &self.stand;
        let names: Vec<String> =
            std::iter::once(task.name.clone()).chain(std::mem::take(&mut task.aliases)).collect();
        task.name = called(&stand.spaces[0], &names[0]);
        for space in &stand.spaces {
            for name in &names {
                task.aliases.push(called(space, name));
                if name == "default" && !space.is_empty() {
                    task.aliases.push(space.clone());
                }
            }
        }
        let name = task.name.clone();
        task.aliases.retain(|alias| *alias != name);
        task.private |= stand.private;
    }

    /// What is said for all tasks of its file, which turned out to be at `path`, before it is read.
    pub(super) fn home(&self, path: &Path) -> TaskFileScope {
        let dir = self.folder(path).unwrap_or_default();
        let is_its_own = matches!(self.origin, IncludeOrigin::Taskfile(_)) && !self.has_dir;
        TaskFileScope {
            runs_in: if is_its_own { dir.clone() } else { self.stand.dir.clone() },
            dir,
            space: self.stand.spaces[0].clone(),
            is_included: true,
            ..TaskFileScope::default()
        }
    }

    fn folder(&self, path: &Path) -> Option<PathBuf> {
        match self.origin {
            IncludeOrigin::File(_) | IncludeOrigin::Taskfile(_) => {
                Some(path.parent().map(Path::to_owned).unwrap_or_default())
            }
            IncludeOrigin::Url(_) => None,
        }
    }

    /// The file at `path` is one of those that led to it.
    pub(super) fn cycle(&self, path: &Path) -> Diagnostic {
        let begin = self.stand.chain.iter().position(|file| file == path).unwrap_or(0);
        let cycle = self.stand.chain[begin..].iter().map(PathBuf::as_path).chain([path]);
        let cycle: Vec<String> = cycle.map(|file| file.display().to_string()).collect();
        let what = match cycle.len() {
            2 => format!("{} includes itself", cycle[0]),
            _ => format!("these files include each other in a cycle: {}", cycle.join(" → ")),
        };
        Diagnostic::new(self.place.clone(), what, "leads back").help("remove one of these includes")
    }
}
