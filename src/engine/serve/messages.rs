//! JobQueue as the messages of gRPC and as JSON have them: the same names and values in both.

use prost_types::Timestamp;
use reapi_protocol::deploy::{self as wire, deployment};
use serde_json::{Map, Value, json};

use super::{JobEvent, JobKind, JobState, ServedEnvironment, ServedJob, job::shown_time};

/// A time of the wire in milliseconds since 1970.
pub(super) fn milliseconds(time: &Timestamp) -> i64 {
    time.seconds.saturating_mul(1000).saturating_add(i64::from(time.nanos) / 1_000_000)
}

fn timestamp(milliseconds: i64) -> Timestamp {
    let (seconds, rest) = (milliseconds.div_euclid(1000), milliseconds.rem_euclid(1000));
    Timestamp { seconds, nanos: i32::try_from(rest * 1_000_000).unwrap_or_default() }
}

/// A number of the ledger as the wire has it.
fn number(id: u64) -> u32 {
    u32::try_from(id).unwrap_or(u32::MAX)
}

fn wire_state(state: JobState) -> deployment::State {
    match state {
        JobState::Queued => deployment::State::Queued,
        JobState::Running => deployment::State::Running,
        JobState::Cancelling => deployment::State::Cancelling,
        JobState::Succeeded => deployment::State::Succeeded,
        JobState::Failed => deployment::State::Failed,
        JobState::RolledBack => deployment::State::RolledBack,
        JobState::Stuck => deployment::State::Stuck,
        JobState::TimedOut => deployment::State::TimedOut,
        JobState::Cancelled => deployment::State::Cancelled,
        JobState::Interrupted => deployment::State::Interrupted,
    }
}

fn wire_kind(kind: JobKind) -> deployment::Kind {
    match kind {
        JobKind::Deploy => deployment::Kind::Deploy,
        JobKind::Rollback => deployment::Kind::Rollback,
        JobKind::Preview => deployment::Kind::Preview,
        JobKind::Drift => deployment::Kind::Drift,
        JobKind::Sweep => deployment::Kind::Sweep,
    }
}

/// What is asked for, that the wire calls `number`.
pub(super) fn kind(number: i32) -> Option<JobKind> {
    JobKind::ALL.into_iter().find(|kind| wire_kind(*kind) as i32 == number)
}

/// The state that the wire calls `number`.
pub(super) fn state(number: i32) -> Option<JobState> {
    JobState::ALL.into_iter().find(|state| wire_state(*state) as i32 == number)
}

/// A job as a message.
pub(super) fn message(job: &ServedJob) -> wire::Deployment {
    let request = job.request();
    wire::Deployment {
        id: job.id,
        kind: wire_kind(request.kind).into(),
        environment: request.environment.clone(),
        name: request.name.clone(),
        version: request.version.clone(),
        state: wire_state(job.state).into(),
        error: job.end.error.clone(),
        exit_code: job.end.exit_code,
        ledger_ids: job.end.ledger_ids.iter().map(|id| number(*id)).collect(),
        requested_by: job.asked.requested_by.clone(),
        idempotency_key: job.asked.key.clone().unwrap_or_default(),
        retry_of: job.asked.retry_of.unwrap_or_default(),
        created_at: Some(timestamp(job.created)),
        run_after: job.asked.run_after.map(timestamp),
        started_at: job.started.map(timestamp),
        ended_at: job.ended.map(timestamp),
        server: job.owner.clone().unwrap_or_default(),
    }
}

/// A job as JSON: as `protojson` writes the message, with the names of its fields as the proto has them. What is
/// empty is left out.
pub(super) fn document(job: &ServedJob) -> Value {
    let request = job.request();
    let mut all = Map::new();
    let mut add = |name: &str, value: Value| {
        if value != Value::Null && value != json!("") && value != json!([]) {
            all.insert(name.to_owned(), value);
        }
    };
    add("id", json!(job.id));
    add("kind", json!(request.kind.as_str()));
    add("environment", json!(request.environment));
    add("name", json!(request.name));
    add("version", json!(request.version));
    add("state", json!(job.state.as_str()));
    add("error", json!(job.end.error));
    add("exit_code", json!(job.end.exit_code));
    add("ledger_ids", json!(job.end.ledger_ids));
    add("requested_by", json!(job.asked.requested_by));
    add("idempotency_key", json!(job.asked.key));
    add("retry_of", json!(job.asked.retry_of));
    add("created_at", json!(shown_time(job.created)));
    add("run_after", json!(job.asked.run_after.map(shown_time)));
    add("started_at", json!(job.started.map(shown_time)));
    add("ended_at", json!(job.ended.map(shown_time)));
    add("server", json!(job.owner));
    Value::Object(all)
}

/// An event as a message.
pub(super) fn event_message(event: &JobEvent<ServedJob>) -> wire::WatchResponse {
    let event = match event {
        JobEvent::State(job) => wire::watch_response::Event::Deployment(message(job)),
        JobEvent::Log(text, next) => wire::watch_response::Event::Log(wire::LogPiece {
            text: text.clone(),
            next_offset: *next,
        }),
    };
    wire::WatchResponse { event: Some(event) }
}

/// An event as JSON.
pub(super) fn event_document(event: &JobEvent<ServedJob>) -> Value {
    match event {
        JobEvent::State(job) => json!({ "deployment": document(job) }),
        // `protojson` writes numbers of 64 bits as text.
        JobEvent::Log(text, next) => {
            json!({ "log": { "text": text, "next_offset": next.to_string() } })
        }
    }
}

/// An environment as a message.
pub(super) fn environment_message(environment: ServedEnvironment) -> wire::Environment {
    let placements = environment.placements.into_iter().map(|placement| wire::Placement {
        name: placement.name,
        version: placement.version.unwrap_or_default(),
        ledger_id: placement.ledger_id.map(number).unwrap_or_default(),
        notes: placement.notes,
    });
    wire::Environment { name: environment.name, placements: placements.collect() }
}

/// An environment as JSON.
pub(super) fn environment_document(environment: &ServedEnvironment) -> Value {
    let placements = environment.placements.iter().map(|placement| {
        let mut all = Map::from_iter([("name".to_owned(), json!(placement.name))]);
        let mut add = |name: &str, value: Value, is_there: bool| {
            if is_there {
                all.insert(name.to_owned(), value);
            }
        };
        add("version", json!(placement.version), placement.version.is_some());
        add("ledger_id", json!(placement.ledger_id), placement.ledger_id.is_some());
        add("notes", json!(placement.notes), !placement.notes.is_empty());
        Value::Object(all)
    });
    json!({ "name": environment.name, "placements": placements.collect::<Vec<_>>() })
}
