//! What renders templates, within bounds: minijinja, whose operators are guarded and whose filters,
//! tests and functions are weighed. Nothing else of forge renders one.

use std::sync::Arc;

use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, State, UndefinedBehavior, Value, escape_formatter,
    functions::Function,
    machinery::{self, CodeGenerator, Instructions, ast},
    syntax::SyntaxConfig,
    value::{FunctionArgs, FunctionResult, Rest, ValueKind, ValueOrKwargs},
};

use crate::{process::SyntaxCheck, workspace::doubts::Doubts};

use super::{
    constants, functions, guards,
    meter::{Total, Weight, settle, weight},
};

/// How many instructions one template may run, its guards included: some thousand times more than
/// anyone needs.
const FUEL: u64 = 150_000;

/// What a filter makes of its arguments beyond what these weigh, in bytes.
pub type Growth = fn(&[Value]) -> u64;

/// Renders templates. What all of its renderings cost together is bounded, too.
#[derive(Debug)]
pub struct Engine {
    environment: Environment<'static>,
    total: Arc<Total>,
    /// The commands that it rendered and only a shell can judge.
    pub doubts: Doubts,
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

impl Engine {
    /// What renders the templates of a workspace, with all that they can use.
    pub fn new() -> Self {
        Self::charging(Total::default())
    }

    /// What renders templates while tasks run, each within its bounds, and as many as there are.
    pub fn for_runs() -> Self {
        Self::charging(Total::without_end())
    }

    /// The same, where `syntax_check` judges the commands.
    #[must_use]
    pub fn checking(self, syntax_check: SyntaxCheck) -> Self {
        Self { doubts: Doubts::new(syntax_check), ..self }
    }

    fn charging(total: Total) -> Self {
        let mut environment = Environment::empty();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(50);
        // Places of errors come only with this.
        environment.set_debug(true);
        // `{#` would clash with the shell's `${#name}`.
        let syntax = SyntaxConfig::builder()
            .comment_delimiters("{{#", "#}}")
            .keep_trailing_newline(true)
            .build();
        environment.set_syntax(syntax.expect("delimiters that differ and are not empty are valid"));
        let total = Arc::new(total);
        guards::add(&mut environment, &total);
        let mut engine = Self { environment, total, doubts: Doubts::default() };
        engine.format_as_shells_do();
        functions::add(&mut engine);
        engine
    }

    /// As shells and YAML write them, not as Python does.
    fn format_as_shells_do(&mut self) {
        let total = Arc::clone(&self.total);
        self.environment.set_formatter(move |out, state, value| {
            let weight = total.weigh(state, value)?;
            total.charge(state, weight.made())?;
            match bool::try_from(value.clone()) {
                Ok(flag) if value.kind() == ValueKind::Bool => {
                    out.write_str(if flag { "true" } else { "false" }).map_err(Error::from)
                }
                _ => escape_formatter(out, state, value),
            }
        });
    }

    /// Adds a filter whose result weighs no more than some times what its arguments do.
    pub fn add_filter<F, Rv, Args>(&mut self, name: &'static str, filter: F)
    where
        F: Function<Rv, Args>,
        Rv: FunctionResult,
        Args: for<'a> FunctionArgs<'a>,
    {
        self.add_growing_filter(name, filter, |_| 0);
    }

    /// Adds a filter whose result can weigh much more than its arguments.
    pub fn add_growing_filter<F, Rv, Args>(&mut self, name: &'static str, filter: F, growth: Growth)
    where
        F: Function<Rv, Args>,
        Rv: FunctionResult,
        Args: for<'a> FunctionArgs<'a>,
    {
        let weighed = self.weighed(Value::from_function(filter), growth);
        self.environment.add_filter(name, weighed);
    }

    /// Adds a test.
    pub fn add_test<F, Rv, Args>(&mut self, name: &'static str, test: F)
    where
        F: Function<Rv, Args>,
        Rv: FunctionResult,
        Args: for<'a> FunctionArgs<'a>,
    {
        self.add_growing_test(name, test, |_| 0);
    }

    /// Adds a test that looks at more than its arguments.
    pub fn add_growing_test<F, Rv, Args>(&mut self, name: &'static str, test: F, growth: Growth)
    where
        F: Function<Rv, Args>,
        Rv: FunctionResult,
        Args: for<'a> FunctionArgs<'a>,
    {
        let weighed = self.weighed(Value::from_function(test), growth);
        self.environment.add_test(name, weighed);
    }

    /// Adds a function.
    pub fn add_function<F, Rv, Args>(&mut self, name: &'static str, function: F, growth: Growth)
    where
        F: Function<Rv, Args>,
        Rv: FunctionResult,
        Args: for<'a> FunctionArgs<'a>,
    {
        let weighed = self.weighed(Value::from_function(function), growth);
        self.environment.add_function(name, weighed);
    }

    fn weighed(
        &self,
        function: Value,
        growth: Growth,
    ) -> impl Fn(&mut State<'_, '_>, Rest<ValueOrKwargs>) -> Result<Value, Error> + use<> {
        let total = Arc::clone(&self.total);
        move |state, arguments| {
            let arguments = arguments.into_values();
            let mut cost = 0;
            for argument in &arguments {
                cost += total.weigh(state, argument)?.read();
            }
            total.charge(state, cost)?;
            total.charge(state, growth(&arguments))?;
            let made = settle(function.call(state, &arguments)?);
            let weight = total.weigh(state, &made)?;
            total.charge(state, weight.made())?;
            Ok(made)
        }
    }

    /// What `template` gives.
    pub fn render(&self, template: &str, words: Value) -> Result<String, Error> {
        let syntax = self.environment.syntax().clone();
        let parsed = machinery::parse(template, "<string>", syntax)?;
        if let Some(span) = constants::heavy_statement(&parsed) {
            return Err(heavy(template, span));
        }
        let mut generator = CodeGenerator::new("<string>", template);
        generator.compile_stmt(&parsed);
        let (text, _) = self.run(generator, words)?;
        self.total.book(0, Weight { bytes: text.len() as u64, ..Weight::default() })?;
        Ok(text)
    }

    /// What `expression` gives.
    pub fn evaluate(&self, expression: &str, words: Value) -> Result<Value, Error> {
        let parsed: ast::Expr<'_> = machinery::parse_expr(expression)?;
        if let Some(span) = constants::heavy(&parsed) {
            return Err(heavy(expression, span));
        }
        let mut generator = CodeGenerator::new("<expression>", expression);
        generator.compile_expr(&parsed);
        let (_, value) = self.run(generator, words)?;
        self.total.book(0, weight(&value)?)?;
        Ok(value)
    }

    fn run(&self, generator: CodeGenerator<'_>, words: Value) -> Result<(String, Value), Error> {
        let (plain, blocks) = generator.finish();
        let instructions: Instructions<'_> = guards::guarded(&plain);
        let blocks = guards::guarded_blocks(&blocks);
        let mut text = String::new();
        let mut out = machinery::make_string_output(&mut text);
        let (environment, escape) = (&self.environment, AutoEscape::None);
        let ran = machinery::eval(environment, &instructions, words, &blocks, &mut out, escape);
        let (value, spent) = match ran {
            Ok((value, state)) => (value, state.fuel_levels().map_or(0, |(spent, _)| spent)),
            Err(error) => {
                // How many it ran is not told.
                self.total.book(FUEL / 10, Weight::default())?;
                return Err(error);
            }
        };
        self.total.book(spent, Weight::default())?;
        Ok((text, value.unwrap_or_default()))
    }
}

fn heavy(template: &str, span: machinery::Span) -> Error {
    let within = span.start_offset as usize..span.end_offset as usize;
    let what = format!("`{}` makes too much text", template.get(within).unwrap_or_default());
    Error::new(ErrorKind::OutOfFuel, what)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use minijinja::context;

    use super::*;

    /// What each of these would make is gigantic; how it fails says what stopped it.
    const BOMBS: [&str; 35] = [
        "{% set n = namespace(x='aaaaaaaaaa') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
        "{% set n = namespace(x='aaaaaaaaaa') %}{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}",
        "{% set n = namespace(x=[1, 2]) %}{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}{{ n.x | length }}",
        "{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% endfor %}",
        "{% set n = namespace(x=1) %}{% for i in range(60) %}{% set n.x = {'a': n.x, 'b': n.x} %}{% endfor %}",
        "{% set n = namespace(x=1) %}{% for i in range(60) %}{% set n.x = (n.x, n.x) %}{% endfor %}",
        "{% set n = namespace(x=1) %}{% for i in range(60) %}{% set n.x = dict(a=n.x, b=n.x) %}{% endfor %}",
        "{% set n = namespace(x=[]) %}{% for i in range(5000) %}{% set n.x = [n.x] %}{% endfor %}{{ n.x | pprint | length }}",
        "{% set n = namespace(x=[1]) %}{% for i in range(5000) %}{% set n.x = n.x[0:] %}{% endfor %}{% for i in range(9999999) %}{% endfor %}",
        "{% set n = namespace(x=1) %}{% set n.x = n %}{{ n }}",
        "{% set n = namespace(x=1) %}{% set l = [n] * 1000 %}",
        "{% for i in [1, 2] %}{% set l = [loop] %}{% endfor %}",
        "{{ 'x' * 100000000 }}",
        "{% macro m(a) %}{% endmacro %}{% set o = {'m': m} %}{% set l = [[0] * 60000] %}{% for i in range(90000) %}{{ o.m(*l) }}{% endfor %}",
        "{{ ('x' * 10000 ~ 'y') * 10000 }}",
        "{{ (('a' * 60000) ~ ('b' * 60000)) | length }}",
        "{% set n = 100000000 %}{{ 'x' * n }}",
        "{% set n = 100000000 %}{{ n * [1] }}",
        "{% set t = 60000 %}{{ ('a\n' * t) | indent(100000) | length }}",
        "{% set t = 60000 %}{{ ('a\n' * t) | indent(width=100000) | length }}",
        "{{ range(10) | batch(1000000000, 0) | list }}",
        "{{ range(10) | slice(1000000000, 0) | list | length }}",
        "{{ '%01000000000d' | format(1) | length }}",
        "{{ '%*d' | format(1000000000, 1) | length }}",
        "{% set t = 60000 %}{{ ('a' * t) | replace('a', 'a' * t) | length }}",
        "{% set t = 60000 %}{{ ('a' * t) | replace('', 'a' * t) | length }}",
        "{% set t = 60000 %}{{ (['a'] * t) | join('a' * t) | length }}",
        "{% set t = 60000 %}{{ ('a' * t) | regex_replace('a', 'b' * t) | length }}",
        "{% set t = 60000 %}{{ ('a' * t) | regex_replace('(.*)', '$1' * t) | length }}",
        "{% set t = 60000 %}{{ (['a' * t] * t) | map('upper') | list | length }}",
        "{% macro m(x, n) %}{% if n %}{{ m(x ~ x, n - 1) }}{% endif %}{% endmacro %}{{ m('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' * 500, 30) }}",
        "{% for i in range(90000) %}{% for j in range(90000) %}{% endfor %}{% endfor %}",
        "{% set t = 9000 %}{% for i in range(t) %}{% set x %}{{ 'a' * t }}{% endset %}{{ x }}{% endfor %}",
        "{% set n = namespace(x='a' * 60000) %}{% for i in range(5) %}{% set n.x %}{{ n.x }}{{ n.x }}{{ n.x }}{{ n.x }}{% endset %}{% endfor %}",
        "{% set x = '(a{999}){999}' %}{{ 'a' | regex_find(x) }}",
    ];

    #[test]
    fn no_template_makes_more_than_it_may() {
        for bomb in BOMBS {
            let engine = Engine::new();
            let began = Instant::now();
            let error = engine.render(bomb, context! {}).expect_err(bomb);
            let known = [ErrorKind::OutOfFuel, ErrorKind::InvalidOperation];
            assert!(known.contains(&error.kind()), "{bomb}: {error}");
            // Far below what it would take unbounded, far above what it takes.
            assert!(began.elapsed() < Duration::from_secs(20), "{bomb}");
        }
    }

    #[test]
    fn expressions_are_bounded_as_templates_are() {
        let engine = Engine::new();
        for expression in ["'x' * 100000000", "range(10) | batch(1000000000, 0)", "many * 'x'"] {
            let error = engine.evaluate(expression, context! { many => 1_u64 << 40 }).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::OutOfFuel, "{expression}: {error}");
        }
    }

    #[test]
    fn all_renderings_together_are_bounded() {
        let engine = Engine::new();
        let words = context! { many => 900_000 };
        let render = |_| engine.render("{{ 'x' * many }}", words.clone());
        let error = (0..10_000).find_map(|at| render(at).err()).expect("an end");
        assert!(error.to_string().contains("together"), "{error}");
    }

    #[test]
    fn guards_change_nothing_else() {
        for (template, expected) in [
            (
                "{% for a, b in [(1, 'x'), (2, 'y')] %}{{ a }}{{ b }}{% if not loop.last %},{% endif %}{% else %}none{% endfor %}",
                "1x,2y",
            ),
            ("{% for i in [1, 2, 3, 4] if i % 2 == 0 %}{{ i }}{% endfor %}", "24"),
            (
                "{% for i in [[1, [2]], 3] recursive %}{% if i is sequence %}({{ loop(i) }}){% else %}{{ i }}{% endif %}{% endfor %}",
                "(1(2))3",
            ),
            (
                "{% macro m(a, b='d') %}<{{ a }}{{ b }}{{ caller() if caller is defined else '' }}>{% endmacro %}{{ m(1) }}{% call m(2, 'x') %}c{% endcall %}",
                "<1d><2xc>",
            ),
            (
                "{% set n = namespace(i=1) %}{% for x in [1, 2, 3] %}{% set n.i = n.i + x %}{% endfor %}{{ n.i }}",
                "7",
            ),
            (
                "{{ 1 < 2 < 3 }} {{ 1 in [1] and 'a' not in 'bc' }} {{ [1] + [2] == [1, 2] }}",
                "true true true",
            ),
            (
                "{{ 'a' ~ 1 ~ true }} {{ 2 * 3 + 4 }} {{ 'ab' * 2 }} {{ 3 * [0] }}",
                "a1True 10 abab [0, 0, 0]",
            ),
            (
                "{{ {'a': {'b': [5, 6]}}.a['b'][-1] }} {{ 'abc'[::-1] }} {{ (1, 2) + (3,) }}",
                "6 cba (1, 2, 3)",
            ),
            (
                "{% set x, y = 1, [2, 3] %}{{ x }}{{ y[0] }}{% with z = x + 1 %}{{ z }}{% endwith %}",
                "122",
            ),
            ("{% filter upper %}a{{ 'b' }}{% endfilter %}{% set c %}d{% endset %}{{ c }}", "ABd"),
            (
                "{% for i in [1, 1, 2] %}{{ 'n' if loop.changed(i) else '-' }}{{ loop.cycle('x', 'y') }}{% endfor %}",
                "nx-ynx",
            ),
            (
                "{% autoescape true %}<{{ '<' }}{% endautoescape %}{{ dict(a=1, **{'b': 2}) | tojson }}",
                "<&lt;{\"a\":1,\"b\":2}",
            ),
            ("{{ [3, 1, 2] | sort | map('string') | join('-') }} {{ range(3) | sum }}", "1-2-3 3"),
            (
                "{% macro m(a, b) %}{{ a }}{{ b }}{% endmacro %}{% set o = {'m': m} %}{{ o.m(*[1], *[2]) }}{{ m(*[3, 4]) }} {{ dict(*[{'a': 1}], b=2) | length }} {{ range(*[1], *[3]) | list }}",
                "1234 2 [1, 2]",
            ),
            ("{{ 'x' if missing is undefined else 'y' }}{{ missing | default('z') }}", "xz"),
        ] {
            let rendered = Engine::new().render(template, context! {});
            assert_eq!(rendered.unwrap_or_else(|e| panic!("{template}: {e}")), expected);
        }
    }

    #[test]
    fn what_fails_within_guards_is_told_at_its_place() {
        for (template, place) in [("a {{ 1 + [] }}", "1 + []"), ("{{ x ~ nope }}", "nope")] {
            let error = Engine::new().render(template, context! { x => 1 }).unwrap_err();
            let range = error.range().expect(template);
            assert!(template[range.clone()].contains(place), "{template}: {range:?} {error}");
        }
    }
}
