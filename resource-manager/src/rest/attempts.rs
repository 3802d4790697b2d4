//! Attempts of an application and their containers: `/apps/{id}/appattempts[/{attempt}[/containers
//! [/{container}]]]`.

use super::{
    State,
    apps::{elapsed_ms, find},
    links::Links,
};
use crate::{
    error::codes,
    view::{View, container_state},
};
use actix_web::{
    HttpRequest,
    web::{self, Data, Json, Path, ServiceConfig},
};
use weir_base::{AttemptId, ContainerId};
use weir_protocol::rest::yarn::{
    AppAttempt, AppAttemptList, AppAttempts, Container, ContainerList, Containers, Entry,
    OneAppAttempt, OneContainer,
};
use weir_resource_manager_brain::{ApplicationView, AttemptView, ContainerView};
use weir_service::ApiError;

pub fn configure(config: &mut ServiceConfig) {
    config
        .route("/apps/{id}/appattempts", web::get().to(list))
        .route("/apps/{id}/appattempts/{attempt}", web::get().to(show))
        .route("/apps/{id}/appattempts/{attempt}/containers", web::get().to(containers))
        .route("/apps/{id}/appattempts/{attempt}/containers/{container}", web::get().to(container));
}

async fn list(
    request: HttpRequest,
    state: Data<State>,
    path: Path<String>,
) -> Result<Json<AppAttempts>, ApiError> {
    let view = state.handle.recent_snapshot().await;
    let links = Links::of(&request);
    let attempts = &find(&view, &path)?.attempts;
    let app_attempt = attempts.iter().map(|attempt| describe(attempt, &links)).collect();
    Ok(Json(AppAttempts { app_attempts: AppAttemptList { app_attempt } }))
}

async fn show(
    request: HttpRequest,
    state: Data<State>,
    path: Path<(String, String)>,
) -> Result<Json<OneAppAttempt>, ApiError> {
    let view = state.handle.recent_snapshot().await;
    let attempt = attempt_of(find(&view, &path.0)?, &path.1)?;
    Ok(Json(OneAppAttempt { app_attempt: describe(attempt, &Links::of(&request)) }))
}

async fn containers(
    request: HttpRequest,
    state: Data<State>,
    path: Path<(String, String)>,
) -> Result<Json<Containers>, ApiError> {
    let view = state.handle.recent_snapshot().await;
    let attempt = attempt_of(find(&view, &path.0)?, &path.1)?;
    let links = Links::of(&request);
    let describe = |container| describe_container(container, &view, &links);
    let container = attempt.containers.iter().map(describe).collect();
    Ok(Json(Containers { containers: ContainerList { container } }))
}

async fn container(
    request: HttpRequest,
    state: Data<State>,
    path: Path<(String, String, String)>,
) -> Result<Json<OneContainer>, ApiError> {
    let (application, attempt, container) = path.into_inner();
    let view = state.handle.recent_snapshot().await;
    let attempt = attempt_of(find(&view, &application)?, &attempt)?;
    let id: ContainerId = container.parse().map_err(not_found)?;
    let found = attempt.containers.iter().find(|container| container.container == id);
    let found = found.ok_or_else(|| not_found(format!("container {id} is not known")))?;
    let container = describe_container(found, &view, &Links::of(&request));
    Ok(Json(OneContainer { container }))
}

fn not_found(problem: impl ToString) -> ApiError {
    ApiError::not_found(codes::NOT_FOUND, problem.to_string())
}

fn attempt_of<'a>(application: &'a ApplicationView, id: &str) -> Result<&'a AttemptView, ApiError> {
    let id: AttemptId = id.parse().map_err(not_found)?;
    let found = application.attempts.iter().find(|attempt| attempt.attempt == id);
    let problem = || not_found(format!("attempt {id} of {} is not known", application.application));
    found.ok_or_else(problem)
}

fn describe(attempt: &AttemptView, links: &Links) -> AppAttempt {
    let mut answer = AppAttempt {
        id: attempt.attempt.number,
        app_attempt_id: attempt.attempt,
        start_time: attempt.started_wall_ms,
        finished_time: attempt.ended_wall_ms.unwrap_or(0),
        state: attempt.state.name().to_owned(),
        final_status: attempt.final_status,
        diagnostics: attempt.diagnostics.clone(),
        ..AppAttempt::default()
    };
    if let (Some(container), Some(node)) = (attempt.container, &attempt.node) {
        answer.container_id = container.to_string();
        answer.node_http_address = node.to_string();
        answer.node_id = node.to_string();
        answer.logs_link = links.logs(node, container);
    }
    answer
}

fn describe_container(found: &ContainerView, view: &View, links: &Links) -> Container {
    let ContainerView { container, node, resources, .. } = found;
    Container {
        container_id: *container,
        allocated_mb: resources.memory_mib,
        allocated_vcores: resources.vcores,
        assigned_node_id: node.to_string(),
        priority: found.priority,
        started_time: found.allocated_wall_ms,
        finished_time: found.ended_wall_ms.unwrap_or(0),
        elapsed_time: elapsed_ms(found.allocated_wall_ms, found.ended_wall_ms, view),
        diagnostics_info: found.diagnostics.clone(),
        log_url: links.logs(node, *container),
        container_exit_status: found.exit_status.unwrap_or(0),
        container_state: container_state(found.state).to_owned(),
        node_http_address: format!("http://{node}"),
        node_id: node.to_string(),
        allocated_resources: vec![
            Entry::new("memory-mb", resources.memory_mib.to_string()),
            Entry::new("vcores", resources.vcores.to_string()),
        ],
    }
}
