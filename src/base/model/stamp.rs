//! The stamp: what an artifact says of itself, in the file `.version` beside its binaries.

use serde::{Deserialize, Serialize};

use super::{Binaries, Fingerprint, Inputs, Name, Platform};

/// Reproducible facts about one artifact: building the same thing again gives the
/// same stamp, whoever builds it and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The subsystem.
    pub name: Name,
    /// The release's version label (see [`super::Version::label`]).
    pub version: String,
    /// The full commit hash, where the source is a git repository.
    pub commit: Option<String>,
    /// What the binaries run on.
    pub platform: Platform,
    /// The fingerprint of the build.
    pub fingerprint: Fingerprint,
    /// A short digest per field of the fingerprint.
    pub inputs: Inputs,
    /// The digest of each binary.
    pub binaries: Binaries,
}

impl Stamp {
    /// The name of the file that holds a stamp.
    pub const FILE: &'static str = ".version";

    /// The fields of the fingerprint in which this stamp differs from `inputs`, sorted.
    #[must_use]
    pub fn differing_inputs(&self, inputs: &Inputs) -> Vec<String> {
        let fields = self.inputs.keys().chain(inputs.keys());
        let mut differing: Vec<_> =
            fields.filter(|field| self.inputs.get(*field) != inputs.get(*field)).cloned().collect();
        differing.sort();
        differing.dedup();
        differing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn differing_inputs_counts_missing_fields_too() {
        let inputs = |pairs: &[(&str, &str)]| -> Inputs {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        let stamp = Stamp {
            name: Name::new("a").unwrap(),
            version: "v1".into(),
            commit: None,
            platform: Platform::host(),
            fingerprint: "0".repeat(64).parse().unwrap(),
            inputs: inputs(&[("env", "1"), ("steps", "2"), ("tools", "3")]),
            binaries: BTreeMap::new(),
        };
        assert_eq!(
            stamp.differing_inputs(&inputs(&[("env", "1"), ("steps", "9"), ("source", "4")])),
            ["source", "steps", "tools"]
        );
    }
}
