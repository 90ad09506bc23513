//! Runs a case: a copy of its folder, a home of its own, and nothing else of the environment.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read, Write},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Map, Value};

use super::case::{Case, Outcome, words};
use crate::support::{Server, copy_tree, sha256};

/// What counts: the recording, or what the Task in `FORGE_TASK` does now.
pub fn expected(case: &Case) -> Vec<Outcome> {
    match std::env::var_os("FORGE_TASK") {
        None => case.recorded(),
        Some(task) => {
            let task = PathBuf::from(task);
            Place::new(case, &task, |args| args).observe(case)
        }
    }
}

/// What forge does.
pub fn forge(case: &Case) -> Vec<Outcome> {
    let forge = Path::new(env!("CARGO_BIN_EXE_forge"));
    Place::new(case, forge, arguments).observe(case)
}

/// What Task is told, as forge is told it: the same, behind `run --taskfile`.
fn arguments(args: Vec<String>) -> Vec<String> {
    let head = ["run", "--taskfile", "."].map(str::to_owned);
    head.into_iter().chain(args).collect()
}

type Telling = fn(Vec<String>) -> Vec<String>;

/// A copy of a case.
struct Place {
    base: tempfile::TempDir,
    tool: PathBuf,
    telling: Telling,
    server: Option<Server>,
    start: BTreeMap<String, String>,
}

impl Place {
    fn new(case: &Case, tool: &Path, telling: Telling) -> Self {
        let base = tempfile::Builder::new().prefix("corpus-").tempdir().expect("a folder");
        let (work, bin) = (base.path().join("work"), base.path().join("bin"));
        copy_tree(&case.folder, &work);
        for own in ["case.yml", "expected.json"] {
            fs::remove_file(work.join(own)).expect("a file of the corpus");
        }
        fs::create_dir_all(base.path().join("home")).expect("a home");
        fs::create_dir_all(&bin).expect("a folder");
        let is_forge = tool.file_name().is_some_and(|name| name == "forge");
        let words = if is_forge { "run --taskfile ." } else { "" };
        let script = format!("#!/bin/sh\nexec {} {words} \"$@\"\n", tool.display());
        fs::write(bin.join("task"), script).expect("a script");
        fs::set_permissions(bin.join("task"), fs::Permissions::from_mode(0o755)).expect("a script");
        let server = case.serve.then(|| Server::serve(&work));
        let start = digests(&work);
        Self { base, tool: tool.to_owned(), telling, server, start }
    }

    fn work(&self) -> PathBuf {
        self.base.path().join("work")
    }

    fn observe(&self, case: &Case) -> Vec<Outcome> {
        case.runs.iter().map(|run| self.one(run)).collect()
    }

    fn one(&self, run: &Map<String, Value>) -> Outcome {
        for line in words(&run.get("before").cloned().unwrap_or_default()) {
            // It fails where an earlier run differed, which is told then.
            let mut sh = self.program(Path::new("/bin/sh"));
            let _ =
                sh.args(["-eu", "-c", &line]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        }
        let mut command = self.program(&self.tool);
        command
            .args((self.telling)(words(&run["args"])))
            .current_dir(self.work().join(run.get("cwd").and_then(Value::as_str).unwrap_or(".")));
        for (name, value) in run.get("env").and_then(Value::as_object).into_iter().flatten() {
            command.env(name, value.as_str().unwrap_or_default());
        }
        let stdin = run.get("stdin").and_then(Value::as_str);
        command.stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().expect("the tool");
        if let (Some(text), Some(mut pipe)) = (stdin, child.stdin.take()) {
            let _ = pipe.write_all(text.as_bytes());
        }
        let (exit, stdout, stderr) = self.follow(child, run);
        let after = digests(&self.work());
        let plain = |bytes: Vec<u8>| -> Vec<String> {
            self.plain(&bytes).lines().map(str::to_owned).collect()
        };
        let mut stdout = plain(stdout);
        if run.contains_key("steps") {
            stdout.retain(|line| !line.starts_with("task: Signal received"));
        }
        let skips = words(&run.get("skip").cloned().unwrap_or_default());
        Outcome {
            exit,
            stdout: (!skips.contains(&"stdout".to_owned())).then_some(stdout),
            stderr: plain(stderr),
            files: after
                .iter()
                .filter(|(name, digest)| self.start.get(*name) != Some(digest))
                .map(|(n, d)| (n.clone(), d.clone()))
                .collect(),
            gone: self.start.keys().filter(|name| !after.contains_key(*name)).cloned().collect(),
        }
    }

    /// Waits for the end; meanwhile does what the case says when a line shows up.
    fn follow(&self, mut child: Child, run: &Map<String, Value>) -> (i64, Vec<u8>, Vec<u8>) {
        let steps = run.get("steps").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut steps = steps.into_iter().peekable();
        let (mut out, mut err) =
            (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
        let group = child.id().to_string();
        let errors = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = err.read_to_end(&mut bytes);
            bytes
        });
        let guard = Guard::over(&group);
        let mut seen = Vec::new();
        if steps.peek().is_none() {
            let _ = out.read_to_end(&mut seen);
        } else {
            let mut lines = BufReader::new(out);
            let mut line = Vec::new();
            while lines.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
                let is_seen = |step: &Value| {
                    String::from_utf8_lossy(&line)
                        .contains(step["see"].as_str().unwrap_or_default())
                };
                if let Some(step) = steps.next_if(is_seen) {
                    std::thread::sleep(Duration::from_secs_f64(
                        step["after"].as_f64().unwrap_or(0.0),
                    ));
                    self.act(step["do"].as_str().unwrap_or_default(), &group);
                }
                seen.append(&mut line);
            }
        }
        let status = child.wait().expect("an end");
        drop(guard);
        let exit = status.code().map_or_else(
            || -i64::from(std::os::unix::process::ExitStatusExt::signal(&status).unwrap_or(0)),
            i64::from,
        );
        (exit, seen, errors.join().expect("no panic"))
    }

    fn act(&self, what: &str, group: &str) {
        let mut command = match what {
            "interrupt" => kill("INT", group),
            "kill" => kill("KILL", group),
            line => {
                let mut command = self.program(Path::new("/bin/sh"));
                command.args(["-eu", "-c", line]);
                command
            }
        };
        let _ = command.status();
    }

    fn program(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        let path =
            format!("{}:/usr/local/bin:/usr/bin:/bin", self.base.path().join("bin").display());
        command.env_clear().envs([
            ("PATH", path.as_str()),
            ("LC_ALL", "C"),
            ("TZ", "UTC"),
            ("NO_COLOR", "1"),
        ]);
        command.env("HOME", self.base.path().join("home")).current_dir(self.work());
        if let Some(server) = &self.server {
            command.env("CORPUS_URL", server.url().trim_end_matches('/'));
        }
        command
    }

    fn plain(&self, bytes: &[u8]) -> String {
        let mut text = String::new();
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
        }
        let base = self.base.path().display().to_string();
        let text = text
            .replace(&format!("{base}/work"), "<work>")
            .replace(&format!("{base}/home"), "<home>");
        match &self.server {
            Some(server) => text.replace(
                server.url().trim_end_matches('/').trim_start_matches("http://"),
                "<server>",
            ),
            None => text,
        }
    }
}

/// Ends a group that takes too long.
struct Guard(std::sync::mpsc::Sender<()>);

impl Guard {
    fn over(group: &str) -> Self {
        let (sender, receiver) = std::sync::mpsc::channel();
        let group = group.to_owned();
        std::thread::spawn(move || {
            let patience = Duration::from_secs(20);
            if receiver.recv_timeout(patience) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                let _ = kill("KILL", &group).status();
            }
        });
        Self(sender)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

fn kill(signal: &str, group: &str) -> Command {
    let mut command = Command::new("kill");
    command.args(["-s", signal, "--", &format!("-{group}")]);
    command
}

/// The SHA-256 of every file below, but for what the tools remember.
fn digests(work: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![work.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            if [".task", ".git", ".forge"].iter().any(|own| name == *own) {
                continue;
            }
            if path.is_dir() {
                // What a link leads to is found where it is.
                open.extend((!path.is_symlink()).then_some(path));
            } else if let Ok(bytes) = fs::read(&path) {
                let name = path.strip_prefix(work).unwrap_or(&path).display().to_string();
                found.insert(name, sha256(&bytes));
            }
        }
    }
    found
}
