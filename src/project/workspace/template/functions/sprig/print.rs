//! `print`, `printf` and `println`, as Go's package `fmt` has them.

use minijinja::{Value, value::ValueKind};

use super::super::{go::written, texts::quoted};
use super::{GoFunction, entries, number, real, shown::as_source, text};

pub(super) const TABLE: &[GoFunction] = &[
    ("print", |all| Ok(Value::from(printed(all)))),
    ("println", |all| {
        Ok(Value::from(all.iter().map(written).collect::<Vec<_>>().join(" ") + "\n"))
    }),
    ("printf", |all| Ok(Value::from(formatted(&text(all, 0), all.get(1..).unwrap_or_default())))),
];

/// The values, with a blank between two of which neither is a text.
fn printed(all: &[Value]) -> String {
    let mut said = String::new();
    for (at, value) in all.iter().enumerate() {
        let is_text = |value: &Value| value.as_str().is_some();
        if at > 0 && !is_text(value) && !is_text(&all[at - 1]) {
            said.push(' ');
        }
        said.push_str(&written(value));
    }
    said
}

/// What stands between `%` and the letter.
#[derive(Default)]
struct GoVerb {
    is_left: bool,
    has_sign: bool,
    has_zeros: bool,
    is_other: bool,
    width: usize,
    digits: Option<usize>,
}

/// How wide a value may be made.
const MAX_WIDTH: usize = 1000;

fn formatted(format: &str, values: &[Value]) -> String {
    let mut values = values.iter();
    let (mut said, mut signs) = (String::new(), format.chars().peekable());
    while let Some(sign) = signs.next() {
        if sign != '%' {
            said.push(sign);
            continue;
        }
        let mut verb = GoVerb::default();
        let letter = loop {
            match signs.next() {
                None => break None,
                Some('-') => verb.is_left = true,
                Some('+') => verb.has_sign = true,
                Some('#') => verb.is_other = true,
                Some('0') if verb.width == 0 && verb.digits.is_none() => verb.has_zeros = true,
                Some('.') => verb.digits = Some(0),
                Some('*') => verb.width = values.next().map_or(0, width),
                Some(digit @ '0'..='9') => {
                    let number = verb.digits.as_mut().unwrap_or(&mut verb.width);
                    *number = (*number * 10 + digit as usize - '0' as usize).min(MAX_WIDTH);
                }
                Some(letter) => break Some(letter),
            }
        };
        match (letter, letter.filter(|letter| *letter != '%').and_then(|_| values.next())) {
            (None, _) => said.push_str("%!(NOVERB)"),
            (Some('%'), _) => said.push('%'),
            (Some(letter), None) => said.push_str(&format!("%!{letter}(MISSING)")),
            (Some(letter), Some(value)) => said.push_str(&verb.print(letter, value)),
        }
    }
    let rest: Vec<String> =
        values.map(|value| format!("{}={}", kind(value), written(value))).collect();
    match rest.is_empty() {
        true => said,
        false => format!("{said}%!(EXTRA {})", rest.join(", ")),
    }
}

fn width(value: &Value) -> usize {
    usize::try_from(number(value)).unwrap_or(0).min(MAX_WIDTH)
}

fn kind(value: &Value) -> &'static str {
    match value.kind() {
        ValueKind::String => "string",
        ValueKind::Bool => "bool",
        ValueKind::Number if value.is_integer() => "int",
        ValueKind::Number => "float64",
        ValueKind::Map => "map[string]interface {}",
        ValueKind::None | ValueKind::Undefined => "<nil>",
        _ => "[]interface {}",
    }
}

impl GoVerb {
    fn print(&self, letter: char, value: &Value) -> String {
        let inner = |one: &Value| match one.is_none() || one.is_undefined() {
            true => self.padded("<nil>".to_owned(), false),
            false => self.print(letter, one),
        };
        match value.kind() {
            _ if letter == 'T' => self.padded(kind(value).to_owned(), false),
            _ if letter == 'v' && self.is_other => self.padded(as_source(value), false),
            ValueKind::Map => {
                let pairs = entries(std::slice::from_ref(value), 0);
                let pair = |(key, one): &(String, Value)| {
                    format!("{}:{}", inner(&Value::from(key.as_str())), inner(one))
                };
                format!("map[{}]", pairs.iter().map(pair).collect::<Vec<_>>().join(" "))
            }
            ValueKind::Seq | ValueKind::Iterable => {
                let all = value.try_iter().into_iter().flatten();
                format!("[{}]", all.map(|one| inner(&one)).collect::<Vec<_>>().join(" "))
            }
            _ => self.print_one(letter, value),
        }
    }

    fn print_one(&self, letter: char, value: &Value) -> String {
        let is_whole = value.is_integer();
        let is_number = value.kind() == ValueKind::Number;
        let is_real = is_number && !is_whole;
        let said = match letter {
            'v' => self.cut(&written(value)),
            's' if value.as_str().is_some() => self.cut(&written(value)),
            'd' if is_whole => self.signed(number(value).to_string()),
            'x' | 'X' if value.as_str().is_some() => {
                let text = value.as_str().unwrap_or_default();
                let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
                if letter == 'X' { digits.to_uppercase() } else { digits }
            }
            'x' if is_whole => {
                format!("{}{:x}", if self.is_other { "0x" } else { "" }, number(value))
            }
            'X' if is_whole => format!("{:X}", number(value)),
            'o' if is_whole => format!("{:o}", number(value)),
            'b' if is_whole => format!("{:b}", number(value)),
            'U' if is_whole => format!("U+{:04X}", number(value)),
            'c' if is_whole => sign_of(value).to_string(),
            'q' if is_whole => match sign_of(value) {
                sign if sign.is_control() => format!("'\\x{:02x}'", u32::from(sign)),
                sign => format!("'{sign}'"),
            },
            'f' | 'F' if is_real => {
                self.signed(format!("{:.*}", self.digits.unwrap_or(6), real(value)))
            }
            'e' | 'E' if is_real => self.signed(self.with_exponent(letter, real(value))),
            'g' | 'G' if is_real && self.digits.is_none() => {
                let text = written(value);
                self.signed(if letter == 'G' { text.to_uppercase() } else { text })
            }
            'q' if value.as_str().is_some() => quoted(&self.cut(&written(value))),
            't' if value.kind() == ValueKind::Bool => written(value),
            letter if value.is_none() || value.is_undefined() => format!("%!{letter}(<nil>)"),
            letter => {
                let shown = self.padded(self.cut_text(value), is_number);
                return format!("%!{letter}({}={shown})", kind(value));
            }
        };
        self.padded(said, is_number)
    }

    fn cut_text(&self, value: &Value) -> String {
        match value.as_str() {
            Some(text) => self.cut(text),
            None => written(value),
        }
    }

    fn with_exponent(&self, letter: char, number: f64) -> String {
        let said = format!("{number:.*e}", self.digits.unwrap_or(6));
        let (digits, exponent) = said.split_once('e').unwrap_or((&said, "0"));
        let (sign, exponent) = match exponent.strip_prefix('-') {
            Some(exponent) => ('-', exponent),
            None => ('+', exponent),
        };
        format!("{digits}{letter}{sign}{exponent:0>2}")
    }

    fn cut(&self, text: &str) -> String {
        text.chars().take(self.digits.unwrap_or(usize::MAX)).collect()
    }

    fn signed(&self, text: String) -> String {
        match self.has_sign && !text.starts_with('-') {
            true => format!("+{text}"),
            false => text,
        }
    }

    fn padded(&self, text: String, is_number: bool) -> String {
        let missing = self.width.saturating_sub(text.chars().count());
        match (self.is_left, self.has_zeros && is_number) {
            (true, _) => text + &" ".repeat(missing),
            (_, true) => {
                let sign = text.len() - text.trim_start_matches(['-', '+']).len();
                format!("{}{}{}", &text[..sign], "0".repeat(missing), &text[sign..])
            }
            _ => " ".repeat(missing) + &text,
        }
    }
}

fn sign_of(value: &Value) -> char {
    u32::try_from(number(value)).ok().and_then(char::from_u32).unwrap_or('\u{fffd}')
}
