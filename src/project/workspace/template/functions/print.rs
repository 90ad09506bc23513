//! `printf`, with the verbs that Go's has.

use minijinja::{Error, Value, value::Rest};

use super::{super::engine::TemplateEngine, text, texts::quoted, wrong};

pub fn add(engine: &mut TemplateEngine) {
    engine.add_function("printf", printf, |all| {
        let format = all.first().and_then(Value::as_str).unwrap_or_default();
        (format.matches('%').count() * MAX_WIDTH) as u64
    });
}

/// A verb: `%-08.2f`.
#[derive(Default)]
struct FormatVerb {
    is_left: bool,
    has_sign: bool,
    has_zeros: bool,
    width: usize,
    digits: Option<usize>,
}

/// How wide a value may be made.
const MAX_WIDTH: usize = 1000;

#[expect(clippy::needless_pass_by_value, reason = "minijinja hands them over")]
fn printf(format: &str, values: Rest<Value>) -> Result<String, Error> {
    let mut values = values.iter();
    let mut out = String::new();
    let mut signs = format.chars().peekable();
    while let Some(sign) = signs.next() {
        if sign != '%' {
            out.push(sign);
            continue;
        }
        let mut verb = FormatVerb::default();
        let letter = loop {
            match signs.next().ok_or_else(|| wrong("a `%` ends the format"))? {
                '-' => verb.is_left = true,
                '+' => verb.has_sign = true,
                '0' if verb.width == 0 && verb.digits.is_none() => verb.has_zeros = true,
                '.' => verb.digits = Some(0),
                digit @ '0'..='9' => {
                    let number = verb.digits.as_mut().unwrap_or(&mut verb.width);
                    *number = (*number * 10 + digit as usize - '0' as usize).min(MAX_WIDTH);
                }
                letter => break letter,
            }
        };
        if letter == '%' {
            out.push('%');
            continue;
        }
        let value = values.next();
        let value = value.ok_or_else(|| wrong(format!("`{format}` has more verbs than values")))?;
        out.push_str(&verb.print(letter, value)?);
    }
    match values.next() {
        None => Ok(out),
        Some(_) => Err(wrong(format!("`{format}` has fewer verbs than values"))),
    }
}

impl FormatVerb {
    fn print(&self, letter: char, value: &Value) -> Result<String, Error> {
        let no_number = || wrong(format!("`%{letter}` needs a number, not `{value}`"));
        let whole = || {
            let written = value.as_str().and_then(|text| text.trim().parse().ok());
            value.as_i64().or(written).ok_or_else(no_number)
        };
        let plus = |text: String| match self.has_sign && !text.starts_with('-') {
            true => format!("+{text}"),
            false => text,
        };
        let mut is_number = true;
        let printed = match letter {
            'd' => plus(whole()?.to_string()),
            'x' => format!("{:x}", whole()?),
            'X' => format!("{:X}", whole()?),
            'o' => format!("{:o}", whole()?),
            'b' => format!("{:b}", whole()?),
            'f' => {
                let written = || value.as_str().and_then(|text| text.trim().parse().ok());
                let number = f64::try_from(value.clone()).ok().or_else(written);
                plus(format!("{:.*}", self.digits.unwrap_or(6), number.ok_or_else(no_number)?))
            }
            's' | 'v' | 'q' | 't' => {
                is_number = false;
                let text = text(value);
                let cut: String = text.chars().take(self.digits.unwrap_or(usize::MAX)).collect();
                if letter == 'q' { quoted(&cut) } else { cut }
            }
            other => return Err(wrong(format!("printf knows no verb `%{other}`"))),
        };
        Ok(self.padded(printed, is_number))
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

#[cfg(test)]
mod tests {
    use super::super::tests::{fail, give};

    #[test]
    fn verbs_print_as_in_go() {
        give(&[
            ("{{ printf('%s-%v %d%%', 'a', 1.5, 7) }}", "a-1.5 7%"),
            ("{{ printf('%05d|%-4s|%4s|%+d', -42, 'a', 'b', 3) }}", "-0042|a   |   b|+3"),
            ("{{ printf('%.2f %6.1f %f', 3.14159, 2, '1') }}", "3.14    2.0 1.000000"),
            ("{{ printf('%x %X %o %b', 255, 255, 8, 5) }}", "ff FF 10 101"),
            ("{{ printf('%q %.2s %t', 'a\"b', 'xyz', true) }}", "\"a\\\"b\" xy true"),
            ("{{ printf('%d', '12') }}", "12"),
        ]);
        fail(&[
            ("{{ printf('%d', 'x') }}", "needs a number"),
            ("{{ printf('%s') }}", "more verbs"),
            ("{{ printf('x', 1) }}", "fewer verbs"),
            ("{{ printf('%y', 1) }}", "no verb `%y`"),
            ("{{ printf('50%') }}", "ends the format"),
        ]);
    }
}
