//! The same calls as JSON over HTTP, for curl.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc};

use axum::{
    Extension, Router,
    body::{Body, Bytes},
    extract::{Path, Query, State},
    http::header,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures_util::StreamExt;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    JobKind, JobRequest, JobState, ServedJob,
    callers::Caller,
    calls::{CallOptions, Calls, PageWish},
    messages::{document, environment_document, event_document},
    refusal::CallRefusal,
    watch::events,
};
use crate::model::parse_duration;

type Answer = Result<Response, CallRefusal>;

/// What a deployment is asked for with.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct DeployBody {
    environment: String,
    name: String,
    version: String,
    from: String,
    target: String,
    timeout: Option<String>,
    force: bool,
    idempotency_key: String,
    run_after: Option<String>,
}

/// What a rollback is asked for with.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RollbackBody {
    environment: String,
    name: String,
    to: String,
    idempotency_key: String,
}

/// What a preview is asked for with.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PreviewBody {
    environment: String,
    name: String,
    version: String,
    from: String,
    target: String,
    idempotency_key: String,
}

/// What a retry is asked for with.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RetryBody {
    idempotency_key: String,
}

/// The routes of the calls.
pub(super) fn routes(calls: Arc<Calls>) -> Router {
    Router::new()
        .route("/v1/deployments", post(deploy).get(list))
        .route("/v1/deployments/{id}", get(one))
        .route("/v1/deployments/{id}/log", get(log))
        .route("/v1/deployments/{id}/watch", get(watch))
        .route("/v1/deployments/{id}/cancel", post(cancel))
        .route("/v1/deployments/{id}/retry", post(retry))
        .route("/v1/rollbacks", post(rollback))
        .route("/v1/previews", post(preview))
        .route("/v1/environments", get(environments))
        .with_state(calls)
}

fn answer(value: &Value) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, format!("{value:#}\n")).into_response()
}

fn answer_job(job: &ServedJob) -> Response {
    answer(&json!({ "deployment": document(job) }))
}

/// The body of a request; an empty one is that without fields.
fn body<T: DeserializeOwned + Default>(bytes: &Bytes) -> Result<T, CallRefusal> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(T::default());
    }
    serde_json::from_slice(bytes).map_err(|error| CallRefusal::wrong(format!("the body: {error}")))
}

fn number(text: &str) -> Result<u32, CallRefusal> {
    text.parse()
        .map_err(|_| CallRefusal::wrong(format!("`{text}` is not the number of a deployment")))
}

fn time(text: &str) -> Result<i64, CallRefusal> {
    let time: Result<jiff::Timestamp, _> = text.parse();
    time.map(jiff::Timestamp::as_millisecond).map_err(|_| {
        CallRefusal::wrong(format!("`{text}` is not a time such as 2026-12-01T03:00:00Z"))
    })
}

async fn deploy(
    State(calls): State<Arc<Calls>>,
    Extension(caller): Extension<Caller>,
    bytes: Bytes,
) -> Answer {
    let asked: DeployBody = body(&bytes)?;
    let timeout = asked.timeout.map(|text| {
        let time = parse_duration(&text);
        time.and_then(|time| u64::try_from(time.as_millis()).ok()).ok_or_else(|| {
            CallRefusal::wrong(format!("`{text}` is not a duration such as 90s, 10m or 1h30m"))
        })
    });
    let request = JobRequest {
        kind: JobKind::Deploy,
        environment: asked.environment,
        name: asked.name,
        version: asked.version,
        from: asked.from,
        target: asked.target,
        timeout: timeout.transpose()?,
        force: asked.force,
    };
    let run_after = asked.run_after.as_deref().map(time).transpose()?;
    let asking = CallOptions { key: asked.idempotency_key, run_after };
    Ok(answer_job(&calls.ask(request, asking, &caller).await?))
}

async fn rollback(
    State(calls): State<Arc<Calls>>,
    Extension(caller): Extension<Caller>,
    bytes: Bytes,
) -> Answer {
    let asked: RollbackBody = body(&bytes)?;
    let request = JobRequest {
        kind: JobKind::Rollback,
        environment: asked.environment,
        name: asked.name,
        version: asked.to,
        ..JobRequest::default()
    };
    let asking = CallOptions { key: asked.idempotency_key, run_after: None };
    Ok(answer_job(&calls.ask(request, asking, &caller).await?))
}

async fn preview(
    State(calls): State<Arc<Calls>>,
    Extension(caller): Extension<Caller>,
    bytes: Bytes,
) -> Answer {
    let asked: PreviewBody = body(&bytes)?;
    let request = JobRequest {
        kind: JobKind::Preview,
        environment: asked.environment,
        name: asked.name,
        version: asked.version,
        from: asked.from,
        target: asked.target,
        ..JobRequest::default()
    };
    let asking = CallOptions { key: asked.idempotency_key, run_after: None };
    Ok(answer_job(&calls.ask(request, asking, &caller).await?))
}

async fn list(
    State(calls): State<Arc<Calls>>,
    Query(query): Query<Vec<(String, String)>>,
) -> Answer {
    let mut wish = PageWish::default();
    for (name, value) in query {
        match name.as_str() {
            "environment" => wish.environment = value,
            "name" => wish.name = value,
            "state" | "states" => wish.states.push(JobState::parse(&value).ok_or_else(|| {
                let known: Vec<&str> = JobState::ALL.iter().map(|it| it.as_str()).collect();
                CallRefusal::wrong(format!(
                    "`{value}` is not a state; there are {}",
                    known.join(", ")
                ))
            })?),
            "order" => {
                wish.oldest_first = match value.to_ascii_uppercase().as_str() {
                    "NEWEST_FIRST" => false,
                    "OLDEST_FIRST" => true,
                    _ => return Err(CallRefusal::wrong("`order` is NEWEST_FIRST or OLDEST_FIRST")),
                }
            }
            "page_size" => {
                wish.size = value
                    .parse()
                    .map_err(|_| CallRefusal::wrong("`page_size` is a number from 1 to 1000"))?;
            }
            "page_token" => wish.token = value,
            other => return Err(CallRefusal::wrong(format!("there is no parameter `{other}`"))),
        }
    }
    let page = calls.list(wish).await?;
    let mut found = json!({ "deployments": page.jobs.iter().map(document).collect::<Vec<_>>() });
    if !page.next.is_empty() {
        found["next_page_token"] = page.next.into();
    }
    Ok(answer(&found))
}

async fn one(State(calls): State<Arc<Calls>>, Path(id): Path<String>) -> Answer {
    let job = calls.get(number(&id)?).await?;
    let (log, printed) = calls.printed(&job).await?;
    Ok(answer(&json!({ "deployment": document(&job), "log": log, "document": printed })))
}

async fn log(State(calls): State<Arc<Calls>>, Path(id): Path<String>) -> Answer {
    let job = calls.get(number(&id)?).await?;
    Ok(calls.printed(&job).await?.0.into_response())
}

async fn watch(
    State(calls): State<Arc<Calls>>,
    Path(id): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Answer {
    let job = calls.get(number(&id)?).await?;
    let offset = query.get("from_offset").map_or(Ok(0), |text| {
        text.parse().map_err(|_| CallRefusal::wrong("`from_offset` is a number of bytes"))
    });
    let lines = events(calls, job, offset?).map(|event| {
        let line = match event {
            Ok(event) => event_document(&event),
            Err(refusal) => json!({ "error": { "message": refusal.message } }),
        };
        Ok::<_, Infallible>(Bytes::from(format!("{line}\n")))
    });
    let kind = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((kind, Body::from_stream(lines)).into_response())
}

async fn cancel(
    State(calls): State<Arc<Calls>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Answer {
    Ok(answer_job(&calls.cancel(number(&id)?, &caller).await?))
}

async fn retry(
    State(calls): State<Arc<Calls>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    bytes: Bytes,
) -> Answer {
    let asked: RetryBody = body(&bytes)?;
    Ok(answer_job(&calls.retry(number(&id)?, asked.idempotency_key, &caller).await?))
}

async fn environments(State(calls): State<Arc<Calls>>) -> Answer {
    let found = calls.ground.placements().await?;
    let found: Vec<Value> = found.iter().map(environment_document).collect();
    Ok(answer(&json!({ "environments": found })))
}
