//! Commands and calls in forge's words.

use super::{
    super::{
        model::{
            CommandKind, Loop, MatrixRow, TaskfileCall, TaskfileCommand, TaskfileOutput,
            VariableValue,
        },
        template::GoTemplate,
    },
    Translator,
    scope::{TaskfileScope, as_printed, is_literal, word},
    task::{TranslatedTask, globs},
    yaml::Yaml,
};
use crate::{
    manifest::{Node, Scalar},
    model::{Os, Platform},
    workspace::render_fixed,
};

/// What `shopt NAME` prints in Task's shell: no blanks that make columns.
const SHOPT: &str = "shopt() { case ${1-} in -*) builtin shopt \"$@\" ;; \
    *) while read -r name is; do printf '%s\\t%s\\n' \"$name\" \"$is\"; done \
    < <(builtin shopt \"$@\" || builtin shopt -o \"$@\") ;; esac; }\n";

/// The same of `set -o`, where something reads it.
const SET: &str =
    "set -o | while read -r name is; do printf '%s\\t%s\\n' \"$name\" \"$is\"; done |";

impl<'t> Translator<'t> {
    /// `run`.
    pub(super) fn run(&mut self, draft: &mut TranslatedTask<'t>) -> Yaml {
        let commands = &self.tasks[draft.at].task.commands;
        let mut entries = Vec::new();
        for command in commands {
            entries.extend(self.entry(draft, command, false));
        }
        match entries.as_slice() {
            // Something has to be there, for a task that only needs others or does nothing.
            [] => Yaml::text("true"),
            [only @ Yaml::Text(_)] => only.clone(),
            _ => Yaml::List(entries),
        }
    }

    /// `needs`.
    pub(super) fn needs(&mut self, draft: &mut TranslatedTask<'t>) -> Yaml {
        let deps = &self.tasks[draft.at].task.deps;
        Yaml::List(deps.iter().flat_map(|dep| self.entry(draft, dep, true)).collect())
    }

    fn entry(
        &mut self,
        draft: &mut TranslatedTask<'t>,
        command: &TaskfileCommand,
        is_need: bool,
    ) -> Vec<Yaml> {
        let outer = draft.scope.clone();
        let said = match &command.deed {
            CommandKind::Call(call) | CommandKind::DeferCall(call)
                if call.task.text.contains("{{") && self.wish.tasks.is_none() =>
            {
                self.unrolled(draft, command, call, is_need)
            }
            _ => {
                let each = command.each.as_ref().map(|each| self.each(draft, each));
                self.within(draft, command, is_need, each).into_iter().collect()
            }
        };
        draft.scope = outer;
        said
    }

    /// A call of a task whose name is a template: once for each name that it comes to be.
    fn unrolled(
        &mut self,
        draft: &mut TranslatedTask<'t>,
        command: &TaskfileCommand,
        call: &TaskfileCall,
        is_need: bool,
    ) -> Vec<Yaml> {
        let (word, items) = match &command.each {
            None => ("ITEM", Some(vec![None])),
            Some(each) => {
                let (word, items) = self.items(each);
                (word, items.map(|items| items.into_iter().map(Some).collect()))
            }
        };
        let instance = self.tasks[draft.at].instance;
        let unknown = |translator: &mut Self, why: &str| {
            let what = format!("which task `{}` names {why}", call.task.text);
            translator.report(instance, call.task.bytes.clone(), what, true);
        };
        let Some(items) = items else {
            unknown(self, "is known only when the loop runs");
            return Vec::new();
        };
        let mut entries = Vec::new();
        for item in items {
            let own = item.as_ref().map(|item| super::super::template::literal(item));
            let names = |name: &str| match &own {
                Some(own) if name == word => own.clone(),
                _ => self.globals.fixed(name).unwrap_or_else(|| "unknown".into()),
            };
            let said = GoTemplate::parse(&call.task.text).and_then(|one| one.translate(&names));
            let name = said.map_err(|flaw| flaw.what);
            let name = match name.and_then(|name| render_fixed(&name, Platform::host())) {
                Ok(name) => name,
                Err(why) => {
                    unknown(self, &format!("is known only when it runs: {why}"));
                    return entries;
                }
            };
            if let Some(own) = own {
                draft.scope.own.insert(word.to_owned(), own);
            }
            let call = TaskfileCall {
                task: Scalar { text: name, ..call.task.clone() },
                vars: call.vars.clone(),
            };
            let deed = match &command.deed {
                CommandKind::DeferCall(_) => CommandKind::DeferCall(call),
                _ => CommandKind::Call(call),
            };
            entries.extend(self.within(
                draft,
                &TaskfileCommand { deed, ..command.clone() },
                is_need,
                None,
            ));
        }
        entries
    }

    /// What a loop's word is called, and all that it comes to be, if that is known.
    fn items<'l>(&self, each: &'l Loop) -> (&'l str, Option<Vec<String>>) {
        let text =
            |node: &Node| Some(node.scalar()?.text.clone()).filter(|text| !text.contains("{{"));
        match each {
            Loop::List(nodes) => ("ITEM", nodes.iter().map(text).collect()),
            Loop::Var { name, split, called } => {
                let word = called.as_ref().map_or("ITEM", |called| called.text.as_str());
                let split = split.as_ref().map(|split| split.text.as_str());
                (word, self.globals.fixed_items(&name.text, split))
            }
            Loop::Matrix(_) | Loop::Sources | Loop::Generates => ("ITEM", None),
        }
    }

    fn within(
        &mut self,
        draft: &mut TranslatedTask<'t>,
        command: &TaskfileCommand,
        is_need: bool,
        each: Option<Yaml>,
    ) -> Option<Yaml> {
        let mut entry = Yaml::map();
        match &command.deed {
            CommandKind::Run(line) => {
                let line = Self::line(draft, line, command);
                entry.put("run", Yaml::text(self.grouped(draft, line)));
            }
            CommandKind::Call(call) => self.call(draft, call, &mut entry)?,
            CommandKind::DeferRun(line) => {
                draft.scope.own.insert("EXIT_CODE".to_owned(), "(exit_code or '')".to_owned());
                entry.put("finally", Yaml::text(Self::line(draft, line, command)));
            }
            CommandKind::DeferCall(call) => {
                draft.scope.own.insert("EXIT_CODE".to_owned(), "(exit_code or '')".to_owned());
                let mut inner = Yaml::map();
                self.call(draft, call, &mut inner)?;
                entry.put("finally", inner);
            }
        }
        if let Some(each) = each {
            entry.put("for", each);
        }
        self.modifiers(draft, command, is_need, &mut entry);
        Some(short(entry, is_need))
    }

    fn modifiers(
        &mut self,
        draft: &mut TranslatedTask,
        command: &TaskfileCommand,
        is_need: bool,
        entry: &mut Yaml,
    ) {
        let known = &self.tasks[draft.at];
        if is_need {
            if let Some(timeout) = &command.timeout {
                let what = format!("`{}` is not a duration", timeout.text);
                match duration(&timeout.text) {
                    None => self.report(known.instance, timeout.bytes.clone(), what, true),
                    Some(limit) => self.limit(draft.at, limit, entry),
                }
            }
            return;
        }
        if let Some(condition) = &command.condition {
            entry.put("if", Yaml::text(draft.scope.text(condition, &mut draft.wrong)));
        }
        match platforms(&command.platforms) {
            Ok(places) => {
                entry.put_filled("only", Yaml::List(places.into_iter().map(Yaml::Text).collect()));
            }
            Err(()) => entry.put("if", Yaml::text("false")),
        }
        if let Some(timeout) = &command.timeout {
            match duration(&timeout.text) {
                Some(text) => entry.put("timeout", Yaml::text(text)),
                None => {
                    let what = format!("`{}` is not a duration", timeout.text);
                    self.report(known.instance, timeout.bytes.clone(), what, true);
                }
            }
        }
        let is_deferred =
            matches!(command.deed, CommandKind::DeferRun(_) | CommandKind::DeferCall(_));
        if command.ignore_error || known.task.ignore_error || is_deferred {
            entry.put("allow_failure", Yaml::flag(true));
        }
        if command.silent {
            entry.put("quiet", Yaml::flag(true));
        }
    }

    /// Puts a task of its own between a task and one that it needs for a limited time.
    fn limit(&mut self, at: usize, limit: String, entry: &mut Yaml) {
        let name = format!("{}@{limit}-{}", self.tasks[at].name, self.limited.len());
        let name = name.replace('*', "+");
        let mut call = Yaml::map();
        let (mut with, mut handed) = (Yaml::map(), Yaml::map());
        for (key, value) in entry.entries() {
            match (key, value) {
                ("with", given) => {
                    for (key, _) in given.entries() {
                        with.put(key, Yaml::text(""));
                        handed.put(key, Yaml::text(format!("{{{{ {key} }}}}")));
                    }
                }
                ("task", task) => call.put("task", task.clone()),
                _ => {}
            }
        }
        call.put_filled("with", handed);
        call.put("timeout", Yaml::text(limit));
        let mut said = Yaml::single("private", Yaml::flag(true));
        said.put_filled("with", with);
        said.put("run", Yaml::List(vec![call]));
        let rest = entry.entries().filter(|(key, _)| *key != "task");
        let rest: Vec<(String, Yaml)> =
            rest.map(|(key, value)| (key.to_owned(), value.clone())).collect();
        *entry = Yaml::single("task", Yaml::text(name.clone()));
        for (key, value) in rest {
            entry.put(&key, value);
        }
        self.limited.push((name, said));
    }

    /// A command whose output Task puts into a group of its own, with something before and after it
    /// or only if it fails.
    fn grouped(&self, draft: &mut TranslatedTask, line: String) -> String {
        let output = self.instances[0].file.settings.output.as_ref();
        let Some(TaskfileOutput::Group(group)) = output.filter(|_| self.wish.tasks.is_some())
        else {
            return line;
        };
        let mut edge = |text: &Option<Scalar>| {
            let text = text.as_ref().filter(|text| !text.text.is_empty())?;
            let text = draft.scope.text(text, &mut draft.wrong);
            Some(format!("printf '%s\\n' \"$(cat <<'EDGE'\n{text}\nEDGE\n)\""))
        };
        let (begin, end) = (edge(&group.begin), edge(&group.end));
        if group.begin.is_none() && group.end.is_none() && !group.error_only {
            return line;
        }
        let begin = begin.unwrap_or_else(|| ":".into());
        let end = end.unwrap_or_else(|| ":".into());
        let shown = if group.error_only { "test $code = 0 || " } else { "" };
        format!(
            "set +e\ncode=0\nsaid=$(set -e\nexec 2>&1\n{line}\n) || code=$?\n\
             {shown}test -z \"$said\" || {{\n{begin}\nprintf '%s\\n' \"$said\"\n{end}\n}}\nexit $code"
        )
    }

    fn line(draft: &mut TranslatedTask, line: &Scalar, command: &TaskfileCommand) -> String {
        let text = draft.scope.text(line, &mut draft.wrong);
        let options = |word: &str, names: &[Scalar]| -> String {
            names.iter().map(|name| format!("{word} {}\n", name.text)).collect()
        };
        let told = match draft.scope.globals.is_run() && text.contains("shopt") {
            true => SHOPT,
            false => "",
        };
        let text = match draft.scope.globals.is_run() {
            true => text.replace("set -o |", SET),
            false => text,
        };
        let (set, shopt) = (options("set -o", &command.set), options("shopt -s", &command.shopt));
        format!("{told}{set}{shopt}{text}")
    }

    fn call(
        &mut self,
        draft: &mut TranslatedTask<'t>,
        call: &TaskfileCall,
        entry: &mut Yaml,
    ) -> Option<()> {
        let instance = self.tasks[draft.at].instance;
        let name = self.instances[instance].called_from_root(&call.task.text);
        if self.meant(&name).is_empty() && !name.contains("{{") {
            self.tell_unknown(instance, &call.task, &name);
            return None;
        }
        let scalar = Scalar { text: name, ..call.task.clone() };
        entry.put("task", Yaml::text(draft.scope.text(&scalar, &mut draft.wrong)));
        let mut with = Yaml::map();
        for variable in &call.vars {
            let is_json = self.as_json.contains(&variable.name.value);
            let value = match &variable.value {
                VariableValue::Ref(expression) if is_json => {
                    let value = draft.scope.expression(expression, &mut draft.wrong);
                    with.put(
                        &as_json(&variable.name.value),
                        Yaml::text(format!("{{{{ ({value}) | tojson }}}}")),
                    );
                    continue;
                }
                VariableValue::Text(text) => match as_printed(text) {
                    Some(literal) if is_json && is_literal(text) => {
                        with.put(&as_json(&variable.name.value), Yaml::text(literal));
                        continue;
                    }
                    Some(literal) if draft.scope.globals.is_run() => literal,
                    _ => draft.scope.text(text, &mut draft.wrong),
                },
                VariableValue::Empty => String::new(),
                VariableValue::Ref(expression) => {
                    format!("{{{{ {} }}}}", draft.scope.expression(expression, &mut draft.wrong))
                }
                VariableValue::Sh(_) | VariableValue::List(_) | VariableValue::Map(_) => {
                    let inner = super::super::model::TaskfileVariable {
                        name: crate::manifest::Sp {
                            value: format!("{}_of_call", variable.name.value),
                            bytes: variable.name.bytes.clone(),
                        },
                        ..variable.clone()
                    };
                    Self::declare(draft, &inner, None);
                    format!("{{{{ {} }}}}", draft.scope.called(&inner.name.value))
                }
            };
            match is_json {
                true if matches!(
                    variable.value,
                    VariableValue::List(_) | VariableValue::Map(_)
                ) =>
                {
                    let inner = value.trim_start_matches("{{ ").trim_end_matches(" }}");
                    let value = format!("{{{{ ({inner}) | tojson }}}}");
                    with.put(&as_json(&variable.name.value), Yaml::text(value));
                }
                true => {
                    let value = format!("{{% filter tojson %}}{value}{{% endfilter %}}");
                    with.put(&as_json(&variable.name.value), Yaml::text(value));
                }
                false => with.put(&word(&variable.name.value), Yaml::text(value)),
            }
        }
        entry.put_filled("with", with);
        Some(())
    }

    /// `for`, whose words are known from here on.
    fn each(&self, draft: &mut TranslatedTask<'t>, each: &Loop) -> Yaml {
        let task = self.tasks[draft.at].task;
        let (has_sources, has_outputs) = (!task.sources.is_empty(), !task.generates.is_empty());
        let (is_run, is_compared) = (self.globals.is_run(), self.compares_files(draft.at));
        let mut item = "item".to_owned();
        let (scope, wrong) = (&draft.scope, &mut draft.wrong);
        let said = match each {
            Loop::Sources if is_run && !has_sources => Yaml::single("expr", Yaml::text("[]")),
            Loop::Generates if is_run && !has_outputs => Yaml::single("expr", Yaml::text("[]")),
            Loop::Sources if !is_compared => {
                Yaml::single("glob", globs(&task.sources, scope, wrong))
            }
            Loop::Generates if !is_compared => {
                Yaml::single("glob", globs(&task.generates, scope, wrong))
            }
            Loop::Sources => Yaml::text("inputs"),
            Loop::Generates => Yaml::text("outputs"),
            Loop::List(nodes) if nodes.is_empty() => Yaml::single("expr", Yaml::text("[]")),
            Loop::List(nodes) => list(scope, nodes, wrong),
            Loop::Matrix(parts) => {
                let mut matrix = Yaml::map();
                for (name, part) in parts {
                    let values = match part {
                        MatrixRow::List(nodes) => list(scope, nodes, wrong),
                        MatrixRow::Ref(expression) => {
                            let said = scope.expression(expression, wrong);
                            let said = match is_run {
                                true => format!("({said}) | go_list('{}')", quotable(expression)),
                                false => said,
                            };
                            Yaml::single("expr", Yaml::text(said))
                        }
                    };
                    matrix.put(&name.value, values);
                }
                Yaml::single("matrix", matrix)
            }
            Loop::Var { name, split, called } => {
                let mut each = Yaml::single("expr", Yaml::text(scope.called(&name.text)));
                if let Some(split) = split {
                    each.put("split", Yaml::text(split.text.clone()));
                }
                if let Some(called) = called {
                    item = word(&called.text);
                    each.put("as", Yaml::text(item.clone()));
                }
                each
            }
        };
        let name = match each {
            Loop::Var { called: Some(called), .. } => called.text.clone(),
            _ => "ITEM".to_owned(),
        };
        draft.scope.own.insert(name, item);
        draft.scope.own.insert("KEY".to_owned(), "key".to_owned());
        said
    }
}

/// What a person wrote, without what would end a quoted text.
fn quotable(scalar: &Scalar) -> String {
    scalar.text.replace(['\'', '\\'], "")
}

/// The parameter that stands for `name` where calls give it as JSON.
pub(super) fn as_json(name: &str) -> String {
    format!("{}_as_json", word(name))
}

fn list(
    scope: &TaskfileScope,
    nodes: &[Node],
    wrong: &mut Vec<(super::TemplateError, Scalar)>,
) -> Yaml {
    // Task does not look for templates in the items of a loop.
    let literal = |node: &Node| match node.scalar() {
        Some(text) if scope.globals.is_run() && text.text.contains("{{") => {
            Yaml::text(super::scope::plain(&text.text))
        }
        _ => scope.node(node, wrong),
    };
    Yaml::List(nodes.iter().map(literal).collect())
}

/// An entry that only says what runs, or which task is needed, as that alone.
fn short(entry: Yaml, is_need: bool) -> Yaml {
    match &entry {
        Yaml::Map(keys) => match keys.as_slice() {
            [(_, key, value)] if key == "run" || key == "task" && is_need => value.clone(),
            _ => entry,
        },
        _ => entry,
    }
}

/// The shell that Task's is nearest to, with what `set` and `shopt` switch on.
pub(super) fn shell(set: &[Scalar], shopt: &[Scalar]) -> Yaml {
    let mut words = vec!["bash".to_owned(), "-e".to_owned()];
    for option in shopt {
        words.extend(["-O".to_owned(), option.text.clone()]);
    }
    for option in set {
        match option.text.as_str() {
            short if short.len() == 1 => words.push(format!("-{short}")),
            long => words.extend(["-o".to_owned(), long.to_owned()]),
        }
    }
    words.push("-c".to_owned());
    Yaml::List(words.into_iter().map(Yaml::Text).collect())
}

/// The platforms that forge knows among `names`. Of what is none of them it is certain that it does
/// not run here; nothing at all comes as an error.
pub(super) fn platforms(names: &[Scalar]) -> Result<Vec<String>, ()> {
    const ARCHES: &[&str] = &["amd64", "arm64"];
    let is_os = |os: &str| Os::ALL.iter().any(|one| one.as_str() == os);
    let mut places = Vec::new();
    for name in names {
        let (os, arch) = name.text.split_once('/').unwrap_or((&name.text, ""));
        let knows_arch = arch.is_empty() || ARCHES.contains(&arch);
        if ARCHES.contains(&os) {
            places.extend(Os::ALL.iter().map(|one| format!("{}-{os}", one.as_str())));
        } else if is_os(os) && knows_arch {
            let dash = if arch.is_empty() { "" } else { "-" };
            places.push(format!("{os}{dash}{arch}"));
        }
    }
    if places.is_empty() && !names.is_empty() { Err(()) } else { Ok(places) }
}

/// A duration of Go (`1m30s`, `1.5s`) in forge's words, if it is one.
fn duration(text: &str) -> Option<String> {
    const UNITS: [(&str, f64); 4] =
        [("ms", 1.0), ("h", 3_600_000.0), ("m", 60_000.0), ("s", 1000.0)];
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        let (unit, factor) = UNITS.iter().find(|(unit, _)| rest[end..].starts_with(unit))?;
        total += number * factor;
        rest = &rest[end + unit.len()..];
    }
    match text.contains('.') {
        false => (total >= 1.0).then(|| text.to_owned()),
        true => (total >= 1.0).then(|| format!("{}ms", total.round())),
    }
}
