//! What Process Compose was told to run, as services of subsystems.

use super::{shell::words, stack::Stack, subsystem::MigratedSubsystem, unit::Unit};
use crate::{
    manifest::{Findings, MAX_BYTES, ManifestFile, Node, Pair, read_tree, scalar},
    taskfile::{CommandKind, Yaml},
};

/// The services of a stack.
#[derive(Debug, Default)]
pub(super) struct MigratedServices {
    /// The task that wrote them down for Process Compose.
    pub(super) written_by: Option<String>,
    /// The subsystem that is Process Compose.
    pub(super) supervisor: Option<String>,
    pub(super) all: Vec<MigratedService>,
}

/// A service, as Process Compose was told of it.
#[derive(Clone, Debug, Default)]
pub(super) struct MigratedService {
    /// The subsystem.
    pub(super) name: String,
    /// The task that runs it, and the one that says whether it is ready.
    pub(super) run: String,
    pub(super) ready: Option<String>,
    pub(super) delay: Option<String>,
    pub(super) period: Option<String>,
    pub(super) needs: Vec<String>,
    pub(super) restart: Option<String>,
    /// How long it may take to end.
    pub(super) grace: Option<String>,
    /// Keys that are not said here.
    pub(super) more: Vec<String>,
}

impl MigratedServices {
    /// Finds them in the task that writes the configuration of Process Compose, or else in `file`, which is
    /// that configuration.
    pub(super) fn find(
        stack: &Stack,
        subsystems: &[MigratedSubsystem],
        file: Option<&str>,
    ) -> Self {
        let supervisor = subsystems
            .iter()
            .find(|one| one.binary == "process-compose")
            .map(|one| one.name.clone());
        for (name, at) in &stack.tasks {
            let lines = stack.task(*at).commands.iter().filter_map(|one| match &one.deed {
                CommandKind::Run(line) => Some(line.text.as_str()),
                _ => None,
            });
            let Some(body) = lines.filter_map(document).find(|text| text.contains("processes:"))
            else {
                continue;
            };
            let Some(all) = read(body, subsystems) else { continue };
            return Self { written_by: Some(name.clone()), supervisor, all };
        }
        match file.and_then(|text| read(text, subsystems)) {
            Some(all) => Self { written_by: None, supervisor, all },
            None => Self::default(),
        }
    }

    /// Whether the task `full` is what runs one of them.
    pub(super) fn runs(&self, full: &str) -> bool {
        self.all.iter().any(|one| one.run == full)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.all.iter().any(|one| one.name == name)
    }
}

/// What stands in the here-document of a script that writes nothing else.
fn document(script: &str) -> Option<&str> {
    let (head, rest) = script.split_once('\n')?;
    let end = head.split_once("<<")?.1.split_whitespace().next()?.trim_matches(['"', '\'', '-']);
    rest.trim_end().strip_suffix(end)
}

/// The services of a configuration, if each of them is a task of a subsystem.
fn read(text: &str, subsystems: &[MigratedSubsystem]) -> Option<Vec<MigratedService>> {
    let file =
        ManifestFile::new("process-compose.yaml".into(), text.as_bytes().to_vec(), MAX_BYTES);
    let root = read_tree(&file, &mut Findings::new(&file))?;
    let processes = root.get("processes")?.entries();
    // A service is called as its subsystem, whatever its process is.
    let subsystem = |run: &str| {
        let (name, _) = run.split_once(':')?;
        subsystems.iter().any(|one| one.name == name).then(|| name.to_owned())
    };
    let run = |entry: &Pair| called(&scalar(&entry.value, "command")?.text);
    let names = |process: &str| {
        let entry = processes.iter().find(|entry| entry.key.value == process);
        entry.and_then(run).and_then(|run| subsystem(&run))
    };
    let one = |entry: &Pair| {
        let run = run(entry)?;
        let mut service = service(&subsystem(&run)?, run, &entry.value);
        for need in &mut service.needs {
            *need = names(need)?;
        }
        Some(service)
    };
    processes.iter().map(one).collect()
}

/// What is said of a process in forge's words.
const KNOWN: &[&str] =
    &["command", "readiness_probe", "availability", "depends_on", "working_dir", "shutdown"];

fn service(name: &str, run: String, node: &Node) -> MigratedService {
    let text = |node: Option<&Node>, key: &str| {
        node.and_then(|node| scalar(node, key)).map(|one| one.text)
    };
    let probe = node.get("readiness_probe");
    let exec = probe.and_then(|probe| probe.get("exec"));
    let ready = text(exec, "command").and_then(|command| called(&command));
    let seconds = |key| text(probe, key).map(|number| format!("{number}s"));
    let needs = node.get("depends_on").map(Node::entries).unwrap_or_default();
    let restart = text(node.get("availability"), "restart").filter(|restart| restart != "no");
    let keys = node.entries().iter().map(|entry| entry.key.value.clone());
    MigratedService {
        name: name.to_owned(),
        run,
        ready,
        delay: seconds("initial_delay_seconds"),
        period: seconds("period_seconds").filter(|period| period != "5s"),
        needs: needs.iter().map(|entry| entry.key.value.clone()).collect(),
        restart: restart.map(|restart| restart.replace('_', "-")),
        grace: text(node.get("shutdown"), "timeout_seconds").map(|number| format!("{number}s")),
        more: keys.filter(|key| !KNOWN.contains(&key.as_str())).collect(),
    }
}

/// The task that `task [--silent] NAME` runs.
fn called(command: &str) -> Option<String> {
    let words = words(command);
    let (first, rest) = words.split_first()?;
    let mut names = rest.iter().filter(|word| !word.starts_with('-'));
    let name = names.next().filter(|_| first == "task")?;
    names.next().is_none().then(|| name.clone())
}

impl MigratedService {
    /// `service`, for what `run` and `ready` say in forge's words. `before` are tasks to run first.
    pub(super) fn said(&self, run: &str, before: &[String], ready: Option<&str>) -> Yaml {
        let before: String = before.iter().map(|one| format!("{one} && ")).collect();
        let exec = if before.is_empty() { "" } else { "exec " };
        let mut said = Yaml::single("run", Yaml::text(format!("{before}{exec}{run}")));
        let mut look = ready.and_then(probe).unwrap_or_else(Yaml::map);
        if !look.is_empty() {
            for (key, value) in [("delay", &self.delay), ("period", &self.period)] {
                if let Some(value) = value {
                    look.put(key, Yaml::text(value.clone()));
                }
            }
            said.put("ready", look);
        }
        said.put_filled("needs", Yaml::List(self.needs.iter().map(Yaml::text).collect()));
        if let Some(restart) = &self.restart {
            said.put("restart", Yaml::text(restart.clone()));
        }
        if let Some(grace) = &self.grace {
            said.put("stop", Yaml::single("grace", Yaml::text(grace.clone())));
        }
        said
    }
}

/// How the command of a health task is said as `ready`; none if it only looks whether the process is
/// there, which forge does anyway.
fn probe(command: &str) -> Option<Yaml> {
    let words = words(command.lines().next()?);
    let url =
        || words.iter().find(|word| word.starts_with("http://") || word.starts_with("https://"));
    let port = || {
        let at = words.iter().position(|word| word == "-z")?;
        Some((words.get(at + 1)?.clone(), words.get(at + 2)?.clone()))
    };
    match words.first().map(String::as_str)? {
        "curl" | "wget" => Some(Yaml::single("http", Yaml::text(url()?.clone()))),
        "pgrep" => None,
        _ if command.contains("nc -z ") => {
            let (host, port) = port()?;
            Some(Yaml::single("tcp", Yaml::text(format!("{host}:{port}"))))
        }
        _ => Some(Yaml::single("run", Yaml::text(command.to_owned()))),
    }
}

/// `service`, from the tasks that run it and look at it.
pub(super) fn service_of(service: &MigratedService, unit: &Unit) -> (Vec<String>, Yaml) {
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
        return (marks, Yaml::single("run", Yaml::text(format!("forge run {}", service.run))));
    };
    let needs = run
        .entries()
        .find(|(key, _)| *key == "needs")
        .map(|(_, needs)| texts(needs))
        .unwrap_or_default();
    let mut before: Vec<String> = needs
        .into_iter()
        .filter(|need| *need != service.name)
        .map(|need| {
            if need.contains(':') && task(&need).is_some() {
                need
            } else {
                format!("{}:{need}", service.name)
            }
        })
        .map(|task| format!("forge run {task}"))
        .collect();
    let mut lines: Vec<String> =
        commands(run).into_iter().filter(|line| !line.starts_with("forge up")).collect();
    let line = lines.pop().unwrap_or_default();
    match lines.iter().all(|line| !line.contains(['\n', ';', '|', '&'])) {
        true => before.extend(lines),
        false => marks.push(format!("migrate: `{}` does more before it", service.run)),
    }
    let line = line.trim_end_matches(" {{ args }}").to_owned();
    let ready = service.ready.as_deref().and_then(task).map(|said| commands(said).join(" && "));
    let mut said = service.said(&line, &before, ready.as_deref());
    for (key, value) in run.entries().filter(|(key, _)| matches!(*key, "dir" | "env")) {
        said.put(key, value.clone());
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
