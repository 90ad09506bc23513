//! Versions of a Go module that its authors took back: the `retract` directives in the go.mod of its
//! newest version (<https://go.dev/ref/mod#go-mod-file-retract>). Pure.

use super::ListedVersions;
use crate::model::Precedence;

/// The version of `listed` whose go.mod says what is retracted: the newest release, or else the newest
/// pre-release.
pub(super) fn authority(listed: &[ListedVersions]) -> Option<&str> {
    let versions = listed.iter().filter_map(|it| Some((Precedence::parse(&it.name)?, &it.name)));
    let newest = versions.max_by(|(a, _), (b, _)| (a.is_stable(), a).cmp(&(b.is_stable(), b)));
    newest.map(|(_, name)| name.as_str())
}

/// Marks what of `listed` the text of a go.mod retracts.
pub(super) fn mark(listed: &mut [ListedVersions], go_mod: &str) {
    let ranges = ranges(go_mod);
    for listed in listed {
        let Some(version) = Precedence::parse(&listed.name) else { continue };
        listed.is_withdrawn |= ranges.iter().any(|(low, high)| *low <= version && version <= *high);
    }
}

/// The versions that are retracted: `retract v1.0.0`, `retract [v1.0.0, v1.9.9]`, or several in
/// parentheses.
fn ranges(go_mod: &str) -> Vec<(Precedence, Precedence)> {
    let mut ranges = Vec::new();
    let mut is_within = false;
    for line in go_mod.lines() {
        let code = line.split("//").next().unwrap_or_default().trim();
        let entry = match (is_within, code.strip_prefix("retract")) {
            (true, _) if code == ")" => {
                is_within = false;
                continue;
            }
            (true, _) => code,
            (false, Some(rest)) if rest.trim() == "(" => {
                is_within = true;
                continue;
            }
            (false, Some(rest)) if rest.starts_with([' ', '\t', '[']) => rest,
            (false, _) => continue,
        };
        let entry = entry.trim().trim_start_matches('[').trim_end_matches(']');
        let (low, high) = entry.split_once(',').unwrap_or((entry, entry));
        let version = |text: &str| Precedence::parse(text.trim().trim_matches(['"', '`']));
        ranges.extend(version(low).zip(version(high)));
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_go_mod_retracts_is_marked() {
        let go_mod = "module example.org/x // retract v1.0.0\n\nretracted v1.0.0\nretract v1.2.0 // by mistake\n\
                      retract [v1.4.0, v1.5.0]\nretract (\n\tv1.9.1 // too\n\t[v1.7.0,v1.7.9]\n)\nrequire y v1.0.0\n";
        let names = "v1.0.0 v1.2.0 v1.3.0 v1.4.0 v1.4.9 v1.5.0 v1.7.3 v1.9.1 v1.9.2-rc.1";
        let mut listed: Vec<_> = names.split(' ').map(ListedVersions::named).collect();
        assert_eq!(authority(&listed), Some("v1.9.1"));
        assert_eq!(authority(&listed[8..]), Some("v1.9.2-rc.1"));
        mark(&mut listed, go_mod);
        let kept = listed.iter().filter(|it| !it.is_withdrawn).map(|it| it.name.as_str());
        assert_eq!(kept.collect::<Vec<_>>(), ["v1.0.0", "v1.3.0", "v1.9.2-rc.1"]);
    }

    #[test]
    fn what_is_no_go_mod_retracts_nothing() {
        for text in ["", "retract", "retract (", "retract [", "retract [v1.0.0", "<html>"] {
            let mut listed = [ListedVersions::named("v1.2.0")];
            mark(&mut listed, text);
            assert!(!listed[0].is_withdrawn, "{text}");
        }
    }
}
