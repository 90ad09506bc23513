//! Checks across subsystems: names that must exist, cycles, binaries of the same name.

use std::collections::{BTreeSet, HashMap};

use super::subsystem::SubsystemDraft;
use crate::{
    manifest::Scalar,
    model::{Diagnostic, Span, suggestion},
};

/// Every check across subsystems. `known` are all names with a spec or a version.
pub fn check(drafts: &[SubsystemDraft], known: &BTreeSet<&str>) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for draft in drafts {
        for need in draft.needs.iter().chain(&draft.build_needs) {
            if !known.contains(need.text.as_str()) {
                let what =
                    format!("{} needs `{}`, which is not a subsystem", draft.name, need.text);
                let help = suggestion(
                    &need.text,
                    known.iter().copied().filter(|name| *name != draft.name.as_str()),
                );
                diagnostics.push(Diagnostic::new(span(draft, need), what, "not known").help(help));
            }
        }
    }
    diagnostics.extend(same_binaries(drafts));
    diagnostics.extend(same_tags(drafts));
    let needs =
        |draft: &SubsystemDraft| draft.needs.iter().chain(&draft.build_needs).cloned().collect();
    diagnostics.extend(cycles(drafts, needs, "subsystems"));
    diagnostics
}

fn span(draft: &SubsystemDraft, scalar: &Scalar) -> Span {
    draft.seams.span(scalar.bytes.clone())
}

fn same_binaries(drafts: &[SubsystemDraft]) -> Vec<Diagnostic> {
    let mut owners: HashMap<&str, (&SubsystemDraft, Span)> = HashMap::new();
    let mut diagnostics = Vec::new();
    for draft in drafts {
        for binary in &draft.binaries {
            let span = draft.seams.span(binary.bytes.clone());
            match owners.get(binary.value.as_str()) {
                None => {
                    owners.insert(&binary.value, (draft, span));
                }
                Some((owner, first)) => {
                    let what = format!(
                        "{} and {} both yield a binary `{}`",
                        owner.name, draft.name, binary.value
                    );
                    let diagnostic = Diagnostic::new(span, what, "taken")
                        .related(first.clone(), format!("{} yields it here", owner.name))
                        .help("give one of them another name with `binary:`");
                    diagnostics.push(diagnostic);
                }
            }
        }
    }
    diagnostics
}

/// One diagnostic for all subsystems whose releases could not be told from each other.
fn same_tags(drafts: &[SubsystemDraft]) -> Vec<Diagnostic> {
    let mut owners: HashMap<&str, (&SubsystemDraft, bool)> = HashMap::new();
    let mut diagnostics = Vec::new();
    for draft in drafts {
        let place = |of: &SubsystemDraft| of.seams.span(of.tag.bytes.clone());
        let Some((owner, is_told)) = owners.get_mut(draft.tag.value.as_str()) else {
            owners.insert(draft.tag.value.as_str(), (draft, false));
            continue;
        };
        if std::mem::replace(is_told, true) {
            continue;
        }
        // The usual tag cannot be at fault: another one was written like it.
        let (at, other) =
            if draft.tag.bytes.is_empty() { (*owner, draft) } else { (draft, *owner) };
        let stem = &draft.tag.value;
        let what = format!(
            "the releases of {} and {} have the same tags: `{stem}VERSION`",
            owner.name, draft.name
        );
        let diagnostic = Diagnostic::new(place(at), what, format!("the tag of {}", at.name))
            .related(place(other), format!("{} has it too", other.name))
            .help("write another `tag:`, such as `{{ name }}-{{ version }}`");
        diagnostics.push(diagnostic);
    }
    diagnostics
}

/// One diagnostic per cycle over what `needs` gives. Of `things` it speaks. Subsystems have needs and
/// build needs together: one that is built by what needs it can never be ensured either.
pub fn cycles(
    drafts: &[SubsystemDraft],
    needs: impl Fn(&SubsystemDraft) -> Vec<Scalar>,
    things: &str,
) -> Vec<Diagnostic> {
    let index: HashMap<&str, usize> =
        drafts.iter().enumerate().map(|(at, draft)| (draft.name.as_str(), at)).collect();
    let edges: Vec<Vec<(usize, Scalar)>> = drafts
        .iter()
        .map(|draft| {
            let needs = needs(draft).into_iter();
            needs.filter_map(|need| Some((*index.get(need.text.as_str())?, need))).collect()
        })
        .collect();
    let mut search = CycleSearch {
        edges: &edges,
        state: vec![VisitState::New; drafts.len()],
        cycles: Vec::new(),
    };
    for start in 0..drafts.len() {
        search.from(start);
    }
    search.cycles.iter().map(|cycle| cycle_diagnostic(drafts, &edges, cycle, things)).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum VisitState {
    New,
    Open,
    Done,
}

struct CycleSearch<'a> {
    edges: &'a [Vec<(usize, Scalar)>],
    state: Vec<VisitState>,
    /// Each as the nodes on it, in the order of needs.
    cycles: Vec<Vec<usize>>,
}

impl CycleSearch<'_> {
    /// Depth first, with a stack of its own: needs may be nested deeply.
    fn from(&mut self, start: usize) {
        if self.state[start] != VisitState::New {
            return;
        }
        self.state[start] = VisitState::Open;
        let mut path = vec![(start, 0)];
        while let Some((node, next)) = path.last_mut() {
            let node = *node;
            let Some((target, _)) = self.edges[node].get(*next) else {
                self.state[node] = VisitState::Done;
                path.pop();
                continue;
            };
            *next += 1;
            let target = *target;
            match self.state[target] {
                VisitState::New => {
                    self.state[target] = VisitState::Open;
                    path.push((target, 0));
                }
                VisitState::Open => {
                    let begin = path.iter().position(|(node, _)| *node == target).unwrap_or(0);
                    let cycle = path[begin..].iter().map(|(node, _)| *node).collect();
                    self.remember(cycle);
                }
                VisitState::Done => {}
            }
        }
    }

    fn remember(&mut self, cycle: Vec<usize>) {
        let members: BTreeSet<_> = cycle.iter().collect();
        let known = |other: &Vec<usize>| other.iter().collect::<BTreeSet<_>>() == members;
        if !self.cycles.iter().any(known) {
            self.cycles.push(cycle);
        }
    }
}

fn cycle_diagnostic(
    drafts: &[SubsystemDraft],
    edges: &[Vec<(usize, Scalar)>],
    cycle: &[usize],
    things: &str,
) -> Diagnostic {
    let name = |at: usize| drafts[at].name.to_string();
    let next = |at: usize| cycle[(at + 1) % cycle.len()];
    let place = |at: usize| {
        let node = cycle[at];
        let edge = edges[node].iter().find(|(target, _)| *target == next(at));
        let bytes = edge.map_or(0..0, |(_, scalar)| scalar.bytes.clone());
        drafts[node].seams.span(bytes)
    };
    let mut path: Vec<_> = cycle.iter().map(|node| name(*node)).collect();
    path.push(name(cycle[0]));
    let what = match cycle {
        [only] => format!("{} needs itself", name(*only)),
        _ => format!("these {things} need each other in a cycle: {}", path.join(" → ")),
    };
    let label = format!("{} needs {}", name(cycle[0]), name(next(0)));
    let help =
        if cycle.len() == 1 { "remove it from its own needs" } else { "remove one of these needs" };
    let mut diagnostic = Diagnostic::new(place(0), what, label).help(help);
    for (at, node) in cycle.iter().enumerate().skip(1) {
        let label = format!("{} needs {}", name(*node), name(next(at)));
        diagnostic = diagnostic.related(place(at), label);
    }
    diagnostic
}
