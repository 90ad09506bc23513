//! `remote:`: the cache of builds that machines share. No secret stands in it: headers and the client's
//! certificate come from the environment.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Source, Subsystem, Workspace, build::is_variable};
use crate::{
    manifest::{Findings, Node, Scalar, pairs, scalar, scalars},
    model::{Platform, parse_duration},
    reapi::ServerAddress,
};

/// How long an answer may take if nobody says.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How many run on workers at once if nobody says.
const JOBS: usize = 32;
/// No more run on workers at once.
const MOST_JOBS: usize = 10_000;

/// `remote:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteSettings {
    /// `cache`.
    pub address: ServerAddress,
    /// `instance`; empty for the one without a name.
    pub instance: String,
    /// `headers`: names, each with the environment variable that holds the value.
    pub headers: Vec<(String, String)>,
    /// `tls: {ca}`: a file of the workspace.
    pub authorities: Option<PathBuf>,
    /// `tls: {cert, key}`: the environment variables that name the files.
    pub identity: Option<(String, String)>,
    /// `read`.
    pub reads: bool,
    /// `write`: whether runs of CI that publish write.
    pub writes: bool,
    /// `salt`.
    pub salt: String,
    /// `timeout`.
    pub timeout: Duration,
    /// `execution` and what belongs to it; nothing if nothing runs on workers.
    pub execution: Option<ExecutionSettings>,
}

/// How commands run on workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionSettings {
    /// `properties`.
    pub properties: BTreeMap<String, String>,
    /// `jobs`.
    pub jobs: usize,
    /// `fallback: local`.
    pub falls_back: bool,
}

impl RemoteSettings {
    /// Which cache it is: what was taken from another one does not count here.
    pub fn identity(&self) -> String {
        let mut identity = self.address.as_str().to_owned();
        for (word, text) in [("", &self.instance), ("salt ", &self.salt)] {
            if !text.is_empty() {
                identity.push_str(&format!(" {word}{text}"));
            }
        }
        identity
    }

    /// The environment variables that it names: what they hold is for the server alone.
    pub fn variables(&self) -> impl Iterator<Item = &String> {
        let identity = self.identity.iter().flat_map(|(cert, key)| [cert, key]);
        self.headers.iter().map(|(_, variable)| variable).chain(identity)
    }
}

/// `remote:` of a task or a build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemoteUse {
    /// `tools`: the programs that decide what it makes.
    pub tools: Vec<String>,
    /// `properties` of its own.
    pub properties: BTreeMap<String, String>,
    /// `execute`.
    pub executes: bool,
}

/// What `remote:` of a build is.
pub(super) fn of_build(written: &Node) -> Option<RemoteUse> {
    let is_off = written.scalar().is_some_and(|flag| flag.text != "true");
    let remote = RemoteUse { tools: Vec::new(), properties: properties(written), executes: true };
    (!is_off).then_some(remote)
}

impl Workspace {
    /// The properties of the worker that builds `subsystem`; `Err` with why none does.
    ///
    /// # Errors
    /// Why it is built here.
    pub fn worker_of_build(
        &self,
        subsystem: &Subsystem,
    ) -> Result<BTreeMap<String, String>, &'static str> {
        let build = subsystem.build.as_ref().ok_or("it is not built")?;
        let wish = build.remote.as_ref().ok_or("its build does not say `remote`")?;
        let settings = self.remote.as_ref().ok_or("versions.yml names no `remote`")?;
        let worker = settings.worker(wish).ok_or("versions.yml does not say `execution: true`")?;
        let fetches_itself = subsystem.source == Source::None && build.module.is_none();
        match () {
            () if fetches_itself => Err("its commands fetch its source by themselves"),
            () if !subsystem.build_needs.is_empty() && !is_like_this_machine(&worker) => {
                Err("its `build_needs` are programs for this machine, and the worker is another")
            }
            () if !build.pass_env.is_empty() => Err("its build inherits variables (`pass_env`)"),
            () => Ok(worker),
        }
    }
}

impl RemoteSettings {
    /// How many run on workers at once.
    pub fn worker_slots(&self) -> usize {
        self.execution.as_ref().map_or(1, |execution| execution.jobs)
    }

    /// The properties of the worker that runs what is `shared`; nothing if it runs here.
    pub fn worker(&self, shared: &RemoteUse) -> Option<BTreeMap<String, String>> {
        let execution = self.execution.as_ref().filter(|_| shared.executes)?;
        let mut properties = execution.properties.clone();
        properties.extend(shared.properties.clone());
        Some(properties)
    }
}

/// The properties of the machine that forge runs on, in the words of the Remote Execution API.
pub fn machine_properties() -> [(&'static str, String); 2] {
    let Platform { os, arch } = Platform::host();
    let family = match os.to_string().as_str() {
        "darwin" => "macos".to_owned(),
        other => other.to_owned(),
    };
    let isa = match arch.to_string().as_str() {
        "amd64" => "x86-64".to_owned(),
        "arm64" => "arm-a64".to_owned(),
        other => other.to_owned(),
    };
    [("OSFamily", family), ("ISA", isa)]
}

/// Whether nothing in the `properties` of a worker says that programs for this machine do not run there.
fn is_like_this_machine(properties: &BTreeMap<String, String>) -> bool {
    machine_properties().iter().all(|(name, here)| {
        properties.get(*name).is_none_or(|there| there.eq_ignore_ascii_case(here))
    })
}

/// Resolves `remote:` of the task `node`. What is wrong goes to `found`.
pub(super) fn task(node: &Node, found: &mut Findings) -> Option<RemoteUse> {
    let written = node.get("remote")?;
    if written.scalar().is_some_and(|flag| flag.text != "true") {
        return None;
    }
    let lacks = |key: &str| node.get(key).is_none();
    let why = match () {
        () if lacks("inputs") => "it does not say what goes in",
        () if lacks("outputs") => "it does not say what it makes",
        () if scalar(node, "interactive").is_some_and(|flag| flag.text == "true") => {
            "it asks at a terminal"
        }
        () => {
            let tools = scalars(written, "tools").into_iter().map(|tool| tool.text).collect();
            let executes = scalar(written, "execute").is_none_or(|flag| flag.text != "false");
            return Some(RemoteUse { tools, properties: properties(written), executes });
        }
    };
    let what = "what this task makes cannot be shared";
    let help = "name its `inputs` and `outputs`, and let it ask nothing; or leave out `remote`";
    found.add(written.bytes.clone(), what, why, help);
    None
}

fn properties(node: &Node) -> BTreeMap<String, String> {
    pairs(node, "properties").into_iter().map(|(name, value)| (name.value, value.text)).collect()
}

/// Resolves `execution` of `remote:`, and what belongs to it.
fn execution(node: &Node, found: &mut Findings) -> Option<ExecutionSettings> {
    let is_on = scalar(node, "execution").is_some_and(|flag| flag.text == "true");
    let keys = ["properties", "jobs", "fallback"];
    if let Some(lonely) = keys.iter().find_map(|key| node.get(key)).filter(|_| !is_on) {
        let what = "this is about what runs on workers, and nothing does";
        let help = "write `execution: true` beside it, or leave it out";
        found.add(lonely.bytes.clone(), what, "without `execution: true`", help);
    }
    let jobs = scalar(node, "jobs").map_or(Some(JOBS), |text| {
        let jobs = text.text.parse().ok().filter(|jobs| (1..=MOST_JOBS).contains(jobs));
        if jobs.is_none() {
            let what = format!("`{}` is not a number of jobs", text.text);
            found.add(text.bytes, what, "not from 1 to 10000", "write `jobs: 64`");
        }
        jobs
    });
    let (properties, falls_back) = (properties(node), scalar(node, "fallback").is_some());
    is_on.then_some(ExecutionSettings { properties, jobs: jobs?, falls_back })
}

/// Resolves `remote:` of the workspace at `root`. What is wrong goes to `found`.
pub(super) fn resolve(node: &Node, root: &Path, found: &mut Findings) -> Option<RemoteSettings> {
    let address = scalar(node, "cache").and_then(|text| address(&text, found));
    let headers = pairs(node, "headers").into_iter().filter_map(|(name, variable)| {
        let variable = self::variable(&variable, found)?;
        Some((name.value, variable))
    });
    let headers = headers.collect();
    let tls = node.get("tls");
    let file = |key| tls.and_then(|tls| scalar(tls, key));
    let authorities = file("ca").and_then(|path| authorities(&path, root, found));
    let identity = match (file("cert"), file("key")) {
        (Some(cert), Some(key)) => variable(&cert, found).zip(variable(&key, found)),
        (Some(one), None) | (None, Some(one)) => {
            let help = "name both: `tls: { cert: VARIABLE, key: VARIABLE }`";
            found.add(one.bytes, "a certificate and its key go together", "one of the two", help);
            None
        }
        (None, None) => None,
    };
    let timeout = scalar(node, "timeout").map_or(Some(TIMEOUT), |text| {
        let parsed = parse_duration(&text.text).filter(|time| !time.is_zero());
        if parsed.is_none() {
            let what = format!("`{}` is not a time", text.text);
            found.add(text.bytes, what, "not a time", "write `10s`, or `500ms`");
        }
        parsed
    });
    let is = |key, word| scalar(node, key).is_some_and(|text| text.text == word);
    let text = |key| scalar(node, key).map(|text| text.text).unwrap_or_default();
    Some(RemoteSettings {
        address: address?,
        instance: text("instance"),
        headers,
        authorities,
        identity,
        reads: !is("read", "false"),
        writes: !is("write", "never"),
        salt: text("salt"),
        timeout: timeout?,
        execution: execution(node, found),
    })
}

fn address(text: &Scalar, found: &mut Findings) -> Option<ServerAddress> {
    match ServerAddress::parse(&text.text) {
        Ok(address) if address.is_unprotected() => {
            let what = format!("`{}` would be spoken to over an unprotected line", text.text);
            let help = "everybody on the way could replace what comes; write `grpcs://…` (grpc is for \
                        this machine only)";
            found.add(text.bytes.clone(), what, "no protection", help);
            None
        }
        Ok(address) => Some(address),
        Err(why) => {
            let help = "write `grpcs://HOST:PORT`, or `grpc://127.0.0.1:PORT` for this machine";
            found.add(text.bytes.clone(), why, "not an address", help);
            None
        }
    }
}

/// The file of authorities, which has to be there.
fn authorities(written: &Scalar, root: &Path, found: &mut Findings) -> Option<PathBuf> {
    let path = PathBuf::from(&written.text);
    if root.join(&path).is_file() {
        return Some(path);
    }
    let what = format!("there is no file `{}` in the workspace", written.text);
    let help = "without it no connection is made; commit the certificates as PEM, or leave out `ca` to \
                trust those of the system";
    found.add(written.bytes.clone(), what, "does not exist", help);
    None
}

/// The name of a variable. What is no name may be the secret itself, so it is not shown again.
fn variable(text: &Scalar, found: &mut Findings) -> Option<String> {
    let name = &text.text;
    let is_name = is_variable(name)
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with(|first: char| first.is_ascii_digit());
    if !is_name {
        let what = "the value of a header is not written here, but the name of a variable";
        let help = "write the name of the environment variable that holds it, such as \
                    `FORGE_REMOTE_AUTHORIZATION`; a secret does not belong in a file";
        found.add(text.bytes.clone(), what, "not the name of a variable", help);
    }
    is_name.then(|| name.clone())
}
