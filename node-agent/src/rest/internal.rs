//! `/internal/v1/containers`: app masters start and stop the containers that they have leased. The token of the
//! lease is in the header, so the body of a request without one is not read.

use super::{Api, not_now};
use crate::{launch, shell};
use actix_web::{
    HttpMessage, HttpRequest,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    middleware::{Next, from_fn},
    web::{self, Data, ReqData, ServiceConfig},
};
use weir_node_agent_brain::{Input, Refusal, Reply};
use weir_protocol::cluster::{
    ContainerStarted, ContainerStopped, LaunchContainer, Lease, MAX_CONTAINER_BODY_BYTES,
    StartContainer, StopContainer,
};
use weir_service::{ApiError, Msgpack, MsgpackLimit};

pub(super) fn configure(service: &mut ServiceConfig) {
    service.service(
        web::scope("/internal/v1/containers")
            .app_data(MsgpackLimit(MAX_CONTAINER_BODY_BYTES))
            .wrap(from_fn(lease_token))
            .route("/start", web::post().to(start))
            .route("/stop", web::post().to(stop)),
    );
}

/// Checks the token before the body is read, and hands the lease to the handler.
async fn lease_token(
    api: Data<Api>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let lease = lease_of(&api, request.request())?;
    request.extensions_mut().insert(lease);
    next.call(request).await
}

/// The lease in the token of a request, if the token is valid and the lease is of this node.
fn lease_of(api: &Api, request: &HttpRequest) -> Result<Lease, ApiError> {
    let lease = api.secret.lease_of_bearer(request).ok_or_else(|| {
        let message = "the request carries no lease token that the resource manager of this cluster has \
                       signed";
        ApiError::unauthorized("WEIR-NM-0003", message)
    })?;
    let node = api.node();
    if lease.node == node {
        return Ok(lease);
    }
    let Lease { container, node: other, .. } = lease;
    let message = format!("container {container} is leased on node {other}, this is {node}");
    Err(ApiError::forbidden("WEIR-NM-0004", message))
}

async fn start(
    api: Data<Api>,
    lease: ReqData<Lease>,
    Msgpack(request): Msgpack<StartContainer>,
) -> Result<Msgpack<ContainerStarted>, ApiError> {
    let Lease { container, resources, .. } = lease.into_inner();
    launch::check(&request.launch).map_err(|problem| {
        let message = format!("container {container} cannot be started: {problem}");
        ApiError::bad_request("WEIR-NM-0007", message)
    })?;
    let start = LaunchContainer { container, resources, launch: request.launch };
    let asked = api.handle()?.ask(|ticket| {
        let ticket = shell::ticket(ticket);
        Input::Start { ticket, start }
    });
    match asked.await.map_err(|_| not_now())? {
        Reply::Started(_) => Ok(Msgpack(ContainerStarted {})),
        Reply::Refused(Refusal::ApplicationEnded) => {
            let application = container.attempt.application;
            let message =
                format!("{application} has ended, so container {container} is not started");
            Err(ApiError::conflict("WEIR-NM-0005", message))
        }
        Reply::Refused(Refusal::ShuttingDown) | Reply::Stopped => Err(not_now()),
    }
}

async fn stop(
    api: Data<Api>,
    lease: ReqData<Lease>,
    Msgpack(StopContainer {}): Msgpack<StopContainer>,
) -> Result<Msgpack<ContainerStopped>, ApiError> {
    let Lease { container, resources, .. } = lease.into_inner();
    let asked = api.handle()?.ask(|ticket| {
        let ticket = shell::ticket(ticket);
        Input::Stop { ticket, container, resources }
    });
    asked.await.map_err(|_| not_now())?;
    Ok(Msgpack(ContainerStopped {}))
}
