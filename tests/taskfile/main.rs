//! The corpus of Taskfiles, run with `forge run --taskfile` and held against what Task did. Cases that
//! differ are those that docs/reference/taskfile.md declares, by their numbers, and no others.
//!
//! With `FORGE_TASK=PATH` in the environment the tool at that path runs beside forge, and what it does
//! now is what counts, not the recordings.

mod case;
mod compare;
mod run;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use case::Case;
use compare::differences;

const CORPUS: &str = "tests/taskfile/corpus";

/// The numbers in the table of differences in docs/reference/taskfile.md.
fn declared() -> BTreeSet<String> {
    let text =
        fs::read_to_string("docs/reference/taskfile.md").expect("docs/reference/taskfile.md");
    let row = |line: &str| {
        let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
        let numbers = cells.next()?.split(", ").map(str::to_owned).collect::<Vec<_>>();
        let are_numbers = numbers.iter().all(|word| word.len() == 3 && word.parse::<u16>().is_ok());
        let has_reason = cells.next().is_some_and(|reason| reason.len() > 20);
        (are_numbers && has_reason).then_some(numbers)
    };
    text.lines().filter_map(row).flatten().collect()
}

fn cases() -> Vec<PathBuf> {
    let chosen = std::env::var("FORGE_CASES").unwrap_or_default();
    let is_chosen = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        chosen.is_empty() || chosen.split(',').any(|word| name.contains(word))
    };
    let entries = fs::read_dir(CORPUS).expect("the corpus");
    let mut cases: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    cases.retain(|path| path.is_dir() && is_chosen(path));
    cases.sort();
    cases
}

/// Says which of the pages that cite the score do not cite this one.
fn cited_wrong(score: &str) -> String {
    let cites = |page: &&str| {
        let text = fs::read_to_string(page).expect("a page of this repository");
        text.contains(&format!("**{score}** cases agree with Task"))
    };
    let pages = ["docs/reference/taskfile.md", "README.md"];
    let wrong = pages.iter().filter(|page| !cites(page));
    wrong.map(|page| format!("{page} should say: **{score}** cases agree with Task\n")).collect()
}

#[test]
fn taskfiles_do_what_task_does_but_for_declared_differences() {
    let cases = cases();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let found = std::sync::Mutex::new(BTreeMap::new());
    let work = || {
        while let Some(folder) = cases.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
        {
            let case = Case::read(folder);
            let told = differences(&case, &run::expected(&case), &run::forge(&case));
            found.lock().expect("no panic").insert(case.number.clone(), told);
        }
    };
    std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(work))));
    let found = found.into_inner().expect("no panic");
    let agree = found.values().filter(|told| told.is_empty()).count();
    println!("{agree} of {} cases agree with Task", found.len());
    let declared = declared();
    let mut wrong = String::new();
    for (number, told) in &found {
        let why = match (told.is_empty(), declared.contains(number)) {
            (false, false) => format!("{number} differs:\n{}\n", told.join("\n")),
            (true, true) => format!("{number} agrees, but is declared to differ\n"),
            _ => continue,
        };
        wrong.push_str(&why);
    }
    if std::env::var_os("FORGE_CASES").is_none() {
        wrong.push_str(&cited_wrong(&format!("{agree} of {}", found.len())));
    }
    assert!(wrong.is_empty(), "{agree} of {} cases agree\n{wrong}", found.len());
}
