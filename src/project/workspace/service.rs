//! `service:` to a resolved [`Service`], and the checks across services: needs that must exist,
//! cycles, and a supervisor that must be pinned.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use super::{
    Text,
    build::{self, Declared},
    graph,
    subsystem::SubsystemDraft,
    template::TemplateScope,
};
use crate::{
    manifest::{Findings, Node, Pair, Scalar, pairs, scalar, scalars},
    model::{Diagnostic, Name, suggestion},
    process::Shell,
};

/// The program that supervises services, as a subsystem yields it.
pub const SUPERVISOR: &str = "process-compose";

/// How often it is looked whether a service is ready, if its spec does not say.
const PERIOD: Duration = Duration::from_secs(5);
/// How many looks may fail.
const RETRIES: u32 = 12;
/// How long a service may take to end.
const GRACE: Duration = Duration::from_secs(10);

/// What of a subsystem runs all day.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// `run:`.
    pub command: Text,
    /// `ready:`; running is enough if absent.
    pub ready: Option<Readiness>,
    /// `needs:`: subsystems whose services must be ready before.
    pub needs: BTreeSet<Name>,
    /// The variables of manifest and spec, and over them its own.
    pub env: BTreeMap<String, Text>,
    /// Variables that it inherits though forge logs in with them.
    pub pass_env: BTreeSet<String>,
    /// `dir:`, relative to the workspace; the workspace if absent.
    pub dir: Option<Text>,
    /// `restart:`.
    pub restart: Restart,
    /// `stop.signal:`, as the system numbers it.
    pub signal: i32,
    /// `stop.grace:`.
    pub grace: Duration,
}

/// How a service shows that it is ready.
#[derive(Clone, Debug, PartialEq)]
pub struct Readiness {
    /// What is looked at.
    pub probe: Probe,
    /// From look to look.
    pub period: Duration,
    /// How long one look may take.
    pub timeout: Duration,
    /// How many looks in a row may fail.
    pub retries: u32,
    /// Before the first look.
    pub delay: Duration,
}

impl Readiness {
    /// How long a service may take until it is ready.
    pub fn limit(&self) -> Duration {
        self.delay + self.period.max(self.timeout) * self.retries.max(1)
    }

    /// The host and port that it is looked at, if it is one that only the service may hold.
    pub fn address(&self) -> Option<(&str, u16)> {
        match &self.probe {
            Probe::Tcp { host, port } | Probe::Http { host, port, .. } => Some((host, *port)),
            Probe::Run(_) => None,
        }
    }
}

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// A plain HTTP server that answers with a status below 400.
    Http {
        /// Where it is.
        host: String,
        /// Where it listens.
        port: u16,
        /// What it is asked for, with its `/`.
        path: String,
    },
    /// A port at which somebody listens.
    Tcp {
        /// Where it is.
        host: String,
        /// The port.
        port: u16,
    },
    /// A command that succeeds.
    Run(Text),
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http { host, port, path } => write!(f, "http://{host}:{port}{path} answers"),
            Self::Tcp { host, port } => write!(f, "{host}:{port} is listened at"),
            Self::Run(line) => write!(f, "`{}` succeeds", line.symbolic()),
        }
    }
}

/// Whether a service that ended is started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Restart {
    /// Never.
    #[default]
    No,
    /// If it failed.
    OnFailure,
    /// Whatever it ended with.
    Always,
}

/// A service with the places that checks across services point at.
#[derive(Clone, Debug)]
pub struct ServiceDraft {
    /// The place of the key `service`.
    pub key: std::ops::Range<usize>,
    /// `needs`, where they are written.
    pub needs: Vec<Scalar>,
    /// The service, if nothing in it is wrong.
    pub service: Option<Service>,
}

/// Resolves `service:`. What is wrong goes to `found`.
pub fn resolve(
    entry: &Pair,
    declared: &Declared,
    scope: &TemplateScope,
    found: &mut Findings,
) -> ServiceDraft {
    let node = &entry.value;
    let needs = scalars(node, "needs");
    let key = entry.key.bytes.clone();
    ServiceDraft { key, service: service(node, &needs, declared, scope, found), needs }
}

fn service(
    node: &Node,
    needs: &[Scalar],
    declared: &Declared,
    scope: &TemplateScope,
    found: &mut Findings,
) -> Option<Service> {
    let before = found.diagnostics.len();
    let written = node.scalar().cloned().or_else(|| scalar(node, "run"));
    let command = command(&written?, scope, found);
    let ready = node.get("ready").map(|node| ready(node, scope, found));
    let mut env = declared.env.clone();
    env.extend(build::environment(&pairs(node, "env"), scope, found));
    let dir = scalar(node, "dir").map(|dir| scope.text(&dir, found));
    let stop = node.get("stop");
    let signal = stop.and_then(|stop| scalar(stop, "signal"));
    let grace = stop.and_then(|stop| span(stop, "grace", found)).unwrap_or(GRACE);
    let service = Service {
        command: command?,
        ready: ready.flatten(),
        needs: needs.iter().filter_map(|need| Name::new(&need.text).ok()).collect(),
        env,
        pass_env: declared.pass_env.clone(),
        dir: dir.flatten(),
        restart: match scalar(node, "restart").as_ref().map(|word| word.text.as_str()) {
            Some("on-failure") => Restart::OnFailure,
            Some("always") => Restart::Always,
            _ => Restart::No,
        },
        signal: signal_number(signal.as_ref().map_or("TERM", |signal| &signal.text)),
        grace,
    };
    (found.diagnostics.len() == before).then_some(service)
}

fn command(written: &Scalar, scope: &TemplateScope, found: &mut Findings) -> Option<Text> {
    let command = scope.text(written, found)?.trimmed();
    scope.doubt(&Shell::Sh, &command, written, found);
    Some(command)
}

/// signal(7): those numbers that are the same on Linux and macOS, and two that are not.
pub(super) fn signal_number(name: &str) -> i32 {
    let is_linux = cfg!(target_os = "linux");
    match name {
        "HUP" => 1,
        "INT" => 2,
        "QUIT" => 3,
        "KILL" => 9,
        "USR1" => {
            if is_linux {
                10
            } else {
                30
            }
        }
        "USR2" => {
            if is_linux {
                12
            } else {
                31
            }
        }
        _ => 15,
    }
}

pub(super) fn span(node: &Node, key: &str, found: &mut Findings) -> Option<Duration> {
    scalar(node, key).and_then(|written| build::duration(&written, found))
}

fn ready(node: &Node, scope: &TemplateScope, found: &mut Findings) -> Option<Readiness> {
    let probe = if let Some(url) = scalar(node, "http") {
        http(&url, scope, found)
    } else if let Some(port) = scalar(node, "tcp") {
        tcp(&port, scope, found)
    } else {
        scalar(node, "run").and_then(|line| command(&line, scope, found)).map(Probe::Run)
    };
    let period = span(node, "period", found).unwrap_or(PERIOD);
    let retries = scalar(node, "retries").and_then(|count| count.text.parse().ok());
    Some(Readiness {
        probe: probe?,
        period,
        timeout: span(node, "timeout", found).unwrap_or(period),
        retries: retries.unwrap_or(RETRIES),
        delay: span(node, "delay", found).unwrap_or_default(),
    })
}

fn http(written: &Scalar, scope: &TemplateScope, found: &mut Findings) -> Option<Probe> {
    let url = scope.plain(written, found)?;
    let Some(rest) = url.strip_prefix("http://") else {
        let what = format!("`{url}` is not a plain HTTP URL");
        let help = "write `http://localhost:PORT/PATH`; for anything else, `run: curl -f …`";
        found.add(written.bytes.clone(), what, "not http://", help);
        return None;
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port_number(port, written, found)?),
        None => (authority, 80),
    };
    let path = if path.is_empty() { "/" } else { path };
    Some(Probe::Http { host: host.to_owned(), port, path: path.to_owned() })
}

fn tcp(written: &Scalar, scope: &TemplateScope, found: &mut Findings) -> Option<Probe> {
    let text = scope.plain(written, found)?;
    let (host, port) = text.rsplit_once(':').unwrap_or(("127.0.0.1", &text));
    let port = port_number(port, written, found)?;
    Some(Probe::Tcp { host: host.to_owned(), port })
}

fn port_number(text: &str, written: &Scalar, found: &mut Findings) -> Option<u16> {
    let port = text.parse().ok().filter(|port| *port != 0);
    if port.is_none() {
        let what = format!("`{text}` is not a port");
        let help = "a port is a number from 1 to 65535";
        found.add(written.bytes.clone(), what, "not a port", help);
    }
    port
}

/// Every check across services. `known` are all names with a spec or a version.
pub fn check(drafts: &[SubsystemDraft], known: &BTreeSet<&str>) -> Vec<Diagnostic> {
    let with_service = || drafts.iter().filter_map(|draft| Some((draft, draft.service.as_ref()?)));
    let mut diagnostics = Vec::new();
    for (draft, service) in with_service() {
        for need in &service.needs {
            diagnostics.extend(missing(draft, need, drafts, known));
        }
    }
    let needs = |draft: &SubsystemDraft| -> Vec<Scalar> {
        draft.service.as_ref().map(|service| service.needs.clone()).unwrap_or_default()
    };
    diagnostics.extend(graph::cycles(drafts, needs, "services"));
    let yields =
        |draft: &SubsystemDraft| draft.binaries.iter().any(|binary| binary.value == SUPERVISOR);
    if let Some((draft, service)) = with_service().next()
        && !drafts.iter().any(yields)
    {
        let place = draft.seams.span(service.key.clone());
        let what = format!("{} is a service, and nothing here supervises it", draft.name);
        let help = "`forge add pc` pins Process Compose, as its vendor built it";
        diagnostics.push(Diagnostic::new(place, what, "needs a supervisor").help(help));
    }
    diagnostics
}

/// What is wrong with a need of a service, if anything is.
fn missing(
    draft: &SubsystemDraft,
    need: &Scalar,
    drafts: &[SubsystemDraft],
    known: &BTreeSet<&str>,
) -> Option<Diagnostic> {
    let services = drafts.iter().filter(|other| other.service.is_some());
    let services = services.map(|other| other.name.as_str());
    if services.clone().any(|name| name == need.text) {
        return None;
    }
    let place = draft.seams.span(need.bytes.clone());
    let (what, help) = if known.contains(need.text.as_str()) {
        (
            format!("the service of {} needs `{}`, which is not a service", draft.name, need.text),
            format!(
                "write `service:` in the spec of {0}; if only its binary is wanted, `needs: {0}` of the spec",
                need.text
            ),
        )
    } else {
        (
            format!(
                "the service of {} needs `{}`, which is not a subsystem",
                draft.name, need.text
            ),
            suggestion(&need.text, services.filter(|name| *name != draft.name.as_str())),
        )
    };
    Some(Diagnostic::new(place, what, "not known").help(help))
}
