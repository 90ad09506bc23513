//! Mistakes of the command line, told as all others are: what is wrong, why, and what to write instead.

use std::{error::Error as _, ffi::OsString};

use clap::{
    Arg, Command, Parser,
    error::{ContextKind, ContextValue, ErrorKind},
};

use super::{
    args::Args,
    flags::Global,
    habits,
    help::{self, examples::examples_of},
    host::Host,
    session::Session,
    task_names::unknown_word,
    verb_names,
};
use crate::model::{Environment, Fault, Kind, nearest};

/// Options of others, and what forge calls them.
const OPTION_SYNONYMS: [(&[&str], &str); 10] = [
    (&["-n", "--simulate", "--what-if", "--no-act"], "--dry-run"),
    (&["--no-color", "--no-colour", "--nocolor", "--plain"], "--color never"),
    (&["--debug", "--loud"], "--verbose"),
    (&["--silent", "--quietly"], "--quiet"),
    (&["--cwd", "--chdir", "--dir", "--workdir", "--project"], "-C DIR"),
    (&["--frozen", "--frozen-lockfile", "--immutable"], "--locked"),
    (&["--no-network", "--net-offline"], "--offline"),
    (&["--rebuild", "--no-cache", "--clean", "-B"], "--force"),
    (&["--concurrency", "--parallelism", "--max-jobs"], "--jobs N"),
    (&["--target", "--os", "--arch"], "--platform OS-ARCH"),
];

/// Tells what is wrong with the words of `argv` by `error`, and returns the exit code.
pub(super) fn report(error: &clap::Error, argv: &[OsString], environment: Environment) -> u8 {
    let session = Session::new(Host::new(environment), flags_of(argv), false);
    let command = help::command();
    let word_of = |argv: &[OsString]| {
        let word = argv.get(habits::first_word(argv)?)?;
        Some(word.to_string_lossy().into_owned())
    };
    let typed = word_of(argv);
    let verb = word_of(&habits::rewrite(argv.to_vec(), &verb_names(&command)));
    let task = typed.filter(|typed| verb.as_deref() == Some("run") && typed != "run");
    // An option tells nothing while the word before it is unknown.
    let unknown = task.as_deref().and_then(|word| unknown_word(&session, word));
    let fault = unknown.unwrap_or_else(|| Mistake { error, command, verb, task }.fault());
    session.report(fault.into())
}

/// Those flags that say where forge looks and how it tells, of a line that cannot be read as a whole.
fn flags_of(argv: &[OsString]) -> Global {
    let mut words = argv.iter().skip(1).take_while(|word| *word != "--");
    let mut line = vec![OsString::from("forge")];
    while let Some(word) = words.next() {
        let text = word.to_string_lossy();
        if matches!(&*text, "--json" | "-q" | "--quiet") {
            line.push(word.clone());
        } else if matches!(&*text, "-C" | "--directory" | "--color") {
            line.extend([Some(word), words.next()].into_iter().flatten().cloned());
        }
    }
    Args::try_parse_from(line).map(|args| args.global).unwrap_or_default()
}

/// A command line that cannot be read.
struct Mistake<'a> {
    error: &'a clap::Error,
    command: Command,
    /// The verb that it is for, if it got so far.
    verb: Option<String>,
    /// The task that was named without a verb, if it is so.
    task: Option<String>,
}

impl Mistake<'_> {
    /// What is told.
    fn fault(&self) -> Fault {
        match self.error.kind() {
            ErrorKind::UnknownArgument => self.unknown_argument(),
            ErrorKind::MissingRequiredArgument => self.missing(),
            ErrorKind::InvalidValue => self.invalid_value(),
            ErrorKind::ValueValidation => self.refused_value(),
            ErrorKind::ArgumentConflict => self.conflict(),
            ErrorKind::TooManyValues => self.needless_value(),
            ErrorKind::InvalidSubcommand => {
                let word = self.text(ContextKind::InvalidSubcommand);
                usage(format!("there is no verb `{word}`")).hint(self.help_hint())
            }
            _ => {
                let text = self.error.render().to_string();
                let first = text.lines().next().unwrap_or_default();
                usage(first.trim_start_matches("error: ")).hint(self.help_hint())
            }
        }
    }

    /// How the line begins: `forge`, with the verb if there is one.
    fn start(&self) -> String {
        match (&self.task, &self.verb) {
            (Some(word), _) | (None, Some(word)) => format!("forge {word}"),
            (None, None) => "forge".to_owned(),
        }
    }

    fn unknown_argument(&self) -> Fault {
        let word = self.text(ContextKind::InvalidArg);
        let start = self.start();
        if !word.starts_with('-') {
            let fault = usage(format!("`{word}` is one word too many for `{start}`"));
            return fault.hint(format!("it takes: `{}`", self.usage_line()));
        }
        let fault = usage(format!("`{start}` has no option `{word}`"));
        if let Some(task) = &self.task {
            return fault.hint(format!(
                "what the commands of the task are to get stands after `--`: `forge {task} -- {word}`"
            ));
        }
        let owners = self.owners(&word);
        let synonym = OPTION_SYNONYMS.iter().find(|(words, _)| words.contains(&word.as_str()));
        match (owners.as_slice(), synonym, self.near_option(&word)) {
            (_, Some((_, own)), _) => fault.hint(format!("`{own}` does that")),
            ([], None, Some(near)) => fault.hint(format!("did you mean `{near}`?")),
            ([], None, None) => fault.hint(self.help_hint()),
            (owners, ..) => {
                let shown: Vec<_> =
                    owners.iter().take(3).map(|it| format!("`forge {it}`")).collect();
                fault.hint(format!("it is an option of {}", shown.join(", ")))
            }
        }
    }

    /// The verbs that have the option `word`.
    fn owners(&self, word: &str) -> Vec<String> {
        let has =
            |verb: &&Command| verb.get_arguments().any(|arg| spellings(arg).any(|it| it == word));
        let verbs = self.command.get_subcommands().filter(|verb| !verb.is_hide_set());
        // A letter means something else to each verb.
        let is_telling = word.starts_with("--");
        verbs.filter(has).filter(|_| is_telling).map(|verb| verb.get_name().to_owned()).collect()
    }

    /// The option of this verb, or of all, that `word` was probably meant to be.
    fn near_option(&self, word: &str) -> Option<String> {
        let bare = word.strip_prefix("--")?;
        let own = self.own().into_iter().flat_map(Command::get_arguments);
        let longs: Vec<_> =
            own.chain(self.command.get_arguments()).filter_map(Arg::get_long).collect();
        nearest(bare, longs).map(|near| format!("--{near}"))
    }

    fn own(&self) -> Option<&Command> {
        self.command.find_subcommand(self.verb.as_deref()?)
    }

    fn missing(&self) -> Fault {
        let missing = self.texts(ContextKind::InvalidArg);
        let shown: Vec<_> = missing.iter().map(|it| plain(it)).collect();
        let mut fault = usage(format!("`{}` needs `{}`", self.start(), shown.join("` and `")));
        for (text, shown) in missing.iter().zip(&shown) {
            let arg =
                self.own().and_then(|verb| verb.get_arguments().find(|arg| is_called(arg, text)));
            if let Some(about) = arg.and_then(Arg::get_help) {
                fault = fault.because(format!("`{shown}` is missing: {}", in_sentence(about)));
            }
        }
        let verb = self.verb.as_deref().unwrap_or_default();
        let option =
            shown.first().and_then(|it| it.split(' ').next()).filter(|it| it.starts_with('-'));
        let is_fitting = |line: &&&str| option.is_none_or(|option| line.contains(option));
        match examples_of(verb).iter().find(is_fitting) {
            Some(example) => fault.hint(format!("for example `{example}`")),
            None => fault.hint(format!("it takes: `{}`", self.usage_line())),
        }
    }

    fn invalid_value(&self) -> Fault {
        let (arg, value) =
            (self.text(ContextKind::InvalidArg), self.text(ContextKind::InvalidValue));
        let name = name_of(&arg);
        let valid = self.texts(ContextKind::ValidValue);
        if value.is_empty() {
            let fault = usage(format!("`{name}` needs a value"));
            let listed = list_of(&valid);
            return match valid.is_empty() {
                true => fault.hint(format!("write `{}`", plain(&arg))),
                false => fault.hint(format!("write `{name}` and {listed}")),
            };
        }
        let fault = match name.starts_with('-') {
            true => usage(format!("`{value}` is not a value of `{name}`")),
            false => usage(format!("`{}` does not know `{value}`", self.start())),
        };
        match nearest(&value, valid.iter().map(String::as_str)) {
            Some(near) => fault.hint(format!("did you mean `{near}`?")),
            None => fault.hint(format!("write {}", list_of(&valid))),
        }
    }

    fn refused_value(&self) -> Fault {
        let (arg, value) =
            (self.text(ContextKind::InvalidArg), self.text(ContextKind::InvalidValue));
        let why = self.error.source().map(ToString::to_string).unwrap_or_default();
        let why = match why.as_str() {
            "invalid digit found in string" => "it is not a whole number".to_owned(),
            _ => why,
        };
        let fault = usage(format!("`{value}` is not a value of `{}`", name_of(&arg)));
        fault.because(why).hint(self.help_hint())
    }

    fn conflict(&self) -> Fault {
        let one = name_of(&self.text(ContextKind::InvalidArg));
        match self.texts(ContextKind::PriorArg).first().map(|it| name_of(it)) {
            Some(other) if other != one => {
                usage(format!("`{one}` and `{other}` exclude each other"))
                    .hint("leave one of them out")
            }
            _ => usage(format!("`{one}` is given twice")).hint("give it once"),
        }
    }

    fn needless_value(&self) -> Fault {
        let (arg, value) =
            (self.text(ContextKind::InvalidArg), self.text(ContextKind::InvalidValue));
        let name = name_of(&arg);
        usage(format!("`{name}` takes no value, and here is `{value}`"))
            .hint(format!("write `{name}` alone"))
    }

    /// Where the options are told.
    fn help_hint(&self) -> String {
        match &self.verb {
            Some(verb) => format!(
                "`forge help {verb}` shows what it takes, `forge help options` what all take"
            ),
            None => "`forge help` shows the verbs, `forge help options` what all take".to_owned(),
        }
    }

    /// `forge graph [OPTIONS]`.
    fn usage_line(&self) -> String {
        let Some(verb) = self.own() else { return "forge [OPTIONS] VERB | TASK [ARGS]".to_owned() };
        let text = verb.clone().bin_name(self.start()).render_usage().to_string();
        text.trim_start_matches("Usage: ").to_owned()
    }

    fn text(&self, kind: ContextKind) -> String {
        self.texts(kind).into_iter().next().unwrap_or_default()
    }

    fn texts(&self, kind: ContextKind) -> Vec<String> {
        match self.error.get(kind) {
            Some(ContextValue::String(text)) => vec![text.clone()],
            Some(ContextValue::Strings(texts)) => texts.clone(),
            _ => Vec::new(),
        }
    }
}

/// `about`, going on after a colon.
fn in_sentence(about: &clap::builder::StyledStr) -> String {
    let text = about.to_string();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

fn usage(what: impl Into<String>) -> Fault {
    Fault::new(Kind::Usage, what)
}

/// `--keep` of `--keep <N>`, `WHAT` of `[WHAT]`.
fn name_of(arg: &str) -> String {
    plain(arg.split([' ', '=']).next().unwrap_or_default())
}

/// `--keep N` of `--keep <N>`, `NAMES` of `<NAMES>...`.
fn plain(arg: &str) -> String {
    arg.trim_end_matches("...").replace(['<', '>', '[', ']'], "")
}

/// `a, b or c`.
fn list_of(words: &[String]) -> String {
    let shown: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    match shown.as_slice() {
        [most @ .., last] if !most.is_empty() => format!("{} or {last}", most.join(", ")),
        _ => shown.concat(),
    }
}

/// How `arg` can be written.
fn spellings(arg: &Arg) -> impl Iterator<Item = String> {
    let long = arg.get_long().map(|long| format!("--{long}"));
    let short = arg.get_short().map(|short| format!("-{short}"));
    long.into_iter().chain(short)
}

/// Whether an error means `arg` by `text`: `<NAME>`, `--keep <N>`.
fn is_called(arg: &Arg, text: &str) -> bool {
    let name = name_of(text);
    let values = arg.get_value_names().unwrap_or_default();
    match arg.is_positional() {
        true => values.iter().any(|value| *value == plain(text).as_str()),
        false => spellings(arg).any(|it| it == name),
    }
}
