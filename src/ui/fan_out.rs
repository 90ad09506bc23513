//! Passes each event to several sinks.

use std::sync::Arc;

use crate::model::{Event, EventSink};

/// A sink that passes every event to each of its sinks, in their order.
#[derive(Clone, Default)]
pub struct FanOut {
    sinks: Vec<Arc<dyn EventSink>>,
}

impl FanOut {
    /// Passes to `sinks`.
    pub fn new(sinks: Vec<Arc<dyn EventSink>>) -> Self {
        Self { sinks }
    }
}

impl EventSink for FanOut {
    fn emit(&self, event: Event) {
        let Some((last, others)) = self.sinks.split_last() else { return };
        for sink in others {
            sink.emit(event.clone());
        }
        last.emit(event);
    }
}
