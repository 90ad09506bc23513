//! What the answer of a web server means: there, confirmed absent, moved, or trouble, and
//! whether it passes.

use std::time::{Duration, SystemTime};

use reqwest::{
    Response, StatusCode, Url,
    header::{CONTENT_TYPE, DATE, HeaderMap, HeaderName, LOCATION, RETRY_AFTER},
};

use super::{
    address::without_secrets,
    call::ApiRequest,
    retry::{AttemptFailure, RetryDecision},
};
use crate::model::{Fault, Kind};

/// What a server said.
pub(super) enum ServerAnswer {
    /// 404 or 410: a confirmed absence.
    Absent,
    /// 200, or 206 if a range was asked for.
    Found(Response),
}

/// The start of every fault about `url`.
pub(super) fn cannot_read(url: &Url) -> Fault {
    Fault::new(Kind::Store, format!("cannot read {}", without_secrets(url.as_str())))
}

/// Where `response` to `call` at `from` sends us, if anywhere.
pub(super) fn redirect(
    call: &ApiRequest,
    from: &Url,
    response: &Response,
) -> Result<Option<Url>, String> {
    use StatusCode as S;
    let status = response.status();
    let keeps_method = [S::TEMPORARY_REDIRECT, S::PERMANENT_REDIRECT].contains(&status);
    if !keeps_method && ![S::MOVED_PERMANENTLY, S::FOUND, S::SEE_OTHER].contains(&status) {
        return Ok(None);
    }
    if !call.is_led_on {
        return Err(format!("the server answered {status}, and forge does not follow it there"));
    }
    // RFC 9110, 15.4: after these, what was sent is lost.
    if !keeps_method && !call.is_read() {
        return Err(format!("the server answered {status}: what is written to has moved"));
    }
    let location = text(response, &LOCATION)
        .ok_or_else(|| format!("the server answered {status} without saying where it has moved"))?;
    let next = from
        .join(location)
        .map_err(|error| format!("it redirects to what is not a URL: {error}"))?;
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
pub(super) fn judge(call: &ApiRequest, response: Response) -> Result<ServerAnswer, AttemptFailure> {
    let status = response.status();
    match status {
        StatusCode::OK | StatusCode::PARTIAL_CONTENT
            if !call.takes_pages && is_web_page(&call.url, &response) =>
        {
            let why = format!("the server answered {status} with a web page instead of the file");
            let hint = "it may be a login or error page: open the URL in a browser";
            Err(AttemptFailure {
                fault: call.failed().because(why).hint(hint),
                again: RetryDecision::Soon,
            })
        }
        StatusCode::OK | StatusCode::PARTIAL_CONTENT => Ok(ServerAnswer::Found(response)),
        StatusCode::NOT_FOUND | StatusCode::GONE => Ok(ServerAnswer::Absent),
        _ => Err(failure(call.failed(), status, response.headers())),
    }
}

/// What went wrong, where `fault` is the start of it, and whether it passes.
pub(super) fn failure(fault: Fault, status: StatusCode, headers: &HeaderMap) -> AttemptFailure {
    let fault = fault.because(format!("the server answered {status}"));
    AttemptFailure { fault: hinted(fault, status), again: again(status, headers) }
}

/// A page for people where a file was asked for.
fn is_web_page(url: &Url, response: &Response) -> bool {
    let is_page = text(response, &CONTENT_TYPE).is_some_and(|kind| {
        let kind = kind.to_ascii_lowercase();
        kind.starts_with("text/html") || kind.starts_with("application/xhtml")
    });
    is_page && !url.path().ends_with(".html") && !url.path().ends_with(".htm")
}

/// How long a server asks to wait: in seconds or until a date (RFC 9110, 10.2.3), by its own
/// clock if it tells its time.
pub(super) fn asked_wait(headers: &HeaderMap) -> Option<Duration> {
    let asked = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = asked.parse() {
        return Some(Duration::from_secs(seconds));
    }
    Some(date(asked)?.duration_since(server_time(headers)).unwrap_or_default())
}

/// What time it is at the server; here, if it does not say.
pub(super) fn server_time(headers: &HeaderMap) -> SystemTime {
    let told = headers.get(DATE).and_then(|value| date(value.to_str().ok()?));
    told.unwrap_or_else(SystemTime::now)
}

/// A date as headers have it (RFC 9110, 5.6.7).
fn date(text: &str) -> Option<SystemTime> {
    Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp().into())
}

fn again(status: StatusCode, headers: &HeaderMap) -> RetryDecision {
    let asked = asked_wait(headers);
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => {
            RetryDecision::Later(asked)
        }
        // How some hosts say "too many requests".
        StatusCode::FORBIDDEN if asked.is_some() => RetryDecision::Later(asked),
        // There is no such part of it (any more); the whole may be there.
        StatusCode::RANGE_NOT_SATISFIABLE => RetryDecision::FromStart,
        StatusCode::NOT_IMPLEMENTED => RetryDecision::Never,
        status if status.is_server_error() => RetryDecision::Later(asked),
        _ => RetryDecision::Never,
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
    use reqwest::Method;

    use super::*;

    #[test]
    fn a_server_may_ask_for_a_wait_in_seconds_or_until_a_date() {
        for (asked, seconds) in [
            ("42", Some(42)),
            (" 0 ", Some(0)),
            ("Fri, 31 Dec 1999 23:59:59 GMT", Some(59)),
            ("Fri, 31 Dec 1999 23:00:00 GMT", Some(0)),
            ("soon", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(DATE, "Fri, 31 Dec 1999 23:59:00 GMT".parse().unwrap());
            headers.insert(RETRY_AFTER, asked.parse().unwrap());
            assert_eq!(asked_wait(&headers), seconds.map(Duration::from_secs), "{asked}");
        }
        assert_eq!(asked_wait(&HeaderMap::new()), None);
    }

    #[test]
    fn https_is_never_left_for_http() {
        let response = |location: &str| {
            let builder = axum::http::Response::builder().status(302).header("location", location);
            Response::from(builder.body("").unwrap())
        };
        let from = Url::parse("https://example.org/a").unwrap();
        let call = ApiRequest::get(from.clone());
        let why = redirect(&call, &from, &response("http://example.org/b?signed=1")).unwrap_err();
        assert!(why.contains("unprotected http (http://example.org/b)"), "{why}");
        let next = redirect(&call, &from, &response("//example.com/b")).unwrap().unwrap();
        assert_eq!(next.as_str(), "https://example.com/b");
        let post = ApiRequest::new(Method::POST, from.clone());
        let why = redirect(&post, &from, &response("/b")).unwrap_err();
        assert!(why.contains("what is written to has moved"), "{why}");
    }
}
