//! `forge explain NAME`: everything that is known of one subsystem, and why it would be
//! obtained the way it would.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::Arc,
};

use crate::{
    cache::{InstallPlace, Installed, SealKey, inspect},
    deploy::PulumiCalls,
    model::{Inputs, Layout, Name, shown_url},
    plan::ActionKind,
    probe::{Finding, RecipePrint, Verdict, changed_sources},
    process::can_sandbox,
    report::{Role, Style, human_time},
    workspace::{
        Build, Deploy, Service, SharedInputs, Source, Subsystem, TaskText, UpstreamDigest,
        Workspace,
    },
};

use super::{
    CliError, explain_json,
    images::{self, Seen},
    publish::Publish,
    run::{RunRequest, probe_only},
    session::{Session, select},
    task, task_names,
};

/// How many files are named of a source that differs.
const CHANGES: usize = 5;

/// Shows it.
pub(super) fn explain(session: &Session, word: &str) -> Result<u8, CliError> {
    let workspaces = Arc::new(session.workspaces()?);
    let is_subsystem = workspaces.any().subsystems.contains_key(word);
    if !is_subsystem
        && !workspaces.any().groups.contains_key(word)
        && task_names::find(workspaces.any(), word).is_ok()
    {
        return task::explain(session, workspaces.any(), word);
    }
    let names = select(workspaces.any(), &[word.to_owned()])?;
    let request =
        RunRequest { workspaces: workspaces.clone(), names: &names, publish: Publish::AsUsual };
    let (probed, _) = probe_only(session, &request)?;
    let with_images = images::with_images(workspaces.any(), &names);
    let images = images::seen(session, &with_images)?;
    if session.flags.json {
        let rows = workspaces.artifacts(&names).map(|id| {
            let subsystem = workspaces.subsystem(&id);
            explain_json::artifact(workspaces.layout(), &id, subsystem, &probed.findings[&id])
        });
        let rows: Vec<_> = rows.collect();
        let mut document = serde_json::json!({ "schema": 1, "artifacts": rows });
        images::add_to(&mut document, &images);
        let text = format!("{document:#}\n");
        session.say(&session.host.secrets().mask(&shown_url(&text)))?;
        return Ok(0);
    }
    let mut page = Explanation { text: String::new(), style: session.stdout_style() };
    for id in workspaces.artifacts(&names) {
        page.spec(workspaces.subsystem(&id));
        page.remote(workspaces.any(), workspaces.subsystem(&id));
        page.deploy(workspaces.any(), &id.name);
        match &probed.findings[&id] {
            Ok(finding) => page.finding(workspaces.layout(), finding),
            Err(fault) => page.line("cannot be obtained", &fault.to_string()),
        }
    }
    for name in &with_images {
        let subsystem = &workspaces.any().subsystems[name];
        if !subsystem.has_binaries() {
            page.spec(subsystem);
        }
        page.image(subsystem, images.iter().find(|seen| seen.name == *name));
    }
    session.say(&session.host.secrets().mask(&shown_url(&page.text)))?;
    Ok(0)
}

struct Explanation {
    text: String,
    style: Style,
}

/// The commands that `pulumi:` stands for.
fn pulumi(deploy: &Deploy) -> Option<Vec<String>> {
    let program = deploy.pulumi.as_ref()?;
    let config = deploy.config.iter().map(|(name, value)| (name.as_str(), value.source()));
    let calls = PulumiCalls {
        folder: &program.folder,
        stack: deploy.stack.source(),
        work: "{{ work }}",
        config: config.collect(),
        target: None,
        refresh: false,
        expects_nothing: false,
        destroys: false,
        message: "{{ version }}",
    };
    Some(calls.all().into_iter().map(|words| words.join(" ")).collect())
}

impl Explanation {
    fn heading(&mut self, text: &str) {
        let _ = writeln!(self.text, "{}", self.style.paint(Role::Name, text));
    }

    fn line(&mut self, label: &str, value: &str) {
        let _ = writeln!(self.text, "  {label:<14} {value}");
    }

    fn spec(&mut self, subsystem: &Subsystem) {
        let desc = subsystem.desc.as_deref().map_or_else(String::new, |desc| format!(": {desc}"));
        self.heading(&format!("{} {}{desc}", subsystem.name, subsystem.version));
        self.line("spec", &subsystem.spec.display().to_string());
        for (base, keys) in &subsystem.extends {
            let gave = match keys.as_slice() {
                [] => String::new(),
                keys => format!(" ({})", keys.join(", ")),
            };
            self.line("extends", &format!("{}{gave}", base.display()));
        }
        self.line("binaries", &subsystem.binaries.join(", "));
        self.line("source", &source(&subsystem.source));
        self.shared(&subsystem.shared);
        for (label, names) in [("needs", &subsystem.needs), ("build needs", &subsystem.build_needs)]
        {
            if !names.is_empty() {
                self.line(label, &list(names));
            }
        }
        if let Some(build) = &subsystem.build {
            self.build(build);
        }
        if let Some(upstream) = &subsystem.upstream {
            self.line("upstream", &upstream.url);
            let digest = match &upstream.digest {
                UpstreamDigest::Pinned(digest) => format!("{digest:?}"),
                UpstreamDigest::Published(url) => format!("published in {url}"),
            };
            self.line("its digest", &digest);
        }
        if let Some(feed) = &subsystem.feed {
            self.line("newer from", &feed.index.to_string());
        }
        if let Some(service) = &subsystem.service {
            self.service(service);
        }
    }

    /// How it is deployed.
    fn deploy(&mut self, workspace: &Workspace, name: &Name) {
        let Some(deploy) = workspace.deploys.get(name) else { return };
        let sources = |texts: &[TaskText]| -> Vec<String> {
            texts.iter().map(|text| text.source().trim_end().to_owned()).collect()
        };
        let places: Vec<String> = workspace.environments.iter().map(|it| it.name.clone()).collect();
        self.line("deployed to", &places.join(", "));
        for (label, lines) in [
            ("by", pulumi(deploy).unwrap_or_else(|| sources(&deploy.run))),
            ("undone by", sources(&deploy.undo)),
            ("smoke test", sources(&deploy.smoke)),
            (
                "settings",
                deploy.config.iter().map(|(key, it)| format!("{key}: {}", it.source())).collect(),
            ),
            ("secrets", deploy.secrets.clone()),
        ] {
            for (index, line) in lines.iter().enumerate() {
                self.line(if index == 0 { label } else { "" }, line);
            }
        }
        self.line("stack", deploy.stack.source());
        if !deploy.needs.is_empty() {
            self.line("after", &list(&deploy.needs));
        }
        if let Some(health) = &deploy.health {
            let hold = human_time(health.hold.as_secs_f64());
            self.line("healthy if", &format!("{}, for {hold}", health.probe.text().source()));
        }
        self.line(
            "if it fails",
            if deploy.rolls_back { "it is rolled back" } else { "it stays so" },
        );
    }

    /// What else of the workspace goes into it.
    fn shared(&mut self, shared: &SharedInputs) {
        let also = shared.also.iter().map(|pattern| format!("{pattern} (`also`)"));
        let used = shared.used.iter().map(|pattern| format!("{pattern} (its commands name it)"));
        let imports = shared.imports.then(|| "what its Go code imports".to_owned());
        for (index, line) in also.chain(used).chain(imports).enumerate() {
            self.line(if index == 0 { "other inputs" } else { "" }, &line);
        }
    }

    fn service(&mut self, service: &Service) {
        self.line("service", &service.command.symbolic());
        if let Some(ready) = &service.ready {
            let limit = human_time(ready.limit().as_secs_f64());
            self.line("ready when", &format!("{}, within {limit}", ready.probe));
        }
        if !service.needs.is_empty() {
            self.line("starts after", &list(&service.needs));
        }
    }

    fn build(&mut self, build: &Build) {
        for (index, step) in build.steps.iter().enumerate() {
            self.line(if index == 0 { "commands" } else { "" }, &step.symbolic());
        }
        for (index, (key, value)) in build.env.iter().enumerate() {
            let pair = format!("{key}={}", value.symbolic());
            self.line(if index == 0 { "environment" } else { "" }, &pair);
        }
        if !build.pass_env.is_empty() {
            let names: Vec<&str> = build.pass_env.keys().map(String::as_str).collect();
            self.line("passed on", &names.join(", "));
        }
        let tools: Vec<String> = build
            .tools
            .iter()
            .map(|(tool, version)| match version {
                Some(version) => format!("{tool} {version}"),
                None => tool.clone(),
            })
            .collect();
        if !tools.is_empty() {
            self.line("tools", &tools.join(", "));
        }
        let sandbox = match (build.is_sandboxed, can_sandbox()) {
            (false, _) => "off: its build may write everywhere",
            (true, false) => "not available on this system: its build may write everywhere",
            (true, true) => "its build writes only to its own folders and the caches of toolchains",
        };
        self.line("sandbox", sandbox);
        self.line("timeout", &human_time(build.timeout.as_secs_f64()));
    }

    /// Where it is built, and what its key in the remote cache holds.
    fn remote(&mut self, workspace: &Workspace, subsystem: &Subsystem) {
        let (Some(settings), Some(build)) = (&workspace.remote, &subsystem.build) else { return };
        let worker = workspace.worker_of_build(subsystem);
        let tools: Vec<&str> = build.tools.keys().map(String::as_str).collect();
        let holds = match (&worker, tools.is_empty()) {
            (Ok(properties), _) => format!("the worker's properties: {}", told(properties)),
            (Err(_), true) => "host and platform; its build names no tools".to_owned(),
            (Err(_), false) => {
                format!("host, platform, and what {} say of their versions", tools.join(", "))
            }
        };
        self.line("remote key", &format!("fingerprint, commit, {holds}"));
        if settings.execution.is_some() && build.remote.is_some() {
            self.line(
                "built",
                &match worker {
                    Ok(_) => "on a worker".to_owned(),
                    Err(why) => format!("here: {why}"),
                },
            );
        }
    }

    fn finding(&mut self, layout: &Layout, finding: &Finding) {
        let want = &finding.want;
        self.heading("\nthe artifact");
        self.line("platform", &want.id.platform.to_string());
        self.line("release", &format!("{}/{}", want.tag, want.asset));
        for (label, print) in [("fingerprint", &want.build), ("from upstream", &want.upstream)] {
            if let Some(print) = print {
                self.line(label, &print.fingerprint.to_string());
            }
        }
        if let Some(locked) = &want.locked {
            self.line("locked", &format!("sha256 {}, {} bytes", locked.sha256, locked.size));
        }
        self.last_build(layout, finding);
        self.heading("\nwhere it was looked for");
        for (place, found) in &finding.looked {
            let _ = writeln!(self.text, "  {place}: {found}");
        }
        let would_be = would_be(finding);
        self.heading(&format!("\nwith `forge ensure` it would be {would_be}: {}", finding.reason));
    }

    /// The image, and what is at its tag, if a registry was asked.
    fn image(&mut self, subsystem: &Subsystem, seen: Option<&Seen>) {
        let Some(image) = &subsystem.image else { return };
        self.heading("\nthe image");
        self.line("repository", &image.repo.to_string());
        let base = image.base.as_ref().map_or_else(|| "scratch".to_owned(), ToString::to_string);
        match &image.dockerfile {
            Some(dockerfile) => self.line("dockerfile", &dockerfile.path.display().to_string()),
            None => self.line("base", &base),
        }
        let platforms: Vec<_> = image.platforms.iter().map(ToString::to_string).collect();
        self.line("platforms", &platforms.join(", "));
        if !image.with.is_empty() {
            self.line("with", &list(&image.with));
        }
        if !subsystem.releases_binaries() && subsystem.has_binaries() {
            self.line("binaries", "released in the image alone");
        }
        let Some(seen) = seen else { return };
        if let Some(spec) = &seen.spec {
            self.line("fingerprint", &spec.print.fingerprint.to_string());
        }
        let [reference, would_be, why] = seen.row();
        self.line(seen.hit(), &seen.pinned().unwrap_or(reference));
        self.heading(&format!("\nwith `forge release:image` it would be {would_be}: {why}"));
    }

    /// Which fields of the fingerprint differ from what is installed.
    fn last_build(&mut self, layout: &Layout, finding: &Finding) {
        let place = InstallPlace::for_artifact(layout, &finding.want.id);
        let Installed::Intact { record, .. } = inspect(&place, &SealKey::of_user(layout.user()))
        else {
            return;
        };
        let prints = finding.want.build.iter().chain(&finding.want.upstream);
        let nearest = prints.min_by_key(|print| record.stamp.differing_inputs(&print.inputs).len());
        let Some(RecipePrint { inputs, .. }) = nearest else { return };
        let changes = finding.want.tree.as_ref();
        let changes = changes.map(|tree| changed_sources(layout, &finding.want.id, tree));
        let changes = changes.unwrap_or_default();
        self.heading("\ncompared with what is installed");
        for field in inputs.keys().chain(record.stamp.inputs.keys()).collect::<BTreeSet<_>>() {
            let same = inputs.get(field) == record.stamp.inputs.get(field);
            let is =
                |inputs: &Inputs| inputs.get(field).cloned().unwrap_or_else(|| "absent".into());
            let files = if field == "source" { changes.as_slice() } else { &[] };
            let text = match same {
                true => "same".to_owned(),
                false if files.is_empty() => {
                    format!("differs: {} installed, {} now", is(&record.stamp.inputs), is(inputs))
                }
                false => format!("differs: {}", shortened(files)),
            };
            self.line(field, &text);
        }
        if let Some(seconds) = record.build_seconds {
            self.line("built in", &human_time(seconds));
        }
    }
}

/// The first of `changes`, and how many more there are.
fn shortened(changes: &[String]) -> String {
    let first = changes.iter().take(CHANGES).cloned().collect::<Vec<_>>().join(", ");
    match changes.len().saturating_sub(CHANGES) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// Properties in one line.
fn told(properties: &BTreeMap<String, String>) -> String {
    match properties.is_empty() {
        true => "none".to_owned(),
        false => {
            let pair = |(name, value): (&String, &String)| format!("{name}={value}");
            properties.iter().map(pair).collect::<Vec<_>>().join(" ")
        }
    }
}

/// What an artifact would be by `forge ensure`.
pub(super) fn would_be(finding: &Finding) -> &'static str {
    match &finding.verdict {
        Verdict::Fresh { .. } => "left as it is",
        Verdict::Cached { .. } => ActionKind::Link.would_be(),
        Verdict::Released { store, .. } => ActionKind::Download(*store).would_be(),
        Verdict::Upstream => ActionKind::FetchUpstream.would_be(),
        Verdict::Remote(_) => ActionKind::TakeRemote.would_be(),
        Verdict::Build => ActionKind::Build.would_be(),
    }
}

/// Where the source is from, in words.
pub(super) fn source(source: &Source) -> String {
    match source {
        Source::None => "none: the builder fetches by itself".into(),
        Source::Path { dir, only } if only.is_empty() => format!("path {}", dir.display()),
        Source::Path { dir, only } => format!("path {} ({})", dir.display(), only.join(", ")),
        Source::Git { url, reference } => format!("git {url} at {reference}"),
        Source::Archive { url, digest, .. } => format!("archive {url} ({digest:?})"),
    }
}

fn list(names: &BTreeSet<Name>) -> String {
    names.iter().map(Name::as_str).collect::<Vec<_>>().join(", ")
}
