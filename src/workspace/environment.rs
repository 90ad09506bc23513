//! The environment variables that templates may look at. Every look is remembered,
//! also at what is not set, so that a change in them is noticed later.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use minijinja::value::{Object, Value};

type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

/// A view of environment variables that remembers what was looked at.
#[derive(Clone)]
pub struct Environment {
    lookup: Arc<Lookup>,
    seen: Arc<Mutex<BTreeMap<String, Option<String>>>>,
}

impl Environment {
    /// The variables forge was started with. One that is no UTF-8 counts as not set.
    #[must_use]
    pub fn host() -> Self {
        Self::new(|name| std::env::var(name).ok())
    }

    /// Variables as `lookup` tells them.
    pub fn new(lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self { lookup: Arc::new(lookup), seen: Arc::default() }
    }

    /// What the variable `name` holds. The look is remembered.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        // Such a name is in no environment, and asking the system for it is an error.
        if name.is_empty() || name.contains(['=', '\0']) {
            return None;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.entry(name.to_owned()).or_insert_with(|| (self.lookup)(name)).clone()
    }

    /// What was looked at so far, with what it held.
    #[must_use]
    pub fn seen(&self) -> BTreeMap<String, Option<String>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}

impl Object for Environment {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get(key.as_str()?).map(Value::from)
    }
}
