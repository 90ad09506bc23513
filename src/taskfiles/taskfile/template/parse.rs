//! Signs to a tree.

use std::{collections::BTreeMap, ops::Range};

use super::{
    Expr, Pipe, TemplateError, TemplatePart,
    lex::{Stretch, TemplateToken, TokenKind, cut, flaw},
};

/// Reads a template.
pub(super) fn parse(text: &str) -> Result<Vec<TemplatePart>, TemplateError> {
    let stretches = cut(text)?.into_iter().peekable();
    let mut parser = Parser { stretches, length: text.len(), defined: BTreeMap::new() };
    let (pieces, end) = parser.pieces(0)?;
    match end {
        None => Ok(pieces),
        Some((_, bytes)) => Err(flaw("this closes nothing", bytes)),
    }
}

/// How deep `if`, `range` and `with` may be nested.
const MAX_DEPTH: usize = 50;

struct Parser {
    stretches: std::iter::Peekable<std::vec::IntoIter<Stretch>>,
    length: usize,
    /// What `define` and `block` gave names.
    defined: BTreeMap<String, Vec<TemplatePart>>,
}

/// `end` or `else`, with the signs after it, and where it stands.
type End = Option<(Vec<TemplateToken>, Range<usize>)>;

impl Parser {
    /// All up to an `end` or `else`, which comes second.
    fn pieces(&mut self, depth: usize) -> Result<(Vec<TemplatePart>, End), TemplateError> {
        let mut pieces = Vec::new();
        while let Some(stretch) = self.stretches.next() {
            let (signs, bytes) = match stretch {
                Stretch::Text(text) => {
                    pieces.push(TemplatePart::Text(text));
                    continue;
                }
                Stretch::Action(signs, bytes) => (signs, bytes),
            };
            if depth > MAX_DEPTH {
                return Err(flaw("this is nested too deeply", bytes));
            }
            let word = match &signs[0].kind {
                TokenKind::Word(word) => word.as_str(),
                _ => "",
            };
            match word {
                "end" | "else" => return Ok((pieces, Some((signs, bytes)))),
                "if" | "with" | "range" => {
                    let opening = signs[0].clone();
                    let mut rest = &signs[1..];
                    // `with $x := pipe`: the variable first, then the block over it.
                    let assigned = (word != "range").then(|| assignment(&signs[1..])).flatten();
                    if let Some((name, value)) = assigned {
                        pieces.push(TemplatePart::Set(name, whole_pipe(value, &bytes)?, true));
                        rest = &signs[1..2];
                    }
                    pieces.push(self.block(&opening, rest, &bytes, depth)?);
                }
                "break" => pieces.push(TemplatePart::Control("break")),
                "continue" => pieces.push(TemplatePart::Control("continue")),
                "define" | "template" | "block" => {
                    pieces.extend(self.named(word, &signs, &bytes, depth)?);
                }
                _ => pieces.push(simple(&signs, bytes)?),
            }
        }
        Ok((pieces, None))
    }

    /// `define`, `template` or `block`: what comes to stand here.
    fn named(
        &mut self,
        word: &str,
        signs: &[TemplateToken],
        bytes: &Range<usize>,
        depth: usize,
    ) -> Result<Option<TemplatePart>, TemplateError> {
        let Some(TemplateToken { kind: TokenKind::Text(name), .. }) = signs.get(1) else {
            return Err(flaw("a name in quotes is missing here", bytes.clone()));
        };
        if word != "template" {
            let (body, end) = self.pieces(depth + 1)?;
            end.ok_or_else(|| flaw("this is never closed: it has no `{{ end }}`", bytes.clone()))?;
            self.defined.insert(name.clone(), body);
        }
        if word == "define" {
            return Ok(None);
        }
        let Some(body) = self.defined.get(name).cloned() else {
            return Err(flaw("there is no template of this name", bytes.clone()));
        };
        let rest = &signs[2..];
        let pipe = (!rest.is_empty()).then(|| whole_pipe(rest, bytes)).transpose()?;
        Ok(Some(TemplatePart::Inline(pipe, body)))
    }

    /// A block, whose opening word was read, with the signs after that.
    fn block(
        &mut self,
        opening: &TemplateToken,
        signs: &[TemplateToken],
        bytes: &Range<usize>,
        depth: usize,
    ) -> Result<TemplatePart, TemplateError> {
        let unclosed = |parser: &Self| {
            let _ = parser.length;
            flaw("this is never closed: it has no `{{ end }}`", bytes.clone())
        };
        let (body, end) = self.pieces(depth + 1)?;
        let (signs_of_end, _) = end.ok_or_else(|| unclosed(self))?;
        let is_else = signs_of_end[0].kind == TokenKind::Word("else".into());
        let other = if !is_else {
            Vec::new()
        } else if let Some(next) = signs_of_end.get(1).cloned() {
            vec![self.block(&next, &signs_of_end[2..], bytes, depth + 1)?]
        } else {
            let (other, end) = self.pieces(depth + 1)?;
            end.ok_or_else(|| unclosed(self))?;
            other
        };
        let word = match &opening.kind {
            TokenKind::Word(word) => word.as_str(),
            _ => "",
        };
        match word {
            "range" => {
                let (key, value, signs) = range_names(signs);
                let pipe = whole_pipe(signs, bytes)?;
                Ok(TemplatePart::Range { key, value, pipe, body, other })
            }
            "if" | "with" => {
                let pipe = whole_pipe(signs, bytes)?;
                Ok(TemplatePart::When { pipe, is_with: word == "with", body, other })
            }
            _ => Err(flaw("only `if` or `with` can stand here", opening.bytes.clone())),
        }
    }
}

/// `$i, $x :=` or `$x :=` before the pipe of a range.
fn range_names(signs: &[TemplateToken]) -> (Option<String>, Option<String>, &[TemplateToken]) {
    let kinds: Vec<&TokenKind> = signs.iter().take(4).map(|sign| &sign.kind).collect();
    match kinds.as_slice() {
        [
            TokenKind::Variable(key),
            TokenKind::Mark(","),
            TokenKind::Variable(value),
            TokenKind::Mark(":=" | "="),
        ] => (Some(key.clone()), Some(value.clone()), &signs[4..]),
        [TokenKind::Variable(value), TokenKind::Mark(":=" | "="), ..] => {
            (None, Some(value.clone()), &signs[2..])
        }
        _ => (None, None, signs),
    }
}

/// `$name := …`: the name, and what stands after it.
fn assignment(signs: &[TemplateToken]) -> Option<(String, &[TemplateToken])> {
    match signs {
        [
            TemplateToken { kind: TokenKind::Variable(name), .. },
            TemplateToken { kind: TokenKind::Mark(":=" | "="), .. },
            rest @ ..,
        ] => Some((name.clone(), rest)),
        _ => None,
    }
}

fn simple(signs: &[TemplateToken], bytes: Range<usize>) -> Result<TemplatePart, TemplateError> {
    if let [
        TemplateToken { kind: TokenKind::Variable(name), .. },
        TemplateToken { kind: TokenKind::Mark(mark @ (":=" | "=")), .. },
        rest @ ..,
    ] = signs
    {
        return Ok(TemplatePart::Set(name.clone(), whole_pipe(rest, &bytes)?, *mark == ":="));
    }
    Ok(TemplatePart::Show(whole_pipe(signs, &bytes)?))
}

fn whole_pipe(signs: &[TemplateToken], bytes: &Range<usize>) -> Result<Pipe, TemplateError> {
    let (pipe, rest) = pipe(signs, bytes, 0)?;
    match rest.first() {
        None => Ok(pipe),
        Some(sign) => Err(flaw("this is out of place", sign.bytes.clone())),
    }
}

fn pipe<'s>(
    mut signs: &'s [TemplateToken],
    bytes: &Range<usize>,
    depth: usize,
) -> Result<(Pipe, &'s [TemplateToken]), TemplateError> {
    if depth > MAX_DEPTH {
        return Err(flaw("this is nested too deeply", bytes.clone()));
    }
    let mut stages = vec![Vec::new()];
    while let Some(sign) = signs.first() {
        let rest = &signs[1..];
        let last = stages.len() - 1;
        match &sign.kind {
            TokenKind::Mark("|") => {
                stages.push(Vec::new());
                signs = rest;
            }
            TokenKind::Mark(")") => break,
            TokenKind::Mark("(") => {
                let (inner, after) = pipe(rest, bytes, depth + 1)?;
                let Some((TemplateToken { kind: TokenKind::Mark(")"), .. }, after)) =
                    after.split_first()
                else {
                    return Err(flaw("this parenthesis is never closed", sign.bytes.clone()));
                };
                let (fields, after) = fields(after);
                stages[last].push(Expr::Paren(Box::new(inner), fields));
                signs = after;
            }
            TokenKind::Mark(_) => return Err(flaw("this is out of place", sign.bytes.clone())),
            _ => {
                let (expr, after) = operand(sign, rest);
                stages[last].push(expr);
                signs = after;
            }
        }
    }
    if stages.iter().any(Vec::is_empty) {
        return Err(flaw("a value is missing here", bytes.clone()));
    }
    Ok((Pipe { stages, bytes: bytes.clone() }, signs))
}

fn operand<'s>(sign: &TemplateToken, rest: &'s [TemplateToken]) -> (Expr, &'s [TemplateToken]) {
    match &sign.kind {
        TokenKind::Field(name) => {
            let (mut path, rest) = fields(rest);
            path.insert(0, name.clone());
            (Expr::Dot(path), rest)
        }
        TokenKind::Variable(name) => {
            let (path, rest) = fields(rest);
            (Expr::Variable(name.clone(), path), rest)
        }
        TokenKind::Text(text) => (Expr::Text(text.clone()), rest),
        TokenKind::Number(number) => (Expr::Number(number.clone()), rest),
        TokenKind::Word(word) => match word.as_str() {
            "true" => (Expr::Word("true"), rest),
            "false" => (Expr::Word("false"), rest),
            "nil" => (Expr::Word("none"), rest),
            _ => {
                let function = Expr::Function(word.clone(), sign.bytes.clone());
                match fields(rest) {
                    (path, _) if path.is_empty() => (function, rest),
                    // `now.Unix`: a field of what the function gives.
                    (path, rest) => {
                        let (stages, bytes) = (vec![vec![function]], sign.bytes.clone());
                        (Expr::Paren(Box::new(Pipe { stages, bytes }), path), rest)
                    }
                }
            }
        },
        TokenKind::Dot | TokenKind::Mark(_) => (Expr::Dot(Vec::new()), rest),
    }
}

/// The `.name`s that follow without a blank.
fn fields(mut signs: &[TemplateToken]) -> (Vec<String>, &[TemplateToken]) {
    let mut path = Vec::new();
    while let Some((TemplateToken { kind: TokenKind::Field(name), is_apart: false, .. }, rest)) =
        signs.split_first()
    {
        path.push(name.clone());
        signs = rest;
    }
    (path, signs)
}
