//! `forge lint:title`: whether the title of a change says what it is, so that a version can follow.

use std::io::{self, IsTerminal, Read};

use crate::{
    model::{Diagnostic, Fault, Kind, Span},
    versioning::{LintError, Message, lint},
};

use super::{CliError, session::Session, terms::of_event};

/// Checks `title`, or that of the event of the workflow, or what comes on standard input.
pub(super) fn title(session: &Session, title: Option<&str>) -> Result<u8, CliError> {
    let text = match title {
        Some("-") => from_stdin()?,
        Some(title) => title.to_owned(),
        None => match of_event(&session.host)?.and_then(|request| request.title) {
            Some(title) => title,
            None if io::stdin().is_terminal() => {
                return Err(Fault::new(Kind::Usage, "there is no title to check")
                    .hint("write it behind `forge lint:title`, or pipe it in")
                    .into());
            }
            None => from_stdin()?,
        },
    };
    let text = text.trim_end();
    let found = lint(text);
    if session.flags.json {
        session.say(&json(text, &found))?;
        return Ok(u8::from(found.is_err()));
    }
    match found {
        Ok(()) if session.flags.quiet => Ok(0),
        Ok(()) => {
            let bump = Message::read(text).ok().and_then(|message| message.bump());
            let leads = bump.map_or("no release".into(), |bump| format!("a {bump} release"));
            session.say(&format!("{text:.*}: {leads}\n", first_line(text)))?;
            Ok(0)
        }
        Err(flaw) => Err(told(flaw, text).into()),
    }
}

/// How many characters the first line has.
fn first_line(text: &str) -> usize {
    text.lines().next().unwrap_or_default().chars().count()
}

/// What comes on standard input, without the comments of git's editor.
fn from_stdin() -> Result<String, Fault> {
    let mut bytes = Vec::new();
    io::stdin()
        .lock()
        .read_to_end(&mut bytes)
        .map_err(|error| Fault::io("cannot read standard input", &error))?;
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    Ok(lines.map(|line| format!("{line}\n")).collect())
}

/// The flaw, with its place in the title.
fn told(flaw: LintError, text: &str) -> Fault {
    let span = Span { file: "title".into(), bytes: flaw.at };
    let problem = Diagnostic::new(span, flaw.what, flaw.label);
    let fault = Fault::new(Kind::Failed, "the title does not follow Conventional Commits")
        .because_of(problem, text.to_owned());
    match flaw.right {
        Some(right) => fault.hint(format!("write `{right}`")),
        None => fault.hint("write `TYPE: what changes`, such as `fix: the crash on start`"),
    }
}

fn json(text: &str, found: &Result<(), LintError>) -> String {
    let bump = Message::read(text).ok().and_then(|message| message.bump());
    let flaw = found.as_ref().err();
    let document = serde_json::json!({
        "schema": 1,
        "title": text.lines().next().unwrap_or_default(),
        "valid": flaw.is_none(),
        "bump": bump.filter(|_| flaw.is_none()).map(|bump| bump.to_string()),
        "problem": flaw.map(|flaw| flaw.what.as_str()),
        "from": flaw.map(|flaw| flaw.at.start),
        "to": flaw.map(|flaw| flaw.at.end),
        "right": flaw.and_then(|flaw| flaw.right.as_deref()),
    });
    format!("{document:#}\n")
}
