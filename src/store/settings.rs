//! What opening and reading stores depends on besides their URL.

use std::{path::PathBuf, time::Duration};

/// Where relative paths start, and how patient forge is with a network.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Relative `dir:` URLs and relative paths given to [`super::Fetcher`] start here.
    pub workspace: PathBuf,
    /// How forge introduces itself to web servers.
    pub user_agent: String,
    /// Refuse everything that would need the network.
    pub offline: bool,
    /// Whether the proxies that the environment names (`HTTPS_PROXY`, `NO_PROXY`...) are used.
    pub proxies: bool,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long a server may stay silent, before its answer and between two pieces of it.
    pub idle_timeout: Duration,
    /// How often something is tried in all before it is given up; a transfer starts
    /// counting anew when it got further.
    pub attempts: u32,
    /// The wait before the second attempt; it doubles from there and is jittered.
    pub backoff: Duration,
    /// How long forge waits in all between attempts at one thing. A server that asks for
    /// more (`Retry-After`) is given up at once.
    pub patience: Duration,
}

impl Settings {
    /// The settings that serve people well.
    pub fn new(workspace: PathBuf) -> Self {
        Self {
            workspace,
            user_agent: concat!("forge/", env!("CARGO_PKG_VERSION")).into(),
            offline: false,
            proxies: true,
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            attempts: 5,
            backoff: Duration::from_millis(300),
            patience: Duration::from_secs(90),
        }
    }
}
