//! A bucket: where it is, whose credentials are used, what the keys are.

use std::{str::FromStr, sync::Arc, time::Duration};

use futures_util::stream::TryStreamExt;
use object_store::{
    ClientOptions, ObjectMeta, ObjectStore, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey},
    path::Path,
    signer::{HeaderValue, SignedUrlOptions, Signer},
};
use reqwest::{
    Method, StatusCode, Url,
    header::{HeaderName, RANGE},
};

use super::{
    refusal::{self, store_fault},
    wire::{self, Wire},
};
use crate::{
    model::{Fault, Kind},
    store::{
        StoreSettings,
        address::without_secrets,
        call::{ApiRequest, ApiResponse},
        check_names,
        client::Client,
        retry::{RetryDecision, retrying},
    },
};

/// How long a signature holds: as long as a transfer with all its resumptions may take.
const VALID: Duration = Duration::from_secs(6 * 60 * 60);

/// What is told to whom has no credentials.
pub(super) const NO_LOGIN: &str = "no credentials in AWS_ACCESS_KEY_ID and \
    AWS_SECRET_ACCESS_KEY, so it is only read, as the public may";

/// Where credentials come from, best first: the variables that all have to be set, and how
/// the source is called.
const LOGINS: [(&[&str], &str); 4] = [
    (&["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"], "AWS_ACCESS_KEY_ID"),
    (&["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"], "AWS_WEB_IDENTITY_TOKEN_FILE"),
    (&["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"], "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
    (
        &["AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"],
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ),
];

/// What else of the environment the library is told.
const DETAILS: [&str; 4] =
    ["AWS_SESSION_TOKEN", "AWS_ROLE_SESSION_NAME", "AWS_ENDPOINT_URL_STS", "AWS_REQUEST_PAYER"];

/// A bucket and the folder in it.
pub(super) struct Bucket {
    url: String,
    prefix: Path,
    pub(super) client: Arc<Client>,
    library: AmazonS3,
    /// Where the credentials come from, if there are any.
    pub(super) login: Option<&'static str>,
    /// The server, for people.
    pub(super) server: String,
}

impl Bucket {
    pub(super) fn new(
        url: &str,
        name: &str,
        prefix: &str,
        settings: &StoreSettings,
    ) -> Result<Self, Fault> {
        let wrong = |why: String| Fault::new(Kind::Usage, format!("cannot use {url}")).because(why);
        let client = Arc::new(Client::new(settings));
        let endpoint = endpoint(settings).map_err(wrong)?;
        let login = login(settings).map_err(wrong)?;
        let library = builder(name, settings, endpoint.as_ref(), login)
            .with_http_connector(Wire(client.clone()))
            .build()
            .map_err(|error| wrong(error.to_string()))?;
        Ok(Self {
            url: url.to_owned(),
            prefix: Path::parse(prefix).map_err(|error| wrong(error.to_string()))?,
            client,
            library,
            login: login.map(|(_, source)| source),
            server: endpoint.map_or("Amazon's".into(), |url| without_secrets(url.as_str())),
        })
    }

    /// The key of an asset.
    pub(super) fn key(&self, tag: &str, asset: &str) -> Result<Path, Fault> {
        check_names(tag, asset)?;
        Ok(self.prefix.clone().join(tag).join(asset))
    }

    /// The release and the asset that a key is for; nothing if it is not an asset's.
    pub(super) fn names(&self, key: &Path) -> Option<(String, String)> {
        let parts: Vec<_> = key.prefix_match(&self.prefix)?.collect();
        let [tag, asset] = parts.as_slice() else { return None };
        let (tag, asset) = (tag.as_ref(), asset.as_ref());
        check_names(tag, asset).ok()?;
        Some((tag.to_owned(), asset.to_owned()))
    }

    /// A request for the object at `key`, allowed by a signature in its URL. Headers that S3
    /// gives a meaning to have to be signed with it.
    pub(super) async fn signed(
        &self,
        method: Method,
        key: &Path,
        headers: &[(&'static str, String)],
    ) -> Result<ApiRequest, Fault> {
        self.signed_with(method, key, headers, &[]).await
    }

    /// The same with a query.
    pub(super) async fn signed_with(
        &self,
        method: Method,
        key: &Path,
        headers: &[(&'static str, String)],
        query: &[(&str, String)],
    ) -> Result<ApiRequest, Fault> {
        let query = query.iter().map(|(name, value)| (*name, value.clone()));
        let mut options = SignedUrlOptions::default().with_query(query);
        for (name, value) in headers {
            let value = HeaderValue::from_str(value)
                .map_err(|error| store_fault(format!("cannot use {}: {error}", self.url)))?;
            options = options.with_signed_header(HeaderName::from_static(name), value);
        }
        let signed = self.library.signed_url_opts(method.clone(), key, VALID, &options).await;
        let mut url = signed.map_err(|error| wire::fault(&self.url, &error))?;
        if self.login.is_none() {
            url.set_query(None);
        }
        let call = ApiRequest::new(method, url);
        Ok(headers.iter().fold(call, |call, (name, value)| {
            call.with(HeaderName::from_static(name), value.clone())
        }))
    }

    /// Sends `call` until it is answered for good.
    pub(super) async fn send(&self, call: &ApiRequest) -> Result<ApiResponse, Fault> {
        retrying(&self.client.settings, || async {
            let reply = self.client.call(call).await?;
            let failure = reply.failure(call);
            if failure.again == RetryDecision::Never { Ok(reply) } else { Err(failure) }
        })
        .await
    }

    /// One byte of the object at `key`, or why it is not given: the answer to a HEAD has no
    /// body that would say so.
    async fn taste(&self, key: &Path) -> Result<(ApiRequest, ApiResponse), Fault> {
        let call = self.signed(Method::GET, key, &[]).await?.with(RANGE, "bytes=0-0");
        let reply = self.send(&call).await?;
        Ok((call, reply))
    }

    /// Makes sure that what answered 404 for `key` is a bucket that holds no such object.
    pub(super) async fn confirm_absence(&self, key: &Path) -> Result<(), Fault> {
        let (call, reply) = self.taste(key).await?;
        match (reply.status, refusal::code(&reply)) {
            // Somebody just published it: it was absent when it was asked for.
            (status, _) if status.is_success() => Ok(()),
            (StatusCode::NOT_FOUND, Some("NoSuchKey")) => Ok(()),
            (StatusCode::NOT_FOUND, None) => Err(call
                .failed()
                .because("the server answered 404 Not Found, but not as S3 does")
                .hint("is AWS_ENDPOINT_URL_S3 (or AWS_ENDPOINT_URL) the address of an S3 server?")),
            _ => Err(refusal::fault(&call, &reply)),
        }
    }

    /// `fault` with S3's own words, if it is a refusal.
    pub(super) async fn explained(&self, key: &Path, fault: Fault) -> Fault {
        let is_refusal = fault.why.first().is_some_and(|why| {
            ["the server answered 4", "the server answered 3"].iter().any(|s| why.starts_with(s))
        });
        if !is_refusal {
            return fault;
        }
        match self.taste(key).await {
            Ok((call, reply)) if refusal::code(&reply).is_some() => refusal::fault(&call, &reply),
            _ => fault.hint("is AWS_REGION the region of the bucket?"),
        }
    }

    /// All objects of a release, or of all.
    pub(super) async fn list(&self, tag: Option<&str>) -> Result<Vec<ObjectMeta>, Fault> {
        let below = tag.map_or(self.prefix.clone(), |tag| self.prefix.clone().join(tag));
        let below = Some(&below).filter(|path| !path.as_ref().is_empty());
        let found = self.library.list(below).try_collect().await;
        found.map_err(|error| wire::fault(&self.url, &error))
    }

    /// Whether objects can be listed at all.
    pub(super) async fn list_one(&self) -> Result<(), Fault> {
        let mut found = self.library.list(Some(&self.prefix));
        found.try_next().await.map(drop).map_err(|error| wire::fault(&self.url, &error))
    }
}

fn variable<'a>(settings: &'a StoreSettings, name: &str) -> Option<&'a str> {
    settings.environment.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
}

/// The server that the environment names, if it is not Amazon's.
fn endpoint(settings: &StoreSettings) -> Result<Option<Url>, String> {
    let named = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"]
        .into_iter()
        .find_map(|name| Some((name, variable(settings, name)?)));
    let Some((name, text)) = named else { return Ok(None) };
    let url = Url::parse(text).map_err(|error| format!("{name} is not a URL: {error}"))?;
    let is_here = match url.host_str() {
        Some("localhost" | "[::1]") => true,
        Some(host) => host.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback()),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(Some(url)),
        "http" if is_here => Ok(Some(url)),
        "http" => Err(format!(
            "{name} is `{}`, and forge speaks unprotected http only with this machine",
            without_secrets(text)
        )),
        scheme => Err(format!("{name} is a `{scheme}:` URL, and must be an https one")),
    }
}

/// The variables that the credentials come from, and how to call that.
type Source = (&'static [&'static str], &'static str);

fn login(settings: &StoreSettings) -> Result<Option<Source>, String> {
    let has = |name: &&str| variable(settings, name).is_some();
    let [(key, _), ..] = LOGINS;
    if key.iter().copied().filter(has).count() == 1 {
        return Err("of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY only one is set".into());
    }
    Ok(LOGINS.into_iter().find(|(names, _)| names.iter().all(has)))
}

fn builder(
    name: &str,
    settings: &StoreSettings,
    endpoint: Option<&Url>,
    login: Option<Source>,
) -> AmazonS3Builder {
    let region = variable(settings, "AWS_REGION")
        .or_else(|| variable(settings, "AWS_DEFAULT_REGION"))
        .unwrap_or("us-east-1");
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(name)
        .with_region(region)
        .with_client_options(ClientOptions::new().with_allow_http(true))
        // Trying again is this room's own business.
        .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
        // A name with dots fits no certificate.
        .with_virtual_hosted_style_request(endpoint.is_none() && !name.contains('.'));
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint.as_str());
    }
    let Some((names, _)) = login else {
        // Nothing is signed with them; without any, the library would look for more.
        return builder
            .with_skip_signature(true)
            .with_access_key_id("-")
            .with_secret_access_key("-");
    };
    for name in names.iter().chain(&DETAILS) {
        let key = AmazonS3ConfigKey::from_str(&name.to_lowercase()).ok();
        if let (Some(key), Some(value)) = (key, variable(settings, name)) {
            builder = builder.with_config(key, value);
        }
    }
    builder
}
