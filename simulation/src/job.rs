//! The job of a run: a source of numbered records, perhaps a step between, a committing sink.
//!
//! Records belong to splits, and each split counts from 0. Subtask `i` of `p` owns the splits
//! `s` with `s % p == i`, in every vertex, so a split stays on forward edges and its records in
//! order. A later master may run the same job with another parallelism or other chains.

use crate::faults::between;
use std::time::Duration;
use weir_base::{JobId, OperatorId, SeededRng};
use weir_coordination::{
    CheckpointRetention, CheckpointSettings, JobSettings, RestartStrategy, plan,
};
use weir_graph::{
    ChainingStrategy, EdgeSpec, ExchangeKind, Fingerprint, JobGraph, NodeId, Partitioning,
    StreamGraph, StreamNode,
};

/// Number of splits of every job.
pub const SPLITS: u32 = 6;

/// How a run is meant to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// By itself.
    Finishes,
    /// It is cancelled at this time.
    IsCancelled {
        /// When.
        at_ms: u64,
    },
    /// A task fails permanently at this time.
    FailsForGood {
        /// When.
        at_ms: u64,
    },
}

/// A job and how it is run.
#[derive(Clone, Debug)]
pub struct Job {
    stream: StreamGraph,
    /// Records of each split.
    pub records: u64,
    /// The longest a task rests between two steps.
    pub step_ms: u64,
    /// When faults cease.
    pub quiet_at_ms: u64,
    /// How it is meant to end.
    pub ending: Ending,
    settings: JobSettings,
    may_rescale: bool,
    may_rechain: bool,
}

impl Job {
    /// The job of a run.
    pub fn draw(rng: &mut SeededRng) -> Self {
        let steps = between(rng, 0, 1);
        let stream = stream_graph(steps, between(rng, 1, 3) as u32, rng.percent(30));
        let quiet_at_ms = between(rng, 3_000, 20_000);
        let ending = match rng.below(10) {
            0 => Ending::IsCancelled { at_ms: rng.below(quiet_at_ms) },
            1 => Ending::FailsForGood { at_ms: rng.below(quiet_at_ms) },
            _ => Ending::Finishes,
        };
        let settings = settings(rng, &stream);
        Self {
            stream,
            records: between(rng, 20, 1500),
            step_ms: between(rng, 5, 60),
            quiet_at_ms,
            ending,
            settings,
            may_rescale: rng.percent(30),
            may_rechain: rng.percent(30),
        }
    }

    /// The graph and settings for the next master.
    pub fn for_master(&mut self, rng: &mut SeededRng) -> (JobGraph, JobSettings) {
        if self.may_rescale {
            self.stream.default_parallelism = between(rng, 1, 3) as u32;
        }
        if self.may_rechain {
            self.stream.chaining = rng.percent(50);
        }
        let graph = plan(&self.stream).expect("the graph of a simulation can be planned");
        (graph, self.settings.clone())
    }
}

fn settings(rng: &mut SeededRng, stream: &StreamGraph) -> JobSettings {
    let checkpoints = rng.percent(90).then(|| CheckpointSettings {
        interval: Duration::from_millis(between(rng, 50, 1500)),
        timeout: Duration::from_millis(between(rng, 1000, 3000)),
        min_pause: Duration::from_millis(rng.below(200)),
        tolerable_failures: rng.below(3) as u32,
        retained: between(rng, 1, 3) as usize,
    });
    JobSettings {
        job: JobId::of_text("simulation"),
        fingerprint: Fingerprint::of(stream),
        checkpoints,
        final_checkpoint_timeout: Duration::from_millis(between(rng, 1500, 4000)),
        retention: CheckpointRetention::Never,
        restart: RestartStrategy::FixedDelay {
            attempts: u32::MAX,
            delay: Duration::from_millis(rng.below(300)),
        },
        storage_timeout: Duration::from_millis(between(rng, 5_000, 60_000)),
        cancellation_timeout: Duration::from_millis(between(rng, 100, 500)),
    }
}

fn stream_graph(steps: u64, parallelism: u32, chaining: bool) -> StreamGraph {
    let mut nodes = vec![node("source")];
    nodes.extend((0..steps).map(|_| node("step")));
    nodes.push(node("sink"));
    let edges = (1..nodes.len() as u32)
        .map(|to| EdgeSpec {
            from: NodeId(to - 1),
            to: NodeId(to),
            input: 0,
            partitioning: Some(Partitioning::Forward),
            exchange: ExchangeKind::Pipelined,
        })
        .collect();
    StreamGraph {
        name: "simulation".into(),
        nodes,
        edges,
        default_parallelism: parallelism,
        chaining,
        ..StreamGraph::default()
    }
}

fn node(kind: &str) -> StreamNode {
    StreamNode {
        operator_id: OperatorId::of_text(kind),
        uid: Some(kind.to_owned()),
        name: kind.to_owned(),
        kind: kind.to_owned(),
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
        commits: kind == "sink",
    }
}
