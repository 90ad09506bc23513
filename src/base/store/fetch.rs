//! Plain downloads: vendors' archives, checksums files and source archives.

use std::{path::PathBuf, sync::Arc};

use futures_util::stream::TryStreamExt;
use reqwest::Url;

use super::{
    AssetStream, Beginnings, BrokenTransfer, StoreSettings, address::without_secrets,
    call::ApiRequest, client::Client, file, text, transfer,
};
use crate::model::{Fault, Kind, Sha256};

/// Downloads by URL, with the retries and resumed transfers that stores have. Clones
/// share their connections.
#[derive(Clone)]
pub struct Fetcher {
    client: Arc<Client>,
}

impl Fetcher {
    /// Connects to nothing yet.
    pub fn new(settings: &StoreSettings) -> Self {
        Self { client: Arc::new(Client::new(settings)) }
    }

    /// Opens `url` (`https://`, `http://`, `file://`, or a path, relative to the workspace)
    /// for reading from its beginning. `None` is a confirmed absence.
    ///
    /// # Errors
    /// `Usage` if `url` is none of these; `Store` if the server does not answer as it should,
    /// or the network is needed and forbidden.
    pub async fn get(&self, url: &str) -> Result<Option<AssetStream>, Fault> {
        match self.place(url)? {
            FetchSource::File(path) => file::open(&path),
            FetchSource::Web(url) => {
                transfer::open(self.client.clone(), ApiRequest::get(url)).await
            }
        }
    }

    /// Reads a small text, such as a checksums file. `None` is a confirmed absence.
    ///
    /// # Errors
    /// As [`Fetcher::get`]; `Store` also if it is longer than `max_bytes` or no text.
    pub async fn get_text(&self, url: &str, max_bytes: u64) -> Result<Option<String>, Fault> {
        let bytes = self.small(url, false, max_bytes).await?;
        bytes.map(|bytes| text::decode(bytes).map_err(|why| unusable(url, why))).transpose()
    }

    /// Reads what is at a URL (`https://`, `http://`), be it a page for people. `None` is a
    /// confirmed absence.
    ///
    /// # Errors
    /// As [`Fetcher::get_text`].
    pub async fn get_page(&self, url: &str, max_bytes: u64) -> Result<Option<String>, Fault> {
        let bytes = self.small(url, true, max_bytes).await?;
        bytes.map(|bytes| text::decode(bytes).map_err(|why| unusable(url, why))).transpose()
    }

    /// Reads a file of at most `max_bytes`, and digests it. `None` is a confirmed absence.
    ///
    /// # Errors
    /// As [`Fetcher::get`]; `Store` also if it is longer.
    pub async fn get_small(
        &self,
        url: &str,
        max_bytes: u64,
    ) -> Result<Option<(Vec<u8>, Sha256)>, Fault> {
        let Some(bytes) = self.small(url, false, max_bytes).await? else { return Ok(None) };
        let mut digester = file::Digester::default();
        digester.take(&bytes);
        Ok(Some((bytes, digester.sha256())))
    }

    /// Reads all of something small, from its beginning if its transfer breaks.
    async fn small(
        &self,
        url: &str,
        takes_pages: bool,
        max_bytes: u64,
    ) -> Result<Option<Vec<u8>>, Fault> {
        let mut beginnings = Beginnings::default();
        loop {
            let stream = match self.place(url)? {
                FetchSource::File(path) => file::open(&path)?,
                FetchSource::Web(url) => {
                    let call = ApiRequest::get(url);
                    let call = if takes_pages { call.of_any_kind() } else { call };
                    transfer::open(self.client.clone(), call).await?
                }
            };
            let Some(stream) = stream else { return Ok(None) };
            match read_small(stream, max_bytes).await {
                Ok(bytes) => return bytes.map(Some).map_err(|why| unusable(url, why)),
                Err(broken) => beginnings.again(broken)?,
            }
        }
    }

    fn place(&self, text: &str) -> Result<FetchSource, Fault> {
        let relative = || FetchSource::File(self.client.settings.layout.root().join(text));
        match Url::parse(text) {
            Ok(url) => match url.scheme() {
                "http" | "https" => Some(FetchSource::Web(url)),
                "file" => url.to_file_path().ok().map(FetchSource::File),
                // A drive, not a scheme.
                letter if letter.len() == 1 => Some(relative()),
                _ => None,
            },
            // Said of text without a scheme: a path.
            Err(_) if !text.contains("://") => Some(relative()),
            Err(_) => None,
        }
        .ok_or_else(|| {
            Fault::new(Kind::Usage, format!("`{}` cannot be downloaded", without_secrets(text)))
                .hint("write an `https://`, `http://` or `file://` URL, or a path in the workspace")
        })
    }
}

/// Where something to be read is.
enum FetchSource {
    File(PathBuf),
    Web(Url),
}

/// Reads all of something small; the inner error says that it is not small.
pub(super) async fn read_small(
    stream: AssetStream,
    max_bytes: u64,
) -> Result<Result<Vec<u8>, String>, BrokenTransfer> {
    let mut pieces = stream.bytes;
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.try_next().await? {
        bytes.extend_from_slice(&piece);
        if bytes.len() as u64 > max_bytes {
            return Ok(Err(format!("it is longer than {max_bytes} bytes")));
        }
    }
    Ok(Ok(bytes))
}

fn unusable(url: &str, why: String) -> Fault {
    Fault::new(Kind::Store, format!("cannot use {}", without_secrets(url))).because(why)
}

#[cfg(test)]
mod tests {
    use super::{
        super::testing::{Server, all, noise, settings},
        *,
    };
    use crate::model::Layout;

    #[tokio::test]
    async fn files_and_servers_are_read_alike() {
        let temp = tempfile::tempdir().unwrap();
        std::fs::write(temp.path().join("list"), "text").unwrap();
        std::fs::write(temp.path().join("big"), noise(700_000)).unwrap();
        let server = Server::scripted(&[("200 OK\nContent-Length: 4", "text")]).await;
        let fetcher =
            Fetcher::new(&StoreSettings { layout: Layout::at(temp.path().into()), ..settings() });
        let absolute = temp.path().join("list").display().to_string();
        for url in
            ["list", &absolute, &format!("file://{absolute}"), &format!("{}/list", server.url)]
        {
            assert_eq!(fetcher.get_text(url, 4).await.unwrap().as_deref(), Some("text"), "{url}");
            let fault = fetcher.get_text(url, 3).await.unwrap_err();
            assert!(fault.to_string().ends_with("it is longer than 3 bytes"), "{fault}");
        }
        let big = fetcher.get("big").await.unwrap().unwrap();
        assert_eq!((big.size, all(big).await.unwrap()), (Some(700_000), noise(700_000)));
        assert_eq!(fetcher.get_text("absent", 9).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_page_may_be_what_was_asked_for() {
        let page = "200 OK\nContent-Type: text/html\nContent-Length: 6";
        let server = Server::start(move |_, _| super::super::testing::reply(page, b"<html>")).await;
        let fetcher = Fetcher::new(&settings());
        assert!(fetcher.get_text(&format!("{}/index.html", server.url), 99).await.is_ok());
        assert!(fetcher.get_text(&format!("{}/file.zip", server.url), 99).await.is_err());
        assert!(fetcher.get_page(&format!("{}/list", server.url), 99).await.is_ok());
    }

    #[tokio::test]
    async fn what_is_no_text_and_what_is_no_url_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        std::fs::write(temp.path().join("binary"), [0xff]).unwrap();
        let fetcher =
            Fetcher::new(&StoreSettings { layout: Layout::at(temp.path().into()), ..settings() });
        let fault = fetcher.get_text("binary", 9).await.unwrap_err();
        assert!(fault.to_string().ends_with("neither UTF-8 nor UTF-16 text"), "{fault}");
        for url in ["ftp://example.org/x", "git@example.org:o/r://", "http://"] {
            assert_eq!(fetcher.get(url).await.err().unwrap().kind, Kind::Usage, "{url}");
        }
    }
}
