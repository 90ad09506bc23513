//! Expressions of workflows, as far as forge writes them: texts, `==`, `!=`, `&&`, `||`, `!`,
//! parentheses, contexts with `.*`, and the functions of GitHub Actions that stand in them.
//! Reference: "Evaluate expressions in workflows and actions" in GitHub's documentation.

use serde_json::{Value, json};

/// What expressions can look at.
pub struct Context {
    /// `github`, `needs`, `steps`, `matrix`.
    pub values: Value,
    /// Whether all before went well.
    pub is_well: bool,
    /// Whether anything before has failed; what was skipped has not.
    pub has_failed: bool,
}

impl Context {
    /// `text` with every `${{ … }}` in it evaluated. One that is all of it keeps its type.
    pub fn fill(&self, text: &str) -> Value {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${{") {
            let (expression, after) = after.split_once("}}").expect("the end of an expression");
            let value = self.evaluate(expression);
            if before.is_empty() && after.is_empty() && filled.is_empty() {
                return value;
            }
            filled += before;
            filled += &plain(&value);
            rest = after;
        }
        json!(filled + rest)
    }

    /// Whether the condition `text` holds. One that asks for no status is only for when all is well.
    pub fn holds(&self, text: Option<&str>) -> bool {
        let Some(text) = text else { return self.is_well };
        let asks = ["always()", "cancelled()", "failure()", "success()"];
        let is_asking = asks.iter().any(|status| text.contains(status));
        (is_asking || self.is_well) && truth(&self.evaluate(text))
    }

    fn evaluate(&self, text: &str) -> Value {
        let mut parser = Parser { context: self, rest: text.trim() };
        let value = parser.either();
        assert_eq!(parser.rest, "", "in {text}");
        value
    }
}

impl Context {
    fn call(&self, function: &str, arguments: &[Value]) -> Value {
        match (function, arguments) {
            ("always", []) => json!(true),
            ("failure", []) => json!(self.has_failed),
            ("cancelled", []) => json!(false),
            ("contains", [Value::Array(all), one]) => json!(all.contains(one)),
            ("fromJSON", [Value::String(text)]) => serde_json::from_str(text).expect("JSON"),
            _ => panic!("{function} is not known here"),
        }
    }
}

struct Parser<'a> {
    context: &'a Context,
    rest: &'a str,
}

impl Parser<'_> {
    fn takes(&mut self, token: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(token) else { return false };
        self.rest = rest.trim_start();
        true
    }

    fn either(&mut self) -> Value {
        let mut value = self.both();
        while self.takes("||") {
            let other = self.both();
            value = if truth(&value) { value } else { other };
        }
        value
    }

    fn both(&mut self) -> Value {
        let mut value = self.comparison();
        while self.takes("&&") {
            let other = self.comparison();
            value = if truth(&value) { other } else { value };
        }
        value
    }

    fn comparison(&mut self) -> Value {
        let value = self.operand();
        if self.takes("==") {
            return json!(value == self.operand());
        }
        if self.takes("!=") {
            return json!(value != self.operand());
        }
        value
    }

    fn operand(&mut self) -> Value {
        if self.takes("!") {
            return json!(!truth(&self.operand()));
        }
        if self.takes("(") {
            let value = self.either();
            assert!(self.takes(")"));
            return value;
        }
        if let Some(text) = self.rest.strip_prefix('\'') {
            let (text, rest) = text.split_once('\'').expect("the end of a text");
            self.rest = rest.trim_start();
            return json!(text);
        }
        let is_word = |c: char| c.is_ascii_alphanumeric() || "._-*".contains(c);
        let end = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        assert!(!word.is_empty(), "nothing can be read at {}", self.rest);
        self.rest = rest.trim_start();
        if !self.takes("(") {
            return look_up(&self.context.values, word);
        }
        let mut arguments = Vec::new();
        while !self.takes(")") {
            arguments.push(self.either());
            self.takes(",");
        }
        self.context.call(word, &arguments)
    }
}

fn look_up(values: &Value, path: &str) -> Value {
    let mut found = values.clone();
    let mut parts = path.split('.');
    while let Some(part) = parts.next() {
        if part == "*" {
            let rest = parts.collect::<Vec<_>>().join(".");
            let all = found.as_object().into_iter().flat_map(|object| object.values());
            return all.map(|value| look_up(value, &rest)).collect();
        }
        found = found.get(part).cloned().unwrap_or(Value::Null);
    }
    found
}

fn truth(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false)) && *value != json!("") && *value != json!(0)
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
