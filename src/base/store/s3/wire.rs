//! The library's requests, sent by this room's own client: they retry, wait, and stay offline
//! as all others do.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    },
};
use reqwest::Url;

use super::refusal::{self, store_fault};
use crate::{
    model::Fault,
    store::{
        call::{ApiRequest, Content},
        client::Client,
        retry::{AttemptFailure, RetryDecision, retrying},
    },
};

/// Carries the library's requests.
#[derive(Clone)]
pub(super) struct Wire(pub(super) Arc<Client>);

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

impl HttpConnector for Wire {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Wire {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        // Not to be tried again by the library: that was done here.
        self.send(request).await.map_err(|fault| HttpError::new(HttpErrorKind::Unknown, fault))
    }
}

impl Wire {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Fault> {
        let call = translated(request)?;
        let reply = retrying(&self.0.settings, || async {
            let reply = self.0.call(&call).await?;
            if reply.status.is_success() {
                return Ok(reply);
            }
            let failure = reply.failure(&call);
            match failure.again {
                RetryDecision::Never => Err(AttemptFailure::never(refusal::fault(&call, &reply))),
                _ => Err(failure),
            }
        })
        .await?;
        let mut response = HttpResponse::new(reply.body.into());
        *response.status_mut() = reply.status;
        *response.headers_mut() = reply.headers;
        Ok(response)
    }
}

fn translated(request: HttpRequest) -> Result<ApiRequest, Fault> {
    let (head, body) = request.into_parts();
    let url = Url::parse(&head.uri.to_string())
        .map_err(|error| store_fault(format!("`{}` is not a URL: {error}", head.uri.path())))?;
    let mut call = ApiRequest::new(head.method, url);
    for (name, value) in &head.headers {
        // The client below works these two out by itself.
        if name != "host" && name != "content-length" {
            call = call.with(name.clone(), value.to_str().unwrap_or_default());
        }
    }
    // The requests that come this way list objects and ask for credentials; none is large.
    let bytes = body.as_bytes().filter(|bytes| !bytes.is_empty()).cloned();
    call.content = bytes.map_or(Content::Nothing, Content::Bytes);
    Ok(call)
}

/// What the library made of a fault from here, undone.
pub(super) fn fault(url: &str, error: &object_store::Error) -> Fault {
    let outer: &(dyn std::error::Error + 'static) = error;
    let mut causes = std::iter::successors(Some(outer), |cause| cause.source());
    match causes.find_map(|cause| cause.downcast_ref::<Fault>()) {
        Some(fault) => fault.clone(),
        None => store_fault(format!("cannot use {url}")).because(error.to_string()),
    }
}
