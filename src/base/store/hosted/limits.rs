//! What GitHub says about too many requests, and the pace that keeps it from saying so.
//! Source: GitHub's "Rate limits for the REST API". Pure: the caller sleeps.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use reqwest::StatusCode;

use crate::store::{
    Tempo,
    answer::{asked_wait, server_time},
    call::{ApiRequest, ApiResponse},
    retry::{AttemptFailure, RetryDecision},
};

/// Refusals that say of no time double the wait so often at most.
const MAX_DOUBLINGS: u32 = 6;

/// `reply` as a refusal for too many requests, if it is one. `refused` of them came before
/// without saying for how long.
pub(super) fn refusal(
    call: &ApiRequest,
    reply: &ApiResponse,
    refused: u32,
    tempo: &Tempo,
) -> Option<AttemptFailure> {
    if ![StatusCode::FORBIDDEN, StatusCode::TOO_MANY_REQUESTS].contains(&reply.status) {
        return None;
    }
    let host = call.url.host_str().unwrap_or_default();
    let fault = |why: String| call.failed().because(why);
    let (fault, wait) = if let Some(wait) = asked_wait(&reply.headers) {
        (fault(format!("`{host}` wants fewer requests at a time")), wait)
    } else if reply.header("x-ratelimit-remaining") == Some("0") {
        let reset = reply.header("x-ratelimit-reset")?.parse().ok().map(Duration::from_secs)?;
        let fault = fault(used_up(host, reply, reset)).hint(RESET);
        let now = server_time(&reply.headers);
        // A second more, since both times are without their fractions.
        let wait = (UNIX_EPOCH + reset).duration_since(now).unwrap_or_default();
        (fault, wait + Duration::from_secs(u64::from(!wait.is_zero())))
    } else if is_told_in_words(reply) {
        let wait = tempo.after_refusal.saturating_mul(1 << refused.min(MAX_DOUBLINGS));
        (fault(format!("`{host}` wants fewer requests at a time")), wait)
    } else {
        return None;
    };
    let fault = fault.hint("run it again later: what is published already stays");
    Some(AttemptFailure { fault, again: RetryDecision::Later(Some(wait)) })
}

const RESET: &str = "run it again then: what is published already stays. Without a login the limit \
                     is 60 an hour; `gh auth login` or FORGE_GITHUB_TOKEN raise it";

fn used_up(host: &str, reply: &ApiResponse, reset: Duration) -> String {
    let limit = reply.header("x-ratelimit-limit");
    let limit = limit.map(|limit| format!("{limit} ")).unwrap_or_default();
    let until = jiff::Timestamp::try_from(UNIX_EPOCH + reset)
        .map_or_else(|_| "later".into(), |at| at.strftime("%H:%M:%S UTC").to_string());
    format!("the {limit}requests an hour that `{host}` allows are used up until {until}")
}

/// A 429 always is one; a 403 is one if it says so.
fn is_told_in_words(reply: &ApiResponse) -> bool {
    let text = String::from_utf8_lossy(&reply.body).to_lowercase();
    reply.status == StatusCode::TOO_MANY_REQUESTS
        || ["rate limit", "abuse detection"].iter().any(|words| text.contains(words))
}

/// When the next write may be: a token bucket, told by the time at which it will be full again
/// (the generic cell rate algorithm).
#[derive(Debug)]
pub(super) struct Pace {
    between: Duration,
    burst: u32,
    full_at: Option<Instant>,
}

impl Pace {
    pub(super) fn new(tempo: &Tempo) -> Self {
        Self { between: tempo.between_writes, burst: tempo.burst, full_at: None }
    }

    /// How long a write has to wait at `now`. It counts as done.
    pub(super) fn take(&mut self, now: Instant) -> Duration {
        let full_at = self.full_at.map_or(now, |at| at.max(now));
        self.full_at = Some(full_at + self.between);
        let slack = self.between * self.burst.saturating_sub(1);
        full_at.saturating_duration_since(now).saturating_sub(slack)
    }
}

/// A time that an API wrote as RFC 3339 has it.
pub(super) fn time(text: &str) -> Option<SystemTime> {
    Some(text.parse::<jiff::Timestamp>().ok()?.into())
}

#[cfg(test)]
mod tests {
    use reqwest::{Url, header::HeaderMap};

    use super::*;

    fn reply(status: u16, headers: &[(&'static str, &str)], body: &'static str) -> ApiResponse {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        let status = StatusCode::from_u16(status).unwrap();
        let url = Url::parse("http://127.0.0.1").unwrap();
        ApiResponse { status, headers, body: body.into(), url }
    }

    fn waits(reply: &ApiResponse, refused: u32) -> Option<u64> {
        let call = ApiRequest::get(Url::parse("https://api.github.com/x").unwrap());
        let failure = refusal(&call, reply, refused, &Tempo::default())?;
        let RetryDecision::Later(Some(wait)) = failure.again else { panic!("{failure:?}") };
        assert!(failure.fault.hint.is_some());
        Some(wait.as_secs())
    }

    #[test]
    fn each_kind_of_limit_has_its_wait() {
        let date = ("date", "Fri, 31 Dec 1999 23:59:00 GMT");
        let used_up = [date, ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "946684800")];
        let words = "{\"message\":\"You have exceeded a secondary rate limit.\"}";
        for status in [403, 429] {
            assert_eq!(waits(&reply(status, &used_up, ""), 0), Some(61));
            assert_eq!(waits(&reply(status, &[("retry-after", "7")], words), 0), Some(7));
            assert_eq!(
                waits(&reply(status, &[("x-ratelimit-remaining", "9")], words), 0),
                Some(60)
            );
            assert_eq!(waits(&reply(status, &[], words), 2), Some(240));
        }
        let over = [("date", "Sat, 01 Jan 2000 00:00:09 GMT"), used_up[1], used_up[2]];
        assert_eq!(waits(&reply(403, &over, ""), 0), Some(0));
        let denied = "{\"message\":\"Resource not accessible by integration\"}";
        assert_eq!(waits(&reply(403, &[("x-ratelimit-remaining", "9")], denied), 0), None);
        assert_eq!(waits(&reply(404, &[("retry-after", "7")], ""), 0), None);
    }

    #[test]
    fn a_used_up_limit_says_until_when() {
        let call = ApiRequest::get(Url::parse("https://api.github.com/x?y").unwrap());
        let headers = [
            ("x-ratelimit-limit", "5000"),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "946684800"),
        ];
        let failure = refusal(&call, &reply(403, &headers, ""), 0, &Tempo::default()).unwrap();
        assert_eq!(
            failure.fault.to_string(),
            "cannot read https://api.github.com/x: the 5000 requests an hour that \
             `api.github.com` allows are used up until 00:00:00 UTC"
        );
    }

    #[test]
    fn after_a_burst_writes_come_one_a_second() {
        let start = Instant::now();
        let mut pace = Pace::new(&Tempo { burst: 3, ..Tempo::default() });
        let waits: Vec<_> = (0..6).map(|_| pace.take(start).as_secs()).collect();
        assert_eq!(waits, [0, 0, 0, 1, 2, 3]);
        assert_eq!(pace.take(start + Duration::from_secs(60)), Duration::ZERO);
    }
}
