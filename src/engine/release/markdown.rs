//! Foreign words in Markdown: what stands in a commit is told as it is, and does nothing. It mentions
//! nobody, closes no issue, hides nothing, and stays within its line. Pure.
//!
//! The rules are those of CommonMark 0.31 and of GitHub's additions
//! (<https://github.github.com/gfm/>, "Autolinked references and URLs").

/// Words before the number of an issue that close it, in lower case.
const CLOSING: [&str; 9] =
    ["close", "closes", "closed", "fix", "fixes", "fixed", "resolve", "resolves", "resolved"];

/// `text` as part of a line of Markdown. Code between backticks stays code.
pub fn inline(text: &str) -> String {
    let text = one_line(text);
    let mut told = String::new();
    let mut rest = text.as_str();
    while let Some(start) = rest.find('`') {
        told.push_str(&inert(&rest[..start]));
        let ticks = rest[start..].len() - rest[start..].trim_start_matches('`').len();
        let (fence, behind) = rest[start..].split_at(ticks);
        match closing(behind, ticks) {
            Some(end) => {
                told.push_str(fence);
                told.push_str(&behind[..end + ticks]);
                rest = &behind[end + ticks..];
            }
            None => {
                told.push_str(&"\\`".repeat(ticks));
                rest = behind;
            }
        }
    }
    told.push_str(&inert(rest));
    told
}

/// [`inline`], at the beginning of a line or an item: no heading, list, quote or table begins with it.
pub fn line(text: &str) -> String {
    let told = inline(text);
    let digits = told.bytes().take_while(u8::is_ascii_digit).count();
    let is_numbered = digits > 0 && told[digits..].starts_with(['.', ')']);
    match told.chars().next() {
        Some(first) if "#>-+*=|~_".contains(first) => format!("\\{told}"),
        _ if is_numbered => format!("{}\\{}", &told[..digits], &told[digits..]),
        _ => told,
    }
}

/// Whether a character turns the direction of those around it (Unicode Annex 9).
fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `text` on one line, without what is not seen or turns what is seen around.
fn one_line(text: &str) -> String {
    let is_seen =
        |c: char| !is_bidi_control(c) && !matches!(c, '\u{200b}'..='\u{200d}' | '\u{feff}');
    let is_blank = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let seen = text.chars().filter(|c| is_seen(*c)).map(|c| if is_blank(c) { ' ' } else { c });
    seen.collect::<String>().trim().to_owned()
}

/// Where the run of as many backticks as opened a code span begins in `text`.
fn closing(text: &str, ticks: usize) -> Option<usize> {
    let mut at = 0;
    while let Some(start) = text[at..].find('`').map(|start| at + start) {
        let run = text[start..].len() - text[start..].trim_start_matches('`').len();
        if run == ticks {
            return Some(start);
        }
        at = start + run;
    }
    None
}

/// `text`, which has no code in it, so that it only says what it says.
fn inert(text: &str) -> String {
    let is_special = |c: char| "@#<]|&\\".contains(c);
    if !text.contains(is_special) && !text.contains("GH-") && !text.contains("://") {
        return text.to_owned();
    }
    let mut told = String::new();
    let mut at = 0;
    while let Some(sign) = text[at..].chars().next() {
        let (before, rest) = text.split_at(at);
        let length = name(before, rest).or_else(|| issue(before, rest)).unwrap_or(0);
        if length > 0 {
            told.push_str(&format!("`{}`", &rest[..length]));
            at += length;
            continue;
        }
        if is_markup(rest) {
            told.push('\\');
        }
        told.push(sign);
        at += sign.len_utf8();
    }
    told
}

/// How much of `rest` is a name that would be mentioned: `@ann`, `@acme/team`, and packages called so.
fn name(before: &str, rest: &str) -> Option<usize> {
    let is_within = before.ends_with(|c: char| c.is_alphanumeric() || "_.+-".contains(c));
    let behind = rest.strip_prefix('@').filter(|_| !is_within)?;
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || "-_/.".contains(c);
    let end = behind.find(|c| !is_of_name(c)).unwrap_or(behind.len());
    let end = behind[..end].trim_end_matches(['.', '/']).len();
    (end > 0).then_some(end + 1)
}

/// How much of `rest` names an issue that is not one to link: of another repository, or one that
/// the word before it would close.
fn issue(before: &str, rest: &str) -> Option<usize> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    if before.ends_with(|c: char| c.is_ascii_alphanumeric() || "-_./".contains(c)) {
        return None;
    }
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
    let end = rest.find(|c| !is_of_name(c)).unwrap_or(rest.len());
    let word = &rest[..end];
    let number = digits(rest[end..].strip_prefix('#').unwrap_or_default());
    let is_elsewhere = word.contains('/');
    if number > 0 && is_elsewhere {
        return Some(end + 1 + number);
    }
    let last =
        before.trim_end_matches([' ', ':']).rsplit(|c: char| !c.is_ascii_alphabetic()).next();
    let closes = last.is_some_and(|word| CLOSING.contains(&word.to_ascii_lowercase().as_str()));
    let is_page =
        word.starts_with("http") && ["/issues/", "/pull/"].iter().any(|it| word.contains(it));
    let is_short = word.strip_prefix("GH-").is_some_and(|number| number.len() == digits(number));
    match closes {
        true if number > 0 && word.is_empty() => Some(1 + number),
        true if is_page || is_short => Some(end),
        _ => None,
    }
}

/// Whether the first character of `rest` begins markup.
fn is_markup(rest: &str) -> bool {
    let next = rest.chars().nth(1);
    let is_letter = |c: char| c.is_ascii_alphabetic();
    match rest.as_bytes().first() {
        Some(b'<') => next.is_some_and(|c| is_letter(c) || "/!?".contains(c)),
        Some(b']') => matches!(next, Some('(' | '[')),
        Some(b'|' | b'\\') => true,
        Some(b'&') => {
            let end = rest.find(';').filter(|end| *end > 1);
            let is_entity =
                |inner: &str| inner.chars().all(|c| c.is_ascii_alphanumeric() || c == '#');
            end.is_some_and(|end| is_entity(&rest[1..end]))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_commit_says_does_nothing() {
        for (said, told) in [
            ("a plain line", "a plain line"),
            ("thanks @ann, @acme/team.", "thanks `@ann`, `@acme/team`."),
            ("bump @types/node to 1.2", "bump `@types/node` to 1.2"),
            ("mail a@b.c, x@", "mail a@b.c, x@"),
            ("a dark mode (#12)", "a dark mode (#12)"),
            ("fixes #1, closes: #23", "fixes `#1`, closes: `#23`"),
            ("Fixes acme/other#7", "Fixes `acme/other#7`"),
            ("see acme/other#7", "see `acme/other#7`"),
            (
                "resolves https://github.com/a/b/issues/3.",
                "resolves `https://github.com/a/b/issues/3.`",
            ),
            ("see https://h/x#frag", "see https://h/x#frag"),
            ("closes GH-4", "closes `GH-4`"),
            ("Vec<T> and <!-- gone", "Vec\\<T> and \\<!-- gone"),
            ("a < b > c", "a < b > c"),
            ("click [here](https://evil)", "click [here\\](https://evil)"),
            ("![x][y] [a]", "![x\\][y] [a]"),
            ("a | b", "a \\| b"),
            ("C:\\temp \\@ann", "C:\\\\temp \\\\`@ann`"),
            ("&#x202e; R&D &lt;", "\\&#x202e; R&D \\&lt;"),
            ("`@ann <b> ]( `", "`@ann <b> ]( `"),
            ("an `open end", "an \\`open end"),
            ("``a ` @b`` c`", "``a ` @b`` c\\`"),
            ("two\nlines\r\nand\u{7}\u{85}more", "two lines  and  more"),
            ("\u{202e}evil\u{2066}\u{200b}", "evil"),
        ] {
            assert_eq!(inline(said), told, "{said:?}");
        }
        for (said, told) in [
            ("# x", "\\# x"),
            ("- x", "\\- x"),
            ("> x", "\\> x"),
            ("1. x", "1\\. x"),
            ("| x", "\\| x"),
            ("12 x", "12 x"),
            ("", ""),
        ] {
            assert_eq!(line(said).replace("\\\\", "\\"), told, "{said:?}");
        }
    }

    proptest! {
        #[test]
        fn it_stays_on_its_line_and_mentions_nobody(
            text in "([ @#`<>|\\[\\]()a-z1\n\r\u{202e}\u{85}]|fixes |o/r#1|\\PC){0,24}",
        ) {
            let told = line(&text);
            prop_assert!(!told.contains(|c: char| c.is_control() || is_bidi_control(c)), "{:?}", told);
            // Outside of code, no @ begins a name.
            let mut rest = told.replace("\\\\", ".").replace("\\`", ".");
            while let Some(start) = rest.find('`') {
                let ticks = rest[start..].len() - rest[start..].trim_start_matches('`').len();
                let end = closing(&rest[start + ticks..], ticks);
                prop_assert!(end.is_some(), "{:?} leaves code open", told);
                let end = start + ticks + end.unwrap_or_default() + ticks;
                rest = format!("{}.{}", &rest[..start], &rest[end..]);
            }
            rest = rest.replace("\\]", ".").replace("\\<", ".");
            prop_assert!(!rest.contains("](") && !rest.contains("<!"), "{:?}", told);
        }
    }
}
