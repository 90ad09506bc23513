//! What a build fetches by itself where it runs: modules of Go, crates of Rust. Workers have no network, so that is
//! found here, by the tools that the build names, and sent with the source.
//!
//! Modules go as the files of a proxy, which go reads as it would read those of a proxy elsewhere: what `go.sum` names, each
//! compared with its digest there by go itself. Crates go as `cargo vendor` lays them down.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    path::{Path, PathBuf},
};

use crate::{
    disk::{Folder, MOST_OF_TEXT, read_text},
    model::{ArtifactId, Event, Fault},
    plan::Action,
    process::{Command, CommandLine, Inherit, is_program},
    remote::{WorkerInput, WorkerOrder},
    workspace::{Build, Places, Source, module_folder},
};

use super::{Context, build::build_dir, elsewhere::add_tree};

/// Where modules are on the worker.
const MODULES: &str = ".forge-modules";
/// Where crates are there.
const CRATES: &str = ".forge-crates";
/// Where cargo's own files are there.
const CARGO: &str = ".forge-cargo";
/// Where what is sent and has no place of its own is here, in the folder for binaries, until the worker is done.
pub(super) const KEPT: &str = ".forge-sent";

/// What is sent with a source, and the variables that say where it is.
#[derive(Default)]
pub(super) struct SentDependencies {
    pub(super) inputs: BTreeMap<String, WorkerInput>,
    pub(super) variables: BTreeMap<String, String>,
}

/// A build whose dependencies are looked for.
struct DependencySearch<'a> {
    context: &'a Context,
    action: &'a Action,
    id: &'a ArtifactId,
    build: &'a Build,
    here: &'a Places,
    /// What is sent by now.
    inputs: &'a BTreeMap<String, WorkerInput>,
}

impl Context {
    /// What `build` would fetch with its source `inputs`, which is at `here`.
    pub(super) async fn sent_dependencies(
        &self,
        action: &Action,
        id: &ArtifactId,
        build: &Build,
        here: &Places,
        inputs: &BTreeMap<String, WorkerInput>,
    ) -> Result<SentDependencies, Fault> {
        let search = DependencySearch { context: self, action, id, build, here, inputs };
        let mut sent = SentDependencies::default();
        if build.tools.contains_key("go") {
            search.add_modules(&mut sent).await?;
        }
        if build.tools.contains_key("cargo") {
            search.add_crates(&mut sent).await?;
        }
        Ok(sent)
    }
}

impl DependencySearch<'_> {
    async fn add_modules(&self, sent: &mut SentDependencies) -> Result<(), Fault> {
        let root = WorkerOrder::ROOT;
        let fixed = [
            ("GOPROXY", format!("file://{root}/{MODULES}")),
            // All of them come from there, and each was compared when it came here.
            ("GONOPROXY", "none".into()),
            ("GOSUMDB", "off".into()),
            ("GOTOOLCHAIN", "local".into()),
        ];
        sent.variables.extend(fixed.map(|(name, value)| (name.to_owned(), value)));
        let mut sums = self.files_called(&["go.sum", "go.work.sum"]);
        let folders = self.module_folders(&sums);
        if folders.is_empty() && self.build.module.is_none() {
            return Ok(());
        }
        self.require("go", "commit `vendor/`, which `go mod vendor` makes")?;
        self.context.phase(self.action, "fetching its modules");
        let places = self.said("go", &["env", "GOMODCACHE"], &self.here.src).await?;
        let cache = places.iter().rev().find(|line| line.starts_with('/'));
        let cache = cache.map(PathBuf::from).unwrap_or_default();
        let mut wanted = BTreeSet::new();
        if let Some((path, version)) = self.module() {
            let named = format!("{path}@{version}");
            self.said("go", &["mod", "download", &named], &self.here.src).await?;
            let folder = cache.join(format!("{}@{}", module_folder(path), module_folder(version)));
            self.said("go", &["mod", "download"], &folder).await?;
            sums.push(folder.join("go.sum"));
            wanted.insert((path.to_owned(), version.to_owned()));
        }
        for folder in &folders {
            self.said("go", &["mod", "download"], folder).await?;
        }
        for sum in &sums {
            let text = read_text(sum, MOST_OF_TEXT).unwrap_or_default();
            wanted.extend(modules_of(&text));
        }
        for (path, version) in &wanted {
            let start = format!("{}/@v/{}", module_folder(path), module_folder(version));
            for ending in ["info", "mod", "zip"] {
                let name = format!("{start}.{ending}");
                let file = cache.join("cache/download").join(&name);
                if file.is_file() {
                    sent.inputs.insert(format!("{MODULES}/{name}"), WorkerInput::File(file));
                }
            }
        }
        Ok(())
    }

    /// Path and version of the module that the build fetches.
    fn module(&self) -> Option<(&str, &str)> {
        self.build.module.as_deref()?.rsplit_once('@')
    }

    /// The folders whose modules are needed: the one around where commands run, or else all that have a `go.sum`. None
    /// of those that have them with their code.
    fn module_folders(&self, sums: &[PathBuf]) -> BTreeSet<PathBuf> {
        let dir = build_dir(self.build, self.here);
        let mut around = dir.ancestors().take_while(|folder| folder.starts_with(&self.here.root));
        let around = around.find(|folder| folder.join("go.mod").is_file());
        let folders: BTreeSet<PathBuf> = match around {
            Some(_) if sums.is_empty() => BTreeSet::new(),
            Some(folder) => [folder.to_owned()].into(),
            None => sums.iter().filter_map(|sum| sum.parent()).map(Path::to_owned).collect(),
        };
        let is_vendored = |folder: &PathBuf| folder.join("vendor/modules.txt").is_file();
        folders.into_iter().filter(|folder| !is_vendored(folder)).collect()
    }

    async fn add_crates(&self, sent: &mut SentDependencies) -> Result<(), Fault> {
        let root = WorkerOrder::ROOT;
        sent.variables.insert("CARGO_HOME".into(), format!("{root}/{CARGO}"));
        sent.variables.insert("CARGO_NET_OFFLINE".into(), "true".into());
        let Some(manifest) = self.cargo_manifest() else { return Ok(()) };
        self.require("cargo", "commit what `cargo vendor` makes, and its configuration")?;
        self.context.phase(self.action, "fetching its crates");
        let folder = self.here.out.join(KEPT).join(CRATES);
        let (manifest, into) = (manifest.display().to_string(), folder.display().to_string());
        let words = ["vendor", "--locked", "--versioned-dirs", "--manifest-path", &manifest, &into];
        let said = self.said("cargo", &words, &self.here.src).await?;
        if !folder.is_dir() {
            return Ok(());
        }
        let configuration = vendor_configuration(&said, &into);
        let file = self.here.out.join(KEPT).join("config.toml");
        Folder::open(&self.here.out.join(KEPT))
            .and_then(|folder| folder.create_new("config.toml".as_ref(), 0o644))
            .and_then(|mut made| made.write_all(configuration.as_bytes()))
            .map_err(|error| Fault::io(format!("cannot write {}", file.display()), &error))?;
        sent.inputs.insert(format!("{CARGO}/config.toml"), WorkerInput::File(file));
        add_tree(&mut sent.inputs, &folder, CRATES)
    }

    /// The manifest beside the `Cargo.lock` that counts; nothing if the source has its crates with it, or needs none.
    fn cargo_manifest(&self) -> Option<PathBuf> {
        let dir = build_dir(self.build, self.here);
        let locks = self.files_called(&["Cargo.lock"]);
        let folders = || locks.iter().filter_map(|lock| lock.parent());
        let nearest = folders().filter(|folder| dir.starts_with(folder)).max();
        let folder = nearest.or_else(|| folders().min_by_key(|it| it.components().count()))?;
        let names = ["config.toml", "config"].map(|name| folder.join(".cargo").join(name));
        let replaces = |name: &PathBuf| {
            read_text(name, MOST_OF_TEXT).is_ok_and(|text| text.contains("replace-with"))
        };
        (!names.iter().any(replaces)).then(|| folder.join("Cargo.toml"))
    }

    /// The files with one of these names among what is sent.
    fn files_called(&self, names: &[&str]) -> Vec<PathBuf> {
        let is_called = |path: &&PathBuf| {
            path.file_name().is_some_and(|name| names.iter().any(|wanted| name == *wanted))
        };
        let files = self.inputs.values().filter_map(|input| match input {
            WorkerInput::File(path) => Some(path),
            _ => None,
        });
        files.filter(is_called).cloned().collect()
    }

    fn require(&self, tool: &str, instead: &str) -> Result<(), Fault> {
        let folders = self.context.tool_folders(self.id);
        match is_program(self.context.runner.environment(), tool, &folders) {
            true => Ok(()),
            false => Err(Fault::new(
                crate::model::Kind::Failed,
                format!("{tool} is not installed"),
            )
            .because("workers have no network, so what this build fetches is fetched here, with it")
            .hint(format!("install {tool} and put it on PATH, or {instead}"))),
        }
    }

    /// What `program` says, run in `folder` as a command of the build would be.
    async fn said(
        &self,
        program: &str,
        words: &[&str],
        folder: &Path,
    ) -> Result<Vec<String>, Fault> {
        let Self { context, build, here, id, .. } = self;
        let subsystem = context.workspaces.subsystem(id);
        let words = [program].iter().chain(words).map(|word| (*word).to_owned()).collect();
        // A PATH of its own is that of the worker.
        let env = build.env.iter().filter(|(name, _)| *name != "PATH");
        let env = env.map(|(name, value)| (name.clone(), value.expand(here)));
        let mut command = Command {
            env: env.collect(),
            inherit: Inherit::of_build(build.pass_env.keys()),
            path: context.tool_folders(id),
            timeout: Some(build.timeout),
            ..Command::new(CommandLine::Argv(words), folder)
        };
        let temporary =
            context.sandbox_of(build).map(|_| context.temporary_folder()).transpose()?;
        if let Some(temporary) = &temporary {
            let dir = if subsystem.source == Source::None { &here.out } else { &here.src };
            command.sandbox = context.sandbox(subsystem, build, here, dir, temporary.path());
            let text = temporary.path().display().to_string();
            command.env.entry("TMPDIR".into()).or_insert(text);
        }
        let mut lines = Vec::new();
        let mut note = |line: &str| {
            lines.push(line.to_owned());
        };
        let run = context.runner.run(&command, &mut note).await;
        if let Some(temporary) = temporary {
            context.temporary.give_back(temporary);
        }
        if run.is_err() {
            for line in &lines {
                let line = line.clone();
                context.events.emit(Event::Line { action: self.action.id, line });
            }
        }
        run.map(|()| lines)
    }
}

/// The modules that a `go.sum` names, with their versions.
fn modules_of(text: &str) -> BTreeSet<(String, String)> {
    let module = |line: &str| {
        let mut words = line.split_whitespace();
        let (path, version) = (words.next()?, words.next()?);
        let version = version.strip_suffix("/go.mod").unwrap_or(version);
        Some((path.to_owned(), version.to_owned()))
    };
    text.lines().filter_map(module).collect()
}

/// The configuration that `cargo vendor` printed, with the worker's folder for the one here.
fn vendor_configuration(said: &[String], folder: &str) -> String {
    let lines = said.iter().skip_while(|line| !line.starts_with("[source."));
    let mut text = lines.map(String::as_str).collect::<Vec<_>>().join("\n");
    text.push('\n');
    // Relative to the folder that cargo's own is in.
    text.replace(&format!("\"{folder}\""), &format!("\"{CRATES}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_go_sum_names_modules_once_whatever_of_them_it_has() {
        let text = "example.com/A v1.0.0 h1:x=\nexample.com/A v1.0.0/go.mod h1:y=\nb v0.1.0/go.mod h1:z=\n\n";
        let found: Vec<_> = modules_of(text).into_iter().collect();
        let own = |path: &str, version: &str| (path.to_owned(), version.to_owned());
        assert_eq!(found, [own("b", "v0.1.0"), own("example.com/A", "v1.0.0")]);
    }

    #[test]
    fn the_configuration_of_vendored_crates_is_what_follows_the_words() {
        let said = [
            "  Downloaded x",
            "To use vendored sources, add this:",
            "",
            "[source.crates-io]",
            "replace-with = \"vendored-sources\"",
            "",
            "[source.vendored-sources]",
            "directory = \"/here/out/.forge-crates\"",
        ]
        .map(String::from);
        assert_eq!(
            vendor_configuration(&said, "/here/out/.forge-crates"),
            "[source.crates-io]\nreplace-with = \"vendored-sources\"\n\n[source.vendored-sources]\ndirectory = \".forge-crates\"\n"
        );
    }
}
