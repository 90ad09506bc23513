//! `forge image --load`: an image, handed to the engine that is on this machine.

use std::path::Path;

use crate::model::{Fault, ImageReport, Kind, Layout};

use super::super::session::Session;

/// Hands the images of `reports` to docker or podman.
pub(super) fn load(session: &Session, _: &Layout, _: &[ImageReport]) -> Result<(), Fault> {
    let _ = (session, Path::new(""));
    Err(Fault::new(Kind::Usage, "`--load` is not there yet"))
}
