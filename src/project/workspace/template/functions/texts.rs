//! Texts: cut, cased, quoted.

use minijinja::{Error, Value};

use super::{super::engine::TemplateEngine, text, wrong};

pub fn add(engine: &mut TemplateEngine) {
    engine.add_filter("remove_prefix", |text: &str, prefix: &str| {
        text.strip_prefix(prefix).unwrap_or(text).to_owned()
    });
    engine.add_filter("remove_suffix", |text: &str, suffix: &str| {
        text.strip_suffix(suffix).unwrap_or(text).to_owned()
    });
    engine.add_filter("trim_start", |text: &str, signs: Option<&str>| match signs {
        Some(signs) => text.trim_start_matches(|c| signs.contains(c)).to_owned(),
        None => text.trim_start().to_owned(),
    });
    engine.add_filter("trim_end", |text: &str, signs: Option<&str>| match signs {
        Some(signs) => text.trim_end_matches(|c| signs.contains(c)).to_owned(),
        None => text.trim_end().to_owned(),
    });
    engine.add_filter("untitle", |text: &str| each_word(text, first_lower));
    engine.add_filter("camel_case", |text: &str| {
        words(text).iter().map(|word| first_upper(word)).collect::<String>()
    });
    engine.add_filter("snake_case", |text: &str| words(text).join("_"));
    engine.add_filter("kebab_case", |text: &str| words(text).join("-"));
    engine.add_filter("quote", |value: &Value| quoted(&text(value)));
    engine.add_filter("squote", |value: &Value| format!("'{}'", text(value)));
    engine.add_filter("shell_quote", |value: &Value| shell_quoted(&text(value)));
    engine.add_filter("split_args", split_args);
}

fn each_word(text: &str, change: fn(&str) -> String) -> String {
    text.split(' ').map(change).collect::<Vec<_>>().join(" ")
}

fn first_lower(word: &str) -> String {
    let mut signs = word.chars();
    signs.next().map_or_else(String::new, |c| c.to_lowercase().chain(signs).collect())
}

fn first_upper(word: &str) -> String {
    let mut signs = word.chars();
    signs.next().map_or_else(String::new, |c| c.to_uppercase().chain(signs).collect())
}

/// The words of a name, in small letters, whether it is written `aName`, `a_name` or `a-name`.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for sign in text.chars() {
        let begins = sign.is_uppercase() && (before.is_lowercase() || before.is_numeric());
        if !sign.is_alphanumeric() || begins {
            words.push(String::new());
        }
        if let (true, Some(word)) = (sign.is_alphanumeric(), words.last_mut()) {
            word.extend(sign.to_lowercase());
        }
        before = sign;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// In double quotes, as Go, JSON and YAML read it.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// As a shell takes it for one word.
fn shell_quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The words of a text, as a shell takes them; nothing in them is expanded.
fn split_args(text: &str) -> Result<Vec<String>, Error> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut signs = text.chars();
    while let Some(sign) = signs.next() {
        match (quote, sign) {
            (Some(open), close) if open == close => quote = None,
            (Some('\''), other) => word.get_or_insert_default().push(other),
            (open, '\\') => {
                let next = signs.next().ok_or_else(|| wrong("a `\\` ends the text"))?;
                let word = word.get_or_insert_default();
                if open.is_some() && !"\"\\$`\n".contains(next) {
                    word.push('\\');
                }
                if next != '\n' {
                    word.push(next);
                }
            }
            (None, '\'' | '"') => {
                quote = Some(sign);
                word.get_or_insert_default();
            }
            (None, blank) if blank.is_whitespace() => words.extend(word.take()),
            (_, other) => word.get_or_insert_default().push(other),
        }
    }
    if quote.is_some() {
        return Err(wrong("a quote is not closed"));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{fail, give};

    #[test]
    fn texts_are_cut_only_where_they_match() {
        give(&[
            ("{{ 'v1.2' | remove_prefix('v') }} {{ '1.2' | remove_prefix('v') }}", "1.2 1.2"),
            ("{{ 'a.go' | remove_suffix('.go') }} {{ 'vv' | remove_prefix('v') }}", "a v"),
            ("{{ 'xxaxx' | trim_start('x') }} {{ 'xxaxx' | trim_end('x') }}", "axx xxa"),
            ("[{{ '  a ' | trim_start }}] [{{ ' a ' | trim_end }}]", "[a ] [ a]"),
        ]);
    }

    #[test]
    fn names_change_their_case() {
        give(&[
            ("{{ 'http_server' | camel_case }} {{ 'aB2c' | snake_case }}", "HttpServer a_b2c"),
            ("{{ 'FirstName' | kebab_case }} {{ 'a b--c' | kebab_case }}", "first-name a-b-c"),
            ("{{ 'Hello World' | untitle }}[{{ '' | camel_case }}]", "hello world[]"),
        ]);
    }

    #[test]
    fn quotes_hold_whatever_is_in_them() {
        give(&[
            (r#"{{ 'a "b" \\ c' | quote }}"#, r#""a \"b\" \\ c""#),
            ("{{ 'a b' | squote }} {{ 7 | quote }}", "'a b' \"7\""),
            ("{{ 'plain-1.2/x' | shell_quote }} {{ '' | shell_quote }}", "plain-1.2/x ''"),
            (r#"{{ "it's $X" | shell_quote }}"#, r"'it'\''s $X'"),
        ]);
    }

    #[test]
    fn arguments_are_split_as_a_shell_does() {
        give(&[
            (r#"{{ 'a "b c" \'d e\' f\\ g' | split_args | join("|") }}"#, "a|b c|d e|f g"),
            (r#"{{ '"" x"y"z' | split_args | tojson }}"#, r#"["","xyz"]"#),
            (r#"{{ '"a\\$b\\n"' | split_args | join }}"#, r"a$b\n"),
            ("{{ '   ' | split_args | length }}", "0"),
        ]);
        fail(&[("{{ \"'a\" | split_args }}", "not closed"), (r"{{ 'a\\' | split_args }}", "ends")]);
    }
}
