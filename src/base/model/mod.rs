//! The shared words of forge: names, versions, platforms, digests, stamps, the
//! lock, paths on disk, events and faults. Pure data: no I/O, no async, so that
//! every other room can speak it.

mod artifact;
mod binary_name;
mod content_sum;
mod diagnostic;
mod digest;
mod duration;
mod environment;
mod event;
mod fault;
mod file_stat;
mod fingerprint;
mod header;
mod image_outcome;
mod layout;
mod lock;
mod mac;
mod name;
pub mod oci;
mod outcome;
mod path_text;
mod platform;
mod plural;
mod precedence;
mod release;
mod release_name;
mod scheme;
mod secret;
mod stamp;
mod suggest;
mod url;
mod user_folders;
mod version;

pub use artifact::ArtifactId;
pub use binary_name::{Binaries, BinaryName};
pub use content_sum::{ContentHasher, ContentSum};
pub use diagnostic::{Diagnostic, Problems, Span};
pub use digest::{Algorithm, Digest, ParseDigestError, Sha256};
pub use duration::{parse_duration, parse_size};
pub use environment::Environment;
pub use event::{ActionId, Event, EventSink};
pub use fault::{Fault, Kind};
pub use file_stat::FileStat;
pub use fingerprint::{
    Checksum, Fingerprint, FingerprintBuilder, Inputs, TreeDigest, TreeHasher, checksum,
};
pub use header::{HEADER_BYTES, Header, read_header};
pub use image_outcome::{ImageHow, ImageReport, images_kind};
pub use layout::Layout;
pub use lock::{Lock, Locked, LockedAsset, LockedImage, LockedUpstream};
pub use mac::Mac;
pub use name::Name;
pub use outcome::{ArtifactReport, How, OTHER_RELEASE, RemoteTotals, RunReport};
pub use path_text::{bytes_to_text, normal_path, path_to_text, text_to_path};
pub use platform::{Arch, Os, Platform};
pub use plural::counted;
pub use precedence::{Precedence, Series};
pub use release::{Compression, Revision, TagStem, asset_name, asset_platform};
pub use release_name::{RELEASE_NAME_HELP, check_file_name, check_release_name};
pub use scheme::{Commits, Scheme};
pub use secret::{KnownSecrets, MASKED, Mask, Secrets};
pub use stamp::Stamp;
pub use suggest::{all_nearest, nearest, suggestion};
pub use url::{
    is_loopback, is_port, is_repository_url, is_unprotected, shown_url, starred_url, url_secrets,
};
pub use user_folders::UserFolders;
pub use version::Version;
