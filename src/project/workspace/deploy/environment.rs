//! `environments:` of `versions.yml`.

use std::time::Duration;

use super::super::{build, task::TaskText};
use crate::{
    manifest::{Findings, ManifestDoc, Node, Scalar, Sp, scalar},
    model::{Name, suggestion},
};

/// How long a deployment may take if nothing says.
const TIMEOUT: Duration = Duration::from_secs(60 * 60);
/// How many pull requests have an environment at the same time.
const MOST_PREVIEWS: u32 = 3;
/// How long the environment of a pull request stays.
const TTL: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Where subsystems are brought to.
#[derive(Clone, Debug)]
pub struct DeployEnvironment {
    /// Its name.
    pub name: String,
    /// `branch:`.
    pub branch: Option<String>,
    /// `tag:`, in which `*` stands for any text.
    pub tag: Option<String>,
    /// `pull_request:`.
    pub is_preview: bool,
    /// `url:`.
    pub url: Option<TaskText>,
    /// `after:`.
    pub after: Option<String>,
    /// `timeout:`.
    pub timeout: Duration,
    /// `max:`.
    pub max: u32,
    /// `ttl:`.
    pub ttl: Duration,
    /// The pull request that it is of.
    pub pull_request: Option<u64>,
}

impl DeployEnvironment {
    /// That of the pull request `number`, if this is the one for pull requests.
    #[must_use]
    pub fn of_pull_request(&self, number: u64) -> Self {
        Self { name: format!("{PREVIEW}{number}"), pull_request: Some(number), ..self.clone() }
    }
}

/// What the names of environments of pull requests begin with.
const PREVIEW: &str = "pr-";

/// Resolves `environments:` of `doc`. What is wrong goes to `found`.
pub fn environments(doc: &ManifestDoc, found: &mut Findings) -> Vec<DeployEnvironment> {
    let names: Vec<&str> = doc.environments.iter().map(|(name, _)| name.value.as_str()).collect();
    let mut all = Vec::new();
    for (name, node) in &doc.environments {
        if let Err(why) = Name::new(&name.value) {
            let what = format!("an environment cannot be called so: {why}");
            found.add(name.bytes.clone(), what, "not a name", "write a word such as `test`");
        }
        if name.value.strip_prefix(PREVIEW).is_some_and(|it| it.parse::<u64>().is_ok()) {
            let what =
                format!("`{}` is what the environment of a pull request is called", name.value);
            found.add(name.bytes.clone(), what, "taken", "write another name");
        }
        let environment = environment(name, node, found);
        if let Some(after) = scalar(node, "after")
            && !names.contains(&after.text.as_str())
        {
            let what = format!(
                "`{}` is deployed to after `{}`, which is not an environment",
                name.value, after.text
            );
            let others = names.iter().copied().filter(|other| *other != name.value);
            found.add(after.bytes, what, "not known", suggestion(&after.text, others));
        }
        all.push(environment);
    }
    cycles(doc, &all, found);
    all
}

fn environment(name: &Sp<String>, node: &Node, found: &mut Findings) -> DeployEnvironment {
    let text = |key| scalar(node, key).map(|written| written.text);
    let mut span = |key| scalar(node, key).and_then(|written| build::duration(&written, found));
    let (timeout, ttl) = (span("timeout"), span("ttl"));
    let is_preview = text("pull_request").as_deref() == Some("true");
    if is_preview {
        for key in ["branch", "tag", "after"] {
            let Some(written) = scalar(node, key) else { continue };
            let what = format!("`{}` is for pull requests, so it has no `{key}`", name.value);
            let help = format!("remove `{key}`, or write an environment of its own for it");
            found.add(written.bytes, what, "cannot stand beside `pull_request`", help);
        }
    }
    DeployEnvironment {
        name: name.value.clone(),
        branch: text("branch"),
        tag: text("tag"),
        is_preview,
        url: scalar(node, "url").map(TaskText),
        after: text("after"),
        timeout: timeout.unwrap_or(TIMEOUT),
        max: text("max").and_then(|count| count.parse().ok()).unwrap_or(MOST_PREVIEWS),
        ttl: ttl.unwrap_or(TTL),
        pull_request: None,
    }
}

/// One diagnostic for each cycle of `after`.
fn cycles(doc: &ManifestDoc, all: &[DeployEnvironment], found: &mut Findings) {
    let after = |name: &str| all.iter().find(|it| it.name == name)?.after.as_deref();
    for (at, environment) in all.iter().enumerate() {
        let mut path = vec![environment.name.as_str()];
        while let Some(next) = path.last().and_then(|last| after(last)) {
            if path.contains(&next) {
                break;
            }
            path.push(next);
        }
        let closes = path.last().and_then(|last| after(last)) == Some(&environment.name);
        // Once for each cycle: by its first member as written.
        let is_first = path
            .iter()
            .all(|name| all.iter().position(|it| it.name == *name).is_none_or(|other| other >= at));
        if !closes || !is_first {
            continue;
        }
        path.push(&environment.name);
        let what =
            format!("these environments come after each other in a cycle: {}", path.join(" → "));
        let written: Option<Scalar> = scalar(&doc.environments[at].1, "after");
        let bytes = written.map_or(0..0, |written| written.bytes);
        found.add(bytes, what, "closes the cycle", "remove one of these `after`");
    }
}
