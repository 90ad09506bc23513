//! A tree of a Go template, written in forge's words.

use super::{Expr, Names, Pipe, TemplateError, TemplatePart, functions};

/// What `.` is where a `range` or `with` gave it another meaning.
const EACH: &str = "each";

/// Writes templates.
pub(super) struct Writer<'a> {
    names: Names<'a>,
    /// What `.` is called, where it is not all variables.
    dot: Option<&'static str>,
    /// How many loops are around.
    loops: usize,
}

impl<'a> Writer<'a> {
    pub(super) fn new(names: Names<'a>) -> Self {
        Self { names, dot: None, loops: 0 }
    }

    pub(super) fn template(&self, pieces: &[TemplatePart]) -> Result<String, TemplateError> {
        let mut text = String::new();
        for piece in pieces {
            text.push_str(&self.piece(piece)?);
        }
        Ok(text)
    }

    fn piece(&self, piece: &TemplatePart) -> Result<String, TemplateError> {
        match piece {
            TemplatePart::Text(plain) => Ok(plain.replace("{%", "{{ '{%' }}")),
            TemplatePart::Show(pipe) => Ok(format!("{{{{ {} }}}}", bare(&self.expression(pipe)?))),
            TemplatePart::Set(name, pipe, is_new) => {
                if !is_new && self.loops > 0 {
                    let what = format!(
                        "`${name}` is changed within a loop, which forge's templates cannot"
                    );
                    return Err(unsupported(what, pipe));
                }
                Ok(format!("{{% set {name} = {} %}}", bare(&self.expression(pipe)?)))
            }
            TemplatePart::When { pipe, is_with: true, body, other } => {
                let value = self.expression(pipe)?;
                let inner = Self { dot: Some(EACH), ..*self }.template(body)?;
                let other = self.other(other)?;
                let value = bare(&value).to_owned();
                Ok(format!(
                    "{{% if {value} %}}{{% with {EACH} = {value} %}}{inner}{{% endwith %}}{other}{{% endif %}}"
                ))
            }
            TemplatePart::When { pipe, body, other, .. } => {
                let mut text = format!("{{% if {} %}}", bare(&self.expression(pipe)?));
                text.push_str(&self.template(body)?);
                let mut rest = other.as_slice();
                while let [TemplatePart::When { pipe, is_with: false, body, other }] = rest {
                    text.push_str(&format!("{{% elif {} %}}", bare(&self.expression(pipe)?)));
                    text.push_str(&self.template(body)?);
                    rest = other;
                }
                Ok(text + &self.other(rest)? + "{% endif %}")
            }
            TemplatePart::Range { key, value, pipe, body, other } => {
                let list = self.expression(pipe)?;
                let inner =
                    Self { dot: Some(EACH), loops: self.loops + 1, ..*self }.template(body)?;
                let mut text = format!("{{% for {EACH} in {} %}}", bare(&list));
                if let Some(key) = key {
                    text.push_str(&format!("{{% set {key} = loop.index0 %}}"));
                }
                if let Some(value) = value {
                    text.push_str(&format!("{{% set {value} = {EACH} %}}"));
                }
                Ok(text + &inner + &self.other(other)? + "{% endfor %}")
            }
        }
    }

    fn other(&self, pieces: &[TemplatePart]) -> Result<String, TemplateError> {
        match pieces {
            [] => Ok(String::new()),
            pieces => Ok(format!("{{% else %}}{}", self.template(pieces)?)),
        }
    }

    /// A pipe, as an expression that can be an operand.
    pub(super) fn expression(&self, pipe: &Pipe) -> Result<String, TemplateError> {
        let mut value = None;
        for stage in &pipe.stages {
            let (first, rest) =
                stage.split_first().ok_or_else(|| unsupported("this is empty".into(), pipe))?;
            let mut arguments = Vec::new();
            for expr in rest {
                arguments.push(self.operand(expr)?);
            }
            arguments.extend(value.take());
            value = Some(match first {
                Expr::Function(name, bytes) => {
                    functions::call(name, &arguments, rest).map_err(|(what, is_error)| {
                        TemplateError { what, bytes: bytes.clone(), is_error }
                    })?
                }
                expr if arguments.is_empty() => self.operand(expr)?,
                _ => return Err(unsupported("a value is called like a function".into(), pipe)),
            });
        }
        value.ok_or_else(|| unsupported("this is empty".into(), pipe))
    }

    fn operand(&self, expr: &Expr) -> Result<String, TemplateError> {
        Ok(match expr {
            Expr::Dot(path) => match (self.dot, path.split_first()) {
                (Some(dot), _) => dotted(dot, path),
                (None, Some((name, rest))) => dotted(&(self.names)(name), rest),
                (None, None) => "vars".into(),
            },
            Expr::Variable(name, path) => match path.split_first() {
                Some((first, rest)) if name.is_empty() => dotted(&(self.names)(first), rest),
                _ if name.is_empty() => "vars".into(),
                _ => dotted(name, path),
            },
            Expr::Function(name, bytes) => {
                functions::call(name, &[], &[]).map_err(|(what, is_error)| TemplateError {
                    what,
                    bytes: bytes.clone(),
                    is_error,
                })?
            }
            Expr::Text(text) => functions::literal(text),
            Expr::Number(number) => number.clone(),
            Expr::Word(word) => (*word).to_owned(),
            Expr::Paren(pipe, path) => {
                let inner = self.expression(pipe)?;
                if path.is_empty() { inner } else { dotted(&format!("({})", bare(&inner)), path) }
            }
        })
    }
}

fn dotted(value: &str, path: &[String]) -> String {
    path.iter().fold(value.to_owned(), |text, name| format!("{text}.{name}"))
}

/// An expression without the parentheses around all of it.
pub(in super::super) fn bare(expression: &str) -> &str {
    let Some(inner) = expression.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) else {
        return expression;
    };
    let mut depth = 0_i32;
    let mut quoted = false;
    let mut is_escaped = false;
    for sign in inner.chars() {
        match sign {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = quoted,
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return expression;
        }
    }
    inner
}

fn unsupported(what: String, pipe: &Pipe) -> TemplateError {
    TemplateError { what, bytes: pipe.bytes.clone(), is_error: false }
}
