//! What a program says of its version.

use std::time::Duration;

use super::{Command, CommandLine, CommandRunner};
use crate::model::{Fault, Kind};

/// How programs are asked for their version; `go` knows only the second way.
const QUESTIONS: [&str; 2] = ["--version", "version"];
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What `tool` says when asked for its version, in each way there is to ask until a line is
/// enough. `command` says where and how it runs.
///
/// # Errors
/// `Interrupted` if the run is stopped. A program that gives no answer says nothing.
pub async fn ask_version(
    runner: &dyn CommandRunner,
    command: &Command,
    tool: &str,
    is_enough: &(dyn Fn(&str) -> bool + Sync),
) -> Result<Vec<String>, Fault> {
    let mut said = Vec::new();
    for question in QUESTIONS {
        let line = CommandLine::Argv(vec![tool.to_owned(), question.to_owned()]);
        let command = Command { line, timeout: Some(PATIENCE), ..command.clone() };
        let mut lines = Vec::new();
        match runner.run(&command, &mut |line| lines.push(line.to_owned())).await {
            Ok(()) => said.append(&mut lines),
            Err(fault) if fault.kind == Kind::Interrupted => return Err(fault),
            Err(_) => {}
        }
        if said.iter().any(|line| is_enough(line)) {
            break;
        }
    }
    Ok(said)
}
