//! Regular expressions, in the syntax of the `regex` crate, which is that of Go but for a few
//! flags.

use minijinja::{Error, Value};
use regex::{Regex, RegexBuilder};

use super::{super::engine::TemplateEngine, wrong};

/// How large a compiled pattern may be, in bytes.
const MAX_PATTERN: usize = 256 << 10;
/// How long a text may become in which a pattern is replaced.
const MAX_REPLACED: usize = 4 << 20;

pub fn add(engine: &mut TemplateEngine) {
    let matching =
        |text: &str, pattern: &str| -> Result<bool, Error> { Ok(regex(pattern)?.is_match(text)) };
    engine.add_growing_test("matching", matching, searched);
    let find = |text: &str, pattern: &str| -> Result<String, Error> {
        Ok(regex(pattern)?.find(text).map_or("", |found| found.as_str()).to_owned())
    };
    engine.add_growing_filter("regex_find", find, searched);
    let find_all = |text: &str, pattern: &str, most: Option<i64>| -> Result<Vec<String>, Error> {
        let pattern = regex(pattern)?;
        let found = pattern.find_iter(text).map(|found| found.as_str().to_owned());
        Ok(found.take(limit(most)).collect())
    };
    engine.add_growing_filter("regex_find_all", find_all, searched);
    engine.add_growing_filter("regex_replace", replace, searched);
    let split = |text: &str, pattern: &str, most: Option<i64>| -> Result<Vec<String>, Error> {
        let pattern = regex(pattern)?;
        match limit(most) {
            usize::MAX => Ok(pattern.split(text).map(str::to_owned).collect()),
            most => Ok(pattern.splitn(text, most).map(str::to_owned).collect()),
        }
    };
    engine.add_growing_filter("regex_split", split, searched);
}

#[expect(clippy::needless_pass_by_value, reason = "minijinja hands them over")]
fn replace(
    text: &str,
    pattern: &str,
    new: &str,
    options: minijinja::value::Kwargs,
) -> Result<String, Error> {
    let is_literal = options.get::<Option<bool>>("literal")?.unwrap_or(false);
    options.assert_all_used()?;
    let pattern = regex(pattern)?;
    let groups = if is_literal { 0 } else { new.matches('$').count() };
    let mut replaced = String::new();
    let mut rest = 0;
    for found in pattern.captures_iter(text) {
        let whole = found.get_match();
        replaced.push_str(&text[rest..whole.start()]);
        let most = new.len().saturating_add(whole.len().saturating_mul(groups));
        if replaced.len().saturating_add(most) > MAX_REPLACED {
            return Err(wrong(format!(
                "`{pattern}` replaced makes more than {MAX_REPLACED} bytes"
            )));
        }
        match is_literal {
            true => replaced.push_str(new),
            false => found.expand(new, &mut replaced),
        }
        rest = whole.end();
    }
    replaced.push_str(&text[rest..]);
    Ok(replaced)
}

/// What compiling a pattern and searching a text for it costs: what repeats in it makes it larger
/// than it looks.
fn searched(all: &[Value]) -> u64 {
    let length = |at: usize| all.get(at).and_then(Value::as_str).map_or(0, str::len) as u64;
    let pattern = all.get(1).and_then(Value::as_str).unwrap_or_default();
    let repeats =
        pattern.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse::<u64>().ok());
    let size = repeats.filter(|n| *n > 1).fold(length(1), u64::saturating_mul).min(8 << 10);
    (16 << 10) + 64 * size + length(0) * (length(1) + size) / 64
}

/// How many at most; all if the number is absent or below zero.
fn limit(most: Option<i64>) -> usize {
    most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX)
}

fn regex(pattern: &str) -> Result<Regex, Error> {
    RegexBuilder::new(pattern).size_limit(MAX_PATTERN).build().map_err(|error| {
        let why = error.to_string();
        let last = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        wrong(format!("`{pattern}` is not a regular expression: {last}"))
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{fail, give};

    #[test]
    fn patterns_find_replace_and_split() {
        give(&[
            ("{{ 'v1.2' is matching('^v\\\\d') }} {{ 'x' is matching('^v') }}", "true false"),
            ("{{ 'a1b22' | regex_find('[0-9]+') }}[{{ 'a' | regex_find('z') }}]", "1[]"),
            ("{{ 'a1b22' | regex_find_all('[0-9]+') | join(' ') }}", "1 22"),
            ("{{ 'a1b22' | regex_find_all('[0-9]+', 1) | join(' ') }}", "1"),
            ("{{ 'a1b22' | regex_find_all('[0-9]+', -1) | join(' ') }}", "1 22"),
            ("{{ 'a-b' | regex_replace('(a)-(b)', '${2}+$1') }}", "b+a"),
            ("{{ 'a-b' | regex_replace('-', '$1', literal=true) }}", "a$1b"),
            ("{{ 'a, b,c' | regex_split(', *') | join('|') }}", "a|b|c"),
            ("{{ 'a,b,c' | regex_split(',', 2) | join('|') }}", "a|b,c"),
        ]);
        fail(&[("{{ 'x' | regex_find('(') }}", "is not a regular expression: unclosed group")]);
    }
}
