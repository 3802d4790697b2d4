//! The brain's messages and those that travel: the same fields under two roofs, since a brain knows no
//! protocol.

use weir_node_agent_brain as brain;
use weir_protocol::cluster as wire;

pub(crate) fn report_out(report: brain::ContainerReport) -> wire::ContainerReport {
    wire::ContainerReport {
        container: report.container,
        resources: report.resources,
        state: match report.state {
            brain::ContainerState::Localizing => wire::ContainerState::Localizing,
            brain::ContainerState::Running => wire::ContainerState::Running,
            brain::ContainerState::Killing => wire::ContainerState::Killing,
            brain::ContainerState::Complete => wire::ContainerState::Complete,
        },
        exit_status: report.exit_status,
        diagnostics: report.diagnostics,
        used_memory_mib: report.used_memory_mib,
    }
}

pub(crate) fn register_out(register: brain::RegisterNode) -> wire::RegisterNode {
    wire::RegisterNode {
        node: register.node,
        total: register.total,
        weir_version: register.weir_version,
        incarnation: register.incarnation,
        containers: register.containers.into_iter().map(report_out).collect(),
    }
}

pub(crate) fn registered_in(answer: wire::NodeRegistered) -> brain::NodeRegistered {
    brain::NodeRegistered {
        weir_version: answer.weir_version,
        epoch: answer.epoch,
        cluster_timestamp: answer.cluster_timestamp,
        heartbeat_interval_ms: answer.heartbeat_interval_ms,
        expiry_ms: answer.expiry_ms,
    }
}

pub(crate) fn heartbeat_out(heartbeat: brain::NodeHeartbeat) -> wire::NodeHeartbeat {
    wire::NodeHeartbeat {
        node: heartbeat.node,
        incarnation: heartbeat.incarnation,
        sequence: heartbeat.sequence,
        hold_ms: heartbeat.hold_ms,
        containers: heartbeat.containers.into_iter().map(report_out).collect(),
        unhealthy: heartbeat.unhealthy,
        used_memory_mib: heartbeat.used_memory_mib,
    }
}

pub(crate) fn orders_in(orders: wire::NodeOrders) -> brain::NodeOrders {
    brain::NodeOrders {
        sequence: orders.sequence,
        action: match orders.action {
            wire::NodeAction::Normal => brain::NodeAction::Normal,
            wire::NodeAction::Resync => brain::NodeAction::Resync,
            wire::NodeAction::Shutdown => brain::NodeAction::Shutdown,
        },
        launch: orders.launch.into_iter().map(launch_in).collect(),
        kill: orders.kill,
        forget: orders.forget,
        ended: orders.ended,
    }
}

fn launch_in(launch: wire::LaunchContainer) -> brain::LaunchContainer {
    brain::LaunchContainer {
        container: launch.container,
        resources: launch.resources,
        launch: context_in(launch.launch),
    }
}

pub(crate) fn context_in(context: wire::LaunchContext) -> brain::LaunchContext {
    let artifact = |artifact: wire::ArtifactUse| brain::ArtifactUse {
        name: artifact.name,
        hash: artifact.hash,
        size_bytes: artifact.size_bytes,
        executable: artifact.executable,
    };
    brain::LaunchContext {
        command: context.command,
        environment: context.environment,
        artifacts: context.artifacts.into_iter().map(artifact).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_roofs_have_the_same_exit_statuses() {
        use brain::exit_status as ours;
        use wire::exit_status as theirs;
        assert_eq!(ours::INVALID, theirs::INVALID);
        assert_eq!(ours::DISKS_FAILED, theirs::DISKS_FAILED);
        assert_eq!(ours::KILLED_EXCEEDING_MEMORY, theirs::KILLED_EXCEEDING_MEMORY);
        assert_eq!(ours::KILLED_BY_APP_MASTER, theirs::KILLED_BY_APP_MASTER);
        assert_eq!(ours::KILLED_BY_RESOURCE_MANAGER, theirs::KILLED_BY_RESOURCE_MANAGER);
        assert_eq!(ours::KILLED_AFTER_APPLICATION, theirs::KILLED_AFTER_APPLICATION);
    }
}
