//! The client against a server that does as it is told.

use std::time::Duration;

use super::*;
use crate::{
    model::{
        Sha256,
        oci::{self, Annotations, Descriptor, ImageManifest},
    },
    store::{
        Login, Logins, Published, RegistryLogin, RegistrySecret, Tempo,
        testing::{ScriptedReply, Server, digest, reply, settings},
    },
};

#[derive(Debug)]
struct Known;

#[async_trait::async_trait]
impl Logins for Known {
    async fn login(&self, _: &str) -> Option<Login> {
        None
    }

    async fn registry(&self, _: &str, _: &str) -> Result<Option<RegistryLogin>, Fault> {
        let secret = RegistrySecret::Password { user: "me".into(), password: "pass:word".into() };
        Ok(Some(RegistryLogin { secret, source: "the tests".into() }))
    }
}

fn quick() -> StoreSettings {
    let tempo = Tempo {
        settling: Duration::from_millis(60),
        look: Duration::from_millis(5),
        ..Tempo::default()
    };
    StoreSettings { tempo: Some(tempo), ..settings() }
}

fn repository(server: &Server) -> ImageRepository {
    format!("{}/acme/api", server.url.trim_start_matches("http://")).parse().unwrap()
}

fn manifest() -> ManifestUpload {
    let manifest = ImageManifest::new(Descriptor::empty(), Vec::new(), Annotations::new());
    ManifestUpload::new(manifest.to_json(), oci::MANIFEST)
}

fn json(status: &str, body: &str) -> ScriptedReply {
    let head = format!(
        "{status}\nContent-Type: application/json\nContent-Length: {}\nConnection: close",
        body.len()
    );
    reply(&head, body.as_bytes())
}

fn absent() -> ScriptedReply {
    json("404 Not Found", r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"unknown"}]}"#)
}

fn found(manifest: &ManifestUpload) -> ScriptedReply {
    let head = format!(
        "200 OK\nContent-Type: {}\nContent-Length: {}\nConnection: close",
        manifest.media_type,
        manifest.bytes.len()
    );
    reply(&head, &manifest.bytes)
}

fn created() -> ScriptedReply {
    reply("201 Created\nContent-Length: 0\nConnection: close", b"")
}

#[tokio::test]
async fn only_what_a_registry_itself_calls_absent_is_absent() {
    for (status, body, is_absent) in [
        ("404 Not Found", r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#, true),
        ("404 Not Found", r#"{"errors":[{"code":"NAME_UNKNOWN","message":"x"}]}"#, true),
        (
            "404 Not Found",
            r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"OCI index found, but Accept header does not support OCI indexes"}]}"#,
            false,
        ),
        ("404 Not Found", "<html>", false),
        ("404 Not Found", r#"{"errors":[{"code":"DENIED"}]}"#, false),
        ("401 Unauthorized", "", false),
        ("403 Forbidden", r#"{"errors":[{"code":"DENIED"}]}"#, false),
        ("200 OK", "<html>", false),
        ("500 Internal Server Error", "", false),
    ] {
        let body = body.to_owned();
        let server = Server::start(move |_, _| json(status, &body)).await;
        let image = repository(&server).tagged("v1");
        let told = Registries::new(&quick()).manifest(&image).await;
        assert_eq!(told.as_ref().is_ok_and(Option::is_none), is_absent, "{status} {told:?}");
        assert!(server.requests()[0].contains(&format!("\naccept: {}\r", oci::ACCEPT)));
        if let Err(fault) = told {
            assert!(fault.what.ends_with("/acme/api:v1"), "{fault}");
        }
    }
}

#[tokio::test]
async fn a_token_is_asked_for_once_and_renewed_once() {
    let server = Server::start(|number, request| {
        let url = request.split_once("\nhost: ").unwrap().1.lines().next().unwrap().to_owned();
        let challenge = format!(
            "401 Unauthorized\nWWW-Authenticate: Bearer realm=\"http://{url}/token\",service=\"s, t\",\
             scope=\"repository:acme/api:pull\"\nContent-Length: 0\nConnection: close"
        );
        match request {
            token if token.starts_with("get /token?") => {
                json("200 OK", &format!(r#"{{"token":"t{number}","expires_in":300}}"#))
            }
            asked if asked.contains("authorization: bearer t1\r") && number > 3 => {
                reply(&challenge, b"")
            }
            asked if asked.contains("authorization: bearer ") => found(&manifest()),
            _ => reply(&challenge, b""),
        }
    })
    .await;
    let registries = Registries::new(&StoreSettings { logins: Arc::new(Known), ..quick() });
    let image = repository(&server).tagged("v1");
    for _ in 0..3 {
        assert!(registries.manifest(&image).await.unwrap().is_some());
    }
    let asked: Vec<_> =
        server.requests().iter().map(|it| it.lines().next().unwrap().to_owned()).collect();
    let manifest = "get /v2/acme/api/manifests/v1 http/1.1";
    let token = "get /token?service=s%2c+t&scope=repository%3aacme%2fapi%3apull http/1.1";
    assert_eq!(asked, [manifest, token, manifest, manifest, manifest, token, manifest]);
    assert!(server.requests()[1].contains("authorization: basic bwu6cgfzczp3b3jk\r"));
}

#[tokio::test]
async fn a_tag_is_never_put_over_another() {
    let other = ManifestUpload::new(
        ImageManifest::new(
            Descriptor::new(oci::EMPTY, Sha256([7; 32]), 1),
            Vec::new(),
            Annotations::new(),
        )
        .to_json(),
        oci::MANIFEST,
    );
    let theirs = other.digest();
    for (replies, expected, puts) in [
        ("own", Published::Identical, 0),
        ("other", Published::Conflict { theirs }, 0),
        ("absent put own", Published::Created, 1),
        ("absent put absent absent own", Published::Created, 1),
        ("absent put other", Published::Conflict { theirs }, 1),
        ("absent immutable own", Published::Identical, 1),
        ("absent immutable other", Published::Conflict { theirs }, 1),
        ("absent cut own", Published::Identical, 1),
        ("absent html absent put own", Published::Created, 2),
        ("absent put absent", Published::Created, 1),
    ] {
        let script: Vec<_> = replies.split(' ').map(str::to_owned).collect();
        let other = other.clone();
        let server =
            Server::start(move |number, _| match script[number.min(script.len() - 1)].as_str() {
                "own" => found(&manifest()),
                "other" => found(&other),
                "put" => created(),
                "cut" => ScriptedReply::Close(Vec::new()),
                "html" => {
                    reply("502 Bad Gateway\nContent-Type: text/html\nContent-Length: 6", b"<html>")
                }
                "immutable" => json(
                    "400 Bad Request",
                    r#"{"errors":[{"code":"TAG_INVALID","message":"the tag is immutable"}]}"#,
                ),
                _ => absent(),
            })
            .await;
        let registries = Registries::new(&quick());
        let told = registries.put_tag(&repository(&server), "v1", &manifest()).await;
        assert_eq!(told.as_ref(), Ok(&expected), "{replies}");
        let sent = server.requests().iter().filter(|it| it.starts_with("put ")).count();
        assert_eq!(sent, puts, "{replies}");
    }
}

#[tokio::test]
async fn an_upload_elsewhere_sees_no_login() {
    let elsewhere = Server::start(|_, _| created()).await;
    let to = elsewhere.url.replace("127.0.0.1", "localhost");
    let server = Server::start(move |number, _| match number {
        0 => reply(
            "401 Unauthorized\nWWW-Authenticate: Basic\nContent-Length: 0\nConnection: close",
            b"",
        ),
        1 => reply("404 Not Found\nConnection: close\nContent-Length: 0", b""),
        _ => reply(
            &format!(
                "202 Accepted\nLocation: {to}/up?_state=a%2Fb\nContent-Length: 0\nConnection: close"
            ),
            b"",
        ),
    })
    .await;
    let registries = Registries::new(&StoreSettings { logins: Arc::new(Known), ..quick() });
    let blob = Descriptor::new(oci::LAYER_GZIP, digest(b"layer"), 5);
    let upload = BlobUpload { blob, source: BlobSource::Bytes("layer".into()) };
    let outcome = registries.put_blob(&repository(&server), &upload).await.unwrap();
    assert_eq!(outcome, BlobOutcome::Sent);
    assert!(server.requests()[2].contains("authorization: basic "));
    let sent = &elsewhere.requests()[0];
    assert!(sent.starts_with("put /up?_state=a%2fb&digest=sha256%3a"), "{sent}");
    assert!(!sent.contains("authorization") && sent.ends_with("\r\n\r\nlayer"), "{sent}");
    assert!(sent.contains("content-length: 5\r"), "{sent}");
}

#[tokio::test]
async fn what_lies_is_refused() {
    let server = Server::start(|_, _| found(&manifest())).await;
    let registries = Registries::new(&quick());
    let image = repository(&server).at(Sha256([1; 32]));
    let fault = registries.manifest(&image).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Verification, "{fault}");
    let blob = Descriptor::new(oci::CONFIG, Sha256([1; 32]), 2);
    let fault = registries.small_blob(&repository(&server), &blob).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Verification, "{fault}");
}

#[tokio::test]
async fn tags_are_listed_to_the_end() {
    let page = |from: usize, count: usize| {
        let tags: Vec<_> = (from..from + count).map(|at| format!("\"t{at:05}\"")).collect();
        format!("{{\"name\":\"x\",\"tags\":[{}]}}", tags.join(","))
    };
    let server = Server::start(move |number, _| match number {
        0 => json("200 OK\nLink: </v2/acme/api/tags/list?n=2&last=b>; rel=\"next\"", &page(0, 2)),
        1 => json("200 OK\nLink: <http://evil.org/v2/x>; rel=\"next\"", &page(2, 1000)),
        2 => json("200 OK", &page(1002, 1)),
        _ => json("200 OK", "{\"tags\":null}"),
    })
    .await;
    let registries = Registries::new(&quick());
    assert_eq!(registries.tags(&repository(&server)).await.unwrap().len(), 1003);
    assert!(server.requests()[2].starts_with("get /v2/acme/api/tags/list?n=1000&last=t01001 "));
    assert!(registries.tags(&repository(&server)).await.unwrap().is_empty());
}
