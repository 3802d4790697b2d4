//! The brain's shell: performs its effects, and publishes snapshots for readers.

use crate::{artifacts::Artifacts, store::StoreThread, view::View};
use actix_web::web;
use std::sync::Arc;
use weir_base::Now;
use weir_resource_manager_brain::{Effect, Error as Refusal, Input, Reply, ResourceManager};
use weir_service::{Handle, Outlet, Shell, Ticket};

/// Performs the effects of the resource manager's brain.
pub struct ResourceManagerShell {
    store: StoreThread,
    artifacts: Arc<Artifacts>,
}

impl ResourceManagerShell {
    pub fn new(store: StoreThread, artifacts: Arc<Artifacts>) -> Self {
        Self { store, artifacts }
    }
}

impl Shell for ResourceManagerShell {
    type Brain = ResourceManager;
    type Reply = Result<Reply, Refusal>;
    type Snapshot = View;

    fn perform(&mut self, _: Now, effect: Effect, outlet: &mut Outlet<Self>) {
        match effect {
            Effect::Reply { ticket, reply } => outlet.reply(Ticket(ticket.0), reply),
            Effect::Persist { token, facts } => {
                let handle = outlet.handle();
                self.store.append(facts, move |written| {
                    handle.tell(match written {
                        Ok(()) => Input::Persisted(token),
                        Err(error) => {
                            let problem = error.report();
                            tracing::error!("[{}] {problem}", error.code());
                            Input::PersistFailed { token, problem }
                        }
                    });
                });
            }
            Effect::ArtifactsUnused(_) => {
                actix_web::rt::spawn(evict(outlet.handle(), Arc::clone(&self.artifacts)));
            }
        }
    }

    fn snapshot(&self, brain: &ResourceManager, now: Now) -> View {
        View::of(brain, now)
    }
}

/// Removes unused files for which the cache has no room.
pub async fn evict(handle: Handle<ResourceManagerShell>, artifacts: Arc<Artifacts>) {
    let view = handle.fresh_snapshot().await;
    // Fails only while the process is shutting down.
    let _ = web::block(move || artifacts.evict(&view.used_artifacts)).await;
}
