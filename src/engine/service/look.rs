//! Looks whether a service is ready: what the supervisor starts from time to time is a script, and
//! that starts forge with a hidden argument. One look tries again and again for as long as it may take,
//! so that who waits for a service hears of it at once and not with the next look.

use std::{
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, ExitCode, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::{
    fs::{OFlags, fcntl_setfl},
    process::{Pid, Signal, kill_process_group},
};

use super::{
    ServicePaths,
    configuration::{ServiceStart, quoted},
};
use crate::{
    cache::write_state,
    disk::Folder,
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
/// How much of what a command prints is kept, in bytes.
const SAID: usize = 4096;

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
    let seen = quoted(&home.seen(start.name).display().to_string());
    text + &format!("exec {} {ARGUMENT} {seconds} {seen} {}\n", quoted(forge), words.join(" "))
}

/// One look: exits with 0 if the service is ready. `words` are those after [`ARGUMENT`].
pub fn main(words: &[String]) -> ExitCode {
    let is_ready = match words {
        [seconds, seen, rest @ ..] => {
            let patience = Duration::from_secs(seconds.parse().unwrap_or(1));
            is_ready_within(patience, rest, &mut Sightings::new(Path::new(seen)))
        }
        _ => false,
    };
    if is_ready { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What was seen of a service that is not ready, kept in a file for who waits for it.
struct Sightings<'a> {
    file: &'a Path,
    last: String,
}

impl<'a> Sightings<'a> {
    fn new(file: &'a Path) -> Self {
        Self { file, last: String::new() }
    }

    /// Keeps `seen`, if it is not what is kept already. That it cannot be kept changes nothing.
    fn keep(&mut self, seen: String) {
        if seen == self.last {
            return;
        }
        if let (Some(folder), Some(name)) = (self.file.parent(), self.file.file_name())
            && let Ok(folder) = Folder::open(folder)
        {
            let _ = folder.replace(Path::new(name), seen.as_bytes(), Path::new(""), false);
        }
        self.last = seen;
    }
}

fn is_ready_within(patience: Duration, words: &[String], sightings: &mut Sightings) -> bool {
    let deadline = Instant::now() + patience;
    let pause = if words.first().is_some_and(|kind| kind == "run") { TRY_COMMAND } else { TRY };
    loop {
        match probe(words, deadline) {
            Ok(()) => return true,
            Err(seen) => sightings.keep(seen),
        }
        if Instant::now() + pause > deadline {
            return false;
        }
        sleep(pause);
    }
}

/// Tries once.
///
/// # Errors
/// With what was seen instead.
fn probe(words: &[String], deadline: Instant) -> Result<(), String> {
    let number = |port: &str| port.parse().map_err(|_| format!("`{port}` is not a port"));
    match words {
        [kind, host, port] if kind == "tcp" => connect(host, number(port)?, deadline).map(drop),
        [kind, host, port, path] if kind == "http" => {
            match status(host, number(port)?, path, deadline)? {
                200..400 => Ok(()),
                status => Err(format!("status {status} from http://{host}:{port}{path}")),
            }
        }
        [kind, line] if kind == "run" => succeed(line, deadline),
        _ => Err("nothing to look at".into()),
    }
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}

fn connect(host: &str, port: u16, deadline: Instant) -> Result<TcpStream, String> {
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let why = |error: io::Error| match error.kind() {
        io::ErrorKind::ConnectionRefused => format!("connection refused at {host}:{port}"),
        io::ErrorKind::TimedOut => format!("no answer from {host}:{port} in time"),
        _ => format!("{host}:{port}: {error}"),
    };
    let mut last = format!("`{host}` has no address");
    for address in (name, port).to_socket_addrs().map_err(why)? {
        match TcpStream::connect_timeout(&address, left(deadline)) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = why(error),
        }
    }
    Err(last)
}

/// The status with which a server answers.
fn status(host: &str, port: u16, path: &str, deadline: Instant) -> Result<u16, String> {
    let mut stream = connect(host, port, deadline)?;
    let none = |why: &str| format!("no HTTP answer from http://{host}:{port}{path}{why}");
    let broken = |error: io::Error| none(&format!(": {error}"));
    stream.set_read_timeout(Some(left(deadline))).map_err(broken)?;
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: {host}:{port}\r\nuser-agent: forge\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).map_err(broken)?;
    let mut answer = Vec::new();
    // A server that says more than a head or breaks off has said enough.
    let _ = stream.take(HEAD).read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer);
    let status = text.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1)?.parse().ok());
    status.ok_or_else(|| none(if answer.is_empty() { ": it said nothing" } else { "" }))
}

/// Lets a command succeed in time. All that it started ends with it.
fn succeed(line: &str, deadline: Instant) -> Result<(), String> {
    let cannot = |error: io::Error| format!("`{line}` cannot be started: {error}");
    let (mut reader, writer) = io::pipe().map_err(cannot)?;
    // Whoever leaves the group may hold the pipe: nothing waits for its end.
    fcntl_setfl(&reader, OFlags::NONBLOCK).map_err(|error| cannot(error.into()))?;
    let mut command = Command::new("/bin/sh");
    command.args(["-eu", "-c", line]).process_group(0).stdin(Stdio::null());
    command.stdout(writer.try_clone().map_err(cannot)?).stderr(writer);
    let mut child = command.spawn().map_err(cannot)?;
    // It holds the other end of the pipe.
    drop(command);
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let mut said = Vec::new();
    let ended = loop {
        let status = child.try_wait();
        drain(&mut reader, &mut said);
        match status {
            Ok(Some(status)) => break Some(status),
            Ok(None) if Instant::now() < deadline => sleep(Duration::from_millis(5)),
            _ => break None,
        }
    };
    if let Some(group) = group {
        // An error means that nobody is left.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
    let what = match ended {
        Some(status) if status.success() => return Ok(()),
        Some(status) => match status.code() {
            Some(code) => format!("`{line}` exited with code {code}"),
            None => format!("`{line}` was killed"),
        },
        None => format!("`{line}` did not end in time"),
    };
    let said = String::from_utf8_lossy(&said);
    Err(match said.lines().rfind(|line| !line.trim().is_empty()) {
        Some(last) => format!("{what}: {}", last.trim()),
        None => what,
    })
}

/// Reads what is there, and keeps the end of all.
fn drain(reader: &mut impl Read, said: &mut Vec<u8>) {
    let mut piece = [0; 4096];
    while let Ok(count @ 1..) = reader.read(&mut piece) {
        said.extend_from_slice(&piece[..count]);
        said.drain(..said.len().saturating_sub(SAID));
    }
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;

    /// What is seen last; nothing, if it becomes ready.
    fn last_seen(millis: u64, words: &[&str]) -> Option<String> {
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("seen");
        let ready =
            is_ready_within(Duration::from_millis(millis), &words, &mut Sightings::new(&file));
        if ready { None } else { std::fs::read_to_string(file).ok() }
    }

    #[test]
    fn a_port_is_ready_while_somebody_listens() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        assert_eq!(last_seen(500, &["tcp", "127.0.0.1", &port]), None);
        drop(listener);
        let seen = format!("connection refused at 127.0.0.1:{port}");
        assert_eq!(last_seen(1, &["tcp", "127.0.0.1", &port]), Some(seen));
        assert_eq!(last_seen(1, &["tcp", "127.0.0.1", "x"]), Some("`x` is not a port".into()));
    }

    #[test]
    fn a_server_is_ready_when_it_answers_well() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let server = thread::spawn(move || {
            for status in ["503 No", "503 No", "204 Yes", "500 No"] {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.read(&mut [0; 512]);
                let _ = write!(stream, "HTTP/1.1 {status}\r\n\r\n");
            }
        });
        assert_eq!(last_seen(5000, &["http", "localhost", &port, "/healthz"]), None);
        let seen = format!("status 500 from http://localhost:{port}/x");
        assert_eq!(last_seen(1, &["http", "localhost", &port, "/x"]), Some(seen));
        server.join().unwrap();
    }

    #[test]
    fn a_command_is_tried_until_its_time_is_over() {
        assert_eq!(last_seen(500, &["run", "true"]), None);
        assert_eq!(
            last_seen(300, &["run", "echo no database; echo yet >&2; echo; exit 4"]).unwrap(),
            "`echo no database; echo yet >&2; echo; exit 4` exited with code 4: yet"
        );
        let began = Instant::now();
        assert_eq!(
            last_seen(50, &["run", "sleep 100"]).unwrap(),
            "`sleep 100` did not end in time"
        );
        // What is said beyond what a pipe holds stops nothing.
        assert_eq!(last_seen(5000, &["run", "head -c 300000 /dev/zero"]), None);
        assert!(began.elapsed() < Duration::from_secs(10));
    }
}
