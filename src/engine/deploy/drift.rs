//! Drift: whether what runs somewhere is still as it was deployed. Looked at are the stack, by Pulumi, and the gates,
//! once; nothing is changed, and nothing is written down.

use std::time::Duration;

use tokio::time::sleep;

use super::{DeployOrder, Deployer, attempt::CommandFrame};
use crate::{
    cache::stage,
    model::{Fault, Kind},
    workspace::HealthGate,
};

impl Deployer<'_> {
    /// Looks whether what `order` brought is as it was then.
    ///
    /// # Errors
    /// `Failed` with what is different; others if that cannot be found out.
    pub async fn drifted(&self, order: &DeployOrder<'_>) -> Result<(), Fault> {
        let masked = |text: &str| self.host.secrets.mask(&order.secrets.mask(text)).into_owned();
        self.differs(order).await.map_err(|fault| fault.in_words(masked))
    }

    async fn differs(&self, order: &DeployOrder<'_>) -> Result<(), Fault> {
        self.looked(order, true).await?;
        if order.deploy.smoke.is_empty() && order.deploy.health.is_none() {
            return Ok(());
        }
        let staging = stage(&self.host.workspace.layout)?;
        let folder = staging.folder();
        let files = self.host.finder.fetch(&order.name, &order.artifact, folder).await?;
        let identity = self.identity(order, 0, folder).await?;
        let mut frame = self.frame(order, 0, files.as_deref(), folder)?;
        frame.command.env.extend(identity.env);
        frame.command.secrets = self.host.secrets.with(&order.secrets);
        (frame.command.log, frame.command.streams) = (None, None);
        self.smoke(order, &frame).await?;
        match &order.deploy.health {
            Some(gate) => self.is_healthy_now(order, &frame, gate).await,
            None => Ok(()),
        }
    }

    /// Whether one of some looks finds it healthy.
    async fn is_healthy_now(
        &self,
        order: &DeployOrder<'_>,
        frame: &CommandFrame,
        gate: &HealthGate,
    ) -> Result<(), Fault> {
        let target = Self::health_target(order, gate)?;
        let mut left = gate.retries;
        loop {
            let Err(why) = self.look_once(order, frame, gate, &target).await? else {
                return Ok(());
            };
            if left == 0 {
                let what = format!("{} is not healthy now", order.label());
                return Err(Fault::new(Kind::Failed, what).because(format!("{target}: {why}")));
            }
            left -= 1;
            tokio::select! {
                () = self.host.cancel.cancelled() => {
                    return Err(self.host.cancel.fault(&order.label()));
                }
                () = sleep(gate.period.min(Duration::from_secs(5))) => {}
            }
        }
    }
}
