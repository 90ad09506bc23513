//! The JSON documents that `--json` prints. A test runs the commands and compares.

use std::fmt::Write as _;

use super::{ReferenceTopic, code, table};

/// A document: the command, what it is, and its keys with their kinds and meanings. A kind is `t` for text,
/// `n` for a number and `b` for `true` or `false`, with `?` if it may be `null`; `?` alone is anything.
pub type JsonDocument =
    (&'static str, &'static str, &'static [(&'static str, &'static str, &'static str)]);

/// The documents.
#[rustfmt::skip] // Tables: a row to a line.
pub const JSON_DOCUMENTS: &[JsonDocument] = &[
    ("ensure", "`forge ensure`, `forge release:binary`, `forge release:all`: what became of each artifact.", &[
        ("ok", "b", "Whether nothing failed."),
        ("seconds", "n", "How long it took."),
        ("artifacts[].name", "t", "The subsystem."),
        ("artifacts[].version", "t", "Its version."),
        ("artifacts[].platform", "t", "The platform."),
        ("artifacts[].how", "t", "`fresh`, `cached`, `downloaded`, `upstream`, `built`, `failed` or `skipped`."),
        ("artifacts[].published", "b", "Whether it was published."),
        ("artifacts[].bytes", "n", "The size of its binaries."),
        ("artifacts[].seconds", "n", "How long it took."),
        ("artifacts[].reason", "t", "Why it was done so, or what failed and why."),
        ("artifacts[].log", "t?", "The file with the output of its build."),
        ("warnings[]", "t", "What was warned of."),
    ]),
    ("plan", "`forge plan`: what `ensure` would do.", &[
        ("actions[].id", "n", "A number for `after`."),
        ("actions[].name", "t", "The subsystem."),
        ("actions[].version", "t", "Its version."),
        ("actions[].platform", "t", "The platform."),
        ("actions[].step", "t", "What would be done: `repaired`, `linked from the cache`, `downloaded`, `fetched from its vendor`, `built` or `published`."),
        ("actions[].reason", "t", "Why."),
        ("actions[].after[]", "n", "The actions that have to end before."),
        ("settled[].name", "t", "A subsystem with nothing to do."),
        ("settled[].version", "t", "Its version."),
        ("settled[].platform", "t", "The platform."),
        ("settled[].how", "t", "How it is there: `fresh`."),
        ("settled[].reason", "t", "Why."),
        ("unpublished[].name", "t", "A subsystem that would be built and not published."),
        ("unpublished[].why", "t", "Why not."),
    ]),
    ("status", "`forge status`: what is pinned, installed and released.", &[
        ("subsystems[].name", "t", "The subsystem."),
        ("subsystems[].platform", "t", "The platform."),
        ("subsystems[].pinned", "t", "The version in `versions.yml`."),
        ("subsystems[].installed", "t", "What is installed."),
        ("subsystems[].released", "t", "What is released."),
        ("subsystems[].bytes", "n?", "The size of what is installed."),
    ]),
    ("verify", "`forge verify`.", &[
        ("ok", "b", "Whether all are what they should be."),
        ("artifacts[].name", "t", "The subsystem."),
        ("artifacts[].version", "t?", "Its version."),
        ("artifacts[].platform", "t", "The platform."),
        ("artifacts[].ok", "b", "Whether it is what it should be."),
        ("artifacts[].wrong", "t?", "What is wrong."),
    ]),
    ("list", "`forge list`: subsystems, groups and tasks.", &[
        ("project", "t", "The project."),
        ("groups.NAME[]", "t", "The subsystems of a group."),
        ("subsystems[].name", "t", "The subsystem."),
        ("subsystems[].version", "t", "Its version."),
        ("subsystems[].binaries[]", "t", "Its binaries."),
        ("subsystems[].desc", "t?", "What it is."),
        ("subsystems[].needs[]", "t", "What it needs."),
        ("subsystems[].build_needs[]", "t", "What it is built with."),
        ("tasks[].name", "t", "The task."),
        ("tasks[].desc", "t?", "What it does."),
        ("tasks[].help", "t?", "The same, at length."),
        ("tasks[].aliases[]", "t", "Its other names."),
        ("tasks[].private", "b", "Whether only other tasks may use it."),
        ("tasks[].pattern", "b", "Whether its name has `*`."),
        ("tasks[].subsystem", "t?", "Whose task it is."),
        ("tasks[].file", "t", "The file with it."),
        ("tasks[].line", "n", "The line there."),
        ("tasks[].with[].name", "t", "A parameter."),
        ("tasks[].with[].desc", "t?", "What it is."),
        ("tasks[].with[].default", "t?", "What it is if it is not given."),
        ("tasks[].with[].enum[]", "t", "All that it can be."),
    ]),
    ("package", "`forge package`.", &[
        ("assets[].name", "t", "The subsystem."),
        ("assets[].platform", "t", "The platform."),
        ("assets[].path", "t", "The archive."),
        ("assets[].sha256", "t", "Its digest."),
        ("assets[].bytes", "n", "Its size."),
    ]),
    ("outdated", "`forge outdated`.", &[
        ("subsystems[].name", "t", "The subsystem."),
        ("subsystems[].pinned", "t", "The version in `versions.yml`."),
        ("subsystems[].state", "t", "`outdated`, `current`, `ageless`, `not asked` or `failed`."),
        ("subsystems[].newest", "t?", "The newest version."),
        ("subsystems[].newest_in_major", "t?", "The newest one of the same major version."),
        ("subsystems[].asked", "t?", "Who was asked."),
        ("subsystems[].why", "t?", "Why nobody was asked, or what failed."),
    ]),
    ("release:list", "`forge release:list`.", &[
        ("store", "t", "The store."),
        ("other_tags[]", "t", "Releases that belong to no subsystem."),
        ("subsystems[].name", "t", "The subsystem."),
        ("subsystems[].pinned", "t", "The version in `versions.yml`."),
        ("subsystems[].releases[].tag", "t", "A release of it."),
        ("subsystems[].releases[].version", "t", "Its version."),
        ("subsystems[].releases[].revision", "n", "Which release of that version it is."),
        ("subsystems[].releases[].platforms[]", "t", "What it has."),
        ("subsystems[].releases[].missing[]", "t", "What it lacks."),
        ("subsystems[].releases[].bytes", "n", "The size of all its assets."),
        ("subsystems[].releases[].published", "t?", "When it was published."),
        ("subsystems[].releases[].pinned", "b", "Whether it is the pinned version."),
        ("subsystems[].releases[].locked", "b", "Whether `forge.lock` pins it."),
        ("subsystems[].releases[].draft", "b", "Whether it is a draft."),
        ("subsystems[].releases[].immutable", "b", "Whether nothing in it can change."),
        ("subsystems[].releases[].assets[].name", "t", "A file of it."),
        ("subsystems[].releases[].assets[].bytes", "n", "Its size."),
        ("subsystems[].releases[].assets[].sha256", "t?", "Its digest, if the store tells."),
    ]),
    ("history", "`forge history NAME`.", &[
        ("store", "t", "The store."),
        ("versions[].version", "t", "A version."),
        ("versions[].revision", "n", "Which release of that version it is."),
        ("versions[].tag", "t", "Its tag."),
        ("versions[].published", "t?", "When it was published."),
        ("versions[].commit", "t?", "The commit that it was built from."),
        ("versions[].assets[].name", "t", "An asset."),
        ("versions[].assets[].bytes", "n", "Its size."),
        ("versions[].assets[].sha256", "t?", "Its digest."),
        ("versions[].assets[].commit", "t?", "The commit that its provenance names."),
        ("versions[].assets[].builder", "t?", "Who built it."),
        ("versions[].assets[].run", "t?", "The run of CI that did."),
        ("versions[].assets[].built", "t?", "When."),
    ]),
    ("ci --plan", "`forge ci --plan`.", &[
        ("stages[].stage", "t", "The stage: `ci:build`."),
        ("stages[].runs", "b", "Whether it runs."),
        ("stages[].by_task", "b", "Whether a task replaces it."),
        ("stages[].because", "t", "Why."),
        ("stages[].services[].name", "t", "A service that is up meanwhile."),
        ("stages[].services[].because", "t", "Why."),
    ]),
    ("ci", "`forge ci` and its stages.", &[
        ("stages[].stage", "t", "The stage."),
        ("stages[].result", "t", "What became of it: `done`, `failed`, `skipped`."),
        ("stages[].because", "t", "Why."),
        ("stages[].seconds", "n?", "How long it took."),
        ("stages[].exit_code", "n", "Its exit code."),
        ("built[]", "t", "What was built."),
        ("published[]", "t", "What was published."),
        ("downloaded[]", "t", "What was downloaded."),
        ("hit", "b", "Whether nothing was built."),
    ]),
    ("doctor", "`forge doctor`.", &[
        ("ok", "b", "Whether nothing would fail."),
        ("forge", "t", "The version of forge."),
        ("platform", "t", "This machine's platform."),
        ("checks[].topic", "t", "What was looked at: `folder`, `tool`."),
        ("checks[].subject", "t", "Which one."),
        ("checks[].found", "t", "What was found."),
        ("checks[].state", "t", "`good`, `note` or `bad`."),
        ("checks[].what", "t?", "What is wrong."),
        ("checks[].why[]", "t", "Why, from the outer to the inner cause; or `null`."),
        ("checks[].help", "t?", "What to do about it."),
    ]),
    ("release:audit", "`forge release:audit`.", &[
        ("ok", "b", "Whether nothing was found."),
        ("store", "t", "The store."),
        ("releases", "n", "How many releases were looked at."),
        ("findings[].weight", "t", "How bad it is, as the table has it."),
        ("findings[].name", "t", "The subsystem."),
        ("findings[].tag", "t?", "The release."),
        ("findings[].file", "t?", "The asset."),
        ("findings[].what", "t", "What is wrong."),
    ]),
    ("lint:title", "`forge lint:title`.", &[
        ("title", "t", "The title."),
        ("valid", "b", "Whether it follows Conventional Commits."),
        ("bump", "t?", "What it makes of the version: `major`, `minor`, `patch`."),
        ("problem", "t?", "What is wrong."),
        ("from", "n?", "Where that begins, in bytes."),
        ("to", "n?", "Where it ends."),
        ("right", "t?", "What would be right."),
    ]),
];

/// All documents.
pub(super) fn page(_: &ReferenceTopic) -> String {
    let mut text = String::new();
    for (command, about, keys) in JSON_DOCUMENTS {
        let _ = writeln!(text, "## {command}\n\n{about}\n");
        let row = |(path, kind, doc): &(&str, &str, &str)| {
            vec![code(path), words(kind).to_owned(), (*doc).to_owned()]
        };
        text.push_str(&table(&["key", "value", "meaning"], keys.iter().map(row)));
    }
    text
}

fn words(kind: &str) -> &'static str {
    match kind {
        "t" => "text",
        "t?" => "text, or `null`",
        "n" => "a number",
        "n?" => "a number, or `null`",
        "b" => "`true` or `false`",
        _ => "anything",
    }
}
