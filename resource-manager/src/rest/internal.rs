//! The protocol of the daemons, in msgpack: node agents use the cluster's token, app masters the token of their
//! attempt.

use super::State;
use crate::{app_master_variables::AppMasterVariables, error::codes, lease_tokens};
use actix_web::{
    HttpRequest,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::HOST,
    middleware::{Next, from_fn},
    web::{self, Data, ServiceConfig},
};
use weir_base::AttemptId;
use weir_protocol::cluster::{
    Allocate, Allocated, AppMasterFinished, AppMasterRegistered, FinishAppMaster, LeaveNode,
    NodeHeartbeat, NodeLeft, NodeOrders, NodeRegistered, RegisterAppMaster, RegisterNode,
};
use weir_resource_manager_brain::{Input, Reply};
use weir_service::{ApiError, Msgpack, require_attempt, require_cluster};

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(
            web::scope("/internal/v1/nodes")
                .wrap(from_fn(cluster_token))
                .route("/register", web::post().to(register_node))
                .route("/heartbeat", web::post().to(heartbeat))
                .route("/leave", web::post().to(leave)),
        )
        .service(
            web::scope("/internal/v1/app-masters")
                .wrap(from_fn(attempt_token))
                .route("/register", web::post().to(register_app_master))
                .route("/allocate", web::post().to(allocate))
                .route("/finish", web::post().to(finish)),
        );
}

/// Checks the token before the body is read.
async fn cluster_token(
    state: Data<State>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    require_cluster(request.request(), &state.secret)?;
    next.call(request).await
}

/// Checks the token before the body is read.
async fn attempt_token(
    state: Data<State>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    require_attempt(request.request(), &state.secret)?;
    next.call(request).await
}

async fn register_node(
    state: Data<State>,
    message: Msgpack<RegisterNode>,
) -> Result<Msgpack<NodeRegistered>, ApiError> {
    match state.ask(|ticket| Input::RegisterNode { ticket, register: message.0 }).await? {
        Reply::NodeRegistered(registered) => {
            state.publish().await;
            Ok(Msgpack(registered))
        }
        other => Err(unexpected(&other)),
    }
}

async fn heartbeat(
    request: HttpRequest,
    state: Data<State>,
    message: Msgpack<NodeHeartbeat>,
) -> Result<Msgpack<NodeOrders>, ApiError> {
    // App masters on this node reach the resource manager at the same address as the node agent.
    let called_by = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let variables = AppMasterVariables {
        resource_manager: called_by.unwrap_or_default(),
        storage_dir: state.about.storage_dir.as_deref(),
        secret: &state.secret,
    };
    match state.ask(|ticket| Input::NodeHeartbeat { ticket, heartbeat: message.0 }).await? {
        Reply::NodeOrders(mut orders) => {
            orders.launch.iter_mut().for_each(|container| variables.set_in(container));
            Ok(Msgpack(orders))
        }
        other => Err(unexpected(&other)),
    }
}

async fn leave(
    state: Data<State>,
    message: Msgpack<LeaveNode>,
) -> Result<Msgpack<NodeLeft>, ApiError> {
    match state.ask(|ticket| Input::NodeLeaves { ticket, leave: message.0 }).await? {
        Reply::NodeLeft => {
            state.publish().await;
            Ok(Msgpack(NodeLeft {}))
        }
        other => Err(unexpected(&other)),
    }
}

async fn register_app_master(
    request: HttpRequest,
    state: Data<State>,
    message: Msgpack<RegisterAppMaster>,
) -> Result<Msgpack<AppMasterRegistered>, ApiError> {
    check_attempt(&request, &state, message.0.attempt)?;
    match state.ask(|ticket| Input::RegisterAppMaster { ticket, register: message.0 }).await? {
        Reply::AppMasterRegistered(registered) => {
            state.publish().await;
            Ok(Msgpack(registered))
        }
        other => Err(unexpected(&other)),
    }
}

async fn allocate(
    request: HttpRequest,
    state: Data<State>,
    message: Msgpack<Allocate>,
) -> Result<Msgpack<Allocated>, ApiError> {
    check_attempt(&request, &state, message.0.attempt)?;
    match state.ask(|ticket| Input::Allocate { ticket, allocate: message.0 }).await? {
        Reply::Allocated(allocated) => {
            let signed = allocated.map_leases(|lease| lease_tokens::sign(lease, &state.secret));
            Ok(Msgpack(signed))
        }
        other => Err(unexpected(&other)),
    }
}

async fn finish(
    request: HttpRequest,
    state: Data<State>,
    message: Msgpack<FinishAppMaster>,
) -> Result<Msgpack<AppMasterFinished>, ApiError> {
    check_attempt(&request, &state, message.0.attempt)?;
    match state.ask(|ticket| Input::FinishAppMaster { ticket, finish: message.0 }).await? {
        Reply::AppMasterFinished => {
            state.publish().await;
            Ok(Msgpack(AppMasterFinished {}))
        }
        other => Err(unexpected(&other)),
    }
}

/// Refuses a message of one attempt with the token of another.
fn check_attempt(request: &HttpRequest, state: &State, named: AttemptId) -> Result<(), ApiError> {
    let authenticated = require_attempt(request, &state.secret)?;
    match authenticated == named {
        true => Ok(()),
        false => Err(ApiError::forbidden(
            codes::OTHER_ATTEMPT,
            format!("the token is of {authenticated}, the message of {named}"),
        )),
    }
}

/// The error for a reply of the brain that does not belong to the request. This is a defect.
pub(super) fn unexpected(reply: &Reply) -> ApiError {
    ApiError::internal(
        codes::CONTRADICTION,
        format!("the brain answered something else: {reply:?}"),
    )
}
