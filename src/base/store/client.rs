//! One exchange with a web server: a request, the redirects it leads to, and what the
//! answer means. Only this file knows how TLS is set up.
//!
//! Redirects are followed here and not by the library, since a hop decides which of the
//! two clients goes on, and since only here can a message say where it went wrong.

use std::{
    error::Error,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use reqwest::{Proxy, Response, Url, redirect::Policy};

use super::{
    AssetStream, StoreSettings,
    address::without_secrets,
    answer::{ServerAnswer, judge, redirect},
    call::{ApiRequest, ApiResponse, Content},
    proxy::EnvironmentProxies,
    reach::CircuitBreaker,
    retry::{AttemptFailure, RetryDecision},
    upload,
};
use crate::model::{Fault, Kind};

/// A longer chain of redirects is a loop. As browsers and curl have it, or less.
const MAX_REDIRECTS: usize = 10;

/// How much longer a server may be silent when it is being sent a file, in idle timeouts: the
/// last megabytes wait in this machine's buffers, and a server answers when it has stored all.
const PATIENCE_WITH_UPLOADS: u32 = 4;

/// Connections to web servers, made when they are first needed.
pub(super) struct Client {
    pub(super) settings: StoreSettings,
    asking: Clients,
    /// The library counts an upload as silence of the server, so here [`upload`] keeps time.
    uploading: Clients,
    proxies: EnvironmentProxies,
    reach: Mutex<CircuitBreaker>,
}

#[derive(Default)]
struct Clients {
    plain: OnceLock<Result<reqwest::Client, Fault>>,
    secure: OnceLock<Result<reqwest::Client, Fault>>,
}

impl Client {
    /// Connects to nothing yet, and reads no certificates.
    pub(super) fn new(settings: &StoreSettings) -> Self {
        Self {
            settings: settings.clone(),
            asking: Clients::default(),
            uploading: Clients::default(),
            proxies: EnvironmentProxies::from_variables(&settings.environment),
            reach: Mutex::default(),
        }
    }

    /// Sends `call`, follows redirects, and judges the answer: for files.
    pub(super) async fn exchange(&self, call: &ApiRequest) -> Result<ServerAnswer, AttemptFailure> {
        judge(call, self.follow(call).await?)
    }

    /// Sends `call`, follows redirects, and reads the whole answer, whatever its status: for
    /// APIs.
    pub(super) async fn call(&self, call: &ApiRequest) -> Result<ApiResponse, AttemptFailure> {
        let response = self.follow(call).await?;
        ApiResponse::read(response).await.map_err(|error| self.failure(call, &error))
    }

    async fn follow(&self, call: &ApiRequest) -> Result<Response, AttemptFailure> {
        let mut at = call.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.send(call, &at).await?;
            match redirect(call, &at, &response)
                .map_err(|why| AttemptFailure::never(call.failed().because(why)))?
            {
                Some(next) => at = next,
                None => return Ok(response),
            }
        }
        let why = format!(
            "it redirects more than {MAX_REDIRECTS} times, in the end to {}",
            without_secrets(at.as_str())
        );
        Err(AttemptFailure::never(call.failed().because(why)))
    }

    /// Sends `call` to `at`, where it belongs or was redirected to.
    async fn send(&self, call: &ApiRequest, at: &Url) -> Result<Response, AttemptFailure> {
        let client = self.client_for(call, at)?;
        let (host, asked) = (at.host_str().unwrap_or_default(), Instant::now());
        if let Some(why) = self.reach().why_not(host, asked) {
            return Err(AttemptFailure::never(call.failed().because(why).hint(OUT_OF_REACH)));
        }
        let request =
            client.request(call.method.clone(), at.clone()).headers(call.headers_for(at)?);
        let sent = match &call.content {
            Content::Nothing => request.send().await,
            Content::Bytes(bytes) => request.body(bytes.clone()).send().await,
            Content::File(path) => self.upload(call, host, request, upload::open(path)).await?,
            Content::Stream(source) => {
                self.upload(call, host, request, source.open().await).await?
            }
        };
        sent.inspect(|_| self.reach().found(host)).map_err(|error| {
            let failure = self.failure(call, &error);
            if error.is_connect() {
                let why = failure.fault.why.first().map_or("", String::as_str);
                self.reach().lost(host, asked, Instant::now(), why);
            }
            failure
        })
    }

    /// Sends `request` with `stream`, and keeps time. The outer error is about the stream, or about
    /// silence.
    async fn upload(
        &self,
        call: &ApiRequest,
        host: &str,
        request: reqwest::RequestBuilder,
        stream: Result<AssetStream, Fault>,
    ) -> Result<Result<Response, reqwest::Error>, AttemptFailure> {
        let stream = stream.map_err(AttemptFailure::never)?;
        let (request, meter) = upload::carrying(request, stream);
        let patience = self.settings.idle_timeout * PATIENCE_WITH_UPLOADS;
        tokio::select! {
            sent = request.send() => Ok(sent),
            () = meter.silent_for(patience) => Err(silent(call, host, patience)),
        }
    }

    fn reach(&self) -> MutexGuard<'_, CircuitBreaker> {
        // What it holds is whole after every statement, also after a panic elsewhere.
        self.reach.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client for what `call` carries and the scheme of `at`.
    fn client_for(&self, call: &ApiRequest, at: &Url) -> Result<&reqwest::Client, AttemptFailure> {
        if self.settings.offline {
            let why = "that needs the network, and --offline forbids the network";
            return Err(AttemptFailure::never(call.failed().because(why)));
        }
        let is_upload = matches!(call.content, Content::File(_) | Content::Stream(_));
        let (clients, limit) = match is_upload {
            true => (&self.uploading, None),
            false => (&self.asking, Some(self.settings.idle_timeout)),
        };
        let client = match at.scheme() {
            // Knows no authority: it must work on a machine without certificates, and
            // does not pay for reading them.
            "http" => clients.plain.get_or_init(|| {
                let tls = trusting_nobody()?;
                self.build(reqwest::Client::builder().tls_backend_preconfigured(tls), limit)
            }),
            // Trusts whom the system trusts. The library takes its cryptography from
            // the process's default; if one is installed already, that is as good.
            _ => clients.secure.get_or_init(|| {
                let _ = rustls::crypto::ring::default_provider().install_default();
                self.build(reqwest::Client::builder(), limit)
            }),
        };
        client
            .as_ref()
            .map_err(|fault| AttemptFailure::never(fault.clone().within(call.failed().what)))
    }

    fn build(
        &self,
        builder: reqwest::ClientBuilder,
        read_timeout: Option<Duration>,
    ) -> Result<reqwest::Client, Fault> {
        let settings = &self.settings;
        let builder = match read_timeout {
            Some(limit) => builder.read_timeout(limit),
            None => builder,
        };
        // No `Accept-Encoding`, not even `identity`: without it servers send what is stored,
        // which is what is digested, while some look for other files when it is there.
        let builder = builder
            .redirect(Policy::none())
            .connect_timeout(settings.connect_timeout)
            .user_agent(&settings.user_agent);
        let builder = match settings.proxies {
            true if self.proxies.are_set() => {
                let proxies = self.proxies.clone();
                let proxy = Proxy::custom(move |url| proxies.proxy_for(url).cloned());
                builder.no_proxy().proxy(proxy)
            }
            true => builder,
            false => builder.no_proxy(),
        };
        builder.build().map_err(|error| {
            Fault::new(Kind::Store, "cannot prepare for the network")
                .because(innermost(&error))
                .hint("install this system's CA certificates, or name a file of them in SSL_CERT_FILE")
        })
    }

    /// What became of a request or a transfer that failed underneath HTTP.
    pub(super) fn failure(&self, call: &ApiRequest, error: &reqwest::Error) -> AttemptFailure {
        let host = error.url().unwrap_or(&call.url).host_str().unwrap_or_default();
        let fault = call.failed();
        let (why, again) = if error.is_dns() {
            (format!("the host name `{host}` cannot be resolved"), RetryDecision::Soon)
        } else if error.is_timeout() && error.is_connect() {
            // The system itself has repeated the first packet several times by now.
            let waited = seconds(self.settings.connect_timeout);
            (format!("no connection to `{host}` within {waited}"), RetryDecision::Never)
        } else if error.is_timeout() {
            return silent(call, host, self.settings.idle_timeout);
        } else if error.is_connect() {
            (format!("no connection to `{host}`: {}", innermost(error)), RetryDecision::Soon)
        } else {
            (format!("the connection broke: {}", innermost(error)), LATER)
        };
        let hint = if why.contains("certificate") {
            "is this machine's clock right? If a proxy opens TLS here, name its CA in SSL_CERT_FILE"
        } else {
            OUT_OF_REACH
        };
        AttemptFailure { fault: fault.because(why).hint(hint), again }
    }
}

fn silent(call: &ApiRequest, host: &str, limit: Duration) -> AttemptFailure {
    let why = format!("`{host}` was silent for {}", seconds(limit));
    AttemptFailure { fault: call.failed().because(why).hint(OUT_OF_REACH), again: LATER }
}

const LATER: RetryDecision = RetryDecision::Later(None);

const OUT_OF_REACH: &str =
    "is this machine online, and is the URL right? `--offline` works with what is here";

fn trusting_nobody() -> Result<rustls::ClientConfig, Fault> {
    let ring = rustls::crypto::ring::default_provider();
    let config = rustls::ClientConfig::builder_with_provider(ring.into())
        .with_safe_default_protocol_versions()
        .map_err(|error| {
            Fault::new(Kind::Store, "cannot prepare for the network").because(error.to_string())
        })?;
    Ok(config.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
}

/// The cause that no other cause is beneath. The outer ones only say "error" in more words.
fn innermost(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| Error::source(*cause));
    causes.last().map_or_else(|| error.to_string(), ToString::to_string)
}

/// A duration as messages have it.
pub(super) fn seconds(duration: Duration) -> String {
    format!("{} s", (duration.as_secs_f64() * 100.0).round() / 100.0)
}

#[cfg(test)]
mod tests {
    use super::{
        super::testing::{Server, reply, settings},
        *,
    };

    async fn get(url: &str) -> Result<ServerAnswer, AttemptFailure> {
        Client::new(&settings()).exchange(&ApiRequest::get(Url::parse(url).unwrap())).await
    }

    #[tokio::test]
    async fn redirects_are_followed_to_other_hosts() {
        let there = Server::scripted(&[("200 OK\nContent-Length: 2", "ok")]).await;
        let to = there.url.clone();
        let here = Server::start(move |number, _| match number {
            0 => reply("302 Found\nLocation: /elsewhere?signed=1", b""),
            _ => reply(&format!("307 Temporary Redirect\nLocation: {to}/file"), b""),
        })
        .await;
        let answer = get(&format!("{}/file", here.url)).await.unwrap();
        assert!(matches!(answer, ServerAnswer::Found(response) if response.status() == 200));
        assert!(here.requests()[1].starts_with("get /elsewhere?signed=1 "));
    }

    #[tokio::test]
    async fn a_login_stays_with_its_host() {
        let there = Server::scripted(&[("200 OK", "")]).await;
        let to = there.url.clone();
        let here =
            Server::start(move |_, _| reply(&format!("302 Found\nLocation: {to}"), b"")).await;
        get(&here.url.replace("http://", "http://me:secret@")).await.unwrap();
        assert!(here.requests()[0].contains("\nauthorization: basic "));
        assert!(!there.requests()[0].contains("authorization"));
    }

    #[tokio::test]
    async fn redirects_in_a_cycle_come_to_an_end() {
        let server = Server::scripted(&[("302 Found\nLocation: /again?signed=1", "")]).await;
        let failure = get(&server.url).await.err().unwrap();
        let told = failure.fault.to_string();
        let end = format!("more than 10 times, in the end to {}/again", server.url);
        assert!(told.ends_with(&end), "{told}");
        assert_eq!((server.requests().len(), failure.again), (11, RetryDecision::Never));
    }

    #[tokio::test]
    async fn a_redirect_to_nowhere_is_explained() {
        for (head, why) in [
            ("302 Found", "without saying where it has moved"),
            ("302 Found\nLocation: ftp://example.org/", "it redirects to a `ftp:` URL"),
            ("302 Found\nLocation: http://", "it redirects to what is not a URL"),
        ] {
            let server = Server::start(move |_, _| reply(head, b"")).await;
            let fault = get(&server.url).await.err().unwrap().fault;
            assert!(fault.to_string().contains(why), "{fault}");
        }
    }

    #[test]
    fn certificates_are_only_read_when_https_is_spoken() {
        let client = Client::new(&settings());
        let url = Url::parse("http://127.0.0.1").unwrap();
        assert!(client.client_for(&ApiRequest::get(url.clone()), &url).is_ok());
        assert!(client.asking.secure.get().is_none());
    }
}
