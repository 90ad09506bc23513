//! Assets. An upload has two steps, since others ask questions while the bytes come.

use bytes::Bytes;

use super::super::{
    answer::Answer,
    asset::{Asset, State, digest_of, sanitised},
    call::Call,
    objects,
    repository::Repository,
    token::Role,
    world::{World, document, now},
};
use super::page;

/// The most assets that a release can have.
const MOST: usize = 1000;
/// The size from which on an asset is refused, in bytes.
const LARGEST: u64 = 2_147_483_648;

pub fn list(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let may_push = world.caller(call).may(Role::Write);
    let repository = world.repository(&call.folder()).ok_or_else(Answer::not_found)?;
    let release = repository.release(call.id("release_id")).filter(|r| may_push || !r.draft);
    let release = release.ok_or_else(Answer::not_found)?;
    let tag = release.tag_in_addresses();
    let assets = release.assets.iter();
    Ok(page(call, assets.map(|a| a.to_json(&call.origins, &repository.folder, &tag)).collect()))
}

/// The description, or the way to the bytes for those who accept only these.
pub fn get(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let wants_bytes = call.header("accept").is_some_and(|a| a.contains("application/octet-stream"));
    let (may_push, hands_out) = (world.caller(call).may(Role::Write), world.hands_out_assets);
    let repository = world.repository(&call.folder()).ok_or_else(Answer::not_found)?;
    let (release, asset) = repository.asset(call.id("asset_id")).ok_or_else(Answer::not_found)?;
    if release.draft && !may_push {
        return Err(Answer::not_found());
    }
    if !wants_bytes {
        let tag = release.tag_in_addresses();
        return Ok(Answer::json(200, asset.to_json(&call.origins, &repository.folder, &tag)));
    }
    if asset.state == State::Starter {
        return Err(Answer::not_found());
    }
    if hands_out {
        return Ok(objects::bytes_of(asset, call));
    }
    Ok(Answer::found(&objects::signed(&call.origins, asset)))
}

pub fn edit(world: &mut World, call: &Call, body: &[u8]) -> Result<Answer, Answer> {
    let (repository, id) = changeable(world, call)?;
    let wanted = document(body)?;
    let asset = repository.asset_mut(id).ok_or_else(Answer::not_found)?;
    if let Some(name) = wanted["name"].as_str() {
        asset.name = sanitised(name);
    }
    if let Some(label) = wanted["label"].as_str() {
        asset.label = label.into();
    }
    let (release, asset) = repository.asset(id).ok_or_else(Answer::not_found)?;
    let tag = release.tag_in_addresses();
    Ok(Answer::json(200, asset.to_json(&call.origins, &repository.folder, &tag)))
}

pub fn delete(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let (repository, id) = changeable(world, call)?;
    for release in &mut repository.releases {
        release.assets.retain(|asset| asset.id != id);
    }
    Ok(Answer::empty(204))
}

fn changeable<'w>(world: &'w mut World, call: &Call) -> Result<(&'w mut Repository, u64), Answer> {
    if let Some(refusal) = world.refuses_to_let(call, Role::Write) {
        return Err(refusal);
    }
    let id = call.id("asset_id");
    let repository = world.repository(&call.folder()).ok_or_else(Answer::not_found)?;
    let (release, _) = repository.asset(id).ok_or_else(Answer::not_found)?;
    if release.immutable {
        return Err(Answer::refusal(422, "Cannot delete asset from an immutable release."));
    }
    Ok((repository, id))
}

/// The first step: the name is taken by an empty asset in the state `starter`. Gives its number.
pub fn begin_upload(world: &mut World, call: &Call) -> Result<u64, Answer> {
    if let Some(refusal) = world.refuses(call) {
        return Err(refusal);
    }
    if let Some(refusal) = world.refuses_to_let(call, Role::Write) {
        return Err(refusal);
    }
    let name = sanitised(call.asked_for("name").unwrap_or_default());
    if name.is_empty() {
        return Err(Answer::invalid_field("ReleaseAsset", "missing_field", "name"));
    }
    let length = call.header("content-length").and_then(|text| text.parse::<u64>().ok());
    let Some(length) = length else {
        return Err(Answer::refusal(400, "Bad Content-Length: "));
    };
    let Some(content_type) = call.header("content-type").map(str::to_owned) else {
        return Err(Answer::invalid_field("ReleaseAsset", "missing_field", "content_type"));
    };
    if length >= LARGEST {
        let message = "size must be less than or equal to 2147483648";
        return Err(Answer::invalid_because("ReleaseAsset", "size", message));
    }
    let asset = Asset {
        id: world.next_id(),
        name,
        label: call.asked_for("label").unwrap_or_default().into(),
        content_type,
        state: State::Starter,
        bytes: Bytes::new(),
        digest: None,
        created_at: now(),
        downloads: 0,
    };
    let id = asset.id;
    store(world, &call.folder(), call.id("release_id"), asset)?;
    Ok(id)
}

/// Adds an asset to a release, if its name is free there.
pub fn store(world: &mut World, folder: &str, release: u64, asset: Asset) -> Result<(), Answer> {
    let repository = world.repository(folder).ok_or_else(Answer::not_found)?;
    let release = repository.release_mut(release).ok_or_else(Answer::not_found)?;
    if release.immutable {
        return Err(Answer::refusal(422, "Cannot upload assets to an immutable release."));
    }
    if release.asset(&asset.name).is_some() {
        return Err(Answer::invalid_field("ReleaseAsset", "already_exists", "name"));
    }
    if release.assets.len() >= MOST {
        let message = "file_count limited to 1000 assets per release";
        return Err(Answer::invalid_because("ReleaseAsset", "file_count", message));
    }
    release.assets.push(asset);
    Ok(())
}

/// The second step: the bytes are there.
pub fn finish_upload(
    world: &mut World,
    call: &Call,
    id: u64,
    bytes: Bytes,
    digest: String,
) -> Result<Answer, Answer> {
    let digest = (!world.without_digests).then_some(digest);
    let repository = world.repository(&call.folder()).ok_or_else(Answer::not_found)?;
    let asset = repository.asset_mut(id).ok_or_else(Answer::not_found)?;
    asset.state = State::Uploaded;
    asset.digest = digest;
    asset.bytes = bytes;
    let (release, asset) = repository.asset(id).ok_or_else(Answer::not_found)?;
    let tag = release.tag_in_addresses();
    let json = asset.to_json(&call.origins, &repository.folder, &tag);
    let location = json["url"].as_str().unwrap_or_default().to_owned();
    Ok(Answer::json(201, json).with("location", location))
}

/// An asset with these bytes, as an upload would leave it.
pub fn uploaded(world: &mut World, name: &str, bytes: Vec<u8>) -> Asset {
    let digest = (!world.without_digests).then(|| digest_of(&bytes));
    Asset {
        id: world.next_id(),
        name: sanitised(name),
        label: String::new(),
        content_type: "application/octet-stream".into(),
        state: State::Uploaded,
        bytes: bytes.into(),
        digest,
        created_at: now(),
        downloads: 0,
    }
}
