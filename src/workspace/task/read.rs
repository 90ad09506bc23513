//! `tasks:` of the manifest and of specs to [`Task`]s. Templates are tried with stand-ins for
//! what only a run knows, and what comes out is checked as a shell would read it.
//!
//! A task that uses a part of the language that is not run yet is kept with that key, so that
//! running it is refused by name and nothing else suffers.

use std::{collections::BTreeMap, ops::Range, sync::Arc, time::Duration};

use minijinja::value::Value as Word;

use super::{
    super::{
        Text, build,
        template::{Scope, Words},
    },
    Call, Parameter, Stand, Task, Template, Variable, entry,
};
use crate::{
    manifest::{Findings, Node, Pairs, Scalar, Sp, Value, scalar, scalars},
    model::Name,
};

/// The keys of a task that are part of the language and not run.
const BEYOND: &[&str] = &["include", "interactive", "pool", "shell"];

/// What a word stands for while nobody knows its value.
pub(super) const STAND_IN: &str = "value";

/// Resolves the tasks of `owner`, or those of the workspace. `env` is what is set for all
/// commands. What is wrong goes to `found`.
pub fn resolve(
    owner: Option<&Name>,
    written: &Pairs<Node>,
    env: &BTreeMap<String, Text>,
    scope: &Scope,
    found: &mut Findings,
) -> Vec<Task> {
    let words = Arc::new(scope.words());
    let mut tasks = Vec::new();
    for (key, node) in written {
        if !is_name(&key.value, &key.bytes, found) {
            continue;
        }
        let before = found.diagnostics.len();
        let reader = Reader { owner, node, scope: scope.clone(), found };
        let task = reader.task(key, env, words.clone());
        if found.diagnostics.len() == before {
            tasks.push(task);
        }
    }
    tasks
}

/// Whether `text` is a word that a shell and a command line leave alone.
pub fn is_name(text: &str, bytes: &Range<usize>, found: &mut Findings) -> bool {
    let plain = |c: char| c.is_alphanumeric() || "-_.:".contains(c);
    let is_plain = text.starts_with(char::is_alphanumeric) && text.chars().all(plain);
    if !is_plain {
        let what = format!("`{text}` can be no task's name");
        let help = "use letters, digits, `-`, `_`, `.` and `:`, and begin with a letter or digit";
        found.add(bytes.clone(), what, "not a plain word", help);
    }
    is_plain
}

/// One task, about to be read.
pub(super) struct Reader<'a, 'e, 'f> {
    owner: Option<&'a Name>,
    node: &'a Node,
    /// What templates know, with stand-ins for what only a run knows.
    pub(super) scope: Scope<'e>,
    pub(super) found: &'a mut Findings<'f>,
}

impl Reader<'_, '_, '_> {
    fn task(mut self, key: &Sp<String>, env: &BTreeMap<String, Text>, words: Arc<Words>) -> Task {
        let called = |name: &str| match self.owner {
            Some(owner) => format!("{owner}:{name}"),
            None => name.to_owned(),
        };
        let (name, node) = (called(&key.value), self.node);
        let text = |key| scalar(node, key).map(|scalar: Scalar| scalar.text);
        let flag = |key| scalar(node, key).is_some_and(|flag| flag.text == "true");
        let aliases = scalars(node, "alias").iter().map(|alias| called(&alias.text)).collect();
        // Asked before any parameter is looked at.
        let confirm = self.question();
        let with = self.parameters();
        let needs = self.needs();
        let dir = self.template("dir");
        let vars = self.variables();
        let run = match &node.value {
            Value::Map(_) => node.get("run"),
            _ => Some(node),
        };
        let scope = self.scope.clone();
        let each = node.get("for").and_then(|each| entry::each(&mut self, each));
        let run = run.map(|run| entry::entries(&mut self, run)).unwrap_or_default();
        // Only `run` is run once per item.
        self.scope = scope;
        let finally = node.get("finally").map(|run| entry::entries(&mut self, run));
        if run.is_empty() && needs.is_empty() {
            let what = format!("the task `{name}` has no command");
            let help = "write a command, a list of commands, or a mapping with `run`";
            self.found.add(node.bytes.clone(), what, "nothing to run", help);
        }
        Task {
            subsystem: self.owner.cloned(),
            stand: Stand::default(),
            place: self.found.span(key.bytes.clone()),
            desc: text("desc"),
            help: text("help"),
            aliases,
            label: self.template("label"),
            run,
            finally: finally.unwrap_or_default(),
            each,
            base_env: env.clone(),
            env: self.environment(),
            dotenv: self.dotenv(),
            condition: self.command("if"),
            only: entry::places(node, self.found),
            confirm,
            status: self.commands("status"),
            assert: self.assertions(),
            inputs: self.globs("inputs"),
            outputs: self.globs("outputs"),
            timeout: self.duration(node),
            retry: text("retry").and_then(|count| count.parse().ok()).unwrap_or(0),
            private: flag("private"),
            quiet: flag("quiet"),
            once: flag("once"),
            fail_fast: flag("fail_fast"),
            allow_failure: flag("allow_failure"),
            beyond: self.beyond(),
            name,
            with,
            needs,
            dir,
            vars,
            words,
        }
    }

    /// The first part of the language in it that is not run.
    fn beyond(&self) -> Option<String> {
        let keys = self.node.entries().iter().map(|entry| entry.key.value.as_str());
        let secret =
            |node: &Node| node.entries().iter().any(|entry| entry.value.get("secret").is_some());
        let secret = self.node.get("vars").is_some_and(secret).then_some("secret");
        keys.into_iter().find(|key| BEYOND.contains(key)).or(secret).map(str::to_owned)
    }

    /// A template, tried.
    pub(super) fn tried(&mut self, scalar: &Scalar) -> Template {
        self.scope.try_out(scalar, self.found);
        Template(scalar.clone())
    }

    /// A template that gives a command, tried, and read as a shell would.
    pub(super) fn tried_command(&mut self, scalar: &Scalar) -> Template {
        if let Some(command) = self.scope.try_out(scalar, self.found) {
            build::check_syntax(&command.trimmed(), scalar, self.found);
        }
        Template(scalar.clone())
    }

    fn template(&mut self, key: &str) -> Option<Template> {
        scalar(self.node, key).map(|scalar| self.tried(&scalar))
    }

    fn command(&mut self, key: &str) -> Option<Template> {
        scalar(self.node, key).map(|scalar| self.tried_command(&scalar))
    }

    fn commands(&mut self, key: &str) -> Vec<Template> {
        scalars(self.node, key).iter().map(|scalar| self.tried_command(scalar)).collect()
    }

    fn globs(&mut self, key: &str) -> Vec<Template> {
        scalars(self.node, key).iter().map(|scalar| self.tried(scalar)).collect()
    }

    pub(super) fn duration(&mut self, node: &Node) -> Option<Duration> {
        scalar(node, "timeout").and_then(|text| build::duration(&text, self.found))
    }

    /// The question of `confirm`, which is asked before anything is known that a run finds out.
    fn question(&mut self) -> Option<String> {
        let scalar = scalar(self.node, "confirm")?;
        self.scope.try_out(&scalar, self.found)?.without_places().ok()
    }

    fn environment(&mut self) -> Vec<(String, Template)> {
        let mut env = Vec::new();
        for (name, value) in crate::manifest::pairs(self.node, "env") {
            if name.value.contains(['=', '\0']) || name.value.is_empty() {
                let what = format!("`{}` can be no environment variable", name.value);
                self.found.add(name.bytes, what, "holds `=`", "write `NAME: value`");
            } else {
                env.push((name.value, self.tried(&value)));
            }
        }
        env
    }

    fn dotenv(&mut self) -> Vec<(Template, bool)> {
        let mut files = Vec::new();
        for mut path in scalars(self.node, "dotenv") {
            self.scope.try_out(&path, self.found);
            let may_be_missing = path.text.ends_with('?');
            path.text.truncate(path.text.trim_end_matches('?').len());
            files.push((Template(path), may_be_missing));
        }
        files
    }

    fn assertions(&mut self) -> Vec<(Template, Option<Template>)> {
        let Some(node) = self.node.get("assert") else { return Vec::new() };
        let nodes = match &node.value {
            Value::List(nodes) => nodes.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let mut assertions = Vec::new();
        for node in nodes {
            let line = node.scalar().cloned().or_else(|| scalar(node, "run"));
            let message = scalar(node, "message").map(|text| self.tried(&text));
            assertions.extend(line.map(|line| (self.tried_command(&line), message)));
        }
        assertions
    }

    /// `with`, whose words are known from here on, and so is `args`.
    fn parameters(&mut self) -> Vec<Parameter> {
        let mut parameters = Vec::new();
        for name in scalars(self.node, "with") {
            let key = Sp { value: name.text, bytes: name.bytes };
            parameters.extend(self.parameter(&key, None));
        }
        let declared = self.node.get("with").map(Node::entries).unwrap_or_default();
        for entry in declared {
            parameters.extend(self.parameter(&entry.key, Some(&entry.value)));
        }
        let known = parameters.iter().map(|parameter| {
            let value =
                parameter.default.as_deref().or(parameter.choices.first().map(String::as_str));
            (parameter.name.clone(), Word::from(value.unwrap_or(STAND_IN)))
        });
        self.scope.extend(known.collect::<Vec<_>>());
        self.scope.extend([("args".to_owned(), Word::from(STAND_IN))]);
        parameters
    }

    fn parameter(&mut self, key: &Sp<String>, node: Option<&Node>) -> Option<Parameter> {
        self.is_free(key)?;
        let says = |word| node.and_then(|node| scalar(node, word));
        let short = node.and_then(Node::scalar).cloned();
        let default = short.or_else(|| says("default"));
        let choices: Vec<String> = node
            .map(|node| scalars(node, "enum"))
            .unwrap_or_default()
            .into_iter()
            .map(|s| s.text)
            .collect();
        let required = says("required").is_some_and(|flag| flag.text == "true");
        if let Some(default) = &default {
            if !choices.is_empty() && !choices.contains(&default.text) {
                let what = format!("`{}` is none of {}", default.text, choices.join(", "));
                self.found.add(default.bytes.clone(), what, "not allowed", "add it to `enum`");
            }
            if required {
                let what = format!("`{}` must be given, and has a default", key.value);
                self.found.add(default.bytes.clone(), what, "never used", "remove one of them");
            }
        }
        let optional = node.is_some_and(|node| node.get("required").is_some()) && !required;
        let default = default.map(|default| default.text).or_else(|| optional.then(String::new));
        let desc = says("desc").map(|desc| desc.text);
        Some(Parameter { name: key.value.clone(), desc, default, choices })
    }

    /// A parameter or variable may not be called as a word of forge's own.
    fn is_free(&mut self, key: &Sp<String>) -> Option<()> {
        const OWN: &[&str] = &["args", "item", "vars", "env"];
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let (what, label) = if OWN.contains(&key.value.as_str())
            || (self.scope.knows(&key.value) && !self.scope.has_var(&key.value))
        {
            (format!("`{}` is a word of forge's own", key.value), "already has a meaning")
        } else if key.value.starts_with(|c: char| c.is_ascii_digit())
            || !key.value.chars().all(plain)
        {
            (format!("`{}` can be no word in a template", key.value), "not a plain word")
        } else {
            return Some(());
        };
        self.found.add(key.bytes.clone(), what, label, "give it another name");
        None
    }

    /// `vars`, each of which is known to those after it.
    fn variables(&mut self) -> Vec<(String, Variable)> {
        let mut variables = Vec::new();
        let entries = self.node.get("vars").map(Node::entries).unwrap_or_default();
        for entry in entries {
            if self.is_free(&entry.key).is_none() {
                continue;
            }
            let (variable, stand_in) = match &entry.value.value {
                Value::Scalar(text) => {
                    let value = self.scope.try_out(text, self.found).map(Text::into_inner);
                    let value = Word::from(value.unwrap_or_else(|| STAND_IN.into()));
                    (Variable::Text(Template(text.clone())), value)
                }
                Value::List(nodes) => {
                    let items = nodes.iter().filter_map(Node::scalar);
                    let items: Vec<_> = items.map(|item| self.tried(item)).collect();
                    let words: Vec<_> = items.iter().map(|item| item.source().to_owned()).collect();
                    (Variable::List(items), Word::from(words))
                }
                _ => match scalar(&entry.value, "sh") {
                    Some(line) => (Variable::Sh(self.tried_command(&line)), Word::from(STAND_IN)),
                    None => continue,
                },
            };
            self.scope.extend([(entry.key.value.clone(), stand_in)]);
            variables.push((entry.key.value.clone(), variable));
        }
        variables
    }

    fn needs(&mut self) -> Vec<Call> {
        let Some(node) = self.node.get("needs") else { return Vec::new() };
        let nodes = match &node.value {
            Value::List(nodes) => nodes.as_slice(),
            _ => std::slice::from_ref(node),
        };
        nodes.iter().filter_map(|node| self.call(node)).collect()
    }

    /// A name, or a mapping with `task` and `with`.
    pub(super) fn call(&mut self, node: &Node) -> Option<Call> {
        let name = node.scalar().cloned().or_else(|| scalar(node, "task"))?;
        let with = crate::manifest::pairs(node, "with");
        let with = with.into_iter().map(|(key, value)| (key.value, self.tried(&value)));
        Some(Call { name, with: with.collect() })
    }
}
