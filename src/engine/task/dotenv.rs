//! Files of environment variables, as the tools that read `.env` agree on them. Pure.
//!
//! `NAME=value` (or `NAME: value`), `export` before a name, `#` comments. Single quotes hold text as it
//! stands; double quotes know `\n`, `\r`, `\t`, and `\` before any other character; both may have several lines. `$NAME`
//! and `${NAME}`, with `:-`, `-`, `:+` and `+` as a shell has them, are expanded outside of single quotes, from the lines above
//! and then from the environment. Commands are not run: `$(…)` is text.
//!
//! Measured against godotenv, which Task uses. Where that damages values, this reader does not: a
//! `$` before a digit is text, as in a bcrypt hash, and so is an unknown name that is not all upper case,
//! as in `pa$word`. An unknown name in upper case is empty, as there.
//!
//! Not a crate: dotenvy refuses unquoted values with blanks, knows no defaults, and looks at the
//! process's own environment, so that no record could tell what a value rests on.

use std::{cell::Cell, collections::HashMap, iter::Peekable, ops::Range, str::CharIndices};

/// The values of a file may take so many bytes together, with what their variables hold: far more
/// than a system hands to a program.
const MOST_OF_VALUES: usize = 1 << 20;
/// How deeply defaults of variables may be nested in each other.
const MOST_NESTED: usize = 50;

/// Why a file cannot be read as variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DotenvError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it, as a sentence without a subject: `is not a variable`.
    pub why: &'static str,
}

/// The variables of a file, each once with its last value, in the order of their first lines.
/// `outside` tells what the environment has.
///
/// # Errors
/// The first line that cannot be read.
pub fn parse(
    text: &str,
    outside: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<(String, String)>, DotenvError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let (known, index) = (Vec::new(), HashMap::new());
    let mut reader = DotenvReader {
        text: &text,
        at: 0,
        known,
        index,
        size: 0,
        refused: Cell::new(None),
        outside,
    };
    while reader.statement()? {}
    Ok(reader.known)
}

/// A value as it is written.
struct Written<'t> {
    text: &'t str,
    /// See [`closed_braces`].
    braces: &'t HashMap<usize, usize>,
    has_escapes: bool,
}

/// A file that is read from its beginning to its end.
struct DotenvReader<'t> {
    text: &'t str,
    at: usize,
    known: Vec<(String, String)>,
    /// Where in `known` a name is.
    index: HashMap<String, usize>,
    /// The bytes of all values up to now.
    size: usize,
    /// Why the value that is being read is refused.
    refused: Cell<Option<&'static str>>,
    outside: &'t dyn Fn(&str) -> Option<String>,
}

impl<'t> DotenvReader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// The rest of the line, which is left behind.
    fn line(&mut self) -> &'t str {
        let line = self.rest().split('\n').next().unwrap_or_default();
        self.at = (self.at + line.len() + 1).min(self.text.len());
        line
    }

    fn flaw(&self, at: usize, why: &'static str) -> DotenvError {
        DotenvError { line: self.text[..at].matches('\n').count() + 1, why }
    }

    /// Reads the next variable; `false` at the end.
    fn statement(&mut self) -> Result<bool, DotenvError> {
        loop {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start().len();
            match self.rest().starts_with('#') {
                true => drop(self.line()),
                false => break,
            }
        }
        if self.rest().is_empty() {
            return Ok(false);
        }
        let start = self.at;
        let name = self.name().ok_or_else(|| self.flaw(start, "is not a variable"))?;
        let value = self.value()?;
        if value.contains('\0') {
            return Err(self.flaw(start, "holds a zero byte, which no variable can"));
        }
        // forge marks places and secrets in the text of tasks with these.
        if value.contains(['\u{1}', '\u{2}']) {
            return Err(self.flaw(start, "holds a byte 0x01 or 0x02, which forge does not pass on"));
        }
        self.size += value.len();
        if self.size > MOST_OF_VALUES {
            self.refused.set(Some("makes the values of the file larger than 1 MiB"));
        }
        if let Some(why) = self.refused.take() {
            return Err(self.flaw(start, why));
        }
        match self.index.get(&name) {
            Some(at) => self.known[*at].1 = value,
            None => {
                self.index.insert(name.clone(), self.known.len());
                self.known.push((name, value));
            }
        }
        Ok(true)
    }

    /// Reads a name and the `=` or `:` behind it.
    fn name(&mut self) -> Option<String> {
        let line = self.rest().split('\n').next()?;
        let end = line.find(['=', ':'])?;
        let name = line[..end].trim();
        let name = match name.strip_prefix("export") {
            Some(rest) if rest.starts_with(char::is_whitespace) => rest.trim_start(),
            _ => name,
        };
        let is_name = |c: char| c.is_alphanumeric() || "_.-".contains(c);
        self.at += end + 1;
        (!name.is_empty() && name.chars().all(is_name)).then(|| name.to_owned())
    }

    /// Reads a value and the rest of its last line.
    fn value(&mut self) -> Result<String, DotenvError> {
        let line = self.rest().split('\n').next().unwrap_or_default();
        let blanks = line.len() - line.trim_start().len();
        match line.trim_start().chars().next() {
            Some(quote @ ('\'' | '"')) => {
                self.at += blanks;
                self.quoted(quote)
            }
            _ => {
                let line = self.line();
                let comment = line.match_indices('#').map(|(at, _)| at);
                let mut comment = comment.filter(|at| line[..*at].ends_with(char::is_whitespace));
                let end = comment.next().unwrap_or(line.len());
                Ok(self.expanded(line[..end].trim(), false))
            }
        }
    }

    /// Reads what stands between this quote and the next of its kind, and what may follow that.
    fn quoted(&mut self, quote: char) -> Result<String, DotenvError> {
        let start = self.at;
        let inner = start + 1;
        let mut end = None;
        let mut is_escaped = false;
        for (offset, sign) in self.text[inner..].char_indices() {
            let at = inner + offset;
            if sign == quote && (!is_escaped || quote == '\'' && is_end(&self.text[at + 1..])) {
                end = Some(at);
                break;
            }
            is_escaped = sign == '\\' && !is_escaped;
        }
        let end = end.ok_or_else(|| self.flaw(start, "opens a quote that no line closes"))?;
        self.at = end + 1;
        if !is_end(self.rest()) {
            return Err(self.flaw(end, "goes on after the closing quote"));
        }
        self.line();
        let inner = &self.text[inner..end];
        Ok(if quote == '"' { self.expanded(inner, true) } else { inner.to_owned() })
    }

    /// `text` with its variables, and its escapes if it `has_escapes`, replaced. A `\` before `$` makes it
    /// text in any case.
    fn expanded(&self, text: &str, has_escapes: bool) -> String {
        let written = Written { text, braces: &closed_braces(text), has_escapes };
        self.part(&written, 0..text.len(), 0)
    }

    /// The part of `written` at `range`, within `depth` defaults of variables.
    fn part(&self, written: &Written, range: Range<usize>, depth: usize) -> String {
        let mut expanded = String::new();
        if depth > MOST_NESTED {
            self.refused.set(Some("nests the defaults of variables too deeply"));
            return expanded;
        }
        let start = range.start;
        let mut signs = written.text[range.clone()].char_indices().peekable();
        while let Some((at, sign)) = signs.next() {
            if expanded.len() > MOST_OF_VALUES {
                self.refused.set(Some("is larger than 1 MiB with what its variables hold"));
                return String::new();
            }
            let next = signs.peek().map(|(_, next)| *next);
            match (sign, next) {
                ('\\', Some('$')) => {
                    expanded.push('$');
                    signs.next();
                }
                ('\\', Some(next)) if written.has_escapes && depth == 0 => {
                    expanded.push(escape(next));
                    signs.next();
                }
                ('$', _) => match self.variable(written, start + at + 1..range.end, depth) {
                    Some((value, length)) => {
                        expanded.push_str(&value);
                        skip(&mut signs, at + 1 + length);
                    }
                    None => expanded.push('$'),
                },
                _ => expanded.push(sign),
            }
        }
        expanded
    }

    /// What `$` means before `range`, and how much of that belongs to it; `None` if it is text.
    fn variable(
        &self,
        written: &Written,
        range: Range<usize>,
        depth: usize,
    ) -> Option<(String, usize)> {
        let rest = &written.text[range.clone()];
        let Some(inside) = rest.strip_prefix('{') else {
            let name = name_at(rest)?;
            return Some((self.known_or_empty(name)?, name.len()));
        };
        let name = name_at(inside)?;
        let end = *written.braces.get(&range.start)?;
        let operator = &inside[name.len()..end];
        let value = self.get(name);
        let filled = value.clone().filter(|value| !value.is_empty());
        let from = range.start + 1;
        let word =
            |sign: usize| self.part(written, from + name.len() + sign..from + end, depth + 1);
        let value = match operator {
            "" => self.known_or_empty(name)?,
            _ if operator.starts_with(":-") => filled.unwrap_or_else(|| word(2)),
            _ if operator.starts_with('-') => value.unwrap_or_else(|| word(1)),
            _ if operator.starts_with(":+") => filled.map_or_else(String::new, |_| word(2)),
            _ if operator.starts_with('+') => value.map_or_else(String::new, |_| word(1)),
            _ => return None,
        };
        Some((value, end + 2))
    }

    /// The value of `name`; nothing if it is to stay as it is written.
    fn known_or_empty(&self, name: &str) -> Option<String> {
        let is_upper = !name.contains(|c: char| c.is_ascii_lowercase());
        self.get(name).or_else(|| is_upper.then(String::new))
    }

    /// The value of `name` in the lines above, or else in the environment.
    fn get(&self, name: &str) -> Option<String> {
        let above = self.index.get(name).map(|at| &self.known[*at].1);
        above.cloned().or_else(|| (self.outside)(name))
    }
}

/// Whether no more than a comment stands on the line that `rest` begins in.
fn is_end(rest: &str) -> bool {
    let line = rest.split('\n').next().unwrap_or_default().trim_start();
    line.is_empty() || line.starts_with('#')
}

/// What `\` before `sign` stands for.
fn escape(sign: char) -> char {
    match sign {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        other => other,
    }
}

/// The name of a variable that `text` begins with.
fn name_at(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let name = &text[..end];
    (!name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit())).then_some(name)
}

/// For each brace after `$` that is closed again, how much stands in the braces.
fn closed_braces(text: &str) -> HashMap<usize, usize> {
    let (mut open, mut closed) = (Vec::new(), HashMap::new());
    for (at, sign) in text.char_indices() {
        match sign {
            '{' if text[..at].ends_with('$') => open.push(at),
            '}' => {
                if let Some(start) = open.pop() {
                    closed.insert(start, at - start - 1);
                }
            }
            _ => {}
        }
    }
    closed
}

/// Leaves behind what comes before the byte `to`.
fn skip(signs: &mut Peekable<CharIndices<'_>>, to: usize) {
    while signs.next_if(|(at, _)| *at < to).is_some() {}
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(text: &str) -> (usize, &'static str) {
        let flaw = parse(text, &|_| None).unwrap_err();
        (flaw.line, flaw.why)
    }

    #[test]
    fn what_grows_without_end_is_refused_with_its_line() {
        let tripling = |at: usize| format!("A{}=$A{at}$A{at}$A{at}\n", at + 1);
        let tripled: String = (0..40).map(tripling).collect();
        let (line, why) = refused(&format!("A0=xxxxxxxxxx\n{tripled}"));
        assert!(line < 20 && why.contains("1 MiB"), "{line} {why}");
        let doubled = "A=\"$A$A\"\n".repeat(60);
        assert!(refused(&format!("A=xxxxxxxxxx\n{doubled}")).1.contains("1 MiB"));
        let nested = format!("A={}x{}\n", "${A:-".repeat(100_000), "}".repeat(100_000));
        assert_eq!(refused(&nested), (1, "nests the defaults of variables too deeply"));
        let open = format!("A={}\n", "${A".repeat(100_000));
        assert!(parse(&open, &|_| None).is_ok());
        let many: String = (0..60_000).map(|at| format!("A{at}=1\n")).collect();
        assert_eq!(parse(&many, &|_| None).unwrap().len(), 60_000);
    }

    fn outside(name: &str) -> Option<String> {
        match name {
            "HOME" => Some("/home/ann".into()),
            "EMPTY" => Some(String::new()),
            "HOST" => Some("outside".into()),
            _ => None,
        }
    }

    /// Each variable as `NAME=value`, or what is wrong.
    fn read(text: &str) -> Vec<String> {
        match parse(text, &outside) {
            Ok(read) => read.iter().map(|(name, value)| format!("{name}={value}")).collect(),
            Err(DotenvError { line, why }) => vec![format!("line {line} {why}")],
        }
    }

    #[test]
    fn variables_are_read_as_people_write_them() {
        for (text, expected) in [
            ("# c\nA=1\n\n  B = two words # c", &["A=1", "B=two words"][..]),
            ("export A=1\nexport\tB=2\nexport=3", &["A=1", "B=2", "export=3"]),
            ("A: yaml\nB: 'x: y'\nC=a:b", &["A=yaml", "B=x: y", "C=a:b"]),
            ("A=\nB=''\nC= # c\nD=#x\nE=a#b", &["A=", "B=", "C=", "D=#x", "E=a#b"]),
            ("\u{feff}A=1\r\nB=2\r\n", &["A=1", "B=2"]),
            ("A='$HOME # \\n' # c", &["A=$HOME # \\n"]),
            ("A='it\\'s' \nB='C:\\dir\\'", &["A=it\\'s", "B=C:\\dir\\"]),
            ("A=\"a\\n\\\"b\\\"\\\\\\t\\x\" # c", &["A=a\n\"b\"\\\tx"]),
            ("A=\"one\ntwo # x\n\"\nB='1\r\n2'\nC=3", &["A=one\ntwo # x\n", "B=1\n2", "C=3"]),
            ("A=1\nB=2\nA=3", &["A=3", "B=2"]),
            ("A=x=y==\nB=\"{\\\"a\\\": [1]}\"", &["A=x=y==", "B={\"a\": [1]}"]),
            ("", &[]),
        ] {
            assert_eq!(read(text), expected, "{text:?}");
        }
    }

    #[test]
    fn references_are_expanded_from_above_and_from_outside() {
        for (text, expected) in [
            ("HOST=h\nA=$HOST/x\nB=\"${HOST}:1\"", &["HOST=h", "A=h/x", "B=h:1"][..]),
            ("A=${HOST}\nHOST=later", &["A=outside", "HOST=later"]),
            ("A=$HOME/x\nB='${HOME}'", &["A=/home/ann/x", "B=${HOME}"]),
            ("A=[$NOBODY][${NOBODY}]", &["A=[][]"]),
            ("name=n\nA=$name${name}", &["name=n", "A=nn"]),
            (
                "A=pa$word\nB=$2y$10$abc\nC=${x y}\nD=$(date)\nE=a$",
                &["A=pa$word", "B=$2y$10$abc", "C=${x y}", "D=$(date)", "E=a$"],
            ),
            ("A=\\$HOME\nB=\"\\$HOME \\\\$HOME\"", &["A=$HOME", "B=$HOME \\/home/ann"]),
            ("A=${X:-d}${X-e}${EMPTY:-f}${EMPTY-g}", &["A=def"]),
            ("A=${HOME:+set}${X:+no}${EMPTY+e}${EMPTY:+no}", &["A=sete"]),
            ("A=${X:-${Y:-${HOME}/z}}!\nB=${X:-a b}", &["A=/home/ann/z!", "B=a b"]),
            ("A=${HOME\nB=\"${X:-\"", &["A=${HOME", "B=${X:-"]),
            // What an expansion gives is not expanded again.
            ("A='$HOME'\nB=$A", &["A=$HOME", "B=$HOME"]),
        ] {
            assert_eq!(read(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_no_variable_is_told_with_its_line() {
        for (text, expected) in [
            ("\nx", "line 2 is not a variable"),
            ("a b=c", "line 1 is not a variable"),
            ("=x", "line 1 is not a variable"),
            ("export A", "line 1 is not a variable"),
            ("A=1\n\nB='x\ny", "line 3 opens a quote that no line closes"),
            ("A=\"x\\\"", "line 1 opens a quote that no line closes"),
            ("A=\"x\ny\" z", "line 2 goes on after the closing quote"),
            ("A=1\nB=\"\0\"", "line 2 holds a zero byte, which no variable can"),
            ("A=\u{b}\u{1}x\n", "line 1 holds a byte 0x01 or 0x02, which forge does not pass on"),
        ] {
            assert_eq!(read(text), [expected], "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_single_quoted_value_is_what_it_was(value in "[^'\0\x01\x02\r]{0,20}") {
            let text = format!("A='{value}'\nB=1\n");
            prop_assume!(!value.ends_with('\\'));
            prop_assert_eq!(read(&text), vec![format!("A={value}"), "B=1".into()]);
        }

        #[test]
        fn nothing_panics(text in "(\\PC|[\\\\$\\{\\}'\"=:#\n\r -]|A|export ){0,24}") {
            let _ = parse(&text, &outside);
        }
    }
}
