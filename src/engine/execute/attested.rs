//! `trust: attested`: the asset is fetched to a file first, and `gh` verifies GitHub's attestation of it.
//! Only if that holds, it is unpacked, and held to the digest that was verified.

use std::{
    fs::File,
    io::{Seek, Write},
    path::Path,
    time::Duration,
};

use futures_util::StreamExt;

use crate::{
    archive::hash_file,
    model::{Fault, Kind, Sha256},
    probe::ArtifactSpec,
    process::{Command, CommandLine, find_outside, path_outside},
    provenance::judge_attestations,
    store::{Beginnings, BrokenTransfer, Store},
};

use super::Context;

/// How long `gh` may take to fetch and verify an attestation.
const PATIENCE: Duration = Duration::from_secs(120);
/// The longest line that `gh` may print: a bundle is on one.
const LONGEST: usize = 16 << 20;

impl Context {
    /// Who built the asset of `want`, as GitHub's attestation of it says. The inner error says why it is
    /// not trusted.
    ///
    /// # Errors
    /// `Store` if it cannot be fetched; `Usage` if nobody can verify it.
    pub(super) async fn attested_builder(
        &self,
        want: &ArtifactSpec,
        tag: &str,
        store: &dyn Store,
        sha256: Sha256,
        repositories: &[String],
    ) -> Result<Result<String, String>, Fault> {
        if repositories.is_empty() {
            return Err(Fault::new(Kind::Usage, "nothing says whose attestations count")
                .because("`trust: attested` is about the repository of the project, and no store names it")
                .hint("write `repository: https://github.com/OWNER/REPO` in versions.yml"));
        }
        let staging = self.staging()?;
        let file = staging.path().join(&want.asset);
        let create = staging.folder().create_new(Path::new(&want.asset), 0o600);
        let target = create
            .map_err(|error| Fault::io(format!("cannot create {}", file.display()), &error))?;
        self.fetch_to(store, tag, &want.asset, target).await?;
        let read = |error| Fault::io(format!("cannot read {}", file.display()), &error);
        let (found, _) = hash_file(&file).map_err(read)?;
        if found != sha256 {
            return Ok(Err(format!("its sha256 is {found}, expected is {sha256}")));
        }
        let mut why = String::new();
        for repository in repositories {
            match self.ask_gh(&file, repository).await? {
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
    async fn ask_gh(&self, file: &Path, repository: &str) -> Result<Result<String, String>, Fault> {
        let root = self.workspaces.layout().root();
        let search = path_outside(self.runner.environment(), root);
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
        let quiet =
            [("GH_PROMPT_DISABLED", "1"), ("GH_NO_UPDATE_NOTIFIER", "1"), ("NO_COLOR", "1")];
        let command = Command {
            env: quiet.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            timeout: Some(PATIENCE),
            longest_line: LONGEST,
            ..Command::new(CommandLine::Argv(argv), root)
        };
        let mut lines = Vec::new();
        let answer = self.runner.run(&command, &mut |line| lines.push(line.to_owned())).await;
        let last = || lines.iter().rev().find(|line| !line.trim().is_empty()).cloned();
        Ok(match answer {
            Ok(()) => Ok(lines.join("\n")),
            Err(fault) if fault.kind == Kind::Interrupted => return Err(fault),
            Err(fault) => Err(format!("gh does not verify it: {}", last().unwrap_or(fault.what))),
        })
    }

    /// Fetches an asset to `target`.
    async fn fetch_to(
        &self,
        store: &dyn Store,
        tag: &str,
        asset: &str,
        mut target: File,
    ) -> Result<(), Fault> {
        let failed = |error| Fault::io(format!("cannot write {tag}/{asset}"), &error);
        let mut beginnings = Beginnings::default();
        loop {
            let stream = store.open(tag, asset).await?.ok_or_else(|| {
                Fault::new(Kind::Store, format!("{tag}/{asset} vanished")).hint("run it again")
            })?;
            let mut bytes = stream.bytes;
            target.set_len(0).and_then(|()| target.rewind()).map_err(failed)?;
            let written: Result<(), BrokenTransfer> = loop {
                tokio::select! {
                    next = bytes.next() => match next {
                        Some(Ok(chunk)) => target.write_all(&chunk).map_err(failed)?,
                        Some(Err(broken)) => break Err(broken),
                        None => break Ok(()),
                    },
                    () = self.cancel.cancelled() => return Err(self.cancel.fault("a transfer")),
                }
            };
            match written {
                Ok(()) => return Ok(()),
                Err(broken) => beginnings.again(broken)?,
            }
        }
    }
}
