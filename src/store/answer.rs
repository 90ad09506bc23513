//! What the answer of a web server means: there, confirmed absent, moved, or trouble, and
//! whether it passes.

use std::time::Duration;

use reqwest::{
    Response, StatusCode, Url,
    header::{CONTENT_TYPE, HeaderName, LOCATION, RETRY_AFTER},
};

use super::{
    retry::{Again, Failure},
    url::without_secrets,
};
use crate::model::{Fault, Kind};

/// What a server said.
pub(super) enum Answer {
    /// 404 or 410: a confirmed absence.
    Absent,
    /// 200, or 206 if a range was asked for.
    Found(Response),
}

/// The start of every fault about `url`.
pub(super) fn cannot_read(url: &Url) -> Fault {
    Fault::new(Kind::Store, format!("cannot read {}", without_secrets(url.as_str())))
}

/// Where `response` sends us, if anywhere.
pub(super) fn redirect(from: &Url, response: &Response) -> Result<Option<Url>, String> {
    use StatusCode as S;
    let status = response.status();
    if ![S::MOVED_PERMANENTLY, S::FOUND, S::SEE_OTHER, S::TEMPORARY_REDIRECT, S::PERMANENT_REDIRECT]
        .contains(&status)
    {
        return Ok(None);
    }
    let location = text(response, &LOCATION)
        .ok_or_else(|| format!("the server answered {status} without saying where it has moved"))?;
    let next =
        from.join(location).map_err(|error| format!("it redirects to what is no URL: {error}"))?;
    match (from.scheme(), next.scheme()) {
        (_, "https") | ("http", "http") => Ok(Some(next)),
        ("https", "http") => Err(format!(
            "it redirects from https to unprotected http ({}), which forge does not follow",
            without_secrets(next.as_str())
        )),
        (_, scheme) => Err(format!("it redirects to a `{scheme}:` URL")),
    }
}

/// What the last answer in a chain of redirects means.
pub(super) fn judge(url: &Url, response: Response) -> Result<Answer, Failure> {
    let status = response.status();
    match status {
        StatusCode::OK | StatusCode::PARTIAL_CONTENT if is_web_page(url, &response) => {
            let why = format!("the server answered {status} with a web page instead of the file");
            let hint = "it may be a login or error page: open the URL in a browser";
            Err(Failure { fault: cannot_read(url).because(why).hint(hint), again: Again::Soon })
        }
        StatusCode::OK | StatusCode::PARTIAL_CONTENT => Ok(Answer::Found(response)),
        StatusCode::NOT_FOUND | StatusCode::GONE => Ok(Answer::Absent),
        _ => {
            let fault = cannot_read(url).because(format!("the server answered {status}"));
            let again = again(status, &response);
            Err(Failure { fault: hinted(fault, status), again })
        }
    }
}

/// A page for people where a file was asked for.
fn is_web_page(url: &Url, response: &Response) -> bool {
    let is_page = text(response, &CONTENT_TYPE).is_some_and(|kind| {
        let kind = kind.to_ascii_lowercase();
        kind.starts_with("text/html") || kind.starts_with("application/xhtml")
    });
    is_page && !url.path().ends_with(".html") && !url.path().ends_with(".htm")
}

fn again(status: StatusCode, response: &Response) -> Again {
    // RFC 9110, 10.2.3. It may also be a date, which no server of releases sends; the
    // ordinary wait serves then.
    let asked = text(response, &RETRY_AFTER)
        .and_then(|seconds| seconds.trim().parse().ok())
        .map(Duration::from_secs);
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => {
            Again::Later(asked)
        }
        // How some hosts say "too many requests".
        StatusCode::FORBIDDEN if asked.is_some() => Again::Later(asked),
        StatusCode::NOT_IMPLEMENTED => Again::Never,
        status if status.is_server_error() => Again::Later(asked),
        _ => Again::Never,
    }
}

fn hinted(fault: Fault, status: StatusCode) -> Fault {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            fault.hint("it wants a login, and forge has none for it")
        }
        StatusCode::FORBIDDEN => {
            fault.hint("it refuses access: may you read it, and is it limiting this address?")
        }
        StatusCode::TOO_MANY_REQUESTS => {
            fault.hint("too many requests came from this address: wait a little and run it again")
        }
        status if status.is_server_error() => {
            fault.hint("the server is in trouble: run it again later")
        }
        _ => fault,
    }
}

/// A header's text, if it is there and is text.
pub(super) fn text<'a>(response: &'a Response, name: &HeaderName) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_is_never_left_for_http() {
        let response = |location: &str| {
            let builder = axum::http::Response::builder().status(302).header("location", location);
            Response::from(builder.body("").unwrap())
        };
        let from = Url::parse("https://example.org/a").unwrap();
        let why = redirect(&from, &response("http://example.org/b?signed=1")).unwrap_err();
        assert!(why.contains("unprotected http (http://example.org/b)"), "{why}");
        let next = redirect(&from, &response("//example.com/b")).unwrap().unwrap();
        assert_eq!(next.as_str(), "https://example.com/b");
    }
}
