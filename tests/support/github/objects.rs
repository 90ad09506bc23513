//! The host that signed addresses lead to.

use super::{
    answer::{Answer, Body},
    asset::{Asset, digest_of},
    call::Call,
    origins::Origins,
    world::World,
};

/// How long a signed address holds, in seconds.
const VALID: i64 = 300;

/// An address that gives the bytes of an asset to anybody, for some minutes.
pub fn signed(origins: &Origins, asset: &Asset) -> String {
    let expires = jiff::Timestamp::now().as_second() + VALID;
    let Asset { id, name, .. } = asset;
    let signature = signature(*id, expires);
    let disposition = format!("attachment%3B%20filename%3D{name}");
    format!("{}/objects/{id}?se={expires}&sig={signature}&rscd={disposition}", origins.objects)
}

fn signature(id: u64, expires: i64) -> String {
    digest_of(format!("a secret of the object host, {id}, {expires}").as_bytes())[7..39].to_owned()
}

/// The bytes, for those with a signature and no other credentials.
pub fn answer(world: &mut World, call: &Call) -> Answer {
    if call.header("authorization").is_some() {
        let message = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, \
                       Signature query string parameter or the Authorization header should be specified";
        return refusal(400, "InvalidArgument", message);
    }
    let id = call.id("object");
    let expires = call.asked_for("se").and_then(|text| text.parse().ok()).unwrap_or(0);
    if call.asked_for("sig") != Some(&signature(id, expires)) {
        return refusal(403, "AuthenticationFailed", "Signature did not match.");
    }
    if expires < jiff::Timestamp::now().as_second() {
        return refusal(
            403,
            "AuthenticationFailed",
            "Signature not valid in the specified time frame",
        );
    }
    let asset = world.repositories.iter_mut().find_map(|repository| repository.asset_mut(id));
    match asset {
        Some(asset) => {
            asset.downloads += 1;
            bytes_of(asset, call)
        }
        None => refusal(404, "BlobNotFound", "The specified blob does not exist."),
    }
}

/// The bytes of an asset, or the part of them that was asked for.
pub fn bytes_of(asset: &Asset, call: &Call) -> Answer {
    let tag = format!("\"0x{}\"", &digest_of(&asset.bytes)[7..23].to_uppercase());
    if call.header("if-none-match") == Some(&tag) {
        return Answer::empty(304).with("etag", tag);
    }
    let size = asset.bytes.len();
    let unchanged = call.header("if-range").is_none_or(|known| known == tag);
    let range = call.header("range").filter(|_| unchanged).and_then(|text| range(text, size));
    let mut answer = match range {
        Some(Some((from, to))) => {
            let mut answer =
                Answer::empty(206).with("content-range", format!("bytes {from}-{}/{size}", to - 1));
            answer.body = Body::Bytes(asset.bytes.slice(from..to));
            answer
        }
        Some(None) => {
            return refusal(416, "InvalidRange", "The range specified is invalid.")
                .with("content-range", format!("bytes */{size}"));
        }
        None => {
            let mut answer = Answer::empty(200);
            answer.body = Body::Bytes(asset.bytes.clone());
            answer
        }
    };
    answer = answer
        .with("content-type", "application/octet-stream")
        .with("content-disposition", format!("attachment; filename={}", asset.name))
        .with("accept-ranges", "bytes");
    answer.with("etag", tag)
}

/// The bytes `from..to` that a `Range` header means; `Some(None)` when there are none such,
/// and `None` when the header is to be ignored.
fn range(header: &str, size: usize) -> Option<Option<(usize, usize)>> {
    let (first, last) = header.strip_prefix("bytes=")?.split_once('-')?;
    let (from, to) = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(from), Ok(to)) => (from, size.min(to.saturating_add(1))),
        (Ok(from), Err(_)) if last.is_empty() => (from, size),
        (Err(_), Ok(count)) if first.is_empty() => (size.saturating_sub(count), size),
        _ => return None,
    };
    Some((from < to).then_some((from, to)))
}

fn refusal(status: u16, code: &str, message: &str) -> Answer {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    let mut answer = Answer::empty(status).with("content-type", "application/xml");
    answer.body = Body::Bytes(text.into());
    answer
}
