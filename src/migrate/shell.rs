//! What a script of the shell runs, as far as its text says so: enough to tell a script that only
//! keeps books from one that does something else too.

use std::collections::BTreeSet;

/// Words that begin, end or join commands without being any.
const KEYWORDS: &[&str] =
    &["if", "then", "else", "elif", "fi", "while", "until", "do", "done", "{", "}", "!", "time", "esac", "exec"];

/// The programs, functions and builtins that stand where commands stand in `script`.
pub(super) fn programs(script: &str) -> BTreeSet<String> {
    let mut scan = Scan { found: BTreeSet::new(), defined: BTreeSet::new(), ends: Vec::new() };
    for line in script.lines() {
        scan.line(line);
    }
    &scan.found - &scan.defined
}

struct Scan {
    found: BTreeSet<String>,
    /// Functions of the script itself.
    defined: BTreeSet<String>,
    /// The words that end here-documents that were begun.
    ends: Vec<String>,
}

impl Scan {
    fn line(&mut self, line: &str) {
        if let Some(end) = self.ends.first() {
            if line.trim() == end {
                self.ends.remove(0);
            }
            return;
        }
        let mut at_command = true;
        let mut depth = 0_u32;
        let mut rest = line.trim_start();
        while !rest.is_empty() {
            let (word, after) = next(rest);
            rest = after;
            match word {
                "\n" | ";" | "|" | "&" | "$(" | "`" => at_command = true,
                "(" => (at_command, depth) = (true, depth + 1),
                ")" => depth = depth.saturating_sub(1),
                "#" => break,
                "<" | ">" => rest = self.redirect(rest),
                _ if !at_command => {}
                _ if KEYWORDS.contains(&word) => {}
                "for" | "case" => (rest, at_command) = (after_in(rest), word == "case"),
                _ if rest.starts_with("()") => {
                    self.defined.insert(word.to_owned());
                    rest = &rest[2..];
                }
                // A pattern of `case`.
                _ if rest.starts_with(')') && depth == 0 => rest = &rest[1..],
                _ if is_assignment(word) => {}
                _ => {
                    self.found.insert(unquoted(word));
                    at_command = false;
                }
            }
            rest = rest.trim_start_matches([' ', '\t']);
        }
    }

    fn redirect<'l>(&mut self, rest: &'l str) -> &'l str {
        let is_document = rest.starts_with('<');
        let rest = rest.trim_start_matches(['<', '>', '&', '-', ' ']);
        let (word, after) = next(rest);
        if is_document {
            self.ends.push(unquoted(word));
        }
        after
    }
}

/// The next word or sign of `text`, and what follows it.
fn next(text: &str) -> (&str, &str) {
    if text.starts_with("$(") && !text.starts_with("$((") {
        return text.split_at(2);
    }
    if text.starts_with([';', '|', '&', '(', ')', '<', '>', '`', '#']) {
        return text.split_at(1);
    }
    let mut quote = None;
    let mut signs = text.char_indices().peekable();
    while let Some((at, sign)) = signs.next() {
        let rest = &text[at..];
        match (quote, sign) {
            (_, '$') if rest.starts_with("$((") => {
                let end = rest.find("))").map_or(text.len(), |end| at + end + 2);
                while signs.next_if(|(at, _)| *at < end).is_some() {}
            }
            (_, '{') if rest.starts_with("{{") => {
                let end = rest.find("}}").map_or(text.len(), |end| at + end + 2);
                while signs.next_if(|(at, _)| *at < end).is_some() {}
            }
            (Some(open), sign) if open == sign => quote = None,
            // What is within text in double quotes runs too.
            (Some('"') | None, '$') if rest.starts_with("$(") && !rest.starts_with("$((") => {
                return if at == 0 { text.split_at(2) } else { text.split_at(at) };
            }
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(sign),
            (None, ' ' | '\t' | ';' | '|' | '&' | '(' | ')' | '<' | '>' | '`') if at > 0 => {
                return text.split_at(at);
            }
            _ => {}
        }
    }
    (text, "")
}

/// What follows the words of `for NAME in …` or `case WORD in`.
fn after_in(text: &str) -> &str {
    let end = text.find([';']).unwrap_or(text.len());
    match text.find(" in") {
        Some(at) if text[at + 3..].trim().is_empty() => "",
        _ => &text[end..],
    }
}

fn is_assignment(word: &str) -> bool {
    let name = word.split_once('=').map(|(name, _)| name);
    name.is_some_and(|name| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_'))
}

fn unquoted(word: &str) -> String {
    word.trim_matches(['"', '\'']).to_owned()
}

/// The words of one simple command, without their quotes.
pub(super) fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut depth = 0;
    for sign in line.chars() {
        match (quote, sign) {
            (_, '{') => depth += 1,
            (_, '}') => depth -= 1,
            (Some(open), sign) if open == sign && depth <= 0 => {
                quote = None;
                continue;
            }
            (None, '"' | '\'') if depth <= 0 => {
                quote = Some(sign);
                word.get_or_insert_default();
                continue;
            }
            (None, ' ' | '\t') if depth <= 0 => {
                words.extend(word.take());
                continue;
            }
            _ => {}
        }
        word.get_or_insert_default().push(sign);
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_script_runs_is_found() {
        for (script, expected) in [
            ("git clone --depth 1 {{.URL | trim}} dir", "git"),
            ("cd x && go build -o y . | tee log", "cd go tee"),
            ("sum=$( (sha256sum a 2>/dev/null || shasum a) | cut -d ' ' -f 1)", "cut sha256sum shasum"),
            ("if [ \"$a\" != b ]; then\n  echo \"x $(date)\" >&2; exit 1\nfi # rm", "[ date echo exit"),
            ("for s in a b; do task $s:test || f=\"$f $s\"; done", "task"),
            ("sum() { shasum \"$1\"; }\ncase $s in\n  nats) bin=x ;;\n  *) echo no ;;\nesac\nsum a", "echo shasum"),
            ("cat > f <<END\nrm -rf /\nEND\nA=1 ls", "cat ls"),
            ("until curl -f u > /dev/null; do\n n=$((n + 1))\n sleep 1\ndone", "curl sleep"),
            ("{\n echo a\n} > f\n'{{.BIN}} x' -c", "echo {{.BIN}} x"),
        ] {
            let found: Vec<_> = programs(script).into_iter().collect();
            assert_eq!(found.join(" "), expected, "{script}");
        }
    }

    #[test]
    fn words_come_without_their_quotes() {
        assert_eq!(words("go build -ldflags \"-s -w\" -o '{{ out }}/x' ."), ["go", "build", "-ldflags", "-s -w", "-o", "{{ out }}/x", "."]);
    }
}
