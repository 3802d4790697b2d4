//! A job to submit: a source and a sink, each with two subtasks, that task hosts only play.

use std::path::Path;
use weir_base::{ArtifactHash, JobId, OperatorId};
use weir_config::Config;
use weir_graph::{
    ChainingStrategy, EdgeSpec, ExchangeKind, Fingerprint, NodeId, Partitioning, StreamGraph,
    StreamNode,
};
use weir_protocol::cluster::{self, JOB_FILE, JobSubmission, ShippedFile};

pub const SLOTS: u32 = 2;

pub fn submission() -> JobSubmission {
    let stream_graph = graph("sink");
    let shipped = |name: &str, byte| ShippedFile {
        name: name.to_owned(),
        hash: ArtifactHash([byte; 32]),
        size_bytes: 7,
    };
    JobSubmission {
        job: JobId::of_text("application_5_0001:0"),
        ordinal: 0,
        fingerprint: Fingerprint::of(&stream_graph),
        stream_graph,
        plan_json: "{}".to_owned(),
        configuration: configuration(&[]),
        launch_configuration: "{}".to_owned(),
        weir: shipped("weir", 1),
        executable: shipped("count", 2),
        arguments: vec![b"--input".to_vec(), vec![0xff]],
        working_directory: "/".to_owned(),
        earlier: Vec::new(),
    }
}

pub fn with(settings: &[(&str, &str)]) -> JobSubmission {
    JobSubmission { configuration: configuration(settings), ..submission() }
}

/// A configuration that a program has set in code.
fn configuration(settings: &[(&str, &str)]) -> String {
    // No task is given up because the machine is slow.
    let patient = [("task.cancellation.timeout", "2 min")];
    let mut config = Config::new();
    for (name, text) in patient.iter().chain(settings) {
        config.set_named(name, text).expect("a valid value");
    }
    config.to_json()
}

pub fn graph(sink: &str) -> StreamGraph {
    StreamGraph {
        name: "count".to_owned(),
        nodes: vec![node("source"), node(sink)],
        edges: vec![EdgeSpec {
            from: NodeId(0),
            to: NodeId(1),
            input: 0,
            partitioning: Some(Partitioning::Hash),
            exchange: ExchangeKind::Pipelined,
        }],
        default_parallelism: SLOTS,
        chaining: true,
        ..StreamGraph::default()
    }
}

fn node(name: &str) -> StreamNode {
    StreamNode {
        operator_id: OperatorId::of_text(name),
        uid: Some(name.to_owned()),
        name: name.to_owned(),
        kind: name.to_owned(),
        parallelism: None,
        max_parallelism: None,
        fixed_parallelism: None,
        parallelism_of: None,
        chaining: ChainingStrategy::Always,
        states: Vec::new(),
        output: None,
        specification: Vec::new(),
        bounded: true,
        coordinator: false,
        commits: false,
    }
}

pub fn write(submission: &JobSubmission, folder: &Path) {
    std::fs::write(folder.join(JOB_FILE), cluster::encode(submission)).expect("written");
}
