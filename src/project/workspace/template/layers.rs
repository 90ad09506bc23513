//! Words with their meanings, in layers: thousands of variables are declared one after the other,
//! and each sees those before it, so copies of all of them would take time and memory that grow
//! with the square.

use std::{collections::BTreeMap, sync::Arc};

use minijinja::value::{Enumerator, Object, Value};

/// A map of which copies are cheap. The last layer that has a word says what it means.
#[derive(Clone, Debug, Default)]
pub struct Layers(Vec<Arc<BTreeMap<String, Option<Value>>>>);

impl Layers {
    /// These words.
    pub fn new(words: BTreeMap<String, Value>) -> Self {
        let mut layers = Self::default();
        layers.extend(words);
        layers
    }

    /// Adds words; one that is there already gets another meaning.
    pub fn extend(&mut self, words: impl IntoIterator<Item = (String, Value)>) {
        self.push(words.into_iter().map(|(word, value)| (word, Some(value))).collect());
    }

    /// Forgets `word`.
    pub fn remove(&mut self, word: &str) {
        if self.get(word).is_some() {
            self.push([(word.to_owned(), None)].into());
        }
    }

    /// Each layer is at least twice as large as the next, so there are few.
    fn push(&mut self, mut layer: BTreeMap<String, Option<Value>>) {
        while let Some(below) = self.0.pop_if(|below| below.len() < 2 * layer.len()) {
            let mut merged = Arc::unwrap_or_clone(below);
            merged.extend(layer);
            layer = merged;
        }
        if !layer.is_empty() {
            self.0.push(Arc::new(layer));
        }
    }

    /// What `word` means.
    pub fn get(&self, word: &str) -> Option<&Value> {
        self.0.iter().rev().find_map(|layer| layer.get(word))?.as_ref()
    }

    /// All words, in order.
    pub fn all(&self) -> BTreeMap<&str, &Value> {
        let mut all = BTreeMap::new();
        for layer in &self.0 {
            all.extend(layer.iter().map(|(word, value)| (word.as_str(), value.as_ref())));
        }
        all.into_iter().filter_map(|(word, value)| Some((word, value?))).collect()
    }
}

impl Object for Layers {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get(key.as_str()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.all().into_keys().map(Value::from).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_meaning_counts_and_copies_keep_theirs() {
        let mut layers = Layers::default();
        for number in 0..1000_i64 {
            layers.extend([(format!("w{}", number % 300), Value::from(number))]);
        }
        let before = layers.clone();
        layers.remove("w7");
        layers.extend([("w8".to_owned(), Value::from("new"))]);
        assert_eq!(layers.get("w7"), None);
        assert_eq!(layers.get("w8"), Some(&Value::from("new")));
        assert_eq!(layers.get("w9"), Some(&Value::from(909)));
        assert_eq!(layers.all().len(), 299);
        assert_eq!(before.get("w7"), Some(&Value::from(907)));
        assert_eq!(before.all().len(), 300);
        assert!(layers.0.len() < 10, "{}", layers.0.len());
    }
}
