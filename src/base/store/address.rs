//! Addresses of servers that logins are shown to.

use reqwest::Url;

use crate::model::{Fault, Kind, is_loopback, shown_url};

/// The name that logins for the server at `url` are kept under: `github.com`, with its port if it
/// has one.
pub(super) fn name(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.into(),
    }
}

/// The address below `base` by the segments of its path.
pub(super) fn below(base: &Url, path: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    url
}

/// `text`, which stands in `source`, as the address of `whose` server, such that a token may travel
/// there.
///
/// # Errors
/// `Usage` if it is not a URL, or unprotected http leads away from this machine.
pub(super) fn protected(source: &str, text: &str, whose: &str) -> Result<Url, Fault> {
    let unusable = |why: String| {
        let what = format!("`{text}` in {source} cannot be the address of {whose}");
        Fault::new(Kind::Usage, what).because(why).hint("write the server as `https://HOST`")
    };
    let url = Url::parse(text).map_err(|error| unusable(error.to_string()))?;
    match (url.scheme(), url.host_str()) {
        ("https", Some(_)) => Ok(url),
        ("http", Some(host)) if is_loopback(host) => Ok(url),
        ("http", Some(_)) => Err(unusable(
            "over unprotected http everybody on the way could read the login; forge speaks it to \
             this machine only"
                .into(),
        )),
        (scheme, _) => Err(unusable(format!("`{scheme}:` is not https"))),
    }
}

/// `text`, without what may be secret in it, as the address of a file that anybody may pin.
///
/// # Errors
/// One sentence, if it is not a URL of the web, or unprotected http leads away from this machine.
pub fn public_address(text: &str) -> Result<String, String> {
    let url = Url::parse(text).map_err(|error| format!("`{text}` is not a URL: {error}"))?;
    match (url.scheme(), url.host_str()) {
        ("https", Some(_)) => {}
        ("http", Some(host)) if is_loopback(host) => {}
        ("http", Some(_)) => {
            return Err("forge speaks unprotected http to this machine only".into());
        }
        (scheme, _) => return Err(format!("`{scheme}:` is not https")),
    }
    Ok(without_secrets(text))
}

/// [`shown_url`], without the mark of what was left out and the slash at the end: what names a store
/// or a file in messages.
pub(super) fn without_secrets(url: &str) -> String {
    let shown = shown_url(url);
    shown.split('?').next().unwrap_or_default().trim_end_matches('/').to_owned()
}
