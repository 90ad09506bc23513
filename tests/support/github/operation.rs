//! What GitHub can be asked, and the addresses for it.

/// Which of GitHub's hosts a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// `api.github.com`, or `/api/v3` of an Enterprise host.
    Api,
    /// `uploads.github.com`, or `/api/uploads` of an Enterprise host.
    Upload,
    /// `github.com`, what a browser sees.
    Web,
    /// Where redirects of downloads lead: signed addresses that take no other credentials.
    Object,
}

/// One thing that can be asked. Faults are planned for an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Any operation at all.
    Any,
    /// Any operation of the API, uploads not among them.
    AnyApi,
    RateLimit,
    /// The other API, of which hardly anything is here.
    GraphQl,
    GetRepository,
    ImmutableReleases,
    ListReleases,
    CreateRelease,
    LatestRelease,
    ReleaseByTag,
    GenerateNotes,
    GetAsset,
    EditAsset,
    DeleteAsset,
    ListAssets,
    Upload,
    GetRelease,
    EditRelease,
    DeleteRelease,
    GetRef,
    MatchingRefs,
    CreateRef,
    EditRef,
    DeleteRef,
    CreateTag,
    GetTag,
    ListDeployments,
    CreateDeployment,
    ListDeploymentStatuses,
    CreateDeploymentStatus,
    CreateCommitStatus,
    ListComments,
    CreateComment,
    EditComment,
    DeleteComment,
    GetPull,
    /// The archive of a commit, which redirects.
    Tarball,
    /// The address of an asset for browsers, which redirects.
    Download,
    /// The same below `releases/latest`.
    DownloadLatest,
    /// A page for people.
    Page,
    /// The bytes behind a signed address.
    Object,
    /// Nothing that the stand-in knows.
    Unknown,
}

use Host::{Api, Object as Objects, Upload as Uploads, Web};
use Operation as Op;

/// The addresses. The first that fits is taken, so the more special come first. `{tag}` and
/// `{ref}` may hold slashes.
const ROUTES: &[(Host, &str, &str, Operation)] = &[
    (Api, "GET", "/rate_limit", Op::RateLimit),
    (Api, "POST", "/graphql", Op::GraphQl),
    (Api, "GET", "/repos/{owner}/{repo}", Op::GetRepository),
    (Api, "GET", "/repos/{owner}/{repo}/immutable-releases", Op::ImmutableReleases),
    (Api, "GET", "/repos/{owner}/{repo}/releases", Op::ListReleases),
    (Api, "POST", "/repos/{owner}/{repo}/releases", Op::CreateRelease),
    (Api, "GET", "/repos/{owner}/{repo}/releases/latest", Op::LatestRelease),
    (Api, "GET", "/repos/{owner}/{repo}/releases/tags/{tag}", Op::ReleaseByTag),
    (Api, "POST", "/repos/{owner}/{repo}/releases/generate-notes", Op::GenerateNotes),
    (Api, "GET", "/repos/{owner}/{repo}/releases/assets/{asset_id}", Op::GetAsset),
    (Api, "PATCH", "/repos/{owner}/{repo}/releases/assets/{asset_id}", Op::EditAsset),
    (Api, "DELETE", "/repos/{owner}/{repo}/releases/assets/{asset_id}", Op::DeleteAsset),
    (Api, "GET", "/repos/{owner}/{repo}/releases/{release_id}/assets", Op::ListAssets),
    (Api, "GET", "/repos/{owner}/{repo}/releases/{release_id}", Op::GetRelease),
    (Api, "PATCH", "/repos/{owner}/{repo}/releases/{release_id}", Op::EditRelease),
    (Api, "DELETE", "/repos/{owner}/{repo}/releases/{release_id}", Op::DeleteRelease),
    (Api, "GET", "/repos/{owner}/{repo}/git/ref/{ref}", Op::GetRef),
    (Api, "GET", "/repos/{owner}/{repo}/git/matching-refs/{ref}", Op::MatchingRefs),
    (Api, "POST", "/repos/{owner}/{repo}/git/refs", Op::CreateRef),
    (Api, "PATCH", "/repos/{owner}/{repo}/git/refs/{ref}", Op::EditRef),
    (Api, "DELETE", "/repos/{owner}/{repo}/git/refs/{ref}", Op::DeleteRef),
    (Api, "POST", "/repos/{owner}/{repo}/git/tags", Op::CreateTag),
    (Api, "GET", "/repos/{owner}/{repo}/git/tags/{tag_sha}", Op::GetTag),
    (Api, "GET", "/repos/{owner}/{repo}/tarball/{ref}", Op::Tarball),
    (Api, "GET", "/repos/{owner}/{repo}/deployments", Op::ListDeployments),
    (Api, "POST", "/repos/{owner}/{repo}/deployments", Op::CreateDeployment),
    (
        Api,
        "GET",
        "/repos/{owner}/{repo}/deployments/{deployment_id}/statuses",
        Op::ListDeploymentStatuses,
    ),
    (
        Api,
        "POST",
        "/repos/{owner}/{repo}/deployments/{deployment_id}/statuses",
        Op::CreateDeploymentStatus,
    ),
    (Api, "POST", "/repos/{owner}/{repo}/statuses/{sha}", Op::CreateCommitStatus),
    (Api, "GET", "/repos/{owner}/{repo}/issues/{issue_number}/comments", Op::ListComments),
    (Api, "POST", "/repos/{owner}/{repo}/issues/{issue_number}/comments", Op::CreateComment),
    (Api, "PATCH", "/repos/{owner}/{repo}/issues/comments/{comment_id}", Op::EditComment),
    (Api, "DELETE", "/repos/{owner}/{repo}/issues/comments/{comment_id}", Op::DeleteComment),
    (Api, "GET", "/repos/{owner}/{repo}/pulls/{pull_number}", Op::GetPull),
    (Uploads, "POST", "/repos/{owner}/{repo}/releases/{release_id}/assets", Op::Upload),
    (Web, "GET", "/{owner}/{repo}/releases/latest/download/{asset}", Op::DownloadLatest),
    (Web, "GET", "/{owner}/{repo}/releases/download/{tag}/{asset}", Op::Download),
    (Web, "GET", "/{owner}/{repo}", Op::Page),
    (Web, "GET", "/{owner}/{repo}/releases", Op::Page),
    (Web, "GET", "/{owner}/{repo}/releases/tag/{tag}", Op::Page),
    (Objects, "GET", "/objects/{object}", Op::Object),
];

/// What a request is for: the operation, the pattern of its address as GitHub's description
/// writes it, and the values of the pattern's names.
pub struct Matched {
    pub operation: Operation,
    pub template: &'static str,
    names: Vec<(&'static str, String)>,
}

impl Matched {
    /// The value of `{name}` in the pattern; empty when the pattern has no such name.
    pub fn name(&self, name: &str) -> &str {
        self.names.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }
}

impl Operation {
    /// What `method` at `path` of `host` means. A HEAD is a GET whose body is left out.
    pub fn find(host: Host, method: &str, path: &str) -> Matched {
        let method = if method == "HEAD" { "GET" } else { method };
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        for &(at, verb, template, operation) in ROUTES {
            let pattern: Vec<&'static str> = template.trim_matches('/').split('/').collect();
            let mut names = Vec::new();
            if at == host && verb == method && fits(&pattern, &parts, &mut names) {
                return Matched { operation, template, names };
            }
        }
        Matched { operation: Operation::Unknown, template: "", names: Vec::new() }
    }

    /// Whether a fault planned for this operation meets `other`, asked of `host`.
    pub fn covers(self, other: Self, host: Host) -> bool {
        self == Self::Any || self == other || (self == Self::AnyApi && host == Host::Api)
    }
}

/// Whether the parts of a path fit a pattern; fills in the names.
fn fits(pattern: &[&'static str], parts: &[&str], names: &mut Vec<(&'static str, String)>) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return parts.is_empty() };
    let Some(name) = first.strip_prefix('{').and_then(|name| name.strip_suffix('}')) else {
        return parts.first() == Some(first) && fits(rest, &parts[1..], names);
    };
    let most = if matches!(name, "tag" | "ref") { parts.len() } else { 1.min(parts.len()) };
    (1..=most).any(|taken| {
        let before = names.len();
        names.push((name, percent_decoded(&parts[..taken].join("/"))));
        let fits = !parts[0].is_empty() && fits(rest, &parts[taken..], names);
        if !fits {
            names.truncate(before);
        }
        fits
    })
}

/// A text with each `%xx` replaced by the byte it stands for.
pub fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{Host, Operation};

    #[test]
    fn the_more_special_address_wins_and_tags_may_hold_slashes() {
        let of = |host, path| {
            let matched = Operation::find(host, "GET", path);
            let [tag, asset] = ["tag", "asset"].map(|name| matched.name(name).to_owned());
            (matched.operation, tag, asset)
        };
        let found =
            |operation, tag: &str, asset: &str| (operation, tag.to_owned(), asset.to_owned());
        for (host, path, meaning) in [
            (Host::Api, "/repos/a/b/releases/latest", found(Operation::LatestRelease, "", "")),
            (Host::Api, "/repos/a/b/releases/7", found(Operation::GetRelease, "", "")),
            (
                Host::Api,
                "/repos/a/b/releases/tags/x/v1",
                found(Operation::ReleaseByTag, "x/v1", ""),
            ),
            (
                Host::Api,
                "/repos/a/b/releases/tags/x%2Fv1",
                found(Operation::ReleaseByTag, "x/v1", ""),
            ),
            (
                Host::Web,
                "/a/b/releases/download/x/v1/n.gz",
                found(Operation::Download, "x/v1", "n.gz"),
            ),
            (
                Host::Web,
                "/a/b/releases/latest/download/n",
                found(Operation::DownloadLatest, "", "n"),
            ),
            (Host::Api, "/repos/a/b/releases/tags/", found(Operation::Unknown, "", "")),
            (Host::Web, "/", found(Operation::Unknown, "", "")),
        ] {
            assert_eq!(of(host, path), meaning, "{path}");
        }
    }
}
