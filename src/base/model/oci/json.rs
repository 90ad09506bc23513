//! How these formats are in JSON.

/// A digest with its algorithm before it: `sha256:44136fa…`.
pub mod digest {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::model::Sha256;

    pub fn serialize<S: Serializer>(digest: &Sha256, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("sha256:{digest}"))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Sha256, D::Error> {
        parse(&String::deserialize(from)?).map_err(D::Error::custom)
    }

    /// The digest that `text` is.
    pub fn parse(text: &str) -> Result<Sha256, String> {
        let digits = text.strip_prefix("sha256:").filter(|digits| {
            digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
        });
        digits.and_then(|digits| digits.parse().ok()).ok_or_else(|| {
            format!(
                "`{text}` is not a digest that forge can check: it takes `sha256:` and 64 digits"
            )
        })
    }

    /// A list of them.
    pub mod list {
        use serde::{Deserialize, Deserializer, Serializer, de::Error, ser::SerializeSeq};

        use crate::model::Sha256;

        pub fn serialize<S: Serializer>(digests: &[Sha256], to: S) -> Result<S::Ok, S::Error> {
            let mut list = to.serialize_seq(Some(digests.len()))?;
            for digest in digests {
                list.serialize_element(&format!("sha256:{digest}"))?;
            }
            list.end()
        }

        pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Sha256>, D::Error> {
            let texts = Option::<Vec<String>>::deserialize(from)?.unwrap_or_default();
            texts.iter().map(|text| super::parse(text).map_err(D::Error::custom)).collect()
        }
    }
}

/// What is `null` is as good as absent.
pub fn absent<'de, T, D>(from: D) -> Result<T, D::Error>
where
    T: serde::Deserialize<'de> + Default,
    D: serde::Deserializer<'de>,
{
    let value: Option<T> = serde::Deserialize::deserialize(from)?;
    Ok(value.unwrap_or_default())
}

/// Compact JSON. Nothing of these formats has keys that are not text, or floats.
pub fn compact(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}
