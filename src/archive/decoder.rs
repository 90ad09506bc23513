//! Packed bytes in, plain bytes out, a block at a time.

use std::io::{self, Read};

use flate2::bufread::MultiGzDecoder;
use libdeflater::Decompressor;

use super::{
    gzip,
    input::{Input, PackedBytes},
};
use crate::model::{Fault, Kind};

/// Plain bytes per block, where the format does not say otherwise. Small enough that
/// what was just inflated is still in the processor's cache when it is hashed.
const BLOCK: usize = 256 << 10;

/// Decodes one archive.
pub(super) struct Decoder<R: Read> {
    label: String,
    format: Format<R>,
}

enum Format<R: Read> {
    Plain(Input<R>),
    /// gzip, as long as members are as forge writes them.
    Members(Members<R>),
    /// Any gzip.
    Gzip(Box<MultiGzDecoder<Input<R>>>),
    Zstd(zstd::Decoder<'static, Input<R>>),
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
        Self { label: label.to_owned(), format: Format::Plain(input) }
    }

    /// Decodes gzip.
    pub(super) fn gzip(input: Input<R>, label: &str) -> Self {
        let members = Members { input, packed: Vec::new(), decompressor: Decompressor::new() };
        Self { label: label.to_owned(), format: Format::Members(members) }
    }

    /// Decodes Zstandard.
    ///
    /// # Errors
    /// Not enough memory.
    pub(super) fn zstd(input: Input<R>, label: &str) -> Result<Self, Fault> {
        let decoder = zstd::Decoder::with_buffer(input)
            .map_err(|error| Fault::io(format!("cannot unpack {label}"), &error))?;
        Ok(Self { label: label.to_owned(), format: Format::Zstd(decoder) })
    }

    /// Puts the next plain bytes into `block`; none at the end. The end is one of both: of
    /// the format and of the packed bytes.
    ///
    /// # Errors
    /// Damaged or incomplete bytes, or what the reader says.
    pub(super) fn next(&mut self, block: &mut Vec<u8>) -> Result<(), Fault> {
        let result = match &mut self.format {
            Format::Members(members) => match members.next(block) {
                Ok(true) => Ok(()),
                Ok(false) => {
                    self.go_on_streaming();
                    return self.next(block);
                }
                Err(error) => Err(error),
            },
            Format::Plain(input) => fill(input, block),
            Format::Gzip(decoder) => fill(decoder.as_mut(), block),
            Format::Zstd(decoder) => fill(decoder, block),
            Format::Changing => {
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
    fn go_on_streaming(&mut self) {
        self.format = match std::mem::replace(&mut self.format, Format::Changing) {
            Format::Members(members) => Format::Gzip(Box::new(MultiGzDecoder::new(members.input))),
            other => other,
        };
    }

    fn into_input(self) -> Option<Input<R>> {
        match self.format {
            Format::Plain(input) => Some(input),
            Format::Members(members) => Some(members.input),
            Format::Gzip(decoder) => Some(decoder.into_inner()),
            Format::Zstd(decoder) => Some(decoder.finish()),
            Format::Changing => None,
        }
    }

    fn fault(&mut self, error: &io::Error) -> Fault {
        let input = match &mut self.format {
            Format::Plain(input) => input,
            Format::Members(members) => &mut members.input,
            Format::Gzip(decoder) => decoder.get_mut(),
            Format::Zstd(decoder) => decoder.get_mut(),
            Format::Changing => return damaged(&self.label, error.to_string()),
        };
        input.take_failure(&self.label).unwrap_or_else(|| match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged(&self.label, "it ends too early"),
            _ => damaged(&self.label, error.to_string()),
        })
    }
}

impl<R: Read> Members<R> {
    /// Takes the next member whole; `false` if it is not as forge writes them.
    fn next(&mut self, block: &mut Vec<u8>) -> io::Result<bool> {
        if self.input.is_at_end()? {
            block.clear();
            return Ok(true);
        }
        let Some(size) = gzip::member_size(self.input.peek(gzip::HEADER)?) else {
            return Ok(false);
        };
        self.packed.resize(size, 0);
        self.input.read_exact(&mut self.packed)?;
        let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
        let plain = gzip::plain_size(&self.packed)
            .ok_or_else(|| invalid("a gzip member is larger than its header lets expect"))?;
        block.resize(plain, 0);
        match self.decompressor.gzip_decompress(&self.packed, block) {
            // Empty members are allowed, but an empty block means the end.
            Ok(0) if plain == 0 => self.next(block),
            Ok(written) if written == plain => Ok(true),
            Ok(_) => Err(invalid("a gzip member is shorter than it says")),
            Err(_) => Err(invalid("a gzip member does not match its checksum")),
        }
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

/// An archive that is not whole.
pub(super) fn damaged(label: &str, why: impl Into<String>) -> Fault {
    Fault::new(Kind::Verification, format!("{label} is damaged or incomplete"))
        .because(why)
        .hint("fetch it again; if that does not help, whoever published it must replace it")
}
