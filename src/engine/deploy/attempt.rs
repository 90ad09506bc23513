//! One deployment, from its line in the ledger to what its gates say.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use tokio::time::sleep;

use super::{
    Claim, DeployOrder, DeployOwner, DeployState, Deployer, Obstacle, StateChange, Ticket,
    forbidden, has_room,
    health::{HealthVerdict, HealthWatch},
    identity::REQUEST_TOKEN,
};
use crate::{
    cache::stage,
    disk::{Folder, MOST_OF_TEXT, is_absent, read_text},
    model::{Fault, Kind},
    process::{Command, CommandLine, Ending, Inherit},
    store::http_status,
    workspace::{HealthGate, HealthProbe, Places, TaskText},
};

/// How often it is looked whether its turn has come.
const LOOK: Duration = Duration::from_millis(200);

/// The file with the settings, in the folder of the run.
const INPUT: &str = "stack-input.yaml";
/// What is longer than this, in bytes, is handed to no program as a word or a variable: Linux takes 128 KiB.
pub(super) const LONGEST_VARIABLE: usize = 100 << 10;

/// What became of a deployment, before its end is written down.
pub(super) struct Attempt {
    /// It, which is ours while this lives.
    pub ticket: Ticket,
    /// Whether its commands began.
    pub began: bool,
    /// Whether the environment is held against it since it was queued.
    pub is_held: bool,
    /// Why it failed.
    pub outcome: Result<(), Fault>,
}

/// How far an attempt came.
#[derive(Default)]
struct Progress {
    began: bool,
    is_held: bool,
}

/// What the commands of one deployment run with.
pub(super) struct CommandFrame {
    /// All but what runs.
    pub command: Command,
    places: Places,
    /// When its time is over.
    pub deadline: Instant,
    limit: Duration,
}

/// The settings of a deployment as YAML: in a file, and in a variable where they fit into one.
fn stack_input(
    config: &BTreeMap<String, String>,
    staging: &Folder,
) -> Result<Vec<(String, String)>, Fault> {
    // JSON is YAML.
    let text = serde_json::to_string(config).unwrap_or_default();
    let write = || -> std::io::Result<()> {
        let mut file = staging.create_new(INPUT.as_ref(), 0o600)?;
        std::io::Write::write_all(&mut file, text.as_bytes())
    };
    write().map_err(|error| Fault::io("cannot write the settings of a deployment", &error))?;
    let path = staging.path().join(INPUT).display().to_string();
    let mut env = vec![("STACK_INPUT_FILE".to_owned(), path)];
    if text.len() < LONGEST_VARIABLE {
        env.push(("STACK_INPUT_YAML".to_owned(), text));
    }
    Ok(env)
}

/// What the commands whose log is `log` printed to standard output, and to standard error.
///
/// # Errors
/// If it cannot be read.
pub fn output_of(log: &Path) -> std::io::Result<[String; 2]> {
    let read = |path: &PathBuf| match read_text(path, MOST_OF_TEXT) {
        Err(error) if is_absent(&error) => Ok(String::new()),
        read => read,
    };
    let [printed, errors] = streams_of(log);
    Ok([read(&printed)?, read(&errors)?])
}

/// Where standard output and standard error of the commands go whose log is `log`.
pub(super) fn streams_of(log: &Path) -> [PathBuf; 2] {
    [log.with_extension("out"), log.with_extension("err")]
}

impl Deployer<'_> {
    /// Brings `order` there and looks at its gates. The last state is left to be written down.
    ///
    /// # Errors
    /// If it cannot be written down that it begins; then nothing of it happened.
    pub(super) async fn attempt(
        &self,
        order: &DeployOrder<'_>,
        within: Option<u64>,
    ) -> Result<Attempt, Fault> {
        let host = &self.host;
        let why = match order.back_from {
            Some(from) => format!("to bring {} back after deployment {from}", order.label()),
            None => format!("asked for by {}", host.run),
        };
        let ticket = host.ledger.open(order.record(&host.run), &why)?;
        let mut progress = Progress::default();
        let outcome = self.carried_out(order, within, ticket.id, &mut progress).await;
        // What a template made of a secret is written nowhere, whoever tells of it.
        let masked = |text: &str| host.secrets.mask(&order.secrets.mask(text)).into_owned();
        let outcome = outcome.map_err(|fault| fault.in_words(masked));
        let Progress { began, is_held } = progress;
        Ok(Attempt { ticket, began, is_held, outcome })
    }

    async fn carried_out(
        &self,
        order: &DeployOrder<'_>,
        within: Option<u64>,
        id: u64,
        progress: &mut Progress,
    ) -> Result<(), Fault> {
        self.turn(order, within, id).await?;
        let history = self.host.ledger.history()?;
        let obstacles = forbidden(order, self.host.surroundings, &history, &BTreeSet::new());
        progress.is_held = obstacles.iter().any(|it| it.held.is_some());
        let what = format!("{} may not be deployed any more", order.label());
        if let Some(fault) = Obstacle::fault(&obstacles, what) {
            return Err(fault);
        }
        if !order.destroys {
            has_room(order.environment, &history, id)?;
        }
        let staging = stage(&self.host.workspace.layout)?;
        let files = match order.destroys {
            true => None,
            false => self.host.finder.fetch(&order.name, &order.artifact, staging.folder()).await?,
        };
        let identity = self.identity(order, id, staging.folder()).await?;
        let mut frame = self.frame(order, id, files.as_deref(), staging.folder())?;
        frame.command.env.extend(identity.env);
        frame.command.secrets = self.host.secrets.with(&order.secrets);
        let commands = order.commands();
        let step =
            |state, why: &str| self.host.ledger.advance(id, vec![StateChange::now(state, why)]);
        let (why, doing) = match order.destroys {
            true => (format!("{} is removed", order.label()), ("destroying", "in")),
            false => {
                (format!("{} is there, as its digest says", order.label()), ("deploying", "to"))
            }
        };
        step(DeployState::Deploying, &why)?;
        progress.began = true;
        let (doing, place) = doing;
        (self.host.tell)(&format!("{doing} {} {place} {}", order.label(), order.environment.name));
        if let Some(program) = &order.deploy.pulumi {
            self.by_pulumi(order, &frame, program, (id, staging.folder())).await?;
        }
        for command in commands {
            self.retried(order, &frame, command).await?;
        }
        step(DeployState::Verifying, "its commands succeeded")?;
        if order.destroys {
            return Ok(());
        }
        self.smoke(order, &frame).await?;
        match &order.deploy.health {
            Some(gate) => self.health(order, &frame, gate).await,
            None => Ok(()),
        }
    }

    /// Runs the smoke tests.
    pub(super) async fn smoke(
        &self,
        order: &DeployOrder<'_>,
        frame: &CommandFrame,
    ) -> Result<(), Fault> {
        for command in &order.deploy.smoke {
            let ran = self.run(order, frame, command).await;
            ran.map_err(|fault| {
                fault.within(format!("the smoke test of {} failed", order.label()))
            })?;
        }
        Ok(())
    }

    /// Waits for the turn of the deployment `id`.
    async fn turn(
        &self,
        order: &DeployOrder<'_>,
        within: Option<u64>,
        id: u64,
    ) -> Result<(), Fault> {
        let (began, mut told) = (Instant::now(), None);
        loop {
            let before = match self.host.ledger.claim(id, within)? {
                Claim::Yes => return Ok(()),
                Claim::Behind(before) => before,
            };
            let DeployOwner { host, process } = &before.owner;
            let who = format!(
                "deployment {} ({}, {}) has `{}`: process {} on {host}",
                before.id,
                before.label(),
                before.state(),
                order.stack,
                process.pid
            );
            if told != Some(before.id) {
                told = Some(before.id);
                (self.host.tell)(&format!("waiting: {who}"));
            }
            if began.elapsed() > order.limit {
                let what = format!("{} had no turn within its time limit", order.label());
                return Err(Fault::new(Kind::Timeout, what).because(who));
            }
            tokio::select! {
                () = self.host.cancel.cancelled() => {
                    return Err(self.host.cancel.fault(&order.label()));
                }
                () = sleep(LOOK) => {}
            }
        }
    }

    pub(super) fn frame(
        &self,
        order: &DeployOrder<'_>,
        id: u64,
        files: Option<&Path>,
        staging: &Folder,
    ) -> Result<CommandFrame, Fault> {
        let (host, deploy) = (&self.host, &order.deploy);
        let layout = &host.workspace.layout;
        let places = Places {
            root: layout.root().to_owned(),
            bin: layout.bin(),
            out: files.unwrap_or(Path::new("")).to_owned(),
            ..Places::default()
        };
        let expanded = deploy.env.iter().map(|(name, text)| (name.clone(), text.expand(&places)));
        let mut env: BTreeMap<String, String> = expanded.collect();
        let path = files.map(|files| files.display().to_string());
        let number = id.to_string();
        let words = &order.words;
        for (name, value) in [
            ("DEPLOY_ID", Some(number.as_str())),
            ("DEPLOY_ENVIRONMENT", Some(words.environment.as_str())),
            ("DEPLOY_NAME", Some(order.name.as_str())),
            ("DEPLOY_VERSION", Some(words.version.as_str())),
            ("DEPLOY_DIGEST", Some(words.digest.as_str())),
            ("DEPLOY_STACK", Some(order.stack.as_str())),
            ("DEPLOY_IMAGE", words.image.as_deref()),
            ("DEPLOY_FILES", path.as_deref()),
            ("DEPLOY_URL", words.url.as_deref()),
        ] {
            env.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        }
        env.extend(stack_input(&words.config, staging)?);
        let uses_s3 = host.workspace.stores.iter().any(|store| store.starts_with("s3:"));
        let passed = deploy.pass_env.iter().chain(&deploy.secrets);
        let command = Command {
            env,
            // Whoever has the bearer of the runner gets tokens for everybody.
            inherit: match deploy.identity {
                Some(_) => Inherit::of_task(passed, uses_s3).without([&REQUEST_TOKEN.to_owned()]),
                None => Inherit::of_task(passed, uses_s3),
            },
            path: vec![layout.bin()],
            streams: Some(streams_of(&host.ledger.log(id))),
            log: Some(host.ledger.log(id)),
            secrets: order.secrets.clone(),
            ending: Some(Ending { signal: deploy.signal, grace: deploy.grace }),
            cancel: Some(host.cancel.clone()),
            ..Command::new(CommandLine::Shell(String::new()), layout.root())
        };
        let deadline = Instant::now() + order.limit;
        Ok(CommandFrame { command, places, deadline, limit: order.limit })
    }

    async fn retried(
        &self,
        order: &DeployOrder<'_>,
        frame: &CommandFrame,
        line: &TaskText,
    ) -> Result<(), Fault> {
        let mut left = order.deploy.retry;
        loop {
            match self.run(order, frame, line).await {
                Err(fault) if fault.kind == Kind::Failed && left > 0 => {
                    left -= 1;
                    (self.host.tell)(&format!("{fault}; it is run again"));
                }
                ended => return ended,
            }
        }
    }

    pub(super) async fn run(
        &self,
        order: &DeployOrder<'_>,
        frame: &CommandFrame,
        line: &TaskText,
    ) -> Result<(), Fault> {
        let shown = order.shown(line)?;
        let text = order.deploy.render(line, &order.words)?.expand_in_shell(&frame.places);
        let line = CommandLine::Shell(text.trim_end().to_owned());
        let left = frame.deadline.saturating_duration_since(Instant::now());
        let limit = frame.limit;
        let late = || crate::process::timeout_fault(&line, limit);
        if left.is_zero() {
            return Err(late());
        }
        (self.host.tell)(&format!("$ {shown}"));
        let command = Command { line: line.clone(), timeout: Some(left), ..frame.command.clone() };
        let ran = self.host.runner.run(&command, &mut |text| (self.host.line)(text)).await;
        ran.map_err(|fault| if fault.kind == Kind::Timeout { late() } else { fault })
    }

    /// What is looked at.
    pub(super) fn health_target(
        order: &DeployOrder<'_>,
        gate: &HealthGate,
    ) -> Result<String, Fault> {
        match &gate.probe {
            HealthProbe::Run(line) => Ok(order.deploy.render(line, &order.words)?.symbolic()),
            HealthProbe::Http(text) | HealthProbe::Tcp(text) => {
                order.deploy.plain(text, &order.words)
            }
        }
    }

    /// Looks at the health of what was deployed until it held, or did not.
    async fn health(
        &self,
        order: &DeployOrder<'_>,
        frame: &CommandFrame,
        gate: &HealthGate,
    ) -> Result<(), Fault> {
        let target = Self::health_target(order, gate)?;
        let not_healthy = |why: String| {
            Fault::new(Kind::Failed, format!("{} is not healthy", order.label())).because(why)
        };
        (self.host.tell)(&format!("verifying {}: {target}", order.label()));
        let (mut watch, mut last) = (HealthWatch::new(gate), None);
        let until_deadline = || frame.deadline.saturating_duration_since(Instant::now());
        self.pause(gate.delay.min(until_deadline()), order).await?;
        loop {
            let now = Instant::now();
            if now >= frame.deadline {
                let limit = frame.limit.as_secs();
                let last = last.map(|why| format!("; the last look: {why}")).unwrap_or_default();
                let fault = not_healthy(format!(
                    "{target}: it did not hold within the {limit} s of the deployment{last}"
                ));
                return Err(Fault { kind: Kind::Timeout, ..fault });
            }
            let found = self.look_once(order, frame, gate, &target).await?;
            last = found.as_ref().err().cloned();
            match watch.saw(Instant::now(), found) {
                HealthVerdict::Held => return Ok(()),
                HealthVerdict::Broke(why) => return Err(not_healthy(format!("{target}: {why}"))),
                HealthVerdict::GoesOn => {}
            }
            let next = (now + gate.period).saturating_duration_since(Instant::now());
            self.pause(next.min(until_deadline()), order).await?;
        }
    }

    pub(super) async fn pause(&self, time: Duration, order: &DeployOrder<'_>) -> Result<(), Fault> {
        tokio::select! {
            () = self.host.cancel.cancelled() => Err(self.host.cancel.fault(&order.label())),
            () = sleep(time) => Ok(()),
        }
    }

    /// One look: what is wrong, if something is.
    pub(super) async fn look_once(
        &self,
        order: &DeployOrder<'_>,
        frame: &CommandFrame,
        gate: &HealthGate,
        target: &str,
    ) -> Result<Result<(), String>, Fault> {
        Ok(match &gate.probe {
            HealthProbe::Http(_) => {
                let status = http_status(&self.host.settings, target, gate.timeout).await;
                status.and_then(|status| match status {
                    ..400 => Ok(()),
                    status => Err(format!("it answers with status {status}")),
                })
            }
            HealthProbe::Tcp(_) => {
                let connect = tokio::net::TcpStream::connect(target);
                match tokio::time::timeout(gate.timeout, connect).await {
                    Ok(Ok(_)) => Ok(()),
                    Ok(Err(error)) => Err(error.to_string()),
                    Err(_) => Err(format!("no connection within {} ms", gate.timeout.as_millis())),
                }
            }
            HealthProbe::Run(line) => {
                let text = order.deploy.render(line, &order.words)?.expand_in_shell(&frame.places);
                let command = Command {
                    line: CommandLine::Shell(text.trim_end().to_owned()),
                    timeout: Some(gate.timeout),
                    ending: None,
                    ..frame.command.clone()
                };
                let mut last = String::new();
                let mut keep = |text: &str| {
                    if !text.trim().is_empty() {
                        text.trim().clone_into(&mut last);
                    }
                };
                match self.host.runner.run(&command, &mut keep).await {
                    Err(fault) if fault.kind == Kind::Interrupted => return Err(fault),
                    Err(fault) if last.is_empty() => Err(fault.to_string()),
                    Err(fault) => Err(format!("{fault}, and said: {last}")),
                    Ok(()) => Ok(()),
                }
            }
        })
    }
}
