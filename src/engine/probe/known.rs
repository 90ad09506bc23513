//! What a snapshot says of artifacts, and which of them are to be looked at again where files of some
//! changed: those, and all that need them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::PathBuf,
};

use crate::{
    model::{ArtifactId, ArtifactReport, How, Name, Platform},
    workspace::Subsystem,
};

/// An artifact that was installed and verified: a line of a snapshot's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownArtifact {
    /// Its name.
    pub name: Name,
    /// Its version label.
    pub version: String,
    /// How large its binaries are together.
    pub bytes: u64,
    /// The file that it comes from, relative to the workspace.
    pub spec: PathBuf,
    /// What it needs, built or running.
    pub needs: BTreeSet<Name>,
}

impl KnownArtifact {
    /// The artifact of `report`, which is of `subsystem`.
    pub fn new(report: &ArtifactReport, subsystem: &Subsystem) -> Self {
        Self {
            name: report.id.name.clone(),
            version: report.version.clone(),
            bytes: report.bytes,
            spec: subsystem.spec.clone(),
            needs: subsystem.needs.union(&subsystem.build_needs).cloned().collect(),
        }
    }

    /// It as a line. None if a path cannot be written down.
    pub fn line(&self) -> Option<String> {
        let Self { name, version, bytes, spec, needs } = self;
        let needs: Vec<&str> = needs.iter().map(Name::as_str).collect();
        let spec = spec.to_str().filter(|spec| !spec.contains(['\t', '\n']))?;
        Some(format!("{bytes}\t{name}\t{version}\t{spec}\t{}", needs.join(" ")))
    }

    /// What `line` says, as [`Self::line`] wrote it.
    pub fn from_line(line: &str) -> Option<Self> {
        let mut parts = line.splitn(5, '\t');
        Some(Self {
            bytes: parts.next()?.parse().ok()?,
            name: Name::new(parts.next()?).ok()?,
            version: parts.next()?.to_owned(),
            spec: PathBuf::from(parts.next()?),
            needs: (parts.next()?.split_whitespace())
                .map(|name| Name::new(name).ok())
                .collect::<Option<_>>()?,
        })
    }

    /// That it is installed for `platform`, as a look at it says.
    pub fn report(&self, platform: Platform) -> ArtifactReport {
        ArtifactReport {
            id: ArtifactId { name: self.name.clone(), platform },
            version: self.version.clone(),
            how: How::Fresh,
            published: false,
            bytes: self.bytes,
            seconds: 0.0,
            reason: "installed and verified".into(),
            log: None,
            fault: None,
        }
    }
}

/// What is to be looked at again.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Recheck {
    /// The artifacts.
    pub names: BTreeSet<Name>,
    /// The specs of these and of all that they need, relative to the workspace.
    pub specs: BTreeSet<PathBuf>,
}

impl Recheck {
    /// What is to be looked at again of `known`, where the lines `stale`, counted from 1, may no longer hold.
    /// None if that is much of it, or if something is needed that is not known.
    pub fn new(known: &[KnownArtifact], stale: &BTreeSet<u32>) -> Option<Self> {
        let at = |line: &u32| Some(&known.get((*line as usize).checked_sub(1)?)?.name);
        let stale: Vec<&Name> = stale.iter().map(at).collect::<Option<_>>()?;
        let by_name: HashMap<&Name, &KnownArtifact> =
            known.iter().map(|known| (&known.name, known)).collect();
        let mut needing: BTreeMap<&Name, Vec<&Name>> = BTreeMap::new();
        for KnownArtifact { name, needs, .. } in known {
            for need in needs {
                needing.entry(need).or_default().push(name);
            }
        }
        let names = reached(stale, |name| Some(needing.get(name).into_iter().flatten().copied()))?;
        let needs = |name: &Name| Some(by_name.get(name)?.needs.iter());
        let all = reached(names.iter().copied().collect(), needs)?;
        let specs = all.iter().map(|name| by_name.get(*name).map(|known| known.spec.clone()));
        (2 * all.len() <= known.len()).then(|| {
            let names = names.into_iter().cloned().collect();
            Some(Self { names, specs: specs.collect::<Option<_>>()? })
        })?
    }
}

/// `from` and all that `next` leads to from there. None if it leads nowhere from something.
fn reached<'n, N: Iterator<Item = &'n Name>>(
    from: Vec<&'n Name>,
    next: impl Fn(&'n Name) -> Option<N>,
) -> Option<BTreeSet<&'n Name>> {
    let (mut all, mut rest) = (BTreeSet::new(), from);
    while let Some(name) = rest.pop() {
        if all.insert(name) {
            rest.extend(next(name)?);
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(name: &str, needs: &[&str]) -> KnownArtifact {
        KnownArtifact {
            name: Name::new(name).unwrap(),
            version: "v1 of it".into(),
            bytes: 7,
            spec: format!("subsystems/{name}.yml").into(),
            needs: needs.iter().map(|need| Name::new(need).unwrap()).collect(),
        }
    }

    fn of_line(line: u32, known: &[KnownArtifact]) -> Option<String> {
        let found = Recheck::new(known, &[line].into())?;
        let names: Vec<&str> = found.names.iter().map(Name::as_str).collect();
        let specs = found.specs.iter().filter_map(|spec| spec.file_stem()?.to_str());
        Some(format!("{}: {}", names.join(" "), specs.collect::<Vec<_>>().join(" ")))
    }

    #[test]
    fn lines_are_read_as_they_are_written() {
        for known in [known("a", &[]), known("b", &["a", "c"])] {
            assert_eq!(KnownArtifact::from_line(&known.line().unwrap()), Some(known));
        }
        let odd = KnownArtifact { spec: "a\tb.yml".into(), ..known("a", &[]) };
        assert_eq!(odd.line(), None);
        for line in ["", "x\ta\tv1\ts.yml\t", "1\ta\tv1\ts.yml", "1\ta\tv1\ts.yml\t/"] {
            assert_eq!(KnownArtifact::from_line(line), None, "{line}");
        }
    }

    #[test]
    fn what_needs_it_is_looked_at_again_and_what_those_need_is_read() {
        let mut all = vec![known("a", &[]), known("b", &["a"]), known("c", &["b", "d"])];
        all.extend([known("d", &[]), known("e", &[]), known("f", &["e"]), known("g", &[])]);
        all.push(known("h", &[]));
        assert_eq!(of_line(1, &all).as_deref(), Some("a b c: a b c d"));
        assert_eq!(of_line(4, &all).as_deref(), Some("c d: a b c d"));
        assert_eq!(of_line(5, &all).as_deref(), Some("e f: e f"));
        assert_eq!(of_line(6, &all).as_deref(), Some("f: e f"));
        assert_eq!(of_line(9, &all), None, "a line that is not there");
        assert_eq!(Recheck::new(&all, &(1..=8).collect()), None, "much of it");
        all[6] = known("g", &["unknown"]);
        assert_eq!(of_line(7, &all), None, "what it needs is not known");
        assert_eq!(of_line(5, &all).as_deref(), Some("e f: e f"));
    }
}
