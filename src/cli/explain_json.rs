//! The documents of `forge explain --json`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    cache::{InstallPlace, Installed, SealKey, inspect},
    model::{ArtifactId, Fault, Layout, Name},
    probe::{Finding, changed_sources},
    task::Preview,
    workspace::{Subsystem, Task, UpstreamDigest},
};

use super::explain::{source, would_be};

/// One artifact: what its spec says, where it was looked for, and what would be done.
pub(super) fn artifact(
    layout: &Layout,
    id: &ArtifactId,
    subsystem: &Subsystem,
    finding: &Result<Finding, Fault>,
) -> Value {
    let mut document = spec(id, subsystem);
    let more = match finding {
        Err(fault) => json!({ "problem": fault.to_string() }),
        Ok(finding) => found(layout, finding),
    };
    if let (Some(document), Value::Object(more)) = (document.as_object_mut(), more) {
        document.extend(more);
    }
    document
}

fn spec(id: &ArtifactId, subsystem: &Subsystem) -> Value {
    let names = |names: &BTreeSet<Name>| names.iter().map(Name::to_string).collect::<Vec<_>>();
    let build = subsystem.build.as_ref();
    let steps =
        build.map(|build| build.steps.iter().map(|step| step.symbolic()).collect::<Vec<_>>());
    let digest = subsystem.upstream.as_ref().map(|upstream| match &upstream.digest {
        UpstreamDigest::Pinned(digest) => format!("{digest:?}"),
        UpstreamDigest::Published(url) => url.clone(),
    });
    json!({
        "name": subsystem.name.as_str(),
        "version": subsystem.version.to_string(),
        "desc": subsystem.desc,
        "spec": subsystem.spec.display().to_string(),
        "platform": id.platform.to_string(),
        "binaries": subsystem.binaries,
        "source": source(&subsystem.source),
        "needs": names(&subsystem.needs),
        "build_needs": names(&subsystem.build_needs),
        "commands": steps.unwrap_or_default(),
        "timeout": build.map(|build| build.timeout.as_secs()),
        "upstream": subsystem.upstream.as_ref().map(|upstream| upstream.url.as_str()),
        "digest": digest,
        "service": subsystem.service.as_ref().map(|service| service.command.symbolic()),
    })
}

fn found(layout: &Layout, finding: &Finding) -> Value {
    let want = &finding.want;
    let looked = finding.looked.iter();
    let looked = looked.map(|(place, found)| json!({ "place": place, "found": found }));
    json!({
        "release": want.tag,
        "asset": want.asset,
        "fingerprint": want.build.as_ref().map(|print| print.fingerprint.to_string()),
        "upstream_fingerprint": want.upstream.as_ref().map(|print| print.fingerprint.to_string()),
        "locked": want.locked.as_ref().map(|locked| locked.sha256.to_string()),
        "differs": differing(layout, finding),
        "changed": changed(layout, finding),
        "looked": looked.collect::<Vec<_>>(),
        "would_be": would_be(finding),
        "because": finding.reason,
    })
}

/// Which files of its source are not as installed.
fn changed(layout: &Layout, finding: &Finding) -> Vec<String> {
    let tree = finding.want.tree.as_ref();
    tree.map(|tree| changed_sources(layout, &finding.want.id, tree)).unwrap_or_default()
}

/// The inputs that differ from those of what is installed.
fn differing(layout: &Layout, finding: &Finding) -> Vec<Value> {
    let place = InstallPlace::for_artifact(layout, &finding.want.id);
    let Installed::Intact { record, .. } = inspect(&place, &SealKey::of_user(layout.user())) else {
        return Vec::new();
    };
    let prints = finding.want.build.iter().chain(&finding.want.upstream);
    let nearest = prints.min_by_key(|print| record.stamp.differing_inputs(&print.inputs).len());
    let Some(print) = nearest else { return Vec::new() };
    let fields = print.inputs.keys().chain(record.stamp.inputs.keys()).collect::<BTreeSet<_>>();
    let differs = fields.into_iter().filter_map(|field| {
        let (installed, now) = (record.stamp.inputs.get(field), print.inputs.get(field));
        (installed != now).then(|| json!({ "field": field, "installed": installed, "now": now }))
    });
    differs.collect()
}

/// One task: what it takes, and what would run.
pub(super) fn task(task: &Task, previews: &[Preview]) -> Value {
    let with = task
        .with
        .iter()
        .map(|one| json!({ "name": one.name, "desc": one.desc, "default": one.default }));
    let tasks = previews.iter().map(|preview| {
        json!({
            "name": preview.name,
            "runs": preview.runs,
            "because": preview.why,
            "commands": preview.commands,
        })
    });
    json!({
        "schema": 1,
        "task": task.name,
        "desc": task.desc,
        "help": task.help,
        "with": with.collect::<Vec<_>>(),
        "tasks": tasks.collect::<Vec<_>>(),
    })
}
