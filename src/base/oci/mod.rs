//! Stand-in until the types land.
use std::fmt;
/// A reference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageReference { name: String, tag: Option<String> }
impl ImageReference {
    /// Parses.
    ///
    /// # Errors
    /// why
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, tag) = match text.rsplit_once(':') { Some((n, t)) if !t.contains('/') => (n, Some(t.to_owned())), _ => (text, None) };
        let ok = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-:".contains(c));
        if !name.split('/').all(ok) { return Err(format!("`{text}` is not the name of an image")); }
        Ok(Self { name: name.to_owned(), tag })
    }
    /// tag
    pub fn tag(&self) -> Option<&str> { self.tag.as_deref() }
    /// digest
    pub fn digest(&self) -> Option<&str> { None }
}
impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.name)?; if let Some(t) = &self.tag { write!(f, ":{t}")?; } Ok(()) }
}
/// check
///
/// # Errors
/// why
pub fn check_tag(text: &str) -> Result<(), String> {
    let ok = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') && text.len() <= 128 && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if ok { Ok(()) } else { Err(format!("`{text}` cannot be the tag of an image")) }
}
