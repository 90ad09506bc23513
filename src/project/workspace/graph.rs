//! Checks across subsystems: names that must exist, cycles, binaries of the same name.

use std::collections::{BTreeSet, HashMap};

use super::{cycles::find_cycles, subsystem::SubsystemDraft};
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
    let cycles = find_cycles(&edges);
    cycles.iter().map(|cycle| cycle_diagnostic(drafts, &edges, cycle, things)).collect()
}

fn cycle_diagnostic(
    drafts: &[SubsystemDraft],
    edges: &[Vec<(usize, Scalar)>],
    cycle: &[(usize, usize)],
    things: &str,
) -> Diagnostic {
    let place = |at: usize| {
        let (node, edge) = cycle[at];
        drafts[node].seams.span(edges[node][edge].1.bytes.clone())
    };
    let mut path: Vec<String> =
        cycle.iter().map(|(node, _)| drafts[*node].name.to_string()).collect();
    path.push(path[0].clone());
    let what = match cycle {
        [_] => format!("{} needs itself", path[0]),
        _ => format!("these {things} need each other in a cycle: {}", path.join(" → ")),
    };
    let label = |at: usize| format!("{} needs {}", path[at], path[at + 1]);
    let help =
        if cycle.len() == 1 { "remove it from its own needs" } else { "remove one of these needs" };
    let diagnostic = Diagnostic::new(place(0), what, label(0)).help(help);
    (1..cycle.len()).fold(diagnostic, |diagnostic, at| diagnostic.related(place(at), label(at)))
}
