//! The HTTP interface: YARN's REST interface, the protocol of the daemons, files, proxies, and the web page.
//!
//! ```text
//! /ws/v1/cluster/…             YARN's REST, and artefacts        GET is open, changes need the token
//! /internal/v1/…               daemons, msgpack                  cluster's or attempt's token
//! /proxy/{application}/…       its app master, then its archive  changes need the token
//! /proxy-node/{node}/…         its agent, read only
//! /metrics                     Prometheus
//! /, /cluster, …               the web page
//! ```
//!
//! A handler parses the request, sends one input to the brain or reads one snapshot, and returns a type of the
//! protocol.

mod apps;
mod artifacts;
mod attempts;
mod cluster;
mod filter;
mod forward;
mod internal;
mod links;
mod node_proxy;
mod nodes;
mod pages;
mod prometheus;
mod proxy;
mod submit;

use crate::{
    artifacts::Artifacts, error::codes, shell::ResourceManagerShell, store::StoreThread, view::View,
};
use actix_web::{
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    middleware::{Next, from_fn},
    web::{self, Data, ServiceConfig},
};
use std::sync::Arc;
use weir_resource_manager_brain::{Error as Refusal, Input, Reply, Ticket};
use weir_service::{ApiError, Handle, Secret, require_cluster};

/// The shared state of all handlers.
pub struct State {
    /// The actor of the brain.
    pub handle: Handle<ResourceManagerShell>,
    /// Checks and creates tokens.
    pub secret: Secret,
    pub artifacts: Arc<Artifacts>,
    /// Used to read archives.
    pub store: StoreThread,
    /// Client for forwarded requests.
    pub forwarder: reqwest::Client,
    pub about: About,
}

/// Values that never change while a resource manager runs.
#[derive(Clone, Debug)]
pub struct About {
    /// Time of the first start of the cluster, in milliseconds since 1970.
    pub cluster_timestamp: u64,
    /// Number of earlier starts.
    pub epoch: u32,
    /// Start time of this process, in milliseconds since 1970.
    pub started_ms: u64,
    /// Default folder for checkpoints.
    pub storage_dir: Option<String>,
    /// The smallest lease.
    pub minimum_allocation_mib: u64,
}

impl State {
    /// Sends an input to the brain and waits for its reply.
    async fn ask(&self, make: impl FnOnce(Ticket) -> Input + Send) -> Result<Reply, ApiError> {
        let reply = self.handle.ask(|ticket| make(Ticket(ticket.0))).await;
        let reply =
            reply.map_err(|ended| ApiError::unavailable(codes::ENDING, ended.to_string()))?;
        reply.map_err(|refusal| refused(&refusal))
    }

    /// Publishes a new snapshot at once, because the client that made a change may read it next.
    async fn publish(&self) -> Arc<View> {
        self.handle.fresh_snapshot().await
    }
}

/// Registers all handlers.
pub fn configure(config: &mut ServiceConfig) {
    config
        .service(
            web::scope("/ws/v1/cluster")
                .wrap(from_fn(token_for_changes))
                .configure(cluster::configure)
                .configure(apps::configure)
                .configure(attempts::configure)
                .configure(nodes::configure)
                .configure(artifacts::configure),
        )
        .configure(internal::configure)
        .configure(proxy::configure)
        .configure(node_proxy::configure)
        .configure(prometheus::configure)
        .configure(pages::configure);
}

/// Checks the cluster's token of a changing request, before the body is read.
async fn token_for_changes(
    state: Data<State>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    if forward::is_changing(request.method()) {
        require_cluster(request.request(), &state.secret)?;
    }
    next.call(request).await
}

/// Converts a refusal of the brain to an HTTP error.
fn refused(refusal: &Refusal) -> ApiError {
    let status = match refusal {
        Refusal::NotReady | Refusal::StoreFailed { .. } => 503,
        Refusal::UnknownApplication { .. } => 404,
        Refusal::IdNotHandedOut { .. }
        | Refusal::InvalidSubmission { .. }
        | Refusal::TooLarge { .. }
        | Refusal::InvalidNode { .. }
        | Refusal::InvalidRequest { .. } => 400,
        Refusal::AlreadySubmitted { .. }
        | Refusal::AttemptOver { .. }
        | Refusal::NodeSuperseded { .. } => 409,
    };
    ApiError::new(status, refusal.code(), refusal.to_string())
}
