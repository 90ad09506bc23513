//! Functions of Go's templates, of sprig and of Task, in forge's words.

use super::Expr;
use crate::workspace::{is_go_function, strftime};

/// A text as an expression.
pub(in super::super) fn literal(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n");
    format!("'{}'", escaped.replace('\t', "\\t").replace('\r', "\\r"))
}

/// What becomes of a function.
enum FunctionForm {
    /// The last argument through a filter, with those before it as the filter's.
    Filter(&'static str),
    /// A pattern with `$1`, `$2`… for its arguments.
    Pattern(&'static str),
    /// Its arguments with this between them.
    Between(&'static str),
}

use FunctionForm::{Between, Filter, Pattern};

/// Functions with how many arguments they take at least and at most.
const TABLE: &[(&str, usize, usize, FunctionForm)] = &[
    ("add", 1, 99, Between("+")),
    ("add1", 1, 1, Pattern("($1 | int + 1)")),
    ("all", 1, 99, Between("and")),
    ("and", 1, 99, Between("and")),
    ("any", 1, 99, Between("or")),
    ("append", 2, 2, Pattern("($1 + [$2])")),
    ("ARCH", 0, 0, Pattern("arch")),
    ("atoi", 1, 1, Filter("int")),
    ("b64dec", 1, 1, Filter("b64decode")),
    ("b64enc", 1, 1, Filter("b64encode")),
    ("base", 1, 1, Filter("basename")),
    ("camelcase", 1, 1, Filter("camel_case")),
    ("cat", 1, 99, Pattern("[$*] | join(' ')")),
    ("catLines", 1, 1, Pattern("$1 | lines | join(' ')")),
    ("ceil", 1, 1, Pattern("$1 | round(method='ceil')")),
    ("clean", 1, 1, Filter("clean_path")),
    ("coalesce", 1, 99, Between("or")),
    ("compact", 1, 1, Filter("select")),
    ("concat", 1, 99, Between("+ ")),
    ("contains", 2, 2, Pattern("($1 in $2)")),
    ("default", 2, 2, Pattern("$2 | default($1, true)")),
    ("dir", 1, 1, Filter("dirname")),
    ("div", 2, 2, Between("//")),
    ("empty", 1, 1, Pattern("(not $1)")),
    ("eq", 2, 99, Between("==")),
    ("exeExt", 0, 0, Pattern("exe")),
    ("ext", 1, 1, Filter("extname")),
    ("first", 1, 1, Filter("first")),
    ("float64", 1, 1, Filter("float")),
    ("floor", 1, 1, Pattern("$1 | round(method='floor')")),
    ("fromJson", 1, 1, Filter("fromjson")),
    ("fromSlash", 1, 1, Filter("from_slash")),
    ("fromYaml", 1, 1, Filter("fromyaml")),
    ("ge", 2, 2, Pattern("($1 >= $2)")),
    ("get", 2, 2, Pattern("$1[$2]")),
    ("gt", 2, 2, Pattern("($1 > $2)")),
    ("has", 2, 2, Pattern("($1 in $2)")),
    ("hasKey", 2, 2, Pattern("($2 in $1)")),
    ("hasPrefix", 2, 2, Pattern("($2 is startingwith($1))")),
    ("hasSuffix", 2, 2, Pattern("($2 is endingwith($1))")),
    ("indent", 2, 2, Pattern("$2 | indent($1, true)")),
    ("initial", 1, 1, Pattern("$1[:-1]")),
    ("int", 1, 1, Filter("int")),
    ("int64", 1, 1, Filter("int")),
    ("isAbs", 1, 1, Pattern("($1 is absolute)")),
    ("join", 2, 2, Filter("join")),
    ("kebabcase", 1, 1, Filter("kebab_case")),
    ("keys", 1, 1, Filter("list")),
    ("last", 1, 1, Filter("last")),
    ("le", 2, 2, Pattern("($1 <= $2)")),
    ("len", 1, 1, Filter("length")),
    ("list", 0, 99, Pattern("[$*]")),
    ("lower", 1, 1, Filter("lower")),
    ("lt", 2, 2, Pattern("($1 < $2)")),
    ("max", 1, 99, Pattern("[$*] | max")),
    ("merge", 2, 2, Pattern("$2 | merge($1)")),
    ("min", 1, 99, Pattern("[$*] | min")),
    ("mod", 2, 2, Between("%")),
    ("mul", 1, 99, Between("*")),
    ("ne", 2, 2, Pattern("($1 != $2)")),
    ("nindent", 2, 2, Pattern("('\\n' ~ ($2 | indent($1, true)))")),
    ("nospace", 1, 1, Pattern("$1 | split | join")),
    ("not", 1, 1, Pattern("(not $1)")),
    ("now", 0, 0, Pattern("now")),
    ("omit", 2, 99, Pattern("$1 | omit($+)")),
    ("or", 1, 99, Between("or")),
    ("OS", 0, 0, Pattern("os")),
    ("osBase", 1, 1, Filter("basename")),
    ("osClean", 1, 1, Filter("clean_path")),
    ("osDir", 1, 1, Filter("dirname")),
    ("osExt", 1, 1, Filter("extname")),
    ("pick", 2, 99, Pattern("$1 | pick($+)")),
    ("prepend", 2, 2, Pattern("([$2] + $1)")),
    ("print", 1, 99, Between("~")),
    ("println", 1, 99, Pattern("([$*] | join(' ') ~ '\\n')")),
    ("quote", 1, 1, Filter("quote")),
    ("regexFind", 2, 2, Pattern("$2 | regex_find($1)")),
    ("regexFindAll", 3, 3, Pattern("$2 | regex_find_all($1, $3)")),
    ("regexMatch", 2, 2, Pattern("($2 is matching($1))")),
    ("regexReplaceAll", 3, 3, Pattern("$2 | regex_replace($1, $3)")),
    ("regexReplaceAllLiteral", 3, 3, Pattern("$2 | regex_replace($1, $3, literal=true)")),
    ("regexSplit", 3, 3, Pattern("$2 | regex_split($1, $3)")),
    ("repeat", 2, 2, Pattern("($2 * $1)")),
    ("replace", 3, 3, Filter("replace")),
    ("rest", 1, 1, Pattern("$1[1:]")),
    ("reverse", 1, 1, Filter("reverse")),
    ("semverCompare", 2, 2, Pattern("($2 is semver($1))")),
    ("seq", 2, 2, Pattern("range($1, $2 + 1)")),
    ("sha1sum", 1, 1, Filter("sha1")),
    ("sha256sum", 1, 1, Filter("sha256")),
    ("shellQuote", 1, 1, Filter("shell_quote")),
    ("slice", 2, 3, Pattern("$1[$2:$3]")),
    ("snakecase", 1, 1, Filter("snake_case")),
    ("sortAlpha", 1, 1, Filter("sort")),
    ("split", 2, 2, Pattern("$2 | split($1) | go_numbered")),
    ("splitArgs", 1, 1, Filter("split_args")),
    ("splitLines", 1, 1, Filter("lines")),
    ("splitList", 2, 2, Filter("split")),
    ("squote", 1, 1, Filter("squote")),
    ("sub", 2, 2, Between("-")),
    ("substr", 3, 3, Pattern("$3[$1:$2]")),
    ("tail", 1, 1, Pattern("$1[1:]")),
    ("ternary", 3, 3, Pattern("($1 if $3 else $2)")),
    ("title", 1, 1, Filter("title")),
    ("toInt", 1, 1, Filter("int")),
    ("toJson", 1, 1, Filter("tojson")),
    ("toPrettyJson", 1, 1, Pattern("$1 | tojson(indent=2)")),
    ("toSlash", 1, 1, Filter("to_slash")),
    ("toString", 1, 1, Filter("string")),
    ("toYaml", 1, 1, Filter("toyaml")),
    ("trim", 1, 1, Filter("trim")),
    ("trimAll", 2, 2, Filter("trim")),
    ("trimLeft", 2, 2, Filter("trim_start")),
    ("trimPrefix", 2, 2, Filter("remove_prefix")),
    ("trimRight", 2, 2, Filter("trim_end")),
    ("trimSuffix", 2, 2, Filter("remove_suffix")),
    ("trunc", 2, 2, Pattern("$2[:$1]")),
    ("uniq", 1, 1, Filter("unique")),
    ("until", 1, 1, Pattern("range($1)")),
    ("untitle", 1, 1, Filter("untitle")),
    ("upper", 1, 1, Filter("upper")),
    ("values", 1, 1, Pattern("$1 | items | map(attribute=1)")),
    ("without", 2, 2, Pattern("$1 | reject('eq', $2)")),
];

/// Functions of Task that forge's own templates have not. A Taskfile that runs as it is may use most.
const KNOWN: &[&str] = &[
    "ago",
    "dateInZone",
    "dateModify",
    "expandenv",
    "getHostByName",
    "htmlDate",
    "joinEnv",
    "joinUrl",
    "numCPU",
    "randAlpha",
    "randAlphaNum",
    "randAscii",
    "randInt",
    "randIntN",
    "randNumeric",
    "set",
    "spew",
    "splitn",
    "toDate",
    "unset",
    "urlJoin",
    "urlParse",
    "uuid",
    "uuidv4",
];

/// What else a function is called.
fn usual_name(name: &str) -> String {
    const OTHERS: &[(&str, &str)] = &[
        ("q", "shellQuote"),
        ("FromSlash", "fromSlash"),
        ("ToSlash", "toSlash"),
        ("ExeExt", "exeExt"),
        ("tuple", "list"),
    ];
    if let Some((_, usual)) = OTHERS.iter().find(|(other, _)| *other == name) {
        return (*usual).to_owned();
    }
    match name.strip_prefix("must") {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_uppercase()) => {
            rest[..1].to_lowercase() + &rest[1..]
        }
        _ => name.to_owned(),
    }
}

/// The variables that a text looks at as a shell does.
fn shell_names(text: &str) -> impl Iterator<Item = &str> {
    let names = text.split('$').skip(1).map(|rest| {
        let rest = rest.trim_start_matches('{');
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())]
    });
    names.filter(|name| !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()))
}

/// A call of a function for a run, as Go means it.
pub(super) fn exact_call(
    name: &str,
    arguments: &[String],
    written: &[Expr],
) -> Result<String, (String, bool)> {
    let usual = usual_name(name);
    match (usual.as_str(), arguments) {
        ("expandenv", [text]) => {
            let Some(Expr::Text(written)) = written.first() else {
                return Ok(format!("go('expandenv', {text}, env)"));
            };
            let pair = |name: &str| format!("{}: env.{name} | default('')", literal(name));
            let pairs: Vec<String> = shell_names(written).map(pair).collect();
            return Ok(format!("go('expandenv', {text}, {{{}}})", pairs.join(", ")));
        }
        ("index", [value, keys @ ..]) if !keys.is_empty() => {
            return Ok(format!("go('index', {value}, {})", keys.join(", ")));
        }
        ("date", [_, _]) if matches!(written.first(), Some(Expr::Text(_))) => {}
        (name, arguments) if is_go_function(name) => {
            let name = literal(name);
            let arguments = arguments.iter().map(|one| format!(", {one}"));
            return Ok(format!("go({name}{})", arguments.collect::<String>()));
        }
        _ => {}
    }
    call(name, arguments, written)
}

/// A call of a function, or why there is none and whether Task has none either.
pub(super) fn call(
    name: &str,
    arguments: &[String],
    written: &[Expr],
) -> Result<String, (String, bool)> {
    let name = usual_name(name);
    match (name.as_str(), arguments) {
        ("printf", [format, values @ ..]) => return Ok(printf(format, values, written)),
        ("date", [_, time]) => {
            return match written.first() {
                Some(Expr::Text(layout)) => {
                    Ok(format!("{} | date({})", operand(time), literal(&strftime(layout))))
                }
                _ => Err(("the form of a date has to be a text".into(), false)),
            };
        }
        ("index", [value, keys @ ..]) if !keys.is_empty() => {
            return Ok(keys.iter().fold(atom(value), |value, key| format!("{value}[{key}]")));
        }
        ("joinPath", [_, ..]) => return Ok(format!("[{}] | join_path", arguments.join(", "))),
        ("relPath", [base, path]) => return Ok(format!("{} | relative_to({base})", operand(path))),
        ("absPath", [path]) => return Ok(format!("{} | absolute_path(root ~ '')", operand(path))),
        ("env", [name]) => {
            return Ok(format!("env[{name}] | default('')"));
        }
        ("dict", pairs) if pairs.len() % 2 == 0 => {
            let pairs = pairs.chunks(2).map(|pair| pair.join(": "));
            return Ok(format!("{{{}}}", pairs.collect::<Vec<_>>().join(", ")));
        }
        _ => {}
    }
    let Some((_, least, most, form)) = TABLE.iter().find(|row| row.0 == name) else {
        let is_known = KNOWN.contains(&name.as_str()) || is_go_function(&name);
        let what = match is_known {
            true => format!("forge's templates have nothing for the function `{name}`"),
            false => format!("there is no function `{name}`"),
        };
        return Err((what, !is_known));
    };
    if !(*least..=*most).contains(&arguments.len()) {
        let what = format!("the function `{name}` cannot have {} arguments", arguments.len());
        return Err((what, true));
    }
    Ok(match form {
        Filter(filter) => filtered(filter, arguments),
        Pattern(pattern) => filled(pattern, arguments),
        Between(sign) => between(sign, arguments),
    })
}

fn filtered(filter: &str, arguments: &[String]) -> String {
    let Some((last, before)) = arguments.split_last() else { return String::new() };
    let last = operand(last);
    match before {
        [] => format!("{last} | {filter}"),
        before => format!("{last} | {filter}({})", before.join(", ")),
    }
}

fn filled(pattern: &str, arguments: &[String]) -> String {
    let rest = arguments.get(1..).unwrap_or_default();
    let mut text = pattern.replace("$*", &arguments.join(", ")).replace("$+", &rest.join(", "));
    for number in 1..=3 {
        let is_indexed = pattern.contains(&format!("${number}["));
        let written = if is_indexed { atom } else { operand };
        let argument = arguments.get(number - 1).map_or(String::new(), |one| written(one));
        text = text.replace(&format!("${number}"), &argument);
    }
    text
}

fn between(sign: &str, arguments: &[String]) -> String {
    let operands = arguments.iter().map(|one| operand(one));
    let text = match sign {
        "==" => {
            let first = operand(&arguments[0]);
            let each = arguments[1..].iter().map(|one| format!("{first} == {}", operand(one)));
            each.collect::<Vec<_>>().join(" or ")
        }
        "+" | "*" | "-" | "//" | "%" => {
            operands.map(|one| number(&one)).collect::<Vec<_>>().join(&format!(" {sign} "))
        }
        _ => operands.collect::<Vec<_>>().join(&format!(" {} ", sign.trim())),
    };
    format!("({text})")
}

/// Something that counts as a number.
fn number(operand: &str) -> String {
    match operand.parse::<f64>() {
        Ok(_) => operand.to_owned(),
        Err(_) => format!("{operand} | int"),
    }
}

/// An argument that keeps its meaning within another expression.
fn operand(argument: &str) -> String {
    let is_whole = argument.starts_with('(') && argument.ends_with(')')
        || !argument.contains(' ')
        || argument.starts_with('\'') && argument[1..].find('\'') == Some(argument.len() - 2);
    // A filter binds closer than anything, so that a chain of them needs no parentheses.
    if is_whole || argument.contains(" | ") && !argument.contains(" ~ ") {
        argument.to_owned()
    } else {
        format!("({argument})")
    }
}

/// An argument of which a part is taken.
fn atom(argument: &str) -> String {
    let is_one = argument.starts_with('(') && argument.ends_with(')')
        || !argument.contains([' ', '|']) && !argument.starts_with('\'');
    if is_one { argument.to_owned() } else { format!("({argument})") }
}

/// `printf`: joined where the format only says where values go, else through a filter.
fn printf(format: &str, values: &[String], written: &[Expr]) -> String {
    let through_function = || {
        let values = values.iter().map(String::as_str);
        let all: Vec<&str> = std::iter::once(format).chain(values).collect();
        format!("printf({})", all.join(", "))
    };
    let Some(Expr::Text(text)) = written.first() else { return through_function() };
    let mut parts = Vec::new();
    let mut values = values.iter();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('%') {
        if !before.is_empty() {
            parts.push(literal(before));
        }
        match (after.chars().next(), values.next()) {
            (Some('s' | 'v' | 'd'), Some(value)) => parts.push(operand(value)),
            _ => return through_function(),
        }
        rest = &after[1..];
    }
    if !rest.is_empty() {
        parts.push(literal(rest));
    }
    match parts.as_slice() {
        [only] => only.clone(),
        _ => format!("({})", parts.join(" ~ ")),
    }
}
