//! Regular expressions, in the syntax of the `regex` crate, which is that of Go but for a few
//! flags.

use minijinja::{Environment as Engine, Error};
use regex::{NoExpand, Regex};

use super::wrong;

pub fn add(engine: &mut Engine<'static>) {
    engine.add_test("matching", |text: &str, pattern: &str| -> Result<bool, Error> {
        Ok(regex(pattern)?.is_match(text))
    });
    engine.add_filter("regex_find", |text: &str, pattern: &str| -> Result<String, Error> {
        Ok(regex(pattern)?.find(text).map_or("", |found| found.as_str()).to_owned())
    });
    engine.add_filter(
        "regex_find_all",
        |text: &str, pattern: &str, most: Option<i64>| -> Result<Vec<String>, Error> {
            let pattern = regex(pattern)?;
            let found = pattern.find_iter(text).map(|found| found.as_str().to_owned());
            Ok(found.take(limit(most)).collect())
        },
    );
    engine.add_filter("regex_replace", replace);
    engine.add_filter(
        "regex_split",
        |text: &str, pattern: &str, most: Option<i64>| -> Result<Vec<String>, Error> {
            let pattern = regex(pattern)?;
            match limit(most) {
                usize::MAX => Ok(pattern.split(text).map(str::to_owned).collect()),
                most => Ok(pattern.splitn(text, most).map(str::to_owned).collect()),
            }
        },
    );
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
    Ok(match is_literal {
        true => pattern.replace_all(text, NoExpand(new)).into_owned(),
        false => pattern.replace_all(text, new).into_owned(),
    })
}

/// How many at most; all if the number is absent or below zero.
fn limit(most: Option<i64>) -> usize {
    most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX)
}

fn regex(pattern: &str) -> Result<Regex, Error> {
    Regex::new(pattern).map_err(|error| {
        let why = error.to_string();
        let last = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        wrong(format!("`{pattern}` is no regular expression: {last}"))
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
        fail(&[("{{ 'x' | regex_find('(') }}", "is no regular expression: unclosed group")]);
    }
}
