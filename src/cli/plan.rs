//! `forge plan`: what `ensure` would do, only told. Writes nothing and runs nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    execute::OwnVersion,
    model::{ArtifactReport, Fault, Kind, Name, Scheme},
    plan::{Action, ActionKind, Plan, compile},
    probe::ArtifactSpec,
    report::{Align, Cell, Role, Table, render_warning},
};

use super::{
    CliError,
    durations::recorded_seconds,
    images::{self, Seen},
    publish::Publish,
    run::{RunRequest, probe_only},
    session::{Session, Stores},
    versions,
};

/// Shows what `ensure` would do. Writes nothing and runs nothing.
pub(super) fn plan(session: &Session, words: &[String]) -> Result<u8, CliError> {
    let (workspaces, names) = versions::workspaces(session, words)?;
    let workspaces = Arc::new(workspaces);
    let images = images::with_images(workspaces.any(), &names);
    let request = RunRequest { workspaces, names: &names, publish: Publish::AsUsual };
    plan_of(session, &request, &images)
}

/// Shows what a run would do, and how the images of `images` stand.
pub(super) fn plan_of(
    session: &Session,
    request: &RunRequest<'_>,
    images: &BTreeSet<Name>,
) -> Result<u8, CliError> {
    let images = images::seen(session, images)?;
    let (probed, stores) = probe_only(session, request)?;
    let seconds = recorded_seconds(&request.workspaces, probed.builds());
    let mut plan = compile(&request.workspaces, probed, &seconds);
    let refused = leave_unpublished(session, request, &stores, &mut plan)?;
    for id in &plan.leftovers {
        session
            .console()
            .err(&format!("{id} would be removed: versions.yml does not name it any more\n"));
    }
    for warning in &plan.warnings {
        session.console().err(&render_warning(None, warning, session.stderr_style()));
    }
    if session.flags.json {
        session.say(&plan_json(&plan, &refused, &images))?;
    } else {
        let text = plan_text(&plan, &stores, session);
        let is_empty = text.is_empty() || plan.findings.is_empty() && plan.settled.is_empty();
        session.say(&match (images.is_empty(), is_empty) {
            (true, _) => text,
            (false, true) => images::table(&images).render(session.stdout_style()),
            (false, false) => {
                format!("{text}\n{}", images::table(&images).render(session.stdout_style()))
            }
        })?;
    }
    let mut failed = plan.settled.iter().filter_map(|report| report.fault.as_ref());
    // Who asks for a release gets an error instead of it.
    let asked = refused.first().map(|(_, why)| why);
    let of_image = images.iter().filter(|seen| seen.is_versioned).find_map(Seen::fault);
    let asked = asked.or(of_image).filter(|_| request.publish.is_asked());
    Ok(failed.next().or(asked).map_or(0, |fault| fault.kind.exit_code()))
}

/// Takes out of `plan` what a run would not publish, since it is not what its version says. Returns the
/// subsystems with the reasons, which are warnings of the plan where a run would warn.
fn leave_unpublished(
    session: &Session,
    request: &RunRequest<'_>,
    stores: &Stores,
    plan: &mut Plan,
) -> Result<Vec<(Name, Fault)>, CliError> {
    let is_asked = request.publish.is_asked();
    let published = plan.actions.iter().filter(|action| action.step == ActionKind::Publish);
    // Of each subsystem one; what a scheme versions gets one first, if a release is asked for.
    let wants: BTreeMap<&Name, &ArtifactSpec> = published
        .map(|action| &plan.findings[action.finding].want)
        .filter(|want| !is_asked || request.workspaces.subsystem(&want.id).scheme.is_none())
        .map(|want| (&want.id.name, want))
        .collect();
    let own_version = OwnVersion {
        workspaces: &request.workspaces,
        runner: &session.host.runner(1),
        is_shared: stores.are_shared(),
        offline: session.flags.offline,
    };
    let mut refused = Vec::new();
    for (name, want) in wants {
        let found = session.host.runtime()?.wait_for(own_version.refusal(want));
        let why = match found {
            Ok(why) => why,
            Err(fault) if fault.kind == Kind::Store => {
                Some(fault.within(format!("{} is not published", want.tag)))
            }
            Err(fault) => return Err(fault.into()),
        };
        let is_told = is_asked || !stores.private && want.version != Scheme::unreleased().as_str();
        if let Some(why) = why {
            plan.warnings.extend(is_told.then(|| why.clone()));
            refused.push((name.clone(), why));
        }
    }
    let Plan { actions, findings, .. } = plan;
    let is_refused = |action: &Action| {
        let id = &findings[action.finding].want.id;
        action.step == ActionKind::Publish && refused.iter().any(|(name, _)| *name == id.name)
    };
    actions.retain(|action| !is_refused(action));
    Ok(refused)
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
    if plan.actions.iter().any(|action| action.step == ActionKind::Publish) {
        text.push_str(&format!("\npublishing to {publishes_to}\n"));
    }
    text
}

fn plan_json(plan: &Plan, refused: &[(Name, Fault)], images: &[Seen]) -> String {
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
    let unpublished = |(name, why): &(Name, Fault)| {
        let why = std::iter::once(&why.what).chain(&why.why).map(String::as_str);
        serde_json::json!({"name": name.as_str(), "why": why.collect::<Vec<_>>().join(": ")})
    };
    let mut document = serde_json::json!({
        "schema": 1,
        "actions": plan.actions.iter().map(action).collect::<Vec<_>>(),
        "settled": plan.settled.iter().map(settled).collect::<Vec<_>>(),
        "unpublished": refused.iter().map(unpublished).collect::<Vec<_>>(),
    });
    images::add_to(&mut document, images);
    format!("{document:#}\n")
}
