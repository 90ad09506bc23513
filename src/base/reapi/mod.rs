//! A client of the Remote Execution API (REAPI v2), as far as a build tool needs it: capabilities, the
//! action cache, blobs, and execution. Buildbarn, bazel-remote, BuildGrid, BuildBuddy, NativeLink and others serve it.
//!
//! - `address` and `settings` are how a server is reached, `connection` is the calls to it.
//! - `action` is what is asked for: its digest is the key of the action cache.
//! - `blobs` go by `upload` and come by `download`; what comes is compared with its digest.
//! - `tree` is the files that go into an action and come out of one, `execution` has one executed, `printing` is what it prints
//!   meanwhile.
//! - `trouble` is what went wrong, and whether it is worth another try.
//!
//! The messages are those of `src/protocol/`. <https://github.com/bazelbuild/remote-apis> is the source of the API.

mod action;
mod address;
mod blobs;
mod connection;
mod download;
mod execution;
mod printing;
mod settings;
mod tree;
mod trouble;
mod under_way;
mod upload;

pub use action::{ActionOutput, ActionOutputs, RemoteAction};
pub use address::ServerAddress;
pub use blobs::{BlobContents, BlobDigest, BlobSink, RemoteBlob};
pub use connection::{Connection, ServerCapabilities};
pub use execution::{ExecutionOrder, ExecutionProgress, ExecutionResult};
pub use printing::PrintedSink;
pub use settings::{ClientIdentity, ConnectionSettings};
pub use tree::{InputTree, TreeEntry};
pub use trouble::{Trouble, TroubleKind};
