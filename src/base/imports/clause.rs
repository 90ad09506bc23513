//! The head of a Go file: what it imports, and what it embeds (The Go Programming Language
//! Specification, "Source file organization"; package embed, "Directives").

/// What one file draws in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clauses {
    /// The import paths, in order.
    pub imports: Vec<String>,
    /// The patterns of `//go:embed`, in order.
    pub embeds: Vec<String>,
}

impl Clauses {
    /// Reads the text of a file. What is no Go is read up to where it ends to be.
    pub fn read(text: &str) -> Self {
        let imports = imports(text);
        let embeds = match imports.iter().any(|import| import == "embed") {
            true => embeds(text),
            false => Vec::new(),
        };
        Self { imports, embeds }
    }
}

fn imports(text: &str) -> Vec<String> {
    let mut words = ClauseTokens { rest: text.trim_start_matches('\u{feff}') };
    let mut imports = Vec::new();
    if words.next() != Some(ClauseToken::Bare("package")) || words.next().is_none() {
        return imports;
    }
    loop {
        match words.next() {
            Some(ClauseToken::Mark(';')) => {}
            Some(ClauseToken::Bare("import")) => match words.next() {
                Some(ClauseToken::Mark('(')) => {
                    while let Some(word) =
                        words.next().filter(|word| *word != ClauseToken::Mark(')'))
                    {
                        imports.extend(word.path());
                    }
                }
                // A name, `_` or `.` may stand before the path.
                Some(word) => {
                    let path = word.path().or_else(|| words.next()?.path());
                    imports.extend(path);
                }
                None => return imports,
            },
            _ => return imports,
        }
    }
}

/// A word of Go's grammar, as far as import clauses know any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClauseToken<'t> {
    Bare(&'t str),
    Quoted(&'t str),
    Mark(char),
}

impl ClauseToken<'_> {
    fn path(self) -> Option<String> {
        match self {
            Self::Quoted(path) if !path.is_empty() => Some(path.to_owned()),
            _ => None,
        }
    }
}

/// The words of a text, without blanks and comments.
struct ClauseTokens<'t> {
    rest: &'t str,
}

impl<'t> Iterator for ClauseTokens<'t> {
    type Item = ClauseToken<'t>;

    fn next(&mut self) -> Option<ClauseToken<'t>> {
        loop {
            self.rest = self.rest.trim_start();
            if let Some(comment) = self.rest.strip_prefix("//") {
                self.rest = comment.split_once('\n')?.1;
            } else if let Some(comment) = self.rest.strip_prefix("/*") {
                self.rest = comment.split_once("*/")?.1;
            } else {
                break;
            }
        }
        let first = self.rest.chars().next()?;
        if matches!(first, '"' | '`') {
            let (inner, rest) = self.rest[1..].split_once(first)?;
            self.rest = rest;
            return Some(ClauseToken::Quoted(inner));
        }
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let end = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
        if end == 0 {
            self.rest = &self.rest[first.len_utf8()..];
            return Some(ClauseToken::Mark(first));
        }
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(ClauseToken::Bare(word))
    }
}

/// The patterns of every `//go:embed`, without `all:`.
fn embeds(text: &str) -> Vec<String> {
    let mut patterns = Vec::new();
    for line in text.lines() {
        let Some(mut rest) = line.strip_prefix("//go:embed ").map(str::trim) else { continue };
        while let Some(first) = rest.chars().next() {
            let (pattern, after) = match first {
                '"' | '`' => rest[1..].split_once(first).unwrap_or((&rest[1..], "")),
                _ => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
            };
            patterns.push(pattern.strip_prefix("all:").unwrap_or(pattern).to_owned());
            rest = after.trim_start();
        }
    }
    patterns
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn imports_of_every_form_are_read_and_nothing_after_them() {
        let text = "\u{feff}//go:build linux\n\n/* a \"b\" */ package main; import \"one\"\nimport x \"two\"\n\
                    import (\n\t. \"three\" // \"not\"\n\t_ `four`; y \"five\"\n)\nimport ()\n\
                    var s = `\nimport \"six\"\n`\n";
        let imports = Clauses::read(text).imports;
        assert_eq!(imports, ["one", "two", "three", "four", "five"]);
    }

    #[test]
    fn patterns_are_read_where_embed_is_imported() {
        let body =
            "//go:embed a.txt all:b \"c d\" `e`\n//go:embed f/*\nvar x string\n// //go:embed g\n";
        let with = Clauses::read(&format!("package p\nimport _ \"embed\"\n{body}"));
        assert_eq!(with.embeds, ["a.txt", "b", "c d", "e", "f/*"]);
        let without = Clauses::read(&format!("package p\n{body}"));
        assert_eq!(without, Clauses::default());
    }

    proptest! {
        #[test]
        fn no_text_stops_it(text in "(package|import|[\"`(); /*\\n]|\\PC){0,40}") {
            let _ = Clauses::read(&text);
        }
    }
}
