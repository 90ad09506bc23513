//! The environment variables that templates may look at. Every look is remembered,
//! also at what is not set, so that a change in them is noticed later.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use minijinja::value::{Object, Value};

use crate::model::Environment;

/// A view of environment variables that remembers what was looked at. One that is not UTF-8 counts as
/// not set.
#[derive(Clone, Debug)]
pub struct SeenEnvironment {
    all: Environment,
    seen: Arc<Mutex<BTreeMap<String, Option<String>>>>,
}

impl SeenEnvironment {
    /// A view of `all`, of which nothing was looked at yet.
    #[must_use]
    pub fn new(all: Environment) -> Self {
        Self { all, seen: Arc::default() }
    }

    /// All variables. Whoever looks at these is not remembered.
    #[must_use]
    pub fn all(&self) -> &Environment {
        &self.all
    }

    /// What the variable `name` holds. The look is remembered.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        // Such a name is in no environment, and could not be written down.
        if name.is_empty() || name.contains(['=', '\0']) {
            return None;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.entry(name.to_owned()).or_insert_with(|| self.all.get(name).map(str::to_owned)).clone()
    }

    /// What was looked at so far, with what it held.
    #[must_use]
    pub fn seen(&self) -> BTreeMap<String, Option<String>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Object for SeenEnvironment {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get(key.as_str()?).map(Value::from)
    }
}
