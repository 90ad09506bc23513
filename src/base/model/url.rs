//! URLs: how people see them, and which of them are commands in disguise. No room shows a URL
//! in any other way.

use std::ops::Range;

/// `text` with all that may be secret in the URLs in it left out: users and passwords, queries and
/// fragments. Everything else stays as it is, so that it is fit for sentences, commands and lines of
/// output as well as for a URL alone.
#[must_use]
pub fn shown_url(text: &str) -> String {
    let (mut shown, mut at) = (String::with_capacity(text.len()), 0);
    for (bytes, instead) in secrets_of(text) {
        shown.push_str(&text[at..bytes.start]);
        shown.push_str(instead);
        at = bytes.end;
    }
    shown + &text[at..]
}

/// `text`, with stars where [`shown_url`] leaves something out: every byte that stays is where it was.
#[must_use]
pub fn starred_url(text: &str) -> String {
    let (mut starred, mut at) = (String::with_capacity(text.len()), 0);
    for (bytes, _) in secrets_of(text) {
        starred.push_str(&text[at..bytes.start]);
        starred.push_str(&"*".repeat(bytes.len()));
        at = bytes.end;
    }
    starred + &text[at..]
}

/// The passwords, tokens and signatures in the URLs in `text`: what is to be masked wherever it turns
/// up. Not all that [`shown_url`] leaves out is: a query may hold a version, too.
#[must_use]
pub fn url_secrets(text: &str) -> Vec<&str> {
    /// What is shorter is also a part of other words.
    const SHORTEST: usize = 6;
    /// Words in keys of queries whose values are secret.
    const WORDS: [&str; 4] = ["sig", "auth", "pwd", "key"];
    /// Parts of such keys.
    const PARTS: [&str; 8] =
        ["signature", "token", "secret", "passw", "credential", "authoriz", "apikey", "api_key"];
    let mut secrets = Vec::new();
    for (bytes, instead) in secrets_of(text) {
        let left_out = &text[bytes];
        if instead != "?…" {
            let login = left_out.rsplit_once('@').map_or(left_out, |(login, _)| login);
            match login.split_once(':') {
                Some((_, password)) => secrets.push(password),
                // A token stands alone; so does `git`.
                None if login.len() > 16 => secrets.push(login),
                None => {}
            }
        }
        let pairs = left_out.split(['?', '&', '#', ';']).filter_map(|pair| pair.split_once('='));
        let is_secret = |key: &str| {
            let key = key.to_ascii_lowercase();
            let mut words = key.split(|c: char| !c.is_ascii_alphanumeric());
            words.any(|word| WORDS.contains(&word)) || PARTS.iter().any(|part| key.contains(part))
        };
        secrets.extend(pairs.filter(|(key, _)| is_secret(key)).map(|(_, value)| value));
    }
    secrets.retain(|secret| secret.len() >= SHORTEST);
    secrets
}

/// What may be secret of the URLs in `text`: where it stands, and what is shown instead.
fn secrets_of(text: &str) -> Vec<(Range<usize>, &'static str)> {
    let (mut secrets, mut at) = (Vec::new(), 0);
    while let Some(found) = text[at..].find("://") {
        let start = at + found + "://".len();
        let end = text[start..].find(ends_url).map_or(text.len(), |end| start + end);
        if text[..start - "://".len()].ends_with(|c: char| c.is_ascii_alphanumeric()) {
            secrets_in(&text[start..end], start, &mut secrets);
        }
        at = end;
    }
    secrets
}

/// Adds what may be secret of `url`, which stands at `start` and lacks its scheme.
fn secrets_in(url: &str, start: usize, secrets: &mut Vec<(Range<usize>, &'static str)>) {
    let path = url.find(['/', '?', '#']).unwrap_or(url.len());
    let host = url[..path].rfind('@').map_or(0, |at| at + 1);
    let (authority, rest) = (&url[host..path], &url[path..]);
    // `me:p?ss@host`: whoever wrote a password as it is may have ended the host too early.
    if rest.contains('@') && !rest.starts_with('/') || !has_port_or_none(authority) {
        secrets.push((start..start + url.len(), "…"));
        return;
    }
    if host > 0 {
        secrets.push((start..start + host, ""));
    }
    if let Some(query) = rest.find(['?', '#']).filter(|query| query + 1 < rest.len()) {
        secrets.push((start + path + query..start + url.len(), "?…"));
    }
}

/// Whether what follows the colon of `authority`, if it has one, can be a port, or a word of a
/// template that stands for one.
fn has_port_or_none(authority: &str) -> bool {
    if authority.starts_with('[') {
        return true;
    }
    let Some((_, port)) = authority.split_once(':') else { return true };
    port.chars().all(|c| c.is_ascii_digit()) || port.starts_with(['$', '{']) || port == "PORT"
}

/// What stands after a URL in a sentence or a command.
fn ends_url(c: char) -> bool {
    c.is_whitespace() || "'\"`<>|\\^".contains(c)
}

/// Whether `url` goes over the network unprotected: everybody on the way can read and change what
/// comes. Not so on this machine.
#[must_use]
pub fn is_unprotected(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    if !["http", "git", "ftp"].iter().any(|plain| scheme.eq_ignore_ascii_case(plain)) {
        return false;
    }
    let authority = &rest[..rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len())];
    let host = &authority[authority.rfind('@').map_or(0, |at| at + 1)..];
    !is_loopback(host)
}

/// Whether `host`, with a port if it has one, is this machine.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether `text` is the number of a port that somebody can listen at.
#[must_use]
pub fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|port| port != 0)
}

/// Whether `url` can lead to a git repository, and is neither an option nor a command in disguise:
/// of `HELPER::ADDRESS`, git runs the program `git-remote-HELPER`, and of `ext::COMMAND` the command.
#[must_use]
pub fn is_repository_url(url: &str) -> bool {
    let names_a_helper = url.split_once("::").is_some_and(|(helper, _)| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_+.".contains(c);
        !helper.is_empty() && helper.chars().all(plain)
    });
    !names_a_helper && !url.starts_with('-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_secret_of_a_url_is_shown() {
        for (text, shown) in [
            ("https://me:secret@host/x.git", "https://host/x.git"),
            ("https://host/a.tgz?X-Sig=secret#secret", "https://host/a.tgz?…"),
            ("https://host/a.tgz#secret", "https://host/a.tgz?…"),
            ("https://host?token=secret", "https://host?…"),
            ("https://a:b@c@host/x", "https://host/x"),
            ("ssh://git@host:22/o/r", "ssh://host:22/o/r"),
            ("https://me:sec?ret@host/x", "https://…"),
            ("https://me:sec#ret@host/x", "https://…"),
            ("https://me:sec/ret@host/x", "https://…"),
            ("http://[::1]:80/x?a", "http://[::1]:80/x?…"),
            (
                "git fetch 'https://u:p@h/x' and http://h/?k=v, then `https://u@h`",
                "git fetch 'https://h/x' and http://h/?… then `https://h`",
            ),
            ("file:///srv/a", "file:///srv/a"),
            ("gitea:https://me:secret@host/o/r", "gitea:https://host/o/r"),
            ("http://localhost:{{ port }}/x", "http://localhost:{{ port }}/x"),
            ("git@github.com:o/r.git", "git@github.com:o/r.git"),
            ("what?#", "what?#"),
            ("://", "://"),
            ("a://", "a://"),
        ] {
            assert_eq!(shown_url(text), shown);
        }
    }

    #[test]
    fn passwords_tokens_and_signatures_are_told_from_the_rest() {
        for (text, secrets) in [
            ("https://me:hunter2pw@h/x?version=v1.2.3&X-Sig=abcdef0", vec!["hunter2pw", "abcdef0"]),
            ("https://ghp_0123456789abcdef@h/x", vec!["ghp_0123456789abcdef"]),
            ("ssh://git@h/x and https://h/?arch=amd64#token=abcdef", vec!["abcdef"]),
            ("https://h/x?X-Amz-Signature=0123456789&X-Amz-Expires=86400", vec!["0123456789"]),
            ("jdbc:postgresql://h/db?user=scott1&password=tiger12", vec!["tiger12"]),
            ("https://h/x?design=modern&author=ann-smith", vec![]),
            ("https://me:short@h", vec![]),
            ("no URL", vec![]),
        ] {
            assert_eq!(url_secrets(text), secrets);
        }
    }

    #[test]
    fn stars_leave_everything_in_its_place() {
        for (text, starred) in [
            (
                "url: http://me:secret@host/a.tgz?X-Sig=secret\nnext: 1\n",
                "url: http://**********host/a.tgz*************\nnext: 1\n",
            ),
            ("a 'https://h/x' b", "a 'https://h/x' b"),
            ("https://u@h", "https://**h"),
            ("https://me:pa?ss@h/x ü", "https://************ ü"),
        ] {
            assert_eq!(starred_url(text), starred);
        }
    }

    #[test]
    fn unprotected_is_what_leaves_this_machine_without_tls() {
        for url in [
            "http://example.org/x",
            "HTTP://example.org",
            "http://127.0.0.1.example.org/x",
            "http://localhost@example.org/",
            "http://example.org\\@localhost/",
            "http://10.0.0.1",
            "git://example.org/o/r",
            "ftp://example.org/x",
        ] {
            assert!(is_unprotected(url), "{url}");
        }
        for url in [
            "https://example.org",
            "http://127.0.0.1:8080/x",
            "http://localhost",
            "http://[::1]:80/",
            "http://me@127.0.0.1/",
            "file:///x",
            "ssh://git@example.org/o/r",
            "git@example.org:o/r",
            "git://localhost/o/r",
        ] {
            assert!(!is_unprotected(url), "{url}");
        }
    }

    #[test]
    fn commands_in_disguise_are_no_repositories() {
        for url in ["ext::sh -c x", "fd::17", "-x", "--upload-pack=x", "hg::https://host/x"] {
            assert!(!is_repository_url(url), "{url}");
        }
        for url in ["https://host/x", "git@host:x", "ssh://[::1]/x", "../x", "/a::b", "file:///x"] {
            assert!(is_repository_url(url), "{url}");
        }
    }

    proptest! {
        #[test]
        fn a_password_is_shown_in_no_place_of_no_text(
            before in "[ a-z:/@?'#]{0,12}", after in "[ a-z:/@?'#]{0,12}", user in "[a-z]{0,3}",
        ) {
            let text = format!("{before} https://{user}:PASSWORD@host/path?k=QUERY {after}");
            let shown = shown_url(&text);
            prop_assert!(!shown.contains("PASSWORD") && !shown.contains("QUERY"), "{}", shown);
        }
    }
}
