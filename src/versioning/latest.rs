//! The versions that a component was released as, by the tags of its remote. Pure.

use crate::{
    git::RemoteTag,
    model::{Precedence, Scheme, TagStem},
};

/// A version that is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken<'t> {
    /// The version, as it stands in the tag.
    pub label: &'t str,
    /// Its tag.
    pub tag: &'t RemoteTag,
}

/// The versions that `scheme` made among `tags` behind `stem`, the newest last. Tags that only look
/// alike (`p-v1.2-20260101.0` for `p-`) and revisions of a version are none of them.
pub fn taken<'t>(stem: &TagStem, scheme: &Scheme, tags: &'t [RemoteTag]) -> Vec<Taken<'t>> {
    let own = tags.iter().filter_map(|tag| {
        let label = tag.tag.name.strip_prefix(stem.as_str())?;
        scheme.makes(label).then_some(Taken { label, tag })
    });
    let mut own: Vec<_> = own.collect();
    own.sort_by_cached_key(|taken| Precedence::of(taken.label));
    own
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{git::Tag, model::Name};

    #[test]
    fn only_own_versions_count_and_the_newest_is_the_last() {
        let names = "p-20260107.9 p-20260107.10 p-v1.2-20260101.0 p-20260106.0 p-x-20260109.0 pp-20260109.0 p-20260107.9-r2";
        let tag = |name: &str| RemoteTag {
            tag: Tag { name: name.into(), commit: "c".into() },
            object: "o".into(),
        };
        let tags: Vec<_> = names.split(' ').map(tag).collect();
        let stem = TagStem::of(&Name::new("p").unwrap());
        let labels: Vec<_> =
            taken(&stem, &Scheme::Date, &tags).iter().map(|taken| taken.label).collect();
        assert_eq!(labels, ["20260106.0", "20260107.9", "20260107.10"]);
    }
}
