//! What S3's errors mean (its "Error responses" page), and what to do about them.

use reqwest::StatusCode;

use crate::{
    model::{Fault, Kind},
    store::call::{ApiRequest, ApiResponse},
};

/// The code of the error that `reply` carries, such as `NoSuchBucket`.
pub(super) fn code(reply: &ApiResponse) -> Option<&str> {
    element(reply, "Code")
}

/// The text of the first element `name` in `reply`.
pub(super) fn element<'a>(reply: &'a ApiResponse, name: &str) -> Option<&'a str> {
    let text = std::str::from_utf8(&reply.body).ok()?;
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (inner, _) = rest.split_once(&format!("</{name}>"))?;
    Some(inner.trim()).filter(|inner| !inner.is_empty() && inner.len() < 400)
}

/// What a refusal of `call` is told as.
pub(super) fn fault(call: &ApiRequest, reply: &ApiResponse) -> Fault {
    let Some(code) = code(reply) else { return reply.failure(call).fault };
    let said = element(reply, "Message").map(|text| format!(" ({text})")).unwrap_or_default();
    let fault = call.failed().because(format!("the server answered {code}{said}"));
    match hint(code, reply.status) {
        Some(hint) => fault.hint(hint),
        None => fault,
    }
}

fn hint(code: &str, status: StatusCode) -> Option<&'static str> {
    Some(match code {
        "NoSuchBucket" => "make the bucket first, or correct its name in `releases`",
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" => {
            "the credentials lack a right: reading takes s3:GetObject and s3:ListBucket (without \
             the latter, what is absent is refused too), publishing s3:PutObject"
        }
        "InvalidAccessKeyId" => "is AWS_ACCESS_KEY_ID right, and one of this server?",
        "SignatureDoesNotMatch" => "is AWS_SECRET_ACCESS_KEY right?",
        "ExpiredToken" | "TokenRefreshRequired" | "InvalidToken" => {
            "the session is over: get new credentials, with AWS_SESSION_TOKEN if they have one"
        }
        "RequestTimeTooSkewed" => "this machine's clock is wrong",
        "PermanentRedirect"
        | "TemporaryRedirect"
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException"
        | "AuthorizationQueryParametersError" => "set AWS_REGION to the region of the bucket",
        "EntityTooLarge" => "the server takes no object of this size",
        _ if status == StatusCode::FORBIDDEN => "may these credentials do that?",
        _ => return None,
    })
}

/// The fault that `what` is with a store.
pub(super) fn store_fault(what: String) -> Fault {
    Fault::new(Kind::Store, what)
}
