//! Which action may start next: a plain state machine.
//!
//! ```text
//! waiting ──all it waits for are done──▶ ready ──a slot of its pool is free──▶ running ─▶ done
//!    │                                     │                                      └────▶ failed
//!    └── something it waits for failed ────┴──▶ skipped (and all that wait for it)
//! ```
//!
//! Among the ready ones, the action with the longest chain behind it goes first, so
//! that the end of a run is not one long build that could have begun earlier. Builds, transfers
//! and local work have limits of their own: a download does not wait for a compiler.

use std::{cmp::Ordering, collections::BinaryHeap};

use crate::model::ActionId;

use super::{Action, ActionKind};

/// How many actions of each kind may run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActionLimits {
    /// Builds: `-j`.
    pub builds: usize,
    /// Downloads and fetches from vendors.
    pub transfers: usize,
    /// Linking, packing and publishing.
    pub local: usize,
    /// What workers do.
    pub elsewhere: usize,
}

/// How an action ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All that waits for it may go on.
    Done,
    /// All that waits for it is skipped.
    Failed,
}

/// Decides what starts when.
#[derive(Debug)]
pub struct Schedule {
    limits: ActionLimits,
    nodes: Vec<ScheduleNode>,
    ready: [BinaryHeap<ReadyAction>; 4],
    running: [usize; 4],
    unfinished: usize,
}

#[derive(Debug)]
struct ScheduleNode {
    pool: usize,
    weight: f64,
    missing: usize,
    then: Vec<ActionId>,
    state: NodeState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NodeState {
    Waiting,
    Ready,
    Running,
    Ended,
}

#[derive(Debug)]
struct ReadyAction {
    weight: f64,
    id: ActionId,
}

impl Ord for ReadyAction {
    fn cmp(&self, other: &Self) -> Ordering {
        // Equal weights in the order of the plan, so that a run is the same each time.
        self.weight.total_cmp(&other.weight).then(other.id.cmp(&self.id))
    }
}

impl PartialOrd for ReadyAction {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ReadyAction {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for ReadyAction {}

impl Schedule {
    /// A schedule for `actions`, none of which has started.
    ///
    /// # Panics
    /// If an action waits for itself or a later one.
    pub fn new(actions: &[Action], limits: ActionLimits) -> Self {
        let slots = actions.iter().map(|action| (pool(action), action.weight));
        Self::from_slots(
            slots.zip(actions.iter().map(|action| action.after.iter().copied())),
            limits,
        )
    }

    /// A schedule for pieces of work of one kind, at most `at_once` at the same time, each
    /// with what it waits for.
    ///
    /// # Panics
    /// If one waits for itself or a later one.
    pub fn of_equals<A>(after: impl Iterator<Item = A>, at_once: usize) -> Self
    where
        A: Iterator<Item = ActionId>,
    {
        Self::of_places(after.map(|after| (false, after)), at_once, 1)
    }

    /// [`Self::of_equals`], where each piece runs here, or elsewhere: at most `elsewhere` of those at the same
    /// time, which the others do not wait for.
    ///
    /// # Panics
    /// If one waits for itself or a later one.
    pub fn of_places<A>(
        pieces: impl Iterator<Item = (bool, A)>,
        here: usize,
        elsewhere: usize,
    ) -> Self
    where
        A: Iterator<Item = ActionId>,
    {
        let limits = ActionLimits { builds: here, transfers: 1, local: 1, elsewhere };
        let slot = |(is_elsewhere, after)| ((if is_elsewhere { ELSEWHERE } else { 0 }, 0.0), after);
        Self::from_slots(pieces.map(slot), limits)
    }

    fn from_slots<A>(slots: impl Iterator<Item = ((usize, f64), A)>, limits: ActionLimits) -> Self
    where
        A: Iterator<Item = ActionId>,
    {
        let mut nodes: Vec<ScheduleNode> = Vec::new();
        for ((pool, weight), after) in slots {
            let id = ActionId(nodes.len() as u32);
            let mut missing = 0;
            for before in after {
                assert!(before < id, "an action waits only for earlier ones");
                nodes[before.0 as usize].then.push(id);
                missing += 1;
            }
            nodes.push(ScheduleNode {
                pool,
                weight,
                missing,
                then: Vec::new(),
                state: NodeState::Waiting,
            });
        }
        let unfinished = nodes.len();
        let mut schedule =
            Self { limits, nodes, ready: Default::default(), running: [0; 4], unfinished };
        for index in 0..schedule.nodes.len() {
            if schedule.nodes[index].missing == 0 {
                schedule.make_ready(ActionId(index as u32));
            }
        }
        schedule
    }

    /// The action to start now, if there is one. It counts as running from here on.
    pub fn start_next(&mut self) -> Option<ActionId> {
        let limits =
            [self.limits.builds, self.limits.transfers, self.limits.local, self.limits.elsewhere];
        for (pool, limit) in limits.into_iter().enumerate() {
            if self.running[pool] < limit.max(1)
                && let Some(ReadyAction { id, .. }) = self.ready[pool].pop()
            {
                self.running[pool] += 1;
                self.nodes[id.0 as usize].state = NodeState::Running;
                return Some(id);
            }
        }
        None
    }

    /// Takes note that a running action ended. Returns the actions that are skipped
    /// therefore, each with the one it waited for, nearest first.
    ///
    /// # Panics
    /// If the action is not running: each is started and ended exactly once.
    pub fn end(&mut self, id: ActionId, how: Ended) -> Vec<(ActionId, ActionId)> {
        let node = &mut self.nodes[id.0 as usize];
        assert_eq!(node.state, NodeState::Running, "only what runs can end");
        node.state = NodeState::Ended;
        self.running[node.pool] -= 1;
        self.unfinished -= 1;
        match how {
            Ended::Done => {
                self.release(id);
                Vec::new()
            }
            Ended::Failed => self.skip_after(id),
        }
    }

    /// Whether nothing runs and nothing can start any more.
    #[cfg(test)]
    fn is_over(&self) -> bool {
        self.unfinished == 0
    }

    /// Whether any action is running.
    pub fn is_running(&self) -> bool {
        self.running.iter().any(|count| *count > 0)
    }

    /// Gives up on all that has not started, and returns it in the order of the plan.
    pub fn abandon(&mut self) -> Vec<ActionId> {
        self.ready = Default::default();
        let mut abandoned = Vec::new();
        for (index, node) in self.nodes.iter_mut().enumerate() {
            if matches!(node.state, NodeState::Waiting | NodeState::Ready) {
                node.state = NodeState::Ended;
                abandoned.push(ActionId(index as u32));
            }
        }
        self.unfinished -= abandoned.len();
        abandoned
    }

    fn make_ready(&mut self, id: ActionId) {
        let node = &mut self.nodes[id.0 as usize];
        node.state = NodeState::Ready;
        self.ready[node.pool].push(ReadyAction { weight: node.weight, id });
    }

    fn release(&mut self, id: ActionId) {
        for then in std::mem::take(&mut self.nodes[id.0 as usize].then) {
            let node = &mut self.nodes[then.0 as usize];
            node.missing -= 1;
            if node.missing == 0 && node.state == NodeState::Waiting {
                self.make_ready(then);
            }
        }
    }

    fn skip_after(&mut self, id: ActionId) -> Vec<(ActionId, ActionId)> {
        let mut skipped = Vec::new();
        let mut causes = vec![id];
        while let Some(cause) = causes.pop() {
            for then in std::mem::take(&mut self.nodes[cause.0 as usize].then) {
                let node = &mut self.nodes[then.0 as usize];
                if node.state == NodeState::Waiting {
                    node.state = NodeState::Ended;
                    self.unfinished -= 1;
                    skipped.push((then, cause));
                    causes.push(then);
                }
            }
        }
        skipped
    }
}

/// The pool of what workers do.
const ELSEWHERE: usize = 3;

fn pool(action: &Action) -> usize {
    match action.step {
        ActionKind::Build if action.is_elsewhere => ELSEWHERE,
        ActionKind::Build => 0,
        ActionKind::Download(_) | ActionKind::FetchUpstream => 1,
        ActionKind::Repair | ActionKind::Link | ActionKind::TakeRemote | ActionKind::Publish => 2,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    const STEPS: [ActionKind; 4] =
        [ActionKind::Build, ActionKind::Download(0), ActionKind::Link, ActionKind::Publish];

    fn actions(shape: &[(usize, f64, Vec<u32>)]) -> Vec<Action> {
        let action = |(index, (step, weight, after)): (usize, &(usize, f64, Vec<u32>))| Action {
            id: ActionId(index as u32),
            step: STEPS[*step],
            finding: 0,
            after: after.iter().map(|id| ActionId(*id)).collect(),
            is_elsewhere: false,
            weight: *weight,
        };
        shape.iter().enumerate().map(action).collect()
    }

    fn dag() -> impl Strategy<Value = Vec<Action>> {
        let node = (0usize..4, 0.0f64..100.0, prop::collection::btree_set(0u32..40, 0..4));
        prop::collection::vec(node, 1..40).prop_map(|nodes| {
            let shape: Vec<_> = nodes
                .into_iter()
                .enumerate()
                .map(|(index, (step, weight, after))| {
                    let after = after.into_iter().filter(|id| (*id as usize) < index).collect();
                    (step, weight, after)
                })
                .collect();
            actions(&shape)
        })
    }

    /// 130 builds for 4 platforms by `slots` workers, under a clock of their own: how much longer that takes than the
    /// work takes if no worker ever waits, and than the longest of them.
    fn stretch(slots: usize) -> f64 {
        let mut state = 7_u64;
        let mut random = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as f64 / f64::from(1_u32 << 31)
        };
        // Most take about 20 s, some two minutes.
        let seconds: Vec<f64> =
            (0..520).map(|_| 20.0 * (1.8 * (random() + random() + random() - 1.5)).exp()).collect();
        let shape: Vec<_> = seconds.iter().map(|seconds| (0, *seconds, Vec::new())).collect();
        let mut actions = actions(&shape);
        for action in &mut actions {
            action.is_elsewhere = true;
        }
        let limits = ActionLimits { builds: 1, transfers: 1, local: 1, elsewhere: slots };
        let mut schedule = Schedule::new(&actions, limits);
        let (mut now, mut running) = (0.0_f64, Vec::<(f64, ActionId)>::new());
        loop {
            while let Some(id) = schedule.start_next() {
                running.push((now + seconds[id.0 as usize], id));
            }
            assert!(running.len() <= slots);
            running.sort_by(|one, other| other.0.total_cmp(&one.0));
            let Some((end, id)) = running.pop() else { break };
            now = end;
            schedule.end(id, Ended::Done);
        }
        let longest = seconds.iter().copied().fold(0.0, f64::max);
        now / (seconds.iter().sum::<f64>() / slots as f64).max(longest)
    }

    #[test]
    fn many_builds_are_dealt_to_workers_without_gaps() {
        for slots in [8, 16, 32, 64] {
            assert!(stretch(slots) <= 1.2, "{slots} slots: {}", stretch(slots));
        }
        // What workers do is not counted among what runs here, nor the other way round.
        let mut mixed = actions(&[(0, 1.0, vec![]), (0, 1.0, vec![]), (0, 1.0, vec![])]);
        mixed[2].is_elsewhere = true;
        let limits = ActionLimits { builds: 1, transfers: 1, local: 1, elsewhere: 1 };
        let mut schedule = Schedule::new(&mixed, limits);
        let started: Vec<_> = std::iter::from_fn(|| schedule.start_next()).collect();
        assert_eq!(started, [ActionId(0), ActionId(2)]);
    }

    proptest! {
        /// Every action ends exactly once, none starts before what it waits for is done,
        /// none that waits for a failure starts at all, and no pool is overdrawn.
        #[test]
        fn any_dag_runs_to_its_end(
            actions in dag(),
            limits in (1usize..4, 1usize..4, 1usize..4),
            picks in prop::collection::vec((0usize..8, prop::bool::weighted(0.15)), 200),
        ) {
            let limits = ActionLimits { builds: limits.0, transfers: limits.1, local: limits.2, elsewhere: 1 };
            let mut schedule = Schedule::new(&actions, limits);
            let mut running: Vec<ActionId> = Vec::new();
            let mut ended: BTreeMap<ActionId, bool> = BTreeMap::new();
            let mut picks = picks.into_iter().cycle();
            loop {
                while let Some(id) = schedule.start_next() {
                    for before in &actions[id.0 as usize].after {
                        prop_assert_eq!(ended.get(before), Some(&true));
                    }
                    running.push(id);
                    let mut count = [0; 4];
                    for id in &running {
                        count[pool(&actions[id.0 as usize])] += 1;
                    }
                    prop_assert!(count[0] <= limits.builds);
                    prop_assert!(count[1] <= limits.transfers);
                    prop_assert!(count[2] <= limits.local);
                }
                if running.is_empty() {
                    break;
                }
                let (pick, fails) = picks.next().unwrap();
                let id = running.swap_remove(pick % running.len());
                let how = if fails { Ended::Failed } else { Ended::Done };
                prop_assert_eq!(ended.insert(id, !fails), None);
                for (skipped, cause) in schedule.end(id, how) {
                    prop_assert_eq!(ended.get(&cause), Some(&false));
                    prop_assert_eq!(ended.insert(skipped, false), None);
                }
            }
            prop_assert!(schedule.is_over());
            prop_assert_eq!(ended.len(), actions.len());
        }

        #[test]
        fn what_is_abandoned_and_what_ran_make_up_the_whole(actions in dag(), steps in 0usize..20) {
            let limits = ActionLimits { builds: 2, transfers: 2, local: 2, elsewhere: 2 };
            let mut schedule = Schedule::new(&actions, limits);
            let mut ended = BTreeSet::new();
            for _ in 0..steps {
                let Some(id) = schedule.start_next() else { break };
                prop_assert!(schedule.end(id, Ended::Done).is_empty());
                ended.insert(id);
            }
            ended.extend(schedule.abandon());
            prop_assert_eq!(ended.len(), actions.len());
            prop_assert!(schedule.is_over());
        }
    }

    #[test]
    fn the_longest_chain_goes_first() {
        let actions = actions(&[(0, 1.0, vec![]), (0, 9.0, vec![]), (0, 3.0, vec![])]);
        let mut schedule = Schedule::new(
            &actions,
            ActionLimits { builds: 2, transfers: 1, local: 1, elsewhere: 1 },
        );
        assert_eq!(schedule.start_next(), Some(ActionId(1)));
        assert_eq!(schedule.start_next(), Some(ActionId(2)));
        assert_eq!(schedule.start_next(), None);
    }

    #[test]
    fn a_chain_of_half_a_million_needs_no_stack() {
        let shape: Vec<_> =
            (0..500_000).map(|i: u32| (0, 1.0, i.checked_sub(1).into_iter().collect())).collect();
        let mut schedule = Schedule::new(
            &actions(&shape),
            ActionLimits { builds: 1, transfers: 1, local: 1, elsewhere: 1 },
        );
        let first = schedule.start_next().unwrap();
        assert_eq!(schedule.end(first, Ended::Failed).len(), 499_999);
        assert!(schedule.is_over());
    }
}
