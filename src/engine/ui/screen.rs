//! The screen: takes events from any thread, and has a thread of its own that paints.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{
    bars::Bars,
    board::{Board, BoardFrame},
    plain::Plain,
    terminal::{Choice, LiveDisplay},
};
use crate::{
    console::Console,
    model::{Event, EventSink},
};

/// How often it paints: fast enough to look alive, slow enough to cost nothing.
const TICK: Duration = Duration::from_millis(100);

/// Something that paints frames.
pub(super) trait Painter: Send {
    /// Paints the board as it is `now`, counted from the start of the run.
    fn paint(&mut self, frame: BoardFrame, now: Duration);
    /// Takes away whatever is not meant to stay.
    fn close(&mut self);
}

/// Shows a run while it goes on. Dropping it finishes it.
pub struct Screen {
    shared: Option<Arc<ScreenShared>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct ScreenShared {
    began: Instant,
    state: Mutex<ScreenState>,
    closing: Condvar,
}

struct ScreenState {
    board: Board,
    closed: bool,
}

/// Opens the screen that was chosen; all it shows goes to standard error.
pub fn open(choice: &Choice, console: Console) -> Screen {
    match choice.live {
        LiveDisplay::Quiet => Screen { shared: None, thread: Mutex::new(None) },
        LiveDisplay::Plain => {
            Screen::paint_with(Plain::stderr(console, choice.stderr), choice.verbose)
        }
        LiveDisplay::Bars => Screen::paint_with(Bars::stderr(choice.stderr), choice.verbose),
    }
}

impl Screen {
    fn paint_with(painter: impl Painter + 'static, verbose: bool) -> Self {
        let shared = Arc::new(ScreenShared {
            began: Instant::now(),
            state: Mutex::new(ScreenState { board: Board::new(verbose), closed: false }),
            closing: Condvar::new(),
        });
        let theirs = Arc::clone(&shared);
        // Without a thread there is nothing to see, but the run goes on all the same.
        let thread =
            thread::Builder::new().name("screen".into()).spawn(move || theirs.run(painter));
        Self { shared: thread.is_ok().then_some(shared), thread: Mutex::new(thread.ok()) }
    }

    /// Paints what is left, takes bars away and stops. Events that come later are
    /// ignored. What is printed after this stands below everything the screen printed.
    pub fn finish(&self) {
        let Some(shared) = &self.shared else { return };
        shared.lock().closed = true;
        shared.closing.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // If painting panicked, the message was printed where it happened.
        let _ = thread.map(JoinHandle::join);
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.finish();
    }
}

impl EventSink for Screen {
    fn emit(&self, event: Event) {
        let Some(shared) = &self.shared else { return };
        let now = shared.began.elapsed();
        let mut state = shared.lock();
        if !state.closed {
            state.board.take(event, now);
        }
    }
}

impl ScreenShared {
    fn lock(&self) -> MutexGuard<'_, ScreenState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Paints every tick until it is closed, and once more then. The board is free
    /// while it paints.
    fn run(&self, mut painter: impl Painter) {
        loop {
            let (mut state, _) = self
                .closing
                .wait_timeout_while(self.lock(), TICK, |state| !state.closed)
                .unwrap_or_else(PoisonError::into_inner);
            let closed = state.closed;
            let frame = state.board.frame();
            drop(state);
            painter.paint(frame, self.began.elapsed());
            if closed {
                return painter.close();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    /// Counts the news it is given, and whether it was closed.
    #[derive(Clone, Default)]
    struct Counter(Arc<Mutex<(usize, usize)>>);

    impl Painter for Counter {
        fn paint(&mut self, frame: BoardFrame, _: Duration) {
            self.0.lock().unwrap().0 += frame.news.len();
        }
        fn close(&mut self) {
            self.0.lock().unwrap().1 += 1;
        }
    }

    #[test]
    fn whatever_was_emitted_from_any_thread_is_painted_before_it_finishes() {
        let counter = Counter::default();
        let screen = Screen::paint_with(counter.clone(), false);
        thread::scope(|scope| {
            for part in 0..4 {
                let screen = &screen;
                scope.spawn(move || {
                    for id in 0..500 {
                        screen.emit(sample::started(part * 500 + id, "nats", "linking"));
                        screen.emit(sample::finished(part * 500 + id, "nats"));
                    }
                });
            }
        });
        screen.finish();
        assert_eq!(*counter.0.lock().unwrap(), (2000, 1));
        screen.emit(sample::finished(1, "nats"));
        drop(screen);
        assert_eq!(*counter.0.lock().unwrap(), (2000, 1));
    }

    #[test]
    fn a_quiet_screen_takes_everything_and_shows_nothing() {
        let screen = open(&Choice::default(), Console::default());
        screen.emit(sample::finished(1, "nats"));
        screen.finish();
        assert!(screen.shared.is_none());
    }
}
