//! What counts as the same.

use super::case::{Case, Outcome};

/// What forge exits with where Task exits with the first number.
const CODES: &[(i64, &[i64])] = &[
    (1, &[1, 2]),
    (111, &[2, 4]),
    (200, &[2]),
    (201, &[1, 130]),
    (202, &[2]),
    (203, &[2]),
    (204, &[2]),
    (205, &[1]),
    (206, &[2]),
    (207, &[2]),
    (208, &[124]),
];

fn is_same_end(task: i64, forge: i64) -> bool {
    match CODES.iter().find(|(code, _)| *code == task) {
        Some((_, allowed)) => allowed.contains(&forge),
        None if (100..=110).contains(&task) => forge == 2,
        None => task == forge,
    }
}

/// Lines that say in what the runs of a case differ.
pub fn differences(case: &Case, task: &[Outcome], forge: &[Outcome]) -> Vec<String> {
    let mut told = Vec::new();
    for (number, (task, forge)) in task.iter().zip(forge).enumerate() {
        let mut tell = |what: &str, task: String, forge: String| {
            told.push(format!("  run {} {what}\n    Task  {task}\n    forge {forge}", number + 1));
        };
        if !is_same_end(task.exit, forge.exit) {
            let said = forge.stderr.join("\n          ");
            tell("exit", task.exit.to_string(), format!("{}\n          {said}", forge.exit));
        }
        let sorted = case.runs[number].contains_key("unordered");
        if let (Some(out), Some(of_forge)) = (&task.stdout, &forge.stdout) {
            let (out, of_forge) = (lines(out, &[], sorted), lines(of_forge, &task.stderr, sorted));
            if out != of_forge {
                tell("stdout", format!("{out:?}"), format!("{of_forge:?}"));
            }
        }
        if task.files != forge.files || task.gone != forge.gone {
            let shown =
                |outcome: &Outcome| format!("{:?} without {:?}", outcome.files, outcome.gone);
            tell("files", shown(task), shown(forge));
        }
    }
    told
}

/// Lines as they are compared. forge passes on what commands say on both streams in the order in
/// which it comes, so `of_stderr` is taken out; what Task says of itself on stdout does not count.
fn lines(all: &[String], of_stderr: &[String], sorted: bool) -> Vec<String> {
    let mut lines: Vec<String> = all.to_vec();
    lines.retain(|line| !is_of_task(line) && !is_of_the_shell(line));
    for line in of_stderr {
        if let Some(at) = lines.iter().position(|one| one == line) {
            lines.remove(at);
        }
    }
    if sorted {
        lines.sort();
    }
    lines
}

/// Whether Task speaks for itself.
fn is_of_task(line: &str) -> bool {
    line.starts_with("task: ") || line.ends_with("[assuming yes]")
}

/// Whether a shell speaks for itself, which each does in its own words.
fn is_of_the_shell(line: &str) -> bool {
    ["bash: ", "sh: ", "/bin/sh: "].iter().any(|shell| line.starts_with(shell))
}
