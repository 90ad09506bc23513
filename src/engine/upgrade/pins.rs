//! The pins of `versions.yml` where they stand, and the file with others: not a byte differs but
//! those of the versions that change, so that quotes, comments, order, anchors and line ends stay.

use std::{collections::BTreeMap, ops::Range};

use crate::{
    manifest::{Findings, MAX_BYTES, ManifestFile, VersionDoc, read_manifest},
    model::{Fault, Kind, Layout},
    workspace::Subsystem,
};

/// What `versions.yml` pins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestPins {
    text: String,
    all: BTreeMap<String, ManifestPin>,
}

/// A version in `versions.yml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestPin {
    /// The version.
    pub version: String,
    /// Where it stands in the file, without quotes. Names that share it by an alias or a merged
    /// mapping have the same place.
    pub bytes: Range<usize>,
}

impl ManifestPins {
    /// Reads the bytes of `versions.yml`.
    ///
    /// # Errors
    /// `Usage` with the first thing in it that forge cannot read.
    pub fn read(bytes: Vec<u8>) -> Result<Self, Fault> {
        let file = ManifestFile::new(Layout::MANIFEST.into(), bytes, MAX_BYTES);
        let mut found = Findings::new(&file);
        let manifest = read_manifest(&file, &mut found);
        if let Some(first) = found.diagnostics.into_iter().next() {
            let what = format!("{} cannot be read", Layout::MANIFEST);
            return Err(Fault::new(Kind::Usage, what).because_of(first, file.text.clone()));
        }
        let mut all = BTreeMap::new();
        for (key, value) in manifest.versions {
            let VersionDoc::Text(scalar) = value else { continue };
            let bytes = scalar.locate(&file.text, 0..scalar.text.len());
            all.entry(key.value).or_insert(ManifestPin { version: scalar.text, bytes });
        }
        Ok(Self { text: file.text, all })
    }

    /// The text of the file.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// All pins, by the names before them.
    pub fn all(&self) -> &BTreeMap<String, ManifestPin> {
        &self.all
    }

    /// The pin of `subsystem` and the name before it: its own, or that of its family.
    pub fn pin_of(&self, subsystem: &Subsystem) -> Option<(&str, &ManifestPin)> {
        let own = self.all.get_key_value(subsystem.name.as_str());
        let (name, pin) = own.or_else(|| self.all.get_key_value(&family(subsystem)?))?;
        Some((name, pin))
    }

    /// The file, where the pins at some places are other versions.
    ///
    /// # Errors
    /// `Failed` if the file is written so that this would change something else too.
    pub fn with(&self, changes: &[(&ManifestPin, &str)]) -> Result<String, Fault> {
        let mut wanted: BTreeMap<usize, (&ManifestPin, &str)> = BTreeMap::new();
        wanted.extend(changes.iter().map(|change| (change.0.bytes.start, *change)));
        let mut text = self.text.clone();
        for (pin, version) in wanted.values().rev() {
            text.replace_range(pin.bytes.clone(), version);
        }
        let is_changed =
            |pin: &ManifestPin| wanted.get(&pin.bytes.start).map(|(_, version)| *version);
        let expected: BTreeMap<&str, &str> = self
            .all
            .iter()
            .map(|(name, pin)| (name.as_str(), is_changed(pin).unwrap_or(&pin.version)))
            .collect();
        let written = Self::read(text.clone().into_bytes());
        let is_right = written.is_ok_and(|pins| {
            let found = pins.all.iter().map(|(name, pin)| (name.as_str(), pin.version.as_str()));
            found.collect::<BTreeMap<_, _>>() == expected
        });
        is_right.then_some(text).ok_or_else(|| {
            let what = format!("{} is not written so that a program can edit it", Layout::MANIFEST);
            let names = wanted.values().map(|(pin, to)| format!("{} to {to}", pin.version));
            let names: Vec<_> = names.collect();
            Fault::new(Kind::Failed, what)
                .because(format!("changing {} would change something else too", names.join(", ")))
                .hint("change it by hand, then run `forge lock`")
        })
    }
}

/// What the spec of `subsystem` is called.
fn family(subsystem: &Subsystem) -> Option<String> {
    let spec = &subsystem.spec;
    let own = if spec.parent()?.ends_with(Layout::SPECS) {
        spec.file_stem()?
    } else {
        spec.parent()?.file_name()?
    };
    Some(own.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> ManifestPins {
        ManifestPins::read(text.as_bytes().to_vec()).unwrap()
    }

    fn bumped(text: &str, name: &str, version: &str) -> String {
        let pins = read(text);
        pins.with(&[(&pins.all[name], version)]).unwrap()
    }

    #[test]
    fn only_the_version_changes_however_it_is_written() {
        for (line, after) in [
            ("  a: v1.0  # why", "  a: v2.0  # why"),
            ("  a:   'v1.0'   ", "  a:   'v2.0'   "),
            ("  a: \"v1.0\"", "  a: \"v2.0\""),
            ("  a: \"v1\\u002e0\"", "  a: \"v2.0\""),
            ("  a: &pin v1.0", "  a: &pin v2.0"),
            ("  a: !!str v1.0", "  a: !!str v2.0"),
            ("  \"a\" : v1.0", "  \"a\" : v2.0"),
            ("  ? a\n  : v1.0", "  ? a\n  : v2.0"),
            ("  a: |-\n    v1.0", "  a: |-\n    v2.0"),
            ("  a:\n    v1.0", "  a:\n    v2.0"),
        ] {
            for end in ["\n", "\r\n"] {
                let file = |line: &str| {
                    let text =
                        format!("\u{feff}# top é\nversions:\n  z: v1.0\n{line}\n  b: v1.0\n");
                    text.replace('\n', end)
                };
                assert_eq!(bumped(&file(line), "a", "v2.0"), file(after), "{line:?}");
            }
        }
        let flow = "versions: {z: v1.0, a: v1.0, b: 'v1.0'} # x";
        assert_eq!(bumped(flow, "a", "v2"), "versions: {z: v1.0, a: v2, b: 'v1.0'} # x");
    }

    #[test]
    fn those_that_share_a_pin_change_together() {
        let text = "versions:\n  a: &v v1\n  b: *v\n  c: v1\n";
        let pins = read(text);
        assert_eq!(pins.all["a"].bytes, pins.all["b"].bytes);
        let after = pins.with(&[(&pins.all["b"], "v2"), (&pins.all["c"], "v3")]).unwrap();
        assert_eq!(after, "versions:\n  a: &v v2\n  b: *v\n  c: v3\n");
    }

    #[test]
    fn schemes_are_no_pins() {
        assert!(read("versions:\n  a: {scheme: date}\n").all.is_empty());
    }

    #[test]
    fn what_would_come_out_as_something_else_is_refused() {
        let pins = read("versions:\n  a: v1\n");
        for version in ["null", "a: b", "v1 # x", ""] {
            assert!(pins.with(&[(&pins.all["a"], version)]).is_err(), "{version}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        /// Whatever stands around them, the bytes before and after a version stay.
        #[test]
        fn nothing_but_the_version_changes(
            names in prop::collection::btree_set("[a-z][a-z0-9-]{0,6}", 1..6),
            styles in prop::collection::vec((0usize..5, "[ -~é]{0,12}", 0usize..3), 6),
            old in "v[0-9]{1,2}\\.[0-9]{1,2}",
            new in "v?[0-9]{1,2}\\.[0-9]{1,3}(-rc\\.[0-9])?",
            which: prop::sample::Index,
            crlf: bool,
            tail in "(\n# [ -~]{0,10}|\ngroups: \\{\\})?\n?",
        ) {
            let mut text = String::from("versions:\n");
            for (name, (style, comment, blanks)) in names.iter().zip(&styles) {
                let pad = " ".repeat(*blanks);
                let value = match style {
                    0 => old.clone(),
                    1 => format!("'{old}'"),
                    2 => format!("\"{old}\""),
                    3 => format!("&x{name} {old}"),
                    _ => format!("\n    {old}"),
                };
                text.push_str(&format!("  {name}:{pad} {value}  {pad}# {comment}\n"));
            }
            text.push_str(tail.trim_start_matches('\n'));
            if crlf {
                text = text.replace('\n', "\r\n");
            }
            let name = names.iter().nth(which.index(names.len())).unwrap();
            let pins = read(&text);
            let pin = &pins.all[name];
            prop_assert_eq!(&text[pin.bytes.clone()], old.as_str());
            let after = pins.with(&[(pin, &new)]).unwrap();
            prop_assert_eq!(&after[..pin.bytes.start], &text[..pin.bytes.start]);
            prop_assert_eq!(&after[pin.bytes.start..][..new.len()], new.as_str());
            prop_assert_eq!(&after[pin.bytes.start + new.len()..], &text[pin.bytes.end..]);
            let again = read(&after);
            prop_assert_eq!(again.with(&[(&again.all[name], &old)]).unwrap(), text);
        }
    }
}
