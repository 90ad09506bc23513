//! The disk, without trust in what lies on it: folders that forge writes to, reached without
//! following links, and files of others, read within limits.
//!
//! A repository can bring a `.forge` of its own, a store or a cache can be written to by others, and
//! in each a symbolic link can stand where forge expects a folder or a file. So everything that forge
//! creates, renames, locks, sweeps or removes goes through a [`Folder`]: a handle of a folder that the
//! user named, with paths below it that are resolved by the kernel (`openat2`), or step by step where
//! that is missing, and never through a link. What forge only reads goes through [`read_file`]: a
//! regular file, with a limit on its size, and never a FIFO or a device that would block or not end.

mod folder;
mod in_tree;
mod lock;
mod read;
mod resolve;
mod staging;
mod tree;

pub use folder::{Entry, EntryKind, Folder};
pub use in_tree::in_tree;
pub use lock::FileLock;
pub use read::{MOST_OF_TEXT, is_absent, open_file, read_file, read_text};
pub use staging::{StagedFile, Staging, unique};
