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

#[cfg(test)]
mod tests {
    use super::{
        super::{Recorder, sample},
        *,
    };

    #[test]
    fn every_sink_gets_every_event() {
        let recorders = [Arc::new(Recorder::default()), Arc::new(Recorder::default())];
        let sinks = recorders.iter().map(|sink| Arc::clone(sink) as Arc<dyn EventSink>);
        FanOut::new(sinks.collect()).emit(sample::started(1, "nats", "building"));
        FanOut::default().emit(sample::started(2, "arc", "building"));
        for recorder in recorders {
            assert_eq!(recorder.laps().len(), 1);
        }
    }
}
