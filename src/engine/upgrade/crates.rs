//! Versions of crates, by the index of crates.io.
//!
//! The index is sparse: a file per crate, a line of JSON per version, of which `vers` and `yanked`
//! matter here (The Cargo Book, "Registry Index", <https://doc.rust-lang.org/cargo/reference/registry-index.html>).

use serde::Deserialize;

use super::ListedVersions;
use crate::{
    model::{Fault, Kind},
    store::Fetcher,
};

/// Where the index of crates.io is.
pub(super) const INDEX: &str = "https://index.crates.io";
/// The longest file that is read of it, in bytes: some ten thousand versions.
const MAX_BYTES: u64 = 32 << 20;

/// A line of the index.
#[derive(Deserialize)]
struct IndexLine {
    vers: String,
    #[serde(default)]
    yanked: bool,
}

/// The versions of the crate `name` in the index at `base`.
pub(super) async fn versions(
    fetcher: &Fetcher,
    base: &str,
    name: &str,
) -> Result<Vec<ListedVersions>, Fault> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let absent = || {
        Fault::new(Kind::Store, format!("there is no crate `{name}`"))
            .because(format!("{base} does not list it"))
    };
    if name.is_empty() || !name.chars().all(is_name) {
        return Err(absent().hint("crates are called with letters, digits, `-` and `_`"));
    }
    let url = format!("{}/{}", base.trim_end_matches('/'), path(name));
    let text = fetcher.get_text(&url, MAX_BYTES).await?.ok_or_else(absent)?;
    // Lines that are not understood are for others: so does cargo.
    let line = |line: &str| serde_json::from_str::<IndexLine>(line).ok();
    let listed = |line: IndexLine| ListedVersions {
        is_withdrawn: line.yanked,
        ..ListedVersions::named(line.vers)
    };
    Ok(text.lines().filter_map(line).map(listed).collect())
}

/// Where the file of the crate `name` is: below folders of its first letters.
fn path(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    match name.len() {
        1 | 2 => format!("{}/{name}", name.len()),
        3 => format!("3/{}/{name}", &name[..1]),
        _ => format!("{}/{}/{name}", &name[..2], &name[2..4]),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn files_are_below_folders_of_the_first_letters() {
        for (name, path) in
            [("a", "1/a"), ("ab", "2/ab"), ("abc", "3/a/abc"), ("Cargo-Edit", "ca/rg/cargo-edit")]
        {
            assert_eq!(super::path(name), path);
        }
    }
}
