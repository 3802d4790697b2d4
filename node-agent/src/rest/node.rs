//! `/ws/v1/node`: the node and the applications on it.

use super::Api;
use crate::shell::AgentView;
use actix_web::{
    HttpResponse,
    web::{self, Data, Json, Path, Query, ServiceConfig},
};
use serde::Deserialize;
use std::collections::BTreeMap;
use weir_base::ApplicationId;
use weir_node_agent_brain::{LifeCycle, NodeView};
use weir_protocol::rest::yarn::{
    NodeApp, NodeAppList, NodeApps, NodeInfo, NodeInfoAnswer, OneNodeApp,
};
use weir_service::ApiError;

const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(super) fn configure(service: &mut ServiceConfig) {
    service
        .route("/", web::get().to(HttpResponse::NoContent))
        .route("/ws/v1/node", web::get().to(info))
        .route("/ws/v1/node/", web::get().to(info))
        .route("/ws/v1/node/info", web::get().to(info))
        .route("/ws/v1/node/apps", web::get().to(apps))
        .route("/ws/v1/node/apps/{id}", web::get().to(app));
}

async fn info(api: Data<Api>) -> Result<Json<NodeInfoAnswer>, ApiError> {
    let NodeView { node, total, unhealthy, .. } = api.view().await?.node.clone();
    let host = node.0.rsplit_once(':').map_or(node.0.as_str(), |(host, _)| host).to_owned();
    let node_info = NodeInfo {
        id: node,
        node_host_name: host,
        total_pmem_allocated_containers_mb: total.memory_mib,
        total_vmem_allocated_containers_mb: total.memory_mib,
        total_vcores_allocated_containers: total.vcores.into(),
        pmem_check_enabled: true,
        last_node_update_time: api.last_look.millis(),
        nm_startup_time: api.started_ms,
        node_healthy: unhealthy.is_none(),
        health_report: unhealthy.unwrap_or_default(),
        resource_types: "memory-mb (unit=Mi), vcores".to_owned(),
        node_manager_version: VERSION.to_owned(),
        node_manager_build_version: format!("{VERSION} of Weir"),
        hadoop_version: VERSION.to_owned(),
        hadoop_build_version: format!("{VERSION} of Weir"),
        weir_version: VERSION.to_owned(),
        ..NodeInfo::default()
    };
    Ok(Json(NodeInfoAnswer { node_info }))
}

#[derive(Deserialize)]
struct AppQuery {
    state: Option<String>,
    user: Option<String>,
}

async fn apps(api: Data<Api>, query: Query<AppQuery>) -> Result<Json<NodeApps>, ApiError> {
    let AppQuery { state, user } = query.into_inner();
    let wanted = |app: &NodeApp| {
        state.as_ref().is_none_or(|state| state.eq_ignore_ascii_case(&app.state))
            && user.as_ref().is_none_or(|user| *user == app.user)
    };
    let app = applications(&*api.view().await?).into_values().filter(wanted).collect();
    Ok(Json(NodeApps { apps: NodeAppList { app } }))
}

async fn app(api: Data<Api>, id: Path<String>) -> Result<Json<OneNodeApp>, ApiError> {
    let unknown = |message: String| ApiError::not_found("WEIR-NM-0008", message);
    let id: ApplicationId = id.parse().map_err(|error| unknown(format!("{error}")))?;
    let app = applications(&*api.view().await?).remove(&id);
    let app = app.ok_or_else(|| unknown(format!("{id} has no containers on {}", api.node())))?;
    Ok(Json(OneNodeApp { app }))
}

/// Applications with containers, and ended applications with logs.
fn applications(view: &AgentView) -> BTreeMap<ApplicationId, NodeApp> {
    let user = super::containers::user();
    let mut apps: BTreeMap<ApplicationId, NodeApp> = BTreeMap::new();
    let ended = &view.node.ended;
    for &id in ended {
        apps.insert(id, application(id, "FINISHED", &user));
    }
    for container in &view.containers {
        let id = container.report.container.attempt.application;
        let app = apps.entry(id).or_insert_with(|| application(id, "RUNNING", &user));
        if container.state.is_live() && ended.contains(&id) {
            "FINISHING_CONTAINERS_WAIT".clone_into(&mut app.state);
        }
        if container.state != LifeCycle::Done {
            app.containerids.push(container.report.container);
        }
    }
    apps
}

fn application(id: ApplicationId, state: &str, user: &str) -> NodeApp {
    let (state, user) = (state.to_owned(), user.to_owned());
    NodeApp { id, state, user, containerids: Vec::new() }
}
