//! `/ws/v1/node/containers`: all containers of the node, or one.

use super::{Api, container_id, logs::log_names, no_container};
use actix_web::web::{self, Data, Json, Path, ServiceConfig};
use weir_base::NodeId;
use weir_node_agent_brain::{ContainerView, LifeCycle};
use weir_protocol::cluster::exit_status;
use weir_protocol::rest::yarn::{
    NodeContainer, NodeContainerList, NodeContainers, OneNodeContainer,
};
use weir_service::ApiError;

pub(super) fn configure(service: &mut ServiceConfig) {
    service
        .route("/ws/v1/node/containers", web::get().to(containers))
        .route("/ws/v1/node/containers/{id}", web::get().to(container));
}

async fn containers(api: Data<Api>) -> Result<Json<NodeContainers>, ApiError> {
    let view = api.view().await?;
    let shown = view.containers.iter().filter(|one| one.state != LifeCycle::Done);
    let container = shown.map(|one| describe(&api, one)).collect();
    Ok(Json(NodeContainers { containers: NodeContainerList { container } }))
}

async fn container(api: Data<Api>, id: Path<String>) -> Result<Json<OneNodeContainer>, ApiError> {
    let id = container_id(&id)?;
    let view = api.view().await?;
    let found = view.containers.iter().find(|one| one.report.container == id);
    let found = found.ok_or_else(|| no_container(id, &api.node()))?;
    Ok(Json(OneNodeContainer { container: describe(&api, found) }))
}

fn describe(api: &Api, view: &ContainerView) -> NodeContainer {
    let report = &view.report;
    let NodeId(address) = api.node();
    let id = report.container;
    NodeContainer {
        id,
        state: report.state.name().to_owned(),
        exit_code: report.exit_status.unwrap_or(exit_status::INVALID),
        diagnostics: report.diagnostics.clone(),
        user: user(),
        total_memory_needed_mb: report.resources.memory_mib,
        total_vcores_needed: report.resources.vcores.into(),
        execution_type: "GUARANTEED".to_owned(),
        container_logs_link: format!("http://{address}/ws/v1/node/containers/{id}/logs"),
        node_id: NodeId(address),
        // A folder that does not exist yet has no logs.
        container_log_files: log_names(&api.data.container_logs(id)).unwrap_or_default(),
        used_memory_mb: report.used_memory_mib,
    }
}

/// The operating system user of containers, which is that of the agent.
pub(super) fn user() -> String {
    std::env::var("USER").unwrap_or_default()
}
