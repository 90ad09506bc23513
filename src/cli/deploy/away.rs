//! Deployments that a server carries out: `forge deploy --server` and its kin. They need no workspace.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::{
    disk::{MOST_OF_TEXT, read_file, unique},
    model::{Fault, Kind},
    reapi::ServerAddress,
    report::{Align, Cell, Role, Table, render_fault},
    serve::{
        DeployAway, DeployClient, JobEvent, JobFilter, JobKind, JobRequest, JobState, RemoteJob,
    },
};

use super::super::{CliError, session::Session};

/// The variable with the token for a server.
const TOKEN: &str = "FORGE_SERVER_TOKEN";
/// How many jobs are shown.
const SHOWN: usize = 20;

/// Which server is asked.
#[derive(Debug, clap::Args)]
pub(super) struct ServerArgs {
    /// Ask the `forge serve` at this address, such as grpcs://deploy.example.org:443; its token is in FORGE_SERVER_TOKEN
    #[arg(long, value_name = "ADDRESS")]
    server: Option<String>,
    /// The authority of the server's certificate, as PEM, besides those of the system
    #[arg(long, value_name = "FILE", requires = "server")]
    server_ca: Option<PathBuf>,
}

/// How a server is asked.
#[derive(Debug, clap::Args)]
pub(super) struct AskingArgs {
    /// Do not wait for the end: print the number of the deployment at the server
    #[arg(long, requires = "server")]
    no_wait: bool,
    /// A key by which the server knows a request again that is sent twice
    #[arg(long, value_name = "KEY", requires = "server")]
    idempotency_key: Option<String>,
}

/// What is wanted of deployments at a server.
#[derive(Debug, clap::Args)]
pub(super) struct AwayWish {
    /// Show how this deployment of the server goes, until it has ended
    #[arg(long, value_name = "ID", requires = "server", conflicts_with_all = ["environment", "log"])]
    watch: Option<u32>,
    /// Cancel this deployment of the server
    #[arg(long, value_name = "ID", requires = "server", conflicts_with_all = ["environment", "log", "watch"])]
    cancel: Option<u32>,
    /// Ask again for this deployment of the server, which did not succeed
    #[arg(long, value_name = "ID", requires = "server", conflicts_with_all = ["environment", "log", "watch", "cancel"])]
    retry: Option<u32>,
}

/// [`AwayWish`], with what is wanted of all deployments.
pub(super) struct AwayDeployments<'a> {
    pub(super) environment: Option<&'a str>,
    pub(super) log: Option<u64>,
    pub(super) wish: &'a AwayWish,
}

impl ServerArgs {
    /// The client of the server, if one is named.
    pub(super) fn open(&self, session: &Session) -> Result<Option<DeployClient>, Fault> {
        let Some(text) = &self.server else { return Ok(None) };
        if session.flags.offline {
            let fault = Fault::new(Kind::Usage, "`--offline` asks no server");
            return Err(fault.hint("leave out `--offline` or `--server`"));
        }
        // People paste addresses of web servers.
        let text = match text.split_once("://") {
            Some(("https", rest)) => format!("grpcs://{rest}"),
            Some(("http", rest)) => format!("grpc://{rest}"),
            _ => text.clone(),
        };
        let address = ServerAddress::parse(&text)
            .map_err(|why| Fault::new(Kind::Usage, "`--server` is not an address").because(why))?;
        let read = |path: &PathBuf| {
            read_file(path, MOST_OF_TEXT)
                .map_err(|error| Fault::io(format!("cannot read {}", path.display()), &error))
        };
        let token = session.host.environment().get(TOKEN).map(str::trim);
        let token = token.filter(|token| !token.is_empty()).map(str::to_owned);
        if let Some(token) = &token {
            session.host.secrets().add(token);
        }
        let authority = self.server_ca.as_ref().map(read).transpose()?;
        let away = DeployAway { address, token, authority, identity: None };
        let waiting = session.host.runtime()?;
        waiting.wait_for(async { DeployClient::new(away) }).map(Some)
    }
}

/// Asks for `requests`, and waits for them.
pub(super) fn ask(
    session: &Session,
    server: &DeployClient,
    requests: &[JobRequest],
    asking: &AskingArgs,
) -> Result<u8, CliError> {
    let mut jobs = Vec::new();
    for request in requests {
        // With a key of its own, a call that is sent twice is one deployment.
        let key = match (&asking.idempotency_key, request.name.as_str()) {
            (Some(key), _) if requests.len() == 1 => key.clone(),
            (Some(key), name) => format!("{key}-{name}"),
            (None, _) => unique("forge"),
        };
        let job = session.host.runtime()?.wait_for(server.ask(request, &key))?;
        session.note(&format!(
            "deployment {} at {}: {}, {}",
            job.id,
            server.address(),
            request.label(),
            job.state
        ));
        jobs.push(job);
    }
    if asking.no_wait {
        let ids: String = jobs.iter().map(|job| format!("{}\n", job.id)).collect();
        session.say(&ids)?;
        return Ok(0);
    }
    let (mut code, mut documents) = (0, Vec::new());
    for job in &jobs {
        let ended = watch(session, server, job.id)?;
        if session.flags.json {
            let answer = session.host.runtime()?.wait_for(server.get(job.id))?;
            documents.extend(serde_json::from_str::<Value>(&answer.document));
        }
        code = if code == 0 { told(session, server, &ended) } else { code };
    }
    if session.flags.json && !documents.is_empty() {
        session.say(&format!("{:#}\n", merged(&documents)))?;
    }
    Ok(code)
}

/// The documents of several jobs as one.
fn merged(documents: &[Value]) -> Value {
    let all = |key: &str| -> Vec<Value> {
        let arrays = documents.iter().filter_map(|it| it[key].as_array());
        arrays.flatten().cloned().collect()
    };
    let is_ok = documents.iter().all(|it| it["ok"] == true);
    let mut merged = json!({
        "schema": 1,
        "environment": documents.first().map(|it| it["environment"].clone()),
        "ok": is_ok,
        "deployments": all("deployments"),
        "there": all("there"),
        "left_out": all("left_out"),
    });
    // Of a preview.
    for key in ["would", "against"] {
        if documents.iter().any(|it| it.get(key).is_some()) {
            merged[key] = all(key).into();
        }
    }
    merged
}

/// Shows how a job goes until it has ended.
fn watch(session: &Session, server: &DeployClient, id: u32) -> Result<RemoteJob, Fault> {
    let (console, is_quiet) = (session.console(), session.flags.quiet);
    let hear = |event: &JobEvent<RemoteJob>| match event {
        JobEvent::Log(text, _) if !is_quiet => console.err(text),
        JobEvent::State(job) if !is_quiet && job.state == JobState::Queued => {
            console.err(&format!("waiting: deployment {id} is in the queue\n"));
        }
        _ => {}
    };
    session.host.runtime()?.wait_for(server.watch(id, hear))
}

/// Tells how a job ended, and returns the exit code of whoever asked.
fn told(session: &Session, server: &DeployClient, job: &RemoteJob) -> u8 {
    if job.state == JobState::Succeeded {
        session.note(&format!("deployment {} at {} succeeded", job.id, server.address()));
        return 0;
    }
    let what = format!("deployment {} at {} is {}", job.id, server.address(), job.state);
    let code = match (job.state, job.exit_code.and_then(|code| u8::try_from(code).ok())) {
        (_, Some(code)) if code > 0 => code,
        (JobState::Cancelled, _) => Kind::Interrupted.exit_code(),
        (JobState::TimedOut, _) => Kind::Timeout.exit_code(),
        _ => Kind::Failed.exit_code(),
    };
    let mut fault = Fault::new(Kind::Failed, what);
    if !job.error.is_empty() {
        fault = fault.because(job.error.clone());
    }
    let fault = fault.hint(format!(
        "`forge deployments --server {} --retry {}` asks again",
        server.address(),
        job.id
    ));
    session.console().err(&render_fault(&fault, session.stderr_style()));
    code
}

/// What `forge deployments --server` does.
pub(super) fn deployments(
    session: &Session,
    server: &DeployClient,
    wanted: &AwayDeployments<'_>,
) -> Result<u8, CliError> {
    if session.flags.json {
        let fault = Fault::new(Kind::Usage, "a server answers with JSON of its own");
        let url = server.address().replacen("grpc", "http", 1);
        return Err(fault.hint(format!("`curl {url}/v1/deployments` prints it")).into());
    }
    let waiting = session.host.runtime()?;
    let wish = wanted.wish;
    if let Some(id) = wish.watch {
        let ended = watch(session, server, id)?;
        return Ok(told(session, server, &ended));
    }
    if let Some(id) = wish.cancel {
        let job = waiting.wait_for(server.cancel(id))?;
        session.note(&format!("deployment {id} is {}", job.state));
        return Ok(0);
    }
    if let Some(id) = wish.retry {
        let job = waiting.wait_for(server.retry(id, &unique("forge")))?;
        session.note(&format!("deployment {} tries {id} again", job.id));
        let ended = watch(session, server, job.id)?;
        return Ok(told(session, server, &ended));
    }
    if let Some(id) = wanted.log {
        let id = u32::try_from(id).unwrap_or(u32::MAX);
        let answer = waiting.wait_for(server.get(id))?;
        let job = &answer.job;
        session.note(&format!("deployment {id}, {} since {}", job.state, job.since()));
        session.say(&answer.log)?;
        return Ok(0);
    }
    let environment = wanted.environment.map(str::to_owned);
    let filter = JobFilter { environment, most: SHOWN, ..JobFilter::default() };
    let jobs = waiting.wait_for(server.list(&filter))?;
    match jobs.is_empty() {
        true => session.note("nothing was asked for yet"),
        false => session.say(&table(&jobs).render(session.stdout_style()))?,
    }
    Ok(0)
}

/// The version of a job that brings one there, or what it does instead.
fn version_or_kind(job: &RemoteJob) -> String {
    match job.kind {
        JobKind::Deploy => job.version.clone(),
        kind => kind.as_str().to_lowercase(),
    }
}

fn table(jobs: &[RemoteJob]) -> Table {
    let mut table = Table::new([
        ("deployment", Align::Right),
        ("environment", Align::Left),
        ("subsystem", Align::Left),
        ("version", Align::Left),
        ("state", Align::Left),
        ("since", Align::Left),
        ("asked by", Align::Left),
        ("because", Align::Left),
    ]);
    for job in jobs {
        let role = match job.state {
            JobState::Succeeded => Role::Ok,
            state if state.is_over() => Role::Error,
            _ => Role::Plain,
        };
        table.row([
            Cell::new(Role::Plain, job.id.to_string()),
            Cell::new(Role::Plain, &job.environment),
            Cell::new(Role::Name, if job.name.is_empty() { "all" } else { &job.name }),
            Cell::new(Role::Plain, version_or_kind(job)),
            Cell::new(role, job.state.to_string()),
            Cell::new(Role::Dim, job.since()),
            Cell::new(Role::Dim, &job.requested_by),
            Cell::new(Role::Dim, job.error.lines().next().unwrap_or_default()),
        ]);
    }
    table
}
