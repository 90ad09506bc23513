//! `for:` of a task, of a command or of a need: what its commands run for, as people write it.

use minijinja::value::Value as Word;

use super::{super::template::unknown, Data, TaskText, read::TaskReader, words};
use crate::manifest::{Node, Scalar, Sp, Value, scalar};

/// What something runs for, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Each {
    /// The values.
    pub over: Over,
    /// `as:`; what templates call the value. `key` is where it stood, from 0, or its key.
    pub name: String,
}

/// The values of `for:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Over {
    /// These.
    List(Vec<Data>),
    /// Each combination of one value per name; the last name changes fastest.
    Matrix(Vec<(String, MatrixPart)>),
    /// The files of `inputs`.
    Inputs,
    /// The files of `outputs`.
    Outputs,
    /// The files that patterns mean.
    Glob(Vec<TaskText>),
    /// What a command prints, cut at `split`, or into lines.
    Sh(TaskText, Option<String>),
    /// The elements of what an expression gives; of a text, cut at `split` or at white space.
    Expr(TaskText, Option<String>),
}

/// The values of a part of a matrix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MatrixPart {
    /// These.
    List(Vec<Data>),
    /// The elements of what an expression gives.
    Expr(TaskText),
}

impl Each {
    /// The templates in it.
    pub(super) fn templates(&self) -> Vec<&TaskText> {
        match &self.over {
            Over::List(items) => items.iter().flat_map(Data::templates).collect(),
            Over::Matrix(parts) => parts.iter().flat_map(|(_, part)| part.templates()).collect(),
            Over::Glob(patterns) => patterns.iter().collect(),
            Over::Sh(line, _) => vec![line],
            Over::Inputs | Over::Outputs | Over::Expr(..) => Vec::new(),
        }
    }

    /// The expressions in it.
    pub(super) fn expressions(&self) -> Vec<&TaskText> {
        match &self.over {
            Over::Expr(one, _) => vec![one],
            Over::Matrix(parts) => parts.iter().filter_map(|(_, part)| part.expression()).collect(),
            _ => Vec::new(),
        }
    }
}

impl MatrixPart {
    fn templates(&self) -> Vec<&TaskText> {
        match self {
            Self::List(items) => items.iter().flat_map(Data::templates).collect(),
            Self::Expr(_) => Vec::new(),
        }
    }

    fn expression(&self) -> Option<&TaskText> {
        match self {
            Self::List(_) => None,
            Self::Expr(one) => Some(one),
        }
    }
}

impl TaskReader<'_, '_, '_> {
    /// `for:` in `node`, if it is there; its words are known from here on.
    pub(super) fn each(&mut self, node: &Node) -> Option<Each> {
        let node = node.get("for")?;
        let (over, item) = self.over(node)?;
        let name = scalar(node, "as").map_or_else(
            || Some("item".to_owned()),
            |name| {
                let name = Sp { value: name.text, bytes: name.bytes };
                words::is_free(&name, &self.scope, self.found).then_some(name.value)
            },
        )?;
        self.guess([(name.clone(), item), ("key".to_owned(), unknown())]);
        Some(Each { over, name })
    }

    /// What `for` goes through, and a stand-in for its value.
    fn over(&mut self, node: &Node) -> Option<(Over, Word)> {
        let text = || Word::from(words::STAND_IN);
        match &node.value {
            Value::Scalar(word) => {
                let key = if word.text == "outputs" { "outputs" } else { "inputs" };
                if self.node.get(key).is_none() {
                    let what = format!("`for: {key}` in a task without `{key}`");
                    let help = format!("write `{key}:`, or `for: {{ glob: PATTERN }}`");
                    self.found.add(word.bytes.clone(), what, "there are none", help);
                }
                let over = if key == "outputs" { Over::Outputs } else { Over::Inputs };
                return Some((over, text()));
            }
            Value::List(nodes) => {
                let (items, first) = self.items(nodes, node)?;
                return Some((Over::List(items), first));
            }
            _ => {}
        }
        let split = || scalar(node, "split").map(|split| split.text);
        if let Some(parts) = node.get("matrix") {
            return self.matrix(parts);
        }
        if node.get("glob").is_some() {
            return Some((Over::Glob(self.patterns(node, "glob")), text()));
        }
        if let Some(line) = scalar(node, "sh") {
            return Some((Over::Sh(self.tried_command(&line), split()), text()));
        }
        let expression = scalar(node, "expr")?;
        let value = self.tried_expression(&expression);
        let first = Self::first_of(value);
        Some((Over::Expr(TaskText(expression), split()), first))
    }

    fn items(&mut self, nodes: &[Node], place: &Node) -> Option<(Vec<Data>, Word)> {
        let items: Vec<Data> = nodes.iter().map(|node| self.data(node)).collect();
        let Some(first) = items.first() else {
            let help = "write at least one value";
            self.found.add(place.bytes.clone(), "`for` has nothing to run for", "empty", help);
            return None;
        };
        // Where they are of different forms, nothing can be said of what they have.
        let alike = items.iter().all(|item| item.keys() == first.keys());
        let first = first.clone();
        let stand_in = if alike { self.stand_in_of(&first) } else { unknown() };
        Some((items, stand_in))
    }

    fn matrix(&mut self, node: &Node) -> Option<(Over, Word)> {
        let (mut parts, mut first) = (Vec::new(), Vec::new());
        for entry in node.entries() {
            let (part, item) = match (&entry.value.value, scalar(&entry.value, "expr")) {
                (Value::List(nodes), _) => {
                    let (items, item) = self.items(nodes, &entry.value)?;
                    (MatrixPart::List(items), item)
                }
                (_, Some(expression)) => {
                    let value = self.tried_expression(&expression);
                    let item = Self::first_of(value);
                    (MatrixPart::Expr(TaskText(expression)), item)
                }
                _ => continue,
            };
            first.push((entry.key.value.clone(), item));
            parts.push((entry.key.value.clone(), part));
        }
        if parts.is_empty() {
            let help = "write at least one part";
            self.found.add(node.bytes.clone(), "`matrix` has no parts", "empty", help);
            return None;
        }
        Some((Over::Matrix(parts), Word::from_pairs(first)))
    }

    /// What stands for the elements of what an expression gives.
    fn first_of(value: Option<Word>) -> Word {
        let first = value.filter(|value| value.kind() == minijinja::value::ValueKind::Seq);
        let first = first.and_then(|value| value.try_iter().ok()?.next());
        first.unwrap_or_else(unknown)
    }

    fn patterns(&mut self, node: &Node, key: &str) -> Vec<TaskText> {
        let patterns: Vec<Scalar> = crate::manifest::scalars(node, key);
        patterns.iter().map(|pattern| self.tried(pattern)).collect()
    }
}
