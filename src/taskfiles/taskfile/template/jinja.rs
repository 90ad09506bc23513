//! A tree of a Go template, written in forge's words.

use std::{collections::BTreeSet, ops::Range};

use crate::workspace::strftime;

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
    /// Whether values are written as Go writes them.
    is_exact: bool,
    /// The variables that change within a loop, which are fields of a namespace.
    changing: BTreeSet<String>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(names: Names<'a>) -> Self {
        Self { names, dot: None, loops: 0, is_exact: false, changing: BTreeSet::new() }
    }

    /// One that writes `pieces` for a run.
    pub(super) fn exact(names: Names<'a>, pieces: &[TemplatePart]) -> Self {
        let mut changing = BTreeSet::new();
        changed_in_loops(pieces, 0, &mut changing);
        Self { is_exact: true, changing, ..Self::new(names) }
    }

    fn within(&self, dot: Option<&'static str>, loops: usize) -> Self {
        let (names, is_exact) = (self.names, self.is_exact);
        Self { names, dot, loops, is_exact, changing: self.changing.clone() }
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
            TemplatePart::Show(pipe) => {
                let value = self.expression(pipe)?;
                let is_literal = value.starts_with('\'') && !value.contains(" | ");
                // A place is text: written as it is, it stays known before anything runs.
                let is_place = matches!(value.as_str(), "root" | "cwd");
                Ok(match self.is_exact && !is_literal && !is_place {
                    true => format!("{{{{ {value} | as_go }}}}"),
                    false => format!("{{{{ {} }}}}", bare(&value)),
                })
            }
            TemplatePart::Control(word) => Ok(format!("{{% {word} %}}")),
            TemplatePart::Inline(pipe, body) => {
                let Some(pipe) = pipe else {
                    return self.within(Some("none"), self.loops).template(body);
                };
                let value = bare(&self.expression(pipe)?).to_owned();
                if value == "vars" {
                    return self.template(body);
                }
                let inner = self.within(Some(EACH), self.loops).template(body)?;
                Ok(format!("{{% with {EACH} = {value} %}}{inner}{{% endwith %}}"))
            }
            TemplatePart::Set(name, pipe, is_new) => {
                if let Some(changed) = pipe.changed()
                    && changed != name
                    && self.is_exact
                {
                    let value = bare(&self.expression(pipe)?).to_owned();
                    return Ok(format!(
                        "{{% set {changed} = {value} %}}{{% set {name} = {changed} %}}"
                    ));
                }
                if self.changing.contains(name) {
                    let value = bare(&self.expression(pipe)?).to_owned();
                    return Ok(match is_new {
                        true => format!("{{% set {name} = namespace(now={value}) %}}"),
                        false => format!("{{% set {name}.now = {value} %}}"),
                    });
                }
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
                let inner = self.within(Some(EACH), self.loops).template(body)?;
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
                let inner = self.within(Some(EACH), self.loops + 1).template(body)?;
                let mut text = format!("{{% for {EACH} in {} %}}", bare(&list));
                if self.is_exact {
                    text = format!(
                        "{{% for pair in {list} | go_pairs %}}{{% set {EACH} = pair[1] %}}"
                    );
                }
                if let Some(key) = key {
                    let number = if self.is_exact { "pair[0]" } else { "loop.index0" };
                    text.push_str(&format!("{{% set {key} = {number} %}}"));
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
                Expr::Function(name, bytes) => self.call(name, bytes, &arguments, rest)?,
                expr if arguments.is_empty() => self.operand(expr)?,
                Expr::Dot(path) | Expr::Paren(_, path) | Expr::Variable(_, path)
                    if path.last().is_some_and(|name| name == "Format") =>
                {
                    let [Expr::Text(layout)] = rest else {
                        return Err(unsupported("the form of a time is not a text".into(), pipe));
                    };
                    let mut time = first.clone();
                    if let Expr::Dot(path) | Expr::Paren(_, path) | Expr::Variable(_, path) =
                        &mut time
                    {
                        path.pop();
                    }
                    let layout = functions::literal(&strftime(layout));
                    format!("({} | date({layout}))", self.operand(&time)?)
                }
                Expr::Dot(path) | Expr::Paren(_, path) | Expr::Variable(_, path)
                    if self.is_exact && !path.is_empty() =>
                {
                    let mut value = first.clone();
                    let (Expr::Dot(path) | Expr::Paren(_, path) | Expr::Variable(_, path)) =
                        &mut value
                    else {
                        return Err(unsupported("this is empty".into(), pipe));
                    };
                    let name = functions::literal(&path.pop().unwrap_or_default());
                    let value = self.operand(&value)?;
                    format!("({value} | go_method({name}, {}))", arguments.join(", "))
                }
                _ => return Err(unsupported("a value is called like a function".into(), pipe)),
            });
        }
        value.ok_or_else(|| unsupported("this is empty".into(), pipe))
    }

    fn call(
        &self,
        name: &str,
        bytes: &Range<usize>,
        arguments: &[String],
        written: &[Expr],
    ) -> Result<String, TemplateError> {
        let call = if self.is_exact { functions::exact_call } else { functions::call };
        call(name, arguments, written).map_err(|(what, is_error)| TemplateError {
            what,
            bytes: bytes.clone(),
            is_error,
        })
    }

    /// What the variable `name` is called. What nobody set is nothing at all in Go, and no empty text.
    fn named(&self, name: &str) -> String {
        match (self.names)(name) {
            empty if self.is_exact && empty == "''" => "none".into(),
            called => called,
        }
    }

    /// What `path` leads to within `value`.
    fn dotted(&self, value: &str, path: &[String]) -> String {
        if self.is_exact && !path.is_empty() {
            let keys: Vec<String> = path.iter().map(|name| functions::literal(name)).collect();
            return format!("({value} | go_field({}))", keys.join(", "));
        }
        path.iter().fold(value.to_owned(), |text, name| format!("{text}.{name}"))
    }

    fn operand(&self, expr: &Expr) -> Result<String, TemplateError> {
        Ok(match expr {
            Expr::Dot(path) => match (self.dot, path.split_first()) {
                (Some(dot), _) => self.dotted(dot, path),
                (None, Some((name, rest))) => self.dotted(&self.named(name), rest),
                (None, None) => "vars".into(),
            },
            Expr::Variable(name, path) => match path.split_first() {
                Some((first, rest)) if name.is_empty() => self.dotted(&self.named(first), rest),
                _ if name.is_empty() => "vars".into(),
                _ if self.changing.contains(name) => self.dotted(&format!("{name}.now"), path),
                _ => self.dotted(name, path),
            },
            Expr::Function(name, bytes) => self.call(name, bytes, &[], &[])?,
            Expr::Text(text) => functions::literal(text),
            Expr::Number(number) => number.clone(),
            Expr::Word(word) => (*word).to_owned(),
            Expr::Paren(pipe, path) => {
                let inner = self.expression(pipe)?;
                match path.is_empty() {
                    true => inner,
                    false => self.dotted(&format!("({})", bare(&inner)), path),
                }
            }
        })
    }
}

/// The variables that `pieces` give another value within a loop.
fn changed_in_loops(pieces: &[TemplatePart], loops: usize, found: &mut BTreeSet<String>) {
    for piece in pieces {
        match piece {
            TemplatePart::Set(name, _, false) if loops > 0 => drop(found.insert(name.clone())),
            TemplatePart::When { body, other, .. } => {
                changed_in_loops(body, loops, found);
                changed_in_loops(other, loops, found);
            }
            TemplatePart::Range { body, other, .. } => {
                changed_in_loops(body, loops + 1, found);
                changed_in_loops(other, loops, found);
            }
            TemplatePart::Inline(_, body) => changed_in_loops(body, loops, found),
            TemplatePart::Text(_)
            | TemplatePart::Show(_)
            | TemplatePart::Set(..)
            | TemplatePart::Control(_) => {}
        }
    }
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
