//! Applications: `/apps`, `/apps/{id}`, its state, and Weir's own `/apps/{id}/pending`.

use super::{
    State, filter,
    internal::unexpected,
    links::Links,
    submit::{self, Caller},
};
use crate::{
    error::codes,
    view::{View, app_master_of, has_ended},
};
use actix_web::{
    HttpRequest, HttpResponse,
    web::{self, Data, Json, Path, Query, ServiceConfig},
};
use std::sync::Arc;
use weir_base::{ApplicationId, AttemptId, Resources};
use weir_protocol::rest::yarn::{
    App, AppList, AppState, AppTimeout, AppTimeouts, ApplicationState, Apps, Entry, EntryList,
    OneApp, PartitionUsage, PendingAnswer, PendingAskInfo, PendingAsks, ResourceRequestInfo,
    UsageInfo,
};
use weir_resource_manager_brain::{ApplicationView, Input, PendingView, Reply};
use weir_service::ApiError;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(
            web::resource("/apps").route(web::get().to(list)).route(web::post().to(submit::submit)),
        )
        .route("/apps/new-application", web::post().to(submit::new_application))
        .route("/apps/{id}", web::get().to(show))
        .route("/apps/{id}/pending", web::get().to(pending))
        .service(
            web::resource("/apps/{id}/state")
                .route(web::get().to(get_state))
                .route(web::put().to(put_state)),
        );
}

async fn list(request: HttpRequest, state: Data<State>) -> Result<Json<Apps>, ApiError> {
    let filter = filter::Applications::read(request.query_string())?;
    let view = state.handle.recent_snapshot().await;
    let links = Links::of(&request);
    let picked = filter.pick(view.cluster.applications.iter());
    let app = picked.map(|application| describe(application, &view, &links)).collect();
    Ok(Json(Apps { apps: AppList { app } }))
}

async fn show(
    request: HttpRequest,
    state: Data<State>,
    path: Path<String>,
) -> Result<Json<OneApp>, ApiError> {
    let view = state.handle.recent_snapshot().await;
    let application = find(&view, &path)?;
    Ok(Json(OneApp { app: describe(application, &view, &Links::of(&request)) }))
}

async fn pending(state: Data<State>, path: Path<String>) -> Result<Json<PendingAnswer>, ApiError> {
    let view = state.handle.recent_snapshot().await;
    let application = find(&view, &path)?;
    let attempt = application.last_attempt().map(|last| last.attempt).unwrap_or_default();
    let ask = application.pending.iter().map(|ask| waiting(attempt, ask)).collect();
    Ok(Json(PendingAnswer { pending: PendingAsks { ask } }))
}

async fn get_state(state: Data<State>, path: Path<String>) -> Result<Json<AppState>, ApiError> {
    let view = state.handle.recent_snapshot().await;
    Ok(Json(app_state(find(&view, &path)?)))
}

/// Kills an application: 202 while it is being killed, 200 if it had ended before.
async fn put_state(
    request: HttpRequest,
    state: Data<State>,
    path: Path<String>,
    caller: Query<Caller>,
    body: Json<AppState>,
) -> Result<HttpResponse, ApiError> {
    let application = parse(&path)?;
    if !body.state.eq_ignore_ascii_case(ApplicationState::Killed.name()) {
        let problem =
            format!("an application can only be put into the state KILLED, not {:?}", body.state);
        return Err(ApiError::bad_request(codes::BAD_STATE, problem));
    }
    let diagnostics = match body.diagnostics.trim() {
        "" => format!("killed by user {}", caller.name(&request)),
        why => why.to_owned(),
    };
    let had_ended =
        match state.ask(|ticket| Input::Kill { ticket, application, diagnostics }).await? {
            Reply::Kill { had_ended } => had_ended,
            other => return Err(unexpected(&other)),
        };
    let view: Arc<View> = state.publish().await;
    let now = view.application(application).map(app_state).unwrap_or_default();
    Ok(if had_ended { HttpResponse::Ok() } else { HttpResponse::Accepted() }.json(now))
}

fn app_state(application: &ApplicationView) -> AppState {
    AppState { state: application.yarn_state.name().to_owned(), diagnostics: String::new() }
}

/// The id in a path.
///
/// # Errors
/// 404 if the text is not an id.
pub fn parse(id: &str) -> Result<ApplicationId, ApiError> {
    id.parse().map_err(|error: weir_base::ParseClusterIdError| {
        ApiError::not_found(codes::UNKNOWN_APPLICATION, error.to_string())
    })
}

/// The application that a path names.
///
/// # Errors
/// 404 if the application is not known.
pub fn find<'a>(view: &'a View, id: &str) -> Result<&'a ApplicationView, ApiError> {
    let application = parse(id)?;
    view.application(application).ok_or_else(|| unknown(application))
}

/// The 404 error for an unknown application.
pub fn unknown(application: ApplicationId) -> ApiError {
    let error = weir_resource_manager_brain::Error::UnknownApplication { application };
    ApiError::not_found(error.code(), error.to_string())
}

fn describe(application: &ApplicationView, view: &View, links: &Links) -> App {
    let (id, submission) = (application.application, &application.submission);
    let (submitted_ms, ended_ms) = (application.submitted_wall_ms, application.ended_wall_ms);
    let mut app = App {
        id,
        user: submission.user.clone(),
        name: submission.name.clone(),
        queue: submission.queue.clone(),
        state: application.yarn_state,
        final_status: application.final_status,
        progress: percent(application),
        tracking_ui: tracking(application).to_owned(),
        tracking_url: links.proxy(id),
        diagnostics: application.diagnostics.clone(),
        cluster_id: id.cluster_timestamp,
        application_type: submission.application_type.clone(),
        application_tags: submission.tags.join(","),
        started_time: submitted_ms,
        launch_time: application.attempts.first().map_or(0, |first| first.started_wall_ms),
        finished_time: ended_ms.unwrap_or(0),
        elapsed_time: elapsed_ms(submitted_ms, ended_ms, view),
        log_aggregation_status: "DISABLED".to_owned(),
        timeouts: AppTimeouts { timeout: vec![AppTimeout::default()] },
        current_attempt: application.last_attempt().map_or(0, |last| last.attempt.number),
        ..App::default()
    };
    set_location(&mut app, application, links);
    set_usage(&mut app, application, view);
    app
}

/// Time from `from_ms` to the end, or to the time of the view.
pub fn elapsed_ms(from_ms: u64, to_ms: Option<u64>, view: &View) -> u64 {
    to_ms.unwrap_or(view.taken_ms).saturating_sub(from_ms)
}

fn percent(application: &ApplicationView) -> f32 {
    if has_ended(application) { 100.0 } else { application.progress.clamp(0.0, 1.0) * 100.0 }
}

fn tracking(application: &ApplicationView) -> &'static str {
    match (has_ended(application), app_master_of(application)) {
        (true, _) => "History",
        (false, Some(_)) => "ApplicationMaster",
        (false, None) => "UNASSIGNED",
    }
}

/// Sets the fields about the location of the app master.
fn set_location(app: &mut App, application: &ApplicationView, links: &Links) {
    let Some(attempt) = application.last_attempt() else { return };
    if let (Some(container), Some(node)) = (attempt.container, &attempt.node) {
        app.am_container_logs = links.logs(node, container);
        app.am_host_http_address = node.to_string();
        app.master_node_id = node.to_string();
    }
    app.am_rpc_address = attempt.rest_address.clone().unwrap_or_default();
}

/// Sets the fields about resources and asks.
fn set_usage(app: &mut App, application: &ApplicationView, view: &View) {
    let seconds = [
        Entry::new("memory-mb", application.memory_mib_seconds.to_string()),
        Entry::new("vcores", application.vcore_seconds.to_string()),
    ];
    app.memory_seconds = application.memory_mib_seconds;
    app.vcore_seconds = application.vcore_seconds;
    app.resource_seconds_map = EntryList { entry: seconds.to_vec() };
    app.resource_requests = application.pending.iter().map(request).collect();
    app.pending_containers = application.pending.iter().map(|ask| ask.missing).sum();
    let reasons = application.pending.iter().map(|ask| &ask.reason);
    app.pending_reason =
        reasons.into_iter().find(|reason| !reason.is_empty()).cloned().unwrap_or_default();
    if has_ended(application) {
        // YARN reports -1 for the resources of an ended application.
        (app.allocated_mb, app.allocated_vcores, app.running_containers) = (-1, -1, -1);
        (app.reserved_mb, app.reserved_vcores) = (-1, -1);
        return;
    }
    let (allocated, total) = (application.allocated, view.cluster.metrics.total);
    app.allocated_mb = signed(allocated.memory_mib);
    app.allocated_vcores = allocated.vcores.into();
    app.running_containers = signed(application.running_containers);
    if total.memory_mib > 0 {
        let share = 100.0 * allocated.memory_mib as f64 / total.memory_mib as f64;
        app.cluster_usage_percentage = share as f32;
        app.queue_usage_percentage = share as f32;
    }
    let usage = PartitionUsage {
        used: allocated.into(),
        pending: wanted(&application.pending).into(),
        am_used: held_by_app_master(application).into(),
        ..PartitionUsage::default()
    };
    app.resource_info = UsageInfo { resource_usages_by_partition: vec![usage] };
}

fn held_by_app_master(application: &ApplicationView) -> Resources {
    let attempt = application.attempts.last();
    let master = attempt.and_then(|attempt| {
        attempt.containers.iter().find(|one| Some(one.container) == attempt.container)
    });
    master.map(|container| container.resources).unwrap_or_default()
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The resources of all waiting asks. Saturates.
fn wanted(pending: &[PendingView]) -> Resources {
    pending.iter().fold(Resources::default(), |sum, ask| {
        let missing = u32::try_from(ask.missing).unwrap_or(u32::MAX);
        let memory_mib = ask.resources.memory_mib.saturating_mul(ask.missing);
        Resources {
            memory_mib: sum.memory_mib.saturating_add(memory_mib),
            vcores: sum.vcores.saturating_add(ask.resources.vcores.saturating_mul(missing)),
        }
    })
}

fn request(ask: &PendingView) -> ResourceRequestInfo {
    ResourceRequestInfo {
        priority: ask.priority,
        resource_name: "*".to_owned(),
        capability: ask.resources.into(),
        num_containers: ask.missing,
        relax_locality: true,
        node_label_expression: String::new(),
        allocation_request_id: ask.ask.unwrap_or(0).into(),
    }
}

fn waiting(attempt: AttemptId, ask: &PendingView) -> PendingAskInfo {
    PendingAskInfo {
        attempt,
        ask_id: ask.ask.map(u64::from),
        priority: ask.priority,
        capability: ask.resources.into(),
        missing: ask.missing,
        reason: ask.reason.clone(),
    }
}
