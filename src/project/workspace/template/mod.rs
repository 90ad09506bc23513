//! Templates: minijinja with strict undefined. Each subsystem has a scope of its own;
//! what goes wrong is told at its exact place in the file.

mod constants;
mod engine;
mod functions;
mod guards;
mod known;
mod layers;
mod meter;
mod place;
mod unknown;
mod words;

use std::{collections::BTreeMap, ops::Range, path::PathBuf, sync::Arc};

use minijinja::{Error, ErrorKind, value::Value};

pub use engine::TemplateEngine;
pub use functions::{FunctionKind, TEMPLATE_FUNCTIONS, TemplateFunction, is_go_function, strftime};
pub use known::{TEMPLATE_WORDS, TemplateWord};
use layers::Layers;
use place::PathWord;
pub use unknown::{STAND_IN, unknown};
use words::{long_expression, paths, words_of_work};
pub use words::{look_at, mentions, variable, words_of, words_of_expression};

use super::{Places, Text};
use crate::{
    manifest::{Findings, Scalar},
    model::{Diagnostic, Span, suggestion},
    process::Shell,
};

/// How long rendered text may be, in bytes.
const MAX_BYTES: usize = 1 << 20;

/// How long one `{{ … }}` may be, in bytes: minijinja's parser recurses with every sign.
const MAX_EXPRESSION: usize = 1000;

/// The words that templates of one subsystem can use, and what renders them.
#[derive(Clone, Debug)]
pub struct TemplateScope<'e> {
    engine: &'e TemplateEngine,
    words: Layers,
    /// Those of the words that are variables.
    vars: Layers,
    /// Variables that only a run finds out, with what stands for each until then.
    late: Arc<BTreeMap<String, Value>>,
    /// Other words that only a run knows, likewise.
    of_run: Arc<BTreeMap<String, Value>>,
}

/// The words of a [`TemplateScope`], and those of them that are variables.
#[derive(Clone, Debug)]
pub struct ScopeWords(Layers, Layers);

/// A word that stands for the place or secret called `name`: it can be written out, not cut.
pub fn place(name: impl Into<String>) -> Value {
    Value::from_object(PathWord(name.into()))
}

impl<'e> TemplateScope<'e> {
    /// A scope with `words` and the places.
    pub fn new(engine: &'e TemplateEngine, words: BTreeMap<String, Value>) -> Self {
        let (words, vars) = (Layers::new(words), Layers::default());
        let mut scope = Self { engine, words, vars, late: Arc::default(), of_run: Arc::default() };
        let places = Text::PLACES.iter();
        scope.extend(places.map(|name| ((*name).to_owned(), place(*name))));
        scope
    }

    /// Has `shell` judge `command`, which was rendered to `text`, once all is resolved.
    pub fn doubt(&self, shell: &Shell, text: &Text, command: &Scalar, found: &Findings) {
        self.engine.doubts.add(shell, &text.expand(&Places::stand_ins()), command, found);
    }

    /// Adds words; one that is there already gets another meaning.
    pub fn extend(&mut self, words: impl IntoIterator<Item = (String, Value)>) {
        self.words.extend(words);
    }

    /// This scope with more words, or with other meanings for some.
    pub fn with<'w>(&self, words: impl IntoIterator<Item = (&'w str, Value)>) -> Self {
        let mut scope = self.clone();
        scope.extend(words.into_iter().map(|(word, value)| (word.to_owned(), value)));
        scope
    }

    /// This scope without some words.
    pub fn without(mut self, words: &[&str]) -> Self {
        for word in words {
            self.words.remove(word);
        }
        self
    }

    /// A scope with the words of another.
    pub fn of_words(engine: &'e TemplateEngine, words: &ScopeWords) -> Self {
        let (words, vars) = (words.0.clone(), words.1.clone());
        Self { engine, words, vars, late: Arc::default(), of_run: Arc::default() }
    }

    /// Its words, to make a scope of later.
    pub fn words(&self) -> ScopeWords {
        ScopeWords(self.words.clone(), self.vars.clone())
    }

    /// Declares a variable; also one of `vars`.
    pub fn declare(&mut self, name: &str, value: Value) {
        if self.late.contains_key(name) {
            Arc::make_mut(&mut self.late).remove(name);
        }
        self.set_var(name, Some(value.clone()));
        self.extend([(name.to_owned(), value)]);
    }

    /// Declares a variable that only a run finds out.
    pub fn declare_late(&mut self, name: &str, stand_in: Value) {
        self.set_var(name, None);
        self.words.remove(name);
        Arc::make_mut(&mut self.late).insert(name.to_owned(), stand_in);
    }

    /// Adds words that only a run knows, with what stands for each until then.
    pub fn expect(&mut self, words: impl IntoIterator<Item = (&'static str, Value)>) {
        let words = words.into_iter().map(|(word, value)| (word.to_owned(), value));
        Arc::make_mut(&mut self.of_run).extend(words);
    }

    fn set_var(&mut self, name: &str, value: Option<Value>) {
        match value {
            Some(value) => self.vars.extend([(name.to_owned(), value)]),
            None => self.vars.remove(name),
        }
        self.extend([("vars".to_owned(), Value::from_object(self.vars.clone()))]);
    }

    /// This scope, in which what only a run finds out has a stand-in.
    pub fn with_stand_ins(&self) -> Self {
        let mut scope = self.clone();
        for (name, stand_in) in self.late.iter() {
            scope.set_var(name, Some(stand_in.clone()));
        }
        scope.extend(self.late.as_ref().clone());
        scope.extend(self.of_run.as_ref().clone());
        scope
    }

    /// All words that only have stand-ins before a run.
    pub fn guesses(&self) -> impl Iterator<Item = &str> {
        self.late().chain(self.of_run.keys().map(String::as_str))
    }

    /// The variables that only a run finds out.
    pub fn late(&self) -> impl Iterator<Item = &str> {
        self.late.keys().map(String::as_str)
    }

    /// Whether one of `words` is a variable that only a run finds out.
    pub fn is_late(&self, words: &[&str]) -> bool {
        looks_into(words, &self.late)
    }

    /// Whether one of `words` only has a stand-in before a run.
    pub fn is_guess(&self, words: &[&str]) -> bool {
        looks_into(words, &self.late) || looks_into(words, &self.of_run)
    }

    /// Whether `word` is a variable that people declared.
    pub fn has_var(&self, word: &str) -> bool {
        self.late.contains_key(word) || self.vars.get(word).is_some()
    }

    /// What `word` means.
    pub fn word(&self, word: &str) -> Option<&Value> {
        self.words.get(word)
    }

    /// Whether templates know `word`.
    pub fn knows(&self, word: &str) -> bool {
        self.words.get(word).is_some()
    }

    /// Renders text in which places may stand as symbols. What is wrong goes to `found`.
    pub fn text(&self, scalar: &Scalar, found: &mut Findings) -> Option<Text> {
        match self.render(&scalar.text) {
            Ok(rendered) => Some(rendered),
            Err(wrong) => {
                wrong.report(scalar, found);
                None
            }
        }
    }

    /// What an expression gives. What is wrong goes to `found`; if only stand-ins are known for
    /// some of its words, no more than what is wrong whatever they will be.
    pub fn value(&self, scalar: &Scalar, is_guess: bool, found: &mut Findings) -> Option<Value> {
        match self.evaluate(&scalar.text) {
            Ok(value) => Some(value),
            Err(wrong) => {
                if wrong.certain || !is_guess {
                    wrong.report(scalar, found);
                }
                None
            }
        }
    }

    /// What an expression gives.
    pub fn evaluate(&self, expression: &str) -> Result<Value, Wrong> {
        if expression.len() > MAX_EXPRESSION {
            return Err(too_long(0..1));
        }
        let value = self.engine.evaluate(expression, Value::from_object(self.words.clone()));
        let value = value.map_err(|error| self.explain(expression, &error))?;
        match value.is_undefined() {
            true => Err(self.explain_undefined(expression, None)),
            false => Ok(value),
        }
    }

    /// Renders text some of whose words only have stand-ins. What is wrong whatever they will
    /// be goes to `found`.
    pub fn try_out(&self, scalar: &Scalar, found: &mut Findings) -> Option<Text> {
        match self.render(&scalar.text) {
            Err(wrong) if !wrong.certain => None,
            _ => self.text(scalar, found),
        }
    }

    /// [`Self::try_out`] if `is_guess`: if some of its words only have stand-ins. Else [`Self::text`].
    pub fn tried(&self, scalar: &Scalar, is_guess: bool, found: &mut Findings) -> Option<Text> {
        if is_guess { self.try_out(scalar, found) } else { self.text(scalar, found) }
    }

    /// Renders text that is wanted before any command runs, so without places.
    pub fn plain(&self, scalar: &Scalar, found: &mut Findings) -> Option<String> {
        let rendered = self.text(scalar, found)?;
        match rendered.without_places() {
            Ok(plain) => Some(plain),
            Err(place) => {
                let what = format!("`{{{{ {place} }}}}` is known only when a command runs");
                let at = scalar.text.find(&place).map(|at| at..at + place.len());
                let bytes = at.map_or(scalar.bytes.clone(), |at| scalar.locate(found.text(), at));
                found.add(bytes, what, "not known yet", "use it in commands, `dir` and `env` only");
                None
            }
        }
    }

    /// Renders a template that is part of forge or whose place is told by the caller.
    pub fn render(&self, template: &str) -> Result<Text, Wrong> {
        if !template.contains('{') {
            return Ok(Text::new(template.to_owned()));
        }
        if let Some(long) = long_expression(template) {
            return Err(too_long(long));
        }
        let rendered = self.engine.render(template, Value::from_object(self.words.clone()));
        let rendered = rendered.map_err(|error| self.explain(template, &error))?;
        if rendered.len() > MAX_BYTES {
            let what = format!("this template makes {} bytes of text", rendered.len());
            return Err(Wrong::new(None, what, "too much", "make it shorter"));
        }
        match broken_place(&rendered) {
            None => Ok(Text::new(rendered)),
            Some(place) => {
                Err(changed_place(place, template.find(place).map(|at| at..at + place.len())))
            }
        }
    }

    fn explain(&self, template: &str, error: &Error) -> Wrong {
        let range = error.range().filter(|range| template.get(range.clone()).is_some());
        if error.kind() == ErrorKind::UndefinedError {
            return self.explain_undefined(template, range);
        }
        if error.kind() == ErrorKind::InvalidOperation {
            let within = range.clone().unwrap_or(0..template.len());
            let is_place = |path: &Range<usize>| Text::PLACES.contains(&&template[path.clone()]);
            if let Some(path) = paths(template, within).into_iter().find(is_place) {
                return changed_place(&template[path.clone()], Some(path));
            }
        }
        let detail = error.detail().map(str::to_owned);
        let (what, help) = match error.kind() {
            ErrorKind::OutOfFuel => (
                detail.unwrap_or_else(|| "this template does too much work".to_owned()),
                "make its loops, texts and lists shorter, or do the work in a command",
            ),
            ErrorKind::SyntaxError => (
                format!("this template does not parse: {}", detail.unwrap_or_default()),
                "a template is written `{{ name }}`; for braces of another language write {{ '{{' }}",
            ),
            kind @ (ErrorKind::UnknownFilter
            | ErrorKind::UnknownFunction
            | ErrorKind::UnknownTest) => {
                let word = range.clone().map_or(template, |range| &template[range]);
                let kind = kind.to_string();
                let kind = kind.strip_prefix("unknown ").unwrap_or(&kind);
                let what = format!("templates know no {kind} `{word}`");
                (what, "they know the filters, tests and functions of minijinja")
            }
            kind => {
                let detail = detail.map_or(String::new(), |detail| format!(": {detail}"));
                (
                    format!("this template cannot be rendered: {kind}{detail}"),
                    "change the expression",
                )
            }
        };
        let certain = matches!(
            error.kind(),
            ErrorKind::SyntaxError
                | ErrorKind::UnknownFilter
                | ErrorKind::UnknownFunction
                | ErrorKind::UnknownTest
        );
        Wrong { certain, ..Wrong::new(range, what, "here", help) }
    }

    /// Finds the unknown word in the expression that failed, and the nearest known one.
    fn explain_undefined(&self, template: &str, range: Option<Range<usize>>) -> Wrong {
        let within = range.clone().unwrap_or(0..template.len());
        let paths = paths(template, within.clone());
        let unknown = |path: &&Range<usize>| match template[(*path).clone()].split_once('.') {
            None => !self.knows(&template[(*path).clone()]),
            Some((root, rest)) => {
                let attribute =
                    |value: &Value| value.get_attr(rest).is_ok_and(|v| !v.is_undefined());
                !self.words.get(root).is_some_and(attribute)
            }
        };
        let Some(path) = paths.iter().find(unknown).cloned() else {
            let what = "this expression has no value";
            let help = "give it one with `| default('…')`";
            return Wrong { certain: false, ..Wrong::new(range, what, "undefined", help) };
        };
        let word = &template[path.clone()];
        let (what, help) = match word.split_once('.') {
            Some(("env", name)) => (
                format!("the environment variable `{name}` is not set"),
                format!("set it, or write `{{{{ env.{name} | default('…') }}}}`"),
            ),
            _ if self.guesses().any(|late| late == variable(word)) => (
                format!("`{}` is known only when a task runs", variable(word)),
                "use it in what tasks do; what is built or planned needs a fixed value".to_owned(),
            ),
            Some((root, attribute)) if self.knows(root) => {
                let known = self.words.get(root).map(attributes).unwrap_or_default();
                let help = suggestion(attribute, known.iter().map(String::as_str));
                (format!("`{root}` has no `{attribute}`"), help)
            }
            _ => {
                let word = word.split('.').next().unwrap_or(word);
                let help = suggestion(word, self.words.all().keys().copied());
                (format!("templates know no `{word}` here"), help)
            }
        };
        Wrong::new(Some(path), what, "not known", help)
    }
}

/// Why a template cannot be rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    bytes: Option<Range<usize>>,
    /// One sentence.
    pub what: String,
    label: String,
    help: String,
    /// Whether it is wrong whatever its words mean.
    certain: bool,
}

impl Wrong {
    fn new(
        bytes: Option<Range<usize>>,
        what: impl Into<String>,
        label: &str,
        help: impl Into<String>,
    ) -> Self {
        Self { bytes, what: what.into(), label: label.to_owned(), help: help.into(), certain: true }
    }
}

impl Wrong {
    /// Tells it at its place in `scalar`, which stands in `file` with this `text`.
    pub fn at(self, scalar: &Scalar, file: PathBuf, text: &str) -> Diagnostic {
        let span = Span { file, bytes: self.place(scalar, text) };
        Diagnostic::new(span, self.what, self.label).help(self.help)
    }

    fn place(&self, scalar: &Scalar, text: &str) -> Range<usize> {
        match &self.bytes {
            Some(inner) => scalar.locate(text, inner.clone()),
            None => scalar.bytes.clone(),
        }
    }

    /// Tells `found`, at its place in `scalar`.
    fn report(self, scalar: &Scalar, found: &mut Findings) {
        let bytes = self.place(scalar, found.text());
        found.add(bytes, self.what, self.label, self.help);
    }
}

fn too_long(at: Range<usize>) -> Wrong {
    let what = format!("this expression is longer than {MAX_EXPRESSION} bytes");
    let help = "do the work in a command, or in several variables";
    Wrong::new(Some(at), what, "begins here", help)
}

fn changed_place(place: &str, at: Option<Range<usize>>) -> Wrong {
    let what = format!("`{{{{ {place} }}}}` cannot be cut or changed by a template");
    let help = "its value comes only when the command runs; change it there, with the shell";
    Wrong::new(at, what, "only whole", help)
}

/// Whether one of `words` is one of `known`, or stands for all variables.
fn looks_into(words: &[&str], known: &BTreeMap<String, Value>) -> bool {
    let is_known = |word: &&str| known.contains_key(variable(word)) || *word == "vars";
    !known.is_empty() && words.iter().any(is_known)
}

fn attributes(value: &Value) -> Vec<String> {
    let keys = value.try_iter().into_iter().flatten();
    keys.filter_map(|key| key.as_str().map(str::to_owned)).collect()
}

/// The first place whose symbol did not survive rendering as a whole.
fn broken_place(rendered: &str) -> Option<&'static str> {
    if !rendered.contains(['\u{1}', '\u{2}']) {
        return None;
    }
    let whole = Text::PLACES.iter().fold(super::keyring::hidden(rendered), |text, place| {
        text.replace(&Text::symbol(place), "")
    });
    if !whole.contains(['\u{1}', '\u{2}']) {
        return None;
    }
    let near = |place: &&&str| whole.to_ascii_lowercase().contains(&place[..place.len().min(3)]);
    Some(Text::PLACES.iter().find(near).copied().unwrap_or("commit"))
}
