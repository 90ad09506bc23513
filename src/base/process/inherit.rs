//! Which variables of forge's own environment a command inherits.
//!
//! - A program that forge itself works with (git, gh) inherits everything.
//! - A task or service inherits everything but what forge logs in with ([`LOGINS`]).
//! - A build inherits what [`BUILDS_INHERIT`] lists, and nothing that looks like a secret.
//!
//! `pass_env:` adds variables by name. docs/concepts/builds.md has the same table for users; a test compares them.

use std::collections::BTreeSet;

/// Which of the variables that forge was started with a command inherits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Inherit {
    /// All of them.
    #[default]
    All,
    /// All but these.
    AllBut(BTreeSet<String>),
    /// Those that every build may see, and these.
    Listed(BTreeSet<String>),
    /// None.
    Nothing,
}

impl Inherit {
    /// What a task or service inherits that names `passed`: all but what forge logs in with. `uses_s3`
    /// says whether a store of the workspace is an S3 bucket.
    pub fn of_task<'a>(passed: impl IntoIterator<Item = &'a String>, uses_s3: bool) -> Self {
        let s3: &[&str] = if uses_s3 { S3_LOGINS } else { &[] };
        let mut withheld: BTreeSet<String> =
            LOGINS.iter().chain(s3).map(|name| (*name).to_owned()).collect();
        for name in passed {
            withheld.remove(name);
        }
        Self::AllBut(withheld)
    }

    /// The same without `names`, too.
    #[must_use]
    pub fn without<'a>(mut self, names: impl IntoIterator<Item = &'a String>) -> Self {
        if let Self::AllBut(withheld) = &mut self {
            withheld.extend(names.into_iter().cloned());
        }
        self
    }

    /// What a build inherits that names `passed`.
    pub fn of_build<'a>(passed: impl IntoIterator<Item = &'a String>) -> Self {
        Self::Listed(passed.into_iter().cloned().collect())
    }

    /// Whether a command inherits the variable `name`.
    pub fn allows(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::AllBut(withheld) => !withheld.contains(name),
            Self::Listed(passed) => passed.contains(name) || every_build_inherits(name),
            Self::Nothing => false,
        }
    }
}

/// The variables that forge logs in with.
pub const LOGINS: &[&str] = &[
    "FORGE_GITHUB_TOKEN",
    "GH_TOKEN",
    "GITHUB_TOKEN",
    "GH_ENTERPRISE_TOKEN",
    "GITHUB_ENTERPRISE_TOKEN",
    "FORGE_GITEA_TOKEN",
    "GITEA_TOKEN",
    "FORGE_GITLAB_TOKEN",
    "GITLAB_TOKEN",
    "CI_JOB_TOKEN",
    "FORGE_REGISTRY_TOKEN",
    "CI_REGISTRY_PASSWORD",
    "DOCKER_AUTH_CONFIG",
];

/// The variables that forge logs in to S3 with.
const S3_LOGINS: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
];

/// Of what builds inherit, what decides which bytes compilers write: where these differ, so may what is
/// built by the same recipe. Whatever else is inherited says where things are and how they are fetched.
pub const CHANGES_OUTPUT: &[&str] = &[
    "SOURCE_DATE_EPOCH",
    "GOFLAGS",
    "GOTOOLCHAIN",
    "GOEXPERIMENT",
    "GODEBUG",
    "GOAMD64",
    "GOARM",
    "GOARM64",
    "CGO_*",
    "CARGO_PROFILE_*",
    "RUSTUP_TOOLCHAIN",
    "RUSTC",
    "RUSTC_WRAPPER",
    "RUSTFLAGS",
    "CC",
    "CXX",
    "AR",
    "AS",
    "LD",
    "NM",
    "RANLIB",
    "STRIP",
    "OBJCOPY",
    "CFLAGS",
    "CXXFLAGS",
    "CPPFLAGS",
    "LDFLAGS",
    "CPATH",
    "C_INCLUDE_PATH",
    "CPLUS_INCLUDE_PATH",
    "LIBRARY_PATH",
    "LD_LIBRARY_PATH",
    "DYLD_*",
    "PKG_CONFIG*",
    "CMAKE_*",
    "SDKROOT",
    "DEVELOPER_DIR",
    "MACOSX_DEPLOYMENT_TARGET",
];

/// Whether the variable `name`, which builds inherit, decides which bytes compilers write.
pub fn changes_output(name: &str) -> bool {
    let is = |pattern: &&str| match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == *pattern,
    };
    // A compiler for a target, and flags for it; not the folder of what is compiled.
    let is_target = name.starts_with("CARGO_TARGET_") && name != "CARGO_TARGET_DIR";
    is_target || CHANGES_OUTPUT.iter().any(is)
}

/// What every build inherits, by subject. `*` at the end stands for any text. Case counts, but for
/// `NPM_CONFIG_*`, which npm reads in either.
pub const BUILDS_INHERIT: &[(&str, &[&str])] = &[
    ("the machine and the user", &["PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "XDG_*"]),
    (
        "language, time and terminal",
        &["LANG", "LANGUAGE", "LC_*", "TZ", "TERM", "TERMINFO", "NO_COLOR", "SOURCE_DATE_EPOCH"],
    ),
    (
        "proxies",
        &[
            "http_proxy",
            "https_proxy",
            "ftp_proxy",
            "all_proxy",
            "no_proxy",
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "FTP_PROXY",
            "ALL_PROXY",
            "NO_PROXY",
        ],
    ),
    (
        "certificates",
        &[
            "SSL_CERT_FILE",
            "SSL_CERT_DIR",
            "CURL_CA_BUNDLE",
            "REQUESTS_CA_BUNDLE",
            "GIT_SSL_CAINFO",
            "GIT_SSL_CAPATH",
            "NIX_SSL_CERT_FILE",
            "NODE_EXTRA_CA_CERTS",
        ],
    ),
    (
        "Go",
        &[
            "GOPATH",
            "GOMODCACHE",
            "GOCACHE",
            "GOPROXY",
            "GOPRIVATE",
            "GONOPROXY",
            "GONOSUMDB",
            "GONOSUMCHECK",
            "GOSUMDB",
            "GOINSECURE",
            "GOVCS",
            "GOAUTH",
            "GOFLAGS",
            "GOTOOLCHAIN",
            "GOROOT",
            "GOENV",
            "GOEXPERIMENT",
            "GODEBUG",
            "GOMAXPROCS",
            "GOMEMLIMIT",
            "GOAMD64",
            "GOARM",
            "GOARM64",
            "CGO_*",
        ],
    ),
    (
        "Rust",
        &[
            "CARGO_HOME",
            "CARGO_NET_*",
            "CARGO_HTTP_*",
            "CARGO_REGISTRIES_*",
            "CARGO_TERM_*",
            "CARGO_BUILD_JOBS",
            "CARGO_TARGET_*",
            "CARGO_PROFILE_*",
            "CARGO_INCREMENTAL",
            "RUSTUP_*",
            "RUSTC",
            "RUSTC_WRAPPER",
            "RUSTFLAGS",
            "RUST_BACKTRACE",
        ],
    ),
    (
        "C and C++",
        &[
            "CC",
            "CXX",
            "AR",
            "AS",
            "LD",
            "NM",
            "RANLIB",
            "STRIP",
            "OBJCOPY",
            "CFLAGS",
            "CXXFLAGS",
            "CPPFLAGS",
            "LDFLAGS",
            "CPATH",
            "C_INCLUDE_PATH",
            "CPLUS_INCLUDE_PATH",
            "LIBRARY_PATH",
            "LD_LIBRARY_PATH",
            "DYLD_*",
            "PKG_CONFIG*",
            "CMAKE_*",
            "CCACHE_*",
            "SCCACHE_DIR",
            "SDKROOT",
            "DEVELOPER_DIR",
            "MACOSX_DEPLOYMENT_TARGET",
        ],
    ),
    (
        "JavaScript",
        &[
            "NODE_*",
            "NPM_CONFIG_*",
            "COREPACK_*",
            "NVM_*",
            "VOLTA_HOME",
            "FNM_*",
            "DENO_DIR",
            "BUN_INSTALL",
            "PNPM_HOME",
            "YARN_CACHE_FOLDER",
        ],
    ),
    ("Python", &["PYTHON*", "PYENV_*", "VIRTUAL_ENV", "CONDA_*", "PIP_*", "UV_*"]),
    (
        "Java and Android",
        &[
            "JAVA_HOME",
            "JDK_JAVA_OPTIONS",
            "JAVA_TOOL_OPTIONS",
            "MAVEN_HOME",
            "M2_HOME",
            "MAVEN_OPTS",
            "MAVEN_ARGS",
            "GRADLE_HOME",
            "GRADLE_USER_HOME",
            "GRADLE_OPTS",
            "ANDROID_HOME",
            "ANDROID_SDK_ROOT",
            "ANDROID_NDK_HOME",
            "ANDROID_NDK_ROOT",
        ],
    ),
    (
        "other toolchains and their managers",
        &[
            "DOTNET_*",
            "NUGET_PACKAGES",
            "GEM_HOME",
            "GEM_PATH",
            "RBENV_*",
            "ZIG_*",
            "ASDF_*",
            "MISE_*",
            "SDKMAN_DIR",
            "HOMEBREW_PREFIX",
            "HOMEBREW_CELLAR",
            "NIX_CC",
            "NIX_BINTOOLS",
            "NIX_CFLAGS_*",
            "NIX_LDFLAGS*",
            "NIX_STORE",
            "NIX_PATH",
            "NIX_PROFILES",
            "LOCALE_ARCHIVE",
        ],
    ),
];

/// What no pattern above includes: where the user's own builds go.
const NEVER_BY_PATTERN: &[&str] =
    &["CARGO_TARGET_DIR", "NPM_CONFIG__AUTH", "npm_config__auth", "XDG_RUNTIME_DIR"];

fn every_build_inherits(name: &str) -> bool {
    if is_listed(name) {
        return true;
    }
    if looks_secret(name) || NEVER_BY_PATTERN.contains(&name) {
        return false;
    }
    let npm = name.get(..11).is_some_and(|begin| begin.eq_ignore_ascii_case("npm_config_"));
    let begins = |known: &str| known.strip_suffix('*').is_some_and(|begin| name.starts_with(begin));
    npm || BUILDS_INHERIT.iter().flat_map(|(_, names)| *names).any(|known| begins(known))
}

/// Whether [`BUILDS_INHERIT`] lists `name` itself: `GOAUTH` is not a secret, whatever it ends with.
fn is_listed(name: &str) -> bool {
    BUILDS_INHERIT.iter().any(|(_, names)| names.contains(&name))
}

/// Words that make the name of a variable that of a secret, wherever they stand in it.
const SECRET_WORDS: &[&str] = &[
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "CREDENTIAL",
    "APIKEY",
    "AUTHKEY",
    "JWT",
    "PRIVATEKEY",
    "WEBHOOK",
    "GIT_CONFIG_VALUE",
];
/// Words that do so between underscores.
const SECRET_PARTS: &[&str] = &["KEY", "PAT", "PASS", "PWD", "AUTH", "LOGIN", "COOKIE"];
/// Words that do so at the end of a name, or as all of it.
const SECRET_ENDS: &[&str] = &[
    "KEY",
    "KEYS",
    "PASS",
    "PWD",
    "AUTH",
    "COOKIE",
    "COOKIES",
    "CREDS",
    "DSN",
    "CONNECTION_STRING",
    "KUBECONFIG_DATA",
];
/// Words that do so as all of a name, and are places within others.
const SECRET_NAMES: &[&str] = &["NETRC"];
/// What ends so and is the folder that the shell is in.
const FOLDERS: &[&str] = &["PWD", "OLDPWD"];
/// Words at the end that say where something is, not what it is.
const PLACES: &[&str] =
    &["SOCK", "FILE", "PATH", "DIR", "URL", "URI", "HOST", "ID", "NAME", "USER"];

/// Whether the variable `name` is called as one that holds a secret.
pub fn looks_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    // The name of a setting of git, whose value is in `GIT_CONFIG_VALUE_…`.
    if FOLDERS.contains(&name.as_str()) || name.starts_with("GIT_CONFIG_KEY_") {
        return false;
    }
    let parts: Vec<&str> = name.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    parts.len() > 1 && parts.iter().any(|part| SECRET_PARTS.contains(part))
        || SECRET_NAMES.contains(&name.as_str())
        || SECRET_ENDS.iter().any(|end| name.ends_with(end))
        || SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// Whether the variable `name` is called as one whose value is a secret, and not the place of one.
pub fn holds_secret(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let last = upper.rsplit('_').next().unwrap_or_default();
    // The URL of a webhook is all that is needed to use it.
    let is_place = PLACES.contains(&last) && !(last == "URL" && upper.contains("WEBHOOK"));
    looks_secret(name) && !is_place && !is_listed(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builds_see(name: &str) -> bool {
        Inherit::of_build([]).allows(name)
    }

    #[test]
    fn builds_see_toolchains_and_no_secrets() {
        for name in [
            "PATH",
            "HOME",
            "LC_ALL",
            "TZ",
            "https_proxy",
            "NO_PROXY",
            "SSL_CERT_FILE",
            "GOFLAGS",
            "GOPRIVATE",
            "CARGO_HOME",
            "CARGO_NET_OFFLINE",
            "CARGO_TARGET_X86_64_LINKER",
            "CC",
            "RUSTUP_TOOLCHAIN",
            "NODE_OPTIONS",
            "npm_config_cache",
            "NPM_CONFIG_REGISTRY",
            "PYENV_VERSION",
            "VIRTUAL_ENV",
            "JAVA_HOME",
            "SOURCE_DATE_EPOCH",
            "XDG_CACHE_HOME",
            "CARGO_REGISTRIES_MY_INDEX",
        ] {
            assert!(builds_see(name), "{name}");
        }
        for name in [
            "GH_TOKEN",
            "FORGE_GITHUB_TOKEN",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_PROFILE",
            "ACTIONS_RUNTIME_TOKEN",
            "ACTIONS_CACHE_URL",
            "CI_JOB_TOKEN",
            "CI_JOB_ID",
            "CARGO_REGISTRY_TOKEN",
            "CARGO_REGISTRIES_MY_TOKEN",
            "NODE_AUTH_TOKEN",
            "NPM_CONFIG__AUTH",
            "npm_config_//r.example/:_authToken",
            "UV_PUBLISH_PASSWORD",
            "MISE_GITHUB_TOKEN",
            "MY_API_KEY",
            "DB_PASSWORD",
            "SSH_AUTH_SOCK",
            "NIX_CONFIG",
            "GIT_CONFIG_VALUE_0",
            "CARGO_TARGET_DIR",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "CI",
            "PIP_PASSWORD",
            "npm_config_//r.example/:_password",
        ] {
            assert!(!builds_see(name), "{name}");
        }
        assert!(Inherit::of_build([&"GH_TOKEN".to_owned()]).allows("GH_TOKEN"));
    }

    #[test]
    fn tasks_see_all_but_the_logins_that_they_do_not_name() {
        let passed = ["GH_TOKEN".to_owned()];
        let (tasks, with_s3) = (Inherit::of_task(&passed, false), Inherit::of_task([], true));
        assert!(tasks.allows("GH_TOKEN") && !tasks.allows("GITHUB_TOKEN"));
        assert!(tasks.allows("MY_API_KEY") && tasks.allows("AWS_SECRET_ACCESS_KEY"));
        assert!(!with_s3.allows("AWS_SECRET_ACCESS_KEY") && with_s3.allows("AWS_REGION"));
    }

    #[test]
    fn names_tell_secrets_from_the_places_of_secrets() {
        for name in [
            "GH_TOKEN",
            "AWS_SECRET_ACCESS_KEY",
            "SYSTEM_ACCESSTOKEN",
            "MYSQL_PWD",
            "KEY",
            "DEPLOYKEY",
            "SIGNING_KEYS",
            "PASS",
            "SSHPASS",
            "DBPWD",
            "PASSPHRASE",
            "GPG_PASSPHRASE",
            "AUTH",
            "NPMAUTH",
            "COOKIE",
            "SESSION_COOKIES",
            "CREDENTIAL",
            "CREDENTIALS",
            "SENTRY_DSN",
            "GIT_CONFIG_VALUE_0",
            "GIT_CONFIG_VALUE_12",
            "UV_CREDS",
            "DEPLOY_CREDS",
            "SLACK_WEBHOOK",
            "SLACK_WEBHOOK_URL",
            "NODE_WEBHOOK",
            "KUBECONFIG_DATA",
            "NETRC",
            "AZURE_STORAGE_CONNECTION_STRING",
        ] {
            assert!(holds_secret(name), "{name}");
            assert!(!builds_see(name), "{name}");
        }
        for name in [
            "PWD",
            "OLDPWD",
            "SSH_AUTH_SOCK",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "PGPASSFILE",
            "PATH",
            "HOME",
            "GOAUTH",
            "KEYBOARD",
            "KEYMAP_NAME",
            "AUTHOR",
            "GIT_CONFIG_KEY_0",
            "KUBECONFIG",
            "SLACK_WEBHOOK_NAME",
            "SACREDSITE",
        ] {
            assert!(!holds_secret(name), "{name}");
        }
        assert!(builds_see("GOAUTH"));
    }

    #[test]
    fn the_documentation_lists_what_builds_inherit() {
        let docs = include_str!("../../../docs/concepts/builds.md");
        for (subject, names) in BUILDS_INHERIT {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            let row = format!("| {subject} | {} |", names.join(" "));
            assert!(docs.contains(&row), "docs/concepts/builds.md lacks this row:\n{row}");
        }
        for name in LOGINS.iter().chain(S3_LOGINS) {
            assert!(docs.contains(&format!("`{name}`")), "{name}");
        }
    }
}
