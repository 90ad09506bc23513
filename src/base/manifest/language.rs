//! The language of `versions.yml`, as tables, and what it shares with that of specs. What stands
//! here is what is accepted, what `forge schema` prints, what the reference says and what
//! messages name.

use super::deploy_language::{ENVIRONMENTS, NOTIFY, SCHEDULES};
use super::include::INCLUDE;
use super::shape::{
    Field, Mapping,
    Presence::{self, Optional, Required},
    Shape::{self, Choice, Flag, List, Map, OneOf, Text, Value},
};
use super::task_language::{DOTENV, OUTPUT, POOLS, SHELL, TASKS, VARS};

pub(super) const fn field(
    key: &'static str,
    need: Presence,
    shape: Shape,
    doc: &'static str,
) -> Field {
    Field { key, shape, doc, need, default: None, example: "", since: "0.1.0" }
}

/// A subsystem's name.
pub const NAME: Shape = Text("the name of a subsystem");
/// A platform.
pub const PLATFORM: Shape = Text("a platform such as `linux-amd64`");
pub(super) const PATH: Shape = Text("a relative path");
const STORE: Shape = Text("a store such as `github:OWNER/REPO` or `dir:PATH`");
pub(super) const BINARY: Shape = Text("the name of a binary");
/// A version.
pub const VERSION: Shape = Text("a version such as `v1.2.3`");
pub(super) const NAMES: Shape = List(&NAME);
/// A SHA-256 digest.
pub const DIGEST: Shape = Text("a SHA-256 digest (64 hexadecimal digits)");
/// A digest of a vendor.
pub const VENDORS_DIGEST: Shape =
    Text("a digest: SHA-256 (64 hexadecimal digits), SHA-384 (96) or SHA-512 (128)");
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
            "The project's name.",
        ).default("the folder's name").example("telemetry"),
        field(
            "forge",
            Optional,
            Text("a requirement such as `>=0.2`"),
            "The versions of forge that this workspace works with, as Cargo writes requirements.",
        ).example(r#"">=0.1""#),
        field(
            "releases",
            Optional,
            OneOf(&[STORE, List(&STORE)]),
            "Where releases live: one store or several, tried in order; the first is published to.",
        ).default("a folder in the user's data directory").example("github:OWNER/REPO"),
        field(
            "versions",
            Required,
            Map("names of subsystems", &OneOf(&[VERSION, Shape::Record(&SCHEME)])),
            "The version of each subsystem: a pin (`v2.10.24`), a moving ref (`main`), or a \
             scheme that gives it one.",
        ).example("{ nats: v2.10.24, docs: main }"),
        field("platforms", Optional, List(&PLATFORM), "The platforms a complete release has.").example("[linux-amd64, darwin-arm64]"),
        field(
            "sealed",
            Optional,
            Flag,
            "Whether a release stays a draft until it has all platforms.",
        ).default("what the host of the releases needs").example("true"),
        field(
            "repository",
            Optional,
            Text("a repository such as `https://github.com/OWNER/REPO`"),
            "Where the project's source is: under `trust: ci` and `trust: attested` its CI is trusted.",
        ).default("the repository with the releases").example("https://github.com/OWNER/REPO"),
        field(
            "trust",
            Optional,
            Choice(&["any", "ci", "attested"]),
            "Whose assets are downloaded: anybody's who may publish (`any`), only those that the CI of the project's repository says it built (`ci`), or only those of which GitHub has signed that (`attested`).",
        ).default("`any`").example("ci"),
        field(
            "remote",
            Optional,
            Shape::Record(&REMOTE),
            "A cache of builds that machines share: a server that speaks the Remote Execution API.",
        ).example("{ cache: \"grpcs://cache.example.com:8980\" }"),
        field("groups", Optional, Map("names of groups", &NAMES), "Names for sets of subsystems.").example("{ ci: [nats, docs] }"),
        field(
            "environments",
            Optional,
            ENVIRONMENTS,
            "Where subsystems with a `deploy` are brought to: `forge deploy ENVIRONMENT`.",
        ).example("{ test: { branch: dev }, production: { branch: main, after: test } }"),
        field(
            "ledger",
            Optional,
            Text("a folder such as `/srv/deployments`, or a repository such as `github:OWNER/REPO`"),
            "Where the ledger of deployments is, which machines that deploy to the same environments share: a folder, or the records of deployments at a repository of GitHub.",
        ).default("in GitHub Actions the repository, elsewhere a folder in the user's data directory").example("github:acme/shop"),
        field(
            "schedules",
            Optional,
            SCHEDULES,
            "What `forge serve` does by itself, and when.",
        ).example("{ nightly: { cron: \"0 2 * * 1-5\", zone: Europe/Berlin, deploy: test } }"),
        field(
            "notify",
            Optional,
            Shape::Record(&NOTIFY),
            "Who is told how deployments go.",
        ).example("{ slack: { secret: SLACK_WEBHOOK } }"),
        field("ci", Optional, Shape::Record(&CI), "How CI works on the project.").example("{ runners: { linux-arm64: ubuntu-24.04-arm } }"),
        field("tasks", Optional, TASKS, "Commands of the workspace.").example("{ test: go test ./... }"),
        field(
            "include",
            Optional,
            INCLUDE,
            "Files of tasks, by the names that stand before their tasks.",
        ).example("{ docs: tasks/docs.yml }"),
        field("vars", Optional, VARS, "Template variables for all subsystems and tasks.").example("{ port: 8080 }"),
        field(
            "env",
            Optional,
            ENV,
            "Environment variables for the commands of all subsystems and tasks. One that looks \
             at what only a run of a task knows is set for tasks alone.",
        ).example("{ LOG_LEVEL: debug }"),
        field(
            "pass_env",
            Optional,
            PASS_ENV,
            "Environment variables that all builds, tasks and services inherit besides the usual ones.",
        ).example("[SSH_AUTH_SOCK]"),
        field(
            "dotenv",
            Optional,
            DOTENV,
            "Files of environment variables for all tasks, below `env`.",
        ).example("[local.env?, .env]"),
        field("shell", Optional, SHELL, "What reads the commands of all tasks.").default("`sh`").example("bash"),
        field("quiet", Optional, Flag, "Whether the commands of no task are shown under `-v`.").example("true"),
        field("output", Optional, OUTPUT, "How the output of tasks is shown.").example("grouped"),
        field(
            "pools",
            Optional,
            POOLS,
            "Names of pools, each with how many of the tasks that name it run at once.",
        ).example("{ database: 1 }"),
    ],
};

static REMOTE: Mapping = Mapping {
    what: "a remote cache",
    exactly_one: &[],
    fields: &[
        field(
            "cache",
            Required,
            Text("an address such as `grpcs://HOST:PORT`"),
            "Where the server is. `grpc://` is for this machine only.",
        )
        .example("grpcs://cache.example.com:8980"),
        field(
            "instance",
            Optional,
            Text("the name of an instance"),
            "Which of the server's instances.",
        )
        .default("the one without a name")
        .example("main"),
        field(
            "headers",
            Optional,
            Map("names of headers", &VARIABLE),
            "Headers of each call, each with the environment variable that holds its value.",
        )
        .example("{ authorization: FORGE_REMOTE_AUTHORIZATION }"),
        field("tls", Optional, Shape::Record(&TLS), "Certificates besides those of the system.")
            .example("{ ca: ci/cache-ca.pem }"),
        field("read", Optional, Flag, "Whether runs that publish nothing take builds from it.")
            .default("true")
            .example("false"),
        field(
            "write",
            Optional,
            Choice(&["ci", "never"]),
            "Who keeps builds in it: runs of CI that publish (`ci`), or nobody (`never`).",
        )
        .default("`ci`")
        .example("never"),
        field(
            "execution",
            Optional,
            Flag,
            "Whether tasks and builds that say `remote` run on the server's workers.",
        )
        .default("`false`")
        .example("true"),
        field(
            "properties",
            Optional,
            Map("names of properties", &PROPERTY),
            "The properties that a worker has to have, besides what a task says.",
        )
        .example("{ OSFamily: linux, container-image: \"docker://example.com/tools@sha256:abc\" }"),
        field(
            "jobs",
            Optional,
            Shape::Count,
            "How many run on workers at once; `-j` does not count them.",
        )
        .default("`32`")
        .example("64"),
        field(
            "fallback",
            Optional,
            Choice(&["local"]),
            "What becomes of a task if no worker can be reached: it runs here (`local`).",
        )
        .default("it fails")
        .example("local"),
        field(
            "salt",
            Optional,
            Text("any text"),
            "Part of every key: another one disowns all that was kept.",
        )
        .example("\"2\""),
        field(
            "timeout",
            Optional,
            Text("a time such as `10s`"),
            "How long an answer may take, and a transfer make no progress.",
        )
        .default("`10s`")
        .example("5s"),
    ],
};

pub(super) const PROPERTY: Shape = Text("the value of a property");

static TLS: Mapping = Mapping {
    what: "certificates",
    exactly_one: &[],
    fields: &[
        field(
            "ca",
            Optional,
            PATH,
            "The authorities that the server's certificate may be of, as PEM.",
        )
        .example("ci/cache-ca.pem"),
        field(
            "cert",
            Optional,
            VARIABLE,
            "The environment variable that names the file of forge's own certificate, as PEM.",
        )
        .example("CACHE_CERTIFICATE"),
        field(
            "key",
            Optional,
            VARIABLE,
            "The environment variable that names the file of its key, as PEM.",
        )
        .example("CACHE_CERTIFICATE_KEY"),
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
        "For a platform, the runner that builds for it: a label, or all of a list. In GitLab, labels are called tags.",
    ).default("the runner that the host of the project has for the platform").example("{ darwin-amd64: ubuntu-24.04, linux-arm64: [self-hosted, arm64] }")],
};

pub(super) static SCHEME: Mapping = Mapping {
    what: "a scheme",
    exactly_one: &[],
    fields: &[
        field(
            "scheme",
            Required,
            Choice(&["date", "commits", "tag"]),
            "How its versions come about: from the day (`20260107.0`), from what Conventional \
             Commits say (`1.3.0`), or as the project's own tag says (`v0.4.0`).",
        )
        .example("date"),
        field(
            "first",
            Optional,
            Text("a version such as `0.1.0`"),
            "The first version, if commits make them. With a `v`, all have one.",
        )
        .default("`0.1.0`")
        .example("v1.0.0"),
        field(
            "bump_minor_pre_major",
            Optional,
            Flag,
            "Whether a breaking change before 1.0.0 is a minor one.",
        )
        .example("true"),
        field(
            "channels",
            Optional,
            Map("names of branches", &Text("a word such as `dev`")),
            "Branches whose versions are pre-releases, and what those are called.",
        )
        .example("{ dev: dev }"),
    ],
};
