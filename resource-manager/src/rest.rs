//! The HTTP interface: YARN's REST, what daemons ask, files, the proxies, the page.
//!
//! ```text
//! /ws/v1/cluster/…             YARN's REST, and artefacts        GET open, changes need the token
//! /internal/v1/…               daemons, msgpack                  cluster's or attempt's token
//! /proxy/{application}/…       its app master, then its archive  changes need the token
//! /proxy-node/{node}/…         its agent, to read
//! /metrics                     Prometheus
//! /, /cluster, …               the page
//! ```
//!
//! A handler reads: parse, one question to the brain or one look at the view, a type of the protocol.

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

/// State that every handler uses.
pub struct State {
    /// The brain.
    pub handle: Handle<ResourceManagerShell>,
    /// Checks and makes tokens.
    pub secret: Secret,
    /// The kept files.
    pub artifacts: Arc<Artifacts>,
    /// Archives are read from it.
    pub store: StoreThread,
    /// Passes requests on.
    pub forwarder: reqwest::Client,
    /// Values that never change while this process runs.
    pub about: About,
}

/// Values that never change while a resource manager runs.
#[derive(Clone, Debug)]
pub struct About {
    /// When the cluster was first started.
    pub cluster_timestamp: u64,
    /// Starts before this one.
    pub epoch: u32,
    /// When this process began.
    pub started_ms: u64,
    /// Where jobs keep checkpoints when they name no folder.
    pub storage_dir: Option<String>,
    /// The smallest lease.
    pub minimum_allocation_mib: u64,
}

impl State {
    /// Asks the brain.
    async fn ask(&self, make: impl FnOnce(Ticket) -> Input + Send) -> Result<Reply, ApiError> {
        let reply = self.handle.ask(|ticket| make(Ticket(ticket.0))).await;
        let reply = reply.map_err(|gone| ApiError::unavailable(codes::ENDING, gone.to_string()))?;
        reply.map_err(|refusal| refused(&refusal))
    }

    /// Publishes a change at once: the client that made it reads next.
    async fn publish(&self) -> Arc<View> {
        self.handle.fresh_snapshot().await
    }
}

/// Registers everything.
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

/// Whatever changes something needs the cluster's token, looked at before the body is read.
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

/// A refusal of the brain as HTTP has it.
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
