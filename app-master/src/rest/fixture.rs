//! A job in the middle of its life, for tests: `read <lines> -> split` with two subtasks, which a
//! hidden coordinator feeds, and `count -> print` with two behind a hash.

use crate::observed::{
    Counts, EpisodeReading, Facts, FailureReading, Flow, HostReading, ManagerInfo, ManagerReading,
    OwnAddress, Reading, SubtaskLocation, SubtaskReading, TimeShares, VertexReading,
};
use std::sync::Arc;
use weir_base::{
    ApplicationId, ArtifactHash, AttemptId, CheckpointId, ContainerId, Failure, FailureOrigin,
    JobId, NodeId as Node, OperatorId, VertexId,
};
use weir_config::Config;
use weir_coordination::{
    JobSettings, RestartStrategy,
    job_master::{CheckpointRecord, CheckpointsView, Spread},
};
use weir_graph::{
    ChainEdge, ChainedOperator, ChainingStrategy, EdgeSpec, ExchangeKind, Fingerprint, JobEdge,
    JobGraph, JobVertex, NodeId, Partitioning, StreamGraph, StreamNode,
};
use weir_protocol::{
    cluster::{JobSubmission, ShippedFile},
    job::{CheckpointCounts, CheckpointStatus, ExecutionState, JobStatus},
};

pub fn job() -> JobId {
    JobId::of_text("word count")
}

/// Where everything runs.
pub fn container(sequence: u64) -> ContainerId {
    let application = ApplicationId { cluster_timestamp: 1, sequence: 1 };
    ContainerId { attempt: AttemptId { application, number: 1 }, epoch: 0, sequence }
}

/// The address of the app master.
pub fn own() -> OwnAddress {
    let container = container(1);
    OwnAddress {
        host: "master".to_owned(),
        rest_port: 8081,
        attempt: container.attempt,
        container,
        application: container.attempt.application,
    }
}

/// Values that never change.
pub fn facts() -> Facts {
    let mut config = Config::new();
    for (key, value) in [
        ("execution.checkpointing.interval", "10 s"),
        ("execution.checkpointing.dir", "file:///checkpoints"),
    ] {
        config.set_named(key, value).expect("a valid value");
    }
    Facts {
        submission: Arc::new(submission()),
        graph: graph(),
        config,
        own: own(),
        commit: "abc1234",
        submitted_ms: 400,
        started_ms: 1_000,
    }
}

/// The job as it was submitted.
pub fn submission() -> JobSubmission {
    let file = |name: &str| ShippedFile {
        name: name.to_owned(),
        hash: ArtifactHash([7; 32]),
        size_bytes: 1,
    };
    JobSubmission {
        job: job(),
        ordinal: 0,
        stream_graph: stream_graph(),
        fingerprint: Fingerprint::default(),
        plan_json: "{}".to_owned(),
        configuration: "{}".to_owned(),
        launch_configuration: "{}".to_owned(),
        weir: file("weir"),
        executable: file("word-count"),
        arguments: Vec::new(),
        working_directory: "/".to_owned(),
        earlier: Vec::new(),
    }
}

fn node(name: &str) -> StreamNode {
    StreamNode {
        operator_id: OperatorId::of_text(name),
        uid: None,
        name: name.to_owned(),
        kind: "run".to_owned(),
        parallelism: None,
        max_parallelism: None,
        fixed_parallelism: None,
        parallelism_of: None,
        chaining: ChainingStrategy::Always,
        states: Vec::new(),
        output: None,
        specification: Vec::new(),
        bounded: true,
        coordinator: name == "coordinator",
        commits: false,
    }
}

const NAMES: [&str; 5] = ["coordinator", "read <lines>", "split", "count", "print"];

fn stream_graph() -> StreamGraph {
    let edge = |from: u32, partitioning| EdgeSpec {
        from: NodeId(from),
        to: NodeId(from + 1),
        input: 0,
        partitioning,
        exchange: ExchangeKind::Pipelined,
    };
    StreamGraph {
        name: "word count".to_owned(),
        nodes: NAMES.map(node).to_vec(),
        edges: vec![
            edge(0, Some(Partitioning::Broadcast)),
            edge(1, None),
            edge(2, Some(Partitioning::Hash)),
            edge(3, None),
        ],
        default_parallelism: 2,
        ..StreamGraph::default()
    }
}

/// The job, chained.
pub fn graph() -> JobGraph {
    let vertex = |places: &[u32], parallelism| {
        let names: Vec<_> = places.iter().map(|place| NAMES[*place as usize]).collect();
        let operator = |place: &u32| ChainedOperator {
            node_id: NodeId(*place),
            node: node(NAMES[*place as usize]),
        };
        JobVertex {
            id: VertexId::of_text(names[0]),
            name: names.join(" -> "),
            parallelism,
            max_parallelism: 128,
            operators: places.iter().map(operator).collect(),
            chain: (1..places.len() as u32)
                .map(|to| ChainEdge { from: to - 1, to, input: 0 })
                .collect(),
            coordinator: names[0] == "coordinator",
        }
    };
    let edge = |from, from_operator, partitioning| JobEdge {
        stream_edge: from * 2,
        from,
        from_operator,
        to: from + 1,
        input: 0,
        partitioning,
        exchange: ExchangeKind::Pipelined,
    };
    JobGraph {
        name: "word count".to_owned(),
        vertices: vec![vertex(&[0], 1), vertex(&[1, 2], 2), vertex(&[3, 4], 2)],
        edges: vec![edge(0, 0, Partitioning::Broadcast), edge(1, 1, Partitioning::Hash)],
        ..JobGraph::default()
    }
}

/// A subtask that has been in these states, the last of which it is in.
pub fn subtask(subtask: u32, times: &[(ExecutionState, u64)]) -> SubtaskReading {
    SubtaskReading {
        subtask,
        attempt_number: 0,
        state: times.last().map_or(ExecutionState::Created, |(state, _)| *state),
        times: times.iter().copied().collect(),
        place: Some(SubtaskLocation {
            container: container(2),
            host: "node".to_owned(),
            data_port: 4000,
        }),
        counts: None,
    }
}

fn running(index: u32, flows: [(u64, u64); 2], backpressured_ms: f64) -> SubtaskReading {
    use ExecutionState::{Created, Deploying, Running};
    let flow = |(records_in, records_out): (u64, u64)| Flow {
        records_in,
        records_out,
        records_in_per_s: records_in as f64 / 10.0,
        records_out_per_s: records_out as f64 / 10.0,
    };
    let counts = Counts {
        operators: flows.into_iter().map(flow).collect(),
        bytes_in: 10,
        bytes_out: 20,
        busy_ms: 5_000,
        backpressured_ms: 1_000,
        idle_ms: 2_000,
        shares: TimeShares { busy_ms: 300.0, backpressured_ms, idle_ms: 700.0 - backpressured_ms },
        ..Counts::default()
    };
    let times = [(Created, 1_100), (Deploying, 1_100), (Running, 1_500)];
    SubtaskReading { counts: Some(counts), ..subtask(index, &times) }
}

fn vertex(index: u32, flows: [(u64, u64); 2], backpressured_ms: f64) -> VertexReading {
    let graph = graph();
    let vertex = &graph.vertices[index as usize];
    VertexReading {
        index,
        id: vertex.id,
        name: vertex.name.clone(),
        parallelism: 2,
        max_parallelism: 128,
        operators: vertex.operators.iter().map(|op| op.node.name.clone()).collect(),
        is_source: index == 1,
        emits: vec![false, index == 1],
        subtasks: (0..2).map(|place| running(place, flows, backpressured_ms)).collect(),
    }
}

fn manager(sequence: u64, left_ms: Option<u64>) -> ManagerReading {
    let host = HostReading {
        host: 1,
        pid: 12,
        data_address: "127.0.0.1:4000".parse().expect("an address"),
        memory_bytes: 4_000,
    };
    ManagerReading {
        info: ManagerInfo {
            container: container(sequence),
            host: "node".to_owned(),
            node: Node("127.0.0.1:8042".to_owned()),
            pid: 11,
            slots: 2,
            memory_mib: 1024,
        },
        joined_ms: 1_050,
        left_ms,
        heard_ms: 9_900,
        own_bytes: 1_000,
        hosts: vec![host],
        used_slots: if left_ms.is_none() { vec![0, 1] } else { Vec::new() },
        data_port: 4000,
    }
}

/// A failure of `count`.
pub fn failure(message: &str, wall_ms: u64) -> FailureReading {
    FailureReading {
        wall_ms,
        failure: Failure {
            code: "WEIR-TASK-0001".to_owned(),
            message: message.to_owned(),
            origin: FailureOrigin::User,
            task: Some("count -> print (1/2)".to_owned()),
            operator: Some("count".to_owned()),
        },
        container: Some(container(2)),
        endpoint: Some("node:4000".to_owned()),
        excerpt: Some("thread panicked".to_owned()),
        lost_peer: None,
    }
}

/// A failure of `count` from which nothing followed.
pub fn episode(message: &str, wall_ms: u64) -> EpisodeReading {
    let root = failure(message, wall_ms);
    EpisodeReading { root, consequences: Vec::new(), consequence_count: 0 }
}

/// Four checkpoints of five tasks each.
fn checkpoints() -> CheckpointsView {
    let record = |id: u64, status, acknowledged_tasks, duration_ms, size_bytes| {
        // The last was triggered half a second before the reading.
        let triggered_wall_ms = if id == 4 { 9_500 } else { 4_000 + id * 1_000 };
        CheckpointRecord {
            id: CheckpointId(id),
            status,
            is_final: false,
            triggered_wall_ms,
            duration_ms,
            size_bytes,
            acknowledged_tasks,
            last_ack_wall_ms: Some(triggered_wall_ms + 20),
            tasks: 5,
            max_sync_ms: 1,
            max_async_ms: 2,
            max_alignment_ms: 3,
            failure: None,
        }
    };
    let too_late = Failure::new("WEIR-JOB-0007", FailureOrigin::External, "too late");
    CheckpointsView {
        // One that has completed before the others is not remembered.
        counts: CheckpointCounts { restored: 1, total: 5, in_progress: 1, completed: 3, failed: 1 },
        size_bytes: Spread { count: 3, min: 50, max: 300, sum: 450 },
        duration_ms: Spread { count: 3, min: 30, max: 130, sum: 210 },
        last_completed: Some(CheckpointId(2)),
        last_restored: Some(CheckpointId(1)),
        history: vec![
            record(4, CheckpointStatus::InProgress, 2, None, 50),
            CheckpointRecord {
                failure: Some(too_late),
                ..record(3, CheckpointStatus::Failed, 3, Some(100), 60)
            },
            record(2, CheckpointStatus::Completed, 5, Some(50), 300),
            record(1, CheckpointStatus::Completed, 5, Some(30), 100),
        ],
    }
}

/// The job at 10 s after 1970, nine after its start.
pub fn reading() -> Reading {
    Reading {
        now_ms: 10_000,
        version: 1 << 32,
        facts: Arc::new(facts()),
        state: JobStatus::Running,
        state_times: vec![
            (JobStatus::Initializing, 1_000),
            (JobStatus::Created, 1_100),
            (JobStatus::Running, 1_500),
        ],
        vertices: vec![
            vertex(1, [(100, 100), (100, 1000)], 200.0),
            vertex(2, [(1000, 900), (900, 0)], 50.0),
        ],
        hidden_tasks: 1,
        checkpoints: checkpoints(),
        restarts: 1,
        restart_delay_ms: 0,
        failures: Vec::new(),
        end_failure: None,
        managers: vec![manager(2, None), manager(3, Some(5_000))],
        own_bytes: 30 << 20,
        waits_for: None,
    }
}

/// How the job is run.
pub fn settings() -> JobSettings {
    JobSettings {
        job: job(),
        fingerprint: Fingerprint::default(),
        checkpoints: None,
        final_checkpoint_timeout: std::time::Duration::from_secs(60),
        retention: weir_coordination::CheckpointRetention::Never,
        restart: RestartStrategy::None,
        storage_timeout: std::time::Duration::from_secs(60),
        cancellation_timeout: std::time::Duration::from_secs(60),
    }
}
