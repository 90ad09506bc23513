//! A command that gets the terminal: it reads what is typed and draws as it likes.
//!
//! It runs in forge's own process group, which the terminal's keys reach as a whole: Ctrl-Z stops
//! forge with it and `fg` continues both, as with any program that runs another. Ctrl-C is
//! the command's to answer; only if it dies of it, the run is over too. A shell that it may
//! be makes groups of its own, as it does anywhere.

use std::{
    io::stdin, os::unix::process::ExitStatusExt, process::ExitStatus, sync::OnceLock,
    time::Duration,
};

use rustix::{
    process::{Pid, Signal, kill_process},
    termios::{OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr},
};

use super::{
    Ending,
    launch::{Launched, launch},
    supervision::{CommandRun, Endable, leader},
};
use crate::model::Fault;

/// The exit code of a shell whose program died of Ctrl-C.
const INTERRUPTED: i32 = 130;

/// Runs the command of `run` with `variables` set, to its end.
pub async fn run(run: &CommandRun<'_>, variables: &[(&str, String)]) -> Result<(), Fault> {
    run.shared.guardian.start();
    let manner = tcgetattr(stdin()).ok();
    let lent = run.cancel.lend();
    let launched = launch(run.command, &run.shared.environment, variables).await;
    let Launched { mut child, .. } = launched?;
    let main = MainProcess(leader(&child)?);
    let stop = OnceLock::new();
    let status = tokio::select! {
        status = child.wait() => status,
        never = run.stop_in_time(&stop, &main) => match never {},
    };
    run.mark.end(Duration::ZERO).await;
    drop(lent);
    if let Some(manner) = &manner {
        restore(manner);
    }
    if status.as_ref().is_ok_and(|status| died_of_interrupt(*status)) {
        run.cancel.interrupted();
        return Err(run.cancel.fault(&run.command.line.to_string()));
    }
    run.verdict(status, stop.get().copied())
}

/// The main process of the command.
struct MainProcess(Pid);

impl Endable for MainProcess {
    fn ask(&self, ending: Ending) {
        let _ = kill_process(self.0, ending.signal());
    }

    fn terminate(&self) {
        let _ = kill_process(self.0, Signal::TERM);
        let _ = kill_process(self.0, Signal::CONT);
    }

    fn kill(&self) {
        let _ = kill_process(self.0, Signal::KILL);
    }
}

fn died_of_interrupt(status: ExitStatus) -> bool {
    status.signal() == Some(Signal::INT.as_raw()) || status.code() == Some(INTERRUPTED)
}

/// Gives the terminal its manner back, which a program that was killed leaves as it was. Not
/// from the background, where that would stop forge.
fn restore(manner: &Termios) {
    if tcgetpgrp(stdin()).ok() == Some(rustix::process::getpgrp()) {
        let _ = tcsetattr(stdin(), OptionalActions::Now, manner);
    }
}
