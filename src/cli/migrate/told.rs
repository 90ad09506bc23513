//! What a migration comes to, in words.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::migrate::{Migration, WrittenFile};

use super::Outcome;

/// What became what, what needs a person, and what to do next.
pub(super) fn told(begin: &str, migration: &Migration, outcome: &Outcome) -> String {
    let pages = &migration.pages;
    let mut text = format!("{begin}\n");
    for page in pages {
        let from: Vec<String> =
            page.from.iter().map(|(path, _)| path.display().to_string()).collect();
        let before: usize = page.from.iter().map(|(_, lines)| lines).sum();
        let (from, after) = (from.join(", "), page.text.lines().count());
        let _ =
            writeln!(text, "  {from} -> {}: {before} lines became {after}", page.path.display());
    }
    let before: usize = pages.iter().flat_map(|page| &page.from).map(|(_, lines)| lines).sum();
    let after: usize = pages.iter().map(|page| page.text.lines().count()).sum();
    if pages.len() > 1 {
        let _ = writeln!(text, "  {before} lines in all became {after}");
    }
    if !migration.gone.is_empty() {
        let _ = writeln!(text, "replaced by what forge does, so no tasks any more:");
        for (instead, names) in &migration.gone {
            let _ = writeln!(text, "  {instead:<20} {}", grouped(names, pages));
        }
    }
    let marks: Vec<String> = pages.iter().flat_map(marks).collect();
    if !marks.is_empty() {
        let _ = match marks.len() {
            1 => writeln!(text, "1 place needs a person, marked `# migrate:`:"),
            more => writeln!(text, "{more} places need a person, each marked `# migrate:`:"),
        };
        let _ = writeln!(text, "{}", marks.join("\n"));
    }
    compared(&mut text, outcome);
    text
}

/// What would become of each Taskfile.
pub(super) fn checked(migration: &Migration, outcome: &Outcome) -> String {
    let mut text = String::new();
    for file in &migration.files {
        let _ = writeln!(text, "{} -> {}", file.path.display(), file.page.display());
        let page = migration.pages.iter().find(|page| page.path == file.page);
        if page.is_some_and(|page| page.path.starts_with("subsystems")) {
            let keys = page.into_iter().flat_map(|page| page.text.lines());
            let keys = keys.filter_map(|line| line.split_once(':')).map(|(key, _)| key);
            let is_key = |key: &&str| {
                matches!(*key, "source" | "build" | "upstream" | "service" | "vars" | "env")
            };
            listed(&mut text, "spec", &keys.filter(is_key).map(str::to_owned).collect::<Vec<_>>());
        }
        listed(&mut text, "tasks", &file.tasks);
        let mut verbs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (task, instead) in &file.gone {
            verbs.entry(instead).or_default().push(task);
        }
        let verbs = verbs.into_iter().map(|(verb, tasks)| format!("{verb} ({})", tasks.join(", ")));
        listed(&mut text, "verbs", &verbs.collect::<Vec<_>>());
        // Marks of a page that several files come to are told once, at the first.
        let is_first =
            page.is_some_and(|page| page.from.first().is_some_and(|(from, _)| *from == file.path));
        for line in page.filter(|_| is_first).into_iter().flat_map(marks) {
            let _ = writeln!(text, "  a person {}", line.trim_start());
        }
    }
    compared(&mut text, outcome);
    text
}

fn listed(text: &mut String, what: &str, all: &[String]) {
    if !all.is_empty() {
        let _ = writeln!(text, "  {what:<8} {}", all.join(", "));
    }
}

/// How the two sides compare.
fn compared(text: &mut String, outcome: &Outcome) {
    let left = match outcome.problems {
        0 => None,
        1 => Some("`forge check` shows 1 error that is left to mend".to_owned()),
        more => Some(format!("`forge check` shows {more} errors that are left to mend")),
    };
    let Some(comparison) = &outcome.comparison else {
        let left = left.unwrap_or_default();
        let _ = writeln!(text, "next: forge check\n{left}; until then, no task is compared");
        return;
    };
    let (all, equal) = (comparison.compared, comparison.equal());
    let tasks = if all == 1 { "task" } else { "tasks" };
    let _ = writeln!(text, "compared {all} {tasks}, as they would run: {equal} do the same");
    let _ = writeln!(
        text,
        "  taken for the same: a binary by its path or by its name; a path from the root, where that is \
         the folder; TASKFILE_DIR, as the folder of the file that says it"
    );
    if !comparison.differences.is_empty() {
        let _ = writeln!(text, "not the same, or not to be compared:");
        for (name, what) in &comparison.differences {
            let _ = writeln!(text, "  {name}: {what}");
        }
    }
    let _ = writeln!(text, "next: forge check");
    if let Some(line) = left {
        text.push_str(&line);
        text.push('\n');
    }
}

fn marks(page: &WrittenFile) -> Vec<String> {
    page.marks().map(|(line, what)| format!("  {}:{line}: {what}", page.path.display())).collect()
}

/// `nats:ensure, docs:ensure` of subsystems as `*:ensure (2)`.
fn grouped(names: &[String], pages: &[WrittenFile]) -> String {
    let is_subsystem = |name: &str| {
        pages.iter().any(|page| page.path.file_stem().is_some_and(|stem| stem == name))
    };
    let mut by_end: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for name in names {
        let end = name.split_once(':').filter(|(before, _)| is_subsystem(before));
        by_end.entry(end.map_or(name.as_str(), |(_, end)| end)).or_default().push(name);
    }
    let said = by_end.into_iter().map(|(end, names)| match names.as_slice() {
        [_, _, ..] => format!("*:{end} ({})", names.len()),
        _ => names.join(", "),
    });
    said.collect::<Vec<_>>().join(", ")
}
