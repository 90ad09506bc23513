//! Text, quoted for those who read it.

/// A scalar that YAML reads as this text: JSON's strings are YAML's.
pub(super) fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The same, without quotes where it needs none.
pub(super) fn scalar(text: &str) -> String {
    let first = text.chars().next();
    let begins_well = first.is_some_and(|c| c.is_ascii_alphabetic() || "./$(".contains(c));
    let is_word = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"]
        .contains(&text.to_lowercase().as_str());
    let is_odd = text.contains(": ")
        || text.contains(" #")
        || text.ends_with(':')
        || text.contains(['\n', '\t']);
    match begins_well && !is_word && !is_odd && text.trim() == text {
        true => text.to_owned(),
        false => json(text),
    }
}

/// One word for a shell, whatever it holds.
pub(super) fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@=+".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_no_quotes_gets_none_and_yaml_reads_what_was_meant() {
        for text in [
            "forge ci",
            "forge ci -C 'my stack'",
            "${{ matrix.name }}",
            "main",
            "v1",
            "eval \"$X\"",
        ] {
            assert_eq!(scalar(text), text);
        }
        for text in ["", "on", "a: b", "a #b", "*a", "!cancelled()", "1.2", " a", "x:"] {
            assert_eq!(scalar(text), json(text));
        }
    }
}
