//! What a deployment is done with, as its spec says it. It is kept with each deployment, so that going back
//! does what was done then, and not what a spec says that has changed since.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    super::{Text, task::TaskText},
    Deploy, HealthGate, HealthProbe, PulumiProgram,
};
use crate::model::{MASKED, Secrets};

/// The templates of a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployRecipe {
    /// `run:`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    run: Vec<String>,
    /// The folder of `pulumi:`, and `target:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pulumi: Option<(String, Option<String>)>,
    /// `stack:`.
    stack: String,
    /// `config:`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    config: Vec<(String, String)>,
    /// `env:`, with places as symbols.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    env: BTreeMap<String, String>,
    /// `smoke:`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    smoke: Vec<String>,
    /// `health:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    health: Option<RecipeGate>,
}

/// `health:`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct RecipeGate {
    /// `http`, `tcp` or `run`, and what is looked at.
    probe: (String, String),
    hold: Duration,
    period: Duration,
    timeout: Duration,
    retries: u32,
    delay: Duration,
}

impl Deploy {
    /// Its templates, without `secrets`.
    pub fn recipe(&self, secrets: &Secrets) -> DeployRecipe {
        let masked = |text: &str| secrets.mask(text).into_owned();
        let source = |text: &TaskText| masked(text.source());
        let sources = |texts: &[TaskText]| texts.iter().map(source).collect();
        DeployRecipe {
            run: sources(&self.run),
            pulumi: self
                .pulumi
                .as_ref()
                .map(|it| (it.folder.clone(), it.target.as_ref().map(source))),
            stack: source(&self.stack),
            config: self.config.iter().map(|(key, text)| (key.clone(), source(text))).collect(),
            env: self
                .env
                .iter()
                .map(|(name, text)| (name.clone(), masked(&text.clone().into_inner())))
                .collect(),
            smoke: sources(&self.smoke),
            health: self.health.as_ref().map(|gate| RecipeGate {
                probe: (gate.probe.word().to_owned(), source(gate.probe.text())),
                hold: gate.hold,
                period: gate.period,
                timeout: gate.timeout,
                retries: gate.retries,
                delay: gate.delay,
            }),
        }
    }

    /// It, with what `recipe` says. What was secret in that is as the spec says now, as are secrets, times
    /// and `undo`.
    #[must_use]
    pub fn with_recipe(&self, recipe: &DeployRecipe) -> Self {
        let is_whole = |text: &String| !text.contains(MASKED);
        let text = |text: &String| TaskText::unplaced(text);
        let texts = |kept: &[String], now: &[TaskText]| match kept.iter().all(is_whole) {
            true => kept.iter().map(text).collect(),
            false => now.to_vec(),
        };
        let pulumi = recipe.pulumi.as_ref().map(|(folder, target)| PulumiProgram {
            folder: folder.clone(),
            target: target.as_ref().map(text),
        });
        let config = recipe.config.iter().filter_map(|(key, kept)| {
            let now = || self.config.iter().find(|(name, _)| name == key).map(|it| it.1.clone());
            let kept = if is_whole(kept) { Some(text(kept)) } else { now() };
            Some((key.clone(), kept?))
        });
        let env = recipe.env.iter().filter_map(|(name, kept)| {
            let now = || self.env.get(name).cloned();
            let kept = if is_whole(kept) { Some(Text::new(kept.clone())) } else { now() };
            Some((name.clone(), kept?))
        });
        let health = match &recipe.health {
            Some(gate) if is_whole(&gate.probe.1) => Some(gate.gate()),
            Some(_) => self.health.clone(),
            None => None,
        };
        Self {
            run: texts(&recipe.run, &self.run),
            pulumi,
            stack: if is_whole(&recipe.stack) { text(&recipe.stack) } else { self.stack.clone() },
            config: config.collect(),
            env: env.collect(),
            smoke: texts(&recipe.smoke, &self.smoke),
            health,
            ..self.clone()
        }
    }
}

impl RecipeGate {
    fn gate(&self) -> HealthGate {
        let text = TaskText::unplaced(&self.probe.1);
        let probe = match self.probe.0.as_str() {
            "http" => HealthProbe::Http(text),
            "tcp" => HealthProbe::Tcp(text),
            _ => HealthProbe::Run(text),
        };
        let Self { hold, period, timeout, retries, delay, .. } = *self;
        HealthGate { probe, hold, period, timeout, retries, delay }
    }
}
