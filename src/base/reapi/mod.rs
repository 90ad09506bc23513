//! A client of the Remote Execution API (REAPI v2), as far as a cache needs it: capabilities, the action
//! cache, and blobs. Buildbarn, bazel-remote, BuildGrid, BuildBuddy, NativeLink and others serve it.
//!
//! - `address` and `settings` are how a server is reached, `connection` is the calls to it.
//! - `action` is what is asked for: its digest is the key of the action cache.
//! - `blobs` are found, read and written; what is read is compared with its digest.
//! - `trouble` is what went wrong, and whether it is worth another try.
//!
//! The messages are those of `src/protocol/`. <https://github.com/bazelbuild/remote-apis> is the source of the API.

mod action;
mod address;
mod blobs;
mod connection;
mod settings;
mod trouble;

pub use action::{ActionOutput, ActionOutputs, RemoteAction};
pub use address::ServerAddress;
pub use blobs::{BlobContents, BlobDigest, RemoteBlob};
pub use connection::{Connection, ServerCapabilities};
pub use settings::{ClientIdentity, ConnectionSettings};
pub use trouble::{Trouble, TroubleKind};
