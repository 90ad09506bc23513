//! From findings to a DAG of actions.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use petgraph::{algo::toposort, graphmap::DiGraphMap};

use crate::{
    model::{ActionId, ArtifactId, ArtifactReport, Fault, How, Kind},
    probe::{Finding, Probed, Verdict},
    workspace::Workspaces,
};

use super::{Action, ActionKind, Plan};

/// Seconds that are assumed where nothing was ever recorded.
const UNKNOWN_BUILD: f64 = 10.0;
const TRANSFER: f64 = 2.0;
const LOCAL: f64 = 0.1;

/// Compiles what was found into a plan. `seconds` says how long building an artifact
/// took the last time, where that is known.
///
/// # Panics
/// Never: the workspace was checked to be free of cycles.
pub fn compile(
    workspaces: &Workspaces,
    probed: Probed,
    seconds: &BTreeMap<ArtifactId, f64>,
) -> Plan {
    let mut plan = Plan {
        actions: Vec::new(),
        findings: Vec::new(),
        settled: Vec::new(),
        leftovers: probed.leftovers,
        warnings: Vec::new(),
    };
    let mut findings: BTreeMap<ArtifactId, Finding> = BTreeMap::new();
    let mut faults: BTreeSet<ArtifactId> = BTreeSet::new();
    for (id, found) in probed.findings {
        match found {
            Ok(finding) => {
                plan.warnings.extend(finding.warnings.iter().cloned());
                findings.insert(id, finding);
            }
            Err(fault) => {
                plan.settled.push(failed(workspaces, &id, fault));
                faults.insert(id);
            }
        }
    }
    let mut obtained: HashMap<ArtifactId, ActionId> = HashMap::new();
    for id in in_order(workspaces, &findings) {
        let finding = findings.remove(&id).expect("the order holds each finding once");
        let mut after = Vec::new();
        if matches!(finding.verdict, Verdict::Build) {
            let needs: Vec<ArtifactId> = workspaces.build_needs(&id).collect();
            if let Some(need) = needs.iter().find(|need| faults.contains(*need)) {
                let fault = skipped(need);
                let report = failed(workspaces, &id, fault);
                plan.settled.push(ArtifactReport { how: How::Skipped, ..report });
                faults.insert(id);
                continue;
            }
            after.extend(needs.iter().filter_map(|need| obtained.get(need)).copied());
        }
        add(&mut plan, finding, after, &mut obtained);
    }
    for action in plan.actions.iter_mut().filter(|action| action.step == ActionKind::Build) {
        let subsystem = workspaces.subsystem(&plan.findings[action.finding].want.id);
        action.is_elsewhere = workspaces.any().worker_of_build(subsystem).is_ok();
    }
    weigh(&mut plan, seconds);
    plan
}

/// The artifacts in `findings`, each after what it is built with.
fn in_order(workspaces: &Workspaces, findings: &BTreeMap<ArtifactId, Finding>) -> Vec<ArtifactId> {
    let ids: Vec<&ArtifactId> = findings.keys().collect();
    let index: HashMap<&ArtifactId, usize> =
        ids.iter().enumerate().map(|(index, id)| (*id, index)).collect();
    let mut graph = DiGraphMap::<usize, ()>::with_capacity(ids.len(), ids.len());
    for (id, finding) in findings {
        graph.add_node(index[id]);
        if matches!(finding.verdict, Verdict::Build) {
            for need in workspaces.build_needs(id) {
                if let Some(need) = index.get(&need) {
                    graph.add_edge(*need, index[id], ());
                }
            }
        }
    }
    let order = toposort(&graph, None).expect("a checked workspace has no cycles");
    order.into_iter().map(|index| ids[index].clone()).collect()
}

/// Adds the actions of one finding.
fn add(
    plan: &mut Plan,
    finding: Finding,
    after: Vec<ActionId>,
    obtained: &mut HashMap<ArtifactId, ActionId>,
) {
    let index = plan.findings.len();
    let step = match &finding.verdict {
        Verdict::Fresh { record, repair } => {
            plan.settled.push(ArtifactReport {
                id: finding.want.id.clone(),
                version: finding.want.version.clone(),
                how: How::Fresh,
                published: false,
                bytes: record.bytes(),
                seconds: 0.0,
                reason: finding.reason.clone(),
                log: None,
                fault: None,
            });
            repair.then_some(ActionKind::Repair)
        }
        Verdict::Cached { .. } => Some(ActionKind::Link),
        Verdict::Released { store, .. } => Some(ActionKind::Download(*store)),
        Verdict::Upstream => Some(ActionKind::FetchUpstream),
        Verdict::Remote(_) => Some(ActionKind::TakeRemote),
        Verdict::Build => Some(ActionKind::Build),
    };
    let mut push = |step: ActionKind, after: Vec<ActionId>| {
        let id = ActionId(
            u32::try_from(plan.actions.len()).expect("a plan has fewer than 2^32 actions"),
        );
        let is_elsewhere = false;
        plan.actions.push(Action { id, step, finding: index, after, is_elsewhere, weight: 0.0 });
        id
    };
    let first = step.map(|step| push(step, after));
    if finding.publish {
        push(ActionKind::Publish, first.into_iter().collect());
    }
    if let Some(id) = first {
        obtained.insert(finding.want.id.clone(), id);
    }
    plan.findings.push(finding);
}

/// Gives each action the length of the longest chain that begins with it. Actions only
/// wait for earlier ones, so one pass from the back suffices.
fn weigh(plan: &mut Plan, seconds: &BTreeMap<ArtifactId, f64>) {
    let own = |plan: &Plan, action: &Action| match action.step {
        ActionKind::Build => {
            let id = &plan.findings[action.finding].want.id;
            seconds.get(id).copied().unwrap_or(UNKNOWN_BUILD)
        }
        ActionKind::Download(_) | ActionKind::FetchUpstream => TRANSFER,
        ActionKind::Repair | ActionKind::Link | ActionKind::TakeRemote | ActionKind::Publish => {
            LOCAL
        }
    };
    let mut waiting = vec![0.0_f64; plan.actions.len()];
    for index in (0..plan.actions.len()).rev() {
        let weight = own(plan, &plan.actions[index]) + waiting[index];
        plan.actions[index].weight = weight;
        for before in &plan.actions[index].after {
            let longest = &mut waiting[before.0 as usize];
            *longest = longest.max(weight);
        }
    }
}

fn failed(workspaces: &Workspaces, id: &ArtifactId, fault: Fault) -> ArtifactReport {
    ArtifactReport {
        id: id.clone(),
        version: workspaces.subsystem(id).version.to_string(),
        how: How::Failed,
        published: false,
        bytes: 0,
        seconds: 0.0,
        reason: fault.to_string(),
        log: None,
        fault: Some(fault),
    }
}

/// Why an artifact is not built: what it is built with could not be had.
fn skipped(need: &ArtifactId) -> Fault {
    Fault::new(Kind::Failed, format!("needs {need}, which failed"))
}
