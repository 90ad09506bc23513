//! The language of services, as tables: the part of `language.rs` that is about what runs all day.

use super::{
    language::{ENV, field},
    shape::{
        Mapping,
        Presence::Optional,
        Shape::{self, Choice, Count, List, OneOf, Text},
    },
};

const COMMAND: Shape = Text("a command");
const DURATION: Shape = Text("a duration such as `10s`");
const NAME: Shape = Text("the name of a subsystem with a `service`");

/// The signals that ask a program to end.
pub const SIGNALS: &[&str] = &["TERM", "INT", "QUIT", "HUP", "USR1", "USR2", "KILL"];

/// A service: its command alone, or all that can be said of it.
pub const SERVICE: Shape = OneOf(&[COMMAND, Shape::Record(&FORM)]);

static FORM: Mapping = Mapping {
    what: "a service",
    exactly_one: &["run"],
    fields: &[
        field("run", Optional, COMMAND, "The command that goes on until it is told to end.")
            .example("nats-server --config nats.conf"),
        field("ready", Optional, Shape::Record(&READY), "How it shows that it is ready.")
            .example("{ tcp: 4222 }"),
        field(
            "needs",
            Optional,
            OneOf(&[NAME, List(&NAME)]),
            "Subsystems whose services must be ready before it starts.",
        )
        .example("[nats]"),
        field("env", Optional, ENV, "Environment variables, over those of the spec.")
            .example("{ LEVEL: debug }"),
        field("dir", Optional, Text("a folder"), "Where it runs.")
            .default("the workspace")
            .example("data"),
        field(
            "restart",
            Optional,
            Choice(&["no", "on-failure", "always"]),
            "Whether it is started again when it ends.",
        )
        .default("`no`")
        .example("on-failure"),
        field("stop", Optional, Shape::Record(&STOP), "How it is told to end.")
            .example("{ signal: INT, grace: 5s }"),
    ],
};

static READY: Mapping = Mapping {
    what: "how a service is ready",
    exactly_one: &["http", "tcp", "run"],
    fields: &[
        field(
            "http",
            Optional,
            Text("a URL such as `http://localhost:8222/healthz`"),
            "It answers there with a status below 400.",
        )
        .example("http://localhost:8222/healthz"),
        field(
            "tcp",
            Optional,
            Text("a port such as `4222`, or `HOST:PORT`"),
            "Somebody listens there.",
        )
        .example("4222"),
        field("run", Optional, COMMAND, "A command that succeeds.").example("pg_isready -q"),
        field("period", Optional, DURATION, "How long from look to look.")
            .default("`5s`")
            .example("2s"),
        field(
            "timeout",
            Optional,
            DURATION,
            "How long one look may take, in which it is tried again and again.",
        )
        .default("the period")
        .example("1s"),
        field(
            "retries",
            Optional,
            Count,
            "How many looks in a row may fail until `forge up` gives up.",
        )
        .default("12")
        .example("30"),
        field("delay", Optional, DURATION, "How long to wait before the first look.")
            .example("500ms"),
    ],
};

static STOP: Mapping = Mapping {
    what: "how a service ends",
    exactly_one: &[],
    fields: &[
        field("signal", Optional, Choice(SIGNALS), "The signal that asks it.")
            .default("`TERM`")
            .example("INT"),
        field("grace", Optional, DURATION, "How long until it is killed.")
            .default("`10s`")
            .example("5s"),
    ],
};
