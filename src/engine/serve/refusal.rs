//! Why a call is refused, as gRPC and as HTTP say it.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;
use tonic::{Code, Status};

use crate::model::{Fault, Kind};

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CallRefusal {
    pub(super) code: Code,
    pub(super) message: String,
}

impl CallRefusal {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(super) fn wrong(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, message)
    }

    pub(super) fn no_such(id: u32) -> Self {
        Self::new(Code::NotFound, format!("there is no deployment {id}"))
    }

    /// The status of HTTP that says the same.
    fn status(&self) -> StatusCode {
        match self.code {
            Code::InvalidArgument | Code::OutOfRange => StatusCode::BAD_REQUEST,
            Code::NotFound => StatusCode::NOT_FOUND,
            Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
            Code::FailedPrecondition => StatusCode::PRECONDITION_FAILED,
            Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
            Code::Unauthenticated => StatusCode::UNAUTHORIZED,
            Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What gRPC and people call the code.
    fn name(&self) -> String {
        let name = format!("{:?}", self.code);
        let mut text = String::new();
        for letter in name.chars() {
            if letter.is_uppercase() && !text.is_empty() {
                text.push('_');
            }
            text.push(letter.to_ascii_uppercase());
        }
        text
    }
}

impl From<Fault> for CallRefusal {
    fn from(fault: Fault) -> Self {
        let code = match fault.kind {
            Kind::Usage => Code::FailedPrecondition,
            Kind::Timeout => Code::DeadlineExceeded,
            Kind::Store => Code::Unavailable,
            _ => Code::Internal,
        };
        let hint = fault.hint.as_ref().map_or(String::new(), |hint| format!(" ({hint})"));
        Self::new(code, format!("{fault}{hint}"))
    }
}

impl From<CallRefusal> for Status {
    fn from(refusal: CallRefusal) -> Self {
        Self::new(refusal.code, refusal.message)
    }
}

impl IntoResponse for CallRefusal {
    fn into_response(self) -> Response {
        let body = json!({ "error": { "code": self.name(), "message": self.message } });
        let kind = [(header::CONTENT_TYPE, "application/json")];
        (self.status(), kind, format!("{body:#}\n")).into_response()
    }
}
