//! What a file says for all tasks in it: `vars`, `env`, `dotenv`, `shell`, `quiet`, `pools`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use minijinja::value::Value as Word;

use super::{
    super::{
        Text, build,
        template::{TemplateScope, words_of},
    },
    TaskText, Var, vars, words,
};
use crate::{
    manifest::{Findings, HeadDoc, Node, Pairs, Scalar, Value},
    model::suggestion,
    process::Shell,
};

/// What is said for all tasks of a file. Those of a spec also know what `versions.yml` says.
#[derive(Clone, Debug, Default)]
pub struct TaskFileScope {
    /// The text of the file.
    pub text: String,
    /// The folder of the file, relative to the workspace.
    pub dir: PathBuf,
    /// Where its tasks run unless they say otherwise, relative to the workspace.
    pub runs_in: PathBuf,
    /// What stands before the names of its tasks, without `:`; empty for the workspace's own.
    pub space: String,
    /// Whether it is included: names of the workspace's tasks then begin with `:`.
    pub is_included: bool,
    /// Variables that it is given: by its include, or on the command line.
    pub given: BTreeMap<String, String>,
    /// `vars:`; each knows those before it. Where two have one name, the later one counts.
    pub vars: Vec<Var>,
    /// `env:`, as far as it is known before anything runs.
    pub env: BTreeMap<String, Text>,
    /// The rest of `env:`, which looks at what only a run finds out.
    pub late_env: Vec<(String, TaskText)>,
    /// `pass_env:`.
    pub pass_env: BTreeSet<String>,
    /// `dotenv:`: folders, files in them, and whether each may be missing.
    pub dotenv: Vec<(PathBuf, Text, bool)>,
    /// `shell:`.
    pub shell: Shell,
    /// `quiet:`.
    pub quiet: bool,
    /// `pools:`: how many tasks of each run at once.
    pub pools: BTreeMap<String, u16>,
}

/// What limits how many tasks run at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// How many; at least one.
    pub limit: u16,
}

impl TaskFileScope {
    /// Gives it variables, which go over its own. They are known to `scope` from here on.
    pub fn give(&mut self, given: impl Iterator<Item = (String, Word)>, scope: &mut TemplateScope) {
        for (name, value) in given {
            scope.declare(&name, value.clone());
            self.given.insert(name, value.to_string());
        }
    }

    /// `doc` without the variables that are given.
    pub fn lacking(&self, doc: &HeadDoc) -> HeadDoc {
        let mut doc = doc.clone();
        doc.vars.retain(|(name, _)| !self.given.contains_key(&name.value));
        doc
    }

    /// Adds what the file in the folder `dir` says in `doc`. Its variables are known to `scope`
    /// from here on. What is wrong goes to `found`.
    pub fn add(
        &mut self,
        dir: &Path,
        doc: &HeadDoc,
        scope: &mut TemplateScope,
        found: &mut Findings,
    ) {
        dir.clone_into(&mut self.dir);
        let place = match dir.as_os_str().is_empty() {
            true => Text::symbol("root"),
            false => format!("{}/{}", Text::symbol("root"), dir.display()),
        };
        scope.extend([("dir".to_owned(), Word::from(place))]);
        scope.expect(words::of_run());
        if let Some(node) = &doc.shell {
            self.shell = shell(node);
        }
        self.vars.extend(vars::of_file(dir, &doc.vars, &self.shell, scope, found));
        self.add_env(&doc.env, scope, found);
        self.pass_env.extend(build::variable_names(&doc.pass_env, found));
        for path in &doc.dotenv {
            let Some(text) = scope.text(path, found) else { continue };
            let (path, may_be_missing) = may_be_missing(text);
            self.dotenv.push((dir.to_owned(), path, may_be_missing));
        }
        self.quiet |= doc.quiet;
        for (name, limit) in &doc.pools {
            match limit.text.parse() {
                Ok(0) | Err(_) => {
                    let what = format!("the pool `{}` lets nothing run", name.value);
                    found.add(limit.bytes.clone(), what, "too few", "write 1 or more");
                }
                Ok(limit) => drop(self.pools.insert(name.value.clone(), limit)),
            }
        }
    }

    fn add_env(&mut self, env: &Pairs<Scalar>, scope: &TemplateScope, found: &mut Findings) {
        let (late, known): (Pairs<Scalar>, Pairs<Scalar>) =
            env.iter().cloned().partition(|(_, value)| scope.is_guess(&words_of(&value.text)));
        self.env.extend(build::environment(&known, scope, found));
        if late.is_empty() {
            return;
        }
        // The names are looked at there too.
        build::environment(&late, &scope.with_stand_ins(), found);
        for (name, value) in late {
            self.late_env.push((name.value, TaskText(value)));
        }
    }

    /// The pool called `name`, which must be one of `pools`.
    pub(super) fn pool(&self, name: &Scalar, found: &mut Findings) -> Option<Pool> {
        if let Some(limit) = self.pools.get(&name.text) {
            return Some(Pool { name: name.text.clone(), limit: *limit });
        }
        let what = format!("there is no pool `{}`", name.text);
        let help = match self.pools.is_empty() {
            true => format!("write `pools: {{ {}: 1 }}` at the top of the file", name.text),
            false => suggestion(&name.text, self.pools.keys().map(String::as_str)),
        };
        found.add(name.bytes.clone(), what, "not under `pools`", help);
        None
    }
}

/// `shell:`.
pub(super) fn shell(node: &Node) -> Shell {
    match &node.value {
        Value::List(_) => {
            let words = node.one_or_many().iter().filter_map(Node::scalar);
            Shell::Words(words.map(|word| word.text.clone()).collect())
        }
        Value::Scalar(word) if word.text == "bash" => Shell::Bash,
        _ => Shell::Sh,
    }
}

/// A path; with `?` at its end, it may be missing.
fn may_be_missing(path: Text) -> (Text, bool) {
    match path.without_last('?') {
        Ok(path) => (path, true),
        Err(path) => (path, false),
    }
}
