//! `deploy:` of a spec to a [`Deploy`].

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
    time::Duration,
};

use super::{
    super::{
        Text,
        service::{signal_number, span},
        task::TaskText,
        template::{TemplateScope, mentions, words_of},
    },
    Deploy, DeployIdentity, HealthGate, HealthProbe, PulumiProgram,
    words::{self, DeployWords},
};
use crate::{
    manifest::{Findings, ManifestDoc, Node, Pair, Scalar, SpecDoc, pairs, scalar, scalars},
    model::Name,
    process::Shell,
};

/// How long commands may take to end.
const GRACE: Duration = Duration::from_secs(5 * 60);
/// How long health must hold.
const HOLD: Duration = Duration::from_secs(30);
/// From look to look.
const PERIOD: Duration = Duration::from_secs(5);
/// How many looks may fail.
const RETRIES: u32 = 12;

/// A deployment with the places that checks across subsystems point at.
#[derive(Clone, Debug)]
pub struct DeployDraft {
    /// `needs`, where they are written.
    pub needs: Vec<Scalar>,
    /// The deployment, if nothing in it is wrong.
    pub deploy: Option<Deploy>,
}

/// Resolves `deploy:` of the spec `doc`. What is wrong goes to `found`.
pub fn resolve(
    entry: &Pair,
    doc: &SpecDoc,
    manifest: &ManifestDoc,
    declared: (&BTreeMap<String, Text>, &BTreeSet<String>),
    scope: &TemplateScope,
    found: &mut Findings,
) -> DeployDraft {
    let before = found.diagnostics.len();
    let needs = scalars(&entry.value, "needs");
    if manifest.environments.is_empty() {
        let what = "`deploy` says how it is deployed, and versions.yml has no `environments`";
        let help = "write in versions.yml: `environments: { test: {} }`";
        found.add(entry.key.bytes.clone(), what, "to where?", help);
    }
    let deploy = read(&entry.value, &needs, declared, scope, found);
    if let Some(deploy) = &deploy {
        let releases = ReleasedKinds {
            has_image: doc.image.is_some(),
            has_files: doc.build.is_some() || doc.upstream.is_some(),
        };
        try_all(deploy, manifest, releases, scope, found);
    }
    let is_good = found.diagnostics.len() == before;
    DeployDraft { needs, deploy: deploy.filter(|_| is_good) }
}

fn read(
    node: &Node,
    needs: &[Scalar],
    (env, pass_env): (&BTreeMap<String, Text>, &BTreeSet<String>),
    scope: &TemplateScope,
    found: &mut Findings,
) -> Option<Deploy> {
    let many = |key| scalars(node, key).into_iter().map(TaskText).collect::<Vec<_>>();
    let run = match node.scalar() {
        Some(line) => vec![TaskText(line.clone())],
        None => many("run"),
    };
    let pulumi = scalar(node, "pulumi").map(|folder| PulumiProgram {
        folder: folder.text.trim_end_matches('/').to_owned(),
        target: scalar(node, "target").map(TaskText),
    });
    if run.is_empty() && pulumi.is_none() {
        return None;
    }
    let stack = scalar(node, "stack").map(TaskText);
    let stop = node.get("stop");
    let timeout = span(node, "timeout", found);
    let grace = stop.and_then(|stop| span(stop, "grace", found)).unwrap_or(GRACE);
    let health = node.get("health").and_then(|node| health(node, found));
    let signal = stop.and_then(|stop| scalar(stop, "signal"));
    let config = pairs(node, "config").into_iter();
    Some(Deploy {
        run,
        undo: many("undo"),
        destroy: many("destroy"),
        stack: stack.unwrap_or_else(|| usual_stack(pulumi.is_some())),
        pulumi,
        config: config.map(|(name, value)| (name.value, TaskText(value))).collect(),
        secrets: scalars(node, "secrets").into_iter().map(|name| name.text).collect(),
        identity: node.get("oidc").map(|node| identity(node, found)),
        needs: needs.iter().filter_map(|need| Name::new(&need.text).ok()).collect(),
        smoke: many("smoke"),
        health,
        rolls_back: scalar(node, "rollback").is_some_and(|word| word.text == "auto"),
        signal: signal_number(signal.as_ref().map_or("INT", |signal| &signal.text)),
        grace,
        timeout,
        retry: scalar(node, "retry").and_then(|count| count.text.parse().ok()).unwrap_or(0),
        env: env.clone(),
        pass_env: pass_env.clone(),
        words: Arc::new(scope.words()),
        file: found.file().path.clone(),
        source: found.text().into(),
    })
}

fn identity(node: &Node, found: &mut Findings) -> DeployIdentity {
    let text = |key| scalar(node, key).map(|written| written.text);
    let identity = DeployIdentity {
        aws: scalar(node, "aws").map(TaskText),
        file: text("file"),
        audience: text("audience"),
        token: text("token"),
    };
    if identity.aws.is_none() && identity.file.is_none() {
        let what = "`oidc` has neither a role nor a file, so that nobody gets the token";
        let help = "write `oidc: { aws: ROLE }` or `oidc: { file: VARIABLE }`";
        found.add(node.bytes.clone(), what, "for whom?", help);
    }
    identity
}

/// The stack of a spec that names none.
fn usual_stack(is_program: bool) -> TaskText {
    // A program of its own has stacks of its own.
    let text = if is_program { "{{ environment }}" } else { "{{ name }}-{{ environment }}" };
    TaskText::unplaced(text)
}

fn health(node: &Node, found: &mut Findings) -> Option<HealthGate> {
    let text = |key| scalar(node, key).map(TaskText);
    let http = text("http").map(HealthProbe::Http);
    let tcp = || text("tcp").map(HealthProbe::Tcp);
    let probe = http.or_else(tcp).or_else(|| text("run").map(HealthProbe::Run))?;
    let period = span(node, "period", found).unwrap_or(PERIOD);
    let retries = scalar(node, "retries").and_then(|count| count.text.parse().ok());
    Some(HealthGate {
        probe,
        hold: span(node, "for", found).unwrap_or(HOLD),
        period,
        timeout: span(node, "timeout", found).unwrap_or(period),
        retries: retries.unwrap_or(RETRIES),
        delay: span(node, "delay", found).unwrap_or_default(),
    })
}

/// What releases of a subsystem have.
#[derive(Clone, Copy)]
struct ReleasedKinds {
    has_image: bool,
    has_files: bool,
}

/// Renders each template for each environment, as if something was deployed. What is wrong is told
/// once.
fn try_all(
    deploy: &Deploy,
    manifest: &ManifestDoc,
    releases: ReleasedKinds,
    scope: &TemplateScope,
    found: &mut Findings,
) {
    let mut told: Vec<Range<usize>> = Vec::new();
    for (environment, node) in &manifest.environments {
        let url = scalar(node, "url");
        let is_preview = scalar(node, "pull_request").is_some_and(|flag| flag.text == "true");
        let sample = DeployWords {
            environment: environment.value.clone(),
            url: url.as_ref().map(|_| "https://example.org".to_owned()),
            version: "v1.2.0".into(),
            digest: "sha256:0".into(),
            image: releases.has_image.then(|| "example.org/image".to_owned()),
            has_files: releases.has_files && !releases.has_image,
            config: deploy.config.iter().map(|(name, _)| (name.clone(), "0".into())).collect(),
            pull_request: is_preview.then_some(1),
        };
        // Nothing is fetched to remove something.
        let removal = DeployWords { has_files: false, ..sample.clone() };
        let removal = words::scope(scope.clone(), &removal);
        let usual = words::scope(scope.clone(), &sample);
        for template in deploy.templates() {
            let scope = if deploy.destroy.contains(template) { &removal } else { &usual };
            let TaskText(written) = template;
            if told.contains(&written.bytes) {
                continue;
            }
            let looks_at_url = mentions(&words_of(template.source()), "url");
            let before = found.diagnostics.len();
            if url.is_none() && looks_at_url && !written.bytes.is_empty() {
                let what = format!(
                    "this looks at `url`, and the environment `{}` has none",
                    environment.value
                );
                let help = format!(
                    "write in versions.yml: `environments: {{ {}: {{ url: \"https://…\" }} }}`",
                    environment.value
                );
                found.add(written.bytes.clone(), what, "no URL there", help);
            } else {
                let text = scope.text(written, found);
                let is_command = deploy.run.iter().chain(&deploy.undo).chain(&deploy.smoke);
                let is_command = is_command.chain(&deploy.destroy);
                if let Some(text) = text.filter(|_| is_command.clone().any(|it| it == template)) {
                    scope.doubt(&Shell::Sh, &text, written, found);
                }
            }
            if found.diagnostics.len() > before {
                told.push(written.bytes.clone());
            }
        }
    }
}
