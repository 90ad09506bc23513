//! forge at a terminal of its own.

use std::process::Command;

use super::Invocation;

const SCRIPT: &str = r#"
import fcntl, os, pty, struct, sys, termios
columns, cue, typed = int(sys.argv[1]), sys.argv[2].encode(), sys.argv[3].encode()
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    os.execv(sys.argv[4], sys.argv[4:])
shown = b""
while True:
    try:
        data = os.read(fd, 4096)
    except OSError:
        break
    if not data:
        break
    shown += data
    if typed and cue in shown:
        os.write(fd, typed)
        typed = b""
sys.stdout.write(shown.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;

/// Runs forge at a terminal with this many columns: types `typed` when `cue` was shown, and tells what was
/// shown and the exit code.
pub fn at_a_terminal(mut forge: Invocation, columns: u16, cue: &str, typed: &str) -> (String, i32) {
    let forge = forge.command();
    let mut python = Command::new("python3");
    python.args(["-c", SCRIPT, &columns.to_string(), cue, typed]);
    python.arg(forge.get_program()).args(forge.get_args());
    python.current_dir(forge.get_current_dir().expect("a folder"));
    for (name, value) in forge.get_envs() {
        match value {
            Some(value) => python.env(name, value),
            None => python.env_remove(name),
        };
    }
    let output = python.output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    (shown + &String::from_utf8_lossy(&output.stderr), output.status.code().unwrap())
}
