//! Text, quoted for those who read it.

/// A scalar that YAML reads as this text: JSON's strings are YAML's.
pub(super) fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// One word for a shell, whatever it holds.
pub(super) fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@=+".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}
