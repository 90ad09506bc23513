//! `pulumi:`: a deployment by the program of that name, whose settings never touch the checkout.
//!
//! ```text
//! a folder of the run   Pulumi.yaml, as in the checkout       names the project
//!                       Pulumi.STACK.yaml, if there is one    the settings; those of `config` are added
//!                       events                                what the update does, as it does it
//!                       previewed                             what its preview would do
//! ```
//!
//! A stack that somebody else updates is waited for. Its lock is taken away only if a command of an
//! earlier deployment of this ledger left it, and is gone.

mod progress;
mod rehearsal;
mod run;
mod state;

use std::path::Path;

use super::attempt::LONGEST_VARIABLE;

pub use progress::PulumiProgress;
pub use state::{PulumiTrouble, pending_operations, salt};

/// The words of the commands.
pub struct PulumiCalls<'a> {
    /// The folder of the program.
    pub folder: &'a str,
    /// The stack.
    pub stack: &'a str,
    /// The folder of the run.
    pub work: &'a str,
    /// The settings.
    pub config: Vec<(&'a str, &'a str)>,
    /// All that is changed, if not everything is.
    pub target: Option<&'a str>,
    /// Whether the state is compared with what is there before.
    pub refresh: bool,
    /// Whether the stack is removed, with all that it has.
    pub destroys: bool,
    /// Whether a preview is to find nothing to change.
    pub expects_nothing: bool,
    /// What the history of the stack calls it.
    pub message: &'a str,
}

impl PulumiCalls<'_> {
    /// All commands of a deployment, in their order.
    pub fn all(&self) -> Vec<Vec<String>> {
        let all = [Some(self.select()), self.settings(), self.preview(), Some(self.up())];
        all.into_iter().flatten().collect()
    }

    /// Makes the stack, if it is missing.
    pub fn select(&self) -> Vec<String> {
        words(&["pulumi", "stack", "select", self.stack, "--create", "-C", self.work], &[])
    }

    /// Takes the stack, if it is there.
    pub fn find_stack(&self) -> Vec<String> {
        words(&["pulumi", "stack", "select", self.stack, "-C", self.work], &[])
    }

    /// Adds the settings to those of the run.
    pub fn settings(&self) -> Option<Vec<String>> {
        let short = self.config.iter().filter(|(_, value)| value.len() < LONGEST_VARIABLE);
        let pairs: Vec<String> = short.map(|(name, value)| format!("{name}={value}")).collect();
        let mut more: Vec<&str> = Vec::new();
        for pair in &pairs {
            more.extend(["--plaintext", pair]);
        }
        let first = ["pulumi", "config", "set-all", "--stack", self.stack, "-C", self.work];
        (!pairs.is_empty()).then(|| words(&first, &more))
    }

    /// Adds the setting `name`, whose value is in `file`, since no word may be so long.
    pub fn long_setting(&self, name: &str, file: &str) -> Vec<String> {
        let script = "exec pulumi config set --stack \"$1\" -C \"$2\" --non-interactive --plaintext \"$3\" < \"$4\"";
        let words = ["sh", "-c", script, "sh", self.stack, self.work, name, file];
        words.map(str::to_owned).to_vec()
    }

    /// Shows what an update would do. It is a command of its own: within an update, both would write the same
    /// events.
    pub fn preview(&self) -> Option<Vec<String>> {
        let own: &[&str] = if self.expects_nothing { &["--expect-no-changes"] } else { &[] };
        (!self.destroys).then(|| self.change("preview", own, &self.previewed()))
    }

    /// Updates the stack, or removes it.
    pub fn up(&self) -> Vec<String> {
        let events = format!("{}/events", self.work);
        let yes = ["--yes", "--skip-preview"];
        match self.destroys {
            true => self.change("destroy", &[yes.as_slice(), &["--remove"]].concat(), &events),
            false => self.change("up", &yes, &events),
        }
    }

    /// What changes the stack, or would.
    fn change(&self, verb: &str, own: &[&str], events: &str) -> Vec<String> {
        let config = self.config_file();
        let mut more = own.to_vec();
        more.extend(["--color", "never", "--suppress-progress", "-m", self.message]);
        more.extend(["--config-file", &config, "--event-log", events]);
        if let Some(target) = self.target {
            more.extend(["--target", target]);
        }
        if self.refresh {
            more.push("--refresh");
        }
        words(&["pulumi", verb, "--stack", self.stack, "-C", self.folder], &more)
    }

    /// The file with the events of the preview.
    pub fn previewed(&self) -> String {
        format!("{}/previewed", self.work)
    }

    /// Shows the state of the stack.
    pub fn export(&self) -> Vec<String> {
        words(&["pulumi", "stack", "export", "--stack", self.stack, "-C", self.folder], &[])
    }

    /// Takes the lock of the stack away.
    pub fn unlock(&self) -> Vec<String> {
        words(&["pulumi", "cancel", self.stack, "--yes", "-C", self.folder], &[])
    }

    /// The file with the settings of the run.
    pub fn config_file(&self) -> String {
        let name = self.stack.rsplit('/').next().unwrap_or(self.stack);
        format!("{}/Pulumi.{name}.yaml", self.work)
    }
}

fn words(first: &[&str], more: &[&str]) -> Vec<String> {
    let all = first.iter().chain(&["--non-interactive"]).chain(more);
    all.map(|word| (*word).to_owned()).collect()
}

/// Why `folder` holds no program for Pulumi, if it does not.
pub fn missing_program(folder: &Path, written: &str) -> Option<String> {
    let is_there = folder.join("Pulumi.yaml").is_file();
    (!is_there).then(|| format!("{written} has no Pulumi.yaml"))
}

/// Whether a stack can be called `name`: as Pulumi has it, `ORGANIZATION/PROJECT/STACK` or less.
pub fn is_stack_name(name: &str) -> bool {
    let is_part = |part: &str| {
        let is_sign = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        (1..=100).contains(&part.len()) && part.chars().all(is_sign) && !part.starts_with('-')
    };
    name.split('/').count() <= 3 && name.split('/').all(is_part)
}
