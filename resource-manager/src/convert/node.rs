//! Nodes.

use weir_protocol::cluster::{self as wire, variables};
use weir_resource_manager_brain as brain;
use weir_service::Secret;

/// What every app master finds in its environment.
#[derive(Clone, Copy, Debug)]
pub struct AppMasterVariables<'a> {
    /// By which address its node reaches the resource manager.
    pub resource_manager: &'a str,
    /// Where jobs keep checkpoints when they name no folder.
    pub storage_dir: Option<&'a str>,
    /// Makes its token.
    pub secret: &'a Secret,
}

/// To the brain.
pub fn register_node(message: wire::RegisterNode) -> brain::RegisterNode {
    let wire::RegisterNode { node, total, weir_version, incarnation, containers } = message;
    let containers = containers.into_iter().map(report).collect();
    brain::RegisterNode { node, total, weir_version, incarnation, containers }
}

/// From the brain.
pub fn node_registered(message: brain::NodeRegistered) -> wire::NodeRegistered {
    let brain::NodeRegistered {
        weir_version,
        epoch,
        cluster_timestamp,
        heartbeat_interval_ms,
        expiry_ms,
    } = message;
    wire::NodeRegistered {
        weir_version,
        epoch,
        cluster_timestamp,
        heartbeat_interval_ms,
        expiry_ms,
    }
}

/// To the brain.
pub fn heartbeat(message: wire::NodeHeartbeat) -> brain::NodeHeartbeat {
    let wire::NodeHeartbeat {
        node,
        incarnation,
        sequence,
        hold_ms,
        containers,
        unhealthy,
        used_memory_mib,
    } = message;
    let containers = containers.into_iter().map(report).collect();
    brain::NodeHeartbeat {
        node,
        incarnation,
        sequence,
        hold_ms,
        containers,
        unhealthy,
        used_memory_mib,
    }
}

/// From the brain, with the variables of the app masters to launch.
pub fn orders(message: brain::NodeOrders, variables: AppMasterVariables) -> wire::NodeOrders {
    let brain::NodeOrders { sequence, action, launch, kill, forget, ended } = message;
    let action = match action {
        brain::NodeAction::Normal => wire::NodeAction::Normal,
        brain::NodeAction::Resync => wire::NodeAction::Resync,
        brain::NodeAction::Shutdown => wire::NodeAction::Shutdown,
    };
    let launch = launch.into_iter().map(|launch| launch_container(launch, variables)).collect();
    wire::NodeOrders { sequence, action, launch, kill, forget, ended }
}

fn launch_container(
    message: brain::LaunchContainer,
    own: AppMasterVariables,
) -> wire::LaunchContainer {
    let brain::LaunchContainer { container, resources, launch } = message;
    let brain::LaunchContext { command, mut environment, artifacts } = launch;
    let attempt = container.attempt;
    let mut set = |name: &str, value: String| {
        environment.retain(|(other, _)| other != name);
        environment.push((name.to_owned(), value));
    };
    set(variables::RESOURCE_MANAGER, own.resource_manager.to_owned());
    set(variables::APPLICATION_ATTEMPT, attempt.to_string());
    set(variables::APPLICATION_TOKEN, own.secret.application_token(attempt));
    if let Some(storage_dir) = own.storage_dir {
        set(variables::STORAGE_DIR, storage_dir.to_owned());
    }
    let artifacts = artifacts.into_iter().map(artifact).collect();
    let launch = wire::LaunchContext { command, environment, artifacts };
    wire::LaunchContainer { container, resources, launch }
}

fn artifact(artifact: brain::ArtifactUse) -> wire::ArtifactUse {
    let brain::ArtifactUse { name, hash, size_bytes, executable } = artifact;
    wire::ArtifactUse { name, hash, size_bytes, executable }
}

fn report(report: wire::ContainerReport) -> brain::ContainerReport {
    let wire::ContainerReport {
        container,
        resources,
        state,
        exit_status,
        diagnostics,
        used_memory_mib,
    } = report;
    let state = match state {
        wire::ContainerState::Localizing => brain::ContainerState::Localizing,
        wire::ContainerState::Running => brain::ContainerState::Running,
        wire::ContainerState::Killing => brain::ContainerState::Killing,
        wire::ContainerState::Complete => brain::ContainerState::Complete,
    };
    brain::ContainerReport {
        container,
        resources,
        state,
        exit_status,
        diagnostics,
        used_memory_mib,
    }
}

/// From the brain.
pub(super) fn report_back(report: brain::ContainerReport) -> wire::ContainerReport {
    let brain::ContainerReport {
        container,
        resources,
        state,
        exit_status,
        diagnostics,
        used_memory_mib,
    } = report;
    let state = match state {
        brain::ContainerState::Localizing => wire::ContainerState::Localizing,
        brain::ContainerState::Running => wire::ContainerState::Running,
        brain::ContainerState::Killing => wire::ContainerState::Killing,
        brain::ContainerState::Complete => wire::ContainerState::Complete,
    };
    wire::ContainerReport { container, resources, state, exit_status, diagnostics, used_memory_mib }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_base::{ApplicationId, AttemptId, ContainerId, Resources};

    #[test]
    fn app_master_gets_the_variables_of_its_attempt_whatever_was_submitted() {
        let application = ApplicationId { cluster_timestamp: 1, sequence: 1 };
        let attempt = AttemptId { application, number: 2 };
        let token = variables::APPLICATION_TOKEN.to_owned();
        let launch = brain::LaunchContext {
            environment: vec![("A".to_owned(), "a".to_owned()), (token, "forged".to_owned())],
            ..brain::LaunchContext::default()
        };
        let container = ContainerId { attempt, epoch: 0, sequence: 1 };
        let launch = brain::LaunchContainer { container, resources: Resources::default(), launch };
        let secret = Secret::of_hex("ab".repeat(32));
        let own = AppMasterVariables {
            resource_manager: "127.0.0.1:1",
            storage_dir: None,
            secret: &secret,
        };
        let found = launch_container(launch, own).launch.environment;
        let token = secret.application_token(attempt);
        let expected = [
            ("A", "a"),
            (variables::RESOURCE_MANAGER, "127.0.0.1:1"),
            (variables::APPLICATION_ATTEMPT, "appattempt_1_0001_000002"),
            (variables::APPLICATION_TOKEN, &token),
        ];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
