//! `forge ci:init`: the workflow with which CI calls the pipeline.

use std::path::{Path, PathBuf};

use crate::{
    ci::{SpreadWorkflow, TEST, Workflow, matrix::Parent},
    disk::{Folder, MOST_OF_TEXT, read_text},
    model::{Fault, Kind, Layout},
};

use super::super::{Stop, choice::CiHost, matrix::USUAL_JOBS, session::Session};

/// The branch that publishes, if the repository does not say.
const USUAL_BRANCH: &str = "main";
/// Where forge itself comes from, if that is known.
const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");
/// The version that the workflow installs: this one.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What kind of workflow is wanted.
pub(in super::super) struct Form<'a> {
    /// Where forge is installed from.
    pub(in super::super) forge: Option<&'a str>,
    /// Whether it has several jobs.
    pub(in super::super) matrix: bool,
    /// Whose CI it is for.
    pub(in super::super) host: CiHost,
}

/// A file to be written.
struct File {
    path: &'static str,
    text: String,
}

/// Writes it, at the top of the repository that the workspace is in. What is there is left,
/// unless it is asked for with `--force`.
pub(in super::super) fn init(session: &Session, form: &Form<'_>) -> Result<u8, Stop> {
    let workspace = session.workspace()?;
    let layout = workspace.layout.clone();
    let top = repository(layout.root());
    let folder = layout.root().strip_prefix(&top).unwrap_or(Path::new("")).display().to_string();
    let workflow = Workflow {
        default_branch: default_branch(&top).unwrap_or_else(|| USUAL_BRANCH.into()),
        install: install(&layout, form.forge)?,
        folder,
        claims: workspace.subsystems.values().any(|subsystem| subsystem.scheme.is_some()),
    };
    let tests = workspace.tasks.contains_key(TEST);
    let branch = workflow.default_branch.clone();
    let file = file(session, form, workflow, tests);
    let path = top.join(file.path);
    if path.symlink_metadata().is_ok() && !session.flags.force {
        return Err(Fault::new(Kind::Usage, format!("{} is there already", path.display()))
            .because("what people wrote is not overwritten")
            .hint("`--force` replaces it; `--dry-run` prints what would be written")
            .into());
    }
    if session.flags.dry_run {
        session.say(&file.text)?;
        return Ok(0);
    }
    // A repository can bring a link, also out of it.
    Folder::open(&top)
        .and_then(|top| top.replace(file.path.as_ref(), file.text.as_bytes(), "".as_ref(), true))
        .map_err(|e| Fault::io(format!("cannot write {}", path.display()), &e))?;
    session.say(&format!(
        "wrote {}\n\ncommit it; pushes to {} and tags `v*` then publish, pull requests only build and test\n",
        file.path, branch
    ))?;
    Ok(0)
}

/// The file of that form.
fn file(session: &Session, form: &Form<'_>, plain: Workflow, tests: bool) -> File {
    let jobs = usize::from(session.flags.jobs.unwrap_or(USUAL_JOBS));
    let Workflow { install, folder, .. } = plain.clone();
    // What is built from the workspace itself is another with each commit.
    let version = Some(VERSION).filter(|_| install.contains(" --tag "));
    match (form.host, form.matrix) {
        (CiHost::Gitlab, _) => {
            File { path: Parent::PATH, text: Parent { install, folder, jobs, tests }.render() }
        }
        (CiHost::Github, true) => File {
            path: Workflow::PATH,
            text: SpreadWorkflow { plain, jobs, tests, version }.render(),
        },
        (CiHost::Github, false) => File { path: Workflow::PATH, text: plain.render() },
    }
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

/// The line that puts forge onto the runner.
fn install(layout: &Layout, forge: Option<&str>) -> Result<String, Fault> {
    let known = Some(REPOSITORY).filter(|url| !url.is_empty());
    if let Some(url) = forge.or(known) {
        return Ok(Workflow::install_from(url, VERSION));
    }
    if is_forge(layout.root()) {
        return Ok("cargo install --locked --path .".into());
    }
    Err(Fault::new(Kind::Usage, "nothing says where the runner gets forge from")
        .hint("name the git repository it is built from: `forge ci:init --forge URL`"))
}

/// Whether the workspace is that of forge's own sources.
fn is_forge(root: &Path) -> bool {
    let manifest = read_text(&root.join("Cargo.toml"), MOST_OF_TEXT).unwrap_or_default();
    manifest.lines().any(|line| line.trim() == "name = \"forge\"")
}
