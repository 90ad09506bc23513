//! Before anything runs: what would be deployed, and all that stands against it, at once.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ArtifactFinder, DeployHistory, DeployOrder, Deployment, FoundArtifact,
    artifact::releases_it,
    forbidden,
    identity::{IDENTITY, missing_identity},
    may_deploy,
    pulumi::missing_program,
};
use crate::{
    model::{Environment, Fault, Kind, Name},
    process::is_program,
    provenance::{Permission, Surroundings},
    workspace::{Deploy, DeployEnvironment, Workspace},
};

/// What is asked for.
pub struct DeployRequest<'w> {
    /// The workspace.
    pub workspace: &'w Workspace,
    /// Where to.
    pub environment: &'w DeployEnvironment,
    /// The subsystems; each has a `deploy`.
    pub names: BTreeSet<Name>,
    /// The environment whose versions are taken, and not those of the workspace.
    pub from: Option<&'w str>,
    /// What was built here, for an environment that takes what is not released.
    pub built: Option<&'w BTreeMap<Name, FoundArtifact>>,
    /// Whether somebody insists.
    pub forced: bool,
    /// What forge was started with.
    pub variables: &'w Environment,
    /// Where it runs.
    pub surroundings: &'w Surroundings,
}

/// Something that stands against a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// What: one sentence without a full stop.
    pub what: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The subsystem whose version the environment is held against, if that is it.
    pub held: Option<Name>,
    /// What kind of thing is wrong.
    pub kind: Kind,
}

impl Obstacle {
    /// Something that whoever asks can change.
    pub fn new(what: String, help: Option<String>) -> Self {
        Self { what, help, held: None, kind: Kind::Usage }
    }

    /// All of `obstacles`, as the reason why `what` is so; nothing if there are none. Whoever asks has to
    /// change something, if that is so of any of them; else the first decides the kind.
    pub fn fault(obstacles: &[Self], what: impl Into<String>) -> Option<Fault> {
        let first = obstacles.first()?;
        let is_own = obstacles.iter().any(|it| it.kind == Kind::Usage);
        let kind = if is_own { Kind::Usage } else { first.kind };
        let fault =
            obstacles.iter().fold(Fault::new(kind, what), |fault, obstacle| match &obstacle.help {
                Some(help) if obstacles.len() > 1 => {
                    fault.because(format!("{} ({help})", obstacle.what))
                }
                _ => fault.because(obstacle.what.clone()),
            });
        Some(match &first.help {
            Some(help) if obstacles.len() == 1 => fault.hint(help.clone()),
            _ => fault,
        })
    }
}

/// What would be deployed.
#[derive(Default)]
pub struct PreparedDeploys<'w> {
    /// In the order in which they need each other.
    pub orders: Vec<DeployOrder<'w>>,
    /// What is there already, by the deployments that brought it.
    pub there: Vec<Deployment>,
    /// All that stands against it.
    pub obstacles: Vec<Obstacle>,
}

impl PreparedDeploys<'_> {
    /// Leaves out what the environment is held against; says what that is.
    pub fn leave_held(&mut self) -> Vec<String> {
        let is_held = |it: &Obstacle| it.held.is_some();
        let (held, rest) = std::mem::take(&mut self.obstacles).into_iter().partition(is_held);
        self.obstacles = rest;
        let held: Vec<Obstacle> = held;
        self.orders.retain(|order| held.iter().all(|it| it.held.as_ref() != Some(&order.name)));
        held.into_iter().map(|it| it.what).collect()
    }

    /// All that stands against it, as one fault.
    ///
    /// # Errors
    /// `Usage`, if something does; of another kind, if nothing of it is for whoever asks to change.
    pub fn passed(&self, environment: &str) -> Result<(), Fault> {
        let what = format!("nothing is deployed to {environment}");
        Obstacle::fault(&self.obstacles, what).map_or(Ok(()), Err)
    }
}

/// Looks at everything that a deployment rests on.
///
/// # Errors
/// `Usage` if a template cannot be rendered. What stands against it is not an error here.
pub async fn prepare<'w>(
    request: &DeployRequest<'w>,
    history: &DeployHistory,
    finder: &ArtifactFinder<'_>,
) -> Result<PreparedDeploys<'w>, Fault> {
    let mut look = Preflight { request, history, prepared: PreparedDeploys::default() };
    if let Permission::Never(why) = may_deploy(request.surroundings, request.environment) {
        look.against(why, None);
    }
    for name in ordered(&request.names, &request.workspace.deploys) {
        let Some(deploy) = request.workspace.deploys.get(&name) else { continue };
        look.secrets(&name, deploy);
        look.program(&name, deploy);
        look.identity(&name, deploy);
        let built = request.built.and_then(|built| built.get(&name));
        let found = match request.from {
            _ if built.is_some() => built.cloned(),
            Some(from) => look.running(from, &name),
            None => look.released(&name, finder).await,
        };
        if let Some(found) = found {
            look.artifact((&name, deploy), &found)?;
        }
    }
    Ok(look.prepared)
}

/// `names`, each behind what it needs.
pub fn ordered(names: &BTreeSet<Name>, deploys: &BTreeMap<Name, Deploy>) -> Vec<Name> {
    let mut ordered: Vec<Name> = Vec::new();
    let mut rest: Vec<&Name> = names.iter().collect();
    while !rest.is_empty() {
        let waits = |name: &&Name| {
            let needs = deploys.get(*name).map(|deploy| &deploy.needs);
            let mut needs = needs.into_iter().flatten();
            needs.any(|need| names.contains(need) && !ordered.contains(need))
        };
        let (later, now): (Vec<_>, Vec<_>) = rest.into_iter().partition(waits);
        // There are no cycles: the workspace was checked.
        if now.is_empty() {
            ordered.extend(later.into_iter().cloned());
            break;
        }
        ordered.extend(now.into_iter().cloned());
        rest = later;
    }
    ordered
}

struct Preflight<'r, 'w> {
    request: &'r DeployRequest<'w>,
    history: &'r DeployHistory,
    prepared: PreparedDeploys<'w>,
}

impl<'w> Preflight<'_, 'w> {
    fn against(&mut self, what: String, help: Option<String>) {
        self.obstacle(Obstacle::new(what, help));
    }

    fn obstacle(&mut self, obstacle: Obstacle) {
        if !self.prepared.obstacles.contains(&obstacle) {
            self.prepared.obstacles.push(obstacle);
        }
    }

    fn secrets(&mut self, name: &Name, deploy: &Deploy) {
        for (secret, why) in missing_secrets(deploy, self.request.variables) {
            let what = format!("the secret `{secret}` of {name} {why}");
            let help = format!("set `{secret}`; in CI, hand it to the step that deploys");
            self.against(what, Some(help));
        }
    }

    fn identity(&mut self, name: &Name, deploy: &Deploy) {
        let wish = deploy.identity.as_ref();
        if let Some(why) = wish.and_then(|wish| missing_identity(wish, self.request.variables)) {
            let what = format!("{name} is deployed with the identity of a run of CI: {why}");
            self.against(what, Some(IDENTITY.to_owned()));
        }
    }

    fn program(&mut self, name: &Name, deploy: &Deploy) {
        let Some(program) = &deploy.pulumi else { return };
        let layout = &self.request.workspace.layout;
        if let Some(why) = missing_program(&layout.root().join(&program.folder), &program.folder) {
            self.against(format!("{name} cannot be deployed by Pulumi: {why}"), None);
        }
        if !is_program(self.request.variables, "pulumi", &[layout.bin()]) {
            let help = "install Pulumi, or pin it in versions.yml".to_owned();
            self.against("`pulumi` is not on PATH".into(), Some(help));
        }
    }

    /// What runs in the environment `from`.
    fn running(&mut self, from: &str, name: &Name) -> Option<FoundArtifact> {
        let current = self.history.current(from, name.as_str());
        if current.is_none() {
            let what = format!("{name} was never deployed to {from}");
            self.against(what, Some(format!("`forge deploy {from} {name}` does that")));
        }
        current
            .map(|it| FoundArtifact { version: it.version.clone(), artifact: it.artifact.clone() })
    }

    /// What a release holds.
    async fn released(
        &mut self,
        name: &Name,
        finder: &ArtifactFinder<'_>,
    ) -> Option<FoundArtifact> {
        let subsystem = self.request.workspace.subsystems.get(name)?;
        match finder.find(subsystem).await {
            Ok(Some(found)) => return Some(found),
            Ok(None) => {
                let what = match subsystem.version.is_unreleased() {
                    true => format!("{name} has no version that is released"),
                    false => format!("{name} {} is not released", subsystem.version),
                };
                self.against(what, Some(releases_it(subsystem)));
            }
            Err(fault) => self.obstacle(Obstacle {
                kind: fault.kind,
                ..Obstacle::new(fault.to_string(), fault.hint.clone())
            }),
        }
        None
    }

    /// Whether `found` may be deployed.
    fn artifact(&mut self, who: (&Name, &'w Deploy), found: &FoundArtifact) -> Result<(), Fault> {
        let DeployRequest { environment, forced, variables, surroundings, .. } = *self.request;
        let what = (found.version.as_str(), &found.artifact);
        let order = DeployOrder::new(who, environment, what, variables)?;
        let order = DeployOrder { forced, ..order };
        for obstacle in forbidden(&order, surroundings, self.history, &self.request.names) {
            self.obstacle(obstacle);
        }
        match is_there(&order, self.history).filter(|_| !forced) {
            Some(current) => self.prepared.there.push(current.clone()),
            None => self.prepared.orders.push(order),
        }
        Ok(())
    }
}

/// The deployment that brought just what `order` would, if that runs there and nothing since then casts doubt on it.
pub(super) fn is_there<'h>(
    order: &DeployOrder<'_>,
    history: &'h DeployHistory,
) -> Option<&'h Deployment> {
    let (place, name) = (order.environment.name.as_str(), order.name.as_str());
    let current = history.current(place, name).filter(|it| it.identity() == order.identity());
    current.filter(|_| history.doubt(place, name).is_none())
}

/// The secrets of `deploy` that `variables` do not have, each with what is wrong with it.
pub fn missing_secrets<'d>(
    deploy: &'d Deploy,
    variables: &Environment,
) -> impl Iterator<Item = (&'d str, &'static str)> {
    deploy.secrets.iter().filter_map(|secret| match variables.get(secret) {
        None => Some((secret.as_str(), "is not set")),
        Some(value) if value.trim().is_empty() => Some((secret.as_str(), "is empty")),
        Some(_) => None,
    })
}
