//! One call of a web server that is no store: a hook that is told something, a service that exchanges one
//! credential for another. Nothing is tried again here, no redirect is followed, and no fault repeats the
//! URL, which may be the secret.
//!
//! Signed hooks follow Standard Webhooks 1.0,
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.

use std::time::Duration;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use reqwest::{
    Method, Url,
    header::{HeaderName, RETRY_AFTER},
};
use ring::hmac;

use super::{
    StoreSettings,
    call::{ApiRequest, Content},
    client::Client,
};
use crate::model::is_unprotected;

/// A call.
#[derive(Clone)]
pub struct WebCall {
    /// Where to: https, or this machine.
    pub url: String,
    /// Headers by their names in small letters.
    pub headers: Vec<(&'static str, String)>,
    /// What is sent, with its type; without it, something is asked for.
    pub body: Option<(&'static str, Vec<u8>)>,
    /// How long it may take.
    pub limit: Duration,
}

/// The answer to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebAnswer {
    /// Its status.
    pub status: u16,
    /// After how many seconds one may ask again, if it says so.
    pub retry_after: Option<u64>,
    /// What it says.
    pub text: String,
}

/// Makes `call`, once.
///
/// # Errors
/// Why there is no answer, as the end of a sentence.
pub async fn web_call(settings: &StoreSettings, call: &WebCall) -> Result<WebAnswer, String> {
    let url =
        Url::parse(&call.url).map_err(|error| format!("its address is not a URL: {error}"))?;
    if is_unprotected(&call.url) {
        return Err(
            "its address is unprotected http, which forge speaks to this machine only".into()
        );
    }
    let method = if call.body.is_some() { Method::POST } else { Method::GET };
    let mut request = ApiRequest::new(method, url).staying();
    for (name, value) in &call.headers {
        request = request.with(HeaderName::from_static(name), value.clone());
    }
    if let Some((kind, bytes)) = &call.body {
        request = request.carrying(Content::Bytes(bytes.clone().into()), kind);
    }
    let client = Client::new(settings);
    match tokio::time::timeout(call.limit, client.call(&request)).await {
        Err(_) => Err(format!("there is no answer within {} s", call.limit.as_secs_f32())),
        Ok(Err(failure)) => Err(failure.fault.why.last().cloned().unwrap_or_default()),
        Ok(Ok(answer)) => Ok(WebAnswer {
            status: answer.status.as_u16(),
            retry_after: answer.header(RETRY_AFTER.as_str()).and_then(|it| it.trim().parse().ok()),
            text: String::from_utf8_lossy(&answer.body).into_owned(),
        }),
    }
}

/// `url` with `pairs` added to its query.
///
/// # Errors
/// Why it is not a URL, as the end of a sentence.
pub fn url_with_query(url: &str, pairs: &[(&str, &str)]) -> Result<String, String> {
    let mut url = Url::parse(url).map_err(|error| format!("it is not a URL: {error}"))?;
    if !pairs.is_empty() {
        url.query_pairs_mut().extend_pairs(pairs);
    }
    Ok(url.into())
}

/// `pairs` as a form is sent, with its type.
pub fn form_body(pairs: &[(&str, &str)]) -> (&'static str, Vec<u8>) {
    let body = url_with_query("form:", pairs).unwrap_or_default();
    let body = body.strip_prefix("form:?").unwrap_or_default();
    ("application/x-www-form-urlencoded", body.as_bytes().to_vec())
}

/// What a token says, whoever signed it: <https://www.rfc-editor.org/rfc/rfc7519>.
pub fn token_claims(token: &str) -> Option<serde_json::Value> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&claims).ok()
}

/// The headers of the message `id`, sent at `seconds` since 1970, whose `body` is signed by `secret`, which
/// is written `whsec_` and base64.
///
/// # Errors
/// What is wrong with the secret, as the end of a sentence that does not repeat it.
pub fn signed_headers(
    secret: &str,
    id: &str,
    seconds: i64,
    body: &[u8],
) -> Result<Vec<(&'static str, String)>, String> {
    let encoded = secret.trim();
    let encoded = encoded.strip_prefix("whsec_").unwrap_or(encoded);
    let key = STANDARD.decode(encoded).ok().filter(|key| !key.is_empty());
    let key = key.ok_or("it is not `whsec_` and base64, as Standard Webhooks has secrets")?;
    let mut signed = format!("{id}.{seconds}.").into_bytes();
    signed.extend_from_slice(body);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &signed);
    Ok(vec![
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", format!("v1,{}", STANDARD.encode(tag.as_ref()))),
    ])
}

#[cfg(test)]
mod tests {
    use super::{
        super::testing::{Server, settings},
        *,
    };

    #[test]
    fn forms_and_tokens_are_as_their_standards_say() {
        let url = url_with_query("http://x/t?a=1", &[("audience", "api://b c")]);
        assert_eq!(url.unwrap(), "http://x/t?a=1&audience=api%3A%2F%2Fb+c");
        assert!(url_with_query("x", &[]).unwrap_err().contains("it is not a URL"));
        assert_eq!(form_body(&[("A", "b&c"), ("D", "e")]).1, b"A=b%26c&D=e");
        let claims = URL_SAFE_NO_PAD.encode(r#"{"sub":"repo:o/r:environment:test"}"#);
        let claims = token_claims(&format!("e30.{claims}.sig")).unwrap();
        assert_eq!(claims["sub"], "repo:o/r:environment:test");
        assert_eq!(token_claims("rubbish"), None);
    }

    #[test]
    fn a_message_is_signed_as_standard_webhooks_has_it() {
        let body = br#"{"type":"deployment.succeeded","timestamp":"2026-11-29T08:00:00Z","data":{"id":"1"}}"#;
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let headers = signed_headers(secret, id, 1_795_939_200, body).unwrap();
        assert_eq!(headers[0], ("webhook-id", id.to_owned()));
        assert_eq!(headers[1], ("webhook-timestamp", "1795939200".to_owned()));
        let signature = "v1,XDjBJc1N2Uztrrb0/5kWWW/SoKmmwn3dH+wwnmGtVxk=";
        assert_eq!(headers[2], ("webhook-signature", signature.to_owned()));
        for wrong in ["whsec_", "whsec_%", "not base64"] {
            let why = signed_headers(wrong, id, 0, body).unwrap_err();
            assert!(
                !why.contains(wrong.trim_start_matches("whsec_")) || wrong == "whsec_",
                "{why}"
            );
        }
    }

    #[tokio::test]
    async fn a_call_is_made_once_and_its_address_is_not_repeated() {
        let server =
            Server::scripted(&[("429 Too Many Requests\nRetry-After: 7\nContent-Length: 2", "no")])
                .await;
        let call = WebCall {
            url: format!("{}/services/SECRET", server.url),
            headers: vec![("webhook-id", "1".into())],
            body: Some(("application/json", b"{}".to_vec())),
            limit: Duration::from_secs(5),
        };
        let answer = web_call(&settings(), &call).await.unwrap();
        assert_eq!((answer.status, answer.retry_after, &*answer.text), (429, Some(7), "no"));
        assert!(server.requests()[0].starts_with("post /services/secret "), "one request");
        assert_eq!(server.requests().len(), 1);
        for url in ["http://127.0.0.1:1/SECRET", "http://example.org/SECRET", "SECRET"] {
            let why = web_call(&settings(), &WebCall { url: url.into(), ..call.clone() }).await;
            let why = why.unwrap_err();
            assert!(!why.contains("SECRET"), "{why}");
        }
    }
}
