//! From findings to a DAG of actions.

use std::collections::{BTreeMap, HashMap};

use petgraph::{algo::toposort, graphmap::DiGraphMap};

use crate::{
    model::{ActionId, ArtifactId, ArtifactReport, Fault, How, Kind, Name},
    probe::{Finding, Probed, Verdict},
    workspace::Workspace,
};

use super::{Action, Plan, Step};

/// Seconds that are assumed where nothing was ever recorded.
const UNKNOWN_BUILD: f64 = 10.0;
const TRANSFER: f64 = 2.0;
const LOCAL: f64 = 0.1;

/// Compiles what was found into a plan. `seconds` says how long building a subsystem
/// took the last time, where that is known.
///
/// # Panics
/// Never: the workspace was checked to be free of cycles.
pub fn compile(workspace: &Workspace, probed: Probed, seconds: &BTreeMap<Name, f64>) -> Plan {
    let mut plan = Plan {
        actions: Vec::new(),
        findings: Vec::new(),
        settled: Vec::new(),
        leftovers: probed.leftovers,
        warnings: Vec::new(),
    };
    let mut findings: BTreeMap<Name, Finding> = BTreeMap::new();
    let mut faults: BTreeMap<Name, Fault> = BTreeMap::new();
    for (name, found) in probed.findings {
        match found {
            Ok(finding) => {
                plan.warnings.extend(finding.warnings.iter().cloned());
                findings.insert(name, finding);
            }
            Err(fault) => {
                plan.settled.push(failed(workspace, &name, fault.clone()));
                faults.insert(name, fault);
            }
        }
    }
    let mut obtained: HashMap<Name, ActionId> = HashMap::new();
    for name in in_order(workspace, &findings) {
        let finding = findings.remove(&name).expect("the order holds each finding once");
        let mut after = Vec::new();
        if matches!(finding.verdict, Verdict::Build) {
            let needs = &workspace.subsystems[&name].build_needs;
            if let Some(need) = needs.iter().find(|need| faults.contains_key(*need)) {
                let fault = skipped(need);
                plan.settled.push(ArtifactReport {
                    how: How::Skipped,
                    reason: fault.what.clone(),
                    ..failed(workspace, &name, fault.clone())
                });
                faults.insert(name, fault);
                continue;
            }
            after.extend(needs.iter().filter_map(|need| obtained.get(need)).copied());
        }
        add(&mut plan, finding, after, &mut obtained);
    }
    weigh(&mut plan, seconds);
    plan
}

/// The names in `findings`, each after what it is built with.
fn in_order(workspace: &Workspace, findings: &BTreeMap<Name, Finding>) -> Vec<Name> {
    let names: Vec<&Name> = findings.keys().collect();
    let index: HashMap<&Name, usize> = names.iter().enumerate().map(|(i, n)| (*n, i)).collect();
    let mut graph = DiGraphMap::<usize, ()>::with_capacity(names.len(), names.len());
    for (name, finding) in findings {
        graph.add_node(index[name]);
        if matches!(finding.verdict, Verdict::Build) {
            for need in &workspace.subsystems[name].build_needs {
                if let Some(need) = index.get(need) {
                    graph.add_edge(*need, index[name], ());
                }
            }
        }
    }
    let order = toposort(&graph, None).expect("a checked workspace has no cycles");
    order.into_iter().map(|i| names[i].clone()).collect()
}

/// Adds the actions of one finding.
fn add(
    plan: &mut Plan,
    finding: Finding,
    after: Vec<ActionId>,
    obtained: &mut HashMap<Name, ActionId>,
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
            repair.then_some(Step::Repair)
        }
        Verdict::Cached { .. } => Some(Step::Link),
        Verdict::Released { store } => Some(Step::Download(*store)),
        Verdict::Upstream => Some(Step::FetchUpstream),
        Verdict::Build => Some(Step::Build),
    };
    let mut push = |step: Step, after: Vec<ActionId>| {
        let id = ActionId(
            u32::try_from(plan.actions.len()).expect("a plan has fewer than 2^32 actions"),
        );
        plan.actions.push(Action { id, step, finding: index, after, weight: 0.0 });
        id
    };
    let first = step.map(|step| push(step, after));
    if finding.publish {
        push(Step::Publish, first.into_iter().collect());
    }
    if let Some(id) = first {
        obtained.insert(finding.want.id.name.clone(), id);
    }
    plan.findings.push(finding);
}

/// Gives each action the length of the longest chain that begins with it. Actions only
/// wait for earlier ones, so one pass from the back suffices.
fn weigh(plan: &mut Plan, seconds: &BTreeMap<Name, f64>) {
    let own = |plan: &Plan, action: &Action| match action.step {
        Step::Build => {
            let name = &plan.findings[action.finding].want.id.name;
            seconds.get(name).copied().unwrap_or(UNKNOWN_BUILD)
        }
        Step::Download(_) | Step::FetchUpstream => TRANSFER,
        Step::Repair | Step::Link | Step::Publish => LOCAL,
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

fn failed(workspace: &Workspace, name: &Name, fault: Fault) -> ArtifactReport {
    ArtifactReport {
        id: ArtifactId { name: name.clone(), platform: workspace.platform },
        version: workspace.subsystems[name].version.to_string(),
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
fn skipped(need: &Name) -> Fault {
    Fault::new(Kind::Failed, format!("needs {need}, which failed"))
}
