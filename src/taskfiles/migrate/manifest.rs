//! `versions.yml`, from the first Taskfile and what the others pin.

use std::collections::BTreeSet;

use super::{
    Survey,
    comments::{Comments, head, start_of},
    stack::items,
    subsystem::MigratedSubsystem,
    unit::{Unit, text_of},
};
use crate::{model::Platform, taskfile::Yaml};

/// What `versions.yml` says beside its tasks.
pub(super) struct MigratedSettings {
    pub(super) head: Vec<String>,
    pub(super) project: Option<String>,
    pub(super) releases: Option<String>,
    /// The subsystems in their order, and the comments about it.
    pub(super) order: (Vec<String>, Vec<String>),
    pub(super) platforms: Vec<String>,
    pub(super) groups: Yaml,
    /// The variables that say these things, written out where tasks use them.
    pub(super) variables: BTreeSet<String>,
}

impl MigratedSettings {
    /// Finds them in the variables of the first file.
    pub(super) fn find(survey: &Survey) -> Self {
        let stack = survey.stack;
        let file = &stack.tree.files[0];
        let comments = Comments::in_file(file);
        let names: Vec<String> = survey.subsystems.iter().map(|one| one.name.clone()).collect();
        let mut found = Self {
            head: head(file),
            project: None,
            releases: None,
            order: (names.clone(), Vec::new()),
            platforms: Vec::new(),
            groups: Yaml::map(),
            variables: BTreeSet::new(),
        };
        let scripts: String = stack.tasks.values().map(|at| stack.script(*at) + "\n").collect();
        for variable in &file.vars {
            let name = &variable.name.value;
            let Some(items) = items(file, name, None) else { continue };
            let is_in =
                |all: &[String]| items.len() > 1 && items.iter().all(|item| all.contains(item));
            let above = comments.of_line(variable.name.bytes.clone());
            let is_only = |what: &str| scripts.contains(&format!("{what} {{{{.{name}}}}}"));
            if is_in(&names) && items.len() == names.len() {
                found.order = (items, above);
            } else if is_in(&names) {
                let group = name.to_lowercase();
                let group = group.trim_end_matches("_subsystems").to_owned();
                found.groups.put_with(
                    above,
                    &group,
                    Yaml::List(items.into_iter().map(Yaml::Text).collect()),
                );
            } else if items.len() > 1 && items.iter().all(|item| item.parse::<Platform>().is_ok()) {
                found.platforms = items;
            } else if is_only("--repo")
                && text_of(file, name).is_some_and(|text| text.matches('/').count() == 1)
            {
                found.releases = text_of(file, name).map(|text| format!("github:{text}"));
            } else if name == "PROJECT" || name == "PROJECT_NAME" {
                found.project = text_of(file, name);
                continue;
            } else {
                continue;
            }
            found.variables.insert(name.clone());
        }
        found
    }
}

impl MigratedSettings {
    /// Whether `line` is a comment of a group.
    pub(super) fn groups_say(&self, line: &str) -> bool {
        let Yaml::Map(groups) = &self.groups else { return false };
        groups.iter().any(|(above, ..)| above.iter().any(|one| one == line))
    }
}

impl Survey<'_> {
    /// `versions.yml`. `shared` are variables that specs look at.
    pub(super) fn manifest(
        &self,
        settings: &MigratedSettings,
        unit: &Unit,
        shared: &[(String, Yaml)],
    ) -> Yaml {
        let mut page = Yaml::map();
        let mut above = settings.head.clone();
        for (key, value) in [("project", &settings.project), ("releases", &settings.releases)] {
            if let Some(value) = value {
                page.put_with(std::mem::take(&mut above), key, Yaml::text(value.clone()));
            }
        }
        above.extend(self.once_said().into_iter().chain(settings.order.1.clone()));
        page.put_with(above, "versions", self.versions(settings));
        page.put_filled(
            "platforms",
            Yaml::List(settings.platforms.iter().map(Yaml::text).collect()),
        );
        page.put_filled("groups", settings.groups.clone());
        for (key, value) in unit.parts.settings.entries() {
            page.put(key, value.clone());
        }
        let mut vars = unit.vars.clone();
        for (name, value) in shared {
            if !vars.entries().any(|(key, _)| key == name) {
                vars.put(name, value.clone());
            }
        }
        page.put_filled("vars", vars);
        if !unit.parts.env.is_empty() {
            page.put_with(self.about_env(), "env", unit.parts.env.clone());
        }
        page.put_filled("dotenv", unit.parts.dotenv.clone());
        let mut tasks = Yaml::map();
        for (name, above, said) in &unit.tasks {
            tasks.put_with(
                above.iter().cloned().chain(self.more(name)).collect(),
                name,
                said.clone(),
            );
        }
        page.put_filled("tasks", tasks);
        page
    }

    fn versions(&self, settings: &MigratedSettings) -> Yaml {
        let mut versions = Yaml::map();
        for name in &settings.order.0 {
            let Some(one) = self.subsystems.iter().find(|one| one.name == *name) else { continue };
            let mut above = self.about_version(one);
            let supervises =
                self.services.supervisor.as_ref() == Some(name) && !self.services.all.is_empty();
            above.extend(supervises.then(|| raise(&one.version.1)).flatten());
            let version = match one.version.1.as_str() {
                "" => Yaml::single("scheme", Yaml::text("commits")),
                version => Yaml::text(version),
            };
            versions.put_with(above, name, version);
        }
        versions
    }

    /// The comments of the variable that holds a subsystem's version.
    pub(super) fn about_version(&self, one: &MigratedSubsystem) -> Vec<String> {
        let taskfile = &self.stack.tree.files[one.file];
        let variable = taskfile.vars.iter().find(|variable| variable.name.value == one.version.0);
        let found = variable
            .map(|variable| Comments::in_file(taskfile).of_line(variable.name.bytes.clone()));
        found.unwrap_or_default().into_iter().filter(|line| self.is_own(line)).collect()
    }

    fn about_env(&self) -> Vec<String> {
        let taskfile = &self.stack.tree.files[0];
        let comments = Comments::in_file(taskfile);
        let own = start_of(&taskfile.file.text, "env").map(|start| comments.above(start));
        let inner = taskfile.env.iter().flat_map(|one| comments.of_line(one.name.bytes.clone()));
        own.into_iter().flatten().chain(inner).collect()
    }

    /// What the heads of several files say, once.
    fn once_said(&self) -> Vec<String> {
        let heads =
            self.subsystems.iter().take(2).flat_map(|one| head(&self.stack.tree.files[one.file]));
        let mut said: Vec<String> = Vec::new();
        for line in heads.filter(|line| !line.is_empty() && !self.is_own(line)) {
            if !said.contains(&line) {
                said.push(line);
            }
        }
        said
    }
}

/// The oldest version of Process Compose that forge supervises with.
const SUPERVISES: (u64, u64) = (1, 46);

fn raise(version: &str) -> Option<String> {
    let mut numbers =
        version.trim_start_matches('v').split('.').map(|part| part.parse::<u64>().ok());
    let is_old = (numbers.next()??, numbers.next()??) < SUPERVISES;
    is_old.then(|| {
        "migrate: forge supervises services with v1.46.0 of it or later: raise this pin".to_owned()
    })
}
