//! One task in forge's words.

use std::{collections::BTreeSet, path::Path};

use super::{
    super::{
        model::{Glob, Often, TaskfileVariable, VariableValue},
        template::{GoTemplate, TemplateError},
    },
    Translator, command,
    scope::{TaskfileScope, of_node, plain, special, word},
    yaml::Yaml,
};
use crate::manifest::Scalar;

/// The time of the newest file that goes in, as Go writes times.
const TIMESTAMP: &str = "(inputs.newest | date('%Y-%m-%d %H:%M:%S%.f +0000 UTC'))";

/// A task, while it is said.
pub(super) struct TranslatedTask<'t> {
    pub(super) at: usize,
    pub(super) scope: TaskfileScope<'t>,
    /// `vars` of the task.
    pub(super) vars: Yaml,
    /// Words that it has given a meaning.
    pub(super) taken: BTreeSet<String>,
    pub(super) wrong: Vec<(TemplateError, Scalar)>,
}

impl<'t> Translator<'t> {
    pub(super) fn task(&mut self, at: usize) -> Yaml {
        let known = &self.tasks[at];
        let (task, instance) = (known.task, &self.instances[known.instance]);
        let file = instance.file;
        let mut draft = TranslatedTask {
            at,
            scope: TaskfileScope { own: special(None), globals: self.globals, limit: None },
            vars: Yaml::map(),
            taken: BTreeSet::new(),
            wrong: Vec::new(),
        };
        self.specials(&mut draft);
        self.inherited(&mut draft);
        let with = self.parameters(&mut draft);
        let is_given = |with: &Yaml, name: &str| with.entries().any(|(key, _)| key == word(name));
        for variable in &task.vars {
            let name = &variable.name.value;
            let is_parameter = self.wish.tasks.is_none()
                && !self.globals.declares(name)
                && is_given(&with, name)
                && Self::default_of_itself(variable, name).is_some();
            if !is_parameter {
                Self::declare(&mut draft, variable, None);
            }
        }
        let mut said = Yaml::map();
        let desc = task.desc.as_ref().map(|desc| self.described(&draft, desc));
        put_text(&mut said, "desc", desc.as_ref());
        put_text(&mut said, "help", task.summary.as_ref());
        let aliases = self.aliases(at).map(|name| Yaml::text(name.clone()));
        said.put_filled("alias", Yaml::List(aliases.collect()));
        if task.internal || instance.includes.iter().any(|include| include.internal) {
            said.put("private", Yaml::flag(true));
        }
        let mut text = |scalar: &Scalar| Yaml::text(draft.scope.text(scalar, &mut draft.wrong));
        if let Some(label) = task.prefix.as_ref().or(task.label.as_ref()) {
            said.put("label", text(label));
        }
        if !task.prompt.is_empty() {
            let questions: Vec<_> =
                task.prompt.iter().map(|one| draft.scope.text(one, &mut draft.wrong)).collect();
            said.put("confirm", Yaml::text(questions.join(" ")));
        }
        said.put_filled("with", with);
        let dir = self.dir(&mut draft);
        if let Some(dir) = dir {
            said.put("dir", Yaml::text(dir));
            if self.wish.tasks.is_some() {
                said.put("make_dir", Yaml::flag(true));
            }
        }
        let mut extra = Vec::new();
        let mut wrong = std::mem::take(&mut draft.wrong);
        let of_files = self.own_environment(&draft);
        let of_files = of_files.iter().map(|one| (one.variable, one.dir.as_deref()));
        let env = of_files.chain(task.env.iter().map(|one| (one, None)));
        let env = Self::environment(env, &draft.scope, &mut extra, &mut wrong);
        draft.wrong = wrong;
        for (name, value) in extra {
            draft.vars.put(&name, value);
        }
        let needs = self.needs(&mut draft);
        let run = self.run(&mut draft);
        said.put_filled("vars", std::mem::replace(&mut draft.vars, Yaml::map()));
        said.put_filled("env", env);
        let files = task.dotenv.iter();
        let files = files.map(|one| format!("{}?", draft.scope.text(one, &mut draft.wrong)));
        said.put_filled("dotenv", Yaml::List(files.map(Yaml::Text).collect()));
        self.conditions(&mut draft, &mut said);
        // What only needs others has nothing to run itself.
        let has_needs = matches!(&needs, Yaml::List(needs) if !needs.is_empty());
        said.put_filled("needs", needs);
        if !(has_needs && task.commands.is_empty() && self.wish.tasks.is_some()) {
            said.put("run", run);
        }
        let wrong = std::mem::take(&mut draft.wrong);
        self.tell_flaws(file, wrong);
        let said = match self.wish.tasks {
            None => super::asked::without_double_defaults(said),
            Some(_) => said,
        };
        match said {
            Yaml::Map(mut keys) if keys.len() == 1 && keys[0].1 == "run" => keys.remove(0).2,
            said => said,
        }
    }

    /// Whether files decide if it has something to do: with `method: none` they are only listed.
    /// `desc` in forge's words, where a document is written and they say it.
    fn described(&self, draft: &TranslatedTask, desc: &Scalar) -> Scalar {
        let mut wrong = Vec::new();
        let text = match self.wish.tasks {
            None => draft.scope.text(desc, &mut wrong),
            Some(_) => desc.text.clone(),
        };
        let text = if wrong.is_empty() { text } else { desc.text.clone() };
        Scalar { text, ..desc.clone() }
    }

    pub(super) fn compares_files(&self, at: usize) -> bool {
        let known = &self.tasks[at];
        let file = self.instances[known.instance].file;
        let method = known.task.method.as_ref().or(file.settings.method.as_ref());
        let method = method.or(self.instances[0].file.settings.method.as_ref());
        method.is_none_or(|method| method.text != "none")
    }

    /// What decides whether it runs.
    fn conditions(&mut self, draft: &mut TranslatedTask, said: &mut Yaml) {
        let known = &self.tasks[draft.at];
        let task = known.task;
        let (scope, wrong) = (&draft.scope, &mut draft.wrong);
        if let Some(condition) = &task.condition {
            said.put("if", Yaml::text(scope.text(condition, wrong)));
        }
        let platforms = command::platforms(&task.platforms);
        match &platforms {
            Ok(places) => {
                said.put_filled("only", Yaml::List(places.iter().map(Yaml::text).collect()));
            }
            Err(()) => said.put("if", Yaml::text("false")),
        }
        if self.compares_files(draft.at) {
            said.put_filled("inputs", globs(&task.sources, scope, wrong));
            said.put_filled("outputs", globs(&task.generates, scope, wrong));
            // Outside of a repository Task looks at no such file.
            let is_in_repository =
                || self.tree.root.ancestors().any(|folder| folder.join(".git").exists());
            let is_counted = self.wish.tasks.is_none() || is_in_repository();
            if task.use_gitignore && !task.sources.is_empty() && is_counted {
                said.put("gitignore", Yaml::flag(true));
            }
        }
        let status = task.status.iter().map(|line| Yaml::text(scope.text(line, wrong)));
        said.put_filled("status", Yaml::List(status.collect()));
        let mut asserts = Vec::new();
        for one in &task.preconditions {
            let line = Yaml::text(scope.text(&one.sh, wrong));
            asserts.push(match &one.message {
                None => line,
                Some(message) => {
                    let mut entry = Yaml::single("run", line);
                    entry.put("message", Yaml::text(scope.text(message, wrong)));
                    entry
                }
            });
        }
        said.put_filled("assert", Yaml::List(asserts));
        if !task.set.is_empty() || !task.shopt.is_empty() {
            let root = &self.instances[0].file.settings;
            let both = |all: &[Scalar], own: &[Scalar]| [all, own].concat();
            let (set, shopt) = (both(&root.set, &task.set), both(&root.shopt, &task.shopt));
            said.put("shell", command::shell(&set, &shopt));
        }
        let flags = [
            ("interactive", task.interactive),
            ("quiet", task.silent),
            ("fail_fast", task.failfast),
            ("once", self.often(known) != Often::Always),
        ];
        if self.wish.tasks.is_some() && !known.name.contains('*') {
            let file = self.instances[known.instance].file.file.path.display();
            let own = format!("{file}:{}", task.name.value).replace('*', "+");
            match self.often(known) {
                Often::Always => {}
                Often::Once => said.put("once_as", Yaml::text(plain(&own))),
                Often::WhenChanged => said.put("once_as", Yaml::text(plain(&format!("{own} *")))),
            }
        }
        for (key, _) in flags.iter().filter(|(_, flag)| *flag) {
            said.put(key, Yaml::flag(true));
        }
    }

    /// The variables that Task sets itself.
    fn specials(&self, draft: &mut TranslatedTask) {
        let known = &self.tasks[draft.at];
        let instance = &self.instances[known.instance];
        let quoted = |text: &str| crate::taskfile::template::literal(text);
        let below = |path: &std::path::Path| {
            let path =
                path.strip_prefix(&self.tree.root).unwrap_or(path).to_string_lossy().into_owned();
            if path.is_empty() {
                "root".to_owned()
            } else {
                format!("(root ~ {})", quoted(&format!("/{path}")))
            }
        };
        let is_pattern = known.name.contains('*');
        let name = quoted(&known.name);
        let alias = if is_pattern { "task".into() } else { name.clone() };
        let dir = self.dir(draft).unwrap_or_default();
        let file = self.tree.root.join(&instance.file.file.path);
        let called =
            self.wish.tasks.unwrap_or_default().iter().find(|word| known.aliases.contains(word));
        let method = known.task.method.as_ref().or(instance.file.settings.method.as_ref());
        let has_digest =
            method.is_none_or(|method| method.text == "checksum") && !known.task.sources.is_empty();
        let has_times = method.is_some_and(|method| method.text == "timestamp")
            && !known.task.sources.is_empty();
        let own = &mut draft.scope.own;
        own.extend([
            ("ALIAS".to_owned(), called.map_or(alias, |word| quoted(word))),
            ("TASK".to_owned(), name),
            ("TASK_DIR".to_owned(), below(&self.tree.root.join(dir))),
            ("TASKFILE_DIR".to_owned(), below(&instance.file.dir)),
            ("TASKFILE".to_owned(), below(&file)),
            (
                "ROOT_TASKFILE".to_owned(),
                below(&self.tree.root.join(&self.tree.files[0].file.path)),
            ),
            ("MATCH".to_owned(), if is_pattern { "match" } else { "[]" }.to_owned()),
            ("EXIT_CODE".to_owned(), "''".to_owned()),
            ("TIMESTAMP".to_owned(), if has_times { TIMESTAMP } else { "''" }.to_owned()),
            ("CHECKSUM".to_owned(), if has_digest { "inputs.digest" } else { "''" }.to_owned()),
            ("TASK_VERSION".to_owned(), "'3.54.0'".to_owned()),
            ("TASK_EXE".to_owned(), "'forge'".to_owned()),
        ]);
        if self.wish.tasks.is_none()
            && known.task.sources.is_empty()
            && known.task.status.is_empty()
        {
            // What a file calls so itself is what it says there.
            own.retain(|name, _| !self.globals.declares(name));
        }
        for (flag, is_set) in self.wish.flags {
            own.insert((*flag).to_owned(), is_set.to_string());
        }
        if self.wish.tasks.is_some() {
            let words = self.wish.args.iter();
            let words: Vec<String> =
                words.map(|word| format!("go('shellQuote', {})", quoted(word))).collect();
            let list: Vec<String> = self.wish.args.iter().map(|word| quoted(word)).collect();
            own.insert("CLI_ARGS".to_owned(), format!("([{}] | join(' '))", words.join(", ")));
            own.insert("CLI_ARGS_LIST".to_owned(), format!("[{}]", list.join(", ")));
        } else {
            own.insert("CLI_ARGS".to_owned(), "args".to_owned());
        }
    }

    /// Gives the task a variable of its own.
    pub(super) fn declare(
        draft: &mut TranslatedTask<'t>,
        variable: &TaskfileVariable,
        dir: Option<&Path>,
    ) {
        let name = &variable.name.value;
        let value = draft.scope.value(variable, dir, &mut draft.wrong);
        let mut own = word(name);
        let is_about_itself = super::scope::mentioned(variable).contains(name)
            && draft.scope.called(name).contains(&own);
        let mut number = 2;
        // What is worked out of a variable has its name in small letters.
        let small = own.to_lowercase();
        if (draft.taken.contains(&own) || is_about_itself)
            && small != own
            && word(&small) == small
            && !draft.taken.contains(&small)
            && !draft.scope.globals.declares(&small)
        {
            own = small;
            number = 3;
        }
        while draft.taken.contains(&own) || is_about_itself && number == 2 {
            own = format!("{}_{number}", word(name));
            number += 1;
        }
        draft.taken.insert(own.clone());
        draft.vars.put(&own, value);
        draft.scope.own.insert(name.clone(), own);
    }

    /// `with`: what calls give it, and what it requires.
    fn parameters(&self, draft: &mut TranslatedTask<'t>) -> Yaml {
        let known = &self.tasks[draft.at];
        let mut with = Yaml::map();
        let task_vars = &known.task.vars;
        let is_own = |name: &str| known.task.vars.iter().any(|one| one.name.value == name);
        let mut passed = self.passed.get(&draft.at).cloned().unwrap_or_default();
        for requirement in &known.task.requires {
            let name = &requirement.name.text;
            if is_own(name) {
                continue;
            }
            let mut parameter = Yaml::map();
            let given = self.globals.given(name).map(str::to_owned);
            match &given {
                _ if self.globals.knows(name) && !self.wish.given.words.contains_key(name) => {
                    continue;
                }
                Some(value) => parameter.put("default", Yaml::text(plain(value))),
                None => parameter.put("required", Yaml::flag(true)),
            }
            let choices = self.choices(requirement);
            if let Some(reference) = requirement.choices_ref.as_ref()
                && self.globals.is_run()
                && choices.is_empty()
            {
                let what = format!("enum reference `{}` must resolve to a list", reference.text);
                draft.wrong.push((
                    TemplateError { what, bytes: 0..reference.text.len(), is_error: true },
                    reference.clone(),
                ));
            }
            parameter.put_filled("enum", Yaml::List(choices.iter().map(Yaml::text).collect()));
            with.put(&word(name), parameter);
            Self::give(draft, name, &word(name));
            passed.remove(name);
        }
        for (name, value) in self.words_of(draft.at) {
            if !is_own(&name) && !passed.contains(&name) && !draft.taken.contains(&word(&name)) {
                with.put(&word(&name), Yaml::text(plain(&value)));
                Self::give(draft, &name, &word(&name));
            }
        }
        // Without a call to say so, anybody may give what a task only has a default for.
        for variable in task_vars.iter().filter(|_| self.wish.tasks.is_none()) {
            let name = &variable.name.value;
            if !passed.contains(name)
                && !self.globals.declares(name)
                && let Some(default) = Self::default_of_itself(variable, name)
            {
                with.put(&word(name), Yaml::text(default));
                Self::give(draft, name, &word(name));
            }
        }
        for (name, default) in self.asked(draft.at, &passed) {
            with.put(&word(&name), Yaml::text(default));
            Self::give(draft, &name, &word(&name));
        }
        for name in passed {
            let own = word(&name);
            if let Some((default, called)) = self.passed_to_people(known.task, &name) {
                with.put(&own, Yaml::text(default));
                Self::give(draft, &name, &called);
                continue;
            }
            let outer = draft.scope.called(&name);
            if self.as_json.contains(&name) {
                let json = command::as_json(&name);
                with.put(&json, Yaml::text(""));
                let value = format!("({json} | fromjson) if {json} else ({outer})");
                let own = format!("{own}_as_given");
                draft.vars.put(&own, Yaml::single("expr", Yaml::text(value)));
                draft.taken.insert(own.clone());
                draft.scope.own.insert(name, own);
                continue;
            }
            let simple = known.task.vars.iter().find_map(|one| Self::default_of_itself(one, &name));
            match simple.filter(|_| outer == "''") {
                Some(default) => with.put(&own, Yaml::text(default)),
                None => with.put(&own, Yaml::text("")),
            }
            let called = match outer.as_str() {
                "''" => own.clone(),
                outer if outer == own => format!("({own} or vars.{own})"),
                outer => format!("({own} or {outer})"),
            };
            Self::give(draft, &name, &called);
        }
        with
    }

    /// What the command line gives a task that it names, beside what all tasks know. As parameters,
    /// so that what is remembered of the task is remembered for each value.
    fn words_of(&self, at: usize) -> Vec<(String, String)> {
        let known = &self.tasks[at];
        let names = self.wish.tasks.unwrap_or_default();
        if !names.iter().any(|name| *name == known.name || known.aliases.contains(name)) {
            return Vec::new();
        }
        let mut wanted = BTreeSet::new();
        of_node(&known.task.node, &mut wanted);
        let words = self.wish.given.words.iter();
        words
            .filter(|(name, _)| wanted.contains(*name) && !self.globals.declares(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    fn give(draft: &mut TranslatedTask, name: &str, called: &str) {
        draft.taken.insert(word(name));
        draft.scope.own.insert(name.to_owned(), called.to_owned());
    }

    /// The text that `variable` is, if it is `name` with that default.
    pub(super) fn default_of_itself(variable: &TaskfileVariable, name: &str) -> Option<String> {
        let VariableValue::Text(text) = &variable.value else { return None };
        if variable.name.value != name {
            return None;
        }
        let names = |_: &str| "X".to_owned();
        let said = GoTemplate::parse(&text.text).ok()?.translate(&names).ok()?;
        let literal = said.strip_prefix("{{ X | default('")?.strip_suffix("', true) }}")?;
        (!literal.contains(['\'', '\\', '{'])).then(|| literal.to_owned())
    }

    /// All that a required variable can be.
    fn choices(&self, requirement: &super::super::model::Requirement) -> Vec<String> {
        if let Some(reference) = &requirement.choices_ref {
            let name = reference.text.trim().trim_start_matches('.');
            let list = self.instances.iter().flat_map(|one| &one.file.vars);
            let list = list.filter(|one| one.name.value == name).find_map(|one| match &one.value {
                VariableValue::List(node) => Some(node),
                _ => None,
            });
            let items = list.map(crate::manifest::Node::one_or_many).unwrap_or_default();
            return items.iter().filter_map(|item| Some(item.scalar()?.text.clone())).collect();
        }
        requirement.choices.iter().map(|one| one.text.clone()).collect()
    }

    /// Variables of the environment; those that a command prints get a variable in `extra`.
    pub(super) fn environment<'e>(
        env: impl Iterator<Item = (&'e TaskfileVariable, Option<&'e Path>)>,
        scope: &TaskfileScope,
        extra: &mut Vec<(String, Yaml)>,
        wrong: &mut Vec<(TemplateError, Scalar)>,
    ) -> Yaml {
        let mut said = Yaml::map();
        for (variable, dir) in env {
            let name = &variable.name.value;
            // What is no text, number or flag is no variable of the environment in Task.
            if scope.globals.is_run()
                && (matches!(variable.value, VariableValue::List(_) | VariableValue::Map(_))
                    || variable.is_null())
            {
                continue;
            }
            if scope.globals.is_run() && scope.globals.has_in_environment(name) {
                // As in Task, what the environment says goes over what the file does.
                if name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                    said.put(name, Yaml::text(format!("{{{{ env.{name} }}}}")));
                }
                continue;
            }
            let value = match (&variable.value, scope.value(variable, dir, wrong)) {
                (_, value @ (Yaml::Text(_) | Yaml::Plain(_))) if !variable.secret => value,
                (_, value) => {
                    let own = format!("{}_of_env", word(name).to_lowercase());
                    extra.push((own.clone(), value));
                    Yaml::text(format!("{{{{ {own} }}}}"))
                }
            };
            said.put(name, value);
        }
        said
    }
}

fn put_text(said: &mut Yaml, key: &str, text: Option<&Scalar>) {
    if let Some(text) = text.filter(|text| !text.text.trim().is_empty()) {
        said.put(key, Yaml::text(text.text.clone()));
    }
}

pub(super) fn globs(
    globs: &[Glob],
    scope: &TaskfileScope,
    wrong: &mut Vec<(TemplateError, Scalar)>,
) -> Yaml {
    let glob = |glob: &Glob| {
        let sign = if glob.excludes { "!" } else { "" };
        let pattern = scope.text(&glob.pattern, wrong);
        // In Task `*` means no hidden file.
        let pattern = match pattern.rsplit_once('/') {
            _ if !scope.globals.is_run() => pattern,
            None if pattern == "*" => "[!.]*".into(),
            Some((folder, "*")) => format!("{folder}/[!.]*"),
            _ => pattern,
        };
        Yaml::text(format!("{sign}{pattern}"))
    };
    Yaml::List(globs.iter().map(glob).collect())
}
