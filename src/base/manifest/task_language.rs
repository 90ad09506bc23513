//! The language of tasks, as tables: the part of `language.rs` that is about commands people run.

use super::{
    language::{PASS_ENV, PROPERTY, field},
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
        field("desc", Optional, Text("a description"), "What it does, in a few words.")
            .example("run all tests"),
        field("help", Optional, Text("a text"), "What it does, at length.")
            .example("Runs the unit tests, then those that need a database."),
        field("run", Optional, STEPS, "Its commands, one after the other.")
            .example("[go vet ./..., go test ./...]"),
        field(
            "needs",
            Optional,
            OneOf(&[TASK_NAME, List(&OneOf(&[TASK_NAME, Shape::Record(&NEED)]))]),
            "Tasks that run before, side by side, and subsystems that are ensured before.",
        )
        .example("[generate, nats]"),
        field(
            "with",
            Optional,
            OneOf(&[
                List(&Text("the name of a parameter")),
                Map("names of parameters", &OneOf(&[SCALAR, Shape::Record(&PARAMETER)])),
            ]),
            "Its parameters: a list of those it must be given, or a mapping to defaults.",
        )
        .example("{ mode: fast, target: { required: true } }"),
        field("dir", Optional, Text("a folder"), "Where it runs.")
            .default("the workspace")
            .example("web"),
        field("make_dir", Optional, Flag, "Whether `dir` is made if it is missing.")
            .example("true"),
        field(
            "env",
            Optional,
            Map("names of environment variables", &SCALAR),
            "Environment variables for its commands, over all others.",
        )
        .example(r#"{ CGO_ENABLED: "0" }"#),
        field(
            "pass_env",
            Optional,
            PASS_ENV,
            "Environment variables that it inherits though forge logs in with them.",
        )
        .example("[GH_TOKEN]"),
        field(
            "dotenv",
            Optional,
            DOTENV,
            "Files of environment variables; of one that stands in several, the first counts.",
        )
        .example("[local.env?, .env]"),
        field("vars", Optional, VARS, "Template variables; each knows those before it.")
            .example("{ out: build, commit: { sh: git rev-parse HEAD } }"),
        field("private", Optional, Flag, "Whether only other tasks may use it.").example("true"),
        field("alias", Optional, OneOf(&[TASK_NAME, List(&TASK_NAME)]), "Other names of it.")
            .example("[t]"),
        field("label", Optional, Text("a text"), "What its output is marked with.").example("unit"),
        field("quiet", Optional, Flag, "Whether its commands are not shown under `-v`.")
            .example("true"),
        field("timeout", Optional, DURATION, "How long it may take.").example("10m"),
        field(
            "retry",
            Optional,
            OneOf(&[Count, Shape::Record(&RETRY)]),
            "How often it is tried again when it fails.",
        )
        .example("{ times: 3, delay: 1s }"),
        field("confirm", Optional, Text("a question"), "What is asked before anything runs.")
            .example("Delete the database?"),
        field("finally", Optional, STEPS, "What runs after it, whatever happened.")
            .example("rm -rf tmp"),
        field("for", Optional, EACH, "Values that its commands run for, one after the other.")
            .example("[a, b]"),
        field("if", Optional, CONDITION, "Whether it runs at all.").example("test -f go.mod"),
        field("only", Optional, PLACES, "Where it runs: operating systems or platforms.")
            .example("[linux, darwin-arm64]"),
        field("once", Optional, Flag, "Whether it runs only once, also where `run` calls it.")
            .example("true"),
        field(
            "once_as",
            Optional,
            Text("a name"),
            "What tasks are called that count as one for `once`; `*` stands for what they are given.",
        )
        .example("generate *"),
        field("fail_fast", Optional, Flag, "Whether nothing more begins once something failed.")
            .example("true"),
        field("allow_failure", Optional, Flag, "Whether to continue when it fails.")
            .example("true"),
        field("inputs", Optional, GLOBS, "The files it reads.")
            .example(r#"["src/**/*.go", "!**/*_test.go"]"#),
        field("outputs", Optional, GLOBS, "The files it makes.").example("dist/app.js"),
        field(
            "status",
            Optional,
            OneOf(&[COMMAND, List(&COMMAND)]),
            "Commands that all succeed if there is nothing to do.",
        )
        .example("test -d node_modules"),
        field(
            "assert",
            Optional,
            OneOf(&[COMMAND, List(&OneOf(&[COMMAND, Shape::Record(&ASSERTION)]))]),
            "Commands that must succeed, or it fails before it begins.",
        )
        .example("[{ run: test -f .env, message: copy .env.example to .env }]"),
        field("gitignore", Optional, Flag, "Whether what git ignores is none of its `inputs`.")
            .example("true"),
        field(
            "interactive",
            Optional,
            Flag,
            "Whether its commands get the terminal; nothing else runs meanwhile.",
        )
        .example("true"),
        field(
            "pool",
            Optional,
            Text("the name of a pool"),
            "The pool, under `pools`, that limits how many run at once.",
        )
        .example("database"),
        field(
            "remote",
            Optional,
            OneOf(&[Flag, Shape::Record(&SHARED)]),
            "Whether machines share what it makes, by the `remote` of `versions.yml`. It needs `inputs` and `outputs`.",
        )
        .default("`false`")
        .example("{ tools: [protoc] }"),
        field("shell", Optional, SHELL, "What reads its commands.").default("`sh`").example("bash"),
    ],
};

static SHARED: Mapping = Mapping {
    what: "how a task is shared",
    exactly_one: &[],
    fields: &[
        field(
            "tools",
            Optional,
            List(&WORD),
            "The programs that decide what it makes: what they say of their versions is part of the key.",
        )
        .example("[protoc, go]"),
        field(
            "properties",
            Optional,
            Map("names of properties", &PROPERTY),
            "The properties that a worker has to have, over those of `versions.yml`.",
        )
        .example("{ ISA: x86-64 }"),
        field("execute", Optional, Flag, "Whether it runs on a worker, where `versions.yml` says `execution`.")
            .default("`true`")
            .example("false"),
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
        )
        .example("{ os: [linux, darwin], arch: [amd64, arm64] }"),
        field("glob", Optional, GLOBS, "The files that the patterns mean, sorted.")
            .example(r#""*.proto""#),
        field("sh", Optional, COMMAND, "The lines that a command prints.")
            .example("git diff --name-only"),
        field(
            "expr",
            Optional,
            Text("an expression such as `LIST` or `TEXT | split(',')`"),
            "The elements of a list, the values of a mapping, or the words of a text.",
        )
        .example("vars.list | split(',')"),
        field("split", Optional, Value, "What a text is split at.")
            .default("the ends of lines for `sh`, else white space")
            .example(r#"",""#),
        field("as", Optional, Text("a word for templates"), "What templates call the value.")
            .default("`item`")
            .example("file"),
    ],
};

static PART: Mapping = Mapping {
    what: "a part of a matrix",
    exactly_one: &["expr"],
    fields: &[field("expr", Optional, Text("an expression"), "An expression that gives a list.")
        .example("vars.platforms")],
};

static RETRY: Mapping = Mapping {
    what: "a retry",
    exactly_one: &[],
    fields: &[
        field("times", Required, Count, "How often it is tried again.").example("3"),
        field("delay", Optional, DURATION, "How long to wait before each try.").example("500ms"),
    ],
};

static ENTRY: Mapping = Mapping {
    what: "a command of a task",
    exactly_one: &["run", "task", "finally"],
    fields: &[
        field("run", Optional, COMMAND, "The command.").example("go build ./..."),
        field("task", Optional, TASK_NAME, "A task to run here.").example("generate"),
        field(
            "finally",
            Optional,
            OneOf(&[COMMAND, Shape::Record(&CALL)]),
            "What runs at the end, whatever happens after this; the last such runs first.",
        )
        .example("rm -rf tmp"),
        field("with", With("task"), ARGUMENTS, "What the task is given.").example("{ mode: fast }"),
        field("if", Optional, CONDITION, "Whether it runs.").example(r#""{{ mode == 'fast' }}""#),
        field("timeout", Optional, DURATION, "How long it may take.").example("30s"),
        field("allow_failure", Optional, Flag, "Whether to continue when it fails.")
            .example("true"),
        field("quiet", Optional, Flag, "Whether it is not shown under `-v`.").example("true"),
        field("only", Optional, PLACES, "Where it runs: operating systems or platforms.")
            .example("linux"),
        field("for", Optional, EACH, "Values that it runs for, as `{{ item }}`.")
            .example("outputs"),
        field(
            "interactive",
            Optional,
            Flag,
            "Whether it gets the terminal; nothing else runs meanwhile.",
        )
        .example("true"),
    ],
};

static NEED: Mapping = Mapping {
    what: "a need",
    exactly_one: &[],
    fields: &[
        field("task", Required, TASK_NAME, "The task.").example("build"),
        field("with", Optional, ARGUMENTS, "What it is given.").example("{ target: api }"),
        field("for", Optional, EACH, "Values that it runs for, as `{{ item }}`.")
            .example("[api, web]"),
    ],
};

static CALL: Mapping = Mapping {
    what: "a call of a task",
    exactly_one: &[],
    fields: &[
        field("task", Required, TASK_NAME, "The task.").example("stop"),
        field("with", Optional, ARGUMENTS, "What it is given.").example("{ name: database }"),
    ],
};

static PARAMETER: Mapping = Mapping {
    what: "a parameter",
    exactly_one: &[],
    fields: &[
        field("desc", Optional, Text("a description"), "What it is, in a few words.")
            .example("where it is deployed to"),
        field("required", Optional, Flag, "Whether it must be given.").example("true"),
        field("default", Optional, SCALAR, "What it is if it is not given.").example("staging"),
        field("enum", Optional, List(&SCALAR), "All that it can be.")
            .example("[staging, production]"),
    ],
};

static VARIABLE: Mapping = Mapping {
    what: "a variable",
    exactly_one: &["value", "expr", "sh", "secret"],
    fields: &[
        field("value", Optional, Free, "A value of any kind, also a mapping.")
            .example("{ a: 1, b: [2, 3] }"),
        field(
            "expr",
            Optional,
            Text("an expression such as `A | split(',')`"),
            "An expression; the variable is its value, of whatever kind.",
        )
        .example("list | join(',')"),
        field("sh", Optional, COMMAND, "A command; the variable is what it prints.")
            .example("git rev-parse HEAD"),
        field(
            "secret",
            Optional,
            OneOf(&[Text("a text"), Shape::Record(&SECRET)]),
            "A value that is shown nowhere.",
        )
        .example("{ env: API_KEY }"),
    ],
};

static SECRET: Mapping = Mapping {
    what: "where a secret is",
    exactly_one: &["sh", "env"],
    fields: &[
        field("sh", Optional, COMMAND, "A command that prints it.").example("pass show api-key"),
        field("env", Optional, Text("a name"), "The environment variable that holds it.")
            .example("API_KEY"),
    ],
};

static ASSERTION: Mapping = Mapping {
    what: "an assertion",
    exactly_one: &[],
    fields: &[
        field("run", Required, COMMAND, "The command that must succeed.").example("test -f .env"),
        field("message", Optional, Text("a sentence"), "What is said if it does not.")
            .example("copy .env.example to .env"),
    ],
};
