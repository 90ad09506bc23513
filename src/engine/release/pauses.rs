//! How long to wait between two questions: longer each time, and not the same for all who wait.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

/// The first pause.
const FIRST: Duration = Duration::from_secs(1);
/// No pause is longer.
const LONGEST: Duration = Duration::from_secs(15);

/// Pauses without end: each half as long again as the one before, and up to a quarter shorter
/// than that by chance, so that machines which began together do not ask together.
#[derive(Clone, Debug)]
pub struct Pauses {
    next: Duration,
    chance: RandomState,
}

impl Pauses {
    /// From the first one on.
    pub fn new() -> Self {
        Self { next: FIRST, chance: RandomState::new() }
    }
}

impl Default for Pauses {
    fn default() -> Self {
        Self::new()
    }
}

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let pause = self.next;
        self.next = (pause + pause / 2).min(LONGEST);
        let share = (self.chance.hash_one(pause.as_nanos()) % 256) as u32;
        Some(pause.saturating_sub(pause / 4 * share / 256))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_within_bounds() {
        let pauses: Vec<_> = Pauses::new().take(20).collect();
        assert!(pauses[0] <= FIRST && pauses[0] >= FIRST * 3 / 4, "{pauses:?}");
        assert!(pauses[..6].is_sorted(), "{pauses:?}");
        for pause in &pauses[8..] {
            assert!(*pause <= LONGEST && *pause >= LONGEST * 3 / 4, "{pauses:?}");
        }
    }
}
