//! The command line: flags to a request, wiring, exit code. Nothing is decided here
//! that a library caller would want too.

mod actions;
mod affected;
mod args;
mod audit;
mod bump;
mod bundle;
mod changelog;
mod check;
mod choice;
mod ci;
mod clean;
mod completion;
mod component_notes;
mod desk;
mod doctor;
mod durations;
mod ensure;
mod evidence;
mod explain;
mod graph;
mod habits;
mod history;
mod host;
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
mod named_source;
mod next;
mod notes;
mod outdated;
mod own;
mod package;
mod plan;
mod project;
mod prune;
pub mod reference;
mod release;
mod releases;
mod run;
mod self_update;
mod services;
mod session;
mod shells;
mod status;
mod task;
mod task_log;
mod task_noop;
mod task_screen;
mod taskfile;
mod terms;
mod verb;
mod verify;
mod versions;
mod wait;
mod watch;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::{
    ci::Stage,
    model::{Fault, Kind, Problems},
    process::{guardian, keep_memory_private},
    report::{render_fault, render_problems},
    service::{last_line, look},
    workspace::LoadError,
};
use actions::Actions;
use args::Args;
use host::{Host, environment_of_process};
use session::Session;
use verb::Verb;

/// Why a verb ended early.
pub(crate) enum CliError {
    /// Something is wrong in the files people wrote.
    Problems(Problems),
    /// Something went wrong.
    Fault(Fault),
}

impl From<Fault> for CliError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<LoadError> for CliError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Problems(problems) => Self::Problems(problems),
            LoadError::Wanted(files) => {
                let urls = files.iter().map(|file| file.shown.clone()).collect::<Vec<_>>();
                Self::Fault(Fault::new(Kind::Store, format!("{} is not here", urls.join(", "))))
            }
            LoadError::Fault(fault) => Self::Fault(fault),
        }
    }
}

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
    let command = Args::command();
    let verbs: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
    let args = match Args::try_parse_from(habits::rewrite(argv, &verbs)) {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let groups = args.global.groups.clone();
    let verb = args.verb.unwrap_or(Verb::List { all: false });
    let session = Session::new(Host::new(environment), args.global, !verb.only_looks());
    let ready = limits::start().map_err(CliError::from);
    match ready.and_then(|()| with_groups(verb, groups)).and_then(|verb| run(&session, verb)) {
        Ok(code) => ExitCode::from(code),
        Err(stop) => ExitCode::from(tell(&session, stop)),
    }
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

fn run(session: &Session, verb: Verb) -> Result<u8, CliError> {
    match verb {
        Verb::Ensure { names } => ensure::ensure(session, &names),
        Verb::Plan { names } => plan::plan(session, &names),
        Verb::Status { names } => status::status(session, &names),
        Verb::Explain { name } => explain::explain(session, &name),
        Verb::Verify { names, running: false } => verify::verify(session, &names),
        Verb::Verify { names, running: true } => verify::running(session, &names),
        Verb::Run(args) => task::start(session, args),
        Verb::Up { names, foreground } => services::up(session, &names, foreground),
        Verb::Down { names } => services::down(session, &names),
        Verb::Logs { names, follow, lines } => logs::logs(session, &names, follow, lines),
        Verb::Reload { name } => services::reload(session, &name),
        Verb::List { all } => list::list(session, all),
        Verb::Graph { format } => graph::graph(session, format),
        Verb::Package { names, into } => package::package(session, &names, into.as_deref()),
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
        Verb::ReleaseNotes { of, write } => notes::of(session, of.as_deref(), write),
        Verb::Changelog { name, since, to, write, file } => {
            let range = changelog::Range { since: since.as_deref(), to: to.as_deref() };
            let output = changelog::ChangelogTarget { is_file: write, file: file.as_deref() };
            changelog::changelog(session, name.as_deref(), range, output)
        }
        Verb::LintTitle { title } => lint::title(session, title.as_deref()),
        Verb::ReleaseAudit { names, deep } => audit::audit(session, &names, deep),
        Verb::Ci { names, plan, affected: false, part } => {
            ci::ci(session, &ci::WantedStages { only: None, said: &names, plan, part })
        }
        Verb::Ci { names, plan, affected: true, part } => ci::affected(session, &names, plan, part),
        Verb::CiBuild { names } => ci::ci(session, &ci::WantedStages::stage(Stage::Build, &names)),
        Verb::CiTest { names } => ci::ci(session, &ci::WantedStages::stage(Stage::Test, &names)),
        Verb::CiPackage { names } => {
            ci::ci(session, &ci::WantedStages::stage(Stage::Package, &names))
        }
        Verb::CiRelease { names, part } => {
            let stage = ci::WantedStages::stage(Stage::Release, &names);
            ci::ci(session, &ci::WantedStages { part, ..stage })
        }
        Verb::CiPages { names } => ci::ci(session, &ci::WantedStages::stage(Stage::Pages, &names)),
        Verb::CiClose { results } => ci::close(session, &results),
        Verb::CiInit { from, forge, matrix, release, host } => {
            let (forge, source) = (forge.as_deref(), from.as_deref());
            let release = release.as_deref();
            ci::init(session, &ci::WorkflowOptions { forge, source, matrix, release, host })
        }
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
        Verb::Migrate { path, into } => migrate::migrate(session, &path, into.as_deref()),
        Verb::Affected { names, since, fetch } => {
            affected::affected(session, &names, since.as_deref(), fetch)
        }
        Verb::Doctor => doctor::doctor(session),
        Verb::Check => check::check(session),
        Verb::Schema { of } => check::schema(session, of),
        Verb::Clean { what } => clean::clean(session, what),
        Verb::Env { shell } => list::env(session, shell),
        Verb::Init { folder } => init::init(session, folder.as_deref()),
        Verb::SelfUpdate { version, check, from } => {
            let (version, source) = (version.as_deref(), from.as_deref());
            let request = self_update::UpdateRequest { version, is_check: check, source };
            self_update::self_update(session, request)
        }
        Verb::Completions { shell } => Ok(completion::script(session, shell)?),
        Verb::CompletionWords { line, breaks } => Ok(completion::words(session, &line, &breaks)?),
    }
}

/// Tells why forge stopped, and returns the exit code.
fn tell(session: &Session, stop: CliError) -> u8 {
    let style = session.stderr_style();
    let (text, code) = match stop {
        CliError::Problems(problems) => {
            if let (Some(actions), Ok(layout)) = (Actions::of(&session.host), session.layout()) {
                actions.tell_problems(&problems, layout.root());
            }
            (render_problems(&problems, style), 2)
        }
        CliError::Fault(fault) => (render_fault(&fault, style), fault.kind.exit_code()),
    };
    let text = session.host.secrets().mask(&text);
    // If even standard error is closed there is nobody left to tell.
    session.console().err(&text);
    code
}
