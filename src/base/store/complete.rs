//! When a release has everything that it should have.

use super::{StoreRelease, Upload};

/// All that makes `release` complete: each asset with what stands beside it, which is the same
/// for all, and so the same as for `upload`.
pub(super) fn wanted(release: &StoreRelease, upload: &Upload) -> Vec<String> {
    let beside: Vec<_> =
        upload.sidecars.iter().filter_map(|(name, _)| name.strip_prefix(&upload.asset)).collect();
    let mut assets = release.expected.clone();
    if !assets.contains(&upload.asset) {
        assets.push(upload.asset.clone());
    }
    let mut wanted: Vec<_> = assets
        .iter()
        .flat_map(|asset| beside.iter().map(move |end| format!("{asset}{end}")))
        .chain(assets.iter().cloned())
        .collect();
    wanted.sort();
    wanted
}
