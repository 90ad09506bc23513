//! Which version comes next: from the day, or from what commits say, and what else has a say in it.

mod commits;
mod conventional;
mod labels;

pub use commits::{Bump, Line, Next, Override, Wish};
pub use conventional::{Flaw, Footer, Message, lint};
pub use labels::PullRequest;
