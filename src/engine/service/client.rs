//! Asks the supervisor: HTTP/1.0 over its Unix socket, one question per connection, so that the end of
//! an answer is the end of the connection. Nothing waits longer than it is told.

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use crate::model::{Fault, Kind};

/// The longest answer that is read.
const LONGEST: u64 = 64 << 20;

/// Asks the supervisor at `socket`, and returns the body of its answer.
///
/// # Errors
/// `Timeout` if there is none in time; `Failed` if there is nobody, or if the answer is a refusal.
pub fn ask(socket: &Path, method: &str, path: &str, patience: Duration) -> Result<Vec<u8>, Fault> {
    let answer = exchange(socket, method, path, patience).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            let what = format!("the supervisor did not answer within {} s", patience.as_secs());
            Fault::new(Kind::Timeout, what)
                .because(format!("it was asked to {method} {path}"))
                .hint("`forge down` ends it and all services, whatever it does")
        }
        _ => Fault::new(Kind::Failed, "cannot reach the supervisor of the services")
            .because(format!("{}: {error}", socket.display()))
            .hint("`forge down` ends what is left, `forge up` starts anew"),
    })?;
    let (status, body) = parse(&answer).ok_or_else(|| {
        Fault::new(Kind::Failed, "the supervisor of the services gave no HTTP answer")
    })?;
    if (200..300).contains(&status) {
        return Ok(body.to_vec());
    }
    let why = String::from_utf8_lossy(body);
    let what = format!("the supervisor of the services refused to {method} {path}");
    let fault = Fault::new(Kind::Failed, what).because(format!("status {status}: {}", why.trim()));
    Err(match status {
        404 => fault.hint("pin Process Compose at v1.46.0 or later"),
        _ => fault,
    })
}

fn exchange(socket: &Path, method: &str, path: &str, patience: Duration) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    let question = format!("{method} {path} HTTP/1.0\r\nhost: forge\r\ncontent-length: 0\r\n\r\n");
    stream.write_all(question.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer)?;
    Ok(answer)
}

/// The status and the body of an answer.
fn parse(answer: &[u8]) -> Option<(u16, &[u8])> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, &answer[end + 4..]))
}

#[cfg(test)]
mod tests {
    use std::{os::unix::net::UnixListener, thread};

    use super::*;

    /// A supervisor that gives one answer, or none.
    fn answering(answer: Option<&'static str>) -> Result<Vec<u8>, Fault> {
        let temp = tempfile::tempdir().unwrap();
        let socket = temp.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // The question, which is sent in one piece.
            let _ = stream.read(&mut [0; 512]).unwrap();
            match answer {
                Some(answer) => stream.write_all(answer.as_bytes()).unwrap(),
                None => {
                    // Until the other side has had enough.
                    let _ = stream.read_to_end(&mut Vec::new());
                }
            }
        });
        let result = ask(&socket, "GET", "/processes", Duration::from_millis(50));
        server.join().unwrap();
        result
    }

    #[test]
    fn answers_refusals_and_silence_are_told_apart() {
        assert_eq!(answering(Some("HTTP/1.0 200 OK\r\na: b\r\n\r\n{}")), Ok(b"{}".to_vec()));
        let refused = answering(Some("HTTP/1.0 400 Bad Request\r\n\r\nno such process"));
        assert!(refused.unwrap_err().to_string().ends_with("status 400: no such process"));
        assert_eq!(answering(Some("rubbish")).unwrap_err().kind, Kind::Failed);
        assert_eq!(answering(None).unwrap_err().kind, Kind::Timeout);
        let nobody = ask(Path::new("/nowhere"), "GET", "/", Duration::from_secs(1));
        assert_eq!(nobody.unwrap_err().kind, Kind::Failed);
    }
}
