//! What tests ask of the machine they run on.

use std::process::{Command, Stdio};

use crate::model::Environment;

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
