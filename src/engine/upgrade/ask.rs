//! Asking upstream what it has: all at once, each list once, none for long.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures_util::{StreamExt, stream};

use super::{
    ListedVersions, crates,
    go::{ModuleProxies, Modules},
    page,
};
use crate::{
    git::tags_of,
    model::{Fault, Kind},
    process::CommandRunner,
    store::{self, Fetcher, StoreSettings, StoreUrl},
    workspace::Index,
};

/// How many are asked at once.
const AT_ONCE: usize = 16;
/// How long one may take, with all its pages and second tries.
const LIMIT: Duration = Duration::from_secs(60);
/// How long a git repository may take to answer.
const LIMIT_OF_GIT: Duration = Duration::from_secs(30);

/// Who asks.
pub struct Asker<'a> {
    runner: &'a dyn CommandRunner,
    settings: StoreSettings,
    fetcher: Fetcher,
    proxies: ModuleProxies,
}

/// What each list holds, or why it could not be asked.
pub type Answers<'i> = BTreeMap<&'i Index, Result<Vec<ListedVersions>, Fault>>;

impl<'a> Asker<'a> {
    /// Asks with the logins and the network of `settings`, Go modules of `proxies`.
    pub fn new(
        runner: &'a dyn CommandRunner,
        settings: StoreSettings,
        proxies: ModuleProxies,
    ) -> Self {
        // Nobody waits minutes for a list: who does not answer soon is told.
        let settings = StoreSettings {
            attempts: 3,
            patience: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(15),
            ..settings
        };
        Self { runner, fetcher: Fetcher::new(&settings), settings, proxies }
    }

    /// Asks for all of `indices`; also whether the version `wanted` is there, where a list may lack
    /// it. One that cannot be asked does not keep the others from it.
    pub async fn ask<'i>(&self, indices: BTreeSet<&'i Index>, wanted: Option<&str>) -> Answers<'i> {
        let asked = indices.into_iter().map(|index| async move {
            let answer = match tokio::time::timeout(LIMIT, self.list(index, wanted)).await {
                Ok(answer) => answer,
                Err(_) => Err(Fault::new(Kind::Store, "it does not answer")
                    .because(format!("{} s were not enough", LIMIT.as_secs()))),
            };
            (index, answer.map_err(|fault| fault.within(format!("cannot ask for {index}"))))
        });
        stream::iter(asked).buffer_unordered(AT_ONCE).collect().await
    }

    async fn list(
        &self,
        index: &Index,
        wanted: Option<&str>,
    ) -> Result<Vec<ListedVersions>, Fault> {
        match index {
            Index::Releases(url) => self.releases(url).await,
            Index::Tags(url) => {
                let tags = tags_of(self.runner, url, LIMIT_OF_GIT).await?;
                let listed = tags.into_iter().map(|tag| ListedVersions::named(tag.tag.name));
                Ok(listed.collect())
            }
            Index::Go { path, is_module } => {
                let Self { fetcher, runner, proxies, .. } = self;
                let (runner, limit) = (*runner, LIMIT_OF_GIT);
                let modules = Modules { proxies, fetcher, runner, limit, wanted };
                modules.versions(path, *is_module).await
            }
            Index::Crate(name) => {
                let base = self.settings.environment.get("FORGE_CRATES_INDEX");
                let base = base.map_or(crates::INDEX, |base| base.trim());
                crates::versions(&self.fetcher, base, name).await
            }
            Index::Page { url, pattern } => page::versions(&self.fetcher, url, pattern).await,
        }
    }

    /// The releases of the repository at `url`. Drafts are nobody's yet.
    async fn releases(&self, url: &str) -> Result<Vec<ListedVersions>, Fault> {
        let url = StoreUrl::parse(&format!("github:{url}"))
            .map_err(|why| Fault::new(Kind::Usage, why))?;
        let releases = store::open(&url, &self.settings)?.releases().await?;
        let published = releases.into_iter().filter(|release| !release.is_draft);
        let listed = published.map(|release| ListedVersions {
            is_pre: release.is_prerelease,
            ..ListedVersions::named(release.tag)
        });
        Ok(listed.collect())
    }
}
