//! What a command prints, read from its pipes until no process can write any more.

use std::{convert::Infallible, future::pending, time::Duration};

use tokio::{net::unix::pipe::Receiver, time::timeout};

use super::{
    group::Remains,
    output::{From, Output},
    runner::{Buffer, Shared},
};

/// The output of a command on its way.
pub struct Stream<'a> {
    shared: &'a Shared,
    /// Standard output, with which standard error comes if it has no pipe of its own; absent once
    /// no process may write there.
    pipes: [Option<Receiver>; 2],
    buffer: Buffer,
    output: Output<'a>,
}

impl<'a> Stream<'a> {
    /// What comes out of `pipes` goes to `output`.
    pub fn new(shared: &'a Shared, pipes: [Option<Receiver>; 2], output: Output<'a>) -> Self {
        Self { shared, pipes, buffer: shared.buffer(), output }
    }

    /// Reads to the end. Can be dropped and begun again at any time.
    async fn copy(&mut self) {
        let [output, errors] = &mut self.pipes;
        while output.is_some() || errors.is_some() {
            let (pipe, from) = tokio::select! {
                biased;
                () = readable(output.as_ref()) => (&mut *output, From::Output),
                () = readable(errors.as_ref()) => (&mut *errors, From::Errors),
            };
            let Some(open) = pipe else { continue };
            match open.try_read(&mut self.buffer) {
                Ok(0) => *pipe = None,
                Ok(count) => self.output.take(from, &self.buffer[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => *pipe = None,
            }
        }
    }

    /// Reads for as long as somebody waits.
    pub async fn flow(&mut self) -> Infallible {
        self.copy().await;
        pending().await
    }

    /// Reads to the end, at most for `time`. Returns whether the end was reached.
    pub async fn drain(&mut self, time: Duration) -> bool {
        timeout(time, self.copy()).await.is_ok()
    }

    /// Passes on the last lines, and tells what was left of the command.
    pub fn end(mut self, remains: Remains, stopped: bool) {
        self.output.finish();
        match remains {
            Remains::Ended if !stopped => self
                .output
                .note("it ended but left processes in the background; those were ended too"),
            Remains::Stuck => self.output.note(
                "processes it started cannot be killed; the system holds them (`ps` shows state D) \
                 or they belong to another user",
            ),
            Remains::Ended | Remains::Nothing => {}
        }
        self.shared.reuse(self.buffer);
    }
}

/// Waits until `pipe` has something to read, or is at its end; for ever if there is none.
async fn readable(pipe: Option<&Receiver>) {
    match pipe {
        // If waiting fails, so does reading, which is where it is told.
        Some(pipe) => drop(pipe.readable().await),
        None => pending().await,
    }
}
