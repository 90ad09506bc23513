//! The HTTP store: any web server that serves `<base>/<tag>/<asset>`. Read-only. A served
//! directory store is one, and so are the public downloads of a forge.

use std::{path::Path, sync::Arc};

use futures_util::future::try_join;
use reqwest::{Method, Url};

use super::{
    AssetInfo, AssetStream, Pending, Published, Settings, Store, check_names,
    client::{Answer, Client},
    fetch::read_text,
    retry::retrying,
    sidecar, transfer,
    url::without_secrets,
};
use crate::model::{Fault, Kind, Sha256};

/// Releases on a web server.
pub(super) struct Http {
    /// For messages.
    url: String,
    base: Url,
    client: Arc<Client>,
}

impl Http {
    /// The store below `base`. Connects to nothing yet.
    pub(super) fn new(base: Url, settings: &Settings) -> Self {
        Self { url: without_secrets(base.as_str()), base, client: Arc::new(Client::new(settings)) }
    }

    fn asset_url(&self, tag: &str, asset: &str) -> Result<Url, Fault> {
        check_names(tag, asset)?;
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| Fault::new(Kind::Usage, format!("`{}` has no path", self.url)))?
            .pop_if_empty()
            .extend([tag, asset]);
        Ok(url)
    }

    /// `None` if it is not there, else its size if the server says.
    async fn head(&self, url: Url) -> Result<Option<Option<u64>>, Fault> {
        let client = &self.client;
        match retrying(&client.settings, || client.exchange(Method::HEAD, &url, &[])).await? {
            Answer::Absent => Ok(None),
            Answer::Found(response) => Ok(Some(transfer::size(&response))),
        }
    }

    async fn sidecar(&self, url: Url, asset: &str) -> Result<Option<Sha256>, Fault> {
        let what = format!("the checksum at {} cannot be used", without_secrets(url.as_str()));
        let Some(stream) = transfer::open(self.client.clone(), url).await? else { return Ok(None) };
        read_text(stream, sidecar::MAX_BYTES)
            .await?
            .and_then(|text| sidecar::read(&text, asset))
            .map_err(|why| Fault::new(Kind::Store, what).because(why))
    }
}

impl Store for Http {
    fn url(&self) -> &str {
        &self.url
    }

    fn is_writable(&self) -> bool {
        false
    }

    fn find<'a>(
        &'a self,
        tag: &'a str,
        asset: &'a str,
    ) -> Pending<'a, Result<Option<AssetInfo>, Fault>> {
        Box::pin(async move {
            let url = self.asset_url(tag, asset)?;
            let sidecar = self.asset_url(tag, &sidecar::name(asset))?;
            // Together: a second round trip would cost more than a question in vain.
            let (size, sha256) = try_join(self.head(url), self.sidecar(sidecar, asset)).await?;
            Ok(size.map(|size| AssetInfo { size, sha256 }))
        })
    }

    fn open<'a>(
        &'a self,
        tag: &'a str,
        asset: &'a str,
    ) -> Pending<'a, Result<Option<AssetStream>, Fault>> {
        Box::pin(
            async move { transfer::open(self.client.clone(), self.asset_url(tag, asset)?).await },
        )
    }

    fn publish<'a>(
        &'a self,
        tag: &'a str,
        asset: &'a str,
        _path: &'a Path,
        _sha256: Sha256,
    ) -> Pending<'a, Result<Published, Fault>> {
        Box::pin(async move {
            Err(Fault::new(Kind::Store, format!("cannot publish {tag}/{asset} to {}", self.url))
                .because("a web server is only read")
                .hint("put a store that can be written first in `releases`"))
        })
    }

    fn tags<'a>(&'a self) -> Pending<'a, Result<Vec<String>, Fault>> {
        Box::pin(async move {
            Err(Fault::new(Kind::Store, format!("cannot list the releases at {}", self.url))
                .because("a plain web server does not list them"))
        })
    }
}
