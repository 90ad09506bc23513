//! Where only some paths of an archive are wanted: what is where in it, which entry a wanted path
//! leads to, and whether that one was written.

use std::{collections::BTreeMap, fs};

use super::{Destination, Entered};
use crate::{
    archive::{
        catalog::EntryNode,
        unpack::{EntryPolicy, Unpacked},
    },
    model::Fault,
};

/// Whether all that is wanted is there after a pass over an archive.
pub(in crate::archive) enum Settled<'a> {
    Done(Destination<'a>),
    /// Another pass is wanted, into this.
    Again(Destination<'a>),
}

impl<'a> Destination<'a> {
    /// For a second pass over the same archive, in which only the entries of `picks` count.
    fn second(self, picks: BTreeMap<u64, Vec<String>>) -> Self {
        Self { picks: Some(picks), entries: 0, holes: 0, ..self }
    }

    /// After a pass over the archive: takes care that each wanted path is the entry that it
    /// leads to. What cannot be told from what was written wants a second pass, with what is
    /// returned as the destination.
    ///
    /// # Errors
    /// A wanted path leads to what forge does not take.
    pub(in crate::archive) fn settle(mut self) -> Result<Settled<'a>, Fault> {
        let EntryPolicy::Only(only) = &self.unpacker.keep else { return Ok(Settled::Done(self)) };
        if let Some(picks) = self.picks.take() {
            for paths in picks.values() {
                for path in &paths[1..] {
                    self.copy(&paths[0], path)?;
                }
            }
            return Ok(Settled::Done(self));
        }
        let mut picks: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        for path in only {
            let entry = self.catalog.resolve(path);
            let entry =
                entry.map_err(|(name, objection)| self.refuse(name.as_bytes(), &objection))?;
            // A bare program is in no catalog.
            let Some(entry) = entry else { continue };
            if self.written.get(path) == Some(&entry) {
                continue;
            }
            let elsewhere = self.written.iter().find(|(_, number)| **number == entry);
            match elsewhere.map(|(path, _)| path.clone()) {
                Some(written) => self.copy(&written, path)?,
                None => picks.entry(entry).or_default().push(path.clone()),
            }
        }
        if picks.is_empty() {
            Ok(Settled::Done(self))
        } else {
            Ok(Settled::Again(self.second(picks)))
        }
    }

    /// Makes `to` a copy of what was written at `from`.
    fn copy(&mut self, from: &str, to: &str) -> Result<(), Fault> {
        let (Some(file), number) = (self.files.get(from).copied(), self.written.get(from).copied())
        else {
            return Ok(());
        };
        if let Some((parent, _)) = to.rsplit_once('/') {
            self.create_folder(parent)?;
        }
        self.forget(to)?;
        fs::copy(self.folder.join(from), self.folder.join(to))
            .map_err(|error| self.not_made(to, &error))?;
        self.files.insert(to.to_owned(), file);
        self.written.extend(number.map(|number| (to.to_owned(), number)));
        Ok(())
    }

    /// Whether what `entered` holds is written, if it is a file.
    pub(in crate::archive) fn takes(&self, entered: &Entered) -> bool {
        match (&self.picks, &self.unpacker.keep) {
            (Some(picks), _) => picks.contains_key(&entered.number),
            (None, EntryPolicy::Only(only)) => only.contains(&entered.path),
            (None, _) => true,
        }
    }

    /// Whether every entry is written.
    pub(in crate::archive) fn keeps_all(&self) -> bool {
        !self.wants_some()
    }

    pub(super) fn wants_some(&self) -> bool {
        matches!(self.unpacker.keep, EntryPolicy::Only(_))
    }

    /// Notes what is at a path, where only some are wanted.
    pub(super) fn catalogue(&mut self, entered: &Entered, node: EntryNode) -> Result<(), Fault> {
        if self.picks.is_some() {
            return Ok(());
        }
        let target = if let EntryNode::Link(target) = &node { target.len() } else { 0 };
        self.names += target;
        self.remember(&entered.full)?;
        if node != EntryNode::Folder && self.skipped.len() < Unpacked::NAMED {
            self.skipped.push(entered.path.clone());
        }
        self.catalog.enter(&entered.full, node, self.unpacker.strip);
        Ok(())
    }
}
