//! `forge ci:init`: the workflow with which CI calls the pipeline.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::{
    ci::{
        ForgeInstall, PinnedForge, PlatformRunner, ReleaseWorkflow, SpreadWorkflow, Stage, TEST,
        Workflow, WorkflowDeploys, WorkflowEnvironment, WorkflowRegistries,
        matrix::{GitlabPipeline, RunnerHost},
    },
    disk::{Folder, MOST_OF_TEXT, read_text},
    model::{Fault, Kind, Layout, Platform},
    store::{Store, StoreUrl},
    workspace::{Deploy, Workspace, Workspaces},
};

use super::super::{
    CliError,
    choice::WorkflowHost,
    matrix::USUAL_JOBS,
    own,
    self_update::{ReleasedForge, SOURCE, releases_of_forge},
    session::{Session, select},
};

/// The branch that publishes, if the repository does not say.
const USUAL_BRANCH: &str = "main";
/// The platforms of runners that forge runs on.
const RUNNERS: [&str; 4] = ["linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64"];

/// What kind of workflow is wanted.
pub(in super::super) struct WorkflowOptions<'a> {
    /// The git repository that forge is built from.
    pub(in super::super) forge: Option<&'a str>,
    /// Where releases of forge are.
    pub(in super::super) source: Option<&'a str>,
    /// Whether it has several jobs.
    pub(in super::super) matrix: bool,
    /// The subsystem that it releases, if it is for that alone.
    pub(in super::super) release: Option<&'a str>,
    /// Whether GitHub attests what is published.
    pub(in super::super) attest: bool,
    /// Whether it deploys.
    pub(in super::super) deploy: bool,
    /// Whose CI it is for.
    pub(in super::super) host: WorkflowHost,
}

/// A file to be written, and what to know of it.
struct WorkflowFile {
    path: &'static str,
    text: String,
    then: String,
}

/// Writes it, at the top of the repository that the workspace is in. What is there is left,
/// unless it is asked for with `--force`.
pub(in super::super) fn init(
    session: &Session,
    form: &WorkflowOptions<'_>,
) -> Result<u8, CliError> {
    if form.attest && form.host == WorkflowHost::Gitlab {
        let what = "`--attest` is for GitHub Actions: GitLab signs nothing that its jobs publish";
        return Err(Fault::new(Kind::Usage, what).into());
    }
    if form.deploy && form.host == WorkflowHost::Gitlab {
        let what = "`--deploy` is for GitHub Actions";
        let hint = "in .gitlab-ci.yml, write a job with `environment:` that runs `forge ci:deploy`";
        return Err(Fault::new(Kind::Usage, what).hint(hint).into());
    }
    let workspace = session.workspace()?;
    let top = repository(workspace.layout.root());
    let file = match form.release {
        Some(name) => release_file(session, form, name, &top)?,
        None => file(session, form, &workspace, &top)?,
    };
    let path = top.join(file.path);
    if session.flags.dry_run {
        session.say(&file.text)?;
        return Ok(0);
    }
    if path.symlink_metadata().is_ok() && !session.flags.force {
        return Err(Fault::new(Kind::Usage, format!("{} is there already", path.display()))
            .because("what people wrote is not overwritten")
            .hint("`--force` replaces it; `--dry-run` prints what would be written")
            .into());
    }
    // A repository can bring a link, also out of it.
    Folder::open(&top)
        .and_then(|top| top.replace(file.path.as_ref(), file.text.as_bytes(), "".as_ref(), true))
        .map_err(|e| Fault::io(format!("cannot write {}", path.display()), &e))?;
    session.say(&format!("wrote {}\n\ncommit it; {}\n", file.path, file.then))?;
    Ok(0)
}

/// The file that calls the pipeline.
fn file(
    session: &Session,
    form: &WorkflowOptions<'_>,
    workspace: &Workspace,
    top: &Path,
) -> Result<WorkflowFile, CliError> {
    let plain = Workflow {
        default_branch: default_branch(top).unwrap_or_else(|| USUAL_BRANCH.into()),
        install: install(session, &workspace.layout, form)?,
        folder: folder(workspace.layout.root(), top),
        claims: workspace.subsystems.values().any(|subsystem| subsystem.scheme.is_some()),
        attests: form.attest,
        registries: registries(workspace),
        deploys: if form.deploy { deploys(workspace)? } else { WorkflowDeploys::default() },
        has_pages: workspace.tasks.contains_key(Stage::Pages.name()),
    };
    let jobs = usize::from(session.flags.jobs.unwrap_or(USUAL_JOBS));
    let tests = workspace.tasks.contains_key(TEST);
    let branch = &plain.default_branch;
    let then =
        format!("pushes to {branch} and tags `v*` then publish, pull requests only build and test");
    Ok(match (form.host, form.matrix) {
        (WorkflowHost::Gitlab, is_matrix) => {
            let Workflow { install, folder, .. } = plain;
            let jobs = is_matrix.then_some(jobs);
            let pipeline = GitlabPipeline { install, version: own::VERSION, folder, jobs, tests };
            WorkflowFile { path: GitlabPipeline::PATH, text: pipeline.render(), then }
        }
        (WorkflowHost::Github, true) => WorkflowFile {
            path: Workflow::PATH,
            text: SpreadWorkflow { plain, jobs, tests }.render(),
            then,
        },
        (WorkflowHost::Github, false) => {
            WorkflowFile { path: Workflow::PATH, text: plain.render(), then }
        }
    })
}

/// Where the images of `workspace` are pushed to.
fn registries(workspace: &Workspace) -> WorkflowRegistries {
    let with_image = || workspace.subsystems.values().filter(|one| one.image.is_some());
    let repositories = with_image().filter_map(|one| Some(&one.image.as_ref()?.repo));
    let shared = repositories.filter(|repository| !repository.is_local());
    let hosts: BTreeSet<String> = shared.map(|repository| repository.host().to_owned()).collect();
    WorkflowRegistries {
        hosts: hosts.into_iter().collect(),
        follow_tags: with_image().any(|one| one.follows_tag),
    }
}

/// What of `workspace` is deployed where by runs of CI.
///
/// # Errors
/// `Usage` if that is nothing.
fn deploys(workspace: &Workspace) -> Result<WorkflowDeploys, Fault> {
    let nothing = |what: &str, hint: &str| Err(Fault::new(Kind::Usage, what).hint(hint));
    if workspace.deploys.is_empty() {
        let hint =
            "write `deploy: { run: COMMAND }` in a spec; `forge help deployments` explains it";
        return nothing("no subsystem says how it is deployed", hint);
    }
    let mut found: Vec<WorkflowEnvironment> = Vec::new();
    for it in workspace.environments.iter().filter(|it| it.branch.is_some() || it.tag.is_some()) {
        let (name, branch, tag, after) =
            (it.name.clone(), it.branch.clone(), it.tag.clone(), it.after.clone());
        found.push(WorkflowEnvironment { name, branch, tag, after });
    }
    let preview = workspace.environments.iter().find(|it| it.is_preview);
    let preview = preview.map(|it| it.name.clone());
    if found.is_empty() && preview.is_none() {
        let hint = "write it in versions.yml: `environments: { test: { branch: main } }`";
        return nothing("no branch and no tag deploys to an environment", hint);
    }
    let secrets = workspace.deploys.values().flat_map(|deploy| &deploy.secrets).cloned();
    let secrets: BTreeSet<String> = secrets.collect();
    let asks = |deploy: &Deploy| deploy.identity.as_ref().is_some_and(|it| it.token.is_none());
    let has_identity = workspace.deploys.values().any(asks);
    let secrets = secrets.into_iter().collect();
    Ok(WorkflowDeploys { environments: found, secrets, preview, has_identity })
}

/// The file that releases the subsystem called `name` on its tags.
fn release_file(
    session: &Session,
    form: &WorkflowOptions<'_>,
    name: &str,
    top: &Path,
) -> Result<WorkflowFile, CliError> {
    if form.host == WorkflowHost::Gitlab {
        let what = "`--release` writes a workflow for GitHub Actions alone";
        return Err(Fault::new(Kind::Usage, what)
            .hint("on GitLab, the pipeline of `ci:init` releases on tags")
            .into());
    }
    let session = &session.for_every_platform();
    let workspaces = session.workspaces()?;
    let workspace = workspaces.any();
    let names = select(workspace, &[name.to_owned()])?;
    let subsystem = names.first().and_then(|name| workspace.subsystems.get(name));
    let Some(subsystem) = subsystem.filter(|one| one.name.as_str() == name) else {
        let what = format!("`{name}` is not a subsystem but a group");
        return Err(Fault::new(Kind::Usage, what).hint("name one subsystem").into());
    };
    let workflow = ReleaseWorkflow {
        name: subsystem.name.clone(),
        tags: subsystem.tag.first(match subsystem.version.as_str().starts_with('v') {
            true => "v*",
            false => "*",
        }),
        install: install(session, &workspace.layout, form)?,
        folder: folder(workspace.layout.root(), top),
        attests: form.attest,
        platforms: platforms(&workspaces, name),
    };
    let then = format!("a tag `{}` then releases {name}", workflow.tags);
    Ok(WorkflowFile { path: ReleaseWorkflow::PATH, text: workflow.render(), then })
}

/// The platforms that `name` is released for, each with its runner and Rust's target there.
fn platforms(
    workspaces: &Workspaces,
    name: &str,
) -> Vec<(Platform, PlatformRunner, Option<String>)> {
    let of = |platform: &Platform| {
        let workspace = workspaces.for_platform(*platform);
        let runner =
            PlatformRunner::for_platform(RunnerHost::GitHub, *platform, &workspace.runners);
        let build = workspace.subsystems.get(name).and_then(|subsystem| subsystem.build.as_ref());
        (*platform, runner, build.and_then(|build| build.rust_target.clone()))
    };
    workspaces.wanted().iter().map(of).collect()
}

/// The folder of the workspace at `root` in the repository at `top`.
fn folder(root: &Path, top: &Path) -> String {
    root.strip_prefix(top).unwrap_or(Path::new("")).display().to_string()
}

/// The top of the repository that `root` is in; `root` itself if it is in none.
fn repository(root: &Path) -> PathBuf {
    let top = root.ancestors().find(|folder| folder.join(".git").exists());
    top.unwrap_or(root).to_owned()
}

/// The default branch, as git remembers it of the clone (gitrepository-layout(5), a symbolic ref).
fn default_branch(top: &Path) -> Option<String> {
    let head = read_text(&top.join(".git/refs/remotes/origin/HEAD"), MOST_OF_TEXT).ok()?;
    head.trim().strip_prefix("ref: refs/remotes/origin/").map(str::to_owned)
}

/// How forge gets onto the runners.
fn install(
    session: &Session,
    layout: &Layout,
    form: &WorkflowOptions<'_>,
) -> Result<ForgeInstall, Fault> {
    if let Some(url) = form.forge {
        return Ok(ForgeInstall::from_git(url, own::VERSION));
    }
    if form.source.is_none() && is_forge(layout.root()) {
        // Only to build with: a quick build of it will do.
        return Ok(ForgeInstall::Build("cargo install --debug --locked --path .".into()));
    }
    let is_known = form.source.is_some()
        || session.host.environment().get(SOURCE).is_some()
        || own::repository().is_some();
    if !is_known {
        return Err(Fault::new(Kind::Usage, "nothing says where the runner gets forge from").hint(
            "name where releases of it are (`--from github:OWNER/REPO`, or a URL), or the git \
             repository that it is built from (`--forge URL`)",
        ));
    }
    let (url, store) = releases_of_forge(session, form.source)?;
    pinned(session, &url, &*store).map(ForgeInstall::Release)
}

/// This very version of forge, as it is released at `url`.
fn pinned(session: &Session, url: &StoreUrl, store: &dyn Store) -> Result<PinnedForge, Fault> {
    let (base, action) = match url {
        StoreUrl::GitHub { base, owner, repo } => {
            let page = base.as_deref().unwrap_or("https://github.com");
            let commit = own::commit().filter(|_| base.is_none());
            let action = commit.map(|commit| format!("{owner}/{repo}@{commit}"));
            (format!("{page}/{owner}/{repo}/releases/download"), action)
        }
        StoreUrl::Http(url) => (url.clone(), None),
        other => {
            let what = format!("runners cannot download forge from {other}");
            return Err(Fault::new(Kind::Usage, what)
                .hint("name a place that they reach: `--from github:OWNER/REPO`, or a URL"));
        }
    };
    let mut digests = BTreeMap::new();
    for platform in RUNNERS.iter().filter_map(|platform| platform.parse::<Platform>().ok()) {
        let release = ReleasedForge::for_version(own::VERSION, platform);
        let digest = session.host.runtime()?.wait_for(release.digest(store))?;
        digests.extend(digest.map(|digest| (platform, digest)));
    }
    if digests.is_empty() {
        let what = format!("{} has no release of forge {}", store.url(), own::VERSION);
        return Err(Fault::new(Kind::Store, what)
            .because("workflows install the very forge that wrote them, by its digest")
            .hint("`forge self-update` first, or let runners build it: `--forge URL`"));
    }
    Ok(PinnedForge { version: own::VERSION.to_owned(), base, digests, action })
}

/// Whether the workspace is that of forge's own sources.
fn is_forge(root: &Path) -> bool {
    let manifest = read_text(&root.join("Cargo.toml"), MOST_OF_TEXT).unwrap_or_default();
    manifest.lines().any(|line| line.trim() == "name = \"forge\"")
}
