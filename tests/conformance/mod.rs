//! One suite for every store, against servers that others wrote where there are any.

mod gitea;
mod github;
mod gitlab;
pub mod oci;
mod plain;
mod s3;
pub mod servers;
pub mod suite;
