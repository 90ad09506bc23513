//! One request and its answer on the wire, with what was planned to go wrong.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    body::Body as WireBody,
    extract::Request,
    http::{StatusCode, header::CONTENT_LENGTH},
    response::Response,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};

use super::{
    answer::{Answer, Body},
    api,
    asset::digest_of,
    call::{Call, Door},
    fault::Fault,
    journal::Asked,
    operation::{Host, Operation},
    origins::Origins,
    token::{Caller, Kind},
    world::{World, not_accessible},
};

/// What all listeners share.
pub struct Shared {
    pub world: Mutex<World>,
    /// Settled when the ports are known.
    pub origins: Mutex<Origins>,
}

/// The connection ends without an answer.
struct Broken;

impl Shared {
    /// Everything that is known, for one step.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The addresses of the hosts.
    pub fn origins(&self) -> Origins {
        self.origins.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Answers a request that came to `door`.
pub async fn exchange(door: Door, shared: Arc<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let (call, number, fault, latency) = {
        let mut world = shared.world();
        let call = Call::parse(door, &parts, &shared.origins(), |id| world.folder_of(id));
        let number = note(&mut world, &call);
        let fault = world.take_fault(&call);
        (call, number, fault, world.latency)
    };
    let late = if let Some(Fault::Late(late)) = fault { late } else { Duration::ZERO };
    if latency + late > Duration::ZERO {
        tokio::time::sleep(latency + late).await;
    }
    let answer = if call.operation() == Operation::Upload {
        upload(&shared, &call, fault.as_ref(), body).await
    } else {
        perform(&shared, &call, fault.as_ref(), body).await
    };
    let mut world = shared.world();
    world.asked[number].ended = Some(world.started.elapsed());
    world.asked[number].status = answer.as_ref().map_or(0, |answer| answer.status);
    drop(world);
    match answer {
        Ok(answer) => on_the_wire(answer, fault.as_ref()),
        // Unwinding ends the task of this connection, and nobody hears of it but the client.
        Err(Broken) => std::panic::resume_unwind(Box::new("the connection breaks")),
    }
}

fn note(world: &mut World, call: &Call) -> usize {
    let authorization = call.header("authorization").map(str::to_owned);
    world.asked.push(Asked {
        host: call.host,
        operation: call.operation(),
        method: call.method.clone(),
        path: call.target.clone(),
        authorized: authorization.is_some(),
        authorization,
        status: 0,
        came: world.started.elapsed(),
        ended: None,
    });
    world.asked.len() - 1
}

/// Everything but an upload.
async fn perform(
    shared: &Shared,
    call: &Call,
    fault: Option<&Fault>,
    body: WireBody,
) -> Result<Answer, Broken> {
    let body = read(body, usize::MAX).await?;
    let mut world = shared.world();
    if let Some(answer) = instead(&mut world, call, fault) {
        return Ok(answer);
    }
    if let Some(Fault::SomebodyWasFaster(_)) = fault {
        world.answer(call, &body);
    }
    let answer = world.answer(call, &body);
    match fault {
        Some(Fault::Twice) => {
            world.answer(call, &body);
            Ok(answer)
        }
        Some(Fault::DoneThen502) => Ok(server_error(502)),
        Some(Fault::DoneThenReset) => Err(Broken),
        _ => Ok(answer),
    }
}

/// An upload, whose name is taken before its bytes have come.
async fn upload(
    shared: &Shared,
    call: &Call,
    fault: Option<&Fault>,
    body: WireBody,
) -> Result<Answer, Broken> {
    let refusal = instead(&mut shared.world(), call, fault);
    if let Some(refusal) = refusal {
        read(body, usize::MAX).await?;
        return Ok(refusal);
    }
    if let Some(Fault::SomebodyWasFaster(theirs)) = fault {
        let bytes = read(body, usize::MAX).await?;
        let mut world = shared.world();
        let theirs = theirs.clone().unwrap_or_else(|| bytes.to_vec());
        let name = call.asked_for("name").unwrap_or_default();
        let asset = api::uploaded(&mut world, name, theirs);
        let _ = api::store(&mut world, &call.folder(), call.id("release_id"), asset);
        let answer = api::begin_upload(&mut world, call).err().unwrap_or_else(Answer::not_found);
        return Ok(world.finished(call, answer));
    }
    let begun = api::begin_upload(&mut shared.world(), call);
    let id = match begun {
        Ok(id) => id,
        Err(refusal) => {
            read(body, usize::MAX).await?;
            return Ok(shared.world().finished(call, refusal));
        }
    };
    let until = if let Some(Fault::ResetAfter(bytes)) = fault { *bytes } else { usize::MAX };
    let bytes = read(body, until).await?;
    match fault {
        Some(Fault::ResetAfter(_)) => return Err(Broken),
        Some(Fault::StarterThen502) => return Ok(server_error(502)),
        _ => {}
    }
    let digest = digest_of(&bytes);
    let mut world = shared.world();
    let answer = api::finish_upload(&mut world, call, id, bytes, digest);
    let answer = world.finished(call, answer.unwrap_or_else(|refusal| refusal));
    match fault {
        Some(Fault::DoneThen502) => Ok(server_error(502)),
        Some(Fault::DoneThenReset) => Err(Broken),
        _ => Ok(answer),
    }
}

/// The answer that a fault gives instead of doing anything.
fn instead(world: &mut World, call: &Call, fault: Option<&Fault>) -> Option<Answer> {
    let answer = match fault? {
        Fault::Status(status @ 500..) => server_error(*status),
        Fault::Status(status) => Answer::refusal(*status, "So it was planned"),
        Fault::Html => Answer::html(200, "Whoa there!"),
        Fault::RedirectToItself => {
            let host = call.header("host").unwrap_or_default();
            Answer::found(&format!("http://{host}{}", call.target))
        }
        Fault::RedirectTo(address) => Answer::found(address),
        Fault::RateLimit { resets_in } => {
            let reset = jiff::Timestamp::now().as_second() + resets_in.as_secs().cast_signed();
            Answer::rate_limited(world.budget(call).0, reset)
        }
        Fault::SecondaryLimit { status, retry_after } => {
            Answer::secondary_limit(*status, *retry_after)
        }
        Fault::NotAccessible => not_accessible(match world.caller(call) {
            Caller::Known(token) => token.kind,
            _ => Kind::Integration,
        }),
        Fault::NotFound => Answer::not_found(),
        _ => return None,
    };
    Some(if matches!(call.host, Host::Api | Host::Upload) && answer.status != 302 {
        world.finished(call, answer)
    } else {
        answer
    })
}

fn server_error(status: u16) -> Answer {
    Answer::refusal(status, "Server Error")
}

/// The body of a request, or as much as comes until more than `most` bytes are there.
async fn read(body: WireBody, most: usize) -> Result<Bytes, Broken> {
    let mut chunks = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.next().await {
        bytes.extend_from_slice(&chunk.map_err(|_| Broken)?);
        if bytes.len() >= most {
            break;
        }
    }
    Ok(bytes.into())
}

/// The bytes that the client gets.
fn on_the_wire(answer: Answer, fault: Option<&Fault>) -> Response {
    let mut response =
        Response::builder().status(StatusCode::from_u16(answer.status).expect("a status"));
    for (name, value) in &answer.headers {
        response = response.header(*name, value);
    }
    let bytes = match answer.body {
        Body::Empty => Bytes::new(),
        Body::Bytes(bytes) => bytes,
        Body::Json(value) => {
            response = response.header("content-type", "application/json; charset=utf-8");
            value.to_string().into()
        }
    };
    let promised = match fault {
        Some(Fault::PromisesMore(more)) => bytes.len() as u64 + more,
        _ => bytes.len() as u64,
    };
    let body = match fault {
        Some(Fault::TruncatedTo(length)) => WireBody::from(bytes.slice(..bytes.len().min(*length))),
        Some(Fault::Corrupt) => WireBody::from(corrupted(&bytes)),
        Some(
            Fault::ResetAfter(_) | Fault::StallAfter(_) | Fault::Slow(_) | Fault::PromisesMore(_),
        ) => {
            response = response.header(CONTENT_LENGTH, promised);
            WireBody::from_stream(troubled(&bytes, fault))
        }
        _ => WireBody::from(bytes),
    };
    response.body(body).expect("a response")
}

fn corrupted(bytes: &Bytes) -> Bytes {
    let mut bytes = bytes.to_vec();
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 0x55;
    }
    bytes.into()
}

/// The body as a stream that ends, pauses or breaks as planned.
fn troubled(
    bytes: &Bytes,
    fault: Option<&Fault>,
) -> impl Stream<Item = std::io::Result<Bytes>> + use<> {
    const PIECE: usize = 4096;
    let (until, stalls, pause) = match fault {
        Some(Fault::ResetAfter(bytes)) => (Some(*bytes), false, Duration::ZERO),
        Some(Fault::StallAfter(bytes)) => (Some(*bytes), true, Duration::ZERO),
        Some(Fault::Slow(pause)) => (None, false, *pause),
        Some(Fault::PromisesMore(_)) => (Some(bytes.len()), false, Duration::ZERO),
        _ => (None, false, Duration::ZERO),
    };
    let sent = bytes.slice(..until.unwrap_or(bytes.len()).min(bytes.len()));
    let pieces = stream::unfold(sent, move |mut left| async move {
        if left.is_empty() {
            return None;
        }
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        let piece = left.split_to(PIECE.min(left.len()));
        Some((Ok(piece), left))
    });
    let end = stream::once(async move {
        if stalls {
            std::future::pending::<()>().await;
        }
        // What is sent before a break has to be on its way before the break.
        tokio::task::yield_now().await;
        Err(std::io::Error::other("the connection breaks"))
    });
    pieces.chain(end.take(usize::from(until.is_some())))
}
