//! `forge plan`: what `ensure` would do, only told. Writes nothing and runs nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    execute::OwnVersion,
    model::{ArtifactId, ArtifactReport, Fault, Kind, Name, Scheme},
    plan::{Action, ActionKind, Plan, compile},
    probe::ArtifactSpec,
    remote::RemoteMention,
    report::{Align, Cell, Role, Table, render_warning},
};

use super::{
    CliError,
    deploy::{self, PlannedDeployment},
    durations::recorded_seconds,
    ensure::KnownAnswer,
    images::{self, Seen},
    publish::Publish,
    run::{RunRequest, probe_only},
    session::{Session, Stores},
    versions,
};

/// Shows what `ensure` would do. Writes nothing and runs nothing.
pub(super) fn plan(session: &Session, words: &[String]) -> Result<u8, CliError> {
    let known = KnownAnswer::kept_for(session, &session.layout()?, words).filter(|it| !it.has_more);
    let part = known.as_ref().and_then(|known| known.part(session, words));
    let fresh = known.filter(|known| known.holds() || part.is_some());
    let fresh = fresh.map(|known| known.report(session.platform()).artifacts);
    let (workspaces, names) = match (part, &fresh) {
        (Some(part), _) => part,
        (None, Some(_)) => {
            let plan = Plan { settled: fresh.unwrap_or_default(), ..Plan::default() };
            return show(session, &plan, &[], &PlannedBeside::default(), "");
        }
        (None, None) => versions::workspaces(session, words)?,
    };
    let workspaces = Arc::new(workspaces);
    let images = images::with_images(workspaces.any(), &names);
    let deployments = deploy::planned(session, workspaces.any(), &names)?;
    let beside = PlannedBeside { images: images::seen(session, &images)?, deployments };
    let request = RunRequest { workspaces, names: &names, publish: Publish::AsUsual };
    plan_with(session, &request, &beside, fresh.unwrap_or_default())
}

/// What a plan says of other things than artifacts.
#[derive(Default)]
struct PlannedBeside {
    images: Vec<Seen>,
    deployments: Vec<PlannedDeployment>,
}

impl PlannedBeside {
    /// As tables, one below the other.
    fn tables(&self) -> Vec<Table> {
        let images = (!self.images.is_empty()).then(|| images::table(&self.images));
        let deployments =
            (!self.deployments.is_empty()).then(|| deploy::planned_table(&self.deployments));
        images.into_iter().chain(deployments).collect()
    }
}

/// Shows what a run would do, and what is at the tags of `images`.
pub(super) fn plan_of(
    session: &Session,
    request: &RunRequest<'_>,
    images: &BTreeSet<Name>,
) -> Result<u8, CliError> {
    let beside = PlannedBeside { images: images::seen(session, images)?, ..Default::default() };
    plan_with(session, request, &beside, Vec::new())
}

/// [`plan_of`], where others are `fresh`.
fn plan_with(
    session: &Session,
    request: &RunRequest<'_>,
    beside: &PlannedBeside,
    fresh: Vec<ArtifactReport>,
) -> Result<u8, CliError> {
    let (probed, stores) = probe_only(session, request)?;
    let seconds = recorded_seconds(&request.workspaces, probed.builds());
    let mut plan = compile(&request.workspaces, probed, &seconds);
    plan.place(!session.flags.offline);
    let refused = leave_unpublished(session, request, &stores, &mut plan)?;
    let looked_at: BTreeSet<_> = plan.findings.iter().map(|it| it.want.id.clone()).collect();
    plan.settled.extend(fresh.into_iter().filter(|report| !looked_at.contains(&report.id)));
    plan.settled.sort_by(|a, b| a.id.cmp(&b.id));
    let publishes_to = stores.all.first().map(|store| store.url()).unwrap_or_default();
    let code = show(session, &plan, &refused, beside, publishes_to)?;
    // Who asks for a release gets an error instead of it.
    let asked = refused.first().map(|(_, why)| why);
    let of_image = beside.images.iter().filter(|seen| seen.is_versioned).find_map(Seen::fault);
    let asked = asked.or(of_image).filter(|_| request.publish.is_asked());
    Ok(if code == 0 { asked.map_or(0, |fault| fault.kind.exit_code()) } else { code })
}

/// Shows `plan`, and gives the exit code of the first fault in it.
fn show(
    session: &Session,
    plan: &Plan,
    refused: &[(Name, Fault)],
    beside: &PlannedBeside,
    publishes_to: &str,
) -> Result<u8, CliError> {
    for id in &plan.leftovers {
        session
            .console()
            .err(&format!("{id} would be removed: versions.yml does not name it any more\n"));
    }
    for warning in &plan.warnings {
        session.console().err(&render_warning(None, warning, session.stderr_style()));
    }
    if session.flags.json {
        session.say(&plan_json(plan, refused, beside))?;
    } else {
        let text = plan_text(plan, publishes_to, session);
        let tables = beside.tables();
        let is_empty = plan.findings.is_empty() && plan.settled.is_empty() && !tables.is_empty();
        let tables = tables.iter().map(|table| table.render(session.stdout_style()));
        let text = (!is_empty).then_some(text).into_iter();
        session.say(&text.chain(tables).collect::<Vec<_>>().join("\n"))?;
    }
    let mut failed = plan.settled.iter().filter_map(|report| report.fault.as_ref());
    Ok(failed.next().map_or(0, |fault| fault.kind.exit_code()))
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

fn plan_text(plan: &Plan, publishes_to: &str, session: &Session) -> String {
    let style = session.stdout_style();
    let mut table = Table::new([
        ("subsystem", Align::Left),
        ("version", Align::Left),
        ("would be", Align::Left),
        ("because", Align::Left),
    ]);
    let mut steps: BTreeMap<&ArtifactId, Vec<&str>> = BTreeMap::new();
    for action in &plan.actions {
        steps.entry(plan.artifact(action)).or_default().push(action.would_be());
    }
    let found = plan.findings.iter().map(|it| (&it.want.id, (&it.want.version, &it.reason)));
    let settled = plan.settled.iter().filter(|report| report.fault.is_none());
    let settled = settled.map(|report| (&report.id, (&report.version, &report.reason)));
    let rows: BTreeMap<_, _> = settled.chain(found).collect();
    for (id, (version, reason)) in rows {
        let steps = steps.get(id);
        let would_be = steps.map_or_else(|| "unchanged".into(), |steps| steps.join(", then "));
        table.row([
            Cell::new(Role::Name, id.to_string()),
            Cell::new(Role::Plain, version),
            Cell::new(steps.map_or(Role::Dim, |_| Role::Ok), would_be),
            Cell::new(Role::Dim, reason),
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
    let built = plan.actions.iter().filter(|action| action.step == ActionKind::Build);
    let mut looked = built.flat_map(|action| &plan.findings[action.finding].looked);
    if let Some((cache, found)) = looked.find(|(cache, _)| cache.starts_with(RemoteMention::LABEL))
    {
        text.push_str(&format!("\n{cache}: {found}\n"));
    }
    text
}

fn plan_json(plan: &Plan, refused: &[(Name, Fault)], beside: &PlannedBeside) -> String {
    let action = |action: &Action| {
        let finding = &plan.findings[action.finding];
        serde_json::json!({
            "id": action.id.0,
            "name": finding.want.id.name.as_str(),
            "version": finding.want.version,
            "platform": finding.want.id.platform.to_string(),
            "step": action.would_be(),
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
    images::add_to(&mut document, &beside.images);
    deploy::add_planned(&mut document, &beside.deployments);
    format!("{document:#}\n")
}
