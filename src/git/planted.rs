//! Whether a checkout is still as forge made it. What else stands in a `.git` can run programs
//! (`core.sshCommand`, filters, …) or lead elsewhere, and somebody may have put it there: another
//! build, another user, an archive that the workspace came in.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

use super::command::{Failure, Git};
use crate::model::{Fault, Kind};

/// The settings that git itself writes where forge lets it clone, in small letters; `*` stands for
/// a name.
const WRITTEN: &[&str] = &[
    "core.repositoryformatversion",
    "core.filemode",
    "core.bare",
    "core.logallrefupdates",
    "core.ignorecase",
    "core.precomposeunicode",
    "core.symlinks",
    "core.worktree",
    "extensions.objectformat",
    "extensions.refstorage",
    "remote.origin.url",
    "remote.origin.fetch",
    "submodule.*.url",
    "submodule.*.active",
    "branch.*.remote",
    "branch.*.merge",
];

/// More folders than any repository with submodules has; beyond it, nobody looks.
const MOST_FOLDERS: usize = 10_000;

/// Whether `dest` holds a checkout of whose settings nothing was added to what forge lets git write.
///
/// # Errors
/// `Interrupted`.
pub async fn is_as_made(git: &Git<'_>, dest: &Path) -> Result<bool, Fault> {
    let top = dest.join(".git");
    if !fs::symlink_metadata(&top).is_ok_and(|found| found.is_dir()) {
        return Ok(false);
    }
    let Ok(Some(configs)) = configs(&top) else { return Ok(false) };
    for config in &configs {
        if !is_plain(git, config, dest).await? {
            return Ok(false);
        }
    }
    Ok(configs.contains(&top.join("config")))
}

/// The files with settings below `top`; none if something there leads elsewhere.
fn configs(top: &Path) -> io::Result<Option<Vec<PathBuf>>> {
    let (mut found, mut folders) = (Vec::new(), vec![top.to_owned()]);
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        count += 1;
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let (kind, name) = (entry.file_type()?, entry.file_name());
            match name.to_str() {
                // Settings of other folders.
                Some("commondir" | "config.worktree") => return Ok(None),
                _ if kind.is_symlink() => return Ok(None),
                _ if kind.is_dir() => folders.push(entry.path()),
                Some("config") => found.push(entry.path()),
                _ => {}
            }
        }
        if count > MOST_FOLDERS {
            return Ok(None);
        }
    }
    Ok(Some(found))
}

/// Whether `config` holds nothing but what git writes by itself.
async fn is_plain(git: &Git<'_>, config: &Path, dest: &Path) -> Result<bool, Fault> {
    let path = config.to_string_lossy();
    let list = ["config", "--file", &path, "--no-includes", "--name-only", "--list"];
    let Some(names) = answer(git, &list).await? else { return Ok(false) };
    if !names.iter().all(|name| is_written_by_git(name)) {
        return Ok(false);
    }
    if !names.iter().any(|name| name.eq_ignore_ascii_case("core.worktree")) {
        return Ok(true);
    }
    let get = ["config", "--file", &path, "--no-includes", "--get-all", "core.worktree"];
    let Some(folders) = answer(git, &get).await? else { return Ok(false) };
    let at = config.parent().unwrap_or(dest);
    Ok(folders.iter().all(|folder| stays_in(dest, at, Path::new(folder))))
}

async fn answer(git: &Git<'_>, words: &[&str]) -> Result<Option<Vec<String>>, Fault> {
    match git.run(words).await {
        Ok(lines) => Ok(Some(lines)),
        Err(Failure::Mute(fault)) if fault.kind == Kind::Interrupted => Err(fault),
        Err(_) => Ok(None),
    }
}

fn is_written_by_git(name: &str) -> bool {
    let (name, dots) = (name.to_ascii_lowercase(), ['.']);
    WRITTEN.iter().any(|known| match known.split_once('*') {
        None => *known == name,
        Some((start, end)) => {
            let of = name.strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
            of.is_some_and(|of| !of.is_empty() && !of.starts_with(dots))
        }
    })
}

/// Whether the path `folder`, seen from `at`, lies below `dest` and is not `dest`'s own `.git`.
fn stays_in(dest: &Path, at: &Path, folder: &Path) -> bool {
    let mut path = at.to_owned();
    for part in folder.components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    path.strip_prefix(dest).is_ok_and(|inside| {
        inside.components().next().is_some_and(|first| first.as_os_str() != ".git")
    })
}

#[cfg(test)]
mod tests {
    use super::{super::sample::Sample, *};
    use crate::process::testing::is_here;

    #[test]
    fn only_what_git_writes_is_plain() {
        for name in ["core.bare", "remote.origin.url", "submodule.a/b.c.url", "branch.main.merge"] {
            assert!(is_written_by_git(name), "{name}");
        }
        for name in [
            "core.sshcommand",
            "core.fsmonitor",
            "filter.z.clean",
            "diff.external",
            "include.path",
            "includeif.gitdir:/.path",
            "url.ext::sh.insteadof",
            "submodule.x.update",
            "remote.origin.uploadpack",
            "extensions.worktreeconfig",
        ] {
            assert!(!is_written_by_git(name), "{name}");
        }
    }

    #[test]
    fn work_goes_on_below_the_checkout_only() {
        let (dest, at) = (Path::new("/d"), Path::new("/d/.git/modules/a"));
        assert!(stays_in(dest, at, Path::new("../../../sub/a")));
        for folder in ["/home/me", "../../..", "../../../..", "../../../../e", "../../hooks"] {
            assert!(!stays_in(dest, at, Path::new(folder)), "{folder}");
        }
    }

    #[tokio::test]
    async fn what_was_planted_is_noticed() {
        if !is_here("git") {
            return;
        }
        let sample = Sample::new();
        sample.commit("a", "1");
        let (runner, dest) = (Sample::runner(), sample.beside("dest"));
        let made = async || {
            let _ = fs::remove_dir_all(&dest);
            super::super::checkout(&runner, sample.url(), "main", None, &sample.root(), &dest)
                .await
                .unwrap();
            assert!(is_as_made(&Git::in_own(&runner, &dest, ""), &dest).await.unwrap());
        };
        let config = dest.join(".git/config");
        for planted in [
            "[core]\n\tsshCommand = touch /x\n",
            "[filter \"z\"]\n\tsmudge = touch /x\n",
            "[include]\n\tpath = elsewhere\n",
            "[core]\n\tworktree = /\n",
            "nonsense",
        ] {
            made().await;
            let text = fs::read_to_string(&config).unwrap();
            fs::write(&config, text + planted).unwrap();
            assert!(
                !is_as_made(&Git::in_own(&runner, &dest, ""), &dest).await.unwrap(),
                "{planted}"
            );
        }
        made().await;
        fs::write(dest.join(".git/commondir"), "../elsewhere\n").unwrap();
        assert!(!is_as_made(&Git::in_own(&runner, &dest, ""), &dest).await.unwrap());
    }
}
