//! Places, as templates see them: as symbols, or as the real ones where a template cuts or changes
//! them.

use std::{fmt, sync::Arc};

use minijinja::value::{Object, ObjectRepr, Value, ValueKind};

use super::{
    super::{Places, Text},
    TemplateScope, variable, words_of_expression, words_of_work,
};

/// A place: it can be written out and joined to text, not cut.
#[derive(Debug)]
pub struct PathWord(pub String);

impl Object for PathWord {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Text::symbol(&self.0))
    }
}

impl TemplateScope<'_> {
    /// Whether `template` does more with a place than to write it out.
    pub fn cuts_places(&self, template: &str) -> bool {
        words_of_work(template).iter().any(|word| self.has_place(word))
    }

    /// Whether `expression` looks at a place.
    pub fn looks_at_places(&self, expression: &str) -> bool {
        words_of_expression(expression).iter().any(|word| self.has_place(word))
    }

    /// The words that are places, or hold some.
    pub fn places(&self) -> impl Iterator<Item = &str> {
        let held = self.words.all().into_iter().filter(|(_, value)| holds_place(value));
        held.map(|(word, _)| word)
    }

    fn has_place(&self, word: &str) -> bool {
        let word = if word == "vars" { word } else { variable(word) };
        self.word(word).is_some_and(holds_place)
    }

    /// This scope with the real places in it.
    pub fn with_places(&self, places: &Places) -> Self {
        let expand = |text: &str| Text::new(text.to_owned()).expand(places);
        let known: Vec<String> = self.places().map(str::to_owned).collect();
        let real = known.into_iter().filter_map(|word| {
            let value = with_texts(self.word(&word)?, &expand);
            Some((word, value))
        });
        let real: Vec<_> = real.collect();
        let mut scope = self.clone();
        scope.extend(real);
        scope
    }
}

fn holds_place(value: &Value) -> bool {
    if let Some(text) = value.as_str() {
        return text.contains('\u{1}');
    }
    let items = || value.try_iter().into_iter().flatten();
    match value.kind() {
        ValueKind::Plain => value.downcast_object_ref::<PathWord>().is_some(),
        ValueKind::Seq => items().any(|item| holds_place(&item)),
        ValueKind::Map if value.downcast_object_ref::<super::super::Environment>().is_none() => {
            items().any(|key| value.get_item(&key).is_ok_and(|item| holds_place(&item)))
        }
        _ => false,
    }
}

/// `value`, with what `change` makes of each text in it.
fn with_texts(value: &Value, change: &dyn Fn(&str) -> String) -> Value {
    if let Some(text) = value.as_str() {
        return Value::from(change(text));
    }
    let items = || value.try_iter().into_iter().flatten();
    match value.kind() {
        ValueKind::Plain if value.downcast_object_ref::<PathWord>().is_some() => {
            Value::from(change(&value.to_string()))
        }
        ValueKind::Seq => items().map(|item| with_texts(&item, change)).collect(),
        ValueKind::Map => {
            let pair = |key: Value| {
                let item = value.get_item(&key).unwrap_or_default();
                (key.to_string(), with_texts(&item, change))
            };
            Value::from_pairs(items().map(pair))
        }
        _ => value.clone(),
    }
}
