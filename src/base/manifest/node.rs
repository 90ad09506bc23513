//! The tree that YAML text stands for. Every scalar keeps its text as written, so
//! that a version `1.10` never becomes 1.1, and every node knows its place.

use std::ops::Range;

/// Something with its place: bytes of the file's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sp<T> {
    /// The thing.
    pub value: T,
    /// Where it stands.
    pub bytes: Range<usize>,
}

/// A value of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it holds.
    pub value: Value,
    /// Where it stands; for a block collection, its first line.
    pub bytes: Range<usize>,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// Text, a number, a boolean: whatever it is, as written.
    Scalar(Scalar),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping in the order written; a key may stand in it twice.
    Map(Vec<Pair>),
}

/// One pair of a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The key.
    pub key: Sp<String>,
    /// The value.
    pub value: Node,
}

/// A scalar: its text, and how it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// The text, after YAML's own unquoting and unfolding.
    pub text: String,
    /// How it was written.
    pub style: Quoting,
    /// Where it stands, with its quotes; a block scalar begins after its indicator.
    pub bytes: Range<usize>,
}

/// How a scalar is written, as far as its text differs from the file's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quoting {
    /// Without quotes, or in a block (`|`, `>`): only blanks differ.
    Plain,
    /// In single quotes: `''` stands for one.
    Single,
    /// In double quotes: `\` begins an escape.
    Double,
}

impl Node {
    /// The scalar, if it is one.
    pub fn scalar(&self) -> Option<&Scalar> {
        match &self.value {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The pairs, if it is a mapping; otherwise none.
    pub fn entries(&self) -> &[Pair] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The elements of a list, or the node itself if it is a scalar; otherwise none.
    pub fn one_or_many(&self) -> &[Self] {
        match &self.value {
            Value::List(nodes) => nodes,
            Value::Scalar(_) => std::slice::from_ref(self),
            _ => &[],
        }
    }

    /// The value of `key`, if this is a mapping with it (the first, if it is there twice).
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|entry| entry.key.value == key).map(|entry| &entry.value)
    }

    /// What kind of node it is, for messages: `a list`.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Scalar(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}
