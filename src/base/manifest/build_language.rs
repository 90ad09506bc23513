//! The language of builds, as tables: `build:` of a spec and its presets.

use super::language::{BINARY, ENV, PASS_ENV, PROPERTY, VERSION, field};
use super::shape::{
    Mapping,
    Presence::Optional,
    Shape::{self, Flag, List, Map, OneOf, Text, Value},
};

const COMMAND: Shape = Text("a command");
const FEATURE: Shape = Text("the name of a feature");
const TAG: Shape = Text("a build tag");
const PACKAGE: Shape = Text("a package such as `.` or `./cmd/x`");
const TOOL: Shape = Text("the name of a program");
const VALUE: Shape = Value;

pub(super) static BUILD: Mapping = Mapping {
    what: "a build",
    exactly_one: &["go", "cargo", "run"],
    fields: &[
        field("go", Optional, OneOf(&[PACKAGE, Shape::Record(&GO)]), "Builds a Go package.").example("./cmd/api"),
        field(
            "cargo",
            Optional,
            OneOf(&[Text("a folder such as `.`"), Shape::Record(&CARGO)]),
            "Builds a Cargo package.",
        ).example("."),
        field(
            "run",
            Optional,
            OneOf(&[COMMAND, List(&COMMAND)]),
            "Shell commands that leave the binaries in `{{ out }}`.",
        ).example(r#"[make, "cp tool {{ out }}/tool"]"#),
        field("dir", Optional, Text("a folder"), "Where the commands run.").default("`{{ src }}`").example(r#""{{ src }}/server""#),
        field("env", Optional, ENV, "Environment variables for the commands, over all others.").example("{ MODE: release }"),
        field(
            "pass_env",
            Optional,
            PASS_ENV,
            "Environment variables that the commands inherit besides the usual ones.",
        ).example("[NPM_TOKEN]"),
        field(
            "tools",
            Optional,
            OneOf(&[List(&TOOL), Map("names of programs", &VERSION)]),
            "Programs the commands need: a list, or a mapping to the version (a prefix such as `1.26`).",
        ).example(r#"{ go: "1.26", protoc: "29" }"#),
        field(
            "timeout",
            Optional,
            Text("a duration such as `10m`"),
            "How long all commands may take together.",
        ).default("`60m`").example("10m"),
        field(
            "remote",
            Optional,
            OneOf(&[Flag, Shape::Record(&WORKER)]),
            "Whether it runs on a worker, where `versions.yml` says `remote: { execution: true }`.",
        ).default("`false`").example("{ properties: { ISA: x86-64 } }"),
    ],
};

static WORKER: Mapping = Mapping {
    what: "how a build runs on a worker",
    exactly_one: &[],
    fields: &[field(
        "properties",
        Optional,
        Map("names of properties", &PROPERTY),
        "The properties that the worker has to have, over those of `versions.yml`.",
    )
    .example("{ ISA: x86-64 }")],
};

static GO: Mapping = Mapping {
    what: "how to build a Go package",
    exactly_one: &[],
    fields: &[
        field(
            "package",
            Optional,
            OneOf(&[PACKAGE, List(&PACKAGE)]),
            "What to build, relative to the source or the module.",
        ).default("`.`").example("./cmd/api"),
        field(
            "install",
            Optional,
            Text("an import path"),
            "A package to `go install` at the pinned version; needs no `source`.",
        ).example("honnef.co/go/tools/cmd/staticcheck"),
        field(
            "module",
            Optional,
            Text("a module path"),
            "A module to download at the pinned version and build `package` of; needs no `source`. For modules that `go install` refuses.",
        ).example("github.com/nats-io/nats-server/v2"),
        field(
            "ldflags",
            Optional,
            Value,
            "Flags for the linker.",
        ).default("`-s -w -X main.version={{ version }}`").example(r#""-s -w""#),
        field(
            "vars",
            Optional,
            Map("names of Go variables such as `main.version`", &VALUE),
            "Go variables to set (`-X`).",
        ).example(r#"{ main.version: "{{ version }}" }"#),
        field("tags", Optional, OneOf(&[TAG, List(&TAG)]), "Build tags.").example("[netgo, osusergo]"),
        field("cgo", Optional, Flag, "Whether cgo is on.").default("`false`").example("true"),
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
        )
        .example("server"),
        field(
            "bin",
            Optional,
            OneOf(&[Text("the name of a target"), List(&BINARY)]),
            "The targets to build.",
        )
        .default("the binaries")
        .example("[server, client]"),
        field("features", Optional, OneOf(&[FEATURE, List(&FEATURE)]), "Features to turn on.")
            .example("[tls]"),
        field(
            "profile",
            Optional,
            Text("the name of a profile"),
            "The Cargo profile to build with.",
        )
        .default("`release`")
        .example("dist"),
        field(
            "install",
            Optional,
            Text("the name of a crate"),
            "A crate to `cargo install` at the pinned version; needs no `source`.",
        )
        .example("ripgrep"),
        field(
            "target",
            Optional,
            Text("a target such as `x86_64-unknown-linux-musl`"),
            "What Rust calls the platform.",
        )
        .default("`{{ rust_target }}`")
        .example("x86_64-unknown-linux-musl"),
    ],
};
