//! A `forge serve` for a test, and how it is asked over HTTP.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::{Value, json};

use super::{Invocation, Sandbox, wait_until};

/// A server in the workspace of `sandbox`.
pub struct Serving {
    pub child: Child,
    pub port: u16,
    said: Arc<Mutex<String>>,
}

impl Serving {
    pub fn begin(sandbox: &Sandbox, words: &str) -> Self {
        Self::with(sandbox, words, &[])
    }

    /// One in another checkout.
    pub fn within(sandbox: &Sandbox, folder: &Path, words: &str) -> Self {
        let forge = sandbox.forge(&format!("serve --listen 127.0.0.1:0 {words}"));
        Self::start(forge.within(folder), &[])
    }

    pub fn with(sandbox: &Sandbox, words: &str, variables: &[(&str, &str)]) -> Self {
        let port = if words.contains("--listen") { "" } else { "--listen 127.0.0.1:0" };
        Self::start(sandbox.forge(&format!("serve {port} {words}")), variables)
    }

    fn start(mut forge: Invocation, variables: &[(&str, &str)]) -> Self {
        forge.command().envs(variables.iter().copied()).stderr(Stdio::piped());
        let mut child = forge.command().spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = String::new();
        let port = loop {
            let Some(Ok(line)) = lines.next() else { panic!("it does not serve: {said}") };
            said += &format!("{line}\n");
            if let Some((_, rest)) = line.split_once("grpc://127.0.0.1:") {
                break rest.split(' ').next().unwrap().parse().unwrap();
            }
        };
        let said = Arc::new(Mutex::new(said));
        let heard = said.clone();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                *heard.lock().unwrap() += &format!("{line}\n");
            }
        });
        Self { child, port, said }
    }

    /// What it said so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The address, as `--server` takes it.
    pub fn address(&self) -> String {
        format!("grpc://127.0.0.1:{}", self.port)
    }

    pub fn signal(&mut self, signal: &str) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }

    pub fn get(&self, path: &str) -> Value {
        curl(&[&self.url(path)]).1
    }

    pub fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        curl(&["-d", &body.to_string(), &self.url(path)])
    }

    /// Asks for a deployment, and returns its number.
    pub fn ask(&self, body: &Value) -> u64 {
        let (status, answer) = self.post("/v1/deployments", body);
        assert_eq!(status, 200, "{answer}");
        answer["deployment"]["id"].as_u64().unwrap()
    }

    pub fn state(&self, id: u64) -> String {
        let found = self.get(&format!("/v1/deployments/{id}"));
        found["deployment"]["state"].as_str().unwrap_or_default().to_owned()
    }

    pub fn ends(&self, id: u64, state: &str) -> Value {
        wait_until(&format!("{id} is {state}"), || self.state(id) == state);
        self.get(&format!("/v1/deployments/{id}"))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What curl gets: the status, and the answer as JSON.
pub fn curl(arguments: &[&str]) -> (u16, Value) {
    let all = ["-sS", "-m", "20", "-w", "\n%{http_code}"];
    let output = Command::new("curl").args(all).args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap_or_default();
    let value = serde_json::from_str(body).unwrap_or_else(|_| json!(body));
    (status.parse().unwrap_or_default(), value)
}
