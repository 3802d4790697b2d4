//! Nodes: `/nodes`, `/nodes/{id}`.

use super::{State, filter};
use crate::{error::codes, view::host_of};
use actix_web::{
    HttpRequest,
    web::{self, Data, Json, Path, ServiceConfig},
};
use weir_base::NodeId;
use weir_protocol::rest::yarn::{Node, NodeList, Nodes, OneNode, Utilization};
use weir_resource_manager_brain::NodeView;
use weir_service::ApiError;

pub fn configure(config: &mut ServiceConfig) {
    config.route("/nodes", web::get().to(list)).route("/nodes/{id}", web::get().to(show));
}

async fn list(request: HttpRequest, state: Data<State>) -> Result<Json<Nodes>, ApiError> {
    let filter = filter::Nodes::read(request.query_string())?;
    let view = state.handle.recent_snapshot().await;
    let wanted = view.cluster.nodes.iter().filter(|node| filter.wants(node));
    let node = wanted.map(describe).collect();
    Ok(Json(Nodes { nodes: NodeList { node } }))
}

async fn show(state: Data<State>, path: Path<String>) -> Result<Json<OneNode>, ApiError> {
    let id = NodeId(path.into_inner());
    let view = state.handle.recent_snapshot().await;
    match view.node(&id) {
        Some(node) => Ok(Json(OneNode { node: describe(node) })),
        None => Err(ApiError::not_found(codes::NOT_FOUND, format!("node {id} is not known"))),
    }
}

fn describe(view: &NodeView) -> Node {
    let id = &view.node;
    Node {
        rack: "/default-rack".to_owned(),
        state: view.state,
        id: id.clone(),
        node_host_name: host_of(id).to_owned(),
        node_http_address: id.to_string(),
        last_health_update: view.last_contact_wall_ms,
        version: view.weir_version.clone(),
        health_report: view.health_report.clone(),
        num_containers: view.containers.len() as u64,
        used_memory_mb: view.used.memory_mib,
        avail_memory_mb: view.available.memory_mib,
        used_virtual_cores: view.used.vcores.into(),
        available_virtual_cores: view.available.vcores.into(),
        resource_utilization: Utilization {
            node_physical_memory_mb: view.used_memory_mib,
            aggregated_containers_physical_memory_mb: view.containers_used_memory_mib,
        },
        used_resource: view.used.into(),
        available_resource: view.available.into(),
        ..Node::default()
    }
}
