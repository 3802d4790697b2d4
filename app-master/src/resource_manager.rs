//! Our resource manager as a source of containers: registration, asks and leases by long poll, starts
//! at the agents, the end.
//!
//! Invariants:
//! - A request says all that there is; the answer to any but the newest request is ignored.
//! - News goes out at once, beside a request that is held back.
//! - While the resource manager does not answer, the job continues. After its restart it is sent everything again.

mod allocation;
mod starting;

use crate::{
    error::{Error, Result},
    leases::{LeaseEvent, Leases},
};
use allocation::Allocation;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{
    Notify,
    mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};
use weir_base::{AttemptId, ContainerId, Resources};
use weir_protocol::cluster::{
    AppMasterFinished, AppMasterRegistered, FinishAppMaster, LaunchContext, Lease,
    RegisterAppMaster, SignedLease,
};
use weir_service::{CallError, Client};

/// For calls that are answered at once.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The app master, the address of the resource manager, and the requests.
#[derive(Clone, Debug)]
pub struct Terms {
    /// `host:port` of the resource manager.
    pub address: String,
    pub attempt: AttemptId,
    /// Its bearer token.
    pub token: String,
    /// Port of the own REST interface.
    pub rest_port: u16,
    /// Size of a container.
    pub resources: Resources,
    /// Its command.
    pub launch: LaunchContext,
}

/// See the module.
pub struct ResourceManager {
    terms: Terms,
    client: Client,
    /// For agents, which get the token of the lease and no other.
    agents: Client,
    state: Mutex<State>,
    news: Notify,
    events: UnboundedSender<LeaseEvent>,
}

#[derive(Default)]
struct State {
    /// `None` until the pool has sent its request since the last registration.
    total: Option<u64>,
    /// Taken note of and not seen complete.
    held: BTreeMap<ContainerId, SignedLease>,
    /// Held containers that were released.
    release: BTreeSet<ContainerId>,
    /// Completed, and the resource manager does not know that we know.
    seen: BTreeSet<ContainerId>,
    /// Every lease so far, for later lookups.
    known: BTreeMap<ContainerId, Lease>,
    /// The ask was refused: it is not repeated.
    is_refused: bool,
}

/// Grows from try to try.
struct Pause(Duration);

impl Pause {
    fn new() -> Self {
        Self(FIRST_PAUSE)
    }

    fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (pause * 2).min(LONGEST_PAUSE);
        pause
    }
}

/// Whether to try again: no server answers, or another program does on the port. Only the resource
/// manager itself can refuse.
fn is_passing(error: &CallError) -> bool {
    match error {
        CallError::Refused { status, .. } => *status >= 500,
        _ => true,
    }
}

impl ResourceManager {
    /// A way to the resource manager, and what it will say.
    pub fn new(terms: Terms) -> (Arc<Self>, UnboundedReceiver<LeaseEvent>) {
        let (events, receiver) = unbounded_channel();
        let manager = Self {
            client: Client::with_bearer(&terms.token),
            agents: Client::new(),
            terms,
            state: Mutex::default(),
            news: Notify::new(),
            events,
        };
        (Arc::new(manager), receiver)
    }

    /// Registers, and exchanges requests with the resource manager until it orders this app master to end.
    pub async fn run(self: Arc<Self>) {
        loop {
            let registered = match self.register().await {
                Ok(registered) => registered,
                Err(error) => return self.tell(LeaseEvent::Shutdown(error.in_full())),
            };
            let earlier_attempt_asked = registered.earlier_attempt_asked;
            self.tell(LeaseEvent::Registered { earlier_attempt_asked });
            let ended = Allocation::new(&self, &registered).run().await;
            if let Some(why) = ended {
                return self.tell(LeaseEvent::Shutdown(why));
            }
            tracing::info!("the resource manager was restarted: registering again");
        }
    }

    /// Registers, however long it takes.
    ///
    /// # Errors
    /// The resource manager does not want this app master.
    pub async fn register(&self) -> Result<AppMasterRegistered> {
        let mut pause = Pause::new();
        loop {
            let request = RegisterAppMaster {
                attempt: self.terms.attempt,
                rest_port: self.terms.rest_port,
                held: self.state().held_leases(),
            };
            let path = "/internal/v1/app-masters/register";
            let called = self.client.call(&self.terms.address, path, &request, ANSWER_TIMEOUT);
            match called.await {
                Ok(registered) => {
                    self.state().total = None;
                    return Ok(registered);
                }
                Err(error) if is_passing(&error) => {
                    tracing::warn!("cannot register: {error}");
                    tokio::time::sleep(pause.next()).await;
                }
                Err(source) => return Err(Error::Refused { source }),
            }
        }
    }

    /// Reports the end of the application until the report is answered.
    pub async fn finish(&self, request: &FinishAppMaster) {
        let mut pause = Pause::new();
        loop {
            let path = "/internal/v1/app-masters/finish";
            let called = self.client.call(&self.terms.address, path, request, ANSWER_TIMEOUT);
            match called.await {
                Ok(AppMasterFinished {}) => return,
                Err(error) if is_passing(&error) => {
                    tracing::warn!("cannot say that the application has ended: {error}");
                    tokio::time::sleep(pause.next()).await;
                }
                Err(error) => {
                    tracing::error!("the resource manager does not want to hear the end: {error}");
                    return;
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, event: LeaseEvent) {
        // No receiver is left when the app master ends.
        let _ = self.events.send(event);
    }
}

impl State {
    fn held_leases(&self) -> Vec<Lease> {
        self.held.values().map(|held| held.lease.clone()).collect()
    }
}

impl Leases for Arc<ResourceManager> {
    fn ask(&self, total: u64) {
        self.state().total = Some(total);
        self.news.notify_one();
    }

    fn start(&self, container: ContainerId) {
        tokio::spawn(Arc::clone(self).start_container(container));
    }

    fn release(&self, container: ContainerId) {
        let mut state = self.state();
        if state.held.contains_key(&container) && state.release.insert(container) {
            self.news.notify_one();
        }
    }

    fn of(&self, container: ContainerId) -> Option<Lease> {
        self.state().known.get(&container).cloned()
    }
}
