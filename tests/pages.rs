//! What the README and the guides show is what happens.
//!
//! Blocks fenced as `console` are run: each line `$ …` in a folder of the page's own, and what
//! stands below it, up to the next `$`, is what it has to print. Numbers of time and
//! size, digests and paths differ from machine to machine and are not compared; a
//! line `…` stands for any lines. A block fenced as `yaml file=versions.yml` is written to that
//! file first. Lines in blocks fenced as `sh` that call forge have to succeed.
//!
//! A page that names `examples/` has a copy of them. A line `<!-- needs: go git -->` lists programs
//! without which a page is skipped. `FORGE_WRITE_PAGES=1 cargo test pages` writes what commands
//! really print over what a page shows, where it differs: look at the difference before you commit it.

use std::{
    env, fs,
    ops::Range,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
};

use regex::Regex;

use crate::{
    architecture::sources,
    book,
    support::{Sandbox, copy_tree},
};

/// Something that a page shows.
#[derive(Debug, PartialEq, Eq)]
enum Shown {
    /// A command, with the lines of the page that have its output, if it is compared.
    Command { line: usize, command: String, output: Option<Range<usize>> },
    /// A file.
    File { path: String, text: String },
}

/// All that `page` shows, in order. Lines are counted from 0.
fn shown(page: &str) -> Vec<Shown> {
    let lines: Vec<&str> = page.lines().collect();
    let mut all = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let fence = lines[at].strip_prefix("```");
        let (first, Some(fence)) = (at + 1, fence) else {
            at += 1;
            continue;
        };
        let end = (first..lines.len()).find(|&line| lines[line].starts_with("```"));
        let end = end.unwrap_or(lines.len());
        let block = &lines[first..end];
        match fence.split_once("file=") {
            Some((_, path)) => {
                all.push(Shown::File {
                    path: path.trim().to_owned(),
                    text: block.join("\n") + "\n",
                });
            }
            None if fence == "console" => all.extend(session(first, block)),
            None if fence == "sh" => {
                let calls =
                    block.iter().enumerate().filter(|(_, line)| words_of_forge(line).is_some());
                all.extend(calls.map(|(at, line)| Shown::Command {
                    line: first + at,
                    command: (*line).to_owned(),
                    output: None,
                }));
            }
            None => {}
        }
        at = end + 1;
    }
    all
}

/// The commands of a block that begins at the line `first`.
fn session(first: usize, block: &[&str]) -> Vec<Shown> {
    let starts: Vec<usize> = (0..block.len()).filter(|&at| block[at].starts_with("$ ")).collect();
    let ends = starts.iter().skip(1).copied().chain([block.len()]);
    let command = |(at, end): (usize, usize)| Shown::Command {
        line: first + at,
        command: block[at][2..].to_owned(),
        output: Some(first + at + 1..first + end),
    };
    starts.iter().copied().zip(ends).map(command).collect()
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

/// The name of a run's logs, a day, or a digest within a word.
static OF_THE_RUN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\d{8}-\d{6}-[0-9a-f]{16}|\d{4}-\d{2}-\d{2}|[0-9a-f]{64}").expect("a pattern")
});

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
    let word = OF_THE_RUN.replace_all(word, "<of the run>");
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

/// Runs the commands of a page, each kind of block in a folder of its own: one
/// block fenced as `console` goes on where the one before it ended.
fn run_page(page: &Path) -> usize {
    let text = fs::read_to_string(page).unwrap_or_else(|e| panic!("{}: {e}", page.display()));
    if let Some(tool) = missing_tool(&text) {
        assert!(env::var_os("CI").is_none(), "{} needs {tool}", page.display());
        eprintln!("skipped: there is no {tool}, which {} needs", page.display());
        return 0;
    }
    let has_examples = page == Path::new("README.md") || text.contains("examples/");
    let (mut plain, mut tour) = (Terminal::new(has_examples), Terminal::new(has_examples));
    let lines_of_page: Vec<&str> = text.lines().collect();
    let shown = shown(&text);
    let mut corrections: Vec<(Range<usize>, String)> = Vec::new();
    for shown in &shown {
        let (line, command, output) = match shown {
            Shown::File { path, text } => {
                tour.write(path, text);
                continue;
            }
            Shown::Command { line, command, output } => (line, command, output),
        };
        let at = format!("{}:{}: {command}", page.display(), line + 1);
        let Some(output) = output else {
            let words = words_of_forge(command).expect("it calls forge");
            plain.run(&format!("forge {words}"), &at, false);
            continue;
        };
        let wanted = lines_of_page[output.clone()].join("\n");
        let may_fail = wanted.contains("error") || wanted.contains("failed") || is_writing();
        let (all, out) = tour.run(command, &at, may_fail);
        let wanted = lines(&wanted);
        let fit = |found: &str| fits(&borrow(&wanted), &borrow(&lines(found)));
        // A page that shows nothing yet is to show all.
        let fits_out = fit(&out) && !(wanted.is_empty() && is_writing());
        if fit(&all) || fits_out {
            continue;
        }
        assert!(
            is_writing(),
            "{at}\n--- the page shows\n{}\n--- it prints\n{}",
            wanted.join("\n"),
            lines(&all).join("\n")
        );
        corrections.push((output.clone(), tour.as_yours(&all)));
    }
    correct(page, &lines_of_page, corrections);
    shown.len()
}

/// Whether what commands print is written over what pages show.
fn is_writing() -> bool {
    env::var_os("FORGE_WRITE_PAGES").is_some()
}

/// Writes `corrections` into a page.
fn correct(page: &Path, lines: &[&str], corrections: Vec<(Range<usize>, String)>) {
    if corrections.is_empty() {
        return;
    }
    let mut lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
    for (place, text) in corrections.into_iter().rev() {
        lines.splice(place, text.trim_end().lines().map(|line| line.trim_end().to_owned()));
    }
    fs::write(page, lines.join("\n") + "\n").expect("the page");
}

/// A program that a page needs and this machine lacks.
fn missing_tool(page: &str) -> Option<&str> {
    let needs = page.lines().find_map(|line| line.strip_prefix("<!-- needs: "))?;
    let mut tools = needs.trim_end_matches("-->").split_whitespace();
    tools.find(|tool| {
        let asked = Command::new("sh").args(["-c", &format!("command -v {tool}")]).output();
        !asked.is_ok_and(|output| output.status.success())
    })
}

fn borrow(lines: &[String]) -> Vec<&str> {
    lines.iter().map(String::as_str).collect()
}

/// A shell session in a folder of its own.
struct Terminal {
    sandbox: Sandbox,
    dir: PathBuf,
}

impl Terminal {
    fn new(has_examples: bool) -> Self {
        let sandbox = Sandbox::new();
        let dir = sandbox.beside("you");
        fs::create_dir_all(&dir).expect("a folder");
        if has_examples {
            copy_tree(Path::new("examples"), &dir.join("examples"));
        }
        let you = "[user]\nname = You\nemail = you@example.org\n[init]\ndefaultBranch = main\n";
        fs::write(sandbox.beside("gitconfig"), you).expect("git's settings");
        Self { sandbox, dir }
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.dir.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, text).expect("a file");
    }

    /// `text` as it would be in your home folder.
    fn as_yours(&self, text: &str) -> String {
        let tour = self.sandbox.beside("you").display().to_string();
        let data = self.sandbox.beside("data").display().to_string();
        let cache = self.sandbox.beside("cache").display().to_string();
        let text = text.replace(&data, "/home/you/.local/share/forge");
        text.replace(&cache, "/home/you/.cache/forge").replace(&tour, "/home/you")
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
            .env("GIT_CONFIG_GLOBAL", self.sandbox.beside("gitconfig"))
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
        if Command::new(tool).arg("--version").output().is_err() {
            eprintln!("skipped: there is no {tool}, with which the quickstart is built");
            return;
        }
    }
    assert!(run_page(Path::new("README.md")) > 0, "the README shows no command");
}

#[test]
fn the_guides_show_what_happens() {
    let pages: Vec<PathBuf> =
        book::pages().into_iter().filter(|page| !page.starts_with("docs/reference")).collect();
    let shown: usize = std::thread::scope(|scope| {
        let runs: Vec<_> = pages.iter().map(|page| scope.spawn(|| run_page(page))).collect();
        let ended = runs.into_iter().map(|run| run.join().expect("a page that shows what happens"));
        ended.sum()
    });
    assert!(shown > 20, "{shown}");
}

#[test]
fn a_page_is_read_as_it_is_meant() {
    let page = "```sh\ncargo run -r -- -C x ensure   # all\ncargo test\n```\n```console\n$ forge list\na  v1\n\n$ ls\nb\n```\n";
    let page = format!("{page}```yaml file=a.yml\nb: c\n```\n");
    let command =
        |line, command: &str, output| Shown::Command { line, command: command.into(), output };
    let file = Shown::File { path: "a.yml".into(), text: "b: c\n".into() };
    assert_eq!(
        shown(&page),
        [
            command(1, "cargo run -r -- -C x ensure   # all", None),
            command(5, "forge list", Some(6..8)),
            command(8, "ls", Some(9..10)),
            file,
        ]
    );
    assert_eq!(
        words_of_forge("cargo run -r -- -C x ensure   # all").as_deref(),
        Some("-C x ensure")
    );
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

/// What forge prints, as its sources have it: code without comments, with long texts joined.
fn messages() -> String {
    let join = Regex::new(r"\\\n\s*").expect("a pattern");
    let mut all = String::new();
    for path in sources(Path::new("src")) {
        let text = fs::read_to_string(path).expect("a source");
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        all.push_str(&join.replace_all(&code.collect::<Vec<_>>().join("\n"), ""));
    }
    all
}

#[test]
fn troubleshooting_begins_with_words_that_forge_prints() {
    let page = fs::read_to_string("docs/troubleshooting.md").expect("the page");
    let messages = messages();
    let symptoms: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    assert!(symptoms.len() >= 20, "{}", symptoms.len());
    // What stands below a heading was run.
    let shown: String =
        page.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
    let unknown: Vec<_> = symptoms
        .into_iter()
        .filter(|symptom| !messages.contains(*symptom) && !shown.contains(*symptom))
        .collect();
    assert!(unknown.is_empty(), "forge prints none of these: {unknown:#?}");
}
