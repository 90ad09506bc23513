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

impl Registries {
    /// Who is asking, and what they may do with `repository`. Whether it may be pushed to is seen by
    /// beginning an upload, which is taken back.
    ///
    /// # Errors
    /// `Store` if the registry cannot be reached.
    pub async fn access(&self, repository: &ImageRepository) -> Result<Access, Fault> {
        let login = self.keys.login_source(repository).await;
        let mut notes = Vec::new();
        let read = self.tags(repository).await;
        if let Err(fault) = &read {
            notes.push(note(fault));
        }
        let may_write = match self.begin_upload(repository).await {
            Ok(()) => true,
            Err(fault) => {
                notes.push(note(&fault));
                false
            }
        };
        Ok(Access { login, may_read: read.is_ok(), may_write: Some(may_write), notes })
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
