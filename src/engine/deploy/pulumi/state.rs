//! What Pulumi says of a stack: who has its lock, what its state has pending, and what else is wrong.

use crate::{
    model::{Fault, Kind},
    process::ProcessId,
};

use super::super::{DeployHistory, DeployOwner};

/// Why an update did not begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PulumiTrouble {
    /// Somebody else updates the stack.
    Busy(Option<PulumiLock>),
    /// The secrets of the stack stay closed.
    Closed(&'static str),
}

/// Who has the lock of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PulumiLock {
    /// The user, and the machine.
    pub user: String,
    /// The machine.
    pub host: String,
    /// The process there.
    pub pid: i32,
    /// Since when.
    pub since: String,
}

impl PulumiTrouble {
    /// What `text`, which the program printed, says of it.
    pub fn find(text: &str) -> Option<Self> {
        let is_busy = text.contains("the stack is currently locked by")
            || text.contains("[409] Conflict: Another update is currently in progress");
        if is_busy {
            return Some(Self::Busy(text.lines().find_map(PulumiLock::parse)));
        }
        if text.contains("incorrect passphrase") {
            return Some(Self::Closed("the passphrase is not that of the stack"));
        }
        text.contains("passphrase must be set").then_some(Self::Closed("no passphrase is set"))
    }

    /// What a person is told of it.
    pub fn fault(&self, stack: &str) -> Fault {
        match self {
            Self::Closed(why) => {
                Fault::new(Kind::Usage, format!("the secrets of the stack {stack} cannot be read"))
                    .because(*why)
                    .hint("name it in the spec, `secrets: [PULUMI_CONFIG_PASSPHRASE]`, and set it")
            }
            Self::Busy(lock) => {
                let fault = Fault::new(Kind::Timeout, format!("the stack {stack} is locked"));
                let hint = format!(
                    "if that process is gone for good, `pulumi cancel {stack}` takes its lock away"
                );
                match lock {
                    Some(lock) => fault.because(lock.label()).hint(hint),
                    None => fault.because("another update is in progress"),
                }
            }
        }
    }
}

impl PulumiLock {
    /// From `PATH: created by USER@HOST (pid N) at TIME`.
    fn parse(line: &str) -> Option<Self> {
        let (_, rest) = line.split_once(": created by ")?;
        let (user, rest) = rest.split_once(" (pid ")?;
        let (pid, since) = rest.split_once(") at ")?;
        Some(Self {
            user: user.to_owned(),
            host: user.rsplit('@').next()?.to_owned(),
            pid: pid.parse().ok()?,
            since: since.trim().to_owned(),
        })
    }

    /// `process 7 of ann@laptop since …`.
    pub fn label(&self) -> String {
        format!("process {} of {} has it since {}", self.pid, self.user, self.since)
    }

    /// Whether a command of a deployment in `history` of the stack `stack` left it, and is gone.
    pub fn is_ours(&self, history: &DeployHistory, stack: &str, own: u64) -> bool {
        let is_gone = |it: &ProcessId| it.pid == self.pid && !it.is_alive();
        self.host == DeployOwner::this().host
            && history.all.values().any(|it| {
                let is_over = it.state().is_over() || it.id == own;
                it.stack == stack
                    && is_over
                    && it.owner.host == self.host
                    && it.commands.iter().any(is_gone)
            })
    }
}

/// What the exported state `text` has pending: what was done, and to which resource.
pub fn pending_operations(text: &str) -> Vec<(String, String)> {
    let state: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let pending = state["deployment"]["pending_operations"].as_array();
    let operation = |it: &serde_json::Value| {
        let urn = it["resource"]["urn"].as_str()?;
        let name = urn.rsplit("::").next()?.to_owned();
        Some((it["type"].as_str()?.to_owned(), name))
    };
    pending.into_iter().flatten().filter_map(operation).collect()
}

/// The salt of the passphrase that the secrets of the exported state `text` are closed with.
pub fn salt(text: &str) -> Option<String> {
    let state: serde_json::Value = serde_json::from_str(text).ok()?;
    state["deployment"]["secrets_providers"]["state"]["salt"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pulumi_says_is_understood() {
        let locked = "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the lock file with `pulumi cancel`.\n  \
            file:///s/.pulumi/locks/organization/shop/test/89.json?x: created by root@vm (pid 5299) at 2026-11-30T06:45:16Z\n";
        let Some(PulumiTrouble::Busy(Some(lock))) = PulumiTrouble::find(locked) else {
            panic!("it is locked");
        };
        assert_eq!((lock.host.as_str(), lock.pid), ("vm", 5299));
        assert!(!lock.is_ours(&DeployHistory::default(), "test", 1));
        let other = "error: [409] Conflict: Another update is currently in progress.";
        assert_eq!(PulumiTrouble::find(other), Some(PulumiTrouble::Busy(None)));
        let closed =
            PulumiTrouble::find("get stack secrets manager: incorrect passphrase").unwrap();
        assert_eq!(closed.fault("test").kind, Kind::Usage);
        assert_eq!(PulumiTrouble::find("Resources: 1 unchanged"), None);
        let state = r#"{"deployment":{"pending_operations":[{"type":"creating","resource":{"urn":"urn:pulumi:t::s::x:y:Z::db"}}]}}"#;
        assert_eq!(pending_operations(state), [("creating".to_owned(), "db".to_owned())]);
        assert!(pending_operations("rubbish").is_empty());
    }
}
