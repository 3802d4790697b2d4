//! Between the two brains: what the protocol carries in a real cluster.

use weir_node_agent_brain as agent;
use weir_resource_manager_brain as manager;

/// A container as its agent reports it, for the resource manager.
pub(crate) fn report(report: agent::ContainerReport) -> manager::ContainerReport {
    manager::ContainerReport {
        container: report.container,
        resources: report.resources,
        state: match report.state {
            agent::ContainerState::Localizing => manager::ContainerState::Localizing,
            agent::ContainerState::Running => manager::ContainerState::Running,
            agent::ContainerState::Killing => manager::ContainerState::Killing,
            agent::ContainerState::Complete => manager::ContainerState::Complete,
        },
        exit_status: report.exit_status,
        diagnostics: report.diagnostics,
        used_memory_mib: report.used_memory_mib,
    }
}

/// A registration.
pub(crate) fn register(register: agent::RegisterNode) -> manager::RegisterNode {
    manager::RegisterNode {
        node: register.node,
        total: register.total,
        weir_version: register.weir_version,
        incarnation: register.incarnation,
        containers: register.containers.into_iter().map(report).collect(),
    }
}

/// A heartbeat.
pub(crate) fn heartbeat(heartbeat: agent::NodeHeartbeat) -> manager::NodeHeartbeat {
    manager::NodeHeartbeat {
        node: heartbeat.node,
        incarnation: heartbeat.incarnation,
        sequence: heartbeat.sequence,
        hold_ms: heartbeat.hold_ms,
        containers: heartbeat.containers.into_iter().map(report).collect(),
        unhealthy: heartbeat.unhealthy,
        used_memory_mib: heartbeat.used_memory_mib,
    }
}

/// The answer to a registration.
pub(crate) fn registered(answer: manager::NodeRegistered) -> agent::NodeRegistered {
    agent::NodeRegistered {
        weir_version: answer.weir_version,
        epoch: answer.epoch,
        cluster_timestamp: answer.cluster_timestamp,
        heartbeat_interval_ms: answer.heartbeat_interval_ms,
        expiry_ms: answer.expiry_ms,
    }
}

/// The answer to a heartbeat.
pub(crate) fn orders(orders: manager::NodeOrders) -> agent::NodeOrders {
    agent::NodeOrders {
        sequence: orders.sequence,
        action: match orders.action {
            manager::NodeAction::Normal => agent::NodeAction::Normal,
            manager::NodeAction::Resync => agent::NodeAction::Resync,
            manager::NodeAction::Shutdown => agent::NodeAction::Shutdown,
        },
        launch: orders.launch.into_iter().map(launch).collect(),
        kill: orders.kill,
        forget: orders.forget,
        ended: orders.ended,
    }
}

fn launch(launch: manager::LaunchContainer) -> agent::LaunchContainer {
    agent::LaunchContainer {
        container: launch.container,
        resources: launch.resources,
        launch: context(launch.launch),
    }
}

/// What to run.
pub(crate) fn context(context: manager::LaunchContext) -> agent::LaunchContext {
    let artifact = |artifact: manager::ArtifactUse| agent::ArtifactUse {
        name: artifact.name,
        hash: artifact.hash,
        size_bytes: artifact.size_bytes,
        executable: artifact.executable,
    };
    agent::LaunchContext {
        command: context.command,
        environment: context.environment,
        artifacts: context.artifacts.into_iter().map(artifact).collect(),
    }
}
