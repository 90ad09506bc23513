//! What a reference means: one question to the remote.

use std::path::Path;

use super::{
    command::Git,
    references::{ReferenceKind, Resolved, find, full_hash, similar},
};
use crate::{
    model::{Fault, Kind, is_repository_url, shown_url},
    process::CommandRunner,
};

/// Asks the repository at `url` what `reference` means. A full hash is itself and asks
/// nobody; a tag goes before a branch of the same name.
///
/// # Errors
/// `Usage` if there is no such reference (naming similar ones), `Store` if the repository
/// does not answer or refuses, `Interrupted`.
pub async fn resolve(
    runner: &dyn CommandRunner,
    url: &str,
    reference: &str,
) -> Result<Resolved, Fault> {
    if let Some(commit) = full_hash(reference) {
        return Ok(Resolved { commit, kind: ReferenceKind::Commit });
    }
    check_url(url)?;
    // No repository is there, so none has a say.
    let git = Git::in_own(runner, Path::new("/"), url);
    let names = [
        format!("refs/tags/{reference}"),
        format!("refs/tags/{reference}^{{}}"),
        format!("refs/heads/{reference}"),
    ];
    let words = ["ls-remote", "--quiet", "--", url, &names[0], &names[1], &names[2]];
    let what = || format!("cannot ask {url} what `{reference}` is");
    let lines = git.ask(&words).await.map_err(|failure| failure.fault(what()))?;
    match find(&lines, reference) {
        Some(resolved) => Ok(resolved),
        None => Err(absent(&git, url, reference).await),
    }
}

/// Checks that `url`, which a manifest names, leads to a repository and is not a command in disguise.
///
/// # Errors
/// `Usage` if it is none.
pub fn check_url(url: &str) -> Result<(), Fault> {
    if is_repository_url(url) {
        return Ok(());
    }
    let url = shown_url(url);
    Err(Fault::new(Kind::Usage, format!("`{url}` is not a URL of a git repository"))
        .because("git would take it for an option, or for a program to run")
        .hint("write what `git clone` takes, such as `https://…` or `git@…`"))
}

/// The fault of a reference that is not there.
pub async fn absent(git: &Git<'_>, url: &str, reference: &str) -> Fault {
    let shown = shown_url(url);
    let fault =
        Fault::new(Kind::Usage, format!("{shown} has neither a tag nor a branch `{reference}`"));
    let words = ["ls-remote", "--quiet", "--tags", "--heads", "--", url];
    let lines = git.ask(&words).await.unwrap_or_default();
    let is_short_hash = reference.len() >= 7 && reference.bytes().all(|b| b.is_ascii_hexdigit());
    match similar(&lines, reference).as_slice() {
        [] if is_short_hash => fault.hint("if it is a commit, write its full hash (40 digits)"),
        [] => fault.hint(format!("see what there is: git ls-remote --tags {shown}")),
        [one] => fault.hint(format!("did you mean `{one}`?")),
        [others @ .., last] => {
            let others: Vec<_> = others.iter().map(|name| format!("`{name}`")).collect();
            fault.hint(format!("did you mean {} or `{last}`?", others.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::sample::Sample, *};
    use crate::process::testing::is_here;

    #[tokio::test]
    async fn tags_branches_and_commits_are_told_apart() {
        if !is_here("git") {
            return;
        }
        let sample = Sample::new();
        let first = sample.commit("a", "1");
        sample.git(&["tag", "-a", "-m", "note", "v1.0.0"]);
        let second = sample.commit("a", "2");
        sample.git(&["tag", "v1.1.0"]);
        sample.git(&["branch", "v1.0.0"]);
        let runner = Sample::runner();
        let resolved = async |reference: &str| {
            let resolved = resolve(&runner, sample.url(), reference).await.unwrap();
            (resolved.commit, resolved.kind)
        };
        assert_eq!(resolved("v1.0.0").await, (first.clone(), ReferenceKind::Tag));
        assert_eq!(resolved("v1.1.0").await, (second.clone(), ReferenceKind::Tag));
        assert_eq!(resolved("main").await, (second, ReferenceKind::Branch));
        assert_eq!(resolved(&first.to_uppercase()).await, (first, ReferenceKind::Commit));
    }

    #[tokio::test]
    async fn an_absent_reference_is_told_with_similar_ones() {
        if !is_here("git") {
            return;
        }
        let sample = Sample::new();
        sample.commit("a", "1");
        sample.git(&["tag", "v1.2.0"]);
        sample.git(&["tag", "v1.3.0"]);
        let fault = resolve(&Sample::runner(), sample.url(), "1.2.1").await.unwrap_err();
        assert_eq!(fault.kind, Kind::Usage);
        assert!(fault.what.ends_with("has neither a tag nor a branch `1.2.1`"), "{fault}");
        assert_eq!(fault.hint.as_deref(), Some("did you mean `v1.2.0`?"));
    }

    #[tokio::test]
    async fn a_repository_that_is_not_there_is_a_fault_of_the_store() {
        if !is_here("git") {
            return;
        }
        let fault = resolve(&Sample::runner(), "/no/such/repository", "v1").await.unwrap_err();
        assert_eq!(fault.kind, Kind::Store);
        assert!(fault.to_string().contains("does not appear to be a git repository"), "{fault}");
        assert!(fault.hint.is_some());
    }

    #[tokio::test]
    async fn a_url_is_never_an_option_nor_a_command() {
        for url in ["--upload-pack=touch x", "ext::touch x", "fd::17"] {
            let fault = resolve(&Sample::runner(), url, "v1").await.unwrap_err();
            assert_eq!(fault.kind, Kind::Usage, "{fault}");
        }
    }
}
