//! The environment variables that forge reads.

use std::fmt::Write as _;

use super::{ReferenceTopic, code, table};

/// A chapter with the variables that belong together.
type Chapter = (&'static str, &'static [(&'static [&'static str], &'static str)]);

const VARIABLES: &[Chapter] = &[
    (
        "Folders",
        &[
            (
                &["FORGE_CACHE_DIR"],
                "The cache that workspaces share. Default: `$XDG_CACHE_HOME/forge`, `~/.cache/forge`.",
            ),
            (
                &["FORGE_CACHE_LIMIT"],
                "How large the cache may become before what was not used for longest goes: `20G`, `500M`, or `off`. Default: `20G`.",
            ),
            (
                &["FORGE_DATA_DIR"],
                "The key of records, and the store of workspaces that name none. Default: `$XDG_DATA_HOME/forge`, `~/.local/share/forge`.",
            ),
            (
                &["FORGE_LINKED_DIRS"],
                "Folders that a `.forge` which is a symbolic link may lead into, with `:` between them.",
            ),
            (
                &["FORGE_IMAGE_ENGINE"],
                "What makes images of Dockerfiles: `docker`, `buildctl`, `buildah` or `podman`. Default: the first that works.",
            ),
            (
                &["SOURCE_DATE_EPOCH"],
                "The time of all that is in images, in seconds since 1970. Default: the first day of 1980.",
            ),
            (
                &[
                    "HOME",
                    "XDG_CACHE_HOME",
                    "XDG_DATA_HOME",
                    "XDG_CONFIG_HOME",
                    "XDG_RUNTIME_DIR",
                    "TMPDIR",
                ],
                "As everywhere.",
            ),
        ],
    ),
    (
        "Output",
        &[
            (
                &["COLUMNS"],
                "How wide tables and help are, also in a pipe; else the terminal says it, and in a pipe there is no limit.",
            ),
            (&["NO_COLOR"], "No colours, if it is not empty."),
            (
                &["CLICOLOR_FORCE", "FORCE_COLOR"],
                "Colours in a pipe too, if it is not `0`. `NO_COLOR` and `--color` count more.",
            ),
            (&["TERM"], "`dumb`: no bars, no colours."),
            (
                &["CI"],
                "No bars, if it is anything but `false`. A CI whose host forge does not know publishes nothing by itself.",
            ),
        ],
    ),
    (
        "Installing forge",
        &[
            (
                &["FORGE_SOURCE"],
                "For `install.sh`, `forge self-update` and `forge ci:init`: where releases of forge are, as `github:OWNER/REPO`, a URL or a folder.",
            ),
            (
                &["FORGE_VERSION", "FORGE_INSTALL_DIR", "FORGE_SHA256"],
                "For `install.sh`: the version, the folder, and the digest that the archive must have.",
            ),
        ],
    ),
    (
        "Logins",
        &[
            (
                &["FORGE_GITHUB_TOKEN", "GH_TOKEN", "GITHUB_TOKEN"],
                "The token for github.com; the first that is set. For a GitHub of your own: `FORGE_GITHUB_TOKEN`, then the next two.",
            ),
            (
                &["GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"],
                "The token for a GitHub of your own that the environment names.",
            ),
            (
                &["GITHUB_SERVER_URL", "GITHUB_API_URL", "GH_HOST"],
                "They name a GitHub of your own. A token of a variable goes to a host that is named here, or to github.com, and to no other.",
            ),
            (
                &["FORGE_GITEA_TOKEN", "GITEA_TOKEN"],
                "The token for gitea.com, or for the server that the next two name.",
            ),
            (&["GITEA_SERVER_URL", "FORGEJO_SERVER_URL"], "They name a Gitea or Forgejo."),
            (
                &["FORGE_GITLAB_TOKEN", "GITLAB_TOKEN"],
                "The token for gitlab.com, or for the server that the next two name.",
            ),
            (&["CI_SERVER_URL", "GITLAB_HOST"], "They name a GitLab of your own."),
            (
                &["FORGE_REGISTRY", "FORGE_REGISTRY_USER", "FORGE_REGISTRY_TOKEN"],
                "A registry of images, and the login for it and no other.",
            ),
            (
                &["CI_REGISTRY", "CI_REGISTRY_USER", "CI_REGISTRY_PASSWORD"],
                "The same as a job of GitLab CI has it.",
            ),
            (
                &["DOCKER_AUTH_CONFIG", "DOCKER_CONFIG", "REGISTRY_AUTH_FILE"],
                "Logins to registries as Docker and podman keep them: as text, the folder of `config.json`, a file.",
            ),
            (
                &["CI_JOB_TOKEN"],
                "The token of a job of GitLab CI, for the server of that job and no other.",
            ),
            (
                &["CI_ENVIRONMENT_NAME"],
                "In a job of GitLab CI with `environment:`: GitLab keeps the record of the deployment itself.",
            ),
            (
                &["CI_PROJECT_PATH", "CI_DEFAULT_BRANCH"],
                "In a job of GitLab CI: its project, and the branch where a release of that project makes its tag.",
            ),
        ],
    ),
    (
        "A server for deployments",
        &[
            (
                &["FORGE_SERVE_TOKENS"],
                "For `forge serve`: who may ask, as `NAME=TOKEN` between commas, if no file is named. Its deployments do not see it.",
            ),
            (
                &["FORGE_SERVE_STATE"],
                "For `forge serve`: where its queue is, if `--state` does not say it. Its deployments do not see it.",
            ),
            (&["FORGE_SERVER_TOKEN"], "For `--server`: the token that the server knows."),
            (
                &["FORGE_REQUESTED_BY"],
                "Set by `forge serve` for what it runs: which of its deployments that is, and who asked for it.",
            ),
        ],
    ),
    (
        "S3",
        &[
            (&["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"], "Keys."),
            (
                &[
                    "AWS_WEB_IDENTITY_TOKEN_FILE",
                    "AWS_ROLE_ARN",
                    "AWS_ROLE_SESSION_NAME",
                    "AWS_ENDPOINT_URL_STS",
                ],
                "A role, by a token in a file: how CI logs in without keys.",
            ),
            (
                &[
                    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                ],
                "A role of a container.",
            ),
            (&["AWS_REGION", "AWS_DEFAULT_REGION"], "The region."),
            (
                &["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"],
                "The server, if it is not Amazon's.",
            ),
            (&["AWS_REQUEST_PAYER"], "Says that the one who asks pays."),
        ],
    ),
    (
        "Network and versions",
        &[
            (
                &["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"],
                "Proxies, in small letters too.",
            ),
            (
                &["GOPROXY", "GOPRIVATE", "GONOPROXY", "GOENV"],
                "Who is asked for versions of Go modules, as `go` itself would.",
            ),
            (
                &["FORGE_CRATES_INDEX"],
                "A sparse index of crates to ask instead of that of crates.io.",
            ),
        ],
    ),
    (
        "Continuous integration",
        &[
            (
                &[
                    "GITHUB_ACTIONS",
                    "GITHUB_STEP_SUMMARY",
                    "GITHUB_OUTPUT",
                    "GITHUB_WORKSPACE",
                    "GITHUB_EVENT_PATH",
                ],
                "In GitHub Actions: groups, annotations, the summary and outputs of a step.",
            ),
            (
                &["ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"],
                "In a job of GitHub Actions with `id-token: write`: where `oidc` of a deployment gets the identity of the run.",
            ),
            (
                &["FORGE_INSTALL"],
                "In pipelines that `forge ci:init --host gitlab` writes: the command that installs forge.",
            ),
        ],
    ),
];

/// All of them, chapter by chapter.
pub(super) fn page(_: &ReferenceTopic) -> String {
    let mut text = String::new();
    for (chapter, variables) in VARIABLES {
        let _ = writeln!(text, "## {chapter}\n");
        let names =
            |names: &[&str]| names.iter().map(|name| code(name)).collect::<Vec<_>>().join(", ");
        let rows = variables.iter().map(|(all, meaning)| vec![names(all), (*meaning).to_owned()]);
        text.push_str(&table(&["variable", "what it means"], rows));
    }
    text.push_str(
        "Where a token is not in a variable, `gh auth token` and `git credential fill` are asked, for the host in \
         question. Which hosts of CI forge knows, and by what, is under [trust](../concepts/trust.md).\n\n\
         Commands of services see `FORGE_SERVICE`, and all commands that forge starts see `FORGE_COMMAND`; it \
         finds by them what is left of a run that was killed.\n",
    );
    text
}
