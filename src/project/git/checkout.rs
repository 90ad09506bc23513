//! A folder that holds exactly one commit of a repository.
//!
//! It is always made afresh, beside its place, and renamed, so that what is there is complete. One that
//! is there already is not used: an earlier build could write to it, to its index and to git's objects
//! as well, and what it changed there git does not notice.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{
    command::{Git, GitFailure},
    references::full_hash,
    refusal,
    resolve::{absent, check_url},
};
use crate::{
    disk::Folder,
    model::{Fault, Kind, shown_url},
    process::CommandRunner,
};

/// What is wanted from where.
struct CheckoutRequest<'a> {
    url: &'a str,
    reference: &'a str,
    /// What `reference` must mean.
    commit: Option<String>,
}

/// Makes `dest` a checkout of `reference` of the repository at `url`, with its submodules and
/// nothing else in it, and returns the full hash of its commit. `dest` is an absolute path below `root`,
/// in which no link is followed. What `dest` holds already is replaced. `commit` is what `reference` must mean; a branch may have
/// moved on since, a tag may not.
///
/// # Errors
/// `Verification` if the tag `reference` means another commit than `commit` by now, otherwise as
/// [`super::resolve`], `Failed` if this machine is at fault.
pub async fn checkout(
    runner: &dyn CommandRunner,
    url: &str,
    reference: &str,
    commit: Option<&str>,
    root: &Folder,
    dest: &Path,
) -> Result<String, Fault> {
    let commit = commit.map(str::to_ascii_lowercase).or_else(|| full_hash(reference));
    let wanted = CheckoutRequest { url, reference, commit };
    check_url(url)?;
    wanted.start_afresh(runner, root, dest).await
}

impl CheckoutRequest<'_> {
    /// Makes a checkout beside `dest` and puts it there.
    async fn start_afresh(
        &self,
        runner: &dyn CommandRunner,
        root: &Folder,
        dest: &Path,
    ) -> Result<String, Fault> {
        let cannot = |error: &io::Error| {
            Fault::io(format!("cannot make the folder {}", dest.display()), error)
        };
        let fresh = beside(dest, "fetching");
        remove(root, &fresh).map_err(|error| cannot(&error))?;
        root.make_new_folder(&fresh).map_err(|error| cannot(&error))?;
        let commit = match self.clone_into(runner, &fresh).await {
            Ok(commit) => commit,
            Err(fault) => {
                // The next attempt removes it if this does not.
                let _ = remove(root, &fresh);
                return Err(fault);
            }
        };
        replace(root, dest, &fresh).map_err(|error| cannot(&error))?;
        Ok(commit)
    }

    async fn clone_into(&self, runner: &dyn CommandRunner, folder: &Path) -> Result<String, Fault> {
        let git = Git::in_own(runner, folder, self.url);
        let steps: [&[&str]; 2] =
            [&["init", "--quiet", "--template="], &["config", "remote.origin.url", self.url]];
        for step in steps {
            git.run(step).await.map_err(|failure| self.local(failure))?;
        }
        self.bring(&git).await
    }

    /// Fetches the commit, and makes the folder hold it and nothing else.
    async fn bring(&self, git: &Git<'_>) -> Result<String, Fault> {
        let commit = self.fetch(git).await?;
        self.show(git, &commit).await?;
        Ok(commit)
    }

    /// Fetches the commit and returns its hash.
    async fn fetch(&self, git: &Git<'_>) -> Result<String, Fault> {
        let Self { reference, commit, .. } = self;
        if full_hash(reference).is_none() {
            // Under its own name, so that builds can describe themselves by it.
            let tag = format!("+refs/tags/{reference}:refs/tags/{reference}");
            if self.fetch_one(git, &tag).await? {
                return self.verified(fetched(git).await?);
            }
        }
        match commit {
            Some(commit) => {
                match self.fetch_one(git, commit).await {
                    Ok(true) => {}
                    Err(fault) if fault.kind == Kind::Interrupted => return Err(fault),
                    // Some servers hand out no single commits: the history will hold it.
                    _ => self.fetch_history(git, commit).await?,
                }
                Ok(commit.clone())
            }
            None if self.fetch_one(git, &format!("refs/heads/{reference}")).await? => {
                fetched(git).await
            }
            None => Err(absent(git, self.url, reference).await),
        }
    }

    /// Fetches one reference or commit without its history. `false` if there is none such.
    async fn fetch_one(&self, git: &Git<'_>, what: &str) -> Result<bool, Fault> {
        let words = ["fetch", "--quiet", "--no-tags", "--depth=1", "--", "origin", what];
        match git.ask(&words).await {
            Ok(_) => Ok(true),
            Err(GitFailure::Said(lines)) if refusal::is_absent_reference(&lines) => Ok(false),
            Err(failure) => Err(failure.fault(self.cannot_fetch())),
        }
    }

    /// Fetches all branches and tags, in one of which `commit` should be.
    async fn fetch_history(&self, git: &Git<'_>, commit: &str) -> Result<(), Fault> {
        let all = "+refs/heads/*:refs/remotes/origin/*";
        let words = ["fetch", "--quiet", "--tags", "--", "origin", all];
        git.ask(&words).await.map_err(|failure| failure.fault(self.cannot_fetch()))?;
        if git.run(&["cat-file", "-e", &format!("{commit}^{{commit}}")]).await.is_ok() {
            return Ok(());
        }
        let url = shown_url(self.url);
        Err(Fault::new(Kind::Store, format!("{url} does not have the commit {commit}"))
            .because(
                "it is in no branch and no tag: it was never pushed, or a branch was rewritten",
            )
            .hint("push it, or let `forge lock` find out what the reference means today"))
    }

    /// The commit that the tag turned out to be, unless it is another than expected.
    fn verified(&self, found: String) -> Result<String, Fault> {
        match &self.commit {
            Some(expected) if *expected != found => {
                let (url, tag) = (shown_url(self.url), self.reference);
                Err(Fault::new(Kind::Verification, format!("the tag `{tag}` of {url} was moved"))
                    .because(format!("it meant {expected} when it was locked, and means {found} now"))
                    .hint("ask who publishes it why; if the new commit is the right one, `forge lock` takes it"))
            }
            _ => Ok(found),
        }
    }

    /// Makes the folder hold `commit` and its submodules, and nothing else.
    async fn show(&self, git: &Git<'_>, commit: &str) -> Result<(), Fault> {
        let steps: [&[&str]; 2] = [
            &["checkout", "--quiet", "--force", "--detach", commit],
            &["clean", "-ffdx", "--quiet"],
        ];
        for step in steps {
            git.run(step).await.map_err(|failure| self.local(failure))?;
        }
        if !git.dir().join(".gitmodules").exists() {
            return Ok(());
        }
        let cannot =
            || format!("cannot fetch the submodules of `{}` of {}", self.reference, self.url);
        let steps: [&[&str]; 3] = [
            &["submodule", "--quiet", "sync", "--recursive"],
            &["submodule", "--quiet", "update", "--init", "--recursive", "--force", "--depth=1"],
            &["submodule", "--quiet", "foreach", "--recursive", "git clean -ffdx --quiet"],
        ];
        for step in steps {
            git.ask(step).await.map_err(|failure| failure.fault(cannot()))?;
        }
        Ok(())
    }

    fn cannot_fetch(&self) -> String {
        format!("cannot fetch `{}` from {}", self.reference, self.url)
    }

    /// The fault of a step that asks nobody else.
    fn local(&self, failure: GitFailure) -> Fault {
        let fault = failure.fault(format!("cannot check out `{}` of {}", self.reference, self.url));
        match fault.kind {
            Kind::Store => Fault { kind: Kind::Failed, ..fault },
            _ => fault,
        }
    }
}

/// The commit that was fetched last.
async fn fetched(git: &Git<'_>) -> Result<String, Fault> {
    let lines = git.run(&["rev-parse", "--verify", "FETCH_HEAD^{commit}"]).await;
    let what = "cannot read what git fetched".to_owned();
    let lines = lines.map_err(|failure| failure.fault(what.clone()))?;
    lines.iter().find_map(|line| full_hash(line)).ok_or_else(|| Fault::new(Kind::Failed, what))
}

/// A hidden folder beside `dest`, for one purpose.
fn beside(dest: &Path, purpose: &str) -> PathBuf {
    let name = dest.file_name().unwrap_or_default().to_string_lossy();
    dest.with_file_name(format!(".{name}.{purpose}"))
}

/// Puts `fresh` in the place of `dest`.
fn replace(root: &Folder, dest: &Path, fresh: &Path) -> io::Result<()> {
    let old = beside(dest, "old");
    remove(root, &old)?;
    match root.rename(dest, root, &old) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    root.rename(fresh, root, dest)?;
    remove(root, &old)
}

fn remove(root: &Folder, path: &Path) -> io::Result<()> {
    match root.remove_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{super::sample::Sample, *};
    use crate::process::testing::is_here;

    async fn check_out(
        sample: &Sample,
        reference: &str,
        commit: Option<&str>,
        dest: &Path,
    ) -> Result<String, Fault> {
        checkout(&Sample::runner(), sample.url(), reference, commit, &sample.root(), dest).await
    }

    fn read(path: PathBuf) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[tokio::test]
    async fn a_tag_is_checked_out_always_afresh() {
        if !is_here("git") {
            return;
        }
        let sample = Sample::new();
        let first = sample.commit("a file", "1");
        sample.git(&["tag", "-a", "-m", "note", "v1"]);
        let second = sample.commit("a file", "2");
        sample.git(&["tag", "v2"]);
        let dest = sample.beside("my src/nats");
        assert_eq!(check_out(&sample, "v1", None, &dest).await.unwrap(), first);
        assert_eq!(read(dest.join("a file")), "1");

        fs::write(dest.join(".git/kept"), "").unwrap();
        fs::write(dest.join("stray"), "").unwrap();
        fs::write(dest.join("a file"), "changed").unwrap();
        assert_eq!(check_out(&sample, "v2", Some(&second), &dest).await.unwrap(), second);
        assert_eq!(read(dest.join("a file")), "2");
        assert!(!dest.join("stray").exists() && !dest.join(".git/kept").exists());
        let beside: Vec<_> = fs::read_dir(dest.parent().unwrap()).unwrap().collect();
        assert_eq!(beside.len(), 1, "{beside:?}");

        // git itself does not look at such a file any more.
        let skip = ["-C", dest.to_str().unwrap(), "update-index", "--skip-worktree", "a file"];
        sample.git(&skip);
        fs::write(dest.join("a file"), "changed").unwrap();
        assert_eq!(check_out(&sample, "v2", Some(&second), &dest).await.unwrap(), second);
        assert_eq!(read(dest.join("a file")), "2");
    }

    #[tokio::test]
    async fn what_is_there_stays_while_the_remote_is_away() {
        if !is_here("git") {
            return;
        }
        let sample = Sample::new();
        let commit = sample.commit("a", "1");
        sample.git(&["tag", "v1"]);
        let dest = sample.beside("src");
        check_out(&sample, "v1", None, &dest).await.unwrap();
        fs::rename(sample.url(), sample.beside("moved away")).unwrap();
        let fault = check_out(&sample, "v1", Some(&commit), &dest).await.unwrap_err();
        assert_eq!(fault.kind, Kind::Store, "{fault}");
        assert_eq!(read(dest.join("a")), "1", "the old checkout stays");
    }

    #[tokio::test]
    async fn a_moved_tag_is_told() {
        if !is_here("git") {
            return;
        }
        let sample = Sample::new();
        let old = sample.commit("a", "1");
        let new = sample.commit("a", "2");
        sample.git(&["tag", "v1"]);
        let dest = sample.beside("src");
        let fault = check_out(&sample, "v1", Some(&old), &dest).await.unwrap_err();
        assert_eq!(fault.kind, Kind::Verification);
        let why = format!("it meant {old} when it was locked, and means {new} now");
        assert_eq!(fault.why, [why]);
        assert!(!dest.exists() && !sample.beside(".src.fetching").exists());
    }

    #[tokio::test]
    async fn a_branch_may_move_on() {
        if !is_here("git") {
            return;
        }
        let sample = Sample::new();
        let old = sample.commit("a", "1");
        let new = sample.commit("a", "2");
        let dest = sample.beside("src");
        assert_eq!(check_out(&sample, "main", Some(&old), &dest).await, Ok(old.clone()));
        assert_eq!(check_out(&sample, "main", None, &dest).await, Ok(new.clone()));
        assert_eq!(check_out(&sample, &old, None, &dest).await, Ok(old));
        assert_eq!(read(dest.join("a")), "1");
    }

    #[tokio::test]
    async fn what_is_absent_is_told() {
        if !is_here("git") {
            return;
        }
        let sample = Sample::new();
        sample.commit("a", "1");
        let dest = sample.beside("src");
        let fault = check_out(&sample, "v9", None, &dest).await.unwrap_err();
        assert_eq!(fault.kind, Kind::Usage);
        let fault = check_out(&sample, "main", Some(&"ab".repeat(20)), &dest).await.unwrap_err();
        assert_eq!(fault.kind, Kind::Store);
        assert!(
            fault.what.ends_with(&format!("does not have the commit {}", "ab".repeat(20))),
            "{fault}"
        );
    }

    #[tokio::test]
    async fn half_made_and_broken_checkouts_heal() {
        if !is_here("git") {
            return;
        }
        let sample = Sample::new();
        let commit = sample.commit("a", "1");
        sample.git(&["tag", "v1"]);
        let dest = sample.beside("src");
        let damages: [fn(&Path); 6] = [
            |dest| fs::remove_file(dest.join(".git/HEAD")).unwrap(),
            |dest| fs::write(dest.join(".git/index.lock"), "").unwrap(),
            |dest| fs::write(dest.join(".git/index"), "rubbish").unwrap(),
            |dest| fs::remove_dir_all(dest.join(".git/objects")).unwrap(),
            |dest| fs::remove_dir_all(dest.join(".git")).unwrap(),
            |dest| {
                fs::write(dest.with_file_name(".src.fetching"), "killed while fetching").unwrap();
            },
        ];
        for (number, damage) in damages.into_iter().enumerate() {
            check_out(&sample, "v1", None, &dest).await.unwrap();
            damage(&dest);
            assert_eq!(
                check_out(&sample, "v1", Some(&commit), &dest).await,
                Ok(commit.clone()),
                "{number}"
            );
            assert_eq!(read(dest.join("a")), "1");
        }
    }

    #[tokio::test]
    async fn the_repository_around_is_left_alone() {
        if !is_here("git") {
            return;
        }
        let sample = Sample::new();
        sample.commit("a", "1");
        fs::write(PathBuf::from(sample.url()).join("precious"), "").unwrap();
        let dest = PathBuf::from(sample.url()).join("src");
        fs::create_dir_all(dest.join(".git")).unwrap();
        check_out(&sample, "main", None, &dest).await.unwrap();
        fs::remove_file(dest.join(".git/HEAD")).unwrap();
        check_out(&sample, "main", None, &dest).await.unwrap();
        assert!(PathBuf::from(sample.url()).join("precious").exists());
    }

    #[tokio::test]
    async fn submodules_come_along_and_are_cleaned() {
        if !is_here("git") {
            return;
        }
        let (sample, library) = (Sample::new(), Sample::new());
        library.commit("code", "1");
        let allowed = "protocol.file.allow=always";
        sample.git(&["-c", allowed, "submodule", "--quiet", "add", library.url(), "lib"]);
        library.commit("code", "2");
        sample.commit("a", "1");
        let dest = sample.beside("src");
        check_out(&sample, "main", None, &dest).await.unwrap();
        assert_eq!(read(dest.join("lib/code")), "1");
        fs::write(dest.join("lib/stray"), "").unwrap();
        fs::write(dest.join("lib/code"), "changed").unwrap();
        check_out(&sample, "main", None, &dest).await.unwrap();
        assert_eq!(read(dest.join("lib/code")), "1");
        assert!(!dest.join("lib/stray").exists());
    }

    #[tokio::test]
    async fn an_interrupted_checkout_leaves_nothing_at_its_place() {
        if !is_here("git") {
            return;
        }
        let sample = Sample::new();
        let commit = sample.commit("a", "1");
        let dest = sample.beside("src");
        let cancel = crate::process::Cancel::new();
        cancel.cancel();
        let stopped =
            crate::process::Runner::new(crate::process::testing::environment(), 1, cancel);
        let fault = checkout(&stopped, sample.url(), "main", None, &sample.root(), &dest)
            .await
            .unwrap_err();
        assert_eq!(fault.kind, Kind::Interrupted);
        assert!(!dest.exists());
        assert_eq!(check_out(&sample, "main", None, &dest).await, Ok(commit));
    }
}
