//! `newer:` of a spec: where upstream lists its versions, if that does not follow from the rest.

use super::{
    document::text,
    language::field,
    node::{Node, Scalar},
    shape::{
        Mapping,
        Presence::{Optional, RequiredWith, With},
        Shape::Text,
    },
};

/// `newer:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewerDoc {
    /// The releases of a repository of GitHub.
    GitHub(Scalar),
    /// The tags of a git repository.
    Tags {
        /// `tags`.
        url: Scalar,
        /// `tag`.
        tag: Option<Scalar>,
    },
    /// A Go module.
    Go(Scalar),
    /// A crate.
    Crate(Scalar),
    /// A page or document.
    Page {
        /// `url`.
        url: Scalar,
        /// `pattern`.
        pattern: Scalar,
    },
}

/// The table of `newer:`.
pub(super) static NEWER: Mapping = Mapping {
    what: "where newer versions are listed",
    exactly_one: &["github", "tags", "go", "crate", "url"],
    fields: &[
        field(
            "github",
            Optional,
            Text("a repository such as `OWNER/REPO`"),
            "A repository of GitHub, whose releases are asked for.",
        )
        .example("OWNER/REPO"),
        field(
            "tags",
            Optional,
            Text("the URL of a git repository"),
            "A git repository, whose tags are asked for.",
        )
        .example("https://git.example.org/tool.git"),
        field(
            "tag",
            With("tags"),
            Text("a template such as `server/{{ version }}`"),
            "How its tags are called.",
        )
        .default("`{{ version }}`")
        .example(r#""server/{{ version }}""#),
        field("go", Optional, Text("a module path"), "A Go module.").example("example.org/module"),
        field("crate", Optional, Text("the name of a crate"), "A crate of crates.io.")
            .example("ripgrep"),
        field("url", Optional, Text("a URL"), "A page or document that names the versions.")
            .example("https://example.org/downloads/"),
        field(
            "pattern",
            RequiredWith("url"),
            Text("a regular expression such as `tool-(v[0-9.]+)\\.tar`"),
            "A regular expression; its first group, or all of it, is a version.",
        )
        .example(r"'tool-(v[0-9.]+)\.tar\.gz'"),
    ],
};

/// What `newer:` says; nothing if its table refuses it.
pub(super) fn newer(node: &Node) -> Option<NewerDoc> {
    let text = |key| text(node, key);
    if let Some(repository) = text("github") {
        Some(NewerDoc::GitHub(repository))
    } else if let Some(url) = text("tags") {
        Some(NewerDoc::Tags { url, tag: text("tag") })
    } else if let Some(module) = text("go") {
        Some(NewerDoc::Go(module))
    } else if let Some(name) = text("crate") {
        Some(NewerDoc::Crate(name))
    } else {
        Some(NewerDoc::Page { url: text("url")?, pattern: text("pattern")? })
    }
}
