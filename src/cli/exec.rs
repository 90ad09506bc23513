//! `forge exec`: a pinned program, run as if it was on PATH.

use std::{collections::BTreeSet, ffi::OsString, sync::Arc};

use clap::Parser;

use crate::{
    model::{Fault, Kind, Name, Platform, nearest},
    process::become_command,
    workspace::Workspace,
};

use super::{
    CliError,
    args::Args,
    hook,
    session::Session,
    task::{self, ensure_all},
    verb::Verb,
};

/// What can be written behind `forge exec`.
#[derive(Debug, clap::Args)]
pub(super) struct ExecArgs {
    /// A binary or subsystem, or any program, with its arguments
    #[arg(value_name = "NAME [ARGS] | -- COMMAND [ARGS]")]
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
    /// It was called `x`, which may be a task too
    #[arg(long, hide = true)]
    in_short: bool,
}

/// Ensures what the program needs and becomes it.
pub(super) fn exec(session: &Session, wish: &ExecArgs) -> Result<u8, CliError> {
    if session.platform() != Platform::host() {
        let what = format!("programs run here, and not on {}", session.platform());
        return Err(Fault::new(Kind::Usage, what).into());
    }
    let workspaces = Arc::new(session.workspaces()?);
    let workspace = workspaces.any();
    if wish.in_short && workspace.tasks.contains_key("x") {
        return task_x(session, &wish.words);
    }
    if wish.words.is_empty() {
        return Err(Fault::new(Kind::Usage, "there is no command to run")
            .hint(
                "name a pinned program, such as `forge exec NAME`, or any: `forge exec -- COMMAND`",
            )
            .into());
    }
    let mut words = wish.words.clone();
    let owner = program(workspace, &mut words)?;
    let names: BTreeSet<Name> = match owner {
        Some(name) => [name.clone()].into(),
        // Any program may call what is pinned.
        None => workspace.subsystems.keys().cloned().collect(),
    };
    if session.flags.dry_run {
        let shown: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
        let needed: Vec<_> = names.iter().map(Name::as_str).collect();
        session.say(&format!("would ensure {}\n", needed.join(", ")))?;
        session.say(&format!("would run {}\n", shown.join(" ")))?;
        return Ok(0);
    }
    if let Some(code) = ensure_all(session, &workspaces, &names)? {
        return Ok(code);
    }
    let (layout, environment) = (&workspace.layout, session.host.environment());
    let env = hook::variables(workspace);
    let fault = become_command(&words, &session.folder()?, environment, &[layout.bin()], &env);
    Err(unknown(workspace, &words, fault).into())
}

/// Runs the task `x` of the workspace, which was there first.
fn task_x(session: &Session, words: &[OsString]) -> Result<u8, CliError> {
    let start = ["forge", "run", "x"].map(OsString::from);
    let line = start.into_iter().chain(words.iter().cloned());
    match Args::try_parse_from(line).map(|args| args.verb) {
        Ok(Some(Verb::Run(args))) => task::start(session, args),
        Ok(_) => Ok(0),
        Err(error) => Err(Fault::new(Kind::Usage, error.to_string()).into()),
    }
}

/// The subsystem whose program `words` begin with; a subsystem's name becomes that of its binary.
fn program<'w>(
    workspace: &'w Workspace,
    words: &mut [OsString],
) -> Result<Option<&'w Name>, Fault> {
    let Some(first) = words.first_mut() else { return Ok(None) };
    let Some(called) = first.to_str().map(str::to_owned) else { return Ok(None) };
    if let Some(owner) = workspace.owner_of(&called) {
        return Ok(Some(owner));
    }
    let Some((name, subsystem)) = workspace.subsystems.get_key_value(called.as_str()) else {
        return Ok(None);
    };
    match subsystem.binaries.as_slice() {
        [only] => *first = only.into(),
        several => {
            return Err(Fault::new(Kind::Usage, format!("`{name}` has several binaries"))
                .hint(format!("name one: {}", several.join(", "))));
        }
    }
    Ok(Some(name))
}

/// `fault`, with the pinned program that was meant perhaps.
fn unknown(workspace: &Workspace, words: &[OsString], fault: Fault) -> Fault {
    let word = words.first().map(|word| word.to_string_lossy()).unwrap_or_default();
    let binaries = workspace.subsystems.values().flat_map(|it| &it.binaries).map(String::as_str);
    match nearest(&word, binaries.chain(workspace.subsystems.keys().map(Name::as_str))) {
        Some(near) if fault.hint.is_none() => fault.hint(format!("did you mean `{near}`?")),
        _ => fault,
    }
}
