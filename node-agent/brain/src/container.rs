//! One container: its life cycle and what is remembered of it.
//!
//! ```text
//!  NEW ──▶ LOCALIZING ──▶ SCHEDULED ──▶ RUNNING ──▶ EXITED ──▶ DONE
//!   │           │             │  │         │  ▲        ▲
//!   │           │             │  └─▶ KILLING ◀┘        │
//!   └───────────┴─────────────┴──────────┴─────────────┘
//! ```
//!
//! After YARN's container life cycle, without what this agent does not do: pausing, relaunching and
//! new contexts for running containers.

use crate::messages::Exit;
use weir_base::{ContainerId, Monotonic, Resources, invariant};
use weir_protocol::cluster::{
    ContainerReport, ContainerState, LaunchContainer, LaunchContext, exit_status,
};

/// Where a container is in its life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LifeCycle {
    /// It was named, nothing more.
    New,
    /// Its files are fetched.
    Localizing,
    /// Its folder is made and its process started.
    Scheduled,
    /// Its process runs.
    Running,
    /// It is being killed.
    Killing,
    /// Nothing of it runs; it is reported.
    Exited,
    /// It is remembered only so that it does not start again.
    Done,
}

use LifeCycle::{Done, Exited, Killing, Localizing, New, Running, Scheduled};

/// Every legal edge.
const EDGES: &[(LifeCycle, LifeCycle)] = &[
    (New, Localizing),
    (New, Scheduled),
    // Found by a restarted agent.
    (New, Running),
    // Killed before its start, found ended, or one of its files cannot be fetched.
    (New, Exited),
    (Localizing, Scheduled),
    // A file could not be had, or it was killed.
    (Localizing, Exited),
    (Scheduled, Running),
    // Killed while its process is being started, which cannot be called back.
    (Scheduled, Killing),
    // It could not be started, or ended before its start was known.
    (Scheduled, Exited),
    (Running, Killing),
    (Running, Exited),
    (Killing, Exited),
    (Exited, Done),
    // The resource manager orders it killed: it was restarted and does not know of its end.
    (Done, Exited),
];

/// Whether a container may go from one state to the other.
pub fn is_legal(from: LifeCycle, to: LifeCycle) -> bool {
    EDGES.contains(&(from, to))
}

impl LifeCycle {
    /// Whether something of the container runs or will.
    pub fn is_live(self) -> bool {
        !matches!(self, Exited | Done)
    }

    /// The state as it is told to others.
    pub fn reported(self) -> ContainerState {
        match self {
            New | Localizing | Scheduled => ContainerState::Localizing,
            Running => ContainerState::Running,
            Killing => ContainerState::Killing,
            Exited | Done => ContainerState::Complete,
        }
    }
}

/// Whether there is a process to signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Process {
    /// There is none.
    Absent,
    /// The shell is starting it.
    Starting,
    /// It runs.
    Up,
}

/// An order to end a container.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Kill {
    /// What it ends with, and why.
    pub exit: Exit,
    /// When it gets SIGKILL (again); `None` until it has had SIGTERM.
    pub deadline: Option<Monotonic>,
}

/// A container as the agent remembers it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Container {
    pub id: ContainerId,
    pub resources: Resources,
    pub state: LifeCycle,
    pub process: Process,
    /// What to run, until it is launched.
    pub launch: Option<LaunchContext>,
    pub kill: Option<Kill>,
    pub exit: Option<Exit>,
    pub used_bytes: u64,
}

impl Container {
    /// A container that was named.
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

    /// Goes on to another state.
    pub fn enter(&mut self, to: LifeCycle) {
        invariant!(is_legal(self.state, to), "{}: {:?} to {to:?}", self.id, self.state);
        self.state = to;
    }

    /// What to hand to the shell; once.
    pub fn take_launch(&mut self) -> LaunchContainer {
        let launch = self.launch.take().unwrap_or_default();
        LaunchContainer { container: self.id, resources: self.resources, launch }
    }

    /// How it ended, given how its process did: a kill that was ordered before counts.
    pub fn verdict(&self, exit: Exit) -> Exit {
        self.kill.as_ref().map_or(exit, |kill| kill.exit.clone())
    }

    /// How it stands.
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

    /// What must hold between any two steps.
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

/// What people read of a container that was killed on order.
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
