//! Stopping a run: one handle that everybody who works can look at or wait for.

use std::{sync::Arc, task::Poll, time::Duration};

use futures_util::future::select_all;
use tokio::{
    runtime::Builder,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

use crate::model::{Fault, Kind};

/// Why a run stops at Ctrl-C.
const INTERRUPTED: &str = "interrupted (SIGINT)";

#[derive(Clone, Debug, Default)]
struct CancelState {
    /// How often it was asked to stop: once, and commands get their grace; twice, and they
    /// are killed at once.
    requests: usize,
    reason: Option<String>,
    /// How many commands have the terminal: Ctrl-C is theirs.
    lent: usize,
    /// How many are at something that may take its time to end: commands, and services.
    busy: usize,
}

/// How often is looked whether a run that is to stop is still at work.
const LOOK: Duration = Duration::from_millis(100);
/// How long a run that is to stop may go on while no command of it runs.
const OVERDUE: Duration = Duration::from_secs(4);
/// The stack of the thread that listens, in bytes.
const LISTENER_STACK: usize = 256 << 10;

/// A handle with which a run is stopped; every clone is the same handle.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<Handle>);

#[derive(Debug, Default)]
struct Handle {
    state: watch::Sender<CancelState>,
    /// The handle of the whole that this is a part of.
    whole: Option<Cancel>,
    /// How many requests to the whole are not meant for this part.
    patience: usize,
}

impl PartialEq for Cancel {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Cancel {}

/// While it lives, a run that is to stop is not overdue.
#[derive(Debug)]
pub struct GracePeriod(Cancel);

impl Drop for GracePeriod {
    fn drop(&mut self) {
        self.0.0.state.send_modify(|state| state.busy -= 1);
    }
}

/// While it lives, a command has the terminal.
pub(super) struct Lent(Cancel);

impl Drop for Lent {
    fn drop(&mut self) {
        self.0.0.state.send_modify(|state| state.lent -= 1);
    }
}

impl Cancel {
    /// A handle of a run that nobody stopped yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A handle for a part of the run: stopping it stops only that, and it stops with the whole.
    #[must_use]
    pub fn part(&self) -> Self {
        let (state, whole) = (watch::Sender::default(), Some(self.clone()));
        Self(Arc::new(Handle { state, whole, patience: 0 }))
    }

    /// A handle for what cleans up: the first request leaves it alone, and the second stops it.
    #[must_use]
    pub fn patient(&self) -> Self {
        let (state, whole) = (watch::Sender::default(), Some(self.clone()));
        Self(Arc::new(Handle { state, whole, patience: 1 }))
    }

    /// Leaves Ctrl-C to the command that has the terminal.
    pub(super) fn lend(&self) -> Lent {
        let whole = self.chain().last().unwrap_or(self).clone();
        whole.0.state.send_modify(|state| state.lent += 1);
        Lent(whole)
    }

    /// Says that something ends in its own time: a command that is given grace, a service.
    #[must_use]
    pub fn grace_period(&self) -> GracePeriod {
        let whole = self.chain().last().unwrap_or(self).clone();
        whole.0.state.send_modify(|state| state.busy += 1);
        GracePeriod(whole)
    }

    /// This handle, and those of the wholes that it is a part of.
    fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |cancel| cancel.0.whole.as_ref())
    }

    /// Stops the run. Asked a second time, commands get no more grace.
    pub fn cancel(&self) {
        self.cancel_because("the run was stopped");
    }

    /// Stops the run as [`Cancel::cancel`] does, and says why; the first reason stays.
    pub fn cancel_because(&self, reason: &str) {
        self.0.state.send_modify(|state| {
            state.requests += 1;
            state.reason.get_or_insert_with(|| reason.to_owned());
        });
    }

    /// Stops the whole run, since a command that had the terminal died of Ctrl-C.
    pub(super) fn interrupted(&self) {
        self.chain().last().unwrap_or(self).cancel_because(INTERRUPTED);
    }

    /// Whether the run is to stop.
    pub fn is_cancelled(&self) -> bool {
        let is_asked =
            |(cancel, requests): (&Self, usize)| cancel.0.state.borrow().requests >= requests;
        self.asked(1).any(is_asked)
    }

    /// Waits until the run is to stop.
    pub async fn cancelled(&self) {
        self.reached(1).await;
    }

    /// Waits until commands are to be killed without grace.
    pub(super) async fn killed(&self) {
        self.reached(2).await;
    }

    async fn reached(&self, requests: usize) {
        let reached = self.asked(requests).map(|(cancel, requests)| {
            // Cannot fail: the sender lives as long as `self`.
            Box::pin(async move {
                let mut state = cancel.0.state.subscribe();
                let _ = state.wait_for(|state| state.requests >= requests).await;
            })
        });
        select_all(reached).await;
    }

    /// The handles that this one hears, and how often each must be asked to count as `requests`.
    fn asked(&self, requests: usize) -> impl Iterator<Item = (&Self, usize)> {
        std::iter::successors(Some((self, requests)), |(cancel, requests)| {
            cancel.0.whole.as_ref().map(|whole| (whole, requests + cancel.0.patience))
        })
    }

    /// The fault of work that ends because the run is to stop: `what` was stopped.
    pub fn fault(&self, what: &str) -> Fault {
        let fault = Fault::new(Kind::Interrupted, format!("{what} was stopped"));
        let reason = |cancel: &Self| cancel.0.state.borrow().reason.clone();
        match self.chain().filter_map(reason).last() {
            Some(reason) => fault.because(reason),
            None => fault,
        }
    }

    /// Lets SIGINT (Ctrl-C), SIGTERM and SIGHUP stop the run from now on; a second signal
    /// takes the grace away. A signal that was ignored when forge began (`nohup`, a
    /// background job of a script) stays ignored where the system tells (Linux). Each that counts is
    /// told to `arrived`, with what it is. `overdue` is called when the run goes on all the same for
    /// some seconds in which none of its commands runs: something is at work that does not look.
    ///
    /// The signals have a thread of their own, so that they are heard whatever the others do.
    ///
    /// # Errors
    /// `Failed` if the system has no thread for it, or refuses to deliver signals.
    pub fn listen_to_signals(
        &self,
        arrived: impl Fn(&str) + Send + 'static,
        overdue: impl Fn() + Send + 'static,
    ) -> Result<(), Fault> {
        let cannot = |error: &std::io::Error| Fault::io("cannot listen to signals", error);
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| cannot(&error))?;
        let signals = {
            let _entered = runtime.enter();
            StopSignals::new().map_err(|error| cannot(&error))?
        };
        let cancel = self.clone();
        let listen = move || runtime.block_on(cancel.listen(signals, &arrived, &overdue));
        let thread = std::thread::Builder::new().name("signals".into()).stack_size(LISTENER_STACK);
        thread.spawn(listen).map_err(|error| cannot(&error))?;
        Ok(())
    }

    async fn listen(&self, mut signals: StopSignals, arrived: &dyn Fn(&str), overdue: &dyn Fn()) {
        let mut idle = Duration::ZERO;
        loop {
            tokio::select! {
                (kind, reason) = signals.next() => {
                    if kind == SignalKind::interrupt() && self.0.state.borrow().lent > 0 {
                        continue;
                    }
                    arrived(reason);
                    self.cancel_because(reason);
                }
                () = tokio::time::sleep(LOOK), if self.is_cancelled() => {
                    let is_busy = self.0.state.borrow().busy > 0;
                    idle = if is_busy { Duration::ZERO } else { idle + LOOK };
                    if idle >= OVERDUE {
                        overdue();
                    }
                }
            }
        }
    }
}

/// The signals that stop a run, and are not ignored.
struct StopSignals(Vec<(SignalKind, &'static str, Signal)>);

impl StopSignals {
    fn new() -> std::io::Result<Self> {
        let ignored = ignored_signals();
        let all = [
            (SignalKind::interrupt(), INTERRUPTED),
            (SignalKind::terminate(), "told to end (SIGTERM)"),
            (SignalKind::hangup(), "the terminal was closed (SIGHUP)"),
        ];
        let heard =
            all.into_iter().filter(|(kind, _)| ignored & (1 << (kind.as_raw_value() - 1)) == 0);
        let heard: std::io::Result<Vec<_>> =
            heard.map(|(kind, reason)| Ok((kind, reason, signal(kind)?))).collect();
        // A file that may not grow (`ulimit -f`) is an error where it is written, and no end of forge.
        drop(signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?);
        Ok(Self(heard?))
    }

    /// Waits for the next.
    async fn next(&mut self) -> (SignalKind, &'static str) {
        std::future::poll_fn(|context| {
            for (kind, reason, signal) in &mut self.0 {
                if signal.poll_recv(context).is_ready() {
                    return Poll::Ready((*kind, *reason));
                }
            }
            Poll::Pending
        })
        .await
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
    async fn a_part_stops_alone_or_with_the_whole() {
        let whole = Cancel::new();
        let (part, other) = (whole.part(), whole.part().part());
        part.cancel_because("`x` failed");
        part.cancelled().await;
        assert!(!whole.is_cancelled() && !other.is_cancelled());
        whole.cancel_because("enough");
        other.cancelled().await;
        assert_eq!(other.fault("it").to_string(), "it was stopped: enough");
    }

    #[tokio::test]
    async fn what_cleans_up_stops_at_the_second_request() {
        let whole = Cancel::new();
        let patient = whole.part().patient();
        whole.cancel();
        assert!(whole.is_cancelled() && !patient.is_cancelled());
        whole.cancel();
        patient.cancelled().await;
        assert!(futures_util::FutureExt::now_or_never(patient.killed()).is_none());
        whole.cancel();
        patient.killed().await;
    }

    #[tokio::test]
    async fn a_signal_stops_the_run() {
        let cancel = Cancel::new();
        cancel.listen_to_signals(|_| (), || ()).unwrap();
        let (own, signal) = (rustix::process::getpid(), rustix::process::Signal::TERM);
        rustix::process::kill_process(own, signal).unwrap();
        cancel.cancelled().await;
        assert_eq!(cancel.fault("it").to_string(), "it was stopped: told to end (SIGTERM)");
    }
}
