//! Folds of data into text: what people, other programs, GitHub and trace viewers
//! read of a run. Every function here returns a string; printing is the caller's.

mod compilers;
mod failures;
mod fault;
mod github;
mod human;
mod images;
mod json;
mod json_error;
mod place;
mod problems;
#[cfg(any(test, feature = "testing"))]
pub mod sample;
mod style;
mod summary;
mod table;
mod text;
mod trace;

pub use compilers::{CodePlace, code_places};
pub use fault::{render_fault, render_warning};
pub use github::{
    CLOSE_GROUP, annotate_fault, annotate_places, annotate_problems, annotate_run, log_details,
    open_group, step_summary, summary_table,
};
pub use human::{human_size, human_time};
pub use images::{images_sum, render_images};
pub use json::{SCHEMA, render_json};
pub use json_error::{render_json_fault, render_json_problems};
pub use problems::render_problems;
pub use style::{Role, Style};
pub use summary::{Closing, Show, render_sum, render_summary};
pub use table::{Align, Cell, Table};
pub use text::{cut, display_width, one_line, wrap};
pub use trace::{Lap, render_trace};
