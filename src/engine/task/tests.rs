//! Random graphs of tasks, run by somebody who only pretends to run commands.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use proptest::prelude::*;

use super::{Invocation, TaskEnd, TaskEngine, TaskEvent, TaskMessage, TaskOptions};
use crate::{
    model::{Environment, Fault, Kind, Platform},
    process::{Cancel, Command, CommandLine, CommandRunner, Pending},
    provenance::Classes,
    workspace::{LoadInputs, Workspace, load},
};

/// Pretends: `ok N` takes N ms, `bad N` fails then; being stopped ends both. Stops the whole run
/// when its time has come.
struct Pretender<'a> {
    environment: Environment,
    stop_at: usize,
    cancel: Cancel,
    begun: &'a AtomicUsize,
    running: &'a AtomicUsize,
    /// Commands of the pool that run, and the most at once.
    pooled: &'a Mutex<(usize, usize)>,
}

impl CommandRunner for Pretender<'_> {
    fn environment(&self) -> &Environment {
        &self.environment
    }

    fn run<'a>(
        &'a self,
        command: &'a Command,
        _: &'a mut (dyn FnMut(&str) + Send),
    ) -> Pending<'a, Result<(), Fault>> {
        Box::pin(async move {
            let CommandLine::Shell(line) = &command.line else { panic!("a line") };
            let cancel = command.cancel.clone().expect("every command can be stopped");
            if self.begun.fetch_add(1, Ordering::SeqCst) == self.stop_at {
                self.cancel.cancel();
            }
            if cancel.is_cancelled() {
                return Err(cancel.fault(line));
            }
            self.running.fetch_add(1, Ordering::SeqCst);
            let is_pooled = line.ends_with('p');
            if is_pooled {
                let mut pooled = self.pooled.lock().unwrap();
                pooled.0 += 1;
                pooled.1 = pooled.1.max(pooled.0);
            }
            let mut words = line.split(' ');
            let word = words.next().unwrap();
            let time = words.next().unwrap().parse().unwrap();
            let stopped = tokio::select! {
                biased;
                () = cancel.cancelled() => true,
                () = tokio::time::sleep(Duration::from_micros(time)) => false,
            };
            if is_pooled {
                self.pooled.lock().unwrap().0 -= 1;
            }
            self.running.fetch_sub(1, Ordering::SeqCst);
            match word {
                _ if stopped => Err(cancel.fault(line)),
                "ok" => Ok(()),
                _ => Err(Fault::new(Kind::Failed, format!("`{line}` failed")).exited(3)),
            }
        })
    }
}

/// A task: what it needs and calls (earlier ones), whether it fails, its keys.
type Shape = (Vec<usize>, Vec<usize>, bool, bool, bool, u64);

fn manifest(shapes: &[Shape]) -> String {
    let mut text = "versions: {}\npools: { few: 1 }\ntasks:\n".to_owned();
    for (at, (needs, calls, fails, pooled, fast, time)) in shapes.iter().enumerate() {
        let earlier =
            |all: &[usize]| all.iter().filter(|one| **one < at).copied().collect::<Vec<_>>();
        let needs =
            earlier(needs).iter().map(|one| format!("t{one}")).collect::<Vec<_>>().join(", ");
        let calls: String =
            earlier(calls).iter().take(1).map(|one| format!("{{ task: t{one} }}, ")).collect();
        let mark = if *pooled { " p" } else { "" };
        let word = if *fails { "bad" } else { "ok" };
        let pool = if *pooled { "pool: few, " } else { "" };
        text.push_str(&format!(
            "  t{at}: {{ needs: [{needs}], {pool}fail_fast: {fast}, run: [ok {time}{mark}, {calls}{word} {time}{mark}], finally: ok 1 }}\n"
        ));
    }
    text
}

/// How many ends each run of a task had, and how the whole ended.
fn run(
    workspace: &Workspace,
    last: usize,
    jobs: usize,
    stop_at: usize,
) -> (BTreeMap<usize, Vec<TaskEnd>>, Result<(), Fault>, usize, usize) {
    let ends: Mutex<BTreeMap<usize, Vec<TaskEnd>>> = Mutex::default();
    let audience = |told: TaskMessage| {
        let mut ends = ends.lock().unwrap();
        let ends = ends.entry(told.run).or_default();
        match told.event {
            TaskEvent::Ended(end) => ends.push(end),
            TaskEvent::Command(_) => assert!(ends.is_empty(), "nothing runs after the end"),
            // What is left out never began.
            TaskEvent::Note(note) if note.starts_with("is left out") => ends.push(TaskEnd::Stopped),
            _ => {}
        }
    };
    let (begun, running, pooled) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new((0, 0)));
    let cancel = Cancel::new();
    let runner = Pretender {
        environment: Environment::default(),
        stop_at,
        cancel: cancel.clone(),
        begun: &begun,
        running: &running,
        pooled: &pooled,
    };
    let options = TaskOptions {
        restore: true,
        as_task: false,
        only_looks: false,
        jobs,
        force: false,
        fail_fast: false,
        through: false,
        classes: Classes::default(),
    };
    let task = &workspace.tasks[&format!("t{last}")];
    let wanted = Invocation::new(task, BTreeMap::new(), Vec::new()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let done = runtime.block_on(async {
        let engine =
            TaskEngine::with_runner(workspace, options, &audience, cancel, Box::new(runner));
        tokio::time::timeout(Duration::from_secs(20), engine.run(wanted)).await.expect("it ends")
    });
    let most = pooled.lock().unwrap().1;
    (ends.into_inner().unwrap(), done, running.into_inner(), most)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn each_task_ends_exactly_once(
        shapes in prop::collection::vec(
            (
                prop::collection::vec(0usize..12, 0..4),
                prop::collection::vec(0usize..12, 0..2),
                prop::bool::weighted(0.15),
                any::<bool>(),
                prop::bool::weighted(0.3),
                0u64..900,
            ),
            1..9,
        ),
        jobs in 1usize..5,
        stop_at in prop_oneof![Just(usize::MAX), 0usize..12],
    ) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("versions.yml"), manifest(&shapes)).unwrap();
        let workspace = load(dir.path(), Platform::host(), &LoadInputs::nothing())
            .unwrap_or_else(|e| panic!("{e:?}"));
        let (ends, done, running, most) = run(&workspace, shapes.len() - 1, jobs, stop_at);
        for (run, ends) in &ends {
            prop_assert_eq!(ends.len(), 1, "run {} of {:?}", run, ends);
        }
        prop_assert_eq!(running, 0, "nothing outlives the run");
        prop_assert!(most <= 1, "the pool holds one");
        let is_bad = ends.values().flatten().any(|end| *end == TaskEnd::Badly);
        match done {
            Ok(()) => prop_assert!(!is_bad && ends.values().flatten().all(|end| *end == TaskEnd::Well)),
            Err(fault) if fault.kind == Kind::Interrupted => prop_assert!(stop_at != usize::MAX),
            Err(fault) => prop_assert_eq!(fault.code, Some(3), "the root is a command: {}", fault),
        }
    }
}
