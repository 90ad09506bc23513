//! The secrets of a run, as they become known.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{
    model::Fault,
    workspace::{SecretTable, TemplateValue},
};

/// All secrets that a run has learned.
#[derive(Debug, Default)]
pub struct Vault(Mutex<SecretTable>);

impl Vault {
    /// Keeps `value`; returns what stands in texts for it. See [`SecretTable::keep`].
    pub fn keep(&self, name: &str, value: String) -> TemplateValue {
        self.locked().keep(name, value)
    }

    /// The secrets known now.
    pub fn keyring(&self) -> SecretTable {
        self.locked().clone()
    }

    /// `text` as it may be shown.
    pub fn hidden(&self, text: &str) -> String {
        self.locked().hidden(text)
    }

    /// `fault` as it may be shown.
    pub fn without_secrets(&self, fault: Fault) -> Fault {
        let is_open = |text: &String| self.hidden(text) == *text;
        // A file that holds a secret itself is not pictured.
        let shown = fault.shown.filter(|shown| shown.texts.values().all(is_open));
        Fault { shown, ..fault }.in_words(|text| self.hidden(text))
    }

    fn locked(&self) -> MutexGuard<'_, SecretTable> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
