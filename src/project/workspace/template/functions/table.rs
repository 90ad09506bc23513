//! What [`super`] adds to templates, with an example of each, for the reference. The examples run in
//! the tests, and nothing that templates know may be left out.

use FunctionKind::{Filter, Function, Test};

/// What something in a template is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FunctionKind {
    /// `VALUE | name`.
    Filter,
    /// `VALUE is name`.
    Test,
    /// `name(…)`.
    Function,
}

/// A filter, test or function.
#[derive(Clone, Copy, Debug)]
pub struct TemplateFunction {
    /// What it is about.
    pub chapter: &'static str,
    /// What it is.
    pub kind: FunctionKind,
    /// Its name.
    pub name: &'static str,
    /// What it gives.
    pub doc: &'static str,
    /// A template that uses it.
    pub example: &'static str,
    /// What that becomes.
    pub result: &'static str,
}

const fn row(
    chapter: &'static str,
    kind: FunctionKind,
    name: &'static str,
    doc: &'static str,
    [example, result]: [&'static str; 2],
) -> TemplateFunction {
    TemplateFunction { chapter, kind, name, doc, example, result }
}

const TEXTS: &str = "Texts";
const PATTERNS: &str = "Patterns";
const NUMBERS: &str = "Numbers";
const LISTS: &str = "Lists and mappings";
const PATHS: &str = "Paths";
const CODES: &str = "Codes, dates, versions";
const DEFAULTS: &str = "Defaults and kinds";

/// All of them, chapter by chapter.
#[rustfmt::skip] // A table: a row to a line.
pub const TEMPLATE_FUNCTIONS: &[TemplateFunction] = &[
    row(TEXTS, Filter, "lower", "In small letters.", ["{{ 'API' | lower }}", "api"]),
    row(TEXTS, Filter, "upper", "In capital letters.", ["{{ 'api' | upper }}", "API"]),
    row(TEXTS, Filter, "title", "Each word with a capital letter.", ["{{ 'my tool' | title }}", "My Tool"]),
    row(TEXTS, Filter, "untitle", "Each word with a small letter.", ["{{ 'My Tool' | untitle }}", "my tool"]),
    row(TEXTS, Filter, "capitalize", "The first letter large, all others small.", ["{{ 'my Tool' | capitalize }}", "My tool"]),
    row(TEXTS, Filter, "camel_case", "Words joined with capital letters.", ["{{ 'my-tool name' | camel_case }}", "MyToolName"]),
    row(TEXTS, Filter, "snake_case", "Words joined with `_`.", ["{{ 'myToolName' | snake_case }}", "my_tool_name"]),
    row(TEXTS, Filter, "kebab_case", "Words joined with `-`.", ["{{ 'myToolName' | kebab_case }}", "my-tool-name"]),
    row(TEXTS, Filter, "trim", "Without white space, or these characters, at both ends.", ["{{ ' x ' | trim }} {{ '--x-' | trim('-') }}", "x x"]),
    row(TEXTS, Filter, "trim_start", "The same, at the beginning.", ["{{ 'xxa' | trim_start('x') }}", "a"]),
    row(TEXTS, Filter, "trim_end", "The same, at the end.", ["{{ 'axx' | trim_end('x') }}", "a"]),
    row(TEXTS, Filter, "remove_prefix", "Without a text that it begins with.", ["{{ 'v1.2.3' | remove_prefix('v') }}", "1.2.3"]),
    row(TEXTS, Filter, "remove_suffix", "Without a text that it ends with.", ["{{ 'nats.tar.gz' | remove_suffix('.gz') }}", "nats.tar"]),
    row(TEXTS, Filter, "replace", "With one text instead of another.", ["{{ 'a/b/c' | replace('/', '-') }}", "a-b-c"]),
    row(TEXTS, Filter, "split", "Cut at a text, or at white space.", ["{{ 'a,b' | split(',') | join('+') }}", "a+b"]),
    row(TEXTS, Filter, "lines", "Cut at the ends of lines.", [r"{{ 'a\nb' | lines | join(' ') }}", "a b"]),
    row(TEXTS, Filter, "split_args", "Cut into words as a shell does.", [r#"{{ "a 'b c'" | split_args | join('|') }}"#, "a|b c"]),
    row(TEXTS, Filter, "indent", "With spaces before its lines.", [r"{{ 'a\nb' | indent(2) }}", "a\n  b"]),
    row(TEXTS, Filter, "quote", "In double quotes.", ["{{ 'a b' | quote }}", r#""a b""#]),
    row(TEXTS, Filter, "squote", "In single quotes.", ["{{ 'a b' | squote }}", "'a b'"]),
    row(TEXTS, Filter, "shell_quote", "As one word of a shell.", ["{{ 'a b' | shell_quote }}", "'a b'"]),
    row(TEXTS, Filter, "format", "Values put into a text, as C's printf does.", ["{{ '%s-%02d' | format('a', 7) }}", "a-07"]),
    row(TEXTS, Function, "printf", "The same as a function.", ["{{ printf('%s-%02d', 'a', 7) }}", "a-07"]),
    row(TEXTS, Filter, "string", "As text.", ["{{ 1 | string ~ '!' }}", "1!"]),
    row(TEXTS, Filter, "safe", "As it is. Nothing is escaped in any case.", ["{{ '<b>' | safe }}", "<b>"]),
    row(TEXTS, Filter, "escape", "Escaped for HTML.", ["{{ '<b>' | escape }}", "&lt;b&gt;"]),
    row(TEXTS, Filter, "e", "Short for `escape`.", ["{{ '<b>' | e }}", "&lt;b&gt;"]),
    row(PATTERNS, Test, "matching", "Whether a regular expression fits somewhere.", [r"{{ 'v1.2' is matching('^v\\d') }}", "true"]),
    row(PATTERNS, Filter, "regex_find", "The first place that fits, or nothing.", ["{{ 'a1b22' | regex_find('[0-9]+') }}", "1"]),
    row(PATTERNS, Filter, "regex_find_all", "All places that fit, or so many.", ["{{ 'a1b22' | regex_find_all('[0-9]+') | join(' ') }}", "1 22"]),
    row(PATTERNS, Filter, "regex_replace", "Each place replaced; `$1` is the first group.", ["{{ 'a-b' | regex_replace('(a)-(b)', '${2}+$1') }}", "b+a"]),
    row(PATTERNS, Filter, "regex_split", "Cut at each place that fits.", ["{{ 'a, b,c' | regex_split(', *') | join('|') }}", "a|b|c"]),
    row(NUMBERS, Filter, "int", "As a whole number.", ["{{ '7' | int + 1 }}", "8"]),
    row(NUMBERS, Filter, "float", "As a number with a fraction.", ["{{ '1.5' | float * 2 }}", "3.0"]),
    row(NUMBERS, Filter, "abs", "Without its sign.", ["{{ -3 | abs }}", "3"]),
    row(NUMBERS, Filter, "round", "Rounded, to so many digits; `method` is `common`, `floor` or `ceil`.", ["{{ 1.2 | round(method='ceil') }}", "2.0"]),
    row(NUMBERS, Filter, "sum", "All added up.", ["{{ [1, 2, 3] | sum }}", "6"]),
    row(NUMBERS, Filter, "min", "The smallest.", ["{{ [3, 1, 2] | min }}", "1"]),
    row(NUMBERS, Filter, "max", "The greatest.", ["{{ [3, 1, 2] | max }}", "3"]),
    row(NUMBERS, Function, "range", "Numbers up to one, or from one up to another.", ["{{ range(1, 4) | join(' ') }}", "1 2 3"]),
    row(NUMBERS, Filter, "bool", "Whether it is something: not empty, not zero.", ["{{ 1 | bool }}", "true"]),
    row(LISTS, Filter, "length", "How many.", ["{{ ['a', 'b'] | length }}", "2"]),
    row(LISTS, Filter, "count", "The same as `length`.", ["{{ 'abc' | count }}", "3"]),
    row(LISTS, Filter, "first", "The first.", ["{{ ['a', 'b'] | first }}", "a"]),
    row(LISTS, Filter, "last", "The last.", ["{{ ['a', 'b'] | last }}", "b"]),
    row(LISTS, Filter, "join", "Made one text.", ["{{ ['a', 'b'] | join(', ') }}", "a, b"]),
    row(LISTS, Filter, "sort", "Sorted.", ["{{ ['b', 'a'] | sort | join(' ') }}", "a b"]),
    row(LISTS, Filter, "reverse", "The other way round.", ["{{ ['a', 'b'] | reverse | join(' ') }}", "b a"]),
    row(LISTS, Filter, "unique", "Each once.", ["{{ ['a', 'b', 'a'] | unique | join(' ') }}", "a b"]),
    row(LISTS, Filter, "list", "As a list; of a mapping its keys.", ["{{ {'a': 1, 'b': 2} | list | join(' ') }}", "a b"]),
    row(LISTS, Filter, "select", "Those that a test holds for, or that are something.", ["{{ [1, 2, 3] | select('odd') | join(' ') }}", "1 3"]),
    row(LISTS, Filter, "reject", "The others.", ["{{ [1, 2, 3] | reject('odd') | join(' ') }}", "2"]),
    row(LISTS, Filter, "selectattr", "Those with an attribute for which a test holds.", ["{{ [{'n': 1}, {'n': 2}] | selectattr('n', 'eq', 2) | map(attribute='n') | join }}", "2"]),
    row(LISTS, Filter, "rejectattr", "The others.", ["{{ [{'n': 1}, {'n': 2}] | rejectattr('n', 'eq', 2) | map(attribute='n') | join }}", "1"]),
    row(LISTS, Filter, "map", "A filter for each, or an attribute of each.", ["{{ ['a', 'b'] | map('upper') | join(' ') }}", "A B"]),
    row(LISTS, Filter, "groupby", "Put together by an attribute.", ["{{ [{'k': 'x'}, {'k': 'y'}, {'k': 'x'}] | groupby('k') | length }}", "2"]),
    row(LISTS, Filter, "chain", "One after the other.", ["{{ [1, 2] | chain([3]) | join(' ') }}", "1 2 3"]),
    row(LISTS, Filter, "zip", "Side by side.", ["{{ ['a', 'b'] | zip([1, 2]) | list }}", "[('a', 1), ('b', 2)]"]),
    row(LISTS, Filter, "batch", "Cut into parts of so many.", ["{{ [1, 2, 3] | batch(2) | list }}", "[[1, 2], [3]]"]),
    row(LISTS, Filter, "slice", "Cut into so many parts.", ["{{ [1, 2, 3] | slice(2) | list }}", "[[1, 2], [3]]"]),
    row(LISTS, Function, "dict", "A mapping.", ["{{ dict(a=1).a }}", "1"]),
    row(LISTS, Filter, "items", "The pairs of a mapping.", ["{% for key, value in {'a': 1} | items %}{{ key }}={{ value }}{% endfor %}", "a=1"]),
    row(LISTS, Filter, "dictsort", "The pairs, sorted by key.", ["{% for key, value in {'b': 2, 'a': 1} | dictsort %}{{ key }}{{ value }}{% endfor %}", "a1b2"]),
    row(LISTS, Filter, "attr", "What a mapping has under a key.", ["{{ {'a': 1} | attr('a') }}", "1"]),
    row(LISTS, Filter, "merge", "With what another mapping has; the other counts.", ["{{ {'a': 1, 'b': 2} | merge({'b': 3}) | tojson }}", r#"{"a":1,"b":3}"#]),
    row(LISTS, Filter, "pick", "Only these keys.", ["{{ {'a': 1, 'b': 2} | pick('a') | tojson }}", r#"{"a":1}"#]),
    row(LISTS, Filter, "omit", "All but these keys.", ["{{ {'a': 1, 'b': 2} | omit('a') | tojson }}", r#"{"b":2}"#]),
    row(LISTS, Function, "namespace", "A mapping that a loop can change.", ["{% set n = namespace(sum=0) %}{% for x in [1, 2] %}{% set n.sum = n.sum + x %}{% endfor %}{{ n.sum }}", "3"]),
    row(PATHS, Filter, "basename", "The last part.", ["{{ 'a/b.txt' | basename }}", "b.txt"]),
    row(PATHS, Filter, "dirname", "What is before it.", ["{{ 'a/b.txt' | dirname }}", "a"]),
    row(PATHS, Filter, "extname", "The extension, with its dot.", ["{{ 'a/b.txt' | extname }}", ".txt"]),
    row(PATHS, Filter, "clean_path", "Without `.`, `..` and double slashes.", ["{{ 'a//b/../c' | clean_path }}", "a/c"]),
    row(PATHS, Filter, "join_path", "Joined with slashes.", ["{{ ['a', 'b', 'c'] | join_path }}", "a/b/c"]),
    row(PATHS, Filter, "relative_to", "As seen from another.", ["{{ '/a/b/c' | relative_to('/a') }}", "b/c"]),
    row(PATHS, Filter, "absolute_path", "As seen from a folder, if it is relative.", ["{{ 'b' | absolute_path('/a') }}", "/a/b"]),
    row(PATHS, Filter, "to_slash", "With `/`.", ["{{ 'a/b' | to_slash }}", "a/b"]),
    row(PATHS, Filter, "from_slash", "With the separator of this system.", ["{{ 'a/b' | from_slash }}", "a/b"]),
    row(PATHS, Test, "absolute", "Whether it begins at the root.", ["{{ '/a' is absolute }}", "true"]),
    row(CODES, Filter, "sha256", "SHA-256, in hexadecimal digits.", ["{{ 'a' | sha256 | length }}", "64"]),
    row(CODES, Filter, "sha1", "SHA-1, for what still asks for it.", ["{{ 'a' | sha1 | length }}", "40"]),
    row(CODES, Filter, "b64encode", "In Base64.", ["{{ 'hi' | b64encode }}", "aGk="]),
    row(CODES, Filter, "b64decode", "From Base64.", ["{{ 'aGk=' | b64decode }}", "hi"]),
    row(CODES, Filter, "tojson", "As JSON.", ["{{ {'a': [1, 2]} | tojson }}", r#"{"a":[1,2]}"#]),
    row(CODES, Filter, "fromjson", "From JSON.", [r#"{{ ('{"a": 1}' | fromjson).a }}"#, "1"]),
    row(CODES, Filter, "toyaml", "As YAML.", ["{{ {'a': 1} | toyaml | trim }}", "a: 1"]),
    row(CODES, Filter, "fromyaml", "From YAML.", ["{{ ('a: [1, 2]' | fromyaml).a[1] }}", "2"]),
    row(CODES, Filter, "pprint", "Laid out for people who look for a mistake.", ["{{ [1] | pprint }}", "[\n    1,\n]"]),
    row(CODES, Filter, "date", "A time or day, written as strftime says.", ["{{ '2026-01-07T09:00:00Z' | date('%Y-%m-%d') }}", "2026-01-07"]),
    row(CODES, Test, "semver", "Whether a version is in a range.", ["{{ 'v1.4.0' is semver('>=1.2, <2') }}", "true"]),
    row(DEFAULTS, Filter, "default", "A value for what is not there; with `true`, also for what is empty.", ["{{ env.PORT | default('8080') }}", "8080"]),
    row(DEFAULTS, Filter, "d", "Short for `default`.", ["{{ '' | d('x', true) }}", "x"]),
    row(DEFAULTS, Test, "defined", "Whether there is such a word.", ["{{ env.PORT is defined }}", "false"]),
    row(DEFAULTS, Test, "undefined", "Whether there is none.", ["{{ env.PORT is undefined }}", "true"]),
    row(DEFAULTS, Test, "none", "Whether it is `none`.", ["{{ none is none }}", "true"]),
    row(DEFAULTS, Test, "boolean", "Whether it is `true` or `false`.", ["{{ true is boolean }}", "true"]),
    row(DEFAULTS, Test, "true", "Whether it is `true`.", ["{{ true is true }}", "true"]),
    row(DEFAULTS, Test, "false", "Whether it is `false`.", ["{{ true is false }}", "false"]),
    row(DEFAULTS, Test, "number", "Whether it is a number.", ["{{ 1.5 is number }}", "true"]),
    row(DEFAULTS, Test, "integer", "Whether it is a whole number.", ["{{ 1.5 is integer }}", "false"]),
    row(DEFAULTS, Test, "int", "Short for `integer`.", ["{{ 1 is int }}", "true"]),
    row(DEFAULTS, Test, "float", "Whether it is a number with a fraction.", ["{{ 1.5 is float }}", "true"]),
    row(DEFAULTS, Test, "odd", "Whether it is odd.", ["{{ 3 is odd }}", "true"]),
    row(DEFAULTS, Test, "even", "Whether it is even.", ["{{ 3 is even }}", "false"]),
    row(DEFAULTS, Test, "divisibleby", "Whether a number divides it.", ["{{ 6 is divisibleby(3) }}", "true"]),
    row(DEFAULTS, Test, "string", "Whether it is text.", ["{{ 'a' is string }}", "true"]),
    row(DEFAULTS, Test, "lower", "Whether it is in small letters.", ["{{ 'a' is lower }}", "true"]),
    row(DEFAULTS, Test, "upper", "Whether it is in capital letters.", ["{{ 'a' is upper }}", "false"]),
    row(DEFAULTS, Test, "sequence", "Whether it is a list.", ["{{ [1] is sequence }}", "true"]),
    row(DEFAULTS, Test, "iterable", "Whether a loop can go through it.", ["{{ {'a': 1} is iterable }}", "true"]),
    row(DEFAULTS, Test, "mapping", "Whether it is a mapping.", ["{{ {'a': 1} is mapping }}", "true"]),
    row(DEFAULTS, Test, "startingwith", "Whether it begins with a text.", ["{{ 'v1' is startingwith('v') }}", "true"]),
    row(DEFAULTS, Test, "endingwith", "Whether it ends with a text.", ["{{ 'a.gz' is endingwith('.gz') }}", "true"]),
    row(DEFAULTS, Test, "in", "Whether it is in a list, a text or a mapping.", ["{{ 'a' is in(['a', 'b']) }}", "true"]),
    row(DEFAULTS, Test, "sameas", "Whether it is the very same.", ["{{ 1 is sameas(1) }}", "true"]),
    row(DEFAULTS, Test, "safe", "Whether it was marked by `safe`.", ["{{ 'a' is safe }}", "false"]),
    row(DEFAULTS, Test, "escaped", "The same as `safe`.", ["{{ 'a' is escaped }}", "false"]),
    row(DEFAULTS, Test, "filter", "Whether there is a filter of this name.", ["{{ 'upper' is filter }}", "true"]),
    row(DEFAULTS, Test, "test", "Whether there is a test of this name.", ["{{ 'odd' is test }}", "true"]),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// The code that adds them.
    const CODE: &[&str] = &[
        include_str!("codes.rs"),
        include_str!("collections.rs"),
        include_str!("paths.rs"),
        include_str!("patterns.rs"),
        include_str!("print.rs"),
        include_str!("standard.rs"),
        include_str!("texts.rs"),
        include_str!("versions.rs"),
    ];

    #[test]
    fn every_example_gives_what_it_says() {
        let engine = super::super::super::TemplateEngine::new();
        let nothing: BTreeMap<String, String> = BTreeMap::new();
        let wrong = TEMPLATE_FUNCTIONS.iter().filter_map(|it| {
            let found = engine.render(it.example, minijinja::context! { env => nothing.clone() });
            let found = found.unwrap_or_else(|error| format!("{error:#}"));
            (found != it.result).then(|| format!("{}: {} gives {found}", it.name, it.example))
        });
        let wrong: Vec<_> = wrong.collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn nothing_that_templates_know_is_left_out() {
        let call =
            regex::Regex::new(r#"add_(?:growing_)?(filter|test|function)\(\s*"(\w+)""#).unwrap();
        let of_code = CODE.iter().flat_map(|code| call.captures_iter(code));
        let mut of_code: Vec<_> = of_code.map(|it| format!("{} {}", &it[1], &it[2])).collect();
        let of_table = TEMPLATE_FUNCTIONS.iter();
        let mut of_table: Vec<_> =
            of_table.map(|it| format!("{:?} {}", it.kind, it.name).to_lowercase()).collect();
        of_code.sort();
        of_table.sort();
        assert_eq!(of_code, of_table);
    }
}
