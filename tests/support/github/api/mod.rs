//! The operations of the API, a file per noun.

mod assets;
mod deployments;
mod git;
mod graphql;
mod releases;
mod repositories;

pub use assets::{begin_upload, finish_upload, store, uploaded};
pub use deployments::Record;
pub use releases::insert;

use serde_json::Value;

use super::{
    answer::{Answer, Body},
    asset::digest_of,
    call::Call,
    operation::Operation,
    world::World,
};

/// Does what is asked of the API, by somebody who may see the repository.
pub fn answer(world: &mut World, call: &Call, body: &[u8]) -> Answer {
    let done = match call.operation() {
        Operation::RateLimit => Ok(repositories::rate_limit(world, call)),
        Operation::GetRepository => repositories::get(world, call),
        Operation::ImmutableReleases => repositories::immutable_releases(world, call),
        Operation::ListReleases => releases::list(world, call),
        Operation::CreateRelease => releases::create(world, call, body),
        Operation::LatestRelease => releases::latest(world, call),
        Operation::ReleaseByTag => releases::by_tag(world, call),
        Operation::GenerateNotes => releases::generate_notes(world, call, body),
        Operation::GetRelease => releases::get(world, call),
        Operation::EditRelease => releases::edit(world, call, body),
        Operation::DeleteRelease => releases::delete(world, call),
        Operation::ListAssets => assets::list(world, call),
        Operation::GetAsset => assets::get(world, call),
        Operation::EditAsset => assets::edit(world, call, body),
        Operation::DeleteAsset => assets::delete(world, call),
        Operation::GetRef => git::get_ref(world, call),
        Operation::MatchingRefs => git::matching_refs(world, call),
        Operation::CreateRef => git::create_ref(world, call, body),
        Operation::EditRef => git::edit_ref(world, call, body),
        Operation::DeleteRef => git::delete_ref(world, call),
        Operation::CreateTag => git::create_tag(world, call, body),
        Operation::GetTag => git::get_tag(world, call),
        Operation::GraphQl => graphql::answer(world, call, body),
        Operation::Tarball => repositories::tarball(world, call),
        Operation::ListDeployments => deployments::list(world, call),
        Operation::CreateDeployment => deployments::create(world, call, body),
        Operation::ListDeploymentStatuses => deployments::statuses(world, call),
        Operation::CreateDeploymentStatus => deployments::add_status(world, call, body),
        Operation::CreateCommitStatus => deployments::add_commit_status(world, call, body),
        Operation::ListComments => deployments::list_comments(world, call),
        Operation::CreateComment => deployments::add_comment(world, call, body),
        Operation::EditComment => deployments::edit_comment(world, call, body),
        Operation::DeleteComment => deployments::delete_comment(world, call),
        Operation::GetPull => deployments::pull(world, call),
        _ => Err(Answer::not_found()),
    };
    done.unwrap_or_else(|refusal| refusal)
}

/// One page of a list, with the addresses of the others, which name the repository by its number.
fn page(call: &Call, repository: u64, items: Vec<Value>) -> Answer {
    let number = |key: &str| call.asked_for(key).and_then(|value| value.parse::<usize>().ok());
    let per_page = number("per_page").unwrap_or(30).clamp(1, 100);
    let page = number("page").unwrap_or(1).max(1);
    let last = items.len().div_ceil(per_page).max(1);
    let path = call.matched.template.replace("/repos/{owner}/{repo}", "");
    let path = path.replace("{release_id}", call.matched.name("release_id"));
    let path = path.replace("{ref}", call.matched.name("ref"));
    let path = path.replace("{deployment_id}", call.matched.name("deployment_id"));
    let path = path.replace("{issue_number}", call.matched.name("issue_number"));
    let link = |to: usize, rel: &str| {
        let api = &call.origins.api;
        format!(
            "<{api}/repositories/{repository}{path}?per_page={per_page}&page={to}>; rel=\"{rel}\""
        )
    };
    let mut links = Vec::new();
    if page > 1 {
        links.push(link(page - 1, "prev"));
    }
    if page < last {
        links.extend([link(page + 1, "next"), link(last, "last")]);
    }
    if page > 1 {
        links.push(link(1, "first"));
    }
    let some: Vec<_> = items.into_iter().skip((page - 1) * per_page).take(per_page).collect();
    let answer = Answer::json(200, some.into());
    if links.is_empty() { answer } else { answer.with("link", links.join(", ")) }
}

/// With its entity tag, or 304 for those who have the same already.
pub fn with_etag(call: &Call, answer: Answer) -> Answer {
    let Body::Json(value) = &answer.body else { return answer };
    if answer.status != 200 || call.method != "GET" {
        return answer;
    }
    let digest = digest_of(value.to_string().as_bytes());
    let tag = format!("W/\"{}\"", &digest["sha256:".len()..]);
    if call.header("if-none-match").is_some_and(|known| known.contains(&tag[2..])) {
        return Answer::empty(304).with("etag", tag);
    }
    let cached = "private, max-age=60, s-maxage=60";
    answer.with("etag", tag).with("cache-control", cached)
}
