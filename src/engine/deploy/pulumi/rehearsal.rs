//! What Pulumi would do, without doing it: no stack is made, and nothing is written down.

use crate::{
    cache::stage,
    model::{Fault, Kind},
};

use super::{
    super::{DeployOrder, Deployer},
    PulumiCalls,
};

impl Deployer<'_> {
    /// Has Pulumi show what deploying `order` would change, if it deploys it.
    ///
    /// # Errors
    /// If that cannot be told.
    pub async fn rehearsed(&self, order: &DeployOrder<'_>) -> Result<(), Fault> {
        self.looked(order, false).await
    }

    /// The same; with `expects_nothing`, what would be changed is a fault, and what is there is looked at first.
    pub(in super::super) async fn looked(
        &self,
        order: &DeployOrder<'_>,
        expects_nothing: bool,
    ) -> Result<(), Fault> {
        let Some(program) = &order.deploy.pulumi else { return Ok(()) };
        let staging = stage(&self.host.workspace.layout)?;
        let folder = staging.folder();
        let identity = self.identity(order, 0, folder).await?;
        let mut frame = self.frame(order, 0, None, folder)?;
        frame.command.env.extend(identity.env);
        frame.command.secrets = self.host.secrets.with(&order.secrets);
        (frame.command.log, frame.command.streams) = (None, None);
        let work = folder.path().join("pulumi").display().to_string();
        let calls = PulumiCalls {
            folder: &program.folder,
            stack: &order.program_stack,
            work: &work,
            config: order.words.config.iter().map(|it| (it.0.as_str(), it.1.as_str())).collect(),
            target: order.target.as_deref(),
            refresh: expects_nothing,
            expects_nothing,
            destroys: order.destroys,
            message: &order.label(),
        };
        self.place(program, &calls, folder)?;
        let mut printed = String::new();
        let mut line = |text: &str| printed.push_str(text);
        if let Err(fault) = self.call(&frame, 0, calls.find_stack(), &mut line).await {
            if printed.contains("no stack named") {
                let stack = calls.stack;
                if expects_nothing {
                    return Err(Fault::new(Kind::Failed, format!("the stack {stack} is gone")));
                }
                (self.host.tell)(&format!(
                    "the stack {stack} is not there yet: all would be created"
                ));
                return Ok(());
            }
            return Err(fault);
        }
        self.keep_salt(&frame, &calls, folder).await?;
        self.set(&frame, &calls, 0, folder).await?;
        self.previewed(&frame, &calls, 0).await.map(drop)
    }
}
