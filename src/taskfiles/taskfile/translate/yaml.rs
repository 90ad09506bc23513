//! YAML as it is written: trees with comments, to text.

use std::fmt::Write as _;

/// What a comment begins with that stands behind its key and not above it.
pub const BEHIND: char = '<';

/// What stands in a text where a line ends that goes on after a blank.
pub const FOLD: char = '\u{1f}';

/// How long a line of text may be before it is written as several.
const LONG: usize = 96;
/// How long a line then is at most.
const WIDEST: usize = 118;

/// A value to be written.
#[derive(Clone, Debug, PartialEq)]
pub enum Yaml {
    /// Text, in quotes where it would be taken for something else.
    Text(String),
    /// A number, a flag or nothing, as it stands.
    Plain(String),
    /// A list.
    List(Vec<Yaml>),
    /// A mapping, with the comments above each key.
    Map(Vec<(Vec<String>, String, Yaml)>),
}

impl Yaml {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A flag.
    pub fn flag(flag: bool) -> Self {
        Self::Plain(flag.to_string())
    }

    /// An empty mapping.
    pub fn map() -> Self {
        Self::Map(Vec::new())
    }

    /// A mapping of one key.
    pub fn single(key: &str, value: Self) -> Self {
        Self::Map(vec![(Vec::new(), key.to_owned(), value)])
    }

    /// Adds a key to a mapping.
    pub fn put(&mut self, key: &str, value: Self) {
        if let Self::Map(entries) = self {
            entries.push((Vec::new(), key.to_owned(), value));
        }
    }

    /// Adds a key with comments above it.
    pub fn put_with(&mut self, comments: Vec<String>, key: &str, value: Self) {
        if let Self::Map(entries) = self {
            entries.push((comments, key.to_owned(), value));
        }
    }

    /// Adds a key, if there is anything in `value`.
    pub fn put_filled(&mut self, key: &str, value: Self) {
        if !value.is_empty() {
            self.put(key, value);
        }
    }

    /// The keys and values of a mapping; none of anything else.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Self)> {
        self.map_entries().iter().map(|(_, key, value)| (key.as_str(), value))
    }

    /// Whether it is a list or mapping without anything in it.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::List(items) => items.is_empty(),
            Self::Map(entries) => entries.is_empty(),
            _ => false,
        }
    }

    /// The text of a document.
    pub fn document(&self) -> String {
        let mut text = String::new();
        self.block(0, &mut text);
        text
    }

    /// The text of a document in which what has at most `width` signs stands on one line; but for the
    /// first keys in `blocks`, whose own keys have lines of their own.
    pub fn page(&self, width: usize, blocks: &[&str]) -> String {
        let mut text = String::new();
        for (comments, key, value) in self.map_entries() {
            let is_block = blocks.contains(&key.as_str()) && !value.is_empty();
            value.entry(comments, key, 0, if is_block { 0 } else { width }, &mut text);
            if is_block {
                value.wide(2, width, &mut text);
            }
        }
        text
    }

    /// A key and this as its value; only the key if `width` is 0.
    fn entry(
        &self,
        comments: &[String],
        key: &str,
        indent: usize,
        width: usize,
        text: &mut String,
    ) {
        let pad = " ".repeat(indent);
        let (behind, above): (Vec<&String>, _) =
            comments.iter().partition(|line| line.starts_with(BEHIND));
        for line in above {
            comment(std::slice::from_ref(line), &pad, text);
        }
        let key = scalar(key);
        let behind: String =
            behind.iter().map(|line| format!("   # {}", line.trim_start_matches(BEHIND))).collect();
        let is_flow = self.fits(width.saturating_sub(indent + key.len() + 2)) || !self.is_nested();
        match (width, is_flow) {
            (0, _) => {
                let _ = writeln!(text, "{pad}{key}:{behind}");
            }
            (_, true) if !matches!(self, Self::Text(text) if is_block(text)) => {
                let _ = writeln!(text, "{pad}{key}: {}{behind}", self.flow());
            }
            (_, true) => {
                let _ = write!(text, "{pad}{key}:");
                self.after_key(indent, text);
            }
            (_, false) => {
                let _ = writeln!(text, "{pad}{key}:{behind}");
                self.wide(indent + 2, width, text);
            }
        }
    }

    /// A list or mapping whose elements have lines of their own.
    fn wide(&self, indent: usize, width: usize, text: &mut String) {
        let pad = " ".repeat(indent);
        match self {
            Self::Map(entries) => {
                for (comments, key, value) in entries {
                    value.entry(comments, key, indent, width, text);
                }
            }
            Self::List(items) => {
                for item in items {
                    match item {
                        item if item.fits(width.saturating_sub(indent + 2)) => {
                            let _ = writeln!(text, "{pad}- {}", item.flow());
                        }
                        Self::Map(_) => {
                            let mut inner = String::new();
                            item.wide(indent + 2, width, &mut inner);
                            let _ = write!(text, "{pad}- {}", inner.trim_start());
                        }
                        item => {
                            let _ = write!(text, "{pad}-");
                            item.after_key(indent, text);
                        }
                    }
                }
            }
            Self::Text(_) | Self::Plain(_) => {}
        }
    }

    fn is_nested(&self) -> bool {
        matches!(self, Self::Map(entries) if !entries.is_empty())
            || matches!(self, Self::List(items) if !items.is_empty())
    }

    /// Whether it can stand on one line of `width` signs.
    fn fits(&self, width: usize) -> bool {
        !self.has_blocks() && self.flow().chars().count() <= width
    }

    fn has_blocks(&self) -> bool {
        match self {
            Self::Text(text) => is_block(text),
            Self::Plain(_) => false,
            Self::List(items) => items.iter().any(Self::has_blocks),
            Self::Map(entries) => entries
                .iter()
                .any(|(comments, _, value)| !comments.is_empty() || value.has_blocks()),
        }
    }

    fn map_entries(&self) -> &[(Vec<String>, String, Self)] {
        match self {
            Self::Map(entries) => entries,
            _ => &[],
        }
    }

    fn block(&self, indent: usize, text: &mut String) {
        let pad = " ".repeat(indent);
        match self {
            Self::Map(entries) => {
                for (comments, key, value) in entries {
                    comment(comments, &pad, text);
                    let _ = write!(text, "{pad}{}:", scalar(key));
                    value.after_key(indent, text);
                }
            }
            Self::List(items) => {
                for item in items {
                    match item {
                        Self::Map(entries) if !entries.is_empty() => {
                            // The first key stands beside the dash.
                            let mut inner = String::new();
                            item.block(indent + 2, &mut inner);
                            let _ = write!(text, "{pad}- {}", inner.trim_start());
                        }
                        item => {
                            let _ = write!(text, "{pad}-");
                            item.after_key(indent, text);
                        }
                    }
                }
            }
            Self::Text(_) | Self::Plain(_) => {
                let _ = writeln!(text, "{pad}{}", self.flow());
            }
        }
    }

    fn after_key(&self, indent: usize, text: &mut String) {
        match self {
            Self::Text(value)
                if !self.fits_behind(text)
                    && let Some(lines) = folded(value, WIDEST - indent.min(40)) =>
            {
                let pad = " ".repeat(indent + 2);
                text.push_str(if value.ends_with('\n') { " >\n" } else { " >-\n" });
                for line in lines {
                    let _ = writeln!(text, "{pad}{line}");
                }
            }
            Self::Text(value) if has_lines(value) => literal(value, indent + 2, text),
            Self::List(items) if items.iter().any(|item| !item.is_short()) => {
                text.push('\n');
                self.block(indent + 2, text);
            }
            Self::Map(entries) if !entries.is_empty() && !self.is_short() => {
                text.push('\n');
                self.block(indent + 2, text);
            }
            _ => {
                let _ = writeln!(text, " {}", self.flow());
            }
        }
    }

    /// Whether it is one line that stands behind the key or dash that `text` ends with.
    fn fits_behind(&self, text: &str) -> bool {
        let Self::Text(value) = self else { return false };
        let begun = text.rsplit('\n').next().unwrap_or_default().chars().count();
        !value.contains([FOLD, '\n']) && begun + self.flow().chars().count() < WIDEST
    }

    /// Whether it reads well on one line within something else.
    fn is_short(&self) -> bool {
        match self {
            Self::Text(text) => !is_block(text) && text.len() <= 60,
            Self::Plain(_) => true,
            Self::List(items) => items.iter().all(Self::is_short) && self.flow().len() <= 60,
            Self::Map(entries) => {
                entries.len() <= 1
                    && entries
                        .iter()
                        .all(|(comments, _, value)| comments.is_empty() && value.is_short())
                    && self.flow().len() <= 60
            }
        }
    }

    fn flow(&self) -> String {
        match self {
            Self::Text(text) => scalar(&text.replace(FOLD, " ")),
            Self::Plain(text) => text.clone(),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(Self::flow).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Map(entries) => {
                let pair = |(_, key, value): &(Vec<String>, String, Self)| {
                    format!("{}: {}", scalar(key), value.flow())
                };
                let entries: Vec<_> = entries.iter().map(pair).collect();
                format!("{{{}}}", entries.join(", "))
            }
        }
    }
}

fn comment(lines: &[String], pad: &str, text: &mut String) {
    for line in lines {
        let _ = writeln!(text, "{}", format!("{pad}# {line}").trim_end());
    }
}

/// The lines of up to `width` signs that a long text of one line is written as; none if it is short, or
/// would be read back as another.
fn folded(text: &str, width: usize) -> Option<Vec<String>> {
    let whole = text.strip_suffix('\n').unwrap_or(text);
    let is_long = whole.chars().count() > LONG || whole.contains(FOLD);
    let is_plain = |c: char| c == FOLD || !c.is_control();
    let first = whole.chars().next()?;
    if !is_long || !whole.chars().all(is_plain) || first.is_whitespace() || whole.ends_with(' ') {
        return None;
    }
    let mut lines: Vec<String> = Vec::new();
    for part in whole.split(FOLD) {
        if part.is_empty() || part.starts_with(' ') || part.ends_with(' ') {
            return None;
        }
        lines.push(String::new());
        for word in pieces(part, width) {
            let line = lines.last_mut()?;
            let is_full = line.chars().count() + word.chars().count() >= width;
            // Only a single blank between two words may be the end of a line.
            if is_full && !line.is_empty() && !line.ends_with(' ') && !word.is_empty() {
                lines.push(word.to_owned());
            } else {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            }
        }
    }
    lines.iter().all(|line| !line.ends_with(' ')).then_some(lines)
}

/// What `text` may be broken between: its words, a template as one with what stands around it unless that
/// is wider than a line.
fn pieces(text: &str, width: usize) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    let (mut start, mut depth) = (0, 0_usize);
    let mut ends = text.match_indices([' ', '{', '}']).collect::<Vec<_>>();
    ends.push((text.len(), " "));
    for (at, sign) in ends {
        match sign {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            _ if depth > 0 && at < text.len() => {}
            _ => {
                let whole = &text[start..at];
                match whole.chars().count() > width {
                    true => found.extend(whole.split(' ')),
                    false => found.push(whole),
                }
                start = at + 1;
            }
        }
    }
    found
}

/// Whether a text is best written as lines of its own.
fn is_block(text: &str) -> bool {
    has_lines(text) || folded(text, WIDEST).is_some()
}

/// Whether a text is of several lines that can be written as they are.
fn has_lines(text: &str) -> bool {
    text.trim_end_matches('\n').contains('\n')
        && !text.starts_with([' ', '\t', '\n'])
        && !text.contains(|c: char| c.is_control() && c != '\n' && c != '\t')
        && !text.lines().any(|line| line.ends_with([' ', '\t']))
}

fn literal(value: &str, indent: usize, text: &mut String) {
    let body = value.trim_end_matches('\n');
    let sign = match value.len() - body.len() {
        0 => "|-",
        1 => "|",
        _ => "|+",
    };
    let _ = writeln!(text, " {sign}");
    let pad = " ".repeat(indent);
    for line in body.lines() {
        let _ = match line {
            "" => writeln!(text),
            line => writeln!(text, "{pad}{line}"),
        };
    }
    for _ in 1..value.len() - body.len() {
        text.push('\n');
    }
}

/// A text on one line.
fn scalar(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    if text.contains(|c: char| c.is_control()) || text.contains('\'') && !text.contains(['"', '\\'])
    {
        let mut quoted = String::from("\"");
        for sign in text.chars() {
            match sign {
                '"' => quoted.push_str("\\\""),
                '\\' => quoted.push_str("\\\\"),
                '\n' => quoted.push_str("\\n"),
                '\t' => quoted.push_str("\\t"),
                sign if sign.is_control() => {
                    let _ = write!(quoted, "\\u{:04x}", u32::from(sign));
                }
                sign => quoted.push(sign),
            }
        }
        return quoted + "\"";
    }
    if text.contains(['{', '}']) && !text.contains(['"', '\\']) {
        return format!("\"{text}\"");
    }
    format!("'{}'", text.replace('\'', "''"))
}

/// Whether a text means itself without quotes, wherever it stands.
fn is_plain(text: &str) -> bool {
    let is_word =
        |c: char| c.is_alphanumeric() || " _./+=@$%^()<>;~?!".contains(c) || c == '-' || c == '\\';
    let first = text.chars().next().unwrap_or(' ');
    let is_option =
        text.starts_with('-') && text[1..].starts_with(|c: char| c.is_ascii_alphabetic());
    let is_duration = matches!(text.strip_suffix(['s', 'm', 'h']), Some(number)
        if number.starts_with(|c: char| ('1'..='9').contains(&c)) && number.chars().all(|c| c.is_ascii_digit()));
    let begins = first.is_alphabetic() || "_./$(".contains(first) || is_option || is_duration;
    let is_other = matches!(
        text.to_ascii_lowercase().as_str(),
        "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n" | ".inf" | ".nan"
    );
    // A `:` within a word, as in `lib:build`, ends no key.
    let mut signs = text.chars().peekable();
    let mut is_safe = true;
    while let Some(sign) = signs.next() {
        let within =
            sign == ':' && signs.peek().is_some_and(|next| next.is_alphanumeric() || *next == '/');
        is_safe &= is_word(sign) || within;
    }
    begins && is_safe && !is_other && !text.ends_with(' ') && text.parse::<f64>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever a text is, it comes back as it was.
        #[test]
        fn text_is_read_back_as_it_was(text in "[ -~\n\t'\"{}:#é]{0,40}", in_list: bool) {
            let value = Yaml::text(text.clone());
            let value = if in_list { Yaml::List(vec![value, Yaml::flag(true)]) } else { value };
            let document = Yaml::single("vars", Yaml::single("A", Yaml::single("value", value))).document();
            let file = crate::manifest::ManifestFile::new("versions.yml".into(), format!("versions: {{}}\n{document}").into(), 1 << 20);
            let mut found = crate::manifest::Findings::new(&file);
            let root = crate::manifest::read_tree(&file, &mut found).unwrap();
            let value = root.get("vars").unwrap().get("A").unwrap().get("value").unwrap();
            let read = value.one_or_many().first().and_then(|node| node.scalar()).map(|one| one.text.clone());
            prop_assert_eq!(read.unwrap_or_default(), text, "{}", document);
        }
    }
}
