//! `.dockerignore` (Dockerfile reference, ".dockerignore files"): which files of a context an engine does
//! not see. The last pattern that fits a file or a folder above it decides.

/// The patterns of a `.dockerignore`.
#[derive(Clone, Debug, Default)]
pub(super) struct DockerIgnore(Vec<(bool, Vec<String>)>);

impl DockerIgnore {
    pub(super) fn parse(text: &str) -> Self {
        let lines = text.trim_start_matches('\u{feff}').lines();
        let lines = lines.filter(|line| !line.starts_with('#')).map(str::trim);
        let pattern = |line: &str| {
            let (is_kept, line) = match line.strip_prefix('!') {
                Some(rest) => (true, rest.trim()),
                None => (false, line),
            };
            let mut parts: Vec<String> = Vec::new();
            for part in line.split('/').filter(|part| !part.is_empty() && *part != ".") {
                match part {
                    ".." => drop(parts.pop()),
                    part => parts.push(part.to_owned()),
                }
            }
            (!parts.is_empty()).then_some((is_kept, parts))
        };
        Self(lines.filter_map(pattern).collect())
    }

    /// Whether the file at `path`, relative to the context, stays out.
    pub(super) fn ignores(&self, path: &str) -> bool {
        let parts: Vec<&str> = path.split('/').collect();
        let fits = |pattern: &Vec<String>| {
            (1..=parts.len()).any(|length| fits_all(pattern, &parts[..length]))
        };
        self.0.iter().rev().find(|(_, pattern)| fits(pattern)).is_some_and(|(is_kept, _)| !is_kept)
    }
}

/// Whether `pattern` fits `path`; `**` fits any number of folders.
fn fits_all(pattern: &[String], path: &[&str]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == "**" => {
            if rest.is_empty() {
                return !path.is_empty();
            }
            (0..=path.len()).any(|skipped| fits_all(rest, &path[skipped..]))
        }
        (Some((first, rest)), Some((name, below))) => {
            let (first, name): (Vec<char>, Vec<char>) =
                (first.chars().collect(), name.chars().collect());
            fits_one(&first, &name) && fits_all(rest, below)
        }
        _ => false,
    }
}

/// Whether `pattern` fits the one name `name` (Go's `filepath.Match`).
fn fits_one(pattern: &[char], name: &[char]) -> bool {
    match pattern {
        [] => name.is_empty(),
        ['*', rest @ ..] => (0..=name.len()).any(|skipped| fits_one(rest, &name[skipped..])),
        ['?', rest @ ..] => !name.is_empty() && fits_one(rest, &name[1..]),
        ['[', rest @ ..] => {
            let Some(end) = rest.iter().skip(1).position(|c| *c == ']').map(|at| at + 1) else {
                return false;
            };
            let Some((first, below)) = name.split_first() else { return false };
            is_one_of(&rest[..end], *first) && fits_one(&rest[end + 1..], below)
        }
        ['\\', literal, rest @ ..] | [literal, rest @ ..] => {
            name.first() == Some(literal) && fits_one(rest, &name[1..])
        }
    }
}

/// Whether `c` is in the class between two brackets.
fn is_one_of(class: &[char], c: char) -> bool {
    let (is_negated, mut class) = match class {
        ['^', rest @ ..] => (true, rest),
        class => (false, class),
    };
    let mut is_in = false;
    while let [first, rest @ ..] = class {
        (is_in, class) = match rest {
            ['-', last, rest @ ..] => (is_in || (*first..=*last).contains(&c), rest),
            rest => (is_in || *first == c, rest),
        };
    }
    is_in != is_negated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_pattern_that_fits_decides() {
        let text =
            "# no\n*/temp*\n/build/\n**/*.go\n!cmd/main.go\ndocs/**\n!docs/a.md\na?c\n[x-z]1\n";
        let ignore = DockerIgnore::parse(text);
        for (path, is_ignored) in [
            ("a/temporary", true),
            ("a/temp/deep/file", true),
            ("temp", false),
            ("build/out/x", true),
            ("sub/build/x", false),
            ("x.go", true),
            ("a/b/x.go", true),
            ("cmd/main.go", false),
            ("docs/b.md", true),
            ("docs/a.md", false),
            ("docs", false),
            ("abc", true),
            ("ac", false),
            ("y1", true),
            ("w1", false),
            ("# no", false),
        ] {
            assert_eq!(ignore.ignores(path), is_ignored, "{path}");
        }
        let all_but = DockerIgnore::parse("*\n!src\n");
        assert!(all_but.ignores("README.md") && !all_but.ignores("src/main.rs"));
    }
}
