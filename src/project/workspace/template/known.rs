//! The words that templates know, for the reference.

/// A word that templates know.
#[derive(Clone, Copy, Debug)]
pub struct TemplateWord {
    /// Where it is known.
    pub place: &'static str,
    /// The word, as templates write it.
    pub name: &'static str,
    /// What it stands for.
    pub doc: &'static str,
    /// What it could be.
    pub example: &'static str,
}

const fn word(
    place: &'static str,
    name: &'static str,
    doc: &'static str,
    example: &'static str,
) -> TemplateWord {
    TemplateWord { place, name, doc, example }
}

const EVERYWHERE: &str = "Everywhere";
const SPECS: &str = "In specs";
const FOUND: &str = "In specs with `discover`";
const TASKS: &str = "In tasks";
const DEPLOYS: &str = "In `deploy` and in the URLs of environments";

/// All of them, place by place.
pub const TEMPLATE_WORDS: &[TemplateWord] = &[
    word(EVERYWHERE, "os", "The operating system that is built for.", "linux"),
    word(EVERYWHERE, "arch", "The architecture that is built for.", "amd64"),
    word(EVERYWHERE, "platform", "Both.", "linux-amd64"),
    word(EVERYWHERE, "exe", "What the names of programs end with there.", ".exe"),
    word(EVERYWHERE, "rust_target", "What Rust calls the platform.", "x86_64-unknown-linux-gnu"),
    word(EVERYWHERE, "root", "The folder of the workspace.", "/home/you/telemetry"),
    word(
        EVERYWHERE,
        "bin",
        "The folder with all installed binaries.",
        "/home/you/telemetry/.forge/bin",
    ),
    word(
        EVERYWHERE,
        "env",
        "The environment that forge was started with, as `env.NAME`. A name that is not set is an error: `env.PORT | default('8080')`.",
        "8080",
    ),
    word(EVERYWHERE, "vars", "The variables of `vars`, as `vars.NAME` or as `NAME` alone.", "4222"),
    word(SPECS, "name", "The subsystem's name.", "nats"),
    word(SPECS, "version", "Its version, as pinned.", "v2.10.24"),
    word(SPECS, "version_number", "Its version without a leading `v`.", "2.10.24"),
    word(
        SPECS,
        "src",
        "The folder with its source. Only in commands, `dir` and `env`.",
        "/home/you/telemetry/.forge/src/nats",
    ),
    word(
        SPECS,
        "out",
        "The folder that a build leaves its binaries in. Only in commands, `dir` and `env`.",
        "/home/you/telemetry/.forge/state/staging/…",
    ),
    word(
        SPECS,
        "work",
        "A folder for what a build keeps from one time to the next. Only in commands, `dir` and `env`.",
        "/home/you/telemetry/.forge/src/nats.work",
    ),
    word(
        SPECS,
        "commit",
        "The commit that is built. Only in commands, `dir` and `env`.",
        "9f1c0e5…",
    ),
    word(FOUND, "folder", "The folder that was found.", "modules/aws/ecs"),
    word(
        FOUND,
        "CAPTURE",
        "Each capture of the path, under its own name: `{{ provider }}`.",
        "aws",
    ),
    word(DEPLOYS, "environment", "The environment.", "test"),
    word(DEPLOYS, "url", "Its URL. An error if it has none.", "https://test.example.org"),
    word(
        DEPLOYS,
        "version",
        "The version that is deployed, which may be an earlier one.",
        "v1.2.0",
    ),
    word(
        DEPLOYS,
        "digest",
        "The digest of the image's index, or of the packed asset.",
        "sha256:3c37…",
    ),
    word(
        DEPLOYS,
        "image",
        "The repository of the image, if the subsystem has one.",
        "ghcr.io/acme/api",
    ),
    word(
        DEPLOYS,
        "files",
        "The folder with its binaries, if it has no image. Only in commands.",
        "/home/you/shop/.forge/state/staging/…/files",
    ),
    word(DEPLOYS, "config", "The settings, as `config.NAME`.", "2"),
    word(DEPLOYS, "pr", "The number of the pull request, where there is one.", "17"),
    word(TASKS, "task", "The task's name.", "nats:test"),
    word(TASKS, "dir", "The folder of the file that the task stands in.", "/home/you/telemetry"),
    word(TASKS, "cwd", "The folder that forge was called in.", "/home/you/telemetry/web"),
    word(TASKS, "now", "When the run began.", "2026-01-07T09:00:00Z"),
    word(TASKS, "args", "What stands after `--`, quoted for the shell.", "-run TestX"),
    word(TASKS, "PARAMETER", "Each parameter of `with`, under its own name.", "fast"),
    word(TASKS, "item", "In `for`: the value. `as` gives it another name.", "linux"),
    word(TASKS, "key", "In `for` over a mapping: the key; over a list: the number, from 0.", "0"),
    word(
        TASKS,
        "match",
        "In a task whose name has `*`: what stands for each, as `match[0]`.",
        "sea",
    ),
    word(
        TASKS,
        "inputs",
        "In `run` and `env` of a task with `inputs`: `inputs.digest`, the digest of all of them.",
        "3c37…",
    ),
    word(TASKS, "exit_code", "In `finally`: the exit code; 0 if all went well.", "0"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{Text, task::OWN_WORDS};

    #[test]
    fn every_word_is_in_the_table() {
        let table: Vec<_> = TEMPLATE_WORDS.iter().map(|word| word.name).collect();
        let machine = include_str!("../subsystem.rs");
        let machine = machine.split("fn machine_words(").nth(1).expect("the words of the machine");
        let machine = machine.split("\n}").next().expect("its end");
        let words = regex::Regex::new(r#"\("(\w+)", "#).unwrap();
        let machine = words.captures_iter(machine).map(|it| it[1].to_owned());
        let own = OWN_WORDS.iter().chain(&Text::PLACES).map(|word| (*word).to_owned());
        for word in machine.chain(own).filter(|word| word != "outputs") {
            assert!(table.contains(&word.as_str()), "{word}");
        }
    }
}
