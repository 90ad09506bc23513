//! The images that others stand on: whether their tags lead to something newer than what `forge.lock`
//! has, and whether there are newer tags; and specs with another one.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};

use super::{ListedVersions, OfferFilter, Offers, is_newer};
use crate::{
    model::{Fault, Kind, Name, Sha256, oci::ImageReference},
    store::Registries,
    workspace::Workspace,
};

/// How many registries are asked at once.
const AT_ONCE: usize = 8;

/// An image that others stand on, as specs name it.
#[derive(Clone, Debug)]
pub struct BasePin {
    /// How specs name it; with a digest, if they pin one themselves.
    pub written: ImageReference,
    /// The subsystems whose images stand on it, with the digest that `forge.lock` has for each.
    pub users: BTreeMap<Name, Option<Sha256>>,
}

/// What a registry has of a base.
#[derive(Clone, Debug)]
pub struct BaseLook {
    /// The digest that its tag leads to.
    pub digest: Sha256,
    /// The newest tag of the same kind and major version, if it is newer.
    pub newer_in_major: Option<String>,
    /// The newest tag of the same kind, if it is newer.
    pub newer: Option<String>,
}

impl BasePin {
    /// The bases of the images of `names`, each once.
    pub fn from_workspace(workspace: &Workspace, names: &BTreeSet<Name>) -> Vec<Self> {
        let mut all: BTreeMap<ImageReference, BTreeMap<Name, Option<Sha256>>> = BTreeMap::new();
        for name in names {
            let image = workspace.subsystems[name].image.as_ref();
            let Some(base) = image.and_then(|image| image.base.clone()) else { continue };
            let locked = workspace.lock.subsystems.get(name);
            let locked = locked.and_then(|locked| locked.bases.get(&base.to_string()).copied());
            let digest = base.digest.or(locked);
            all.entry(base).or_default().insert(name.clone(), digest);
        }
        all.into_iter().map(|(written, users)| Self { written, users }).collect()
    }

    /// Its tag.
    pub fn tag(&self) -> &str {
        self.written.tag.as_deref().unwrap_or("latest")
    }

    /// The digest that is locked for any of its users.
    pub fn locked(&self) -> Option<Sha256> {
        self.users.values().copied().flatten().next()
    }

    /// Whether its tag led elsewhere when it was locked; a tag that nobody locked yet has not moved.
    pub fn has_moved(&self, look: &BaseLook) -> bool {
        self.users.values().flatten().any(|locked| *locked != look.digest)
    }

    /// Asks its registry.
    ///
    /// # Errors
    /// `Store` if the registry does not say; `Usage` if there is no such tag.
    pub async fn look_up(&self, registries: &Registries, pre: bool) -> Result<BaseLook, Fault> {
        let (repository, tag) = (&self.written.repository, self.tag());
        let found = registries.manifest(&repository.tagged(tag)).await?.ok_or_else(|| {
            Fault::new(Kind::Usage, format!("there is no image {repository}:{tag} any more"))
                .hint("choose another `base:`")
        })?;
        let tags = registries.tags(repository).await?;
        let listed: Vec<_> = tags.into_iter().map(ListedVersions::named).collect();
        let offers = Offers::as_listed(&listed);
        let newest = |major| {
            let offer = offers.newest(tag, OfferFilter { pre, major })?;
            Some(offer.version.clone()).filter(|version| is_newer(version, tag))
        };
        let (newer_in_major, newer) = (newest(false), newest(true));
        Ok(BaseLook { digest: found.digest, newer_in_major, newer })
    }
}

/// Asks for all of `pins`, in their order.
pub async fn look_at_bases(
    registries: &Registries,
    pins: Vec<BasePin>,
    pre: bool,
) -> Vec<(BasePin, Result<BaseLook, Fault>)> {
    let looks = pins.into_iter().map(|pin| async move {
        let look = pin.look_up(registries, pre).await;
        (pin, look)
    });
    stream::iter(looks).buffered(AT_ONCE).collect().await
}

/// `spec`, the text of a spec, with the base `to` where it names `from`; nothing unless it does so
/// once, as it is: a name that a template makes is for people to change.
pub fn with_base(spec: &str, from: &ImageReference, to: &ImageReference) -> Option<String> {
    let mut found = None;
    let mut at = 0;
    for line in spec.split_inclusive('\n') {
        let place = line.find("base:").filter(|at| !line[..*at].contains('#'));
        if let Some(key) = place {
            let rest = &line[key + "base:".len()..];
            let value = rest.trim_start_matches([' ', '"', '\'']);
            let end = value.find([' ', '"', '\'', ',', '}', '\n', '\r']).unwrap_or(value.len());
            if value[..end].parse::<ImageReference>().is_ok_and(|it| it == *from) {
                let begin = at + key + "base:".len() + (rest.len() - value.len());
                if found.replace(begin..begin + end).is_some() {
                    return None;
                }
            }
        }
        at += line.len();
    }
    let place = found?;
    let name = &spec[place.clone()];
    let name = name.split_once('@').map_or(name, |(name, _)| name);
    let after_path = name.rfind('/').map_or(0, |slash| slash + 1);
    let end = name[after_path..].find(':').map_or(name.len(), |colon| after_path + colon);
    let tag = to.tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
    let digest = to.digest.map(|digest| format!("@sha256:{digest}")).unwrap_or_default();
    let (before, after) = (&spec[..place.start], &spec[place.end..]);
    Some(format!("{before}{}{tag}{digest}{after}", &name[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_names_another_base_and_keeps_the_rest() {
        let to: ImageReference = "docker.io/library/debian:13".parse().unwrap();
        for (spec, from, expected) in [
            (
                "image: { base: debian:12, user: 1 } # x\n",
                "debian:12",
                Some("image: { base: debian:13, user: 1 } # x\n"),
            ),
            (
                "  base: \"debian:12\"\n",
                "docker.io/library/debian:12",
                Some("  base: \"debian:13\"\n"),
            ),
            ("  base: \"debian:{{ x }}\"\n", "debian:12", None),
            ("  base: debian:12\n  base: debian:12\n", "debian:12", None),
            (
                "# base: debian:12\n  base: debian:12",
                "debian:12",
                Some("# base: debian:12\n  base: debian:13"),
            ),
            ("  base: other\n", "debian:12", None),
        ] {
            let changed = with_base(spec, &from.parse().unwrap(), &to);
            assert_eq!(changed.as_deref(), expected, "{spec}");
        }
        let digest = "1".repeat(64);
        let pinned: ImageReference = format!("r.io:5/a:1@sha256:{digest}").parse().unwrap();
        let next = ImageReference { tag: Some("2".into()), digest: None, ..pinned.clone() };
        let spec = format!("base: r.io:5/a:1@sha256:{digest}\n");
        assert_eq!(with_base(&spec, &pinned, &next).unwrap(), "base: r.io:5/a:2\n");
    }
}
