//! The language of tasks, as tables: the part of `language.rs` that is about commands people run.

use super::{
    language::{PASS_ENV, field},
    shape::{
        Mapping,
        Presence::{Optional, Required, With},
        Shape::{self, Choice, Count, Flag, Free, List, Map, OneOf, Text, Value},
    },
};

const COMMAND: Shape = Text("a command");
const CONDITION: Shape = Text("a command, or a template that gives `true` or `false`");
const DURATION: Shape = Text("a duration such as `10m`");
const GLOB: Shape = Text("a path or pattern such as `src/**/*.go`, or `!` and what to leave out");
const PATH: Shape = Text("a path; with `?` at its end, it may be missing");
const PLACE: Shape = Text("an operating system such as `linux`, or a platform");
const TASK_NAME: Shape = Text("the name of a task");
const WORD: Shape = Text("a word");
const ITEM: Shape = Free;
const SCALAR: Shape = Value;
const ARGUMENTS: Shape = Map("names of parameters", &SCALAR);

/// Tasks by their names.
pub const TASKS: Shape = Map("names of tasks", &FORM);
/// Template variables: of a task, a spec or a whole file.
pub const VARS: Shape =
    Map("names of template variables", &OneOf(&[SCALAR, List(&ITEM), Shape::Record(&VARIABLE)]));
/// Files of environment variables.
pub const DOTENV: Shape = OneOf(&[PATH, List(&PATH)]);
/// What reads commands.
pub const SHELL: Shape = OneOf(&[Choice(&["sh", "bash"]), List(&WORD)]);
/// How output is shown.
pub const OUTPUT: Shape = Choice(&["prefixed", "grouped", "plain", "quiet"]);
/// How many of the tasks that name a pool run at once.
pub const POOLS: Shape = Map("names of pools", &Count);

/// A task: its command alone, a list of commands, or all that can be said of it.
const FORM: Shape = OneOf(&[COMMAND, List(&STEP), Shape::Record(&TASK)]);
const STEP: Shape = OneOf(&[COMMAND, Shape::Record(&ENTRY)]);
const STEPS: Shape = OneOf(&[COMMAND, List(&STEP)]);
const PLACES: Shape = OneOf(&[PLACE, List(&PLACE)]);
const GLOBS: Shape = OneOf(&[GLOB, List(&GLOB)]);

static TASK: Mapping = Mapping {
    what: "a task",
    exactly_one: &[],
    fields: &[
        field("desc", Optional, Text("a description"), "What it does, in a few words."),
        field("help", Optional, Text("a text"), "What it does, at length."),
        field("run", Optional, STEPS, "Its commands, one after the other."),
        field(
            "needs",
            Optional,
            OneOf(&[TASK_NAME, List(&OneOf(&[TASK_NAME, Shape::Record(&NEED)]))]),
            "Tasks that run before, side by side, and subsystems that are ensured before.",
        ),
        field(
            "with",
            Optional,
            OneOf(&[
                List(&Text("the name of a parameter")),
                Map("names of parameters", &OneOf(&[SCALAR, Shape::Record(&PARAMETER)])),
            ]),
            "Its parameters: a list of those it must be given, or a mapping to defaults.",
        ),
        field("dir", Optional, Text("a folder"), "Where it runs; the workspace if absent."),
        field("make_dir", Optional, Flag, "Whether `dir` is made if it is missing."),
        field(
            "env",
            Optional,
            Map("names of environment variables", &SCALAR),
            "Environment variables for its commands, over all others.",
        ),
        field(
            "pass_env",
            Optional,
            PASS_ENV,
            "Environment variables that it inherits though forge logs in with them.",
        ),
        field(
            "dotenv",
            Optional,
            DOTENV,
            "Files of environment variables; of one that stands in several, the first counts.",
        ),
        field("vars", Optional, VARS, "Template variables; each knows those before it."),
        field("private", Optional, Flag, "Whether only other tasks may use it."),
        field("alias", Optional, OneOf(&[TASK_NAME, List(&TASK_NAME)]), "Other names of it."),
        field("label", Optional, Text("a text"), "What its output is marked with."),
        field("quiet", Optional, Flag, "Whether its commands are not shown under `-v`."),
        field("timeout", Optional, DURATION, "How long it may take."),
        field(
            "retry",
            Optional,
            OneOf(&[Count, Shape::Record(&RETRY)]),
            "How often it is tried again when it fails.",
        ),
        field("confirm", Optional, Text("a question"), "What is asked before anything runs."),
        field("finally", Optional, STEPS, "What runs after it, whatever happened."),
        field("for", Optional, EACH, "Values that its commands run for, one after the other."),
        field("if", Optional, CONDITION, "Whether it runs at all."),
        field("only", Optional, PLACES, "Where it runs: operating systems or platforms."),
        field("once", Optional, Flag, "Whether it runs only once, also where `run` calls it."),
        field("fail_fast", Optional, Flag, "Whether nothing more begins once something failed."),
        field("allow_failure", Optional, Flag, "Whether to continue when it fails."),
        field("inputs", Optional, GLOBS, "The files it reads."),
        field("outputs", Optional, GLOBS, "The files it makes."),
        field(
            "status",
            Optional,
            OneOf(&[COMMAND, List(&COMMAND)]),
            "Commands that all succeed if there is nothing to do.",
        ),
        field(
            "assert",
            Optional,
            OneOf(&[COMMAND, List(&OneOf(&[COMMAND, Shape::Record(&ASSERTION)]))]),
            "Commands that must succeed, or it fails before it begins.",
        ),
        field("gitignore", Optional, Flag, "Whether what git ignores is none of its `inputs`."),
        field(
            "interactive",
            Optional,
            Flag,
            "Whether its commands get the terminal; nothing else runs meanwhile.",
        ),
        field(
            "pool",
            Optional,
            Text("the name of a pool"),
            "The pool, under `pools`, that limits how many run at once.",
        ),
        field("shell", Optional, SHELL, "What reads its commands; `sh` if absent."),
    ],
};

const EACH: Shape = OneOf(&[Choice(&["inputs", "outputs"]), List(&ITEM), Shape::Record(&LOOP)]);

static LOOP: Mapping = Mapping {
    what: "what `for` goes through",
    exactly_one: &["matrix", "glob", "sh", "expr"],
    fields: &[
        field(
            "matrix",
            Optional,
            Map("names of parts", &OneOf(&[List(&ITEM), Shape::Record(&PART)])),
            "Each combination of one value per name.",
        ),
        field("glob", Optional, GLOBS, "The files that the patterns mean, sorted."),
        field("sh", Optional, COMMAND, "The lines that a command prints."),
        field(
            "expr",
            Optional,
            Text("an expression such as `LIST` or `TEXT | split(',')`"),
            "The elements of a list, the values of a mapping, or the words of a text.",
        ),
        field(
            "split",
            Optional,
            Text("what stands between the parts"),
            "What a text is split at; for `sh` the ends of lines, else white space, if absent.",
        ),
        field(
            "as",
            Optional,
            Text("a word for templates"),
            "What templates call the value; `item` if absent.",
        ),
    ],
};

static PART: Mapping = Mapping {
    what: "a part of a matrix",
    exactly_one: &["expr"],
    fields: &[field("expr", Optional, Text("an expression"), "An expression that gives a list.")],
};

static RETRY: Mapping = Mapping {
    what: "a retry",
    exactly_one: &[],
    fields: &[
        field("times", Required, Count, "How often it is tried again."),
        field("delay", Optional, DURATION, "How long to wait before each try."),
    ],
};

static ENTRY: Mapping = Mapping {
    what: "a command of a task",
    exactly_one: &["run", "task", "finally"],
    fields: &[
        field("run", Optional, COMMAND, "The command."),
        field("task", Optional, TASK_NAME, "A task to run here."),
        field(
            "finally",
            Optional,
            OneOf(&[COMMAND, Shape::Record(&CALL)]),
            "What runs at the end, whatever happens after this; the last such runs first.",
        ),
        field("with", With("task"), ARGUMENTS, "What the task is given."),
        field("if", Optional, CONDITION, "Whether it runs."),
        field("timeout", Optional, DURATION, "How long it may take."),
        field("allow_failure", Optional, Flag, "Whether to continue when it fails."),
        field("quiet", Optional, Flag, "Whether it is not shown under `-v`."),
        field("only", Optional, PLACES, "Where it runs: operating systems or platforms."),
        field("for", Optional, EACH, "Values that it runs for, as `{{ item }}`."),
        field(
            "interactive",
            Optional,
            Flag,
            "Whether it gets the terminal; nothing else runs meanwhile.",
        ),
    ],
};

static NEED: Mapping = Mapping {
    what: "a need",
    exactly_one: &[],
    fields: &[
        field("task", Required, TASK_NAME, "The task."),
        field("with", Optional, ARGUMENTS, "What it is given."),
        field("for", Optional, EACH, "Values that it runs for, as `{{ item }}`."),
    ],
};

static CALL: Mapping = Mapping {
    what: "a call of a task",
    exactly_one: &[],
    fields: &[
        field("task", Required, TASK_NAME, "The task."),
        field("with", Optional, ARGUMENTS, "What it is given."),
    ],
};

static PARAMETER: Mapping = Mapping {
    what: "a parameter",
    exactly_one: &[],
    fields: &[
        field("desc", Optional, Text("a description"), "What it is, in a few words."),
        field("required", Optional, Flag, "Whether it must be given."),
        field("default", Optional, SCALAR, "What it is if it is not given."),
        field("enum", Optional, List(&SCALAR), "All that it can be."),
    ],
};

static VARIABLE: Mapping = Mapping {
    what: "a variable",
    exactly_one: &["value", "expr", "sh", "secret"],
    fields: &[
        field("value", Optional, Free, "A value of any kind, also a mapping."),
        field(
            "expr",
            Optional,
            Text("an expression such as `A | split(',')`"),
            "An expression; the variable is its value, of whatever kind.",
        ),
        field("sh", Optional, COMMAND, "A command; the variable is what it prints."),
        field(
            "secret",
            Optional,
            OneOf(&[Text("a text"), Shape::Record(&SECRET)]),
            "A value that is shown nowhere.",
        ),
    ],
};

static SECRET: Mapping = Mapping {
    what: "where a secret is",
    exactly_one: &["sh", "env"],
    fields: &[
        field("sh", Optional, COMMAND, "A command that prints it."),
        field("env", Optional, Text("a name"), "The environment variable that holds it."),
    ],
};

static ASSERTION: Mapping = Mapping {
    what: "an assertion",
    exactly_one: &[],
    fields: &[
        field("run", Required, COMMAND, "The command that must succeed."),
        field("message", Optional, Text("a sentence"), "What is said if it does not."),
    ],
};
