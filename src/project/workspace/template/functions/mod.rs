//! What templates can do: minijinja's own filters, tests and functions, and more. All of it is pure:
//! the same in, the same out, on every machine.
//!
//! Who comes from Go's templates and their usual functions finds here what to write; what stands
//! without a note is minijinja's own.
//!
//! | Go | forge |
//! |---|---|
//! | `default D X` | `X \| default(D, true)` |
//! | `index M K`, `get M K` | `M[K]` |
//! | `eq A B`, `ne`, `lt`, `le`, `gt`, `ge` | `A == B`, `!=`, `<`, `<=`, `>`, `>=` |
//! | `and A B`, `or A B`, `not A` | `A and B`, `A or B`, `not A` |
//! | `ternary A B C` | `A if C else B` |
//! | `empty X`, `coalesce A B` | `not X`, `A or B` |
//! | `add`, `add1`, `sub`, `mul`, `div`, `mod` | `+`, `+ 1`, `-`, `*`, `//`, `%` |
//! | `min A B`, `max A B` | `[A, B] \| min`, `[A, B] \| max` |
//! | `floor`, `ceil`, `round X N` | `X \| round(method='floor')`, `'ceil'`, `X \| round(N)` |
//! | `int`, `atoi`, `float64`, `toString` | `X \| int`, `X \| int`, `X \| float`, `X \| string` |
//! | `len X` | `X \| length` |
//! | `list A B`, `dict K V` | `[A, B]`, `{K: V}` |
//! | `first`, `last`, `rest`, `initial` | `L \| first`, `L \| last`, `L[1:]`, `L[:-1]` |
//! | `slice L A B`, `substr A B S`, `trunc N S` | `L[A:B]`, `S[A:B]`, `S[:N]` |
//! | `append L X`, `prepend L X`, `concat L M` | `L + [X]`, `[X] + L`, `L + M` |
//! | `uniq`, `sortAlpha`, `reverse`, `compact` | `L \| unique`, `L \| sort`, `L \| reverse`, `L \| select` |
//! | `has X L`, `hasKey D K`, `contains X S` | `X in L`, `K in D`, `X in S` |
//! | `without L X` | `L \| reject('eq', X)` |
//! | `keys D`, `values D` | `D \| list`, `D \| items \| map(attribute=1)` |
//! | `merge D E` | `E \| merge(D)` (what is in `D` counts) |
//! | `pick D K…`, `omit D K…` | `D \| pick(K…)`, `D \| omit(K…)` |
//! | `until N`, `seq A B` | `range(N)`, `range(A, B + 1)` |
//! | `join SEP L`, `splitList SEP S` | `L \| join(SEP)`, `S \| split(SEP)` |
//! | `splitLines S`, `catLines S` | `S \| lines`, `S \| lines \| join(' ')` |
//! | `splitArgs S` | `S \| split_args` |
//! | `replace A B S` | `S \| replace(A, B)` |
//! | `trim`, `trimAll C S` | `S \| trim`, `S \| trim(C)` |
//! | `trimPrefix P S`, `trimSuffix P S` | `S \| remove_prefix(P)`, `S \| remove_suffix(P)` |
//! | `trimLeft C S`, `trimRight C S` | `S \| trim_start(C)`, `S \| trim_end(C)` |
//! | `hasPrefix P S`, `hasSuffix P S` | `S is startingwith(P)`, `S is endingwith(P)` |
//! | `upper`, `lower`, `title`, `untitle` | `S \| upper`, `lower`, `title`, `untitle` |
//! | `camelcase`, `snakecase`, `kebabcase` | `S \| camel_case`, `snake_case`, `kebab_case` |
//! | `nospace S` | `S \| split \| join` |
//! | `repeat N S` | `S * N` |
//! | `indent N S`, `nindent N S` | `S \| indent(N, true)`, `'\n' ~ (S \| indent(N, true))` |
//! | `quote S`, `squote S` | `S \| quote`, `S \| squote` |
//! | `shellQuote S`, `q S` | `S \| shell_quote` |
//! | `printf F A…`, `print A B` | `printf(F, A…)`, `A ~ B` |
//! | `cat A B` | `[A, B] \| join(' ')` |
//! | `regexMatch R S` | `S is matching(R)` |
//! | `regexFind R S`, `regexFindAll R S N` | `S \| regex_find(R)`, `S \| regex_find_all(R, N)` |
//! | `regexReplaceAll R S N`, `…Literal` | `S \| regex_replace(R, N)`, `S \| regex_replace(R, N, literal=true)` |
//! | `regexSplit R S N` | `S \| regex_split(R, N)` |
//! | `toJson X`, `toPrettyJson X`, `fromJson S` | `X \| tojson`, `X \| tojson(indent=2)`, `S \| fromjson` |
//! | `toYaml X`, `fromYaml S` | `X \| toyaml`, `S \| fromyaml` |
//! | `sha256sum S`, `sha1sum S` | `S \| sha256`, `S \| sha1` |
//! | `b64enc S`, `b64dec S` | `S \| b64encode`, `S \| b64decode` |
//! | `base`, `dir`, `ext`, `clean`, `isAbs` | `P \| basename`, `dirname`, `extname`, `clean_path`, `P is absolute` |
//! | `joinPath A B`, `relPath B P`, `absPath P` | `[A, B] \| join_path`, `P \| relative_to(B)`, `P \| absolute_path(cwd)` |
//! | `toSlash P`, `fromSlash P` | `P \| to_slash`, `P \| from_slash` |
//! | `semverCompare C V` | `V is semver(C)` |
//! | `now`, `date F T` | `now`, `T \| date(F)`, with `F` as strftime has it (`%Y-%m-%d`) |
//! | `env "X"` | `env.X` |
//! | `OS`, `ARCH`, `exeExt` | `os`, `arch`, `exe` |
//!
//! Taskfiles that run as they are use `as_go`, `go_field`, `go_pairs`, `go_numbered` and `go`: values and
//! functions as Go has them.
//! `now` is known to tasks only: what is built may not depend on the time.

mod codes;
mod collections;
mod go;
mod paths;
mod patterns;
mod print;
mod sprig;
mod standard;
mod table;
mod texts;
mod versions;

use minijinja::{Error, ErrorKind, Value};

pub use sprig::{is_go_function, strftime};
pub use table::{FunctionKind, TEMPLATE_FUNCTIONS, TemplateFunction};

use super::engine::TemplateEngine;

/// Adds all of them to `engine`.
pub fn add(engine: &mut TemplateEngine) {
    codes::add(engine);
    collections::add(engine);
    go::add(engine);
    paths::add(engine);
    patterns::add(engine);
    print::add(engine);
    sprig::add(engine);
    standard::add(engine);
    texts::add(engine);
    versions::add(engine);
}

/// What an argument has wrong.
fn wrong(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, what.into())
}

/// A value as text.
fn text(value: &Value) -> String {
    match value.kind() {
        minijinja::value::ValueKind::Bool => value.is_true().to_string(),
        _ => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    /// Renders each template and compares.
    pub fn give(pairs: &[(&str, &str)]) {
        let engine = super::super::TemplateEngine::new();
        for (template, expected) in pairs {
            let rendered = engine.render(template, minijinja::context! {});
            assert_eq!(
                &rendered.unwrap_or_else(|e| panic!("{template}: {e}")),
                expected,
                "{template}"
            );
        }
    }

    /// Each template must fail and say this.
    pub fn fail(pairs: &[(&str, &str)]) {
        let engine = super::super::TemplateEngine::new();
        for (template, expected) in pairs {
            let error = engine.render(template, minijinja::context! {}).unwrap_err();
            assert!(error.to_string().contains(expected), "{template}: {error}");
        }
    }

    #[test]
    fn what_the_table_says_of_minijinja_holds() {
        give(&[
            ("{{ '' | default('d', true) }}", "d"),
            ("{{ {'a': 1}['a'] }}", "1"),
            ("{{ 7 // 2 }} {{ 7 % 2 }} {{ [3, 5] | max }}", "3 1 5"),
            (
                "{{ 1.5 | round(method='floor') | int }} {{ 1.2 | round(method='ceil') | int }}",
                "1 2",
            ),
            ("{{ [1, 2, 3][1:] }} {{ [1, 2, 3][:-1] }}", "[2, 3] [1, 2]"),
            ("{{ 'abcdef'[1:3] }} {{ 'abc'[:2] }}", "bc ab"),
            ("{{ [1] + [2] }}", "[1, 2]"),
            ("{{ ['', 'a'] | select | list }}", "['a']"),
            ("{{ [1, 2, 1] | reject('eq', 1) | list }}", "[2]"),
            ("{{ {'a': 1, 'b': 2} | list }}", "['a', 'b']"),
            ("{{ {'a': 1, 'b': 2} | items | map(attribute=1) | list }}", "[1, 2]"),
            ("{{ range(1, 3 + 1) | list }}", "[1, 2, 3]"),
            ("{{ 'a,b' | split(',') | join('+') }}", "a+b"),
            ("{{ 'a\nb' | lines | join(' ') }}", "a b"),
            ("{{ 'xxax' | trim('x') }}", "a"),
            ("{{ 'ab' is startingwith('a') }} {{ 'ab' is endingwith('a') }}", "true false"),
            ("{{ ' a b ' | split | join }}", "ab"),
            ("{{ 'ab' * 2 }}", "abab"),
            ("{{ 'a\nb' | indent(2, true) }}", "  a\n  b"),
            ("{{ 'k' in {'k': 1} }} {{ 'b' in 'abc' }}", "true true"),
        ]);
    }
}
