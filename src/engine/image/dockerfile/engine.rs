//! Engines that make images of Dockerfiles, and what each is called with.
//!
//! Whichever it is, it makes one platform at a time, writes an OCI layout, takes the time of
//! everything from forge, and pushes nothing but its cache.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{
    model::{
        Fault, Kind, Platform,
        oci::{ImagePlatform, ImageRepository},
    },
    process::{Command, CommandLine, CommandRunner, is_program},
};

/// The variable that names the engine to be used.
pub const ENGINE_VARIABLE: &str = "FORGE_IMAGE_ENGINE";

/// A program that makes images of Dockerfiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildEngine {
    /// `docker buildx`, with a builder that can export an OCI layout.
    Docker,
    /// `buildctl`, with a `buildkitd` that answers.
    Buildctl,
    /// `buildah`.
    Buildah,
    /// `podman`.
    Podman,
}

/// One image for one platform, to be made by an engine.
#[derive(Debug)]
pub struct EngineBuild<'a> {
    /// What engines that name everything call it.
    pub name: &'a str,
    /// The Dockerfile.
    pub file: &'a Path,
    /// What it sees.
    pub context: &'a Path,
    /// The stage that is the image.
    pub target: Option<&'a str>,
    /// Its build arguments.
    pub args: &'a BTreeMap<String, String>,
    /// What it is for.
    pub platform: Platform,
    /// The time of all that is in it, in seconds since 1970.
    pub epoch: u64,
    /// The repository whose tags keep the layers of earlier builds.
    pub cache: Option<&'a ImageRepository>,
    /// Whether this build adds to them.
    pub fills_cache: bool,
    /// The folder that becomes its layout.
    pub to: &'a Path,
}

impl BuildEngine {
    /// All, the one that is preferred first.
    const ALL: [Self; 4] = [Self::Docker, Self::Buildctl, Self::Buildah, Self::Podman];

    /// The program.
    fn program(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Buildctl => "buildctl",
            Self::Buildah => "buildah",
            Self::Podman => "podman",
        }
    }

    /// What people call it.
    pub fn word(self) -> &'static str {
        if self == Self::Docker { "docker buildx" } else { self.program() }
    }

    /// The engine that `FORGE_IMAGE_ENGINE` names, or the first that is here and works.
    ///
    /// # Errors
    /// `Usage` if none is, or there is none of that name.
    pub async fn find(runner: &dyn CommandRunner, folder: &Path) -> Result<Self, Fault> {
        let environment = runner.environment();
        let is_here = |engine: Self| is_program(environment, engine.program(), &[]);
        if let Some(word) = environment.get(ENGINE_VARIABLE).filter(|word| !word.is_empty()) {
            let known = Self::ALL.into_iter().find(|engine| engine.program() == word);
            let known = known.ok_or_else(|| {
                let what = format!("{ENGINE_VARIABLE} is `{word}`, which is not an engine");
                Fault::new(Kind::Usage, what)
                    .hint("it is `docker`, `buildctl`, `buildah` or `podman`")
            })?;
            return is_here(known).then_some(known).ok_or_else(|| {
                let what = format!("{ENGINE_VARIABLE} is `{word}`, which is not on PATH");
                Fault::new(Kind::Usage, what).hint(format!("install {word}, or unset the variable"))
            });
        }
        let mut lacks = Vec::new();
        for engine in Self::ALL {
            let lack = match is_here(engine) {
                false => Some("is not on PATH".to_owned()),
                true => engine.lack(runner, folder).await,
            };
            match lack {
                None => return Ok(engine),
                Some(lack) => lacks.push(format!("{} {lack}", engine.word())),
            }
        }
        let fault = Fault::new(Kind::Usage, "no engine here makes images of Dockerfiles");
        let fault = lacks.into_iter().fold(fault, Fault::because);
        Err(fault.hint(format!(
            "install buildah, run `docker buildx create --use`, or name one in {ENGINE_VARIABLE}"
        )))
    }

    /// Why it does not work, if it does not.
    async fn lack(self, runner: &dyn CommandRunner, folder: &Path) -> Option<String> {
        let (words, why): (&[&str], _) = match self {
            Self::Docker => (&["docker", "buildx", "inspect"], "has no builder that answers"),
            Self::Buildctl => {
                (&["buildctl", "debug", "workers"], "finds no buildkitd that answers")
            }
            Self::Buildah | Self::Podman => return None,
        };
        let line = CommandLine::Argv(words.iter().map(|word| (*word).to_owned()).collect());
        let mut said = Vec::new();
        let command = Command::new(line, folder);
        if runner.run(&command, &mut |line: &str| said.push(line.to_owned())).await.is_err() {
            return Some(why.to_owned());
        }
        let is_bound = |line: &String| {
            line.split_once(':')
                .is_some_and(|(key, value)| (key, value.trim()) == ("Driver", "docker"))
        };
        (self == Self::Docker && said.iter().any(is_bound)).then(|| {
            "has only a builder with the driver `docker`, which may not write OCI layouts"
                .to_owned()
        })
    }

    /// What is run, one after the other.
    pub fn commands(self, build: &EngineBuild<'_>) -> Vec<Vec<String>> {
        match self {
            Self::Docker => vec![build.docker()],
            Self::Buildctl => vec![build.buildctl()],
            Self::Buildah => vec![
                build.buildah(&["buildah", "bud", "--identity-label=false", "--layers"]),
                list(&[
                    "buildah",
                    "push",
                    &build.image(),
                    &format!("oci:{}:made", build.to.display()),
                ]),
            ],
            Self::Podman => vec![
                build.buildah(&["podman", "build", "--layers"]),
                list(&[
                    "podman",
                    "save",
                    "--quiet",
                    "--format",
                    "oci-dir",
                    "--output",
                    &path(build.to),
                    &build.image(),
                ]),
            ],
        }
    }
}

impl EngineBuild<'_> {
    fn platform(&self) -> String {
        ImagePlatform::from(self.platform).to_string()
    }

    /// The name in the storage of the engine.
    fn image(&self) -> String {
        format!("localhost/forge/{}:{}", self.name.to_ascii_lowercase(), self.platform)
    }

    /// The arguments, and the time that BuildKit takes as one of them.
    fn args_with_time(&self) -> impl Iterator<Item = String> {
        let args = self.args.iter().map(|(name, value)| format!("{name}={value}"));
        args.chain([format!("SOURCE_DATE_EPOCH={}", self.epoch)])
    }

    /// Where BuildKit finds and keeps layers. A tag for each platform of each service, so that none
    /// overwrites those of another.
    fn cache(&self) -> Option<String> {
        let repository = self.cache?;
        let tag = repository.tagged(&format!("cache-{}", self.platform));
        let plain = if repository.is_local() { ",registry.insecure=true" } else { "" };
        Some(format!("type=registry,ref={tag}{plain}"))
    }

    fn docker(&self) -> Vec<String> {
        let mut words = list(&["docker", "buildx", "build", "--progress", "plain"]);
        words.extend(["--platform".to_owned(), self.platform()]);
        words.extend(["--file".to_owned(), path(self.file)]);
        words.extend(self.target.into_iter().flat_map(|target| list(&["--target", target])));
        words.extend(self.args_with_time().flat_map(|arg| ["--build-arg".to_owned(), arg]));
        words.extend(list(&["--provenance=false", "--sbom=false"]));
        if let Some(cache) = self.cache() {
            words.extend(["--cache-from".to_owned(), cache.clone()]);
            if self.fills_cache {
                words.extend(["--cache-to".to_owned(), cache + FILLED]);
            }
        }
        words.extend(["--output".to_owned(), self.output()]);
        words.push(path(self.context));
        words
    }

    fn buildctl(&self) -> Vec<String> {
        let mut words = list(&["buildctl", "build", "--progress", "plain"]);
        words.extend(list(&["--frontend", "dockerfile.v0"]));
        words.extend(["--local".to_owned(), format!("context={}", self.context.display())]);
        let (folder, file) = (self.file.parent(), self.file.file_name().unwrap_or_default());
        let folder = folder.unwrap_or(Path::new("."));
        words.extend(["--local".to_owned(), format!("dockerfile={}", folder.display())]);
        let mut options = vec![format!("filename={}", file.to_string_lossy())];
        options.push(format!("platform={}", self.platform()));
        options.extend(self.target.map(|target| format!("target={target}")));
        options.extend(self.args_with_time().map(|arg| format!("build-arg:{arg}")));
        words.extend(options.into_iter().flat_map(|option| ["--opt".to_owned(), option]));
        if let Some(cache) = self.cache() {
            words.extend(["--import-cache".to_owned(), cache.clone()]);
            if self.fills_cache {
                words.extend(["--export-cache".to_owned(), cache + FILLED]);
            }
        }
        words.extend(["--output".to_owned(), self.output()]);
        words
    }

    /// What BuildKit writes, and how.
    fn output(&self) -> String {
        let to = self.to.display();
        format!(
            "type=oci,tar=false,dest={to},oci-mediatypes=true,compression=gzip,rewrite-timestamp=true"
        )
    }

    /// What buildah and podman, which has it within, are called with after `program`.
    fn buildah(&self, program: &[&str]) -> Vec<String> {
        let mut words = list(program);
        words.extend(list(&["--format", "oci", "--platform", &self.platform()]));
        words.extend(["--file".to_owned(), path(self.file)]);
        words.extend(self.target.into_iter().flat_map(|target| list(&["--target", target])));
        for (name, value) in self.args {
            words.extend(["--build-arg".to_owned(), format!("{name}={value}")]);
        }
        match self.cache {
            // With a time of its own each step is another one, and the cache has none of them.
            None => words.extend(["--timestamp".to_owned(), self.epoch.to_string()]),
            Some(repository) => {
                words.extend(["--cache-from".to_owned(), repository.to_string()]);
                if self.fills_cache {
                    words.extend(["--cache-to".to_owned(), repository.to_string()]);
                }
                if repository.is_local() {
                    words.push("--tls-verify=false".to_owned());
                }
            }
        }
        words.extend(["--tag".to_owned(), self.image(), path(self.context)]);
        words
    }
}

/// How BuildKit fills a cache: all stages, in formats that every registry takes, and a registry that
/// does not take them fails nothing.
const FILLED: &str = ",mode=max,image-manifest=true,oci-mediatypes=true,ignore-error=true";

fn list(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn path(path: &Path) -> String {
    PathBuf::from(path).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(engine: BuildEngine, fills_cache: bool, is_cached: bool) -> String {
        let args = BTreeMap::from([("VERSION".to_owned(), "1 2".to_owned())]);
        let cache: ImageRepository = "127.0.0.1:5000/shop/thumbnail".parse().unwrap();
        let build = EngineBuild {
            name: "thumbnail",
            file: Path::new("/s/Dockerfile"),
            context: Path::new("/s/context"),
            target: Some("run"),
            args: &args,
            platform: "linux-arm".parse().unwrap(),
            epoch: 7,
            cache: is_cached.then_some(&cache),
            fills_cache,
            to: Path::new("/s/made"),
        };
        let commands = engine.commands(&build).into_iter().map(|words| words.join(" "));
        commands.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn each_engine_is_told_the_same() {
        let all = BuildEngine::ALL.map(|engine| commands(engine, true, true)).join("\n");
        insta::assert_snapshot!(all);
        for engine in BuildEngine::ALL {
            let plain = commands(engine, true, false);
            assert!(!plain.contains("cache"), "{plain}");
            assert!(plain.contains('7'), "the time is told: {plain}");
            let reading = commands(engine, false, true);
            assert!(
                !reading.contains("cache-to") && !reading.contains("export-cache"),
                "{reading}"
            );
        }
    }
}
