//! What the README shows is what happens.
//!
//! Blocks fenced as `console` are run: each line `$ …` in a copy of the examples, and what
//! stands below it, up to the next `$`, is what it has to print. Numbers of time and
//! size, digests and paths differ from machine to machine and are not compared; a
//! line `…` stands for any lines. Lines in blocks fenced as `sh` that call forge have to succeed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::support::{Sandbox, copy_tree};

/// One command of a page, with what the page shows of its output.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    line: usize,
    command: String,
    output: Option<Vec<String>>,
}

fn commands(page: &str) -> Vec<Shown> {
    let mut shown: Vec<Shown> = Vec::new();
    let mut fence = None;
    for (index, line) in page.lines().enumerate() {
        if let Some(word) = line.strip_prefix("```") {
            fence = match fence {
                None => Some(word.trim().to_owned()),
                Some(_) => None,
            };
            continue;
        }
        let here =
            |command: &str, output| Shown { line: index + 1, command: command.to_owned(), output };
        match fence.as_deref() {
            Some("console") => match line.strip_prefix("$ ") {
                Some(command) => shown.push(here(command, Some(Vec::new()))),
                None => {
                    let output = shown.last_mut().and_then(|shown| shown.output.as_mut());
                    output.expect("output follows a command").push(line.to_owned());
                }
            },
            Some("sh") if words_of_forge(line).is_some() => shown.push(here(line, None)),
            _ => {}
        }
    }
    shown
}

/// What forge is called with, if a line calls it.
fn words_of_forge(line: &str) -> Option<String> {
    let line = line.split(" #").next().unwrap_or_default().trim();
    let line = line.split(" 2>").next().unwrap_or_default().trim();
    if let Some(words) = line.strip_prefix("forge") {
        return (words.is_empty() || words.starts_with(' ')).then(|| words.trim().to_owned());
    }
    let (_, words) = line.strip_prefix("cargo run ")?.split_once("-- ")?;
    Some(words.trim().to_owned())
}

/// The lines of a text that say something, with everything that differs from machine to
/// machine written as one word.
fn lines(text: &str) -> Vec<String> {
    text.lines().map(normalised).filter(|line| !line.is_empty()).collect()
}

fn normalised(line: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut rest = line.split_whitespace().peekable();
    while let Some(word) = rest.next() {
        if let Some(kind) = rest.peek().and_then(|unit| measure(word, unit)) {
            let unit = rest.next().unwrap_or_default();
            // `1 h 0 min` is one time.
            if words.last().is_none_or(|last| last != kind) {
                words.push(kind.into());
            }
            let end = unit.trim_start_matches(char::is_alphanumeric);
            words.last_mut().expect("it was just pushed").push_str(end);
        } else {
            words.push(told(word));
        }
    }
    words.join(" ")
}

/// What a number with this unit is called.
fn measure(number: &str, unit: &str) -> Option<&'static str> {
    let number = number.trim_start_matches(|c: char| !c.is_alphanumeric());
    if number.is_empty() || !number.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return None;
    }
    match unit.trim_end_matches(|c: char| !c.is_alphanumeric()) {
        "ms" | "s" | "min" | "h" => Some("<time>"),
        "B" | "kB" | "MB" | "GB" | "KiB" | "MiB" | "GiB" | "bytes" => Some("<size>"),
        _ => None,
    }
}

fn is_digest(word: &str) -> bool {
    word.len() >= 12 && word.chars().all(|c| c.is_ascii_hexdigit())
}

/// A word as it is compared.
fn told(word: &str) -> String {
    let plain = word.trim_matches(|c: char| !c.is_alphanumeric());
    if is_digest(plain) {
        return "<digest>".into();
    }
    if ["/tmp", "/home/you", "~/"].iter().any(|place| word.contains(place)) {
        // The folder it is in differs, its own name does not.
        let name = plain.rsplit('/').next().unwrap_or_default();
        return match name.rsplit_once('-') {
            Some((begin, digest)) if is_digest(digest) => format!("<path>/{begin}-<digest>"),
            _ => format!("<path>/{name}"),
        };
    }
    word.replace("linux-amd64", "<platform>").replace("linux-arm64", "<platform>")
}

/// Whether `found` is `wanted`, in which a line `…` stands for any lines.
fn fits(wanted: &[&str], found: &[&str]) -> bool {
    match wanted.split_first() {
        None => found.is_empty(),
        Some((&("…" | "..."), rest)) => (0..=found.len()).any(|from| fits(rest, &found[from..])),
        Some((first, rest)) => {
            found.split_first().is_some_and(|(line, others)| line == first && fits(rest, others))
        }
    }
}

/// Runs the commands of a page, each kind of block in a copy of the examples of its own: one
/// block fenced as `console` goes on where the one before it ended.
fn run_page(page: &Path) -> usize {
    let text = fs::read_to_string(page).unwrap_or_else(|e| panic!("{}: {e}", page.display()));
    let (plain, tour) = (Terminal::new(), Terminal::new());
    let (mut plain, mut tour) = (plain, tour);
    let shown = commands(&text);
    for shown in &shown {
        let at = format!("{}:{}: {}", page.display(), shown.line, shown.command);
        let Some(wanted) = &shown.output else {
            let words = words_of_forge(&shown.command).expect("it calls forge");
            plain.run(&format!("forge {words}"), &at, false);
            continue;
        };
        let may_fail = wanted.iter().any(|line| line.contains("error") || line.contains("failed"));
        let (all, out) = tour.run(&shown.command, &at, may_fail);
        let wanted = lines(&wanted.join("\n"));
        let fit = |found: &str| fits(&borrow(&wanted), &borrow(&lines(found)));
        assert!(
            fit(&all) || fit(&out),
            "{at}\n--- the page shows\n{}\n--- it prints\n{}",
            wanted.join("\n"),
            lines(&all).join("\n")
        );
    }
    shown.len()
}

fn borrow(lines: &[String]) -> Vec<&str> {
    lines.iter().map(String::as_str).collect()
}

/// A shell session beside a copy of the examples.
struct Terminal {
    sandbox: Sandbox,
    dir: PathBuf,
}

impl Terminal {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let dir = sandbox.beside("tour");
        copy_tree(Path::new("examples"), &dir.join("examples"));
        Self { sandbox, dir }
    }

    /// Runs one line. Returns what it printed, with and without standard error, from which
    /// the lines are left out that come and go on a terminal.
    fn run(&mut self, line: &str, at: &str, may_fail: bool) -> (String, String) {
        if let Some(folder) = line.strip_prefix("cd ") {
            self.dir = self.dir.join(folder);
            assert!(self.dir.is_dir(), "{at}: there is no such folder");
            return (String::new(), String::new());
        }
        let path = std::env::var("PATH").unwrap_or_default();
        let forge = Path::new(env!("CARGO_BIN_EXE_forge")).parent().expect("a folder").display();
        let output = Command::new("sh")
            .args(["-c", line])
            .current_dir(&self.dir)
            .env("PATH", format!("{}:{forge}:{path}", self.dir.join(".forge/bin").display()))
            .env("FORGE_CACHE_DIR", self.sandbox.beside("cache"))
            .env("FORGE_DATA_DIR", self.sandbox.beside("data"))
            // The page shows what happens on a laptop.
            .env_remove("CI")
            .env_remove("GITHUB_ACTIONS")
            .env_remove("GITLAB_CI")
            .stdin(Stdio::null())
            .output()
            .expect("sh");
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() || may_fail, "{at}: {}\n{out}{err}", output.status);
        // What ends, and, on a busy machine, what lasts: `building    crc32 v1.1.0`.
        let ends = ["built", "published", "linked", "cached", "downloaded", "fetched", "failed"];
        let lasts = |line: &str| line.split(' ').next().is_some_and(|word| word.ends_with("ing"));
        let stays = |line: &&str| !ends.iter().any(|word| line.starts_with(word)) && !lasts(line);
        let err: String = err.split_inclusive('\n').filter(stays).collect();
        (format!("{err}{out}"), out)
    }
}

#[test]
fn the_readme_shows_what_happens() {
    for tool in ["cc", "rustc"] {
        if std::process::Command::new(tool).arg("--version").output().is_err() {
            eprintln!("skipped: there is no {tool}, with which the quickstart is built");
            return;
        }
    }
    assert!(run_page(Path::new("README.md")) > 0, "the README shows no command");
}

#[test]
fn a_page_is_read_as_it_is_meant() {
    let page = "```sh\ncargo run -r -- -C x ensure   # all\ncargo test\n```\n```console\n$ forge list\na  v1\n\n$ ls\nb\n```\n";
    let shown = commands(page);
    assert_eq!(shown.len(), 3, "{shown:?}");
    assert_eq!(words_of_forge(&shown[0].command).as_deref(), Some("-C x ensure"));
    assert_eq!(shown[1].output.as_deref(), Some(&["a  v1".to_owned(), String::new()][..]));
    assert_eq!(words_of_forge("forger x"), None);
}

#[test]
fn numbers_are_forgiven_and_words_are_not() {
    let same = |a: &str, b: &str| normalised(a) == normalised(b);
    assert!(same("built   nats v1  1.2 MiB in 3.4 s", "built nats v1  900 KiB in 12 ms"));
    assert!(same("8 ensured in 1 h 2 min: 2 fresh", "8 ensured in 14.2 s: 2 fresh"));
    assert!(!same("8 ensured in 2 s", "7 ensured in 2 s"));
    assert!(same("sha256 0123456789abcdef x", "sha256 fedcba9876543210 x"));
    assert!(!same("built nats", "failed nats"));
    assert!(same(
        "to dir:/tmp/x/releases/q-0123456789ab",
        "to dir:/home/you/releases/q-ba9876543210"
    ));
    assert!(!same("to dir:/tmp/x/releases/q-0123456789ab", "to dir:/home/you/releases/q"));
    assert!(fits(&["a", "…", "d"], &["a", "b", "c", "d"]));
    assert!(!fits(&["a", "…", "d"], &["a", "b", "c"]));
}
