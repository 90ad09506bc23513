//! Taskfiles (`version: 3` of Task): read with their includes, and said in forge's own language.
//!
//! ```text
//! Taskfile.yml ─tree─▶ Tree of Taskfiles (places, comments, includes resolved)
//!                        └─translate─▶ documents of forge, as text, with remarks
//! ```

mod file;
mod listing;
mod model;
mod template;
mod translate;
mod tree;

pub use listing::{ListedTask, TaskListing};
pub use model::{
    CommandKind, Loop, Taskfile, TaskfileCall, TaskfileCommand, TaskfileTask, TaskfileVariable,
    VariableValue,
};
pub use template::GoTemplate;
pub use translate::{
    BEHIND, FOLD, NamedTask, Remark, TranslatedParts, Translation, TranslationRequest, Yaml,
    has_task, named_tasks, parts, task_file, translate,
};
pub use tree::{Given, NAMES, TaskfileTree, find, read};
