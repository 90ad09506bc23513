//! Files of environment variables: `NAME=value` lines, `#` comments, `export` before a name, single
//! quotes (as it stands) and double quotes (`\n`, `\"`, `\\`). Nothing is expanded.

/// The variables of a file, in the order written.
///
/// # Errors
/// The number of the line that is none, from 1.
pub fn parse(text: &str) -> Result<Vec<(String, String)>, usize> {
    let mut variables = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line.split_once('=').ok_or(index + 1)?;
        let name = name.trim();
        let is_name = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if name.is_empty() || !name.chars().all(is_name) {
            return Err(index + 1);
        }
        variables.push((name.to_owned(), unquoted(value.trim()).ok_or(index + 1)?));
    }
    Ok(variables)
}

fn unquoted(value: &str) -> Option<String> {
    if let Some(rest) = value.strip_prefix('\'') {
        return rest.split_once('\'').map(|(inner, _)| inner.to_owned());
    }
    let Some(rest) = value.strip_prefix('"') else {
        let comment = value.find(" #").unwrap_or(value.len());
        return Some(value[..comment].trim_end().to_owned());
    };
    let mut text = String::new();
    let mut signs = rest.chars();
    loop {
        match signs.next()? {
            '"' => return Some(text),
            '\\' => match signs.next()? {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                other => text.push(other),
            },
            sign => text.push(sign),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_read_as_people_write_them() {
        let text = "# c\nA=1\nexport B = two words # c\nC='$x # y'\nD=\"a\\n\\\"b\\\"\"\nE=\n";
        let read = parse(text).unwrap();
        let values: Vec<_> = read.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(values, ["A=1", "B=two words", "C=$x # y", "D=a\n\"b\"", "E="]);
        for bad in ["\nx", "A='x", "a b=c", "=x"] {
            assert_eq!(parse(bad), Err(bad.lines().count()), "{bad}");
        }
    }
}
