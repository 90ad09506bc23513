//! Events that tests emit.

use crate::{
    model::{ActionId, Event, How},
    report::sample::artifact,
};

pub(super) fn started(id: u32, name: &str, verb: &'static str) -> Event {
    let artifact = artifact(name, How::Built);
    Event::Started { action: ActionId(id), artifact: artifact.id, version: artifact.version, verb }
}

pub(super) fn phase(id: u32, phase: &str) -> Event {
    Event::Phase { action: ActionId(id), phase: phase.into() }
}

pub(super) fn transfer(id: u32, done: u64, total: Option<u64>) -> Event {
    Event::Transfer { action: ActionId(id), done, total }
}

pub(super) fn line(id: u32, line: &str) -> Event {
    Event::Line { action: ActionId(id), line: line.into() }
}

pub(super) fn finished(id: u32, name: &str) -> Event {
    Event::Finished { action: ActionId(id), report: artifact(name, How::Built) }
}
