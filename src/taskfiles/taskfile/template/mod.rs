//! Templates of Go (`text/template`), read and said in the words of forge's own.
//!
//! `lex` cuts text into signs, `parse` makes a tree of them, `jinja` writes the tree, with what
//! `functions` says of each function. What has no counterpart is a [`TemplateError`] at its place.

mod functions;
mod jinja;
mod lex;
mod parse;

use std::{collections::BTreeSet, ops::Range};

pub(super) use functions::literal;
pub(super) use jinja::bare;

/// A template of Go.
#[derive(Clone, Debug, PartialEq)]
pub struct GoTemplate(Vec<TemplatePart>);

/// Something that cannot be read, or not be said in forge's templates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// One sentence without a full stop.
    pub what: String,
    /// Where in the template.
    pub bytes: Range<usize>,
    /// Whether Task would not take it either.
    pub is_error: bool,
}

/// Part of a template.
#[derive(Clone, Debug, PartialEq)]
enum TemplatePart {
    /// Text that stands for itself.
    Text(String),
    /// A pipe whose value is written out.
    Show(Pipe),
    /// `break` or `continue`.
    Control(&'static str),
    /// What `define` has, with the pipe as `.`.
    Inline(Option<Pipe>, Vec<TemplatePart>),
    /// `$name := pipe`, or `$name = pipe`.
    Set(String, Pipe, bool),
    /// `if`, with `else if` nested in `other`; or `with`.
    When { pipe: Pipe, is_with: bool, body: Vec<TemplatePart>, other: Vec<TemplatePart> },
    /// `range`.
    Range {
        key: Option<String>,
        value: Option<String>,
        pipe: Pipe,
        body: Vec<TemplatePart>,
        other: Vec<TemplatePart>,
    },
}

/// Expressions, each of which gets what the one before it gives as its last argument.
#[derive(Clone, Debug, PartialEq)]
struct Pipe {
    stages: Vec<Vec<Expr>>,
    bytes: Range<usize>,
}

impl Pipe {
    /// The variable that it changes: `set $d "key" value`.
    fn changed(&self) -> Option<&str> {
        match self.stages.as_slice() {
            [stage] => match stage.as_slice() {
                [Expr::Function(name, _), Expr::Variable(changed, path), ..]
                    if (name == "set" || name == "unset") && path.is_empty() =>
                {
                    Some(changed)
                }
                _ => None,
            },
            _ => None,
        }
    }
}

/// An operand.
#[derive(Clone, Debug, PartialEq)]
enum Expr {
    /// `.` and names after it.
    Dot(Vec<String>),
    /// `$name` (or `$` alone, with an empty name) and names after it.
    Variable(String, Vec<String>),
    /// A function.
    Function(String, Range<usize>),
    /// A text.
    Text(String),
    /// A number, as written.
    Number(String),
    /// `true`, `false` or `nil`.
    Word(&'static str),
    /// A pipe in parentheses, and names after it.
    Paren(Box<Pipe>, Vec<String>),
}

/// What a variable of Task is called in forge's templates: an expression.
pub type Names<'a> = &'a dyn Fn(&str) -> String;

impl GoTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// What is no template of Go.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        parse::parse(text).map(Self)
    }

    /// The same in forge's words.
    ///
    /// # Errors
    /// What cannot be said so.
    pub fn translate(&self, names: Names) -> Result<String, TemplateError> {
        jinja::Writer::new(names).template(&self.0)
    }

    /// The same in forge's words, for a run: values are written as Go writes them, what is not there is
    /// empty, and mappings are gone through as Go does. That reads worse than [`Self::translate`].
    ///
    /// # Errors
    /// What cannot be said so.
    pub fn translate_exactly(&self, names: Names) -> Result<String, TemplateError> {
        jinja::Writer::exact(names, &self.0).template(&self.0)
    }

    /// The one expression that the template is, as [`Self::translate_exactly`] has it.
    ///
    /// # Errors
    /// What cannot be said so.
    pub fn exact_expression(&self, names: Names) -> Result<String, TemplateError> {
        self.one(|pipe| jinja::Writer::exact(names, &self.0).expression(pipe))
    }

    /// The one expression that the template is, in forge's words.
    ///
    /// # Errors
    /// What cannot be said so.
    pub fn expression(&self, names: Names) -> Result<String, TemplateError> {
        self.one(|pipe| jinja::Writer::new(names).expression(pipe))
    }

    fn one(
        &self,
        say: impl FnOnce(&Pipe) -> Result<String, TemplateError>,
    ) -> Result<String, TemplateError> {
        match self.0.as_slice() {
            [TemplatePart::Show(pipe)] => say(pipe),
            _ => Err(TemplateError {
                what: "this is not an expression".into(),
                bytes: 0..0,
                is_error: true,
            }),
        }
    }

    /// The variables of Task that it looks at.
    pub fn variables(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        gather(&self.0, true, &mut found);
        found
    }
}

/// Reads an expression, as `ref` has them.
///
/// # Errors
/// What is no expression of Go.
pub fn parse_expression(text: &str) -> Result<GoTemplate, TemplateError> {
    GoTemplate::parse(&format!("{{{{{text}}}}}"))
}

/// Gathers variables, where `.` is all of them if `is_root`.
fn gather(pieces: &[TemplatePart], is_root: bool, found: &mut BTreeSet<String>) {
    for piece in pieces {
        match piece {
            TemplatePart::Text(_) | TemplatePart::Control(_) => {}
            TemplatePart::Inline(pipe, body) => {
                if let Some(pipe) = pipe {
                    gather_pipe(pipe, is_root, found);
                }
                gather(body, is_root, found);
            }
            TemplatePart::Show(pipe) | TemplatePart::Set(_, pipe, _) => {
                gather_pipe(pipe, is_root, found);
            }
            TemplatePart::When { pipe, is_with, body, other } => {
                gather_pipe(pipe, is_root, found);
                gather(body, is_root && !is_with, found);
                gather(other, is_root, found);
            }
            TemplatePart::Range { pipe, body, other, .. } => {
                gather_pipe(pipe, is_root, found);
                gather(body, false, found);
                gather(other, is_root, found);
            }
        }
    }
}

fn gather_pipe(pipe: &Pipe, is_root: bool, found: &mut BTreeSet<String>) {
    for expr in pipe.stages.iter().flatten() {
        match expr {
            Expr::Dot(path) if is_root => found.extend(path.first().cloned()),
            Expr::Variable(name, path) if name.is_empty() => found.extend(path.first().cloned()),
            Expr::Paren(pipe, _) => gather_pipe(pipe, is_root, found),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(template: &str) -> String {
        let names = |name: &str| name.to_owned();
        match GoTemplate::parse(template).and_then(|template| template.translate(&names)) {
            Ok(text) => text,
            Err(flaw) => format!("{}: {}", flaw.what, &template[flaw.bytes]),
        }
    }

    #[test]
    fn templates_of_go_become_templates_of_forge() {
        for (go, forge) in [
            ("{{.A}} and {{ .B.C }}", "{{ A }} and {{ B.C }}"),
            (
                "{{.V | trimPrefix \"v\" | splitList \".\" | first}}",
                "{{ V | remove_prefix('v') | split('.') | first }}",
            ),
            ("{{default \"x\" .V}}", "{{ V | default('x', true) }}"),
            (
                "{{if eq .M \"a\"}}1{{else if .N}}2{{else}}3{{end}}",
                "{% if M == 'a' %}1{% elif N %}2{% else %}3{% endif %}",
            ),
            ("{{if and .ON (eq .M \"a\")}}x{{end}}", "{% if ON and (M == 'a') %}x{% endif %}"),
            (
                "{{range $i, $n := .L}}{{$i}}={{$n}}{{end}}",
                "{% for each in L %}{% set i = loop.index0 %}{% set n = each %}{{ i }}={{ n }}{% endfor %}",
            ),
            (
                "{{range .L}}<{{.}}>{{else}}no{{end}}",
                "{% for each in L %}<{{ each }}>{% else %}no{% endfor %}",
            ),
            ("a {{- range .L }} {{ . }} {{- end }}", "a{% for each in L %} {{ each }}{% endfor %}"),
            ("{{/* no */}}{{`{{raw}}`}} ${x%{%}", "{{ '{{raw}}' }} ${x%{{ '{%' }}}"),
            ("{{index .L 1}} {{(index .L 0).A}}", "{{ L[1] }} {{ (L[0]).A }}"),
            (
                "{{add .N 1}} {{div .N 2}} {{max .N 9}}",
                "{{ N | int + 1 }} {{ N | int // 2 }} {{ [N, 9] | max }}",
            ),
            (
                "{{printf \"%s-%s\" .A .B}} {{printf \"%03d\" 7}}",
                "{{ A ~ '-' ~ B }} {{ printf('%03d', 7) }}",
            ),
            (
                "{{ternary \"y\" \"n\" (hasPrefix \"v\" .V)}}",
                "{{ 'y' if (V is startingwith('v')) else 'n' }}",
            ),
            ("{{.A | frob}}", "there is no function `frob`: frob"),
            ("{{if .X}}open", "this is never closed: it has no `{{ end }}`: {{if .X}}"),
            ("{{template \"x\"}}", "there is no template of this name: {{template \"x\"}}"),
            (
                "{{define \"x\"}}<{{.}}>{{end}}{{template \"x\" .A}}",
                "{% with each = A %}<{{ each }}>{% endwith %}",
            ),
            ("{{ .A", "this `{{` is never closed: {{"),
        ] {
            assert_eq!(said(go), forge, "{go}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_the_text_is_it_comes_to_an_end(text in "[{}|.$()\"'`a-z \\n-:=é]{0,40}") {
            let _ = said(&text);
        }
    }

    #[test]
    fn the_variables_of_a_template_are_found() {
        let template =
            GoTemplate::parse("{{.A}}{{range .L}}{{.B}}{{$.C}}{{end}}{{(index .D 0).E}}").unwrap();
        assert_eq!(template.variables().into_iter().collect::<Vec<_>>(), ["A", "C", "D", "L"]);
    }
}
