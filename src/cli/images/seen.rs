//! What was found at the tag of an image: a hit, a miss, or something else; and how that is told.

use crate::{
    image::{ImageSpec, ImageState},
    model::{Fault, Kind, Name},
    report::{Align, Cell, Role, Table},
};

use super::PushWish;

/// An image, and what was found at its tag.
pub(in super::super) struct Seen {
    /// Its subsystem.
    pub(in super::super) name: Name,
    /// What it should be, if that is known.
    pub(in super::super) spec: Option<ImageSpec>,
    /// What is at its tag.
    pub(in super::super) state: Result<ImageState, Fault>,
    /// Whether it has a version that it could be released as. Without one no registry is asked.
    pub(in super::super) is_versioned: bool,
}

impl Seen {
    /// Whether its tag has it.
    pub(in super::super) fn is_hit(&self) -> bool {
        matches!(self.state, Ok(ImageState::Released { .. }))
    }

    /// Whether it is no failure that it is not released.
    pub(super) fn may_be_left_out(&self, wish: PushWish) -> bool {
        match wish {
            PushWish::Named => false,
            PushWish::All => !self.is_versioned,
            PushWish::Usual => self.fault().is_some_and(|fault| fault.kind == Kind::Usage),
        }
    }

    /// What is wrong, if something is.
    pub(in super::super) fn fault(&self) -> Option<&Fault> {
        self.state.as_ref().err()
    }

    /// The image, what would be done with it, and why.
    pub(in super::super) fn row(&self) -> [String; 3] {
        let image = self.spec.as_ref().map(|spec| spec.reference().to_string());
        let registry = self.spec.as_ref().map(|spec| spec.repository.to_string());
        let (registry, tag) =
            (registry.unwrap_or_default(), self.spec.as_ref().map_or("", |spec| spec.tag.as_str()));
        let (would_be, why) = match &self.state {
            Ok(ImageState::Released { .. }) => ("unchanged", format!("{registry} has {tag}")),
            Ok(ImageState::Absent) => ("built, then pushed", format!("{registry} has no {tag}")),
            Ok(ImageState::Other { why, .. }) => ("refused", format!("its tag has another: {why}")),
            Err(fault) if !self.is_versioned => ("not released", fault.to_string()),
            Err(fault) if fault.kind == Kind::Usage => ("not released", fault.to_string()),
            Err(fault) => ("unknown", fault.to_string()),
        };
        [image.unwrap_or_else(|| self.name.to_string()), would_be.to_owned(), why]
    }

    /// Whether its tag has it: the word that binaries have for that.
    pub(in super::super) fn hit(&self) -> &'static str {
        match &self.state {
            Ok(ImageState::Released { .. }) => "hit",
            Ok(ImageState::Absent) => "miss",
            Ok(ImageState::Other { .. }) => "other",
            Err(_) if !self.is_versioned => "unversioned",
            Err(_) => "unknown",
        }
    }

    /// The image by its digest, if it is released.
    pub(in super::super) fn pinned(&self) -> Option<String> {
        match (&self.spec, &self.state) {
            (Some(spec), Ok(ImageState::Released { digest })) => {
                Some(format!("{}@sha256:{digest}", spec.reference()))
            }
            _ => None,
        }
    }

    /// The same as JSON.
    pub(in super::super) fn json(&self) -> serde_json::Value {
        let [image, would_be, why] = self.row();
        let digest = match &self.state {
            Ok(ImageState::Released { digest } | ImageState::Other { digest, .. }) => {
                Some(format!("sha256:{digest}"))
            }
            _ => None,
        };
        serde_json::json!({
            "name": self.name.as_str(),
            "version": self.spec.as_ref().map(|spec| spec.version.as_str()),
            "image": image,
            "state": self.hit(),
            "would_be": would_be,
            "because": why,
            "digest": digest,
            "fingerprint": self.spec.as_ref().map(|spec| spec.print.fingerprint.to_string()),
        })
    }
}

/// A line for each image: what would be done with it, and why.
pub(in super::super) fn table(planned: &[Seen]) -> Table {
    let mut table =
        Table::new([("image", Align::Left), ("would be", Align::Left), ("because", Align::Left)]);
    for seen in planned {
        let [image, would_be, why] = seen.row();
        let role = match seen.hit() {
            "hit" | "unversioned" => Role::Dim,
            "miss" => Role::Ok,
            _ => Role::Error,
        };
        let why = Cell::new(Role::Dim, why);
        table.row(vec![Cell::new(Role::Name, image), Cell::new(role, would_be), why]);
    }
    table
}

/// A line for each image: whether it is there, and by which digest.
pub(in super::super) fn states(seen: &[&Seen]) -> Table {
    let mut table =
        Table::new([("image", Align::Left), ("state", Align::Left), ("digest", Align::Left)]);
    for seen in seen {
        let [image, _, why] = seen.row();
        let (state, role, digest) = match &seen.state {
            Ok(ImageState::Released { digest }) => {
                ("released", Role::Ok, format!("sha256:{digest}"))
            }
            Ok(ImageState::Absent) => ("missing", Role::Warn, String::new()),
            Ok(ImageState::Other { .. }) => ("another image", Role::Error, why),
            Err(_) if !seen.is_versioned => ("not released", Role::Dim, why),
            Err(fault) if fault.kind == Kind::Usage => ("not released", Role::Warn, why),
            Err(_) => ("unknown", Role::Error, why),
        };
        let digest = Cell::new(Role::Dim, digest);
        table.row(vec![Cell::new(Role::Name, image), Cell::new(role, state), digest]);
    }
    table
}
