//! Exit codes, stores, and what is where.

use std::fmt::Write as _;

use super::{ReferenceTopic, code, table};
use crate::{
    model::{Kind, Layout, UserFolders},
    store::STORE_KINDS,
};

/// What each exit code says.
pub(super) fn exit_codes(_: &ReferenceTopic) -> String {
    let done = vec!["0".to_owned(), "Done.".to_owned()];
    let row =
        |(kind, meaning): &(Kind, &str)| vec![kind.exit_code().to_string(), (*meaning).into()];
    let rows = Kind::MEANINGS.iter().map(row);
    let mut text = table(&["code", "meaning"], std::iter::once(done).chain(rows));
    text.push_str(
        "Of several things that went wrong the root cause decides. `forge outdated --exit-code` ends \
         with 1 if something is outdated, and `forge migrate` with 3 if a person has to look at what \
         it wrote.\n",
    );
    text
}

/// How `releases:` names a store.
pub(super) fn stores(_: &ReferenceTopic) -> String {
    let row = |(_, shape, meaning): &(&str, &str, &str)| vec![code(shape), (*meaning).to_owned()];
    let mut text = table(&["store", "what it is"], STORE_KINDS.iter().map(row));
    text.push_str(
        "```yaml\nreleases:\n  - github:OWNER/REPO\n  - https://mirror.example.org/releases\n```\n\n\
         Without `releases:`, a folder of your own serves: see [files and folders](layout.md). Which login is \
         used, and what may be published from where, says `forge doctor`. A token goes to its own host and to \
         no other: see [environment variables](environment.md#logins).\n",
    );
    text
}

/// What is where in a store.
const STORE: &[(&str, &str)] = &[
    (
        "TAG",
        "A release: `NAME-VERSION`, unless the spec has a `tag`; `+` for each `/` of a name; `-r2` at its end for a second recipe of the same version.",
    ),
    (
        "TAG/BINARY-PLATFORM.tar.gz",
        "An asset: the binaries, and the stamp as `.version`. `BINARY` is the first of `binary`; `package` decides on the ending.",
    ),
    ("TAG/BINARY-PLATFORM.tar.gz.sha256", "Its SHA-256, as `sha256sum` writes it."),
    (
        "TAG/BINARY-PLATFORM.tar.gz.intoto.jsonl",
        "Who built it, from what: an in-toto statement with SLSA provenance, unsigned.",
    ),
];

/// What is where.
pub(super) fn layout(_: &ReferenceTopic) -> String {
    let row = |(path, meaning): &(&str, &str)| vec![code(path), (*meaning).to_owned()];
    let mut text = String::from("## In the workspace\n\n");
    text.push_str(&table(&["path", "what it is"], Layout::PLACES.iter().map(row)));
    text.push_str("## Of the user\n\n");
    text.push_str(&table(&["path", "what it is"], UserFolders::PLACES.iter().map(row)));
    text.push_str("## In a store\n\n");
    text.push_str(&table(&["path", "what it is"], STORE.iter().map(row)));
    let _ = writeln!(
        text,
        "A folder of this shape behind any web server is a store too: `https://…`. GitHub's download URLs have \
         the same shape."
    );
    text
}
