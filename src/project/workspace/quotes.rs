//! Putting a path into a shell command so that it stays itself, whatever it holds.
//!
//! `cp {{ src }}/a "{{ out }}/a"` has to work in `/home/me/my projects/it's here` too. So
//! a reader follows the quotes of the command up to each place, and the path is
//! escaped for where it stands: bare, in `"…"`, or in `'…'`. Paths of plain characters, as
//! nearly all are, come out as they are.
//!
//! The reader knows quotes, `$(…)`, parentheses and comments. What it does not know
//! (backquotes, here-documents, the `)` of a `case`) reads as what stands around it: at worst such a
//! path is escaped for the wrong place, and was not escaped at all without the reader.

/// What the text at some point of a command stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    Bare,
    Double,
    Single,
}

/// Follows the quotes of a command.
#[derive(Debug)]
pub(super) struct Quotes {
    /// From the outermost to where the reader is; never empty.
    within: Vec<Within>,
    last: char,
    comment: bool,
}

impl Quotes {
    /// At the beginning of a command.
    pub(super) fn new() -> Self {
        Self { within: vec![Within::Bare], last: '\n', comment: false }
    }

    /// Reads on.
    pub(super) fn read(&mut self, text: &str) {
        for c in text.chars() {
            self.step(c);
        }
    }

    fn step(&mut self, c: char) {
        let before = std::mem::replace(&mut self.last, c);
        if self.comment {
            self.comment = c != '\n';
            return;
        }
        // An escaped character means nothing, and escapes nothing after it.
        if before == '\\' && self.innermost() != Within::Single {
            self.last = ' ';
            return;
        }
        match (self.innermost(), c) {
            (Within::Single, '\'') | (Within::Double, '"') | (Within::Bare, ')') => self.leave(),
            (Within::Bare, '\'') => self.within.push(Within::Single),
            (Within::Bare, '"') => self.within.push(Within::Double),
            (Within::Bare, '#') => self.comment = before.is_whitespace() || ";&|(".contains(before),
            (Within::Bare, '(') => self.within.push(Within::Bare),
            (Within::Double, '(') if before == '$' => self.within.push(Within::Bare),
            _ => {}
        }
    }

    fn innermost(&self) -> Within {
        self.within.last().copied().unwrap_or(Within::Bare)
    }

    fn leave(&mut self) {
        if self.within.len() > 1 {
            self.within.pop();
        }
    }

    /// `path`, escaped for where the reader is. What follows is in the same word.
    pub(super) fn protect(&mut self, path: &str) -> String {
        self.last = '/';
        let is_plain = |c: char| c.is_alphanumeric() || "/._-+@%,:=".contains(c);
        let escape = |needs: &dyn Fn(char) -> bool| {
            let mut escaped = String::with_capacity(path.len());
            for c in path.chars() {
                if needs(c) {
                    escaped.push('\\');
                }
                escaped.push(c);
            }
            escaped
        };
        match self.innermost() {
            _ if path.chars().all(is_plain) => path.to_owned(),
            Within::Bare => escape(&|c| !is_plain(c)),
            Within::Double => escape(&|c| "\"\\$`".contains(c)),
            Within::Single => path.replace('\'', r"'\''"),
        }
    }

    /// A reference to the variable `name`, which holds `value`, for where the reader is.
    pub(super) fn variable(&mut self, name: &str, value: &str) -> String {
        self.last = '}';
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%,:=".contains(c);
        match self.innermost() {
            // Without quotes it is right in a here-document too.
            Within::Bare if !value.is_empty() && value.chars().all(is_plain) => {
                format!("${{{name}}}")
            }
            Within::Bare => format!("\"${{{name}}}\""),
            Within::Double => format!("${{{name}}}"),
            Within::Single => format!("'\"${{{name}}}\"'"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// What `sh` prints for a command in which `@` stands for `path`.
    fn printed(command: &str, path: &str) -> String {
        let mut quotes = Quotes::new();
        let mut line = String::new();
        for (index, part) in command.split('@').enumerate() {
            if index > 0 {
                line.push_str(&quotes.protect(path));
            }
            quotes.read(part);
            line.push_str(part);
        }
        let output = Command::new("sh").args(["-c", &line]).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn a_path_stays_itself_in_bare_words_and_in_all_quotes() {
        let paths = [
            "/plain/path-1.0",
            "/my projects/x",
            "/it's here/x",
            "/a \"quoted\" $HOME `id` \\ one/x",
            "/ünï (code) [x]*?/#x",
            "/a;b&c|d<e>f~g!h{i}j/x",
        ];
        let commands = [
            "printf '%s' @/y",
            "printf '%s' \"@/y\"",
            "printf '%s' '@/y'",
            "printf '%s' \"$(printf '%s' \"@/y\")\"",
            "# it's a comment\nprintf '%s' @/y",
            "(printf '%s' @/y)",
            "x=\"\\\"@/y\"; printf '%s' \"${x#?}\"",
            "echo @#\\' > /dev/null; printf '%s' @/y",
            "echo \\' \"a'b\" 'c\"d' > /dev/null; printf '%s' @/y",
            "x=@/y; printf '%s' \"$x\"",
            "echo ${#x} a#b > /dev/null; printf '%s' \"@\"/y",
        ];
        for path in paths {
            for command in commands {
                assert_eq!(printed(command, path), format!("{path}/y"), "{command}");
            }
        }
    }
}
