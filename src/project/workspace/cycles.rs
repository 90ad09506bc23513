//! Dependency cycles: one search for subsystems and tasks.
//!
//! petgraph's own depth-first search calls itself for each node, so that long chains of needs would
//! overflow the stack; this one keeps a stack of its own.

use std::collections::BTreeSet;

/// A cycle, as its edges in order: each a node, and which of its edges leads to the next node.
pub type Cycle = Vec<(usize, usize)>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum VisitState {
    New,
    Open,
    Done,
}

/// The cycles that a depth-first search meets, each set of nodes once. `edges` has the edges of each
/// node: the node that each leads to, and what the caller knows of it.
pub fn find_cycles<E>(edges: &[Vec<(usize, E)>]) -> Vec<Cycle> {
    let mut search =
        CycleSearch { edges, state: vec![VisitState::New; edges.len()], cycles: Vec::new() };
    for start in 0..edges.len() {
        search.visit(start);
    }
    search.cycles
}

struct CycleSearch<'a, E> {
    edges: &'a [Vec<(usize, E)>],
    state: Vec<VisitState>,
    cycles: Vec<Cycle>,
}

impl<E> CycleSearch<'_, E> {
    fn visit(&mut self, start: usize) {
        if self.state[start] != VisitState::New {
            return;
        }
        self.state[start] = VisitState::Open;
        // Each node on the path, with how many of its edges were followed.
        let mut path = vec![(start, 0)];
        while let Some((node, followed)) = path.last_mut() {
            let node = *node;
            let Some((target, _)) = self.edges[node].get(*followed) else {
                self.state[node] = VisitState::Done;
                path.pop();
                continue;
            };
            *followed += 1;
            let target = *target;
            match self.state[target] {
                VisitState::New => {
                    self.state[target] = VisitState::Open;
                    path.push((target, 0));
                }
                VisitState::Open => {
                    let begin = path.iter().position(|(node, _)| *node == target).unwrap_or(0);
                    let edges = path[begin..].iter().map(|(node, followed)| (*node, followed - 1));
                    self.remember(edges.collect());
                }
                VisitState::Done => {}
            }
        }
    }

    fn remember(&mut self, cycle: Cycle) {
        let nodes = |cycle: &Cycle| cycle.iter().map(|(node, _)| *node).collect::<BTreeSet<_>>();
        let members = nodes(&cycle);
        if !self.cycles.iter().any(|known| nodes(known) == members) {
            self.cycles.push(cycle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(edges: &[&[usize]]) -> Vec<Cycle> {
        let edges: Vec<Vec<(usize, ())>> =
            edges.iter().map(|to| to.iter().map(|to| (*to, ())).collect()).collect();
        find_cycles(&edges)
    }

    #[test]
    fn a_cycle_is_found_once_with_its_edges() {
        assert_eq!(found(&[&[1], &[2], &[]]), Vec::<Cycle>::new());
        assert_eq!(found(&[&[0]]), [[(0, 0)]]);
        assert_eq!(found(&[&[2, 1], &[0, 0], &[]]), [[(0, 1), (1, 0)]]);
        assert_eq!(found(&[&[1], &[2, 1], &[1]]), [vec![(1, 0), (2, 0)], vec![(1, 1)]]);
    }

    #[test]
    fn a_chain_of_a_hundred_thousand_is_searched() {
        let chain: Vec<Vec<(usize, ())>> = (0..100_000).map(|at| vec![(at + 1, ())]).collect();
        let closed = chain.into_iter().chain([vec![(0, ())]]).collect::<Vec<_>>();
        assert_eq!(find_cycles(&closed).len(), 1);
    }
}
