//! Events and effects of the slot pool.

use std::time::Duration;
use weir_base::{ContainerId, Failure};

/// Resources that a job needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SlotSettings {
    /// Slots of the job: the largest parallelism of its vertices.
    pub slots: u32,
    /// Slots of one task manager, at least 1.
    pub slots_per_manager: u32,
    /// How long the job may be without all its slots before it fails (`slot.request.timeout`).
    pub request_timeout: Duration,
}

/// An event of the slot pool.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SlotInput {
    /// The resource manager knows the app master, at first or again after it was restarted: asks
    /// are reset.
    Registered,
    /// Why the ask is not placed yet, in the resource manager's words; empty when nothing waits.
    AskWaits {
        /// Why.
        reason: String,
    },
    /// The ask can never be placed.
    AskRefused {
        /// Why.
        failure: Failure,
    },
    /// A container is ours.
    Leased { container: ContainerId },
    /// A container has ended.
    Completed { container: ContainerId, failure: Failure },
    /// The agent will not start a container.
    StartRefused {
        container: ContainerId,
        /// Why.
        failure: Failure,
    },
    /// The task manager of a container has introduced itself.
    ManagerConnected { container: ContainerId },
    /// The connection of a task manager has ended.
    ManagerLost {
        container: ContainerId,
        /// The known cause.
        failure: Failure,
    },
    /// A task host has introduced itself, with the right graph.
    HostReady { container: ContainerId, host: u32 },
    /// The connection of a task host has ended. Why the host has, others know better.
    HostDisconnected {
        container: ContainerId,
        host: u32,
        /// The known cause.
        failure: Failure,
    },
    /// A task host has ended, could not be started, or is of no use. A failure that is permanent
    /// fails the job.
    HostEnded {
        container: ContainerId,
        host: u32,
        /// How, or why not.
        failure: Failure,
    },
    /// The job has ended: nothing is needed any more.
    JobEnded,
}

/// An effect that the shell has to carry out, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SlotEffect {
    /// Ask for containers: the total number since the registration.
    Ask {
        /// All that were ever asked for.
        total: u64,
    },
    /// Start the task manager of a leased container, however many tries it takes.
    StartContainer { container: ContainerId },
    /// Give a container back, and drop its connections.
    ReleaseContainer { container: ContainerId },
    /// Tell a task manager to start a task host.
    StartHost {
        container: ContainerId,
        /// The number of the new host.
        host: u32,
    },
    /// Tell a task manager to end a task host.
    StopHost { container: ContainerId, host: u32 },
    /// Tell a task manager to end its hosts and itself.
    StopManager { container: ContainerId },
    /// Every slot has a ready host: publish this placement, then release the deployments that wait
    /// and let the following ones pass.
    Open {
        /// By slot: container and number of its host.
        placement: Vec<(ContainerId, u32)>,
    },
    /// A slot has lost its host: hold deployments back from now on.
    Close,
    /// The reason why deployments wait has changed.
    WaitsFor {
        /// Missing resources, as text for the user: `for 2 of 3 containers: …`; `None` when nothing is missing.
        what: Option<String>,
    },
    /// Whatever was deployed to this host is lost.
    TasksLost {
        container: ContainerId,
        host: u32,
        /// Why.
        failure: Failure,
    },
    /// The job will not get what it needs: every deployment fails with this, which is permanent.
    Fail {
        /// Why.
        failure: Failure,
        /// The container whose log may tell more.
        container: Option<ContainerId>,
    },
}
