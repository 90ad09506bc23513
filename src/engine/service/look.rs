//! Looks whether a service is ready: what the supervisor starts from time to time is a script, and
//! that starts forge with a hidden argument. One look tries again and again for as long as it may take,
//! so that who waits for a service hears of it at once and not with the next look.

use std::{
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    os::unix::process::CommandExt,
    process::{Command, ExitCode, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};

use super::{
    ServicePaths,
    configuration::{ServiceStart, quoted},
};
use crate::{
    cache::write_state,
    model::Fault,
    workspace::{Probe, Readiness},
};

/// The hidden first argument with which forge looks.
pub const ARGUMENT: &str = "--forge-look";

/// From try to try within one look: hardly anything, and much for a command.
const TRY: Duration = Duration::from_millis(20);
const TRY_COMMAND: Duration = Duration::from_millis(200);
/// How much of the head of an answer is read.
const HEAD: u64 = 1024;

/// Writes the script that looks whether the service is ready.
pub fn write_script(
    home: &ServicePaths,
    start: &ServiceStart,
    ready: &Readiness,
) -> Result<(), Fault> {
    let script = home.ready_script(start.name);
    let fault = |e: io::Error| Fault::io(format!("cannot write {}", script.display()), &e);
    let forge = std::env::current_exe().map_err(fault)?;
    let text = script_text(home, start, ready, &forge.display().to_string());
    write_state(home.layout(), &script, text.as_bytes())
}

fn script_text(
    home: &ServicePaths,
    start: &ServiceStart,
    ready: &Readiness,
    forge: &str,
) -> String {
    let root = home.layout().root();
    let dir = &start.service.dir;
    let dir = dir.as_ref().map_or(root.to_owned(), |dir| root.join(dir.expand(start.places)));
    let mut text =
        format!("# Whether {} is ready.\ncd {}\n", start.name, quoted(&dir.display().to_string()));
    for (name, value) in &start.service.env {
        let value = quoted(&value.expand(start.places));
        let path = if name == "PATH" { "\"${PATH%%:*}\":" } else { "" };
        text.push_str(&format!("export {name}={path}{value}\n"));
    }
    text.push_str(&start.prologue());
    let words = match &ready.probe {
        Probe::Tcp { host, port } => vec!["tcp".into(), host.clone(), port.to_string()],
        Probe::Http { host, port, path } => {
            vec!["http".into(), host.clone(), port.to_string(), path.clone()]
        }
        Probe::Run(line) => vec!["run".into(), line.expand_in_shell(start.places)],
    };
    let words: Vec<_> = words.iter().map(|word| quoted(word)).collect();
    let seconds = ready.timeout.as_secs();
    text + &format!("exec {} {ARGUMENT} {seconds} {}\n", quoted(forge), words.join(" "))
}

/// One look: exits with 0 if the service is ready. `words` are those after [`ARGUMENT`].
pub fn main(words: &[String]) -> ExitCode {
    let is_ready = match words {
        [seconds, rest @ ..] => {
            let seconds = seconds.parse().unwrap_or(1);
            is_ready_within(Duration::from_secs(seconds), rest)
        }
        [] => false,
    };
    if is_ready { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn is_ready_within(patience: Duration, words: &[String]) -> bool {
    let deadline = Instant::now() + patience;
    let pause = if words.first().is_some_and(|kind| kind == "run") { TRY_COMMAND } else { TRY };
    loop {
        if holds(words, deadline) {
            return true;
        }
        if Instant::now() + pause > deadline {
            return false;
        }
        sleep(pause);
    }
}

fn holds(words: &[String], deadline: Instant) -> bool {
    match words {
        [kind, host, port] if kind == "tcp" => {
            port.parse().is_ok_and(|port| connect(host, port, deadline).is_some())
        }
        [kind, host, port, path] if kind == "http" => {
            let status = port.parse().ok().and_then(|port| status(host, port, path, deadline));
            status.is_some_and(|status| (200..400).contains(&status))
        }
        [kind, line] if kind == "run" => succeeds(line, deadline),
        _ => false,
    }
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}

fn connect(host: &str, port: u16, deadline: Instant) -> Option<TcpStream> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let mut addresses = (host, port).to_socket_addrs().ok()?;
    addresses.find_map(|address| TcpStream::connect_timeout(&address, left(deadline)).ok())
}

/// The status with which a server answers.
fn status(host: &str, port: u16, path: &str, deadline: Instant) -> Option<u16> {
    let mut stream = connect(host, port, deadline)?;
    stream.set_read_timeout(Some(left(deadline))).ok()?;
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: {host}:{port}\r\nuser-agent: forge\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).ok()?;
    let mut answer = Vec::new();
    // A server that says more than a head or breaks off has said enough.
    let _ = stream.take(HEAD).read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer);
    text.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()
}

/// Whether a command succeeds in time. All that it started ends with it.
fn succeeds(line: &str, deadline: Instant) -> bool {
    let mut command = Command::new("/bin/sh");
    command.args(["-eu", "-c", line]).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else { return false };
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let ended = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status.success(),
            Ok(None) if Instant::now() < deadline => sleep(Duration::from_millis(5)),
            _ => break false,
        }
    };
    if let Some(group) = group {
        // An error means that nobody is left.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
    ended
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;

    fn is_ready(millis: u64, words: &[&str]) -> bool {
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        is_ready_within(Duration::from_millis(millis), &words)
    }

    #[test]
    fn a_port_is_ready_while_somebody_listens() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        assert!(is_ready(500, &["tcp", "127.0.0.1", &port]));
        drop(listener);
        assert!(!is_ready(1, &["tcp", "127.0.0.1", &port]));
        assert!(!is_ready(1, &["tcp", "127.0.0.1", "x"]));
    }

    #[test]
    fn a_server_is_ready_when_it_answers_well() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let server = thread::spawn(move || {
            for status in ["503 No", "503 No", "204 Yes"] {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.read(&mut [0; 512]);
                let _ = write!(stream, "HTTP/1.1 {status}\r\n\r\n");
            }
        });
        assert!(is_ready(5000, &["http", "localhost", &port, "/healthz"]));
        server.join().unwrap();
    }

    #[test]
    fn a_command_is_tried_until_its_time_is_over() {
        assert!(is_ready(500, &["run", "true"]));
        assert!(!is_ready(1, &["run", "false"]));
        let began = Instant::now();
        assert!(!is_ready(50, &["run", "sleep 100"]));
        assert!(began.elapsed() < Duration::from_secs(10));
    }
}
