//! What a key holds: the fingerprint, and what was measured of the machine that builds. A fingerprint has only the
//! names of tools; two machines with another compiler or another libc share nothing.

use std::path::Path;

use super::{RemoteCache, SharedAction};
use crate::{
    archive::Hasher,
    disk::{MOST_OF_TEXT, read_text},
    model::{BinaryName, Stamp},
    probe::ArtifactSpec,
    process::{Command, CommandLine, CommandRunner, Inherit, ask_version, changes_output},
    reapi::RemoteAction,
    workspace::{Build, Subsystem, machine_properties},
};

/// The meaning of what stands in a key. Another meaning gets another number.
const MEANING: &str = "1";

impl RemoteCache {
    /// The action that building `want` is, or why it has none.
    pub(super) async fn action(&self, want: &ArtifactSpec) -> Result<RemoteAction, String> {
        let subsystem = self.workspaces.subsystem(&want.id);
        let (Some(build), Some(print)) = (&subsystem.build, &want.build) else {
            return Err("it is not built".into());
        };
        let worker = self.workspaces.any().worker_of_build(subsystem).ok();
        let tools = match worker {
            // The worker's tools decide, which its properties name.
            Some(_) => "-".to_owned(),
            None => self.tools(want, subsystem, build).await?,
        };
        let host = match (&worker, is_of_any_host(build)) {
            (Some(_), _) => "worker".to_owned(),
            (None, true) => "-".to_owned(),
            (None, false) => self.host().await,
        };
        let inherited = match worker {
            Some(_) => "-".to_owned(),
            None => self.variables(&|name| build.env.contains_key(name)),
        };
        let mut variables: Vec<(&str, String)> = vec![
            ("KEY_VERSION", MEANING.into()),
            ("PROJECT", self.workspaces.any().project.clone()),
            ("FINGERPRINT", print.fingerprint.to_string()),
            ("TOOLS", tools),
            ("HOST", host),
            ("VARIABLES", inherited),
        ];
        variables.extend(want.commit.clone().map(|commit| ("COMMIT", commit)));
        let own = |(name, value): (&str, String)| (name.to_owned(), value);
        let mut outputs: Vec<String> = want.binaries.iter().map(BinaryName::to_string).collect();
        outputs.push(Stamp::FILE.to_owned());
        Ok(RemoteAction {
            arguments: vec!["forge-build".into(), want.id.name.to_string()],
            variables: variables.into_iter().map(own).collect(),
            outputs,
            platform: worker.unwrap_or_else(|| machine_properties().map(own).into()),
            salt: self.salt(),
            ..RemoteAction::default()
        })
    }

    /// The action that running `task` is, or why it has none.
    pub(super) async fn task_action(&self, task: &SharedAction) -> Result<RemoteAction, String> {
        let mut said = Vec::new();
        // What runs on a worker is decided by the worker's tools, which its properties name.
        for tool in task.tools.iter().filter(|_| task.worker.is_none()) {
            let version = self.version(&task.surroundings, tool).await;
            if version.is_empty() {
                return Err(format!("`{tool}` does not say its version on this machine"));
            }
            said.push(format!("{tool}={version}"));
        }
        let is_declared = |name: &str| task.surroundings.env.contains_key(name);
        let variables = [
            ("KEY_VERSION", MEANING.to_owned()),
            ("PROJECT", self.workspaces.any().project.clone()),
            ("TASK", task.key.clone()),
            ("TOOLS", said.join(";")),
            ("HOST", if task.worker.is_some() { "worker".into() } else { self.host().await }),
            (
                "VARIABLES",
                match task.worker {
                    Some(_) => "-".to_owned(),
                    None => self.variables(&is_declared),
                },
            ),
        ];
        let own = |(name, value): (&str, String)| (name.to_owned(), value);
        Ok(RemoteAction {
            arguments: vec!["forge-task".into(), task.name.clone()],
            variables: variables.map(own).into(),
            outputs: vec![SharedAction::LIST.to_owned()],
            platform: task.worker.clone().unwrap_or_else(|| machine_properties().map(own).into()),
            salt: self.salt(),
            ..RemoteAction::default()
        })
    }

    pub(super) fn salt(&self) -> String {
        let settings = self.workspaces.any().remote.as_ref();
        settings.map(|settings| settings.salt.clone()).unwrap_or_default()
    }

    /// Each tool of a build with what it says of its version.
    async fn tools(
        &self,
        want: &ArtifactSpec,
        subsystem: &Subsystem,
        build: &Build,
    ) -> Result<String, String> {
        if build.env.contains_key("PATH") && !build.tools.is_empty() {
            return Err("its build has a PATH of its own, so its tools cannot be measured".into());
        }
        let env = build
            .env
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), value.clone().without_places().ok()?)));
        let surroundings = Command {
            env: env.collect(),
            inherit: Inherit::of_build(build.pass_env.keys()),
            ..Command::new(CommandLine::Argv(Vec::new()), self.workspaces.layout().root())
        };
        let mut said = Vec::new();
        for tool in build.tools.keys() {
            let is_built = subsystem.build_needs.iter().any(|need| {
                self.workspaces.for_platform(want.id.platform).subsystems[need]
                    .binaries
                    .contains(tool)
            });
            // Its fingerprint is in that of the build.
            let version = match is_built {
                true => "build_needs".to_owned(),
                false => self.version(&surroundings, tool).await,
            };
            if version.is_empty() {
                return Err(format!("`{tool}` does not say its version on this machine"));
            }
            said.push(format!("{tool}={version}"));
        }
        Ok(said.join(";"))
    }

    /// The first line with a number in it that `tool` says of its version, run as `command` is.
    async fn version(&self, command: &Command, tool: &str) -> String {
        let mut measured = self.measured.lock().await;
        let key = format!("{tool} {:?}", command.env);
        if let Some(known) = measured.get(&key) {
            return known.clone();
        }
        let is_it = |line: &str| line.contains(|c: char| c.is_ascii_digit());
        let said = ask_version(&*self.runner, command, tool, &is_it).await.unwrap_or_default();
        let line = said.iter().find(|line| is_it(line)).map(|line| line.trim().to_owned());
        measured.entry(key).or_insert(line.unwrap_or_default()).clone()
    }

    /// The system that a build finds its libraries in: distribution and libc.
    async fn host(&self) -> String {
        const KEY: &str = "host";
        let mut measured = self.measured.lock().await;
        if let Some(known) = measured.get(KEY) {
            return known.clone();
        }
        let host = measured_host(&*self.runner, self.workspaces.layout().root()).await;
        measured.entry(KEY.to_owned()).or_insert(host).clone()
    }

    /// A digest of the variables that commands inherit and that decide what compilers write, but for those that
    /// are declared.
    fn variables(&self, is_declared: &(dyn Fn(&str) -> bool + Sync)) -> String {
        let is_in_key = |name: &str, value: &str| {
            // Both end in the compiler that the source asks for, or in none.
            let is_usual = name == "GOTOOLCHAIN" && matches!(value, "auto" | "local");
            changes_output(name) && !is_usual && !is_declared(name)
        };
        let mut hasher = Hasher::new();
        let mut found = 0;
        for (name, value) in self.environment.texts().filter(|(name, value)| is_in_key(name, value))
        {
            hasher.update(format!("{name}={value}\0").as_bytes());
            found += 1;
        }
        if found == 0 { "-".to_owned() } else { hasher.finish().to_string() }
    }
}

/// Whether nothing of the system that it is built on is in what a build makes: Go without C.
fn is_of_any_host(build: &Build) -> bool {
    let mut env = build.env.iter();
    let has_c = !env.any(|(name, value)| name == "CGO_ENABLED" && value.symbolic() == "0");
    build.preset == Some("go") && !has_c
}

/// What every key of this machine holds, in one line.
pub async fn machine_in_keys(runner: &dyn CommandRunner, root: &Path) -> String {
    let [(family, os), (isa, arch)] = machine_properties();
    format!("{family}={os} {isa}={arch} HOST={}", measured_host(runner, root).await)
}

/// Distribution and libc of this machine.
async fn measured_host(runner: &dyn CommandRunner, root: &Path) -> String {
    let question: &[&str] = match cfg!(target_os = "macos") {
        true => &["sw_vers", "-productVersion"],
        false => &["getconf", "GNU_LIBC_VERSION"],
    };
    let words: Vec<String> = question.iter().map(|word| (*word).to_owned()).collect();
    let command = Command {
        timeout: Some(std::time::Duration::from_secs(5)),
        ..Command::new(CommandLine::Argv(words), root)
    };
    let mut lines = Vec::new();
    let said = runner.run(&command, &mut |line| lines.push(line.trim().replace(' ', "-"))).await;
    let libc = lines.into_iter().next().filter(|_| said.is_ok());
    format!("{}/{}", distribution(), libc.unwrap_or_else(|| "another-libc".into()))
}

/// `debian-12`, as the system calls itself.
fn distribution() -> String {
    let text = ["/usr/lib/os-release", "/etc/os-release"]
        .iter()
        .find_map(|path| read_text(Path::new(path), MOST_OF_TEXT).ok())
        .unwrap_or_default();
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.map(|value| value.trim_matches('"').to_owned())
    };
    match (field("ID"), field("VERSION_ID")) {
        (Some(id), Some(version)) => format!("{id}-{version}"),
        (Some(id), None) => id,
        (None, _) => std::env::consts::OS.to_owned(),
    }
}
