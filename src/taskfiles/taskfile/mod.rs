//! Taskfiles (`version: 3` of Task): read with their includes, and said in forge's own language.
//!
//! ```text
//! Taskfile.yml ─tree─▶ Tree of Taskfiles (places, comments, includes resolved)
//!                        └─translate─▶ documents of forge, as text, with remarks
//! ```

mod file;
mod model;
mod template;
mod translate;
mod tree;

pub use model::{
    Call, Command, Deed, Glob, Group, Include, Loop, Often, Output, Part, Precondition,
    Requirement, Settings, Task, Taskfile, Value, Variable,
};
pub use template::{Flaw, Names, Template, parse_expression};
pub use translate::{BEHIND, Parts, Remark, Translation, Wish, Yaml, parts, translate};
pub use tree::{Given, NAMES, Tree, find, read};
