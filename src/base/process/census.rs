//! Processes that outlive the forge that started them: how they are known again, what they run,
//! and how they end. What they are is read from proc(5); on systems without it a process is known
//! by its number alone.

use std::{
    fs, io,
    path::PathBuf,
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde::{Deserialize, Serialize};

use super::strays::{marked, processes, status_field};

/// How long killed processes are waited for.
const KILLED: Duration = Duration::from_secs(5);
/// How often it is looked whether a process is gone.
const LOOK: Duration = Duration::from_millis(10);

/// A process, told from a later one with the same number by when it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// Its number.
    pub pid: i32,
    /// When it began, in ticks of the kernel's clock; 0 where the system does not tell.
    began: u64,
}

impl ProcessId {
    /// The process that has this number now, if there is one.
    pub fn find(number: i32) -> Option<Self> {
        let process = Pid::from_raw(number)?;
        is_alive(process).then(|| Self { pid: number, began: began(process) })
    }

    /// A process of which only the number is known.
    pub fn unknown(number: i32) -> Self {
        Self { pid: number, began: 0 }
    }

    /// Whether it lives; one that only waits to be reaped does not.
    pub fn is_alive(&self) -> bool {
        Self::find(self.pid).as_ref() == Some(self)
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Kills it.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        if let Some(process) = Pid::from_raw(self.pid).filter(|_| self.is_alive()) {
            // An error means that it just ended.
            let _ = kill_process(process, signal);
        }
    }

    /// Waits until it is gone, at most `patience`.
    pub fn is_gone_within(&self, patience: Duration) -> bool {
        let began = Instant::now();
        while self.is_alive() {
            if began.elapsed() > patience {
                return false;
            }
            sleep(LOOK);
        }
        true
    }

    /// The processes of the group that it leads or led, itself among them.
    pub fn group(&self) -> Vec<Self> {
        let members = Pid::from_raw(self.pid).map(members).unwrap_or_default();
        members.into_iter().filter_map(|it| Self::find(it.as_raw_nonzero().get())).collect()
    }

    /// The program that it runs: its path, and the file itself, which is there even if the path
    /// names another one by now.
    ///
    /// # Errors
    /// If it is gone, or somebody else's.
    pub fn program(&self) -> io::Result<(PathBuf, PathBuf)> {
        let file = PathBuf::from(format!("/proc/{}/exe", self.pid));
        let text = fs::read_link(&file)?.to_string_lossy().into_owned();
        let path = text.strip_suffix(" (deleted)").unwrap_or(&text);
        Ok((path.into(), file))
    }

    /// A variable of the environment it was started with.
    pub fn variable(&self, name: &str) -> Option<String> {
        let environment = fs::read(format!("/proc/{}/environ", self.pid)).ok()?;
        let mut variables = environment.split(|byte| *byte == 0);
        let found = variables.find_map(|v| v.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
        String::from_utf8(found.to_vec()).ok()
    }
}

fn is_alive(process: Pid) -> bool {
    match status_field(process, 0) {
        Some(state) => !matches!(state.as_str(), "Z" | "X"),
        None => !cfg!(target_os = "linux") && test_kill_process(process).is_ok(),
    }
}

/// The living processes of the group `group`; its leader alone where the system does not tell.
pub fn members(group: Pid) -> Vec<Pid> {
    if !cfg!(target_os = "linux") {
        return is_alive(group).then_some(group).into_iter().collect();
    }
    let own = group.as_raw_nonzero().to_string();
    let is_member = |process: &Pid| status_field(*process, 2).as_deref() == Some(&own);
    processes().filter(is_member).filter(|process| is_alive(*process)).collect()
}

fn began(process: Pid) -> u64 {
    status_field(process, 19).and_then(|ticks| ticks.parse().ok()).unwrap_or(0)
}

/// The living processes whose mark begins with `mark`.
pub fn carriers(mark: &str) -> Vec<ProcessId> {
    marked(mark)
        .into_iter()
        .filter_map(|process| ProcessId::find(process.as_raw_nonzero().get()))
        .collect()
}

/// Ends all processes that `living` finds, and those that it finds later: asks each, and kills what is
/// left after `grace`. Whether none is left.
pub fn end_all(living: &dyn Fn() -> Vec<ProcessId>, grace: Duration) -> bool {
    let mut asked = Vec::new();
    let is_over = all_gone_within(grace, living, &mut |process| {
        if !asked.contains(process) {
            asked.push(*process);
            process.terminate();
            // One that was stopped would not hear it.
            process.signal(Signal::CONT);
        }
    });
    is_over || all_gone_within(KILLED, living, &mut ProcessId::kill)
}

/// As [`end_all`], of processes that were asked already.
pub fn outlast_all(living: &dyn Fn() -> Vec<ProcessId>, grace: Duration) -> bool {
    all_gone_within(grace, living, &mut |_| ())
        || all_gone_within(KILLED, living, &mut ProcessId::kill)
}

fn all_gone_within(
    patience: Duration,
    living: &dyn Fn() -> Vec<ProcessId>,
    tell: &mut dyn FnMut(&ProcessId),
) -> bool {
    let began = Instant::now();
    loop {
        let left = living();
        if left.is_empty() {
            return true;
        }
        left.iter().for_each(&mut *tell);
        if began.elapsed() > patience {
            return false;
        }
        sleep(LOOK);
    }
}

/// Who listens at a TCP port of this machine, as far as the system tells: its number and its name.
pub fn listener(port: u16) -> Option<(i32, String)> {
    let sockets = ["/proc/net/tcp", "/proc/net/tcp6"].map(fs::read_to_string);
    let inodes: Vec<String> =
        sockets.iter().flatten().flat_map(|table| listening(table, port)).collect();
    let holds = |process: &Pid| {
        let folder = format!("/proc/{}/fd", process.as_raw_nonzero());
        let files = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut targets = files.filter_map(|file| fs::read_link(file.path()).ok());
        targets.any(|target| inodes.iter().any(|inode| target.as_os_str() == inode.as_str()))
    };
    let owner = processes().find(holds)?.as_raw_nonzero().get();
    let name = fs::read_to_string(format!("/proc/{owner}/comm")).unwrap_or_default();
    Some((owner, name.trim().to_owned()))
}

/// The sockets in a table of proc_net(5) that listen at `port`, as links to them are called.
fn listening(table: &str, port: u16) -> Vec<String> {
    const LISTEN: &str = "0A";
    let end = format!(":{port:04X}");
    let rows = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let rows = rows.filter(|row| row.len() > 9 && row[1].ends_with(&end) && row[3] == LISTEN);
    rows.map(|row| format!("socket:[{}]", row[9])).collect()
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, process::Command};

    use super::*;

    #[test]
    fn a_process_is_known_again_and_ends() {
        let mut child = Command::new("sleep").arg("100").spawn().unwrap();
        let known = ProcessId::find(i32::try_from(child.id()).unwrap()).unwrap();
        assert!(known.is_alive());
        let later = ProcessId { began: known.began + 1, ..known };
        assert!(!cfg!(target_os = "linux") || !later.is_alive());
        let all = move || vec![known].into_iter().filter(ProcessId::is_alive).collect::<Vec<_>>();
        assert!(end_all(&all, Duration::from_secs(10)));
        assert!(!known.is_alive());
        child.wait().unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn who_listens_is_found() {
        let listening = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listening.local_addr().unwrap().port();
        let own = i32::try_from(std::process::id()).unwrap();
        assert_eq!(listener(port).map(|(pid, _)| pid), Some(own));
        drop(listening);
        assert_eq!(listener(port), None);
    }
}
