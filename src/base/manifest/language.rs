//! The language of `versions.yml` and specs, as tables. What stands here is what is
//! accepted, what `forge schema` prints and what messages name.

use super::include::INCLUDE;
use super::newer::NEWER;
use super::service_language::SERVICE;
use super::shape::{
    Field, Mapping,
    Presence::{self, Optional, Required, RequiredWith, With},
    Shape::{self, Choice, Count, Flag, List, Map, OneOf, Text, Value},
};
use super::task_language::{DOTENV, OUTPUT, POOLS, SHELL, TASKS, VARS};

pub(super) const fn field(
    key: &'static str,
    need: Presence,
    shape: Shape,
    doc: &'static str,
) -> Field {
    Field { key, shape, doc, need }
}

/// A subsystem's name.
pub const NAME: Shape = Text("the name of a subsystem");
const COMMAND: Shape = Text("a command");
/// A platform.
pub const PLATFORM: Shape = Text("a platform such as `linux-amd64`");
const PATH: Shape = Text("a relative path");
const STORE: Shape = Text("a store such as `github:OWNER/REPO` or `dir:PATH`");
const FEATURE: Shape = Text("the name of a feature");
const TAG: Shape = Text("a build tag");
const BINARY: Shape = Text("the name of a binary");
const PACKAGE: Shape = Text("a package such as `.` or `./cmd/x`");
/// A version.
pub const VERSION: Shape = Text("a version such as `v1.2.3`");
const NAMES: Shape = List(&NAME);
/// A SHA-256 digest.
pub const DIGEST: Shape = Text("a SHA-256 digest (64 hexadecimal digits)");
/// A digest of a vendor.
pub const VENDORS_DIGEST: Shape =
    Text("a digest: SHA-256 (64 hexadecimal digits), SHA-384 (96) or SHA-512 (128)");
const TOOL: Shape = Text("the name of a program");
const WORD: Shape = Text("the vendor's word for it");
const VALUE: Shape = Value;
pub(super) const ENV: Shape = Map("names of environment variables", &VALUE);
const VARIABLE: Shape = Text("the name of an environment variable");
pub(super) const PASS_ENV: Shape = OneOf(&[VARIABLE, List(&VARIABLE)]);

/// `versions.yml`.
pub static MANIFEST: Mapping = Mapping {
    what: "the manifest",
    exactly_one: &[],
    fields: &[
        field(
            "project",
            Optional,
            Text("the project's name"),
            "The project's name; the folder's if absent.",
        ),
        field(
            "forge",
            Optional,
            Text("a requirement such as `>=0.2`"),
            "The versions of forge that this workspace works with, as Cargo writes requirements.",
        ),
        field(
            "releases",
            Optional,
            OneOf(&[STORE, List(&STORE)]),
            "Where releases live: one store or several, tried in order; the first is published to. \
             A folder in the user's data directory if absent.",
        ),
        field(
            "versions",
            Required,
            Map("names of subsystems", &OneOf(&[VERSION, Shape::Record(&SCHEME)])),
            "The version of each subsystem: a pin (`v2.10.24`), a moving ref (`main`), or a \
             scheme that gives it one.",
        ),
        field("platforms", Optional, List(&PLATFORM), "The platforms a complete release has."),
        field(
            "sealed",
            Optional,
            Flag,
            "Whether a release stays a draft until it has all platforms; as its host needs it if absent.",
        ),
        field(
            "repository",
            Optional,
            Text("a repository such as `https://github.com/OWNER/REPO`"),
            "Where the project's source is: under `trust: ci` its CI is trusted; that of the \
             repository with the releases if absent.",
        ),
        field(
            "trust",
            Optional,
            Choice(&["any", "ci"]),
            "Whose assets are downloaded: anybody's who may publish (`any`), or only those that \
             the CI of the project's repository says it built (`ci`); `any` if absent.",
        ),
        field("groups", Optional, Map("names of groups", &NAMES), "Names for sets of subsystems."),
        field("ci", Optional, Shape::Record(&CI), "How CI works on the project."),
        field("tasks", Optional, TASKS, "Commands of the workspace."),
        field(
            "include",
            Optional,
            INCLUDE,
            "Files of tasks, by the names that stand before their tasks.",
        ),
        field("vars", Optional, VARS, "Template variables for all subsystems and tasks."),
        field(
            "env",
            Optional,
            ENV,
            "Environment variables for the commands of all subsystems and tasks. One that looks \
             at what only a run of a task knows is set for tasks alone.",
        ),
        field(
            "pass_env",
            Optional,
            PASS_ENV,
            "Environment variables that all builds, tasks and services inherit besides the usual ones.",
        ),
        field(
            "dotenv",
            Optional,
            DOTENV,
            "Files of environment variables for all tasks, below `env`.",
        ),
        field("shell", Optional, SHELL, "What reads the commands of all tasks; `sh` if absent."),
        field("quiet", Optional, Flag, "Whether the commands of no task are shown under `-v`."),
        field("output", Optional, OUTPUT, "How the output of tasks is shown."),
        field(
            "pools",
            Optional,
            POOLS,
            "Names of pools, each with how many of the tasks that name it run at once.",
        ),
    ],
};

const RUNNER: Shape = Text("the label of a runner such as `ubuntu-24.04`");

static CI: Mapping = Mapping {
    what: "how CI works",
    exactly_one: &[],
    fields: &[field(
        "runners",
        Optional,
        Map("platforms", &OneOf(&[RUNNER, List(&RUNNER)])),
        "For a platform, the runner that builds for it: a label, or all of a list; the one that \
         the host of the project has for it if absent. In GitLab, labels are called tags.",
    )],
};

static SCHEME: Mapping = Mapping {
    what: "a scheme",
    exactly_one: &[],
    fields: &[
        field(
            "scheme",
            Required,
            Choice(&["date", "commits"]),
            "How its versions come about: from the day (`20260107.0`), or from what Conventional \
             Commits say (`1.3.0`).",
        ),
        field(
            "first",
            Optional,
            Text("a version such as `0.1.0`"),
            "The first version, if commits make them; `0.1.0` if absent. With a `v`, all have one.",
        ),
        field(
            "bump_minor_pre_major",
            Optional,
            Flag,
            "Whether a breaking change before 1.0.0 is a minor one.",
        ),
        field(
            "channels",
            Optional,
            Map("names of branches", &Text("a word such as `dev`")),
            "Branches whose versions are pre-releases, and what those are called.",
        ),
    ],
};

/// `subsystems/<name>.yml`.
pub static SPEC: Mapping = Mapping {
    what: "a spec",
    exactly_one: &[],
    fields: &[
        field("desc", Optional, Text("a description"), "What it is, in a few words."),
        field(
            "extends",
            Optional,
            Text("a subsystem's name, or the path of a file in the workspace"),
            "A spec, or a file like one, that says what this one does not.",
        ),
        field(
            "binary",
            Optional,
            OneOf(&[BINARY, List(&BINARY)]),
            "The binaries it yields; the first names the asset. The subsystem's name if absent.",
        ),
        field(
            "discover",
            Optional,
            Text("a path with captures such as `modules/{provider}/{component}`"),
            "Folders each of which is a subsystem; what is captured is a word in templates, and so \
             is `folder`.",
        ),
        field(
            "name",
            With("discover"),
            Text("a template"),
            "What a subsystem is called that was discovered; the captures with `/` between them \
             if absent.",
        ),
        field(
            "group",
            Optional,
            OneOf(&[Text("the name of a group"), List(&Text("the name of a group"))]),
            "Groups it belongs to.",
        ),
        field(
            "version",
            Optional,
            Shape::Record(&SCHEME),
            "The scheme that gives it its version, if `versions.yml` says nothing.",
        ),
        field(
            "tag",
            Optional,
            Text("a template that ends in `{{ version }}`"),
            "The tags of its releases; `{{ name }}-{{ version }}` if absent.",
        ),
        field("source", Optional, Shape::Record(&SOURCE), "Where the source is."),
        field("build", Optional, Shape::Record(&BUILD), "How it is built from source."),
        field("upstream", Optional, Shape::Record(&UPSTREAM), "The vendor's own release."),
        field("newer", Optional, Shape::Record(&NEWER), "Where upstream lists its versions."),
        field("needs", Optional, OneOf(&[NAME, NAMES]), "Subsystems that must be ensured too."),
        field(
            "build_needs",
            Optional,
            OneOf(&[NAME, NAMES]),
            "Subsystems that are wanted only to build this one.",
        ),
        field("vars", Optional, VARS, "Template variables, over those of `versions.yml`."),
        field(
            "env",
            Optional,
            ENV,
            "Environment variables for its commands, over those of `versions.yml`.",
        ),
        field(
            "pass_env",
            Optional,
            PASS_ENV,
            "Environment variables that its builds, tasks and service inherit besides the usual ones.",
        ),
        field(
            "sandbox",
            Optional,
            Choice(&["on", "off"]),
            "Whether its build may write only to its own folders and the caches of toolchains, where \
             the system can see to that (Linux); `on` if absent.",
        ),
        field(
            "package",
            Optional,
            Choice(&["tar.gz", "tar.zst", "zip"]),
            "How its assets are packed; `tar.gz` if absent.",
        ),
        field("service", Optional, SERVICE, "What of it runs all day: `forge up` starts it."),
        field("tasks", Optional, TASKS, "Commands of the subsystem."),
    ],
};

const SHARED: Shape = Text("a path or pattern in the workspace such as `libs/**/*.proto`");

static SOURCE: Mapping = Mapping {
    what: "a source",
    exactly_one: &["git", "archive", "path"],
    fields: &[
        field(
            "git",
            Optional,
            Text("the URL of a git repository"),
            "A git repository, at the pinned version.",
        ),
        field(
            "ref",
            With("git"),
            Text("a tag, branch or commit"),
            "What to check out instead of the pinned version.",
        ),
        field("archive", Optional, Text("the URL or path of an archive"), "An archive."),
        field(
            "sha256",
            RequiredWith("archive"),
            VENDORS_DIGEST,
            "The digest of the archive; one of SHA-384 or SHA-512 does too.",
        ),
        field(
            "strip",
            With("archive"),
            Count,
            "How many leading path components of its entries to drop; 0 if absent.",
        ),
        field("path", Optional, Text("a path in the workspace"), "A folder in the workspace."),
        field(
            "only",
            With("path"),
            List(&PATH),
            "The files and folders below it that count; all if absent.",
        ),
        field(
            "also",
            Optional,
            OneOf(&[SHARED, List(&SHARED)]),
            "What else in the workspace goes into what is built: files, folders, or patterns. What commands name there counts by itself.",
        ),
        field(
            "imports",
            With("path"),
            Choice(&["go"]),
            "Whose imports go into it too, wherever in the workspace they lead.",
        ),
    ],
};

static BUILD: Mapping = Mapping {
    what: "a build",
    exactly_one: &["go", "cargo", "run"],
    fields: &[
        field("go", Optional, OneOf(&[PACKAGE, Shape::Record(&GO)]), "Builds a Go package."),
        field(
            "cargo",
            Optional,
            OneOf(&[Text("a folder such as `.`"), Shape::Record(&CARGO)]),
            "Builds a Cargo package.",
        ),
        field(
            "run",
            Optional,
            OneOf(&[COMMAND, List(&COMMAND)]),
            "Shell commands that leave the binaries in `{{ out }}`.",
        ),
        field("dir", Optional, Text("a folder"), "Where the commands run; `{{ src }}` if absent."),
        field("env", Optional, ENV, "Environment variables for the commands, over all others."),
        field(
            "pass_env",
            Optional,
            PASS_ENV,
            "Environment variables that the commands inherit besides the usual ones.",
        ),
        field(
            "tools",
            Optional,
            OneOf(&[List(&TOOL), Map("names of programs", &VERSION)]),
            "Programs the commands need: a list, or a mapping to the version (a prefix such as `1.26`).",
        ),
        field(
            "timeout",
            Optional,
            Text("a duration such as `10m`"),
            "How long all commands may take together; `60m` if absent.",
        ),
    ],
};

static GO: Mapping = Mapping {
    what: "how to build a Go package",
    exactly_one: &[],
    fields: &[
        field(
            "package",
            Optional,
            OneOf(&[PACKAGE, List(&PACKAGE)]),
            "What to build, relative to the source or the module; `.` if absent.",
        ),
        field(
            "install",
            Optional,
            Text("an import path"),
            "A package to `go install` at the pinned version; needs no `source`.",
        ),
        field(
            "module",
            Optional,
            Text("a module path"),
            "A module to download at the pinned version and build `package` of; needs no `source`. For modules that `go install` refuses.",
        ),
        field(
            "ldflags",
            Optional,
            Value,
            "Flags for the linker; `-s -w -X main.version={{ version }}` if absent.",
        ),
        field(
            "vars",
            Optional,
            Map("names of Go variables such as `main.version`", &VALUE),
            "Go variables to set (`-X`).",
        ),
        field("tags", Optional, OneOf(&[TAG, List(&TAG)]), "Build tags."),
        field("cgo", Optional, Flag, "Whether cgo is on; off if absent."),
    ],
};

static CARGO: Mapping = Mapping {
    what: "how to build a Cargo package",
    exactly_one: &[],
    fields: &[
        field(
            "package",
            Optional,
            Text("the name of a package"),
            "The package of a Cargo workspace.",
        ),
        field(
            "bin",
            Optional,
            OneOf(&[Text("the name of a target"), List(&BINARY)]),
            "The targets to build; the binaries if absent.",
        ),
        field("features", Optional, OneOf(&[FEATURE, List(&FEATURE)]), "Features to turn on."),
        field(
            "profile",
            Optional,
            Text("the name of a profile"),
            "The Cargo profile to build with; `release` if absent.",
        ),
        field(
            "install",
            Optional,
            Text("the name of a crate"),
            "A crate to `cargo install` at the pinned version; needs no `source`.",
        ),
        field(
            "target",
            Optional,
            Text("a target such as `x86_64-unknown-linux-musl`"),
            "What Rust calls the platform; `{{ rust_target }}` if absent.",
        ),
    ],
};

static UPSTREAM: Mapping = Mapping {
    what: "the vendor's release",
    exactly_one: &[],
    fields: &[
        field(
            "url",
            Required,
            Text("a URL"),
            "The asset for the platform; `{{ os }}`, `{{ arch }}` and `{{ platform }}` are in the vendor's words.",
        ),
        field(
            "sha256",
            Required,
            OneOf(&[
                Text("a digest or the URL of a checksums file"),
                Map("platforms", &VENDORS_DIGEST),
            ]),
            "A digest, a mapping from platform to digest, or the URL of a checksums file; SHA-256, SHA-384 or SHA-512, told by its length.",
        ),
        field(
            "strip",
            Optional,
            Count,
            "How many leading path components of its entries to drop; 0 if absent.",
        ),
        field(
            "paths",
            Optional,
            Map("names of binaries", &PATH),
            "Where a binary is in the archive, if it is not its own name.",
        ),
        field(
            "os",
            Optional,
            Map("operating systems", &WORD),
            "The vendor's words for operating systems.",
        ),
        field(
            "arch",
            Optional,
            Map("architectures", &WORD),
            "The vendor's words for architectures.",
        ),
        field(
            "platform",
            Optional,
            Map("platforms", &WORD),
            "The vendor's words for platforms, where they are not `<os>-<arch>`.",
        ),
    ],
};
