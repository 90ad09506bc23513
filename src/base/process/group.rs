//! The process group of a command: how all its processes are told to end, and known
//! to have ended.

use std::time::{Duration, Instant};

use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitOptions, kill_process_group, test_kill_process_group, waitpgid},
};

use super::{Ending, guardian::Guardian};

/// How long processes that a command left behind may take to end when told to.
pub const GRACE: Duration = Duration::from_millis(300);
/// How long killed processes are waited for: only those that the kernel holds (a dead
/// disk, a dead network folder) take longer.
pub const KILLED: Duration = Duration::from_secs(2);

/// What was found when the processes of a command were ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remains {
    /// Nothing was left.
    Nothing,
    /// Something was, and is gone.
    Ended,
    /// Something is, and cannot be killed.
    Stuck,
}

/// The processes of one command. Kills them when dropped before its end.
pub struct ProcessGroup<'a> {
    leader: Pid,
    guardian: &'a Guardian,
    gone: bool,
}

impl<'a> ProcessGroup<'a> {
    /// The group that `leader` leads.
    pub fn new(leader: Pid, guardian: &'a Guardian, ending: Option<Ending>) -> Self {
        guardian.began(leader, ending);
        Self { leader, guardian, gone: false }
    }

    /// Asks all processes of the group to end, as a terminal does.
    pub fn ask(&self, ending: Ending) {
        self.signal(ending.signal());
    }

    /// Waits for what the leader left behind, which was asked with it: gives it its time, and asks
    /// again. What `hurry` ends is the first wait.
    pub async fn outlast(&mut self, ending: Ending, hurry: impl Future<Output = ()>) {
        let is_gone = tokio::select! {
            is_gone = self.is_gone_within(ending.grace) => is_gone,
            () = hurry => false,
        };
        if is_gone {
            return;
        }
        self.ask(ending);
        self.is_gone_within(Ending::LAST_GRACE.min(ending.grace)).await;
    }

    /// Tells all processes of the group to end.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
        // One that was stopped would not hear it.
        self.signal(Signal::CONT);
    }

    /// Kills all processes of the group.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        if !self.gone {
            // An error means that nobody is left.
            let _ = kill_process_group(self.leader, signal);
        }
    }

    /// Ends what is left of the group, after its leader has been waited for: leaves it
    /// `patience` to end by itself, then tells it to, then kills it.
    pub async fn end(&mut self, patience: Duration) -> Remains {
        if self.is_gone_within(patience).await {
            return Remains::Nothing;
        }
        self.terminate();
        if self.is_gone_within(GRACE).await {
            return Remains::Ended;
        }
        self.kill();
        if self.is_gone_within(KILLED).await { Remains::Ended } else { Remains::Stuck }
    }

    async fn is_gone_within(&mut self, time: Duration) -> bool {
        within(time, || self.is_gone()).await
    }

    fn is_gone(&mut self) -> bool {
        // The dead among those that became children of forge stay in the group until
        // they are waited for.
        while let Ok(Some(_)) = waitpgid(self.leader, WaitOptions::NOHANG) {}
        self.gone |= test_kill_process_group(self.leader) == Err(Errno::SRCH)
            // macOS answers so about a group of which only dead are left.
            || (cfg!(target_os = "macos") && test_kill_process_group(self.leader).is_err());
        self.gone
    }
}

impl Drop for ProcessGroup<'_> {
    fn drop(&mut self) {
        self.kill();
        self.guardian.ended(self.leader);
    }
}

/// Asks `is_so` until it says yes, at most for `time`: at once, then ever more rarely.
pub async fn within(time: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + time;
    let mut pause = Duration::from_millis(1);
    loop {
        if is_so() {
            return true;
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        tokio::time::sleep(pause.min(left)).await;
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}
