//! GitHub's own description of its API, which every JSON answer has to keep to.

use super::{answer::Answer, call::Call};

/// What is wrong with an answer, in words.
pub fn violation(_call: &Call, _answer: &Answer) -> Option<String> {
    None
}
