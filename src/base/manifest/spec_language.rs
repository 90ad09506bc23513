//! The language of specs, as tables: what a subsystem is and where it comes from. How it is
//! built stands in `build_language.rs`.

use super::build_language::BUILD;
use super::deploy_language::DEPLOY;
use super::image_language::IMAGE;
use super::language::{BINARY, ENV, NAME, NAMES, PASS_ENV, PATH, SCHEME, VENDORS_DIGEST, field};
use super::newer::NEWER;
use super::service_language::SERVICE;
use super::shape::{
    Mapping,
    Presence::{Optional, Required, RequiredWith, With},
    Shape::{self, Choice, Count, List, Map, OneOf, Text},
};
use super::task_language::{TASKS, VARS};

const WORD: Shape = Text("the vendor's word for it");

/// `subsystems/<name>.yml`.
pub static SPEC: Mapping = Mapping {
    what: "a spec",
    exactly_one: &[],
    fields: &[
        field("desc", Optional, Text("a description"), "What it is, in a few words.").example("NATS server"),
        field(
            "extends",
            Optional,
            Text("a subsystem's name, or the path of a file in the workspace"),
            "A spec, or a file like one, that says what this one does not.",
        ).example("shared/go.yml"),
        field(
            "binary",
            Optional,
            OneOf(&[BINARY, List(&BINARY)]),
            "The binaries it yields; the first names the asset.",
        ).default("the subsystem's name").example("nats-server"),
        field(
            "discover",
            Optional,
            Text("a path with captures such as `modules/{provider}/{component}`"),
            "Folders each of which is a subsystem; what is captured is a word in templates, and so \
             is `folder`.",
        ).example("modules/{provider}/{component}"),
        field(
            "name",
            With("discover"),
            Text("a template"),
            "What a subsystem is called that was discovered.",
        ).default("the captures with `/` between them").example(r#""{{ provider }}-{{ component }}""#),
        field(
            "group",
            Optional,
            OneOf(&[Text("the name of a group"), List(&Text("the name of a group"))]),
            "Groups it belongs to.",
        ).example(r#""{{ provider }}""#),
        field(
            "version",
            Optional,
            Shape::Record(&SCHEME),
            "The scheme that gives it its version, if `versions.yml` says nothing.",
        ).example("{ scheme: date }"),
        field(
            "tag",
            Optional,
            Text("a template that ends in `{{ version }}`"),
            "The tags of its releases.",
        ).default("`{{ name }}-{{ version }}`").example(r#""module-{{ component }}-{{ version }}""#),
        field("source", Optional, Shape::Record(&SOURCE), "Where the source is.").example("{ path: cmd/api }"),
        field("build", Optional, Shape::Record(&BUILD), "How it is built from source.").example("{ go: . }"),
        field("upstream", Optional, Shape::Record(&UPSTREAM), "The vendor's own release.").example(r#"{ url: "https://example.org/x-{{ platform }}.tar.gz", sha256: "https://example.org/SHA256SUMS" }"#),
        field("newer", Optional, Shape::Record(&NEWER), "Where upstream lists its versions.").example("{ github: OWNER/REPO }"),
        field("needs", Optional, OneOf(&[NAME, NAMES]), "Subsystems that must be ensured too.").example("[nats]"),
        field(
            "build_needs",
            Optional,
            OneOf(&[NAME, NAMES]),
            "Subsystems that are wanted only to build this one.",
        ).example("[protoc]"),
        field("vars", Optional, VARS, "Template variables, over those of `versions.yml`.").example("{ port: 4222 }"),
        field(
            "env",
            Optional,
            ENV,
            "Environment variables for its commands, over those of `versions.yml`.",
        ).example(r#"{ NATS_PORT: "{{ vars.port }}" }"#),
        field(
            "pass_env",
            Optional,
            PASS_ENV,
            "Environment variables that its builds, tasks and service inherit besides the usual ones.",
        ).example("[NETRC]"),
        field(
            "sandbox",
            Optional,
            Choice(&["on", "off"]),
            "Whether its build may write only to its own folders and the caches of toolchains, where the system can see to that (Linux).",
        ).default("`on`").example(r#""off""#),
        field(
            "package",
            Optional,
            Choice(&["tar.gz", "tar.zst", "zip"]),
            "How its assets are packed.",
        ).default("`tar.gz`").example("tar.zst"),
        field("image", Optional, IMAGE, "The container image that it is released as.").example("ghcr.io/OWNER/api"),
        field("service", Optional, SERVICE, "What of it runs all day: `forge up` starts it.").example("nats-server --config nats.conf"),
        field("deploy", Optional, DEPLOY, "How it is brought into the `environments` of versions.yml.").example("./deploy.sh {{ files }} {{ environment }}"),
        field("tasks", Optional, TASKS, "Commands of the subsystem.").example(r#"{ health: "curl -sf http://localhost:8222/healthz" }"#),
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
        ).example("https://github.com/nats-io/nats-server.git"),
        field(
            "ref",
            With("git"),
            Text("a tag, branch or commit"),
            "What to check out.",
        ).default("the pinned version").example(r#""release-{{ version }}""#),
        field("archive", Optional, Text("the URL or path of an archive"), "An archive.").example(r#""https://example.org/tool-{{ version }}.tar.gz""#),
        field(
            "sha256",
            RequiredWith("archive"),
            VENDORS_DIGEST,
            "The digest of the archive; one of SHA-384 or SHA-512 does too.",
        ).example("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        field(
            "strip",
            With("archive"),
            Count,
            "How many leading path components of its entries to drop.",
        ).default("0").example("1"),
        field("path", Optional, Text("a path in the workspace"), "A folder in the workspace.").example("cmd/api"),
        field(
            "only",
            With("path"),
            List(&PATH),
            "The files and folders below it that count.",
        ).default("all").example("[src, Makefile]"),
        field(
            "also",
            Optional,
            OneOf(&[SHARED, List(&SHARED)]),
            "What else in the workspace goes into what is built: files, folders, or patterns. What commands name there counts by itself.",
        ).example(r#"[protos, "libs/**/*.h"]"#),
        field(
            "imports",
            With("path"),
            Choice(&["go"]),
            "Whose imports go into it too, wherever in the workspace they lead.",
        ).example("go"),
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
        ).example(r#""https://github.com/OWNER/REPO/releases/download/{{ version }}/tool-{{ platform }}.tar.gz""#),
        field(
            "sha256",
            Required,
            OneOf(&[
                Text("a digest or the URL of a checksums file"),
                Map("platforms", &VENDORS_DIGEST),
            ]),
            "A digest, a mapping from platform to digest, or the URL of a checksums file; SHA-256, SHA-384 or SHA-512, told by its length.",
        ).example(r#""https://github.com/OWNER/REPO/releases/download/{{ version }}/SHA256SUMS""#),
        field(
            "strip",
            Optional,
            Count,
            "How many leading path components of its entries to drop.",
        ).default("0").example("1"),
        field(
            "paths",
            Optional,
            Map("names of binaries", &PATH),
            "Where a binary is in the archive.",
        ).default("the binary's own name").example("{ tool: bin/tool }"),
        field(
            "os",
            Optional,
            Map("operating systems", &WORD),
            "The vendor's words for operating systems.",
        ).example("{ darwin: macOS }"),
        field(
            "arch",
            Optional,
            Map("architectures", &WORD),
            "The vendor's words for architectures.",
        ).example("{ amd64: x86_64, arm64: aarch64 }"),
        field(
            "platform",
            Optional,
            Map("platforms", &WORD),
            "The vendor's words for platforms.",
        ).default("`<os>-<arch>`").example("{ darwin-arm64: macos-universal }"),
    ],
};
