//! What a command prints, read from its pipes until no process can write any more.

use std::{convert::Infallible, future::pending, time::Duration};

use tokio::{net::unix::pipe::Receiver, task::yield_now, time::timeout};

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
        while self.pipes.iter().any(Option::is_some) {
            let [output, errors] = &self.pipes;
            tokio::select! {
                () = readable(output.as_ref()) => {}
                () = readable(errors.as_ref()) => {}
            }
            self.read(0, From::Output);
            self.read(1, From::Errors);
            // In a flood there is always something to read: whoever watches beside this has a turn now.
            yield_now().await;
        }
    }

    /// Takes what the pipe `at` holds now, as far as the buffer has room.
    fn read(&mut self, at: usize, from: From) {
        let Some(pipe) = &self.pipes[at] else { return };
        match pipe.try_read(&mut self.buffer) {
            Ok(0) => self.pipes[at] = None,
            Ok(count) => self.output.take(from, &self.buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => self.pipes[at] = None,
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
