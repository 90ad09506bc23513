//! What can go wrong, as it does at the real one.

use std::time::Duration;

use super::Operation;

/// What goes wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is done, and the answer has this status.
    Status(u16),
    /// Everything is done, and the answer is 502 all the same.
    DoneThen502,
    /// Everything is done, and the connection breaks before the answer.
    DoneThenReset,
    /// An upload is answered with 502 and leaves an empty asset in the state `starter`.
    StarterThen502,
    /// The connection breaks: in an upload when this many bytes of the body have come (and a
    /// `starter` is left), otherwise when this many bytes of the answer's body are sent.
    ResetAfter(usize),
    /// After this many bytes of the answer's body nothing comes any more, and the connection stays.
    StallAfter(usize),
    /// This many bytes of the body and no more, in an answer that looks complete.
    TruncatedTo(usize),
    /// The body has another byte in its middle.
    Corrupt,
    /// `Content-Length` promises this many bytes more than come.
    PromisesMore(u64),
    /// The body comes in pieces of 4 KiB with this pause before each.
    Slow(Duration),
    /// The answer comes this much later.
    Late(Duration),
    /// A page of HTML with status 200.
    Html,
    /// A redirect to the same address.
    RedirectToItself,
    /// A redirect to this address.
    RedirectTo(String),
    /// The hour's requests are used up: 403 with `x-ratelimit-remaining: 0`, until so much later.
    RateLimit { resets_in: Duration },
    /// Too much at once: 403 or 429, with `retry-after` in seconds or without.
    SecondaryLimit { status: u16, retry_after: Option<u64> },
    /// 403: the token may not do this.
    NotAccessible,
    /// 404, as for a private repository.
    NotFound,
    /// Somebody else does the same an instant before: creates the release with that tag, or
    /// uploads an asset of that name with these bytes (with the same bytes when `None`).
    SomebodyWasFaster(Option<Vec<u8>>),
    /// The release is created twice. Only drafts can be: published ones are unique by tag.
    Twice,
}

/// A fault that waits for its operation.
pub struct Planned {
    pub operation: Operation,
    /// What the path has to contain; empty for any path.
    pub path: String,
    pub fault: Fault,
    /// How often it still strikes.
    pub times: usize,
}
