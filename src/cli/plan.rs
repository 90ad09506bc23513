//! `forge plan`: what `ensure` would do, only told. Writes nothing and runs nothing.

use std::sync::Arc;

use crate::{
    model::ArtifactReport,
    plan::{Action, Plan, Step, compile},
    report::{Align, Cell, Role, Table, render_warning},
};

use super::{
    Stop,
    durations::recorded_seconds,
    run::{Publish, Request, look},
    session::{Session, Stores},
    versions,
};

/// Shows what `ensure` would do. Writes nothing and runs nothing.
pub(super) fn plan(session: &Session, words: &[String]) -> Result<u8, Stop> {
    let (workspaces, names) = versions::workspaces(session, words)?;
    let workspaces = Arc::new(workspaces);
    plan_of(session, &Request { workspaces, names: &names, publish: Publish::AsUsual })
}

/// Shows what a run would do.
pub(super) fn plan_of(session: &Session, request: &Request<'_>) -> Result<u8, Stop> {
    let (probed, stores) = look(session, request)?;
    let seconds = recorded_seconds(&request.workspaces, probed.builds());
    let plan = compile(&request.workspaces, probed, &seconds);
    for id in &plan.leftovers {
        session
            .console()
            .err(&format!("{id} would be removed: versions.yml does not name it any more\n"));
    }
    for warning in &plan.warnings {
        session.console().err(&render_warning(None, warning, session.stderr_style()));
    }
    if session.flags.json {
        session.say(&plan_json(&plan))?;
    } else {
        session.say(&plan_text(&plan, &stores, session))?;
    }
    let failed = plan.settled.iter().find_map(|report| report.fault.as_ref());
    Ok(failed.map_or(0, |fault| fault.kind.exit_code()))
}

fn plan_text(plan: &Plan, stores: &Stores, session: &Session) -> String {
    let style = session.stdout_style();
    let mut table = Table::new([
        ("subsystem", Align::Left),
        ("version", Align::Left),
        ("would be", Align::Left),
        ("because", Align::Left),
    ]);
    let publishes_to = stores.all.first().map(|store| store.url()).unwrap_or_default();
    let mut findings: Vec<_> = plan.findings.iter().collect();
    findings.sort_by(|a, b| a.want.id.cmp(&b.want.id));
    for finding in findings {
        let steps: Vec<&str> = plan
            .actions
            .iter()
            .filter(|action| plan.findings[action.finding].want.id == finding.want.id)
            .map(|action| action.step.would_be())
            .collect();
        let would_be =
            if steps.is_empty() { "left: fresh".to_owned() } else { steps.join(", then ") };
        table.row([
            Cell::new(Role::Name, finding.want.id.to_string()),
            Cell::new(Role::Plain, &finding.want.version),
            Cell::new(if steps.is_empty() { Role::Dim } else { Role::Ok }, would_be),
            Cell::new(Role::Dim, &finding.reason),
        ]);
    }
    for report in plan.settled.iter().filter(|report| report.fault.is_some()) {
        table.row([
            Cell::new(Role::Name, report.id.to_string()),
            Cell::new(Role::Plain, &report.version),
            Cell::new(Role::Error, report.how.as_str()),
            Cell::new(Role::Plain, &report.reason),
        ]);
    }
    let mut text = table.render(style);
    if plan.actions.iter().any(|action| action.step == Step::Publish) {
        text.push_str(&format!("\npublishing to {publishes_to}\n"));
    }
    text
}

fn plan_json(plan: &Plan) -> String {
    let action = |action: &Action| {
        let finding = &plan.findings[action.finding];
        serde_json::json!({
            "id": action.id.0,
            "name": finding.want.id.name.as_str(),
            "version": finding.want.version,
            "platform": finding.want.id.platform.to_string(),
            "step": action.step.would_be(),
            "reason": finding.reason,
            "after": action.after.iter().map(|id| id.0).collect::<Vec<_>>(),
        })
    };
    let settled = |report: &ArtifactReport| {
        serde_json::json!({
            "name": report.id.name.as_str(),
            "version": report.version,
            "platform": report.id.platform.to_string(),
            "how": report.how.as_str(),
            "reason": report.reason,
        })
    };
    let document = serde_json::json!({
        "schema": 1,
        "actions": plan.actions.iter().map(action).collect::<Vec<_>>(),
        "settled": plan.settled.iter().map(settled).collect::<Vec<_>>(),
    });
    format!("{document:#}\n")
}
