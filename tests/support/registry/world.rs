//! What a registry holds, and how it answers.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Value, json};

use super::{Asked, Goes, LOGIN};
use crate::support::sha256;

/// How a registry differs from others.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Whether tokens are wanted; with `is_basic`, user and password.
    pub wants_login: bool,
    pub is_basic: bool,
    /// Whether whoever has no login may read.
    pub is_public: bool,
    /// How long tokens hold, in seconds.
    pub token_seconds: u64,
    /// Whether a tag that is there may be moved.
    pub has_immutable_tags: bool,
    /// How long a new tag is not found.
    pub lag: Duration,
    /// Whether it lists referrers.
    pub lists_referrers: bool,
    /// Whether uploads go to, and blobs come from, another origin.
    pub is_split: bool,
    /// Whether repositories have to be made first, in `World::repositories`.
    pub wants_repositories: bool,
    /// Whether blobs can be mounted.
    pub mounts: bool,
    /// Whether tags can be deleted.
    pub deletes_tags: bool,
    /// The most that a PATCH may bring, in bytes.
    pub most_of_patch: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            wants_login: false,
            is_basic: false,
            is_public: true,
            token_seconds: 300,
            has_immutable_tags: false,
            lag: Duration::ZERO,
            lists_referrers: true,
            is_split: false,
            wants_repositories: false,
            mounts: true,
            deletes_tags: true,
            most_of_patch: usize::MAX,
        }
    }
}

impl Rules {
    /// As ghcr.io: tokens, no referrers, a new tag is not found for a while.
    pub fn ghcr() -> Self {
        Self {
            wants_login: true,
            lists_referrers: false,
            lag: Duration::from_millis(120),
            most_of_patch: 4 << 20,
            deletes_tags: false,
            ..Self::default()
        }
    }

    /// As Amazon's: user and password, repositories that have to be made, immutable tags.
    pub fn ecr() -> Self {
        Self {
            wants_login: true,
            is_basic: true,
            is_public: false,
            has_immutable_tags: true,
            wants_repositories: true,
            mounts: false,
            ..Self::default()
        }
    }
}

#[derive(Clone)]
pub struct Ask {
    pub method: String,
    pub path: String,
    pub accept: String,
    pub kind: String,
    pub authorization: Option<String>,
    pub range: Option<String>,
    pub content_range: Option<String>,
    pub is_elsewhere: bool,
    pub body: Bytes,
}

pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

impl Answer {
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new() }
    }

    pub fn error(status: u16, code: &str, message: &str) -> Self {
        let errors = json!({ "errors": [{ "code": code, "message": message }] });
        Self::new(status).header("content-type", "application/json").body(errors.to_string())
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn body(self, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..self }
    }
}

struct Token {
    scopes: BTreeSet<(String, bool)>,
    until: Instant,
}

/// Everything that a registry knows.
pub struct World {
    pub rules: Rules,
    address: SocketAddr,
    pub repositories: BTreeSet<String>,
    /// By repository and digest.
    pub blobs: BTreeMap<(String, String), Bytes>,
    pub manifests: BTreeMap<(String, String), (String, Bytes)>,
    /// By repository and tag: the digest, and since when.
    pub tags: BTreeMap<(String, String), (String, Instant)>,
    uploads: BTreeMap<String, (String, Vec<u8>)>,
    tokens: BTreeMap<String, Token>,
    count: u64,
    pub faults: Vec<(String, String, Goes)>,
    pub asked: Vec<Asked>,
}

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

impl World {
    pub fn new(rules: Rules, address: SocketAddr) -> Self {
        Self {
            rules,
            address,
            repositories: BTreeSet::new(),
            blobs: BTreeMap::new(),
            manifests: BTreeMap::new(),
            tags: BTreeMap::new(),
            uploads: BTreeMap::new(),
            tokens: BTreeMap::new(),
            count: 0,
            faults: Vec::new(),
            asked: Vec::new(),
        }
    }

    pub fn end_tokens(&mut self) {
        self.tokens.clear();
    }

    /// The digest that `tag` has in `repository`, whatever the lag.
    pub fn tag(&self, repository: &str, tag: &str) -> Option<String> {
        Some(self.tags.get(&(repository.to_owned(), tag.to_owned()))?.0.clone())
    }

    /// What is missing of all that tags lead to, in words.
    pub fn dangling(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for ((repository, tag), (digest, _)) in &self.tags {
            let mut open = vec![digest.clone()];
            while let Some(digest) = open.pop() {
                let Some((_, bytes)) = self.manifests.get(&(repository.clone(), digest.clone()))
                else {
                    missing.push(format!("{repository}:{tag}: manifest {digest}"));
                    continue;
                };
                let document: Value = serde_json::from_slice(bytes).expect("JSON");
                let digests = |key: &str| -> Vec<String> {
                    let list = document[key].as_array().cloned().unwrap_or_default();
                    list.iter().filter_map(|it| Some(it["digest"].as_str()?.to_owned())).collect()
                };
                open.extend(digests("manifests"));
                for blob in digests("layers") {
                    if !self.blobs.contains_key(&(repository.clone(), blob.clone())) {
                        missing.push(format!("{repository}:{tag}: blob {blob}"));
                    }
                }
            }
        }
        missing
    }

    fn next_id(&mut self) -> String {
        self.count += 1;
        format!("n{}", self.count)
    }

    /// The answer to a request.
    pub fn answer(&mut self, ask: &Ask) -> Answer {
        let (path, query) = ask.path.split_once('?').unwrap_or((&ask.path, ""));
        let query: BTreeMap<String, String> = reqwest::Url::parse(&format!("x:?{query}"))
            .expect("a query")
            .query_pairs()
            .into_owned()
            .collect();
        if path == "/token" {
            return self.token(ask);
        }
        let Some(rest) = path.strip_prefix("/v2/") else { return Answer::new(404) };
        let is_home = !(self.rules.is_split && ask.is_elsewhere);
        let parts = ["/blobs/uploads/", "/blobs/", "/manifests/", "/tags/list", "/referrers/"];
        let found = parts.iter().find_map(|part| {
            let at = rest.rfind(part)?;
            Some((&rest[..at], *part, &rest[at + part.len()..]))
        });
        let Some((name, kind, rest)) = found else {
            return match self.refusal(ask, "", &query) {
                Some(refusal) if is_home && rest.is_empty() => refusal,
                _ if rest.is_empty() => {
                    Answer::new(200).header("content-type", "application/json").body("{}")
                }
                _ => Answer::error(404, "NAME_UNKNOWN", "what is that?"),
            };
        };
        if let Some(refusal) = self.refusal(ask, name, &query).filter(|_| is_home) {
            return refusal;
        }
        if self.rules.wants_repositories && !self.repositories.contains(name) {
            return Answer::error(
                404,
                "NAME_UNKNOWN",
                &format!("The repository with name '{name}' does not exist in the registry"),
            );
        }
        match kind {
            "/blobs/uploads/" => self.upload(ask, name, rest, &query),
            "/blobs/" => self.blob(ask, name, rest),
            "/manifests/" => self.manifest(ask, name, rest),
            "/tags/list" => self.list(name, &query),
            _ => self.referrers(name, rest, &query),
        }
    }

    fn refusal(&self, ask: &Ask, name: &str, query: &BTreeMap<String, String>) -> Option<Answer> {
        if !self.rules.wants_login {
            return None;
        }
        let is_push = !["GET", "HEAD"].contains(&ask.method.as_str());
        let shown = ask.authorization.as_deref().unwrap_or_default();
        if self.rules.is_basic {
            let basic = format!("Basic {}", STANDARD.encode(format!("{}:{}", LOGIN.0, LOGIN.1)));
            let refused = Answer::error(401, "UNAUTHORIZED", "Not Authorized")
                .header("www-authenticate", "Basic realm=\"https://x/\",service=\"ecr, they say\"");
            return (shown != basic).then_some(refused);
        }
        let actions = if is_push { "pull,push" } else { "pull" };
        let challenge = format!(
            "Bearer realm=\"http://{}/token\",service=\"the, service\",scope=\"repository:{name}:{actions}\"",
            self.address
        );
        let token = shown.strip_prefix("Bearer ").and_then(|token| self.tokens.get(token));
        let Some(token) = token.filter(|token| token.until > Instant::now()) else {
            let refused = Answer::error(401, "UNAUTHORIZED", "authentication required");
            return Some(refused.header("www-authenticate", &challenge));
        };
        let may = |name: &str, is_push: bool| {
            token.scopes.contains(&(name.to_owned(), true))
                || !is_push && token.scopes.contains(&(name.to_owned(), false))
        };
        let may_mount = query.get("from").is_none_or(|from| may(from, false));
        let is_fine = name.is_empty() || may(name, is_push) && may_mount;
        (!is_fine).then(|| Answer::error(403, "DENIED", "permission_denied: write_package"))
    }

    fn token(&mut self, ask: &Ask) -> Answer {
        let form = String::from_utf8_lossy(&ask.body).into_owned();
        let query = match ask.method.as_str() {
            "POST" => form.as_str(),
            _ => ask.path.split_once('?').map_or("", |(_, query)| query),
        };
        let url = reqwest::Url::parse(&format!("x:?{query}")).expect("a query");
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let basic = format!("Basic {}", STANDARD.encode(format!("{}:{}", LOGIN.0, LOGIN.1)));
        let is_known = ask.authorization.as_deref() == Some(&basic)
            || pairs.iter().any(|(key, value)| key == "refresh_token" && value == "identity");
        if ask.authorization.is_some() && !is_known {
            return Answer::error(401, "UNAUTHORIZED", "wrong password");
        }
        let mut scopes = BTreeSet::new();
        for (_, scope) in pairs.iter().filter(|(key, _)| key == "scope") {
            for word in scope.split(' ') {
                let parts: Vec<&str> = word.split(':').collect();
                let ["repository", name, actions] = parts.as_slice() else { continue };
                let is_push = actions.contains("push") && is_known;
                if is_known || self.rules.is_public {
                    scopes.insert(((*name).to_owned(), is_push));
                }
            }
        }
        let id = format!("token-{}", self.next_id());
        let until = Instant::now() + Duration::from_secs(self.rules.token_seconds);
        self.tokens.insert(id.clone(), Token { scopes, until });
        let given = json!({ "token": id, "expires_in": self.rules.token_seconds });
        Answer::new(200).header("content-type", "application/json").body(given.to_string())
    }

    fn blob(&mut self, ask: &Ask, name: &str, digest: &str) -> Answer {
        let key = (name.to_owned(), digest.to_owned());
        let Some(bytes) = self.blobs.get(&key).cloned() else {
            return Answer::error(404, "BLOB_UNKNOWN", "no such blob");
        };
        if ask.method == "DELETE" {
            self.blobs.remove(&key);
            return Answer::new(202);
        }
        if self.rules.is_split && !ask.is_elsewhere && ask.method == "GET" {
            let to = format!("http://localhost:{}{}?signed=1", self.address.port(), ask.path);
            return Answer::new(307).header("location", &to);
        }
        let found = |status| {
            Answer::new(status)
                .header("content-type", "application/octet-stream")
                .header("docker-content-digest", digest)
                .header("accept-ranges", "bytes")
                .header("etag", &format!("\"{digest}\""))
        };
        let range =
            ask.range.as_deref().and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
        let Some((start, end)) = range else { return found(200).body(bytes) };
        let (start, end) = match (start.parse::<usize>(), end.parse::<usize>()) {
            (Ok(start), Ok(end)) => (start, end),
            (Ok(start), Err(_)) => (start, bytes.len()),
            (Err(_), Ok(last)) => (bytes.len().saturating_sub(last), bytes.len()),
            (Err(_), Err(_)) => return Answer::new(416),
        };
        let end = end.min(bytes.len().saturating_sub(1));
        if start > end {
            return Answer::new(416);
        }
        let content_range = format!("bytes {start}-{end}/{}", bytes.len());
        found(206).header("content-range", &content_range).body(bytes.slice(start..=end))
    }

    fn upload(
        &mut self,
        ask: &Ask,
        name: &str,
        id: &str,
        query: &BTreeMap<String, String>,
    ) -> Answer {
        if id.is_empty() {
            return self.begin(ask, name, query);
        }
        let Some((owner, mut bytes)) = self.uploads.remove(id) else {
            return Answer::error(404, "BLOB_UPLOAD_UNKNOWN", "no such upload");
        };
        match ask.method.as_str() {
            "DELETE" => Answer::new(204),
            "GET" => {
                let range = format!("0-{}", bytes.len().saturating_sub(1));
                self.uploads.insert(id.to_owned(), (owner, bytes));
                self.go_on(name, id, 204).header("range", &range)
            }
            "PATCH" | "PUT" => {
                let start = ask
                    .content_range
                    .as_deref()
                    .and_then(|range| range.split('-').next()?.parse().ok());
                let is_too_much =
                    ask.method == "PATCH" && ask.body.len() > self.rules.most_of_patch;
                if start.is_some_and(|start: usize| start != bytes.len()) || is_too_much {
                    self.uploads.insert(id.to_owned(), (owner, bytes));
                    return self.go_on(name, id, 416);
                }
                bytes.extend_from_slice(&ask.body);
                match query.get("digest").filter(|_| ask.method == "PUT") {
                    Some(digest) => self.store(name, digest, bytes.into()),
                    None => {
                        let range = format!("0-{}", bytes.len().saturating_sub(1));
                        self.uploads.insert(id.to_owned(), (owner, bytes));
                        self.go_on(name, id, 202).header("range", &range)
                    }
                }
            }
            _ => Answer::new(405),
        }
    }

    fn begin(&mut self, ask: &Ask, name: &str, query: &BTreeMap<String, String>) -> Answer {
        if let (Some(digest), true) = (query.get("mount"), self.rules.mounts) {
            let from = query.get("from").cloned().unwrap_or_default();
            if let Some(bytes) = self.blobs.get(&(from, digest.clone())).cloned() {
                return self.store(name, digest, bytes);
            }
        }
        if let Some(digest) = query.get("digest") {
            return self.store(name, digest, ask.body.clone());
        }
        let id = self.next_id();
        self.uploads.insert(id.clone(), (name.to_owned(), Vec::new()));
        self.go_on(name, &id, 202)
    }

    fn go_on(&self, name: &str, id: &str, status: u16) -> Answer {
        let path = format!("/v2/{name}/blobs/uploads/{id}?_state=a%2Fb");
        let to = match self.rules.is_split {
            true => format!("http://localhost:{}{path}", self.address.port()),
            false => path,
        };
        Answer::new(status).header("location", &to).header("docker-upload-uuid", id)
    }

    fn store(&mut self, name: &str, digest: &str, bytes: Bytes) -> Answer {
        if digest != format!("sha256:{}", sha256(&bytes)) {
            return Answer::error(400, "DIGEST_INVALID", "these bytes have another digest");
        }
        self.blobs.insert((name.to_owned(), digest.to_owned()), bytes);
        Answer::new(201)
            .header("location", &format!("/v2/{name}/blobs/{digest}"))
            .header("docker-content-digest", digest)
    }

    fn resolve(&self, name: &str, reference: &str) -> Option<String> {
        if reference.contains(':') {
            return Some(reference.to_owned());
        }
        let (digest, since) = self.tags.get(&(name.to_owned(), reference.to_owned()))?;
        (since.elapsed() >= self.rules.lag).then(|| digest.clone())
    }

    fn manifest(&mut self, ask: &Ask, name: &str, reference: &str) -> Answer {
        let unknown = || Answer::error(404, "MANIFEST_UNKNOWN", "manifest unknown");
        if ask.method == "PUT" {
            return self.put_manifest(ask, name, reference);
        }
        if ask.method == "DELETE" && !reference.contains(':') {
            let key = (name.to_owned(), reference.to_owned());
            return match self.tags.remove(&key) {
                Some(kept) if !self.rules.deletes_tags => {
                    self.tags.insert(key, kept);
                    Answer::error(405, "UNSUPPORTED", "not here")
                }
                Some(_) => Answer::new(202),
                None => unknown(),
            };
        }
        let Some(digest) = self.resolve(name, reference) else { return unknown() };
        let key = (name.to_owned(), digest.clone());
        let Some((kind, bytes)) = self.manifests.get(&key).cloned() else { return unknown() };
        if ask.method == "DELETE" {
            self.manifests.remove(&key);
            self.tags.retain(|(of, _), (its, _)| of != name || *its != digest);
            return Answer::new(202);
        }
        if !ask.accept.contains(&kind) && !ask.accept.contains("*/*") {
            let message = "OCI index found, but Accept header does not support OCI indexes";
            return Answer::error(404, "MANIFEST_UNKNOWN", message);
        }
        Answer::new(200)
            .header("content-type", &kind)
            .header("docker-content-digest", &digest)
            .body(bytes)
    }

    fn put_manifest(&mut self, ask: &Ask, name: &str, reference: &str) -> Answer {
        let invalid = |why: &str| Answer::error(400, "MANIFEST_INVALID", why);
        let Ok(document) = serde_json::from_slice::<Value>(&ask.body) else {
            return invalid("no JSON");
        };
        if ask.body.len() > 4 << 20 {
            return invalid("too large");
        }
        if document["mediaType"].as_str().is_some_and(|kind| kind != ask.kind) {
            return invalid("media types differ");
        }
        let digest = format!("sha256:{}", sha256(&ask.body));
        if reference.contains(':') && reference != digest {
            return Answer::error(400, "DIGEST_INVALID", "these bytes have another digest");
        }
        let there = |digest: &Value| {
            let key = (name.to_owned(), digest.as_str().unwrap_or_default().to_owned());
            self.blobs.contains_key(&key) || self.manifests.contains_key(&key)
        };
        let list = |key: &str| document[key].as_array().cloned().unwrap_or_default();
        let mut needed = [list("layers"), list("manifests")].concat();
        needed.extend(document.get("config").cloned());
        if let Some(missing) = needed.iter().find(|it| !there(&it["digest"])) {
            return Answer::error(
                400,
                "MANIFEST_BLOB_UNKNOWN",
                &format!("{} is unknown", missing["digest"]),
            );
        }
        let key = (name.to_owned(), reference.to_owned());
        if !reference.contains(':') {
            if self.rules.has_immutable_tags && self.tags.contains_key(&key) {
                let message = format!(
                    "The image tag '{reference}' already exists in the '{name}' repository and cannot be overwritten because the tag is immutable."
                );
                return Answer::error(400, "TAG_INVALID", &message);
            }
            self.tags.insert(key, (digest.clone(), Instant::now()));
        }
        self.manifests
            .insert((name.to_owned(), digest.clone()), (ask.kind.clone(), ask.body.clone()));
        let answer = Answer::new(201).header("docker-content-digest", &digest);
        let answer = match self.rules.is_basic {
            true => answer,
            false => answer.header("location", &format!("/v2/{name}/manifests/{digest}")),
        };
        match document["subject"]["digest"].as_str().filter(|_| self.rules.lists_referrers) {
            Some(subject) => answer.header("oci-subject", subject),
            None => answer,
        }
    }

    fn list(&self, name: &str, query: &BTreeMap<String, String>) -> Answer {
        let mut tags: Vec<&String> =
            self.tags.keys().filter(|(of, _)| of == name).map(|(_, tag)| tag).collect();
        let is_known = !tags.is_empty() || self.blobs.keys().any(|(of, _)| of == name);
        if !is_known {
            return Answer::error(404, "NAME_UNKNOWN", "repository name not known to registry");
        }
        if let Some(last) = query.get("last") {
            tags.retain(|tag| *tag > last);
        }
        let most = query.get("n").and_then(|n| n.parse().ok()).unwrap_or(usize::MAX);
        let has_more = tags.len() > most;
        tags.truncate(most);
        let page = json!({ "name": name, "tags": tags });
        let answer =
            Answer::new(200).header("content-type", "application/json").body(page.to_string());
        match tags.last().filter(|_| has_more) {
            Some(last) => answer.header(
                "link",
                &format!("</v2/{name}/tags/list?n={most}&last={last}>; rel=\"next\""),
            ),
            None => answer,
        }
    }

    fn referrers(&self, name: &str, digest: &str, query: &BTreeMap<String, String>) -> Answer {
        if !self.rules.lists_referrers {
            return Answer::new(404).body("404 page not found");
        }
        let mut found = Vec::new();
        for ((of, its), (kind, bytes)) in &self.manifests {
            let document: Value = serde_json::from_slice(bytes).expect("JSON");
            if of != name || document["subject"]["digest"].as_str() != Some(digest) {
                continue;
            }
            let artifact_type = document["artifactType"].as_str();
            let artifact_type = artifact_type.or(document["config"]["mediaType"].as_str());
            let mut entry = json!({ "mediaType": kind, "digest": its, "size": bytes.len() });
            if let Some(artifact_type) =
                artifact_type.filter(|_| kind == MANIFEST || document["artifactType"].is_string())
            {
                entry["artifactType"] = artifact_type.into();
            }
            if document["annotations"].is_object() {
                entry["annotations"] = document["annotations"].clone();
            }
            found.push(entry);
        }
        let answer = Answer::new(200).header("content-type", INDEX);
        let answer = match query.get("artifactType") {
            Some(wanted) => {
                found.retain(|entry| entry["artifactType"].as_str() == Some(wanted));
                answer.header("oci-filters-applied", "artifactType")
            }
            None => answer,
        };
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": found });
        answer.body(index.to_string())
    }
}
