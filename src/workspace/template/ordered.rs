//! A mapping in the order in which people wrote it.

use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr, Value};

/// A mapping with these pairs.
pub fn ordered(pairs: Vec<(String, Value)>) -> Value {
    Value::from_object(Ordered(pairs))
}

#[derive(Debug)]
struct Ordered(Vec<(String, Value)>);

impl Object for Ordered {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        // Of a key that stands twice, the last counts.
        let pair = self.0.iter().rev().find(|(name, _)| name == key);
        pair.map(|(_, value)| value.clone())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.iter().map(|(name, _)| Value::from(name.as_str())).collect())
    }
}
