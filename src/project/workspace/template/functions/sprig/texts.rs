//! Texts, paths and URLs.

use minijinja::{Error, Value};

use super::super::{go::written, texts::quoted, wrong};
use super::{GoFunction, MOST, arg, entries, is_nothing, items, text, whole};

pub(super) const TABLE: &[GoFunction] = &[
    ("hello", |_| Ok(Value::from("Hello!"))),
    ("trunc", |all| Ok(Value::from(truncated(whole(all, 0), &text(all, 1))))),
    ("substr", |all| Ok(Value::from(part(whole(all, 0), whole(all, 1), &text(all, 2))))),
    ("repeat", |all| {
        let times = usize::try_from(whole(all, 0).min(MOST)).unwrap_or(0);
        Ok(Value::from(bounded(&text(all, 1), times)?))
    }),
    ("trimall", |all| {
        let signs: Vec<char> = text(all, 0).chars().collect();
        Ok(Value::from(text(all, 1).trim_matches(signs.as_slice())))
    }),
    ("quote", |all| Ok(Value::from(each(all, |one| quoted(&written(one)))))),
    ("squote", |all| Ok(Value::from(each(all, |one| format!("'{}'", written(one)))))),
    ("cat", |all| Ok(Value::from(each(all, written)))),
    ("indent", |all| Ok(Value::from(indented(whole(all, 0), &text(all, 1))?))),
    ("nindent", |all| Ok(Value::from(format!("\n{}", indented(whole(all, 0), &text(all, 1))?)))),
    ("plural", |all| Ok(arg(all, usize::from(whole(all, 2) != 1)))),
    ("adler32sum", |all| Ok(Value::from(adler32(&text(all, 0)).to_string()))),
    ("b32enc", |all| Ok(Value::from(base32(text(all, 0).as_bytes())))),
    ("b32dec", |all| Ok(Value::from(of_base32(&text(all, 0))))),
    ("toString", |all| Ok(Value::from(text(all, 0)))),
    ("toStrings", |all| Ok(Value::from(texts(&arg(all, 0))?))),
    ("join", |all| Ok(Value::from(texts(&arg(all, 1))?.join(&text(all, 0))))),
    ("splitn", |all| {
        let (whole_text, sign) = (text(all, 2), text(all, 0));
        let parts: Vec<&str> = match usize::try_from(whole(all, 1)) {
            Ok(most) => whole_text.splitn(most, sign.as_str()).collect(),
            Err(_) => whole_text.split(sign.as_str()).collect(),
        };
        let numbered = parts.iter().enumerate().map(|(at, part)| (format!("_{at}"), *part));
        Ok(Value::from_pairs(numbered))
    }),
    ("shellQuote", |all| Ok(Value::from(shell_quoted(&text(all, 0))))),
    ("q", |all| Ok(Value::from(shell_quoted(&text(all, 0))))),
    ("html", |all| Ok(Value::from(replaced(&text(all, 0), HTML)))),
    ("js", |all| Ok(Value::from(replaced(&text(all, 0), JS)))),
    ("urlquery", |all| Ok(Value::from(url_encoded(&text(all, 0))))),
    ("regexQuoteMeta", |all| Ok(Value::from(meta_quoted(&text(all, 0))))),
    ("osIsAbs", |all| Ok(Value::from(text(all, 0).starts_with('/')))),
    ("joinEnv", |all| {
        let parts: Vec<String> = all.iter().map(written).collect();
        Ok(Value::from(parts.join(if cfg!(windows) { ";" } else { ":" })))
    }),
    ("joinUrl", |all| Ok(Value::from(joined_url(&all.iter().map(written).collect::<Vec<_>>())))),
    ("urlParse", |all| Ok(parsed_url(&text(all, 0)))),
    ("urlJoin", |all| Ok(Value::from(built_url(&entries(all, 0))))),
    ("IsSH", |_| Ok(Value::from(true))),
    ("expandenv", |all| Ok(Value::from(expanded(&text(all, 0), &entries(all, 1))))),
    ("fail", |all| Err(wrong(text(all, 0)))),
];

const HTML: &[(char, &str)] =
    &[('<', "&lt;"), ('>', "&gt;"), ('&', "&amp;"), ('\'', "&#39;"), ('"', "&#34;")];
const JS: &[(char, &str)] = &[
    ('\'', "\\'"),
    ('"', "\\\""),
    ('\\', "\\\\"),
    ('<', "\\u003C"),
    ('>', "\\u003E"),
    ('&', "\\u0026"),
    ('=', "\\u003D"),
    ('\n', "\\u000A"),
];

fn replaced(text: &str, table: &[(char, &str)]) -> String {
    let sign = |sign: char| {
        let row = table.iter().find(|row| row.0 == sign);
        row.map_or_else(|| sign.to_string(), |row| row.1.to_owned())
    };
    text.chars().map(sign).collect()
}

fn bounded(text: &str, times: usize) -> Result<String, Error> {
    match text.len().checked_mul(times).is_some_and(|length| length <= 4 << 20) {
        true => Ok(text.repeat(times)),
        false => Err(wrong("this text would be too long")),
    }
}

fn indented(width: i64, text: &str) -> Result<String, Error> {
    let width = usize::try_from(width.clamp(0, 1000)).unwrap_or(0);
    let lines = text.matches('\n').count() + 1;
    bounded(" ", width * lines)?;
    let pad = " ".repeat(width);
    Ok(format!("{pad}{}", text.replace('\n', &format!("\n{pad}"))))
}

fn each(all: &[Value], say: impl Fn(&Value) -> String) -> String {
    let is_there = |one: &&Value| !one.is_none() && !one.is_undefined();
    all.iter().filter(is_there).map(say).collect::<Vec<_>>().join(" ")
}

fn texts(value: &Value) -> Result<Vec<String>, Error> {
    match value.as_str() {
        Some(text) => Ok(vec![text.to_owned()]),
        None if value.kind() == minijinja::value::ValueKind::Number => Ok(vec![written(value)]),
        None => Ok(items(std::slice::from_ref(value), 0)?.iter().map(written).collect()),
    }
}

fn truncated(length: i64, text: &str) -> String {
    let count = usize::try_from(length.unsigned_abs()).unwrap_or(usize::MAX);
    let signs = text.chars();
    match length < 0 {
        true => signs.skip(text.chars().count().saturating_sub(count)).collect(),
        false => signs.take(count).collect(),
    }
}

fn part(start: i64, end: i64, text: &str) -> String {
    let from = usize::try_from(start).unwrap_or(0);
    let to = usize::try_from(end).unwrap_or(usize::MAX);
    text.chars().take(to).skip(from).collect()
}

fn adler32(text: &str) -> u32 {
    let (low, high) = text.bytes().fold((1_u32, 0_u32), |(low, high), byte| {
        let low = (low + u32::from(byte)) % 65521;
        (low, (high + low) % 65521)
    });
    high << 16 | low
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

fn base32(bytes: &[u8]) -> String {
    let mut said = String::new();
    for chunk in bytes.chunks(5) {
        let mut block = [0_u8; 8];
        block[3..3 + chunk.len()].copy_from_slice(chunk);
        let number = u64::from_be_bytes(block);
        let signs = (chunk.len() * 8).div_ceil(5);
        for at in 0..8 {
            let index = (number >> (35 - 5 * at)) & 31;
            let sign = BASE32.get(usize::try_from(index).unwrap_or(0)).copied().unwrap_or(b'A');
            said.push(if at < signs { char::from(sign) } else { '=' });
        }
    }
    said
}

fn of_base32(text: &str) -> String {
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for sign in text.trim().bytes().filter(|sign| *sign != b'=' && *sign != b'\n') {
        let Some(value) = BASE32.iter().position(|one| *one == sign) else {
            return format!("illegal base32 data at input byte {}", bytes.len());
        };
        bits = bits << 5 | u32::try_from(value).unwrap_or(0);
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A word as the shell of Task quotes it.
fn shell_quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_-+./:,%@^=".contains(c);
    let keywords =
        ["if", "then", "else", "elif", "fi", "while", "for", "case", "esac", "do", "done", "time"];
    if text.is_empty() {
        return "''".into();
    }
    if text.chars().all(is_plain) && !text.contains('=') && !keywords.contains(&text) {
        return text.to_owned();
    }
    if text.contains(|c: char| c.is_control()) {
        let sign = |c: char| match c {
            '\n' => "\\n".to_owned(),
            '\t' => "\\t".to_owned(),
            '\r' => "\\r".to_owned(),
            '\\' => "\\\\".to_owned(),
            '\'' => "\\'".to_owned(),
            c if c.is_control() => format!("\\x{:02x}", u32::from(c)),
            c => c.to_string(),
        };
        return format!("$'{}'", text.chars().map(sign).collect::<String>());
    }
    if !text.contains('\'') {
        return format!("'{text}'");
    }
    format!("\"{}\"", replaced(text, &[('"', "\\\""), ('\\', "\\\\"), ('`', "\\`"), ('$', "\\$")]))
}

/// A text with `$NAME` and `${NAME}` as `env` has them.
fn expanded(text: &str, env: &[(String, Value)]) -> String {
    let value = |name: &str| {
        let pair = env.iter().find(|(key, _)| key == name);
        pair.map(|(_, value)| written(value)).unwrap_or_default()
    };
    let (mut said, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('$') {
        said.push_str(before);
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        rest = match after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some((name, after)) => {
                said.push_str(&value(name));
                after
            }
            None => {
                let end = after.find(|c| !is_part(c)).unwrap_or(after.len());
                said.push_str(&if end == 0 { "$".into() } else { value(&after[..end]) });
                &after[end..]
            }
        };
    }
    said + rest
}

fn url_encoded(text: &str) -> String {
    let sign = |byte: u8| match byte {
        b' ' => "+".to_owned(),
        byte if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) => char::from(byte).into(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(sign).collect()
}

fn meta_quoted(text: &str) -> String {
    let sign = |c: char| match r"\.+*?()|[]{}^$".contains(c) {
        true => format!("\\{c}"),
        false => c.to_string(),
    };
    text.chars().map(sign).collect()
}

/// The scheme and host of a URL, and its path.
fn cut_url(text: &str) -> (&str, &str) {
    let from = text.find("://").map_or(0, |at| at + 3);
    let path = text[from..].find('/').map_or(text.len(), |at| from + at);
    text.split_at(if from == 0 { 0 } else { path })
}

fn joined_url(parts: &[String]) -> String {
    let Some((first, rest)) = parts.split_first() else { return String::new() };
    let (host, path) = cut_url(first);
    let mut names: Vec<&str> = Vec::new();
    let ends_with_slash = rest.last().unwrap_or(first).ends_with('/');
    for part in std::iter::once(path).chain(rest.iter().map(String::as_str)) {
        for name in part.split('/').filter(|name| !name.is_empty() && *name != ".") {
            match name {
                ".." => drop(names.pop()),
                name => names.push(name),
            }
        }
    }
    let slash = if host.is_empty() && !path.starts_with('/') { "" } else { "/" };
    let end = if ends_with_slash && !names.is_empty() { "/" } else { "" };
    format!("{host}{slash}{}{end}", names.join("/"))
}

fn parsed_url(text: &str) -> Value {
    let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (scheme, rest) = rest.split_once("://").unwrap_or(("", rest));
    let (authority, path) = match scheme {
        "" => ("", rest),
        _ => rest.split_at(rest.find('/').unwrap_or(rest.len())),
    };
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let keys = ["scheme", "host", "hostname", "path", "query", "opaque", "fragment", "userinfo"];
    let values = [scheme, host, name, path, query, "", fragment, user];
    Value::from_pairs(keys.into_iter().zip(values))
}

fn built_url(parts: &[(String, Value)]) -> String {
    let part = |name: &str, before: &str, after: &str| {
        let value = parts.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        let value = value.filter(|value| !is_nothing(value)).map(written);
        value.map_or(String::new(), |value| format!("{before}{value}{after}"))
    };
    let (user, host) = (part("userinfo", "", "@"), part("host", "", ""));
    let (query, fragment) = (part("query", "?", ""), part("fragment", "#", ""));
    format!("{}{user}{host}{}{query}{fragment}", part("scheme", "", "://"), part("path", "", ""))
}
