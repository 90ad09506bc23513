//! What a browser sees. Tokens mean nothing here.

use super::{
    answer::Answer, asset::State, call::Call, objects, operation::Operation, release::Release,
    repository::Repository, world::World,
};

/// A page, or the redirect to an asset.
pub fn answer(world: &mut World, call: &Call) -> Answer {
    let Some(repository) = world.repository(&call.folder()) else { return missing() };
    if repository.private {
        let asks = repository.asks_to_sign_in;
        return if asks { Answer::html(200, "Sign in to GitHub") } else { missing() };
    }
    match call.operation() {
        Operation::Page => Answer::html(200, &repository.folder),
        Operation::Download => {
            let release = repository.published(call.matched.name("tag")).cloned();
            match release {
                Some(release) if world.lags(release.id) => missing(),
                release => download(release.as_ref(), call),
            }
        }
        Operation::DownloadLatest => download(Repository::latest(repository), call),
        _ => missing(),
    }
}

fn download(release: Option<&Release>, call: &Call) -> Answer {
    let asset = release.and_then(|release| release.asset(call.matched.name("asset")));
    match asset.filter(|asset| asset.state == State::Uploaded) {
        Some(asset) => {
            Answer::found(&objects::signed(&call.origins, asset)).with("cache-control", "no-cache")
        }
        None => missing(),
    }
}

fn missing() -> Answer {
    let text = "Not Found";
    let mut answer = Answer::empty(404).with("content-type", "text/plain; charset=utf-8");
    answer.body = super::answer::Body::Bytes(text.into());
    answer
}
