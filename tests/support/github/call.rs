//! A request, as the stand-in understands it.

use axum::http::{HeaderMap, request::Parts};

use super::{
    operation::{Host, Matched, Operation, percent_decoded},
    origins::Origins,
};

/// The listener, or the name in the `Host` header, that a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// API, uploads and pages at one origin.
    Front,
    /// Uploads only.
    Uploads,
    /// Signed addresses only.
    Objects,
}

/// A request.
pub struct Call {
    pub host: Host,
    pub method: String,
    /// The path and query as they came.
    pub target: String,
    pub matched: Matched,
    pub query: Vec<(String, String)>,
    pub headers: HeaderMap,
    /// How answers to this client name the hosts.
    pub origins: Origins,
}

impl Call {
    /// Reads a request that came to `door` of a stand-in at `origins`.
    /// `folder_of` knows the repositories by their numbers.
    pub fn parse(
        door: Door,
        parts: &Parts,
        origins: &Origins,
        folder_of: impl Fn(u64) -> Option<String>,
    ) -> Self {
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
        let named = parts.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or("");
        let named = parts.uri.host().unwrap_or(named);
        let path = parts.uri.path();
        let (host, path, origins) = match named {
            "api.github.com" => (Host::Api, path, Origins::official()),
            "uploads.github.com" => (Host::Upload, path, Origins::official()),
            "github.com" => (Host::Web, path, Origins::official()),
            "objects.githubusercontent.com" => (Host::Object, path, Origins::official()),
            _ => by_path(door, path, origins),
        };
        let path = by_name(path, folder_of);
        let matched = Operation::find(host, parts.method.as_str(), &path);
        let query = parts.uri.query().unwrap_or("").split('&').filter(|pair| !pair.is_empty());
        let query = query.map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (percent_decoded(key), percent_decoded(&value.replace('+', " ")))
        });
        Self {
            host,
            method: parts.method.to_string(),
            target,
            matched,
            query: query.collect(),
            headers: parts.headers.clone(),
            origins,
        }
    }

    /// The operation asked for.
    pub fn operation(&self) -> Operation {
        self.matched.operation
    }

    /// `owner/repo`, as the path has it.
    pub fn folder(&self) -> String {
        format!("{}/{}", self.matched.name("owner"), self.matched.name("repo"))
    }

    /// A number in the path; 0, which nothing has, when it is none.
    pub fn id(&self, name: &str) -> u64 {
        self.matched.name(name).parse().unwrap_or(0)
    }

    /// A value of the query.
    pub fn asked_for(&self, key: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    /// A header, or nothing.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// A path that names the repository by its number, with its name instead.
fn by_name(path: &str, folder_of: impl Fn(u64) -> Option<String>) -> String {
    let named = path.strip_prefix("/repositories/").and_then(|rest| {
        let (id, rest) = rest.split_once('/')?;
        Some(format!("/repos/{}/{rest}", folder_of(id.parse().ok()?)?))
    });
    named.unwrap_or_else(|| path.to_owned())
}

fn by_path<'p>(door: Door, path: &'p str, origins: &Origins) -> (Host, &'p str, Origins) {
    if door == Door::Objects {
        return (Host::Object, path, origins.clone());
    }
    if let Some(rest) = path.strip_prefix("/api/v3").filter(|rest| rest.starts_with('/')) {
        return (Host::Api, rest, origins.enterprise());
    }
    if path == "/api/graphql" {
        return (Host::Api, "/graphql", origins.enterprise());
    }
    if let Some(rest) = path.strip_prefix("/api/uploads").filter(|rest| rest.starts_with('/')) {
        return (Host::Upload, rest, origins.enterprise());
    }
    if path.starts_with("/uploads/repos/") {
        return (Host::Upload, &path["/uploads".len()..], origins.clone());
    }
    let is_api = path.starts_with("/repos/")
        || path.starts_with("/repositories/")
        || matches!(path, "/rate_limit" | "/graphql");
    let host = match door {
        Door::Uploads => Host::Upload,
        _ if is_api => Host::Api,
        _ => Host::Web,
    };
    (host, path, origins.clone())
}
