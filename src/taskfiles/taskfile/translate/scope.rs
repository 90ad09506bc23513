//! What Task's variables are called in forge's templates.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use super::{
    super::{
        model::{TaskfileVariable, VariableValue},
        template::{GoTemplate, TemplateError, literal, parse_expression},
        tree::TaskfileTree,
    },
    TranslationRequest,
    instance::{LayeredVariable, layered},
    yaml::Yaml,
};
use crate::{
    manifest::{Node, Quoting, Scalar, Value as Tree},
    model::Platform,
    workspace::render_fixed,
};

/// Words that have a meaning of their own in forge's templates.
const RESERVED: &[&str] = &[
    "args",
    "item",
    "key",
    "match",
    "exit_code",
    "root",
    "dir",
    "cwd",
    "task",
    "name",
    "os",
    "arch",
    "platform",
    "env",
    "inputs",
    "vars",
    "version",
    "project",
    "src",
    "out",
    "bin",
    "work",
    "commit",
    "loop",
    "each",
    "range",
    "dict",
    "namespace",
    "debug",
    "true",
    "false",
    "none",
    "not",
    "and",
    "or",
    "in",
    "is",
    "if",
    "else",
    "for",
    "set",
    "with",
    "pair",
];

/// What a variable of Task may be called.
pub(super) fn word(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' };
    let mut word: String = name.chars().map(plain).collect();
    if word.starts_with(|c: char| c.is_ascii_digit()) {
        word.insert(0, '_');
    }
    if RESERVED.contains(&word.as_str()) {
        word.push('_');
    }
    word
}

/// What the variables in a stretch of a Taskfile are called.
pub(super) struct TaskfileScope<'s> {
    /// Those that mean something else here than everywhere.
    pub(super) own: BTreeMap<String, String>,
    pub(super) globals: &'s Globals<'s>,
    /// How many of the globals are known; all of them if absent.
    pub(super) limit: Option<usize>,
}

impl Clone for TaskfileScope<'_> {
    fn clone(&self) -> Self {
        Self { own: self.own.clone(), globals: self.globals, limit: self.limit }
    }
}

/// Variables that all tasks know.
pub(super) struct Globals<'t> {
    declared: Vec<LayeredVariable<'t>>,
    /// How many of them, the first ones, are of the environment.
    of_env: usize,
    wish: &'t TranslationRequest<'t>,
    /// Whether files may hold more of them.
    has_dotenv: bool,
    /// Those that something looks at.
    used: RefCell<BTreeSet<String>>,
    /// Whether what is said now is said as a run takes it.
    is_exact: Cell<bool>,
}

impl<'t> Globals<'t> {
    /// The variables of all files of `tree`.
    pub(super) fn new(tree: &'t TaskfileTree, wish: &'t TranslationRequest<'t>) -> Self {
        let root = &tree.files[0];
        let vars = layered(tree, root, &[], |file| &file.vars);
        let is_var = |env: &LayeredVariable| vars.iter().any(|one| one.name() == env.name());
        let mut declared = layered(tree, root, &[], |file| &file.env);
        declared.retain(|env| !is_var(env));
        let of_env = declared.len();
        declared.extend(vars);
        Self {
            declared,
            of_env,
            wish,
            has_dotenv: !root.dotenv.is_empty(),
            used: RefCell::default(),
            is_exact: Cell::new(wish.tasks.is_some()),
        }
    }

    /// Whether what is said is for a run, and not for people.
    pub(super) fn is_run(&self) -> bool {
        self.is_exact.get()
    }

    /// Lets what is said from here on be for a run, or for people if the document is.
    pub(super) fn be_exact(&self, is_exact: bool) {
        self.is_exact.set(is_exact || self.wish.tasks.is_some());
    }

    /// Whether all tasks know `variable`, by its name.
    pub(super) fn has(&self, variable: &TaskfileVariable) -> bool {
        self.declared.iter().any(|one| one.is(variable))
    }

    /// Whether a variable of the environment is called `name`.
    pub(super) fn has_in_environment(&self, name: &str) -> bool {
        self.wish.given.env.contains_key(name)
    }

    /// Those of the environment, or the others, in order.
    pub(super) fn declared(&self, of_env: bool) -> Vec<&'t TaskfileVariable> {
        let (env, vars) = self.declared.split_at(self.of_env);
        let part = if of_env { env } else { vars };
        part.iter().map(|one| one.variable).collect()
    }

    /// Whether the command line gives `name`.
    fn is_given(&self, name: &str) -> bool {
        self.wish.given.words.contains_key(name)
    }

    /// Whether `name` has a value from the outside.
    pub(super) fn given(&self, name: &str) -> Option<&str> {
        let given = self.wish.given.words.get(name).or_else(|| self.wish.given.env.get(name));
        given.map(String::as_str)
    }

    /// Whether all tasks know `name`.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.wish.given.words.contains_key(name) || self.position(name).is_some()
    }

    /// Whether a file declares `name` for all tasks.
    pub(super) fn declares(&self, name: &str) -> bool {
        self.position(name).is_some()
    }

    /// The how manieth of them is called `name`.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.declared.iter().position(|one| one.name() == name)
    }

    /// What `name` is called where the first `limit` of them are known.
    fn called(&self, name: &str, limit: Option<usize>) -> String {
        let is_given = self.wish.given.words.contains_key(name);
        let known = self.position(name).is_some_and(|at| limit.is_none_or(|limit| at < limit));
        if is_given || known {
            self.used.borrow_mut().insert(name.to_owned());
            return self.word(name);
        }
        if let Some(word) = self.wish.words.get(name).filter(|_| self.position(name).is_none()) {
            return word.clone();
        }
        let is_itself = self.position(name).is_some();
        if name == "PWD" && !is_itself && self.wish.tasks.is_none() {
            // Where forge is called, whichever folder a command runs in.
            return "cwd".to_owned();
        }
        if self.has_dotenv && !is_itself && !self.wish.given.env.contains_key(name) {
            self.used.borrow_mut().insert(name.to_owned());
            return word(name);
        }
        if self.wish.tasks.is_none() {
            // What no file sets comes from outside: as a variable of the file, so that a command line
            // can set it too.
            if self.position(name).is_none() && !name.starts_with("CLI_") {
                self.used.borrow_mut().insert(name.to_owned());
                return word(name);
            }
            return format!("env.{name} | default('')");
        }
        match self.wish.given.env.contains_key(name) {
            true => format!("env.{name}"),
            false => "''".into(),
        }
    }

    /// What the variable `name` is called where it is written down.
    fn word(&self, name: &str) -> String {
        self.wish.words.get(name).cloned().unwrap_or_else(|| word(name))
    }

    /// What `name` is, as an expression, if that is known before anything runs.
    pub(super) fn fixed(&self, name: &str) -> Option<String> {
        if let Some(value) = self.wish.given.words.get(name) {
            return Some(literal(value));
        }
        let declared = self.declared.iter().find(|one| one.name() == name);
        match declared.map(|one| &one.variable.value) {
            Some(VariableValue::Text(text)) if !text.text.contains("{{") => {
                Some(literal(&text.text))
            }
            Some(VariableValue::Text(text)) => {
                // It knows those before it, and of itself what comes from the outside.
                let at = self.position(name)?;
                let names = |other: &str| {
                    let is_before = self.position(other).is_some_and(|before| before < at);
                    let value = if is_before { self.fixed(other) } else { None };
                    value.unwrap_or_else(|| literal(self.given(other).unwrap_or_default()))
                };
                let said = GoTemplate::parse(&text.text).ok()?.translate_exactly(&names).ok()?;
                render_fixed(&said, Platform::host()).ok().map(|text| literal(&text))
            }
            Some(_) => None,
            None => Some(literal(self.wish.given.env.get(name).map_or("", String::as_str))),
        }
    }

    /// The texts that the list or text `name` holds, if that is known before anything runs.
    pub(super) fn fixed_items(&self, name: &str, split: Option<&str>) -> Option<Vec<String>> {
        let declared = self.declared.iter().find(|one| one.name() == name)?;
        match &declared.variable.value {
            VariableValue::List(node) => {
                let items = node.one_or_many().iter().map(Node::scalar);
                items.map(|item| Some(item?.text.clone())).collect()
            }
            VariableValue::Text(text) if !text.text.contains("{{") => Some(match split {
                Some(split) => text.text.split(split).map(str::to_owned).collect(),
                None => text.text.split_whitespace().map(str::to_owned).collect(),
            }),
            _ => None,
        }
    }

    /// `vars` of the document.
    pub(super) fn written(
        &self,
        is_sparse: bool,
        wrong: &mut Vec<(TemplateError, Scalar)>,
    ) -> Yaml {
        let mut written: BTreeMap<usize, (String, Yaml)> = BTreeMap::new();
        let mut vars = Yaml::map();
        let mut done: BTreeSet<String> = BTreeSet::new();
        loop {
            let used = self.used.borrow().clone();
            let wanted =
                |at: usize, name: &str| !is_sparse && at >= self.of_env || used.contains(name);
            let next = self
                .declared
                .iter()
                .enumerate()
                .find(|(at, one)| wanted(*at, one.name()) && !done.contains(one.name()));
            let Some((at, one)) = next else { break };
            let name = one.name();
            done.insert(name.to_owned());
            if !self.wish.given.words.contains_key(name) {
                let scope = TaskfileScope { own: special(None), globals: self, limit: Some(at) };
                let value = scope.value(one.variable, one.dir.as_deref(), wrong);
                written.insert(at, (self.word(name), value));
            }
        }
        for (name, value) in &self.wish.given.words {
            if self.used.borrow().contains(name) {
                vars.put(&word(name), Yaml::text(plain(value)));
            }
        }
        let is_declared = |name: &String| {
            self.wish.given.words.contains_key(name) || self.position(name).is_some()
        };
        for name in self.used.borrow().iter().filter(|name| !is_declared(name)) {
            let line = format!("printf %s \"${{{name}-}}\"");
            let value = match self.has_dotenv || self.wish.tasks.is_some() {
                true => Yaml::single("sh", Yaml::Text(line)),
                false => Yaml::Text(format!("{{{{ env.{name} | default('') }}}}")),
            };
            vars.put(&word(name), value);
        }
        for (name, value) in written.into_values() {
            vars.put(&name, value);
        }
        vars
    }
}

/// Text that stands for itself in a template.
pub(super) fn plain(text: &str) -> String {
    text.replace("{{", "{{ '{{' }}").replace("{%", "{{ '{%' }}")
}

/// What the variables that Task sets are called outside of tasks.
pub(super) fn special(_: Option<()>) -> BTreeMap<String, String> {
    [
        ("ROOT_DIR", "root"),
        ("USER_WORKING_DIR", "cwd"),
        ("TASKFILE_DIR", "root"),
        ("PATH_LIST_SEPARATOR", "':'"),
        ("FILE_PATH_SEPARATOR", "'/'"),
    ]
    .map(|(name, word)| (name.to_owned(), word.to_owned()))
    .into()
}

impl TaskfileScope<'_> {
    /// What `name` is called.
    pub(super) fn called(&self, name: &str) -> String {
        match self.own.get(name) {
            Some(own) => own.clone(),
            None => self.globals.called(name, self.limit),
        }
    }

    /// A template.
    pub(super) fn text(&self, scalar: &Scalar, wrong: &mut Vec<(TemplateError, Scalar)>) -> String {
        if !scalar.text.contains("{{") {
            return plain_text(&scalar.text);
        }
        let names = |name: &str| self.called(name);
        let translated =
            GoTemplate::parse(&scalar.text).and_then(|one| match self.globals.is_run() {
                true => one.translate_exactly(&names),
                // What has no plain words has exact ones.
                false => one.translate(&names).or_else(|_| one.translate_exactly(&names)),
            });
        translated.unwrap_or_else(|flaw| {
            wrong.push((flaw, scalar.clone()));
            String::new()
        })
    }

    /// The expression of a `ref`.
    pub(super) fn expression(
        &self,
        scalar: &Scalar,
        wrong: &mut Vec<(TemplateError, Scalar)>,
    ) -> String {
        let names = |name: &str| self.called(name);
        let translated =
            parse_expression(&scalar.text).and_then(|one| match self.globals.is_run() {
                true => one.exact_expression(&names),
                false => one.expression(&names).or_else(|_| one.exact_expression(&names)),
            });
        let told = translated.unwrap_or_else(|flaw| {
            wrong.push((flaw, scalar.clone()));
            "''".into()
        });
        super::super::template::bare(&told).to_owned()
    }

    /// A list or mapping, or part of one.
    pub(super) fn node(&self, node: &Node, wrong: &mut Vec<(TemplateError, Scalar)>) -> Yaml {
        match &node.value {
            Tree::Null => Yaml::text(""),
            Tree::Scalar(scalar) => self.scalar(scalar, wrong),
            Tree::List(nodes) => {
                Yaml::List(nodes.iter().map(|one| self.node(one, wrong)).collect())
            }
            Tree::Map(entries) => Yaml::Map(
                entries
                    .iter()
                    .filter(|one| !self.globals.is_run() || !is_nothing(&one.value))
                    .map(|one| (Vec::new(), one.key.value.clone(), self.node(&one.value, wrong)))
                    .collect(),
            ),
        }
    }

    /// A scalar, which keeps its type.
    pub(super) fn scalar(&self, scalar: &Scalar, wrong: &mut Vec<(TemplateError, Scalar)>) -> Yaml {
        match scalar.style {
            Quoting::Plain => typed(&scalar.text),
            _ => None,
        }
        .unwrap_or_else(|| Yaml::text(self.text(scalar, wrong)))
    }

    /// A line that goes to `dir`.
    fn change_of_folder(&self, dir: &Path, wrong: &mut Vec<(TemplateError, Scalar)>) -> String {
        let text = dir.to_string_lossy().into_owned();
        let scalar = Scalar { text, style: Quoting::Plain, bytes: 0..0 };
        let text = self.text(&scalar, wrong);
        match text.as_str() {
            "" => "cd \"{{ root }}\"\n".to_owned(),
            text if text.starts_with(['/', '{']) => format!("cd \"{text}\"\n"),
            text => format!("cd \"{{{{ root }}}}/{text}\"\n"),
        }
    }

    /// What makes the variables that `line` looks at as a shell does known to it: Task gives all that are
    /// known so far to the commands of variables, but for those of the environment.
    fn exported(&self, line: &str) -> String {
        if !self.globals.is_run() {
            return String::new();
        }
        let names: BTreeSet<&str> =
            shell_names(line).filter(|name| self.is_variable(name)).collect();
        let export = |name: &str| {
            format!("export {name}={{{{ {} | as_go | shell_quote }}}}\n", self.called(name))
        };
        names.into_iter().map(export).collect()
    }

    /// Whether a file or Task itself sets `name` here, and the environment does not.
    fn is_variable(&self, name: &str) -> bool {
        let position = self.globals.position(name);
        let is_known = position.is_some_and(|at| self.limit.is_none_or(|limit| at < limit));
        !name.is_empty()
            && !self.globals.has_in_environment(name)
            && (is_known || self.own.contains_key(name) || self.globals.is_given(name))
    }

    /// What a variable is. A command runs in `dir`, relative to the workspace, if there is one.
    pub(super) fn value(
        &self,
        variable: &TaskfileVariable,
        dir: Option<&Path>,
        wrong: &mut Vec<(TemplateError, Scalar)>,
    ) -> Yaml {
        let value = match &variable.value {
            VariableValue::Empty => Yaml::text(""),
            VariableValue::Text(scalar) => match self.fraction(scalar) {
                Some(number) => Yaml::single("expr", Yaml::text(number)),
                None => self.scalar(scalar, wrong),
            },
            VariableValue::List(node) | VariableValue::Map(node)
                if self.has_only_literals(node) =>
            {
                Yaml::single("expr", Yaml::text(literal_of(node)))
            }
            VariableValue::List(node) => self.node(node, wrong),
            VariableValue::Map(node) => Yaml::single("value", self.node(node, wrong)),
            VariableValue::Sh(line) if line.text.trim().is_empty() => Yaml::text(""),
            VariableValue::Sh(line) => {
                let goes = dir.map(|dir| self.change_of_folder(dir, wrong)).unwrap_or_default();
                let known = self.exported(&line.text);
                Yaml::single("sh", Yaml::text(known + &goes + &self.text(line, wrong)))
            }
            VariableValue::Ref(expression) => {
                Yaml::single("expr", Yaml::text(self.expression(expression, wrong)))
            }
        };
        match (variable.secret, value) {
            (false, value) => value,
            (true, Yaml::Plain(text)) => Yaml::single("secret", Yaml::Text(text)),
            (true, value) => Yaml::single("secret", value),
        }
    }
}

impl TaskfileScope<'_> {
    /// The number with a fraction that `scalar` is, for a run: forge's own documents hold such as text.
    fn fraction(&self, scalar: &Scalar) -> Option<String> {
        fraction(scalar).filter(|_| self.globals.is_run())
    }

    /// Whether `node` holds what forge's own documents cannot, for a run: numbers with fractions, and
    /// nothing at all in a list. What has templates is written as it is.
    fn has_only_literals(&self, node: &Node) -> bool {
        self.globals.is_run() && holds_fraction(node) && !holds_template(node)
    }
}

fn fraction(scalar: &Scalar) -> Option<String> {
    let Some(Yaml::Plain(number)) = typed(&scalar.text).filter(|_| scalar.style == Quoting::Plain)
    else {
        return None;
    };
    let is_real = number.parse::<i64>().is_err();
    let is_known = number.parse::<f64>().is_ok_and(f64::is_finite);
    (is_real && is_known).then_some(number)
}

fn is_nothing(node: &Node) -> bool {
    let is_null = |text: &Scalar| {
        text.style == Quoting::Plain && matches!(text.text.as_str(), "~" | "null" | "Null" | "NULL")
    };
    match &node.value {
        Tree::Null => true,
        Tree::Scalar(text) => is_null(text),
        Tree::List(_) | Tree::Map(_) => false,
    }
}

fn holds_fraction(node: &Node) -> bool {
    match &node.value {
        Tree::Null => false,
        Tree::Scalar(text) => fraction(text).is_some(),
        Tree::List(nodes) => nodes.iter().any(|one| is_nothing(one) || holds_fraction(one)),
        Tree::Map(entries) => entries.iter().any(|one| holds_fraction(&one.value)),
    }
}

fn holds_template(node: &Node) -> bool {
    match &node.value {
        Tree::Null => false,
        Tree::Scalar(text) => text.text.contains("{{"),
        Tree::List(nodes) => nodes.iter().any(holds_template),
        Tree::Map(entries) => entries.iter().any(|one| holds_template(&one.value)),
    }
}

/// `node`, in which no template is, as an expression.
fn literal_of(node: &Node) -> String {
    match &node.value {
        _ if is_nothing(node) => "none".to_owned(),
        Tree::Null => "none".to_owned(),
        Tree::Scalar(text) => match typed(&text.text).filter(|_| text.style == Quoting::Plain) {
            Some(Yaml::Plain(plain)) => plain,
            Some(Yaml::Text(text)) => literal(&text),
            _ => literal(&text.text),
        },
        Tree::List(nodes) => {
            format!("[{}]", nodes.iter().map(literal_of).collect::<Vec<_>>().join(", "))
        }
        Tree::Map(entries) => {
            let entries = entries.iter().filter(|one| !is_nothing(&one.value));
            let pair = |one: &crate::manifest::Pair| {
                format!("{}: {}", literal(&one.key.value), literal_of(&one.value))
            };
            format!("{{{}}}", entries.map(pair).collect::<Vec<_>>().join(", "))
        }
    }
}

/// What YAML takes `text` for that stands without quotes, as Go writes it; nothing if it is text.
fn typed(text: &str) -> Option<Yaml> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Yaml::text("")),
        "true" | "True" | "TRUE" => return Some(Yaml::flag(true)),
        "false" | "False" | "FALSE" => return Some(Yaml::flag(false)),
        _ => {}
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
        return None;
    }
    if is_date(text) {
        return Some(Yaml::text(format!("{text} 00:00:00 +0000 UTC")));
    }
    let digits = text.replace('_', "");
    if let Some(number) = whole(&digits) {
        return Some(Yaml::Plain(number.to_string()));
    }
    let is_real = digits.contains(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || "+-.eE".contains(c));
    let number = digits.parse::<f64>().ok().filter(|_| is_real)?;
    Some(Yaml::Plain(number.to_string()))
}

/// A scalar without quotes as Go prints it.
pub(in super::super) fn as_printed(scalar: &Scalar) -> Option<String> {
    match typed(&scalar.text).filter(|_| scalar.style == Quoting::Plain)? {
        Yaml::Plain(text) | Yaml::Text(text) => Some(text),
        Yaml::List(_) | Yaml::Map(_) => None,
    }
}

/// Whether a scalar is a number or a flag.
pub(super) fn is_literal(scalar: &Scalar) -> bool {
    let plain = typed(&scalar.text).filter(|_| scalar.style == Quoting::Plain);
    matches!(plain, Some(Yaml::Plain(text)) if !text.contains('N') && !text.contains("inf"))
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is_number = |part: &&str| part.chars().all(|c| c.is_ascii_digit());
    matches!(parts.as_slice(), [y, m, d] if y.len() == 4 && m.len() == 2 && d.len() == 2)
        && parts.iter().all(is_number)
}

/// A whole number as Go reads it, in any base.
fn whole(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let bases = [("0x", 16), ("0X", 16), ("0o", 8), ("0O", 8), ("0b", 2), ("0B", 2), ("0", 8)];
    let of_base = |(prefix, base): &(&str, u32)| {
        let rest = digits.strip_prefix(prefix)?;
        Some(i64::from_str_radix(rest, *base).ok().filter(|_| !rest.is_empty()))
    };
    let number = match bases.iter().find_map(of_base).filter(|_| digits.len() > 1) {
        Some(number) => number,
        None => digits.parse().ok().filter(|_| digits.starts_with(|c: char| c.is_ascii_digit())),
    };
    number.map(|number: i64| sign * number)
}

fn plain_text(text: &str) -> String {
    text.replace("{%", "{{ '{%' }}")
}

/// The variables that a value looks at.
pub(super) fn mentioned(variable: &TaskfileVariable) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    match &variable.value {
        VariableValue::Empty => {}
        VariableValue::Text(text) => found.append(&mut of_text(text)),
        VariableValue::Sh(text) => {
            found.append(&mut of_text(text));
            found.extend(shell_names(&text.text).map(str::to_owned));
        }
        VariableValue::Ref(text) => {
            found.extend(parse_expression(&text.text).iter().flat_map(GoTemplate::variables));
        }
        VariableValue::List(node) | VariableValue::Map(node) => of_node(node, &mut found),
    }
    found
}

/// The variables that a line looks at as a shell does.
fn shell_names(line: &str) -> impl Iterator<Item = &str> {
    line.split('$').skip(1).map(|rest| {
        let rest = rest.trim_start_matches(['{', '#', '!']);
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())]
    })
}

fn of_text(text: &Scalar) -> BTreeSet<String> {
    GoTemplate::parse(&text.text).map(|template| template.variables()).unwrap_or_default()
}

/// All variables that templates in `node` look at, and those that it names itself.
pub(super) fn of_node(node: &Node, found: &mut BTreeSet<String>) {
    match &node.value {
        Tree::Null => {}
        Tree::Scalar(scalar) => found.append(&mut of_text(scalar)),
        Tree::List(nodes) => nodes.iter().for_each(|node| of_node(node, found)),
        Tree::Map(entries) => {
            for entry in entries {
                if let (true, Some(text)) =
                    (matches!(entry.key.value.as_str(), "ref" | "var"), entry.value.scalar())
                {
                    found.extend(
                        parse_expression(&text.text).iter().flat_map(GoTemplate::variables),
                    );
                    found.insert(text.text.clone());
                }
                of_node(&entry.value, found);
            }
        }
    }
}
