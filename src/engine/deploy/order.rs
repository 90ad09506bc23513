//! What is to be deployed, with everything decided.

use std::{collections::BTreeMap, time::Duration};

use super::{Artifact, Deployment};
use crate::{
    model::{Fault, Name},
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
        Ok(Self {
            stack: deploy.plain(&deploy.stack, &words)?,
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
        Ok(Self { back_from: Some(from), ..order })
    }

    /// Its commands.
    pub fn commands(&self) -> &'w [TaskText] {
        match self.back_from {
            Some(_) if !self.deploy.undo.is_empty() => &self.deploy.undo,
            _ => &self.deploy.run,
        }
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
