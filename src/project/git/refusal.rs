//! Explains why git failed, from what it said. Pure.

use crate::model::{Fault, Kind, shown_url};

/// What kind of trouble git speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GitTrouble {
    Network,
    Credentials,
    Absent,
    Foreign,
    Disk,
    Other,
}

/// Phrases of git, curl and ssh by which a trouble is known (`LC_ALL=C`).
const PHRASES: &[(GitTrouble, &[&str])] = &[
    (GitTrouble::Foreign, &[DUBIOUS]),
    (
        GitTrouble::Disk,
        &["No space left on device", "Disk quota exceeded", "Read-only file system"],
    ),
    (
        GitTrouble::Credentials,
        &[
            "Authentication failed",
            "could not read Username",
            "could not read Password",
            "terminal prompts disabled",
            "Permission denied (",
            "Host key verification failed",
            "returned error: 401",
            "returned error: 403",
        ],
    ),
    (
        GitTrouble::Network,
        &[
            "Could not resolve host",
            "Temporary failure in name resolution",
            "Connection refused",
            "Connection reset",
            "Connection timed out",
            "Couldn't connect to server",
            "Failed to connect",
            "Operation timed out",
            "Operation too slow",
            "Network is unreachable",
            "RPC failed",
            "early EOF",
            "unexpected disconnect",
            "hung up unexpectedly",
            "returned error: 429",
            "returned error: 5",
        ],
    ),
    (
        GitTrouble::Absent,
        &["not found", "does not exist", "does not appear to be a git repository"],
    ),
];

/// What git recommends then, before the folder.
const CURE: &str = "git config --global --add safe.directory";

/// How git says that it does not look into a repository of somebody else's.
const DUBIOUS: &str = "detected dubious ownership in repository";

/// What git adds to every failure, and nobody needs.
const NOISE: &[&str] = &[
    "hint:",
    "Please make sure you have the correct access rights",
    "and the repository exists",
    "warning: redirecting to",
];

/// Whether git did not look into the repository since somebody else owns it.
pub fn is_foreign(lines: &[String]) -> bool {
    trouble(lines) == GitTrouble::Foreign
}

/// Whether the same may work in a moment.
pub fn is_passing(lines: &[String]) -> bool {
    trouble(lines) == GitTrouble::Network
}

/// Whether git found no such reference in the repository.
pub fn is_absent_reference(lines: &[String]) -> bool {
    lines.iter().any(|line| line.contains("couldn't find remote ref"))
}

/// The fault of not being able to do `what`, about which git said `lines`.
pub fn fault(what: &str, lines: &[String]) -> Fault {
    let trouble = trouble(lines);
    let is_here = matches!(trouble, GitTrouble::Disk | GitTrouble::Foreign);
    let kind = if is_here { Kind::Failed } else { Kind::Store };
    let mut fault = Fault::new(kind, shown_url(what));
    let said = match trouble {
        GitTrouble::Foreign => {
            lines.iter().find(|line| line.contains(DUBIOUS)).cloned().unwrap_or_default()
        }
        _ => telling(lines),
    };
    if !said.is_empty() {
        fault = fault.because(format!("git said: {said}"));
    }
    match trouble {
        GitTrouble::Network => fault.hint("look at the network or proxy and try again; what is cached works with `--offline`"),
        GitTrouble::Credentials => fault.hint(
            "git has no valid credentials for it: set up a credential helper (for GitHub: `gh auth setup-git`) \
             or load an SSH key into the agent; `git ls-remote` with that URL must work without asking",
        ),
        GitTrouble::Absent => fault.hint("check the URL; to who may not see it, a private repository looks absent too"),
        GitTrouble::Foreign => fault.hint(format!(
            "somebody else owns it, and what is in it could run programs as you; if you trust it: `{}`",
            lines.iter().map(|line| line.trim()).find(|line| line.contains(CURE)).unwrap_or(CURE)
        )),
        GitTrouble::Disk => fault.hint("free some space (`forge clean:src` helps) and run it again"),
        GitTrouble::Other => fault,
    }
}

fn trouble(lines: &[String]) -> GitTrouble {
    let speaks_of =
        |phrases: &[&str]| lines.iter().any(|line| phrases.iter().any(|p| line.contains(p)));
    let known = PHRASES.iter().find(|(_, phrases)| speaks_of(phrases));
    known.map_or(GitTrouble::Other, |(trouble, _)| *trouble)
}

/// The last lines that say something, in one.
fn telling(lines: &[String]) -> String {
    let is_noise =
        |line: &str| line.is_empty() || NOISE.iter().any(|noise| line.starts_with(noise));
    let mut last: Vec<_> =
        lines.iter().rev().map(|l| l.trim()).filter(|l| !is_noise(l)).take(3).collect();
    last.reverse();
    shown_url(&last.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Fault {
        let lines: Vec<_> = text.lines().map(String::from).collect();
        fault("cannot fetch https://u:p@h/x.git", &lines)
    }

    #[test]
    fn faults_say_what_git_said_and_what_to_do() {
        let fault = said(
            "fatal: Authentication failed for 'https://u:p@h/x.git/'\n\nPlease make sure you have the correct access rights\nand the repository exists.",
        );
        assert_eq!(
            fault.to_string(),
            "cannot fetch https://h/x.git: git said: fatal: Authentication failed for 'https://h/x.git/'"
        );
        assert!(fault.hint.unwrap().contains("credential helper"));
        assert_eq!(fault.kind, Kind::Store);
    }

    #[test]
    fn what_passes_is_told_from_what_stays() {
        let passing = |text: &str| is_passing(&[text.to_owned()]);
        assert!(passing("fatal: unable to access 'https://h/': Could not resolve host: h"));
        assert!(passing(
            "error: RPC failed; HTTP 503 curl 22 The requested URL returned error: 503"
        ));
        assert!(!passing("fatal: unable to access 'x': The requested URL returned error: 403"));
        assert!(!passing("ERROR: Repository not found."));
        assert_eq!(said("error: No space left on device").kind, Kind::Failed);
    }
}
