//! The one question that `gh` asks in GraphQL before it uploads: is there a release of this tag,
//! drafts included?

use serde_json::json;

use super::super::{
    answer::Answer,
    call::Call,
    token::Role,
    world::{World, document},
};

pub fn answer(world: &mut World, call: &Call, body: &[u8]) -> Result<Answer, Answer> {
    let may_push = world.caller(call).may(Role::Write);
    let wanted = document(body)?;
    let text = |key: &str| wanted["variables"][key].as_str().unwrap_or_default();
    let Some(tag) = wanted["variables"]["tagName"].as_str() else {
        let error = json!({ "message": "The stand-in understands no such question." });
        return Ok(Answer::json(200, json!({ "data": null, "errors": [error] })));
    };
    let repository = world.repository(&format!("{}/{}", text("owner"), text("name")));
    let releases = repository.map_or(&[][..], |repository| &repository.releases);
    let of_tag =
        releases.iter().filter(|release| release.tag == tag && (may_push || !release.draft));
    let release = of_tag.min_by_key(|release| (release.draft, release.id));
    let release =
        release.map(|release| json!({ "databaseId": release.id, "isDraft": release.draft }));
    Ok(Answer::json(200, json!({ "data": { "repository": { "release": release } } })))
}
