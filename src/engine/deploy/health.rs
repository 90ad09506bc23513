//! Health: what must hold for some time without a break. Time is measured by a clock that nobody sets.

use std::time::{Duration, Instant};

use crate::workspace::HealthGate;

/// What a look comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HealthVerdict {
    /// It is looked again.
    GoesOn,
    /// It held.
    Held,
    /// It did not, and this is why.
    Broke(String),
}

/// The looks of one gate.
#[derive(Debug)]
pub struct HealthWatch<'g> {
    gate: &'g HealthGate,
    /// Since when it is healthy.
    healthy: Option<Instant>,
    /// How many looks failed before the first that did not.
    failed: u32,
}

impl<'g> HealthWatch<'g> {
    /// Before the first look.
    pub fn new(gate: &'g HealthGate) -> Self {
        Self { gate, healthy: None, failed: 0 }
    }

    /// Takes what a look at the time `now` found.
    pub fn saw(&mut self, now: Instant, found: Result<(), String>) -> HealthVerdict {
        match (found, self.healthy) {
            (Ok(()), since) => {
                let since = *self.healthy.insert(since.unwrap_or(now));
                match now.duration_since(since) >= self.gate.hold {
                    true => HealthVerdict::Held,
                    false => HealthVerdict::GoesOn,
                }
            }
            (Err(why), Some(since)) => {
                let held = now.duration_since(since);
                HealthVerdict::Broke(format!(
                    "it was healthy for {} and then not, and must be for {}: {why}",
                    in_words(held),
                    in_words(self.gate.hold)
                ))
            }
            (Err(why), None) => {
                self.failed += 1;
                match self.failed > self.gate.retries {
                    true => HealthVerdict::Broke(format!(
                        "it was not healthy once in {} looks: {why}",
                        self.failed
                    )),
                    false => HealthVerdict::GoesOn,
                }
            }
        }
    }
}

/// `1.5 s`, `90 s`.
pub fn in_words(time: Duration) -> String {
    match time.as_millis() {
        millis if millis < 1000 => format!("{millis} ms"),
        _ => format!("{} s", (time.as_secs_f64() * 10.0).round() / 10.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{HealthProbe, TaskText};

    fn gate() -> HealthGate {
        HealthGate {
            probe: HealthProbe::Run(TaskText::unplaced("true")),
            hold: Duration::from_secs(10),
            period: Duration::from_secs(5),
            timeout: Duration::from_secs(5),
            retries: 2,
            delay: Duration::ZERO,
        }
    }

    /// The verdict on looks that come every five seconds.
    fn verdict(looks: &[bool]) -> HealthVerdict {
        let (gate, start) = (gate(), Instant::now());
        let mut watch = HealthWatch::new(&gate);
        for (at, is_good) in (0_u64..).zip(looks) {
            let found = if *is_good { Ok(()) } else { Err("no answer".to_owned()) };
            let verdict = watch.saw(start + Duration::from_secs(5 * at), found);
            if verdict != HealthVerdict::GoesOn {
                return verdict;
            }
        }
        HealthVerdict::GoesOn
    }

    #[test]
    fn health_must_hold_without_a_break() {
        assert_eq!(verdict(&[true, true]), HealthVerdict::GoesOn);
        assert_eq!(verdict(&[true, true, true]), HealthVerdict::Held);
        assert_eq!(verdict(&[false, false, true, true, true]), HealthVerdict::Held);
        let broke = |looks: &[bool]| match verdict(looks) {
            HealthVerdict::Broke(why) => why,
            other => panic!("{looks:?}: {other:?}"),
        };
        assert_eq!(
            broke(&[true, true, false]),
            "it was healthy for 10 s and then not, and must be for 10 s: no answer"
        );
        assert!(broke(&[false, true, false]).starts_with("it was healthy for 5 s and then not"));
        assert_eq!(broke(&[false, false, false]), "it was not healthy once in 3 looks: no answer");
    }
}
