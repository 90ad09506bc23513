//! The reference in `docs/reference` is what forge itself says. `FORGE_WRITE_REFERENCE=1 cargo test
//! reference` writes it.

use std::{collections::BTreeSet, env, fs, path::Path};

use forge::cli::reference::TOPICS;
use regex::Regex;

use crate::architecture::sources;

/// What forge says to its own children, or only looks for.
const INTERNAL: &[&str] = &[
    "FORGE_TEXT",
    "FORGE_SURELY_UNSET",
    "FORGE_GITLAB_TOKEN",
    "PATH",
    "REQUEST_METHOD",
    "FORGE_BUILT_COMMIT",
    "FORGE_BUILT_DATE",
];

#[test]
fn the_reference_is_what_forge_says() {
    let mut stale = Vec::new();
    for topic in TOPICS {
        let path = Path::new("docs/reference").join(topic.name).with_extension("md");
        let page = topic.markdown();
        if env::var_os("FORGE_WRITE_REFERENCE").is_some() {
            fs::create_dir_all("docs/reference").expect("the folder");
            fs::write(&path, &page).expect("the page");
        }
        if fs::read_to_string(&path).unwrap_or_default() != page {
            stale.push(path.display().to_string());
        }
    }
    assert!(
        stale.is_empty(),
        "not what forge says: {}\nhelp: `FORGE_WRITE_REFERENCE=1 cargo test reference` writes them",
        stale.join(", ")
    );
}

#[test]
fn every_variable_that_forge_reads_is_in_the_reference() {
    let page = fs::read_to_string("docs/reference/environment.md").expect("the page");
    let read = Regex::new(r#"(?:environment|get|path|raw|given|set|variable)\((?:\w+, )?"([A-Z_]{4,})"\)|"(FORGE_[A-Z_]+)""#).unwrap();
    let mut missing = BTreeSet::new();
    for path in sources(Path::new("src")) {
        let place = path.display().to_string();
        // What hosts of CI say of a run is described by host.
        if place.contains("tests") || place.contains("provenance") || place.contains("taskfile") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for found in read.captures_iter(code) {
            let name = found.get(1).or(found.get(2)).expect("a name").as_str();
            let internal =
                INTERNAL.contains(&name) || name.starts_with("GIT_") || name.starts_with("SSH_");
            if !internal && !page.contains(&format!("`{name}`")) {
                missing.insert(format!("{name} ({place})"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
