//! `include` and the files it names, which hold tasks: the tables, and what is read by them.

use super::{
    document::{HeadDoc, Pairs, head, read, scalar, text},
    file::{Findings, ManifestFile},
    language::{PASS_ENV, field},
    node::{Node, Scalar, Sp},
    semantic_digest::SemanticDigest,
    shape::{
        Mapping,
        Presence::{Optional, With},
        Shape::{self, Flag, Free, List, Map, OneOf, Text, Value},
    },
    task_language::{DOTENV, OUTPUT, POOLS, SHELL, TASKS, VARS},
};

const PATH: Shape = Text("a path such as `tasks/docs.yml`");
const NAME: Shape = Text("a name");
const TASK_NAME: Shape = Text("the name of a task");
const GIVEN: Shape = OneOf(&[Value, List(&Free), Map("names", &Free)]);

/// What is included, by the names that stand before its tasks.
pub(super) const INCLUDE: Shape =
    Map("names for what is included", &OneOf(&[PATH, Shape::Record(&INCLUDED)]));

static INCLUDED: Mapping = Mapping {
    what: "an include",
    exactly_one: &["file", "url", "taskfile"],
    fields: &[
        field("file", Optional, PATH, "The file with the tasks, or a folder with a `tasks.yml`.")
            .example("tasks/docs.yml"),
        field("url", Optional, Text("a URL"), "Where the file is downloaded from.")
            .example("https://example.org/tasks/go.yml"),
        field(
            "taskfile",
            Optional,
            Text("a path such as `legacy/Taskfile.yml`"),
            "A Taskfile, or its folder: its tasks run in it as `run --taskfile` has them.",
        )
        .example("legacy/Taskfile.yml"),
        field("sha256", With("url"), Text("a SHA-256 digest"), "The digest of what is there.")
            .example("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        field("dir", Optional, Text("a folder"), "Where its tasks run.")
            .default("the folder of the tasks around it; for a `taskfile`, its own")
            .example("docs"),
        field(
            "with",
            Optional,
            Map("names of variables", &GIVEN),
            "Variables that it is given, over its own `vars`.",
        )
        .example("{ lang: en }"),
        field("optional", With("file"), Flag, "Whether the file may be missing.").example("true"),
        field("private", Optional, Flag, "Whether only other tasks may use its tasks.")
            .example("true"),
        field("alias", Optional, OneOf(&[NAME, List(&NAME)]), "Other names for it.").example("[d]"),
        field(
            "flatten",
            Optional,
            Flag,
            "Whether its tasks stand here, without a name before them.",
        )
        .example("true"),
        field("except", Optional, OneOf(&[TASK_NAME, List(&TASK_NAME)]), "Tasks to leave out.")
            .example("[publish]"),
    ],
};

/// A file that holds tasks.
pub(super) static TASK_FILE: Mapping = Mapping {
    what: "a file of tasks",
    exactly_one: &[],
    fields: &[
        field("desc", Optional, Text("a description"), "What its tasks are for, in a few words.")
            .example("the documentation"),
        field("tasks", Optional, TASKS, "Its tasks.").example("{ build: mdbook build }"),
        field("include", Optional, INCLUDE, "More files of tasks.").example("{ lint: lint.yml }"),
        field("vars", Optional, VARS, "Template variables for its tasks.").example("{ lang: en }"),
        field(
            "env",
            Optional,
            Map("names of environment variables", &Value),
            "Environment variables for its tasks.",
        )
        .example("{ LANG: C }"),
        field(
            "pass_env",
            Optional,
            PASS_ENV,
            "Environment variables that its tasks inherit though forge logs in with them.",
        )
        .example("[GH_TOKEN]"),
        field(
            "dotenv",
            Optional,
            DOTENV,
            "Files of environment variables for its tasks, below `env`.",
        )
        .example(".env"),
        field("shell", Optional, SHELL, "What reads the commands of its tasks.")
            .default("`sh`")
            .example("bash"),
        field(
            "quiet",
            Optional,
            Flag,
            "Whether the commands of its tasks are not shown under `-v`.",
        )
        .example("true"),
        field(
            "output",
            Optional,
            OUTPUT,
            "How the output of tasks is shown, where it is run itself.",
        )
        .example("plain"),
        field("pools", Optional, POOLS, "Pools for its tasks, each with how many run at once.")
            .example("{ disk: 1 }"),
    ],
};

/// One entry of `include`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncludeDoc {
    /// The name before its tasks.
    pub name: Sp<String>,
    /// Where the file is.
    pub origin: OriginDoc,
    /// `dir`.
    pub dir: Option<Scalar>,
    /// `with`.
    pub with: Pairs<Node>,
    /// `optional`.
    pub optional: bool,
    /// `private`.
    pub private: bool,
    /// `alias`.
    pub alias: Vec<Scalar>,
    /// `flatten`.
    pub flatten: bool,
    /// `except`.
    pub except: Vec<Scalar>,
}

/// Where an included file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginDoc {
    /// Here, relative to the file that names it.
    File(Scalar),
    /// Elsewhere, with the digest it must have.
    Url(Scalar, Option<Scalar>),
    /// A Taskfile, relative to the file that names it.
    Taskfile(Scalar),
}

/// A file of tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskFileDoc {
    /// The digest of what it says, without comments and layout.
    pub meaning: Option<SemanticDigest>,
    /// `vars`, `env` and what else is said for all tasks.
    pub head: HeadDoc,
    /// `include`.
    pub include: Vec<IncludeDoc>,
    /// `tasks`.
    pub tasks: Pairs<Node>,
}

/// Reads a file of tasks. What is wrong with it goes to `found`; the rest is returned.
pub fn read_task_file(file: &ManifestFile, found: &mut Findings) -> TaskFileDoc {
    let Some(root) = read(file, &TASK_FILE, found) else { return TaskFileDoc::default() };
    TaskFileDoc {
        meaning: Some(root.semantic_digest()),
        head: head(&root),
        include: includes(&root),
        tasks: super::document::nodes(&root, "tasks"),
    }
}

/// The entries of `include` in the file `root`.
pub(super) fn includes(root: &Node) -> Vec<IncludeDoc> {
    let entries = root.get("include").map(Node::entries).unwrap_or_default();
    entries.iter().filter_map(|entry| include(&entry.key, &entry.value)).collect()
}

fn include(name: &Sp<String>, node: &Node) -> Option<IncludeDoc> {
    let short = node.scalar().filter(|path| !path.text.trim().is_empty()).cloned();
    let origin = match (short.or_else(|| text(node, "file")), text(node, "taskfile")) {
        (Some(path), _) => OriginDoc::File(path),
        (None, Some(path)) => OriginDoc::Taskfile(path),
        (None, None) => OriginDoc::Url(text(node, "url")?, text(node, "sha256")),
    };
    let flag = |key| scalar(node, key).is_some_and(|flag| flag.text == "true");
    Some(IncludeDoc {
        name: name.clone(),
        origin,
        dir: text(node, "dir"),
        with: super::document::nodes(node, "with"),
        optional: flag("optional"),
        private: flag("private"),
        alias: super::scalars(node, "alias"),
        flatten: flag("flatten"),
        except: super::scalars(node, "except"),
    })
}
