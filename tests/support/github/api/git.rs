//! Refs and annotated tags.

use serde_json::{Value, json};

use super::super::{
    answer::Answer,
    asset::digest_of,
    call::Call,
    origins::Origins,
    repository::{Object, Repository},
    token::Role,
    world::{World, document, now},
};
use super::page;

pub fn get_ref(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let repository = world.repository(&call.folder()).ok_or_else(Answer::not_found)?;
    let name = format!("refs/{}", call.matched.name("ref"));
    let object = repository.refs.get(&name).ok_or_else(Answer::not_found)?;
    Ok(Answer::json(200, ref_json(&call.origins, repository, &name, object)))
}

pub fn matching_refs(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let repository = world.repository(&call.folder()).ok_or_else(Answer::not_found)?;
    let start = format!("refs/{}", call.matched.name("ref"));
    let some = repository.refs.iter().filter(|(name, _)| name.starts_with(&start));
    let some = some.map(|(name, object)| ref_json(&call.origins, repository, name, object));
    Ok(page(call, some.collect()))
}

pub fn create_ref(world: &mut World, call: &Call, body: &[u8]) -> Result<Answer, Answer> {
    let repository = changeable(world, call)?;
    let wanted = document(body)?;
    let name = wanted["ref"].as_str().unwrap_or_default().to_owned();
    if !name.starts_with("refs/") || name.matches('/').count() < 2 {
        let message = "Reference name must start with 'refs/' and contain at least 2 slashes.";
        return Err(Answer::refusal(422, message));
    }
    if repository.refs.contains_key(&name) {
        return Err(Answer::refusal(422, "Reference already exists"));
    }
    if name.strip_prefix("refs/tags/").is_some_and(|tag| repository.blocks(tag)) {
        let message = "Repository rule violations found\n\n\
                       Cannot create ref due to creations being restricted.\n\n";
        return Err(Answer::refusal(422, message));
    }
    let object = object(repository, &wanted)?;
    let json = ref_json(&call.origins, repository, &name, &object);
    repository.refs.insert(name, object);
    let location = json["url"].as_str().unwrap_or_default().to_owned();
    Ok(Answer::json(201, json).with("location", location))
}

pub fn edit_ref(world: &mut World, call: &Call, body: &[u8]) -> Result<Answer, Answer> {
    let repository = changeable(world, call)?;
    let wanted = document(body)?;
    let name = existing(repository, call)?;
    let object = object(repository, &wanted)?;
    let json = ref_json(&call.origins, repository, &name, &object);
    repository.refs.insert(name, object);
    Ok(Answer::json(200, json))
}

pub fn delete_ref(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let repository = changeable(world, call)?;
    let name = existing(repository, call)?;
    repository.refs.remove(&name);
    Ok(Answer::empty(204))
}

/// The same contents give the same tag, as everywhere in git.
pub fn create_tag(world: &mut World, call: &Call, body: &[u8]) -> Result<Answer, Answer> {
    let repository = changeable(world, call)?;
    let wanted = document(body)?;
    for field in ["tag", "message", "object", "type"] {
        if !wanted[field].is_string() {
            return Err(Answer::invalid_field("Tag", "missing_field", field));
        }
    }
    let moment = now();
    let text =
        |key: &str, otherwise: &str| wanted["tagger"][key].as_str().unwrap_or(otherwise).to_owned();
    let tagger = json!({
        "name": text("name", "Octo Builder"),
        "email": text("email", "octo-builder@example.com"),
        "date": text("date", &moment),
    });
    let parts = [&wanted["tag"], &wanted["message"], &wanted["object"], &wanted["type"], &tagger];
    let digest = digest_of(json!(parts).to_string().as_bytes());
    let sha = digest["sha256:".len()..][..40].to_owned();
    let api = format!("{}/repos/{}/git", call.origins.api, repository.folder);
    let (kind, target) = (&wanted["type"], &wanted["object"]);
    let tag = json!({
        "node_id": format!("T_{sha}"),
        "tag": wanted["tag"],
        "sha": sha,
        "url": format!("{api}/tags/{sha}"),
        "message": wanted["message"],
        "tagger": tagger,
        "object": {
            "type": kind,
            "sha": target,
            "url": format!(
                "{api}/{}s/{}",
                kind.as_str().unwrap_or_default(),
                target.as_str().unwrap_or_default()
            ),
        },
        "verification": {
            "verified": false,
            "reason": "unsigned",
            "signature": null,
            "payload": null,
            "verified_at": null,
        },
    });
    repository.tags.insert(sha, tag.clone());
    let location = tag["url"].as_str().unwrap_or_default().to_owned();
    Ok(Answer::json(201, tag).with("location", location))
}

pub fn get_tag(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let repository = world.repository(&call.folder()).ok_or_else(Answer::not_found)?;
    let tag = repository.tags.get(call.matched.name("tag_sha")).ok_or_else(Answer::not_found)?;
    Ok(Answer::json(200, tag.clone()))
}

fn changeable<'w>(world: &'w mut World, call: &Call) -> Result<&'w mut Repository, Answer> {
    if let Some(refusal) = world.refuses_to_let(call, Role::Write) {
        return Err(refusal);
    }
    world.repository(&call.folder()).ok_or_else(Answer::not_found)
}

/// The name of a ref that is there and may change.
fn existing(repository: &Repository, call: &Call) -> Result<String, Answer> {
    let name = format!("refs/{}", call.matched.name("ref"));
    if !repository.refs.contains_key(&name) {
        return Err(Answer::refusal(422, "Reference does not exist"));
    }
    let tag = name.strip_prefix("refs/tags/").unwrap_or_default();
    if repository.published(tag).is_some_and(|release| release.immutable) {
        return Err(Answer::refusal(422, "Cannot change a tag of an immutable release."));
    }
    Ok(name)
}

/// What a new ref points to: any commit, or a tag that is there.
fn object(repository: &Repository, wanted: &Value) -> Result<Object, Answer> {
    let sha = wanted["sha"].as_str().unwrap_or_default();
    if sha.len() != 40 || !sha.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(Answer::refusal(
            422,
            "The sha parameter must be exactly 40 characters and contain only [0-9a-f].",
        ));
    }
    let kind = if repository.tags.contains_key(sha) { "tag" } else { "commit" };
    Ok(Object { sha: sha.into(), kind })
}

fn ref_json(origins: &Origins, repository: &Repository, name: &str, object: &Object) -> Value {
    let api = format!("{}/repos/{}/git", origins.api, repository.folder);
    let Object { sha, kind } = object;
    json!({
        "ref": name,
        "node_id": format!("REF_{name}"),
        "url": format!("{api}/{name}"),
        "object": { "type": kind, "sha": sha, "url": format!("{api}/{kind}s/{sha}") },
    })
}
