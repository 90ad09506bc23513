//! The documents that are written: specs and `versions.yml`.

use std::collections::BTreeSet;

use super::{
    comments::Comments,
    fate::{Fate, Fates},
    service::{Service, Services},
    stack::Stack,
    subsystem::{Piece, Source, Subsystem, in_words},
    unit::{Unit, code, of_line, text_of},
    variables::Variables,
};
use crate::{
    model::Platform,
    taskfile::{Deed, Task, Yaml},
};

/// How long a line may be that says all of a task.
pub(super) const WIDTH: usize = 160;
/// Keys whose own keys have lines of their own.
pub(super) const BLOCKS: &[&str] = &["versions", "groups", "tasks"];

/// The spec of a subsystem.
pub(super) fn spec(
    stack: &Stack,
    fates: &Fates,
    services: &Services,
    one: &Subsystem,
    unit: &Unit,
    is_own: &dyn Fn(&str) -> bool,
) -> Yaml {
    let file = &stack.tree.files[one.file];
    let comments = Comments::of(file);
    let head = head(stack, one.file).into_iter().filter(|line| is_own(line));
    let (mut above, desc) = described(head.collect(), &one.name);
    let mut spec = Yaml::map();
    if let Some(desc) = desc {
        spec.put_with(std::mem::take(&mut above), "desc", Yaml::text(desc));
    }
    if one.binary != one.name {
        spec.put_with(std::mem::take(&mut above), "binary", Yaml::text(one.binary.clone()));
    }
    let of_task = |name: &str| {
        let at = file.tasks.iter().position(|task| task.name.value == name)?;
        let start = file.tasks[at].name.bytes.start;
        let next =
            file.tasks.get(at + 1).map_or(file.file.text.len(), |task| task.name.bytes.start);
        Some(
            comments
                .with(start..comments.end(start, next))
                .into_iter()
                .filter(|line| is_own(line))
                .collect::<Vec<_>>(),
        )
    };
    if let Some((mark, source)) = one.source.as_ref().map(|source| source_of(one, source)) {
        above.extend(mark);
        spec.put_with(std::mem::take(&mut above), "source", source);
    }
    if one.build.is_none() {
        above.extend(of_task("bin:build").unwrap_or_default());
    }
    let pieces: [(&str, &Option<Piece>); 2] = [("build", &one.build), ("upstream", &one.upstream)];
    for (key, piece) in pieces.into_iter().filter_map(|(key, piece)| Some((key, piece.as_ref()?))) {
        above.extend(of_task(&piece.task).unwrap_or_default());
        above.extend(piece.marks.iter().map(|what| format!("migrate: {what}")));
        spec.put_with(std::mem::take(&mut above), key, piece.said.clone());
    }
    let (comments_of_vars, vars) = on_one_line(&unit.vars);
    if !vars.is_empty() {
        spec.put_with(comments_of_vars, "vars", vars);
    }
    if let Some(service) = services.all.iter().find(|service| service.name == one.name) {
        let (marks, said) = service_of(service, unit);
        spec.put_with(marks, "service", said);
    }
    let tasks = tasks(stack, fates, one, unit);
    spec.put_filled("tasks", tasks);
    spec
}

/// What a file says before its first key but `version`.
pub(super) fn head(stack: &Stack, file: usize) -> Vec<String> {
    let taskfile = &stack.tree.files[file];
    let keys = [
        "includes", "vars", "env", "dotenv", "tasks", "output", "silent", "set", "shopt", "run",
        "method",
    ];
    let starts = keys.iter().filter_map(|key| {
        let text = &taskfile.file.text;
        let line = format!("{key}:");
        if text.starts_with(&line) {
            Some(0)
        } else {
            text.find(&format!("\n{line}")).map(|at| at + 1)
        }
    });
    let comments = Comments::of(taskfile);
    starts.min().map(|first| comments.head(first)).unwrap_or_default()
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
    entries.iter().for_each(|(_, key, value)| bare.put(key, value.clone()));
    let comments: Vec<String> =
        entries.iter().flat_map(|(comments, ..)| comments.clone()).collect();
    let is_short = Yaml::of("vars", bare.clone()).page(WIDTH, &[]).lines().count() == 1;
    if is_short { (comments, bare) } else { (Vec::new(), vars.clone()) }
}

fn source_of(one: &Subsystem, source: &Source) -> (Option<String>, Yaml) {
    match source {
        Source::Git(url) => (None, Yaml::of("git", Yaml::text(url.clone()))),
        Source::Path(path) if path.starts_with("..") => {
            let place = code(&one.name);
            let mark = format!(
                "migrate: the code lies outside of the workspace, at {path}: move or copy it to {place}"
            );
            (Some(mark), Yaml::of("path", Yaml::text(place)))
        }
        Source::Path(path) => (None, Yaml::of("path", Yaml::text(path.clone()))),
    }
}

/// The tasks of a spec. Those that ran in the clone are told where they stood.
fn tasks(stack: &Stack, fates: &Fates, one: &Subsystem, unit: &Unit) -> Yaml {
    let mut tasks = Yaml::map();
    let mut waiting = Vec::new();
    let mut last = None;
    for task in &stack.tree.files[one.file].tasks {
        let full = format!("{}:{}", one.name, task.name.value);
        if fates.of(&full) == Some(&Fate::InClone) {
            waiting.push(format!("migrate: {}", in_clone(stack, one, task)));
        }
        if fates.of(&full) == Some(&Fate::Service) {
            continue;
        }
        let Some((name, above, said)) =
            unit.tasks.iter().find(|(name, ..)| *name == task.name.value)
        else {
            continue;
        };
        let mut above = above.clone();
        above.extend(more(fates, &full));
        let waited = std::mem::take(&mut waiting);
        tasks.put_with(waited.into_iter().chain(above).collect(), name, said.clone());
        last = Some(());
    }
    if let (Some(()), Yaml::Map(entries)) = (last, &mut tasks)
        && let Some((above, ..)) = entries.last_mut()
    {
        above.splice(0..0, waiting);
    }
    tasks
}

fn in_clone(stack: &Stack, one: &Subsystem, task: &Task) -> String {
    let lines = task.commands.iter().filter_map(|command| match &command.deed {
        Deed::Run(line) => Some(line.text.as_str()),
        _ => None,
    });
    let variables = Variables::new(&stack.tree, one.file);
    let line = lines.collect::<Vec<_>>().join("; ");
    let line =
        in_words(&variables.written_out(&line, &|name| name == one.version.0), &one.version.0);
    let line = line.replace("{{ root }}/", "");
    format!(
        "`{}` ran `{}` in the clone, which tasks do not see",
        task.name.value,
        line.replace('\n', "; ")
    )
}

/// What a task that is called as if it was forge's does beside that.
pub(super) fn more(fates: &Fates, full: &str) -> Option<String> {
    match fates.of(full) {
        Some(Fate::StaysWith(duty, more)) => {
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

/// `service`, from the tasks that run it and look at it.
fn service_of(service: &Service, unit: &Unit) -> (Vec<String>, Yaml) {
    let task = |full: &str| {
        let short = full.strip_prefix(&format!("{}:", service.name))?;
        unit.tasks.iter().find(|(name, ..)| name == short).map(|(_, _, said)| said)
    };
    let mut marks: Vec<String> = service
        .more
        .iter()
        .map(|key| format!("migrate: `{key}` of Process Compose is not said here"))
        .collect();
    let Some(run) = task(&service.run) else {
        marks.push(format!("migrate: the task `{}` that ran it is gone", service.run));
        return (marks, Yaml::of("run", Yaml::text(format!("forge run {}", service.run))));
    };
    let needs = run
        .entries()
        .find(|(key, _)| *key == "needs")
        .map(|(_, needs)| texts(needs))
        .unwrap_or_default();
    let before: Vec<String> = needs
        .into_iter()
        .filter(|need| *need != service.name)
        .map(|need| {
            if need.contains(':') && task(&need).is_some() {
                need
            } else {
                format!("{}:{need}", service.name)
            }
        })
        .collect();
    let lines: Vec<String> =
        commands(run).into_iter().filter(|line| !line.starts_with("forge up")).collect();
    if lines.len() > 1 {
        marks.push(format!("migrate: `{}` does more before it", service.run));
    }
    let line = lines.last().cloned().unwrap_or_default();
    let line = line.trim_end_matches(" {{ args }}").to_owned();
    let ready = service.ready.as_deref().and_then(task).map(|said| commands(said).join(" && "));
    let mut said = service.said(&line, &before, ready.as_deref());
    if let Some((_, dir)) = run.entries().find(|(key, _)| *key == "dir") {
        said.put("dir", dir.clone());
    }
    (marks, said)
}

fn texts(value: &Yaml) -> Vec<String> {
    match value {
        Yaml::Text(text) => vec![text.clone()],
        Yaml::List(items) => items.iter().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// The commands of a task.
fn commands(said: &Yaml) -> Vec<String> {
    let run = said.entries().find(|(key, _)| *key == "run").map(|(_, run)| run);
    texts(run.unwrap_or(said))
}

/// What `versions.yml` says beside its tasks.
pub(super) struct Settings {
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

impl Settings {
    /// Finds them in the variables of the first file.
    pub(super) fn find(stack: &Stack, subsystems: &[Subsystem]) -> Self {
        let file = &stack.tree.files[0];
        let comments = Comments::of(file);
        let names: Vec<String> = subsystems.iter().map(|one| one.name.clone()).collect();
        let mut found = Self {
            head: head(stack, 0),
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
            let Some(items) = super::stack::items(file, name, None) else { continue };
            let is_in =
                |all: &[String]| items.len() > 1 && items.iter().all(|item| all.contains(item));
            let above = of_line(&comments, stack, 0, variable.name.bytes.clone());
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
            } else {
                continue;
            }
            found.variables.insert(name.clone());
        }
        found
    }
}

/// `versions.yml`.
pub(super) fn manifest(
    settings: &Settings,
    subsystems: &[Subsystem],
    services: &Services,
    unit: &Unit,
    shared: &[(String, Yaml)],
    above_versions: Vec<String>,
    tasks: Yaml,
) -> Yaml {
    let mut page = Yaml::map();
    let mut above = settings.head.clone();
    for (key, value) in [("project", &settings.project), ("releases", &settings.releases)] {
        if let Some(value) = value {
            page.put_with(std::mem::take(&mut above), key, Yaml::text(value.clone()));
        }
    }
    let mut versions = Yaml::map();
    for name in &settings.order.0 {
        let Some(one) = subsystems.iter().find(|one| one.name == *name) else { continue };
        let supervises = services.supervisor.as_ref() == Some(name) && !services.all.is_empty();
        versions.put_with(
            supervises.then(|| raise(&one.version.1)).flatten().into_iter().collect(),
            name,
            Yaml::text(one.version.1.clone()),
        );
    }
    above.extend(above_versions.into_iter().chain(settings.order.1.clone()));
    page.put_with(above, "versions", versions);
    page.put_filled("platforms", Yaml::List(settings.platforms.iter().map(Yaml::text).collect()));
    page.put_filled("groups", settings.groups.clone());
    if !tasks.is_empty() || !subsystems.is_empty() {
        for (key, value) in unit.parts.settings.entries() {
            page.put(key, value.clone());
        }
    }
    let mut vars = Yaml::map();
    if let Yaml::Map(entries) = &unit.vars {
        for (above, key, value) in entries {
            vars.put_with(above.clone(), key, value.clone());
        }
    }
    for (name, value) in
        shared.iter().filter(|(name, _)| !unit.vars.entries().any(|(key, _)| key == name))
    {
        if !vars.entries().any(|(key, _)| key == name) {
            vars.put(name, value.clone());
        }
    }
    page.put_filled("vars", vars);
    page.put_filled("env", unit.parts.env.clone());
    page.put_filled("dotenv", unit.parts.dotenv.clone());
    page.put_filled("tasks", tasks);
    page
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
