//! What this forge is: its version, the commit that it was built from, and where forge is released.

/// The version, without a `v`.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The page of forge's own repository: `repository` of Cargo.toml, the one place that says it.
const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");
/// The commit that it was built from, and the day of that; known to release builds from a clean clone.
const COMMIT: Option<&str> = option_env!("FORGE_BUILT_COMMIT");
const DATE: Option<&str> = option_env!("FORGE_BUILT_DATE");

/// The page of forge's own repository, if it is known.
pub(super) fn repository() -> Option<&'static str> {
    Some(REPOSITORY).filter(|url| !url.is_empty())
}

/// The commit that this forge was built from, if it is known.
pub(super) fn commit() -> Option<&'static str> {
    COMMIT
}

/// What `forge --version` says after the name.
pub(super) fn version_line() -> String {
    line(VERSION, COMMIT, DATE)
}

fn line(version: &str, commit: Option<&str>, date: Option<&str>) -> String {
    let short = |commit: &str| commit.chars().take(12).collect::<String>();
    match (commit.map(short), date) {
        (Some(commit), Some(date)) => format!("{version} ({commit} {date})"),
        (Some(known), None) => format!("{version} ({known})"),
        (None, _) => version.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_names_its_commit_where_that_is_known() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(line("0.2.0", None, None), "0.2.0");
        assert_eq!(
            line("0.2.0", Some(commit), Some("2026-11-29")),
            "0.2.0 (0123456789ab 2026-11-29)"
        );
    }
}
