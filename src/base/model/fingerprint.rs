//! Fingerprints: BLAKE3 over everything pinned that goes into a build.
//!
//! A fingerprint answers one question: would building this now do the same as
//! building it then? It holds versions, commits or source digests, rendered steps,
//! declared environment and tools, the platform and the fingerprints of build
//! needs. It never holds what merely happens to be so on one machine: modification
//! times, host names, absolute paths, secrets, the order of a hash map. Therefore
//! two machines with the same manifest agree on it without talking to each other.
//!
//! Next to the one digest, [`Inputs`] keeps a short digest per field. They travel in
//! the stamp, so that forge can say *which* field differs from a release that
//! somebody else built, not only that one does.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::digest::{hex, unhex};

/// BLAKE3 over the pinned inputs of one artifact.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint([u8; 32]);

/// The name of each field of a fingerprint, with the first sixteen hexadecimal digits of its digest.
pub type Inputs = BTreeMap<String, String>;

impl Fingerprint {
    /// The first twelve hexadecimal digits, for messages.
    #[must_use]
    pub fn short(&self) -> String {
        hex(&self.0[..6])
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "blake3:{self}")
    }
}

impl FromStr for Fingerprint {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        unhex(text)
            .map(Self)
            .ok_or_else(|| format!("`{text}` is not a fingerprint: it takes 64 hexadecimal digits"))
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

/// Collects the fields of a fingerprint. The order in which fields are added does not matter.
#[derive(Debug, Default)]
pub struct FingerprintBuilder {
    /// The values of each field as they are hashed.
    fields: BTreeMap<&'static str, Vec<u8>>,
}

impl FingerprintBuilder {
    /// A fingerprint without fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one value to `field`. Values are length-prefixed, so `["ab", "c"]` and `["a", "bc"]` differ.
    pub fn add(&mut self, field: &'static str, value: impl AsRef<[u8]>) -> &mut Self {
        let value = value.as_ref();
        let values = self.fields.entry(field).or_default();
        values.extend_from_slice(&(value.len() as u64).to_le_bytes());
        values.extend_from_slice(value);
        self
    }

    /// The fingerprint, and the digest of each field.
    #[must_use]
    pub fn finish(&self) -> (Fingerprint, Inputs) {
        let mut whole = blake3::Hasher::new_derive_key("forge 1 artifact fingerprint");
        let mut inputs = Inputs::new();
        for (field, values) in &self.fields {
            let digest = blake3::hash(values);
            whole.update(&(field.len() as u64).to_le_bytes());
            whole.update(field.as_bytes());
            whole.update(digest.as_bytes());
            inputs.insert((*field).to_owned(), hex(&digest.as_bytes()[..8]));
        }
        (Fingerprint(*whole.finalize().as_bytes()), inputs)
    }
}

/// The digest of a source tree: paths relative to its root, contents, executable bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TreeDigest(pub [u8; 32]);

impl fmt::Display for TreeDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// Folds the files of a tree, given in sorted order, into a [`TreeDigest`].
#[derive(Debug, Default)]
pub struct TreeHasher(blake3::Hasher);

impl TreeHasher {
    /// A tree without files.
    #[must_use]
    pub fn new() -> Self {
        Self(blake3::Hasher::new_derive_key("forge 1 source tree"))
    }

    /// Adds one file: its path with `/` between parts, one letter for what it is
    /// (`f` file, `x` executable, `l` symlink), and the digest of its contents or target.
    pub fn add(&mut self, path: &str, kind: char, contents: &[u8; 32]) {
        self.0.update(&(path.len() as u64).to_le_bytes());
        self.0.update(path.as_bytes());
        self.0.update(&[kind as u8]);
        self.0.update(contents);
    }

    /// The digest over all files added.
    #[must_use]
    pub fn finish(&self) -> TreeDigest {
        TreeDigest(*self.0.finalize().as_bytes())
    }
}

/// BLAKE3 over bytes that come piece by piece; the same as [`checksum`] of all of them.
#[derive(Debug, Default)]
pub struct Checksum(blake3::Hasher);

impl Checksum {
    /// Of no bytes yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes added.
    #[must_use]
    pub fn finish(&self) -> [u8; 32] {
        *self.0.finalize().as_bytes()
    }
}

/// BLAKE3 of some bytes: for files of our own, where only speed and certainty count.
#[must_use]
pub fn checksum(bytes: &[u8]) -> [u8; 32] {
    *blake3::hash(bytes).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fingerprint(fields: &[(&'static str, &str)]) -> (Fingerprint, Inputs) {
        let mut builder = FingerprintBuilder::new();
        for (field, value) in fields {
            builder.add(field, value);
        }
        builder.finish()
    }

    #[test]
    fn field_order_is_irrelevant_and_value_order_is_not() {
        assert_eq!(fingerprint(&[("a", "1"), ("b", "2")]), fingerprint(&[("b", "2"), ("a", "1")]));
        assert_ne!(fingerprint(&[("a", "1"), ("a", "2")]), fingerprint(&[("a", "2"), ("a", "1")]));
    }

    #[test]
    fn inputs_name_the_field_that_differs() {
        let (_, old) = fingerprint(&[("steps", "make"), ("env", "A=1")]);
        let (_, new) = fingerprint(&[("steps", "make all"), ("env", "A=1")]);
        let differing: Vec<_> = old.iter().filter(|(k, v)| new.get(*k) != Some(v)).collect();
        assert_eq!(differing.len(), 1);
        assert_eq!(differing[0].0, "steps");
    }

    proptest! {
        #[test]
        fn splitting_a_value_elsewhere_changes_it(text in "[a-z]{2,12}", at in 1usize..11) {
            prop_assume!(at < text.len());
            let (left, right) = text.split_at(at);
            prop_assert_ne!(
                fingerprint(&[("f", left), ("f", right)]).0,
                fingerprint(&[("f", &text)]).0
            );
        }
    }
}
