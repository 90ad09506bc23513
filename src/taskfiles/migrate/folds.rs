//! Texts that a Taskfile writes on several lines and means as one (`>`): where the lines ended stays
//! known, so that they end there again.

use super::rewrite::{each_template, of_variable};
use crate::{
    manifest::Scalar,
    taskfile::{FOLD, TaskfileTree},
};

/// Marks the ends of lines in the texts of `tree`.
pub(super) fn mark_folds(tree: &mut TaskfileTree) {
    for file in &mut tree.files {
        let source = file.file.text.clone();
        let mut fold = |text: &mut Scalar| {
            if let Some(folded) = folded(text, &source) {
                text.text = folded;
            }
        };
        file.tasks.iter_mut().for_each(|task| each_template(task, &mut fold));
        file.vars.iter_mut().for_each(|variable| of_variable(variable, &mut fold));
    }
}

fn folded(text: &Scalar, source: &str) -> Option<String> {
    let source = source.get(text.bytes.clone())?;
    if !source.contains('\n') || text.text.trim_end().contains('\n') {
        return None;
    }
    let lines = source.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines: Vec<&str> = lines.skip_while(|line| line.starts_with('>')).collect();
    if lines.len() < 2 || lines.join(" ") != text.text.trim_end() {
        return None;
    }
    let mut folded = String::new();
    for line in lines {
        if !folded.is_empty() {
            // Within a template a line goes on.
            let is_open = folded.matches("{{").count() > folded.matches("}}").count();
            folded.push(if is_open { ' ' } else { FOLD });
        }
        folded.push_str(line);
    }
    if text.text.ends_with('\n') {
        folded.push('\n');
    }
    Some(folded)
}
