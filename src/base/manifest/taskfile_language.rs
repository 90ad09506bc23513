//! The language of Taskfiles (`version: 3`), as tables: what is read, so that what is misspelt is told
//! and nothing in a Taskfile is left out in silence. The source is the schema that Task publishes.

use super::{
    language::field,
    shape::{
        Mapping,
        Presence::{Optional, Required},
        Shape::{self, Choice, Flag, Free, List, Map, Maybe, OneOf, Value},
    },
};

const TEXT: Shape = Value;
const TEXTS: Shape = OneOf(&[TEXT, List(&Maybe(&TEXT))]);
const NAMES: Shape = List(&Maybe(&TEXT));
const VARIABLES: Shape = Maybe(&Map("names of variables", &VARIABLE));
const VARIABLE: Shape = Maybe(&OneOf(&[TEXT, List(&FREE), Shape::Record(&DYNAMIC)]));
const FREE: Shape = Free;
const FILES: Shape = List(&Maybe(&OneOf(&[TEXT, Shape::Record(&EXCLUDED)])));
const METHOD: Shape = Choice(&["checksum", "timestamp", "none"]);
const HOW_OFTEN: Shape = Choice(&["always", "once", "when_changed"]);
const COMMANDS: Shape = Maybe(&OneOf(&[TEXT, List(&STEP)]));
const STEP: Shape = Maybe(&OneOf(&[TEXT, Shape::Record(&COMMAND)]));
const FORM: Shape = Maybe(&OneOf(&[TEXT, List(&STEP), Shape::Record(&TASK)]));
const LOOP: Shape =
    OneOf(&[Choice(&["sources", "generates"]), List(&FREE), Shape::Record(&REPEATED)]);

/// A Taskfile.
pub static TASKFILE: Mapping = Mapping {
    what: "a Taskfile",
    exactly_one: &[],
    fields: &[
        field("version", Required, TEXT, "The version of its schema; `3`."),
        field("output", Optional, OneOf(&[TEXT, Shape::Record(&OUTPUT)]), "How output is shown."),
        field("method", Optional, METHOD, "How it is told whether sources changed."),
        field(
            "includes",
            Optional,
            Maybe(&Map("names of includes", &INCLUDED)),
            "Other Taskfiles.",
        ),
        field("vars", Optional, VARIABLES, "Variables of templates."),
        field("env", Optional, VARIABLES, "Variables of the environment."),
        field("tasks", Optional, Maybe(&Map("names of tasks", &FORM)), "The tasks."),
        field("silent", Optional, Flag, "Whether commands are not shown."),
        field("dotenv", Optional, NAMES, "Files of variables of the environment."),
        field("run", Optional, HOW_OFTEN, "How often a task runs that is called several times."),
        field("interval", Optional, TEXT, "How often files are looked at under `--watch`."),
        field("set", Optional, NAMES, "Options of the shell, as of `set -o`."),
        field("shopt", Optional, NAMES, "Options of the shell, as of `shopt -s`."),
        field("use_gitignore", Optional, Flag, "Whether what git ignores is not a source."),
        field("failfast", Optional, Flag, "Whether the first failure stops the rest."),
    ],
};

const INCLUDED: Shape = OneOf(&[TEXT, Shape::Record(&INCLUDE)]);

static INCLUDE: Mapping = Mapping {
    what: "an include",
    exactly_one: &[],
    fields: &[
        field("taskfile", Required, TEXT, "The file or folder."),
        field("dir", Optional, TEXT, "Where its tasks run."),
        field("optional", Optional, Flag, "Whether it may be missing."),
        field("flatten", Optional, Flag, "Whether its tasks have no prefix."),
        field("internal", Optional, Flag, "Whether only other tasks may use its tasks."),
        field("aliases", Optional, NAMES, "Other names of it."),
        field("excludes", Optional, NAMES, "Tasks that are left out."),
        field("vars", Optional, VARIABLES, "Variables for its tasks."),
        field("checksum", Optional, TEXT, "The SHA-256 that it must have."),
    ],
};

static OUTPUT: Mapping = Mapping {
    what: "a style of output",
    exactly_one: &[],
    fields: &[field("group", Optional, Maybe(&Shape::Record(&GROUP)), "Output per command.")],
};

static GROUP: Mapping = Mapping {
    what: "a group of output",
    exactly_one: &[],
    fields: &[
        field("begin", Optional, TEXT, "What stands before it."),
        field("end", Optional, TEXT, "What stands after it."),
        field("error_only", Optional, Flag, "Whether it is shown only after a failure."),
    ],
};

static DYNAMIC: Mapping = Mapping {
    what: "a variable",
    exactly_one: &["sh", "ref", "map", "value"],
    fields: &[
        field("sh", Optional, TEXT, "A command; the variable is what it prints."),
        field("ref", Optional, TEXT, "An expression."),
        field("map", Optional, Free, "A mapping."),
        field("value", Optional, Free, "A value."),
        field("secret", Optional, Flag, "Whether it is not shown."),
    ],
};

static EXCLUDED: Mapping = Mapping {
    what: "a pattern of files",
    exactly_one: &[],
    fields: &[field("exclude", Required, TEXT, "What is left out.")],
};

static TASK: Mapping = Mapping {
    what: "a task",
    exactly_one: &[],
    fields: &[
        field("cmds", Optional, COMMANDS, "Its commands."),
        field("cmd", Optional, STEP, "Its command."),
        field("deps", Optional, Maybe(&List(&STEP)), "Tasks that run before it."),
        field("label", Optional, TEXT, "What it is called in what is shown."),
        field("desc", Optional, TEXT, "What it does, in a few words."),
        field("summary", Optional, TEXT, "What it does, at length."),
        field("prompt", Optional, TEXTS, "What is asked before it runs."),
        field("aliases", Optional, TEXTS, "Other names of it."),
        field("sources", Optional, Maybe(&FILES), "The files that it reads."),
        field("generates", Optional, Maybe(&FILES), "The files that it makes."),
        field("status", Optional, Maybe(&TEXTS), "Commands that succeed if nothing is to do."),
        field(
            "preconditions",
            Optional,
            Maybe(&List(&Maybe(&OneOf(&[TEXT, Shape::Record(&CONDITION)])))),
            "Commands that must succeed.",
        ),
        field("if", Optional, TEXT, "Whether it runs at all."),
        field("dir", Optional, TEXT, "Where it runs."),
        field("set", Optional, NAMES, "Options of the shell, as of `set -o`."),
        field("shopt", Optional, NAMES, "Options of the shell, as of `shopt -s`."),
        field("vars", Optional, VARIABLES, "Variables of templates."),
        field("env", Optional, VARIABLES, "Variables of the environment."),
        field("dotenv", Optional, NAMES, "Files of variables of the environment."),
        field("silent", Optional, Flag, "Whether commands are not shown."),
        field("interactive", Optional, Flag, "Whether it talks with a person."),
        field("internal", Optional, Flag, "Whether only other tasks may use it."),
        field("method", Optional, METHOD, "How it is told whether sources changed."),
        field("prefix", Optional, TEXT, "What its lines begin with."),
        field("ignore_error", Optional, Flag, "Whether its failure does not matter."),
        field("run", Optional, HOW_OFTEN, "How often it runs when it is called several times."),
        field("platforms", Optional, NAMES, "Where it runs."),
        field("requires", Optional, Shape::Record(&REQUIRED), "Variables that it must be given."),
        field("watch", Optional, Flag, "Whether it runs again when a source changes."),
        field("failfast", Optional, Flag, "Whether the first failure stops the rest."),
        field("use_gitignore", Optional, Flag, "Whether what git ignores is not a source."),
    ],
};

static COMMAND: Mapping = Mapping {
    what: "a command",
    exactly_one: &["cmd", "task", "defer"],
    fields: &[
        field("cmd", Optional, TEXT, "The command."),
        field("task", Optional, TEXT, "A task."),
        field("defer", Optional, OneOf(&[TEXT, Shape::Record(&DEFERRED)]), "What runs at the end."),
        field("vars", Optional, VARIABLES, "What the task is given."),
        field("for", Optional, LOOP, "What it runs for."),
        field("if", Optional, TEXT, "Whether it runs."),
        field("silent", Optional, Flag, "Whether it is not shown."),
        field("ignore_error", Optional, Flag, "Whether its failure does not matter."),
        field("platforms", Optional, NAMES, "Where it runs."),
        field("timeout", Optional, TEXT, "How long it may take."),
        field("set", Optional, NAMES, "Options of the shell, as of `set -o`."),
        field("shopt", Optional, NAMES, "Options of the shell, as of `shopt -s`."),
    ],
};

static DEFERRED: Mapping = Mapping {
    what: "a deferred task",
    exactly_one: &["task"],
    fields: &[
        field("task", Optional, TEXT, "A task."),
        field("vars", Optional, VARIABLES, "What the task is given."),
        field("silent", Optional, Flag, "Whether it is not shown."),
    ],
};

static CONDITION: Mapping = Mapping {
    what: "a precondition",
    exactly_one: &[],
    fields: &[
        field("sh", Required, TEXT, "The command that must succeed."),
        field("msg", Optional, TEXT, "What is said if it does not."),
    ],
};

static REQUIRED: Mapping = Mapping {
    what: "a list of what is required",
    exactly_one: &[],
    fields: &[field(
        "vars",
        Required,
        List(&OneOf(&[TEXT, Shape::Record(&REQUIREMENT)])),
        "The variables.",
    )],
};

static REQUIREMENT: Mapping = Mapping {
    what: "a required variable",
    exactly_one: &[],
    fields: &[
        field("name", Required, TEXT, "The variable."),
        field("enum", Optional, OneOf(&[List(&TEXT), Shape::Record(&REFERENCE)]), "All it can be."),
    ],
};

static REFERENCE: Mapping = Mapping {
    what: "a reference",
    exactly_one: &[],
    fields: &[field("ref", Required, TEXT, "An expression.")],
};

static REPEATED: Mapping = Mapping {
    what: "a loop",
    exactly_one: &["var", "matrix"],
    fields: &[
        field("var", Optional, TEXT, "The variable whose parts it runs for."),
        field("split", Optional, TEXT, "What stands between the parts."),
        field("as", Optional, TEXT, "What the part is called."),
        field(
            "matrix",
            Optional,
            Map("names of parts", &OneOf(&[List(&FREE), Shape::Record(&REFERENCE)])),
            "All combinations of these.",
        ),
    ],
};
