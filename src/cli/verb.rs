//! What forge does: its verbs, with the words and flags of each.

use std::{path::PathBuf, time::Duration};

use clap::Subcommand;

use super::{
    choice::{CleanWhat, CompletionShell, GraphFormat, MatrixFormat, WorkflowHost, schema_names},
    task_args::TaskArgs,
    terms::VersionArgs,
};
use crate::model::parse_duration;

/// What forge does.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Add a tool of others: pin, spec and digest, by what upstream has
    Add(super::add::AddArgs),
    /// Install the pinned binaries; all of them if none is named
    Ensure {
        /// Subsystems or groups
        names: Vec<String>,
    },
    /// Run a pinned program, or any with those on PATH (in short: x)
    Exec(super::exec::ExecArgs),
    /// Show what `ensure` would do, and why
    Plan {
        /// Subsystems or groups
        names: Vec<String>,
    },
    /// Show what is pinned, installed and released
    Status {
        /// Subsystems or groups
        names: Vec<String>,
    },
    /// Show all about one subsystem or task, and what would be done
    Explain {
        /// A subsystem
        name: String,
    },
    /// Hash every installed binary and name what was changed
    Verify {
        /// Subsystems or groups
        names: Vec<String>,
        /// Verify the services that run too: each must be the pinned binary
        #[arg(long)]
        running: bool,
    },
    /// Print the path of a pinned binary
    Which(super::which::WhichArgs),
    /// Show who needs a subsystem
    Why(super::tree::WhyArgs),
    /// Draw what subsystems need, as a tree
    Tree(super::tree::TreeArgs),
    /// Remove a subsystem: its pin, its spec, and what is locked of it
    Remove(super::remove::RemoveArgs),
    /// Run tasks; a task's name alone does it too
    Run(TaskArgs),
    /// Start services with what they need, and wait until they are ready
    Up {
        /// Services or groups [default: all services]
        names: Vec<String>,
        /// Stay, show what they print, and end them with Ctrl-C
        #[arg(short, long)]
        foreground: bool,
    },
    /// End services; all of them if none is named
    Down {
        /// Services or groups, which end with all that need them [default: all services]
        names: Vec<String>,
    },
    /// Show what services print
    Logs {
        /// Services or groups [default: all services]
        names: Vec<String>,
        /// Go on showing what comes, until Ctrl-C
        #[arg(short, long)]
        follow: bool,
        /// How many lines of each to begin with
        #[arg(short = 'n', long, value_name = "N", default_value = "100")]
        lines: usize,
    },
    /// Bring what is released into an environment, and prove it
    Deploy(super::deploy::DeployArgs),
    /// Bring an environment back to an earlier version
    Rollback(super::deploy::RollbackArgs),
    /// Look whether what runs in an environment is as it was deployed
    ///
    /// Pulumi compares its stack with what is there, smoke tests run and health is looked at; nothing is changed.
    Drift(super::deploy::DriftArgs),
    /// Show what runs where, and what was deployed
    Deployments(super::deploy::DeploymentsArgs),
    /// Build what is here and deploy it to an environment of its own, for a pull request
    ///
    /// Of a pull request that is closed, what is there is removed.
    Preview(super::deploy::PreviewArgs),
    /// Remove the environment of a pull request
    #[command(name = "preview:destroy")]
    PreviewDestroy(super::deploy::DestroyArgs),
    /// Remove the environments of pull requests that are closed, or that nothing was deployed to for long
    #[command(name = "preview:sweep")]
    PreviewSweep,
    /// Deploy what others ask for, over gRPC and HTTP, until Ctrl-C
    Serve(super::serve::ServeArgs),
    /// Do what a job of `forge serve` is about
    #[command(name = "serve:job", hide = true)]
    ServeJob(super::serve::JobArgs),
    /// Show how services are
    Ps {
        /// Services or groups [default: all services]
        names: Vec<String>,
    },
    /// Show what a service prints until it ends; Ctrl-C looks away
    Attach(super::attach::AttachArgs),
    /// End services, and those that need them
    Stop {
        /// Services or groups
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Ensure services and start them again
    Restart {
        /// Services or groups [default: all services]
        names: Vec<String>,
    },
    /// Ensure a service and start it again
    Reload {
        /// The service
        name: String,
    },
    /// List subsystems, groups and tasks
    List {
        /// Private tasks too
        #[arg(long)]
        all: bool,
        /// The tasks of this Taskfile instead
        #[arg(long, value_name = "PATH", conflicts_with = "all")]
        taskfile: Option<PathBuf>,
    },
    /// Draw what needs what
    Graph {
        /// The language of the drawing
        #[arg(long, default_value = "mermaid")]
        format: GraphFormat,
    },
    /// Pack the installed artifacts as they would be released
    Package {
        /// Subsystems or groups
        names: Vec<String>,
        /// The folder for the archives [default: .forge/dist]
        #[arg(long, value_name = "DIR")]
        into: Option<PathBuf>,
    },
    /// Put every installed binary into one archive per platform, with digests and forge.lock
    #[command(name = "package:bundle")]
    PackageBundle {
        /// Subsystems or groups
        names: Vec<String>,
        /// The folder for the archives [default: .forge/dist]
        #[arg(long, value_name = "DIR")]
        into: Option<PathBuf>,
    },
    /// Make the container images, as OCI layouts in .forge/dist; without a daemon
    Image {
        /// Subsystems or groups [default: all that have an image]
        names: Vec<String>,
        /// Hand them to docker or podman as well
        #[arg(long)]
        load: bool,
    },
    /// Release container images: build and push those whose tag nobody has pushed yet
    #[command(name = "release:image")]
    ReleaseImage {
        /// Subsystems or groups [default: all that have an image]
        names: Vec<String>,
    },
    /// Release subsystems as their specs are now: build, pack, publish
    #[command(name = "release:binary")]
    ReleaseBinary {
        /// Subsystems or groups
        #[arg(required_unless_present = "groups")]
        names: Vec<String>,
        #[command(flatten)]
        terms: VersionArgs,
    },
    /// Print the next version of subsystems whose versions a scheme makes
    #[command(name = "version:next")]
    VersionNext {
        /// The subsystem
        name: String,
        /// Reserve it by pushing its tag
        #[arg(long)]
        claim: bool,
        #[command(flatten)]
        terms: VersionArgs,
        /// Fetch the commits that this clone lacks
        #[arg(long)]
        fetch: bool,
    },
    /// Release every subsystem that is not released yet
    #[command(name = "release:all")]
    ReleaseAll {
        /// Only what has changed since its last release; on a tag such as v1.2.0, all
        #[arg(long)]
        affected: bool,
    },
    /// Build released artifacts again in CI, and say so beside those that come out the same
    Promote {
        /// Subsystems or groups
        #[arg(required_unless_present = "groups")]
        names: Vec<String>,
    },
    /// List the releases of each subsystem: what they hold, what they lack
    #[command(name = "release:list")]
    ReleaseList {
        /// Subsystems or groups
        names: Vec<String>,
    },
    /// Wait until the pinned releases have every platform
    #[command(name = "release:wait")]
    ReleaseWait {
        /// Subsystems or groups
        names: Vec<String>,
        /// How long to wait at most, such as 90s, 10m or 1h30m
        #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = duration)]
        timeout: Duration,
    },
    /// List the old releases that can go; with --yes, delete them
    #[command(name = "release:prune")]
    ReleasePrune {
        /// Subsystems or groups
        names: Vec<String>,
        /// How many of the newest releases of each subsystem stay; what is pinned or locked stays anyway
        #[arg(long, value_name = "N", required_unless_present = "days", value_parser = clap::value_parser!(u16).range(1..))]
        keep: Option<u16>,
        /// Whatever is no older than this many days stays too
        #[arg(long, value_name = "DAYS")]
        days: Option<u16>,
        /// Delete them
        #[arg(long)]
        yes: bool,
    },
    /// Print what changed with each version, of a subsystem or of the project
    Changelog {
        /// A subsystem whose code is in the workspace [default: the project]
        name: Option<String>,
        /// Only what came after this version or tag
        #[arg(long, value_name = "TAG")]
        since: Option<String>,
        /// Up to this version, tag, branch or commit [default: what is checked out]
        #[arg(long, value_name = "REF")]
        to: Option<String>,
        /// Bring a file up to date with it, keeping what people wrote there
        #[arg(long)]
        write: bool,
        /// The file to write [default: CHANGELOG.md beside the code]
        #[arg(long, value_name = "FILE", requires = "write")]
        file: Option<PathBuf>,
    },
    /// Check the title of a change against Conventional Commits
    #[command(name = "lint:title")]
    LintTitle {
        /// The title, or `-` for standard input [default: that of the pull request of the event, or standard input]
        title: Option<String>,
    },
    /// Compare the releases with forge.lock and with the checksums beside their assets
    #[command(name = "release:audit")]
    ReleaseAudit {
        /// Subsystems or groups
        names: Vec<String>,
        /// Download every asset and hash it
        #[arg(long)]
        deep: bool,
    },
    /// Publish the bundles of the tag that is checked out, with notes
    #[command(name = "release:bundle")]
    ReleaseBundle {
        /// The tag, such as v1.2.0
        tag: String,
    },
    /// Print what changed with a release of the project, or of a subsystem
    #[command(name = "release:notes")]
    ReleaseNotes {
        /// A tag of the project, or NAME or NAME@VERSION of a subsystem [default: the tag that is checked out, or else what is not released yet]
        #[arg(value_name = "TAG | NAME[@VERSION]")]
        of: Option<String>,
        /// Put them onto the page of a subsystem's release
        #[arg(long, requires = "of")]
        write: bool,
    },
    /// List the versions of a subsystem: when, from which commit, with which digests, built by whom
    History {
        /// The subsystem
        name: String,
        /// How many of the newest
        #[arg(long, value_name = "N", default_value = "20")]
        limit: u16,
    },
    /// Build, test, package, release and publish pages: what CI runs
    Ci {
        /// Subsystems or groups [default: the group `ci` if there is one, or all]
        names: Vec<String>,
        /// Show which stages would run, and why
        #[arg(long)]
        plan: bool,
        /// Only what has changed since its last release; on a tag such as v1.2.0, all
        #[arg(long)]
        affected: bool,
        /// This is one of several jobs: leave the release of the project to `ci:close`
        #[arg(long)]
        part: bool,
    },
    /// Ensure and verify, without publishing
    #[command(name = "ci:build")]
    CiBuild {
        /// Subsystems or groups
        names: Vec<String>,
    },
    /// Run the tasks called `test`
    #[command(name = "ci:test")]
    CiTest {
        /// Subsystems or groups
        names: Vec<String>,
    },
    /// Pack what is selected into .forge/dist
    #[command(name = "ci:package")]
    CiPackage {
        /// Subsystems or groups
        names: Vec<String>,
    },
    /// Publish what was built here, where that is allowed
    #[command(name = "ci:release")]
    CiRelease {
        /// Subsystems or groups
        names: Vec<String>,
        /// This is one of several jobs: leave the release of the project to `ci:close`
        #[arg(long)]
        part: bool,
        /// Write the digests of the assets that this run published to FILE, for who attests them
        #[arg(long, value_name = "FILE")]
        subjects: Option<PathBuf>,
    },
    /// Run the task `ci:pages`, where publishing is allowed
    #[command(name = "ci:pages")]
    CiPages {
        /// Subsystems or groups
        names: Vec<String>,
    },
    /// Deploy what is released to the environments of the branch, where that is allowed
    #[command(name = "ci:deploy")]
    CiDeploy {
        /// Subsystems or groups
        names: Vec<String>,
        /// To this environment alone, if it is one of those
        #[arg(long, value_name = "ENVIRONMENT")]
        to: Option<String>,
    },
    /// Close a run of several jobs: say what is missing, release the project on its tag
    #[command(name = "ci:close")]
    CiClose {
        /// What became of the jobs, such as plan=success
        #[arg(value_name = "JOB=RESULT")]
        results: Vec<String>,
        /// How long to wait for what is missing, such as 90s or 10m [default: 60s if every job went well]
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        timeout: Option<Duration>,
        /// On a tag, tell what is there as a pre-release that says what is missing; exit code 3
        #[arg(long)]
        partial: bool,
    },
    /// Write a workflow for GitHub Actions or GitLab CI that runs `forge ci`
    #[command(name = "ci:init")]
    CiInit {
        /// Where releases of forge are, which runners download: github:OWNER/REPO, or a URL [default: FORGE_SOURCE, or forge's own repository]
        #[arg(long, value_name = "PLACE")]
        from: Option<String>,
        /// The git repository that runners build forge from instead
        #[arg(long, value_name = "URL", conflicts_with = "from")]
        forge: Option<String>,
        /// One that spreads the work over several jobs: as many as `--jobs` says [default: 20]
        #[arg(long)]
        matrix: bool,
        /// One that releases this subsystem, for all platforms, when a tag of it is pushed
        #[arg(long, value_name = "NAME", conflicts_with = "matrix")]
        release: Option<String>,
        /// Let GitHub attest what was published, by a step of its own
        #[arg(long, conflicts_with = "matrix")]
        attest: bool,
        /// One that deploys too: a job for each environment that a branch or a tag deploys to
        #[arg(long, conflicts_with = "release")]
        deploy: bool,
        /// Whose CI it is for
        #[arg(long, default_value = "github")]
        host: WorkflowHost,
    },
    /// Print a matrix of CI jobs: which builds what, on which runner; `--jobs` of them, and one for each runner at least
    Matrix {
        /// Subsystems or groups [default: the group `ci` if there is one, or all]
        names: Vec<String>,
        /// Only what has changed since its last release; on a tag such as v1.2.0, all
        #[arg(long)]
        affected: bool,
        /// Only what has changed since where HEAD parted from this branch, tag or commit
        #[arg(long, value_name = "REF")]
        since: Option<String>,
        /// Only what no release holds yet
        #[arg(long)]
        misses: bool,
        /// Who reads it [default: github]
        #[arg(long)]
        format: Option<MatrixFormat>,
    },
    /// Show which pins have something newer upstream
    Outdated(super::outdated::OutdatedArgs),
    /// Pin another version in versions.yml and forge.lock: the newest, or the one that is named
    Bump(super::bump::BumpArgs),
    /// Resolve moving refs and write their commits to forge.lock
    Lock {
        /// Subsystems or groups
        names: Vec<String>,
        /// Resolve again what is locked already
        #[arg(long)]
        update: bool,
    },
    /// Show what has changed since its last release, and by which file
    Affected {
        /// Subsystems or groups
        names: Vec<String>,
        /// Compare with where HEAD parted from this branch, tag or commit
        #[arg(long, value_name = "REF")]
        since: Option<String>,
        /// Fetch the commits that this clone lacks
        #[arg(long)]
        fetch: bool,
    },
    /// Check versions.yml and every spec, and report all problems at once
    Check,
    /// Lay out versions.yml and every spec; comments stay
    Fmt(super::fmt::FmtArgs),
    /// Write the tasks of Taskfiles down in forge's language
    ///
    /// The originals stay as they are.
    Migrate(super::migrate::MigrateArgs),
    /// Say what would fail here, and what to do about it
    Doctor,
    /// Print the JSON Schema of versions.yml, of a spec, or of what `--json` prints; or the API of `serve` as OpenAPI
    Schema {
        /// `manifest`, `spec`, `api`, or a document of `forge help json`, such as `release:list`
        #[arg(default_value = "manifest", value_parser = schema_names(), hide_possible_values = true)]
        of: String,
    },
    /// Remove what forge made here
    Clean {
        /// What to remove
        #[arg(default_value = "built")]
        what: CleanWhat,
    },
    /// Print the lines that put the pinned binaries on PATH, or a hook
    ///
    /// The hook keeps PATH that of the workspace one is in: `eval "$(forge env --hook bash)"` in
    /// ~/.bashrc. With direnv, write `eval "$(forge env)"` to .envrc instead.
    Env(super::hook::EnvArgs),
    /// Write a workspace: of what is there, or an example that works
    ///
    /// It reads mise.toml, .tool-versions, aqua.yaml, the builds of GoReleaser, go.mod and Cargo.toml, and
    /// asks nobody. What it does not know is listed with the command that adds it.
    Init(super::init::InitArgs),
    /// Show how large the cache is, or make it smaller
    Cache(super::cache::CacheArgs),
    /// Show help of a verb, or a page about what people write
    Help(super::help::HelpArgs),
    /// Replace this program by the newest forge, or by the version that is named
    #[command(name = "self-update")]
    SelfUpdate {
        /// The version, such as v0.2.0 [default: the newest]
        version: Option<String>,
        /// Only say which version there is
        #[arg(long)]
        check: bool,
        /// Where releases of forge are: github:OWNER/REPO, a URL or a folder [default: FORGE_SOURCE, or forge's own repository]
        #[arg(long, value_name = "PLACE")]
        from: Option<String>,
    },
    /// Print a completion script
    Completions {
        /// The shell
        shell: CompletionShell,
    },
    /// Print what the last word of a line can become
    #[command(name = "completions:words", hide = true)]
    CompletionWords {
        /// The line, up to the cursor
        #[arg(last = true, default_value = "", allow_hyphen_values = true)]
        line: String,
        /// Characters that the shell begins a new word after
        #[arg(long, default_value = "", allow_hyphen_values = true)]
        breaks: String,
    },
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| {
        "write a number and `s`, `m` or `h`, such as `90s`, `10m` or `1h30m`; at most a week".into()
    })
}
