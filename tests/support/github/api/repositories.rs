//! Repositories, and what counts against the caller.

use serde_json::json;

use super::super::{answer::Answer, call::Call, token::Role, world::World};

pub fn get(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let role = world.caller(call).role();
    let repository = world.repository(&call.folder()).ok_or_else(Answer::not_found)?;
    Ok(Answer::json(200, repository.to_json(&call.origins, role)))
}

/// Whether publishing seals; administrators may know.
pub fn immutable_releases(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    if !world.caller(call).may(Role::Admin) {
        return Err(Answer::not_found());
    }
    let repository = world.repository(&call.folder()).ok_or_else(Answer::not_found)?;
    if !repository.seals {
        return Err(Answer::not_found());
    }
    Ok(Answer::json(200, json!({ "enabled": true, "enforced_by_owner": false })))
}

pub fn rate_limit(world: &World, call: &Call) -> Answer {
    let (limit, used) = world.budget(call);
    let left = limit.saturating_sub(used);
    let rate = json!({
        "limit": limit,
        "used": used,
        "remaining": left,
        "reset": world.resets_at(),
    });
    Answer::json(200, json!({ "resources": { "core": rate, "search": rate }, "rate": rate }))
}

/// The archive of a commit is somewhere else.
pub fn tarball(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let repository = world.repository(&call.folder()).ok_or_else(Answer::not_found)?;
    let reference = call.matched.name("ref");
    let folder = &repository.folder;
    let address = format!("{}/{folder}/legacy.tar.gz/refs/heads/{reference}", call.origins.objects);
    Ok(Answer::found(&address))
}
