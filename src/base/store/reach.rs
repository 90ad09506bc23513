//! Which host was out of reach a moment ago, so that a thousand questions to it do not
//! each wait for the same timeout. Pure: the clock is the caller's.

use std::time::{Duration, Instant};

/// How long a host must have been out of reach for a new question to be spared. Shorter
/// troubles are what retries are for.
const CERTAIN: Duration = Duration::from_secs(2);

/// For how long it is not asked again.
const RESPITE: Duration = Duration::from_secs(5);

/// The host that was out of reach last, if nothing has come from it since.
#[derive(Debug, Default)]
pub(super) struct CircuitBreaker {
    lost: Option<Lost>,
}

#[derive(Debug)]
struct Lost {
    host: String,
    since: Instant,
    last: Instant,
    why: String,
}

impl CircuitBreaker {
    /// Why `host` need not be asked at `now`, if so.
    pub(super) fn why_not(&self, host: &str, now: Instant) -> Option<&str> {
        let lost = self.lost.as_ref().filter(|lost| lost.host == host)?;
        let is_certain = lost.last.saturating_duration_since(lost.since) >= CERTAIN;
        let is_recent = now.saturating_duration_since(lost.last) < RESPITE;
        (is_certain && is_recent).then_some(lost.why.as_str())
    }

    /// `host` was asked at `asked` and found out of reach at `now`.
    pub(super) fn lost(&mut self, host: &str, asked: Instant, now: Instant, why: &str) {
        let known = self.lost.take().filter(|lost| lost.host == host);
        let since = known.map_or(asked, |lost| lost.since.min(asked));
        self.lost = Some(Lost { host: host.into(), since, last: now, why: why.into() });
    }

    /// Something came from `host`.
    pub(super) fn found(&mut self, host: &str) {
        if self.lost.as_ref().is_some_and(|lost| lost.host == host) {
            self.lost = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_stays_out_of_reach_is_left_alone_for_a_while() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut reach = CircuitBreaker::default();
        reach.lost("a", at(0), at(1), "refused");
        reach.lost("a", at(300), at(301), "refused");
        assert_eq!(reach.why_not("a", at(301)), None, "too early to tell");
        reach.lost("a", at(2000), at(2001), "refused");
        assert_eq!(reach.why_not("a", at(2002)), Some("refused"));
        assert_eq!(reach.why_not("b", at(2002)), None);
        assert_eq!(reach.why_not("a", at(7002)), None, "time to try again");
        reach.found("b");
        assert_eq!(reach.why_not("a", at(2002)), Some("refused"));
        reach.found("a");
        assert_eq!(reach.why_not("a", at(2002)), None);
    }

    #[test]
    fn one_timeout_is_proof_enough() {
        let start = Instant::now();
        let later = start + Duration::from_secs(10);
        let mut reach = CircuitBreaker::default();
        reach.lost("a", start, later, "silent");
        assert_eq!(reach.why_not("a", later), Some("silent"));
    }
}
