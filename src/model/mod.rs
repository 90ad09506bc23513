//! The shared words of forge: names, versions, platforms, digests, stamps, the
//! lock, paths on disk, events and faults. Pure data: no I/O, no async, so that
//! every other room can speak it.

mod artifact;
mod diagnostic;
mod digest;
mod duration;
mod event;
mod fault;
mod file_stat;
mod fingerprint;
mod header;
mod layout;
mod lock;
mod mac;
mod name;
mod outcome;
mod platform;
mod precedence;
mod release;
mod scheme;
mod secret;
mod stamp;
mod suggest;
mod version;

pub use artifact::ArtifactId;
pub use diagnostic::{Diagnostic, Problems, Span};
pub use digest::{Algorithm, Digest, ParseDigestError, Sha256, WrongDigest};
pub use duration::parse_duration;
pub use event::{ActionId, Event, EventSink, Silent};
pub use fault::{Fault, Kind};
pub use file_stat::FileStat;
pub use fingerprint::{Fingerprint, FingerprintBuilder, Inputs, TreeDigest, TreeHasher, checksum};
pub use header::{HEADER_BYTES, Header, read_header};
pub use layout::Layout;
pub use lock::{Lock, Locked, LockedAsset};
pub use mac::Mac;
pub use name::Name;
pub use outcome::{ArtifactReport, How, RunReport};
pub use platform::{Arch, Os, Platform};
pub use precedence::{Precedence, Series};
pub use release::{Compression, Revision, TagStem, asset_name, asset_platform};
pub use scheme::{Commits, Scheme};
pub use secret::{MASKED, Mask, Secrets};
pub use stamp::Stamp;
pub use suggest::{nearest, suggestion};
pub use version::Version;
