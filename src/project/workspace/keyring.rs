//! What secrets are, apart from the texts that mention them. A text holds a symbol for each, as it
//! does for places, so that no key, record or message that is made of texts can hold a value.

use std::{collections::BTreeMap, fmt};

use super::{TemplateValue, Text};
use crate::model::{MASKED, Secrets};

/// What the symbols of secrets begin with.
const PREFIX: &str = "secret:";

/// Secrets by the names of their symbols.
#[derive(Clone, Default)]
pub struct SecretTable {
    values: BTreeMap<String, String>,
    secrets: Secrets,
}

impl fmt::Debug for SecretTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

impl SecretTable {
    /// What stands in texts for the secret called `name`.
    pub fn word(name: &str) -> TemplateValue {
        TemplateValue::place(format!("{PREFIX}{name}"))
    }

    /// Keeps `value` under `name`, or under one like it if that holds another value. Returns what
    /// stands in texts for it.
    pub fn keep(&mut self, name: &str, value: String) -> TemplateValue {
        let mut key = name.to_owned();
        for number in 2.. {
            match self.values.get(&key) {
                Some(other) if *other != value => key = format!("{name}#{number}"),
                _ => break,
            }
        }
        self.secrets.add(&value);
        let word = Self::word(&key);
        self.values.insert(key, value);
        word
    }

    /// All that is to be masked.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// The secret that `place` of a text stands for.
    pub(super) fn value(&self, place: &str) -> Option<&str> {
        self.values.get(place.strip_prefix(PREFIX)?).map(String::as_str)
    }

    /// `text` with the secrets that its symbols stand for.
    pub fn opened(&self, text: &str) -> String {
        replaced(text, |place| self.value(place).unwrap_or_default().to_owned())
    }

    /// `text` as it may be shown: neither symbols nor secrets.
    pub fn hidden(&self, text: &str) -> String {
        self.secrets.mask(&hidden(text)).into_owned()
    }
}

/// Whether the place called so is a secret.
pub(super) fn is_secret(place: &str) -> bool {
    place.starts_with(PREFIX)
}

/// `text` with `***` for the symbols of secrets.
pub(super) fn hidden(text: &str) -> String {
    replaced(text, |_| MASKED.to_owned())
}

/// `text` with something else for the symbols of secrets.
fn replaced(text: &str, value: impl Fn(&str) -> String) -> String {
    let mut opened = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, symbol)) = rest.split_once('\u{1}') {
        let (place, after) = symbol.split_once('\u{2}').unwrap_or((symbol, ""));
        opened.push_str(before);
        match is_secret(place) {
            true => opened.push_str(&value(place)),
            false => opened.push_str(&Text::symbol(place)),
        }
        rest = after;
    }
    opened + rest
}
