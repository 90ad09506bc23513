//! A tree of Taskfiles said in forge's language: one document, as text, with remarks on what has no
//! counterpart.
//!
//! Task puts the variables of all files into one scope, so all tasks come to stand in one document
//! under their full names. `instance` finds these, `scope` what variables are called, `task` and
//! `command` say each task, `yaml` writes it down.

mod asked;
mod blame;
mod command;
mod folder;
mod inherited;
mod instance;
mod named;
mod scope;
mod task;
mod task_file;
mod yaml;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::PathBuf,
};

use super::{
    model::{CommandKind, Often, Taskfile, TaskfileOutput, TaskfileVariable, VariableValue},
    template::TemplateError,
    tree::{Given, TaskfileTree},
};
use crate::{
    manifest::Scalar,
    model::{Span, suggestion},
};
use instance::{Instance, TaskInstance, instances};
pub use named::{FixedWords, NamedTask, has_task, named_tasks};
pub(super) use scope::as_printed;
use scope::{Globals, TaskfileScope, special};
pub use task_file::task_file;
pub use yaml::{BEHIND, FOLD, Yaml};

/// What a translation is for.
#[derive(Clone, Copy, Debug)]
pub struct TranslationRequest<'a> {
    /// The tasks that are to run: only what they may come to run is said. All of it if absent.
    pub tasks: Option<&'a [String]>,
    /// What they are run with.
    pub given: &'a Given,
    /// What stands after `--`.
    pub args: &'a [String],
    /// Flags of the command line that templates can ask for, such as `CLI_FORCE`.
    pub flags: &'a [(&'a str, bool)],
    /// What variables are called, as expressions, where that is not their own name.
    pub words: &'a BTreeMap<String, String>,
}

/// What a tree says in forge's words, in parts.
#[derive(Clone, Debug)]
pub struct TranslatedParts {
    /// The tasks, by their full names.
    pub tasks: Vec<(String, Yaml)>,
    /// The variables that something looks at.
    pub vars: Yaml,
    /// `env`.
    pub env: Yaml,
    /// `dotenv`.
    pub dotenv: Yaml,
    /// `shell` and `output`.
    pub settings: Yaml,
    /// Those of the tasks that are named by a template alone, so that they may never run.
    pub unsure: BTreeSet<String>,
    /// What is not the same, in the order of the files.
    pub remarks: Vec<Remark>,
}

/// Something to know about a translation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Where in the Taskfiles.
    pub span: Span,
    /// What is not the same, or not said at all.
    pub what: String,
    /// Whether nothing can run.
    pub is_fatal: bool,
}

/// A tree of Taskfiles in forge's words.
#[derive(Clone, Debug)]
pub struct Translation {
    /// `versions.yml`.
    pub text: String,
    /// What is not the same, in the order of the files.
    pub remarks: Vec<Remark>,
    /// Where in the Taskfiles each task stands, by its name.
    pub places: BTreeMap<String, Span>,
    parts: TranslatedParts,
}

/// Says `tree` in forge's words.
pub fn translate(tree: &TaskfileTree, wish: &TranslationRequest) -> Translation {
    let parts = parts(tree, wish, wish.tasks.is_some(), &BTreeSet::new());
    let (text, remarks) = (parts.document(), parts.remarks.clone());
    Translation { text, remarks, places: places(tree), parts }
}

impl TranslatedParts {
    /// The text of a document of all of it.
    fn document(&self) -> String {
        let mut document = Yaml::single("versions", Yaml::map());
        for (key, value) in self.settings.entries() {
            document.put(key, value.clone());
        }
        document.put_filled("vars", self.vars.clone());
        document.put_filled("env", self.env.clone());
        document.put_filled("dotenv", self.dotenv.clone());
        let mut tasks = Yaml::map();
        for (name, said) in &self.tasks {
            tasks.put(name, said.clone());
        }
        document.put_filled("tasks", tasks);
        document.document()
    }
}

/// Says `tree` in forge's words, in parts; of the variables only those that something looks at, if
/// `is_sparse`. Where they are for people, the tasks `exactly` are said as a run takes them all the same; the
/// name of none stands for the variables of files.
pub fn parts(
    tree: &TaskfileTree,
    wish: &TranslationRequest,
    is_sparse: bool,
    exactly: &BTreeSet<String>,
) -> TranslatedParts {
    let instances = instances(tree);
    let tasks: Vec<TaskInstance> =
        instances.iter().enumerate().flat_map(|(at, one)| one.tasks(at)).collect();
    let mut translator = Translator {
        globals: &Globals::new(tree, wish),
        reached: BTreeSet::new(),
        sure: BTreeSet::new(),
        passed: HashMap::new(),
        as_json: BTreeSet::new(),
        limited: Vec::new(),
        may_be_empty: BTreeSet::new(),
        remarks: Vec::new(),
        tree,
        wish,
        exactly,
        instances: &instances,
        tasks: &tasks,
    };
    translator.same_names();
    translator.settings();
    translator.reach();
    translator.parts(is_sparse)
}

fn places(tree: &TaskfileTree) -> BTreeMap<String, Span> {
    let instances = instances(tree);
    let known = instances.iter().enumerate().flat_map(|(at, one)| one.tasks(at));
    let place = |known: TaskInstance| {
        let file = &instances[known.instance].file.file;
        (known.name.clone(), file.span(known.task.name.bytes.clone()))
    };
    known.map(place).collect()
}

fn texts(tree: &TaskfileTree) -> BTreeMap<PathBuf, String> {
    tree.files.iter().map(|one| (one.file.path.clone(), one.file.text.clone())).collect()
}

struct Translator<'t> {
    tree: &'t TaskfileTree,
    wish: &'t TranslationRequest<'t>,
    exactly: &'t BTreeSet<String>,
    instances: &'t [Instance<'t>],
    tasks: &'t [TaskInstance<'t>],
    globals: &'t Globals<'t>,
    /// The tasks that are said.
    reached: BTreeSet<usize>,
    /// Those of them that are named for certain, and not by a template that may come to mean them.
    sure: BTreeSet<usize>,
    /// Per task, what calls give it.
    passed: HashMap<usize, BTreeSet<String>>,
    /// What calls give as JSON, by names: lists and mappings, and what may be empty and is not to be
    /// taken for what all tasks know.
    as_json: BTreeSet<String>,
    /// Tasks that stand between one and what it needs for a limited time.
    limited: Vec<(String, Yaml)>,
    /// Where a document is for people: what a call may give as nothing, which is not to be taken for
    /// what all tasks know.
    may_be_empty: BTreeSet<String>,
    remarks: Vec<Remark>,
}

impl Translator<'_> {
    fn parts(mut self, is_sparse: bool) -> TranslatedParts {
        let root = self.instances[0].file;
        let (mut tasks, mut unsure) = (Vec::new(), BTreeSet::new());
        for at in self.reached.clone() {
            let before = self.remarks.len();
            self.globals.be_exact(self.exactly.contains(&self.tasks[at].name));
            let said = self.task(at);
            let name = &self.tasks[at].name;
            if !self.sure.contains(&at) {
                unsure.insert(name.clone());
                // What may never be called keeps nothing from running.
                if self.remarks[before..].iter().any(|remark| remark.is_fatal) {
                    self.remarks.truncate(before);
                    continue;
                }
            }
            tasks.push((name.clone(), said));
        }
        tasks.append(&mut self.limited);
        self.globals.be_exact(self.exactly.contains(""));
        let scope = TaskfileScope { own: special(None), globals: self.globals, limit: None };
        let mut wrong = Vec::new();
        let mut extra = Vec::new();
        let env = instance::layered(self.tree, root, &[], |file| &file.env);
        let env = env.iter().filter(|one| !self.is_taken_away(one.name()));
        let env = env.map(|one| (one.variable, one.dir.as_deref()));
        let env = Self::environment(env, &scope, &mut extra, &mut wrong);
        let dotenv = root.dotenv.iter().map(|file| format!("{}?", scope.text(file, &mut wrong)));
        let dotenv = Yaml::List(dotenv.map(Yaml::Text).collect());
        let mut vars = self.globals.written(is_sparse, &mut wrong);
        for (name, value) in extra {
            vars.put(&name, value);
        }
        self.tell_flaws(root, wrong);
        TranslatedParts {
            tasks,
            vars,
            env,
            dotenv,
            settings: file_settings(root),
            unsure,
            remarks: self.remarks,
        }
    }

    /// What a file may not say.
    fn settings(&mut self) {
        for file in &self.tree.files {
            for (bytes, what) in &file.unknown {
                let (span, what) = (file.file.span(bytes.clone()), what.clone());
                self.remarks.push(Remark { span, what, is_fatal: false });
            }
        }
        for at in 0..self.instances.len() {
            let instance = &self.instances[at];
            if let Some(version) = &instance.file.settings.version
                && !is_version(&version.text)
            {
                let what =
                    format!("forge reads Taskfiles of version 3 to {NEWEST}, not {}", version.text);
                self.report(at, version.bytes.clone(), what, true);
            }
            if let Some(dotenv) = instance.file.dotenv.first().filter(|_| !instance.is_root()) {
                let what = "only the first Taskfile can have `dotenv`; move it there".to_owned();
                self.report(at, dotenv.bytes.clone(), what, true);
            }
        }
    }

    /// Two tasks under one name.
    fn same_names(&mut self) {
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for (at, known) in self.tasks.iter().enumerate() {
            if seen.insert(&known.name, at).is_some() {
                let what = format!("two tasks are called `{}`", known.name);
                self.report(known.instance, known.task.name.bytes.clone(), what, true);
            }
        }
    }

    /// Tells of names that were asked for and that several tasks are also called.
    fn ambiguous(&mut self) {
        for name in self.wish.tasks.unwrap_or_default() {
            let named = self.tasks.iter().filter(|known| known.aliases.contains(name));
            let named: Vec<&TaskInstance> = named.collect();
            if let [first, _, ..] = named[..]
                && !self.tasks.iter().any(|known| known.name == *name)
            {
                let all: Vec<String> = named.iter().map(|one| format!("`{}`", one.name)).collect();
                let what = format!("`{name}` is an alias of {}", all.join(" and "));
                self.report(first.instance, first.task.name.bytes.clone(), what, true);
            }
        }
    }

    /// Finds the tasks that are to be said, and what they are given.
    fn reach(&mut self) {
        let mut open: Vec<usize> = match self.wish.tasks {
            None => (0..self.tasks.len()).collect(),
            Some(names) => names.iter().flat_map(|name| self.meant(name)).collect(),
        };
        self.ambiguous();
        self.reached = open.iter().copied().collect();
        self.sure = self.reached.clone();
        let (mut plain, mut as_json) = (BTreeSet::new(), BTreeSet::new());
        while let Some(at) = open.pop() {
            let known = &self.tasks[at];
            for command in known.task.deps.iter().chain(&known.task.commands) {
                let (CommandKind::Call(call) | CommandKind::DeferCall(call)) = &command.deed else {
                    continue;
                };
                let better = call.vars.iter().filter(|one| self.is_better_as_json(one));
                as_json.extend(better.map(|one| one.name.value.clone()));
                let name = self.instances[known.instance].called_from_root(&call.task.text);
                let is_sure = self.sure.contains(&at) && !name.contains("{{");
                for target in self.meant(&name) {
                    let given = call.vars.iter().map(|one| one.name.value.clone());
                    self.passed.entry(target).or_default().extend(given);
                    let required = &self.tasks[target].task.requires;
                    plain.extend(required.iter().map(|one| one.name.text.clone()));
                    let is_new = self.reached.insert(target);
                    if is_sure && self.sure.insert(target) || is_new {
                        open.push(target);
                    }
                }
            }
        }
        let as_json: BTreeSet<String> = as_json.difference(&plain).cloned().collect();
        match self.globals.is_run() {
            true => self.as_json = as_json,
            false => self.may_be_empty = as_json,
        }
    }

    /// Whether a call that gives a task `variable` gives it as JSON.
    fn is_better_as_json(&self, variable: &TaskfileVariable) -> bool {
        let name = &variable.name.value;
        let is_known = || {
            let mut includes = self.instances.iter().flat_map(|one| &one.includes);
            self.globals.declares(name)
                || includes.any(|one| one.vars.iter().any(|var| var.name.value == *name))
        };
        match &variable.value {
            VariableValue::Ref(_) | VariableValue::List(_) | VariableValue::Map(_) => true,
            VariableValue::Empty | VariableValue::Sh(_) => is_known(),
            // A number or flag keeps its kind: `false` is no text, which would count as yes.
            VariableValue::Text(text) if self.globals.is_run() && scope::is_literal(text) => true,
            VariableValue::Text(text) => {
                (text.text.is_empty() || text.text.contains("{{")) && is_known()
            }
        }
    }

    /// The tasks that `name` can mean, where a template can be anything.
    fn meant(&self, name: &str) -> Vec<usize> {
        let is_name = |known: &TaskInstance| {
            known.name == name || known.aliases.iter().any(|one| one == name)
        };
        if let Some(at) = self.tasks.iter().position(|known| known.name == name) {
            return vec![at];
        }
        let exact: Vec<usize> =
            (0..self.tasks.len()).filter(|at| is_name(&self.tasks[*at])).collect();
        if !exact.is_empty() {
            return exact;
        }
        if self.wish.tasks.is_some() && !name.contains("{{") {
            // Of several that fit, Task takes the one that is written first.
            let first = self.tasks.iter().position(|known| matches(&known.name, name));
            return first.into_iter().collect();
        }
        let pattern = pattern(name);
        let fits = |at: &usize| {
            let own = &self.tasks[*at].name;
            matches(own, &pattern) || matches(&pattern, own)
        };
        (0..self.tasks.len()).filter(fits).collect()
    }

    fn report(
        &mut self,
        instance: usize,
        bytes: std::ops::Range<usize>,
        what: String,
        is_fatal: bool,
    ) {
        let span = self.instances[instance].file.file.span(bytes);
        self.remarks.push(Remark { span, what, is_fatal });
    }

    fn tell_flaws(&mut self, file: &Taskfile, wrong: Vec<(TemplateError, Scalar)>) {
        for (flaw, scalar) in wrong {
            let bytes = scalar.locate(&file.file.text, flaw.bytes);
            self.remarks.push(Remark {
                span: file.file.span(bytes),
                what: flaw.what,
                is_fatal: true,
            });
        }
    }

    /// A name that no task has.
    fn tell_unknown(&mut self, instance: usize, scalar: &Scalar, name: &str) {
        let near = suggestion(name, self.tasks.iter().map(|known| known.name.as_str()));
        let what = format!("there is no task `{name}` ({near})");
        self.report(instance, scalar.bytes.clone(), what, true);
    }

    fn often(&self, known: &TaskInstance) -> Often {
        let root = self.instances[0].file.settings.run;
        known.task.run.or(root).unwrap_or(Often::Always)
    }
}

/// What a file says once for all its tasks.
fn file_settings(root: &Taskfile) -> Yaml {
    let settings = &root.settings;
    let mut said = Yaml::single("shell", command::shell(&settings.set, &settings.shopt));
    if settings.silent {
        said.put("quiet", Yaml::flag(true));
    }
    let output = match &settings.output {
        Some(TaskfileOutput::Style(style)) if style.text == "prefixed" => "prefixed",
        Some(TaskfileOutput::Style(style)) if style.text == "group" => "grouped",
        Some(TaskfileOutput::Group(_)) => "grouped",
        _ => "plain",
    };
    said.put("output", Yaml::text(output));
    said
}

/// The newest version of Task whose language this is.
const NEWEST: &str = "3.54";

fn is_version(text: &str) -> bool {
    let mut numbers = text.trim_start_matches('v').split('.').map(|part| part.parse::<u32>().ok());
    numbers.next() == Some(Some(3))
        && numbers.next().is_none_or(|minor| minor.is_some_and(|minor| minor <= 54))
}

/// A name with a star for each template in it.
fn pattern(name: &str) -> String {
    let mut text = String::new();
    let mut rest = name;
    while let Some((before, after)) = rest.split_once("{{") {
        text.push_str(before);
        text.push('*');
        rest = after.split_once("}}").map_or("", |(_, after)| after);
    }
    text + rest
}

/// Whether `name` is what `pattern`, with stars in it, stands for.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::Platform,
        taskfile,
        workspace::{LoadInputs, load_text},
    };

    /// A Taskfile in forge's words, which must be a document that forge takes, and what was remarked.
    fn said(text: &str, tasks: Option<&[String]>) -> (String, Vec<String>) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("Taskfile.yml"), text).unwrap();
        let given = Given::default();
        let tree = taskfile::read(&dir.path().join("Taskfile.yml"), &given, &|_| None).unwrap();
        let wish = TranslationRequest {
            tasks,
            given: &given,
            args: &[],
            flags: &[],
            words: &BTreeMap::new(),
        };
        let translation = translate(&tree, &wish);
        let remarks: Vec<_> = translation.remarks.into_iter().map(|one| one.what).collect();
        if remarks.is_empty() {
            let loaded =
                load_text(dir.path(), &translation.text, Platform::host(), &LoadInputs::nothing());
            assert!(loaded.is_ok(), "{}\n{loaded:?}", translation.text);
        }
        (translation.text, remarks)
    }

    #[test]
    fn a_taskfile_becomes_a_document() {
        let taskfile = "version: '3'\nsilent: true\nvars: {VERSION: v1, BIN: '.bin/{{.VERSION}}'}\ntasks:\n  \
                        ensure:\n    desc: fetches it\n    status: ['test -x {{.BIN}}']\n    cmds:\n      \
                        - task: get\n        vars: {NAME: '{{.VERSION | trimPrefix \"v\"}}'}\n  get:\n    \
                        internal: true\n    deps: [dir]\n    sources: [a.txt, {exclude: b.txt}]\n    \
                        cmds:\n      - for: [x, y]\n        cmd: echo {{.ITEM}} {{.NAME}}\n  dir: mkdir -p .bin\n";
        let (text, remarks) = said(taskfile, Some(&["ensure".to_owned()]));
        assert_eq!(remarks, [""; 0]);
        insta::assert_snapshot!(text, @r#"
        versions: {}
        shell: [bash, -e, -c]
        quiet: true
        output: plain
        vars:
          VERSION: v1
          BIN: ".bin/{{ VERSION | as_go }}"
        tasks:
          ensure:
            desc: fetches it
            status: ["test -x {{ BIN | as_go }}"]
            run:
              - task: get
                with: {NAME: "{{ VERSION | remove_prefix('v') | as_go }}"}
          get:
            private: true
            with: {NAME: ''}
            inputs: [a.txt, '!b.txt']
            needs: [dir]
            run:
              - run: "echo {{ item | as_go }} {{ NAME | as_go }}"
                for: [x, 'y']
          dir: mkdir -p .bin
        "#);
    }

    #[test]
    fn what_has_no_counterpart_is_remarked() {
        let taskfile =
            "version: '3'\ntasks:\n  a: [{task: nowhere}, '{{.X | frob}}']\n  b: '{{.X | frob}}'\n";
        let (_, remarks) = said(taskfile, Some(&["a".to_owned()]));
        assert_eq!(remarks.len(), 2, "{remarks:?}");
        assert!(
            remarks[0].contains("no task `nowhere`") && remarks[1].contains("no function `frob`")
        );
        assert_eq!(said(taskfile, None).1.len(), 3);
    }
}
