//! Getting the source of a build: a folder of the workspace, a git checkout, an unpacked archive.

use std::path::{Path, PathBuf};

use crate::{
    archive::{Keep, Unpacked, Unpacker},
    cache::{forge_folder, make_folder, write_state},
    disk::{MOST_OF_TEXT, read_text},
    git,
    model::{Digest, Fault, Kind, UserFolders},
    plan::Action,
    probe::Want,
    provenance::{Classes, RunClass},
    walk::Walker,
    workspace::{Source, Subsystem},
};

use super::Context;

/// A source that is ready to be built.
pub(super) struct SourceTree {
    /// Where it is.
    pub(super) folder: PathBuf,
    /// Its commit, if it is a git checkout.
    pub(super) commit: Option<String>,
    /// What of it is not as its author packed it.
    pub(super) warnings: Vec<Fault>,
}

/// Checks that no file of a fetched source is a pointer of Git LFS.
fn whole(subsystem: &Subsystem, folder: &Path, user: &UserFolders) -> Result<(), Fault> {
    let found = Walker::of_tree(folder, user)
        .first_pointer(folder)
        .map_err(|error| Fault::io(format!("cannot list {}", folder.display()), &error))?;
    let Some((path, rule)) = found else { return Ok(()) };
    let path = path.strip_prefix(folder).unwrap_or(&path).display();
    let what = format!("{path} in the source of {} is a pointer of Git LFS", subsystem.name);
    let hint = match &subsystem.source {
        Source::Git { .. } => {
            format!("run `git lfs install`, and then `git lfs pull` in {}", folder.display())
        }
        _ => "archives hold no files of LFS: take the source from its repository, by `git:`".into(),
    };
    Err(Fault::new(Kind::Failed, what)
        .because(format!("its {rule} gives it to LFS, and its content was not fetched"))
        .hint(hint))
}

impl Context {
    /// Makes the source of `subsystem` ready.
    pub(super) async fn source(
        &self,
        action: &Action,
        subsystem: &Subsystem,
        want: &Want,
    ) -> Result<SourceTree, Fault> {
        let layout = self.workspaces.layout();
        let folder = layout.source(&want.id);
        self.drop_untrusted_sources(want)?;
        let mut warnings = Vec::new();
        let commit = match &subsystem.source {
            Source::Path { dir, .. } => {
                return Ok(SourceTree {
                    folder: layout.root().join(dir),
                    commit: None,
                    warnings: Vec::new(),
                });
            }
            Source::None => {
                make_folder(layout, &folder)?;
                None
            }
            Source::Git { url, reference } => {
                self.phase(action, "fetching the source");
                self.may_use_network(url)?;
                let expected = want.commit.as_deref();
                if self.options.locked && expected.is_none() {
                    return Err(not_locked(subsystem));
                }
                let forge = forge_folder(layout)?;
                Some(git::checkout(&*self.runner, url, reference, expected, &forge, &folder).await?)
            }
            Source::Archive { url, digest, strip } => {
                self.phase(action, "fetching the source");
                warnings =
                    self.unpack_source(action, subsystem, url, *digest, *strip, &folder).await?;
                None
            }
        };
        whole(subsystem, &folder, layout.user())?;
        Ok(SourceTree { folder, commit, warnings })
    }

    /// Removes the checkout and the intermediate results of `want` if a run left them whose work this
    /// one does not use: what a build leaves there goes into the next.
    fn drop_untrusted_sources(&self, want: &Want) -> Result<(), Fault> {
        let layout = self.workspaces.layout();
        let Classes { own, takes } = self.options.classes;
        let mark = layout.state().join("sources").join(want.id.file_name());
        let left = [layout.source(&want.id), layout.work(&want.id)];
        let failed = |path: &Path, e| Fault::io(format!("cannot replace {}", path.display()), &e);
        let is_there = left.iter().any(|folder| folder.exists());
        let class = match read_text(&mark, MOST_OF_TEXT) {
            _ if !is_there => own,
            Ok(text) => RunClass::from_word(text.trim()),
            Err(_) => RunClass::Untrusted,
        };
        if class < takes {
            let forge = forge_folder(layout)?;
            for folder in left.iter().filter(|folder| folder.exists()) {
                forge.remove_all(folder).map_err(|e| failed(folder, e))?;
            }
        }
        let now = if class < takes { own } else { class.min(own) };
        write_state(layout, &mark, now.as_str().as_bytes())
    }

    fn may_use_network(&self, url: &str) -> Result<(), Fault> {
        let is_local = url.starts_with('/') || url.starts_with('.') || url.starts_with("file:");
        if self.options.offline && !is_local {
            return Err(Fault::new(Kind::Store, format!("cannot fetch {url}"))
                .because("--offline forbids the network"));
        }
        Ok(())
    }

    /// Unpacks a source archive. Always anew: an earlier build may have changed the tree. What
    /// cannot be unpacked safely (a link that leads out, a device) is left out, with a warning.
    async fn unpack_source(
        &self,
        action: &Action,
        subsystem: &Subsystem,
        url: &str,
        digest: Digest,
        strip: usize,
        folder: &Path,
    ) -> Result<Vec<Fault>, Fault> {
        let layout = self.workspaces.layout();
        let staging = self.staging()?;
        let unpacker = Unpacker {
            strip,
            keep: Keep::Possible,
            keep_times: true,
            algorithm: digest.algorithm(),
            ..Unpacker::new(url)
        };
        let tree = staging.path().join("tree");
        let unpacked = self.fetch_and_unpack(action, url, &unpacker, &tree, digest).await?;
        if unpacked.digest != digest {
            return Err(Fault::new(
                Kind::Verification,
                format!("{url} is not the archive that {} pins", subsystem.spec.display()),
            )
            .because(format!("its digest is {:?}, the spec says {digest}", unpacked.digest))
            .hint("find out why it changed before you correct the digest in the spec"));
        }
        staging.folder().exchange(&tree, &forge_folder(layout)?, folder).map_err(|e| {
            Fault::io(format!("cannot put the source into {}", folder.display()), &e)
        })?;
        Ok(left_out(url, &unpacked).into_iter().collect())
    }
}

/// The warning about what was left out of a source archive.
fn left_out(url: &str, unpacked: &Unpacked) -> Option<Fault> {
    const SHOWN: usize = 5;
    let all = &unpacked.left_out;
    let (first, _) = all.first()?;
    let more = if all.len() > 1 { format!(" and {} more", all.len() - 1) } else { String::new() };
    let what = format!("`{first}`{more} of {url} is left out of the source");
    let fault =
        Fault::new(Kind::Failed, what).hint("if the build needs it, take the source from git");
    let reasons = all.iter().take(SHOWN).map(|(entry, why)| format!("`{entry}` {why}"));
    Some(fault.because(reasons.collect::<Vec<_>>().join(", ")))
}

fn not_locked(subsystem: &Subsystem) -> Fault {
    let (name, version) = (&subsystem.name, &subsystem.version);
    Fault::new(Kind::Usage, format!("forge.lock has no commit for {name} {version}"))
        .because("--locked builds nothing that is not pinned")
        .hint(format!("run `forge ensure {name}` without --locked, and commit forge.lock"))
}
