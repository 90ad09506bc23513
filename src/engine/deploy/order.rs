//! What is to be deployed, with everything decided.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use serde_json::json;

use super::{
    Artifact, DeployOwner, Deployment,
    pulumi::{PulumiCalls, is_stack_name},
};
use crate::{
    model::{Environment, Fault, Kind, MASKED, Name, Secrets, checksum, shown_url, url_secrets},
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
    pub deploy: Cow<'w, Deploy>,
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
    /// Whether it removes what is there.
    pub destroys: bool,
    /// Whether somebody insists.
    pub forced: bool,
    /// What none may see of it: its secrets, and the passwords in its URLs.
    pub secrets: Secrets,
    /// A digest over what it does, but for what it deploys.
    pub settings: String,
}

impl<'w> DeployOrder<'w> {
    /// The order to bring `artifact` at `version` to `environment`, as the spec says now.
    ///
    /// # Errors
    /// `Usage` if a template cannot be rendered.
    pub fn new(
        (name, deploy): (&Name, &'w Deploy),
        environment: &'w DeployEnvironment,
        what: (&str, &Artifact),
        variables: &Environment,
    ) -> Result<Self, Fault> {
        let who = (name, Cow::Borrowed(deploy));
        Self::with_config(who, environment, what, &BTreeMap::new(), variables)
    }

    /// The order to bring back what `earlier` deployed, as it did, from the deployment `from`.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn back_to(
        (name, deploy): (&Name, &'w Deploy),
        environment: &'w DeployEnvironment,
        earlier: &Deployment,
        from: u64,
        variables: &Environment,
    ) -> Result<Self, Fault> {
        let what = (earlier.version.as_str(), &earlier.artifact);
        let deploy = match &earlier.recipe {
            Some(recipe) => Cow::Owned(deploy.with_recipe(recipe)),
            None => Cow::Borrowed(deploy),
        };
        let who = (name, deploy);
        let order = Self::with_config(who, environment, what, &earlier.config, variables)?;
        let target = order.deploy.pulumi.as_ref().and_then(|program| program.target.as_ref());
        let target = target.map(|text| order.deploy.plain(text, &order.words)).transpose()?;
        Ok(Self { back_from: Some(from), target, ..order })
    }

    /// The order to remove what `there` deployed, as the spec says now: what the host of the repository keeps
    /// of a deployment was written by whoever may write there.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn destroying(
        (name, deploy): (&Name, &'w Deploy),
        environment: &'w DeployEnvironment,
        there: &Deployment,
        variables: &Environment,
    ) -> Result<Self, Fault> {
        let what = (there.version.as_str(), &there.artifact);
        let order = Self::new((name, deploy), environment, what, variables)?;
        let words = DeployWords { has_files: false, ..order.words };
        Ok(Self { words, destroys: true, ..order })
    }

    /// The order with the settings that were `recorded`; those that are not, or are secret, are rendered.
    fn with_config(
        (name, deploy): (&Name, Cow<'w, Deploy>),
        environment: &'w DeployEnvironment,
        (version, artifact): (&str, &Artifact),
        recorded: &BTreeMap<String, String>,
        variables: &Environment,
    ) -> Result<Self, Fault> {
        let mut words = DeployWords {
            environment: environment.name.clone(),
            version: version.to_owned(),
            digest: artifact.digest().to_owned(),
            image: artifact.image().map(str::to_owned),
            has_files: artifact.image().is_none(),
            pull_request: environment.pull_request,
            ..DeployWords::default()
        };
        words.url = deploy.url(environment, &words)?;
        let mut config = BTreeMap::new();
        for (key, template) in &deploy.config {
            let kept = recorded.get(key).filter(|value| !value.contains(MASKED));
            let value = kept.map(|value| Ok(value.clone()));
            let value = value.unwrap_or_else(|| deploy.plain(template, &words))?;
            config.insert(key.clone(), value);
        }
        words.config = config;
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
        let secrets = secrets(&deploy, &words, variables);
        let stack = secrets.mask(&stack).into_owned();
        let settings = settings(&deploy, &words, &stack, &secrets)?;
        Ok(Self {
            stack,
            program_stack,
            target: None,
            name: name.clone(),
            environment,
            version: version.to_owned(),
            artifact: artifact.clone(),
            words,
            limit: deploy.timeout.unwrap_or(environment.timeout),
            back_from: None,
            destroys: false,
            forced: false,
            secrets,
            settings,
            deploy,
        })
    }

    /// What tells it from others whose outcome is another: the digest of what is deployed, and of how.
    pub fn identity(&self) -> (&str, &str) {
        (self.artifact.digest(), &self.settings)
    }

    /// What the ledger is told of it, for a process that says it is `run`.
    pub fn record(&self, run: &str) -> Deployment {
        let masked = |text: &str| self.secrets.mask(text).into_owned();
        let config = self.words.config.iter();
        Deployment {
            id: 0,
            environment: self.environment.name.clone(),
            name: self.name.to_string(),
            version: self.version.clone(),
            artifact: self.artifact.clone(),
            stack: self.stack.clone(),
            config: config.map(|(key, value)| (key.clone(), masked(value))).collect(),
            settings: self.settings.clone(),
            recipe: Some(self.deploy.recipe(&self.secrets)),
            url: self.words.url.as_ref().map(|url| masked(&shown_url(url))),
            back_from: self.back_from,
            pull_request: self.words.pull_request,
            origin: None,
            destroys: self.destroys,
            forced: self.forced,
            run: run.to_owned(),
            owner: DeployOwner::this(),
            commands: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// Its commands.
    pub fn commands(&self) -> &[TaskText] {
        match self.back_from {
            _ if self.deploy.pulumi.is_some() => &[],
            _ if self.destroys => &self.deploy.destroy,
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
            expects_nothing: false,
            destroys: self.destroys,
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

    /// The command that deploys to its environment.
    pub fn verb(&self) -> String {
        match self.environment.pull_request {
            Some(number) => format!("forge preview --pr {number}"),
            None => format!("forge deploy {}", self.environment.name),
        }
    }

    /// `api v1.2.0`.
    pub fn label(&self) -> String {
        format!("{} {}", self.name, self.version)
    }
}

/// What none may see of a deployment.
fn secrets(deploy: &Deploy, words: &DeployWords, variables: &Environment) -> Secrets {
    let mut secrets = Secrets::default();
    for name in &deploy.secrets {
        secrets.add(variables.get(name).unwrap_or_default());
    }
    let sources = deploy.templates().into_iter().map(TaskText::source);
    for text in sources.chain(words.url.as_deref()).chain(words.config.values().map(String::as_str))
    {
        for secret in url_secrets(text) {
            secrets.add(secret);
        }
    }
    secrets
}

/// The digest over what a deployment does, but for what it deploys and how that is proven. A secret that
/// changes does not change it.
fn settings(
    deploy: &Deploy,
    words: &DeployWords,
    stack: &str,
    secrets: &Secrets,
) -> Result<String, Fault> {
    let run: Vec<String> = deploy
        .run
        .iter()
        .map(|line| deploy.render(line, words).map(|text| text.symbolic()))
        .collect::<Result<_, Fault>>()?;
    let env: BTreeMap<&str, String> =
        deploy.env.iter().map(|(name, text)| (name.as_str(), text.symbolic())).collect();
    let folder = deploy.pulumi.as_ref().map(|program| program.folder.as_str());
    let all = json!([run, folder, stack, words.config, env]).to_string();
    let digest = checksum(secrets.mask(&all).as_bytes());
    Ok(digest[..8].iter().map(|byte| format!("{byte:02x}")).collect())
}
