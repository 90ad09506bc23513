//! One look at whether a web server answers: no retries, no memory of hosts that were out of reach.

use std::time::Duration;

use reqwest::Url;

use super::{StoreSettings, call::ApiRequest, client::Client};

/// The status that `url` answers with, redirects followed.
///
/// # Errors
/// Why there is no answer within `limit`, as the end of a sentence.
pub async fn http_status(
    settings: &StoreSettings,
    url: &str,
    limit: Duration,
) -> Result<u16, String> {
    let url = Url::parse(url).map_err(|error| format!("`{url}` is not a URL: {error}"))?;
    let client = Client::new(settings);
    let call = ApiRequest::get(url);
    match tokio::time::timeout(limit, client.call(&call)).await {
        Err(_) => Err(format!("there is no answer within {} ms", limit.as_millis())),
        Ok(Ok(answer)) => Ok(answer.status.as_u16()),
        Ok(Err(failure)) => Err(failure.fault.why.last().unwrap_or(&failure.fault.what).clone()),
    }
}
