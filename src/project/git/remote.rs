//! The repository that others push to as well: which tags it has, and a tag that only one can put
//! there.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use ring::digest;

use super::{
    command::{Git, GitFailure},
    history::Tag,
    references::full_hash,
    resolve::check_url,
};
use crate::{
    model::{Fault, Kind, shown_url},
    process::CommandRunner,
};

/// A remote of the repository in a folder; or that repository itself, if it has none.
pub struct Remote<'a> {
    runner: &'a dyn CommandRunner,
    root: PathBuf,
    /// Its name or path, as `git push` takes it.
    name: String,
    shown: String,
}

/// A tag of a remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteTag {
    /// Its name and its commit.
    pub tag: Tag,
    /// What it is: the commit, or the object of an annotated tag.
    pub object: String,
}

/// A tag that is not put anywhere yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagObject {
    /// The full hash of the object.
    pub object: String,
    /// The tag's name.
    pub name: String,
}

/// What became of putting a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagPutOutcome {
    /// It is there.
    Created,
    /// There is one of that name already.
    Taken,
}

/// All tags of the repository at `url`, which may take as long as `limit` to answer.
///
/// # Errors
/// `Store` if it does not answer or refuses, `Failed` without git, `Interrupted`.
pub async fn tags_of(
    runner: &dyn CommandRunner,
    url: &str,
    limit: Duration,
) -> Result<Vec<RemoteTag>, Fault> {
    check_url(url)?;
    // No repository is there, so none has a say.
    let git = Git::in_own(runner, Path::new("/"), url);
    let words = ["ls-remote", "--quiet", "--tags", "--", url];
    let what = || format!("cannot read the tags of {}", shown_url(url));
    let lines = git.ask_within(&words, limit).await.map_err(|failure| failure.fault(what()))?;
    Ok(read(&lines))
}

impl<'a> Remote<'a> {
    /// The remote `origin`, whose URL is `url`, of the repository at `root`; without a URL the
    /// repository itself.
    pub(super) fn new(runner: &'a dyn CommandRunner, root: PathBuf, url: Option<&str>) -> Self {
        let name = url.map_or_else(|| root.to_string_lossy().into_owned(), |_| "origin".to_owned());
        let shown = url.map_or_else(|| root.display().to_string(), shown_url);
        Self { runner, root, name, shown }
    }

    /// How messages call it.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Its tags that begin with one of `stems`, asked in one go; a clone that is shallow or has
    /// no tags does not matter.
    ///
    /// # Errors
    /// As all of these: `Store` if it does not answer, `Failed` without git, `Interrupted`.
    pub async fn tags(&self, stems: &[&str]) -> Result<Vec<RemoteTag>, Fault> {
        let patterns: Vec<String> = match stems {
            // More patterns than a command line takes; fewer tags than are worth the trouble.
            many if many.len() > 100 => Vec::new(),
            few => few.iter().map(|stem| format!("refs/tags/{stem}*")).collect(),
        };
        let mut words = vec!["ls-remote", "--quiet", "--tags", "--", self.name.as_str()];
        words.extend(patterns.iter().map(String::as_str));
        let lines = self.git().ask(&words).await.map_err(|failure| self.fault(failure, "read"))?;
        let tags = read(&lines).into_iter();
        Ok(tags.filter(|tag| stems.iter().any(|stem| tag.tag.name.starts_with(stem))).collect())
    }

    /// Makes the object of an annotated tag of `commit`, in this clone and under no name. The same
    /// tag with the same message is the same object, whoever makes it and when.
    pub async fn object(
        &self,
        name: &str,
        commit: &str,
        message: &str,
    ) -> Result<TagObject, Fault> {
        let content = content(name, commit, message);
        let words = ["hash-object", "-t", "tag", "-w", "--stdin"];
        let lines = self.git().say(&words, &content).await;
        let lines = lines.map_err(|failure| self.fault(failure, "make a tag for"))?;
        let object = lines.iter().find_map(|line| full_hash(line)).ok_or_else(|| {
            Fault::new(Kind::Failed, format!("git made no object of the tag {name}"))
        })?;
        Ok(TagObject { object, name: name.to_owned() })
    }

    /// Puts a tag there, if there is none of that name: of all who try, one succeeds.
    pub async fn put(&self, tag: &TagObject) -> Result<TagPutOutcome, Fault> {
        let words = format!("{}:refs/tags/{}", tag.object, tag.name);
        let words = ["push", "--quiet", "--porcelain", "--no-verify", "--", &self.name, &words];
        match self.git().ask(&words).await {
            Ok(_) => Ok(TagPutOutcome::Created),
            Err(GitFailure::Said(lines)) if is_taken(&lines) => Ok(TagPutOutcome::Taken),
            Err(failure) => Err(self.fault(failure, &format!("put the tag {} into", tag.name))),
        }
    }

    fn git(&self) -> Git<'_> {
        Git::new(self.runner, &self.root, if self.name == "origin" { "" } else { &self.name })
    }

    fn fault(&self, failure: GitFailure, what: &str) -> Fault {
        let what = match what {
            "read" => format!("cannot read the tags of {}", self.shown),
            what => format!("cannot {what} {}", self.shown),
        };
        failure.fault(what)
    }
}

impl RemoteTag {
    /// Whether it is the annotated tag that [`Remote::object`] makes with this message.
    pub fn says(&self, message: &str) -> bool {
        let Tag { name, commit } = &self.tag;
        let content = content(name, commit, message);
        let algorithm = match self.object.len() {
            40 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            _ => &digest::SHA256,
        };
        let mut hash = digest::Context::new(algorithm);
        hash.update(format!("tag {}\0{content}", content.len()).as_bytes());
        let hash = hash.finish();
        let hex: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        hex == self.object
    }
}

/// The text of an annotated tag: <https://git-scm.com/docs/git-mktag>.
fn content(name: &str, commit: &str, message: &str) -> String {
    format!(
        "object {commit}\ntype commit\ntag {name}\ntagger forge <forge@localhost> 0 +0000\n\n{message}\n"
    )
}

/// Reads `<hash>\trefs/tags/<name>`, and `…^{}` with the commit of an annotated tag.
fn read(lines: &[String]) -> Vec<RemoteTag> {
    let mut tags: Vec<RemoteTag> = Vec::new();
    for line in lines {
        let Some((hash, name)) = line.split_once('\t') else { continue };
        let (Some(hash), Some(name)) = (full_hash(hash), name.strip_prefix("refs/tags/")) else {
            continue;
        };
        match (name.strip_suffix("^{}"), tags.last_mut()) {
            (Some(name), Some(last)) if last.tag.name == name => last.tag.commit = hash,
            (Some(_), _) => {}
            (None, _) => {
                let tag = Tag { name: name.to_owned(), commit: hash.clone() };
                tags.push(RemoteTag { tag, object: hash });
            }
        }
    }
    tags
}

/// Whether a push failed because somebody else was first: git itself saw the tag in the list of
/// the remote, or the remote found that it was there in the moment of the push.
fn is_taken(lines: &[String]) -> bool {
    const PHRASES: [&str; 4] =
        ["already exists", "reference already exists", "cannot lock ref", "failed to update ref"];
    lines.iter().any(|line| {
        line.starts_with('!') && line.contains("[rejected]")
            || PHRASES.iter().any(|phrase| line.contains(phrase))
    })
}

#[cfg(test)]
mod tests {
    use super::{
        super::{History, sample::Sample},
        *,
    };
    use crate::process::testing::is_here;

    #[tokio::test]
    async fn one_of_two_gets_the_tag_and_a_shallow_clone_sees_all() {
        if !is_here("git") {
            return;
        }
        let origin = Sample::new();
        let first = origin.commit("a", "1");
        origin.git(&["tag", "p-1"]);
        origin.git(&["tag", "-a", "-m", "x", "p-2"]);
        origin.git(&["tag", "q-1"]);
        let head = origin.commit("a", "2");
        let clone = origin.beside("clone");
        let source = format!("file://{}", origin.url());
        origin.git(&[
            "clone",
            "--quiet",
            "--depth=1",
            "--no-tags",
            &source,
            clone.to_str().unwrap(),
        ]);
        let runner = Sample::runner();
        let history = History::around(&runner, &clone).unwrap();
        let remote = history.remote().await.unwrap();
        assert_eq!(remote.shown(), source);
        let tags = remote.tags(&["p-"]).await.unwrap();
        let told: Vec<_> =
            tags.iter().map(|tag| (tag.tag.name.as_str(), &tag.tag.commit)).collect();
        assert_eq!(told, [("p-1", &first), ("p-2", &first)]);
        let mine = remote.object("p-3", &head, "run 1").await.unwrap();
        let other = remote.object("p-3", &head, "run 2").await.unwrap();
        assert_eq!(mine, remote.object("p-3", &head, "run 1").await.unwrap());
        assert_ne!(mine, other);
        assert_eq!(remote.put(&mine).await.unwrap(), TagPutOutcome::Created);
        assert_eq!(remote.put(&other).await.unwrap(), TagPutOutcome::Taken);
        // The same again is what it was: whoever holds it may go on.
        assert_eq!(remote.put(&mine).await.unwrap(), TagPutOutcome::Created);
        assert_eq!(origin.git(&["rev-parse", "p-3"]), mine.object);
        let tags = remote.tags(&["p-"]).await.unwrap();
        assert!(tags[2].says("run 1") && !tags[2].says("run 2") && !tags[0].says("run 1"));
    }

    #[tokio::test]
    async fn without_a_remote_the_repository_keeps_its_own_tags() {
        if !is_here("git") {
            return;
        }
        let sample = Sample::new();
        let head = sample.commit("a", "1");
        let runner = Sample::runner();
        let history = History::around(&runner, Path::new(sample.url())).unwrap();
        let remote = history.remote().await.unwrap();
        let tag = remote.object("p-1", &head, "x").await.unwrap();
        assert_eq!(remote.put(&tag).await.unwrap(), TagPutOutcome::Created);
        let other = remote.object("p-1", &head, "y").await.unwrap();
        assert_eq!(remote.put(&other).await.unwrap(), TagPutOutcome::Taken);
        assert_eq!(remote.tags(&["p-"]).await.unwrap()[0].tag.commit, head);
    }

    #[tokio::test]
    async fn a_remote_that_is_gone_is_a_fault_of_the_store() {
        if !is_here("git") {
            return;
        }
        let sample = Sample::new();
        sample.commit("a", "1");
        sample.git(&["remote", "add", "origin", "/no/such/place"]);
        let runner = Sample::runner();
        let history = History::around(&runner, Path::new(sample.url())).unwrap();
        let fault = history.remote().await.unwrap().tags(&["p-"]).await.unwrap_err();
        assert_eq!(
            (fault.kind, fault.what.as_str()),
            (Kind::Store, "cannot read the tags of /no/such/place")
        );
    }
}
