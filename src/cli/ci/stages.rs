//! What each stage does.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    cache::{InstallPlace, KnownRelease},
    ci::{Facts, Stage},
    model::{ArtifactId, ArtifactReport, Fault, How, Kind, Name, RunReport},
    report::render_sum,
    workspace::{Task, Workspaces},
};

use super::{
    super::{
        CliError,
        actions::FailedOutput,
        component_notes, deploy, ensure,
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
}

impl Did {
    fn well(what: impl Into<String>) -> Self {
        Self { what: what.into(), code: 0 }
    }
}

/// The stages of one invocation, and what they gave so far.
pub(super) struct Stages<'a> {
    session: &'a Session,
    workspaces: Arc<Workspaces>,
    facts: &'a Facts<'a>,
    voice: &'a Voice,
    counts: Counts,
}

impl<'a> Stages<'a> {
    pub(super) fn new(
        session: &'a Session,
        workspaces: Arc<Workspaces>,
        facts: &'a Facts<'a>,
        voice: &'a Voice,
    ) -> Self {
        Self { session, workspaces, facts, voice, counts: Counts::default() }
    }

    /// What became of which subsystems.
    pub(super) fn into_counts(self) -> Counts {
        self.counts
    }

    /// Carries out `stage`, as forge does it or as the task of its name does.
    pub(super) fn carry_out(&mut self, stage: Stage, by_task: bool) -> Result<Did, CliError> {
        if let Some(task) = self.facts.workspace.tasks.get(stage.name()).filter(|_| by_task) {
            self.run_tasks(&[task])?;
            return Ok(Did::well("by the task of this name"));
        }
        match stage {
            Stage::Build => self.build(),
            Stage::Test => self.test(),
            Stage::Package => self.package(),
            Stage::Release => self.release(),
            Stage::Pages => Ok(Did::well("there is no task of this name")),
            Stage::Deploy => self.deploy(),
        }
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
        self.voice.annotate_run(report, done, layout)
    }

    fn build(&mut self) -> Result<Did, CliError> {
        let report = self.ensure(self.facts.names, Publish::Never)?;
        self.annotate_run(&report, ensure::DONE)?;
        let sum = render_sum(&report, "ensured");
        if !report.is_good() {
            return Ok(Did { what: sum, code: report.exit_code() });
        }
        let verdicts = verify::verdicts(self.session, &self.workspaces, self.facts.names);
        if verdicts.iter().all(verify::VerifyResult::is_good) {
            self.voice.note(&format!("{} verified\n", verdicts.len()))?;
            return Ok(Did::well(format!("{sum}; all verified")));
        }
        self.voice.say(&verify::text(&verdicts, self.voice.style()))?;
        let fault = Fault::new(Kind::Verification, "not every binary is what its stamp says");
        Err(fault.into())
    }

    fn test(&mut self) -> Result<Did, CliError> {
        let (tests, without): (Vec<&Task>, Vec<&Task>) = self
            .facts
            .tests()
            .into_iter()
            .partition(|task| task::has_source(self.facts.workspace, task));
        for task in &without {
            let owner = task.subsystem.as_ref().map_or("it", Name::as_str);
            let why = format!("{owner} was not built here, so its source is not here");
            self.voice.note(&format!("{} is left out: {why}\n", task.name))?;
        }
        let services = self.services(&tests)?;
        let passed = self.run_tasks(&tests);
        let ended = services.map_or(Ok(()), StartedServices::end);
        passed?;
        ended?;
        let names = |tasks: &[&Task]| {
            tasks.iter().map(|task| task.name.as_str()).collect::<Vec<_>>().join(", ")
        };
        Ok(Did::well(match (tests.is_empty(), without.is_empty()) {
            (true, _) => "nothing to test: no source is here, since nothing was built here".into(),
            (false, true) => format!("passed: {}", names(&tests)),
            (false, false) => {
                format!("passed: {}; left out without source: {}", names(&tests), names(&without))
            }
        }))
    }

    /// Brings up the selected services for `tests`, if there are any of both.
    fn services(&self, tests: &[&Task]) -> Result<Option<StartedServices<'a>>, CliError> {
        let workspace = self.facts.workspace;
        let names: BTreeSet<Name> = self.facts.services().into_keys().collect();
        if tests.is_empty() || names.is_empty() {
            return Ok(None);
        }
        let services = StartedServices::up(self.session, &self.workspaces, workspace, &names)?;
        self.voice.note(&format!("services are ready: {}\n", list(&names)))?;
        Ok(Some(services))
    }

    fn package(&mut self) -> Result<Did, CliError> {
        let report = self.ensure(self.facts.names, Publish::Never)?;
        if !report.is_good() {
            self.annotate_run(&report, ensure::DONE)?;
            let what = render_sum(&report, "ensured");
            return Ok(Did { what, code: report.exit_code() });
        }
        let layout = self.workspaces.layout();
        let packed =
            package::pack(self.session, &self.workspaces, self.facts.names, &layout.dist())?;
        self.voice.note(&package::text(&packed, layout))?;
        Ok(Did::well(format!("{} in {}", packed.len(), layout.display(&layout.dist()))))
    }

    /// Brings what is selected into the environments of the branch, up to the first that fails.
    fn deploy(&mut self) -> Result<Did, CliError> {
        let mut what = Vec::new();
        for (environment, _) in self.facts.environments() {
            let deployed = deploy::for_ci(self.session, environment, self.facts.words)?;
            what.push(format!("{environment}: {}", deployed.what));
            if deployed.code != 0 {
                return Ok(Did { what: what.join("; "), code: deployed.code });
            }
        }
        Ok(Did::well(what.join("; ")))
    }

    /// Publishes what was built here and is in no release yet, and nothing else.
    fn release(&mut self) -> Result<Did, CliError> {
        let mut names = self.built_here();
        let mut what = Vec::new();
        let mut code = 0;
        let claimed = self.claim(&names)?;
        for (name, why) in &claimed.nothing {
            names.remove(name);
            what.push(format!("{name} is not released: {why}"));
        }
        if names.is_empty() && what.is_empty() {
            what.push("nothing was built here that is not released".to_owned());
        } else if !names.is_empty() {
            let report = self.ensure(&names, Publish::AsUsual)?;
            if report.is_good() {
                settled(self.workspaces.layout(), &claimed.versions);
                let workspace = self.workspaces.any();
                component_notes::keep_current(self.session, workspace, &claimed.versions);
            }
            self.annotate_run(&report, "released")?;
            code = report.exit_code();
            what.push(render_sum(&report, "released"));
        }
        if let (0, Some(tag)) = (code, self.facts.project_tag()) {
            let text;
            (text, code) = self.project_release(tag)?;
            what.push(text);
        }
        Ok(Did { what: what.join("; "), code })
    }

    /// The release of the project itself, on its tag: a bundle of all that it pins.
    fn project_release(&mut self, tag: &str) -> Result<(String, u8), CliError> {
        let all = self.facts.workspace.subsystems.keys().cloned().collect();
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
            record.build_seconds.is_some() && is_open
        };
        let is_due = |name: &&Name| self.workspaces.artifacts([*name]).any(is_due);
        self.facts.names.iter().filter(is_due).cloned().collect()
    }

    /// Runs `tasks`, one after the other. What they print is passed on.
    fn run_tasks(&self, tasks: &[&Task]) -> Result<(), CliError> {
        let kept = Mutex::new(VecDeque::new());
        let pass_on = |line: &str| {
            let _ = self.voice.say(&format!("{line}\n"));
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() == KEPT_LINES {
                kept.pop_front();
            }
            kept.push_back(line.to_owned());
        };
        let begins = |task: &Task| {
            if tasks.len() > 1 {
                let _ = self.voice.note(&format!("-- {}\n", task.name));
            }
        };
        let ran = task::run_all(
            self.session,
            &self.workspaces,
            self.facts.workspace,
            tasks,
            &begins,
            &pass_on,
        );
        let kept = kept.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let (Err(CliError::Fault(fault)), false) = (&ran, kept.is_empty()) {
            let (who, lines) = (fault.what.clone(), kept.into());
            let printed = FailedOutput { who, lines, log: None };
            self.voice.tell_output(&printed, self.workspaces.layout())?;
        }
        ran
    }
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
        let published = report.artifacts.iter().filter(|one| one.published);
        for one in published {
            self.published.insert(one.id.name.clone());
            self.assets.insert(one.id.clone());
        }
    }
}
