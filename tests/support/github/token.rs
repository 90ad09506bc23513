//! Who asks, and what they may do.

/// What a token may do in all repositories of the stand-in. Each role includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A valid token without access to private repositories.
    Outsider,
    Read,
    Write,
    Admin,
}

/// What kind of token it is, which decides the words of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What a workflow run is given.
    Integration,
    /// What a person makes for themselves.
    Personal,
}

/// A known token.
#[derive(Clone, Copy, Debug)]
pub struct Token {
    pub role: Role,
    pub kind: Kind,
}

/// Who a request comes from.
#[derive(Clone, Copy, Debug)]
pub enum Caller {
    Anonymous,
    /// With credentials that nobody knows.
    Stranger,
    Known(Token),
}

impl Caller {
    /// The role, or `None` for those without a valid token.
    pub fn role(self) -> Option<Role> {
        match self {
            Self::Known(token) => Some(token.role),
            Self::Anonymous | Self::Stranger => None,
        }
    }

    /// Whether the caller may do what `role` may.
    pub fn may(self, role: Role) -> bool {
        self.role().is_some_and(|own| own >= role)
    }
}

/// The tokens that every stand-in knows from the start.
pub const TOKENS: [(&str, Token); 5] = [
    ("ghp_admin", Token { role: Role::Admin, kind: Kind::Personal }),
    ("ghp_write", Token { role: Role::Write, kind: Kind::Personal }),
    ("ghs_write", Token { role: Role::Write, kind: Kind::Integration }),
    ("ghs_read", Token { role: Role::Read, kind: Kind::Integration }),
    ("ghp_outsider", Token { role: Role::Outsider, kind: Kind::Personal }),
];

/// The token in an `Authorization` header: `Bearer T`, `token T` or `Basic`, as git sends it.
pub fn token_in(header: &str) -> Option<String> {
    let (scheme, value) = header.split_once(' ')?;
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" | "token" => Some(value.trim().to_owned()),
        "basic" => {
            let text = String::from_utf8(base64_decoded(value.trim())?).ok()?;
            text.split_once(':').map(|(_, password)| password.to_owned())
        }
        _ => None,
    }
}

/// The bytes of a base64 text, or `None` when it is none.
fn base64_decoded(text: &str) -> Option<Vec<u8>> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    let (mut bits, mut held) = (0_u32, 0);
    for symbol in text.trim_end_matches('=').bytes() {
        let value = ALPHABET.iter().position(|known| *known == symbol)?;
        bits = (bits << 6) | value as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    Some(bytes)
}
