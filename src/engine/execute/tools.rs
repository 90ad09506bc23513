//! The programs that a build declares: there, and of the declared version, before its
//! source is even fetched.

use std::{path::Path, time::Duration};

use crate::{
    model::{ArtifactId, Fault, Kind, Platform},
    process::{Command, CommandLine, Inherit, ask_version, is_program},
    workspace::{Build, Subsystem},
};

use super::Context;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

impl Context {
    /// Checks that every tool is there. One that is not is the most common reason why a first
    /// build fails, and better told now than by some command an hour later.
    pub(super) async fn require_tools(&self, id: &ArtifactId, build: &Build) -> Result<(), Fault> {
        let subsystem = self.workspaces.subsystem(id);
        // A PATH of its own may lead into the source, which is not there yet.
        if build.env.contains_key("PATH") {
            return Ok(());
        }
        let folders = self.tool_folders(id);
        for (tool, version) in &build.tools {
            if !is_program(self.runner.environment(), tool, &folders) {
                return Err(missing(tool, subsystem));
            }
            if let Some(version) = version {
                self.require_version(id, build, tool, version).await?;
            }
        }
        Ok(())
    }

    async fn require_version(
        &self,
        id: &ArtifactId,
        build: &Build,
        tool: &str,
        wanted: &str,
    ) -> Result<(), Fault> {
        let is_it = |line: &str| tells(line, wanted);
        let command = self.question(id, build, Vec::new());
        let said = ask_version(&*self.runner, &command, tool, &is_it).await?;
        match said.iter().any(|line| is_it(line)) {
            true => Ok(()),
            false => {
                let subsystem = self.workspaces.subsystem(id);
                Err(another_version(tool, wanted, said.first(), subsystem))
            }
        }
    }
}

impl Context {
    /// Checks that `build` can build for the platform of `id` on this machine, as far as that
    /// is known before it is tried.
    pub(super) async fn require_platform(
        &self,
        id: &ArtifactId,
        build: &Build,
    ) -> Result<(), Fault> {
        let host = Platform::host();
        if id.platform == host {
            return Ok(());
        }
        if let Some(why) = build.native_only {
            return Err(Fault::new(Kind::Failed, format!("cannot build {id} on {host}"))
                .because(why)
                .hint(format!("build it on a machine that is {}", id.platform)));
        }
        match &build.rust_target {
            Some(target) => self.require_rust_target(id, build, target).await,
            None => Ok(()),
        }
    }

    /// Asks Rust for the folder of the standard library for `target`.
    async fn require_rust_target(
        &self,
        id: &ArtifactId,
        build: &Build,
        target: &str,
    ) -> Result<(), Fault> {
        let question = ["rustc", "--print", "target-libdir", "--target", target];
        let command = self.question(id, build, question.map(String::from).to_vec());
        let mut lines = Vec::new();
        self.runner.run(&command, &mut |line| lines.push(line.to_owned())).await.ok();
        if lines.iter().any(|line| Path::new(line.trim()).is_dir()) {
            return Ok(());
        }
        Err(Fault::new(Kind::Failed, format!("cannot build {id} on {}", Platform::host()))
            .because(format!("this machine's Rust has no standard library for {target}"))
            .hint(format!(
                "install it with `rustup target add {target}` (and a linker for it), or build it \
                 on a machine that is {}",
                id.platform
            )))
    }

    /// The first line with a number in it that `tool` says when asked for its version; empty
    /// if it says none.
    pub(super) async fn version_line(&self, id: &ArtifactId, build: &Build, tool: &str) -> String {
        let is_it = |line: &str| line.contains(|c: char| c.is_ascii_digit());
        let command = self.question(id, build, Vec::new());
        let said = ask_version(&*self.runner, &command, tool, &is_it).await.unwrap_or_default();
        let line = said.iter().find(|line| is_it(line));
        line.map_or_else(String::new, |line| line.trim().to_owned())
    }

    /// A question to a program that `id` is built with.
    fn question(&self, id: &ArtifactId, build: &Build, words: Vec<String>) -> Command {
        let env = build
            .env
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), value.clone().without_places().ok()?)));
        Command {
            env: env.collect(),
            inherit: Inherit::of_build(build.pass_env.keys()),
            path: self.tool_folders(id),
            timeout: Some(PATIENCE),
            ..Command::new(CommandLine::Argv(words), self.workspaces.layout().root())
        }
    }
}

/// Whether a line that a program prints of itself tells this version, or one that
/// begins with it: `1.26` is told by `go version go1.26.1 linux/amd64`.
pub fn tells(line: &str, wanted: &str) -> bool {
    let number = |word: &str| word.trim_start_matches(|c: char| !c.is_ascii_digit()).to_owned();
    let wanted = number(wanted);
    let words = line.split(|c: char| c.is_whitespace() || "(),;:\"'".contains(c)).map(number);
    words.filter(|word| !word.is_empty()).any(|word| {
        let rest = word.strip_prefix(&*wanted);
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
    })
}

fn missing(tool: &str, subsystem: &Subsystem) -> Fault {
    let name = &subsystem.name;
    Fault::new(Kind::Failed, format!("{tool} is not installed"))
        .because(format!("{name} is built with it (see {})", subsystem.spec.display()))
        .hint(format!("install {tool} and put it on PATH, or use a release store that has {name}"))
        .within(format!("cannot build {name}"))
}

fn another_version(
    tool: &str,
    wanted: &str,
    said: Option<&String>,
    subsystem: &Subsystem,
) -> Fault {
    let name = &subsystem.name;
    let says = said.map_or("nothing".to_owned(), |line| format!("`{line}`"));
    Fault::new(Kind::Failed, format!("{tool} is not the {wanted} that {name} is built with"))
        .because(format!("asked for its version it says {says}"))
        .hint(format!(
            "put {tool} {wanted} first on PATH, or change `tools:` in {}",
            subsystem.spec.display()
        ))
        .within(format!("cannot build {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_say() {
        for (line, wanted) in [
            ("go version go1.26.1 linux/amd64", "1.26"),
            ("rustc 1.89.0 (29483883e 2025-08-04)", "1.89.0"),
            ("cc (Debian 12.2.0-14) 12.2.0", "12"),
            ("v22.3.1", "v22.3"),
            ("GNU Make 4.3", "4.3"),
        ] {
            assert!(tells(line, wanted), "{line} {wanted}");
        }
        for (line, wanted) in [
            ("go version go1.26.1 linux/amd64", "1.2"),
            ("rustc 1.89.0", "1.8"),
            ("GNU Make 4.3", "3"),
            ("GNU Make", "4"),
        ] {
            assert!(!tells(line, wanted), "{line} {wanted}");
        }
    }
}
