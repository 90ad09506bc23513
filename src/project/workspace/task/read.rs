//! `tasks:` of the manifest and of specs to [`Task`]s. Templates are tried with stand-ins for
//! what only a run knows, and what comes out is checked as a shell would read it.
//!
//! A task that uses a part of the language that is not run yet is kept with that key, so that
//! running it is refused by name and nothing else suffers.

use std::{collections::BTreeSet, ops::Range, sync::Arc, time::Duration};

use minijinja::value::Value as Word;

use super::{
    super::{
        Places, build, remote,
        template::{ScopeWords, TemplateScope, look_at, words_of, words_of_expression},
    },
    Parameter, Task, TaskCommand, TaskFileScope, TaskNeed, TaskRef, TaskRetry, TaskText, entry,
    home,
    words::{STAND_IN, is_free},
};
use crate::{
    manifest::{Findings, Node, Pairs, Scalar, Sp, Value, scalar, scalars},
    model::Name,
    process::Shell,
};

/// Resolves the tasks of `owner`, or those of the workspace. `home` is what is said for all of
/// them, `scope` what their templates know. What is wrong goes to `found`.
pub fn resolve(
    owner: Option<&Name>,
    written: &Pairs<Node>,
    home: TaskFileScope,
    scope: &TemplateScope,
    found: &mut Findings,
) -> Vec<Task> {
    if written.is_empty() {
        return Vec::new();
    }
    let home = TaskFileScope { text: found.text().to_owned(), ..home };
    let (words, home) = (Arc::new(scope.words()), Arc::new(home));
    let known = scope.with_stand_ins().with_places(&Places::stand_ins());
    let guesses: BTreeSet<String> =
        scope.guesses().chain(scope.places()).map(str::to_owned).collect();
    let mut tasks = Vec::new();
    // Tasks stand one after the other: no line is counted for each of them again.
    let (mut at, mut line) = (0, 1);
    for (key, node) in written {
        let text = home.text.get(at..key.bytes.start).unwrap_or_default();
        (at, line) = (at.max(key.bytes.start), line + text.matches('\n').count());
        if !is_name(&key.value, &key.bytes, found) {
            continue;
        }
        let before = found.diagnostics.len();
        let (scope, guesses) = (known.clone(), guesses.clone());
        let shell = node.get("shell").map_or_else(|| home.shell.clone(), home::shell);
        let reader = TaskReader { owner, node, home: home.clone(), shell, scope, guesses, found };
        let task = reader.task(key, line, words.clone());
        if found.diagnostics.len() == before {
            tasks.push(task);
        }
    }
    tasks
}

/// Whether `text` is a word that a shell and a command line leave alone, or several with one blank between.
pub fn is_name(text: &str, bytes: &Range<usize>, found: &mut Findings) -> bool {
    let plain = |c: char| c.is_alphanumeric() || "-_.:/+@".contains(c);
    let pattern = |c: char| plain(c) || c == '*';
    let begins = text.starts_with(|c: char| c.is_alphanumeric() || "*_".contains(c));
    let are_words = text.split(' ').all(|word| !word.is_empty() && word.chars().all(pattern));
    let is_plain = begins && text != "*" && are_words;
    if !is_plain {
        let what = format!("`{text}` can be no task's name");
        let help = "use letters, digits, `-`, `_`, `.`, `:`, `/`, `+` and `@`, single blanks, and `*` for any text; begin with a letter or digit";
        found.add(bytes.clone(), what, "not a plain word", help);
    }
    is_plain
}

/// One task, about to be read.
pub(super) struct TaskReader<'a, 'e, 'f> {
    owner: Option<&'a Name>,
    pub(super) node: &'a Node,
    home: Arc<TaskFileScope>,
    /// What reads its commands.
    pub(super) shell: Shell,
    /// What templates know, with stand-ins for what only a run knows.
    pub(super) scope: TemplateScope<'e>,
    /// The words that have stand-ins.
    pub(super) guesses: BTreeSet<String>,
    pub(super) found: &'a mut Findings<'f>,
}

impl<'e> TaskReader<'_, 'e, '_> {
    fn task(mut self, key: &Sp<String>, line: usize, words: Arc<ScopeWords>) -> Task {
        let called = |name: &str| match self.owner {
            Some(owner) => format!("{owner}:{name}"),
            None => name.to_owned(),
        };
        let (name, node) = (called(&key.value), self.node);
        let text = |key| scalar(node, key).map(|scalar: Scalar| scalar.text);
        let flag = |key| scalar(node, key).is_some_and(|flag| flag.text == "true");
        let aliases = scalars(node, "alias").iter().map(|alias| called(&alias.text)).collect();
        self.own_words(&name);
        let with = self.parameters();
        let vars = self.variables();
        let needs = self.needs();
        let dir = self.dir();
        let confirm = self.template("confirm");
        let (inputs, outputs) = (self.globs("inputs"), self.globs("outputs"));
        if !inputs.is_empty() {
            self.guess([(
                "inputs".to_owned(),
                Word::from_pairs([("digest", STAND_IN), ("newest", "2000-01-01T00:00:00Z")]),
            )]);
        }
        let run = match &node.value {
            Value::Map(_) => node.get("run"),
            _ => Some(node),
        };
        let before = self.words();
        let each = self.each(node);
        let run = run.map(|run| entry::entries(&mut self, run)).unwrap_or_default();
        // Only `run` is run once per item.
        self.forget_all_but(before);
        let finally = self.finally();
        if run.is_empty() && needs.is_empty() {
            let what = format!("the task `{name}` has no command");
            let help = "write a command, a list of commands, or a mapping with `run`";
            self.found.add(node.bytes.clone(), what, "nothing to run", help);
        }
        Task {
            subsystem: self.owner.cloned(),
            place: self.found.span(key.bytes.clone()),
            line,
            desc: text("desc").map(|desc| self.described(desc)),
            help: text("help"),
            aliases,
            label: self.template("label"),
            run,
            finally,
            each,
            env: self.environment(),
            pass_env: self.pass_env(),
            dotenv: self.dotenv(),
            condition: self.command("if"),
            only: entry::places(node, self.found),
            confirm,
            status: self.commands("status"),
            assert: self.assertions(),
            inputs,
            outputs,
            timeout: self.duration(node, "timeout"),
            retry: self.retry(),
            shell: self.shell.clone(),
            pool: scalar(node, "pool").and_then(|pool| self.home.pool(&pool, self.found)),
            private: flag("private"),
            quiet: text("quiet").map_or(self.home.quiet, |flag| flag == "true"),
            once: flag("once"),
            once_as: text("once_as"),
            fail_fast: flag("fail_fast"),
            allow_failure: flag("allow_failure"),
            interactive: flag("interactive"),
            gitignore: flag("gitignore"),
            remote: remote::task(node, self.found),
            make_dir: flag("make_dir"),
            home: self.home.clone(),
            name,
            with,
            needs,
            dir,
            vars,
            words,
        }
    }

    /// What templates know now.
    pub(super) fn words(&self) -> (TemplateScope<'e>, BTreeSet<String>) {
        (self.scope.clone(), self.guesses.clone())
    }

    /// Goes back to what templates knew.
    pub(super) fn forget_all_but(&mut self, words: (TemplateScope<'e>, BTreeSet<String>)) {
        (self.scope, self.guesses) = words;
    }

    /// Lets templates know words by their stand-ins.
    pub(super) fn guess(&mut self, words: impl IntoIterator<Item = (String, Word)>) {
        let words: Vec<_> = words.into_iter().collect();
        self.guesses.extend(words.iter().map(|(word, _)| word.clone()));
        self.scope.extend(words);
    }

    /// Whether `template` looks at words that only have stand-ins.
    pub(super) fn is_guessed(&self, template: &str) -> bool {
        look_at(&words_of(template), &self.guesses)
    }

    /// Whether `expression` does.
    pub(super) fn is_guessed_expression(&self, expression: &str) -> bool {
        look_at(&words_of_expression(expression), &self.guesses)
    }

    /// The words that are known of every task.
    fn own_words(&mut self, name: &str) {
        self.scope.extend([("task".to_owned(), Word::from(name))]);
        let stars = name.matches('*').count();
        if stars > 0 {
            self.guess([("match".to_owned(), Word::from(vec![STAND_IN; stars]))]);
        }
    }

    fn finally(&mut self) -> Vec<TaskCommand> {
        let Some(node) = self.node.get("finally") else { return Vec::new() };
        let before = self.words();
        self.know_exit_code();
        let entries = entry::entries(self, node);
        self.forget_all_but(before);
        for entry in node.one_or_many().iter().filter_map(|entry| entry.get("finally")) {
            let what = "what runs at the end anyway stands under `finally` once more";
            self.found.add(entry.bytes.clone(), what, "said twice", "write `run` or `task`");
        }
        entries
    }

    fn retry(&mut self) -> TaskRetry {
        let times = |text: Scalar| text.text.parse().unwrap_or(0);
        match self.node.get("retry") {
            Some(node) => TaskRetry {
                times: node.scalar().cloned().or_else(|| scalar(node, "times")).map_or(0, times),
                delay: self.duration(node, "delay").unwrap_or_default(),
            },
            None => TaskRetry::default(),
        }
    }

    /// What runs at the end knows `exit_code`.
    pub(super) fn know_exit_code(&mut self) {
        self.guess([("exit_code".to_owned(), Word::from(0))]);
    }

    /// A template, tried.
    pub(super) fn tried(&mut self, scalar: &Scalar) -> TaskText {
        let is_guess = self.is_guessed(&scalar.text);
        self.scope.tried(scalar, is_guess, self.found);
        TaskText(scalar.clone())
    }

    /// A template that gives a command, tried, and read as a shell would.
    pub(super) fn tried_command(&mut self, scalar: &Scalar) -> TaskText {
        let is_guess = self.is_guessed(&scalar.text);
        if let Some(command) = self.scope.tried(scalar, is_guess, self.found) {
            self.scope.doubt(&self.shell, &command.trimmed(), scalar, self.found);
        }
        TaskText(scalar.clone())
    }

    /// `desc` with what is known before a run; as it is written where it speaks of what only a run knows.
    fn described(&self, desc: String) -> String {
        if self.guesses.iter().any(|word| desc.contains(word.as_str())) {
            return desc;
        }
        let rendered = self.scope.render(&desc).ok();
        rendered.and_then(|text| text.without_places().ok()).unwrap_or(desc)
    }

    fn template(&mut self, key: &str) -> Option<TaskText> {
        scalar(self.node, key).map(|scalar| self.tried(&scalar))
    }

    fn command(&mut self, key: &str) -> Option<TaskText> {
        scalar(self.node, key).map(|scalar| self.tried_command(&scalar))
    }

    fn commands(&mut self, key: &str) -> Vec<TaskText> {
        scalars(self.node, key).iter().map(|scalar| self.tried_command(scalar)).collect()
    }

    fn globs(&mut self, key: &str) -> Vec<TaskText> {
        scalars(self.node, key).iter().map(|scalar| self.tried(scalar)).collect()
    }

    pub(super) fn duration(&mut self, node: &Node, key: &str) -> Option<Duration> {
        scalar(node, key).and_then(|text| build::duration(&text, self.found))
    }

    fn environment(&mut self) -> Vec<(String, TaskText)> {
        let mut env = Vec::new();
        for (name, value) in crate::manifest::pairs(self.node, "env") {
            if build::is_variable(&name.value) {
                env.push((name.value, self.tried(&value)));
            } else {
                let what = format!("`{}` can be no environment variable", name.value);
                self.found.add(name.bytes, what, "not a name", "write `NAME: value`");
            }
        }
        env
    }

    fn pass_env(&mut self) -> BTreeSet<String> {
        let mut names = build::variable_names(&scalars(self.node, "pass_env"), self.found);
        names.extend(self.home.pass_env.iter().cloned());
        names
    }

    fn dotenv(&mut self) -> Vec<(TaskText, bool)> {
        let mut files = Vec::new();
        for mut path in scalars(self.node, "dotenv") {
            self.tried(&path);
            let may_be_missing = path.text.ends_with('?');
            path.text.truncate(path.text.trim_end_matches('?').len());
            files.push((TaskText(path), may_be_missing));
        }
        files
    }

    fn assertions(&mut self) -> Vec<(TaskText, Option<TaskText>)> {
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
        self.guess(known.collect::<Vec<_>>());
        self.guess([("args".to_owned(), Word::from(STAND_IN))]);
        parameters
    }

    fn parameter(&mut self, key: &Sp<String>, node: Option<&Node>) -> Option<Parameter> {
        if !is_free(key, &self.scope, self.found) {
            return None;
        }
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

    /// What templates know of what is no variable that only a run finds out.
    fn without_late(&self) -> TemplateScope<'e> {
        let late: Vec<String> = self.scope.late().map(str::to_owned).collect();
        let late: Vec<&str> = late.iter().map(String::as_str).collect();
        self.scope.clone().without(&late)
    }

    /// `dir`, where commands run that find out what variables are.
    fn dir(&mut self) -> Option<TaskText> {
        let before = self.words();
        self.scope = self.without_late();
        let dir = self.template("dir");
        self.forget_all_but(before);
        dir
    }

    /// `needs`, which are found before the task is looked at any further.
    fn needs(&mut self) -> Vec<TaskNeed> {
        let Some(node) = self.node.get("needs") else { return Vec::new() };
        let nodes = match &node.value {
            Value::List(nodes) => nodes.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let mut needs = Vec::new();
        for node in nodes {
            let before = self.words();
            let each = self.each(node);
            needs.extend(self.call(node).map(|call| TaskNeed { call, each }));
            self.forget_all_but(before);
        }
        needs
    }

    /// A name, or a mapping with `task` and `with`.
    pub(super) fn call(&mut self, node: &Node) -> Option<TaskRef> {
        let name = node.scalar().cloned().or_else(|| scalar(node, "task"))?;
        let with = crate::manifest::pairs(node, "with");
        let with = with.into_iter().map(|(key, value)| (key.value, self.tried(&value)));
        let with = with.collect();
        let open = name.text.contains("{{").then(|| self.tried(&name));
        Some(TaskRef { name, open, with })
    }
}
