//! The command line: flags to a request, wiring, exit code. Nothing is decided here
//! that a library caller would want too.

mod actions;
mod add;
mod affected;
mod args;
mod attach;
mod audit;
mod bases;
mod bump;
mod bundle;
mod cache;
mod changelog;
mod check;
mod choice;
mod ci;
mod clean;
mod completion;
mod component_notes;
mod deploy;
mod desk;
mod doctor;
mod durations;
mod editor;
mod ensure;
mod error;
mod evidence;
mod exec;
mod explain;
mod explain_json;
mod flags;
mod fmt;
mod graph;
mod habits;
mod help;
mod history;
mod hook;
mod host;
mod images;
mod included;
mod init;
mod limits;
mod lint;
mod list;
mod lock;
mod logs;
mod matrix;
mod migrate;
mod misses;
mod mistakes;
mod named_source;
mod next;
mod notes;
mod outdated;
mod own;
mod package;
mod plan;
mod project;
mod prune;
mod publish;
pub mod reference;
mod release;
mod releases;
mod remote;
mod remove;
mod run;
mod self_update;
mod serve;
mod services;
mod session;
mod shadow;
mod shells;
mod status;
mod synonyms;
mod task;
mod task_args;
mod task_log;
mod task_names;
mod task_noop;
mod task_screen;
mod task_words;
mod taskfile;
mod terms;
mod tree;
mod verb;
mod verb_traits;
mod verify;
mod versions;
mod wait;
mod wait_line;
mod watch;
mod which;

use std::{ffi::OsString, process::ExitCode};

use clap::{Command, FromArgMatches};

use crate::{
    ci::Stage,
    model::{Fault, Kind},
    process::{guardian, keep_memory_private},
    service::{last_line, look},
    ui::TerminalFacts,
};
use args::Args;
pub(crate) use error::CliError;
use host::{Host, environment_of_process};
use session::Session;
use verb::Verb;

/// Runs forge with the arguments of this process.
pub fn main() -> ExitCode {
    let argv: Vec<_> = std::env::args_os().collect();
    let environment = environment_of_process();
    // It knows nothing, and other processes of forge have to see whose it is.
    if argv.get(1).is_some_and(|first| first == last_line::ARGUMENT) {
        return last_line::main(&environment, &argv[2..]);
    }
    keep_memory_private();
    if argv.get(1).is_some_and(|first| first == guardian::ARGUMENT) {
        guardian::main();
        return ExitCode::SUCCESS;
    }
    if argv.get(1).is_some_and(|first| first == look::ARGUMENT) {
        let words = argv[2..].iter().map(|word| word.to_string_lossy().into_owned());
        return look::main(&words.collect::<Vec<_>>());
    }
    let width = TerminalFacts::detect(&environment).stdout_width();
    let args = match parsed(&argv, width) {
        Ok(args) => args,
        Err(error) if error.use_stderr() => {
            return ExitCode::from(mistakes::report(&error, &argv, environment));
        }
        Err(help) => {
            drop(help.print());
            return ExitCode::SUCCESS;
        }
    };
    let groups = args.global.groups.clone();
    let may_run = args.verb.as_ref().is_some_and(|verb| !verb.only_looks());
    let session = Session::new(Host::new(environment), args.global, may_run);
    let ready = limits::check().map_err(CliError::from);
    let ended = ready.and_then(|()| match args.verb {
        Some(verb) => with_groups(verb, groups).and_then(|verb| run(&session, verb)),
        None if groups.is_empty() => list::bare(&session),
        None => with_groups(Verb::List { all: false, taskfile: None }, groups).map(|_| 0),
    });
    cache::collect_after_run(&session);
    match ended {
        Ok(code) => ExitCode::from(code),
        Err(stop) => ExitCode::from(session.report(stop)),
    }
}

/// What `argv` asks for; help about it has lines of at most `width`.
fn parsed(argv: &[OsString], width: Option<usize>) -> Result<Args, clap::Error> {
    let mut command = help::command_at(width);
    let argv = task_words::rewrite(habits::rewrite(argv.to_vec(), &verb_names(&command)));
    let matches = command.try_get_matches_from_mut(argv)?;
    Args::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// What verbs are called, with their second names.
fn verb_names(command: &Command) -> Vec<&str> {
    let verbs = command.get_subcommands();
    verbs.flat_map(|verb| verb.get_all_aliases().chain([verb.get_name()])).collect()
}

/// `verb`, with `groups` among what it works on.
fn with_groups(mut verb: Verb, groups: Vec<String>) -> Result<Verb, CliError> {
    match verb.names() {
        Some(names) => names.extend(groups),
        None if groups.is_empty() => {}
        None => {
            let what = "`--group` selects subsystems, and this command takes none";
            return Err(Fault::new(Kind::Usage, what).into());
        }
    }
    Ok(verb)
}

/// Why the first task of `verb` is none, if that is so.
fn unknown_task(session: &Session, verb: &Verb) -> Option<Fault> {
    let Verb::Run(args) = verb else { return None };
    let is_of_workspace = args.taskfile.is_none();
    let mut words = args.words.iter().filter(|word| is_of_workspace && !word.contains('='));
    task_names::unknown_word(session, words.next()?)
}

fn run(session: &Session, verb: Verb) -> Result<u8, CliError> {
    if session.flags.json && !verb.has_json() {
        if let Some(fault) = unknown_task(session, &verb) {
            return Err(fault.into());
        }
        let fault = Fault::new(Kind::Usage, "this verb has no JSON document to print");
        return Err(fault.hint("leave out `--json`; `forge help json` lists the documents").into());
    }
    match verb {
        Verb::Ensure { names } => ensure::ensure(session, &names),
        Verb::Add(wish) => add::add(session, &wish),
        Verb::Exec(wish) => exec::exec(session, &wish),
        Verb::Which(wish) => which::which(session, &wish),
        Verb::Why(wish) => tree::why(session, &wish),
        Verb::Tree(wish) => tree::tree(session, &wish),
        Verb::Remove(wish) => remove::remove(session, &wish),
        Verb::Help(wish) => help::help(session, &wish),
        Verb::Plan { names } => plan::plan(session, &names),
        Verb::Status { names } => status::status(session, &names),
        Verb::Explain { name } => explain::explain(session, &name),
        Verb::Verify { names, running: false } => verify::verify(session, &names),
        Verb::Verify { names, running: true } => verify::running(session, &names),
        Verb::Run(args) => task::start(session, args),
        Verb::Up { names, foreground } => services::up(session, &names, foreground),
        Verb::Down { names } | Verb::Stop { names } => services::down(session, &names),
        Verb::Logs { names, follow, lines } => logs::logs(session, &names, follow, lines),
        Verb::Ps { names } => services::ps(session, &names),
        Verb::Attach(wish) => attach::attach(session, &wish),
        Verb::Restart { names } => services::restart(session, &names),
        Verb::Reload { name } => services::restart(session, &[name]),
        Verb::Cache(wish) => cache::cache(session, &wish),
        Verb::List { taskfile: Some(path), .. } => list::taskfile(session, &path),
        Verb::List { all, .. } => list::list(session, all),
        Verb::Graph { format } => graph::graph(session, format),
        Verb::Package { names, into } => package::package(session, &names, into.as_deref()),
        Verb::Image { names, load } => images::image(session, &names, load),
        Verb::ReleaseImage { names } => images::release(session, &names),
        Verb::ReleaseBinary { names, terms } => release::release(session, &names, &terms),
        Verb::VersionNext { name, claim, terms, fetch } => {
            next::next_version(session, &name, &terms, (claim, fetch))
        }
        Verb::ReleaseAll { affected } => release::all(session, affected),
        Verb::Promote { names } => release::promote(session, &names),
        Verb::ReleaseList { names } => releases::list(session, &names),
        Verb::ReleaseWait { names, timeout } => wait::wait(session, &names, timeout),
        Verb::ReleasePrune { names, keep, days, yes } => {
            prune::prune(session, &names, prune::keep(keep, days), yes)
        }
        Verb::History { name, limit } => history::history(session, &name, usize::from(limit)),
        Verb::PackageBundle { names, into } => bundle::package(session, &names, into.as_deref()),
        Verb::ReleaseBundle { tag } => project::release(session, &tag),
        Verb::ReleaseNotes { of, write } => notes::print_notes(session, of.as_deref(), write),
        Verb::Changelog { name, since, to, write, file } => {
            let range = changelog::Range { since: since.as_deref(), to: to.as_deref() };
            let output = changelog::ChangelogTarget { is_file: write, file: file.as_deref() };
            changelog::changelog(session, name.as_deref(), range, output)
        }
        Verb::LintTitle { title } => lint::title(session, title.as_deref()),
        Verb::ReleaseAudit { names, deep } => audit::audit(session, &names, deep),
        Verb::Matrix { names, affected, since, misses, format } => {
            let since = since.as_deref();
            matrix::matrix(
                session,
                &matrix::MatrixRequest { names: &names, affected, since, misses, format },
            )
        }
        Verb::Outdated(words) => outdated::outdated(session, &words),
        Verb::Bump(words) => bump::bump(session, &words),
        Verb::Lock { names, update } => lock::lock(session, &names, update),
        Verb::Migrate(wish) => migrate::migrate(session, &wish),
        Verb::Affected { names, since, fetch } => {
            affected::affected(session, &names, since.as_deref(), fetch)
        }
        Verb::Doctor => doctor::doctor(session),
        Verb::Check => check::check(session),
        Verb::Fmt(wish) => fmt::fmt(session, &wish),
        Verb::Schema { of } => check::schema(session, &of),
        Verb::Clean { what } => clean::clean(session, what),
        Verb::Env(wish) => hook::env(session, &wish),
        Verb::Init(args) => init::init(session, &args),
        Verb::SelfUpdate { version, check, from } => {
            let (version, source) = (version.as_deref(), from.as_deref());
            let request = self_update::UpdateRequest { version, is_check: check, source };
            self_update::self_update(session, request)
        }
        Verb::Completions { shell } => Ok(completion::script(session, shell)?),
        Verb::CompletionWords { line, breaks } => Ok(completion::words(session, &line, &breaks)?),
        verb => run_ci(session, verb),
    }
}

/// What has to do with environments.
fn run_deploy(session: &Session, verb: Verb) -> Result<u8, CliError> {
    match verb {
        Verb::Deploy(wish) => deploy::deploy(session, &wish),
        Verb::Rollback(wish) => deploy::rollback(session, &wish),
        Verb::Drift(wish) => deploy::drift(session, &wish),
        Verb::Deployments(wish) => deploy::deployments(session, &wish),
        Verb::Preview(wish) => deploy::preview(session, &wish),
        Verb::PreviewDestroy(wish) => deploy::destroy(session, &wish),
        Verb::PreviewSweep => deploy::sweep(session),
        Verb::Serve(wish) => serve::start(session, &wish),
        Verb::ServeJob(wish) => serve::job(session, &wish),
        _ => Ok(0),
    }
}

/// What CI runs; the rest has to do with environments.
fn run_ci(session: &Session, verb: Verb) -> Result<u8, CliError> {
    let stage = |stage, names: &[String]| ci::ci(session, &ci::WantedStages::stage(stage, names));
    match verb {
        Verb::Ci { names, plan, affected: false, part } => {
            ci::ci(session, &ci::WantedStages { plan, part, ..ci::WantedStages::all(&names) })
        }
        Verb::Ci { names, plan, affected: true, part } => ci::affected(session, &names, plan, part),
        Verb::CiBuild { names } => stage(Stage::Build, &names),
        Verb::CiTest { names } => stage(Stage::Test, &names),
        Verb::CiPackage { names } => stage(Stage::Package, &names),
        Verb::CiRelease { names, part, subjects } => {
            let stage = ci::WantedStages::stage(Stage::Release, &names);
            let subjects = subjects.as_deref();
            ci::ci(session, &ci::WantedStages { part, subjects, ..stage })
        }
        Verb::CiPages { names } => stage(Stage::Pages, &names),
        Verb::CiDeploy { names, to } => {
            let stage = ci::WantedStages::stage(Stage::Deploy, &names);
            ci::ci(session, &ci::WantedStages { to: to.as_deref(), ..stage })
        }
        Verb::CiClose { results, timeout, partial } => {
            ci::close(session, &results, &ci::CloseOptions { timeout, partial })
        }
        Verb::CiInit { from, forge, matrix, release, attest, deploy, host } => {
            let (forge, source) = (forge.as_deref(), from.as_deref());
            let release = release.as_deref();
            let form = ci::WorkflowOptions { forge, source, matrix, release, attest, deploy, host };
            ci::init(session, &form)
        }
        verb => run_deploy(session, verb),
    }
}
