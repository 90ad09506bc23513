//! Whose assets are downloaded: under `trust: ci` the statements beside an asset are read before
//! its first byte is.

use crate::{
    model::{Fault, Sha256},
    probe::{ArtifactSpec, trusted_repositories},
    provenance::{
        MAX_BYTES, Trust, distrusted, judge, promotion_name, read_statements, statement_name,
    },
    store::{Store, read_text},
};

use super::Context;

impl Context {
    /// Who built the asset of `want` in the release `tag` of `store`; nobody is asked unless the
    /// workspace wants to know. `sha256` is the digest that the asset will be held to.
    ///
    /// # Errors
    /// `Verification` if the workspace does not take assets of whoever built it; `Store` if that
    /// cannot be read.
    pub(super) async fn trusted_builder(
        &self,
        want: &ArtifactSpec,
        tag: &str,
        store: &dyn Store,
        sha256: Option<Sha256>,
    ) -> Result<Option<String>, Fault> {
        let workspace = self.workspaces.any();
        if workspace.trust == Trust::Any {
            return Ok(None);
        }
        let label = format!("{tag}/{} from {}", want.asset, store.url());
        let refused = |why: String| distrusted(want.id.name.as_str(), &label, why);
        let sha256 = sha256.ok_or_else(|| {
            refused(
                "neither forge.lock nor a .sha256 file gives its digest, which provenance is about"
                    .into(),
            )
        })?;
        let repositories = trusted_repositories(workspace);
        let (mut statements, mut unread, mut why) = (Vec::new(), None, String::new());
        for name in [statement_name(&want.asset), promotion_name(&want.asset)] {
            let text = read_text(store, tag, &name, MAX_BYTES).await?.unwrap_or_default();
            match read_statements(&text) {
                Ok(read) => statements.extend(read),
                Err(wrong) => {
                    unread = Some(format!("its provenance {name} cannot be used: {wrong}"));
                }
            }
            match judge(Trust::Ci, &repositories, sha256, &statements) {
                Ok(builder) => return Ok(builder.map(|builder| builder.id().to_owned())),
                Err(reason) => why = reason,
            }
        }
        Err(refused(unread.unwrap_or(why)))
    }
}
