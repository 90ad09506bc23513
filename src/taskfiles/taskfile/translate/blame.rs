//! What is wrong in a translation, told where it stands in the Taskfiles.

use std::{collections::BTreeSet, path::PathBuf};

use super::{super::tree::TaskfileTree, Translation, texts};
use crate::{
    manifest::{Findings, MAX_BYTES, ManifestFile, Node, Pairs, read_manifest},
    model::{Diagnostic, Problems, Span},
};

impl Translation {
    /// What keeps it from being run, as problems in the Taskfiles.
    pub fn problems(&self, tree: &TaskfileTree) -> Option<Problems> {
        let fatal = self.remarks.iter().filter(|remark| remark.is_fatal);
        let fatal: Vec<_> =
            fatal.map(|one| Diagnostic::new(one.span.clone(), one.what.clone(), "here")).collect();
        (!fatal.is_empty()).then(|| Problems::gather(fatal, texts(tree)))
    }

    /// What is wrong in the translation, told at the tasks of the Taskfiles that it was made of; what
    /// stands in no task, at the first one's file.
    pub fn blamed(&self, wrong: Problems, tree: &TaskfileTree) -> Problems {
        let file = ManifestFile::new(PathBuf::new(), self.text.clone().into_bytes(), MAX_BYTES);
        let tasks = read_manifest(&file, &mut Findings::new(&file)).tasks;
        let first = tree.files[0].file.span(0..0);
        let at_its_task = |one: Diagnostic| {
            let span = self.task_at(&tasks, one.span.bytes.start).unwrap_or(&first).clone();
            let marked = self.text.get(one.span.bytes.clone()).unwrap_or_default();
            let blamed = match self.written_at(&span, marked, tree) {
                Some(span) => Diagnostic::new(span, one.what, "here"),
                None => Diagnostic::new(span, one.what, "said here"),
            };
            one.help.into_iter().fold(blamed, Diagnostic::help)
        };
        Problems::gather(wrong.diagnostics.into_iter().map(at_its_task).collect(), texts(tree))
    }

    /// The same without the tasks that `wrong` is about, if none of them is sure to run.
    pub fn without(&self, wrong: &Problems) -> Option<Self> {
        let file = ManifestFile::new(PathBuf::new(), self.text.clone().into_bytes(), MAX_BYTES);
        let tasks = read_manifest(&file, &mut Findings::new(&file)).tasks;
        let name = |one: &Diagnostic| {
            let (name, _) =
                tasks.iter().rfind(|(name, _)| name.bytes.start <= one.span.bytes.start)?;
            self.parts.unsure.contains(&name.value).then(|| name.value.clone())
        };
        let names: Option<BTreeSet<String>> = wrong.diagnostics.iter().map(name).collect();
        let names = names.filter(|names| !names.is_empty())?;
        let mut parts = self.parts.clone();
        parts.tasks.retain(|(name, _)| !names.contains(name));
        Some(Self { text: parts.document(), parts, ..self.clone() })
    }

    /// Where `marked` stands within the task that is called at `span`, as a person wrote it.
    fn written_at(&self, span: &Span, marked: &str, tree: &TaskfileTree) -> Option<Span> {
        let file = &tree.files.iter().find(|one| one.file.path == span.file)?.file;
        let later = self.places.values().filter(|other| other.file == span.file);
        let later = later.map(|other| other.bytes.start).filter(|start| *start > span.bytes.start);
        let end = later.min().unwrap_or(file.text.len());
        let at = file.text.get(span.bytes.end..end)?.find(marked).filter(|_| !marked.is_empty())?;
        let start = span.bytes.end + at;
        Some(file.span(start..start + marked.len()))
    }

    /// The place of the task that stands at `byte` of the translation, whose tasks come last.
    fn task_at(&self, tasks: &Pairs<Node>, byte: usize) -> Option<&Span> {
        let (name, _) = tasks.iter().rfind(|(name, _)| name.bytes.start <= byte)?;
        self.places.get(&name.value)
    }
}
