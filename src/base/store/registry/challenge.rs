//! What a registry says that it wants to be shown (RFC 9110, 11.6.1; distribution's "Token
//! Authentication Specification").

/// What a registry wants to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// User and password.
    Basic,
    /// A token.
    Bearer {
        /// Who gives tokens.
        realm: String,
        /// What they are for.
        service: Option<String>,
        /// What they have to allow, a word per repository.
        scope: Option<String>,
    },
}

impl Challenge {
    /// The challenge in a `WWW-Authenticate` header, a token if that is among several.
    pub(super) fn parse(header: &str) -> Option<Self> {
        let mut found = None;
        for (scheme, parameters) in challenges(header) {
            let get = |name: &str| {
                let is_it = |(key, _): &&(String, String)| key.eq_ignore_ascii_case(name);
                parameters.iter().find(is_it).map(|(_, value)| value.clone())
            };
            if scheme.eq_ignore_ascii_case("bearer") {
                let realm = get("realm")?;
                return Some(Self::Bearer { realm, service: get("service"), scope: get("scope") });
            }
            if scheme.eq_ignore_ascii_case("basic") {
                found = Some(Self::Basic);
            }
        }
        found
    }
}

/// A scheme and its parameters.
type Written = (String, Vec<(String, String)>);

/// The challenges in `header`. Commas part parameters and challenges alike, but not within quotes.
fn challenges(header: &str) -> Vec<Written> {
    let mut all: Vec<Written> = Vec::new();
    for part in parts(header) {
        let (scheme, parameter) = match part.split_once([' ', '\t']) {
            Some((scheme, rest)) if !scheme.contains('=') => (Some(scheme), rest.trim()),
            None if !part.contains('=') => (Some(part), ""),
            _ => (None, part),
        };
        if let Some(scheme) = scheme {
            all.push((scheme.to_owned(), Vec::new()));
        }
        if let (Some((_, parameters)), Some((key, value))) =
            (all.last_mut(), parameter.split_once('='))
        {
            parameters.push((key.trim().to_owned(), unquoted(value.trim())));
        }
    }
    all
}

/// `header`, parted at the commas that stand in no quotes.
fn parts(header: &str) -> Vec<&str> {
    let (mut parts, mut start, mut is_quoted, mut is_escaped) = (Vec::new(), 0, false, false);
    for (at, c) in header.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => {
                parts.push(header[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(header[start..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

fn unquoted(text: &str) -> String {
    let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return text.to_owned();
    };
    let (mut plain, mut is_escaped) = (String::with_capacity(inner.len()), false);
    for c in inner.chars() {
        if c == '\\' && !is_escaped {
            is_escaped = true;
        } else {
            plain.push(c);
            is_escaped = false;
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        let text = |it: Option<&str>| it.map(str::to_owned);
        Challenge::Bearer { realm: realm.into(), service: text(service), scope: text(scope) }
    }

    #[test]
    fn commas_in_quotes_part_nothing() {
        for (header, challenge) in [
            ("Basic realm=\"x, y\"", Some(Challenge::Basic)),
            ("BASIC", Some(Challenge::Basic)),
            (
                "Bearer realm=\"https://a.b/token\",service=\"a.b\",scope=\"repository:x:pull,push\"",
                Some(bearer("https://a.b/token", Some("a.b"), Some("repository:x:pull,push"))),
            ),
            (
                "bearer  Realm=https://a.b/t , SERVICE=s",
                Some(bearer("https://a.b/t", Some("s"), None)),
            ),
            (
                "Basic realm=\"x\", Bearer realm=\"https://a.b/\\\"t\", error=\"invalid_token\"",
                Some(bearer("https://a.b/\"t", None, None)),
            ),
            ("Bearer service=\"x\"", None),
            ("Negotiate", None),
            ("", None),
            (",,=,\"", None),
        ] {
            assert_eq!(Challenge::parse(header), challenge, "{header}");
        }
    }
}
