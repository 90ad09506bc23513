//! `print`, `printf` and `println`, as Go's package `fmt` has them.

use minijinja::{Value, value::ValueKind};

use super::super::{go::written, texts::quoted};
use super::{GoFunction, number, real, text};

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
        let is_whole = value.is_integer();
        let is_number = value.kind() == ValueKind::Number;
        let said = match letter {
            'v' | 's' if letter == 'v' || value.as_str().is_some() || is_list(value) => {
                self.cut(&written(value))
            }
            'd' if is_whole => self.signed(number(value).to_string()),
            'd' if is_list(value) => written(value),
            'x' | 'X' if value.as_str().is_some() => {
                let text = value.as_str().unwrap_or_default();
                text.bytes().map(|byte| format!("{byte:02x}")).collect()
            }
            'x' if is_whole => {
                format!("{}{:x}", if self.is_other { "0x" } else { "" }, number(value))
            }
            'X' if is_whole => format!("{:X}", number(value)),
            'o' if is_whole => format!("{:o}", number(value)),
            'b' if is_whole => format!("{:b}", number(value)),
            'c' if is_whole => {
                let code = u32::try_from(number(value)).ok().and_then(char::from_u32);
                code.unwrap_or('\u{fffd}').to_string()
            }
            'f' | 'F' if is_number && !is_whole => {
                self.signed(format!("{:.*}", self.digits.unwrap_or(6), real(value)))
            }
            'g' if is_number && !is_whole => written(value),
            'q' if value.as_str().is_some() => quoted(&self.cut(&written(value))),
            't' if value.kind() == ValueKind::Bool => written(value),
            'T' => kind(value).to_owned(),
            letter if value.is_none() || value.is_undefined() => format!("%!{letter}(<nil>)"),
            letter => format!("%!{letter}({}={})", kind(value), written(value)),
        };
        self.padded(said, is_number)
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

fn is_list(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable)
}
