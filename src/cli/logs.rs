//! `forge logs`: what services printed, and what they print from now on.

use std::{
    collections::BTreeSet,
    io::{Read, Seek, SeekFrom},
    path::PathBuf,
    time::Duration,
};

use crate::{
    console::Console,
    disk::open_file,
    model::{Fault, Kind, Name},
    process::{Cancel, tail_from},
    report::{Role, Style},
    service::{self, ServicePaths},
};

use super::{
    CliError,
    session::{Session, say},
};

/// How often it is looked for more.
const LOOK: Duration = Duration::from_millis(100);

/// Shows the last `lines` of each log since the service was started; with `follow`, what comes too, until somebody stops it.
pub(super) fn logs(
    session: &Session,
    words: &[String],
    follow: bool,
    lines: usize,
) -> Result<u8, CliError> {
    let workspace = session.workspace()?;
    let names = service::select(&workspace, words)?;
    if session.flags.json {
        return document(session, &ServicePaths::new(&workspace.layout), &names, follow, lines);
    }
    let mut follower =
        LogFollower::new(session.console(), &ServicePaths::new(&workspace.layout), &names, lines);
    let style = session.stdout_style();
    follower.show_last(style)?;
    if follow {
        let cancel = session.host.cancel();
        session.host.runtime()?.block_on(follower.follow(cancel, style))?;
    } else if follower.logs.iter().all(|log| !log.path.exists()) {
        session.console().err("no service wrote a log here yet; `forge up` starts them\n");
    }
    Ok(0)
}

/// Prints the last `lines` of each log as one document.
fn document(
    session: &Session,
    home: &ServicePaths,
    names: &BTreeSet<Name>,
    follow: bool,
    lines: usize,
) -> Result<u8, CliError> {
    if follow {
        let fault = Fault::new(Kind::Usage, "a document has an end, and `--follow` has none");
        return Err(fault.hint("leave out `--json` or `--follow`").into());
    }
    let one = |name: &Name| {
        let path = home.log(name);
        serde_json::json!({
            "name": name.as_str(),
            "path": home.layout().display(&path),
            "lines": tail_from(&path, home.log_start(name), lines),
        })
    };
    let logs: Vec<_> = names.iter().map(one).collect();
    session.say(&format!("{:#}\n", serde_json::json!({ "schema": 1, "services": logs })))?;
    Ok(0)
}

/// Reads logs as they grow.
pub(super) struct LogFollower {
    console: Console,
    logs: Vec<FollowedLog>,
    lines: usize,
}

struct FollowedLog {
    name: Name,
    path: PathBuf,
    /// Where what it printed since its last start begins.
    start: u64,
    /// How far it was read.
    at: u64,
    /// A line that is not whole yet.
    begun: Vec<u8>,
}

impl LogFollower {
    /// Of the logs of `names`, each from `lines` before its end on.
    pub(super) fn new(
        console: Console,
        home: &ServicePaths,
        names: &BTreeSet<Name>,
        lines: usize,
    ) -> Self {
        let log = |name: &Name| {
            let path = home.log(name);
            let start = home.log_start(name);
            let end = path.metadata().map_or(0, |metadata| metadata.len());
            // What a service said when it started is worth seeing to who starts it.
            let at = if lines == 0 { start } else { end };
            FollowedLog { name: name.clone(), path, start, at, begun: Vec::new() }
        };
        Self { console, logs: names.iter().map(log).collect(), lines }
    }

    /// Shows the last lines of each.
    pub(super) fn show_last(&self, style: Style) -> Result<(), Fault> {
        for log in &self.logs {
            for line in tail_from(&log.path, log.start, self.lines) {
                self.show(log, &line, style)?;
            }
        }
        Ok(())
    }

    fn show(&self, log: &FollowedLog, line: &str, style: Style) -> Result<(), Fault> {
        if self.logs.len() == 1 {
            return say(self.console, &format!("{line}\n"));
        }
        let name = style.paint(Role::Name, log.name.as_str());
        say(self.console, &format!("{name} | {line}\n"))
    }

    /// Shows what is added, until `cancel` says that it is enough.
    pub(super) async fn follow(&mut self, cancel: &Cancel, style: Style) -> Result<(), Fault> {
        loop {
            for index in 0..self.logs.len() {
                for line in self.logs[index].added() {
                    self.show(&self.logs[index], &line, style)?;
                }
            }
            tokio::select! {
                () = cancel.cancelled() => return Ok(()),
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }
}

impl FollowedLog {
    /// The lines that were added since it was looked last. A log that began anew is read from its start.
    fn added(&mut self) -> Vec<String> {
        let Ok(mut file) = open_file(&self.path) else { return Vec::new() };
        let size = file.metadata().map_or(0, |metadata| metadata.len());
        if size < self.at {
            self.at = 0;
        }
        let mut bytes = Vec::new();
        if file.seek(SeekFrom::Start(self.at)).and_then(|_| file.read_to_end(&mut bytes)).is_err() {
            return Vec::new();
        }
        self.at += bytes.len() as u64;
        self.begun.extend(bytes);
        let whole = self.begun.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let text: Vec<u8> = self.begun.drain(..whole).collect();
        String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()
    }
}
