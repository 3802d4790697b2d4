//! The agent's HTTP interface: container requests of app masters, and YARN's `/ws/v1/node` for any client.

mod containers;
mod internal;
mod logs;
mod metrics;
mod node;

use crate::{
    layout::DataDir,
    monitor::LastLook,
    shell::{AgentShell, AgentView},
};
use actix_web::web::{Data, ServiceConfig};
use std::sync::{Arc, OnceLock};
use weir_base::{ContainerId, NodeId};
use weir_service::{ApiError, Handle, Secret};

/// State shared by the handlers.
pub(crate) struct Api {
    /// Set after recovery.
    pub handle: OnceLock<Handle<AgentShell>>,
    pub node: OnceLock<NodeId>,
    pub secret: Secret,
    pub data: DataDir,
    pub last_look: Arc<LastLook>,
    pub started_ms: u64,
}

impl Api {
    fn handle(&self) -> Result<&Handle<AgentShell>, ApiError> {
        self.handle.get().ok_or_else(not_now)
    }

    async fn view(&self) -> Result<Arc<AgentView>, ApiError> {
        Ok(self.handle()?.fresh_snapshot().await)
    }

    fn node(&self) -> NodeId {
        self.node.get().cloned().unwrap_or_default()
    }
}

/// Registers every path.
pub(crate) fn configure(service: &mut ServiceConfig, api: &Arc<Api>) {
    service
        .app_data(Data::from(Arc::clone(api)))
        .configure(internal::configure)
        .configure(node::configure)
        .configure(containers::configure)
        .configure(logs::configure)
        .configure(metrics::configure);
}

fn not_now() -> ApiError {
    let message = "the node agent is starting or ending; try again";
    ApiError::unavailable("WEIR-NM-0006", message)
}

fn container_id(text: &str) -> Result<ContainerId, ApiError> {
    text.parse().map_err(|error| ApiError::not_found("WEIR-NM-0008", format!("{error}")))
}

fn no_container(id: ContainerId, node: &NodeId) -> ApiError {
    ApiError::not_found("WEIR-NM-0008", format!("container {id} is not known on node {node}"))
}
