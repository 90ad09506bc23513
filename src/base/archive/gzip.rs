//! The gzip members that forge writes: how a tar.gz is cut so that both ends can be fast.
//!
//! A gzip file may consist of any number of members, one after the other, and every reader
//! must treat them as one (RFC 1952, 2.2). forge cuts the tar stream into blocks of
//! [`BLOCK`] bytes and makes each one a member of its own, so blocks can be
//! compressed on all cores; the cut depends on the bytes alone, so the result does not
//! depend on how many there are. Each member says in its header how long it is, so that
//! a reader can take it whole and inflate it in one call, or several at once:
//!
//! ```text
//! 1f 8b 08 04  00 00 00 00  00 ff    magic, deflate, FEXTRA; no time, no flags, unknown system
//! 08 00                              XLEN: 8 bytes of extra field
//! 'f' 'g' 04 00  S S S S             our subfield: size of the whole member, little-endian
//! …deflate…  CRC-32  ISIZE           as in any gzip member
//! ```
//!
//! BGZF (the BAM format's blocks) does the same with a 16-bit size and 64 KiB blocks;
//! those are too small for the compression that a release wants.

use std::io::{self, Read};

use libdeflater::{CompressionLvl, Compressor, Crc};

/// Plain bytes per member. Larger blocks compress a little better (each begins with
/// an empty window), smaller ones spread better over cores.
pub(super) const BLOCK: usize = 1 << 20;

/// Header bytes of a member with our subfield.
pub(super) const HEADER: usize = 20;

/// CRC-32 and ISIZE.
const TRAILER: usize = 8;

/// The largest member that is taken whole, in bytes packed and unpacked. Larger ones, which
/// forge does not write, go through the streaming decoder.
const LARGEST: usize = 4 << 20;

/// Everything in a header before the size.
const START: [u8; 16] = [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, 8, 0, b'f', b'g', 4, 0];

/// The compression level of libdeflate. Part of the format as far as reproducibility
/// goes: another level makes other bytes.
const LEVEL: i32 = 6;

/// One block on its way to become a member: buffers and compressor are made once and
/// used for block after block.
pub(super) struct Block {
    plain: Vec<u8>,
    filled: usize,
    packed: Vec<u8>,
    sealed: usize,
    compressor: Compressor,
}

impl Block {
    /// A block for up to `size` plain bytes.
    pub(super) fn new(size: usize) -> Self {
        let level = CompressionLvl::new(LEVEL).unwrap_or_default();
        let mut compressor = Compressor::new(level);
        let room = HEADER + compressor.deflate_compress_bound(size) + TRAILER;
        Self { plain: vec![0; size], filled: 0, packed: vec![0; room], sealed: 0, compressor }
    }

    /// Takes the next bytes of `reader`, as many as there are room and bytes for.
    pub(super) fn fill(&mut self, reader: &mut impl Read) -> io::Result<()> {
        self.filled = 0;
        while self.filled < self.plain.len() {
            match reader.read(&mut self.plain[self.filled..]) {
                Ok(0) => break,
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether [`Block::fill`] found nothing more.
    pub(super) fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Compresses the plain bytes into a member.
    pub(super) fn seal(&mut self) {
        let plain = &self.plain[..self.filled];
        let body = self
            .compressor
            .deflate_compress(plain, &mut self.packed[HEADER..])
            .expect("the buffer was made as large as the compressor said it must be");
        let size = HEADER + body + TRAILER;
        let mut crc = Crc::new();
        crc.update(plain);
        self.packed[..START.len()].copy_from_slice(&START);
        self.packed[START.len()..HEADER].copy_from_slice(&(size as u32).to_le_bytes());
        self.packed[size - 8..size - 4].copy_from_slice(&crc.sum().to_le_bytes());
        self.packed[size - 4..size].copy_from_slice(&(plain.len() as u32).to_le_bytes());
        self.sealed = size;
    }

    /// The member that [`Block::seal`] made.
    pub(super) fn member(&self) -> &[u8] {
        &self.packed[..self.sealed]
    }
}

/// The size of the member that begins with `start`, if it is one that forge wrote and that
/// can be taken whole.
pub(super) fn member_size(start: &[u8]) -> Option<usize> {
    let size = start.get(..HEADER)?.strip_prefix(&START)?.try_into().ok()?;
    let size = usize::try_from(u32::from_le_bytes(size)).ok()?;
    (HEADER + TRAILER..=LARGEST).contains(&size).then_some(size)
}

/// The number of plain bytes that a whole member announces, if it can be taken whole.
pub(super) fn plain_size(member: &[u8]) -> Option<usize> {
    let size = u32::from_le_bytes(*member.last_chunk()?);
    usize::try_from(size).ok().filter(|size| *size <= LARGEST)
}
