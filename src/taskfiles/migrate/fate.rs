//! What becomes of each task: it stays, or forge does it by itself.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Replacement,
    duty::{
        BuiltinTask, CI, DOWN, DutyMatch, FETCH, LOGS, OBTAIN, RELOAD, SUPERVISE, UP, UP_NAMED,
        match_duty,
    },
    rewrite::command_of,
    service::MigratedServices,
    shell::{programs, words},
    stack::Stack,
    subsystem::{MigratedSource, MigratedSubsystem},
    variables::MigratedVariables,
};

/// What becomes of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Disposition {
    /// It stays a task.
    Stays,
    /// It stays, but is called as if it was forge's: it runs these programs too.
    StaysWith(&'static BuiltinTask, BTreeSet<String>),
    /// forge does it.
    Duty(&'static BuiltinTask),
    /// It only called tasks that forge does.
    Through,
    /// It is the `service` of its subsystem.
    Service,
    /// It stays, and runs in the clone of the source, which is where forge keeps it now.
    InClone,
}

impl Disposition {
    pub(super) fn stays(&self) -> bool {
        matches!(self, Self::Stays | Self::StaysWith(..) | Self::InClone)
    }
}

/// What becomes of all tasks, by their full names.
pub(super) struct Fates<'s> {
    stack: &'s Stack,
    subsystems: &'s [MigratedSubsystem],
    of: BTreeMap<String, Disposition>,
}

/// Verbs of forge, each with the subsystems that it is for, in order.
pub(super) type Effects = Vec<(String, Vec<String>)>;

impl<'s> Fates<'s> {
    pub(super) fn new(
        stack: &'s Stack,
        subsystems: &'s [MigratedSubsystem],
        services: &MigratedServices,
    ) -> Self {
        let judge = Judge { stack, subsystems, services };
        let mut of: BTreeMap<String, Disposition> =
            stack.tasks.iter().map(|(name, at)| (name.clone(), judge.fate(name, *at))).collect();
        // Until nothing changes: what calls only what forge does is done by forge too, and what
        // forge does calls nothing that stays.
        loop {
            let mut changed = None;
            for (name, at) in &stack.tasks {
                let calls = stack.calls(*at);
                let is_gone = |call: &String| match of.get(call) {
                    Some(fate) => !fate.stays(),
                    None => is_gone_of_all(&of, call),
                };
                let task = stack.task(*at);
                // A folder for what forge keeps elsewhere, and words, are nothing of their own.
                let only_calls = !calls.is_empty()
                    && programs(&stack.script(*at))
                        .iter()
                        .all(|one| matches!(one.as_str(), "mkdir" | "echo"));
                let is_plain =
                    task.requires.is_empty() && task.sources.is_empty() && task.env.is_empty();
                let next = match &of[name] {
                    Disposition::Stays if only_calls && is_plain && calls.iter().all(is_gone) => {
                        Disposition::Through
                    }
                    Disposition::Duty(duty) if *duty != &CI && !calls.iter().all(is_gone) => {
                        Disposition::Stays
                    }
                    _ => continue,
                };
                changed = Some((name.clone(), next));
                break;
            }
            match changed {
                Some((name, fate)) => drop(of.insert(name, fate)),
                None => return Self { stack, subsystems, of },
            }
        }
    }

    /// What becomes of the task `name`; none if there is no such task.
    pub(super) fn disposition(&self, name: &str) -> Option<&Disposition> {
        self.of.get(name)
    }

    /// Where each subsystem's binary was, from the first file's folder, and what it is called.
    pub(super) fn binaries(&self) -> impl Iterator<Item = (String, &str)> {
        let known = self.subsystems.iter().filter_map(|one| Some((one.bin_dir.as_ref()?, one)));
        known.map(|(dir, one)| (format!("{dir}/{}", one.binary), one.binary.as_str()))
    }

    /// Whether a file describes a subsystem.
    pub(super) fn is_of_subsystem(&self, file: usize) -> bool {
        self.subsystems.iter().any(|one| one.file == file)
    }

    /// The subsystem in whose source the task at `at` runs, if it does.
    pub(super) fn in_source(&self, at: (usize, usize)) -> Option<&str> {
        let (name, _) = self.stack.tasks.iter().find(|(_, place)| **place == at)?;
        let is_it = self.of.get(name) == Some(&Disposition::InClone);
        name.split_once(':').map(|(subsystem, _)| subsystem).filter(|_| is_it)
    }

    /// What has to be done where a task called `name`, which forge does now.
    pub(super) fn effects(&self, name: &str) -> Effects {
        let mut effects = Effects::new();
        self.gather(name, 0, &mut effects);
        effects
    }

    fn gather(&self, name: &str, depth: usize, effects: &mut Effects) {
        let subsystem = name.split_once(':').map_or("", |(before, _)| before);
        match self.of.get(name) {
            Some(Disposition::Service) => merge(effects, "up", Some(subsystem)),
            Some(Disposition::Duty(duty)) if duty == &&FETCH => {
                let fetched = name.rsplit(':').next().unwrap_or_default();
                merge(effects, "ensure", Some(fetched));
            }
            Some(Disposition::Duty(duty)) if !duty.verb.is_empty() => {
                merge(
                    effects,
                    duty.verb,
                    duty.is_named.then_some(subsystem).filter(|name| !name.is_empty()),
                );
            }
            Some(Disposition::Through) if depth < 32 => {
                for call in self.stack.calls(self.stack.tasks[name]) {
                    self.gather(&call, depth + 1, effects);
                }
            }
            _ => {}
        }
    }

    /// What stands in a script instead of a call of the task `name`, if forge does that by itself. The
    /// subsystem in the name may be known only when the script runs.
    pub(super) fn instead_of(&self, name: &str) -> Option<String> {
        let said = |name: &str| {
            let fate = self.of.get(name)?;
            let effects = self.effects(name);
            let commands = effects.iter().map(command_of).collect::<Vec<_>>().join("; ");
            (!fate.stays() && !commands.is_empty()).then_some(commands)
        };
        if let Some(said) = said(name) {
            return Some(said);
        }
        let (open, end) = open_name(name)?;
        let ends = |task: &&String| task.split_once(':').is_some_and(|(_, own)| own == end);
        let mut verbs = BTreeSet::new();
        let mut count = 0;
        for task in self.of.keys().filter(ends) {
            let (subsystem, _) = task.split_once(':')?;
            verbs.insert(said(task)?.strip_suffix(&format!(" {subsystem}"))?.to_owned());
            count += 1;
        }
        let verb = verbs.pop_first().filter(|_| verbs.is_empty() && count > 1)?;
        Some(format!("{verb} {open}"))
    }

    /// The tasks that are gone, each with what forge does instead.
    pub(super) fn replaced(&self) -> Vec<Replacement> {
        let mut all = Vec::new();
        for (instead, tasks) in self.gone() {
            for task in tasks {
                let effects = self.effects(&task);
                let ensured = effects.iter().filter(|(verb, _)| verb == "ensure");
                let others = effects.iter().filter(|(verb, _)| verb != "ensure");
                all.push(Replacement {
                    task,
                    instead: instead.clone(),
                    ensures: ensured.flat_map(|(_, names)| names.clone()).collect(),
                    commands: others.map(command_of).collect(),
                });
            }
        }
        all
    }

    /// What forge does instead of each task that is gone: by what a person says, the tasks.
    pub(super) fn gone(&self) -> BTreeMap<String, Vec<String>> {
        let mut gone: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, fate) in &self.of {
            let instead = match fate {
                Disposition::Service => "forge up NAME -f",
                Disposition::Duty(_) | Disposition::Through => {
                    self.instead(name, 0).unwrap_or("forge ensure")
                }
                Disposition::Stays | Disposition::StaysWith(..) | Disposition::InClone => continue,
            };
            gone.entry(instead.to_owned()).or_default().push(name.clone());
        }
        gone
    }

    fn instead(&self, name: &str, depth: usize) -> Option<&'static str> {
        match self.of.get(name)? {
            Disposition::Duty(duty) => Some(duty.instead),
            Disposition::Through if depth < 32 => {
                let calls = self.stack.calls(self.stack.tasks[name]);
                calls.iter().rev().find_map(|call| self.instead(call, depth + 1))
            }
            _ => None,
        }
    }
}

/// Whether `call` names a task of a subsystem that only a run knows, and that task is gone for all of them.
fn is_gone_of_all(of: &BTreeMap<String, Disposition>, call: &str) -> bool {
    let Some((_, end)) = open_name(call) else { return false };
    let ends = |(name, _): &(&String, &Disposition)| {
        name.split_once(':').is_some_and(|(_, own)| own == end)
    };
    let mut all = of.iter().filter(ends).peekable();
    all.peek().is_some() && all.all(|(_, fate)| !fate.stays())
}

/// `$NAME:end` or `{{.NAME}}:end`: the subsystem as it is said, and what follows.
fn open_name(name: &str) -> Option<(&str, &str)> {
    let name = name.trim_matches('"');
    let from = name.rfind("}}").map_or(0, |at| at + 2);
    let at = from + name[from..].find(':')?;
    let open = &name[..at];
    open.starts_with(['$', '{']).then_some((open, &name[at + 1..]))
}

fn merge(effects: &mut Effects, verb: &str, name: Option<&str>) {
    let names = match effects.iter_mut().find(|(known, _)| known == verb) {
        Some((_, names)) => names,
        None => {
            effects.push((verb.to_owned(), Vec::new()));
            &mut effects.last_mut().expect("something was just pushed").1
        }
    };
    if let Some(name) = name.filter(|name| !names.iter().any(|one| one == name)) {
        names.push(name.to_owned());
    }
}

struct Judge<'s> {
    stack: &'s Stack,
    subsystems: &'s [MigratedSubsystem],
    services: &'s MigratedServices,
}

impl Judge<'_> {
    fn fate(&self, full: &str, at: (usize, usize)) -> Disposition {
        let task = self.stack.task(at);
        let name = task.name.value.as_str();
        let script = self.stack.script(at);
        if self.services.written_by.as_deref() == Some(full) {
            return Disposition::Duty(&SUPERVISE);
        }
        let Some(subsystem) = self.subsystems.iter().find(|one| one.file == at.0) else {
            return self.of_root(full, at, &script);
        };
        if self.services.supervisor.as_deref() == Some(subsystem.name.as_str())
            && let Some(duty) = supervision(&script)
        {
            return Disposition::Duty(duty);
        }
        if self.services.runs(full) {
            return Disposition::Service;
        }
        if self.services.has(&subsystem.name) && is_wait(name, &script) {
            return Disposition::Duty(&UP_NAMED);
        }
        let pieces = [&subsystem.build, &subsystem.upstream].into_iter().flatten();
        if pieces.clone().any(|piece| piece.task == name) {
            return Disposition::Duty(&OBTAIN);
        }
        let only_calls = script.trim().is_empty();
        let is_own_release = name == "bin:download" && subsystem.upstream.is_none();
        if OBTAIN.names.contains(&name) && (only_calls || is_own_release) {
            return Disposition::Duty(&OBTAIN);
        }
        if self.is_in_clone(subsystem, at)
            && !matches!(match_duty(name, &script), DutyMatch::Duty(_))
        {
            return Disposition::InClone;
        }
        self.looked_at(name, &script, at)
    }

    fn of_root(&self, name: &str, at: (usize, usize), script: &str) -> Disposition {
        if self.services.written_by.is_some() && is_wait(name, script) {
            return Disposition::Duty(&UP);
        }
        let calls = self.stack.calls(at);
        if name == "ci" && script.is_empty() && calls.iter().all(|call| call.starts_with("ci:")) {
            return Disposition::Duty(&CI);
        }
        let fetched = name
            .strip_prefix("fetch:")
            .is_some_and(|name| self.subsystems.iter().any(|one| one.name == name));
        match self.looked_at(name, script, at) {
            Disposition::Duty(duty) if fetched && duty.verb == "ensure" => {
                Disposition::Duty(&FETCH)
            }
            other => other,
        }
    }

    fn looked_at(&self, name: &str, script: &str, at: (usize, usize)) -> Disposition {
        let task = self.stack.task(at);
        if script.trim().is_empty() && !task.commands.is_empty() {
            return Disposition::Stays;
        }
        match match_duty(name, script) {
            DutyMatch::Duty(duty) => match self.removed_beside(script, at.0) {
                others if others.is_empty() => Disposition::Duty(duty),
                // What lies beside the binaries is the task's own to remove.
                others if others.iter().all(|path| self.is_beside(path, at.0)) => {
                    Disposition::Stays
                }
                // What the tasks do that it calls is said where it calls them.
                _ if !self.stack.calls(at).is_empty() => Disposition::Stays,
                others => Disposition::StaysWith(duty, others),
            },
            DutyMatch::More(duty, more) => Disposition::StaysWith(duty, more),
            DutyMatch::Other => Disposition::Stays,
        }
    }

    /// What is removed that forge does not keep elsewhere.
    fn removed_beside(&self, script: &str, file: usize) -> BTreeSet<String> {
        const OWN: &[&str] = &[".bin", ".src", ".dist", ".task", "bin", "src", "dist"];
        let variables = MigratedVariables::new(&self.stack.tree, file);
        let subsystem = self.subsystems.iter().find(|one| one.file == file);
        let known = subsystem.into_iter().flat_map(|one| [&one.bin_dir, &one.src_dir]).flatten();
        let known: Vec<&String> = known.collect();
        let is_own = |word: &String| {
            let path = variables.path(word).unwrap_or_default();
            let last = path.rsplit('/').next().unwrap_or_default();
            // What is made to be packed is forge's own to make.
            let is_packed = path.starts_with(".dist/") || path.starts_with("dist/");
            path.contains('/') && OWN.contains(&last) || is_packed || known.contains(&&path)
        };
        let lines = script.lines().map(words);
        let removing = lines.filter(|words| words.first().is_some_and(|word| word == "rm"));
        let removed = removing.flat_map(|words| words.into_iter().skip(1));
        removed.filter(|word| !word.starts_with('-') && !is_own(word)).collect()
    }

    /// Whether a path is in the folder of a subsystem's Taskfile.
    fn is_beside(&self, path: &str, file: usize) -> bool {
        let variables = MigratedVariables::new(&self.stack.tree, file);
        let one = self.subsystems.iter().find(|one| one.file == file);
        one.zip(variables.path(path))
            .is_some_and(|(one, path)| path.starts_with(&format!("{}/", one.name)))
    }

    /// Whether the task runs in the clone of the source.
    fn is_in_clone(&self, subsystem: &MigratedSubsystem, at: (usize, usize)) -> bool {
        let is_cloned = matches!(&subsystem.source, Some(MigratedSource::Git(_)));
        is_cloned && self.uses_src(subsystem, at)
    }

    fn uses_src(&self, subsystem: &MigratedSubsystem, at: (usize, usize)) -> bool {
        let variables = MigratedVariables::new(&self.stack.tree, at.0);
        let Some(src) = &subsystem.src_dir else { return false };
        let dir = self.stack.task(at).dir.as_ref();
        dir.and_then(|dir| variables.path(&dir.text)).is_some_and(|dir| dir == *src)
            || variables
                .written_out(&self.stack.script(at), &|_| false)
                .lines()
                .filter(|line| !line.trim_start().starts_with("rm "))
                .any(|line| line.contains(&format!("{{{{.ROOT_DIR}}}}/{src}")))
    }
}

/// What a task of the supervisor does that forge does with it.
fn supervision(script: &str) -> Option<&'static BuiltinTask> {
    let programs = programs(script);
    let is_plain =
        programs.iter().all(|one| one.contains("{{") || one == "mkdir" || one == "process-compose");
    if !is_plain || programs.is_empty() {
        return None;
    }
    let has = |word: &str| script.lines().flat_map(words).any(|one| one == word);
    let signs: [(&str, &'static BuiltinTask); 7] = [
        ("--dry-run", &SUPERVISE),
        ("up", &UP),
        ("down", &DOWN),
        ("logs", &LOGS),
        ("restart", &RELOAD),
        ("attach", &SUPERVISE),
        ("list", &SUPERVISE),
    ];
    signs.into_iter().find(|(word, _)| has(word)).map(|(_, duty)| duty)
}

/// Whether a task only waits for something to be up.
fn is_wait(name: &str, script: &str) -> bool {
    const MAY: &[&str] = &["[", "test", "curl", "nc", "task", "sleep", "echo", "exit", "wget"];
    (name == "wait" || name.starts_with("wait:"))
        && script.contains("sleep")
        && programs(script).iter().all(|one| MAY.contains(&one.as_str()))
}
