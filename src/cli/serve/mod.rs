//! `forge serve`: deployments that are asked for from elsewhere.

mod ground;
mod job;
mod starter;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::ValueEnum;
use jiff::Timestamp;
use serde_json::json;

use crate::{
    deploy::DeployOwner,
    disk::{FileLock, Folder, MOST_OF_TEXT, read_file},
    model::{Fault, Kind, url_secrets},
    serve::{
        Callers, ServeListener, ServeParts, ServeSettings, ServerTls, SharedQueue, StoredJobs,
        check_lease, is_database, serve, server_name,
    },
};

use super::{CliError, deploy::data_folder, session::Session};
use ground::WorkspaceGround;
pub(super) use job::{JobArgs, job};
use starter::ProcessStarter;

/// The variable that has tokens, if no file has.
const TOKENS: &str = "FORGE_SERVE_TOKENS";
/// The variable that says where the queue is, if no flag does.
const STATE: &str = "FORGE_SERVE_STATE";

/// What can be written behind `forge serve`.
#[derive(Debug, clap::Args)]
pub(super) struct ServeArgs {
    /// Where to listen; port 0 is one that is free
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7420")]
    listen: SocketAddr,
    /// The file with those who may ask: `NAME TOKEN` on each line [default: FORGE_SERVE_TOKENS, or anybody on this machine]
    #[arg(long, value_name = "FILE")]
    tokens: Option<PathBuf>,
    /// The certificate of the server, as PEM
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// Its key, as PEM
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    /// The authority whose certificates clients have to have, as PEM
    #[arg(long, value_name = "FILE", requires = "certificate")]
    client_ca: Option<PathBuf>,
    /// How many deployments run at once
    #[arg(long, value_name = "N", default_value = "4", value_parser = clap::value_parser!(u16).range(1..=256))]
    at_once: u16,
    /// How many may wait
    #[arg(long, value_name = "N", default_value = "1000", value_parser = clap::value_parser!(u32).range(1..))]
    queue: u32,
    /// Where the queue is: a folder, or a database that servers share, such as postgres://db.example.org/forge [default: FORGE_SERVE_STATE, or a folder of this workspace beside the user's data]
    #[arg(long, value_name = "DIR|URL")]
    state: Option<String>,
    /// How long a server that shares the queue may hear nothing of another one's deployment before it takes it for gone
    #[arg(long, value_name = "DURATION", default_value = "3m", value_parser = super::verb::duration)]
    lease: Duration,
    /// How what happens is written to standard error
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log: LogFormat,
}

/// How what happens is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// A line for people.
    Text,
    /// A line of JSON.
    Json,
}

/// Serves until a signal ends it.
pub(super) fn start(session: &Session, wish: &ServeArgs) -> Result<u8, CliError> {
    let workspace = session.workspace()?;
    if workspace.environments.is_empty() || workspace.deploys.is_empty() {
        let fault = Fault::new(Kind::Usage, "there is nothing here to deploy");
        return Err(fault
            .because("versions.yml has no `environments`, or no spec has a `deploy`")
            .hint("`forge help deployments` explains both")
            .into());
    }
    let state = state(session, wish);
    let database = state.filter(|it| is_database(it));
    let root = match state.filter(|it| !is_database(it)) {
        Some(path) => session.folder()?.join(path),
        None => data_folder(&workspace, "serve")?,
    };
    check_lease(wish.lease)?;
    let shared = database.map(|it| SharedQueue { database: it.to_owned(), lease: wish.lease });
    let settings = ServeSettings {
        address: wish.listen,
        tls: tls(wish)?,
        callers: callers(session, wish)?,
        most_at_work: usize::from(wish.at_once),
        most_waiting: u64::from(wish.queue),
        owner: server_name(&root, &DeployOwner::this().host)?,
        root: root.clone(),
        shared,
    };
    settings.check()?;
    let _alone = alone(&root)?;
    let waiting = session.host.runtime()?;
    let jobs = match database {
        Some(url) => {
            know_passwords(session, url);
            waiting.wait_for(StoredJobs::in_database(url))?.with_lease(wish.lease)
        }
        None => StoredJobs::in_file(&root.join("jobs.db"))?,
    };
    let parts = ServeParts {
        jobs: Arc::new(jobs),
        ground: Arc::new(WorkspaceGround::new(session)),
        starter: Arc::new(ProcessStarter::new(session, workspace.layout.root())),
        tell: listener(session, wish.log),
    };
    let cancel = session.host.cancel().clone();
    // A server that is asked to end lets those finish who are being answered.
    let _takes_its_time = cancel.grace_period();
    waiting.block_on(serve(settings, parts, cancel))?;
    Ok(0)
}

/// From now on, the passwords in `url` are masked.
fn know_passwords(session: &Session, url: &str) {
    for secret in url_secrets(url) {
        session.host.secrets().add(secret);
    }
}

/// Where the queue is, as somebody says.
fn state<'a>(session: &'a Session, wish: &'a ServeArgs) -> Option<&'a str> {
    let variable = session.host.environment().get(STATE);
    wish.state.as_deref().or(variable).filter(|text| !text.trim().is_empty())
}

/// What sees to it that nobody else serves from `root`.
fn alone(root: &Path) -> Result<FileLock, Fault> {
    let cannot =
        |error: &std::io::Error| Fault::io(format!("cannot use {}", root.display()), error);
    let folder = Folder::make(root).map_err(|error| cannot(&error))?;
    let taken = FileLock::take(&folder, Path::new("lock")).map_err(|error| cannot(&error))?;
    taken.map_err(|holder| {
        let who = holder.map_or("another process".into(), |pid| format!("process {pid}"));
        Fault::new(Kind::Usage, format!("{who} serves from {} already", root.display()))
            .hint("end it, or name another folder with `--state`")
    })
}

fn tls(wish: &ServeArgs) -> Result<Option<ServerTls>, Fault> {
    let read = |path: &Path| {
        read_file(path, MOST_OF_TEXT)
            .map_err(|error| Fault::io(format!("cannot read {}", path.display()), &error))
    };
    let (Some(certificate), Some(key)) = (&wish.certificate, &wish.key) else { return Ok(None) };
    let client_authority = wish.client_ca.as_deref().map(read).transpose()?;
    Ok(Some(ServerTls { certificate: read(certificate)?, key: read(key)?, client_authority }))
}

fn callers(session: &Session, wish: &ServeArgs) -> Result<Callers, Fault> {
    let variable = session.host.environment().get(TOKENS).filter(|text| !text.trim().is_empty());
    let (text, place) = match (&wish.tokens, variable) {
        (Some(path), _) => {
            let bytes = read_file(path, MOST_OF_TEXT);
            let bytes = bytes
                .map_err(|error| Fault::io(format!("cannot read {}", path.display()), &error))?;
            (String::from_utf8_lossy(&bytes).into_owned(), path.display().to_string())
        }
        (None, Some(text)) => (text.to_owned(), TOKENS.to_owned()),
        (None, None) => return Ok(Callers::default()),
    };
    let (callers, secrets) = Callers::parse(&text, &place)?;
    for secret in &secrets {
        session.host.secrets().add(secret);
    }
    Ok(callers)
}

/// What writes down what happens.
fn listener(session: &Session, format: LogFormat) -> ServeListener {
    let (console, secrets) = (session.console(), session.host.secrets().clone());
    Arc::new(move |event, deployment, text| {
        let at = Timestamp::now().round(jiff::Unit::Millisecond).unwrap_or_default();
        let line = match (format, deployment) {
            (LogFormat::Json, _) => {
                json!({ "at": at.to_string(), "event": event, "deployment": deployment, "text": text })
                    .to_string()
            }
            (LogFormat::Text, Some(id)) => format!("{at} deployment {id} {event}: {text}"),
            (LogFormat::Text, None) => format!("{at} {text}"),
        };
        console.err(&format!("{}\n", secrets.mask(&line)));
    })
}
