//! Assets on their way, and transfers that broke and cannot go on where they stopped: they begin again.
//!
//! A transfer that is cut is resumed below the stream, unseen, as long as the server can tell
//! that it still sends the same bytes (`transfer`). Where it cannot, only the reader can help:
//! it drops what it has and reads all of it anew. So bytes of two versions of a file never meet.

use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::model::Fault;

/// How often something is read from its beginning, at most.
const BEGINNINGS: u32 = 5;

/// An asset on its way.
pub struct AssetStream {
    /// Bytes in all, if the store says.
    pub size: Option<u64>,
    /// The bytes as they come. An interrupted transfer is resumed where the store can;
    /// an error ends the stream.
    pub bytes: BoxStream<'static, Result<Bytes, BrokenTransfer>>,
}

/// Why an asset stopped coming.
#[derive(Clone, Debug)]
pub struct BrokenTransfer {
    /// What to tell.
    pub fault: Fault,
    /// Whether reading it again from its beginning may help.
    pub may_begin_again: bool,
}

impl From<Fault> for BrokenTransfer {
    fn from(fault: Fault) -> Self {
        Self { fault, may_begin_again: false }
    }
}

impl From<BrokenTransfer> for Fault {
    fn from(broken: BrokenTransfer) -> Self {
        broken.fault
    }
}

/// Counts how often something was read from its beginning.
#[derive(Debug, Default)]
pub struct Beginnings(u32);

impl Beginnings {
    /// How often it broke so far.
    #[must_use]
    pub fn broken(&self) -> u32 {
        self.0
    }

    /// Whether to read it again, now that it broke: an error if not.
    ///
    /// # Errors
    /// The fault of the transfer, if beginning again does not help, or did not help often enough.
    pub fn again(&mut self, broken: BrokenTransfer) -> Result<(), Fault> {
        self.0 += 1;
        match broken {
            BrokenTransfer { fault, may_begin_again: false } => Err(fault),
            BrokenTransfer { fault, .. } if self.0 >= BEGINNINGS => {
                Err(fault.because(format!("it broke {BEGINNINGS} times")))
            }
            BrokenTransfer { .. } => Ok(()),
        }
    }
}
