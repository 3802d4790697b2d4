//! One sample of each cluster message, with a value in every field.

use weir_base::{ApplicationId, ArtifactHash, AttemptId, ContainerId, NodeId, Resources};
use weir_protocol::cluster::*;

/// A message, encoded by this release.
pub struct Sample {
    pub name: &'static str,
    pub bytes: Vec<u8>,
    /// Decodes bytes of another release and encodes what this release makes of them.
    pub reencode: fn(&[u8]) -> Result<Vec<u8>, DecodeError>,
}

fn sample<T: Message>(message: T) -> Sample {
    Sample {
        name: T::NAME,
        bytes: encode(&message),
        reencode: |bytes| decode::<T>(bytes).map(|message| encode(&message)),
    }
}

const APPLICATION: ApplicationId =
    ApplicationId { cluster_timestamp: 1_700_000_000_000, sequence: 7 };
const ATTEMPT: AttemptId = AttemptId { application: APPLICATION, number: 2 };
const RESOURCES: Resources = Resources { memory_mib: 1024, vcores: 2 };

fn container(sequence: u64) -> ContainerId {
    ContainerId { attempt: ATTEMPT, epoch: 3, sequence }
}

fn node() -> NodeId {
    NodeId("node-1:8042".to_owned())
}

fn lease() -> Lease {
    Lease { container: container(2), node: node(), resources: RESOURCES }
}

fn reports() -> Vec<ContainerReport> {
    use ContainerState::{Complete, Killing, Localizing, Running};
    let states = [Localizing, Running, Killing, Complete];
    let reports = states.into_iter().zip(1..).map(|(state, sequence)| ContainerReport {
        container: container(sequence),
        resources: RESOURCES,
        state,
        exit_status: (state == Complete).then_some(exit_status::KILLED_EXCEEDING_MEMORY),
        diagnostics: "used 1100 of 1024 MiB".to_owned(),
        used_memory_mib: 512,
    });
    reports.collect()
}

fn launch() -> LaunchContext {
    LaunchContext {
        command: vec!["./weir".to_owned(), "app-master".to_owned()],
        environment: vec![("LANG".to_owned(), "C".to_owned())],
        artifacts: vec![ArtifactUse {
            name: "weir".to_owned(),
            hash: ArtifactHash([0xab; 32]),
            size_bytes: 1 << 20,
            executable: true,
        }],
    }
}

fn orders(action: NodeAction) -> NodeOrders {
    NodeOrders {
        sequence: 5,
        action,
        launch: vec![LaunchContainer {
            container: container(1),
            resources: RESOURCES,
            launch: launch(),
        }],
        kill: vec![KillContainer {
            container: container(2),
            exit_status: exit_status::KILLED_BY_RESOURCE_MANAGER,
        }],
        forget: vec![container(4)],
        ended: vec![APPLICATION],
    }
}

fn allocated(command: AppMasterCommand) -> Allocated {
    let token = LeaseToken { claims: encode(&lease()), mac: vec![0xcd; 32] };
    Allocated {
        sequence: 9,
        command,
        leases: vec![SignedLease { ask: 1, lease: lease(), token }],
        completed: reports().split_off(3),
        pending: vec![PendingAsk { ask: 1, missing: 2, reason: "no node has room".to_owned() }],
    }
}

fn finish(final_status: FinalStatus) -> FinishAppMaster {
    FinishAppMaster {
        attempt: ATTEMPT,
        final_status,
        diagnostics: "the job failed".to_owned(),
        archive: vec![ArchivedAnswer { path: "/jobs/overview".to_owned(), json: "{}".to_owned() }],
    }
}

/// Each message once.
pub fn samples() -> Vec<Sample> {
    vec![
        sample(RegisterNode {
            node: node(),
            total: RESOURCES,
            weir_version: "0.1.0".to_owned(),
            incarnation: 42,
            containers: reports(),
        }),
        sample(NodeRegistered { heartbeat_interval_ms: 1000, expiry_ms: 600_000 }),
        sample(NodeHeartbeat {
            node: node(),
            incarnation: 42,
            sequence: 5,
            hold_ms: 1000,
            containers: reports(),
            unhealthy: Some("the disk is full".to_owned()),
            used_memory_mib: 2048,
        }),
        sample(orders(NodeAction::Normal)),
        sample(LeaveNode { node: node(), incarnation: 42 }),
        sample(NodeLeft {}),
        sample(RegisterAppMaster { attempt: ATTEMPT, rest_port: 8081, held: vec![lease()] }),
        sample(AppMasterRegistered {
            epoch: 3,
            heartbeat_interval_ms: 1000,
            earlier_attempt_asked: false,
        }),
        sample(Allocate {
            attempt: ATTEMPT,
            epoch: 3,
            sequence: 9,
            hold_ms: 1000,
            asks: vec![Ask { id: 1, priority: 1, resources: RESOURCES, total: 4 }],
            held: vec![container(2)],
            release: vec![container(3)],
            seen: vec![container(4)],
            progress: 0.5,
        }),
        sample(allocated(AppMasterCommand::Normal)),
        sample(finish(FinalStatus::Failed)),
        sample(AppMasterFinished {}),
        sample(StartContainer { launch: launch() }),
        sample(ContainerStarted {}),
        sample(StopContainer {}),
        sample(ContainerStopped {}),
        sample(lease()),
    ]
}

/// Messages with each of the other values that this release knows of an enum.
pub fn other_values() -> Vec<Sample> {
    let orders = [NodeAction::Resync, NodeAction::Shutdown].map(|action| sample(orders(action)));
    let commands = [AppMasterCommand::Resync, AppMasterCommand::Shutdown];
    let allocated = commands.map(|command| sample(allocated(command)));
    let statuses = [FinalStatus::Succeeded, FinalStatus::Killed, FinalStatus::Undefined];
    let finishes = statuses.map(|status| sample(finish(status)));
    orders.into_iter().chain(allocated).chain(finishes).collect()
}
