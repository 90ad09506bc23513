//! Files on this machine: read as assets, and digested.

use std::{
    fs::File,
    io::{ErrorKind, Read, Result, Seek, SeekFrom, Write},
    path::Path,
};

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use ring::digest::{Context, SHA256};
use tokio::sync::mpsc;

use super::{AssetStream, BrokenTransfer};
use crate::{
    disk::open_file,
    model::{Fault, Kind, Sha256},
};

/// Bytes read at once.
const PIECE: usize = 256 * 1024;

/// The size of the file at `path`; `None` if nothing is there.
pub(super) fn size(path: &Path) -> std::result::Result<Option<u64>, Fault> {
    match path.metadata() {
        Ok(meta) if meta.is_file() => Ok(Some(meta.len())),
        Ok(meta) if meta.is_dir() => Err(unreadable(path, &"it is a folder, not a file")),
        Ok(_) => Err(unreadable(path, &"it is not a regular file")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(path, &error)),
    }
}

/// Opens the file at `path`; `None` if nothing is there. One that fits into a piece is
/// read at once, a larger one by a thread that stays two pieces ahead.
pub(super) fn open(path: &Path) -> std::result::Result<Option<AssetStream>, Fault> {
    let Some(size) = size(path)? else { return Ok(None) };
    let mut file = match open_file(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(path, &error)),
    };
    let stream = |bytes| Some(AssetStream { size: Some(size), bytes });
    if size <= PIECE as u64 {
        let piece = read_piece(&mut file).map_err(|error| unreadable(path, &error))?;
        return Ok(stream(stream::iter([Ok(piece)]).boxed()));
    }
    Ok(stream(pieces(file, path)))
}

/// `size` bytes of the file at `path` from byte `from` on.
pub(super) fn open_part(
    path: &Path,
    from: u64,
    size: u64,
) -> std::result::Result<AssetStream, Fault> {
    let cannot = |error: std::io::Error| unreadable(path, &error);
    let mut file = open_file(path).map_err(cannot)?;
    file.seek(SeekFrom::Start(from)).map_err(cannot)?;
    Ok(AssetStream { size: Some(size), bytes: pieces(file.take(size), path) })
}

/// What a thread reads that stays two pieces ahead.
fn pieces(
    mut reader: impl Read + Send + 'static,
    path: &Path,
) -> BoxStream<'static, std::result::Result<Bytes, BrokenTransfer>> {
    let (to_reader, mut pieces) = mpsc::channel(2);
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || {
        loop {
            let piece = match read_piece(&mut reader) {
                Ok(piece) if piece.is_empty() => return,
                piece => piece.map_err(|error| unreadable(&path, &error).into()),
            };
            let is_last = piece.is_err();
            // Nobody listens any more: the reader was dropped.
            let is_deaf = to_reader.blocking_send(piece).is_err();
            if is_last || is_deaf {
                return;
            }
        }
    });
    stream::poll_fn(move |context| pieces.poll_recv(context)).boxed()
}

fn read_piece(reader: &mut impl Read) -> Result<Bytes> {
    let mut piece = Vec::with_capacity(PIECE);
    reader.take(PIECE as u64).read_to_end(&mut piece)?;
    Ok(piece.into())
}

/// Digests bytes as they come.
pub(super) struct Digester(Context);

impl Default for Digester {
    fn default() -> Self {
        Self(Context::new(&SHA256))
    }
}

impl Digester {
    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(super) fn sha256(self) -> Sha256 {
        let mut digest = Sha256([0; 32]);
        digest.0.copy_from_slice(self.0.finish().as_ref());
        digest
    }
}

/// Copies all that is left of `from` into `to`, and digests it on the way.
pub(super) fn copy_digested(from: &mut File, to: &mut impl Write) -> Result<Sha256> {
    let room = from.metadata()?.len().clamp(1, PIECE as u64) as usize;
    let mut buffer = vec![0; room];
    let mut digester = Digester::default();
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(digester.sha256()),
            Ok(read) => {
                digester.take(&buffer[..read]);
                to.write_all(&buffer[..read])?;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The digest of all that comes.
pub(super) async fn digested(stream: AssetStream) -> std::result::Result<Sha256, Fault> {
    let mut pieces = stream.bytes;
    let mut digester = Digester::default();
    while let Some(piece) = pieces.try_next().await? {
        digester.take(&piece);
    }
    Ok(digester.sha256())
}

fn unreadable(path: &Path, why: &impl ToString) -> Fault {
    Fault::new(Kind::Store, format!("cannot read {}", path.display())).because(why.to_string())
}
