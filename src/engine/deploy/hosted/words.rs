//! The description of a state: what people read at the host, and what the ledger is restored from.

use super::super::{DeployState, StateChange};

/// The most that hosts take, in characters.
const MOST: usize = 140;

/// `succeeded: it passed its gates`, cut to what hosts take.
pub(super) fn description(change: &StateChange) -> String {
    cut(&format!("{}: {}", change.state, change.why))
}

/// `text`, cut to what hosts take.
pub(super) fn cut(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.chars().count() > MOST {
        true => line.chars().take(MOST - 1).chain(['…']).collect(),
        false => line,
    }
}

/// The state that a description tells, and why.
pub(super) fn state(description: &str) -> Option<(DeployState, &str)> {
    let (word, why) = description.split_once(": ")?;
    let state = DeployState::ALL.into_iter().find(|state| state.as_str() == word)?;
    Some((state, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_described_is_understood() {
        for state in DeployState::ALL {
            let change = StateChange::now(state, "exit: 7\nof it");
            let text = description(&change);
            assert_eq!(super::state(&text), Some((state, "exit: 7 of it")));
        }
        let long = description(&StateChange::now(DeployState::Failed, "é".repeat(500)));
        assert_eq!(long.chars().count(), MOST);
        assert_eq!(super::state("Deployed by hand"), None);
    }
}
