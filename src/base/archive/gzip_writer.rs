//! Compresses a stream into gzip members on all cores, in order, with bounded memory.

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    sync::mpsc::{self, Receiver, TryRecvError},
};

use super::gzip::{BLOCK, Block};

/// No more blocks than this are in work at once, however many cores there are: each takes
/// about 3 MiB.
const MOST_BLOCKS: usize = 64;

/// Compresses the `size` bytes of `reader` into `writer`, a member per block.
///
/// The calling thread reads, and writes (and hashes, if that is what `writer` does) in
/// order, while rayon's threads compress. If all fits into one block, it
/// is compressed here and now: handing it over would take longer.
///
/// # Errors
/// Those of `reader` and `writer`.
pub(super) fn write(reader: &mut impl Read, size: u64, writer: &mut impl Write) -> io::Result<()> {
    if size <= BLOCK as u64 {
        let mut block = Block::new(size as usize);
        block.fill(reader)?;
        block.seal();
        return writer.write_all(block.member());
    }
    let most = (2 * rayon::current_num_threads()).min(MOST_BLOCKS);
    rayon::in_place_scope(|scope| {
        let mut idle = Vec::new();
        let mut in_work = VecDeque::with_capacity(most);
        loop {
            if in_work.len() < most {
                let mut block = idle.pop().unwrap_or_else(|| Block::new(BLOCK));
                block.fill(reader)?;
                if !block.is_empty() {
                    let (done, pending) = mpsc::sync_channel(1);
                    scope.spawn(move |_| {
                        block.seal();
                        // Nobody listens after an error; then the block is not needed either.
                        let _ = done.send(block);
                    });
                    in_work.push_back(pending);
                    continue;
                }
            }
            let Some(first) = in_work.pop_front() else { return Ok(()) };
            let block = wait(&first)?;
            writer.write_all(block.member())?;
            idle.push(block);
        }
    })
}

/// Waits for a block. A thread of rayon's own helps meanwhile: were it merely to wait, the
/// block it waits for might be in its own queue, where (with one thread) nobody else looks.
fn wait(pending: &Receiver<Block>) -> io::Result<Block> {
    loop {
        match pending.try_recv() {
            Ok(block) => return Ok(block),
            Err(TryRecvError::Empty) if rayon::yield_local() == Some(rayon::Yield::Executed) => {}
            // What is not in this thread's queue is being worked on by another.
            Err(_) => return pending.recv().map_err(|_| io::Error::other("compressing failed")),
        }
    }
}
