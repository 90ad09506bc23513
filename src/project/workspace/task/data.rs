//! Values as people write them, whose texts are templates.

use minijinja::value::Value as Word;

use super::TaskText;
use crate::manifest::{Node, Quoting, Scalar, Value};

/// A value of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// Nothing.
    None,
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Whole(i64),
    /// A text, rendered when it is wanted.
    Text(TaskText),
    /// A list.
    List(Vec<Data>),
    /// A mapping, in the order written.
    Map(Vec<(String, Data)>),
}

impl Data {
    /// What stands in `node`. What does not look the same when it is written out again stays
    /// the text it is: `1.10` is not a number.
    pub fn from_node(node: &Node) -> Self {
        match &node.value {
            Value::Null => Self::None,
            Value::Scalar(scalar) => Self::of_scalar(scalar),
            Value::List(nodes) => Self::List(nodes.iter().map(Self::from_node).collect()),
            Value::Map(entries) => {
                let pair = |entry: &crate::manifest::Pair| {
                    (entry.key.value.clone(), Self::from_node(&entry.value))
                };
                Self::Map(entries.iter().map(pair).collect())
            }
        }
    }

    fn of_scalar(scalar: &Scalar) -> Self {
        let text = scalar.text.as_str();
        let whole = text.parse::<i64>().ok().filter(|whole| whole.to_string() == text);
        match (scalar.style, text, whole) {
            (Quoting::Plain, "true", _) => Self::Flag(true),
            (Quoting::Plain, "false", _) => Self::Flag(false),
            (Quoting::Plain, _, Some(whole)) => Self::Whole(whole),
            _ => Self::Text(TaskText(scalar.clone())),
        }
    }

    /// The templates in it.
    pub fn templates(&self) -> Vec<&TaskText> {
        match self {
            Self::Text(one) => vec![one],
            Self::List(many) => many.iter().flat_map(Self::templates).collect(),
            Self::Map(pairs) => pairs.iter().flat_map(|(_, one)| one.templates()).collect(),
            Self::None | Self::Flag(_) | Self::Whole(_) => Vec::new(),
        }
    }

    /// What it is once its texts are rendered.
    ///
    /// # Errors
    /// The first that `render` returns.
    pub fn value<E>(
        &self,
        render: &mut impl FnMut(&TaskText) -> Result<Word, E>,
    ) -> Result<Word, E> {
        Ok(match self {
            Self::None => Word::from(()),
            Self::Flag(flag) => Word::from(*flag),
            Self::Whole(number) => Word::from(*number),
            Self::Text(template) => render(template)?,
            Self::List(items) => {
                let items = items.iter().map(|item| item.value(render));
                Word::from(items.collect::<Result<Vec<Word>, E>>()?)
            }
            Self::Map(pairs) => {
                let pairs = pairs.iter().map(|(key, item)| Ok((key.clone(), item.value(render)?)));
                Word::from_pairs(pairs.collect::<Result<Vec<_>, E>>()?)
            }
        })
    }

    /// The keys of a mapping; of anything else, none.
    pub(super) fn keys(&self) -> Vec<&str> {
        match self {
            Self::Map(pairs) => pairs.iter().map(|(key, _)| key.as_str()).collect(),
            _ => Vec::new(),
        }
    }
}
