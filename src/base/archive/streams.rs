//! Compressed streams, one after the other: what pigz, pbzip2, pixz and zstd make, and what
//! comes of `cat a.gz b.gz`. All that follow each other count as one (RFC 1952, 2.2; RFC 8878,
//! 3.1; the .xz file format, 2.2); zeros may stand after any of them, as tapes are padded.

use std::io::{self, BufRead, Read};

use bzip2::bufread::BzDecoder;
use flate2::bufread::GzDecoder;
use liblzma::{
    bufread::XzDecoder,
    stream::{Error as XzError, Stream as XzStream, TELL_UNSUPPORTED_CHECK},
};

use super::input::Input;

/// How far back a stream may refer to itself: 512 MiB, which a decoder then has to keep. The
/// highest levels of xz and zstd take 64 and 128 MiB.
pub(super) const WINDOW_LOG: u32 = 29;

/// Beside the window, xz needs less than this, in bytes.
const BESIDE: u64 = 1 << 20;

/// What zstd says of a frame whose window is larger than allowed.
const ZSTD_TOO_LARGE: &str = "Frame requires too much memory for decoding";

/// A format of compressed streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    Gzip,
    Zstd,
    Xz,
    Bzip2,
    /// What came before .xz: no checksum, no magic number.
    Lzma,
    Lzip,
}

impl Codec {
    /// How many first bytes of a stream [`Codec::detect`] wants to see.
    pub(super) const MAGIC: usize = 13;

    /// The format of a stream that begins with `start`.
    pub(super) fn detect(start: &[u8]) -> Option<Self> {
        Some(match start {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            // A block's number, or that of the end of a stream without any.
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..]
            | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, 0x50, 0x90, ..] => {
                Self::Bzip2
            }
            [b'L', b'Z', b'I', b'P', 1, ..] => Self::Lzip,
            _ if is_lzma(start) => Self::Lzma,
            _ => return None,
        })
    }
}

/// Whether `start` can begin an .lzma file: usual properties, a dictionary as LZMA Utils make
/// it, and a size that is unknown or below 256 GiB.
fn is_lzma(start: &[u8]) -> bool {
    let Some((&[0x5d, a, b, c, d], rest)) = start.split_first_chunk::<5>() else { return false };
    let dictionary = u32::from_le_bytes([a, b, c, d]);
    let (top, below) = (dictionary.checked_ilog2().unwrap_or(0), dictionary.trailing_zeros());
    let is_usual = top >= 12 && (below == top || below + 1 == top && dictionary.count_ones() == 2);
    let size = rest.first_chunk().map(|size| u64::from_le_bytes(*size));
    is_usual && size.is_some_and(|size| size == u64::MAX || size < 1 << 38)
}

/// Streams of one format.
pub(super) struct Streams<R: Read> {
    codec: Codec,
    state: StreamState<R>,
}

enum StreamState<R: Read> {
    Gzip(Box<GzDecoder<Input<R>>>),
    Zstd(zstd::Decoder<'static, Input<R>>),
    Xz(Box<XzDecoder<Input<R>>>),
    Bzip2(Box<BzDecoder<Input<R>>>),
    /// After the last stream.
    Ended(Input<R>),
    /// Only while one stream follows another.
    Changing,
}

/// A stream that takes more memory than forge gives.
#[derive(Debug, thiserror::Error)]
#[error("its {codec} data refers back further than {most} MiB, which is more memory than forge gives", most = 1 << (WINDOW_LOG - 20))]
pub(super) struct TooLarge {
    codec: &'static str,
}

impl<R: Read> Streams<R> {
    /// The streams of `input`.
    ///
    /// # Errors
    /// Not enough memory.
    pub(super) fn new(codec: Codec, input: Input<R>) -> io::Result<Self> {
        Ok(Self { codec, state: StreamState::new(codec, input)? })
    }

    /// The packed bytes.
    pub(super) fn input(&mut self) -> Option<&mut Input<R>> {
        Some(match &mut self.state {
            StreamState::Gzip(decoder) => decoder.get_mut(),
            StreamState::Zstd(decoder) => decoder.get_mut(),
            StreamState::Xz(decoder) => decoder.get_mut(),
            StreamState::Bzip2(decoder) => decoder.get_mut(),
            StreamState::Ended(input) => input,
            StreamState::Changing => return None,
        })
    }

    /// The packed bytes, all taken.
    pub(super) fn into_input(self) -> Option<Input<R>> {
        self.state.into_input()
    }

    /// Goes on to the next stream; `false` at the end.
    fn advance(&mut self) -> io::Result<bool> {
        let state = std::mem::replace(&mut self.state, StreamState::Changing);
        let Some(mut input) = state.into_input() else { return Ok(false) };
        let next = match skip_zeros(&mut input) {
            Ok(true) => Ok(None),
            Ok(false) => input.peek(Codec::MAGIC).map(|start| Some(Codec::detect(start))),
            Err(error) => Err(error),
        };
        match next {
            Ok(Some(Some(codec))) if codec == self.codec => {}
            // What the input says of its failure is wanted still.
            other => {
                self.state = StreamState::Ended(input);
                return match other? {
                    None => Ok(false),
                    Some(_) => Err(invalid("something comes after its end")),
                };
            }
        }
        self.state = StreamState::new(self.codec, input)?;
        Ok(true)
    }

    fn explained(&self, error: io::Error) -> io::Error {
        let xz = error.get_ref().and_then(|inner| inner.downcast_ref::<XzError>());
        match (self.codec, xz) {
            (_, Some(XzError::MemLimit)) => io::Error::other(TooLarge { codec: "xz" }),
            (_, Some(XzError::Data | XzError::Format)) => {
                invalid("its xz data does not match its checksums")
            }
            (Codec::Zstd, _) if error.to_string() == ZSTD_TOO_LARGE => {
                io::Error::other(TooLarge { codec: "zstd" })
            }
            _ => error,
        }
    }
}

impl<R: Read> Read for Streams<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = match &mut self.state {
                StreamState::Gzip(decoder) => decoder.read(buffer),
                StreamState::Zstd(decoder) => decoder.read(buffer),
                StreamState::Xz(decoder) => decoder.read(buffer),
                StreamState::Bzip2(decoder) => decoder.read(buffer),
                StreamState::Ended(_) | StreamState::Changing => return Ok(0),
            };
            match read.map_err(|error| self.explained(error))? {
                0 if !buffer.is_empty() => {
                    if !self.advance()? {
                        return Ok(0);
                    }
                }
                read => return Ok(read),
            }
        }
    }
}

impl<R: Read> StreamState<R> {
    fn new(codec: Codec, input: Input<R>) -> io::Result<Self> {
        let most = (1 << WINDOW_LOG) + BESIDE;
        let xz = |stream: Result<XzStream, XzError>| stream.map_err(io::Error::from);
        Ok(match codec {
            Codec::Gzip => Self::Gzip(Box::new(GzDecoder::new(input))),
            Codec::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(input)?.single_frame();
                decoder.window_log_max(WINDOW_LOG)?;
                Self::Zstd(decoder)
            }
            Codec::Bzip2 => Self::Bzip2(Box::new(BzDecoder::new(input))),
            Codec::Xz => {
                let stream = xz(XzStream::new_stream_decoder(most, TELL_UNSUPPORTED_CHECK))?;
                Self::Xz(Box::new(XzDecoder::new_stream(input, stream)))
            }
            Codec::Lzma => {
                let stream = xz(XzStream::new_lzma_decoder(most))?;
                Self::Xz(Box::new(XzDecoder::new_stream(input, stream)))
            }
            Codec::Lzip => {
                let stream = xz(XzStream::new_lzip_decoder(most, TELL_UNSUPPORTED_CHECK))?;
                Self::Xz(Box::new(XzDecoder::new_stream(input, stream)))
            }
        })
    }

    fn into_input(self) -> Option<Input<R>> {
        Some(match self {
            Self::Gzip(decoder) => decoder.into_inner(),
            Self::Zstd(decoder) => decoder.into_inner(),
            Self::Xz(decoder) => decoder.into_inner(),
            Self::Bzip2(decoder) => decoder.into_inner(),
            Self::Ended(input) => input,
            Self::Changing => return None,
        })
    }
}

/// Takes zeros; whether that is all there is.
fn skip_zeros<R: Read>(input: &mut Input<R>) -> io::Result<bool> {
    loop {
        let bytes = input.fill_buf()?;
        if bytes.is_empty() {
            return Ok(true);
        }
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let all = zeros == bytes.len();
        input.consume(zeros);
        if !all {
            return Ok(false);
        }
    }
}

pub(super) fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_owned())
}
