//! Which version comes next: from the day, or from what commits say, and what else has a say in it.

mod bump;
mod commits;
mod conventional;
mod flaw;
mod labels;

pub use bump::{Bump, Override, Wish};
pub use commits::{Line, Next, standing};
pub use conventional::{Footer, Message};
pub use flaw::{Flaw, lint};
pub use labels::PullRequest;
