//! What forge does by itself: the tasks that a tree of Taskfiles has for it are not needed any more.
//!
//! A task has a duty if it is called like one, runs only programs that the duty is done with, and at
//! least one of the things that make it that duty stands in it. So a task that does something else
//! too is none, however it is called.

use std::collections::BTreeSet;

use super::shell::programs;

/// Something that forge does by itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BuiltinTask {
    /// What tasks for it are called, with stars.
    pub(super) names: &'static [&'static str],
    /// The programs that it is done with.
    may: &'static [&'static str],
    /// What makes it that: one of these stands in the task.
    must: &'static [&'static str],
    /// The verb of forge that does it where another task calls for it: `ensure` comes to be a need.
    /// Nothing if nobody has to do it.
    pub(super) verb: &'static str,
    /// Whether subsystems are named after the verb.
    pub(super) is_named: bool,
    /// What a person says instead.
    pub(super) instead: &'static str,
}

/// Programs that only look, count and tell.
const HARMLESS: &[&str] = &[
    "[", ":", "awk", "basename", "break", "cat", "cd", "command", "continue", "cut", "date",
    "declare", "dirname", "echo", "exit", "false", "grep", "head", "local", "ls", "mkdir",
    "printf", "read", "return", "sed", "set", "sleep", "sort", "tail", "test", "tr", "true",
    "uname", "wc",
];

const SUMS: &[&str] = &["sha256sum", "shasum", "md5sum"];

/// All of them; the first whose name and content fit counts.
pub(super) static DUTIES: &[BuiltinTask] = &[
    duty(&["default"], &["task"], &["task --list", "task -l"], "", "forge list"),
    named(
        &["src:clone", "src:update", "src:fetch", "clone"],
        &["git"],
        &[],
        "ensure",
        "forge ensure NAME",
    ),
    duty(&["src:status"], &["git"], &["git "], "", "forge status"),
    duty(
        &["bin:stamp", "stamp"],
        &["git", "sha256sum", "shasum"],
        &[".version", "version="],
        "",
        "forge ensure NAME",
    ),
    duty(
        &["bin:verify:running", "verify:running"],
        &["curl", "python3", "lsof", "sha256sum", "shasum"],
        SUMS,
        "verify --running",
        "forge verify --running",
    ),
    duty(&["bin:verify", "verify", "verify:all"], SUMS, SUMS, "verify", "forge verify"),
    duty(&["ci:verify"], &[], &[".bin", "/bin"], "verify", "forge verify"),
    duty(&["deps", "deps:*", "doctor"], &[], &["command -v", "which "], "doctor", "forge doctor"),
    named(&["install"], &["cp", "install", "ln", "chmod"], &["/bin"], "ensure", "forge env"),
    named(
        &["package", "bin:package"],
        &["tar", "zip", "cp", "sha256sum", "shasum"],
        &["tar ", "zip "],
        "package",
        "forge package NAME",
    ),
    duty(
        &["config:version", "version"],
        &["git"],
        &["echo", "printf", "git rev-parse"],
        "",
        "forge status",
    ),
    duty(
        &["bin:versions", "manifest", "versions"],
        &["git"],
        &[".version"],
        "status",
        "forge status",
    ),
    duty(
        &["config:show", "config:versions", "bin:status", "bin:outdated", "bin:size"],
        &["task", "du"],
        &["echo", "printf", "du "],
        "status",
        "forge status",
    ),
    duty(&["config:check"], &["task"], &["config:version"], "check", "forge check"),
    duty(&["ci:matrix", "matrix"], &[], &["printf", "echo"], "", "forge matrix"),
    duty(
        &["release", "release:*"],
        &["task", "git", "gh", "sha256sum", "shasum"],
        &["gh release", "/gh release", "git status", ".tar.gz", "release "],
        "release:all",
        "forge release:all",
    ),
    duty(
        &["fetch:*"],
        &["task", "gh", "tar", "sha256sum", "shasum", "curl"],
        &["gh release download", "curl "],
        "ensure",
        "forge ensure NAME",
    ),
    duty(&["package:*"], &["tar", "cp", "rm", "zip"], &["tar ", "zip "], "bundle", "forge bundle"),
    duty(&["bump:*"], &["task", "mv"], &["sed "], "", "versions.yml"),
    duty(&["clean:src"], &["rm"], &["rm ", "echo"], "clean src", "forge clean src"),
    duty(&["clean", "clean:bin", "clean:dist"], &["rm"], &["rm "], "clean", "forge clean"),
    duty(&["clean:all"], &["rm"], &["rm ", "echo"], "clean all", "forge clean all"),
];

const fn duty(
    names: &'static [&'static str],
    may: &'static [&'static str],
    must: &'static [&'static str],
    verb: &'static str,
    instead: &'static str,
) -> BuiltinTask {
    BuiltinTask { names, may, must, verb, is_named: false, instead }
}

const fn named(
    names: &'static [&'static str],
    may: &'static [&'static str],
    must: &'static [&'static str],
    verb: &'static str,
    instead: &'static str,
) -> BuiltinTask {
    BuiltinTask { names, may, must, verb, is_named: true, instead }
}

/// The subsystem is had by forge: what builds or downloads it stands in its spec.
pub(super) static OBTAIN: BuiltinTask = named(
    &["bin:build", "bin:download", "ensure", "build", "download"],
    &[],
    &[],
    "ensure",
    "forge ensure NAME",
);
/// The subsystem that a release of our own is fetched for.
pub(super) static FETCH: BuiltinTask = named(&["fetch:*"], &[], &[], "ensure", "forge ensure NAME");
/// All that CI does, stage by stage.
pub(super) static CI: BuiltinTask = duty(&["ci"], &[], &[], "ci", "forge ci");
/// Services are started by forge, which waits until they are ready.
pub(super) static UP: BuiltinTask = duty(&[], &[], &[], "up", "forge up");
/// A service is waited for.
pub(super) static UP_NAMED: BuiltinTask = named(&["wait"], &[], &[], "up", "forge up NAME");
/// Services are ended.
pub(super) static DOWN: BuiltinTask = duty(&[], &[], &[], "down", "forge down");
/// What services print is shown.
pub(super) static LOGS: BuiltinTask = duty(&[], &[], &[], "logs {{ args }}", "forge logs");
/// A service is started anew.
pub(super) static RELOAD: BuiltinTask = duty(&[], &[], &[], "reload", "forge reload NAME");
/// The supervisor is looked at.
pub(super) static SUPERVISE: BuiltinTask = duty(&[], &[], &[], "", "forge up");

/// What comes of a look at a task that is called like a duty.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DutyMatch {
    /// It is called like none.
    Other,
    /// It is that.
    Duty(&'static BuiltinTask),
    /// It is called like it, and runs these programs too.
    More(&'static BuiltinTask, BTreeSet<String>),
}

/// What the task `name` is that runs `script`.
pub(super) fn match_duty(name: &str, script: &str) -> DutyMatch {
    let called = |duty: &&BuiltinTask| duty.names.iter().any(|pattern| fits(pattern, name));
    let mut more = DutyMatch::Other;
    for duty in DUTIES.iter().filter(called) {
        let programs = programs(script);
        let knows = |program: &&String| {
            let program = program.trim_start_matches('\\');
            HARMLESS.contains(&program)
                || duty.may.contains(&program)
                || program.starts_with('$')
                || program.ends_with("/gh")
                || program.starts_with("~/")
        };
        let unknown: BTreeSet<String> =
            programs.iter().filter(|one| !knows(one)).cloned().collect();
        let is_it = duty.must.is_empty() || duty.must.iter().any(|sign| script.contains(sign));
        match (unknown.is_empty(), is_it) {
            (true, true) => return DutyMatch::Duty(duty),
            (false, true) if more == DutyMatch::Other => more = DutyMatch::More(duty, unknown),
            _ => {}
        }
    }
    more
}

/// Whether `name` is what `pattern`, with a star at its end, stands for.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(begin) => name.starts_with(begin),
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_a_duty_only_if_it_does_nothing_else() {
        let verb = |name, script| match match_duty(name, script) {
            DutyMatch::Duty(duty) => duty.instead.to_owned(),
            DutyMatch::More(_, more) => format!("{more:?}"),
            DutyMatch::Other => "-".into(),
        };
        assert_eq!(verb("package", "mkdir -p d\ntar czf d/x.tar.gz -C b x"), "forge package NAME");
        assert_eq!(verb("package", "tar czf x b\nscp x host:"), "{\"scp\"}");
        assert_eq!(verb("config:version", "echo \"{{.V}}\""), "forge status");
        assert_eq!(verb("bin:verify", "sha256sum -c x"), "forge verify");
        assert_eq!(verb("bin:verify", "echo fine"), "-");
        assert_eq!(verb("run", "x --serve"), "-");
    }
}
