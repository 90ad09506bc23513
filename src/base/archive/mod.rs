//! Archives: pack and unpack, reproducible, safe and in one pass.
//!
//! This is where files turn into assets and back. Packing gives the same bytes for the
//! same entries, whoever packs, where, when and with how many cores. Unpacking reads a
//! stream once: it hashes what comes in, inflates, hashes each file and writes it, and
//! it never writes outside the folder it was given.

mod catalog;
mod contents;
mod decoder;
mod destination;
mod entry_name;
mod gzip;
mod gzip_writer;
mod hash;
mod input;
mod layer;
mod new_file;
mod objection;
mod pack;
mod pax;
mod peek;
#[cfg(test)]
mod samples;
mod sparse;
mod stream;
mod streams;
mod tar_reader;
mod tar_writer;
mod unpack;
mod zip_directory;
mod zip_reader;
mod zip_writer;
mod zlib;

pub use hash::{DigestHasher, Hasher, hash_file, hash_open};
pub use layer::{LayerEntry, LayerEntryKind, PackedLayer, list_layer, pack_layer};
pub use pack::{Contents, FileToPack, Packed, pack};
pub use peek::peek_stamp;
pub use unpack::{EntryPolicy, UnpackLimits, Unpacked, Unpacker};
pub use zlib::inflate_zlib;
