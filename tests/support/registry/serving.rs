//! Requests in, answers out.

use std::sync::{Arc, Mutex};

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use bytes::Bytes;

use super::{
    Asked, Goes, lock,
    world::{Answer, Ask, World},
};

pub async fn exchange(world: Arc<Mutex<World>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let header = |name: &str| text(&parts.headers, name);
    let path = parts.uri.path_and_query().map_or("/", |it| it.as_str()).to_owned();
    let method = parts.method.as_str().to_owned();
    let host = header("host").unwrap_or_default();
    let fault = {
        let mut world = lock(&world);
        let authorization = header("authorization");
        let asked = Asked { method: method.clone(), path: path.clone(), host, authorization };
        world.asked.push(asked);
        let is_it = |(on, at, _): &(String, String, Goes)| *on == method && path.contains(at);
        let at = world.faults.iter().position(is_it);
        at.map(|at| world.faults.remove(at).2)
    };
    match fault {
        Some(Goes::Cut) => return cut(),
        Some(Goes::TokensEnd) => lock(&world).end_tokens(),
        Some(Goes::Page(status)) => {
            let body = "<html><body>The unicorn is angry</body></html>";
            return answer(
                Answer::new(status).header("content-type", "text/html").body(body),
                &method,
            );
        }
        Some(Goes::Busy(seconds)) => {
            let busy = Answer::error(429, "TOOMANYREQUESTS", "slow down");
            return answer(busy.header("retry-after", &seconds.to_string()), &method);
        }
        _ => {}
    }
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else { return cut() };
    let ask = Ask {
        method: method.clone(),
        path,
        accept: header("accept").unwrap_or_default(),
        kind: header("content-type").unwrap_or_default(),
        authorization: header("authorization"),
        range: header("range"),
        content_range: header("content-range"),
        is_elsewhere: header("host").is_some_and(|host| host.starts_with("localhost")),
        body,
    };
    let mut world = lock(&world);
    if let Some(Goes::SomebodyWasFaster(manifest)) = &fault {
        let theirs = Ask { body: Bytes::from(manifest.clone()), ..ask.clone() };
        world.answer(&theirs);
    }
    let given = world.answer(&ask);
    drop(world);
    if fault == Some(Goes::DoneThenCut) { cut() } else { answer(given, &method) }
}

/// No answer: a body that fails before its first byte ends the connection.
fn cut() -> Response {
    let broken = futures_util::stream::iter([Err::<Bytes, _>(std::io::Error::other("cut"))]);
    let mut response = Response::new(Body::from_stream(broken));
    response.headers_mut().insert("content-length", "1".parse().expect("a number"));
    response
}

fn answer(answer: Answer, method: &str) -> Response {
    let status = StatusCode::from_u16(answer.status).expect("a status");
    let mut response = Response::builder().status(status);
    for (name, value) in &answer.headers {
        response = response.header(name.as_str(), value.as_str());
    }
    if method == "HEAD" {
        response = response.header("content-length", answer.body.len());
        return response.body(Body::empty()).expect("a response");
    }
    response.body(Body::from(answer.body)).expect("a response")
}

/// A header, of which there may be several lines.
fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines: Vec<&str> = headers.get_all(name).iter().filter_map(|it| it.to_str().ok()).collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}
