//! Releases.

use std::time::Instant;

use serde_json::{Value, json};

use super::super::{
    answer::Answer,
    call::Call,
    release::Release,
    repository::{DEFAULT_BRANCH, Repository},
    token::Role,
    world::{World, document, now},
};
use super::page;

/// The longest text of a release, in characters.
const LONGEST_BODY: usize = 125_000;

pub fn list(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let may_push = world.caller(call).may(Role::Write);
    let repository = world.repository(&call.folder()).ok_or_else(Answer::not_found)?;
    let newest_first = repository.releases.iter().rev().filter(|r| may_push || !r.draft);
    let items = newest_first.map(|r| r.to_json(&call.origins, &repository.folder)).collect();
    Ok(page(call, items))
}

pub fn get(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let may_push = world.caller(call).may(Role::Write);
    let repository = world.repository(&call.folder()).ok_or_else(Answer::not_found)?;
    let release = repository.release(call.id("release_id")).filter(|r| may_push || !r.draft);
    let release = release.ok_or_else(Answer::not_found)?;
    Ok(Answer::json(200, release.to_json(&call.origins, &repository.folder)))
}

/// Published ones only, and not in the first moments.
pub fn by_tag(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let repository = world.repository(&call.folder()).ok_or_else(Answer::not_found)?;
    let release = repository.published(call.matched.name("tag")).ok_or_else(Answer::not_found)?;
    let (id, json) = (release.id, release.to_json(&call.origins, &repository.folder));
    if world.lags(id) { Err(Answer::not_found()) } else { Ok(Answer::json(200, json)) }
}

pub fn latest(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let repository = world.repository(&call.folder()).ok_or_else(Answer::not_found)?;
    let release = repository.latest().ok_or_else(Answer::not_found)?;
    Ok(Answer::json(200, release.to_json(&call.origins, &repository.folder)))
}

pub fn create(world: &mut World, call: &Call, body: &[u8]) -> Result<Answer, Answer> {
    refusal_of_change(world, call)?;
    let wanted = document(body)?;
    let Some(tag) = wanted["tag_name"].as_str().filter(|tag| !tag.is_empty()) else {
        return Err(Answer::invalid_field("Release", "missing_field", "tag_name"));
    };
    check_values(&wanted)?;
    let release = Release {
        id: world.next_id(),
        tag: tag.into(),
        target: wanted["target_commitish"].as_str().unwrap_or(DEFAULT_BRANCH).into(),
        name: wanted["name"].as_str().map(str::to_owned),
        body: wanted["body"].as_str().map(str::to_owned),
        draft: wanted["draft"].as_bool().unwrap_or(false),
        prerelease: wanted["prerelease"].as_bool().unwrap_or(false),
        immutable: false,
        created_at: now(),
        published_at: None,
        assets: Vec::new(),
    };
    let id = insert(world, &call.folder(), release, &wanted)?;
    let repository = world.repository(&call.folder()).ok_or_else(Answer::not_found)?;
    let json = repository.release(id).map(|r| r.to_json(&call.origins, &repository.folder));
    let json = json.ok_or_else(Answer::not_found)?;
    let location = json["url"].as_str().unwrap_or_default().to_owned();
    Ok(Answer::json(201, json).with("location", location))
}

/// Adds a release, as far as the rules allow it.
pub fn insert(
    world: &mut World,
    folder: &str,
    mut release: Release,
    wanted: &Value,
) -> Result<u64, Answer> {
    let repository = world.repository(folder).ok_or_else(Answer::not_found)?;
    if repository.burned.contains(&release.tag) {
        return Err(burned());
    }
    let (id, publishes) = (release.id, !release.draft);
    if publishes {
        check_publishing(repository, id, &release.tag)?;
        release.draft = true;
    }
    repository.releases.push(release);
    if publishes {
        publish(world, folder, id, wanted);
    }
    Ok(id)
}

pub fn edit(world: &mut World, call: &Call, body: &[u8]) -> Result<Answer, Answer> {
    refusal_of_change(world, call)?;
    let wanted = document(body)?;
    check_values(&wanted)?;
    let id = call.id("release_id");
    let folder = call.folder();
    let repository = world.repository(&folder).ok_or_else(Answer::not_found)?;
    let release = repository.release(id).ok_or_else(Answer::not_found)?;
    let tag = wanted["tag_name"].as_str().unwrap_or(&release.tag).to_owned();
    if release.immutable && tag != release.tag {
        return Err(Answer::refusal(422, "Cannot change the tag of an immutable release."));
    }
    let publishes = release.draft && wanted["draft"] == json!(false);
    let withdraws = !release.draft && wanted["draft"] == json!(true);
    if release.immutable && withdraws {
        return Err(Answer::refusal(422, "Cannot convert an immutable release to a draft."));
    }
    if publishes || (!release.draft && tag != release.tag) {
        check_publishing(repository, id, &tag)?;
    }
    let release = repository.release_mut(id).ok_or_else(Answer::not_found)?;
    release.tag = tag;
    release.draft |= withdraws;
    if let Some(target) = wanted["target_commitish"].as_str() {
        release.target = target.into();
    }
    if let Some(name) = wanted["name"].as_str() {
        release.name = Some(name.into());
    }
    if let Some(text) = wanted["body"].as_str() {
        release.body = Some(text.into());
    }
    if let Some(prerelease) = wanted["prerelease"].as_bool() {
        release.prerelease = prerelease;
    }
    if publishes {
        publish(world, &folder, id, &wanted);
    } else if wanted["make_latest"] == json!("true") {
        repository.latest = Some(id);
    }
    let repository = world.repository(&folder).ok_or_else(Answer::not_found)?;
    let release = repository.release(id).ok_or_else(Answer::not_found)?;
    Ok(Answer::json(200, release.to_json(&call.origins, &repository.folder)))
}

/// The tag stays, and a sealed one can never be used again.
pub fn delete(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    refusal_of_change(world, call)?;
    let id = call.id("release_id");
    let repository = world.repository(&call.folder()).ok_or_else(Answer::not_found)?;
    repository.release(id).ok_or_else(Answer::not_found)?;
    repository.releases.retain(|release| release.id != id);
    Ok(Answer::empty(204))
}

pub fn generate_notes(world: &mut World, call: &Call, body: &[u8]) -> Result<Answer, Answer> {
    refusal_of_change(world, call)?;
    let wanted = document(body)?;
    let Some(tag) = wanted["tag_name"].as_str() else {
        return Err(Answer::invalid_field("Release", "missing_field", "tag_name"));
    };
    let web = format!("{}/{}", call.origins.web, call.folder());
    let changes = match wanted["previous_tag_name"].as_str() {
        Some(previous) => format!("{web}/compare/{previous}...{tag}"),
        None => format!("{web}/commits/{tag}"),
    };
    Ok(Answer::json(200, json!({ "name": tag, "body": format!("**Full Changelog**: {changes}") })))
}

/// Makes a draft public: the tag comes into being, and is sealed where the repository seals.
fn publish(world: &mut World, folder: &str, id: u64, wanted: &Value) {
    if let Some(lag) = world.lag {
        world.lagging.insert(id, (lag, Instant::now()));
    }
    let Some(repository) = world.repository(folder) else { return };
    let seals = repository.seals;
    let Some(release) = repository.release_mut(id) else { return };
    release.draft = false;
    release.immutable = seals;
    release.published_at = Some(now());
    let (tag, prerelease) = (release.tag.clone(), release.prerelease);
    repository.ensure_tag(&tag);
    if seals {
        repository.burned.insert(tag);
    }
    if !prerelease && wanted["make_latest"] != json!("false") {
        repository.latest = Some(id);
    }
}

/// Whether the release `id` may be the published one of `tag`.
fn check_publishing(repository: &Repository, id: u64, tag: &str) -> Result<(), Answer> {
    if repository.published(tag).is_some_and(|other| other.id != id) {
        return Err(Answer::invalid_field("Release", "already_exists", "tag_name"));
    }
    if repository.burned.contains(tag) {
        return Err(burned());
    }
    if repository.blocks(tag) {
        let rule = "pre_receive Repository rule violations found\n\n\
                    Cannot create ref due to creations being restricted.\n\n";
        let custom = |field: &str, message: &str| json!({ "resource": "Release", "code": "custom", "field": field, "message": message });
        return Err(Answer::invalid(&[
            custom("pre_receive", rule),
            custom("tag_name", "Published releases must have a valid tag"),
        ]));
    }
    Ok(())
}

fn burned() -> Answer {
    let custom = |message: &str| json!({ "resource": "Release", "code": "custom", "field": "tag_name", "message": message });
    Answer::invalid(&[
        custom("tag_name was used by an immutable release"),
        custom("Published releases must have a valid tag"),
    ])
}

fn check_values(wanted: &Value) -> Result<(), Answer> {
    let latest = &wanted["make_latest"];
    let known = latest.is_null()
        || latest.as_str().is_some_and(|text| matches!(text, "true" | "false" | "legacy"));
    if !known {
        return Err(Answer::invalid_field("Release", "invalid", "make_latest"));
    }
    if wanted["body"].as_str().is_some_and(|text| text.chars().count() > LONGEST_BODY) {
        let message = "body is too long (maximum is 125000 characters)";
        return Err(Answer::invalid_because("Release", "body", message));
    }
    Ok(())
}

fn refusal_of_change(world: &World, call: &Call) -> Result<(), Answer> {
    world.refuses_to_let(call, Role::Write).map_or(Ok(()), Err)
}
