//! Carries a deployment out by Pulumi: settings, update, and what is looked at when that did not end
//! as it should.

use std::{
    fs::File,
    io::Read,
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::time::sleep;

use super::{
    super::{
        DeployOrder, DeployState, Deployer, Deployment,
        attempt::{CommandFrame, LONGEST_VARIABLE},
    },
    PulumiCalls, PulumiProgress, PulumiTrouble, pending_operations, salt,
};
use crate::{
    disk::{Folder, MOST_OF_TEXT, is_absent, open_file, read_text},
    model::{Fault, Kind},
    process::{Cancel, Command, CommandLine, StartHook},
    workspace::PulumiProgram,
};

/// How often the events are read.
const LOOK: Duration = Duration::from_millis(200);
/// How long a locked stack is left alone at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// How long a look at the state may take.
const EXPORT: Duration = Duration::from_secs(60);

impl Deployer<'_> {
    /// Brings `order` there by `program`, as the deployment `id`.
    ///
    /// # Errors
    /// Why it did not come to a good end.
    pub(in super::super) async fn by_pulumi(
        &self,
        order: &DeployOrder<'_>,
        frame: &CommandFrame,
        program: &PulumiProgram,
        (id, staging): (u64, &Folder),
    ) -> Result<(), Fault> {
        let work = staging.path().join("pulumi").display().to_string();
        let message = format!("forge deployment {id}: {}", order.label());
        let refresh = self.left_unclean(order)?;
        let calls = PulumiCalls {
            folder: &program.folder,
            stack: &order.program_stack,
            work: &work,
            config: order.words.config.iter().map(|it| (it.0.as_str(), it.1.as_str())).collect(),
            target: order.target.as_deref(),
            refresh,
            expects_nothing: false,
            destroys: order.destroys,
            message: &message,
        };
        self.place(program, &calls, staging)?;
        let mut ignored = String::new();
        self.call(frame, id, calls.select(), &mut |line| ignored.push_str(line)).await.map_err(
            |fault| match PulumiTrouble::find(&ignored) {
                Some(trouble) => trouble.fault(calls.stack),
                None => fault,
            },
        )?;
        self.keep_salt(frame, &calls, staging).await?;
        self.set(frame, &calls, id, staging).await?;
        if refresh {
            self.no_pending_creates(frame, &calls).await?;
        }
        let preview = self.previewed(frame, &calls, id).await?;
        let mut left = order.deploy.retry;
        loop {
            match self.updated(order, frame, (&calls, &preview), id).await {
                Err(fault) if fault.kind == Kind::Failed && left > 0 => {
                    left -= 1;
                    (self.host.tell)(&format!("{fault}; it is run again"));
                }
                ended => return ended,
            }
        }
    }

    /// Whether the last that was at work on the stack did not come to its end.
    fn left_unclean(&self, order: &DeployOrder<'_>) -> Result<bool, Fault> {
        let history = self.host.ledger.history()?;
        let began = |it: &&Deployment| {
            let began = it.changes.iter().any(|change| change.state == DeployState::Deploying);
            it.stack == order.stack && began && it.state().is_over()
        };
        let unclean = [DeployState::Cancelled, DeployState::TimedOut, DeployState::Interrupted];
        Ok(history.all.values().rfind(began).is_some_and(|it| unclean.contains(&it.state())))
    }

    /// Makes the folder of the run: the project, and the settings that the checkout has.
    pub(super) fn place(
        &self,
        program: &PulumiProgram,
        calls: &PulumiCalls<'_>,
        staging: &Folder,
    ) -> Result<(), Fault> {
        let folder = self.host.workspace.layout.root().join(&program.folder);
        let settings = calls.config_file();
        let name = Path::new(&settings).file_name().unwrap_or_default();
        let cannot = |error: &std::io::Error| Fault::io("cannot prepare the run of Pulumi", error);
        staging.make_folder(Path::new("pulumi")).map_err(|error| cannot(&error))?;
        for name in [Path::new("Pulumi.yaml"), Path::new(name)] {
            let text = match read_text(&folder.join(name), MOST_OF_TEXT) {
                Ok(text) => text,
                Err(error) if is_absent(&error) => continue,
                Err(error) => return Err(cannot(&error)),
            };
            let mut file = staging
                .open_or_create(&Path::new("pulumi").join(name))
                .map_err(|error| cannot(&error))?;
            std::io::Write::write_all(&mut file, text.as_bytes())
                .map_err(|error| cannot(&error))?;
        }
        Ok(())
    }

    /// Has the settings of the run the salt of the stack, so that another passphrase than its own is
    /// noticed; a new stack has made one.
    pub(super) async fn keep_salt(
        &self,
        frame: &CommandFrame,
        calls: &PulumiCalls<'_>,
        staging: &Folder,
    ) -> Result<(), Fault> {
        let name = calls.config_file();
        let name = Path::new("pulumi").join(Path::new(&name).file_name().unwrap_or_default());
        let written = read_text(&staging.path().join(&name), MOST_OF_TEXT).unwrap_or_default();
        if written.contains("encryptionsalt") {
            return Ok(());
        }
        let Some(salt) = salt(&self.exported(frame, calls).await?) else { return Ok(()) };
        let text = format!("{}\nencryptionsalt: {salt}\n", written.trim_end());
        let write = || -> std::io::Result<()> {
            let mut file = staging.open_or_create(&name)?;
            file.set_len(0)?;
            std::io::Write::write_all(&mut file, text.as_bytes())
        };
        write().map_err(|error| Fault::io("cannot prepare the run of Pulumi", &error))
    }

    /// Adds the settings to those of the run.
    pub(super) async fn set(
        &self,
        frame: &CommandFrame,
        calls: &PulumiCalls<'_>,
        id: u64,
        staging: &Folder,
    ) -> Result<(), Fault> {
        if let Some(settings) = calls.settings() {
            self.call(frame, id, settings, &mut |_| ()).await?;
        }
        let long = calls.config.iter().filter(|(_, value)| value.len() >= LONGEST_VARIABLE);
        for (index, (name, value)) in long.enumerate() {
            let path = Path::new("pulumi").join(format!("value-{index}"));
            let write = || -> std::io::Result<()> {
                let mut file = staging.create_new(&path, 0o600)?;
                std::io::Write::write_all(&mut file, value.as_bytes())
            };
            write().map_err(|error| Fault::io("cannot prepare the run of Pulumi", &error))?;
            let file = staging.path().join(&path).display().to_string();
            self.call(frame, id, calls.long_setting(name, &file), &mut |_| ()).await?;
        }
        Ok(())
    }

    /// Runs a command of Pulumi, and passes on what it prints.
    pub(super) async fn call(
        &self,
        frame: &CommandFrame,
        id: u64,
        words: Vec<String>,
        seen: &mut (dyn FnMut(&str) + Send),
    ) -> Result<(), Fault> {
        let left = frame.deadline.saturating_duration_since(Instant::now());
        let mut env = frame.command.env.clone();
        for name in ["PULUMI_SKIP_UPDATE_CHECK", "PULUMI_DEBUG_COMMANDS"] {
            env.insert(name.into(), "true".into());
        }
        let ledger = self.host.ledger.recorder();
        let started = StartHook::new(move |process| ledger(id, process));
        let command = Command {
            line: CommandLine::Argv(words),
            timeout: Some(left),
            env,
            started: Some(started),
            ..frame.command.clone()
        };
        self.host
            .runner
            .run(&command, &mut |line| {
                seen(line);
                (self.host.line)(line);
            })
            .await
    }

    /// What a preview printed of what an update would do.
    pub(super) async fn previewed(
        &self,
        frame: &CommandFrame,
        calls: &PulumiCalls<'_>,
        id: u64,
    ) -> Result<String, Fault> {
        let Some(words) = calls.preview() else { return Ok(String::new()) };
        let mut printed = String::new();
        let mut line = |line: &str| {
            printed.push_str(line);
            printed.push('\n');
        };
        let ended = self.call(frame, id, words, &mut line).await;
        let Err(fault) = ended else { return Ok(printed) };
        if let Some(trouble) = PulumiTrouble::find(&printed) {
            return Err(trouble.fault(calls.stack));
        }
        let events = read_text(calls.previewed().as_ref(), MOST_OF_TEXT).unwrap_or_default();
        let mut progress = PulumiProgress::default();
        progress.logged(events.as_bytes(), Instant::now());
        Err(progress.errors.iter().take(3).fold(fault, |fault, it| fault.because(it)))
    }

    /// Updates the stack, as soon as nobody else does.
    async fn updated(
        &self,
        order: &DeployOrder<'_>,
        frame: &CommandFrame,
        (calls, preview): (&PulumiCalls<'_>, &str),
        id: u64,
    ) -> Result<(), Fault> {
        let mut pause = PAUSES.0;
        loop {
            let progress = PulumiProgress::after(preview);
            let (ended, printed, progress) = self.update(frame, calls, id, progress).await;
            let Err(fault) = ended else { return Ok(()) };
            let trouble = match PulumiTrouble::find(&printed) {
                Some(PulumiTrouble::Busy(lock)) => PulumiTrouble::Busy(lock),
                Some(trouble) => return Err(trouble.fault(calls.stack)),
                None => return Err(self.looked_after(frame, calls, fault, &progress).await),
            };
            if let PulumiTrouble::Busy(Some(lock)) = &trouble
                && lock.is_ours(&self.host.ledger.history()?, &order.stack, id)
            {
                let why = "an earlier deployment left it, and is gone; its lock is taken away";
                (self.host.tell)(&format!("the stack {} is locked: {why}", calls.stack));
                self.call(frame, id, calls.unlock(), &mut |_| ()).await?;
                continue;
            }
            let busy = trouble.fault(calls.stack);
            if Instant::now() + pause >= frame.deadline {
                return Err(busy);
            }
            (self.host.tell)(&format!("waiting: {busy}"));
            self.pause(pause, order).await?;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// One update: how it ended, what it printed, how far it came.
    async fn update(
        &self,
        frame: &CommandFrame,
        calls: &PulumiCalls<'_>,
        id: u64,
        progress: PulumiProgress,
    ) -> (Result<(), Fault>, String, PulumiProgress) {
        let seen = Mutex::new((String::new(), progress));
        let seen = &seen;
        let mut line = move |line: &str| {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            // An error comes first or last, and is short.
            if seen.0.len() < 1 << 16 {
                seen.0.push_str(line);
                seen.0.push('\n');
            }
        };
        let path = Path::new(calls.work).join("events");
        let mut events: Option<File> = None;
        let mut look = || {
            events = events.take().or_else(|| open_file(&path).ok());
            let mut bytes = Vec::new();
            let _ = events.as_mut().map(|file| file.read_to_end(&mut bytes));
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            let told = seen.1.logged(&bytes, Instant::now());
            drop(seen);
            for text in &told {
                (self.host.tell)(text);
            }
        };
        let run = self.call(frame, id, calls.up(), &mut line);
        tokio::pin!(run);
        let ended = loop {
            tokio::select! {
                ended = &mut run => break ended,
                () = sleep(LOOK) => look(),
            }
        };
        look();
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (printed, progress) = std::mem::take(&mut *seen);
        (ended, printed, progress)
    }

    /// `fault`, with what the state of the stack says after an update that ended by it.
    async fn looked_after(
        &self,
        frame: &CommandFrame,
        calls: &PulumiCalls<'_>,
        fault: Fault,
        progress: &PulumiProgress,
    ) -> Fault {
        let mut fault = progress.errors.iter().take(3).fold(fault, |fault, it| fault.because(it));
        if progress.is_whole && fault.kind == Kind::Failed {
            return fault;
        }
        if !progress.is_whole {
            let running = progress.running().join(", ");
            let why = "the update was cut off";
            fault = fault.because(match running.is_empty() {
                true => why.to_owned(),
                false => format!("{why} while it was at {running}"),
            });
        }
        let pending = match self.pending(frame, calls).await {
            Ok(pending) => pending,
            Err(why) => return fault.because(format!("its state cannot be read: {why}")),
        };
        if pending.is_empty() {
            return fault.because("its state has nothing pending");
        }
        let label = |(what, name): &(String, String)| format!("{what} {name}");
        let all = pending.iter().map(label).collect::<Vec<_>>().join(", ");
        fault.because(format!("its state has this pending: {all}"))
    }

    /// What the state of the stack has pending.
    async fn pending(
        &self,
        frame: &CommandFrame,
        calls: &PulumiCalls<'_>,
    ) -> Result<Vec<(String, String)>, Fault> {
        self.exported(frame, calls).await.map(|text| pending_operations(&text))
    }

    /// The state of the stack, whatever has been cancelled.
    async fn exported(
        &self,
        frame: &CommandFrame,
        calls: &PulumiCalls<'_>,
    ) -> Result<String, Fault> {
        let command = Command {
            line: CommandLine::Argv(calls.export()),
            timeout: Some(EXPORT),
            cancel: Some(Cancel::new()),
            ending: None,
            // It holds all inputs of all resources.
            log: None,
            ..frame.command.clone()
        };
        let mut text = String::new();
        self.host
            .runner
            .run(&command, &mut |line| {
                text.push_str(line);
                text.push('\n');
            })
            .await?;
        Ok(text)
    }

    /// Refuses to go on where a resource may be there that the state does not know.
    async fn no_pending_creates(
        &self,
        frame: &CommandFrame,
        calls: &PulumiCalls<'_>,
    ) -> Result<(), Fault> {
        let pending = self.pending(frame, calls).await?;
        let creates: Vec<&str> = pending
            .iter()
            .filter(|(what, _)| what == "creating")
            .map(|(_, name)| name.as_str())
            .collect();
        if creates.is_empty() {
            return Ok(());
        }
        let stack = calls.stack;
        let what = format!("the stack {stack} may have more than its state knows");
        Err(Fault::new(Kind::Usage, what)
            .because(format!(
                "an update was cut off while it created {}",
                creates.join(", ")
            ))
            .hint(format!(
                "look whether it is there and import it, then `pulumi refresh --stack {stack} -C {} --clear-pending-creates`",
                calls.folder
            )))
    }
}
