//! Brings services up: those that are to run are written down wave by wave, each when what it needs
//! is ready, and the supervisor is told to look again.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::ErrorKind::AddrInUse,
    net::TcpListener,
    thread::sleep,
    time::{Duration, Instant},
};

use super::{
    ServicePaths, ServiceState, Supervisor,
    configuration::{Configuration, ServiceStart, process},
    find_service, last_line, look, lower,
    renewal::renew,
    stop::stop,
};
use crate::{
    cache::{InstallPlace, Installed, SealKey, inspect},
    disk::{MOST_OF_TEXT, read_text},
    model::{ArtifactId, Fault, Kind, Name},
    process::{Cancel, listener, tail_from},
    workspace::{SUPERVISOR, Service, Workspace},
};

/// How often it is asked how services are.
const LOOK: Duration = Duration::from_millis(25);
/// A service without `ready:` counts as up when it ran for so long.
const SETTLED: Duration = Duration::from_millis(500);
/// A service that was started again so often while somebody waits for it will not come up.
const RESTARTS: u32 = 3;
/// How many lines of its log are told of a service that does not come up.
const LINES: usize = 10;
/// A wait that is shorter is not worth a word.
const SHORT: Duration = Duration::from_secs(1);

/// What is to run.
pub struct UpRequest<'a> {
    /// The workspace.
    pub workspace: &'a Workspace,
    /// The services, with all that they need.
    pub names: &'a BTreeSet<Name>,
    /// Those of them that are started again, whether anything changed or not.
    pub again: &'a BTreeSet<Name>,
    /// The subsystem that yields the supervisor.
    pub supervisor: &'a Name,
    /// Is told again and again what is waited for, in one line.
    pub waiting: &'a dyn Fn(&str),
}

/// What bringing services up did.
#[derive(Debug, Default)]
pub struct UpReport {
    /// What did not run and was started.
    pub started: Vec<Name>,
    /// What ran and was replaced, and why.
    pub replaced: Vec<(Name, String)>,
    /// How all services are.
    pub states: BTreeMap<Name, ServiceState>,
}

/// Brings up what is wished for, and waits until it is ready. Tells `note` what happens.
///
/// # Errors
/// `Failed` if a service ends, or if its port is taken; `Timeout` if it does not become ready in time;
/// `Interrupted` if `cancel` says so. What was started goes on.
pub fn raise(wish: &UpRequest, cancel: &Cancel, note: &dyn Fn(&str)) -> Result<UpReport, Fault> {
    let home = ServicePaths::new(&wish.workspace.layout);
    let _lock = home.turn(cancel, note)?;
    let supervisor = if let Some(supervisor) = Supervisor::find(&home) {
        renew(wish.workspace, wish.supervisor, supervisor, note)?
    } else {
        // What a supervisor that was killed left behind would hold the ports.
        lower::end(&home, None)?;
        None
    };
    let states = supervisor.as_ref().map_or(Ok(BTreeMap::new()), Supervisor::states)?;
    let old =
        if supervisor.is_some() { Configuration::read(&home) } else { Configuration::default() };
    let mut raising = Raising {
        wish,
        home: &home,
        supervisor,
        configuration: old.clone(),
        waiting: wish.names.clone(),
        begun: BTreeMap::new(),
        raised: UpReport::default(),
    };
    raising.free_ports(&states)?;
    raising.end_what_is_no_service_any_more(&states)?;
    raising.go_on(&old, &states, cancel, note)?;
    Ok(raising.raised)
}

struct Raising<'a> {
    wish: &'a UpRequest<'a>,
    home: &'a ServicePaths,
    supervisor: Option<Supervisor<'a>>,
    configuration: Configuration,
    /// What is not written down yet.
    waiting: BTreeSet<Name>,
    /// What is not ready yet, and since when it may become so.
    begun: BTreeMap<Name, Instant>,
    raised: UpReport,
}

impl<'a> Raising<'a> {
    fn service(&self, name: &Name) -> Result<&'a Service, Fault> {
        find_service(self.wish.workspace, name.as_str())
            .ok_or_else(|| Fault::new(Kind::Usage, format!("{name} is not a service")))
    }

    /// Nobody else may hold the ports of what is going to be started.
    fn free_ports(&self, states: &BTreeMap<Name, ServiceState>) -> Result<(), Fault> {
        for name in self.wish.names {
            let runs = states.get(name).is_some_and(|state| state.is_running());
            let ready = self.service(name)?.ready.as_ref();
            let Some((host, port)) = ready.and_then(|ready| ready.address()).filter(|_| !runs)
            else {
                continue;
            };
            let is_here = matches!(host, "localhost" | "127.0.0.1" | "0.0.0.0" | "[::1]" | "::1");
            if is_here
                && TcpListener::bind(("127.0.0.1", port)).is_err_and(|e| e.kind() == AddrInUse)
            {
                return Err(taken(name, port));
            }
        }
        Ok(())
    }

    fn end_what_is_no_service_any_more(
        &mut self,
        states: &BTreeMap<Name, ServiceState>,
    ) -> Result<(), Fault> {
        let workspace = self.wish.workspace;
        let Some(supervisor) = &self.supervisor else { return Ok(()) };
        let is_gone = |name: &Name| find_service(workspace, name.as_str()).is_none();
        let gone: Vec<Name> =
            self.configuration.names().filter(|name| is_gone(name)).cloned().collect();
        if gone.is_empty() {
            return Ok(());
        }
        for name in gone {
            let state = states.get(&name).cloned().unwrap_or_default();
            stop(self.home, supervisor, &name, lower::GRACE, &state)?;
        }
        self.configuration.retain(|name| !is_gone(name));
        self.configuration.write(self.home)?;
        supervisor.read_again()
    }

    fn go_on(
        &mut self,
        old: &Configuration,
        states: &BTreeMap<Name, ServiceState>,
        cancel: &Cancel,
        note: &dyn Fn(&str),
    ) -> Result<(), Fault> {
        self.add_what_can_start(old, states, note)?;
        loop {
            if cancel.is_cancelled() {
                return Err(cancel.fault("waiting for services").hint(
                    "what was started goes on; `forge down` ends it, `forge logs` shows what it says",
                ));
            }
            let now = self.states()?;
            let ready = self.find_ready(&now)?;
            if !ready.is_empty() {
                for name in ready {
                    self.begun.remove(&name);
                }
                self.add_what_can_start(old, states, note)?;
            }
            if self.begun.is_empty() && self.waiting.is_empty() {
                self.raised.states = now;
                return Ok(());
            }
            self.tell_wait();
            sleep(LOOK);
        }
    }

    /// What is waited for, for how long, and what was seen of it.
    fn tell_wait(&self) {
        let since = self.begun.values().min().map(Instant::elapsed).unwrap_or_default();
        if since < SHORT {
            return;
        }
        let one = |name: &Name| match self.seen(name) {
            seen if seen.is_empty() => name.to_string(),
            seen => format!("{name} ({seen})"),
        };
        let names: Vec<_> = self.begun.keys().map(one).collect();
        (self.wish.waiting)(&format!("{} s for {}", since.as_secs(), names.join(", ")));
    }

    /// What was seen last of `name` while it was not ready.
    fn seen(&self, name: &Name) -> String {
        read_text(&self.home.seen(name), MOST_OF_TEXT).unwrap_or_default()
    }

    fn states(&self) -> Result<BTreeMap<Name, ServiceState>, Fault> {
        let Some(supervisor) = &self.supervisor else { return Ok(BTreeMap::new()) };
        supervisor.states().map_err(|fault| {
            if supervisor.is_alive() {
                return fault;
            }
            let log = self.home.layout().display(&self.home.own_log());
            Fault::new(Kind::Failed, "the supervisor of the services ended")
                .hint(format!("its log is {log}; `forge up` starts it again"))
        })
    }

    /// Writes down what waits for nothing any more, and lets the supervisor read it.
    fn add_what_can_start(
        &mut self,
        old: &Configuration,
        states: &BTreeMap<Name, ServiceState>,
        note: &dyn Fn(&str),
    ) -> Result<(), Fault> {
        let wave = self.next_wave()?;
        let mut changed = false;
        for name in &wave {
            self.waiting.remove(name);
            self.begun.insert(name.clone(), Instant::now());
            let state = states.get(name);
            if self.write_down(name, old, state, note)? {
                changed = true;
                if let (Some(supervisor), Some(state)) = (&self.supervisor, state) {
                    stop(self.home, supervisor, name, self.service(name)?.grace, state)?;
                }
                self.home.remember_start(name)?;
            }
        }
        if wave.is_empty() || (!changed && self.supervisor.is_some()) {
            return Ok(());
        }
        last_line::write_script(self.home)?;
        self.configuration.write(self.home)?;
        match &self.supervisor {
            Some(supervisor) => supervisor.read_again()?,
            None => self.supervisor = Some(self.start()?),
        }
        // The clocks begin to run now.
        for name in &wave {
            self.begun.insert(name.clone(), Instant::now());
        }
        Ok(())
    }

    fn next_wave(&self) -> Result<Vec<Name>, Fault> {
        let mut wave = Vec::new();
        for name in &self.waiting {
            let needs = &self.service(name)?.needs;
            let is_up =
                |need: &Name| !self.waiting.contains(need) && !self.begun.contains_key(need);
            if needs.iter().all(is_up) {
                wave.push(name.clone());
            }
        }
        Ok(wave)
    }

    fn start(&self) -> Result<Supervisor<'a>, Fault> {
        let workspace = self.wish.workspace;
        let id = ArtifactId { name: self.wish.supervisor.clone(), platform: workspace.platform };
        let program = workspace.platform.executable(SUPERVISOR);
        let program = workspace.layout.installed_artifact(&id).join(program);
        let inherit = workspace.inherit(&passed_to_services(workspace));
        let binaries = binaries(workspace, self.wish.supervisor);
        Supervisor::start(self.home, &workspace.environment, &program, binaries, inherit)
    }

    /// Whether what is written of `name` changed.
    fn write_down(
        &mut self,
        name: &Name,
        old: &Configuration,
        state: Option<&ServiceState>,
        note: &dyn Fn(&str),
    ) -> Result<bool, Fault> {
        let workspace = self.wish.workspace;
        let places = workspace.places(Some(name));
        let label = binaries(workspace, name);
        let was = old.binaries(name).and_then(|was| was.rsplit_once(" #"));
        let turn: u64 = was.and_then(|(_, turn)| turn.parse().ok()).unwrap_or(0);
        let runs = state.is_some_and(|state| !state.is_over());
        let is_again = self.wish.again.contains(name) || !runs;
        let service = self.service(name)?;
        folder_is_there(workspace, name, service)?;
        let inherits = workspace.inherit(&service.pass_env);
        let withheld: Vec<String> = passed_to_services(workspace)
            .into_iter()
            .filter(|name| !inherits.allows(name) && is_shell_name(name))
            .collect();
        let written = |turn: u64| {
            let binaries = format!("{label} #{turn}");
            let (places, binaries, withheld) = (&places, binaries.as_str(), withheld.as_slice());
            process(self.home, &ServiceStart { name, service, places, binaries, withheld })
        };
        let mut wanted = written(turn);
        let why = match was {
            Some((was, _)) if was != label => Some(format!("{was} ran, {label} is installed")),
            _ if old.get(name).is_some_and(|old| *old != wanted) => Some("its spec changed".into()),
            _ if is_again => Some("as you asked".into()),
            _ => None,
        };
        if let Some(ready) = &service.ready {
            let withheld = withheld.as_slice();
            let start = ServiceStart { name, service, places: &places, binaries: "", withheld };
            look::write_script(self.home, &start, ready)?;
        }
        let Some(why) = why else { return Ok(false) };
        if is_again {
            wanted = written(turn + 1);
        }
        if runs {
            note(&format!("{name} is started again: {why}"));
            self.raised.replaced.push((name.clone(), why));
        } else {
            self.raised.started.push(name.clone());
        }
        Ok(self.configuration.set(name, wanted))
    }

    /// Which of those that were begun are ready.
    fn find_ready(&self, states: &BTreeMap<Name, ServiceState>) -> Result<Vec<Name>, Fault> {
        let mut ready = Vec::new();
        for (name, since) in &self.begun {
            let state = states.get(name).cloned().unwrap_or_default();
            let service = self.service(name)?;
            if is_up(service, &state) {
                ready.push(name.clone());
                continue;
            }
            if state.is_over() || (state.restarts >= RESTARTS && !state.is_running()) {
                return Err(self.not_up(name, service, &state, Kind::Failed));
            }
            let limit = service.ready.as_ref().map_or(Duration::from_secs(60), |r| r.limit());
            if since.elapsed() > limit {
                return Err(self.not_up(name, service, &state, Kind::Timeout));
            }
        }
        Ok(ready)
    }

    /// Why `name` did not come up, with its last words.
    fn not_up(&self, name: &Name, service: &Service, state: &ServiceState, kind: Kind) -> Fault {
        let what = match (kind, state.restarts) {
            (Kind::Timeout, _) => {
                let seconds = service.ready.as_ref().map_or(60, |ready| ready.limit().as_secs());
                format!("{name} runs, and was not ready within {seconds} s")
            }
            (_, 0) => format!("{name} ended with code {} before it was ready", state.exit_code),
            (_, times) => format!(
                "{name} keeps ending: it was started again {times} times, the last time it ended with code {}",
                state.exit_code
            ),
        };
        let mut fault = Fault::new(kind, what);
        let seen = self.seen(name);
        if service.ready.is_some() && !seen.is_empty() {
            fault = fault.because(format!("the last probe saw: {seen}"));
        }
        let mut said = tail_from(&self.home.log(name), self.home.log_start(name), LINES);
        // The supervisor leaves a line between two starts.
        said.retain(|line| !line.trim().is_empty());
        if said.is_empty() {
            fault = fault.because("it said nothing");
        } else {
            fault = fault.because(format!("its last words: {}", said.join("\n")));
        }
        fault.hint(format!(
            "its log is {}; `forge down` ends what runs",
            self.home.layout().display(&self.home.log(name))
        ))
    }
}

/// The folder that a service runs in has to be there.
fn folder_is_there(workspace: &Workspace, name: &Name, service: &Service) -> Result<(), Fault> {
    let Some(dir) = &service.dir else { return Ok(()) };
    let dir = workspace.layout.root().join(dir.expand(&workspace.places(Some(name))));
    if dir.is_dir() {
        return Ok(());
    }
    let what = format!("{name} cannot start: its folder {} is not there", dir.display());
    Err(Fault::new(Kind::Failed, what).hint("make it, or write another `service.dir`"))
}

/// Whether a service is what was waited for.
fn is_up(service: &Service, state: &ServiceState) -> bool {
    match service.ready {
        Some(_) => state.is_running() && state.is_ready() == Some(true),
        None => state.is_running() && state.age() >= SETTLED,
    }
}

fn taken(name: &Name, port: u16) -> Fault {
    let what = format!("{name} cannot start: port {port} is in use");
    let fault = Fault::new(Kind::Failed, what);
    match listener(port) {
        Some((pid, program)) => fault.because(format!("process {pid} ({program}) listens there")),
        None => fault.because("another process listens there"),
    }
    .hint("end that process, or give the service another port")
}

/// Which binaries of `name` are installed, in a few words that differ when they do.
pub fn binaries(workspace: &Workspace, name: &Name) -> String {
    let id = ArtifactId { name: name.clone(), platform: workspace.platform };
    let version = workspace.subsystems[name].version.to_string();
    match inspect(
        &InstallPlace::for_artifact(&workspace.layout, &id),
        &SealKey::of_user(workspace.layout.user()),
    ) {
        Installed::Intact { record, .. } => {
            let digests = record.stamp.binaries.values().map(|d| d.to_string()[..12].to_owned());
            let digests: Vec<_> = digests.collect();
            format!("{name} {} ({})", record.stamp.version, digests.join(" "))
        }
        _ => format!("{name} {version} (not installed)"),
    }
}
/// The variables that some service of `workspace` names in `pass_env:`. One supervisor starts them all.
fn passed_to_services(workspace: &Workspace) -> BTreeSet<String> {
    let services = workspace.subsystems.values().filter_map(|one| one.service.as_ref());
    services.flat_map(|service| service.pass_env.iter().cloned()).collect()
}

/// Whether a shell can have a variable called `name`.
fn is_shell_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
