//! `/proxy/{application}/…`: the web page and the REST interface of an app master. The address stays the same for
//! as long as the resource manager knows the application.
//!
//! ```text
//! file of the page, application of type WEIR   the file, from this process
//! app master registered                        forwarded to its node and port
//! no app master registered                     503, try again
//! ended                                        from the archive: the path without /v1, with the query
//!                                              if it was archived with the query, else without
//! ```
//!
//! A changing request needs the cluster's token, and is forwarded with the token of the attempt. Every answer of an
//! app master gets `Content-Security-Policy: sandbox`, even if it claims to come from the same build of Weir: any
//! command can be an app master, and its pages have the same origin as the page of the resource manager. The page
//! of a job works without the rights that the sandbox removes, because this process serves its files.

use super::{
    State,
    apps::{parse, unknown},
    forward,
    forward::{Target, is_changing},
    pages,
};
use crate::{
    error::codes,
    view::{View, app_master_of, has_ended},
};
use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Method,
        header::{CONTENT_TYPE, LOCATION, RETRY_AFTER},
    },
    web::{self, Data, Path, Payload, ServiceConfig},
};
use weir_base::ApplicationId;
use weir_resource_manager_brain::ApplicationView;
use weir_service::{ApiError, ErrorStyle, require_cluster};

/// The application type of Weir jobs.
const WEIR_TYPE: &str = "WEIR";
const SANDBOX: &str = "sandbox allow-scripts allow-forms allow-popups";
const JSON: &str = "application/json; charset=UTF-8";
/// When a caller should retry.
const RETRY_AFTER_SECONDS: &str = "1";

pub fn configure(config: &mut ServiceConfig) {
    config
        .route("/proxy/{application}", web::get().to(add_slash))
        .route("/proxy/{application}/{tail:.*}", web::to(proxy));
}

/// The addresses in the page are relative, so the address of the page must end with a slash.
async fn add_slash(path: Path<String>) -> Result<HttpResponse, ApiError> {
    let application: ApplicationId = parse(&path)?;
    let location = format!("/proxy/{application}/");
    Ok(HttpResponse::Found().insert_header((LOCATION, location)).finish())
}

async fn proxy(
    request: HttpRequest,
    state: Data<State>,
    path: Path<(String, String)>,
    payload: Payload,
) -> HttpResponse {
    let (application, tail) = path.into_inner();
    let answered = match parse(&application) {
        Ok(application) => route(&request, &state, (application, &tail), payload).await,
        Err(error) => Err(error),
    };
    answered.unwrap_or_else(|error| flink_style(&error))
}

async fn route(
    request: &HttpRequest,
    state: &State,
    (id, tail): (ApplicationId, &str),
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    if is_changing(request.method()) {
        require_cluster(request, &state.secret)?;
    }
    let mut view = state.handle.recent_snapshot().await;
    if !is_settled(&view, id) {
        view = state.handle.fresh_snapshot().await;
    }
    let application = view.application(id).ok_or_else(|| unknown(id))?;
    if is_job(application)
        && *request.method() == Method::GET
        && let Some(file) = pages::asset(tail)
    {
        return Ok(file);
    }
    if has_ended(application) {
        return archived(request, state, application, tail).await;
    }
    let (attempt, address) = app_master_of(application).ok_or_else(|| not_up(application))?;
    let no_answer = || {
        let problem =
            format!("the app master of {attempt} at {address} does not answer; try again");
        ApiError::unavailable(codes::NO_ANSWER, problem)
    };
    let path_and_query = forward::behind(request, &format!("/proxy/{id}"), tail);
    let url = forward::url(address, &path_and_query).ok_or_else(no_answer)?;
    let bearer = is_changing(request.method()).then(|| state.secret.application_token(attempt));
    let target = Target { url, bearer };
    let response = forward::send(&state.forwarder, target, request, payload).await;
    let response = response.map_err(|_| no_answer())?;
    Ok(forward::answer(request.method(), response, SANDBOX))
}

/// Whether a view that may be 100 ms old is new enough for the answer.
fn is_settled(view: &View, id: ApplicationId) -> bool {
    let is_settled = |application| has_ended(application) || app_master_of(application).is_some();
    view.application(id).is_some_and(is_settled)
}

fn is_job(application: &ApplicationView) -> bool {
    application.submission.application_type == WEIR_TYPE
}

fn not_up(application: &ApplicationView) -> ApiError {
    let why = match application.diagnostics.as_str() {
        "" => "it is being started; try again",
        why => why,
    };
    let problem = format!("{} has no app master yet: {why}", application.application);
    ApiError::unavailable(codes::NO_APP_MASTER, problem)
}

async fn archived(
    request: &HttpRequest,
    state: &State,
    application: &ApplicationView,
    tail: &str,
) -> Result<HttpResponse, ApiError> {
    let (id, ended_as) = (application.application, application.yarn_state);
    if is_changing(request.method()) {
        return Err(ApiError::conflict(
            codes::READ_ONLY,
            format!("{id} has ended ({ended_as}) and cannot be changed any more"),
        ));
    }
    let path = format!("/{}", tail.strip_prefix("v1/").unwrap_or(tail));
    let with_query = match request.query_string() {
        "" => None,
        query => kept(state, id, &format!("{path}?{query}")).await?,
    };
    let found = match with_query {
        Some(json) => Some(json),
        None => kept(state, id, &path).await?,
    };
    match found {
        Some(json) => Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, JSON)).body(json)),
        None => Err(ApiError::not_found(
            codes::NOT_ARCHIVED,
            format!("{id} has ended ({ended_as}) and has no stored answer for {path}"),
        )),
    }
}

async fn kept(state: &State, id: ApplicationId, path: &str) -> Result<Option<String>, ApiError> {
    let found = state.store.archived(id, path).await;
    found.map_err(|error| ApiError::internal(error.code(), error.report()))
}

/// Formats an error like the app master does, because clients of the app master read it.
fn flink_style(error: &ApiError) -> HttpResponse {
    let status = actix_web::http::StatusCode::from_u16(error.status());
    let mut response = HttpResponse::build(status.unwrap_or_default());
    if error.status() == 503 {
        response.insert_header((RETRY_AFTER, RETRY_AFTER_SECONDS));
    }
    let body = error.to_json(ErrorStyle::Flink).to_string();
    response.insert_header((CONTENT_TYPE, JSON)).body(body)
}
