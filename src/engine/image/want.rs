//! What an image should be: its tag, and the fingerprint of what goes into it.

use std::collections::BTreeMap;

use crate::{
    model::{
        Fingerprint, FingerprintBuilder, Inputs, Name, Platform, Sha256,
        oci::{ImageReference, ImageRepository},
    },
    workspace::{ContainerSettings, Image},
};

/// The annotation of an index that holds the fingerprint.
pub const FINGERPRINT: &str = "forge.image.fingerprint";

/// How images are put together; another number makes others of the same parts.
const FORMAT: &str = "1";

/// What an image should be.
#[derive(Clone, Debug)]
pub struct ImageSpec {
    /// The subsystem.
    pub name: Name,
    /// The version as a tag of a release has it.
    pub version: String,
    /// Where it is pushed to.
    pub repository: ImageRepository,
    /// Its tag there.
    pub tag: String,
    /// The tags that move to it.
    pub also: Vec<String>,
    /// What it is for, sorted.
    pub platforms: Vec<Platform>,
    /// The fingerprint of what goes into it.
    pub print: ImagePrint,
}

/// A fingerprint of an image with the digests of its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImagePrint {
    /// The fingerprint.
    pub fingerprint: Fingerprint,
    /// The digest of each field.
    pub inputs: Inputs,
}

impl ImageSpec {
    /// The image by its tag.
    pub fn reference(&self) -> ImageReference {
        self.repository.tagged(&self.tag)
    }
}

/// The tag of the version `label`. What no tag may hold becomes `_`.
pub fn image_tag(label: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    label.chars().map(plain).collect()
}

/// What goes into an image on one platform.
pub struct PlatformInputs<'a> {
    /// The image as the platform has it.
    pub image: &'a Image,
    /// The digest of its files.
    pub files: [u8; 32],
    /// The fingerprints of the artifacts in it, by their subsystems.
    pub artifacts: BTreeMap<Name, Fingerprint>,
}

/// The fingerprint of an image on a base with this digest, or of a Dockerfile that takes the images
/// `from` elsewhere. What decides nothing of what runs is not in it: repository, tags, time, engine.
pub fn image_print(
    platforms: &BTreeMap<Platform, PlatformInputs<'_>>,
    base: Option<Sha256>,
    from: &BTreeMap<String, Sha256>,
) -> ImagePrint {
    let mut fields = FingerprintBuilder::new();
    fields.add("format", FORMAT);
    fields.add("base", base.map(|digest| digest.to_string()).unwrap_or_default());
    for (name, digest) in from {
        fields.add("from", name).add("from", digest.to_string());
    }
    for (platform, inputs) in platforms {
        let platform = platform.to_string();
        fields.add("platforms", &platform);
        fields.add("files", inputs.files);
        add_settings(&mut fields, &inputs.image.settings);
        if let Some(dockerfile) = &inputs.image.dockerfile {
            fields.add("dockerfile", dockerfile.target.as_deref().unwrap_or_default());
            for (name, value) in &dockerfile.args {
                fields.add("dockerfile", name).add("dockerfile", value);
            }
        }
        for (name, fingerprint) in &inputs.artifacts {
            fields.add("artifacts", name.as_str()).add("artifacts", fingerprint.to_string());
        }
    }
    let (fingerprint, inputs) = fields.finish();
    ImagePrint { fingerprint, inputs }
}

fn add_settings(fields: &mut FingerprintBuilder, settings: &ContainerSettings) {
    let ContainerSettings { user, entrypoint, args, env, workdir, ports, labels, volumes } =
        settings;
    let mut list = |name: &str, values: Vec<&str>| {
        fields.add("settings", name);
        for value in values {
            fields.add("settings", format!("={value}"));
        }
    };
    list("user", user.iter().map(String::as_str).collect());
    list("entrypoint", entrypoint.iter().map(String::as_str).collect());
    list("args", args.iter().map(String::as_str).collect());
    list("env", env.iter().flat_map(|(name, value)| [name.as_str(), value]).collect());
    list("workdir", workdir.iter().map(String::as_str).collect());
    list("ports", ports.iter().map(String::as_str).collect());
    list("labels", labels.iter().flat_map(|(name, value)| [name.as_str(), value]).collect());
    list("volumes", volumes.iter().map(String::as_str).collect());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_holds_what_a_tag_may_hold() {
        assert_eq!(image_tag("v1.2.3-rc.1+build@5"), "v1.2.3-rc.1_build_5");
    }

    #[test]
    fn a_fingerprint_names_what_differs_and_not_where_it_goes() {
        let image = |repo: &str, user: Option<&str>| Image {
            repo: repo.parse().unwrap(),
            base: None,
            platforms: Vec::new(),
            also: Vec::new(),
            settings: ContainerSettings {
                user: user.map(str::to_owned),
                ..ContainerSettings::default()
            },
            files: Vec::new(),
            with: std::collections::BTreeSet::new(),
            dockerfile: None,
            with_binaries: false,
        };
        let print = |image: &Image| {
            let inputs = PlatformInputs { image, files: [0; 32], artifacts: BTreeMap::new() };
            image_print(
                &BTreeMap::from([("linux-amd64".parse().unwrap(), inputs)]),
                None,
                &BTreeMap::new(),
            )
        };
        let (one, two) = (print(&image("r.io/a", None)), print(&image("r.io/b", None)));
        assert_eq!(one, two);
        let other = print(&image("r.io/a", Some("0")));
        let differing: Vec<_> =
            one.inputs.iter().filter(|(k, v)| other.inputs.get(*k) != Some(v)).collect();
        assert_eq!(differing.len(), 1);
        assert_eq!(differing[0].0, "settings");
    }
}
