//! The checks across deployments: needs that must be deployed too, and cycles.

use std::collections::BTreeSet;

use super::super::{graph, subsystem::SubsystemDraft};
use crate::{
    manifest::Scalar,
    model::{Diagnostic, suggestion},
};

/// Every check across deployments. `known` are all names with a spec or a version.
pub fn check(drafts: &[SubsystemDraft], known: &BTreeSet<&str>) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for draft in drafts {
        for need in draft.deploy.iter().flat_map(|deploy| &deploy.needs) {
            diagnostics.extend(missing(draft, need, drafts, known));
        }
    }
    let needs = |draft: &SubsystemDraft| -> Vec<Scalar> {
        draft.deploy.as_ref().map(|deploy| deploy.needs.clone()).unwrap_or_default()
    };
    diagnostics.extend(graph::cycles(drafts, needs, "deployments"));
    diagnostics
}

/// What is wrong with a need of a deployment, if anything is.
fn missing(
    draft: &SubsystemDraft,
    need: &Scalar,
    drafts: &[SubsystemDraft],
    known: &BTreeSet<&str>,
) -> Option<Diagnostic> {
    let deployed = drafts.iter().filter(|other| other.deploy.is_some());
    let deployed = deployed.map(|other| other.name.as_str());
    if deployed.clone().any(|name| name == need.text) {
        return None;
    }
    let place = draft.seams.span(need.bytes.clone());
    let (why, help) = match known.contains(need.text.as_str()) {
        true => ("has no `deploy`", format!("write `deploy:` in the spec of {}", need.text)),
        false => {
            let others = deployed.filter(|name| *name != draft.name.as_str());
            ("is not a subsystem", suggestion(&need.text, others))
        }
    };
    let what = format!("the deployment of {} needs `{}`, which {why}", draft.name, need.text);
    Some(Diagnostic::new(place, what, "not known").help(help))
}
