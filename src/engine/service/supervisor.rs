//! The supervisor: a process that outlives forge, what it says, and how it is told to read its
//! configuration again.

use std::{collections::BTreeMap, io, path::Path, time::Duration};

use serde::{Deserialize, Serialize};

use super::{ServicePaths, client::ask};
use crate::{
    cache::write_state,
    disk::{MOST_OF_TEXT, read_text},
    model::{Environment, Fault, Kind, Name},
    process::{Command, CommandLine, Inherit, ProcessId, start_detached, tail},
};

/// How long a question about the state of things may take.
const ANSWER: Duration = Duration::from_secs(10);
/// How long reading its configuration may take.
const CHANGE: Duration = Duration::from_secs(20);
/// How long it may take until a supervisor that was started answers.
const START: Duration = Duration::from_secs(20);
/// Variables that would tell the supervisor something else than its arguments do.
const WITHHELD: &str = "PC_";
/// The variable that names the shell for its looks.
const SHELL: (&str, &str) = ("COMPOSE_SHELL", "sh");

/// A supervisor that lives.
pub struct Supervisor<'a> {
    home: &'a ServicePaths,
    record: ServiceRecord,
}

/// What is kept of it.
#[derive(Serialize, Deserialize)]
struct ServiceRecord {
    #[serde(flatten)]
    process: ProcessId,
    /// Which binaries it was started with.
    binaries: String,
}

/// How a service is, in the supervisor's words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ServiceState {
    name: String,
    /// `Running`, `Completed`, …
    pub status: String,
    is_ready: String,
    /// How often it was started again.
    pub restarts: u32,
    /// What it ended with.
    pub exit_code: i32,
    /// Its process; 0 if there is none.
    pub pid: i32,
    /// For how long it runs, in nanoseconds.
    age: u64,
}

impl ServiceState {
    /// Whether a look found it ready; none, if nobody looks.
    pub fn is_ready(&self) -> Option<bool> {
        match self.is_ready.as_str() {
            "Ready" => Some(true),
            "Not Ready" => Some(false),
            _ => None,
        }
    }

    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        matches!(self.status.as_str(), "Running" | "Launching" | "Launched")
    }

    /// Whether it ended for good.
    pub fn is_over(&self) -> bool {
        matches!(self.status.as_str(), "Completed" | "Error" | "Skipped" | "Terminating")
    }

    /// For how long it runs.
    pub fn age(&self) -> Duration {
        Duration::from_nanos(self.age)
    }
}

impl<'a> Supervisor<'a> {
    /// The supervisor of the workspace, if it lives.
    pub fn find(home: &'a ServicePaths) -> Option<Self> {
        let text = read_text(&home.record(), MOST_OF_TEXT).ok()?;
        let record: ServiceRecord = serde_json::from_str(&text).ok()?;
        record.process.is_alive().then_some(Self { home, record })
    }

    /// Starts `program`, which is one of `binaries`, and waits until it answers. It and its services
    /// inherit of `environment` what `inherit` says.
    ///
    /// # Errors
    /// If it cannot be started, or ends at once, with what it says.
    pub fn start(
        home: &'a ServicePaths,
        environment: &Environment,
        program: &Path,
        binaries: String,
        inherit: Inherit,
    ) -> Result<Self, Fault> {
        let (folder, socket) = (home.folder(), home.socket());
        home.remove_socket();
        let path = |path: &Path| path.display().to_string();
        let mut words = vec![path(program), "up".into()];
        words.extend(
            ["-t=false", "--keep-project", "--ordered-shutdown", "--disable-dotenv", "-U"]
                .map(String::from),
        );
        for (flag, value) in
            [("-u", &socket), ("-L", &home.own_log()), ("-f", &home.configuration())]
        {
            words.extend([flag.into(), path(value)]);
        }
        let mut command = Command::new(CommandLine::Argv(words), &folder);
        command.inherit = inherit;
        command.path.push(home.layout().bin());
        command.env.insert(SHELL.0.into(), SHELL.1.into());
        let (mark, output) = (home.sealed_mark(), home.output());
        let outputs = (output.as_path(), output.as_path());
        let process = start_detached(environment, &command, &mark, WITHHELD, outputs)?;
        let supervisor = Self { home, record: ServiceRecord { process, binaries } };
        supervisor.remember()?;
        supervisor.wait_for_its_answer()?;
        Ok(supervisor)
    }

    fn remember(&self) -> Result<(), Fault> {
        let file = self.home.record();
        let fault = |e: io::Error| Fault::io(format!("cannot write {}", file.display()), &e);
        let text = serde_json::to_vec(&self.record).map_err(|e| fault(e.into()))?;
        write_state(self.home.layout(), &file, &text)
    }

    fn wait_for_its_answer(&self) -> Result<(), Fault> {
        let began = std::time::Instant::now();
        loop {
            let Err(fault) = ask(&self.home.socket(), "GET", "/live", ANSWER) else {
                return Ok(());
            };
            if !self.record.process.is_alive() {
                return Err(self.ended());
            }
            if began.elapsed() > START {
                return Err(fault.within("the supervisor of the services was started"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Why it ended, as far as it says so.
    fn ended(&self) -> Fault {
        let fault = Fault::new(Kind::Failed, "the supervisor of the services ended at once");
        let mut said = tail(&self.home.output(), 5);
        if said.is_empty() {
            said = tail(&self.home.own_log(), 5);
        }
        let log = self.home.layout().display(&self.home.own_log());
        said.into_iter().fold(fault, Fault::because).hint(format!("its log is {log}"))
    }

    /// Its process.
    pub fn process(&self) -> ProcessId {
        self.record.process
    }

    /// Which binaries it was started with.
    pub fn binaries(&self) -> &str {
        &self.record.binaries
    }

    /// Whether it lives.
    pub fn is_alive(&self) -> bool {
        self.record.process.is_alive()
    }

    /// How all services are that it was told of.
    ///
    /// # Errors
    /// If it does not answer.
    pub fn states(&self) -> Result<BTreeMap<Name, ServiceState>, Fault> {
        #[derive(Deserialize)]
        struct SupervisorReply {
            data: Vec<ServiceState>,
        }
        let body = ask(&self.home.socket(), "GET", "/processes", ANSWER)?;
        let answer: SupervisorReply = serde_json::from_slice(&body).map_err(|error| {
            Fault::new(Kind::Failed, "the supervisor says nothing that forge understands")
                .because(error.to_string())
                .hint("look at the version of process-compose that is pinned")
        })?;
        let named = |state: ServiceState| Some((Name::of_file(&state.name).ok()?, state));
        Ok(answer.data.into_iter().filter_map(named).collect())
    }

    /// Lets it read its configuration: it starts what is new there or changed, and forgets what is no
    /// longer there. What changed or is gone must have ended before.
    ///
    /// # Errors
    /// If it refuses, or does not answer.
    pub fn read_again(&self) -> Result<(), Fault> {
        ask(&self.home.socket(), "POST", "/project/configuration", CHANGE).map(|_| ())
    }

    /// Lets it ask a service to end and not start it again. Does not wait for the end.
    ///
    /// # Errors
    /// If it refuses, or does not answer.
    pub fn stop(&self, name: &Name) -> Result<(), Fault> {
        ask(&self.home.socket(), "PATCH", &format!("/process/stop/{}", name.file_name()), ANSWER)
            .map(|_| ())
    }
}
