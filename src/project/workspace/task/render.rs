//! Rendering at the moment a task runs, when parameters and variables have their values.

use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf};

use minijinja::value::{Value, ValueKind};

use super::{
    super::{
        Text, Workspace,
        template::{self, TemplateEngine, TemplateScope, Wrong},
    },
    Data, Task, TaskText,
};
use crate::model::{Diagnostic, Environment, Fault, Kind, Platform, Span};

/// What a word means: a value of any kind.
#[derive(Clone, Debug, PartialEq)]
pub struct TemplateValue(Value);

/// What words mean in one run of a task.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bindings(BTreeMap<String, Value>);

impl TemplateValue {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self(Value::from(text.into()))
    }

    /// What stands for a place or secret.
    pub(in super::super) fn place(name: String) -> Self {
        Self(template::place(name))
    }

    /// A number.
    pub fn number(number: usize) -> Self {
        Self(Value::from(number))
    }

    /// A list of texts.
    pub fn texts(texts: Vec<String>) -> Self {
        Self(Value::from(texts))
    }

    /// Values with names, in this order.
    pub fn map(pairs: Vec<(String, Self)>) -> Self {
        Self(Value::from_pairs(pairs.into_iter().map(|(name, Self(value))| (name, value))))
    }

    /// What is in a list, a mapping or a text, each with its key or its place, from 0. A text is
    /// cut at `split` or at white space.
    ///
    /// # Errors
    /// What it is, if it holds nothing.
    pub fn items(&self, split: Option<&str>) -> Result<Vec<(Self, Self)>, String> {
        let Self(value) = self;
        let numbered = |values: Vec<Value>| {
            let place = |(at, value)| (Self::number(at), Self(value));
            values.into_iter().enumerate().map(place).collect()
        };
        if let Some(text) = value.as_str() {
            return Ok(numbered(parts(text, split).map(Value::from).collect()));
        }
        match value.kind() {
            ValueKind::Map => {
                let keys = value.try_iter().map_err(|error| error.to_string())?;
                let pair = |key: Value| {
                    let value = value.get_item(&key).unwrap_or_default();
                    (Self(key), Self(value))
                };
                Ok(keys.map(pair).collect())
            }
            ValueKind::Seq | ValueKind::Iterable => {
                let values = value.try_iter().map_err(|error| error.to_string())?;
                Ok(numbered(values.collect()))
            }
            kind => Err(kind.to_string()),
        }
    }
}

/// The parts of a text between `split`, or its words.
fn parts<'a>(text: &'a str, split: Option<&'a str>) -> Box<dyn Iterator<Item = &'a str> + 'a> {
    match split {
        Some("\n") => Box::new(text.lines()),
        Some(split) if !split.is_empty() => Box::new(text.split(split)),
        _ => Box::new(text.split_whitespace()),
    }
}

impl Bindings {
    /// Lets `word` be a text.
    pub fn text(&mut self, word: &str, text: impl Into<String>) {
        self.set(word, TemplateValue::text(text));
    }

    /// Lets `word` be a value.
    pub fn set(&mut self, word: &str, TemplateValue(value): TemplateValue) {
        self.0.insert(word.to_owned(), value);
    }

    /// What `word` means.
    pub fn get(&self, word: &str) -> Option<TemplateValue> {
        self.0.get(word).cloned().map(TemplateValue)
    }

    /// Adds what is in `others`, which goes over what is here.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// All words with their meanings, written out.
    pub fn written(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, (word, value)| {
            let _ = writeln!(text, "{word}={value:?}");
            text
        })
    }
}

/// What a template gives that looks at no words but those of the platform.
///
/// # Errors
/// Why it cannot be rendered.
pub fn render_fixed(template: &str, platform: Platform) -> Result<String, String> {
    let words = [("os", platform.os.as_str()), ("arch", platform.arch.as_str())];
    let words = words.map(|(name, word)| (name.to_owned(), Value::from(word)));
    let engine = TemplateEngine::new();
    let rendered = TemplateScope::new(&engine, words.into()).render(template);
    rendered.map_err(|wrong| wrong.what)?.without_places()
}

/// Renders templates of the tasks of a workspace.
pub struct Renderer<'w> {
    engine: TemplateEngine,
    workspace: &'w Workspace,
    /// Where forge was called.
    called_in: PathBuf,
    /// When the run began.
    now: String,
}

impl<'w> Renderer<'w> {
    /// What forge was started with.
    pub fn environment(&self) -> &'w Environment {
        &self.workspace.environment
    }

    /// What renders for `workspace`.
    pub fn new(workspace: &'w Workspace) -> Self {
        let root = || workspace.layout.root().to_owned();
        let called_in = std::env::current_dir().unwrap_or_else(|_| root());
        let now = jiff::Timestamp::now().round(jiff::Unit::Second).unwrap_or_default();
        Self { engine: TemplateEngine::for_runs(), workspace, called_in, now: now.to_string() }
    }

    /// What `template` of `task` gives with `bindings`. Places stand as symbols, unless the template
    /// cuts or changes them.
    ///
    /// # Errors
    /// `Usage`, with the template, if it cannot be rendered.
    pub fn render(
        &self,
        task: &Task,
        template: &TaskText,
        bindings: &Bindings,
    ) -> Result<Text, Fault> {
        let source = template.source();
        if !source.contains('{') {
            return Ok(Text::new(source.to_owned()));
        }
        let mut scope = self.scope(task, bindings);
        if scope.cuts_places(source) {
            scope = scope.with_places(&self.workspace.places(task.subsystem.as_ref()));
        }
        scope.render(source).map_err(|wrong| refused(task, template, wrong))
    }

    /// [`Self::render`], with the real places.
    ///
    /// # Errors
    /// As [`Self::render`].
    pub fn plain(
        &self,
        task: &Task,
        template: &TaskText,
        bindings: &Bindings,
    ) -> Result<String, Fault> {
        Ok(self
            .render(task, template, bindings)?
            .expand(&self.workspace.places(task.subsystem.as_ref())))
    }

    /// What the expression of `task` gives with `bindings`.
    ///
    /// # Errors
    /// `Usage`, with the expression, if it has no value.
    pub fn evaluate(
        &self,
        task: &Task,
        expression: &TaskText,
        bindings: &Bindings,
    ) -> Result<TemplateValue, Fault> {
        let source = expression.source();
        let mut scope = self.scope(task, bindings);
        if scope.looks_at_places(source) {
            scope = scope.with_places(&self.workspace.places(task.subsystem.as_ref()));
        }
        scope.evaluate(source).map(TemplateValue).map_err(|wrong| refused(task, expression, wrong))
    }

    /// `data` of `task`, its texts rendered with `bindings` and the real places.
    ///
    /// # Errors
    /// `Usage`, with the first template that cannot be rendered.
    pub fn data(
        &self,
        task: &Task,
        data: &Data,
        bindings: &Bindings,
    ) -> Result<TemplateValue, Fault> {
        let mut render = |template: &TaskText| -> Result<Value, Fault> {
            Ok(Value::from(self.plain(task, template, bindings)?))
        };
        data.value(&mut render).map(TemplateValue)
    }

    fn scope(&self, task: &Task, bindings: &Bindings) -> TemplateScope<'_> {
        let mut scope = TemplateScope::of_words(&self.engine, &task.words);
        scope.extend([
            ("cwd".to_owned(), Value::from(self.called_in.display().to_string())),
            ("now".to_owned(), Value::from(self.now.as_str())),
            ("task".to_owned(), Value::from(task.name.as_str())),
        ]);
        scope.extend(bindings.0.clone());
        scope
    }
}

fn refused(task: &Task, TaskText(written): &TaskText, wrong: Wrong) -> Fault {
    let what = format!("a template of the task {} cannot be rendered", task.name);
    let (fault, home) = (Fault::new(Kind::Usage, what), &task.home);
    // What the manifest says for the tasks of a spec stands in another file than they do.
    let late = home.late_env.iter().map(|(_, one)| one);
    let mut of_files = late.chain(home.vars.iter().flat_map(|var| var.variable.templates()));
    if task.subsystem.is_some() && of_files.any(|TaskText(one)| one == written) {
        return fault.because(format!("`{}`: {}", written.text.trim(), wrong.what));
    }
    let wrong = wrong.at(written, task.place.file.clone(), &home.text);
    fault.because_of(wrong, home.text.clone())
}

impl TaskText {
    /// `fault`, shown at the place where this template of `task` is written. Its innermost cause is
    /// what is wrong there: a word in backquotes that stands in it, or all of its first line.
    #[must_use]
    pub fn is_wrong(&self, task: &Task, mut fault: Fault) -> Fault {
        let Self(written) = self;
        let what = fault.why.pop().unwrap_or_else(|| fault.what.clone());
        let word = what.split('`').nth(1).and_then(|word| Some((written.text.find(word)?, word)));
        let inner = match word {
            Some((at, word)) => at..at + word.len(),
            None => 0..written.text.lines().next().unwrap_or_default().len(),
        };
        let bytes = written.locate(&task.home.text, inner);
        let span = Span { file: task.place.file.clone(), bytes };
        let wrong = Diagnostic::new(span, what, "here");
        fault.because_of(wrong, task.home.text.clone())
    }

    /// Whether it looks at `word`.
    pub fn mentions(&self, word: &str) -> bool {
        template::mentions(&template::words_of(self.source()), word)
    }

    /// Whether it looks at `word`, if it is an expression.
    pub fn mentions_in_expression(&self, word: &str) -> bool {
        template::mentions(&template::words_of_expression(self.source()), word)
    }
}
