//! The plain bytes of an archive, to be taken in order, with a limit on how many there may be.
//!
//! A small archive is decoded where it is read. Once it proves large, decoding
//! goes on in a thread of its own, a few blocks ahead, while the caller hashes and writes:
//! these take about as long as inflating does.

use std::{
    io::Read,
    sync::mpsc::{self, Receiver, Sender},
    thread::{self, Scope, ScopedJoinHandle},
};

use super::{
    decoder::{Decoder, damaged, over_limit},
    input::PackedBytes,
};
use crate::model::{Fault, Kind};

/// How many plain bytes are decoded before a thread pays.
const SMALL: u64 = 2 << 20;

/// How many blocks wait for the caller at most.
const AHEAD: usize = 2;

/// The plain bytes of one archive.
pub(super) struct ArchiveStream<'scope, 'env, R: Read> {
    scope: &'scope Scope<'scope, 'env>,
    label: &'env str,
    limit: u64,
    source: StreamSource<'scope, R>,
    block: Vec<u8>,
    at: usize,
    decoded: u64,
    ended: bool,
}

enum StreamSource<'scope, R: Read> {
    Here(Box<Decoder<R>>),
    Thread(Thread<'scope, R>),
    /// Only while a thread is being started, or after that failed.
    Gone,
}

struct Thread<'scope, R: Read> {
    blocks: Receiver<Result<Vec<u8>, Fault>>,
    used: Sender<Vec<u8>>,
    handle: ScopedJoinHandle<'scope, Box<Decoder<R>>>,
}

impl<'scope, 'env, R: Read + Send + 'env> ArchiveStream<'scope, 'env, R> {
    /// What `decoder` makes, but no more than `limit` bytes.
    pub(super) fn new(
        scope: &'scope Scope<'scope, 'env>,
        decoder: Decoder<R>,
        label: &'env str,
        limit: u64,
    ) -> Self {
        let source = StreamSource::Here(Box::new(decoder));
        Self { scope, label, limit, source, block: Vec::new(), at: 0, decoded: 0, ended: false }
    }

    /// The bytes that are at hand; none at the end.
    pub(super) fn fill(&mut self) -> Result<&[u8], Fault> {
        if self.at == self.block.len() && !self.ended {
            self.next_block()?;
        }
        Ok(&self.block[self.at..])
    }

    /// Passes the next `count` bytes to `sink`, piece by piece; `what` names them should
    /// they not all be there.
    pub(super) fn pass(
        &mut self,
        mut count: u64,
        what: &str,
        mut sink: impl FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        while count > 0 {
            let label = self.label;
            let bytes = self.fill()?;
            if bytes.is_empty() {
                return Err(damaged(label, format!("it ends in the middle of {what}")));
            }
            let piece = bytes.len().min(usize::try_from(count).unwrap_or(usize::MAX));
            sink(&bytes[..piece])?;
            self.take(piece);
            count -= piece as u64;
        }
        Ok(())
    }

    /// Takes `count` of the bytes that [`ArchiveStream::fill`] showed.
    pub(super) fn take(&mut self, count: usize) {
        self.at = self.block.len().min(self.at + count);
    }

    /// Digest and size of the packed bytes, at the end.
    pub(super) fn finish(mut self) -> Result<PackedBytes, Fault> {
        let packed = match std::mem::replace(&mut self.source, StreamSource::Gone) {
            StreamSource::Here(decoder) => decoder.finish(),
            StreamSource::Thread(thread) => join(thread).finish(),
            StreamSource::Gone => None,
        };
        packed.ok_or_else(|| self.broken())
    }

    fn next_block(&mut self) -> Result<(), Fault> {
        if self.decoded >= SMALL && matches!(self.source, StreamSource::Here(_)) {
            self.start_thread()?;
        }
        self.at = 0;
        match &mut self.source {
            StreamSource::Here(decoder) => decoder.next(&mut self.block)?,
            StreamSource::Thread(thread) => {
                // The thread may have come to the end; then nobody takes the used block.
                let _ = thread.used.send(std::mem::take(&mut self.block));
                match thread.blocks.recv() {
                    Ok(block) => self.block = block?,
                    Err(_) => return Err(self.broken()),
                }
            }
            StreamSource::Gone => return Err(self.broken()),
        }
        self.ended = self.block.is_empty();
        self.decoded += self.block.len() as u64;
        if self.decoded > self.limit { Err(too_large(self.label, self.limit)) } else { Ok(()) }
    }

    fn start_thread(&mut self) -> Result<(), Fault> {
        let StreamSource::Here(mut decoder) =
            std::mem::replace(&mut self.source, StreamSource::Gone)
        else {
            return Ok(());
        };
        let (filled, blocks) = mpsc::sync_channel(AHEAD);
        let (used, empty) = mpsc::channel::<Vec<u8>>();
        let decode = move || {
            loop {
                let mut block = empty.try_recv().unwrap_or_default();
                let result = decoder.next(&mut block);
                let last = result.is_err() || block.is_empty();
                // A closed channel means that the caller gave up.
                if filled.send(result.map(|()| block)).is_err() || last {
                    return decoder;
                }
            }
        };
        let handle = thread::Builder::new()
            .name("unpack".to_owned())
            .spawn_scoped(self.scope, decode)
            .map_err(|error| Fault::io(format!("cannot unpack {}", self.label), &error))?;
        self.source = StreamSource::Thread(Thread { blocks, used, handle });
        Ok(())
    }

    fn broken(&self) -> Fault {
        Fault::new(Kind::Failed, format!("unpacking {} broke off", self.label))
    }
}

fn join<R: Read>(thread: Thread<'_, R>) -> Box<Decoder<R>> {
    let Thread { blocks, used, handle } = thread;
    drop((blocks, used));
    handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// An archive that holds more than it may.
pub(super) fn too_large(label: &str, limit: u64) -> Fault {
    let why = format!("it unpacks to more than {} MiB", limit >> 20);
    over_limit(label, why)
}
