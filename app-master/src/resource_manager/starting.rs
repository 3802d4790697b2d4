//! Starts at the agents.

use super::{ANSWER_TIMEOUT, Pause, ResourceManager, is_passing};
use crate::{failures, leases::LeaseEvent};
use std::sync::Arc;
use weir_base::ContainerId;
use weir_protocol::cluster::{ContainerStarted, SignedLease, StartContainer};

impl ResourceManager {
    /// Starts a container. An agent that does not answer is asked again as long as the container is
    /// ours: the resource manager takes it back when that lasts too long. Repeating a start changes
    /// nothing.
    pub(super) async fn start_container(self: Arc<Self>, container: ContainerId) {
        let mut pause = Pause::new();
        while let Some(SignedLease { lease, token, .. }) = self.startable(container) {
            let node = lease.node;
            let request = StartContainer { launch: self.terms.launch.clone() };
            let path = "/internal/v1/containers/start";
            let agent = self.agents.with_lease(&token);
            let called = agent.call(&node.0, path, &request, ANSWER_TIMEOUT);
            match called.await {
                Ok(ContainerStarted { .. }) => {
                    tracing::info!("started {container} on {node}");
                    return;
                }
                Err(error) if is_passing(&error) => {
                    tracing::warn!("cannot start {container} on {node}: {error}");
                    tokio::time::sleep(pause.next()).await;
                }
                Err(error) => {
                    let failure = failures::not_launched(container, Some(&node), &error);
                    return self.tell(LeaseEvent::StartRefused(container, failure));
                }
            }
        }
    }

    fn startable(&self, container: ContainerId) -> Option<SignedLease> {
        let state = self.state();
        let lease = state.held.get(&container)?;
        (!state.release.contains(&container)).then(|| lease.clone())
    }
}
