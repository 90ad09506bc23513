//! What needs what, among subsystems.

use std::collections::BTreeMap;

use super::Workspace;
use crate::model::Name;

/// In which way one subsystem needs another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NeedKind {
    /// `needs:`.
    Needs,
    /// `build_needs:`.
    BuildNeeds,
    /// `needs:` of its service.
    StartsAfter,
}

/// Subsystems that are needed, or that need, each with the ways.
pub type NeedMap<'w> = BTreeMap<&'w Name, Vec<NeedKind>>;

impl NeedKind {
    /// In words, for tables.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Needs => "needs",
            Self::BuildNeeds => "build needs",
            Self::StartsAfter => "starts after",
        }
    }
}

impl Workspace {
    /// What `name` needs.
    #[must_use]
    pub fn needs_of(&self, name: &Name) -> NeedMap<'_> {
        let mut found = NeedMap::new();
        let Some(subsystem) = self.subsystems.get(name) else { return found };
        let service = subsystem.service.iter().flat_map(|service| &service.needs);
        let all = [
            (NeedKind::Needs, subsystem.needs.iter().collect::<Vec<_>>()),
            (NeedKind::BuildNeeds, subsystem.build_needs.iter().collect()),
            (NeedKind::StartsAfter, service.collect()),
        ];
        for (kind, names) in all {
            for name in names {
                found.entry(name).or_default().push(kind);
            }
        }
        found
    }

    /// What needs `name`.
    #[must_use]
    pub fn needed_by(&self, name: &Name) -> NeedMap<'_> {
        let needing = self.subsystems.keys().filter_map(|other| {
            let kinds = self.needs_of(other).remove(name)?;
            Some((other, kinds))
        });
        needing.collect()
    }

    /// The subsystem that yields the binary `binary`.
    #[must_use]
    pub fn owner_of(&self, binary: &str) -> Option<&Name> {
        let yields = |name: &&Name| self.subsystems[*name].binaries.iter().any(|it| it == binary);
        self.subsystems.keys().find(yields)
    }
}
