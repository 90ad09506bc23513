//! Which files count as input, and what is in them. In-repo sources, `also`, the `inputs` of tasks and
//! `affected` all go by this, so that they agree.
//!
//! - A file counts if git tracks it, whether a `.gitignore` names it or not, or if git would not
//!   ignore it. `repository` reads git's own index for that; nothing is run. Without a repository,
//!   the `.gitignore` files of the workspace decide alone.
//! - A link counts by where it points. `lister` follows one to a folder only where that is asked
//!   for, each folder once, and never up to a folder that holds the link: cycles end. What a link
//!   of an in-repo source leads to elsewhere in the workspace belongs to that source (`links`); what
//!   it leads to outside of the workspace does not: that is not the same for everyone.
//! - Sockets, pipes and devices do not count. Empty folders count only where nothing is left to git,
//!   which knows none.
//! - `.git` and `.forge` never count.
//! - Files are read piece by piece (`contents`), never whole.
//!
//! `rules` is what `.gitignore` files say, `excludes` where the user's own list is, `index` the format of git's list of tracked files, `lfs`
//! tells a pointer of Git LFS from the file it stands for.

mod contents;
mod excludes;
mod index;
mod large_files;
mod lfs;
mod links;
mod lister;
mod pattern;
mod repository;
mod rules;
#[cfg(test)]
mod tests;
mod walker;

pub use contents::{FileDigest, letter_of_file, read};
pub use index::Lack;
pub use large_files::{LargeFile, LargeFileTable, LargeFiles};
pub use links::reached_by_links;
pub use lister::{InputFile, InputKind, Listing};
pub use pattern::FilePatterns;
pub use walker::Walker;

/// What is never an input, wherever it is.
fn is_own(name: &std::ffi::OsStr) -> bool {
    name == ".git" || name == ".forge"
}
