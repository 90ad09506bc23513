//! A request as backends put it together, and an API's whole answer to one.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::{
    Method, Response, StatusCode, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    AssetStream,
    address::without_secrets,
    answer::{self, cannot_read},
    retry::AttemptFailure,
};
use crate::model::{Fault, Kind};

/// An API's answer that is longer than this, in bytes, is something else.
const MAX_REPLY: usize = 64 * 1024 * 1024;

/// A request. It can be sent any number of times.
#[derive(Clone)]
pub(super) struct ApiRequest {
    pub(super) method: Method,
    pub(super) url: Url,
    headers: Vec<(HeaderName, String)>,
    /// Which of them are logins.
    credentials: Vec<HeaderName>,
    pub(super) content: Content,
    /// Whether the answer may be a page for people.
    pub(super) takes_pages: bool,
    /// Whether it goes on where a redirect leads to.
    pub(super) is_led_on: bool,
    /// The start of every fault about it, if not its URL says it best.
    failed: Option<String>,
}

/// What a request carries.
#[derive(Clone)]
pub(super) enum Content {
    Nothing,
    Bytes(Bytes),
    /// A file, read anew with every attempt.
    File(PathBuf),
    /// Bytes that come from elsewhere, anew with every attempt.
    Stream(Arc<dyn ContentSource>),
}

/// Where the bytes of a request come from.
#[async_trait]
pub(super) trait ContentSource: Send + Sync {
    /// Opens them from their beginning. Their size is known.
    async fn open(&self) -> Result<AssetStream, Fault>;
}

impl ApiRequest {
    /// A request that carries nothing.
    pub(super) fn new(method: Method, url: Url) -> Self {
        let (headers, credentials, content) = (Vec::new(), Vec::new(), Content::Nothing);
        Self {
            method,
            url,
            headers,
            credentials,
            content,
            takes_pages: false,
            is_led_on: true,
            failed: None,
        }
    }

    /// A GET.
    pub(super) fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    /// The same, where a page for people is as good as a file.
    pub(super) fn of_any_kind(self) -> Self {
        Self { takes_pages: true, ..self }
    }

    /// The same, which does not go on where a redirect leads to.
    pub(super) fn staying(self) -> Self {
        Self { is_led_on: false, ..self }
    }

    /// The same, whose faults begin with `what`.
    pub(super) fn failing(self, what: impl Into<String>) -> Self {
        Self { failed: Some(what.into()), ..self }
    }

    /// The same with another header.
    pub(super) fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same with a login, such as `Bearer TOKEN`. It goes to the origin of the URL and is
    /// dropped where a redirect leads elsewhere.
    pub(super) fn authorized(self, credentials: impl Into<String>) -> Self {
        self.with(AUTHORIZATION, credentials)
    }

    /// The same with a login in a header of the host's own, which is dropped alike.
    pub(super) fn credential(mut self, name: &'static str, token: &str) -> Self {
        let name = HeaderName::from_static(name);
        self.credentials.push(name.clone());
        self.with(name, token)
    }

    /// The same, carrying `value` as JSON.
    pub(super) fn json(self, value: &impl Serialize) -> Self {
        // Nothing that backends send has keys that are no text, or floats.
        let bytes = serde_json::to_vec(value).unwrap_or_default();
        self.carrying(Content::Bytes(bytes.into()), "application/json")
    }

    /// The same, carrying `content`.
    pub(super) fn carrying(mut self, content: Content, kind: &str) -> Self {
        self.content = content;
        self.with(CONTENT_TYPE, kind)
    }

    /// The headers for a hop to `at`.
    pub(super) fn headers_for(&self, at: &Url) -> Result<HeaderMap, AttemptFailure> {
        let is_home = at.origin() == self.url.origin();
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let is_login = name == AUTHORIZATION || self.credentials.contains(name);
            if is_login && !is_home {
                continue;
            }
            let mut value = HeaderValue::from_str(value).map_err(|_| {
                let why = format!("what the header `{name}` should hold cannot stand in a header");
                AttemptFailure::never(self.failed().because(why))
            })?;
            value.set_sensitive(is_login);
            headers.insert(name, value);
        }
        Ok(headers)
    }

    /// Whether it only asks.
    pub(super) fn is_read(&self) -> bool {
        [Method::GET, Method::HEAD].contains(&self.method)
    }

    /// The start of every fault about this request.
    pub(super) fn failed(&self) -> Fault {
        if let Some(what) = &self.failed {
            return Fault::new(Kind::Store, what.clone());
        }
        if self.is_read() {
            return cannot_read(&self.url);
        }
        let url = without_secrets(self.url.as_str());
        let what = match self.method {
            Method::DELETE => format!("cannot delete {url}"),
            _ => format!("cannot write to {url}"),
        };
        Fault::new(Kind::Store, what)
    }
}

/// The whole answer of an API, whatever its status.
pub(super) struct ApiResponse {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Where it came from in the end.
    pub(super) url: Url,
}

impl ApiResponse {
    /// Reads all of `response`.
    pub(super) async fn read(mut response: Response) -> Result<Self, reqwest::Error> {
        let (status, url) = (response.status(), response.url().clone());
        let headers = std::mem::take(response.headers_mut());
        let mut body = Vec::new();
        while body.len() < MAX_REPLY
            && let Some(piece) = response.chunk().await?
        {
            body.extend_from_slice(&piece);
        }
        Ok(Self { status, headers, body: body.into(), url })
    }

    /// A header's text, if it is there and is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the list that it is a page of goes on, if it says so. Only this is taken from its
    /// links: a token follows no foreign one.
    pub(super) fn has_next_page(&self) -> Option<bool> {
        self.header("link").map(|link| link.contains("rel=\"next\""))
    }

    /// What it says.
    ///
    /// # Errors
    /// If it is not valid JSON of that shape.
    pub(super) fn parse<T: DeserializeOwned>(
        &self,
        call: &ApiRequest,
    ) -> Result<T, AttemptFailure> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let why = format!("the server answered {} with what forge cannot read", self.status);
            let fault = call.failed().because(why).because(error.to_string());
            AttemptFailure::never(fault.hint("is it the API of the host that the manifest names?"))
        })
    }

    /// It as what went wrong with `call`, and whether it passes.
    pub(super) fn failure(&self, call: &ApiRequest) -> AttemptFailure {
        answer::failure(call.failed(), self.status, &self.headers)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            client::Client,
            testing::{Server, noise, reply, settings},
        },
        *,
    };

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[tokio::test]
    async fn what_a_call_carries_arrives_also_after_a_redirect() {
        let server = Server::start(|number, _| match number {
            0 => reply("307 Temporary Redirect\nLocation: /there", b""),
            _ => reply("201 Created\nX-Id: 7\nContent-Length: 8", b"{\"id\":7}"),
        })
        .await;
        let call = ApiRequest::new(Method::POST, url(&server.url)).json(&[("Tag", 1)]);
        let answer = Client::new(&settings()).call(&call).await.unwrap();
        let told: serde_json::Value = answer.parse(&call).unwrap();
        assert_eq!((answer.status.as_u16(), answer.header("x-id")), (201, Some("7")));
        assert_eq!(told["id"], 7);
        for request in server.requests() {
            assert!(request.ends_with("\r\n\r\n[[\"Tag\",1]]"), "{request}");
            assert!(request.contains("\ncontent-type: application/json\r"), "{request}");
        }
    }

    #[tokio::test]
    async fn a_file_is_sent_with_its_length() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("file");
        for size in [0, 1, 700_000] {
            std::fs::write(&path, noise(size)).unwrap();
            let server = Server::scripted(&[("201 Created\nContent-Length: 0", "")]).await;
            let file = Content::File(path.clone());
            let call =
                ApiRequest::new(Method::POST, url(&server.url)).carrying(file, "application/gzip");
            assert_eq!(Client::new(&settings()).call(&call).await.unwrap().status, 201);
            let requests = server.requests();
            let (head, body) = requests[0].split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("\ncontent-length: {size}")), "{head}");
            assert!(!head.contains("transfer-encoding"), "{head}");
            assert_eq!(body, String::from_utf8_lossy(&noise(size)));
        }
    }

    #[tokio::test]
    async fn a_login_reaches_its_origin_and_no_redirect_s_target() {
        let there = Server::scripted(&[("200 OK\nContent-Length: 0", "")]).await;
        let to = there.url.clone();
        let here = Server::start(move |number, _| match number {
            0 => reply("301 Moved Permanently\nLocation: /moved", b""),
            _ => reply(&format!("302 Found\nLocation: {to}"), b""),
        })
        .await;
        let call = ApiRequest::get(url(&here.url))
            .authorized("Bearer secret")
            .credential("job-token", "secret");
        Client::new(&settings()).call(&call).await.unwrap();
        assert!(here.requests().iter().all(|r| r.contains("\nauthorization: bearer secret\r")));
        assert!(here.requests().iter().all(|r| r.contains("\njob-token: secret\r")));
        assert_eq!(here.requests().len(), 2);
        assert!(!there.requests()[0].contains("secret"));
    }

    #[tokio::test]
    async fn a_login_that_fits_no_header_is_not_repeated() {
        let call = ApiRequest::get(url("http://127.0.0.1:9")).authorized("Bearer sec\nret");
        let failure = Client::new(&settings()).call(&call).await.err().unwrap();
        let told = failure.fault.to_string();
        assert!(told.contains("`authorization`") && !told.contains("ret"), "{told}");
    }

    #[tokio::test]
    async fn an_upload_that_gets_nowhere_is_given_up() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("file");
        std::fs::write(&path, noise(9)).unwrap();
        let silent =
            Server::start(|_, _| super::super::testing::ScriptedReply::FallSilent(Vec::new()))
                .await;
        let call = ApiRequest::new(Method::POST, url(&silent.url))
            .carrying(Content::File(path), "text/plain");
        let settings = crate::store::StoreSettings {
            idle_timeout: std::time::Duration::from_millis(10),
            ..settings()
        };
        let failure = Client::new(&settings).call(&call).await.err().unwrap();
        let told = failure.fault.to_string();
        assert!(told.ends_with("`127.0.0.1` was silent for 0.04 s"), "{told}");
    }
}
