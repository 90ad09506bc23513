//! Plain downloads: vendors' archives, checksums files and source archives.

use super::{AssetStream, Settings};
use crate::model::Fault;

/// Downloads by URL, with the retries and resumed transfers that stores have.
#[derive(Clone)]
pub struct Fetcher {
    settings: Settings,
}

impl Fetcher {
    /// Connects to nothing yet.
    pub fn new(settings: &Settings) -> Self {
        Self { settings: settings.clone() }
    }

    /// Opens `url` (`https://`, `http://`, `file://`, or a path, relative to the workspace)
    /// for reading from its beginning. `None` is a confirmed absence.
    ///
    /// # Errors
    /// `Usage` if `url` is none; `Store` if the server does not answer as it should, or the
    /// network is needed and forbidden; `Timeout` if it fell silent.
    pub async fn get(&self, url: &str) -> Result<Option<AssetStream>, Fault> {
        todo!("{url} {:?}", self.settings)
    }

    /// Reads a small text, such as a checksums file. `None` is a confirmed absence.
    ///
    /// # Errors
    /// As [`Fetcher::get`]; `Store` also if it is longer than `max_bytes` or no UTF-8.
    pub async fn get_text(&self, url: &str, max_bytes: u64) -> Result<Option<String>, Fault> {
        todo!("{url} {max_bytes}")
    }
}
