//! What tests ask of the machine they run on.

use std::process::{Command, Stdio};

use std::collections::{BTreeMap, BTreeSet};

use super::{Cancel, Runner, ShellQuestion, Shells, SyntaxError, ask_shells};
use crate::model::Environment;

/// Asks shells each time.
#[derive(Debug)]
pub struct AskingShells;

impl Shells for AskingShells {
    fn errors(&self, questions: &BTreeSet<ShellQuestion>) -> BTreeMap<ShellQuestion, SyntaxError> {
        // Other tests start processes that carry no mark.
        let _unmarked = super::children::Unmarked::begin();
        let runner = Runner::new(environment(), 1, Cancel::new());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answers = runtime.block_on(ask_shells(&runner, questions.iter().cloned()));
        answers.into_iter().filter_map(|(asked, answer)| Some((asked, answer?))).collect()
    }
}

/// The environment that tests were started with.
pub fn environment() -> Environment {
    std::env::vars_os().collect()
}

/// Whether `program` is here; a test that needs it is skipped otherwise, and says so. In
/// continuous integration nothing may be missing.
pub fn is_here(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let is_here = command.status().is_ok();
    assert!(is_here || std::env::var_os("CI").is_none(), "{program} is missing here");
    if !is_here {
        eprintln!("skipped: there is no {program}");
    }
    is_here
}
