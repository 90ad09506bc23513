//! What the API of a repository's host has beside releases: records of deployments, statuses of commits,
//! comments. It is asked with the login, the pace and the patience of its store; what the answers mean is
//! for those who ask.

use std::time::Duration;

use reqwest::{Method, StatusCode, Url};
use serde_json::Value;

use super::{api::HostApi, github, gitlab};
use crate::{
    model::Fault,
    store::{StoreSettings, StoreUrl, call::ApiRequest, retry::retrying},
};

/// The API for one repository.
pub struct RepositoryApi {
    api: HostApi,
    kind: RepositoryHost,
}

/// Whose API it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepositoryHost {
    /// GitHub's.
    GitHub,
    /// GitLab's.
    GitLab,
}

/// How something is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiChange {
    /// Something new is made, once: it is not known what became of a call without an answer.
    Create,
    /// The same, of which a second one does no harm, so that it is tried again.
    Add,
    /// What is there is changed, in part.
    Edit,
    /// What is there is replaced.
    Replace,
}

/// The API of the repository that `url` is the store of; nothing if its host has none of this.
///
/// # Errors
/// As [`crate::store::open`].
pub fn repository_api(
    url: &StoreUrl,
    settings: &StoreSettings,
) -> Result<Option<RepositoryApi>, Fault> {
    let name = url.to_string();
    Ok(match url {
        StoreUrl::GitHub { base, owner, repo } => {
            let server = github::GitHubServer::find(base.as_deref(), &settings.environment)?;
            let api = github::api(name, &server, [owner, repo], settings);
            Some(RepositoryApi { api, kind: RepositoryHost::GitHub })
        }
        StoreUrl::GitLab { base, project } => {
            let api = gitlab::api(name, base.as_deref(), project, settings)?;
            Some(RepositoryApi { api, kind: RepositoryHost::GitLab })
        }
        _ => None,
    })
}

impl RepositoryApi {
    /// Whose it is.
    pub fn kind(&self) -> RepositoryHost {
        self.kind
    }

    /// Whether there is a login.
    pub async fn has_login(&self) -> bool {
        self.api.account.login().await.is_some()
    }

    fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.api.resource(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// The first `pages` of the list at `path` below the repository.
    ///
    /// # Errors
    /// `Store` if it cannot be read, or the repository does not show it.
    pub async fn list(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        pages: usize,
    ) -> Result<Vec<Value>, Fault> {
        let listed = self.api.list(self.url(path, query), pages, Duration::ZERO).await?;
        match listed {
            Some(all) => Ok(all),
            None => Err(self.api.who().await.hidden()),
        }
    }

    /// The first entries of the list at `path` below the repository, as many as `query` asks for.
    ///
    /// # Errors
    /// As [`Self::list`].
    pub async fn page(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Vec<Value>, Fault> {
        match self.api.get(self.url(path, query), Duration::ZERO).await? {
            Some(all) => Ok(all),
            None => Err(self.api.who().await.hidden()),
        }
    }

    /// What is at `path` below the repository; nothing if it is not there.
    ///
    /// # Errors
    /// `Store` if it cannot be read.
    pub async fn find(&self, path: &[&str]) -> Result<Option<Value>, Fault> {
        self.api.get(self.url(path, &[]), Duration::ZERO).await
    }

    /// Deletes what is at `path` below the repository; that it is gone already is good as well.
    ///
    /// # Errors
    /// As [`Self::change`].
    pub async fn delete(&self, path: &[&str]) -> Result<(), Fault> {
        let call = ApiRequest::new(Method::DELETE, self.url(path, &[]));
        retrying(self.api.settings(), || async {
            let reply = self.api.write(&call).await?;
            match reply.status {
                StatusCode::NOT_FOUND => Ok(()),
                status if status.is_success() => Ok(()),
                _ => Err(self.api.refused(&call, &reply).await),
            }
        })
        .await
    }

    /// Changes what is at `path` below the repository, and gives what is there then.
    ///
    /// # Errors
    /// `Store` if it is refused, or cannot be asked.
    pub async fn change(
        &self,
        how: ApiChange,
        path: &[&str],
        body: &Value,
    ) -> Result<Value, Fault> {
        let method = match how {
            ApiChange::Create | ApiChange::Add => Method::POST,
            ApiChange::Edit => Method::PATCH,
            ApiChange::Replace => Method::PUT,
        };
        let call = ApiRequest::new(method, self.url(path, &[])).json(body);
        let attempt = || async {
            let reply = self.api.write(&call).await?;
            match reply.status {
                StatusCode::NO_CONTENT => Ok(Value::Null),
                status if status.is_success() => reply.parse(&call),
                _ => Err(self.api.refused(&call, &reply).await),
            }
        };
        match how {
            ApiChange::Create => attempt().await.map_err(|failure| failure.fault),
            _ => retrying(self.api.settings(), attempt).await,
        }
    }
}
