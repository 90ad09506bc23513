//! The HTTP store: any web server that serves `<base>/<tag>/<asset>`. Read-only. A served
//! directory store is one, and so are the public downloads of a forge.

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::Url;

use super::{
    Access, AssetInfo, AssetStream, Receipt, ReleaseInfo, Store, StoreRelease, StoreSettings,
    Upload, address::without_secrets, call::ApiRequest, check_names, client::Client, transfer,
};
use crate::model::{Fault, Kind};

/// Releases on a web server.
pub(super) struct Http {
    /// For messages.
    url: String,
    base: Url,
    client: Arc<Client>,
}

impl Http {
    /// The store below `base`. Connects to nothing yet.
    pub(super) fn new(base: Url, settings: &StoreSettings) -> Self {
        Self { url: without_secrets(base.as_str()), base, client: Arc::new(Client::new(settings)) }
    }

    fn asset_url(&self, tag: &str, asset: &str) -> Result<Url, Fault> {
        check_names(tag, asset)?;
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| Fault::new(Kind::Usage, format!("`{}` has no path", self.url)))?
            .pop_if_empty()
            .extend([tag, asset]);
        Ok(url)
    }
}

#[async_trait]
impl Store for Http {
    fn url(&self) -> &str {
        &self.url
    }

    fn is_writable(&self) -> bool {
        false
    }

    async fn find(&self, tag: &str, asset: &str) -> Result<Option<AssetInfo>, Fault> {
        let url = self.asset_url(tag, asset)?;
        Ok(transfer::head(&self.client, url).await?.map(|size| AssetInfo { size, sha256: None }))
    }

    async fn open(&self, tag: &str, asset: &str) -> Result<Option<AssetStream>, Fault> {
        transfer::open(self.client.clone(), ApiRequest::get(self.asset_url(tag, asset)?)).await
    }

    async fn publish(&self, release: &StoreRelease, upload: &Upload) -> Result<Receipt, Fault> {
        let what = format!("publish {}/{} to", release.tag, upload.asset);
        Err(self.is_only_read(&what).hint("put a store that can be written first in `releases`"))
    }

    async fn release(&self, tag: &str) -> Result<Option<ReleaseInfo>, Fault> {
        Err(self.does_not_list(&format!("the assets of {tag}")))
    }

    async fn releases(&self) -> Result<Vec<ReleaseInfo>, Fault> {
        Err(self.does_not_list("the releases"))
    }

    async fn remove(&self, tag: &str) -> Result<(), Fault> {
        Err(self.is_only_read(&format!("remove {tag} from")))
    }

    async fn access(&self) -> Result<Access, Fault> {
        let notes = vec!["a web server is only read".to_owned()];
        Ok(Access { login: None, may_read: true, may_write: Some(false), notes })
    }
}

impl Http {
    fn is_only_read(&self, what: &str) -> Fault {
        Fault::new(Kind::Store, format!("cannot {what} {}", self.url))
            .because("a web server is only read")
    }

    fn does_not_list(&self, what: &str) -> Fault {
        Fault::new(Kind::Store, format!("cannot list {what} at {}", self.url))
            .because("a plain web server does not list them")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::Router;
    use tower_http::services::ServeDir;

    use super::{
        super::testing::{ScriptedReply, Server, conforms, digest, furnish, reply, settings},
        *,
    };

    fn store(base: &str, settings: &StoreSettings) -> Http {
        Http::new(Url::parse(base).unwrap(), settings)
    }

    #[tokio::test]
    async fn conforms_to_the_port() {
        let temp = tempfile::tempdir().unwrap();
        furnish(temp.path());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/releases/", listener.local_addr().unwrap());
        let files = ServeDir::new(temp.path().join("store"));
        let router = Router::new().nest_service("/releases", files);
        tokio::spawn(async { axum::serve(listener, router).await });
        conforms(&store(&base, &settings())).await;
    }

    #[tokio::test]
    async fn only_404_and_410_are_absences() {
        for status in ["404 Not Found", "410 Gone"] {
            let server = Server::start(move |_, _| reply(status, b"")).await;
            let store = store(&server.url, &settings());
            assert_eq!(store.find("t", "a").await.unwrap(), None);
            assert!(store.open("t", "a").await.unwrap().is_none());
        }
        for status in [
            "204 No Content",
            "400 Bad Request",
            "401 Unauthorized",
            "403 Forbidden",
            "405 Method Not Allowed",
            "429 Too Many Requests",
            "500 Internal Server Error",
            "503 Service Unavailable",
        ] {
            let server = Server::start(move |_, _| reply(status, b"")).await;
            let store = store(&server.url, &settings());
            let fault = store.find("t", "a").await.unwrap_err();
            assert_eq!(fault.kind, Kind::Store);
            assert!(
                fault.to_string().contains(&format!("the server answered {status}")),
                "{fault}"
            );
            assert!(store.open("t", "a").await.is_err());
        }
    }

    #[tokio::test]
    async fn a_web_page_is_no_asset() {
        let page =
            "200 OK\nContent-Type: Text/HTML; charset=utf-8\nContent-Length: 6\nConnection: close";
        let server = Server::start(move |_, _| reply(page, b"<html>")).await;
        let store = store(&server.url, &settings());
        for fault in [store.find("t", "a").await.err(), store.open("t", "a").await.err()] {
            let fault = fault.unwrap();
            assert!(fault.to_string().contains("a web page instead of the file"), "{fault}");
        }
    }

    #[tokio::test]
    async fn silence_is_an_error() {
        let impatient =
            StoreSettings { idle_timeout: Duration::from_millis(40), attempts: 2, ..settings() };
        let server = Server::start(|_, _| ScriptedReply::FallSilent(Vec::new())).await;
        let fault = store(&server.url, &impatient).find("t", "a").await.unwrap_err();
        assert!(
            fault.to_string().contains("was silent for 0.04 s: given up after 2 attempts"),
            "{fault}"
        );
    }

    #[tokio::test]
    async fn nobody_there_is_known_soon() {
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", closed.local_addr().unwrap());
        drop(closed);
        let fault = store(&base, &settings()).find("t", "a").await.unwrap_err();
        assert!(fault.to_string().contains("no connection to `127.0.0.1`: "), "{fault}");
        assert!(fault.to_string().ends_with("given up after 3 attempts"), "{fault}");
        assert!(fault.hint.unwrap().contains("online"));
    }

    #[tokio::test]
    async fn https_without_a_server_is_an_error_like_any_other() {
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("https://{}", closed.local_addr().unwrap());
        drop(closed);
        let fault = store(&base, &settings()).find("t", "a").await.unwrap_err();
        let told = fault.to_string();
        assert!(
            told.starts_with(&format!("cannot read {base}/t/a")) && fault.hint.is_some(),
            "{told}"
        );
    }

    #[tokio::test]
    async fn offline_nothing_is_asked() {
        let server = Server::scripted(&[("200 OK", "")]).await;
        let offline = StoreSettings { offline: true, ..settings() };
        let fault = store(&server.url, &offline).find("t", "a").await.unwrap_err();
        assert_eq!(fault.kind, Kind::Store);
        assert!(fault.to_string().ends_with("--offline forbids the network"), "{fault}");
        assert!(server.requests().is_empty());
    }

    #[tokio::test]
    async fn it_is_only_read() {
        let store = store("http://127.0.0.1:9", &settings());
        let release = StoreRelease::of_subsystem("t".into(), Vec::new());
        let upload = Upload::new("a".into(), "/x".into(), digest(b""));
        let publish = store.publish(&release, &upload).await;
        assert!(publish.unwrap_err().hint.is_some() && !store.is_writable());
        assert!(store.releases().await.is_err() && store.release("t").await.is_err());
    }
}
