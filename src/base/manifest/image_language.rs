//! The language of images, as tables: the part of `language.rs` that is about container images.

use super::{
    language::{ENV, NAME, NAMES, PLATFORM, field},
    shape::{
        Mapping,
        Presence::{Optional, Required, With},
        Shape::{self, Choice, Flag, List, Map, OneOf, Text, Value},
    },
};

const REPOSITORY: Shape = Text("a repository such as `ghcr.io/OWNER/NAME`");
const ARGUMENT: Shape = Value;
const PORT: Shape = Text("a port such as `8080` or `53/udp`");
const FOLDER: Shape = Text("an absolute path in the image");
const VALUE: Shape = Value;
const TAG: Shape = Text("a tag such as `latest`");

/// An image: its repository alone, or all that can be said of it.
pub const IMAGE: Shape = OneOf(&[REPOSITORY, Shape::Record(&FORM)]);

static FORM: Mapping = Mapping {
    what: "an image",
    exactly_one: &[],
    fields: &[
        field("repo", Required, REPOSITORY, "The repository it is pushed to.")
            .example(r#""ghcr.io/acme/{{ name }}""#),
        field(
            "base",
            Optional,
            Text("a reference such as `gcr.io/distroless/static-debian12:nonroot`"),
            "The image it stands on. The digest of its index is in `forge.lock`.",
        )
        .default("`scratch`: nothing")
        .example("gcr.io/distroless/static-debian12:nonroot"),
        field("user", Optional, Text("a user such as `65532`"), "Who runs it.")
            .default("the base's; `65532:65532` if that names none, or on `scratch`")
            .example(r#""65532""#),
        field(
            "entrypoint",
            Optional,
            OneOf(&[ARGUMENT, List(&ARGUMENT)]),
            "What it runs. The base's `CMD` does not count then.",
        )
        .default("the first binary")
        .example("[/usr/local/bin/api]"),
        field(
            "args",
            Optional,
            OneOf(&[ARGUMENT, List(&ARGUMENT), Map("names of build arguments", &VALUE)]),
            "What it is run with, unless whoever runs it says otherwise; of a Dockerfile, its build arguments.",
        )
        .example("[serve, --verbose]"),
        field("env", Optional, ENV, "Environment variables, over those of the base.")
            .example(r#"{ PORT: "8080" }"#),
        field("workdir", Optional, FOLDER, "Where it runs.")
            .default("the base's")
            .example("/srv"),
        field("ports", Optional, OneOf(&[PORT, List(&PORT)]), "Ports that it listens at.")
            .example("[8080]"),
        field("labels", Optional, Map("names of labels", &VALUE), "Labels.")
            .example("{ team: shop }"),
        field("volumes", Optional, OneOf(&[FOLDER, List(&FOLDER)]), "Folders whose contents outlive it.")
            .example("[/var/lib/api]"),
        field(
            "files",
            Optional,
            Map("files and folders of the workspace", &OneOf(&[FOLDER, Shape::Record(&FILE)])),
            "Files and folders of the workspace that go into it, and where to. What git ignores stays out.",
        )
        .example("{ config/: /etc/api/, cert.pem: { to: /etc/tls/, mode: \"0440\" } }"),
        field(
            "with",
            Optional,
            OneOf(&[NAME, NAMES]),
            "Subsystems whose binaries go into it too, each into a layer of its own.",
        )
        .example("[migrate]"),
        field("platforms", Optional, List(&PLATFORM), "The platforms that it is for.")
            .default("those of `platforms` in versions.yml that are Linux")
            .example("[linux-amd64, linux-arm64]"),
        field(
            "also",
            Optional,
            OneOf(&[TAG, List(&TAG)]),
            "Tags that move to each new version: only forward, and not to a pre-release.",
        )
        .example("[latest]"),
        field(
            "binaries",
            Optional,
            Flag,
            "Whether its binaries are released as well, where the tag of the project is its version.",
        )
        .default("`false`: the image is the release")
        .example("true"),
        field(
            "dockerfile",
            Optional,
            Text("a path in the workspace"),
            "A Dockerfile that makes it, where code has to run for that.",
        )
        .example("deploy/Dockerfile"),
        field("context", With("dockerfile"), Text("a folder in the workspace"), "What the Dockerfile sees.")
            .default("the source; without one, the folder of the Dockerfile")
            .example("services/api"),
        field("target", With("dockerfile"), Text("the name of a stage"), "The stage of the Dockerfile that is the image.")
            .default("the last")
            .example("runtime"),
        field(
            "cache",
            With("dockerfile"),
            Choice(&["registry", "off"]),
            "Where the layers of earlier builds are looked for.",
        )
        .default("`off`: on this machine alone")
        .example("registry"),
    ],
};

static FILE: Mapping = Mapping {
    what: "a file of an image",
    exactly_one: &[],
    fields: &[
        field("to", Required, FOLDER, "Where it goes; with `/` at the end, into that folder.")
            .example("/etc/tls/"),
        field("mode", Optional, Text("a mode such as `\"0440\"`"), "The mode of the files.")
            .default("`0644`; `0755` of what is executable")
            .example("\"0440\""),
        field(
            "owner",
            Optional,
            Text("a number such as `65532`, or `65532:65532`"),
            "Whose they are.",
        )
        .default("`0:0`")
        .example("65532"),
    ],
};
