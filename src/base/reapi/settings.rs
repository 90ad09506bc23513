//! How a server is reached, and how patient forge is with it.

use std::{fmt, time::Duration};

use super::ServerAddress;

/// How a server is reached.
#[derive(Clone)]
pub struct ConnectionSettings {
    /// Where it is.
    pub address: ServerAddress,
    /// Which of its instances; many have only the one without a name.
    pub instance: String,
    /// Headers of each call.
    pub headers: Vec<(String, String)>,
    /// The authorities that are trusted besides those of the system, as PEM.
    pub authorities: Option<Vec<u8>>,
    /// What forge proves itself with.
    pub identity: Option<ClientIdentity>,
    /// How long one answer may take, and how long a transfer may make no progress.
    pub patience: Duration,
    /// The run that asks, for whoever operates the server.
    pub run: String,
    /// How forge introduces itself.
    pub user_agent: String,
}

/// A certificate of a client with its key, as PEM.
#[derive(Clone)]
pub struct ClientIdentity {
    /// The certificate.
    pub certificate: Vec<u8>,
    /// Its key.
    pub key: Vec<u8>,
}

impl fmt::Debug for ConnectionSettings {
    /// Without what is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionSettings").field("address", &self.address).finish_non_exhaustive()
    }
}
