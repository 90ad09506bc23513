//! What the stand-in answers, before it becomes bytes on a wire.

use bytes::Bytes;
use serde_json::{Value, json};

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Body,
}

/// What an answer holds.
#[derive(Clone, Debug)]
pub enum Body {
    Empty,
    Json(Value),
    Bytes(Bytes),
}

const DOCUMENTATION: &str = "https://docs.github.com/rest";

impl Answer {
    /// A JSON document.
    pub fn json(status: u16, value: Value) -> Self {
        Self { status, headers: Vec::new(), body: Body::Json(value) }
    }

    /// No body.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Body::Empty }
    }

    /// A page for people.
    pub fn html(status: u16, text: &str) -> Self {
        let page = format!("<!DOCTYPE html>\n<html><body><h1>{text}</h1></body></html>\n");
        Self { status, headers: Vec::new(), body: Body::Bytes(page.into()) }
            .with("content-type", "text/html; charset=utf-8")
    }

    /// A redirect.
    pub fn found(location: &str) -> Self {
        Self::empty(302).with("content-type", "text/html; charset=utf-8").with("location", location)
    }

    /// With a header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With the number under which support would find the request; the host of uploads gives
    /// it in the document too.
    #[must_use]
    pub fn with_request_id(mut self, id: &str) -> Self {
        if let Body::Json(document) = &mut self.body {
            document["request_id"] = id.into();
        }
        self.with("x-github-request-id", id)
    }

    /// A refusal with a message.
    pub fn refusal(status: u16, message: &str) -> Self {
        let document = json!({
            "message": message,
            "documentation_url": DOCUMENTATION,
            "status": status.to_string(),
        });
        Self::json(status, document)
    }

    /// 404, whatever the reason.
    pub fn not_found() -> Self {
        Self::refusal(404, "Not Found")
    }

    /// 422 with the list of what is wrong.
    pub fn invalid(errors: &[Value]) -> Self {
        let document = json!({
            "message": "Validation Failed",
            "errors": errors,
            "documentation_url": DOCUMENTATION,
            "status": "422",
        });
        Self::json(422, document)
    }

    /// 422 because of one field.
    pub fn invalid_field(resource: &str, code: &str, field: &str) -> Self {
        Self::invalid(&[json!({ "resource": resource, "code": code, "field": field })])
    }

    /// 422 because of one field, for a reason in words.
    pub fn invalid_because(resource: &str, field: &str, message: &str) -> Self {
        let error = json!({
            "resource": resource,
            "code": "custom",
            "field": field,
            "message": message,
        });
        Self::invalid(&[error])
    }

    /// 403, since the hour's requests are used up until `reset`, in seconds since 1970.
    pub fn rate_limited(limit: u64, reset: i64) -> Self {
        let message = "API rate limit exceeded for 127.0.0.1. (But here's the good news: \
                       Authenticated requests get a higher rate limit. Check out the documentation for more details.)";
        Self::refusal(403, message)
            .with("x-ratelimit-limit", limit.to_string())
            .with("x-ratelimit-remaining", "0")
            .with("x-ratelimit-used", limit.to_string())
            .with("x-ratelimit-reset", reset.to_string())
            .with("x-ratelimit-resource", "core")
    }

    /// 403 or 429, since too much came at once.
    pub fn secondary_limit(status: u16, retry_after: Option<u64>) -> Self {
        let message = "You have exceeded a secondary rate limit and have been temporarily blocked \
                       from content creation. Please retry your request again later.";
        let answer = Self::refusal(status, message);
        match retry_after {
            Some(seconds) => answer.with("retry-after", seconds.to_string()),
            None => answer,
        }
    }
}
