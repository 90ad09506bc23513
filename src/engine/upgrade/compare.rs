//! Where people see what changed between two versions.

use crate::workspace::{Index, VersionSource};

/// The page on which a host compares `from` with `to`, if it is a host known to have one: GitHub,
/// GitLab, and Codeberg as the best known Forgejo.
pub fn comparison(feed: &VersionSource, from: &str, to: &str) -> Option<String> {
    let (from, to) = (feed.form.name(from), feed.form.name(to));
    match &feed.index {
        Index::Releases(url) => Some(format!("{url}/compare/{from}...{to}")),
        Index::Tags(url) => between(&page(url)?, &from, &to),
        Index::Go { path, .. } => {
            // Of a module in a folder, or at a commit, the tags are not these.
            let parts: Vec<_> = path.splitn(4, '/').collect();
            let is_top =
                parts.get(3).is_none_or(|rest| !rest.contains('/') && rest.starts_with('v'));
            let is_tag =
                |version: &str| !version.contains("-0.") && !version.starts_with("v0.0.0-");
            let tag = |version: &str| version.trim_end_matches("+incompatible").to_owned();
            let url = format!("https://{}", parts.get(..3)?.join("/"));
            (is_top && is_tag(&from) && is_tag(&to))
                .then(|| between(&url, &tag(&from), &tag(&to)))
                .flatten()
        }
        Index::Crate(_) | Index::Page { .. } => None,
    }
}

fn between(url: &str, from: &str, to: &str) -> Option<String> {
    let host = url.strip_prefix("https://")?.split('/').next()?;
    match host {
        "github.com" | "codeberg.org" => Some(format!("{url}/compare/{from}...{to}")),
        "gitlab.com" => Some(format!("{url}/-/compare/{from}...{to}")),
        _ => None,
    }
}

/// The page for people of what `git clone` takes.
fn page(url: &str) -> Option<String> {
    let url = url.trim_end_matches('/');
    let url = url.strip_suffix(".git").unwrap_or(url);
    let rest = match url.split_once("://") {
        Some((_, rest)) => rest.rsplit_once('@').map_or(rest, |(_, rest)| rest).to_owned(),
        // As ssh has it: `git@host:owner/repo`.
        None => url.split_once('@')?.1.replacen(':', "/", 1),
    };
    Some(format!("https://{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::TagFormat;

    #[test]
    fn a_comparison_is_where_the_code_is() {
        let tags = |url: &str| Index::Tags(url.into());
        let go = |path: &str| Index::Go { path: path.into(), is_module: true };
        let github = Some("https://github.com/o/r/compare/v1...v2");
        for (index, link) in [
            (tags("https://github.com/o/r.git"), github),
            (tags("git@github.com:o/r.git"), github),
            (tags("ssh://git@github.com/o/r"), github),
            (tags("https://me:secret@github.com/o/r"), github),
            (tags("https://gitlab.com/g/s/r"), Some("https://gitlab.com/g/s/r/-/compare/v1...v2")),
            (tags("https://git.example.org/o/r"), None),
            (tags("/srv/r"), None),
            (Index::Releases("https://github.com/o/r".into()), github),
            (go("github.com/o/r/v2"), github),
            (go("github.com/o/r/sub"), None),
            (go("example.org/r"), None),
            (Index::Crate("x".into()), None),
        ] {
            let feed = VersionSource { form: TagFormat::infer("v1", "v1").unwrap(), index };
            assert_eq!(comparison(&feed, "v1", "v2").as_deref(), link, "{:?}", feed.index);
        }
    }
}
