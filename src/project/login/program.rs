//! The programs that keep logins: `gh`, and git's credential helpers. Nobody is asked
//! anything: what would open a prompt or a window has no login for us.

use std::{path::PathBuf, sync::Arc, time::Duration};

use super::{host::LoginHost, variables::OF_GH};
use crate::{
    process::{Command, CommandLine, CommandRunner, find_outside, is_program, path_outside},
    store::Login,
};

/// How long a program may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The same of a helper of Docker's, which may ask a server for a login.
const PATIENCE_WITH_HELPERS: Duration = Duration::from_secs(30);

/// How programs are asked.
pub struct Asking {
    /// Runs them.
    pub runner: Arc<dyn CommandRunner>,
    /// Where they run.
    pub dir: PathBuf,
    /// Folders put before PATH.
    pub path: Vec<PathBuf>,
    /// Whether no program in `dir` is asked.
    pub is_outside: bool,
}

impl Asking {
    /// What `gh` knows.
    pub async fn gh(&self, host: &LoginHost) -> Option<Login> {
        let line = format!("gh auth token --hostname '{}'", host.name);
        let mut quiet =
            vec![("GH_PROMPT_DISABLED", "1"), ("GH_NO_UPDATE_NOTIFIER", "1"), ("NO_COLOR", "1")];
        // What it keeps for this host, and not what it was given for any.
        quiet.extend(OF_GH.map(|name| (name, "")));
        let lines = self.ask("gh", &line, &quiet).await?;
        let token = lines.into_iter().find(|line| is_token(line))?;
        Some(Login { token, source: "gh auth token".into() })
    }

    /// What git's credential helpers know (gitcredentials(7)).
    pub async fn git(&self, host: &LoginHost) -> Option<Login> {
        let LoginHost { name, scheme, .. } = host;
        let line = format!(r"printf 'protocol={scheme}\nhost={name}\n\n' | git credential fill");
        let quiet = [
            ("GIT_TERMINAL_PROMPT", "0"),
            // Set but empty: no program is asked, whatever `core.askPass` says.
            ("GIT_ASKPASS", ""),
            ("SSH_ASKPASS", ""),
            ("GCM_INTERACTIVE", "never"),
        ];
        let lines = self.ask("git", &line, &quiet).await?;
        let token = lines.iter().find_map(|line| line.strip_prefix("password="))?;
        let login = Login { token: token.to_owned(), source: "git credential fill".into() };
        is_token(token).then_some(login)
    }

    /// What Docker's credential helper `name` says of the registry that it knows by `key`: nothing
    /// if it knows nothing. None if it is not installed.
    pub async fn helper(&self, name: &str, key: &str) -> Option<String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]/".contains(c);
        let program = format!("docker-credential-{name}");
        if !key.chars().all(plain) || self.search_path(&program).is_none() {
            return None;
        }
        let line = format!("printf '%s' '{key}' | {program} get");
        let lines = self.ask_within(PATIENCE_WITH_HELPERS, &program, &line, &[]).await;
        Some(lines.unwrap_or_default().join("\n"))
    }

    /// The variables that `program` is found with; none if it is not there. Without PATH among them,
    /// it is looked for where forge itself looks.
    fn search_path(&self, program: &str) -> Option<Vec<(String, String)>> {
        let environment = self.runner.environment();
        if !self.is_outside {
            return is_program(environment, program, &self.path).then(Vec::new);
        }
        let path = path_outside(environment, &self.dir);
        find_outside(program, &path, &self.dir)?;
        Some(vec![("PATH".to_owned(), path.to_string_lossy().into_owned())])
    }

    /// [`Asking::ask_within`] the usual time.
    async fn ask(&self, program: &str, line: &str, env: &[(&str, &str)]) -> Option<Vec<String>> {
        self.ask_within(PATIENCE, program, line, env).await
    }

    /// The lines that `line`, which runs `program`, prints on standard output; none if it fails.
    /// They are kept nowhere, and what it says on standard error goes nowhere: both may hold secrets.
    async fn ask_within(
        &self,
        patience: Duration,
        program: &str,
        line: &str,
        env: &[(&str, &str)],
    ) -> Option<Vec<String>> {
        let path = self.search_path(program)?;
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let env = env.chain(path);
        let command = Command {
            env: env.collect(),
            path: self.path.clone(),
            timeout: Some(patience),
            ..Command::new(CommandLine::Shell(format!("{line} 2>/dev/null")), &self.dir)
        };
        let mut lines = Vec::new();
        let answer = self.runner.run(&command, &mut |line| lines.push(line.to_owned())).await;
        answer.ok().map(|()| lines)
    }
}

/// Whether `text` can be a token: it goes into a header.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic())
}
