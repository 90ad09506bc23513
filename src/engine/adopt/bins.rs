//! Which binaries a crate yields, by what is in it. Its index does not say; the packed crate does
//! (The Cargo Book, "Registry Index", "Cargo Targets").

use serde::Deserialize;

use super::{Adopter, contents::fetch};
use crate::{
    disk::{MOST_OF_TEXT, read_text},
    model::{Fault, Kind},
    store::Fetcher,
};

/// Where the index of crates.io is.
const INDEX: &str = "https://index.crates.io";

/// What the index says of itself.
#[derive(Deserialize)]
struct IndexConfig {
    dl: String,
}

/// The binaries of `version` of the crate `name`.
pub async fn of_crate(
    adopter: &Adopter<'_>,
    name: &str,
    version: &str,
) -> Result<Vec<String>, Fault> {
    let base =
        adopter.settings.environment.get("FORGE_CRATES_INDEX").map_or(INDEX, |base| base.trim());
    let url = format!("{}/config.json", base.trim_end_matches('/'));
    let broken =
        |why: String| Fault::new(Kind::Store, format!("{url} cannot be used")).because(why);
    let text = Fetcher::new(&adopter.settings).get_text(&url, MOST_OF_TEXT).await?;
    let text = text.ok_or_else(|| broken("it is not there".into()))?;
    let config: IndexConfig = serde_json::from_str(&text).map_err(|e| broken(e.to_string()))?;
    let fetched = fetch(adopter, &link(&config.dl, name, version), name).await?;
    let top = format!("{name}-{version}");
    let manifest = fetched.path(&format!("{top}/Cargo.toml"));
    let manifest = read_text(&manifest, MOST_OF_TEXT)
        .map_err(|error| Fault::io(format!("cannot read Cargo.toml of {name}"), &error))?;
    let files = fetched.files().filter_map(|path| path.strip_prefix(&format!("{top}/")));
    let binaries = binaries(&manifest, name, files.collect());
    match binaries.is_empty() {
        true => Err(Fault::new(Kind::Usage, format!("the crate {name} yields no program"))
            .because("it is a library: it has neither `src/main.rs` nor `[[bin]]`")),
        false => Ok(binaries),
    }
}

/// Where a packed crate is.
fn link(template: &str, name: &str, version: &str) -> String {
    if !template.contains('{') {
        return format!("{}/{name}/{version}/download", template.trim_end_matches('/'));
    }
    template.replace("{crate}", name).replace("{version}", version)
}

/// The binaries that `manifest` names, or that follow from `files`.
pub fn binaries(manifest: &str, name: &str, files: Vec<&str>) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_in_bin = false;
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            is_in_bin = line == "[[bin]]";
        } else if let (true, Some((key, value))) = (is_in_bin, line.split_once('='))
            && key.trim() == "name"
        {
            found.push(value.trim().trim_matches(['"', '\'']).to_owned());
        }
    }
    if !found.is_empty() {
        return found;
    }
    for file in files {
        match file.strip_prefix("src/bin/").and_then(|it| it.strip_suffix(".rs")) {
            Some(bin) => found.push(bin.trim_end_matches("/main").to_owned()),
            None if file == "src/main.rs" => found.push(name.to_owned()),
            None => {}
        }
    }
    found.retain(|binary| !binary.contains('/'));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binaries_are_named_or_follow_from_files() {
        let named = "[package]\nname = \"ripgrep\"\n[[bin]]\nname = \"rg\"\npath = \"x\"\n[[test]]\nname = \"t\"\n";
        assert_eq!(binaries(named, "ripgrep", vec!["src/main.rs"]), ["rg"]);
        let plain = "[package]\nname = \"just\"\n";
        let files = vec!["src/bin/b.rs", "src/bin/c/main.rs", "src/lib.rs", "src/main.rs"];
        assert_eq!(binaries(plain, "just", files), ["b", "c", "just"]);
        assert!(binaries(plain, "just", vec!["src/lib.rs"]).is_empty());
    }

    #[test]
    fn crates_are_where_the_index_says() {
        assert_eq!(
            link("https://x/api/v1/crates", "a", "1.0.0"),
            "https://x/api/v1/crates/a/1.0.0/download"
        );
        assert_eq!(
            link("https://x/{crate}/{crate}-{version}.crate", "a", "1.0.0"),
            "https://x/a/a-1.0.0.crate"
        );
    }
}
