//! What a script of the shell runs, as far as its text says so: enough to tell a script that only
//! keeps books from one that does something else too.

use std::collections::BTreeSet;

use crate::taskfile::FOLD;

/// Words that begin, end or join commands without being any.
const KEYWORDS: &[&str] = &[
    "if", "then", "else", "elif", "fi", "while", "until", "do", "done", "{", "}", "!", "time",
    "esac", "exec",
];

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
        let mut rest = line.trim_start();
        // Per parenthesis that is open, whether it stands within text in quotes.
        let mut open: Vec<bool> = Vec::new();
        let mut in_quotes = false;
        while !rest.is_empty() {
            let (word, after) = next_in(rest, in_quotes);
            rest = after;
            in_quotes ^= word.matches('"').count() % 2 == 1;
            match word {
                "\n" | ";" | "|" | "&" | "`" => at_command = true,
                "(" | "$(" => {
                    at_command = true;
                    open.push(std::mem::take(&mut in_quotes));
                }
                ")" => in_quotes = open.pop().unwrap_or(false),
                "#" => break,
                "<" | ">" => rest = self.redirect(rest),
                _ if !at_command => {}
                // A descriptor before `<` or `>`.
                _ if rest.starts_with(['<', '>'])
                    && word.chars().all(|sign| sign.is_ascii_digit()) => {}
                _ if KEYWORDS.contains(&word) => {}
                "for" | "case" => (rest, at_command) = (after_in(rest), word == "case"),
                _ if rest.starts_with("()") => {
                    self.defined.insert(word.to_owned());
                    rest = &rest[2..];
                }
                // A pattern of `case`.
                _ if rest.starts_with(')') && open.is_empty() => rest = &rest[1..],
                _ if is_assignment(word) => {}
                // A line goes on.
                "\\" => {}
                _ => {
                    self.found.insert(unquoted(word));
                    at_command = false;
                }
            }
            if !in_quotes {
                rest = rest.trim_start_matches([' ', '\t', FOLD]);
            }
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
    next_in(text, false)
}

/// The same, where `text` may begin within double quotes.
fn next_in(text: &str, in_quotes: bool) -> (&str, &str) {
    if text.starts_with("$(") && !text.starts_with("$((") {
        return text.split_at(2);
    }
    if !in_quotes && text.starts_with([';', '|', '&', '(', ')', '<', '>', '`', '#']) {
        return text.split_at(1);
    }
    let mut quote = in_quotes.then_some('"');
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
            (None, '"' | '\'') => quote = Some(sign),
            (None, ' ' | '\t' | FOLD | ';' | '|' | '&' | '(' | ')' | '<' | '>' | '`') if at > 0 => {
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
    // Elements of arrays too: `NAMES[key]=value`.
    let name = name.map(|name| name.split_once('[').map_or(name, |(name, _)| name));
    name.is_some_and(|name| {
        !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_')
    })
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
    let mut before = ' ';
    for sign in line.chars() {
        let last = std::mem::replace(&mut before, sign);
        match (quote, sign) {
            (_, '{') => depth += 1,
            (_, '(') if last == '$' || depth > 0 => depth += 1,
            (_, '}' | ')') if depth > 0 => depth -= 1,
            (Some(open), sign) if open == sign && depth <= 0 => {
                quote = None;
                continue;
            }
            (None, '"' | '\'') if depth <= 0 => {
                quote = Some(sign);
                word.get_or_insert_default();
                continue;
            }
            (None, ' ' | '\t' | FOLD) if depth <= 0 => {
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

/// Programs that do the same wherever they run, but for the paths they are given.
const ROOTED: &[&str] = &[
    "[", ":", "awk", "cat", "command", "continue", "cp", "curl", "cut", "date", "echo", "exit",
    "false", "forge", "grep", "kill", "mkdir", "mv", "nc", "pgrep", "pkill", "printf", "read",
    "rm", "sed", "sleep", "sort", "tail", "tar", "test", "touch", "tr", "true", "wc", "wget",
];
/// Those whose plain words are paths.
const OF_FILES: &[&str] = &["cat", "cp", "mkdir", "mv", "rm", "tar", "touch"];

/// Whether a script does the same wherever it runs, as far as its text says so: its programs do not look
/// around, and no path in it is relative. Programs that are called by their path are taken to be so too,
/// and so are those of `others`.
pub fn is_rooted(script: &str, others: &[&str]) -> bool {
    let knows = |program: &String| {
        ROOTED.contains(&program.as_str())
            || others.contains(&program.as_str())
            || program.starts_with("{{.ROOT_DIR}}/")
    };
    programs(script).iter().all(knows) && without_documents(script).all(is_line_rooted)
}

/// Whether a script may run something in another folder than its own.
pub fn changes_folder(script: &str) -> bool {
    let is_part = |sign: char| sign.is_alphanumeric() || sign == '-';
    let mut words = script.split(|sign| !is_part(sign));
    words.any(|word| matches!(word, "cd" | "pushd" | "popd" | "-C"))
}

fn is_line_rooted(line: &str) -> bool {
    let words = words(line);
    let mut program = "";
    let mut before = "";
    for word in words.iter().filter(|word| !word.starts_with("<<")) {
        let word = if is_assignment(word) {
            word.split_once('=').map_or(word.as_str(), |(_, value)| value)
        } else {
            word
        };
        let bare =
            word.rsplit(['>', '<']).next().unwrap_or(word).trim_matches(['(', ')', ';', '"', '\'']);
        let is_path = bare.contains('/') || matches!(bare, "." | "..");
        let is_free = bare.is_empty()
            || bare.starts_with(['/', '~', '$', '-', '|', '&', '{'])
            || bare.contains("://");
        let is_file = OF_FILES.contains(&program) && before != "-C" && !is_tar_member(&words, word)
            || matches!(before, "-f" | "-d" | "-x" | "-e" | "-s")
                && matches!(program, "test" | "[");
        let is_redirected =
            word.contains('>') && word != ">" && !word.contains(">&") && !word.contains("$(");
        if (is_path || is_file || is_redirected) && !is_free && bare != program {
            return false;
        }
        if before == ">" && !is_free {
            return false;
        }
        if ROOTED.contains(&bare) && !is_file {
            program = ROOTED.iter().find(|one| **one == bare).copied().unwrap_or_default();
        } else if matches!(word, "&&" | "||" | "|" | ";" | "then" | "do") {
            program = "";
        }
        before = word;
    }
    true
}

/// Whether `word` stands behind `-C DIR` of `tar`: it is looked for there.
fn is_tar_member(words: &[String], word: &str) -> bool {
    let of_tar = words.iter().any(|one| one == "tar");
    let at = words.iter().position(|one| one == "-C");
    let own = words.iter().position(|one| one == word);
    of_tar
        && (words.get(1).is_some_and(|one| one == word)
            || matches!((at, own), (Some(at), Some(own)) if own > at + 1))
}

/// The lines of a script without its here-documents.
fn without_documents(script: &str) -> impl Iterator<Item = &str> {
    let mut end: Option<String> = None;
    script.lines().filter(move |line| match &end {
        Some(word) => {
            if line.trim() == word {
                end = None;
            }
            false
        }
        None => {
            let begun = line.split_once("<<").filter(|(_, rest)| !rest.starts_with('<'));
            end = begun.map(|(_, rest)| unquoted(next(rest.trim_start_matches(['-', ' '])).0));
            true
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_script_runs_is_found() {
        for (script, expected) in [
            ("git clone --depth 1 {{.URL | trim}} dir", "git"),
            ("cd x && go build -o y . | tee log", "cd go tee"),
            (
                "sum=$( (sha256sum a 2>/dev/null || shasum a) | cut -d ' ' -f 1)",
                "cut sha256sum shasum",
            ),
            (
                "if [ \"$a\" != b ]; then\n  echo \"x $(date)\" >&2; exit 1\nfi # rm",
                "[ date echo exit",
            ),
            ("for s in a b; do task $s:test || f=\"$f $s\"; done", "task"),
            (
                "sum() { shasum \"$1\"; }\ncase $s in\n  nats) bin=x ;;\n  *) echo no ;;\nesac\nsum a",
                "echo shasum",
            ),
            ("cat > f <<END\nrm -rf /\nEND\nA=1 ls", "cat ls"),
            ("until curl -f u > /dev/null; do\n n=$((n + 1))\n sleep 1\ndone", "curl sleep"),
            ("{\n echo a\n} > f\n'{{.BIN}} x' -c", "echo {{.BIN}} x"),
        ] {
            let found: Vec<_> = programs(script).into_iter().collect();
            assert_eq!(found.join(" "), expected, "{script}");
        }
    }

    #[test]
    fn a_script_that_names_no_relative_path_runs_anywhere() {
        for (script, expected) in [
            ("curl -fs http://x/y > /dev/null && echo fine", true),
            ("mkdir -p {{.ROOT_DIR}}/a", true),
            ("mkdir -p a", false),
            ("{{.ROOT_DIR}}/bin/x -c {{.ROOT_DIR}}/c.conf -t", true),
            ("{{.ROOT_DIR}}/bin/x new content/a.md", false),
            ("{{.ROOT_DIR}}/bin/x --store ./releases", false),
            ("go test ./...", false),
            ("git status", false),
            ("tar czf {{.ROOT_DIR}}/x.tar.gz -C {{.ROOT_DIR}}/d data", true),
            ("tar czf x.tar.gz -C {{.ROOT_DIR}}/d data", false),
            ("cat > {{.ROOT_DIR}}/f <<END\nstore: ./a\nEND", true),
            ("echo x > f", false),
            ("(exec 3<>/dev/tcp/1/2) 2>/dev/null || nc -z 1 2", true),
            ("test -f a || exit 1", false),
        ] {
            assert_eq!(is_rooted(script, &[]), expected, "{script}");
        }
    }

    #[test]
    fn words_come_without_their_quotes() {
        assert_eq!(
            words("go build -ldflags \"-s -w\" -o '{{ out }}/x' ."),
            ["go", "build", "-ldflags", "-s -w", "-o", "{{ out }}/x", "."]
        );
    }
}
