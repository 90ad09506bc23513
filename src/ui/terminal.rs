//! Decides how a run shows itself: bars, plain lines or nothing, with colours or without.

use std::{io::IsTerminal, os::fd::AsFd};

use crate::report::Style;

/// `--color`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the variants are the words themselves")]
pub enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

/// What shows the run while it goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Live {
    /// Nothing (`-q`).
    #[default]
    Quiet,
    /// Lines, one after the other.
    Plain,
    /// Bars that are redrawn.
    Bars,
}

/// What the flags say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// `--color`.
    pub color: Color,
    /// `-q`: nothing but errors.
    pub quiet: bool,
    /// `-v`: also what commands print.
    pub verbose: bool,
}

/// What the decision depends on beside the flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Columns of the terminal that standard output goes to, if it is one.
    pub stdout: Option<usize>,
    /// Columns of the terminal that standard error goes to, if it is one.
    pub stderr: Option<usize>,
    /// `NO_COLOR` is set and not empty (see no-color.org).
    pub no_color: bool,
    /// `CLICOLOR_FORCE` is set and not `0`.
    pub force_color: bool,
    /// `TERM` is `dumb`: the cursor cannot move.
    pub dumb: bool,
    /// `CI` is set and not `false`: what looks like a terminal is read as a log later on.
    pub ci: bool,
    /// `GITHUB_ACTIONS` is `true`: workflow commands are understood.
    pub github: bool,
}

/// What was decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// What shows the run; all of it goes to standard error.
    pub live: Live,
    /// How text on standard error is dressed.
    pub stderr: Style,
    /// How text on standard output is dressed.
    pub stdout: Style,
    /// Whether what commands print is shown.
    pub verbose: bool,
}

impl Surroundings {
    /// Looks at this process: its environment and where its outputs go.
    pub fn look() -> Self {
        let env = |name: &str| std::env::var(name).ok();
        Self::from(env, columns(&std::io::stdout()), columns(&std::io::stderr()))
    }

    fn from(
        env: impl Fn(&str) -> Option<String>,
        stdout: Option<usize>,
        stderr: Option<usize>,
    ) -> Self {
        let given = |name: &str| env(name).filter(|value| !value.is_empty());
        Self {
            stdout,
            stderr,
            no_color: given("NO_COLOR").is_some(),
            force_color: given("CLICOLOR_FORCE").is_some_and(|value| value != "0"),
            dumb: given("TERM").is_some_and(|term| term == "dumb"),
            ci: given("CI").is_some_and(|value| value != "false"),
            github: given("GITHUB_ACTIONS").is_some_and(|value| value == "true"),
        }
    }
}

/// Decides. A flag beats the environment; `NO_COLOR` beats `CLICOLOR_FORCE`.
pub fn choose(wishes: Wishes, around: &Surroundings) -> Choice {
    let live = match around.stderr {
        _ if wishes.quiet => Live::Quiet,
        Some(_) if !around.dumb && !around.ci => Live::Bars,
        _ => Live::Plain,
    };
    let style =
        |width: Option<usize>| Style { color: has_color(wishes.color, around, width), width };
    Choice {
        live,
        stderr: style(around.stderr),
        stdout: style(around.stdout),
        verbose: wishes.verbose,
    }
}

fn has_color(wish: Color, around: &Surroundings, width: Option<usize>) -> bool {
    match wish {
        Color::Always => true,
        Color::Never => false,
        Color::Auto if around.no_color => false,
        Color::Auto => around.force_color || (width.is_some() && !around.dumb),
    }
}

/// The columns of the terminal that `stream` goes to, 80 if it does not say; `None` if
/// it is none.
fn columns(stream: &(impl IsTerminal + AsFd)) -> Option<usize> {
    stream.is_terminal().then(|| size(stream).map_or(80, |(_, columns)| columns))
}

/// Rows and columns of the terminal that `stream` goes to. A terminal that does not
/// know says 0.
pub(super) fn size(stream: &impl AsFd) -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    let (rows, columns) = (usize::from(size.ws_row), usize::from(size.ws_col));
    (rows > 0 && columns > 0).then_some((rows, columns))
}
