//! What the end of a command says: nothing, or a fault in words.

use std::{os::unix::process::ExitStatusExt, process::ExitStatus, time::Duration};

use super::{Command, CommandLine};
use crate::model::{Fault, Kind};

/// The fault of a command that ended by itself with `status`; `None` for success.
pub fn fault_of(status: ExitStatus, command: &Command) -> Option<Fault> {
    if status.success() {
        return None;
    }
    let line = &command.line;
    let fault = match (status.code(), status.signal()) {
        (Some(127), _) => Fault::new(Kind::Failed, format!("{line} exited with code 127"))
            .because("a program it calls was not found")
            .hint(
                "its last lines name the program; install it, or put the folder it is in on PATH",
            ),
        (Some(code @ 129..=192), _) => {
            // A shell reports so that a program it ran was killed.
            let what = format!("{line} exited with code {code}");
            let name = signal_name(code - 128);
            let why = format!("a program it ran was killed by signal {}{name}", code - 128);
            with_reason(Fault::new(Kind::Failed, what).because(why), code - 128)
        }
        (Some(code), _) => Fault::new(Kind::Failed, format!("{line} exited with code {code}")),
        (None, Some(signal)) => {
            let name = signal_name(signal);
            let what = format!("{line} was killed by signal {signal}{name}");
            with_reason(Fault::new(Kind::Failed, what), signal)
        }
        (None, None) => Fault::new(Kind::Failed, format!("{line} ended with {status}")),
    };
    Some(match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(code) => fault.exited(code),
        None => fault,
    })
}

/// The fault of a command that took longer than `limit`.
pub fn timeout_fault(line: &CommandLine, limit: Duration) -> Fault {
    let what = format!("{line} took longer than the {} it was allowed", in_words(limit));
    Fault::new(Kind::Timeout, what)
        .hint("if it only needs more time, allow it with `timeout:`; else its last lines show where it hangs")
}

fn with_reason(fault: Fault, signal: i32) -> Fault {
    match signal {
        9 => fault.hint("running out of memory is the usual reason; run fewer at once with `-j`"),
        _ => fault,
    }
}

/// ` (SIGKILL)` for 9; nothing where systems differ.
fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        _ => return String::new(),
    };
    format!(" ({name})")
}

fn in_words(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{} ms", time.as_millis()),
        _ if seconds.is_multiple_of(3600) => format!("{} h", seconds / 3600),
        _ if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        _ => format!("{} s", time.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(raw: i32) -> String {
        let command = Command::new(CommandLine::Shell("make all".into()), "/");
        fault_of(ExitStatus::from_raw(raw), &command).map_or_else(String::new, |f| f.to_string())
    }

    #[test]
    fn exits_are_told_in_words() {
        assert_eq!(said(0), "");
        assert_eq!(said(2 << 8), "`make all` exited with code 2");
        assert_eq!(said(9), "`make all` was killed by signal 9 (SIGKILL)");
        assert_eq!(
            said(137 << 8),
            "`make all` exited with code 137: a program it ran was killed by signal 9 (SIGKILL)"
        );
        assert_eq!(
            said(127 << 8),
            "`make all` exited with code 127: a program it calls was not found"
        );
        assert_eq!(said(255 << 8), "`make all` exited with code 255");
    }

    #[test]
    fn times_are_told_in_words() {
        let told = |ms| in_words(Duration::from_millis(ms));
        assert_eq!(
            [told(50), told(1500), told(600_000), told(7_200_000)],
            ["50 ms", "1.5 s", "10 min", "2 h"]
        );
    }
}
