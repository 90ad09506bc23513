//! Whose assets are installed: under `trust: ci` the statements beside an asset are read before
//! its first byte is.

use crate::{
    model::{Fault, Sha256},
    probe::{ArtifactSpec, builder_of_asset, trusted_repositories},
    provenance::{Trust, distrusted},
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
        if workspace.trust != Trust::Attested {
            return builder_of_asset(workspace, &want.id.name, (store, tag, asset), sha256).await;
        }
        let label = format!("{tag}/{asset} from {}", store.url());
        let refused = |why| distrusted(Trust::Attested, want.id.name.as_str(), &label, why);
        let unknown =
            "neither forge.lock nor a .sha256 file gives its digest, which attestations are about";
        let sha256 = sha256.ok_or_else(|| refused(unknown.to_owned()))?;
        let repositories = trusted_repositories(workspace);
        let attested = self.attested_builder(want, tag, store, sha256, &repositories).await?;
        attested.map(Some).map_err(refused)
    }
}
