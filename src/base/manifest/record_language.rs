//! The language of what forge itself writes, as tables: the part of `language.rs` that is about
//! `forge.lock` and stamps.

use super::{
    language::{DIGEST, NAME, PLATFORM, VENDORS_DIGEST, VERSION, field},
    shape::{
        Mapping,
        Presence::{Optional, Required},
        Shape::{self, Map, Text},
    },
};

/// `forge.lock`, per subsystem.
pub static LOCKED: Mapping = Mapping {
    what: "a locked subsystem",
    exactly_one: &[],
    fields: &[
        field("version", Required, VERSION, "The version that is locked."),
        field("commit", Optional, Text("a commit"), "The commit it means."),
        field("assets", Optional, Map("platforms", &LOCKED_ASSET), "What the release holds."),
        field(
            "upstream",
            Optional,
            Map("platforms", &LOCKED_UPSTREAM),
            "What the vendor's own release held when it was first taken.",
        ),
        field("image", Optional, LOCKED_IMAGE, "The image that it was released as."),
        field("bases", Optional, Map("images", &DIGEST), "The images that its own stands on."),
    ],
};

const LOCKED_ASSET: Shape = Shape::Record(&Mapping {
    what: "a locked asset",
    exactly_one: &[],
    fields: &[
        field("sha256", Required, DIGEST, "The digest of the packed asset."),
        field("size", Required, Text("a number of bytes"), "Its size in bytes."),
        field("fingerprint", Required, Text("a fingerprint"), "The fingerprint in its stamp."),
        field("revision", Optional, Text("a number"), "Which release of the version it is in."),
        field("binaries", Optional, Map("names of binaries", &DIGEST), "A digest per binary."),
    ],
});

const LOCKED_UPSTREAM: Shape = Shape::Record(&Mapping {
    what: "a vendor's locked asset",
    exactly_one: &[],
    fields: &[
        field("digest", Required, VENDORS_DIGEST, "Its digest, as the vendor published it."),
        field("fingerprint", Required, Text("a fingerprint"), "By which `upstream:` it was taken."),
    ],
});

const LOCKED_IMAGE: Shape = Shape::Record(&Mapping {
    what: "a locked image",
    exactly_one: &[],
    fields: &[
        field("digest", Required, DIGEST, "The digest of its index."),
        field("fingerprint", Required, Text("a fingerprint"), "Of what went into it."),
    ],
});

/// `forge.lock`.
pub static LOCK: Shape = Map("names of subsystems", &LOCKED_SUBSYSTEM);
const LOCKED_SUBSYSTEM: Shape = Shape::Record(&LOCKED);

/// A stamp.
pub static STAMP: Shape = Shape::Record(&Mapping {
    what: "a stamp",
    exactly_one: &[],
    fields: &[
        field("name", Required, NAME, "The subsystem."),
        field("version", Required, VERSION, "Its version label."),
        field("commit", Optional, Text("a commit"), "The commit it was built from."),
        field("platform", Required, PLATFORM, "What it runs on."),
        field("fingerprint", Required, Text("a fingerprint"), "The fingerprint of the build."),
        field("inputs", Optional, Map("fields of the fingerprint", &INPUT), "A digest per field."),
        field("binaries", Required, Map("names of binaries", &DIGEST), "A digest per binary."),
    ],
});
const INPUT: Shape = Text("a short digest");
