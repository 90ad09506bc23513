//! The lines of a checksums file before anything is read in them: those that are signed, and with every
//! digest in one piece. `gpg --print-md` and old versions of `certutil` write the digits in groups with
//! blanks between them; gpg goes on on the next line where there is no room left (g10/misc and
//! g10/plaintext, `print_hex`: at most 79 columns, a long name on a line of its own).

use super::told_name;

/// How many digits a digest that forge checks has.
const LENGTHS: [usize; 3] = [64, 96, 128];
/// gpg writes a name of this many bytes, colon included, on a line of its own.
const LONG_NAME: usize = 38;

/// The lines of `text`. What ends with a NUL (`sha256sum -z`) or a lone carriage return is a line, too.
pub(super) fn lines(text: &str) -> Vec<String> {
    let text = text.replace("\r\n", "\n").replace(['\r', '\0'], "\n");
    let raw: Vec<&str> = signed_part(&text).collect();
    let mut lines: Vec<String> = Vec::with_capacity(raw.len());
    let mut at = 0;
    while let Some(line) = raw.get(at) {
        let Some((joined, taken)) = joined(&raw[at..]) else {
            lines.push((*line).to_owned());
            at += 1;
            continue;
        };
        at += taken;
        match lines.last_mut().filter(|last| is_long_name(last)) {
            Some(last) => *last = format!("{} {joined}", last.trim_end()),
            None => lines.push(joined),
        }
    }
    lines
}

/// Whether `line` is a name and a colon, as gpg writes it above the digest.
fn is_long_name(line: &str) -> bool {
    let line = line.trim_end();
    line.len() >= LONG_NAME && line.ends_with(':') && told_name(line).is_none()
}

/// The first of `lines` with the groups of its digest joined, and how many lines that took; `None` if no
/// digest in groups begins there.
fn joined(lines: &[&str]) -> Option<(String, usize)> {
    let words: Vec<&str> = lines.first()?.split_whitespace().collect();
    let mut runs = words.chunk_by(|a, b| is_group(a) && a.len() == b.len());
    let mut before = 0;
    let run = loop {
        let run = runs.next()?;
        if run.len() > 1 && is_group(run[0]) {
            break run;
        }
        before += run.len();
    };
    let after = &words[before + run.len()..];
    let (mut digits, mut taken) = (run.concat(), 1);
    if after.is_empty() {
        for line in &lines[1..] {
            let is_more = |word: &str| is_group(word) && word.len() == run[0].len();
            let is_due = line.starts_with([' ', '\t']) || !LENGTHS.contains(&digits.len());
            let is_rest = !line.trim().is_empty() && line.split_whitespace().all(is_more);
            if !is_due || !is_rest {
                break;
            }
            digits.extend(line.split_whitespace());
            taken += 1;
        }
    }
    let is_digest = LENGTHS.contains(&digits.len());
    let pieces = words[..before].iter().copied().chain([digits.as_str()]);
    is_digest.then(|| (pieces.chain(after.iter().copied()).collect::<Vec<_>>().join(" "), taken))
}

fn is_group(word: &str) -> bool {
    matches!(word.len(), 2 | 4 | 8) && word.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The lines of `text`; of a PGP signed message (RFC 9580, 7) only those that are signed.
fn signed_part(text: &str) -> impl Iterator<Item = &str> {
    const BEGINNING: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
    let begins = |line: &str| line.trim_start_matches('\u{feff}').trim_end() == BEGINNING;
    let is_message = text.lines().any(begins);
    let mut inside = !is_message;
    text.lines().filter_map(move |line| {
        if is_message && begins(line) {
            inside = true;
            return None;
        }
        if is_message && line.starts_with("-----BEGIN PGP SIGNATURE") {
            inside = false;
        }
        // Lines that begin with a hyphen have `- ` before them.
        inside.then(|| if is_message { line.strip_prefix("- ").unwrap_or(line) } else { line })
    })
}
