//! The versions that a component was released as, by the tags of its remote. Pure.

use crate::{
    git::RemoteTag,
    model::{Name, Precedence, Scheme, TagStem},
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
    own.sort_by_cached_key(|taken| Precedence::parse(taken.label));
    own
}

/// A tag that looks like a version, and counts as none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alike<'t> {
    /// Its name.
    pub tag: &'t str,
    /// What of the name is the version, without a `v`.
    pub number: &'t str,
}

/// The newest tag that differs from a version of `scheme` behind `stem` only by a `v`, by what
/// stands between name and version, or by the name of the component in place of the stem.
pub fn alike<'t>(
    name: &Name,
    stem: &TagStem,
    scheme: &Scheme,
    tags: &'t [RemoteTag],
) -> Option<Alike<'t>> {
    let beginnings = alike_stems(name, stem);
    let look = |tag: &'t RemoteTag| {
        let tag = tag.tag.name.as_str();
        let is_own = tag.strip_prefix(stem.as_str()).is_some_and(|label| scheme.makes(label));
        let number = |beginning: &String| number(tag, beginning, scheme);
        let number = beginnings.iter().find_map(number).filter(|_| !is_own)?;
        Some(Alike { tag, number })
    };
    tags.iter().filter_map(look).max_by_key(|alike| Precedence::parse(alike.number))
}

/// What tags begin with that [`alike`] looks at.
pub fn alike_stems(name: &Name, stem: &TagStem) -> Vec<String> {
    let stem = stem.as_str().trim_end_matches(is_separator);
    let before_v =
        stem.strip_suffix('v').filter(|rest| rest.is_empty() || rest.ends_with(is_separator));
    let stem = before_v.unwrap_or(stem).trim_end_matches(is_separator);
    let mut all = vec![stem.to_owned(), name.as_str().to_owned(), name.as_str().replace('/', "-")];
    all.sort();
    all.dedup();
    all
}

/// The version in `tag` behind `beginning`, without a `v`, if `scheme` makes such numbers.
fn number<'t>(tag: &'t str, beginning: &str, scheme: &Scheme) -> Option<&'t str> {
    let label = tag.strip_prefix(beginning)?.trim_start_matches(is_separator);
    let number = label.strip_prefix(['v', 'V']).unwrap_or(label);
    let is_number = scheme.makes(number) || scheme.makes(&format!("v{number}"));
    is_number.then_some(number)
}

fn is_separator(c: char) -> bool {
    "-_/@+.".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{git::Tag, model::Commits};

    fn tags(names: &str) -> Vec<RemoteTag> {
        let tag = |name: &str| RemoteTag {
            tag: Tag { name: name.into(), commit: "c".into() },
            object: "o".into(),
        };
        names.split(' ').map(tag).collect()
    }

    #[test]
    fn only_own_versions_count_and_the_newest_is_the_last() {
        let names = "p-20260107.9 p-20260107.10 p-v1.2-20260101.0 p-20260106.0 p-x-20260109.0 pp-20260109.0 p-20260107.9-r2";
        let tags = tags(names);
        let stem = TagStem::for_subsystem(&Name::new("p").unwrap());
        let labels: Vec<_> =
            taken(&stem, &Scheme::Date, &tags).iter().map(|taken| taken.label).collect();
        assert_eq!(labels, ["20260106.0", "20260107.9", "20260107.10"]);
    }
    #[test]
    fn the_newest_tag_that_only_looks_like_a_version_is_found() {
        let name = Name::new("lib").unwrap();
        let with =
            |first: &str| Scheme::Commits(Commits { first: first.into(), ..Commits::default() });
        for (stem, scheme, names, found) in [
            (
                "lib-",
                with("0.1.0"),
                "lib-v1.2.0 lib-v1.10.0 lib-v1.9.0",
                Some(("lib-v1.10.0", "1.10.0")),
            ),
            ("lib-", with("v0.1.0"), "lib-1.2.0", Some(("lib-1.2.0", "1.2.0"))),
            ("lib-v", with("0.1.0"), "lib-1.2.0", Some(("lib-1.2.0", "1.2.0"))),
            ("lib-", with("0.1.0"), "lib_1.2.0", Some(("lib_1.2.0", "1.2.0"))),
            ("lib-", with("0.1.0"), "lib/v1.2.0", Some(("lib/v1.2.0", "1.2.0"))),
            ("lib-", with("0.1.0"), "lib@1.2.0-rc.1", Some(("lib@1.2.0-rc.1", "1.2.0-rc.1"))),
            ("lib-", with("0.1.0"), "lib1.2.0", Some(("lib1.2.0", "1.2.0"))),
            ("code-lib-", with("0.1.0"), "lib-1.2.0", Some(("lib-1.2.0", "1.2.0"))),
            ("", with("0.1.0"), "v1.2.0", Some(("v1.2.0", "1.2.0"))),
            ("lib-", Scheme::Date, "lib-v20260107.0", Some(("lib-v20260107.0", "20260107.0"))),
            (
                "lib-",
                with("0.1.0"),
                "lib-1.2.0 v1.2.0 library-1.2.0 lib-x-1.2.0 lib-1.2 lib-20260107.0",
                None,
            ),
        ] {
            let found = found.map(|(tag, number)| Alike { tag, number });
            let stem = TagStem::new(stem).unwrap();
            assert_eq!(alike(&name, &stem, &scheme, &tags(names)), found, "{stem} {names}");
        }
        let (name, tags) = (Name::new("aws/ecs").unwrap(), tags("aws/ecs-1.2.0"));
        let found = alike(&name, &TagStem::for_subsystem(&name), &with("0.1.0"), &tags);
        assert_eq!(found.map(|alike| alike.tag), Some("aws/ecs-1.2.0"));
    }
}
