//! Where each host of GitHub is, as answers name it.

/// Addresses without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origins {
    pub api: String,
    pub uploads: String,
    pub web: String,
    pub objects: String,
}

impl Origins {
    /// What clients see that reach the stand-in by a socket and believe it the real one.
    pub fn official() -> Self {
        Self {
            api: "https://api.github.com".into(),
            uploads: "https://uploads.github.com".into(),
            web: "https://github.com".into(),
            objects: "https://objects.githubusercontent.com".into(),
        }
    }

    /// The same origins, with API and uploads where an Enterprise host has them.
    pub fn enterprise(&self) -> Self {
        Self {
            api: format!("{}/api/v3", self.web),
            uploads: format!("{}/api/uploads", self.web),
            ..self.clone()
        }
    }
}
