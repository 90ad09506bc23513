//! Comments of YAML text, which trees do not hold.

use std::ops::Range;

use super::node::{Node, Value};

/// A comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// What it says, without `#` and blanks around.
    pub text: String,
    /// Where it stands, with its `#`.
    pub bytes: Range<usize>,
    /// Whether nothing stands before it on its line.
    pub has_own_line: bool,
}

/// The comments in `text`, whose tree is `root`, in order.
pub fn comments(text: &str, root: &Node) -> Vec<Comment> {
    let mut taken = Vec::new();
    gather(root, &mut taken);
    taken.sort_by_key(|bytes| bytes.start);
    let mut comments = Vec::new();
    let mut at = 0;
    let mut next = 0;
    while let Some(sign) = text[at..].find('#').map(|sign| at + sign) {
        while taken.get(next).is_some_and(|bytes| bytes.end <= sign) {
            next += 1;
        }
        if taken.get(next).is_some_and(|bytes| bytes.contains(&sign)) {
            at = taken[next].end;
            continue;
        }
        at = sign + 1;
        let before = &text[text[..sign].rfind('\n').map_or(0, |end| end + 1)..sign];
        if before.is_empty() || before.ends_with([' ', '\t']) {
            let end = text[sign..].find('\n').map_or(text.len(), |end| sign + end);
            comments.push(Comment {
                text: text[sign..end].trim_start_matches('#').trim().to_owned(),
                bytes: sign..end,
                has_own_line: before.trim().is_empty(),
            });
            at = end;
        }
    }
    comments
}

/// Where keys and scalars stand, in which `#` is a sign as any other.
fn gather(node: &Node, taken: &mut Vec<Range<usize>>) {
    match &node.value {
        Value::Null => {}
        Value::Scalar(scalar) => taken.push(scalar.bytes.clone()),
        Value::List(nodes) => nodes.iter().for_each(|node| gather(node, taken)),
        Value::Map(entries) => {
            for entry in entries {
                taken.push(entry.key.bytes.clone());
                gather(&entry.value, taken);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::yaml::parse, *};

    #[test]
    fn comments_are_found_where_they_stand() {
        let file =
            "# one\na: 1 # two\n\nb:\n  # three\n  - 'x # no'\nc: |\n  # no\n  x#y\nd: a#b\n#four";
        let found = comments(file, &parse(file).unwrap().unwrap());
        let said: Vec<_> = found.iter().map(|one| (one.text.as_str(), one.has_own_line)).collect();
        assert_eq!(said, [("one", true), ("two", false), ("three", true), ("four", true)]);
        assert_eq!(&file[found[1].bytes.clone()], "# two");
    }
}
