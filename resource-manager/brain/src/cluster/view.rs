//! An immutable snapshot of the cluster for REST and the web page. Wall times are in milliseconds since 1970.

use super::{Cluster, host_of};
use crate::{
    application::{Application, ApplicationLife},
    attempt::{Attempt, AttemptLife},
    container::{Container, ContainerLife},
    messages::ApplicationSpec,
    node::Node,
    planner::Planner,
};
use std::collections::BTreeSet;
use weir_base::{ApplicationId, AttemptId, ContainerId, NodeId, Now, Resources};
use weir_protocol::cluster::FinalStatus;
use weir_protocol::rest::yarn::{ApplicationState, NodeState};

/// A snapshot of the cluster.
#[derive(Clone, PartialEq, Debug)]
pub struct ClusterView {
    /// Number of earlier starts of the resource manager.
    pub epoch: u32,
    /// Part of every id.
    pub cluster_timestamp: u64,
    /// Start time of this resource manager.
    pub started_wall_ms: u64,
    pub metrics: ClusterMetrics,
    /// Sorted by id.
    pub nodes: Vec<NodeView>,
    /// Sorted by id.
    pub applications: Vec<ApplicationView>,
}

/// YARN's cluster metrics, as far as Weir has them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ClusterMetrics {
    /// Applications that were restored at the start of this resource manager or accepted since then.
    pub apps_submitted: u64,
    /// Ended by their app master.
    pub apps_completed: u64,
    /// Without a running app master yet.
    pub apps_pending: u64,
    /// With a running app master.
    pub apps_running: u64,
    /// Ended by failures.
    pub apps_failed: u64,
    /// Ended by clients.
    pub apps_killed: u64,
    /// Resources of all active nodes.
    pub total: Resources,
    /// Leased resources.
    pub allocated: Resources,
    /// Resources that are free for new leases.
    pub available: Resources,
    pub containers_allocated: u64,
    /// Containers that are missing.
    pub containers_pending: u64,
    /// Nodes of all states.
    pub total_nodes: u64,
    /// Nodes that take containers.
    pub active_nodes: u64,
    /// Nodes that send heartbeats but take no containers.
    pub unhealthy_nodes: u64,
    /// Nodes that expired.
    pub lost_nodes: u64,
    /// Nodes that have left.
    pub shutdown_nodes: u64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeView {
    /// The id, which is the address of its agent.
    pub node: NodeId,
    pub state: NodeState,
    pub total: Resources,
    /// Leased resources.
    pub used: Resources,
    /// Resources that are free for new leases.
    pub available: Resources,
    /// Leases on the node.
    pub containers: Vec<ContainerId>,
    /// Time of its last message.
    pub last_contact_wall_ms: u64,
    /// Version of its agent.
    pub weir_version: String,
    /// Why it takes no containers; empty if it is healthy.
    pub health_report: String,
    /// Used memory of the node in MiB, as its agent reports it.
    pub used_memory_mib: u64,
    /// Memory of the processes in its containers in MiB, as its agent reports it.
    pub containers_used_memory_mib: u64,
}

#[derive(Clone, PartialEq, Debug)]
pub struct ApplicationView {
    pub application: ApplicationId,
    pub submission: ApplicationSpec,
    pub state: ApplicationLife,
    /// The state as YARN shows it.
    pub yarn_state: ApplicationState,
    pub final_status: FinalStatus,
    /// Why it waits, or why it ended.
    pub diagnostics: String,
    /// 0 to 1.
    pub progress: f32,
    pub submitted_wall_ms: u64,
    /// When the container of its current or last app master was leased.
    pub launched_wall_ms: Option<u64>,
    /// The time of its app master's final report if there is one, else of its end.
    pub ended_wall_ms: Option<u64>,
    /// Resources leased now.
    pub allocated: Resources,
    /// Number of leases now.
    pub running_containers: u64,
    /// Memory multiplied by time, in MiB seconds.
    pub memory_mib_seconds: u64,
    /// Virtual cores multiplied by time, in seconds.
    pub vcore_seconds: u64,
    /// Asks that wait.
    pub pending: Vec<PendingView>,
    /// Oldest first.
    pub attempts: Vec<AttemptView>,
}

impl ApplicationView {
    /// The current attempt, or the last one.
    pub fn last_attempt(&self) -> Option<&AttemptView> {
        self.attempts.last()
    }
}

/// An ask that waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PendingView {
    /// The id of the ask; `None` for the container of an app master.
    pub ask: Option<u32>,
    pub priority: u32,
    /// Size of each container.
    pub resources: Resources,
    /// Number of missing containers.
    pub missing: u64,
    /// For display.
    pub reason: String,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AttemptView {
    pub attempt: AttemptId,
    pub state: AttemptLife,
    /// The status that its app master reported, or `Failed`, or `Killed`; `Undefined` before the end.
    pub final_status: FinalStatus,
    /// When the container of its app master was leased, 0 before.
    pub started_wall_ms: u64,
    pub ended_wall_ms: Option<u64>,
    /// The container of its app master.
    pub container: Option<ContainerId>,
    /// The node of its app master.
    pub node: Option<NodeId>,
    /// `host:port` of its app master's REST interface, from the registration to the end of the attempt.
    pub rest_address: Option<String>,
    /// Exit status of its app master's container.
    pub exit_status: Option<i32>,
    /// Why it ended.
    pub diagnostics: String,
    /// The active containers, and the ones that ended last.
    pub containers: Vec<ContainerView>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContainerView {
    pub container: ContainerId,
    pub node: NodeId,
    pub resources: Resources,
    /// Lower numbers first.
    pub priority: u32,
    pub state: ContainerLife,
    pub allocated_wall_ms: u64,
    /// Time of the first report that its process runs.
    pub started_wall_ms: Option<u64>,
    pub ended_wall_ms: Option<u64>,
    pub exit_status: Option<i32>,
    /// Why it ended.
    pub diagnostics: String,
    /// Memory of its processes in MiB, according to the last report of its node.
    pub used_memory_mib: u64,
}

impl Cluster {
    pub(crate) fn node_views(&self) -> Vec<NodeView> {
        self.nodes.values().map(|node| self.node_view(node)).collect()
    }

    pub(crate) fn application_views(&self, now: Now, planner: &Planner) -> Vec<ApplicationView> {
        let view = |application| self.application_view(now, application, planner);
        self.applications.values().map(view).collect()
    }

    pub(crate) fn known_to(&self, id: AttemptId) -> Option<BTreeSet<ContainerId>> {
        let attempt =
            self.applications.working_attempt(id).filter(|attempt| attempt.synchronised)?;
        let leases = attempt.containers.iter().chain(self.leases.awaited_of(id));
        let ended = attempt.completed.keys().chain(attempt.withdrawn.keys());
        Some(leases.chain(ended).copied().collect())
    }

    pub(crate) fn metrics(&self) -> ClusterMetrics {
        let mut metrics = ClusterMetrics {
            apps_submitted: self.applications.submitted_count(),
            containers_allocated: self.leases.count() as u64,
            total_nodes: self.nodes.values().count() as u64,
            available: self.nodes.headroom(),
            ..ClusterMetrics::default()
        };
        for application in self.applications.values() {
            *match application.shown {
                ApplicationState::Finished => &mut metrics.apps_completed,
                ApplicationState::Failed => &mut metrics.apps_failed,
                ApplicationState::Killed => &mut metrics.apps_killed,
                ApplicationState::Running => &mut metrics.apps_running,
                _ => &mut metrics.apps_pending,
            } += 1;
            let missing = self.demands(application).into_iter().map(|demand| demand.missing);
            metrics.containers_pending =
                missing.fold(metrics.containers_pending, u64::saturating_add);
        }
        for node in self.nodes.values() {
            *match node.state {
                NodeState::Running => &mut metrics.active_nodes,
                NodeState::Unhealthy => &mut metrics.unhealthy_nodes,
                NodeState::Lost => &mut metrics.lost_nodes,
                NodeState::Shutdown => &mut metrics.shutdown_nodes,
                // States of YARN that Weir does not use.
                NodeState::New
                | NodeState::Decommissioning
                | NodeState::Decommissioned
                | NodeState::Rebooted => continue,
            } += 1;
            metrics.allocated = metrics.allocated.saturating_add(node.leased);
            if node.state.is_active() {
                metrics.total = metrics.total.saturating_add(node.total);
            }
        }
        metrics
    }

    fn application_view(
        &self,
        now: Now,
        application: &Application,
        planner: &Planner,
    ) -> ApplicationView {
        let id = application.id();
        let usage = self.usage_of(now.monotonic, application);
        let leases = || self.leases_of(application);
        let attempts = &application.attempts;
        let launched = attempts.last().map(|last| last.started_wall_ms).filter(|at| *at > 0);
        let final_status = match (&application.end, &application.finish) {
            (Some(end), _) => end.final_status,
            (None, Some(finish)) => finish.final_status,
            (None, None) => FinalStatus::Undefined,
        };
        ApplicationView {
            application: id,
            submission: application.submission.clone(),
            state: application.state,
            yarn_state: application.shown,
            final_status,
            diagnostics: Self::diagnostics(application, planner),
            progress: match application.end {
                Some(_) => 1.0,
                None => application.current().map_or(0.0, |attempt| attempt.progress),
            },
            submitted_wall_ms: application.submitted_wall_ms,
            launched_wall_ms: launched,
            ended_wall_ms: application.ended_wall_ms(),
            allocated: leases()
                .fold(Resources::default(), |sum, one| sum.saturating_add(one.resources)),
            running_containers: leases().count() as u64,
            memory_mib_seconds: usage.memory_mib_seconds(),
            vcore_seconds: usage.vcore_seconds(),
            pending: self.pending(application, planner),
            attempts: attempts
                .iter()
                .map(|attempt| self.attempt_view(attempt, attempt_verdict(attempt, application)))
                .collect(),
        }
    }

    /// Why an application ended, or why its app master does not run yet.
    fn diagnostics(application: &Application, planner: &Planner) -> String {
        if let Some(end) = &application.end {
            return end.diagnostics.clone();
        }
        if let Some(finish) = &application.finish {
            return finish.diagnostics.clone();
        }
        let Some(attempt) = application.current() else { return String::new() };
        let waits = match attempt.state {
            AttemptLife::New => "waits before its next attempt".to_owned(),
            AttemptLife::Scheduled => {
                format!("its app master {}", planner.describe(attempt.master_reason.as_ref()))
            }
            AttemptLife::AllocatedSaving | AttemptLife::Allocated => {
                "its app master is being launched".to_owned()
            }
            AttemptLife::Launched => "its app master has not registered yet".to_owned(),
            _ => String::new(),
        };
        let before = application.attempts.iter().rev().nth(1).map(|last| &last.diagnostics);
        match before {
            Some(failure) if !waits.is_empty() => format!("{waits}; before that: {failure}"),
            _ => waits,
        }
    }

    fn node_view(&self, node: &Node) -> NodeView {
        let live = self.leases_on(node);
        node_view(node, live.map(|container| container.used_memory_mib).sum())
    }

    fn pending(&self, application: &Application, planner: &Planner) -> Vec<PendingView> {
        let Some(attempt) = application.current() else { return Vec::new() };
        let view = |demand: crate::scheduler::Demand| {
            let (ask, reason) = match demand.key {
                crate::scheduler::DemandKey::AppMaster => (None, attempt.master_reason.as_ref()),
                crate::scheduler::DemandKey::Ask(id) => {
                    (Some(id), attempt.asks.get(&id).and_then(|ask| ask.reason.as_ref()))
                }
            };
            PendingView {
                ask,
                priority: demand.priority,
                resources: demand.resources,
                missing: demand.missing,
                reason: planner.describe(reason),
            }
        };
        self.demands(application).into_iter().map(view).collect()
    }

    fn attempt_view(&self, attempt: &Attempt, verdict: (FinalStatus, String)) -> AttemptView {
        let (final_status, diagnostics) = verdict;
        let node = attempt.master.as_ref().map(|master| master.node.clone());
        let address = |node: &NodeId, port: u16| format!("{}:{port}", host_of(node));
        let is_there = attempt.registered && !attempt.state.is_terminal();
        let ended = attempt.ended.iter().map(|ended| ContainerView {
            ended_wall_ms: Some(ended.ended_wall_ms),
            exit_status: Some(ended.exit_status),
            diagnostics: ended.diagnostics.clone(),
            ..container_view(&ended.container)
        });
        let live = attempt.containers.iter().filter_map(|id| self.leases.get(id));
        AttemptView {
            attempt: attempt.id,
            state: attempt.state,
            final_status,
            started_wall_ms: attempt.started_wall_ms,
            ended_wall_ms: attempt.ended_wall_ms,
            container: attempt.master.as_ref().map(|master| master.container),
            rest_address: node
                .as_ref()
                .zip(attempt.rest_port)
                .filter(|_| is_there)
                .map(|(node, port)| address(node, port)),
            node,
            exit_status: attempt.exit_status,
            diagnostics,
            containers: ended.chain(live.map(container_view)).collect(),
        }
    }
}

fn node_view(node: &Node, containers_used_memory_mib: u64) -> NodeView {
    NodeView {
        node: node.id.clone(),
        state: node.state,
        total: node.total,
        used: node.leased,
        available: if node.is_open() { node.free() } else { Resources::default() },
        containers: node.containers.iter().copied().collect(),
        last_contact_wall_ms: node.last_contact_wall_ms,
        weir_version: node.weir_version.clone(),
        health_report: node.unhealthy.clone().unwrap_or_default(),
        used_memory_mib: node.used_memory_mib,
        containers_used_memory_mib,
    }
}

/// How an attempt ended, and why. An attempt whose app master has reported an end is the last one, and its
/// end is that of the application.
fn attempt_verdict(attempt: &Attempt, application: &Application) -> (FinalStatus, String) {
    let final_status = match attempt.state {
        AttemptLife::FinishSaving | AttemptLife::Finishing | AttemptLife::Finished => {
            let finish = application.finish.as_ref();
            return finish.map_or_else(Default::default, |finish| {
                (finish.final_status, finish.diagnostics.clone())
            });
        }
        AttemptLife::Failed => FinalStatus::Failed,
        AttemptLife::Killed => FinalStatus::Killed,
        _ => FinalStatus::Undefined,
    };
    (final_status, attempt.diagnostics.clone())
}

fn container_view(container: &Container) -> ContainerView {
    ContainerView {
        container: container.id,
        node: container.node.clone(),
        resources: container.resources,
        priority: container.priority,
        state: container.life,
        allocated_wall_ms: container.allocated_wall_ms,
        started_wall_ms: container.started_wall_ms,
        ended_wall_ms: None,
        exit_status: None,
        diagnostics: container.stop.as_ref().map_or(String::new(), |stop| stop.diagnostics.clone()),
        used_memory_mib: container.used_memory_mib,
    }
}
