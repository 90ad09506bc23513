//! Who is asking, and what they may do: for `forge doctor`.

use reqwest::{Method, StatusCode};

use super::{
    super::{
        Access,
        call::{ApiRequest, Content},
    },
    Registries, RegistryScope,
};
use crate::model::{Fault, oci::ImageRepository};

/// What whoever asks may do with a repository, and why not.
#[derive(Clone, Debug)]
pub struct RegistryAccess {
    /// Where the login came from, if there is one. Never the login itself.
    pub login: Option<String>,
    /// Whether it may be read.
    pub read: Result<(), Fault>,
    /// Whether it may be pushed to; a repository that is not there may be read and not pushed to.
    pub write: Result<(), Fault>,
}

impl Registries {
    /// Who is asking, and what they may do with `repository`. Whether it may be pushed to is seen by
    /// beginning an upload, which is taken back.
    pub async fn examine(&self, repository: &ImageRepository) -> RegistryAccess {
        let read = self.tags(repository).await.map(drop);
        let write = match &read {
            Ok(()) => self.begin_upload(repository).await,
            // Who does not answer is not asked again.
            Err(fault) => Err(fault.clone()),
        };
        RegistryAccess { login: self.keys.login_source(repository).await, read, write }
    }

    /// The same as a store says it.
    ///
    /// # Errors
    /// `Store` if the registry cannot be reached.
    pub async fn access(&self, repository: &ImageRepository) -> Result<Access, Fault> {
        let RegistryAccess { login, read, write } = self.examine(repository).await;
        let mut notes: Vec<_> =
            [&read, &write].into_iter().filter_map(|it| it.as_ref().err()).collect();
        notes.dedup();
        let notes = notes.into_iter().map(note).collect();
        Ok(Access { login, may_read: read.is_ok(), may_write: Some(write.is_ok()), notes })
    }

    async fn begin_upload(&self, repository: &ImageRepository) -> Result<(), Fault> {
        let scopes = [RegistryScope::push(repository)];
        let begin = Self::request(Method::POST, repository, &["blobs", "uploads", ""])?
            .failing(format!("cannot push to {repository}"))
            .carrying(Content::Bytes(bytes::Bytes::new()), "application/octet-stream");
        let reply = self.ask(&begin, repository, &scopes).await?;
        if reply.status != StatusCode::ACCEPTED {
            return Err(self.refused(&begin, repository, &reply).await.fault);
        }
        if let Some(upload) = reply.header("location").and_then(|to| reply.url.join(to).ok())
            && upload.origin() == begin.url.origin()
        {
            // Whatever comes of it: what is begun and not ended is cleaned up there.
            let _ = self.send(ApiRequest::new(Method::DELETE, upload), repository, &scopes).await;
        }
        Ok(())
    }
}

fn note(fault: &Fault) -> String {
    match &fault.hint {
        Some(hint) => format!("{fault}; {hint}"),
        None => fault.to_string(),
    }
}
