//! What the variables of a tree of Taskfiles come to, as far as that is known before anything runs.
//!
//! Task has one bag of variables for all files. So a name is looked up in the file where it is used,
//! then in the first file, then anywhere.

use std::collections::BTreeMap;

use crate::{
    manifest::Scalar,
    model::Platform,
    taskfile::{GoTemplate, Taskfile, TaskfileTree, VariableValue},
    workspace::render_fixed,
};

/// What stands for the folder of the first Taskfile while paths are worked out: deep enough that `..`
/// does not lead out of all that is known.
const ROOT: &str = "/@1/@2/@3/@4/@5/@6/@root";

/// How deep variables may stand in one another.
const DEPTH: usize = 16;

/// The variables that a file of a tree knows.
#[derive(Clone, Copy)]
pub(super) struct MigratedVariables<'t> {
    tree: &'t TaskfileTree,
    /// The file that is looked at.
    file: usize,
}

impl<'t> MigratedVariables<'t> {
    pub(super) fn new(tree: &'t TaskfileTree, file: usize) -> Self {
        Self { tree, file }
    }

    /// The text that `name` is, a template of Go.
    pub(super) fn text(&self, name: &str) -> Option<&'t Scalar> {
        let files = &self.tree.files;
        let order = [&files[self.file], &files[0]].into_iter().chain(files);
        order.flat_map(|file| &file.vars).find(|one| one.name.value == name).and_then(|one| {
            match &one.value {
                VariableValue::Text(text) => Some(text),
                _ => None,
            }
        })
    }

    /// `text`, in which the variables that are known stand written out; but for those that `stays`.
    pub(super) fn written_out(&self, text: &str, stays: &dyn Fn(&str) -> bool) -> String {
        self.inner(text, stays, DEPTH)
    }

    fn inner(&self, text: &str, stays: &dyn Fn(&str) -> bool, depth: usize) -> String {
        let mut written = String::new();
        let mut rest = text;
        while let Some((before, from)) = rest.split_once("{{") {
            let (inside, after) = from.split_once("}}").unwrap_or((from, ""));
            written.push_str(before);
            let value = mention(inside).filter(|name| depth > 0 && !stays(name));
            match value.and_then(|name| Some((name, self.text(name)?))) {
                Some((name, value)) => {
                    let value = self.known(name, value);
                    written.push_str(&self.inner(&value, stays, depth - 1));
                }
                None => written.extend(["{{", inside, "}}"]),
            }
            rest = after;
        }
        written + rest
    }

    /// The variable `name`, whose text is `value`: what comes out where that is known.
    fn known(&self, name: &str, value: &Scalar) -> String {
        let Ok(template) = GoTemplate::parse(&value.text) else { return value.text.clone() };
        let asks_outside =
            template.variables().iter().any(|one| one == name || self.is_outside(one));
        if !asks_outside {
            return value.text.clone();
        }
        let values = |other: &str| {
            if other == name || self.is_outside(other) {
                return Some(String::new());
            }
            let shown = format!("{{{{.{other}}}}}");
            let value = self.inner(&shown, &|one| one == name, DEPTH / 2);
            let value = value.replace("{{.ROOT_DIR}}", ROOT);
            (!value.contains("{{")).then_some(value)
        };
        let fixed = fixed(&template, &values);
        match fixed {
            None => value.text.clone(),
            Some(text) if text.starts_with(&ROOT[..4]) => {
                let below = from_root(&text).unwrap_or_default();
                if below.is_empty() {
                    "{{.ROOT_DIR}}".to_owned()
                } else {
                    format!("{{{{.ROOT_DIR}}}}/{below}")
                }
            }
            Some(text) => text,
        }
    }

    /// What `name` is in a document: its default, if it is itself with a default.
    pub(super) fn default_of(&self, name: &str, value: &Scalar) -> String {
        let template = GoTemplate::parse(&value.text).ok();
        let is_itself = template.is_some_and(|template| template.variables().contains(name));
        if is_itself { self.known(name, value) } else { value.text.clone() }
    }

    /// Whether no file sets `name`, nor Task itself.
    fn is_outside(&self, name: &str) -> bool {
        let is_set =
            self.tree.files.iter().flat_map(|file| &file.vars).any(|one| one.name.value == name);
        !is_set
            && !["ROOT_DIR", "TASKFILE_DIR", "USER_WORKING_DIR", "CLI_ARGS", "ITEM"].contains(&name)
    }

    /// The path that `text` is, from the first Taskfile's folder, with `..` where it leads out of it.
    pub(super) fn path(&self, text: &str) -> Option<String> {
        let text = self.written_out(text, &|_| false);
        let text = text.replace("{{.ROOT_DIR}}", ROOT);
        if text.contains("{{") {
            return None;
        }
        let dir = self.tree.files[self.file].dir.strip_prefix(&self.tree.root).ok()?;
        let path = std::path::Path::new(ROOT).join(dir).join(&text);
        from_root(path.to_str()?)
    }
}

/// What a template comes to with the `values` of its variables, if that is the same on all platforms.
fn fixed(template: &GoTemplate, values: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for name in template.variables() {
        let value = if name == "ROOT_DIR" { Some(ROOT.to_owned()) } else { values(&name) };
        all.insert(name.clone(), value?);
    }
    let names = |name: &str| {
        let value = all.get(name).map(|value| value.replace('\'', "\\'")).unwrap_or_default();
        format!("'{value}'")
    };
    let said = template.translate(&names).ok()?;
    let platforms: [Platform; 2] = ["linux-amd64".parse().ok()?, "darwin-arm64".parse().ok()?];
    let [one, other] = platforms.map(|platform| render_fixed(&said, platform).ok());
    one.filter(|one| other.as_ref() == Some(one))
}

/// An absolute path, from the folder of the first Taskfile; none if it is somewhere else altogether.
fn from_root(path: &str) -> Option<String> {
    let path = normal(path);
    let (root, path) = (ROOT.split('/').collect::<Vec<_>>(), path.split('/').collect::<Vec<_>>());
    let shared = root.iter().zip(&path).take_while(|(one, other)| one == other).count();
    if shared < 2 {
        return None;
    }
    let up = std::iter::repeat_n("..", root.len() - shared);
    Some(up.chain(path[shared..].iter().copied()).collect::<Vec<_>>().join("/"))
}

/// The variable that `{{ inside }}` alone shows.
pub(super) fn mention(inside: &str) -> Option<&str> {
    let name = inside.trim().strip_prefix('.')?;
    let plain = |c: char| c.is_alphanumeric() || c == '_';
    (!name.is_empty() && name.chars().all(plain)).then_some(name)
}

/// The file's version variable, and what it is pinned to.
pub(super) fn version(file: &Taskfile, variables: MigratedVariables) -> Option<(String, String)> {
    let candidates = file.vars.iter().map(|one| one.name.value.as_str());
    let mut candidates = candidates.filter(|name| *name == "VERSION" || name.ends_with("_VERSION"));
    candidates.find_map(|name| {
        let value = variables.written_out(&format!("{{{{.{name}}}}}"), &|_| false);
        let is_branch = matches!(value.as_str(), "main" | "master" | "develop" | "trunk");
        let is_number = value.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit());
        let is_version = !value.contains("{{") && (is_number || is_branch);
        is_version.then(|| (name.to_owned(), value))
    })
}

/// The path without `.` and `..`.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/").trim_end_matches('/').to_owned()
}
