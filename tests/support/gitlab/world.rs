//! What a GitLab knows, and its rules.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Asked, Goes, JOB, READER, WRITER};

const TIME: &str = "2026-11-21T06:00:00.000Z";
const PROJECT: &str = "group%2Fsub%2Fproject";

/// A request.
#[derive(Clone)]
pub struct Ask {
    pub method: String,
    pub path: Vec<String>,
    pub query: BTreeMap<String, String>,
    /// The header that carried a token, and the token.
    pub login: Option<(&'static str, String)>,
    pub is_storage: bool,
    pub body: Bytes,
}

impl Ask {
    /// The same by somebody else, who has `bytes` for the same asset: as a file, or as what a link
    /// leads to.
    pub fn by_somebody(&self, bytes: &[u8]) -> Self {
        let mut other = self.clone();
        let Some(name) = other.path.last_mut() else { return other };
        if let Some((_, asset)) = name.split_once('.').and_then(|(_, rest)| rest.split_once('.')) {
            *name = format!("{}.{}.{asset}", digest(bytes), bytes.len());
            other.body = Bytes::copy_from_slice(bytes);
            return other;
        }
        let mut form: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let asset = form["name"].as_str().unwrap_or_default().to_owned();
        let url = form["url"].as_str().unwrap_or_default();
        let folder = url.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        form["url"] = format!("{folder}/{}.{}.{asset}", digest(bytes), bytes.len()).into();
        other.body = form.to_string().into();
        other
    }
}

/// An answer.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
}

impl Answer {
    fn json(status: u16, json: &Value) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self { headers, body: json.to_string().into(), ..Self::empty(status) }
    }

    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new() }
    }

    pub fn refusal(status: u16, message: &str) -> Self {
        Self::json(status, &json!({ "message": message }))
    }

    fn not_found() -> Self {
        Self::refusal(404, "404 Not Found")
    }
}

#[derive(Clone, Debug)]
pub struct Release {
    pub tag: String,
    pub name: String,
    pub description: String,
    pub links: Vec<Link>,
}

#[derive(Clone, Debug)]
pub struct Link {
    pub id: u64,
    pub name: String,
    pub url: String,
    pub direct_asset_path: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Package {
    pub id: u64,
    pub name: String,
    pub version: String,
    pub files: Vec<PackageFile>,
}

#[derive(Clone, Debug)]
pub struct PackageFile {
    pub id: u64,
    pub name: String,
    pub bytes: Bytes,
}

/// Everything that is known.
#[derive(Default)]
pub struct World {
    port: u16,
    last_id: u64,
    pub releases: Vec<Release>,
    pub packages: Vec<Package>,
    /// What git has.
    pub tags: BTreeSet<String>,
    pub is_private: bool,
    pub is_archived: bool,
    pub is_empty: bool,
    /// Whether the group's owner forbids a second file of a name.
    pub forbids_duplicates: bool,
    /// Whether strangers may not read the registry of the public project.
    pub closes_registry: bool,
    /// Tags that begin so are protected.
    pub protected: Option<String>,
    /// The most bytes of a file.
    pub max_size: usize,
    /// The most items of a page.
    pub max_page: usize,
    pub corrupts: bool,
    pub faults: Vec<(String, String, Goes)>,
    pub asked: Vec<Asked>,
}

impl World {
    pub fn new(port: u16) -> Self {
        Self { port, max_size: 5 << 30, max_page: 100, ..Self::default() }
    }

    pub fn take_fault(&mut self, method: &str, path: &str) -> Option<Goes> {
        let is_meant =
            |(m, p, _): &(String, String, Goes)| m == method && path.contains(p.as_str());
        let place = self.faults.iter().position(is_meant)?;
        Some(self.faults.remove(place).2)
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub fn answer(&mut self, ask: &Ask) -> Answer {
        let path: Vec<_> = ask.path.iter().map(String::as_str).collect();
        match path.as_slice() {
            ["objects", id] if ask.is_storage => self.object(ask, id),
            _ if ask.is_storage => Answer::empty(403),
            ["api", "v4", "projects", PROJECT, rest @ ..] => self.project(ask, rest),
            ["api", "v4", ..] => Answer::refusal(404, "404 Project Not Found"),
            // A page where one logs in.
            _ => Answer {
                headers: vec![("location", "/users/sign_in".into())],
                ..Answer::empty(302)
            },
        }
    }

    /// The storage of files knows no tokens, and wants none.
    fn object(&self, ask: &Ask, id: &str) -> Answer {
        if ask.login.is_some() {
            return Answer::empty(400);
        }
        let files = self.packages.iter().flat_map(|package| &package.files);
        match files.into_iter().find(|file| file.id.to_string() == id) {
            Some(file) => Answer {
                headers: vec![
                    ("content-type", "application/octet-stream".into()),
                    ("etag", format!("\"{id}\"")),
                ],
                body: file.bytes.clone(),
                ..Answer::empty(200)
            },
            None => Answer::empty(404),
        }
    }

    fn project(&mut self, ask: &Ask, path: &[&str]) -> Answer {
        let who = ask.login.as_ref().map(|(header, token)| (*header, token.as_str()));
        let is_known = match who {
            None => true,
            Some(("job-token", token)) => token == JOB,
            Some((_, token)) => [WRITER, READER].contains(&token),
        };
        if !is_known {
            return Answer::refusal(401, "401 Unauthorized");
        }
        // A job may not ask for the project, nor remove tags: there it is as a stranger.
        let is_job = who.is_some_and(|(header, _)| header == "job-token");
        let is_for_jobs = !matches!(path, [] | ["repository", ..]);
        let who = who.filter(|_| !is_job || is_for_jobs);
        if self.is_private && who.is_none() {
            return Answer::refusal(404, "404 Project Not Found");
        }
        let may_write = who.is_some_and(|(_, token)| token != READER);
        let is_registry = matches!(path, ["packages", ..]);
        if is_registry && self.closes_registry && who.is_none() {
            return Answer::refusal(404, "404 Not Found");
        }
        match ask.method.as_str() {
            "GET" => self.read(ask, path, who.map(|_| if may_write { 30 } else { 20 })),
            _ if who.is_none() => Answer::refusal(401, "401 Unauthorized"),
            _ if !may_write => Answer::refusal(403, "403 Forbidden"),
            _ if self.is_archived => Answer::refusal(403, "403 Forbidden - project is archived"),
            _ => self.write(ask, path),
        }
    }

    fn read(&self, ask: &Ask, path: &[&str], level: Option<u32>) -> Answer {
        match path {
            [] => Answer::json(200, &self.shown(level)),
            ["releases"] => {
                self.page(ask, self.releases.iter().rev().map(|it| Self::release(it)).collect())
            }
            ["releases", tag] => match self.releases.iter().find(|release| release.tag == *tag) {
                Some(release) => Answer::json(200, &Self::release(release)),
                None => Answer::not_found(),
            },
            ["packages"] => {
                let part = ask.query.get("package_name").map_or("", String::as_str);
                let found = self.packages.iter().filter(|package| package.name.contains(part));
                let shown = |it: &Package| {
                    json!({
                        "id": it.id, "name": it.name, "version": it.version,
                        "package_type": "generic", "status": "default", "created_at": TIME,
                    })
                };
                self.page(ask, found.map(shown).collect())
            }
            ["packages", "generic", name, version, file] => self.download(name, version, file),
            ["packages", id, "package_files"] => {
                match self.packages.iter().find(|package| package.id.to_string() == *id) {
                    Some(package) => {
                        let files = package.files.iter().map(|file| shown_file(package.id, file));
                        self.page(ask, files.collect())
                    }
                    None => Answer::not_found(),
                }
            }
            _ => Answer::not_found(),
        }
    }

    fn write(&mut self, ask: &Ask, path: &[&str]) -> Answer {
        match (ask.method.as_str(), path) {
            ("PUT", ["packages", "generic", name, version, file]) => {
                self.upload(ask, name, version, file)
            }
            ("DELETE", ["packages", id]) => {
                let before = self.packages.len();
                self.packages.retain(|package| package.id.to_string() != *id);
                gone(before != self.packages.len())
            }
            ("DELETE", ["packages", id, "package_files", file]) => {
                let package = self.packages.iter_mut().find(|it| it.id.to_string() == *id);
                let Some(package) = package else { return Answer::not_found() };
                let before = package.files.len();
                package.files.retain(|it| it.id.to_string() != *file);
                gone(before != package.files.len())
            }
            ("DELETE", ["repository", "tags", tag]) => gone(self.tags.remove(*tag)),
            ("POST", ["releases"]) => self.create(ask),
            (_, ["releases", tag, rest @ ..]) => {
                match self.releases.iter().position(|release| release.tag == *tag) {
                    Some(place) => self.change(ask, place, rest),
                    None => Answer::not_found(),
                }
            }
            _ => Answer::not_found(),
        }
    }

    fn page(&self, ask: &Ask, all: Vec<Value>) -> Answer {
        let number = |name: &str| ask.query.get(name).and_then(|text| text.parse().ok());
        let page = number("page").unwrap_or(1_usize).max(1);
        let size = number("per_page").unwrap_or(20).clamp(1, self.max_page);
        let count = all.len();
        let shown: Vec<_> = all.into_iter().skip((page - 1) * size).take(size).collect();
        let mut answer = Answer::json(200, &shown.into());
        let has_more = page * size < count;
        let next = if has_more { (page + 1).to_string() } else { String::new() };
        answer.headers.push(("x-next-page", next));
        let rel = if has_more { "next" } else { "first" };
        let link = format!("<http://127.0.0.1:{}/api/v4/x>; rel=\"{rel}\"", self.port);
        answer.headers.push(("link", link));
        answer
    }

    /// The newest file of the name, from where files are kept.
    fn download(&self, name: &str, version: &str, file: &str) -> Answer {
        let package = self.packages.iter().find(|it| it.name == name && it.version == version);
        let files = package.into_iter().flat_map(|package| &package.files);
        match files.filter(|it| it.name == file).max_by_key(|it| it.id) {
            Some(file) => {
                let to = format!("http://localhost:{}/objects/{}", self.port, file.id);
                Answer { headers: vec![("location", to)], ..Answer::empty(302) }
            }
            None => Answer::not_found(),
        }
    }

    fn upload(&mut self, ask: &Ask, name: &str, version: &str, file: &str) -> Answer {
        let is_plain = |text: &str, more: &str| {
            text.chars()
                .all(|c| c.is_ascii_alphanumeric() || "._-+".contains(c) || more.contains(c))
        };
        if !is_plain(name, "") || !is_plain(version, "") || !is_plain(file, "~@") {
            return Answer::refusal(400, "400 Bad request - file_name is invalid");
        }
        if ask.body.len() > self.max_size {
            return Answer::refusal(400, "400 Bad request - File is too large");
        }
        let known = self.packages.iter().position(|it| it.name == name && it.version == version);
        let place = known.unwrap_or_else(|| {
            let id = self.next_id();
            let (name, version) = (name.to_owned(), version.to_owned());
            self.packages.push(Package { id, name, version, files: Vec::new() });
            self.packages.len() - 1
        });
        let is_there = self.packages[place].files.iter().any(|it| it.name == file);
        if is_there && self.forbids_duplicates {
            return Answer::refusal(400, "400 Bad request - Duplicate package is not allowed");
        }
        let bytes = match self.corrupts {
            true => Bytes::from([b"?", &ask.body[1..]].concat()),
            false => ask.body.clone(),
        };
        let new = PackageFile { id: self.next_id(), name: file.to_owned(), bytes };
        let package = &mut self.packages[place];
        let told = shown_file(package.id, &new);
        package.files.push(new);
        match ask.query.get("select").map(String::as_str) {
            Some("package_file") => Answer::json(201, &told),
            _ => Answer::refusal(201, "201 Created"),
        }
    }

    fn create(&mut self, ask: &Ask) -> Answer {
        let form: Value = serde_json::from_slice(&ask.body).unwrap_or_default();
        let text = |name: &str| form[name].as_str().unwrap_or_default().to_owned();
        let tag = text("tag_name");
        if self.protected.as_ref().is_some_and(|start| tag.starts_with(start)) {
            let why = "You are not allowed to create this tag as it is protected.";
            return Answer::refusal(403, why);
        }
        if self.releases.iter().any(|release| release.tag == tag) {
            return Answer::refusal(409, "Release already exists");
        }
        if !self.tags.contains(&tag) {
            match text("ref").as_str() {
                "" => return Answer::refusal(422, "Ref is not specified"),
                "main" | "HEAD" if !self.is_empty => _ = self.tags.insert(tag.clone()),
                other => return Answer::refusal(422, &format!("Target {other} is invalid")),
            }
        }
        let mut release = Release {
            tag,
            name: text("name"),
            description: text("description"),
            links: Vec::new(),
        };
        for link in form["assets"]["links"].as_array().into_iter().flatten() {
            let id = self.next_id();
            if let Err(problems) = add_link(&mut release, id, link) {
                return Answer::json(400, &json!({ "message": problems }));
            }
        }
        let told = Self::release(&release);
        self.releases.push(release);
        Answer::json(201, &told)
    }

    fn change(&mut self, ask: &Ask, place: usize, path: &[&str]) -> Answer {
        let form: Value = serde_json::from_slice(&ask.body).unwrap_or_default();
        let id = self.next_id();
        let release = &mut self.releases[place];
        match (ask.method.as_str(), path) {
            ("PUT", []) => {
                if let Some(text) = form["description"].as_str() {
                    text.clone_into(&mut release.description);
                }
                Answer::json(200, &Self::release(&self.releases[place]))
            }
            ("DELETE", []) => {
                let release = self.releases.remove(place);
                Answer::json(200, &Self::release(&release))
            }
            ("POST", ["assets", "links"]) => match add_link(release, id, &form) {
                Ok(link) => Answer::json(201, &shown_link(&link)),
                Err(problems) => Answer::json(400, &json!({ "message": problems })),
            },
            ("DELETE", ["assets", "links", id]) => {
                let before = release.links.len();
                release.links.retain(|link| link.id.to_string() != *id);
                if before == release.links.len() {
                    return Answer::not_found();
                }
                Answer::json(200, &json!({}))
            }
            _ => Answer::not_found(),
        }
    }

    fn release(release: &Release) -> Value {
        // The newest one first.
        let links: Vec<_> = release.links.iter().rev().map(shown_link).collect();
        json!({
            "tag_name": release.tag,
            "name": release.name,
            "description": release.description,
            "created_at": TIME,
            "released_at": TIME,
            "upcoming_release": false,
            "assets": { "count": links.len() + 4, "sources": [], "links": links },
        })
    }

    /// Strangers are not told what they may do.
    fn shown(&self, level: Option<u32>) -> Value {
        let mut shown = json!({
            "id": 7,
            "path_with_namespace": "group/sub/project",
            "visibility": if self.is_private { "private" } else { "public" },
            "archived": self.is_archived,
            "empty_repo": self.is_empty,
            "default_branch": "main",
        });
        if let Some(level) = level {
            let group = json!({ "access_level": level });
            shown["permissions"] = json!({ "project_access": null, "group_access": group });
        }
        shown
    }
}

/// Whether something was removed.
fn gone(was_there: bool) -> Answer {
    if was_there { Answer::empty(204) } else { Answer::not_found() }
}

/// Names, URLs and paths of the links of a release are unique.
fn add_link(release: &mut Release, id: u64, form: &Value) -> Result<Link, Vec<String>> {
    let text = |name: &str| form[name].as_str().map(str::to_owned);
    let link = Link {
        id,
        name: text("name").unwrap_or_default(),
        url: text("url").unwrap_or_default(),
        direct_asset_path: text("direct_asset_path"),
    };
    let mut problems = Vec::new();
    for (field, is_same) in [
        ("Url", (|a: &Link, b: &Link| a.url == b.url) as fn(&Link, &Link) -> bool),
        ("Name", |a, b| a.name == b.name),
        ("Filepath", |a, b| {
            a.direct_asset_path.is_some() && a.direct_asset_path == b.direct_asset_path
        }),
    ] {
        if release.links.iter().any(|other| is_same(&link, other)) {
            problems.push(format!("{field} has already been taken"));
        }
    }
    let is_path = |path: &String| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._/".contains(c);
        path.starts_with('/')
            && path.len() <= 128
            && path.chars().all(plain)
            && path.ends_with(|c: char| c.is_ascii_alphanumeric())
    };
    if link.direct_asset_path.as_ref().is_some_and(|path| !is_path(path)) {
        problems.push("Filepath is in an invalid format".into());
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    release.links.push(link.clone());
    Ok(link)
}

fn shown_link(link: &Link) -> Value {
    json!({ "id": link.id, "name": link.name, "url": link.url, "link_type": "package" })
}

fn shown_file(package: u64, file: &PackageFile) -> Value {
    json!({
        "id": file.id,
        "package_id": package,
        "created_at": TIME,
        "file_name": file.name,
        "size": file.bytes.len(),
        "file_md5": null,
        "file_sha1": null,
        "file_sha256": digest(&file.bytes),
    })
}

fn digest(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
