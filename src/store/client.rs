//! One exchange with a web server: a request, the redirects it leads to, and what the
//! answer means. Only this file knows how TLS is set up.
//!
//! Redirects are followed here and not by the library, since a hop decides which of the
//! two clients goes on, and since only here can a message say where it went wrong.

use std::{error::Error, sync::OnceLock, time::Duration};

use reqwest::{
    Method, Response, StatusCode, Url,
    header::{CONTENT_TYPE, HeaderName, LOCATION, RETRY_AFTER},
    redirect::Policy,
};

use super::{
    Settings,
    retry::{Again, Failure},
    url::without_secrets,
};
use crate::model::{Fault, Kind};

/// A longer chain of redirects is a loop. As browsers and curl have it, or less.
const MAX_REDIRECTS: usize = 10;

/// Connections to web servers, made when they are first needed.
pub(super) struct Client {
    pub(super) settings: Settings,
    plain: OnceLock<Result<reqwest::Client, Fault>>,
    secure: OnceLock<Result<reqwest::Client, Fault>>,
}

/// What a server said.
pub(super) enum Answer {
    /// 404 or 410: a confirmed absence.
    Absent,
    /// 200, or 206 if a range was asked for.
    Found(Response),
}

impl Client {
    /// Connects to nothing yet, and reads no certificates.
    pub(super) fn new(settings: &Settings) -> Self {
        Self { settings: settings.clone(), plain: OnceLock::new(), secure: OnceLock::new() }
    }

    /// Sends one request to `url`, follows redirects, and judges the answer.
    pub(super) async fn exchange(
        &self,
        method: Method,
        url: &Url,
        headers: &[(HeaderName, String)],
    ) -> Result<Answer, Failure> {
        let mut at = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.send(method.clone(), &at, headers).await?;
            match redirect(&at, &response).map_err(|why| never(cannot_read(url).because(why)))? {
                Some(next) => at = next,
                None => return judge(url, response),
            }
        }
        let why = format!(
            "it redirects more than {MAX_REDIRECTS} times, in the end to {}",
            without_secrets(at.as_str())
        );
        Err(never(cannot_read(url).because(why)))
    }

    async fn send(
        &self,
        method: Method,
        url: &Url,
        headers: &[(HeaderName, String)],
    ) -> Result<Response, Failure> {
        let mut request = self.of(url)?.request(method, url.clone());
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.send().await.map_err(|error| self.failure(url, &error))
    }

    /// The client for the scheme of `url`.
    fn of(&self, url: &Url) -> Result<&reqwest::Client, Failure> {
        if self.settings.offline {
            let why = "that needs the network, and --offline forbids the network";
            return Err(never(cannot_read(url).because(why)));
        }
        let client = match url.scheme() {
            // Knows no authority: it must work on a machine without certificates, and
            // does not pay for reading them.
            "http" => self.plain.get_or_init(|| {
                let tls = trusting_nobody()?;
                self.build(reqwest::Client::builder().tls_backend_preconfigured(tls))
            }),
            // Trusts whom the system trusts. The library takes its cryptography from
            // the process's default; if one is installed already, that is as good.
            _ => self.secure.get_or_init(|| {
                let _ = rustls::crypto::ring::default_provider().install_default();
                self.build(reqwest::Client::builder())
            }),
        };
        client.as_ref().map_err(|fault| never(fault.clone().within(cannot_read(url).what)))
    }

    fn build(&self, builder: reqwest::ClientBuilder) -> Result<reqwest::Client, Fault> {
        let settings = &self.settings;
        // No `Accept-Encoding`, not even `identity`: without it servers send what is stored,
        // which is what is digested, while some look for other files when it is there.
        let builder = builder
            .redirect(Policy::none())
            .connect_timeout(settings.connect_timeout)
            .read_timeout(settings.idle_timeout)
            .user_agent(&settings.user_agent);
        let builder = if settings.proxies { builder } else { builder.no_proxy() };
        builder.build().map_err(|error| {
            Fault::new(Kind::Store, "cannot prepare for the network")
                .because(innermost(&error))
                .hint("install this system's CA certificates, or name a file of them in SSL_CERT_FILE")
        })
    }

    /// What became of a request or a transfer that failed underneath HTTP.
    pub(super) fn failure(&self, url: &Url, error: &reqwest::Error) -> Failure {
        let host = url.host_str().unwrap_or_default();
        let fault = cannot_read(url);
        let (why, again) = if error.is_dns() {
            (format!("the host name `{host}` cannot be resolved"), Again::Soon)
        } else if error.is_timeout() && error.is_connect() {
            // The system itself has repeated the first packet several times by now.
            let waited = seconds(self.settings.connect_timeout);
            (format!("`{host}` did not accept a connection within {waited}"), Again::Never)
        } else if error.is_timeout() {
            (format!("`{host}` was silent for {}", seconds(self.settings.idle_timeout)), LATER)
        } else if error.is_connect() {
            (format!("no connection to `{host}`: {}", innermost(error)), Again::Soon)
        } else {
            (format!("the connection broke: {}", innermost(error)), LATER)
        };
        let hint = if why.contains("certificate") {
            "is this machine's clock right? If a proxy opens TLS here, name its CA in SSL_CERT_FILE"
        } else {
            "is this machine online, and is the URL right? `--offline` works with what is here"
        };
        Failure { fault: fault.because(why).hint(hint), again }
    }
}

const LATER: Again = Again::Later(None);

fn trusting_nobody() -> Result<rustls::ClientConfig, Fault> {
    let ring = rustls::crypto::ring::default_provider();
    let config = rustls::ClientConfig::builder_with_provider(ring.into())
        .with_safe_default_protocol_versions()
        .map_err(|error| {
            Fault::new(Kind::Store, "cannot prepare for the network").because(error.to_string())
        })?;
    Ok(config.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
}

/// The start of every fault about `url`.
pub(super) fn cannot_read(url: &Url) -> Fault {
    Fault::new(Kind::Store, format!("cannot read {}", without_secrets(url.as_str())))
}

/// A failure that trying again does not help.
pub(super) fn never(fault: Fault) -> Failure {
    Failure { fault, again: Again::Never }
}

/// Where `response` sends us, if anywhere.
fn redirect(from: &Url, response: &Response) -> Result<Option<Url>, String> {
    use StatusCode as S;
    let status = response.status();
    if ![S::MOVED_PERMANENTLY, S::FOUND, S::SEE_OTHER, S::TEMPORARY_REDIRECT, S::PERMANENT_REDIRECT]
        .contains(&status)
    {
        return Ok(None);
    }
    let location = text(response, &LOCATION)
        .ok_or_else(|| format!("the server answered {status} without saying where it has moved"))?;
    let next =
        from.join(location).map_err(|error| format!("it redirects to what is no URL: {error}"))?;
    match (from.scheme(), next.scheme()) {
        (_, "https") | ("http", "http") => Ok(Some(next)),
        ("https", "http") => Err(format!(
            "it redirects from https to unprotected http ({}), which forge does not follow",
            without_secrets(next.as_str())
        )),
        (_, scheme) => Err(format!("it redirects to a `{scheme}:` URL")),
    }
}

/// What the last answer in a chain of redirects means.
fn judge(url: &Url, response: Response) -> Result<Answer, Failure> {
    let status = response.status();
    match status {
        StatusCode::OK | StatusCode::PARTIAL_CONTENT if is_web_page(url, &response) => {
            let why = format!("the server answered {status} with a web page instead of the file");
            let hint = "it may be a login or error page: open the URL in a browser";
            Err(Failure { fault: cannot_read(url).because(why).hint(hint), again: Again::Soon })
        }
        StatusCode::OK | StatusCode::PARTIAL_CONTENT => Ok(Answer::Found(response)),
        StatusCode::NOT_FOUND | StatusCode::GONE => Ok(Answer::Absent),
        _ => {
            let fault = cannot_read(url).because(format!("the server answered {status}"));
            let again = again(status, &response);
            Err(Failure { fault: hinted(fault, status), again })
        }
    }
}

/// A page for people where a file was asked for.
fn is_web_page(url: &Url, response: &Response) -> bool {
    let is_page = text(response, &CONTENT_TYPE).is_some_and(|kind| {
        let kind = kind.to_ascii_lowercase();
        kind.starts_with("text/html") || kind.starts_with("application/xhtml")
    });
    is_page && !url.path().ends_with(".html") && !url.path().ends_with(".htm")
}

fn again(status: StatusCode, response: &Response) -> Again {
    // RFC 9110, 10.2.3. It may also be a date, which no server of releases sends; the
    // ordinary wait serves then.
    let asked = text(response, &RETRY_AFTER)
        .and_then(|seconds| seconds.trim().parse().ok())
        .map(Duration::from_secs);
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => {
            Again::Later(asked)
        }
        // How some hosts say "too many requests".
        StatusCode::FORBIDDEN if asked.is_some() => Again::Later(asked),
        StatusCode::NOT_IMPLEMENTED => Again::Never,
        status if status.is_server_error() => Again::Later(asked),
        _ => Again::Never,
    }
}

fn hinted(fault: Fault, status: StatusCode) -> Fault {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            fault.hint("it wants a login, and forge has none for it")
        }
        StatusCode::FORBIDDEN => {
            fault.hint("it refuses access: may you read it, and is it limiting this address?")
        }
        StatusCode::TOO_MANY_REQUESTS => {
            fault.hint("too many requests came from this address: wait a little and run it again")
        }
        status if status.is_server_error() => {
            fault.hint("the server is in trouble: run it again later")
        }
        _ => fault,
    }
}

/// A header's text, if it is there and is text.
pub(super) fn text<'a>(response: &'a Response, name: &HeaderName) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// The cause that no other cause is beneath. The outer ones only say "error" in more words.
fn innermost(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| Error::source(*cause));
    causes.last().map_or_else(|| error.to_string(), ToString::to_string)
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f32())
}

#[cfg(test)]
mod tests {
    use super::{
        super::testing::{Server, reply, settings},
        *,
    };

    async fn get(url: &str) -> Result<Answer, Failure> {
        Client::new(&settings()).exchange(Method::GET, &Url::parse(url).unwrap(), &[]).await
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
        assert!(matches!(answer, Answer::Found(response) if response.status() == 200));
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
    async fn redirects_in_a_circle_come_to_an_end() {
        let server = Server::scripted(&[("302 Found\nLocation: /again?signed=1", "")]).await;
        let failure = get(&server.url).await.err().unwrap();
        let told = failure.fault.to_string();
        let end = format!("more than 10 times, in the end to {}/again", server.url);
        assert!(told.ends_with(&end), "{told}");
        assert_eq!((server.requests().len(), failure.again), (11, Again::Never));
    }

    #[tokio::test]
    async fn a_redirect_to_nowhere_is_explained() {
        for (head, why) in [
            ("302 Found", "without saying where it has moved"),
            ("302 Found\nLocation: ftp://example.org/", "it redirects to a `ftp:` URL"),
            ("302 Found\nLocation: http://", "it redirects to what is no URL"),
        ] {
            let server = Server::start(move |_, _| reply(head, b"")).await;
            let fault = get(&server.url).await.err().unwrap().fault;
            assert!(fault.to_string().contains(why), "{fault}");
        }
    }

    #[test]
    fn https_is_never_left_for_http() {
        let response = |location: &str| {
            let builder = axum::http::Response::builder().status(302).header("location", location);
            Response::from(builder.body("").unwrap())
        };
        let from = Url::parse("https://example.org/a").unwrap();
        let why = redirect(&from, &response("http://example.org/b?signed=1")).unwrap_err();
        assert!(why.contains("unprotected http (http://example.org/b)"), "{why}");
        let next = redirect(&from, &response("//example.com/b")).unwrap().unwrap();
        assert_eq!(next.as_str(), "https://example.com/b");
    }

    #[test]
    fn certificates_are_only_read_when_https_is_spoken() {
        let client = Client::new(&settings());
        assert!(client.of(&Url::parse("http://127.0.0.1").unwrap()).is_ok());
        assert!(client.secure.get().is_none());
    }
}
