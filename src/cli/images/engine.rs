//! Images that a Dockerfile makes: an engine at work, and what it made taken over.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{
    cache::{make_folder, stage},
    disk::Staging,
    image::{
        BuildEngine, DockerContext, DockerfileImages, EngineBuild, ImageSpec, PlatformParts, adopt,
    },
    model::{Fault, Kind, Platform},
    process::{Command, CommandLine, CommandRunner, tail},
    workspace::Dockerfile,
};

use super::{ImageWork, make::MadeImage, wants::image};

/// How many lines of what an engine said last are told.
const TOLD: usize = 5;

/// A Dockerfile and what it sees, copied for an engine.
struct StagedContext {
    staging: Staging,
    file: PathBuf,
    context: PathBuf,
}

impl ImageWork<'_> {
    /// The image of `dockerfile`, taken over into `.forge/dist`.
    pub(super) async fn made_by_engine(
        &self,
        spec: &ImageSpec,
        dockerfile: &Dockerfile,
        is_release: bool,
    ) -> Result<MadeImage, Fault> {
        let runner = self.session.host.runner(1);
        let root = self.workspaces().layout().root();
        let engine = self.engine.get_or_init(|| BuildEngine::find(&runner, root)).await;
        let engine = engine.clone().map_err(|fault| {
            fault.because(format!("{} makes the image of {}", dockerfile.path.display(), spec.name))
        })?;
        let staged = tokio::task::block_in_place(|| self.staged(spec, dockerfile))?;
        let assembly = self.assembly(spec, None, self.own_settings(spec))?;
        let mut made = BTreeMap::new();
        for platform in &spec.platforms {
            let to = staged.staging.path().join(format!("made-{platform}"));
            let build = EngineBuild {
                name: spec.name.as_str(),
                file: &staged.file,
                context: &staged.context,
                target: dockerfile.target.as_deref(),
                args: &dockerfile.args,
                platform: *platform,
                epoch: assembly.time(),
                cache: dockerfile.is_cached.then_some(&spec.repository),
                fills_cache: is_release,
                to: &to,
            };
            self.run_engine(&runner, engine, spec, &build).await?;
            made.insert(*platform, to);
        }
        let layout = self.workspaces().layout();
        tokio::task::block_in_place(|| {
            let staging = stage(layout)?;
            let assembled = adopt(&assembly, &made, staging.folder())?;
            let path = self.layout_of(spec);
            self.place(&staging, &path)?;
            Ok(MadeImage { assembled, base: None, layout: path })
        })
    }

    /// What the platforms are started with; of a Dockerfile's images only labels are said.
    fn own_settings(&self, spec: &ImageSpec) -> BTreeMap<Platform, PlatformParts> {
        let parts = |platform: &Platform| {
            let own =
                self.workspaces().for_platform(*platform).subsystems[&spec.name].image.as_ref();
            let own = own.unwrap_or_else(|| image(self.workspaces(), &spec.name));
            (*platform, PlatformParts { layers: Vec::new(), settings: own.settings.clone() })
        };
        spec.platforms.iter().map(parts).collect()
    }

    fn staged(&self, spec: &ImageSpec, dockerfile: &Dockerfile) -> Result<StagedContext, Fault> {
        let layout = self.workspaces().layout();
        let context = DockerContext::find(layout.root(), &self.wants.walker, dockerfile)?;
        let images = images_of(&context, dockerfile, &spec.platforms)?;
        let nothing = BTreeMap::new();
        let digests = self.wants.from.get(&spec.name).unwrap_or(&nothing);
        let staging = stage(layout)?;
        let file = Path::new("Dockerfile");
        let write = || {
            let mut made = staging.folder().create_new(file, 0o644)?;
            std::io::Write::write_all(&mut made, images.pinned(digests).as_bytes())
        };
        write().map_err(|error| Fault::io("cannot copy the Dockerfile", &error))?;
        let context = context.stage(staging.folder(), "context")?;
        Ok(StagedContext { file: staging.path().join(file), context, staging })
    }

    async fn run_engine(
        &self,
        runner: &dyn CommandRunner,
        engine: BuildEngine,
        spec: &ImageSpec,
        build: &EngineBuild<'_>,
    ) -> Result<(), Fault> {
        let layout = self.workspaces().layout();
        let folder = layout.logs().join("images");
        make_folder(layout, &folder)?;
        let name = spec.name.as_str().replace('/', "+");
        let log = folder.join(format!("{name}-{}.log", build.platform));
        // One of an earlier time.
        let _ = std::fs::remove_file(&log);
        for words in engine.commands(build) {
            let line = CommandLine::Argv(words);
            let command = Command { log: Some(log.clone()), ..Command::new(line, layout.root()) };
            let ran = runner.run(&command, &mut |_: &str| ()).await;
            ran.map_err(|fault| {
                let file = image(self.workspaces(), &spec.name).dockerfile.as_ref();
                let file = file.map(|it| it.path.display().to_string()).unwrap_or_default();
                let what = format!("{} makes no image of {file} for {}", engine.word(), build.platform);
                let fault = tail(&log, TOLD).into_iter().fold(fault.within(what), Fault::because);
                fault.hint(format!(
                    "all it said is in {}; it sees what is in the context, but for what git or `.dockerignore` ignore",
                    layout.display(&log)
                ))
            })?;
        }
        Ok(())
    }
}

/// The images that `context` takes from elsewhere.
pub(super) fn images_of(
    context: &DockerContext,
    dockerfile: &Dockerfile,
    platforms: &[Platform],
) -> Result<DockerfileImages, Fault> {
    DockerfileImages::parse(&context.text, &dockerfile.args, platforms).map_err(|why| {
        let what = format!("{} cannot be used", dockerfile.path.display());
        Fault::new(Kind::Usage, what).because(why)
    })
}
