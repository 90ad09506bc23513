//! Decides how a run shows itself: bars, plain lines or nothing, with colours or without.

use std::{
    io::{self, IsTerminal},
    os::fd::AsFd,
};

use anstream::{AutoStream, ColorChoice};

use crate::{model::Environment, report::Style};

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
pub enum LiveDisplay {
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
pub struct TerminalFacts {
    /// Columns of the terminal that standard output goes to, if it is one.
    pub stdout: Option<usize>,
    /// Columns of the terminal that standard error goes to, if it is one.
    pub stderr: Option<usize>,
    /// `COLUMNS`: how wide lines are to be, wherever they go. `watch` sets it, say.
    pub columns: Option<usize>,
    /// `NO_COLOR` is set and not empty (see no-color.org).
    pub no_color: bool,
    /// `CLICOLOR_FORCE` or `FORCE_COLOR` is set and not `0`.
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
    pub live: LiveDisplay,
    /// How text on standard error is dressed.
    pub stderr: Style,
    /// How text on standard output is dressed.
    pub stdout: Style,
    /// Whether what commands print is shown.
    pub verbose: bool,
}

impl TerminalFacts {
    /// `environment`, and where the outputs of this process go.
    pub fn detect(environment: &Environment) -> Self {
        Self::from(environment, columns(&io::stdout()), columns(&io::stderr()))
    }

    /// How wide lines on standard output are to be, if that is limited.
    pub fn stdout_width(&self) -> Option<usize> {
        self.columns.or(self.stdout)
    }

    fn from(environment: &Environment, stdout: Option<usize>, stderr: Option<usize>) -> Self {
        let given = |name: &str| environment.get(name).filter(|value| !value.is_empty());
        Self {
            stdout,
            stderr,
            columns: given("COLUMNS").and_then(|it| it.parse().ok()).filter(|it| *it > 0),
            no_color: given("NO_COLOR").is_some(),
            force_color: ["CLICOLOR_FORCE", "FORCE_COLOR"]
                .iter()
                .any(|name| given(name).is_some_and(|value| value != "0")),
            dumb: given("TERM").is_some_and(|term| term == "dumb"),
            ci: given("CI").is_some_and(|value| value != "false"),
            github: given("GITHUB_ACTIONS").is_some_and(|value| value == "true"),
        }
    }
}

/// Decides. A flag beats the environment; `NO_COLOR` beats what forces colours.
pub fn choose(wishes: Wishes, around: &TerminalFacts) -> Choice {
    let live = match around.stderr {
        _ if wishes.quiet => LiveDisplay::Quiet,
        Some(_) if !around.dumb && !around.ci => LiveDisplay::Bars,
        _ => LiveDisplay::Plain,
    };
    let style = |terminal: Option<usize>| Style {
        color: has_color(wishes.color, around, terminal),
        width: around.columns.or(terminal),
    };
    Choice {
        live,
        stderr: style(around.stderr),
        stdout: style(around.stdout),
        verbose: wishes.verbose,
    }
}

fn has_color(wish: Color, around: &TerminalFacts, width: Option<usize>) -> bool {
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
    stream.is_terminal().then(|| size(stream).unwrap_or_default().columns)
}

/// Rows and columns of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub rows: usize,
    pub columns: usize,
}

impl Default for Size {
    /// What terminals had when they were machines; those that say nothing still do.
    fn default() -> Self {
        Self { rows: 24, columns: 80 }
    }
}

/// The size of the terminal that `stream` goes to, if it is one and says it (0 is not a size).
pub(super) fn size(stream: &impl AsFd) -> Option<Size> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    let (rows, columns) = (usize::from(size.ws_row), usize::from(size.ws_col));
    (rows > 0 && columns > 0).then_some(Size { rows, columns })
}

/// Standard error, which takes colours only if `style` has them.
pub(super) fn stderr(style: Style) -> AutoStream<io::Stderr> {
    let choice = if style.color { ColorChoice::Always } else { ColorChoice::Never };
    AutoStream::new(io::stderr(), choice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(env: &[(&str, &str)], stdout: Option<usize>, stderr: Option<usize>) -> TerminalFacts {
        TerminalFacts::from(&env.iter().copied().collect(), stdout, stderr)
    }

    fn chosen(color: Color, env: &[(&str, &str)], stderr: Option<usize>) -> (LiveDisplay, bool) {
        let wishes = Wishes { color, ..Wishes::default() };
        let choice = choose(wishes, &around(env, None, stderr));
        (choice.live, choice.stderr.color)
    }

    #[test]
    fn a_terminal_gets_bars_and_colours_and_anything_else_neither() {
        assert_eq!(chosen(Color::Auto, &[], Some(80)), (LiveDisplay::Bars, true));
        assert_eq!(chosen(Color::Auto, &[], None), (LiveDisplay::Plain, false));
        assert_eq!(chosen(Color::Auto, &[("TERM", "dumb")], Some(80)), (LiveDisplay::Plain, false));
        assert_eq!(chosen(Color::Auto, &[("CI", "true")], Some(80)), (LiveDisplay::Plain, true));
        assert_eq!(chosen(Color::Auto, &[("CI", "false")], Some(80)), (LiveDisplay::Bars, true));
    }

    #[test]
    fn a_flag_beats_the_environment_and_no_color_beats_force() {
        let no = ("NO_COLOR", "1");
        let force = ("CLICOLOR_FORCE", "1");
        assert!(!chosen(Color::Auto, &[no], Some(80)).1);
        assert!(chosen(Color::Auto, &[("NO_COLOR", "")], Some(80)).1);
        assert!(chosen(Color::Auto, &[force], None).1);
        assert!(!chosen(Color::Auto, &[("CLICOLOR_FORCE", "0")], None).1);
        assert!(chosen(Color::Auto, &[("FORCE_COLOR", "1")], None).1);
        assert!(!chosen(Color::Auto, &[("FORCE_COLOR", "0")], None).1);
        assert!(!chosen(Color::Auto, &[no, force], None).1);
        assert!(chosen(Color::Always, &[no], None).1);
        assert!(!chosen(Color::Never, &[force], Some(80)).1);
    }

    #[test]
    fn each_output_is_dressed_by_where_it_goes() {
        let choice = choose(Wishes::default(), &around(&[], Some(100), None));
        assert_eq!(choice.stdout, Style { color: true, width: Some(100) });
        assert_eq!(choice.stderr, Style::PLAIN);
        let asked = |columns| {
            let around = around(&[("COLUMNS", columns)], Some(100), None);
            let choice = choose(Wishes::default(), &around);
            (choice.stdout.width, choice.stderr)
        };
        assert_eq!(asked("40"), (Some(40), Style { color: false, width: Some(40) }));
        assert_eq!(asked("0"), (Some(100), Style::PLAIN));
        assert_eq!(asked("wide"), (Some(100), Style::PLAIN));
        let quiet = Wishes { quiet: true, ..Wishes::default() };
        assert_eq!(choose(quiet, &around(&[], None, Some(80))).live, LiveDisplay::Quiet);
    }
}
