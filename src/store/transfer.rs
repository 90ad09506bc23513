//! A download that survives being cut: it goes on where it stopped, as long as the file
//! is still the same one.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use reqwest::{
    Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_RANGE, LAST_MODIFIED, RANGE},
};

use super::{
    AssetStream, BrokenTransfer,
    answer::{Answer, text},
    call::Call,
    client::{Client, seconds},
    retry::{Again, Failure, Retry, retrying},
};
use crate::model::Fault;

/// Opens what `call` asks for, from its beginning. `None` is a confirmed absence.
pub(super) async fn open(client: Arc<Client>, call: Call) -> Result<Option<AssetStream>, Fault> {
    let first = retrying(&client.settings, || client.exchange(&call)).await?;
    let Answer::Found(response) = first else { return Ok(None) };
    let size = size(&response);
    let transfer = Transfer {
        size,
        version: version(&response),
        received: 0,
        skip: 0,
        fresh: 0,
        fresh_since: Instant::now(),
        retry: Retry::new(&client.settings),
        response: Some(response),
        client,
        call,
    };
    let bytes = stream::try_unfold(transfer, |mut transfer| async move {
        let piece = transfer.next().await?;
        Ok(piece.map(|piece| (piece, transfer)))
    });
    Ok(Some(AssetStream { size, bytes: bytes.boxed() }))
}

/// Bytes that count as progress. A server that takes a whole idle timeout for fewer might
/// as well be silent.
const PROGRESS: u64 = 1024;

/// A download under way.
struct Transfer {
    client: Arc<Client>,
    call: Call,
    /// Bytes in all, if the server said.
    size: Option<u64>,
    version: Option<String>,
    /// Bytes handed on.
    received: u64,
    /// Bytes that come again and were handed on already.
    skip: u64,
    /// Bytes that came since the last progress worth the name, and since when they come.
    fresh: u64,
    fresh_since: Instant,
    /// What is being read; nothing after a cut.
    response: Option<Response>,
    retry: Retry,
}

impl Transfer {
    /// The next piece; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, BrokenTransfer> {
        loop {
            let piece = match &mut self.response {
                Some(response) => {
                    response.chunk().await.map_err(|error| self.client.failure(&self.call, &error))
                }
                None => match self.resume().await {
                    Ok(()) => continue,
                    Err(failure) => Err(failure),
                },
            };
            let failure = match piece.and_then(|piece| self.advance(piece)) {
                Ok(Step::Piece(piece)) => return Ok(Some(piece)),
                Ok(Step::Seen) => continue,
                Ok(Step::End) => return Ok(None),
                Err(failure) => failure,
            };
            self.response = None;
            let only_from_start = failure.again == Again::FromStart;
            let failure = self.counted(failure);
            let fault = failure.fault.clone();
            self.retry.pause(failure).await?;
            if only_from_start {
                return Err(BrokenTransfer { fault, may_begin_again: true });
            }
        }
    }

    /// Takes what the server sent into account; nothing means it thinks it has sent all.
    fn advance(&mut self, piece: Option<Bytes>) -> Result<Step, Failure> {
        let Some(mut piece) = piece else {
            return match self.size {
                Some(size) if self.received < size => {
                    let fault = self.call.failed().because("the server stopped early");
                    Err(Failure { fault, again: Again::Later(None) })
                }
                _ => Ok(Step::End),
            };
        };
        let seen = self.skip.min(piece.len() as u64);
        self.skip -= seen;
        let piece = piece.split_off(seen as usize);
        if piece.is_empty() {
            return Ok(Step::Seen);
        }
        self.keep_pace(piece.len() as u64)?;
        self.received += piece.len() as u64;
        if self.size.is_some_and(|size| self.received > size) {
            return Err(Failure::never(
                self.call.failed().because("the server sends more than it said"),
            ));
        }
        Ok(Step::Piece(piece))
    }

    fn keep_pace(&mut self, bytes: u64) -> Result<(), Failure> {
        self.fresh += bytes;
        if self.fresh >= PROGRESS {
            (self.fresh, self.fresh_since) = (0, Instant::now());
            self.retry.progressed();
        } else if self.fresh_since.elapsed() > self.client.settings.idle_timeout {
            let why = format!(
                "the server sent only {} bytes in {}",
                self.fresh,
                seconds(self.fresh_since.elapsed())
            );
            let fault = self.call.failed().because(why);
            return Err(Failure { fault, again: Again::Later(None) });
        }
        Ok(())
    }

    /// Asks for what is missing.
    async fn resume(&mut self) -> Result<(), Failure> {
        let call = match &self.version {
            _ if self.received == 0 => self.call.clone(),
            Some(version) => {
                let rest = self.call.clone().with(RANGE, format!("bytes={}-", self.received));
                rest.with(IF_RANGE, version)
            }
            None => {
                let why = "the server gives neither ETag nor Last-Modified, so forge cannot go on \
                           where it was cut";
                return Err(self.from_start(why));
            }
        };
        let answer = self.client.exchange(&call).await?;
        let Answer::Found(response) = answer else {
            return Err(self.changed("it is not there any more"));
        };
        // An answer to a range may leave out what it was asked by.
        let version = version(&response).or_else(|| self.version.clone());
        let size = size(&response);
        let is_other_size = self.size.zip(size).is_some_and(|(old, new)| old != new);
        if version != self.version || is_other_size {
            return Err(self.changed("it is another file now"));
        }
        self.size = self.size.or(size);
        let skip = start(&response).and_then(|start| self.received.checked_sub(start));
        self.skip = skip.ok_or_else(|| self.changed("the server sends another part of it"))?;
        self.response = Some(response);
        (self.fresh, self.fresh_since) = (0, Instant::now());
        Ok(())
    }

    fn changed(&self, how: &str) -> Failure {
        let why = format!("while it was being downloaded it changed: {how}");
        self.from_start(&why)
    }

    fn from_start(&self, why: &str) -> Failure {
        let fault = self.call.failed().because(why).hint("run it again");
        Failure { fault, again: Again::FromStart }
    }

    fn counted(&self, mut failure: Failure) -> Failure {
        if self.received > 0 {
            let all = self.size.map(|size| format!(" of {size}")).unwrap_or_default();
            failure.fault =
                failure.fault.because(format!("{}{all} bytes had arrived", self.received));
        }
        failure
    }
}

/// What a piece from the server amounts to.
enum Step {
    /// Bytes to hand on.
    Piece(Bytes),
    /// Only bytes that were handed on before.
    Seen,
    /// All is there.
    End,
}

/// What tells one version of a file from another and may stand in `If-Range` (RFC 9110,
/// 13.1.5): a strong ETag, or else the time of the last change.
fn version(response: &Response) -> Option<String> {
    text(response, &ETAG)
        .filter(|tag| !tag.starts_with("W/"))
        .or_else(|| text(response, &LAST_MODIFIED))
        .map(str::to_owned)
}

/// Bytes of the whole file, whichever part of it was sent. Read from the header, since
/// the answer to a HEAD has a length and no body.
pub(super) fn size(response: &Response) -> Option<u64> {
    match response.status() {
        StatusCode::PARTIAL_CONTENT => range(response)?.1,
        _ => text(response, &CONTENT_LENGTH)?.parse().ok(),
    }
}

/// The first byte that is sent; nothing if it cannot be known.
fn start(response: &Response) -> Option<u64> {
    match response.status() {
        StatusCode::PARTIAL_CONTENT => Some(range(response)?.0),
        _ => Some(0),
    }
}

/// `Content-Range: bytes 100-199/200` (RFC 9110, 14.4): the first byte, and the size.
fn range(response: &Response) -> Option<(u64, Option<u64>)> {
    let (range, size) = text(response, &CONTENT_RANGE)?.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, size.parse().ok()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use reqwest::Url;

    use super::{
        super::{
            Fetcher, Settings,
            testing::{Reply, Server, all, noise, reply, settings},
        },
        *,
    };
    use crate::model::Kind;

    /// Downloads everything from `server`, whose first answer must be no absence.
    async fn download(server: &Server) -> Result<String, Fault> {
        let client = Arc::new(Client::new(&settings()));
        let url = Url::parse(&format!("{}/file?token=secret", server.url)).unwrap();
        let stream = open(client, Call::get(url)).await?.expect("it is there");
        Ok(String::from_utf8(all(stream).await?).unwrap())
    }

    const WHOLE: (&str, &str) = ("200 OK\nETag: \"1\"\nContent-Length: 10", "0123456789");
    const CUT: (&str, &str) = ("200 OK\nETag: \"1\"\nContent-Length: 10", "0123");

    #[tokio::test]
    async fn trouble_that_passes_is_waited_out() {
        let server = Server::scripted(&[
            ("503 Service Unavailable", ""),
            ("429 Too Many Requests\nRetry-After: 0", ""),
            ("403 Forbidden\nRetry-After: 0", ""),
            WHOLE,
        ])
        .await;
        assert_eq!(download(&server).await.unwrap(), "0123456789");
        assert_eq!(server.requests().len(), 4);
    }

    #[tokio::test]
    async fn trouble_that_stays_is_told_without_secrets() {
        let server = Server::scripted(&[("503 Service Unavailable", "")]).await;
        let fault = download(&server).await.unwrap_err();
        assert_eq!(server.requests().len(), 4);
        assert_eq!(fault.kind, Kind::Store);
        let told = format!(
            "cannot read {}/file: the server answered 503 Service Unavailable: \
                            given up after 4 attempts",
            server.url
        );
        assert_eq!(fault.to_string(), told);
    }

    #[tokio::test]
    async fn a_server_that_asks_for_an_hour_is_given_up_at_once() {
        let server = Server::scripted(&[("429 Too Many Requests\nRetry-After: 3600", "")]).await;
        let fault = download(&server).await.unwrap_err();
        assert!(fault.to_string().ends_with("asks to wait for 3600 s"), "{fault}");
        assert_eq!(server.requests().len(), 1);
    }

    #[tokio::test]
    async fn a_cut_transfer_goes_on_where_it_stopped() {
        let rest =
            "206 Partial Content\nETag: \"1\"\nContent-Range: bytes 4-9/10\nContent-Length: 6";
        for (second, body) in [
            (rest, "456789"),
            // An answer to `If-Range` may leave the ETag out.
            ("206 Partial Content\nContent-Range: bytes 4-9/10\nContent-Length: 6", "456789"),
            // More than was asked for.
            ("206 Partial Content\nContent-Range: bytes 2-9/10\nContent-Length: 8", "23456789"),
            // No ranges here, but the same file.
            WHOLE,
        ] {
            let server = Server::start(move |number, _| match number {
                0 => reply(CUT.0, CUT.1.as_bytes()),
                1 => reply("503 Service Unavailable", b""),
                _ => reply(second, body.as_bytes()),
            })
            .await;
            assert_eq!(download(&server).await.unwrap(), "0123456789");
            let requests = server.requests();
            assert!(!requests[0].contains("range:"));
            assert!(requests[2].contains("\nrange: bytes=4-\r\n"), "{}", requests[2]);
            assert!(requests[2].contains("\nif-range: \"1\"\r\n"), "{}", requests[2]);
        }
    }

    #[tokio::test]
    async fn the_time_of_the_last_change_serves_where_there_is_no_strong_etag() {
        let server = Server::start(|_, request| {
            let (status, body) = if request.contains("if-range: mon, 01 jan") {
                ("206 Partial Content\nContent-Range: bytes 4-9/10", "456789")
            } else {
                ("200 OK\nContent-Length: 10", "0123")
            };
            let head =
                format!("{status}\nETag: W/\"1\"\nLast-Modified: Mon, 01 Jan 2024 00:00:00 GMT");
            reply(&head, body.as_bytes())
        })
        .await;
        assert_eq!(download(&server).await.unwrap(), "0123456789");
    }

    /// Answers to a transfer that was cut, after which forge cannot go on.
    const OTHERS: [(&str, &str); 7] = [
        ("200 OK\nETag: \"2\"\nContent-Length: 10", "abcdefghij"),
        ("200 OK\nETag: \"1\"\nContent-Length: 11", "0123456789a"),
        ("206 Partial Content\nETag: \"2\"\nContent-Range: bytes 4-9/10", "efghij"),
        ("206 Partial Content\nETag: \"1\"\nContent-Range: bytes 4-10/11", "efghijk"),
        ("206 Partial Content\nETag: \"1\"\nContent-Range: bytes 6-9/10", "6789"),
        ("416 Range Not Satisfiable\nContent-Range: bytes */3", ""),
        ("404 Not Found", ""),
    ];

    #[tokio::test]
    async fn a_file_that_changes_meanwhile_is_not_patched_together() {
        for (second, body) in OTHERS {
            let server = Server::start(move |number, _| {
                let (head, body) = if number == 0 { CUT } else { (second, body) };
                reply(head, body.as_bytes())
            })
            .await;
            let client = Arc::new(Client::new(&settings()));
            let url = Url::parse(&server.url).unwrap();
            let mut stream = open(client, Call::get(url)).await.unwrap().unwrap().bytes;
            let mut came = Vec::new();
            let broken = loop {
                match stream.next().await.unwrap() {
                    Ok(piece) => came.extend_from_slice(&piece),
                    Err(broken) => break broken,
                }
            };
            assert!(broken.may_begin_again, "{second}: {}", broken.fault);
            assert_eq!((came.as_slice(), server.requests().len()), (&b"0123"[..], 2));
        }
    }

    #[tokio::test]
    async fn what_cannot_go_on_begins_again_and_is_of_one_version() {
        const CHUNKED: &str = "200 OK\nTransfer-Encoding: chunked";
        for (first, second, whole) in [
            // Neither a version nor a length.
            (
                (CHUNKED, "4\r\n0123\r\n"),
                (CHUNKED, "4\r\n0123\r\n4\r\n4567\r\n0\r\n\r\n"),
                "01234567",
            ),
            (
                ("200 OK\nContent-Length: 10", "0123"),
                ("200 OK\nContent-Length: 10", "0123456789"),
                "0123456789",
            ),
            (CUT, OTHERS[0], "abcdefghij"),
            (CUT, OTHERS[1], "0123456789a"),
        ] {
            let server = Server::start(move |number, request| {
                // The answer to a range is the other file as well.
                let (head, body) = if number == 0 { first } else { second };
                assert!(number < 2 || !request.contains("\nrange:"), "{request}");
                reply(head, body.as_bytes())
            })
            .await;
            let text = Fetcher::new(&settings()).get_text(&server.url, 99).await.unwrap();
            assert_eq!(text.as_deref(), Some(whole));
        }
    }

    #[tokio::test]
    async fn a_range_that_is_refused_is_no_end() {
        let server = Server::start(|_, request| match request.contains("\nrange:") {
            true => reply("416 Range Not Satisfiable\nContent-Length: 0", b""),
            false => reply(CUT.0, CUT.1.as_bytes()),
        })
        .await;
        let fault = Fetcher::new(&settings()).get_text(&server.url, 99).await.unwrap_err();
        assert!(fault.to_string().contains("416"), "{fault}");
        assert!(fault.to_string().ends_with("it broke 5 times"), "{fault}");
        assert_eq!(server.requests().len(), 10);
    }

    #[tokio::test]
    async fn a_length_that_is_known_only_later_is_no_change() {
        let server = Server::start(|number, _| match number {
            0 => reply("200 OK\nETag: \"1\"\nTransfer-Encoding: chunked", b"4\r\n0123\r\n"),
            _ => reply("206 Partial Content\nETag: \"1\"\nContent-Range: bytes 4-9/10", b"456789"),
        })
        .await;
        assert_eq!(download(&server).await.unwrap(), "0123456789");
    }

    #[tokio::test]
    async fn a_cut_file_without_a_version_cannot_go_on() {
        let server = Server::scripted(&[("200 OK\nContent-Length: 10", "0123")]).await;
        let fault = Fetcher::new(&settings()).get_text(&server.url, 99).await.unwrap_err();
        let told = fault.to_string();
        assert!(told.contains("neither ETag nor Last-Modified"), "{told}");
        assert!(told.ends_with("4 of 10 bytes had arrived: it broke 5 times"), "{told}");
        assert_eq!(server.requests().len(), 5);
    }

    #[tokio::test]
    async fn a_file_that_always_ends_early_is_given_up() {
        let server = Server::start(|number, _| match number {
            0 => reply(CUT.0, CUT.1.as_bytes()),
            _ => reply("206 Partial Content\nContent-Range: bytes 4-9/10\nContent-Length: 6", b""),
        })
        .await;
        let fault = download(&server).await.unwrap_err();
        let told = fault.to_string();
        assert!(told.contains("the connection broke: "), "{told}");
        assert!(told.ends_with("4 of 10 bytes had arrived: given up after 4 attempts"), "{told}");
    }

    #[tokio::test]
    async fn a_part_that_is_shorter_than_asked_for_is_no_end() {
        let server = Server::start(|number, _| match number {
            0 => reply(CUT.0, CUT.1.as_bytes()),
            1 => {
                reply("206 Partial Content\nContent-Range: bytes 4-5/10\nContent-Length: 2", b"45")
            }
            _ => reply(
                "206 Partial Content\nContent-Range: bytes 6-9/10\nContent-Length: 4",
                b"6789",
            ),
        })
        .await;
        assert_eq!(download(&server).await.unwrap(), "0123456789");
    }

    #[tokio::test]
    async fn a_server_that_falls_silent_in_the_middle_is_asked_again() {
        let server = Server::start(|number, _| match number {
            0 => Reply::FallSilent(
                b"HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: 10\r\n\r\n0123".into(),
            ),
            _ => reply(WHOLE.0, WHOLE.1.as_bytes()),
        })
        .await;
        let impatient = Settings { idle_timeout: Duration::from_millis(200), ..settings() };
        let url = Url::parse(&server.url).unwrap();
        let stream =
            open(Arc::new(Client::new(&impatient)), Call::get(url)).await.unwrap().unwrap();
        assert_eq!(all(stream).await.unwrap(), b"0123456789");
    }

    #[tokio::test]
    async fn a_trickle_is_given_up() {
        let server = Server::start(|_, request| {
            let from: usize = request
                .split_once("bytes=")
                .map_or(0, |(_, r)| r.split_once('-').unwrap().0.parse().unwrap());
            let status = match from {
                0 => "200 OK".into(),
                _ => format!("206 Partial Content\r\nContent-Range: bytes {from}-999/1000"),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nETag: \"1\"\r\nContent-Length: {}\r\n\r\n",
                1000 - from
            );
            Reply::Trickle(head.into(), Duration::from_millis(10))
        })
        .await;
        let impatient =
            Settings { idle_timeout: Duration::from_millis(50), attempts: 2, ..settings() };
        let url = Url::parse(&server.url).unwrap();
        let stream =
            open(Arc::new(Client::new(&impatient)), Call::get(url)).await.unwrap().unwrap();
        let fault = all(stream).await.unwrap_err();
        assert!(
            fault.to_string().contains("of 1000 bytes had arrived: given up after 2"),
            "{fault}"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn however_it_is_cut_the_bytes_are_the_same(
            size in 1..300_000_usize,
            pieces in prop::collection::vec(0..100_000_usize, 0..12),
            has_ranges: bool,
        ) {
            let file = noise(size);
            let served = file.clone();
            let answer = move |number: usize, request: &str| {
                let asked = request.split_once("\nrange: bytes=").filter(|_| has_ranges);
                let from: usize = asked.map_or(0, |(_, rest)| rest.split_once('-').unwrap().0.parse().unwrap());
                let sent = pieces.get(number).map_or(size, |piece| (from + piece).min(size));
                let status = if asked.is_some() {
                    format!("206 Partial Content\nContent-Range: bytes {from}-{}/{size}", size - 1)
                } else {
                    "200 OK".into()
                };
                let head = format!("{status}\nETag: \"x\"\nContent-Length: {}", size - from);
                reply(&head, &served[from..sent])
            };
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let received = runtime.block_on(async {
                let server = Server::start(answer).await;
                let patient = Settings { attempts: 20, backoff: Duration::ZERO, ..settings() };
                let url = Url::parse(&server.url).unwrap();
                all(open(Arc::new(Client::new(&patient)), Call::get(url)).await.unwrap().unwrap()).await
            });
            prop_assert!(received.unwrap() == file);
        }
    }
}
