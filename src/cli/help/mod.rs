//! `forge help`, and what `--help` prints: verbs in groups, an example for each, and pages about what
//! people write. All of it comes out of the tables that forge itself goes by.

pub(super) mod examples;
mod groups;
mod man;
pub(super) mod topics;

use std::path::PathBuf;

use clap::{Command, CommandFactory, builder::StyledStr};

use super::{CliError, args::Args, explain, session::Session, synonyms};
use crate::{
    model::{Fault, Kind, nearest},
    workspace::Workspace,
};

/// What can be written behind `forge help`.
#[derive(Debug, clap::Args)]
pub(super) struct HelpArgs {
    /// A verb, a task, or a page: verbs, options, spec, manifest, tasks, services, includes, templates, stores, layout, exit-codes, environment
    #[arg(value_name = "VERB | PAGE")]
    about: Option<String>,
    /// Write man pages to a folder: one of forge, and one of each verb
    #[arg(long, value_name = "DIR", conflicts_with = "about")]
    man: Option<PathBuf>,
}

/// The command line as it is parsed: each verb with its example, and the options that work everywhere
/// told once.
pub(super) fn command() -> Command {
    command_at(None)
}

/// [`command`], whose help has lines of at most `width`.
pub(super) fn command_at(width: Option<usize>) -> Command {
    let command = Args::command().mut_args(|option| option.hide(true)).mut_subcommands(described);
    let overview = StyledStr::from(groups::overview(&command, width.unwrap_or(usize::MAX)));
    command.override_help(overview).term_width(width.unwrap_or(WIDTH))
}

/// How wide lines are where there is no terminal.
const WIDTH: usize = 100;

fn described(verb: Command) -> Command {
    let heading = verb.get_styles().get_header().to_owned();
    let examples = examples::examples_of(verb.get_name());
    let title = if examples.len() == 1 { "Example:" } else { "Examples:" };
    let lines: String = examples.iter().map(|line| format!("\n  {line}")).collect();
    let text = format!(
        "Options that work everywhere: `forge help options`.\n\n{heading}{title}{heading:#}{lines}"
    );
    verb.after_help(StyledStr::from(text))
}

/// Prints the help that was asked for.
pub(super) fn help(session: &Session, wish: &HelpArgs) -> Result<u8, CliError> {
    let mut command = command_at(session.stdout_style().width);
    if let Some(folder) = &wish.man {
        return man::write(session, &session.folder()?.join(folder));
    }
    let Some(about) = wish.about.as_deref() else {
        return print(session, &command.render_help());
    };
    if let Some(page) = topics::page(about, &command, session.stdout_style()) {
        session.say(&page)?;
        return Ok(0);
    }
    if command.find_subcommand(about).is_some() {
        let asked = command.try_get_matches_from(["forge", about, "--help"]);
        return asked.map_or_else(|help| print(session, &help.render()), |_| Ok(0));
    }
    let is_task = |workspace: Workspace| workspace.tasks.contains_key(about);
    match session.workspace().is_ok_and(is_task) {
        true => explain::explain(session, about),
        false => Err(unknown(about, &command).into()),
    }
}

fn print(session: &Session, text: &StyledStr) -> Result<u8, CliError> {
    match session.stdout_style().color {
        true => session.say(&text.ansi().to_string())?,
        false => session.say(&text.to_string())?,
    }
    Ok(0)
}

fn unknown(about: &str, command: &Command) -> Fault {
    let fault = Fault::new(Kind::Usage, format!("there is no help about `{about}`"));
    let verbs = command.get_subcommands().map(Command::get_name);
    let names: Vec<&str> = topics::names().collect();
    let hint = synonyms::hint(about).or_else(|| {
        let near = nearest(about, verbs.chain(names.iter().copied()))?;
        Some(format!("did you mean `forge help {near}`?"))
    });
    fault.hint(
        hint.unwrap_or_else(|| {
            format!("`forge help` lists the verbs; pages are {}", names.join(", "))
        }),
    )
}
