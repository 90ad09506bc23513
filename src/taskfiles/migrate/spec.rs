//! A spec, for the subsystem that a Taskfile describes.

use super::{
    Survey, WIDTH,
    comments::{Comments, head},
    fate::Disposition,
    roles::code,
    service::service_of,
    subsystem::{MigratedSource, MigratedSubsystem, SpecPart},
    unit::Unit,
};
use crate::taskfile::Yaml;

impl Survey<'_> {
    /// The spec of `one`.
    pub(super) fn spec(&self, one: &MigratedSubsystem, unit: &Unit) -> Yaml {
        let taskfile = &self.stack.tree.files[one.file];
        let head = head(taskfile).into_iter().filter(|line| self.is_own(line));
        let (mut above, desc) = described(head.collect(), &one.name);
        let mut spec = Yaml::map();
        let mut put = |above: &mut Vec<String>, key: &str, value: Option<Yaml>| {
            if let Some(value) = value {
                spec.put_with(std::mem::take(above), key, value);
            }
        };
        put(&mut above, "desc", desc.map(Yaml::Text));
        let binary = (one.binary != one.name).then(|| Yaml::text(one.binary.clone()));
        put(&mut above, "binary", binary);
        let (mark, source) = one.source.as_ref().map(|source| source_of(one, source)).unzip();
        above.extend(mark.flatten());
        put(&mut above, "source", source);
        if one.build.as_ref().is_none_or(|build| build.task != "bin:build") {
            above.extend(self.about(one, "bin:build"));
        }
        for (key, piece) in [("build", &one.build), ("upstream", &one.upstream)] {
            above.extend(piece.iter().flat_map(|piece| self.about(one, &piece.task)));
            // What an `upstream` needs is said at its digest.
            let marks = piece.iter().filter(|_| key == "build").flat_map(|piece| &piece.marks);
            above.extend(marks.map(|what| format!("migrate: {what}")));
            put(&mut above, key, piece.as_ref().map(|piece: &SpecPart| piece.said.clone()));
        }
        let (mut of_vars, vars) = on_one_line(&unit.vars);
        put(&mut of_vars, "vars", (!vars.is_empty()).then_some(vars));
        let service = self.services.all.iter().find(|service| service.name == one.name);
        let (marks, service) = service.map(|service| service_of(service, unit)).unzip();
        put(&mut marks.unwrap_or_default(), "service", service);
        let tasks = self.tasks_of(one, unit);
        put(&mut above, "tasks", (!tasks.is_empty()).then_some(tasks));
        spec
    }

    /// The comments of the task `name` that no other subsystem's has too.
    fn about(&self, one: &MigratedSubsystem, name: &str) -> Vec<String> {
        let taskfile = &self.stack.tree.files[one.file];
        let at = taskfile.tasks.iter().position(|task| task.name.value == name);
        let found =
            at.map(|at| Comments::in_file(taskfile).of_task(taskfile, at)).unwrap_or_default();
        found.into_iter().filter(|line| self.is_own(line)).collect()
    }

    /// The tasks of a spec.
    fn tasks_of(&self, one: &MigratedSubsystem, unit: &Unit) -> Yaml {
        let mut tasks = Yaml::map();
        for task in &self.stack.tree.files[one.file].tasks {
            let full = format!("{}:{}", one.name, task.name.value);
            if self.fates.disposition(&full) == Some(&Disposition::Service) {
                continue;
            }
            let Some((name, above, said)) =
                unit.tasks.iter().find(|(name, ..)| *name == task.name.value)
            else {
                continue;
            };
            let mut above = above.clone();
            above.extend(self.more(&full));
            tasks.put_with(above, name, said.clone());
        }
        tasks
    }

    /// What a task that is called as if it was forge's does beside that.
    pub(super) fn more(&self, full: &str) -> Option<String> {
        match self.fates.disposition(full) {
            Some(Disposition::StaysWith(duty, more)) => {
                let more: Vec<_> = more.iter().map(|one| format!("`{one}`")).collect();
                Some(format!(
                    "migrate: `{}` does this, but not {}: keep what is needed",
                    duty.instead,
                    more.join(", ")
                ))
            }
            _ => None,
        }
    }
}

/// `# nats: the message bus.` as a description; the rest stays above.
fn described(mut head: Vec<String>, name: &str) -> (Vec<String>, Option<String>) {
    let desc = head
        .first()
        .and_then(|line| line.strip_prefix(&format!("{name}: ")))
        .map(|text| text.trim_end_matches('.').to_owned());
    if desc.is_some() {
        head.remove(0);
    }
    while head.first().is_some_and(String::is_empty) {
        head.remove(0);
    }
    (head, desc)
}

/// Variables that fit on one line, with the comments of each of them before all; others as they are.
fn on_one_line(vars: &Yaml) -> (Vec<String>, Yaml) {
    let Yaml::Map(entries) = vars else { return (Vec::new(), vars.clone()) };
    let mut bare = Yaml::map();
    for (_, key, value) in entries {
        bare.put(key, value.clone());
    }
    let comments: Vec<String> =
        entries.iter().flat_map(|(comments, ..)| comments.clone()).collect();
    let is_short = Yaml::single("vars", bare.clone()).page(WIDTH, &[]).lines().count() == 1;
    if is_short { (comments, bare) } else { (Vec::new(), vars.clone()) }
}

fn source_of(one: &MigratedSubsystem, source: &MigratedSource) -> (Option<String>, Yaml) {
    match source {
        MigratedSource::Git(url) => (None, Yaml::single("git", Yaml::text(url.clone()))),
        MigratedSource::Path(path) if path.starts_with("..") => {
            let place = code(&one.name);
            let mark = format!(
                "migrate: the code lies outside of the workspace, at {path}: move or copy it to {place}"
            );
            (Some(mark), Yaml::single("path", Yaml::text(place)))
        }
        MigratedSource::Path(path) => (None, Yaml::single("path", Yaml::text(path.clone()))),
    }
}
