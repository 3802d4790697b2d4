//! Does what the slot pool decides: asks, starts, orders, opens and closes the gate.

use crate::{
    leases::{LeaseEvent, Leases},
    observed::Observed,
    reports::Reports,
    switchboard::Switchboard,
};
use std::{
    pin::Pin,
    sync::{Arc, mpsc},
    time::Duration,
};
use tokio::sync::{mpsc::UnboundedReceiver, oneshot};
use weir_app_master_brain::{SlotEffect, SlotInput, SlotPool};
use weir_base::{ContainerId, Now};
use weir_coordination::job_master::CAUSE_WAIT;
use weir_protocol::control::{HostLaunch, ManagerOrder};
use weir_service::{Handle, Outlet, Shell};

/// Memory of a container that is the task manager's own; its task host gets the rest.
const MANAGER_MEMORY_MIB: u64 = 32;
/// How long the connections of an ended container may deliver their last messages.
const LAST_WORDS: Duration = Duration::from_millis(500);

// The slot pool must report the loss of a task host, if need be without a reason, before the job master stops
// waiting for the cause of the connections lost with it.
const _: () = assert!(weir_app_master_brain::GRACE.as_millis() < CAUSE_WAIT.as_millis());

/// The shell of the slot pool.
pub struct Director {
    /// Where containers come from.
    pub leases: Arc<dyn Leases>,
    /// The connected peers.
    pub switchboard: Arc<Switchboard>,
    /// The part that reports lost tasks to the job master.
    pub reports: Arc<Reports>,
    /// The observer of the job.
    pub observed: Observed,
    /// A task host, but for its number and its memory.
    pub launch: HostLaunch,
    /// Dropped with the director, so that waiting callers learn that no decision will come.
    #[expect(dead_code, reason = "what counts is when it is dropped")]
    pub alive: oneshot::Sender<()>,
}

impl Director {
    fn start_host(&self, container: ContainerId, host: u32) {
        let memory_mib = self.leases.of(container).map_or(0, |lease| lease.resources.memory_mib);
        let launch = HostLaunch {
            host,
            memory_limit_mib: memory_mib.saturating_sub(MANAGER_MEMORY_MIB).max(1),
            ..self.launch.clone()
        };
        self.switchboard.expect_host((container, host));
        self.switchboard.tell_manager(container, ManagerOrder::StartHost(Box::new(launch)));
    }

    fn open(&self, placement: Vec<(ContainerId, u32)>) {
        tracing::info!("every slot has a task host: {} slots", placement.len());
        let containers = placement.iter().map(|(container, _)| *container);
        self.observed.placed((0u32..).zip(containers).collect());
        self.switchboard.open(placement);
    }
}

impl Shell for Director {
    type Brain = SlotPool;
    type Reply = ();
    type Snapshot = ();

    fn perform(&mut self, _: Now, effect: SlotEffect, _: &mut Outlet<Self>) {
        match effect {
            SlotEffect::Ask { total } => self.leases.ask(total),
            SlotEffect::StartContainer { container } => {
                self.switchboard.expect_manager(container);
                self.leases.start(container);
            }
            SlotEffect::ReleaseContainer { container } => {
                self.switchboard.drop_container(container);
                release_later(Arc::clone(&self.leases), container);
            }
            SlotEffect::StartHost { container, host } => self.start_host(container, host),
            SlotEffect::StopHost { container, host } => {
                self.switchboard.drop_host((container, host));
                self.switchboard.tell_manager(container, ManagerOrder::StopHost { host });
            }
            SlotEffect::StopManager { container } => {
                self.switchboard.tell_manager(container, ManagerOrder::Shutdown);
            }
            SlotEffect::Open { placement } => self.open(placement),
            SlotEffect::Close => self.switchboard.close(),
            SlotEffect::WaitsFor { what } => self.observed.waits_for(what),
            SlotEffect::TasksLost { container, host, failure } => {
                self.switchboard.drop_host((container, host));
                self.reports.host_lost((container, host), failure);
            }
            SlotEffect::Fail { failure, container } => {
                tracing::error!("{} [{}]", failure.message, failure.code);
                self.reports.doomed(failure, container);
            }
        }
    }

    fn snapshot(&self, _: &SlotPool, _: Now) {}
}

/// Work that waits for the registration, and work that waits until the job has begun.
pub struct Beginning {
    /// Gets the answer of the registration: has an earlier attempt asked for containers? The log is read
    /// then.
    pub earlier_attempt_asked: mpsc::Sender<bool>,
    /// Comes when the job is this attempt's: containers are asked for then.
    pub has_begun: Pin<Box<dyn Future<Output = ()>>>,
}

/// Tells the pool what the resource manager says, until that wants this app master to end; returns why.
pub async fn follow(
    events: &mut UnboundedReceiver<LeaseEvent>,
    beginning: Beginning,
    pool: Handle<Director>,
    switchboard: Arc<Switchboard>,
) -> String {
    let Beginning { earlier_attempt_asked, mut has_begun } = beginning;
    let mut is_registered = false;
    let mut job_has_begun = false;
    loop {
        let event = tokio::select! {
            event = events.recv() => event,
            () = &mut has_begun, if !job_has_begun => {
                job_has_begun = true;
                if is_registered {
                    pool.tell(SlotInput::Registered);
                }
                continue;
            }
        };
        let Some(event) = event else { break };
        tracing::info!("{event}");
        let input = match event {
            LeaseEvent::Registered { earlier_attempt_asked: asked } => {
                is_registered = true;
                // Only the first answer is waited for.
                let _ = earlier_attempt_asked.send(asked);
                if !job_has_begun {
                    continue;
                }
                SlotInput::Registered
            }
            LeaseEvent::Leased(container) => SlotInput::Leased { container },
            LeaseEvent::Completed(container, failure) => {
                drop_later(Arc::clone(&switchboard), container);
                SlotInput::Completed { container, failure }
            }
            LeaseEvent::StartRefused(container, failure) => {
                SlotInput::StartRefused { container, failure }
            }
            LeaseEvent::AskWaits(reason) => SlotInput::AskWaits { reason },
            LeaseEvent::AskRefused(failure) => SlotInput::AskRefused { failure },
            LeaseEvent::Shutdown(why) => return why,
        };
        pool.tell(input);
    }
    "the connection to the resource manager has ended".to_owned()
}

/// The resource manager says at once that a container was given back. How it has ended, if it has, comes
/// from its agent a moment later, and is what people need to know.
fn release_later(leases: Arc<dyn Leases>, container: ContainerId) {
    tokio::spawn(async move {
        tokio::time::sleep(LAST_WORDS).await;
        // A container that has ended is not released.
        leases.release(container);
    });
}

/// A container that has ended for the resource manager may still run on a node that was lost: its
/// connections are closed.
fn drop_later(switchboard: Arc<Switchboard>, container: ContainerId) {
    tokio::spawn(async move {
        tokio::time::sleep(LAST_WORDS).await;
        switchboard.drop_container(container);
    });
}
