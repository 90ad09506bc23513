//! The calls of `forge serve` as others make them: browsers by gRPC-Web, curl by what the API says of itself, and
//! people who do bad things.

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
};

use prost::Message;
use reapi_protocol::deploy as wire;
use serde_json::{Value, json};

use crate::{
    deployments::{PLAIN, next, released},
    serve::SLOW,
    support::{Serving, curl, wait_until},
};

/// A call by gRPC-Web, as a browser makes it: the messages of the answer, and what stands behind them.
fn by_web(server: &Serving, method: &str, message: &impl Message) -> (Vec<Vec<u8>>, String) {
    let bytes = message.encode_to_vec();
    let mut frame = vec![0];
    frame.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
    frame.extend(bytes);
    let url = server.url(&format!("/forge.deploy.v1.DeploymentService/{method}"));
    let mut curl = Command::new("curl")
        .args(["-sS", "-m", "20", "--http1.1", "--data-binary", "@-", "-H", "x-grpc-web: 1"])
        .args(["-H", "content-type: application/grpc-web+proto", &url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    curl.stdin.take().unwrap().write_all(&frame).unwrap();
    let answer = curl.wait_with_output().unwrap().stdout;
    let (mut messages, mut rest, mut trailers) = (Vec::new(), &answer[..], String::new());
    while let [kind, a, b, c, d, more @ ..] = rest {
        let (body, more) = more.split_at(u32::from_be_bytes([*a, *b, *c, *d]) as usize);
        match kind {
            0 => messages.push(body.to_vec()),
            _ => trailers = String::from_utf8(body.to_vec()).unwrap(),
        }
        rest = more;
    }
    (messages, trailers)
}

#[test]
fn a_browser_asks_by_grpc_web() {
    let sandbox = released(PLAIN);
    let server = Serving::begin(&sandbox, "");
    let asked = wire::DeployRequest {
        environment: "test".into(),
        name: "api".into(),
        ..wire::DeployRequest::default()
    };
    let (messages, trailers) = by_web(&server, "Deploy", &asked);
    let answer = wire::DeployResponse::decode(&messages[0][..]).unwrap().deployment.unwrap();
    assert_eq!((answer.id, answer.environment.as_str()), (1, "test"));
    assert!(trailers.contains("grpc-status:0"), "{trailers}");
    // Streams come as well.
    let (events, _) = by_web(&server, "Watch", &wire::WatchRequest { id: 1, from_offset: 0 });
    let last = wire::WatchResponse::decode(&events.last().unwrap()[..]).unwrap();
    let Some(wire::watch_response::Event::Deployment(last)) = last.event else {
        panic!("{last:?}")
    };
    assert_eq!(last.state(), wire::deployment::State::Succeeded);
    // What is wrong is said as gRPC says it.
    let wrong =
        wire::DeployRequest { environment: "tset".into(), ..wire::DeployRequest::default() };
    let (messages, trailers) = by_web(&server, "Deploy", &wrong);
    let all = format!("{trailers}{}", headers(&server, &wrong));
    assert!(messages.is_empty() && all.contains("grpc-status: 3"), "{all}");
}

/// The headers of the answer to a wrong call, which has no body.
fn headers(server: &Serving, message: &impl Message) -> String {
    let bytes = message.encode_to_vec();
    let mut frame = vec![0];
    frame.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
    frame.extend(bytes);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), frame).unwrap();
    let url = server.url("/forge.deploy.v1.DeploymentService/Deploy");
    let output = Command::new("curl")
        .args(["-sS", "-m", "20", "--http1.1", "-D", "-", "-o", "/dev/null"])
        .args(["-H", "content-type: application/grpc-web+proto", "-H", "x-grpc-web: 1"])
        .args(["--data-binary", &format!("@{}", file.path().display()), &url])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn each_path_of_the_openapi_document_answers_as_it_says() {
    let sandbox = released(PLAIN);
    let server = Serving::begin(&sandbox, "");
    let id = server.ask(&json!({ "environment": "test", "name": "api" }));
    server.ends(id, "SUCCEEDED");
    let api = sandbox.forge("schema api").succeeds().json();
    assert_eq!(api["openapi"], "3.1.0");
    let mut looked = 0;
    for (path, operations) in api["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let url = server.url(&path.replace("{id}", &id.to_string()));
            let mut words = vec!["-X".to_owned(), method.to_uppercase(), url];
            if operation.get("requestBody").is_some() {
                let body = json!({ "environment": "test", "name": "api" });
                let body = if path.ends_with("/retry") { json!({}) } else { body };
                words.extend(["-d".to_owned(), body.to_string()]);
            }
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let (status, answer) = curl(&words);
            // What succeeded is neither cancelled nor tried again, and there is nothing to go back to; anything else is
            // done.
            let is_refused = path.ends_with("/cancel") || path.ends_with("/retry");
            assert_eq!(status, if is_refused { 412 } else { 200 }, "{method} {path}: {answer}");
            let part = if is_refused { "default" } else { "200" };
            let content = operation["responses"][part]["content"].as_object().unwrap();
            let (kind, schema) = content.iter().next().unwrap();
            let values: Vec<Value> = match (kind.as_str(), &answer) {
                ("application/x-ndjson", Value::String(lines)) => {
                    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
                }
                ("application/x-ndjson", one) => vec![one.clone()],
                _ => vec![answer],
            };
            let schema = json!({ "allOf": [schema["schema"]], "components": api["components"] });
            let schema = jsonschema::draft202012::new(&schema).expect("a schema");
            for value in values.iter().filter(|_| kind == "application/json") {
                let errors: Vec<_> = schema.iter_errors(value).map(|it| it.to_string()).collect();
                assert!(errors.is_empty(), "{method} {path}: {errors:?}\n{value}");
            }
            looked += 1;
        }
    }
    assert_eq!(looked, 10);
}

#[test]
fn a_preview_shows_what_would_be_deployed_and_waits_for_nobody() {
    let mut sandbox = released(SLOW);
    let server = Serving::begin(&sandbox, "");
    let first = server.ask(&json!({ "environment": "test", "name": "api" }));
    wait_until("it began", || sandbox.path("began").exists());
    let (status, asked) =
        server.post("/v1/previews", &json!({ "environment": "test", "name": "api" }));
    assert_eq!((status, &asked["deployment"]["kind"]), (200, &json!("PREVIEW")), "{asked}");
    let ended = server.ends(asked["deployment"]["id"].as_u64().unwrap(), "SUCCEEDED");
    let document: Value = serde_json::from_str(ended["document"].as_str().unwrap()).unwrap();
    assert_eq!(document["would"][0]["version"], "v1", "{document}");
    assert_eq!(server.state(first), "RUNNING");
    sandbox.write("go", "");
    server.ends(first, "SUCCEEDED");
    next(&mut sandbox, "v2");
    let run =
        sandbox.forge(&format!("deploy test api --dry-run --json --server {}", server.address()));
    let document = run.succeeds().json();
    assert_eq!(document["would"][0]["version"], "v2", "{document}");
    assert_eq!(document["would"][0]["now"], "v1", "{document}");
    sandbox.forge(&format!("deployments --server {}", server.address())).succeeds().says("preview");
    // Nothing of it is in the ledger.
    assert_eq!(crate::deployments::last_states(&sandbox), ["succeeded"]);
}

#[test]
fn who_asks_too_much_or_goes_away_does_no_harm() {
    let sandbox = released(SLOW);
    let server = Serving::begin(&sandbox, "");
    let large = sandbox.path("large.json");
    let text = json!({ "environment": "test", "target": "x".repeat(10 << 20) }).to_string();
    std::fs::write(&large, text).unwrap();
    let body = format!("@{}", large.display());
    let (status, _) =
        curl(&["-H", "expect:", "--data-binary", &body, &server.url("/v1/deployments")]);
    assert_eq!(status, 413);
    for (path, status) in [
        ("/v1/deployments/x", 400),
        ("/v1/deployments/99", 404),
        ("/v1/deployments/4294967296", 400),
        ("/v1/deployments?state=odd", 400),
        ("/v1/deployments?page_token=odd", 400),
        ("/v1/deployments?colour=blue", 400),
        ("/v1/nothing", 404),
    ] {
        let (got, answer) = curl(&[&server.url(path)]);
        assert_eq!(got, status, "{path}: {answer}");
    }
    // Half a request, and then nothing more.
    let mut half = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    half.write_all(b"POST /v1/deployments HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
        .unwrap();
    let id = server.ask(&json!({ "environment": "test", "name": "api" }));
    wait_until("it began", || sandbox.path("began").exists());
    // A watcher that goes away in the middle.
    let mut watcher = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    write!(watcher, "GET /v1/deployments/{id}/watch HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut some = [0; 100];
    watcher.read_exact(&mut some).unwrap();
    drop((watcher, half));
    assert_eq!(server.state(id), "RUNNING");
    sandbox.write("go", "");
    server.ends(id, "SUCCEEDED");
    assert_eq!(server.get("/v1/deployments")["deployments"].as_array().unwrap().len(), 1);
}
