//! Rendering at the moment a task runs, when parameters and variables have their values.

use std::{collections::BTreeMap, fmt::Write as _};

use minijinja::{Environment as Engine, value::Value};

use super::{
    super::{
        Text,
        template::{self, Scope},
    },
    Task, Template,
};
use crate::model::{Fault, Kind};

/// What words mean in one run of a task.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bindings(BTreeMap<String, Value>);

impl Bindings {
    /// Lets `word` be a text.
    pub fn text(&mut self, word: &str, text: impl Into<String>) {
        self.0.insert(word.to_owned(), Value::from(text.into()));
    }

    /// Lets `word` be a list of texts.
    pub fn list(&mut self, word: &str, texts: Vec<String>) {
        self.0.insert(word.to_owned(), Value::from(texts));
    }

    /// Lets `word` be texts with names.
    pub fn map(&mut self, word: &str, texts: BTreeMap<String, String>) {
        self.0.insert(word.to_owned(), Value::from(texts));
    }

    /// All words with their meanings, written out.
    pub fn written(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, (word, value)| {
            let _ = writeln!(text, "{word}={value:?}");
            text
        })
    }
}

/// Renders templates of tasks.
pub struct Renderer(Engine<'static>);

impl Default for Renderer {
    fn default() -> Self {
        Self(template::engine())
    }
}

impl Renderer {
    /// What `template` of `task` gives with `bindings`.
    ///
    /// # Errors
    /// `Usage`, with the template, if it cannot be rendered.
    pub fn render(
        &self,
        task: &Task,
        template: &Template,
        bindings: &Bindings,
    ) -> Result<Text, Fault> {
        let source = template.source();
        if !source.contains('{') {
            return Ok(Text::new(source.to_owned()));
        }
        let mut scope = Scope::of_words(&self.0, &task.words);
        scope.extend(bindings.0.iter().map(|(word, value)| (word.clone(), value.clone())));
        scope.render(source).map_err(|wrong| {
            let what = format!("`{}` of the task {} cannot be rendered", source.trim(), task.name);
            Fault::new(Kind::Usage, what).because(wrong.what)
        })
    }
}

impl Template {
    /// Whether it looks at `word`.
    pub fn mentions(&self, word: &str) -> bool {
        template::words_of(self.source()).iter().any(|found| found.split('.').next() == Some(word))
    }
}
