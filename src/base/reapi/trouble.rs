//! What went wrong with a call, and whether it is worth another try.

use std::{error::Error, fmt, time::Duration};

use prost::Message;
use reapi_protocol::google::rpc;
use tonic::{Code, Status};

/// Why a call gave nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What kind of thing went wrong.
    pub kind: TroubleKind,
    /// Why, for people.
    pub why: String,
}

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TroubleKind {
    /// The server has no such thing, or has it no more.
    Absent,
    /// The server does not want to: whoever asks may not, or it cannot.
    Refused,
    /// The server cannot be reached, is too slow, or has trouble of its own.
    Unavailable,
    /// What came is not what it should be.
    Wrong,
    /// What was executed took longer than it may.
    Late,
    /// Something on this machine.
    Local,
}

impl Trouble {
    pub(super) fn new(kind: TroubleKind, why: impl Into<String>) -> Self {
        Self { kind, why: why.into() }
    }

    /// What `status` says.
    pub(super) fn from_status(status: &Status) -> Self {
        let kind = match status.code() {
            Code::NotFound => TroubleKind::Absent,
            Code::PermissionDenied
            | Code::Unauthenticated
            | Code::Unimplemented
            | Code::InvalidArgument
            | Code::FailedPrecondition
            | Code::OutOfRange => TroubleKind::Refused,
            _ => TroubleKind::Unavailable,
        };
        Self::new(kind, said(status))
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

/// What a status says, for people: the innermost cause where the network is it.
fn said(status: &Status) -> String {
    if let Some(source) = status.source() {
        return innermost(source);
    }
    let code = format!("{:?}", status.code());
    match status.message().trim() {
        "" => code,
        message => format!("{code}: {}", message.chars().take(300).collect::<String>()),
    }
}

fn innermost(error: &dyn Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

/// How often a call is tried in all that ended with `status`; once if another try would end alike.
pub(super) fn tries(status: &Status) -> u32 {
    let is_too_large = status.message().contains("larger than");
    match status.code() {
        // A connection that broke: the code says nothing reliable of it.
        _ if status.source().is_some() => 3,
        Code::Unavailable | Code::Aborted => 3,
        Code::ResourceExhausted if !is_too_large => 3,
        Code::Internal | Code::Unknown => 2,
        _ => 1,
    }
}

/// How long the server asks to wait before the next try (`RetryInfo`), if it does.
pub(super) fn asked_delay(status: &Status) -> Option<Duration> {
    let details = rpc::Status::decode(status.details()).ok()?.details;
    let info = details.iter().find(|any| any.type_url.ends_with("/google.rpc.RetryInfo"))?;
    let delay = rpc::RetryInfo::decode(&*info.value).ok()?.retry_delay?;
    Duration::try_from(delay).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_how_long_to_wait() {
        let delay = reapi_protocol::prost_types::Duration { seconds: 1, nanos: 500_000_000 };
        let info = rpc::RetryInfo { retry_delay: Some(delay) };
        let any = reapi_protocol::prost_types::Any {
            type_url: "type.googleapis.com/google.rpc.RetryInfo".into(),
            value: info.encode_to_vec(),
        };
        let details = rpc::Status { details: vec![any], ..rpc::Status::default() };
        let details = details.encode_to_vec().into();
        let status = Status::with_details(Code::Unavailable, "busy", details);
        assert_eq!(asked_delay(&status), Some(Duration::from_millis(1500)));
        assert_eq!(asked_delay(&Status::unavailable("busy")), None);
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for (code, message, wanted, kind) in [
            (Code::Unavailable, "", 3, TroubleKind::Unavailable),
            (Code::ResourceExhausted, "quota", 3, TroubleKind::Unavailable),
            (
                Code::ResourceExhausted,
                "Received message larger than max",
                1,
                TroubleKind::Unavailable,
            ),
            (Code::Internal, "", 2, TroubleKind::Unavailable),
            (Code::NotFound, "", 1, TroubleKind::Absent),
            (Code::PermissionDenied, "", 1, TroubleKind::Refused),
            (Code::Unauthenticated, "", 1, TroubleKind::Refused),
            (Code::DeadlineExceeded, "", 1, TroubleKind::Unavailable),
        ] {
            let status = Status::new(code, message);
            assert_eq!(tries(&status), wanted, "{code:?}");
            assert_eq!(Trouble::from_status(&status).kind, kind, "{code:?}");
        }
    }
}
