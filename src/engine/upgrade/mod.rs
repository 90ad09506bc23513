//! What upstream has that is newer, and edits of `versions.yml`.
//!
//! ```text
//! Index ─ ask ─┬> git: tags            ─┐
//!              ├> store: releases       │
//!              ├> go: proxies           ├> Listed ─ Form ─> Offers ─ newest ─> Offer
//!              ├> crates: an index      │
//!              └> page: a pattern      ─┘
//! versions.yml ─> Pins ─ with ─> text ─┐
//! forge.lock ──────────────────────────┴ change ─> both files, or neither
//! registries ─ bases ─> tags and digests of what images stand on; specs that name another one
//! history ─ earlier ─> what a pin was before
//! ```

mod ask;
mod bases;
mod change;
mod compare;
mod crates;
mod earlier;
mod find;
mod go;
mod offer;
mod page;
mod pins;
mod retract;
mod roster;
mod step;

pub use ask::Asker;
pub use bases::{BaseLook, BasePin, look_at_bases, with_base};
pub use change::PinEdit;
pub use compare::comparison;
pub use earlier::before;
pub use find::{Looked, UpstreamAnswer, find_upgrades, unlike};
pub use go::ModuleProxies;
pub use offer::{ListedVersions, OfferFilter, Offers, is_newer};
pub use pins::{ManifestPin, ManifestPins};
pub use roster::RosterEdit;
pub use step::{PinChange, SharedPin, exists, has_stale_digest};
