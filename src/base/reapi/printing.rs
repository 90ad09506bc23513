//! What an action prints while it runs, from servers that pass it on: they name streams in what they say of an
//! operation. Whatever does not come that way comes with the result.

use bytes::Bytes;
use futures_util::{
    StreamExt, future,
    stream::{self, BoxStream, SelectAll},
};
use reapi_protocol::{google::bytestream::ReadRequest, reapi};

use super::Connection;

/// The most of a line that is waited for, in bytes.
const MOST_OF_A_LINE: usize = 1 << 20;

/// Takes lines that an action prints, and whether each is of its standard error.
pub type PrintedSink<'a> = &'a (dyn Fn(&str, bool) + Sync);

/// The streams of one execution.
pub(super) struct PrintedStreams<'a> {
    sink: Option<PrintedSink<'a>>,
    streams: SelectAll<BoxStream<'static, (usize, Bytes)>>,
    /// The names of those that are read.
    names: [String; 2],
    /// What came of a line that is not whole yet.
    pending: [Vec<u8>; 2],
    /// How many bytes of each were passed on.
    passed: [usize; 2],
}

impl<'a> PrintedStreams<'a> {
    pub(super) fn new(sink: Option<PrintedSink<'a>>) -> Self {
        Self {
            sink,
            streams: SelectAll::new(),
            names: Default::default(),
            pending: Default::default(),
            passed: [0; 2],
        }
    }

    /// Begins to read what `metadata` names and is not read yet.
    pub(super) fn follow(
        &mut self,
        connection: &Connection,
        metadata: &reapi::ExecuteOperationMetadata,
    ) {
        if self.sink.is_none() {
            return;
        }
        let named = [&metadata.stdout_stream_name, &metadata.stderr_stream_name];
        for (which, name) in named.into_iter().enumerate() {
            if name.is_empty() || self.names[which] == *name {
                continue;
            }
            self.names[which].clone_from(name);
            self.pending[which].clear();
            self.passed[which] = 0;
            let request = ReadRequest { resource_name: name.clone(), ..ReadRequest::default() };
            let (mut client, request) =
                (connection.waiting_bytestream(), connection.request(request));
            let opened = stream::once(async move { client.read(request).await });
            let pieces = opened.flat_map(|opened| match opened {
                Ok(answer) => answer.into_inner().boxed(),
                Err(_) => stream::empty().boxed(),
            });
            // What breaks off is told with the result.
            let pieces = pieces.take_while(|piece| future::ready(piece.is_ok()));
            let pieces = pieces
                .filter_map(move |piece| future::ready(piece.ok().map(|it| (which, it.data))));
            self.streams.push(pieces.boxed());
        }
    }

    /// Passes on the lines that come next; never if none is to come.
    pub(super) async fn pass_on(&mut self) {
        let Some((which, bytes)) = self.streams.next().await else {
            return std::future::pending().await;
        };
        let pending = &mut self.pending[which];
        pending.extend_from_slice(&bytes);
        let whole = match pending.iter().rposition(|byte| *byte == b'\n') {
            Some(at) => at + 1,
            // Whoever ends no line does not fill this machine.
            None if pending.len() > MOST_OF_A_LINE => pending.len(),
            None => 0,
        };
        let text: Vec<u8> = pending.drain(..whole).collect();
        self.passed[which] += text.len();
        if let Some(sink) = self.sink {
            for line in String::from_utf8_lossy(&text).lines() {
                sink(line, which == 1);
            }
        }
    }

    /// How many bytes of standard output and standard error were passed on.
    pub(super) fn passed(&self) -> [usize; 2] {
        self.passed
    }
}
