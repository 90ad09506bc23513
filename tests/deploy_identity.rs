//! The identity of a run, by OpenID Connect: a stand-in for the runner that gives tokens, and a real exchange
//! at moto.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    conformance::servers::Running,
    deploy_ci::shop,
    support::{Invocation, Sandbox, is_here},
};

/// What a runner of GitHub Actions has: an address that gives tokens to who shows its own.
struct TokenService {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

const BEARER: &str = "the-bearer-of-the-runner";
const SUBJECT: &str = "repo:acme/shop:environment:test";

/// The token that the service gives.
fn token() -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let claims = format!(r#"{{"sub":"{SUBJECT}","aud":"sts.amazonaws.com"}}"#);
    format!("{}.{}.{}", part(r#"{"alg":"RS256"}"#), part(&claims), part("signature"))
}

impl TokenService {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/token?api-version=2.0", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
                while !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
                    let read = stream.read(&mut buffer).unwrap();
                    bytes.extend_from_slice(&buffer[..read]);
                }
                let head = String::from_utf8_lossy(&bytes).into_owned();
                let is_allowed =
                    head.to_lowercase().contains(&format!("authorization: bearer {BEARER}"));
                kept.lock().unwrap().push(head.lines().next().unwrap().to_owned());
                let body = format!("{{\"count\":1,\"value\":\"{}\"}}", token());
                let (status, body) =
                    if is_allowed { ("200 OK", body) } else { ("401 No", String::new()) };
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        Self { url, asked }
    }

    fn runs(&self, forge: Invocation) -> Invocation {
        forge
            .env("ACTIONS_ID_TOKEN_REQUEST_URL", &self.url)
            .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", BEARER)
    }
}

/// All that the ledger and the logs of deployments hold.
fn written(sandbox: &Sandbox) -> String {
    let mut text = String::new();
    let mut folders = vec![sandbox.beside("data/deployments")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false => text += &String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap()),
            }
        }
    }
    text
}

const SHOWS: &str = "  run: echo \"id=$AWS_ACCESS_KEY_ID key=$AWS_SECRET_ACCESS_KEY session=$AWS_SESSION_TOKEN\" | tee told && env > {{ environment }}.env\n";

#[test]
fn a_role_of_aws_is_assumed_and_shown_nowhere() {
    if !is_here("moto_server") {
        return;
    }
    let arguments =
        |port: u16| vec!["-H".into(), "127.0.0.1".into(), "-p".into(), port.to_string()];
    let moto = Running::start("moto_server", "/".as_ref(), arguments);
    let service = TokenService::start();
    let role = "  oidc: { aws: 'arn:aws:iam::123456789012:role/deploy-{{ environment }}' }\n";
    let sandbox = shop("{ test: {} }", &format!("{SHOWS}{role}"));
    let run = service
        .runs(sandbox.forge("deploy test"))
        .env("AWS_ENDPOINT_URL_STS", format!("http://127.0.0.1:{}", moto.port))
        .env("AWS_REGION", "eu-central-1")
        .succeeds();
    let env = sandbox.read("test.env");
    let value = |name: &str| {
        let line = env.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
        line.unwrap_or_default().to_owned()
    };
    let (secret, session) = (value("AWS_SECRET_ACCESS_KEY"), value("AWS_SESSION_TOKEN"));
    assert!(value("AWS_ACCESS_KEY_ID").starts_with("ASIA"), "{env}");
    assert!(secret.len() > 20 && session.len() > 20, "{env}");
    assert_eq!(value("AWS_REGION"), "eu-central-1");
    assert!(!env.contains(BEARER) && !env.contains(&token()), "{env}");
    let all = format!("{run}{}", written(&sandbox));
    for hidden in [secret.as_str(), &session, &token(), BEARER] {
        assert!(!all.contains(hidden), "{hidden} in {all}");
    }
    run.says("key=*** session=***");
    let asked = service.asked.lock().unwrap();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].starts_with("GET /token?api-version=2.0&audience=sts.amazonaws.com "));
}

#[test]
fn a_token_is_handed_on_as_a_file_that_goes() {
    let service = TokenService::start();
    let oidc =
        "  oidc: { file: AZURE_FEDERATED_TOKEN_FILE, audience: 'api://AzureADTokenExchange' }\n";
    let run = "  run: cp $AZURE_FEDERATED_TOKEN_FILE token && cat token && echo $AZURE_FEDERATED_TOKEN_FILE > path && stat -c %a $AZURE_FEDERATED_TOKEN_FILE > mode\n";
    let sandbox = shop("{ test: {} }", &format!("{run}{oidc}"));
    let ran = service.runs(sandbox.forge("deploy test")).succeeds();
    assert_eq!(sandbox.read("token"), token());
    assert_eq!(sandbox.read("mode").trim(), "600");
    assert!(!std::path::Path::new(sandbox.read("path").trim()).exists());
    assert!(!format!("{ran}{}", written(&sandbox)).contains(&token()));
    let asked = service.asked.lock().unwrap()[0].clone();
    assert!(asked.contains("&audience=api%3A%2F%2FAzureADTokenExchange "), "{asked}");
    // As a job of GitLab has it.
    sandbox.write(
        "subsystems/api.yml",
        &sandbox.read("subsystems/api.yml").replace("oidc: {", "oidc: { token: AZURE_ID_TOKEN,"),
    );
    let gitlab = sandbox.forge("deploy test --force").env("AZURE_ID_TOKEN", "a.b.c-of-gitlab");
    gitlab.succeeds();
    assert_eq!(sandbox.read("token"), "a.b.c-of-gitlab");
}

#[test]
fn without_a_token_or_a_role_nothing_is_deployed() {
    let service = TokenService::start();
    let role = "  oidc: { aws: 'arn:aws:iam::123456789012:role/deploy' }\n";
    let sandbox = shop("{ test: {} }", &format!("{SHOWS}{role}"));
    let none = sandbox.forge("deploy test").exits(2);
    none.says("the runner gives none").says("id-token: write");
    let refused = service
        .runs(sandbox.forge("deploy test"))
        .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "another-bearer")
        .exits(5);
    refused.says("the runner gives no token for this run").says("it answers 401");
    // Something that is not AWS answers: the subject of the run is told, and the token is not.
    let other = service
        .runs(sandbox.forge("deploy test"))
        .env("AWS_ENDPOINT_URL_STS", service.url.replace("/token?api-version=2.0", "/"))
        .exits(5);
    other.says("AWS does not give the role").says(SUBJECT);
    assert!(!format!("{other}{}", written(&sandbox)).contains(&token()));
    assert!(!sandbox.path("told").exists());
}
