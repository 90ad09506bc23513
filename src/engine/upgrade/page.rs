//! Versions that a page or document names, found by a pattern.

use std::collections::BTreeSet;

use regex::Regex;

use super::ListedVersions;
use crate::{
    model::{Fault, Kind},
    store::Fetcher,
};

/// The longest page that is read, in bytes.
const MAX_BYTES: u64 = 16 << 20;

/// The versions that `pattern` finds at `url`.
pub(super) async fn versions(
    fetcher: &Fetcher,
    url: &str,
    pattern: &str,
) -> Result<Vec<ListedVersions>, Fault> {
    let text = fetcher
        .get_page(url, MAX_BYTES)
        .await?
        .ok_or_else(|| Fault::new(Kind::Store, format!("there is nothing at {url}")))?;
    let wrong = |error: regex::Error| {
        Fault::new(Kind::Usage, format!("`{pattern}` is not a pattern")).because(error.to_string())
    };
    let found = named(&text, &Regex::new(pattern).map_err(wrong)?);
    if found.is_empty() {
        return Err(Fault::new(Kind::Store, format!("nothing at {url} is like `{pattern}`"))
            .hint("look at what is there now, and correct `newer.pattern` of the spec"));
    }
    Ok(found)
}

/// What `pattern` finds in `text`: its first group, or all of it.
fn named(text: &str, pattern: &Regex) -> Vec<ListedVersions> {
    let found = pattern.captures_iter(text).filter_map(|found| found.get(1).or(found.get(0)));
    let names: BTreeSet<&str> = found.map(|found| found.as_str()).collect();
    names.into_iter().map(ListedVersions::named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_group_or_all_of_a_pattern_is_a_version() {
        let page = "<a href=t-1.2.tgz>1.2</a> <a href=t-1.10.tgz>1.10</a> <a href=t-1.2.tgz>";
        for pattern in [r"t-([0-9.]+)\.tgz", r"\b1\.[0-9]+"] {
            let names: Vec<_> =
                named(page, &Regex::new(pattern).unwrap()).into_iter().map(|it| it.name).collect();
            assert_eq!(names, ["1.10", "1.2"], "{pattern}");
        }
    }
}
