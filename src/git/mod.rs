//! To be written.
use crate::{model::Fault, process::CommandRunner};
pub struct Resolved {
    pub commit: String,
}
pub async fn resolve(_: &dyn CommandRunner, _: &str, _: &str) -> Result<Resolved, Fault> {
    todo!()
}
pub async fn checkout(
    _: &dyn CommandRunner,
    _: &str,
    _: &str,
    _: Option<&str>,
    _: &std::path::Path,
) -> Result<String, Fault> {
    todo!()
}
