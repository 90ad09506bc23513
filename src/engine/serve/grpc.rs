//! The calls as gRPC has them.

use std::{pin::Pin, sync::Arc};

use async_trait::async_trait;
use futures_util::{Stream, StreamExt};
use reapi_protocol::deploy::{self as wire, deployment_service_server::DeploymentService};
use tonic::{Request, Response, Status};

use super::{
    JobKind, JobRequest,
    callers::Caller,
    calls::{CallOptions, Calls, PageWish},
    messages::{environment_message, event_message, message, milliseconds, state},
    refusal::CallRefusal,
    watch::events,
};

/// The service.
pub(super) struct GrpcCalls(pub(super) Arc<Calls>);

type Answer<T> = Result<Response<T>, Status>;

fn caller<T>(request: &Request<T>) -> Caller {
    request.extensions().get().cloned().unwrap_or_else(|| Caller("anybody".into()))
}

/// A duration of the wire in milliseconds.
fn duration(given: Option<prost_types::Duration>) -> Result<Option<u64>, CallRefusal> {
    let wrong = || CallRefusal::wrong("`timeout` is more than nothing and at most a week");
    given
        .map(|time| {
            let seconds = u64::try_from(time.seconds).map_err(|_| wrong())?;
            let rest = u64::try_from(time.nanos).map_err(|_| wrong())?;
            seconds.checked_mul(1000).map(|it| it + rest.div_ceil(1_000_000)).ok_or_else(wrong)
        })
        .transpose()
}

#[async_trait]
impl DeploymentService for GrpcCalls {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<wire::WatchResponse, Status>> + Send>>;

    async fn deploy(&self, asked: Request<wire::DeployRequest>) -> Answer<wire::DeployResponse> {
        let caller = caller(&asked);
        let asked = asked.into_inner();
        let request = JobRequest {
            kind: JobKind::Deploy,
            environment: asked.environment,
            name: asked.name,
            version: asked.version,
            from: asked.from,
            target: asked.target,
            timeout: duration(asked.timeout)?,
            force: asked.force,
        };
        let run_after = asked.run_after.as_ref().map(milliseconds);
        let asking = CallOptions { key: asked.idempotency_key, run_after };
        let job = self.0.ask(request, asking, &caller).await?;
        Ok(Response::new(wire::DeployResponse { deployment: Some(message(&job)) }))
    }

    async fn get(&self, asked: Request<wire::GetRequest>) -> Answer<wire::GetResponse> {
        let job = self.0.get(asked.into_inner().id).await?;
        let (log, document) = self.0.printed(&job).await?;
        Ok(Response::new(wire::GetResponse { deployment: Some(message(&job)), log, document }))
    }

    async fn list(&self, asked: Request<wire::ListRequest>) -> Answer<wire::ListResponse> {
        let asked = asked.into_inner();
        let states = asked.states.iter().map(|number| {
            state(*number).ok_or_else(|| CallRefusal::wrong(format!("{number} is not a state")))
        });
        let wish = PageWish {
            states: states.collect::<Result<_, CallRefusal>>()?,
            oldest_first: asked.order == wire::list_request::Order::OldestFirst as i32,
            environment: asked.environment,
            name: asked.name,
            size: usize::try_from(asked.page_size).unwrap_or(usize::MAX),
            token: asked.page_token,
        };
        let page = self.0.list(wish).await?;
        Ok(Response::new(wire::ListResponse {
            deployments: page.jobs.iter().map(message).collect(),
            next_page_token: page.next,
        }))
    }

    async fn watch(&self, asked: Request<wire::WatchRequest>) -> Answer<Self::WatchStream> {
        let asked = asked.into_inner();
        let job = self.0.get(asked.id).await?;
        let told = events(self.0.clone(), job, asked.from_offset)
            .map(|event| event.map(|event| event_message(&event)).map_err(Status::from));
        Ok(Response::new(Box::pin(told)))
    }

    async fn cancel(&self, asked: Request<wire::CancelRequest>) -> Answer<wire::CancelResponse> {
        let caller = caller(&asked);
        let job = self.0.cancel(asked.into_inner().id, &caller).await?;
        Ok(Response::new(wire::CancelResponse { deployment: Some(message(&job)) }))
    }

    async fn retry(&self, asked: Request<wire::RetryRequest>) -> Answer<wire::RetryResponse> {
        let caller = caller(&asked);
        let asked = asked.into_inner();
        let job = self.0.retry(asked.id, asked.idempotency_key, &caller).await?;
        Ok(Response::new(wire::RetryResponse { deployment: Some(message(&job)) }))
    }

    async fn rollback(
        &self,
        asked: Request<wire::RollbackRequest>,
    ) -> Answer<wire::RollbackResponse> {
        let caller = caller(&asked);
        let asked = asked.into_inner();
        let request = JobRequest {
            kind: JobKind::Rollback,
            environment: asked.environment,
            name: asked.name,
            version: asked.to,
            ..JobRequest::default()
        };
        let asking = CallOptions { key: asked.idempotency_key, run_after: None };
        let job = self.0.ask(request, asking, &caller).await?;
        Ok(Response::new(wire::RollbackResponse { deployment: Some(message(&job)) }))
    }

    async fn preview(&self, asked: Request<wire::PreviewRequest>) -> Answer<wire::PreviewResponse> {
        let caller = caller(&asked);
        let asked = asked.into_inner();
        let request = JobRequest {
            kind: JobKind::Preview,
            environment: asked.environment,
            name: asked.name,
            version: asked.version,
            from: asked.from,
            target: asked.target,
            ..JobRequest::default()
        };
        let asking = CallOptions { key: asked.idempotency_key, run_after: None };
        let job = self.0.ask(request, asking, &caller).await?;
        Ok(Response::new(wire::PreviewResponse { deployment: Some(message(&job)) }))
    }

    async fn list_environments(
        &self,
        _: Request<wire::ListEnvironmentsRequest>,
    ) -> Answer<wire::ListEnvironmentsResponse> {
        let found = self.0.ground.placements().await.map_err(CallRefusal::from)?;
        let environments = found.into_iter().map(environment_message).collect();
        Ok(Response::new(wire::ListEnvironmentsResponse { environments }))
    }
}
