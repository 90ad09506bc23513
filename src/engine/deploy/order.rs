//! What is to be deployed, with everything decided.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Artifact, Deployment,
    pulumi::{PulumiCalls, is_stack_name},
};
use crate::{
    model::{Fault, Kind, Name},
    workspace::{Deploy, DeployEnvironment, DeployWords, TaskText},
};

/// One deployment, ready to be written down and carried out.
#[derive(Clone, Debug)]
pub struct DeployOrder<'w> {
    /// The subsystem.
    pub name: Name,
    /// Where to.
    pub environment: &'w DeployEnvironment,
    /// How.
    pub deploy: &'w Deploy,
    /// The version, as in the tag of its release.
    pub version: String,
    /// What.
    pub artifact: Artifact,
    /// What templates know.
    pub words: DeployWords,
    /// The stack.
    pub stack: String,
    /// The stack as its program calls it.
    pub program_stack: String,
    /// All that is changed, if not everything is.
    pub target: Option<String>,
    /// How long it may take once it has its turn.
    pub limit: Duration,
    /// The deployment that it brings an earlier version back from.
    pub back_from: Option<u64>,
    /// Whether somebody insists.
    pub forced: bool,
}

impl<'w> DeployOrder<'w> {
    /// The order to bring `artifact` at `version` to `environment`. With `config`, what was recorded of
    /// an earlier deployment; else as the spec says now.
    ///
    /// # Errors
    /// `Usage` if a template cannot be rendered.
    pub fn new(
        (name, deploy): (&Name, &'w Deploy),
        environment: &'w DeployEnvironment,
        (version, artifact): (&str, &Artifact),
        config: Option<&BTreeMap<String, String>>,
    ) -> Result<Self, Fault> {
        let mut words = DeployWords {
            environment: environment.name.clone(),
            version: version.to_owned(),
            digest: artifact.digest().to_owned(),
            image: artifact.image().map(str::to_owned),
            has_files: artifact.image().is_none(),
            ..DeployWords::default()
        };
        words.url = deploy.url(environment, &words)?;
        words.config = match config {
            Some(recorded) => recorded.clone(),
            None => {
                let plain = |(key, value): &(String, TaskText)| {
                    Ok((key.clone(), deploy.plain(value, &words)?))
                };
                deploy.config.iter().map(plain).collect::<Result<_, Fault>>()?
            }
        };
        let program_stack = deploy.plain(&deploy.stack, &words)?;
        let stack = match &deploy.pulumi {
            Some(_) if !is_stack_name(&program_stack) => {
                let what = format!("a stack of Pulumi cannot be called `{program_stack}`");
                return Err(Fault::new(Kind::Usage, what)
                    .hint("write letters, digits, `-`, `_` and `.` in `deploy.stack`"));
            }
            Some(program) => format!("{}:{program_stack}", program.folder),
            None => program_stack.clone(),
        };
        Ok(Self {
            stack,
            program_stack,
            target: None,
            name: name.clone(),
            environment,
            deploy,
            version: version.to_owned(),
            artifact: artifact.clone(),
            words,
            limit: deploy.timeout.unwrap_or(environment.timeout),
            back_from: None,
            forced: false,
        })
    }

    /// The order to bring back what `earlier` deployed, from the deployment `from`.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn back_to(
        (name, deploy): (&Name, &'w Deploy),
        environment: &'w DeployEnvironment,
        earlier: &Deployment,
        from: u64,
    ) -> Result<Self, Fault> {
        let what = (earlier.version.as_str(), &earlier.artifact);
        let order = Self::new((name, deploy), environment, what, Some(&earlier.config))?;
        let target = deploy.pulumi.as_ref().and_then(|program| program.target.as_ref());
        let target = target.map(|text| deploy.plain(text, &order.words)).transpose()?;
        Ok(Self { back_from: Some(from), target, ..order })
    }

    /// Its commands.
    pub fn commands(&self) -> &'w [TaskText] {
        match self.back_from {
            _ if self.deploy.pulumi.is_some() => &[],
            Some(_) if !self.deploy.undo.is_empty() => &self.deploy.undo,
            _ => &self.deploy.run,
        }
    }

    /// The commands of Pulumi, as far as they are known; the folder of the run is `work`.
    pub fn pulumi_calls(&self, work: &str) -> Vec<Vec<String>> {
        let Some(program) = &self.deploy.pulumi else { return Vec::new() };
        let calls = PulumiCalls {
            folder: &program.folder,
            stack: &self.program_stack,
            work,
            config: self.words.config.iter().map(|it| (it.0.as_str(), it.1.as_str())).collect(),
            target: self.target.as_deref(),
            refresh: false,
            message: &self.label(),
        };
        calls.all()
    }

    /// A command of it as people read it: with the folder of the files by its name.
    ///
    /// # Errors
    /// `Usage` if it cannot be rendered.
    pub fn shown(&self, command: &TaskText) -> Result<String, Fault> {
        let text = self.deploy.render(command, &self.words)?.symbolic();
        Ok(text.trim_end().replace("{{ out }}", "{{ files }}"))
    }

    /// `api v1.2.0`.
    pub fn label(&self) -> String {
        format!("{} {}", self.name, self.version)
    }
}
