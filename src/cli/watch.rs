//! `forge run --watch`: tasks run again whenever a file changes that they go by. What still runs then
//! is ended first, with grace.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{task::spawn_blocking, time::sleep};

use crate::{
    model::{Fault, Kind, Layout},
    process::Cancel,
    report::Role,
    task::{ParameterRequest as Asked, TaskWatch, WatchedFiles},
    workspace::Workspaces,
};

use super::{CliError, host::Waiting, session::Session, task::SelectedTasks, task_args::TaskArgs};

/// How often files are looked at, if looking takes no longer than a fourth of that.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// Several files are saved at once: so long nothing may change before tasks run.
const QUIET: Duration = Duration::from_millis(60);
/// But after so long they run anyway.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many files are named that changed.
const NAMED: usize = 3;

/// What is run again and again, as it is loaded now.
pub(super) struct Loaded {
    /// The workspace.
    pub(super) workspaces: Arc<Workspaces>,
    /// What is asked of it.
    pub(super) asked: Asked,
    /// The files that it was loaded from.
    pub(super) files: Vec<PathBuf>,
}

/// Runs the tasks that `load` gives, now and whenever something changes.
pub(super) fn watch(
    session: &Session,
    wish: &TaskArgs,
    load: &dyn Fn() -> Result<Loaded, CliError>,
) -> Result<u8, CliError> {
    let _at_work = session.host.at_work()?;
    let (runtime, whole) = (session.host.runtime()?, session.host.cancel().clone());
    let (begun, habit) = (Instant::now(), Habit::default());
    let mut watcher = Watcher { session, wish, load, runtime, whole, begun, habit };
    let (mut loaded, mut watch) = watcher.loaded()?;
    SelectedTasks::select(&loaded.workspaces, &loaded.asked, wish)?.confirm(session, wish)?;
    loop {
        if let AfterRun::End = watcher.runs(&loaded, &watch)? {
            return Ok(0);
        }
        match watcher.loaded_again(loaded)? {
            Some(again) => (loaded, watch) = again,
            None => return Ok(0),
        }
    }
}

/// Who watches.
struct Watcher<'a> {
    session: &'a Session,
    wish: &'a TaskArgs,
    load: &'a dyn Fn() -> Result<Loaded, CliError>,
    runtime: Waiting<'a>,
    /// Stops everything.
    whole: Cancel,
    /// When the last run began.
    begun: Instant,
    habit: Habit,
}

/// What comes after a run.
enum AfterRun {
    /// Another one, since these files changed.
    Again(BTreeSet<PathBuf>),
    /// Nothing, since somebody wants it to end. That is no failure, whatever it stops.
    End,
}

/// Files that changed, and what all files hold since.
type Change = (BTreeSet<PathBuf>, Arc<WatchedFiles>);

impl Watcher<'_> {
    /// All that is run, and what it goes by.
    fn loaded(&self) -> Result<(Loaded, Arc<TaskWatch>), CliError> {
        let loaded = (self.load)()?;
        let wanted = SelectedTasks::select(&loaded.workspaces, &loaded.asked, self.wish)?;
        let workspace = loaded.workspaces.any();
        let watch = TaskWatch::for_invocations(workspace, &wanted.invocations);
        if watch.is_empty() {
            return Err(nothing_to_watch(&loaded.asked.tasks, &watch).into());
        }
        let watch = watch.and(&workspace.layout, &loaded.files);
        Ok((loaded, Arc::new(watch)))
    }

    /// [`Self::loaded`], as soon as that goes well; what is wrong until then is told. Nothing if
    /// somebody wants it to end.
    fn loaded_again(&self, known: Loaded) -> Result<Option<(Loaded, Arc<TaskWatch>)>, CliError> {
        let layout = known.workspaces.layout().clone();
        let mut files = known.files;
        loop {
            let watch = Arc::new(TaskWatch::default().and(&layout, &files));
            let mut sight = Arc::new(watch.snapshot(&WatchedFiles::default()));
            let stop = match self.loaded() {
                Ok(loaded) => return Ok(Some(loaded)),
                Err(stop) => stop,
            };
            if let CliError::Problems(problems) = &stop {
                files.extend(problems.texts.keys().map(|file| layout.root().join(file)));
            }
            self.session.report(stop);
            self.note("waiting until that is put right");
            if let AfterRun::End = self.idle(&watch, &mut sight) {
                return Ok(None);
            }
        }
    }

    /// Runs what is `loaded` until the files change that it was loaded from.
    fn runs(&mut self, loaded: &Loaded, watch: &Arc<TaskWatch>) -> Result<AfterRun, CliError> {
        let (layout, tasks) = (loaded.workspaces.layout(), loaded.asked.tasks.join(" "));
        let wanted = SelectedTasks::select(&loaded.workspaces, &loaded.asked, self.wish)?;
        let mut sight = Arc::new(watch.snapshot(&WatchedFiles::default()));
        loop {
            self.begun = Instant::now();
            let mut next = self.run(&wanted, watch, &mut sight);
            while next.is_none() {
                let count = watch.count(&sight);
                self.note(&format!("watching {count} files; Ctrl-C ends it"));
                next = match self.idle(watch, &mut sight) {
                    AfterRun::Again(files) if self.is_habit(layout, &files) => None,
                    next => Some(next),
                };
            }
            let Some(AfterRun::Again(files)) = next else { return Ok(AfterRun::End) };
            let changed = named(layout, &files);
            if loaded.files.iter().any(|file| files.contains(file)) {
                self.note(&format!("{changed} changed: loading it again"));
                return Ok(AfterRun::Again(files));
            }
            self.note(&format!("{changed} changed: running {tasks} again"));
        }
    }

    /// Runs `wanted` to its end, or until files change. Says what comes next, if that is known then.
    fn run(
        &mut self,
        wanted: &SelectedTasks,
        watch: &Arc<TaskWatch>,
        sight: &mut Arc<WatchedFiles>,
    ) -> Option<AfterRun> {
        let cancel = self.whole.part();
        let (session, wish) = (self.session, self.wish);
        let (done, change) = session.host.runtime().ok()?.block_on(async {
            let mut run = pin!(wanted.run(session, wish, cancel.clone(), None));
            loop {
                let change = tokio::select! {
                    biased;
                    done = &mut run => return (done, None),
                    change = changed(watch, sight) => change,
                };
                if self.is_habit(wanted.layout(), &change.0) {
                    *sight = change.1;
                    continue;
                }
                cancel.cancel_because("a file changed");
                let (done, change) = tokio::join!(&mut run, settled(watch, sight, change));
                return (done, Some(change));
            }
        });
        if self.whole.is_cancelled() {
            return Some(AfterRun::End);
        }
        let Some((files, now)) = change else {
            if let Err(stop) = done {
                session.report(stop);
            }
            return None;
        };
        *sight = now;
        Some(AfterRun::Again(files))
    }

    /// Waits until files change.
    fn idle(&self, watch: &Arc<TaskWatch>, sight: &mut Arc<WatchedFiles>) -> AfterRun {
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = self.whole.cancelled() => AfterRun::End,
                change = changed(watch, sight) => {
                    let (files, now) = settled(watch, sight, change).await;
                    *sight = now;
                    AfterRun::Again(files)
                }
            }
        })
    }

    /// Whether the tasks themselves changed `files`, as they always do; tells it, once.
    fn is_habit(&mut self, layout: &Layout, files: &BTreeSet<PathBuf>) -> bool {
        let cause = self.habit.judge(files, self.begun.elapsed());
        if cause == Cause::NewHabit {
            let what =
                format!("{} changes whenever this runs: that alone is", named(layout, files));
            self.note(&format!("{what} no reason to run again; `outputs` names what tasks make"));
        }
        cause != Cause::Somebody
    }

    /// Says something on standard error. If that is closed there is nobody left to tell.
    fn note(&self, text: &str) {
        if !self.session.flags.quiet {
            let text = self.session.stderr_style().paint(Role::Dim, text);
            self.session.console().err(&format!("{text}\n"));
        }
    }
}

/// Waits until something is not as it was at the time of `sight`.
async fn changed(watch: &Arc<TaskWatch>, sight: &Arc<WatchedFiles>) -> Change {
    let (mut last, mut pause) = (sight.clone(), LOOK_AGAIN);
    loop {
        sleep(pause).await;
        let begun = Instant::now();
        let (files, now) = find_change(watch, sight, last).await;
        if !files.is_empty() {
            return (files, now);
        }
        (last, pause) = (now, LOOK_AGAIN.max(begun.elapsed() * 4));
    }
}

/// Waits until nothing changes any more, but not for long.
async fn settled(
    watch: &Arc<TaskWatch>,
    sight: &Arc<WatchedFiles>,
    (files, last): Change,
) -> Change {
    let (begun, mut last) = (Instant::now(), last);
    loop {
        sleep(QUIET).await;
        let (fresh, now) = find_change(watch, &last, last.clone()).await;
        if fresh.is_empty() || begun.elapsed() > PATIENCE {
            // What was undone meanwhile is a change all the same.
            let (more, now) = find_change(watch, sight, now).await;
            return (files.into_iter().chain(more).collect(), now);
        }
        last = now;
    }
}

/// What differs now from `sight`; `last` is what was seen the last time.
async fn find_change(
    watch: &Arc<TaskWatch>,
    sight: &Arc<WatchedFiles>,
    last: Arc<WatchedFiles>,
) -> Change {
    let (watch, sight, known) = (watch.clone(), sight.clone(), last.clone());
    let looked = spawn_blocking(move || {
        let now = watch.snapshot(&known);
        (watch.changes(&sight, &now), Arc::new(now))
    });
    // It fails only while everything is torn down.
    looked.await.unwrap_or_else(|_| (BTreeSet::new(), last))
}

/// The files as messages call them.
fn named(layout: &Layout, files: &BTreeSet<PathBuf>) -> String {
    let shown: Vec<_> = files.iter().take(NAMED).map(|path| layout.display(path)).collect();
    match files.len().checked_sub(NAMED + 1) {
        Some(more) => format!("{} and {} more", shown.join(", "), more + 1),
        None => shown.join(", "),
    }
}

fn nothing_to_watch(tasks: &[String], watch: &TaskWatch) -> Fault {
    let what = format!("there is nothing to watch for {}", tasks.join(" "));
    let fault = Fault::new(Kind::Usage, what);
    if let Some(task) = watch.unknown.first() {
        return fault.because(format!("which `inputs` {task} has is only known once it runs"));
    }
    fault
        .because("neither it nor what it needs or calls says which files go into it")
        .hint("write them down: `inputs: [\"src/**\"]`")
}

/// Notices tasks that change what they go by themselves: the same files, run after run, as long after
/// each begins. People are not as regular.
#[derive(Default)]
struct Habit {
    /// The last changes that were alike: which files, and how long after a run began.
    last: Option<(BTreeSet<PathBuf>, Duration)>,
    /// How many there were.
    times: usize,
    known: Vec<(BTreeSet<PathBuf>, Duration)>,
}

/// What a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// Somebody's work.
    Somebody,
    /// What the tasks do whenever they run, as is known since now.
    NewHabit,
    /// The same, as is known since earlier.
    Habit,
}

impl Habit {
    /// So often, and it is one.
    const TIMES: usize = 3;
    /// How much the times may differ: as much as two looks may.
    const JITTER: Duration = Duration::from_millis(400);

    /// What changed `files` so long `after` a run began.
    fn judge(&mut self, files: &BTreeSet<PathBuf>, after: Duration) -> Cause {
        let is_alike = |(known, then): &(BTreeSet<PathBuf>, Duration)| {
            known == files && after.abs_diff(*then) < Self::JITTER
        };
        if self.known.iter().any(is_alike) {
            return Cause::Habit;
        }
        self.times = if self.last.as_ref().is_some_and(is_alike) { self.times + 1 } else { 1 };
        let change = (files.clone(), after);
        if self.times < Self::TIMES {
            self.last = Some(change);
            return Cause::Somebody;
        }
        self.known.push(change);
        Cause::NewHabit
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Cause::{Habit as Old, NewHabit as New, Somebody as Man},
        *,
    };

    #[test]
    fn what_changes_as_long_after_each_run_began_is_a_habit() {
        let told = |changes: &[(&str, u64)]| {
            let mut habit = Habit::default();
            let judge = |(name, after): &(&str, u64)| {
                habit.judge(&BTreeSet::from([name.into()]), Duration::from_millis(*after))
            };
            changes.iter().map(judge).collect::<Vec<_>>()
        };
        assert_eq!(told(&[("a", 900), ("a", 1000), ("a", 800)]), [Man, Man, New]);
        assert_eq!(
            told(&[("a", 9), ("a", 9), ("a", 9), ("b", 50), ("a", 9), ("a", 5000)]),
            [Man, Man, New, Man, Old, Man]
        );
        assert_eq!(told(&[("a", 900), ("a", 2000), ("a", 900)]), [Man; 3]);
        assert_eq!(told(&[("a", 900), ("b", 900), ("a", 900)]), [Man; 3]);
    }
}
