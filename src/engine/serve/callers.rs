//! Who may ask: tokens by name, or whoever reaches a server that only this machine reaches.

use std::collections::BTreeSet;

use crate::model::{Fault, Kind, checksum};

/// No token is shorter, in characters.
const SHORTEST: usize = 16;

/// Those who may ask.
#[derive(Clone, Debug, Default)]
pub struct Callers {
    /// The name of each, and the digest of its token: comparing digests tells nobody how much of a token was right.
    tokens: Vec<(String, [u8; 32])>,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller(pub(super) String);

impl Callers {
    /// Those of `text`: a name and a token on each line, or between commas, with `=`, `:` or a space between the two.
    /// Lines that begin with `#` say nothing. `place` is where that is written.
    ///
    /// # Errors
    /// `Usage` if a line has no token, or one that is too short; no message has the token.
    pub fn parse(text: &str, place: &str) -> Result<(Self, Vec<String>), Fault> {
        let (mut tokens, mut secrets, mut names) = (Vec::new(), Vec::new(), BTreeSet::new());
        let lines = text.lines().enumerate();
        let lines =
            lines.flat_map(|(at, line)| line.split(',').map(move |part| (at + 1, part.trim())));
        for (at, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let wrong = |why: &str| {
                Fault::new(Kind::Usage, format!("{place}:{at}:1: {why}"))
                    .hint("write `NAME TOKEN`, such as `ci $(openssl rand -hex 24)` prints it")
            };
            let parted =
                line.split_once(|sign: char| sign == '=' || sign == ':' || sign.is_whitespace());
            let (name, token) = parted.ok_or_else(|| wrong("a name without a token"))?;
            let token = token.trim();
            if token.chars().count() < SHORTEST {
                return Err(wrong(&format!(
                    "the token of `{name}` has less than {SHORTEST} characters"
                )));
            }
            if !names.insert(name.to_owned()) {
                return Err(wrong(&format!("`{name}` has two tokens")));
            }
            tokens.push((name.to_owned(), checksum(token.as_bytes())));
            secrets.push(token.to_owned());
        }
        if tokens.is_empty() {
            let fault = Fault::new(Kind::Usage, format!("{place} has no token"));
            return Err(fault.hint("write `NAME TOKEN` on a line"));
        }
        Ok((Self { tokens }, secrets))
    }

    /// Whether a token is asked for.
    pub fn have_tokens(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// Whose the header `authorization` is.
    pub(super) fn named_by(&self, header: Option<&str>) -> Option<Caller> {
        let given = header.and_then(|header| {
            let (scheme, token) = header.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| checksum(token.trim().as_bytes()))
        });
        match given {
            _ if self.tokens.is_empty() => Some(Caller("anybody".into())),
            Some(given) => {
                let known = self.tokens.iter().find(|(_, digest)| *digest == given);
                known.map(|(name, _)| Caller(name.clone()))
            }
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_names_and_no_message_shows_one() {
        let text = "# who\nci 0123456789abcdef\nanna=fedcba9876543210";
        let (callers, secrets) = Callers::parse(text, "tokens").unwrap();
        assert_eq!(secrets.len(), 2);
        let named = |header| callers.named_by(header).map(|caller| caller.0);
        assert_eq!(named(Some("Bearer 0123456789abcdef")).as_deref(), Some("ci"));
        assert_eq!(named(Some("bearer fedcba9876543210")).as_deref(), Some("anna"));
        for wrong in
            [None, Some("Bearer 0123456789abcde"), Some("Basic 0123456789abcdef"), Some("")]
        {
            assert_eq!(named(wrong), None, "{wrong:?}");
        }
        for (text, why) in [
            ("ci", "tokens:1:1: a name without a token"),
            ("a 0123456789abcdef\nci secret", "tokens:2:1: the token of `ci` has less"),
            ("a 0123456789abcdef,a 0123456789abcdef", "`a` has two tokens"),
            ("# none", "tokens has no token"),
        ] {
            let fault = Callers::parse(text, "tokens").unwrap_err().to_string();
            assert!(fault.contains(why) && !fault.contains("secret"), "{fault}");
        }
    }
}
