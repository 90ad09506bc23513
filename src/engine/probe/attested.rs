//! `trust: attested`: `gh` verifies GitHub's attestation of a file that was fetched, from outside of the
//! workspace.

use std::{path::Path, time::Duration};

use crate::{
    model::{Fault, Kind},
    process::{Command, CommandLine, CommandRunner, find_outside, path_outside},
    provenance::judge_attestations,
};

/// How long `gh` may take to fetch and verify an attestation.
const PATIENCE: Duration = Duration::from_secs(120);
/// The longest line that `gh` may print: a bundle is on one.
const LONGEST: usize = 16 << 20;

/// Who built the asset in `file`, as GitHub's attestation of it says, whose program is not looked for below
/// `root`. The inner error says why it is not trusted.
///
/// # Errors
/// `Usage` if nobody can verify it.
pub async fn attested_builder(
    runner: &dyn CommandRunner,
    root: &Path,
    file: &Path,
    repositories: &[String],
) -> Result<Result<String, String>, Fault> {
    if repositories.is_empty() {
        return Err(Fault::new(Kind::Usage, "nothing says whose attestations count")
            .because(
                "`trust: attested` is about the repository of the project, and no store names it",
            )
            .hint("write `repository: https://github.com/OWNER/REPO` in versions.yml"));
    }
    let mut why = String::new();
    for repository in repositories {
        match ask_gh(runner, root, file, repository).await? {
            Ok(output) => match judge_attestations(&output, repositories) {
                Ok(builder) => return Ok(Ok(builder.id().to_owned())),
                Err(reason) => why = reason,
            },
            Err(reason) => why = reason,
        }
    }
    Ok(Err(why))
}

/// What `gh` prints of the attestations of `file`; the inner error is why it verified none.
async fn ask_gh(
    runner: &dyn CommandRunner,
    root: &Path,
    file: &Path,
    repository: &str,
) -> Result<Result<String, String>, Fault> {
    let search = path_outside(runner.environment(), root);
    let Some(gh) = find_outside("gh", &search, root) else {
        return Err(Fault::new(Kind::Usage, "`gh` is not there to verify attestations")
            .because("`trust: attested` asks GitHub's own program, from outside of the workspace")
            .hint("install it from https://cli.github.com, version 2.49 or newer, and run `gh auth login`"));
    };
    let place = repository.split_once("://").map_or(repository, |(_, rest)| rest);
    let (host, path) = place.split_once('/').unwrap_or(("github.com", place));
    let words = [&*gh.to_string_lossy(), "attestation", "verify", &*file.to_string_lossy()];
    let options = ["--repo", path, "--hostname", host, "--format", "json"];
    let argv = words.into_iter().chain(options).map(str::to_owned).collect();
    let quiet = [("GH_PROMPT_DISABLED", "1"), ("GH_NO_UPDATE_NOTIFIER", "1"), ("NO_COLOR", "1")];
    let command = Command {
        env: quiet.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        timeout: Some(PATIENCE),
        longest_line: LONGEST,
        ..Command::new(CommandLine::Argv(argv), root)
    };
    let mut lines = Vec::new();
    let answer = runner.run(&command, &mut |line| lines.push(line.to_owned())).await;
    let last = || lines.iter().rev().find(|line| !line.trim().is_empty()).cloned();
    Ok(match answer {
        Ok(()) => Ok(lines.join("\n")),
        Err(fault) if fault.kind == Kind::Interrupted => return Err(fault),
        Err(fault) => Err(format!("gh does not verify it: {}", last().unwrap_or(fault.what))),
    })
}
