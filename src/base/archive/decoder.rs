//! Packed bytes in, plain bytes out, a block at a time.

use std::io::{self, Read};

use libdeflater::Decompressor;

use super::{
    gzip,
    input::{Input, PackedBytes},
    streams::{Codec, Streams, TooLarge, invalid},
};
use crate::model::{Fault, Kind};

/// Plain bytes per block, where the format does not say otherwise. Small enough that
/// what was just inflated is still in the processor's cache when it is hashed.
const BLOCK: usize = 256 << 10;

/// Decodes one archive.
pub(super) struct Decoder<R: Read> {
    label: String,
    format: StreamFormat<R>,
}

enum StreamFormat<R: Read> {
    Plain(Input<R>),
    /// gzip, as long as members are as forge writes them.
    Members(Members<R>),
    /// Anything compressed.
    Streams(Box<Streams<R>>),
    /// Only while one format becomes another.
    Changing,
}

struct Members<R> {
    input: Input<R>,
    packed: Vec<u8>,
    decompressor: Decompressor,
}

impl<R: Read> Decoder<R> {
    /// The bytes of `input` as they are.
    pub(super) fn plain(input: Input<R>, label: &str) -> Self {
        Self { label: label.to_owned(), format: StreamFormat::Plain(input) }
    }

    /// Decodes gzip.
    pub(super) fn gzip(input: Input<R>, label: &str) -> Self {
        let members = Members { input, packed: Vec::new(), decompressor: Decompressor::new() };
        Self { label: label.to_owned(), format: StreamFormat::Members(members) }
    }

    /// Decodes streams of another format.
    ///
    /// # Errors
    /// Not enough memory.
    pub(super) fn streams(codec: Codec, input: Input<R>, label: &str) -> Result<Self, Fault> {
        let streams = Streams::new(codec, input)
            .map_err(|error| Fault::io(format!("cannot unpack {label}"), &error))?;
        Ok(Self { label: label.to_owned(), format: StreamFormat::Streams(Box::new(streams)) })
    }

    /// Puts the next plain bytes into `block`; none at the end. The end is one of both: of
    /// the format and of the packed bytes.
    ///
    /// # Errors
    /// Damaged or incomplete bytes, or what the reader says.
    pub(super) fn next(&mut self, block: &mut Vec<u8>) -> Result<(), Fault> {
        let result = match &mut self.format {
            StreamFormat::Members(members) => match members.next(block) {
                Ok(true) => Ok(()),
                Ok(false) => match self.go_on_streaming() {
                    Ok(()) => return self.next(block),
                    Err(error) => Err(error),
                },
                Err(error) => Err(error),
            },
            StreamFormat::Plain(input) => fill(input, block),
            StreamFormat::Streams(streams) => fill(streams.as_mut(), block),
            StreamFormat::Changing => {
                block.clear();
                Ok(())
            }
        };
        result.map_err(|error| self.fault(&error))
    }

    /// Digest and number of the packed bytes, once [`Decoder::next`] came to the end.
    pub(super) fn finish(self) -> Option<PackedBytes> {
        self.into_input().map(Input::finish)
    }

    /// The other members are not as forge writes them: hands over to a decoder that
    /// needs no sizes.
    fn go_on_streaming(&mut self) -> io::Result<()> {
        self.format = match std::mem::replace(&mut self.format, StreamFormat::Changing) {
            StreamFormat::Members(members) => {
                StreamFormat::Streams(Box::new(Streams::new(Codec::Gzip, members.input)?))
            }
            other => other,
        };
        Ok(())
    }

    fn into_input(self) -> Option<Input<R>> {
        match self.format {
            StreamFormat::Plain(input) => Some(input),
            StreamFormat::Members(members) => Some(members.input),
            StreamFormat::Streams(streams) => streams.into_input(),
            StreamFormat::Changing => None,
        }
    }

    fn fault(&mut self, error: &io::Error) -> Fault {
        let input = match &mut self.format {
            StreamFormat::Plain(input) => Some(input),
            StreamFormat::Members(members) => Some(&mut members.input),
            StreamFormat::Streams(streams) => streams.input(),
            StreamFormat::Changing => None,
        };
        let failure = input.and_then(|input| input.take_failure(&self.label));
        let is_too_large = error.get_ref().is_some_and(|inner| inner.is::<TooLarge>());
        failure.unwrap_or_else(|| match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged(&self.label, "it ends too early"),
            _ if is_too_large => over_limit(&self.label, error.to_string()).hint(
                "ask whoever packed it for a smaller window (`zstd --long=29`, `xz -9`), or pack it again yourself",
            ),
            _ => damaged(&self.label, error.to_string()),
        })
    }
}

impl<R: Read> Members<R> {
    /// Takes the next member whole; `false` if it is not as forge writes them.
    fn next(&mut self, block: &mut Vec<u8>) -> io::Result<bool> {
        // Empty members are allowed, but an empty block means the end.
        block.clear();
        while block.is_empty() && !self.input.is_at_end()? {
            let Some(size) = gzip::member_size(self.input.peek(gzip::HEADER)?) else {
                return Ok(false);
            };
            self.packed.resize(size, 0);
            self.input.read_exact(&mut self.packed)?;
            let plain = gzip::plain_size(&self.packed)
                .ok_or_else(|| invalid("a gzip member is larger than its header lets expect"))?;
            block.resize(plain, 0);
            match self.decompressor.gzip_decompress(&self.packed, block) {
                Ok(written) if written == plain => {}
                Ok(_) => return Err(invalid("a gzip member is shorter than it says")),
                Err(_) => return Err(invalid("a gzip member does not match its checksum")),
            }
        }
        Ok(true)
    }
}

/// Reads a full block, or what is left.
fn fill(reader: &mut impl Read, block: &mut Vec<u8>) -> io::Result<()> {
    block.resize(BLOCK, 0);
    let mut filled = 0;
    while filled < BLOCK {
        match reader.read(&mut block[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    block.truncate(filled);
    Ok(())
}

/// An archive that is whole, but takes more than forge gives.
pub(super) fn over_limit(label: &str, why: impl Into<String>) -> Fault {
    Fault::new(Kind::Verification, format!("{label} is refused")).because(why)
}

/// An archive that is not whole.
pub(super) fn damaged(label: &str, why: impl Into<String>) -> Fault {
    Fault::new(Kind::Verification, format!("{label} is damaged or incomplete"))
        .because(why)
        .hint(AGAIN)
}

/// What helps where bytes are missing or wrong.
pub(super) const AGAIN: &str =
    "fetch it again; if that does not help, whoever published it must replace it";
