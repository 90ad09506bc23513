//! Downloads that are cut, at every place and by servers of every kind.

use std::time::Duration;

use proptest::prelude::*;
use reqwest::Url;

use super::{
    super::{
        Fetcher, StoreSettings,
        testing::{ScriptedReply, Server, all, noise, reply, settings},
    },
    *,
};
use crate::model::Kind;

/// Downloads everything from `server`, whose first answer must be no absence.
async fn download(server: &Server) -> Result<String, Fault> {
    let client = Arc::new(Client::new(&settings()));
    let url = Url::parse(&format!("{}/file?token=secret", server.url)).unwrap();
    let stream = open(client, ApiRequest::get(url)).await?.expect("it is there");
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
    let rest = "206 Partial Content\nETag: \"1\"\nContent-Range: bytes 4-9/10\nContent-Length: 6";
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
        let head = format!("{status}\nETag: W/\"1\"\nLast-Modified: Mon, 01 Jan 2024 00:00:00 GMT");
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
        let mut stream = open(client, ApiRequest::get(url)).await.unwrap().unwrap().bytes;
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
        ((CHUNKED, "4\r\n0123\r\n"), (CHUNKED, "4\r\n0123\r\n4\r\n4567\r\n0\r\n\r\n"), "01234567"),
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
async fn whatever_refuses_a_range_what_is_whole_is_taken() {
    for refusal in [
        "304 Not Modified",
        "400 Bad Request",
        "403 Forbidden",
        "405 Method Not Allowed",
        "412 Precondition Failed",
        "416 Range Not Satisfiable",
        "501 Not Implemented",
    ] {
        let server = Server::start(move |number, request| match number {
            _ if request.contains("\nrange:") => reply(refusal, b""),
            0 => reply(CUT.0, CUT.1.as_bytes()),
            _ => reply(WHOLE.0, WHOLE.1.as_bytes()),
        })
        .await;
        let text = Fetcher::new(&settings()).get_text(&server.url, 99).await;
        assert_eq!(text.unwrap().as_deref(), Some(WHOLE.1), "{refusal}");
        assert_eq!(server.requests().len(), 3, "{refusal}");
        // And if it is never whole, that ends.
        let server = Server::start(move |_, request| match request.contains("\nrange:") {
            true => reply(refusal, b""),
            false => reply(CUT.0, CUT.1.as_bytes()),
        })
        .await;
        let fault = Fetcher::new(&settings()).get_text(&server.url, 99).await.unwrap_err();
        assert!(fault.to_string().ends_with("it broke 5 times"), "{refusal}: {fault}");
    }
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
        1 => reply("206 Partial Content\nContent-Range: bytes 4-5/10\nContent-Length: 2", b"45"),
        _ => reply("206 Partial Content\nContent-Range: bytes 6-9/10\nContent-Length: 4", b"6789"),
    })
    .await;
    assert_eq!(download(&server).await.unwrap(), "0123456789");
}

#[tokio::test]
async fn a_server_that_falls_silent_in_the_middle_is_asked_again() {
    let server = Server::start(|number, _| match number {
        0 => ScriptedReply::FallSilent(
            b"HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: 10\r\n\r\n0123".into(),
        ),
        _ => reply(WHOLE.0, WHOLE.1.as_bytes()),
    })
    .await;
    let impatient = StoreSettings { idle_timeout: Duration::from_millis(200), ..settings() };
    let url = Url::parse(&server.url).unwrap();
    let stream =
        open(Arc::new(Client::new(&impatient)), ApiRequest::get(url)).await.unwrap().unwrap();
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
        let head =
            format!("HTTP/1.1 {status}\r\nETag: \"1\"\r\nContent-Length: {}\r\n\r\n", 1000 - from);
        ScriptedReply::Trickle(head.into(), Duration::from_millis(10))
    })
    .await;
    let impatient =
        StoreSettings { idle_timeout: Duration::from_millis(50), attempts: 2, ..settings() };
    let url = Url::parse(&server.url).unwrap();
    let stream =
        open(Arc::new(Client::new(&impatient)), ApiRequest::get(url)).await.unwrap().unwrap();
    let fault = all(stream).await.unwrap_err();
    assert!(fault.to_string().contains("of 1000 bytes had arrived: given up after 2"), "{fault}");
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
            let patient = StoreSettings { attempts: 20, backoff: Duration::ZERO, ..settings() };
            let url = Url::parse(&server.url).unwrap();
            all(open(Arc::new(Client::new(&patient)), ApiRequest::get(url)).await.unwrap().unwrap()).await
        });
        prop_assert!(received.unwrap() == file);
    }
}
