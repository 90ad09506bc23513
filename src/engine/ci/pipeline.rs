//! Which stages run here, and why.

use std::collections::{BTreeMap, BTreeSet};

use super::Stage;
use crate::{
    deploy::may_deploy,
    model::{Name, counted},
    provenance::{Permission, Surroundings, may_publish_to},
    release::is_project_tag,
    service,
    workspace::{DeployEnvironment, Task, Workspace},
};

/// The group that CI works on if nobody names anything.
const GROUP: &str = "ci";
/// What the tasks are called that [`Stage::Test`] runs.
pub const TEST: &str = "test";
/// Why a service is up that was named, or is in what was.
pub const SELECTED: &str = "it is selected";

/// All that the decision rests on.
#[derive(Clone)]
pub struct Facts<'a> {
    /// The workspace.
    pub workspace: &'a Workspace,
    /// What was named on the command line, or stands for it: see [`words`].
    pub words: &'a [String],
    /// The subsystems that those words mean.
    pub names: &'a BTreeSet<Name>,
    /// Where this process runs.
    pub surroundings: &'a Surroundings,
    /// Whether others read the store that is published to; or why nothing can be published.
    pub store: Result<bool, String>,
    /// Whether others read the registries that images are pushed to; nothing if there are none.
    pub registry: Option<bool>,
    /// What the flags say of publishing.
    pub wish: PublishChoice,
    /// The one environment that is deployed to, if that was said.
    pub to: Option<&'a str>,
    /// The one stage that was called by its name, if it is one alone.
    pub only: Option<Stage>,
    /// Whether this is one of several jobs, so that the project as a whole is not its business.
    pub is_part: bool,
}

/// What somebody said about publishing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishChoice {
    /// Nothing.
    Unsaid,
    /// To do it (`--publish`).
    Asked,
    /// Not to do it, by this flag.
    Forbidden(&'static str),
}

/// A stage, and what becomes of it here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The stage.
    pub stage: Stage,
    /// Whether and how it runs.
    pub runs: Runs,
    /// Why, in a few words.
    pub because: String,
    /// The services that are up while it runs, each with why.
    pub services: BTreeMap<Name, String>,
}

/// Whether and how a stage runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runs {
    /// As forge does it.
    Itself,
    /// As the workspace's task of its name does it.
    Task,
    /// Not at all.
    Not,
}

impl Planned {
    /// Whether it is about all that was selected, so that a part of it cannot be done alone. What a task
    /// does nobody knows.
    #[must_use]
    pub fn needs_everything(&self) -> bool {
        match self.runs {
            Runs::Not => false,
            Runs::Task => true,
            Runs::Itself => matches!(self.stage, Stage::Pages | Stage::Deploy),
        }
    }
}

impl Runs {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Itself => "yes",
            Self::Task => "by a task",
            Self::Not => "no",
        }
    }
}

/// What CI works on: the words of the command line; without any, the group `ci` if there is one.
#[must_use]
pub fn words(workspace: &Workspace, said: &[String]) -> Vec<String> {
    match said.is_empty() && workspace.groups.contains_key(GROUP) {
        true => vec![GROUP.to_owned()],
        false => said.to_vec(),
    }
}

/// What becomes of each stage, or of the one that was called by its name.
#[must_use]
pub fn plan(facts: &Facts) -> Vec<Planned> {
    // Who has no environments deploys nothing, and need not be told so.
    let deploys = !facts.workspace.environments.is_empty();
    let wanted = |stage: &Stage| match facts.only {
        Some(only) => only == *stage,
        None => deploys || *stage != Stage::Deploy,
    };
    Stage::ALL.into_iter().filter(wanted).map(|stage| facts.planned(stage)).collect()
}

impl Facts<'_> {
    /// The tasks called `test`: of each selected subsystem that has one, and the workspace's own. That
    /// may need what other jobs make, so none of several runs it.
    #[must_use]
    pub fn tests(&self) -> Vec<&Task> {
        let of_subsystems = self.names.iter().map(|name| format!("{name}:{TEST}"));
        let own = (!self.is_part).then(|| TEST.to_owned());
        let names = of_subsystems.chain(own);
        names.filter_map(|name| self.workspace.tasks.get(&name)).collect()
    }

    /// The selected subsystem that `test` is of, if it is not the workspace's own.
    #[must_use]
    pub fn owner_of_test(&self, test: &Task) -> Option<&Name> {
        let name = test.name.strip_suffix(TEST)?.strip_suffix(':')?;
        self.names.iter().find(|it| it.as_str() == name)
    }

    /// The services that are up while tests run: the selected ones, and those that these need; each with
    /// why. None, if nothing is tested.
    #[must_use]
    pub fn services(&self) -> BTreeMap<Name, String> {
        if self.tests().is_empty() {
            return BTreeMap::new();
        }
        let selected = service::names(self.workspace).intersection(self.names).cloned().collect();
        let all = service::with_needs(self.workspace, &selected);
        let why = |name: &Name| {
            let needs_it = |other: &&Name| {
                let other = service::find_service(self.workspace, other.as_str());
                other.is_some_and(|other| other.needs.contains(name))
            };
            match selected.contains(name) {
                true => SELECTED.to_owned(),
                false => {
                    let who: Vec<_> = all.iter().filter(needs_it).map(Name::as_str).collect();
                    format!("needed by {}", who.join(", "))
                }
            }
        };
        all.iter().map(|name| (name.clone(), why(name))).collect()
    }

    /// The tag of a project release (`v1.2.3`) that this run is for.
    #[must_use]
    pub fn project_tag(&self) -> Option<&str> {
        self.surroundings.tag().filter(|tag| !self.is_part && is_project_tag(tag))
    }

    fn planned(&self, stage: Stage) -> Planned {
        let is_replaced = self.workspace.tasks.contains_key(stage.name());
        let (runs, because) = match self.obstacle(stage, is_replaced) {
            Some(why) => (Runs::Not, why),
            None if is_replaced => (Runs::Task, format!("there is a task `{stage}`")),
            None => (Runs::Itself, self.reason(stage)),
        };
        let services = match (stage, runs) {
            (Stage::Test, Runs::Itself) => self.services(),
            _ => BTreeMap::new(),
        };
        Planned { stage, runs, because, services }
    }

    /// Why `stage` does not run.
    fn obstacle(&self, stage: Stage, is_replaced: bool) -> Option<String> {
        match stage {
            Stage::Deploy if !is_replaced => self.deploys_nothing(),
            Stage::Pages if !is_replaced => Some(format!("there is no task `{stage}`")),
            _ if stage.is_public() => self.keeps_private(is_replaced),
            _ if is_replaced => None,
            Stage::Test if self.tests().is_empty() => {
                let is_left = self.is_part && self.workspace.tasks.contains_key(TEST);
                Some(match is_left {
                    true => "the task `test` is left to a job that has everything".into(),
                    false => "nothing to test: there is no task `test`".into(),
                })
            }
            Stage::Build | Stage::Package if self.names.is_empty() => {
                Some("there are no subsystems".into())
            }
            _ => None,
        }
    }

    /// Why nothing that others see happens here. That holds for tasks too: whoever replaces a
    /// stage says how it is done, not when.
    fn keeps_private(&self, is_replaced: bool) -> Option<String> {
        if let PublishChoice::Forbidden(flag) = self.wish {
            return Some(format!("{flag} forbids it"));
        }
        if let (Err(why), None, false) = (&self.store, self.registry, is_replaced) {
            return Some(why.clone());
        }
        let permission = self.permission(is_replaced);
        // Who types `forge ci:pages` wants just that.
        let is_task = [Some(Stage::Pages), Some(Stage::Deploy)].contains(&self.only);
        let is_asked = self.wish == PublishChoice::Asked || is_task;
        match permission {
            _ if permission.allows(is_asked) => None,
            Permission::Never(why) => Some(why),
            Permission::Yes(why) | Permission::OnRequest(why) => Some(format!("{why} (--publish)")),
        }
    }

    /// The environments that this run deploys to, each with why; those that come after others, behind
    /// them.
    #[must_use]
    pub fn environments(&self) -> Vec<(&str, String)> {
        let mut found: Vec<(&DeployEnvironment, String)> = Vec::new();
        for environment in self.wanted_environments() {
            // It has secrets that no check of a proposed change needs: a job of its own deploys it.
            if environment.is_preview && self.only != Some(Stage::Deploy) {
                continue;
            }
            if let Permission::Yes(why) = may_deploy(self.surroundings, environment) {
                found.push((environment, why));
            }
        }
        let all = &self.workspace.environments;
        let depth = |environment: &DeployEnvironment| {
            let before = |it: &DeployEnvironment| {
                all.iter().find(|other| Some(&other.name) == it.after.as_ref()).cloned()
            };
            std::iter::successors(before(environment), before).take(all.len()).count()
        };
        found.sort_by_key(|(environment, _)| depth(environment));
        found.into_iter().map(|(environment, why)| (environment.name.as_str(), why)).collect()
    }

    /// The environments that are looked at.
    fn wanted_environments(&self) -> impl Iterator<Item = &DeployEnvironment> {
        self.workspace.environments.iter().filter(|it| self.to.is_none_or(|to| to == it.name))
    }

    /// Why this run deploys nothing.
    fn deploys_nothing(&self) -> Option<String> {
        if let PublishChoice::Forbidden("--no-publish") = self.wish {
            return Some("--no-publish forbids it".into());
        }
        if self.is_part {
            return Some(
                "this is one of several jobs, and `forge ci:deploy` comes after them".into(),
            );
        }
        if self.workspace.environments.is_empty() {
            return Some("versions.yml has no `environments`".into());
        }
        if !self.environments().is_empty() {
            return None;
        }
        let permissions = self.wanted_environments();
        let why = |it: &DeployEnvironment| match may_deploy(self.surroundings, it) {
            Permission::Yes(_) => format!("`forge ci:deploy` alone deploys to `{}`", it.name),
            other => other.why().to_owned(),
        };
        let mut whys: Vec<String> = permissions.map(why).collect();
        whys.dedup();
        Some(whys.join("; "))
    }

    /// Whether others may see what happens here. A task may show it to anybody, whatever the store is.
    fn permission(&self, is_replaced: bool) -> Permission {
        // A folder may be written where a registry may not: what pushes looks again.
        let is_shared = *self.store.as_ref().unwrap_or(&self.registry.unwrap_or(true));
        may_publish_to(self.surroundings, is_shared || is_replaced)
    }

    /// Why `stage` does run.
    fn reason(&self, stage: Stage) -> String {
        match stage {
            Stage::Build | Stage::Package => self.selection(),
            Stage::Test => {
                let tasks: Vec<_> = self.tests().iter().map(|task| task.name.as_str()).collect();
                tasks.join(", ")
            }
            Stage::Deploy => {
                let all = self.environments().into_iter();
                all.map(|(name, why)| format!("{name}: {why}")).collect::<Vec<_>>().join("; ")
            }
            Stage::Release | Stage::Pages => match self.wish {
                PublishChoice::Asked => "--publish asks for it".into(),
                _ => self.permission(false).why().to_owned(),
            },
        }
    }

    fn selection(&self) -> String {
        let count = counted(self.names.len(), "subsystem");
        match self.words {
            [] => format!("all {count}"),
            [group] if self.workspace.groups.contains_key(group) => {
                format!("the group `{group}`: {count}")
            }
            words => words.join(", "),
        }
    }
}
