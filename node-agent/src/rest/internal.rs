//! `/internal/v1/containers`: app masters start and stop the containers that they have leased.

use super::{Api, not_now};
use crate::{convert, launch, shell};
use actix_web::web::{self, Data, ServiceConfig};
use weir_node_agent_brain::{Input, LaunchContainer, Refusal, Reply};
use weir_protocol::cluster::{
    ContainerStarted, ContainerStopped, LeaseClaims, LeaseToken, StartContainer, StopContainer,
};
use weir_service::{ApiError, Msgpack};

pub(super) fn configure(service: &mut ServiceConfig) {
    service
        .route("/internal/v1/containers/start", web::post().to(start))
        .route("/internal/v1/containers/stop", web::post().to(stop));
}

/// What a lease token says, if it is good and means this node.
fn claims(api: &Api, token: &LeaseToken) -> Result<LeaseClaims, ApiError> {
    let claims = api.secret.verify_lease(token).ok_or_else(|| {
        let message = "the lease token was not signed by the resource manager of this cluster";
        ApiError::forbidden("WEIR-NM-0003", message)
    })?;
    let node = api.node();
    if claims.node == node {
        return Ok(claims);
    }
    let LeaseClaims { container, node: other, .. } = claims;
    let message = format!("container {container} is leased on node {other}, this is {node}");
    Err(ApiError::forbidden("WEIR-NM-0004", message))
}

async fn start(
    api: Data<Api>,
    Msgpack(request): Msgpack<StartContainer>,
) -> Result<Msgpack<ContainerStarted>, ApiError> {
    let LeaseClaims { container, resources, .. } = claims(&api, &request.token)?;
    let launch = convert::context_in(request.launch);
    launch::check(&launch).map_err(|problem| {
        let message = format!("container {container} cannot be started: {problem}");
        ApiError::bad_request("WEIR-NM-0007", message)
    })?;
    let start = LaunchContainer { container, resources, launch };
    let asked = api.handle()?.ask(|ticket| {
        let ticket = shell::ticket(ticket);
        Input::Start { ticket, start }
    });
    match asked.await.map_err(|_| not_now())? {
        Reply::Started(report) => {
            Ok(Msgpack(ContainerStarted { report: convert::report_out(report) }))
        }
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
    Msgpack(request): Msgpack<StopContainer>,
) -> Result<Msgpack<ContainerStopped>, ApiError> {
    let LeaseClaims { container, resources, .. } = claims(&api, &request.token)?;
    let asked = api.handle()?.ask(|ticket| {
        let ticket = shell::ticket(ticket);
        Input::Stop { ticket, container, resources }
    });
    asked.await.map_err(|_| not_now())?;
    Ok(Msgpack(ContainerStopped {}))
}
