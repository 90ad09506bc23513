//! Stopping a run: one handle that everybody who works can look at or wait for.

use std::sync::Arc;

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::model::{Fault, Kind};

/// How urgent it is to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    /// Nobody asked.
    #[default]
    None,
    /// Commands are asked to end and get their grace.
    Stop,
    /// Commands are killed at once.
    Kill,
}

#[derive(Clone, Debug, Default)]
struct State {
    urgency: Urgency,
    reason: Option<String>,
}

/// A handle with which a run is stopped; every clone is the same handle.
#[derive(Clone, Debug)]
pub struct Cancel(Arc<watch::Sender<State>>);

impl Default for Cancel {
    fn default() -> Self {
        Self::new()
    }
}

impl Cancel {
    /// A handle of a run that nobody stopped yet.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(State::default())))
    }

    /// Stops the run. Asked a second time, commands get no more grace.
    pub fn cancel(&self) {
        self.cancel_because("the run was stopped");
    }

    /// Stops the run as [`Cancel::cancel`] does, and says why; the first reason stays.
    pub fn cancel_because(&self, reason: &str) {
        self.0.send_modify(|state| {
            state.urgency = match state.urgency {
                Urgency::None => Urgency::Stop,
                Urgency::Stop | Urgency::Kill => Urgency::Kill,
            };
            state.reason.get_or_insert_with(|| reason.to_owned());
        });
    }

    /// Whether the run is to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.borrow().urgency >= Urgency::Stop
    }

    /// Waits until the run is to stop.
    pub async fn cancelled(&self) {
        self.reached(Urgency::Stop).await;
    }

    /// Waits until commands are to be killed without grace.
    pub(super) async fn killed(&self) {
        self.reached(Urgency::Kill).await;
    }

    async fn reached(&self, urgency: Urgency) {
        // Cannot fail: the sender lives as long as `self`.
        let _ = self.0.subscribe().wait_for(|state| state.urgency >= urgency).await;
    }

    /// The fault of work that ends because the run is to stop: `what` was stopped.
    pub fn fault(&self, what: &str) -> Fault {
        let fault = Fault::new(Kind::Interrupted, format!("{what} was stopped"));
        match &self.0.borrow().reason {
            Some(reason) => fault.because(reason.clone()),
            None => fault,
        }
    }

    /// Lets SIGINT (Ctrl-C), SIGTERM and SIGHUP stop the run from now on; a second signal
    /// takes the grace away. A signal that was ignored when forge began (`nohup`, a
    /// background job of a script) stays ignored where the system tells (Linux).
    ///
    /// # Errors
    /// `Failed` if the system refuses to deliver signals. Must be called within a runtime.
    pub fn listen_to_signals(&self) -> Result<(), Fault> {
        let ignored = ignored_signals();
        let signals = [
            (SignalKind::interrupt(), "interrupted (SIGINT)"),
            (SignalKind::terminate(), "told to end (SIGTERM)"),
            (SignalKind::hangup(), "the terminal was closed (SIGHUP)"),
        ];
        for (kind, reason) in signals {
            if ignored & (1 << (kind.as_raw_value() - 1)) != 0 {
                continue;
            }
            let mut arrivals =
                signal(kind).map_err(|error| Fault::io("cannot listen to signals", &error))?;
            let cancel = self.clone();
            tokio::spawn(async move {
                while arrivals.recv().await.is_some() {
                    cancel.cancel_because(reason);
                }
            });
        }
        Ok(())
    }
}

/// The signals this process ignores, as the bit mask `SigIgn` of proc(5).
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_clone_hears_what_the_other_says() {
        let cancel = Cancel::new();
        let other = cancel.clone();
        assert!(!other.is_cancelled());
        let waiting = tokio::spawn(async move { other.cancelled().await });
        cancel.cancel_because("enough");
        waiting.await.unwrap();
        assert_eq!(cancel.fault("`make`").to_string(), "`make` was stopped: enough");
        assert_eq!(cancel.fault("`make`").kind, Kind::Interrupted);
    }

    #[tokio::test]
    async fn the_second_request_takes_the_grace_away() {
        let cancel = Cancel::new();
        cancel.cancel();
        assert!(futures_util::FutureExt::now_or_never(cancel.killed()).is_none());
        cancel.cancel_because("again");
        cancel.killed().await;
        assert!(cancel.fault("x").to_string().contains("the run was stopped"));
    }

    #[tokio::test]
    async fn a_signal_stops_the_run() {
        let cancel = Cancel::new();
        cancel.listen_to_signals().unwrap();
        let (own, signal) = (rustix::process::getpid(), rustix::process::Signal::TERM);
        rustix::process::kill_process(own, signal).unwrap();
        cancel.cancelled().await;
        assert_eq!(cancel.fault("it").to_string(), "it was stopped: told to end (SIGTERM)");
    }
}
