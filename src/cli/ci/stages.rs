//! What each stage does.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    cache::{InstallPlace, KnownRelease},
    ci::{Facts, Stage},
    model::{ArtifactId, ArtifactReport, Fault, How, ImageHow, Kind, Name, RunReport},
    report::{images_sum, render_sum, render_warning},
    service,
    workspace::{Task, Workspaces},
};

use super::{
    super::{
        CliError,
        actions::FailedOutput,
        component_notes, deploy, ensure,
        images::{self, PushWish},
        next::{Claimed, claimed, settled},
        package, project,
        publish::Publish,
        run::{RunRequest, run},
        services::list,
        session::Session,
        task,
        terms::VersionArgs,
        verify,
        versions::Versions,
    },
    account::Counts,
    remaining::{RemainingNames, failed},
    services::StartedServices,
    voice::Voice,
};

/// How many of the last lines of tasks are looked at for places in code.
const KEPT_LINES: usize = 5000;

/// What a stage did, and the exit code.
pub(super) struct Did {
    /// In a few words.
    pub(super) what: String,
    /// 0 if all went well.
    pub(super) code: u8,
    /// Whether the stages that follow go on with what is left, although this one failed.
    pub(super) goes_on: bool,
}

impl Did {
    fn well(what: impl Into<String>) -> Self {
        Self { what: what.into(), code: 0, goes_on: true }
    }

    /// What ends the pipeline.
    pub(super) fn failed(what: impl Into<String>, code: u8) -> Self {
        Self { what: what.into(), code, goes_on: false }
    }
}

/// The stages of one invocation, and what they gave so far.
pub(super) struct Stages<'a> {
    session: &'a Session,
    workspaces: Arc<Workspaces>,
    facts: &'a Facts<'a>,
    voice: &'a Voice,
    counts: Counts,
    /// What nothing failed of yet.
    remaining: RemainingNames<'a>,
    /// What is built: all that was named, but for what is released as an image already.
    to_build: Option<BTreeSet<Name>>,
}

impl<'a> Stages<'a> {
    pub(super) fn new(
        session: &'a Session,
        workspaces: Arc<Workspaces>,
        facts: &'a Facts<'a>,
        voice: &'a Voice,
    ) -> Self {
        let remaining = RemainingNames::all(facts.workspace, facts.names);
        let counts = Counts::default();
        Self { session, workspaces, facts, voice, counts, remaining, to_build: None }
    }

    /// What became of which subsystems.
    pub(super) fn into_counts(self) -> Counts {
        self.counts
    }

    /// Carries out `stage`, as forge does it or as the task of its name does.
    pub(super) fn carry_out(&mut self, stage: Stage, by_task: bool) -> Result<Did, CliError> {
        if let Some(task) = self.facts.workspace.tasks.get(stage.name()).filter(|_| by_task) {
            self.run_task(task)?;
            return Ok(Did::well("by the task of this name"));
        }
        let mut did = match stage {
            Stage::Build => self.build(),
            Stage::Test => self.test(),
            Stage::Package => self.package(),
            Stage::Release => self.release(),
            Stage::Pages => Ok(Did::well("there is no task of this name")),
            Stage::Deploy => self.deploy(),
        }?;
        // Who failed in this stage has been told of just now.
        if let Some(left_out) = self.remaining.left_out().filter(|_| did.code == 0) {
            did.what = format!("{}, {left_out}", did.what);
        }
        Ok(did)
    }

    /// What a stage did of which a part failed: the others go on, if there are any.
    fn in_part(&mut self, what: String, code: u8, failed: BTreeSet<Name>) -> Did {
        self.remaining.leave_out(failed);
        let is_over = code == Kind::Interrupted.exit_code() || self.remaining.names().is_empty();
        Did { what, code, goes_on: !is_over }
    }

    /// The main job, and how it went. The one place where the pipeline calls it.
    fn ensure(&mut self, names: &BTreeSet<Name>, publish: Publish) -> Result<RunReport, CliError> {
        let request = RunRequest { workspaces: self.workspaces.clone(), names, publish };
        let report = self.session.host.runtime()?.block_on(run(self.session, request))?.report;
        self.counts.add(&report);
        Ok(report)
    }

    /// Tells how a run of the main job went, and what was `done` to the artifacts.
    fn annotate_run(&self, report: &RunReport, done: &str) -> Result<(), Fault> {
        let (layout, style) = (self.workspaces.layout(), self.voice.style());
        self.voice.say(&ensure::closing(self.session, layout, report, done, style))?;
        self.voice.annotate_run(report, done, self.session, layout)
    }

    /// What has to be built. What a registry has as an image, and nobody else takes, has not.
    fn names_to_build(&mut self) -> Result<BTreeSet<Name>, CliError> {
        let remaining = self.remaining.names();
        if let Some(known) = &self.to_build {
            return Ok(known.intersection(remaining).cloned().collect());
        }
        let workspace = self.facts.workspace;
        let is_image = |name: &&Name| {
            let subsystem = &workspace.subsystems[*name];
            subsystem.image.is_some() && !subsystem.releases_binaries()
        };
        let images = remaining.iter().filter(is_image).cloned().collect();
        let seen = match self.session.flags.offline {
            true => Vec::new(),
            false => images::stand(self.session, &images)?,
        };
        let mut names = remaining.clone();
        for seen in seen.iter().filter(|seen| seen.is_hit()) {
            names.remove(&seen.name);
        }
        Ok(self.to_build.insert(names).clone())
    }

    fn build(&mut self) -> Result<Did, CliError> {
        let names = self.names_to_build()?;
        if names.is_empty() {
            return Ok(Did::well("nothing to build: every image is released"));
        }
        let report = self.ensure(&names, Publish::Never)?;
        self.annotate_run(&report, ensure::DONE)?;
        let sum = render_sum(&report, "ensured");
        let did = match report.is_good() {
            true => Did::well(format!("{sum}; all verified")),
            false => self.in_part(sum, report.exit_code(), failed(&report)),
        };
        if !did.goes_on {
            return Ok(did);
        }
        let names = self.names_to_build()?;
        let verdicts = verify::verdicts(self.session, &self.workspaces, &names);
        if verdicts.iter().all(verify::VerifyResult::is_good) {
            self.voice.note(&format!("{} verified\n", verdicts.len()))?;
            return Ok(did);
        }
        self.voice.say(&verify::text(&verdicts, self.voice.style()))?;
        let fault = Fault::new(Kind::Verification, "not every binary is what its stamp says");
        Err(fault.into())
    }

    fn test(&mut self) -> Result<Did, CliError> {
        let facts = Facts { names: self.remaining.names(), ..self.facts.clone() };
        let (tests, without): (Vec<&Task>, Vec<&Task>) =
            facts.tests().into_iter().partition(|task| task::has_source(facts.workspace, task));
        for task in &without {
            let owner = task.subsystem.as_ref().map_or("it", Name::as_str);
            let why = format!("{owner} was not built here, so its source is not here");
            self.voice.note(&format!("{} is left out: {why}\n", task.name))?;
        }
        let services = self.services(&facts, &tests)?;
        let ran = self.run_tests(&tests);
        services.map_or(Ok(()), StartedServices::end)?;
        let failed = ran?;
        let what = tests_sum(&tests, &failed, &without);
        let Some((_, first)) = failed.first() else { return Ok(Did::well(what)) };
        let code = first.kind.exit_code();
        let owners = failed.iter().map(|(task, _)| facts.owner_of_test(task).cloned());
        match owners.collect::<Option<BTreeSet<Name>>>() {
            Some(owners) => Ok(self.in_part(what, code, owners)),
            // A test of the workspace is about everything.
            None => Ok(Did::failed(what, code)),
        }
    }

    /// Brings up the selected services for `tests`, if there are any of both; without those that need what
    /// is left out.
    fn services(
        &self,
        facts: &Facts<'_>,
        tests: &[&Task],
    ) -> Result<Option<StartedServices<'a>>, CliError> {
        let workspace = self.facts.workspace;
        let mut names: BTreeSet<Name> = facts.services().into_keys().collect();
        let out = self.facts.names.difference(facts.names).cloned().collect();
        for name in service::with_dependents(workspace, &out) {
            names.remove(&name);
        }
        if tests.is_empty() || names.is_empty() {
            return Ok(None);
        }
        let services = StartedServices::up(self.session, &self.workspaces, workspace, &names)?;
        self.voice.note(&format!("services are ready: {}\n", list(&names)))?;
        Ok(Some(services))
    }

    fn package(&mut self) -> Result<Did, CliError> {
        let names = self.names_to_build()?;
        let report = self.ensure(&names, Publish::Never)?;
        let mut did = Did::well(String::new());
        if !report.is_good() {
            self.annotate_run(&report, ensure::DONE)?;
            let what = render_sum(&report, "ensured");
            did = self.in_part(what, report.exit_code(), failed(&report));
        }
        if !did.goes_on {
            return Ok(did);
        }
        let names = self.names_to_build()?;
        let layout = self.workspaces.layout();
        let packed = package::pack(self.session, &self.workspaces, &names, &layout.dist())?;
        self.voice.note(&package::text(&packed, layout))?;
        let mut what = format!("{} in {}", packed.len(), layout.display(&layout.dist()));
        if !did.what.is_empty() {
            what = format!("{}; {what}", did.what);
        }
        let Some(made) = images::made_beside(self.session, &names)? else {
            return Ok(Did { what, ..did });
        };
        self.annotate_images(&made, "made")?;
        let what = format!("{what}; {}", images_sum(&made.images, made.seconds));
        Ok(match made.is_good() {
            true => Did { what, ..did },
            false => {
                let code = if did.code == 0 { made.exit_code() } else { did.code };
                self.in_part(what, code, failed(&made))
            }
        })
    }

    /// Tells how images were made or released. Artifacts below them are told if they failed.
    fn annotate_images(&mut self, report: &RunReport, done: &str) -> Result<(), Fault> {
        self.counts.add(report);
        let artifacts = report.artifacts.iter().filter(|one| !one.how.is_good()).cloned();
        let told = RunReport { artifacts: artifacts.collect(), ..report.clone() };
        self.annotate_run(&told, done)
    }

    /// Brings what is selected into the environments of the branch, up to the first that fails.
    fn deploy(&mut self) -> Result<Did, CliError> {
        let mut what = Vec::new();
        for (environment, _) in self.facts.environments() {
            let deployed = deploy::for_ci(self.session, environment, self.facts.words)?;
            what.push(format!("{environment}: {}", deployed.what));
            if deployed.code != 0 {
                return Ok(Did::failed(what.join("; "), deployed.code));
            }
        }
        Ok(Did::well(what.join("; ")))
    }

    /// Publishes what was built here and is in no release yet, and nothing else.
    fn release(&mut self) -> Result<Did, CliError> {
        let mut names = match &self.facts.store {
            Ok(_) => self.built_here(),
            // Only images are released then.
            Err(_) => BTreeSet::new(),
        };
        let mut what = Vec::new();
        let mut did = Did::well(String::new());
        let claimed = self.claim(&names)?;
        for (name, why) in &claimed.nothing {
            names.remove(name);
            what.push(format!("{name} is not released: {why}"));
        }
        for why in self.stays_local() {
            what.push(format!("not released: {why}"));
            // Where the build comes before it, that has said so.
            if self.facts.only.is_some() {
                self.voice.say(&render_warning(None, &why, self.voice.style()))?;
            }
        }
        if names.is_empty() && what.is_empty() {
            if !self.workspaces.with_released_binaries(self.facts.names).is_empty() {
                what.push("nothing was built here that is not released".to_owned());
            }
        } else if !names.is_empty() {
            let report = self.release_binaries(&names, &claimed.versions)?;
            what.push(render_sum(&report, "released"));
            if !report.is_good() {
                did = self.in_part(String::new(), report.exit_code(), failed(&report));
            }
        }
        if did.goes_on
            && let Some(report) = images::released_beside(
                self.session,
                self.remaining.names(),
                &claimed.versions,
                PushWish::Usual,
            )?
        {
            self.annotate_images(&report, "released")?;
            what.push(images_sum(&report.images, report.seconds));
            if !report.is_good() {
                let code = if did.code == 0 { report.exit_code() } else { did.code };
                did = self.in_part(String::new(), code, failed(&report));
            }
        }
        if what.is_empty() {
            what.push("no image may be pushed from here".to_owned());
        }
        if let (0, Some(tag), Ok(_)) = (did.code, self.facts.project_tag(), &self.facts.store) {
            let (text, code) = self.project_release(tag)?;
            what.push(text);
            did.code = code;
        }
        Ok(Did { what: what.join("; "), ..did })
    }

    /// Publishes the binaries of `names`, of which `versions` were made just now.
    fn release_binaries(
        &mut self,
        names: &BTreeSet<Name>,
        versions: &Versions,
    ) -> Result<RunReport, CliError> {
        let report = self.ensure(names, Publish::AsUsual)?;
        if report.is_good() {
            settled(self.workspaces.layout(), versions);
            component_notes::keep_current(self.session, self.workspaces.any(), versions);
        }
        self.annotate_run(&report, "released")?;
        Ok(report)
    }

    /// The release of the project itself, on its tag: a bundle of all that it pins.
    fn project_release(&mut self, tag: &str) -> Result<(String, u8), CliError> {
        if self.remaining.lack_some() {
            return Ok((format!("{tag} is not released"), 0));
        }
        let all = self.facts.workspace.subsystems.keys().cloned().collect();
        let all = self.workspaces.with_released_binaries(&all);
        let report = self.ensure(&all, Publish::Never)?;
        if !report.is_good() {
            self.annotate_run(&report, ensure::DONE)?;
            return Ok((format!("{tag} is not released"), report.exit_code()));
        }
        let (text, code) = project::release_of_ci(self.session, tag)?;
        self.voice.say(&text)?;
        let told = if code == 0 { "is released" } else { "is not released as a whole" };
        Ok((format!("{tag} {told}"), code))
    }

    /// Gives those of `names` their versions that no one pins: only now, after tests have passed.
    fn claim(&mut self, names: &BTreeSet<Name>) -> Result<Claimed, CliError> {
        let claimed = claimed(self.session, self.workspaces.any(), names, &VersionArgs::default())?;
        if !claimed.versions.is_empty() {
            // What a version is goes into what is built.
            let workspaces = self.session.workspaces_at(&Versions::new(), &claimed.versions)?;
            self.workspaces = Arc::new(workspaces);
        }
        Ok(claimed)
    }

    /// What was built here and is not released. Code whose versions are made was built as its last
    /// one, and is another by now.
    fn built_here(&self) -> BTreeSet<Name> {
        let key = self.session.host.seal_key();
        let is_due = |id: ArtifactId| {
            let Some(record) = InstallPlace::for_artifact(self.workspaces.layout(), &id).known(key)
            else {
                return false;
            };
            let is_open = match &record.release {
                None => true,
                Some(KnownRelease::HoldsOther { .. }) => {
                    self.workspaces.subsystem(&id).scheme.is_some()
                }
                Some(KnownRelease::Holds { .. }) => false,
            };
            let is_released = self.workspaces.subsystem(&id).releases_binaries();
            record.build_seconds.is_some() && is_open && is_released
        };
        let is_due = |name: &&Name| self.workspaces.artifacts([*name]).any(is_due);
        self.remaining.names().iter().filter(is_due).cloned().collect()
    }

    /// Why what is installed stays local, since a release holds another under its version: told by each run
    /// until the version changes.
    fn stays_local(&self) -> Vec<Fault> {
        let key = self.session.host.seal_key();
        let why = |id: ArtifactId| {
            let record = InstallPlace::for_artifact(self.workspaces.layout(), &id).known(key)?;
            match record.release? {
                KnownRelease::HoldsOther { why, .. } => why,
                KnownRelease::Holds { .. } => None,
            }
        };
        let mut all: Vec<Fault> =
            self.workspaces.artifacts(self.remaining.names()).filter_map(why).collect();
        all.dedup();
        all
    }

    /// Runs `tests`, one after the other, whatever became of those before. Those that failed are told, and
    /// given with why.
    fn run_tests<'t>(&self, tests: &[&'t Task]) -> Result<Vec<(&'t Task, Fault)>, CliError> {
        let mut failed = Vec::new();
        for task in tests {
            if tests.len() > 1 {
                self.voice.note(&format!("-- {}\n", task.name))?;
            }
            match self.run_task(task) {
                Ok(()) => {}
                Err(CliError::Fault(fault)) if fault.kind != Kind::Interrupted => {
                    self.voice.fault(&fault)?;
                    failed.push((*task, fault));
                }
                Err(other) => return Err(other),
            }
        }
        Ok(failed)
    }

    /// Runs `task`. What it prints is passed on.
    fn run_task(&self, task: &Task) -> Result<(), CliError> {
        let kept = Mutex::new(VecDeque::new());
        let pass_on = |line: &str| {
            let _ = self.voice.say(&format!("{line}\n"));
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() == KEPT_LINES {
                kept.pop_front();
            }
            kept.push_back(line.to_owned());
        };
        let workspace = self.facts.workspace;
        let ran = task::run_alone(self.session, &self.workspaces, workspace, task, &pass_on);
        let kept = kept.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let (Err(CliError::Fault(fault)), false) = (&ran, kept.is_empty()) {
            let (who, lines) = (fault.what.clone(), kept.into());
            let printed = FailedOutput { who, lines, log: None, source: None };
            self.voice.tell_output(&printed, self.workspaces.layout())?;
        }
        ran
    }
}

/// What became of tests: of those in `ran` that are not in `failed`, and of those `without` a source.
fn tests_sum(ran: &[&Task], failed: &[(&Task, Fault)], without: &[&Task]) -> String {
    let is_failed = |task: &Task| failed.iter().any(|(other, _)| other.name == task.name);
    let passed = ran.iter().copied().filter(|task| !is_failed(task)).collect::<Vec<_>>();
    let failed = failed.iter().map(|(task, _)| *task).collect::<Vec<_>>();
    let parts =
        [("failed: ", &failed[..]), ("passed: ", &passed), ("left out without source: ", without)];
    let names = |tasks: &[&Task]| {
        tasks.iter().map(|task| task.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    if ran.is_empty() {
        return "nothing to test: no source is here, since nothing was built here".into();
    }
    let said = parts.iter().filter(|(_, tasks)| !tasks.is_empty());
    said.map(|(word, tasks)| format!("{word}{}", names(tasks))).collect::<Vec<_>>().join("; ")
}

impl Counts {
    /// Adds what became of each artifact.
    fn add(&mut self, report: &RunReport) {
        let good = |how: How| {
            let is = move |one: &&ArtifactReport| one.how == how && one.fault.is_none();
            report.artifacts.iter().filter(is).map(|one| one.id.name.clone())
        };
        self.built.extend(good(How::Built));
        self.downloaded.extend(good(How::Downloaded));
        self.remote.extend(good(How::Remote));
        let published = report.artifacts.iter().filter(|one| one.published);
        for one in published {
            self.published.insert(one.id.name.clone());
            self.assets.insert(one.id.clone());
        }
        for image in report.images.iter().filter(|one| one.fault.is_none()) {
            if image.how == ImageHow::Pushed {
                self.published.insert(image.name.clone());
            }
            let is_released = matches!(image.how, ImageHow::Pushed | ImageHow::Released);
            if let Some(pinned) = image.pinned().filter(|_| is_released) {
                self.images.insert(image.name.clone(), pinned);
            }
        }
    }
}
