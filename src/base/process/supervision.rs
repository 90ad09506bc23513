//! One command, from its start to the end of its last process.
//!
//! ```text
//! launched ─> attended ─ main process exits ─> drained ─> group ended ─> strays ended ─> verdict
//!                └ cancelled or out of time: TERM, grace, KILL
//! ```

use std::{
    convert::Infallible, future::pending, process::ExitStatus, sync::OnceLock, time::Duration,
};

use rustix::process::Pid;
use tokio::{process::Child, time::sleep};

use super::{
    Cancel, Command, Ending,
    ending::{fault_of, timeout_fault},
    group::ProcessGroup,
    launch::{Launched, launch},
    output::OutputSink,
    runner::RunnerShared,
    strays::Marked,
    stream::CommandStream,
};
use crate::model::{Fault, Kind};

/// How long what a command left in the background may take to end by itself.
const LINGER: Duration = Duration::from_millis(100);

/// Why a command was told to end.
#[derive(Clone, Copy, Debug)]
pub enum StopReason {
    Cancelled,
    OutOfTime(Duration),
}

/// One run of a command.
pub struct CommandRun<'a> {
    pub shared: &'a RunnerShared,
    pub command: &'a Command,
    /// What ends it.
    pub cancel: &'a Cancel,
    /// What it carries.
    pub mark: &'a Marked<'a>,
}

impl CommandRun<'_> {
    /// Runs the command with `variables` set, to its end, and passes on its lines.
    pub async fn attended(
        &self,
        variables: &[(&str, String)],
        line: &mut (dyn FnMut(&str) + Send),
    ) -> Result<(), Fault> {
        let Self { shared, command, .. } = self;
        // Before the command: a forge that is killed an instant later must not leave it alive.
        shared.guardian.start();
        if let Some(ending) = command.ending {
            shared.guardian.announce(&self.mark.mark(), ending);
        }
        let Launched { mut child, output, errors } =
            launch(command, &shared.environment, variables).await?;
        let mut group = ProcessGroup::new(leader(&child)?, &shared.guardian, command.ending);
        let output = output.ok_or_else(|| Fault::new(Kind::Failed, "a command has no output"))?;
        let mut stream = CommandStream::new(
            shared,
            [Some(output), errors],
            OutputSink::new(command, shared.reader, line),
        );

        let stop = OnceLock::new();
        let status = tokio::select! {
            status = child.wait() => status,
            never = stream.flow() => match never {},
            never = self.stop_in_time(&stop, &group) => match never {},
        };
        if let (Some(ending), Some(_)) = (command.ending, stop.get()) {
            // A shell may end at once, with what it waited for in the middle of its work.
            tokio::select! {
                () = group.outlast(ending, self.cancel.killed()) => {}
                never = stream.flow() => match never {},
            }
        }
        let patience = if stop.get().is_some() { Duration::ZERO } else { LINGER };
        let drained = stream.drain(patience).await;
        let patience = if drained { patience } else { Duration::ZERO };
        let remains = group.end(patience).await.max(self.mark.end(patience).await);
        stream.drain(LINGER).await;
        stream.end(remains, stop.get().is_some());
        self.verdict(status, stop.get().copied())
    }

    /// What its end says.
    pub fn verdict(
        &self,
        status: std::io::Result<ExitStatus>,
        stop: Option<StopReason>,
    ) -> Result<(), Fault> {
        let command = self.command;
        match stop {
            Some(StopReason::Cancelled) => Err(self.cancel.fault(&command.line.to_string())),
            Some(StopReason::OutOfTime(limit)) => Err(timeout_fault(&command.line, limit)),
            None => match status {
                Ok(status) => fault_of(status, command).map_or(Ok(()), Err),
                Err(error) => Err(Fault::io(format!("cannot wait for {}", command.line), &error)),
            },
        }
    }

    /// Ends `target` when the run is cancelled or the time is over, and says so in `stop`.
    pub async fn stop_in_time(
        &self,
        stop: &OnceLock<StopReason>,
        target: &impl Endable,
    ) -> Infallible {
        let out_of_time = async {
            let Some(limit) = self.command.timeout else { return pending().await };
            sleep(limit).await;
            limit
        };
        let why = tokio::select! {
            () = self.cancel.cancelled() => StopReason::Cancelled,
            limit = out_of_time => StopReason::OutOfTime(limit),
        };
        stop.get_or_init(|| why);
        if let Some(ending) = self.command.ending {
            self.end_with_care(ending, target).await;
            return pending().await;
        }
        target.terminate();
        tokio::select! {
            () = sleep(self.shared.grace) => {}
            () = self.cancel.killed() => {}
        }
        target.kill();
        pending().await
    }
}

impl CommandRun<'_> {
    /// Asks `target`, waits, asks once more, waits, and kills what is left. Somebody who asks twice
    /// spares it the first wait.
    async fn end_with_care(&self, ending: Ending, target: &impl Endable) {
        target.ask(ending);
        tokio::select! {
            () = sleep(ending.grace) => {}
            () = self.cancel.killed() => {}
        }
        target.ask(ending);
        sleep(Ending::LAST_GRACE.min(ending.grace)).await;
        target.kill();
    }
}

/// What can be told to end.
pub trait Endable {
    /// Asks it to, as a terminal would.
    fn ask(&self, ending: Ending);
    /// Tells it to.
    fn terminate(&self);
    /// Gives it no choice.
    fn kill(&self);
}

impl Endable for ProcessGroup<'_> {
    fn ask(&self, ending: Ending) {
        ProcessGroup::ask(self, ending);
    }

    fn terminate(&self) {
        ProcessGroup::terminate(self);
    }

    fn kill(&self) {
        ProcessGroup::kill(self);
    }
}

/// The process that was started.
pub fn leader(child: &Child) -> Result<Pid, Fault> {
    let id = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    id.ok_or_else(|| Fault::new(Kind::Failed, "a started command has no process"))
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Instant};

    use super::{
        super::{Cancel, CommandLine, CommandRunner, Runner, Shell},
        *,
    };
    use crate::model::Kind;
    use crate::process::testing::environment;

    fn shell(line: &str) -> Command {
        Command::new(CommandLine::Shell(line.into()), "/")
    }

    async fn run_with(runner: &Runner, command: &Command) -> (Result<(), Fault>, Vec<String>) {
        let mut lines = Vec::new();
        let result = runner.run(command, &mut |line| lines.push(line.to_owned())).await;
        (result, lines)
    }

    async fn run(command: &Command) -> (Result<(), Fault>, Vec<String>) {
        run_with(&Runner::new(environment(), 2, Cancel::new()), command).await
    }

    async fn said(line: &str) -> String {
        run(&shell(line)).await.0.unwrap_err().to_string()
    }

    /// Whether the process lives; one that is dead and not yet waited for does not.
    fn lives(pid: &str) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
        stat.is_ok_and(|stat| !stat.rsplit_once(')').unwrap().1.starts_with(" Z"))
    }

    #[tokio::test]
    async fn lines_come_in_the_order_they_were_printed() {
        let (result, lines) = run(&shell("echo a; echo b >&2; echo c; printf d")).await;
        assert_eq!((result, lines.join(" ")), (Ok(()), "a b c d".to_owned()));
    }

    #[tokio::test]
    async fn failures_are_told_in_words() {
        assert_eq!(said("exit 3").await, "`exit 3` exited with code 3");
        assert_eq!(said("kill -9 $$").await, "`kill -9 $$` was killed by signal 9 (SIGKILL)");
        assert_eq!(said("no-such-tool x").await, "`no-such-tool` was not found");
        assert!(said("no-such-tool $$").await.ends_with("a program it calls was not found"));
        let nowhere = Command { dir: "/no/where".into(), ..shell("ls") };
        let fault = run(&nowhere).await.0.unwrap_err().to_string();
        assert_eq!(fault, "cannot run `ls`: its folder `/no/where` does not exist");
        let nowhere = Command { dir: "/no/where".into(), ..shell("ls | cat") };
        assert_eq!(
            run(&nowhere).await.0.unwrap_err().to_string(),
            "cannot run `ls | cat`: its folder `/no/where` does not exist"
        );
    }

    #[tokio::test]
    async fn a_script_without_its_first_line_is_read_by_the_shell() {
        let temp = tempfile::tempdir().unwrap();
        let script = temp.path().join("script");
        std::fs::write(&script, "echo \"$0 $1\"").unwrap();
        let allowed = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&script, allowed).unwrap();
        let command = Command { dir: temp.path().into(), ..shell("./script x") };
        assert_eq!(run(&command).await, (Ok(()), vec!["./script x".to_owned()]));
    }

    #[tokio::test]
    async fn environment_folder_and_path_are_the_commands_own() {
        let temp = tempfile::tempdir().unwrap();
        let tool = temp.path().join("tool");
        std::os::unix::fs::symlink("/bin/sh", &tool).unwrap();
        let mut command = Command { dir: temp.path().into(), ..shell("tool -c 'echo $X $PWD'") };
        command.env.insert("X".into(), "1".into());
        command.path.push(temp.path().into());
        let expected = format!("1 {}", temp.path().display());
        assert_eq!(run(&command).await, (Ok(()), vec![expected]));
    }

    #[tokio::test]
    async fn the_shell_is_the_one_selected() {
        let words = |words: &[&str]| Shell::Words(words.iter().map(|w| (*w).into()).collect());
        for (shell, line, said) in [
            (Shell::Sh, "echo ${0##*/}", "sh"),
            (Shell::Bash, "false | true || echo \"${BASH_VERSION:+bash}\"", "bash"),
            (words(&["env", "A=1", "sh", "-c"]), "echo $A$B", "1"),
            (words(&["echo", "would run"]), "ls -l", "would run ls -l"),
        ] {
            let (result, lines) =
                run(&Command { shell, ..Command::new(CommandLine::Shell(line.into()), "/") }).await;
            assert_eq!((result, lines), (Ok(()), vec![said.to_owned()]));
        }
        let missing = Command { shell: words(&["no-such-shell"]), ..shell("ls") };
        let fault = run(&missing).await.0.unwrap_err();
        let told = "the shell of `ls` cannot be started: `no-such-shell` was not found";
        assert_eq!(fault.to_string(), told);
    }

    #[tokio::test]
    async fn secrets_are_masked_in_lines_and_log() {
        let temp = tempfile::tempdir().unwrap();
        let mut secrets = crate::model::Secrets::default();
        secrets.add("hunter2");
        secrets.add("first line\nsecond line");
        let command = Command {
            secrets,
            log: Some(temp.path().join("log")),
            ..shell("printf hun; sleep 0.05; echo ter2; echo '> first line'; echo '> second line'")
        };
        let lines = run(&command).await.1;
        assert_eq!(lines, ["***", "> ***", "> ***"]);
        let log = std::fs::read_to_string(temp.path().join("log")).unwrap();
        assert_eq!(log, "***\n> ***\n> ***\n");
    }

    #[tokio::test]
    async fn a_secret_that_control_sequences_part_is_masked_in_lines() {
        let mut secrets = crate::model::Secrets::default();
        secrets.add("hunter22");
        let command = Command {
            secrets,
            ..shell(r"printf 'hun\033[31mter22\nhun\000ter22\nhun\033]0;x\007ter22'")
        };
        assert_eq!(run(&command).await.1, ["***", "***", "***"]);
    }

    #[tokio::test]
    async fn a_part_of_a_run_is_stopped_with_grace() {
        let runner = Runner::new(environment(), 2, Cancel::new());
        let part = Cancel::new().part();
        let command = Command {
            cancel: Some(part.clone()),
            ..shell("trap 'echo bye; exit 0' TERM; echo hi; while :; do sleep 0.01; done")
        };
        let mut lines = Vec::new();
        let mut hear = |line: &str| {
            lines.push(line.to_owned());
            if line == "hi" {
                part.cancel_because("`x` failed");
            }
        };
        let fault = runner.run(&command, &mut hear).await.unwrap_err();
        assert_eq!(fault.kind, Kind::Interrupted);
        assert!(fault.to_string().ends_with("was stopped: `x` failed"), "{fault}");
        // The shell tells of its child too, if that is the one that runs in this moment.
        lines.retain(|line| line != "Terminated");
        assert_eq!(lines, ["hi", "bye"]);
        assert!(run_with(&runner, &shell("echo on")).await.0.is_ok());
    }

    #[tokio::test]
    async fn there_is_nothing_to_read() {
        assert_eq!(run(&shell("cat")).await, (Ok(()), vec![]));
    }

    #[tokio::test]
    async fn output_is_logged_with_colours_and_passed_on_without() {
        let temp = tempfile::tempdir().unwrap();
        let log = temp.path().join("log");
        let command = Command { log: Some(log.clone()), ..shell("printf '\\033[1mx\\033[0m\\n'") };
        assert_eq!(run(&command).await, (Ok(()), vec!["x".to_owned()]));
        assert_eq!(std::fs::read(&log).unwrap(), b"\x1b[1mx\x1b[0m\n");
        assert_eq!(super::super::tail(&log, 5), ["x"]);
    }

    #[tokio::test]
    async fn a_log_that_cannot_be_written_is_told_and_ruins_nothing() {
        let command = Command { log: Some("/dev/null/log".into()), ..shell("echo x") };
        let (result, lines) = run(&command).await;
        assert_eq!(result, Ok(()));
        assert!(lines[0].starts_with("[forge: cannot write the log /dev/null/log"), "{lines:?}");
        assert_eq!(lines[1], "x");
    }

    #[tokio::test]
    async fn what_is_left_in_the_background_is_ended_and_told() {
        for line in ["sleep 100 & echo $!", "sleep 100 >/dev/null 2>&1 & echo $!"] {
            let start = Instant::now();
            let (result, lines) = run(&shell(line)).await;
            assert_eq!(result, Ok(()));
            assert!(!lives(&lines[0]), "{line}");
            assert!(lines[1].contains("left processes in the background"), "{lines:?}");
            assert!(start.elapsed() < Duration::from_secs(2));
        }
    }

    #[tokio::test]
    async fn what_ends_by_itself_soon_is_not_worth_a_word() {
        let (result, lines) = run(&shell("(sleep 0.02; echo b) & echo a")).await;
        assert_eq!((result, lines.join(" ")), (Ok(()), "a b".to_owned()));
    }

    #[tokio::test]
    async fn what_left_its_group_may_end_by_itself_too() {
        let (result, lines) = run(&shell("setsid sleep 0.02 >/dev/null 2>&1 &")).await;
        assert_eq!((result, lines), (Ok(()), vec![]));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn what_left_its_group_is_ended_too() {
        for line in [
            "setsid sleep 100 & echo $!",
            "setsid sh -c 'setsid sleep 100 & echo $!; sleep 100' & sleep 0.05",
            "setsid sh -c 'trap \"\" TERM; echo $$; sleep 100; sleep 100' & sleep 0.05",
        ] {
            let (result, lines) = run(&shell(line)).await;
            assert_eq!(result, Ok(()));
            assert!(!lives(&lines[0]), "{line}");
        }
    }

    #[tokio::test]
    async fn out_of_time_everything_is_ended() {
        let limit = Duration::from_millis(30);
        let runner = Runner::new(environment(), 1, Cancel::new()).grace(Duration::from_millis(60));
        for line in
            ["sleep 100 & echo $!; wait", "trap '' TERM; echo $$; while :; do sleep 0.01; done"]
        {
            let start = Instant::now();
            let command = Command { timeout: Some(limit), ..shell(line) };
            let (result, lines) = run_with(&runner, &command).await;
            let fault = result.unwrap_err();
            assert_eq!(fault.kind, Kind::Timeout);
            assert!(fault.what.ends_with("took longer than the 30 ms it was allowed"), "{fault}");
            assert!(!lives(&lines[0]), "{line}");
            assert!(start.elapsed() < Duration::from_secs(2));
        }
    }

    #[tokio::test]
    async fn a_cancelled_run_ends_its_commands_and_starts_no_more() {
        let cancel = Cancel::new();
        let runner = Runner::new(environment(), 1, cancel.clone());
        let command = shell("echo $$; sleep 100");
        let mut pid = String::new();
        let result = runner
            .run(&command, &mut |line| {
                pid = line.to_owned();
                cancel.cancel_because("enough");
            })
            .await;
        assert_eq!(result.unwrap_err().kind, Kind::Interrupted);
        assert!(!lives(&pid));
        assert_eq!(run_with(&runner, &shell("echo x")).await.1, Vec::<String>::new());
    }

    #[tokio::test]
    async fn asked_twice_there_is_no_grace() {
        let cancel = Cancel::new();
        let runner = Runner::new(environment(), 1, cancel.clone()).grace(Duration::from_secs(60));
        let command = shell("trap '' TERM; echo $$; while :; do sleep 0.01; done");
        let start = Instant::now();
        let asked = &cancel;
        let result = runner
            .run(&command, &mut |_| {
                asked.cancel();
                asked.cancel();
            })
            .await;
        assert_eq!(result.unwrap_err().kind, Kind::Interrupted);
        assert!(start.elapsed() < Duration::from_secs(5));
    }

    #[tokio::test]
    async fn an_abandoned_command_is_killed() {
        let temp = tempfile::tempdir().unwrap();
        let runner = Runner::new(environment(), 1, Cancel::new());
        let command = Command { dir: temp.path().into(), ..shell("echo $$ > pid; sleep 100") };
        let mut ignore = |_: &str| ();
        let written = async {
            loop {
                match std::fs::read_to_string(temp.path().join("pid")) {
                    Ok(pid) if pid.ends_with('\n') => break pid,
                    _ => sleep(Duration::from_millis(1)).await,
                }
            }
        };
        let pid = tokio::select! {
            _ = runner.run(&command, &mut ignore) => panic!("it sleeps"),
            pid = written => pid,
        };
        assert!(super::super::group::within(Duration::from_secs(2), || !lives(&pid)).await);
    }

    #[tokio::test]
    async fn a_flood_is_kept_in_part_and_its_end_is_seen() {
        let temp = tempfile::tempdir().unwrap();
        let log = temp.path().join("log");
        let command =
            Command { log: Some(log.clone()), ..shell("yes | head -c 80000000; echo end") };
        let (result, lines) = run(&command).await;
        assert_eq!((result, lines.last().unwrap().as_str()), (Ok(()), "end"));
        assert!(lines.len() < 20_000, "{}", lines.len());
        let size = std::fs::metadata(&log).unwrap().len();
        assert!((65 << 20..66 << 20).contains(&size), "{size}");
        assert_eq!(super::super::tail(Path::new(&log), 2), ["y", "end"]);
    }

    #[tokio::test]
    async fn without_a_log_every_line_is_passed_on() {
        let (result, lines) = run(&shell("seq 30000")).await;
        assert_eq!((result, lines.len()), (Ok(()), 30000));
    }
}
