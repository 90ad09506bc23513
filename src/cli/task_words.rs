//! The command line of Task, as people type it behind `forge run --taskfile PATH`: its spellings are
//! those of forge, or mean what forge calls otherwise.

use std::ffi::OsString;

/// Spellings of Task, and what stands for them.
const SPELLINGS: &[(&str, &[&str])] = &[
    ("-n", &["--dry-run"]),
    ("--dry", &["--dry-run"]),
    ("-f", &["--force"]),
    ("-F", &["--fail-fast"]),
    ("--failfast", &["--fail-fast"]),
    ("--force-all", &["--force"]),
    ("-s", &["--quiet"]),
    ("--silent", &["--quiet"]),
    ("-p", &["--parallel"]),
    ("-c", &["--color=auto"]),
    ("--color", &["--color=auto"]),
    ("--color=true", &["--color=auto"]),
    ("--color=false", &["--color=never"]),
    ("-c=true", &["--color=auto"]),
    ("-c=false", &["--color=never"]),
    ("--insecure", &[]),
    ("--disable-fuzzy", &[]),
    ("--no-status", &[]),
    ("--download", &[]),
];

/// Options of Task that have a value, and those of forge that mean the same.
const WITH_VALUE: &[(&str, Option<&str>)] = &[
    ("-C", Some("-j")),
    ("--concurrency", Some("-j")),
    ("-d", Some("--taskfile")),
    ("--dir", Some("--taskfile")),
    ("-t", Some("--taskfile")),
    ("--taskfile", Some("--taskfile")),
    ("-o", Some("--output")),
    ("--output", Some("--output")),
    ("-I", None),
    ("--interval", None),
    ("--sort", Some("--sort")),
    ("--output-group-begin", Some("--group-begin")),
    ("--output-group-end", Some("--group-end")),
    ("--temp-dir", None),
    ("--timeout", None),
    ("--expiry", None),
];

/// `argv` in which the spellings of Task that stand behind `run --taskfile PATH` are forge's.
pub(super) fn rewrite(argv: Vec<OsString>) -> Vec<OsString> {
    let text = |arg: &OsString| arg.to_string_lossy().into_owned();
    let is_run = argv.iter().skip(1).map(text).find(|arg| !arg.starts_with('-'));
    let taskfile = argv.iter().position(|arg| text(arg).starts_with("--taskfile"));
    let end = argv.iter().position(|arg| arg == "--").unwrap_or(argv.len());
    let Some(at) = taskfile.filter(|at| *at < end && is_run.is_some_and(|verb| verb == "run"))
    else {
        return argv;
    };
    let from = if argv[at] == "--taskfile" { at + 2 } else { at + 1 };
    let head: Vec<OsString> = argv.iter().take(at).cloned().collect();
    let mut taskfile: Vec<OsString> = argv.iter().take(from).skip(at).cloned().collect();
    let mut words = Vec::new();
    let mut rest = argv.iter().take(end).skip(from).map(text);
    while let Some(arg) = rest.next() {
        if matches!(arg.as_str(), "-g" | "--global") {
            taskfile = vec!["--taskfile".into(), home()];
        } else if let Some((_, said)) = SPELLINGS.iter().find(|(task, _)| *task == arg) {
            words.extend(said.iter().map(OsString::from));
        } else if let Some((meant, value)) = with_value(&arg, &mut rest) {
            match meant {
                Some("--taskfile") => taskfile = vec!["--taskfile".into(), value.into()],
                Some(meant) => words.extend([meant.into(), way(meant, &value).into()]),
                None => {}
            }
        } else {
            words.push(arg.into());
        }
    }
    head.into_iter().chain(taskfile).chain(words).chain(argv.into_iter().skip(end)).collect()
}

/// What an option with a value means, and the value.
fn with_value(
    arg: &str,
    rest: &mut impl Iterator<Item = String>,
) -> Option<(Option<&'static str>, String)> {
    let (name, value) = match arg.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (arg, None),
    };
    let (_, meant) = WITH_VALUE.iter().find(|(task, _)| *task == name)?;
    Some((*meant, value.or_else(|| rest.next())?))
}

/// A value as forge calls it.
fn way(option: &str, value: &str) -> String {
    match (option, value) {
        ("--output", "group") => "grouped",
        ("--output", "interleaved") => "plain",
        (_, value) => value,
    }
    .to_owned()
}

/// Where the Taskfile is that counts everywhere.
fn home() -> OsString {
    "~".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_task_is_told_forge_is_told() {
        let said = |line: &str| {
            let argv = line.split(' ').map(OsString::from).collect();
            let said = rewrite(argv).into_iter().map(|arg| arg.to_string_lossy().into_owned());
            said.collect::<Vec<_>>().join(" ")
        };
        for (task, forge) in [
            (
                "forge run --taskfile . -f --dry a -- -f",
                "forge run --taskfile . --force --dry-run a -- -f",
            ),
            ("forge run --taskfile . -C 2 -s a X=1", "forge run --taskfile . -j 2 --quiet a X=1"),
            ("forge run --taskfile . -d sub t", "forge run --taskfile sub t"),
            ("forge run --taskfile . -g t", "forge run --taskfile ~ t"),
            ("forge run --taskfile . -o group t", "forge run --taskfile . --output grouped t"),
            ("forge run -n t", "forge run -n t"),
            ("forge run t -- --taskfile x -n", "forge run t -- --taskfile x -n"),
        ] {
            assert_eq!(said(task), forge);
        }
    }
}
