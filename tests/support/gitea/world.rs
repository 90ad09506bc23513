//! What a Gitea knows, and its rules.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Asked, Goes, READER, WRITER, contract::violation};

const TIME: &str = "2026-11-21T06:00:00Z";

/// A request.
#[derive(Clone)]
pub struct Ask {
    pub method: String,
    pub path: Vec<String>,
    pub query: BTreeMap<String, String>,
    pub kind: String,
    pub token: Option<String>,
    pub body: Bytes,
}

/// An answer; what its JSON is, the description calls `told`.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub json: Option<Value>,
    pub bytes: Bytes,
    told: &'static str,
}

impl Answer {
    fn json(status: u16, told: &'static str, json: Value) -> Self {
        Self { json: Some(json), told, ..Self::empty(status) }
    }

    fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), json: None, bytes: Bytes::new(), told: "" }
    }

    pub fn refusal(status: u16, message: &str) -> Self {
        let url = "https://git.example.org/api/swagger";
        Self::json(status, "APIError", json!({ "message": message, "url": url }))
    }

    fn not_found() -> Self {
        Self::refusal(404, "not found")
    }

    fn page(status: u16) -> Self {
        let headers = vec![("content-type", "text/html; charset=utf-8".to_owned())];
        Self { headers, bytes: "<html>".into(), ..Self::empty(status) }
    }
}

/// A row of the table of releases. A tag without a release has one too.
#[derive(Clone, Debug)]
pub struct Release {
    pub id: u64,
    pub tag: String,
    pub title: String,
    pub note: String,
    pub target: String,
    pub is_draft: bool,
    pub is_prerelease: bool,
    pub is_tag: bool,
    pub attachments: Vec<Attachment>,
}

#[derive(Clone, Debug)]
pub struct Attachment {
    pub id: u64,
    pub name: String,
    pub bytes: Bytes,
}

/// Everything that is known.
#[derive(Default)]
pub struct World {
    origin: String,
    last_id: u64,
    pub releases: Vec<Release>,
    /// What git has.
    pub tags: BTreeSet<String>,
    pub is_private: bool,
    pub is_empty: bool,
    pub is_archived: bool,
    /// Strangers are sent to a page where they log in (`REQUIRE_SIGNIN_VIEW`).
    pub asks_to_sign_in: bool,
    /// Tags that begin so are protected.
    pub protected: Option<String>,
    /// The most bytes of a file.
    pub max_size: usize,
    /// The most items of a page (`MAX_RESPONSE_ITEMS`).
    pub max_page: usize,
    pub faults: Vec<(String, String, Goes)>,
    pub asked: Vec<Asked>,
    pub violations: Vec<String>,
}

impl World {
    pub fn new(origin: String) -> Self {
        Self { origin, max_size: 2048 << 20, max_page: 50, ..Self::default() }
    }

    pub fn take_fault(&mut self, method: &str, path: &str) -> Option<Goes> {
        let is_meant =
            |(m, p, _): &(String, String, Goes)| m == method && path.contains(p.as_str());
        let place = self.faults.iter().position(is_meant)?;
        Some(self.faults.remove(place).2)
    }

    /// The file that was stored last is not what was sent.
    pub fn corrupt_last(&mut self) {
        let attachments = self.releases.iter_mut().flat_map(|release| &mut release.attachments);
        let last = attachments.max_by_key(|attachment| attachment.id).expect("an attachment");
        last.bytes = Bytes::from([b"?", &last.bytes[1..]].concat());
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// The answer to `ask`, which keeps to the description.
    pub fn checked(&mut self, ask: &Ask) -> Answer {
        let answer = self.answer(ask);
        let problem = answer.json.as_ref().and_then(|json| violation(answer.told, json));
        self.violations.extend(problem);
        answer
    }

    fn answer(&mut self, ask: &Ask) -> Answer {
        let path: Vec<_> = ask.path.iter().map(String::as_str).collect();
        match path.as_slice() {
            ["api", "v1", "repos", "owner", "repo", rest @ ..] => self.api(ask, rest),
            ["owner", "repo", "releases", "download", tag, name] => {
                let release = self.releases.iter().find(|release| release.tag == *tag);
                self.download(ask, release, |attachment| attachment.name == *name)
            }
            ["attachments", wanted] => {
                let is_it = |attachment: &Attachment| uuid(attachment) == *wanted;
                let has_it = |release: &&Release| release.attachments.iter().any(is_it);
                self.download(ask, self.releases.iter().find(has_it), is_it)
            }
            ["api", ..] => Answer::not_found(),
            _ => Answer::page(404),
        }
    }

    fn may_write(ask: &Ask) -> bool {
        ask.token.as_deref() == Some(WRITER)
    }

    fn may_read(&self, ask: &Ask) -> bool {
        let is_known = Self::may_write(ask) || ask.token.as_deref() == Some(READER);
        is_known || !self.is_private
    }

    fn download(
        &self,
        ask: &Ask,
        release: Option<&Release>,
        is_it: impl Fn(&Attachment) -> bool,
    ) -> Answer {
        if self.asks_to_sign_in && ask.token.is_none() {
            return Answer::page(200);
        }
        let seen =
            release.filter(|it| self.may_read(ask) && (!it.is_draft || Self::may_write(ask)));
        match seen.and_then(|release| release.attachments.iter().find(|it| is_it(it))) {
            Some(attachment) => Answer {
                headers: vec![
                    ("content-type", "application/octet-stream".into()),
                    ("etag", format!("\"{}\"", uuid(attachment))),
                ],
                bytes: attachment.bytes.clone(),
                ..Answer::empty(200)
            },
            None => Answer::page(404),
        }
    }

    fn api(&mut self, ask: &Ask, path: &[&str]) -> Answer {
        if self.asks_to_sign_in && ask.token.is_none() {
            return Answer::refusal(403, "Only signed in user is allowed to call APIs.");
        }
        if ask.token.as_ref().is_some_and(|token| ![WRITER, READER].contains(&token.as_str())) {
            return Answer::refusal(401, "invalid username, password or token");
        }
        if !self.may_read(ask) {
            return Answer::not_found();
        }
        let id = |text: &str| text.parse().unwrap_or(0);
        match (ask.method.as_str(), path) {
            ("GET", []) => Answer::json(200, "Repository", self.repository(ask)),
            ("GET", ["releases"]) => self.list(ask),
            ("GET", ["releases", "tags", tag]) => {
                let lower = tag.to_lowercase();
                self.show(ask, |release| release.tag.to_lowercase() == lower)
            }
            ("GET", ["releases", release]) => self.show(ask, |it| it.id == id(release)),
            _ if ask.token.is_none() => Answer::refusal(401, "token is required"),
            _ if !Self::may_write(ask) => {
                Answer::refusal(403, "user should have a permission to write to a repo")
            }
            ("POST", ["releases"]) => self.create(ask),
            ("PATCH", ["releases", release]) => self.edit(ask, id(release)),
            ("DELETE", ["releases", release]) => self.delete(id(release)),
            ("POST", ["releases", release, "assets"]) => self.upload(ask, id(release)),
            ("DELETE", ["releases", release, "assets", attachment]) => {
                self.detach(id(release), id(attachment))
            }
            ("DELETE", ["tags", tag]) => self.delete_tag(tag),
            _ => Answer::not_found(),
        }
    }

    fn show(&self, ask: &Ask, is_it: impl Fn(&Release) -> bool) -> Answer {
        let is_seen = |it: &Release| !it.is_tag && (!it.is_draft || Self::may_write(ask));
        match self.releases.iter().find(|release| is_it(release)).filter(|it| is_seen(it)) {
            Some(release) => Answer::json(200, "Release", self.to_json(release)),
            None => Answer::not_found(),
        }
    }

    fn list(&self, ask: &Ask) -> Answer {
        let number = |name: &str| ask.query.get(name).and_then(|text| text.parse().ok());
        let page = number("page").unwrap_or(1_usize).max(1);
        let size = number("limit").filter(|it| *it > 0).unwrap_or(30).min(self.max_page);
        let is_seen = |it: &&Release| !it.is_tag && (!it.is_draft || Self::may_write(ask));
        let all: Vec<_> = self.releases.iter().rev().filter(is_seen).collect();
        let shown: Vec<_> =
            all.iter().skip((page - 1) * size).take(size).map(|it| self.to_json(it)).collect();
        let mut answer = Answer::json(200, "Release", shown.into());
        answer.headers.push(("x-total-count", all.len().to_string()));
        if page * size < all.len() {
            let next =
                format!("{}/api/v1/repos/owner/repo/releases?page={}", self.origin, page + 1);
            answer.headers.push(("link", format!("<{next}>; rel=\"next\"")));
        }
        answer
    }

    fn create(&mut self, ask: &Ask) -> Answer {
        let Ok(form) = serde_json::from_slice::<Value>(&ask.body) else {
            return Answer::refusal(422, "no JSON");
        };
        let text = |name: &str| form[name].as_str().unwrap_or_default().to_owned();
        let tag = text("tag_name");
        if self.is_empty {
            return Answer::refusal(422, "repo is empty");
        }
        let lower = tag.to_lowercase();
        let row = self.releases.iter().position(|it| it.tag.to_lowercase() == lower);
        if row.is_some_and(|row| !self.releases[row].is_tag) {
            return Answer::refusal(409, "Release is has no Tag");
        }
        let is_draft = form["draft"] == true;
        if let Some(refusal) = self.make_tag(&tag, &text("target_commitish"), is_draft) {
            return refusal;
        }
        let known = row.map(|row| self.releases[row].id);
        let id = known.unwrap_or_else(|| self.next_id());
        let release = Release {
            id,
            tag,
            title: text("name"),
            note: text("body"),
            target: text("target_commitish"),
            is_draft,
            is_prerelease: form["prerelease"] == true,
            is_tag: false,
            attachments: Vec::new(),
        };
        let told = self.to_json(&release);
        match row {
            // What the row's attachments were, they are still; the answer leaves them out.
            Some(row) => {
                let attachments = std::mem::take(&mut self.releases[row].attachments);
                self.releases[row] = Release { attachments, ..release };
            }
            None => self.releases.push(release),
        }
        Answer::json(201, "Release", told)
    }

    /// Makes the tag of what becomes visible, if there is none.
    fn make_tag(&mut self, tag: &str, target: &str, is_draft: bool) -> Option<Answer> {
        if self.is_archived {
            return Some(Answer::refusal(500, ""));
        }
        if is_draft || self.tags.contains(tag) {
            return None;
        }
        if self.protected.as_ref().is_some_and(|start| tag.starts_with(start)) {
            let message = format!("release tag name is protected [tag_name: {tag}]");
            return Some(Answer::refusal(422, &message));
        }
        if !["", "main"].contains(&target) {
            return Some(Answer::refusal(404, "target not found"));
        }
        self.tags.insert(tag.to_owned());
        None
    }

    fn edit(&mut self, ask: &Ask, id: u64) -> Answer {
        let form: Value = serde_json::from_slice(&ask.body).unwrap_or_default();
        let Some(release) = self.found(id) else { return Answer::not_found() };
        let is_draft = form["draft"].as_bool().unwrap_or(release.is_draft);
        let (tag, target) = (release.tag.clone(), release.target.clone());
        if self.make_tag(&tag, &target, is_draft).is_some() {
            return Answer::refusal(500, "");
        }
        if let Some(release) = self.found(id) {
            release.is_draft = is_draft;
        }
        self.show(ask, |release| release.id == id)
    }

    fn found(&mut self, id: u64) -> Option<&mut Release> {
        self.releases.iter_mut().find(|release| release.id == id && !release.is_tag)
    }

    /// A release that goes leaves its tag's row.
    fn delete(&mut self, id: u64) -> Answer {
        let Some(release) = self.found(id) else { return Answer::not_found() };
        release.is_tag = true;
        release.attachments.clear();
        Answer::empty(204)
    }

    fn delete_tag(&mut self, tag: &str) -> Answer {
        let lower = tag.to_lowercase();
        let row = self.releases.iter().position(|it| it.tag.to_lowercase() == lower);
        let Some(row) = row else { return Answer::not_found() };
        if !self.releases[row].is_tag {
            let why = "a tag attached to a release cannot be deleted directly";
            return Answer::refusal(409, why);
        }
        let row = self.releases.remove(row);
        self.tags.remove(&row.tag);
        Answer::empty(204)
    }

    /// Names need not differ, and the row of a tag takes files too.
    fn upload(&mut self, ask: &Ask, id: u64) -> Answer {
        let Some(place) = self.releases.iter().position(|release| release.id == id) else {
            return Answer::not_found();
        };
        let kind = ask.kind.to_lowercase();
        let is_form = kind.starts_with("multipart/") || kind.starts_with("application/x-www-form");
        if is_form {
            return Answer::refusal(500, "");
        }
        let Some(name) = ask.query.get("name").filter(|name| !name.is_empty()) else {
            return Answer::refusal(400, "Could not determine name of attachment.");
        };
        if ask.body.len() > self.max_size {
            let message = format!("attachment exceeds limit {}", self.max_size);
            return Answer::refusal(413, &message);
        }
        let new = Attachment { id: self.next_id(), name: name.clone(), bytes: ask.body.clone() };
        let told = self.attachment(&new);
        self.releases[place].attachments.push(new);
        Answer::json(201, "Attachment", told)
    }

    fn detach(&mut self, id: u64, attachment: u64) -> Answer {
        let release = self.releases.iter_mut().find(|release| release.id == id);
        let Some(attachments) = release.map(|release| &mut release.attachments) else {
            return Answer::not_found();
        };
        let before = attachments.len();
        attachments.retain(|it| it.id != attachment);
        if attachments.len() == before { Answer::not_found() } else { Answer::empty(204) }
    }

    fn repository(&self, ask: &Ask) -> Value {
        json!({
            "id": 1,
            "name": "repo",
            "full_name": "owner/repo",
            "private": self.is_private,
            "archived": self.is_archived,
            "empty": self.is_empty,
            "default_branch": "main",
            "permissions": { "admin": false, "push": Self::may_write(ask), "pull": true },
        })
    }

    fn to_json(&self, release: &Release) -> Value {
        let tag = &release.tag;
        let (api, page) = (
            format!("{}/api/v1/repos/owner/repo", self.origin),
            format!("{}/owner/repo", self.origin),
        );
        let mut attachments: Vec<_> = release.attachments.iter().collect();
        attachments.sort_by(|a, b| a.name.cmp(&b.name));
        let assets: Vec<_> = attachments.iter().map(|it| self.attachment(it)).collect();
        json!({
            "id": release.id,
            "tag_name": tag,
            "target_commitish": release.target,
            "name": release.title,
            "body": release.note,
            "url": format!("{api}/releases/{}", release.id),
            "html_url": format!("{page}/releases/tag/{tag}"),
            "tarball_url": format!("{page}/archive/{tag}.tar.gz"),
            "zipball_url": format!("{page}/archive/{tag}.zip"),
            "upload_url": format!("{api}/releases/{}/assets", release.id),
            "draft": release.is_draft,
            "prerelease": release.is_prerelease,
            "created_at": TIME,
            "published_at": TIME,
            "author": { "id": 1, "login": "owner", "full_name": "", "email": "o@example.org" },
            "assets": assets,
        })
    }

    fn attachment(&self, attachment: &Attachment) -> Value {
        let uuid = uuid(attachment);
        json!({
            "id": attachment.id,
            "name": attachment.name,
            "size": attachment.bytes.len(),
            "download_count": 0,
            "created_at": TIME,
            "uuid": uuid,
            "browser_download_url": format!("{}/attachments/{uuid}", self.origin),
        })
    }
}

fn uuid(attachment: &Attachment) -> String {
    format!("00000000-0000-4000-8000-{:012}", attachment.id)
}
