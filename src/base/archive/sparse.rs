//! Sparse files in tar archives: where the bytes that are stored belong, and how large the file
//! is in all. (GNU tar manual, "Storing Sparse Files": the old GNU format, and 0.0, 0.1 and 1.0
//! of the pax format. bsdtar on macOS writes the last one.)

use tar::{GnuExtSparseHeader, GnuSparseHeader, Header};

use crate::model::Fault;

/// Why a sparse file is refused where only forge's own archives are expected, as the end of the
/// sentence "its entry `…`".
pub(super) const REFUSED: &str = "is a sparse file, which forge does not unpack";

/// How many pieces a file may have.
const MOST_CHUNKS: usize = 1 << 17;

/// Why a map is refused.
const WRONG: &str = "the map of a sparse file cannot be read";

/// Bytes per record.
const RECORD: usize = 512;

/// Where the stored bytes of a file belong.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SparseMap {
    /// How large the file is, holes included.
    pub(super) size: u64,
    /// Offset and length of what is stored, in order.
    pub(super) chunks: Vec<(u64, u64)>,
}

/// What pax headers say of a sparse file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SparseHeader {
    pub(super) name: Option<Vec<u8>>,
    major: Option<u64>,
    size: Option<u64>,
    /// Offsets and lengths, in turn.
    numbers: Vec<u64>,
}

impl SparseHeader {
    /// Whether the next entry is a sparse file.
    pub(super) fn is_there(&self) -> bool {
        self.size.is_some() || self.major.is_some()
    }

    /// Takes in a record of a pax header, whose key is `GNU.sparse.` and `key`.
    ///
    /// # Errors
    /// The end of the sentence "its entry `…`".
    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) -> Result<(), &'static str> {
        let number = || std::str::from_utf8(value).ok()?.parse().ok();
        let number = || number().ok_or("is a sparse file with a wrong number in its header");
        match key {
            b"name" => self.name = Some(value.to_vec()),
            b"major" => self.major = Some(number()?),
            b"size" | b"realsize" => self.size = Some(number()?),
            b"offset" | b"numbytes" => self.push(number()?)?,
            b"map" => {
                self.numbers.clear();
                for number in value.split(|byte| *byte == b',') {
                    let number = std::str::from_utf8(number).ok().and_then(|it| it.parse().ok());
                    self.push(number.ok_or("is a sparse file with a map that cannot be read")?)?;
                }
            }
            // How many there are is seen, and the minor version changes nothing.
            _ => {}
        }
        Ok(())
    }

    fn push(&mut self, number: u64) -> Result<(), &'static str> {
        if self.numbers.len() >= 2 * MOST_CHUNKS {
            return Err("is a sparse file of more pieces than forge takes");
        }
        self.numbers.push(number);
        Ok(())
    }
}

impl SparseMap {
    fn new(size: u64, numbers: &[u64]) -> Self {
        let chunks = numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
        Self { size, chunks }
    }

    /// The map, if it is in order, fits into the file, and places all `stored` bytes.
    pub(super) fn checked(self, stored: u64) -> Result<Self, &'static str> {
        let (mut end, mut sum) = (0_u64, 0_u64);
        for (offset, length) in &self.chunks {
            let next = offset.checked_add(*length).filter(|_| *offset >= end);
            end = next.ok_or("the map of a sparse file is not in order")?;
            sum += length;
        }
        match end <= self.size && sum == stored {
            true => Ok(self),
            false => Err("the map of a sparse file does not fit its size"),
        }
    }
}

/// The map in a header of the old GNU format, which goes on in records after it.
///
/// # Errors
/// Outside those of `read`; inside, why the map is wrong.
pub(super) fn of_header(
    header: &Header,
    mut read: impl FnMut() -> Result<[u8; RECORD], Fault>,
) -> Result<Result<SparseMap, &'static str>, Fault> {
    let Some(header) = header.as_gnu() else { return Ok(Err(WRONG)) };
    let Ok(size) = header.real_size() else { return Ok(Err(WRONG)) };
    let mut map = SparseMap { size, chunks: Vec::new() };
    let mut add = |pieces: &[GnuSparseHeader]| {
        for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
            let (Ok(offset), Ok(length)) = (piece.offset(), piece.length()) else { return false };
            map.chunks.push((offset, length));
        }
        map.chunks.len() <= MOST_CHUNKS
    };
    let mut goes_on = header.is_extended();
    if !add(&header.sparse) {
        return Ok(Err(WRONG));
    }
    while goes_on {
        let mut more = GnuExtSparseHeader::new();
        more.as_mut_bytes().copy_from_slice(&read()?);
        if !add(&more.sparse) {
            return Ok(Err(WRONG));
        }
        goes_on = more.is_extended();
    }
    Ok(Ok(map))
}

/// The map that a pax header has, or that stands at the start of the contents, of which
/// `stored` bytes are left then.
///
/// # Errors
/// Outside those of `read`; inside, why the map is wrong.
pub(super) fn of_pax(
    header: &SparseHeader,
    stored: &mut u64,
    mut read: impl FnMut() -> Result<[u8; RECORD], Fault>,
) -> Result<Result<SparseMap, &'static str>, Fault> {
    let size = header.size.unwrap_or_default();
    if header.major.unwrap_or(0) == 0 {
        return Ok(Ok(SparseMap::new(size, &header.numbers)));
    }
    // How many pieces there are, then offset and length of each: a decimal number a line, filled
    // up with zeros to whole records.
    let (mut count, mut numbers, mut digits) = (None, Vec::new(), 0_u64);
    let mut has_digits = false;
    loop {
        if *stored < RECORD as u64 {
            return Ok(Err(WRONG));
        }
        *stored -= RECORD as u64;
        for byte in read()? {
            match byte {
                b'0'..=b'9' => {
                    let more = digits
                        .checked_mul(10)
                        .and_then(|it| it.checked_add(u64::from(byte - b'0')));
                    let Some(more) = more else { return Ok(Err(WRONG)) };
                    (digits, has_digits) = (more, true);
                }
                b'\n' if has_digits && count.is_none() => {
                    count = Some(digits).filter(|count| *count <= MOST_CHUNKS as u64);
                    if count.is_none() {
                        return Ok(Err("a sparse file has more pieces than forge takes"));
                    }
                    (digits, has_digits) = (0, false);
                }
                b'\n' if has_digits => {
                    numbers.push(digits);
                    (digits, has_digits) = (0, false);
                }
                _ => return Ok(Err(WRONG)),
            }
            if count.is_some_and(|count| numbers.len() as u64 == 2 * count) {
                return Ok(Ok(SparseMap::new(size, &numbers)));
            }
        }
    }
}
