//! Whose assets are downloaded: under `trust: ci` the statements beside an asset are read before
//! its first byte is.

use crate::{
    model::{Fault, Sha256},
    probe::{ArtifactSpec, builder_of_asset},
    store::Store,
};

use super::Context;

impl Context {
    /// Who built the asset of `want` in the release `tag` of `store`. `sha256` is the digest that the
    /// asset will be held to.
    ///
    /// # Errors
    /// As [`builder_of_asset`].
    pub(super) async fn trusted_builder(
        &self,
        want: &ArtifactSpec,
        tag: &str,
        store: &dyn Store,
        sha256: Option<Sha256>,
    ) -> Result<Option<String>, Fault> {
        let (workspace, asset) = (self.workspaces.any(), want.asset.as_str());
        builder_of_asset(workspace, &want.id.name, (store, tag, asset), sha256).await
    }
}
