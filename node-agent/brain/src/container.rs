//! One container: its life cycle and its data.
//!
//! ```text
//!  NEW ──▶ LOCALIZING ──▶ SCHEDULED ──▶ RUNNING ──▶ EXITED ──▶ DONE
//!   │           │             │  │         │  ▲        ▲
//!   │           │             │  └─▶ KILLING ◀┘        │
//!   └───────────┴─────────────┴──────────┴─────────────┘
//! ```
//!
//! Follows YARN's container life cycle, without features that this agent does not have: pause, relaunch and
//! reinitialization of running containers.

use crate::messages::Exit;
use weir_base::{ContainerId, Monotonic, Resources, invariant};
use weir_protocol::cluster::{
    ContainerReport, ContainerState, LaunchContainer, LaunchContext, exit_status,
};

/// State in the life cycle of a container.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LifeCycle {
    /// The container was requested.
    New,
    /// Its files are being fetched.
    Localizing,
    /// Its folder is made and its process started.
    Scheduled,
    /// Its process runs.
    Running,
    /// It is being killed.
    Killing,
    /// None of its processes runs; its end is reported.
    Exited,
    /// It is remembered only so that it does not start again.
    Done,
}

use LifeCycle::{Done, Exited, Killing, Localizing, New, Running, Scheduled};

/// Every legal transition.
const EDGES: &[(LifeCycle, LifeCycle)] = &[
    (New, Localizing),
    (New, Scheduled),
    // Found by a restarted agent.
    (New, Running),
    // Killed before its start, found ended, or one of its files cannot be fetched.
    (New, Exited),
    (Localizing, Scheduled),
    // A file could not be fetched, or it was killed.
    (Localizing, Exited),
    (Scheduled, Running),
    // Killed while its process is being started; the start cannot be cancelled.
    (Scheduled, Killing),
    // It could not be started, or ended before its start was known.
    (Scheduled, Exited),
    (Running, Killing),
    (Running, Exited),
    (Killing, Exited),
    (Exited, Done),
    // The resource manager was restarted, does not know of the end, and orders a kill.
    (Done, Exited),
];

/// Whether a container may go from one state to the other.
pub fn is_legal(from: LifeCycle, to: LifeCycle) -> bool {
    EDGES.contains(&(from, to))
}

impl LifeCycle {
    /// Whether the container runs or will run.
    pub fn is_live(self) -> bool {
        !matches!(self, Exited | Done)
    }

    /// The state as reported to others.
    pub fn reported(self) -> ContainerState {
        match self {
            New | Localizing | Scheduled => ContainerState::Localizing,
            Running => ContainerState::Running,
            Killing => ContainerState::Killing,
            Exited | Done => ContainerState::Complete,
        }
    }
}

/// Whether the container has a process to signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Process {
    /// No process.
    Absent,
    /// The shell is starting it.
    Starting,
    /// The process runs.
    Up,
}

/// An order to end a container.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Kill {
    /// Exit status and reason of the container.
    pub exit: Exit,
    /// Time of the next SIGKILL; `None` until SIGTERM was sent.
    pub deadline: Option<Monotonic>,
}

/// A container as the agent remembers it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Container {
    pub id: ContainerId,
    pub resources: Resources,
    pub state: LifeCycle,
    pub process: Process,
    /// The command to launch; `None` after the launch.
    pub launch: Option<LaunchContext>,
    pub kill: Option<Kill>,
    pub exit: Option<Exit>,
    pub used_bytes: u64,
}

impl Container {
    /// A container that was requested.
    pub fn new(id: ContainerId, resources: Resources) -> Self {
        Self {
            id,
            resources,
            state: New,
            process: Process::Absent,
            launch: None,
            kill: None,
            exit: None,
            used_bytes: 0,
        }
    }

    /// Makes a transition.
    pub fn enter(&mut self, to: LifeCycle) {
        invariant!(is_legal(self.state, to), "{}: {:?} to {to:?}", self.id, self.state);
        self.state = to;
    }

    /// Takes the launch for the shell. May be called once.
    pub fn take_launch(&mut self) -> LaunchContainer {
        let launch = self.launch.take().unwrap_or_default();
        LaunchContainer { container: self.id, resources: self.resources, launch }
    }

    /// How the container ended, given the end of its process. If a kill was ordered before, that counts.
    pub fn verdict(&self, exit: Exit) -> Exit {
        self.kill.as_ref().map_or(exit, |kill| kill.exit.clone())
    }

    /// The current report.
    pub fn report(&self) -> ContainerReport {
        let exit = self.exit.as_ref();
        ContainerReport {
            container: self.id,
            resources: self.resources,
            state: self.state.reported(),
            exit_status: exit.map(|exit| exit.exit_status),
            diagnostics: exit.map(|exit| exit.diagnostics.clone()).unwrap_or_default(),
            used_memory_mib: self.used_bytes.div_ceil(1 << 20),
        }
    }

    /// Asserts the invariants, which hold between any two steps.
    pub fn check(&self) {
        let id = self.id;
        invariant!(self.state != New, "{id} was named and not begun");
        invariant!(self.exit.is_some() != self.state.is_live(), "{id}: exit and life disagree");
        invariant!(
            (self.state == Killing) <= self.kill.is_some(),
            "{id} is being killed without an order"
        );
        let process = match self.state {
            Scheduled => self.process == Process::Starting,
            Running => self.process == Process::Up,
            Killing => self.process != Process::Absent,
            _ => self.process == Process::Absent,
        };
        invariant!(process, "{id}: {:?} with process {:?}", self.state, self.process);
    }
}

/// Reason, as text, of the end of a container that was killed on order.
pub(crate) fn kill_reason(status: i32) -> &'static str {
    match status {
        exit_status::KILLED_BY_APP_MASTER => "killed by its app master",
        exit_status::KILLED_BY_RESOURCE_MANAGER => "killed by the resource manager",
        exit_status::KILLED_AFTER_APPLICATION => {
            "killed because its application, or the attempt it belongs to, has ended"
        }
        exit_status::ABORTED => "released by its app master",
        exit_status::PREEMPTED => "killed to make room for others",
        _ => "killed on order of the resource manager",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_only_advance_except_to_report_an_end_again() {
        for &(from, to) in EDGES {
            let is_reported_again = (from, to) == (Done, Exited);
            assert!(from < to || is_reported_again, "{from:?} to {to:?} leads back");
        }
    }

    #[test]
    #[should_panic(expected = "Exited to Running")]
    fn an_ended_container_does_not_run_again() {
        let mut container = Container::new(ContainerId::default(), Resources::default());
        container.enter(Exited);
        container.enter(Running);
    }
}
