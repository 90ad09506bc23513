//! Template variables: of a file, whose values are found at load as far as that goes, and of a
//! task, which only have stand-ins before it runs.

use std::{collections::HashMap, path::Path};

use minijinja::value::Value as Word;

use super::{
    super::{
        Places, Text,
        template::{
            TemplateScope, look_at, unknown, variable as first_name, words_of, words_of_expression,
        },
    },
    Data, Secret, TaskText, TaskVariable, Var,
    read::TaskReader,
    words::{STAND_IN, is_free},
};
use crate::{
    manifest::{Findings, Node, Pair, Pairs, Scalar, Value, scalar},
    process::Shell,
};

/// The variables of a file in the folder `dir`, each known to those after it and to `scope`. What is wrong goes to
/// `found`.
pub fn of_file(
    dir: &Path,
    written: &Pairs<Node>,
    shell: &Shell,
    scope: &mut TemplateScope,
    found: &mut Findings,
) -> Vec<Var> {
    let mut vars: Vec<Var> = Vec::new();
    let order = Order::from_names(written.iter().map(|(key, _)| key.value.as_str()));
    // What is known with stand-ins; nothing once `scope` knows more.
    let mut tried_in: Option<TemplateScope> = None;
    for (at, (key, node)) in written.iter().enumerate() {
        if !is_free(key, scope, found) {
            continue;
        }
        let Some(variable) = variable(node) else { continue };
        if is_cycle(node, &variable, at, &order, scope, found) {
            scope.declare(&key.value, unknown());
            tried_in = None;
            continue;
        }
        let is_lazy = is_asked_for(&variable)
            || scope.is_guess(&looks(&variable))
            || cuts_places(&variable, scope);
        if is_lazy {
            let known = || scope.with_stand_ins().with_places(&Places::stand_ins());
            let known = tried_in.get_or_insert_with(known);
            let stand_in = tried(&variable, shell, known, &|_| true, found);
            known.declare(&key.value, stand_in.clone());
            scope.declare_late(&key.value, stand_in);
        } else {
            // What is wrong is told once, where it is defined; not again wherever it is used.
            let value = known(&variable, scope, found).unwrap_or_else(unknown);
            scope.declare(&key.value, value);
            tried_in = None;
        }
        let dir = Some(dir.to_owned());
        vars.push(Var { name: key.value.clone(), variable, is_lazy, dir });
    }
    vars
}

/// The variable that stands in `node`; nothing if that was told to be none.
fn variable(node: &Node) -> Option<TaskVariable> {
    if !matches!(node.value, Value::Map(_)) {
        return Some(TaskVariable::Value(Data::from_node(node)));
    }
    if let Some(value) = node.get("value") {
        return Some(TaskVariable::Value(Data::from_node(value)));
    }
    if let Some(expression) = scalar(node, "expr") {
        return Some(TaskVariable::Expr(TaskText(expression)));
    }
    if let Some(line) = scalar(node, "sh") {
        return Some(TaskVariable::Sh(TaskText(line)));
    }
    let secret = node.get("secret")?;
    let text = secret.scalar().cloned().map(|text| Secret::Text(TaskText(text)));
    let line = || scalar(secret, "sh").map(|line| Secret::Sh(TaskText(line)));
    let name = || scalar(secret, "env").map(|name| Secret::Env(TaskText(name)));
    text.or_else(line).or_else(name).map(TaskVariable::Secret)
}

/// The names of variables as they stand one below the other.
struct Order<'n> {
    names: Vec<&'n str>,
    /// Where each stands.
    places: HashMap<&'n str, usize>,
}

impl<'n> Order<'n> {
    fn from_names(names: impl Iterator<Item = &'n str>) -> Self {
        let names: Vec<&str> = names.collect();
        let places = names.iter().enumerate().map(|(at, name)| (*name, at)).collect();
        Self { names, places }
    }

    /// The first of those below the one at `at` that `looks` look at and that `is_ahead`.
    fn below(&self, at: usize, looks: &[&str], is_ahead: impl Fn(&str) -> bool) -> Option<&'n str> {
        if looks.contains(&"vars") {
            return self.names[at + 1..].iter().copied().find(|name| is_ahead(name));
        }
        let places = looks.iter().filter_map(|word| self.places.get(first_name(word)).copied());
        let first = places.filter(|place| *place > at && is_ahead(self.names[*place])).min()?;
        Some(self.names[first])
    }
}

/// Whether `variable`, in `node`, looks at one of those that it does not know: itself, which is the
/// one at `at` of the `order`, or those that follow. That is told.
fn is_cycle(
    node: &Node,
    variable: &TaskVariable,
    at: usize,
    order: &Order,
    scope: &TemplateScope,
    found: &mut Findings,
) -> bool {
    let (looks, own) = (looks(variable), order.names[at]);
    if looks.is_empty() {
        return false;
    }
    let is_ahead = |name: &str| !scope.knows(name) && !scope.has_var(name);
    let help = "a variable knows those that stand above it";
    if looks.iter().any(|word| first_name(word) == own || *word == "vars") && is_ahead(own) {
        let what = format!("the variable `{own}` refers to itself");
        found.add(node.bytes.clone(), what, "not known yet", help);
        return true;
    }
    let Some(other) = order.below(at, &looks, is_ahead) else { return false };
    let what = format!("the variable `{own}` refers to `{other}`, which stands below it");
    found.add(node.bytes.clone(), what, "not known yet", help);
    true
}

/// Whether something has to be asked what it is.
fn is_asked_for(variable: &TaskVariable) -> bool {
    matches!(variable, TaskVariable::Sh(_) | TaskVariable::Secret(_))
}

/// Whether it needs the real places.
fn cuts_places(variable: &TaskVariable, scope: &TemplateScope) -> bool {
    match variable {
        TaskVariable::Expr(expression) => scope.looks_at_places(expression.source()),
        other => other.templates().iter().any(|one| scope.cuts_places(one.source())),
    }
}

/// The words that it looks at.
fn looks(variable: &TaskVariable) -> Vec<&str> {
    match variable {
        TaskVariable::Expr(expression) => words_of_expression(expression.source()),
        other => other.templates().iter().flat_map(|one| words_of(one.source())).collect(),
    }
}

/// The value of a variable all of whose words are known.
fn known(variable: &TaskVariable, scope: &TemplateScope, found: &mut Findings) -> Option<Word> {
    match variable {
        TaskVariable::Value(data) => {
            let mut render = |TaskText(scalar): &TaskText| {
                scope.text(scalar, found).map(|text| Word::from(text.into_inner())).ok_or(())
            };
            data.value(&mut render).ok()
        }
        TaskVariable::Expr(TaskText(expression)) => scope.value(expression, false, found),
        TaskVariable::Sh(_) | TaskVariable::Secret(_) => None,
    }
}

/// A stand-in for a variable, whose templates are tried.
fn tried(
    variable: &TaskVariable,
    shell: &Shell,
    scope: &TemplateScope,
    is_guess: &dyn Fn(&str) -> bool,
    found: &mut Findings,
) -> Word {
    match variable {
        TaskVariable::Value(data) => stand_in_of(data, scope, is_guess, found),
        TaskVariable::Expr(TaskText(expression)) => {
            scope.value(expression, true, found);
            unknown()
        }
        TaskVariable::Sh(TaskText(line)) | TaskVariable::Secret(Secret::Sh(TaskText(line))) => {
            if let Some(command) = scope.tried(line, is_guess(&line.text), found) {
                scope.doubt(shell, &command.trimmed(), line, found);
            }
            Word::from(STAND_IN)
        }
        TaskVariable::Secret(Secret::Text(TaskText(text)) | Secret::Env(TaskText(text))) => {
            scope.tried(text, is_guess(&text.text), found);
            Word::from(STAND_IN)
        }
    }
}

/// A value whose texts are tried.
pub(super) fn stand_in_of(
    data: &Data,
    scope: &TemplateScope,
    is_guess: &dyn Fn(&str) -> bool,
    found: &mut Findings,
) -> Word {
    let mut render = |TaskText(scalar): &TaskText| -> Result<Word, ()> {
        let text = scope.tried(scalar, is_guess(&scalar.text), found);
        Ok(Word::from(text.map_or_else(|| STAND_IN.into(), Text::into_inner)))
    };
    data.value(&mut render).unwrap_or_else(|()| unknown())
}

impl TaskReader<'_, '_, '_> {
    /// `vars`, each of which is known to those after it.
    pub(super) fn variables(&mut self) -> Vec<Var> {
        let entries = self.node.get("vars").map(Node::entries).unwrap_or_default();
        let order = Order::from_names(entries.iter().map(|entry| entry.key.value.as_str()));
        let each = entries.iter().enumerate();
        each.filter_map(|(at, entry)| self.variable(entry, at, &order)).collect()
    }

    /// The one that stands in `entry`, at this place of the `order`.
    fn variable(&mut self, entry: &Pair, at: usize, order: &Order) -> Option<Var> {
        let name = &entry.key.value;
        if !is_free(&entry.key, &self.scope, self.found) {
            return None;
        }
        let variable = variable(&entry.value)?;
        if is_cycle(&entry.value, &variable, at, order, &self.scope, self.found) {
            self.scope.declare(name, unknown());
            return None;
        }
        let is_lazy = is_asked_for(&variable) || self.scope.is_late(&looks(&variable));
        let is_guess = look_at(&looks(&variable), &self.guesses);
        let value = match is_guess || is_lazy {
            true => {
                let guesses = &self.guesses;
                let is_guess = |text: &str| look_at(&words_of(text), guesses);
                tried(&variable, &self.shell, &self.scope, &is_guess, self.found)
            }
            false => known(&variable, &self.scope, self.found).unwrap_or_else(unknown),
        };
        match is_lazy {
            true => self.scope.declare_late(name, value.clone()),
            false => self.scope.declare(name, value.clone()),
        }
        self.scope.extend([(name.clone(), value)]);
        match is_guess || is_lazy {
            true => drop(self.guesses.insert(name.clone())),
            false => drop(self.guesses.remove(name)),
        }
        Some(Var { name: name.clone(), variable, is_lazy, dir: None })
    }

    /// A value as it stands in `node`, tried.
    pub(super) fn data(&mut self, node: &Node) -> Data {
        let data = Data::from_node(node);
        self.stand_in_of(&data);
        data
    }

    /// A stand-in for `data`, whose texts are tried.
    pub(super) fn stand_in_of(&mut self, data: &Data) -> Word {
        let guesses = &self.guesses;
        let is_guess = |text: &str| look_at(&words_of(text), guesses);
        stand_in_of(data, &self.scope, &is_guess, self.found)
    }

    /// What an expression gives, if that is known already.
    pub(super) fn tried_expression(&mut self, expression: &Scalar) -> Option<Word> {
        let is_guess = self.is_guessed_expression(&expression.text);
        let value = self.scope.value(expression, is_guess, self.found);
        value.filter(|_| !is_guess)
    }
}
