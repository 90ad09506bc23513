//! The secrets in forge's own environment: values of variables that are called as secrets are, and
//! logins and queries in URLs (`http://USER:PASSWORD@proxy`, `https://host/?sig=…`), whatever variable they
//! stand in.

use std::path::Path;

use super::inherit::holds_secret;
use crate::model::{Environment, Secrets, url_secrets};

/// Shorter values are flags and numbers; masking them would make output unreadable.
const SHORTEST: usize = 6;

/// Keeps this process from leaving a core file, which would hold the secrets of its environment, and other
/// processes of the user from reading its memory. What it starts is as usual again.
pub fn keep_memory_private() {
    #[cfg(target_os = "linux")]
    // Where it fails, all is as it is by default.
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// The secrets in `environment`.
pub fn environment_secrets(environment: &Environment) -> Secrets {
    let mut secrets = Secrets::default();
    for (name, value) in environment.texts() {
        let is_flag = matches!(value, "disabled" | "enabled");
        let is_path = || Path::new(value).is_absolute() && Path::new(value).exists();
        if holds_secret(name) && value.trim().len() >= SHORTEST && !is_flag && !is_path() {
            secrets.add(value.trim());
        }
        for secret in url_secrets(value) {
            secrets.add(secret);
            secrets.add(&decoded(secret));
        }
        for login in logins_in_urls(value) {
            let password = login.split_once(':').map_or(login, |(_, password)| password);
            secrets.add(login);
            for password in [password, &decoded(password)] {
                if password.len() >= SHORTEST {
                    secrets.add(password);
                }
            }
        }
    }
    secrets
}

/// `text` with its percent signs resolved, as programs use a password of a URL.
fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let byte = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
        match byte.filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The user infos of the URLs in `text` that hold a password, or something as long as one.
fn logins_in_urls(text: &str) -> impl Iterator<Item = &str> {
    text.split("://").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| "/,|?#".contains(c) || c.is_whitespace());
        let (login, _) = rest[..end.unwrap_or(rest.len())].rsplit_once('@')?;
        (login.contains(':') || login.len() > 16).then_some(login)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(variables: &[(&str, &str)], text: &str) -> String {
        environment_secrets(&variables.iter().copied().collect()).mask(text).into_owned()
    }

    #[test]
    fn values_of_secrets_are_masked_and_nothing_else_is() {
        let variables = [
            ("GH_TOKEN", "ghp_abcdef"),
            ("FEATURE_KEY", "on"),
            ("HOME", "/home/me"),
            ("SSH_AUTH_SOCK", "/tmp/agent"),
            ("MY_TOKEN_FILE", "/secret/place"),
        ];
        let text = "ghp_abcdef on /home/me /tmp/agent /secret/place";
        assert_eq!(masked(&variables, text), "*** on /home/me /tmp/agent /secret/place");
        let more = [("KEY", "0123456"), ("SSHPASS", "hunter22"), ("APP_DSN", "db;pwd=x")];
        assert_eq!(masked(&more, "0123456 hunter22 db;pwd=x"), "*** *** ***");
    }

    #[test]
    fn logins_in_urls_are_masked_whatever_the_variable() {
        let variables = [
            ("https_proxy", "http://me:pass/word@proxy:3128"),
            ("http_proxy", "http://me:hunter22@proxy:3128"),
            ("GOPROXY", "https://u:abc@a.example,https://ghp_0123456789abcdef@b.example,direct"),
            ("GIT_SSH_URL", "ssh://git@github.com/o/r"),
            ("DATABASE_URL", "postgres://app:p%40ssw0rd@db.example:5432/app?sslmode=require"),
        ];
        // The host and the database are no secrets; the password is none to be seen decoded either.
        assert_eq!(masked(&variables, "db.example p%40ssw0rd p@ssw0rd"), "db.example *** ***");
        assert_eq!(masked(&variables, "http://me:hunter22@proxy hunter22"), "http://***@proxy ***");
        assert_eq!(masked(&variables, "u:abc abc ghp_0123456789abcdef"), "*** abc ***");
        assert_eq!(masked(&variables, "git@github.com"), "git@github.com");
    }

    #[test]
    fn queries_that_hold_secrets_are_masked_whatever_the_variable() {
        let variables = [
            ("JDBC_URL", "jdbc:postgresql://h/db?user=scott&password=tiger%21tiger&ssl=require"),
            ("BLOB", "https://x.example/c?sv=2024-01-01&sig=abc%2Fdef123&design=modern"),
        ];
        let text = "tiger%21tiger tiger!tiger abc%2Fdef123 abc/def123";
        assert_eq!(masked(&variables, text), "*** *** *** ***");
        assert_eq!(
            masked(&variables, "scott require 2024-01-01 modern"),
            "scott require 2024-01-01 modern"
        );
    }
}
