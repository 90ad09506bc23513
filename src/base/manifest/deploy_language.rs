//! The language of deployments, as tables: environments of `versions.yml`, and what a spec says of
//! how its subsystem is brought into one.

use super::{
    language::{NAME, NAMES, field},
    service_language::SIGNALS,
    shape::{
        Mapping,
        Presence::{Optional, Required, With},
        Shape::{self, Choice, Count, Flag, List, Map, OneOf, Text, Value},
    },
};

const COMMAND: Shape = Text("a command");
const COMMANDS: Shape = OneOf(&[COMMAND, List(&COMMAND)]);
const DURATION: Shape = Text("a duration such as `30s`, `5m` or `7d`");
const VARIABLE: Shape = Text("the name of an environment variable");
const URL: Shape = Text("a URL such as `https://test.example.org`");
const VALUE: Shape = Value;

/// Where subsystems are deployed to.
pub const ENVIRONMENTS: Shape = Map("names of environments", &Shape::Record(&ENVIRONMENT));

static ENVIRONMENT: Mapping = Mapping {
    what: "an environment",
    exactly_one: &[],
    fields: &[
        field(
            "branch",
            Optional,
            Text("the name of a branch"),
            "The branch whose runs of CI deploy to it. Without one, and without a `tag`, only people do.",
        )
        .example("main"),
        field(
            "tag",
            Optional,
            Text("a tag, or a pattern such as `v*`"),
            "The tags whose runs of CI deploy to it.",
        )
        .example("\"v*\""),
        field(
            "pull_request",
            Optional,
            Flag,
            "Whether each pull request has an environment of this kind of its own.",
        )
        .example("true"),
        field("url", Optional, URL, "Where people find it; `{{ url }}` in `deploy`.")
            .example(r#""https://test.example.org""#),
        field(
            "after",
            Optional,
            Text("the name of an environment"),
            "Only what succeeded there is deployed, by its digest.",
        )
        .example("test"),
        field(
            "timeout",
            Optional,
            DURATION,
            "How long a deployment to it may take, with its gates.",
        )
        .default("`1h`")
        .example("30m"),
        field(
            "max",
            With("pull_request"),
            Count,
            "How many pull requests have one at the same time.",
        )
        .default("3")
        .example("5"),
        field(
            "ttl",
            With("pull_request"),
            DURATION,
            "How long after its last deployment the one of a pull request stays.",
        )
        .default("`7d`")
        .example("3d"),
    ],
};

/// What `forge serve` does by itself.
pub const SCHEDULES: Shape = Map("names of schedules", &Shape::Record(&SCHEDULE));

const PLACE: Shape = Text("the name of an environment");

static SCHEDULE: Mapping = Mapping {
    what: "a schedule",
    exactly_one: &["deploy", "drift", "sweep"],
    fields: &[
        field(
            "cron",
            Required,
            Text("five fields such as `0 2 * * 1-5`: minute, hour, day, month, day of the week"),
            "When it has its turn.",
        )
        .example(r#""0 2 * * 1-5""#),
        field(
            "zone",
            Optional,
            Text("a time zone such as `Europe/Berlin`"),
            "The time zone of `cron`. In the hour that summer time skips nothing has its turn; in the one that it repeats, twice.",
        )
        .default("`UTC`")
        .example("Europe/Berlin"),
        field(
            "deploy",
            Optional,
            PLACE,
            "Deploys to this environment what has a `deploy`, as `forge deploy` does.",
        )
        .example("test"),
        field("from", With("deploy"), PLACE, "The environment whose versions are deployed.")
            .example("test"),
        field(
            "drift",
            Optional,
            PLACE,
            "Looks whether what runs in this environment is as it was deployed, as `forge drift` does. It mends nothing.",
        )
        .example("production"),
        field(
            "sweep",
            Optional,
            PLACE,
            "Removes the environments of pull requests that nobody needs any more, as `forge preview:sweep` does: the name of the environment with `pull_request`.",
        )
        .example("preview"),
    ],
};

/// Who is told how deployments go.
pub static NOTIFY: Mapping = Mapping {
    what: "who is told of deployments",
    exactly_one: &[],
    fields: &[
        field(
            "slack",
            Optional,
            Shape::Record(&SLACK),
            "A channel of Slack, by an incoming webhook.",
        )
        .example("{ secret: SLACK_WEBHOOK }"),
        field(
            "webhook",
            Optional,
            Shape::Record(&WEBHOOK),
            "A program, by messages that are signed as Standard Webhooks has it.",
        )
        .example(r#"{ url: "https://ops.example.org/forge", secret: HOOK_SECRET }"#),
    ],
};

const EVENTS: &[&str] =
    &["started", "succeeded", "failed", "rolled-back", "stuck", "cancelled", "recovered"];
const EVENT: Shape = Choice(EVENTS);
const EVENTS_SHAPE: Shape = OneOf(&[EVENT, List(&EVENT)]);

static SLACK: Mapping = Mapping {
    what: "a channel of Slack",
    exactly_one: &[],
    fields: &[
        field(
            "secret",
            Required,
            VARIABLE,
            "The environment variable with the address of the webhook.",
        )
        .example("SLACK_WEBHOOK"),
        field(
            "on",
            Optional,
            EVENTS_SHAPE,
            "What it is told. `recovered`: a success after a failure.",
        )
        .default("`[failed, rolled-back, stuck, recovered]`")
        .example("[failed, succeeded]"),
    ],
};

static WEBHOOK: Mapping = Mapping {
    what: "a webhook",
    exactly_one: &[],
    fields: &[
        field("url", Required, URL, "Where the messages go.")
            .example(r#""https://ops.example.org/forge""#),
        field(
            "secret",
            Required,
            VARIABLE,
            "The environment variable with the secret that they are signed by: `whsec_` and base64.",
        )
        .example("HOOK_SECRET"),
        field("on", Optional, EVENTS_SHAPE, "What it is told.")
            .default("everything")
            .example("[succeeded, failed]"),
    ],
};

/// How a subsystem is deployed: the command alone, or all that can be said of it.
pub const DEPLOY: Shape = OneOf(&[COMMAND, Shape::Record(&FORM)]);

static FORM: Mapping = Mapping {
    what: "how something is deployed",
    exactly_one: &["run", "pulumi"],
    fields: &[
        field("run", Optional, COMMANDS, "The commands that bring it there, one after the other.")
            .example("rsync -a {{ files }}/ web@test.example.org:/srv/api/"),
        field(
            "pulumi",
            Optional,
            Text("a folder with a Pulumi.yaml"),
            "The program of Pulumi that brings it there, with `config` as settings; the checkout stays as it is. `stack` is the one of Pulumi.",
        )
        .example("infra/api"),
        field(
            "target",
            With("pulumi"),
            Text("the URN of a resource, or a pattern such as `**api`"),
            "All that a rollback changes. `--target` says it for a deployment.",
        )
        .default("everything")
        .example("\"**api-service\""),
        field(
            "undo",
            Optional,
            COMMANDS,
            "The commands that bring an earlier version back, if those of `run` do not.",
        )
        .default("those of `run`")
        .example("./switch-back.sh {{ version }}"),
        field(
            "destroy",
            Optional,
            COMMANDS,
            "The commands that remove it from the environment of a pull request. What Pulumi deploys is removed by Pulumi.",
        )
        .example("ssh preview.example.org rm -rf /srv/{{ environment }}"),
        field(
            "stack",
            Optional,
            Text("a name such as `shop-{{ environment }}`"),
            "What it changes there. Of deployments with the same stack, one runs at a time.",
        )
        .default("`{{ name }}-{{ environment }}`")
        .example(r#""shop-{{ environment }}""#),
        field(
            "config",
            Optional,
            Map("names of settings", &VALUE),
            "Settings, as `{{ config.NAME }}` and as YAML in `STACK_INPUT_YAML`. A rollback has those of the version it goes back to.",
        )
        .example(r#"{ replicas: 2, image: "{{ image }}@{{ digest }}" }"#),
        field(
            "secrets",
            Optional,
            OneOf(&[VARIABLE, List(&VARIABLE)]),
            "Environment variables that it cannot do without. They are looked for before anything runs, and masked in all that is printed.",
        )
        .example("[DEPLOY_KEY]"),
        field(
            "oidc",
            Optional,
            Shape::Record(&OIDC),
            "The identity of the run of CI, by a token that its runner gives: for clouds that need no kept secret.",
        )
        .example(r#"{ aws: "arn:aws:iam::123456789012:role/deploy-{{ environment }}" }"#),
        field(
            "needs",
            Optional,
            OneOf(&[NAME, NAMES]),
            "Subsystems that must be deployed and healthy there before.",
        )
        .example("[db]"),
        field("smoke", Optional, COMMANDS, "What must succeed once, after it was deployed.")
            .example("curl -fsS {{ url }}/version"),
        field("health", Optional, Shape::Record(&HEALTH), "What must hold for some time after that.")
            .example(r#"{ http: "{{ url }}/healthz", for: 2m }"#),
        field(
            "rollback",
            Optional,
            Choice(&["auto", "no"]),
            "Whether a deployment that fails is followed by one of the last version that passed its gates.",
        )
        .default("`no`")
        .example("auto"),
        field("stop", Optional, Shape::Record(&STOP), "How its commands are told to end.")
            .example("{ signal: INT, grace: 5m }"),
        field("timeout", Optional, DURATION, "How long it may take, with its gates.")
            .default("that of the environment")
            .example("20m"),
        field("retry", Optional, Count, "How often commands of `run` that failed are run again.")
            .default("0")
            .example("1"),
    ],
};

static OIDC: Mapping = Mapping {
    what: "the identity of a run",
    exactly_one: &[],
    fields: &[
        field(
            "aws",
            Optional,
            Text("the ARN of a role"),
            "The role of AWS that the token is exchanged for; its credentials are `AWS_*` of the commands.",
        )
        .example("arn:aws:iam::123456789012:role/deploy"),
        field(
            "file",
            Optional,
            VARIABLE,
            "The variable that tells the commands in which file the token is. The file goes with the deployment.",
        )
        .example("AZURE_FEDERATED_TOKEN_FILE"),
        field(
            "audience",
            Optional,
            Text("whom the token is for"),
            "Whom the token is for. In GitLab CI, `id_tokens` says it.",
        )
        .default("`sts.amazonaws.com` with `aws`, else that of the host")
        .example("api://AzureADTokenExchange"),
        field(
            "token",
            Optional,
            VARIABLE,
            "The environment variable that has the token already, as in GitLab CI.",
        )
        .default("the runner of GitHub Actions is asked")
        .example("AWS_ID_TOKEN"),
    ],
};

static HEALTH: Mapping = Mapping {
    what: "how a deployment is healthy",
    exactly_one: &["http", "tcp", "run"],
    fields: &[
        field("http", Optional, URL, "It answers there with a status below 400.")
            .example(r#""{{ url }}/healthz""#),
        field("tcp", Optional, Text("a port as `HOST:PORT`"), "Somebody listens there.")
            .example("db.example.org:5432"),
        field("run", Optional, COMMAND, "A command that succeeds.").example("./is-healthy.sh"),
        field("for", Optional, DURATION, "How long it must hold without a break.")
            .default("`30s`")
            .example("2m"),
        field("period", Optional, DURATION, "How long from look to look.")
            .default("`5s`")
            .example("2s"),
        field("timeout", Optional, DURATION, "How long one look may take.")
            .default("the period")
            .example("1s"),
        field("retries", Optional, Count, "How many looks may fail until the first that does not.")
            .default("12")
            .example("30"),
        field("delay", Optional, DURATION, "How long to wait before the first look.")
            .example("10s"),
    ],
};

static STOP: Mapping = Mapping {
    what: "how a deployment is ended",
    exactly_one: &[],
    fields: &[
        field(
            "signal",
            Optional,
            Choice(SIGNALS),
            "The signal that asks its commands, as a terminal would.",
        )
        .default("`INT`")
        .example("TERM"),
        field(
            "grace",
            Optional,
            DURATION,
            "How long until it is asked again, after which it has 30 s more until all is killed.",
        )
        .default("`5m`")
        .example("1m"),
    ],
};
