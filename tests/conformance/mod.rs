//! One suite for every store, against servers that others wrote where there are any.

mod gitea;
mod github;
mod gitlab;
mod plain;
mod s3;
mod servers;
mod suite;
