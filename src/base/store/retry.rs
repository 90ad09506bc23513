//! When to try again, and how long to wait before. Pure: the caller sleeps.

use std::{
    future::Future,
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use super::{StoreSettings, Waits};
use crate::model::Fault;

/// Whether trying again may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RetryDecision {
    /// No: the same would come of it.
    Never,
    /// Perhaps, but soon or not at all: nobody should wait long to learn that there is no
    /// network.
    Soon,
    /// Yes, after a while; the server may say how long.
    Later(Option<Duration>),
    /// Yes, but what was read so far is of no use: only the reader can begin again.
    FromStart,
}

/// An attempt that came to nothing.
#[derive(Debug)]
pub(super) struct AttemptFailure {
    /// What to tell if it was the last attempt.
    pub(super) fault: Fault,
    /// Whether it has to be.
    pub(super) again: RetryDecision,
}

impl AttemptFailure {
    /// One that trying again does not help.
    pub(super) fn never(fault: Fault) -> Self {
        Self { fault, again: RetryDecision::Never }
    }
}

/// How often [`RetryDecision::Soon`] means again.
const SOON: u32 = 2;

/// Keeps count of the attempts at one thing.
#[derive(Debug)]
pub(super) struct RetryPolicy {
    attempts: u32,
    backoff: Duration,
    patience: Duration,
    failed: u32,
    waited: Duration,
    waits: Waits,
}

impl RetryPolicy {
    pub(super) fn new(settings: &StoreSettings) -> Self {
        Self {
            attempts: settings.attempts,
            backoff: settings.backoff,
            patience: settings.patience,
            failed: 0,
            waited: Duration::ZERO,
            waits: settings.waits.clone(),
        }
    }

    /// The last attempt got further than those before it. Attempts count anew; the time
    /// already spent waiting does not, so that a server which sends a byte at a time
    /// cannot keep forge for ever.
    pub(super) fn progressed(&mut self) {
        self.failed = 0;
    }

    /// How long to wait before the next attempt.
    ///
    /// # Errors
    /// The failure's fault if there should be none.
    pub(super) fn after(&mut self, failure: AttemptFailure) -> Result<Duration, Fault> {
        self.failed += 1;
        let (attempts, asked) = match failure.again {
            RetryDecision::Never => return Err(failure.fault),
            RetryDecision::Soon => (self.attempts.min(1 + SOON), None),
            RetryDecision::Later(asked) => (self.attempts, asked),
            RetryDecision::FromStart => (self.attempts, None),
        };
        if self.failed >= attempts {
            return Err(self.given_up(failure.fault));
        }
        let wait = asked.unwrap_or_else(|| self.jittered());
        if self.waited.saturating_add(wait) > self.patience {
            return Err(match asked {
                Some(asked) => failure
                    .fault
                    .because(format!("the server asks to wait for {} s", asked.as_secs())),
                None => self.given_up(failure.fault),
            });
        }
        self.waited += wait;
        Ok(wait)
    }

    /// Sleeps as long as [`RetryPolicy::after`] says, and tells of it if that is worth telling.
    pub(super) async fn pause(&mut self, failure: AttemptFailure) -> Result<(), Fault> {
        let why = failure.fault.to_string();
        let wait = self.after(failure)?;
        self.waits.report(wait, &why);
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// The backoff, doubled with each failure; between half of it and all of it, so that
    /// many who failed together do not come back together.
    fn jittered(&self) -> Duration {
        let doubled = self.backoff.saturating_mul(1 << (self.failed - 1).min(16));
        let random = RandomState::new().hash_one(self.failed) % 1024;
        doubled / 2 + doubled / 2 * (random as u32) / 1024
    }

    fn given_up(&self, fault: Fault) -> Fault {
        if self.failed < 2 {
            return fault;
        }
        fault.because(format!("given up after {} attempts", self.failed))
    }
}

/// Does `attempt` until it succeeds or there is no point in going on.
pub(super) async fn retrying<T, F>(
    settings: &StoreSettings,
    mut attempt: impl FnMut() -> F,
) -> Result<T, Fault>
where
    F: Future<Output = Result<T, AttemptFailure>>,
{
    let mut retry = RetryPolicy::new(settings);
    loop {
        match attempt().await {
            Ok(value) => return Ok(value),
            Err(failure) => retry.pause(failure).await?,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Environment, Kind, Layout};

    fn settings(attempts: u32, backoff: u64, patience: u64) -> StoreSettings {
        StoreSettings {
            attempts,
            backoff: Duration::from_millis(backoff),
            patience: Duration::from_millis(patience),
            ..StoreSettings::new(Layout::at("/".into()), &Environment::default())
        }
    }

    fn failure(again: RetryDecision) -> AttemptFailure {
        AttemptFailure { fault: Fault::new(Kind::Store, "no"), again }
    }

    fn again() -> impl Strategy<Value = RetryDecision> {
        prop_oneof![
            1 => Just(RetryDecision::Never),
            4 => Just(RetryDecision::Soon),
            8 => Just(RetryDecision::Later(None)),
            8 => (0..5_000_u64).prop_map(|ms| RetryDecision::Later(Some(Duration::from_millis(ms)))),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn nobody_waits_for_ever(
            attempts in 0..9_u32,
            backoff in 0..900_u64,
            patience in 0..9_000_u64,
            failures in prop::collection::vec((again(), any::<bool>()), 0..200),
        ) {
            let mut retry = RetryPolicy::new(&settings(attempts, backoff, patience));
            let mut waited = Duration::ZERO;
            let mut in_a_row = 0;
            for (again, progressed) in failures {
                if progressed {
                    retry.progressed();
                    in_a_row = 0;
                }
                let Ok(wait) = retry.after(failure(again)) else { return Ok(()) };
                in_a_row += 1;
                waited += wait;
                prop_assert!(again != RetryDecision::Never);
                prop_assert!(in_a_row < attempts);
                prop_assert!(waited <= Duration::from_millis(patience));
                if let RetryDecision::Later(Some(asked)) = again {
                    prop_assert_eq!(wait, asked);
                }
            }
        }
    }

    #[test]
    fn waits_double_and_stay_within_half() {
        let mut retry = RetryPolicy::new(&settings(5, 100, 60_000));
        for full in [100, 200, 400, 800] {
            let wait = retry.after(failure(RetryDecision::Later(None))).unwrap().as_millis();
            assert!((full / 2..=full).contains(&wait), "{wait} of {full}");
        }
        let fault = retry.after(failure(RetryDecision::Later(None))).unwrap_err();
        assert_eq!(fault.to_string(), "no: given up after 5 attempts");
    }

    #[test]
    fn no_network_is_known_within_two_seconds() {
        let mut retry =
            RetryPolicy::new(&StoreSettings::new(Layout::at("/".into()), &Environment::default()));
        let waits: Vec<_> =
            std::iter::from_fn(|| retry.after(failure(RetryDecision::Soon)).ok()).collect();
        assert_eq!(waits.len(), 2);
        assert!(waits.iter().sum::<Duration>() < Duration::from_secs(2));
    }

    #[test]
    fn a_server_that_asks_for_too_much_is_given_up_at_once() {
        let mut retry =
            RetryPolicy::new(&StoreSettings::new(Layout::at("/".into()), &Environment::default()));
        let hour = RetryDecision::Later(Some(Duration::from_secs(3600)));
        let fault = retry.after(failure(hour)).unwrap_err();
        assert_eq!(fault.to_string(), "no: the server asks to wait for 3600 s");
    }
}
