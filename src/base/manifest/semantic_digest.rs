//! What a file says, wherever in it that stands: two texts of one meaning differ in comments, blank lines
//! and indentation at most.

use super::{
    file::MAX_BYTES,
    node::{Node, Value},
    yaml,
};
use crate::model::checksum;

/// The digest of what a file says.
pub type SemanticDigest = [u8; 32];

impl Node {
    /// The digest of what it says: texts with their quoting, lists, and mappings in their order.
    #[must_use]
    pub fn semantic_digest(&self) -> SemanticDigest {
        let mut said = Vec::new();
        say(self, &mut said);
        checksum(&said)
    }
}

/// What the YAML text `bytes` says; none if that is nothing, not valid, or more than forge reads.
#[must_use]
pub fn semantic_digest(bytes: &[u8]) -> Option<SemanticDigest> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= MAX_BYTES)?;
    Some(yaml::parse(text).ok()??.semantic_digest())
}

/// Adds what `node` says to `said`, so that no other says the same: every part begins with its kind and
/// its length.
fn say(node: &Node, said: &mut Vec<u8>) {
    let begin = |kind: u8, length: usize, said: &mut Vec<u8>| {
        said.push(kind);
        said.extend((length as u64).to_be_bytes());
    };
    match &node.value {
        Value::Null => begin(b'n', 0, said),
        Value::Scalar(scalar) => {
            begin(b's', scalar.text.len(), said);
            said.push(scalar.style as u8);
            said.extend(scalar.text.as_bytes());
        }
        Value::List(nodes) => {
            begin(b'l', nodes.len(), said);
            for node in nodes {
                say(node, said);
            }
        }
        Value::Map(entries) => {
            begin(b'm', entries.len(), said);
            for entry in entries {
                begin(b'k', entry.key.value.len(), said);
                said.extend(entry.key.value.as_bytes());
                say(&entry.value, said);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(text: &str) -> SemanticDigest {
        semantic_digest(text.as_bytes()).unwrap_or_else(|| panic!("{text} says something"))
    }

    #[test]
    fn comments_and_layout_say_nothing() {
        let plain = meaning("versions:\n  a: v1\n  b: [x, y]\n");
        for same in [
            "# by hand\nversions:\n  a: v1 # the last\n  b: [x, y]\n\n# end\n",
            "versions:\n    a:   v1\n    b:\n      - x\n      - y",
            "---\nversions: {a: v1, b: [x, y]}\n",
        ] {
            assert_eq!(meaning(same), plain, "{same}");
        }
    }

    #[test]
    fn whatever_else_differs_says_something_else() {
        let all = [
            "a: b",
            "a: 'b'",
            "a: \"b\"",
            "a: B",
            "a: [b]",
            "a: [[b]]",
            "a: {b: }",
            "a: {b: c}",
            "b: a",
            "a: ",
            "a: ''",
            "a: b\nc: d",
            "c: d\na: b",
            "a: b\na: b",
            "a: b c",
            "a: |\n  b\n",
            "[a, b]",
            "[ab]",
            "a",
            "a: '# b'",
            "a: b#",
            "a: [b, [c]]",
            "a: [[b], c]",
            "a: [b, c]",
        ];
        for (at, text) in all.iter().enumerate() {
            for other in &all[at + 1..] {
                assert_ne!(meaning(text), meaning(other), "{text} / {other}");
            }
        }
    }

    #[test]
    fn what_cannot_be_read_says_nothing() {
        let long = format!("a: {}", "x".repeat(MAX_BYTES));
        for text in ["", "# only this", "a: [", "a: b\n---\nc: d", &long] {
            assert_eq!(semantic_digest(text.as_bytes()), None, "{}", &text[..text.len().min(20)]);
        }
        assert_eq!(semantic_digest(b"a: \xff"), None);
    }
}
