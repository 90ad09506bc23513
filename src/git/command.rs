//! Runs git, with what users set up for getting in (credentials, proxies, `insteadOf`) and
//! without what they set up for their own work (hooks, line ends, templates).

use std::{collections::BTreeMap, path::Path, time::Duration};

use super::refusal;
use crate::{
    model::{Environment, Fault, Kind, shown_url},
    process::{Command, CommandLine, CommandRunner},
};

/// Settings over the user's own.
const SETTINGS: &[(&str, &str)] = &[
    // The same bytes everywhere.
    ("core.autocrlf", "false"),
    ("core.safecrlf", "false"),
    ("core.attributesFile", "/dev/null"),
    // Nothing that runs by itself or stays behind.
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    // Only what is asked for.
    ("submodule.recurse", "false"),
    ("fetch.recurseSubmodules", "false"),
    ("fetch.writeCommitGraph", "false"),
    ("init.defaultBranch", "main"),
    ("advice.detachedHead", "false"),
    // A transfer that stands still is given up.
    ("http.lowSpeedLimit", "1000"),
    ("http.lowSpeedTime", "60"),
];

/// How long the remote may take to answer a question.
const ANSWER: Duration = Duration::from_secs(120);
/// How long a transfer may take.
const TRANSFER: Duration = Duration::from_secs(3600);
/// How long to wait before asking a remote again that did not answer.
const PAUSES: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(2)];

/// Git in one folder.
pub struct Git<'a> {
    runner: &'a dyn CommandRunner,
    dir: &'a Path,
    /// Whether submodules may come from local folders; git allows that only on request.
    local: bool,
    /// Whether forge made the folder. Of any other, git itself decides whether its owner is trusted.
    is_own: bool,
}

/// Why git did not do it.
pub enum Failure {
    /// Git failed and said so.
    Said(Vec<String>),
    /// Git did not get to say anything: it is not there, or was stopped.
    Mute(Fault),
}

impl Failure {
    /// Whether git did not even look, since somebody else owns the repository.
    pub fn is_foreign(&self) -> bool {
        matches!(self, Self::Said(lines) if refusal::is_foreign(lines))
    }

    /// The fault of not being able to do `what`.
    pub fn fault(self, what: impl Into<String>) -> Fault {
        let what = shown_url(&what.into());
        match self {
            Self::Said(lines) => refusal::fault(&what, &lines),
            Self::Mute(fault) if fault.kind == Kind::Timeout => {
                let fault = fault.within(what);
                Fault { kind: Kind::Store, hint: None, ..fault }.hint(
                    "the other side does not answer in time; look at the network and try again",
                )
            }
            Self::Mute(fault) if fault.kind == Kind::Interrupted => fault,
            Self::Mute(fault) => fault.within(what),
        }
    }
}

impl<'a> Git<'a> {
    /// Git in `dir`, about things that come from `url`.
    pub fn new(runner: &'a dyn CommandRunner, dir: &'a Path, url: &str) -> Self {
        let local =
            !url.contains("://") && Path::new(url).is_absolute() || url.starts_with("file://");
        Self { runner, dir, local, is_own: false }
    }

    /// Git in `dir`, which forge made itself, also where a container runs as somebody else. Things
    /// come from `url`, which a manifest names.
    pub fn in_own(runner: &'a dyn CommandRunner, dir: &'a Path, url: &str) -> Self {
        Self { is_own: true, ..Self::new(runner, dir, url) }
    }

    /// The folder it works in.
    pub fn dir(&self) -> &Path {
        self.dir
    }

    /// Runs `git` with `words` and returns the lines it prints.
    pub async fn run(&self, words: &[&str]) -> Result<Vec<String>, Failure> {
        self.run_within(words, TRANSFER).await
    }

    /// Asks a remote, more than once if it does not answer.
    pub async fn ask(&self, words: &[&str]) -> Result<Vec<String>, Failure> {
        let limit = if words[0] == "ls-remote" { ANSWER } else { TRANSFER };
        self.ask_within(words, limit).await
    }

    /// [`Self::ask`], where each try may take as long as `limit`.
    pub async fn ask_within(
        &self,
        words: &[&str],
        limit: Duration,
    ) -> Result<Vec<String>, Failure> {
        for pause in PAUSES {
            match self.run_within(words, limit).await {
                Err(Failure::Said(lines)) if refusal::is_passing(&lines) => {
                    tokio::time::sleep(pause).await;
                }
                answer => return answer,
            }
        }
        self.run_within(words, limit).await
    }

    /// Runs `git` with `words` and says `text` to it.
    pub async fn say(&self, words: &[&str], text: &str) -> Result<Vec<String>, Failure> {
        let line = format!("printf %s \"$FORGE_TEXT\" | git {}", words.join(" "));
        let mut command = Command::new(CommandLine::Shell(line), self.dir);
        command.env.insert("FORGE_TEXT".into(), text.to_owned());
        self.perform(command, TRANSFER).await
    }

    /// Settings besides [`SETTINGS`].
    fn own_settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = Vec::new();
        if self.local {
            settings.push(("protocol.file.allow", "always".to_owned()));
        }
        if self.is_own {
            // It runs commands that the URL names.
            settings.push(("protocol.ext.allow", "never".to_owned()));
            let real = self.dir.canonicalize().unwrap_or_else(|_| self.dir.to_owned());
            let mut folders = vec![self.dir.to_owned(), real];
            folders.dedup();
            for folder in folders {
                let folder = folder.to_string_lossy().into_owned();
                settings.push(("safe.directory", format!("{folder}/*")));
                settings.push(("safe.directory", folder));
            }
        }
        settings
    }

    async fn run_within(&self, words: &[&str], limit: Duration) -> Result<Vec<String>, Failure> {
        let words = [&["git"], words].concat().into_iter().map(String::from).collect();
        self.perform(Command::new(CommandLine::Argv(words), self.dir), limit).await
    }

    async fn perform(&self, mut command: Command, limit: Duration) -> Result<Vec<String>, Failure> {
        command.timeout = Some(limit);
        // A line means something as a whole, however long a message or a list of paths is.
        command.longest_line = usize::MAX;
        let own = self.own_settings();
        command.env.extend(environment(self.dir, &own, self.runner.environment()));
        let mut lines = Vec::new();
        match self.runner.run(&command, &mut |line| lines.push(line.to_owned())).await {
            Ok(()) => Ok(lines),
            Err(fault) if fault.kind == Kind::Failed && !lines.is_empty() => {
                Err(Failure::Said(lines))
            }
            Err(fault) => Err(Failure::Mute(fault)),
        }
    }
}

/// The variables with which git runs in `dir`; `inherited` tells those of forge itself.
fn environment(
    dir: &Path,
    own: &[(&'static str, String)],
    inherited: &Environment,
) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    let mut set = |name: &str, value: &str| {
        variables.insert(name.to_owned(), value.to_owned());
    };
    set("LC_ALL", "C");
    // Nobody is there to answer questions, neither git's nor ssh's.
    set("GIT_TERMINAL_PROMPT", "0");
    if inherited.get("SSH_ASKPASS").is_none() {
        set("SSH_ASKPASS", "false");
        set("SSH_ASKPASS_REQUIRE", "force");
    }
    set("GIT_OPTIONAL_LOCKS", "0");
    // Where `dir` is no repository, the one around it (the workspace!) must not be taken for it.
    let around = dir.parent().unwrap_or(Path::new("/"));
    set("GIT_CEILING_DIRECTORIES", &around.to_string_lossy());
    // Settings that come by variables already may hold credentials: they stay, before these.
    let first = inherited.get("GIT_CONFIG_COUNT").and_then(|count| count.parse().ok()).unwrap_or(0);
    let own = own.iter().map(|(key, value)| (*key, value.as_str()));
    let settings = SETTINGS.iter().copied().chain(own);
    let mut count: usize = first;
    for (key, value) in settings {
        set(&format!("GIT_CONFIG_KEY_{count}"), key);
        set(&format!("GIT_CONFIG_VALUE_{count}"), value);
        count += 1;
    }
    set("GIT_CONFIG_COUNT", &count.to_string());
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_come_by_variables_stay() {
        let inherited = [("GIT_CONFIG_COUNT", "2")].into_iter().collect();
        let variables = environment(Path::new("/a/b"), &[], &inherited);
        assert!(!variables.contains_key("GIT_CONFIG_KEY_1"));
        assert_eq!(variables["GIT_CONFIG_KEY_2"], SETTINGS[0].0);
        assert_eq!(variables["GIT_CONFIG_COUNT"], (2 + SETTINGS.len()).to_string());
        assert_eq!(variables["GIT_CEILING_DIRECTORIES"], "/a");
    }

    #[test]
    fn only_folders_that_forge_made_are_trusted_whoever_owns_them() {
        let runner = super::super::sample::Sample::runner();
        let keys = |git: Git<'_>| -> Vec<_> {
            git.own_settings().into_iter().map(|(key, value)| format!("{key}={value}")).collect()
        };
        let (dir, url) = (Path::new("/no/such"), "https://example.org/x.git");
        assert!(keys(Git::new(&runner, dir, url)).is_empty());
        assert!(SETTINGS.iter().all(|(key, _)| *key != "safe.directory"));
        assert_eq!(
            keys(Git::in_own(&runner, dir, url)),
            ["protocol.ext.allow=never", "safe.directory=/no/such/*", "safe.directory=/no/such"]
        );
        // Submodules may come from local folders only where the repository does.
        let file = "protocol.file.allow=always".to_owned();
        assert!(keys(Git::in_own(&runner, dir, "/srv/x.git")).contains(&file));
        assert!(keys(Git::in_own(&runner, dir, "file:///srv/x.git")).contains(&file));
    }
}
