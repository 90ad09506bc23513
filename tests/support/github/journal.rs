//! What was asked, in order.

use super::{Host, Operation};

/// A request that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub host: Host,
    pub operation: Operation,
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// Whether an `Authorization` header came.
    pub authorized: bool,
    /// The header itself, so that tests can tell where a token got to.
    pub authorization: Option<String>,
    /// The status of the answer; 0 when the connection broke before one.
    pub status: u16,
    /// When it came, since the stand-in started.
    pub after: std::time::Duration,
}

impl std::fmt::Display for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, method, path, status, authorized, .. } = self;
        let who = if *authorized { "with a token" } else { "anonymous" };
        write!(f, "{status} {method} {path} ({host:?}, {who})")
    }
}
