//! Functions of Go's templates, of sprig and of Task, in forge's words.

use super::Expr;

/// A text as an expression.
pub(in super::super) fn literal(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n");
    format!("'{}'", escaped.replace('\t', "\\t").replace('\r', "\\r"))
}

/// What becomes of a function.
enum Form {
    /// The last argument through a filter, with those before it as the filter's.
    Filter(&'static str),
    /// A pattern with `$1`, `$2`… for its arguments.
    Pattern(&'static str),
    /// Its arguments with this between them.
    Between(&'static str),
}

use Form::{Between, Filter, Pattern};

/// Functions with how many arguments they take at least and at most.
const TABLE: &[(&str, usize, usize, Form)] = &[
    ("add", 1, 99, Between("+")),
    ("add1", 1, 1, Pattern("($1 | int + 1)")),
    ("all", 1, 99, Between("and")),
    ("and", 1, 99, Between("and")),
    ("any", 1, 99, Between("or")),
    ("ARCH", 0, 0, Pattern("arch")),
    ("atoi", 1, 1, Filter("int")),
    ("b64dec", 1, 1, Filter("b64decode")),
    ("b64enc", 1, 1, Filter("b64encode")),
    ("base", 1, 1, Filter("basename")),
    ("catLines", 1, 1, Pattern("$1 | replace('\\n', ' ')")),
    ("clean", 1, 1, Filter("normpath")),
    ("coalesce", 1, 99, Between("or")),
    ("concat", 1, 99, Between("+ ")),
    ("contains", 2, 2, Pattern("($1 in $2)")),
    ("default", 2, 2, Pattern("$2 | default($1, true)")),
    ("dir", 1, 1, Filter("dirname")),
    ("div", 2, 2, Pattern("($1 | int // $2 | int)")),
    ("empty", 1, 1, Pattern("(not $1)")),
    ("eq", 2, 99, Between("==")),
    ("exeExt", 0, 0, Pattern("('.exe' if os == 'windows' else '')")),
    ("ext", 1, 1, Filter("extname")),
    ("first", 1, 1, Filter("first")),
    ("float64", 1, 1, Filter("float")),
    ("fromJson", 1, 1, Filter("fromjson")),
    ("fromSlash", 1, 1, Pattern("$1")),
    ("ge", 2, 2, Pattern("($1 >= $2)")),
    ("get", 2, 2, Pattern("$1[$2]")),
    ("gt", 2, 2, Pattern("($1 > $2)")),
    ("has", 2, 2, Pattern("($1 in $2)")),
    ("hasKey", 2, 2, Pattern("($2 in $1)")),
    ("hasPrefix", 2, 2, Pattern("($2 is startingwith $1)")),
    ("hasSuffix", 2, 2, Pattern("($2 is endingwith $1)")),
    ("html", 1, 1, Filter("escape")),
    ("indent", 2, 2, Pattern("$2 | indent($1, true)")),
    ("initial", 1, 1, Pattern("$1[:-1]")),
    ("int", 1, 1, Filter("int")),
    ("int64", 1, 1, Filter("int")),
    ("isAbs", 1, 1, Pattern("($1 is startingwith '/')")),
    ("join", 2, 2, Filter("join")),
    ("keys", 1, 1, Pattern("$1 | list")),
    ("last", 1, 1, Filter("last")),
    ("le", 2, 2, Pattern("($1 <= $2)")),
    ("len", 1, 1, Filter("length")),
    ("lower", 1, 1, Filter("lower")),
    ("lt", 2, 2, Pattern("($1 < $2)")),
    ("max", 1, 99, Pattern("[$*] | max")),
    ("min", 1, 99, Pattern("[$*] | min")),
    ("mod", 2, 2, Pattern("($1 | int % $2 | int)")),
    ("mul", 1, 99, Between("*")),
    ("ne", 2, 2, Pattern("($1 != $2)")),
    ("not", 1, 1, Pattern("(not $1)")),
    ("or", 1, 99, Between("or")),
    ("OS", 0, 0, Pattern("os")),
    ("osBase", 1, 1, Filter("basename")),
    ("osDir", 1, 1, Filter("dirname")),
    ("osExt", 1, 1, Filter("extname")),
    ("print", 1, 1, Pattern("$1")),
    ("q", 1, 1, Filter("quote")),
    ("list", 0, 99, Pattern("[$*]")),
    ("quote", 1, 1, Pattern("('\"' ~ $1 ~ '\"')")),
    ("regexMatch", 2, 2, Pattern("$2 | regex_match($1)")),
    ("mustRegexMatch", 2, 2, Pattern("$2 | regex_match($1)")),
    ("regexReplaceAll", 3, 3, Pattern("$2 | regex_replace($1, $3)")),
    ("regexFind", 2, 2, Pattern("$2 | regex_find($1)")),
    ("repeat", 2, 2, Pattern("($2 * $1)")),
    ("replace", 3, 3, Filter("replace")),
    ("rest", 1, 1, Pattern("$1[1:]")),
    ("reverse", 1, 1, Filter("reverse")),
    ("sha256sum", 1, 1, Filter("sha256")),
    ("shellQuote", 1, 1, Filter("quote")),
    ("slice", 2, 3, Pattern("$1[$2:$3]")),
    ("sortAlpha", 1, 1, Filter("sort")),
    ("splitArgs", 1, 1, Filter("split_args")),
    ("splitLines", 1, 1, Filter("lines")),
    ("splitList", 2, 2, Filter("split")),
    ("squote", 1, 1, Pattern("('\\'' ~ $1 ~ '\\'')")),
    ("sub", 2, 2, Pattern("($1 | int - $2 | int)")),
    ("substr", 3, 3, Pattern("$3[$1:$2]")),
    ("tail", 1, 1, Pattern("$1[1:]")),
    ("ternary", 3, 3, Pattern("($1 if $3 else $2)")),
    ("title", 1, 1, Filter("title")),
    ("toInt", 1, 1, Filter("int")),
    ("toJson", 1, 1, Filter("tojson")),
    ("toSlash", 1, 1, Pattern("$1")),
    ("toString", 1, 1, Filter("string")),
    ("trim", 1, 1, Filter("trim")),
    ("trimAll", 2, 2, Filter("trim")),
    ("trimPrefix", 2, 2, Filter("trim_prefix")),
    ("trimSuffix", 2, 2, Filter("trim_suffix")),
    ("trunc", 2, 2, Pattern("$2[:$1]")),
    ("uniq", 1, 1, Filter("unique")),
    ("until", 1, 1, Pattern("range($1)")),
    ("upper", 1, 1, Filter("upper")),
    ("values", 1, 1, Filter("values")),
];

/// Functions that forge has not, and that depend on more than their arguments.
const KNOWN: &[&str] = &[
    "absPath",
    "ago",
    "date",
    "dateInZone",
    "dict",
    "env",
    "expandenv",
    "fromYaml",
    "htmlDate",
    "joinEnv",
    "joinUrl",
    "merge",
    "now",
    "numCPU",
    "nindent",
    "osClean",
    "randAlphaNum",
    "randInt",
    "randIntN",
    "relPath",
    "spew",
    "toYaml",
    "unset",
    "urlquery",
    "urlParse",
    "uuid",
    "uuidv4",
];

/// A call of a function, or why there is none and whether Task has none either.
pub(super) fn call(
    name: &str,
    arguments: &[String],
    written: &[Expr],
) -> Result<String, (String, bool)> {
    match (name, arguments) {
        ("printf", [format, values @ ..]) => return Ok(printf(format, values, written)),
        ("index", [value, keys @ ..]) if !keys.is_empty() => {
            return Ok(keys.iter().fold(value.clone(), |value, key| format!("{value}[{key}]")));
        }
        ("joinPath", [_, ..]) => return Ok(format!("[{}] | join_path", arguments.join(", "))),
        ("relPath", [base, path]) => return Ok(format!("{path} | relpath({base})")),
        ("absPath", [path]) => return Ok(format!("[root, {path}] | join_path")),
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
        let is_known = KNOWN.contains(&name);
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
    let mut text = pattern.replace("$*", &arguments.join(", "));
    for number in 1..=3 {
        let argument = arguments.get(number - 1).map_or(String::new(), |one| operand(one));
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
        "+" | "*" => {
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

/// `printf`: joined where the format only says where values go, else through a filter.
fn printf(format: &str, values: &[String], written: &[Expr]) -> String {
    let through_filter = || format!("{} | format({})", operand(format), values.join(", "));
    let Some(Expr::Text(text)) = written.first() else { return through_filter() };
    let mut parts = Vec::new();
    let mut values = values.iter();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('%') {
        if !before.is_empty() {
            parts.push(literal(before));
        }
        match (after.chars().next(), values.next()) {
            (Some('s' | 'v' | 'd'), Some(value)) => parts.push(operand(value)),
            _ => return through_filter(),
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
