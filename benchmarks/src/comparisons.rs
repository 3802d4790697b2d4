//! The table of comparisons: what each measures, against what, and what it has to reach.

use anyhow::Result;

use crate::goal::{Goal, Unit};
use crate::outcome::{Outcome, Settings, Side};
use crate::{chain, cluster, peers, shuffle, word_count, work};

/// Runs one side once and measures it.
pub type Run = fn(&Settings) -> Result<Outcome>;

/// One comparison.
pub struct Comparison {
    /// As given on the command line.
    pub name: &'static str,
    /// How its figures read.
    pub unit: Unit,
    /// All of these have to hold.
    pub goals: &'static [Goal],
    /// Whether both sides read the generated text.
    pub reads_text: bool,
    /// Weir's side.
    pub ours: Run,
    /// The other side, where there is one.
    pub peer: Option<Run>,
}

impl Comparison {
    /// The function that runs a side.
    pub fn side(&self, side: Side) -> Option<Run> {
        match side {
            Side::Ours => Some(self.ours),
            Side::Peer => self.peer,
        }
    }
}

/// All comparisons, in the order they run.
pub static COMPARISONS: &[Comparison] = &[
    Comparison {
        name: "word-count-updates",
        unit: Unit::Seconds,
        goals: &[Goal::RatioAtMost(0.40)],
        reads_text: true,
        ours: word_count::updates,
        peer: Some(peers::renoir_word_count::updates),
    },
    Comparison {
        name: "word-count-updates-checkpointed",
        unit: Unit::Seconds,
        goals: &[Goal::RatioAtMost(1.03)],
        reads_text: true,
        ours: word_count::updates_checkpointed,
        peer: Some(word_count::long_updates),
    },
    Comparison {
        name: "word-count-final",
        unit: Unit::Seconds,
        goals: &[Goal::RatioAtMost(1.20)],
        reads_text: true,
        ours: word_count::final_counts,
        peer: Some(peers::renoir_word_count::final_counts),
    },
    Comparison {
        name: "chain",
        unit: Unit::Seconds,
        goals: &[Goal::RatioAtMost(1.30)],
        reads_text: false,
        ours: chain::chain,
        peer: Some(peers::hand_written_loop::chain),
    },
    Comparison {
        name: "shuffle-local",
        unit: Unit::MillionsPerSecond { record_count: work::SHUFFLE_RECORD_COUNT },
        goals: &[Goal::RateAtLeast(30.0), Goal::RatioAtLeast(1.0)],
        reads_text: false,
        ours: shuffle::local,
        peer: Some(peers::timely_shuffle::local),
    },
    Comparison {
        name: "shuffle-tcp",
        // Half of the records stay where they were made: only those that crossed count.
        unit: Unit::MillionsPerSecond { record_count: work::SHUFFLE_RECORD_COUNT / 2 },
        goals: &[Goal::RateAtLeast(10.0)],
        reads_text: false,
        ours: shuffle::tcp,
        peer: Some(peers::timely_shuffle::tcp),
    },
    Comparison {
        name: "submit-latency",
        unit: Unit::Milliseconds,
        goals: &[Goal::MillisecondsAtMost(300.0)],
        reads_text: false,
        ours: cluster::submit_latency,
        peer: None,
    },
    Comparison {
        name: "cluster-word-count",
        unit: Unit::Seconds,
        goals: &[Goal::RatioAtMost(1.25)],
        reads_text: true,
        ours: cluster::word_count,
        peer: Some(cluster::word_count_locally),
    },
    idle_memory(
        "idle-memory-resource-manager",
        &[Goal::MegabytesAtMost(40.0)],
        cluster::idle_resource_manager,
    ),
    idle_memory("idle-memory-node-agent", &[Goal::MegabytesAtMost(25.0)], cluster::idle_node_agent),
    idle_memory("idle-memory-app-master", &[Goal::MegabytesAtMost(40.0)], cluster::idle_app_master),
    idle_memory(
        "idle-memory-task-manager",
        &[Goal::MegabytesAtMost(20.0)],
        cluster::idle_task_manager,
    ),
];

/// The resident memory of a daemon that has nothing to do.
const fn idle_memory(name: &'static str, goals: &'static [Goal], ours: Run) -> Comparison {
    Comparison { name, unit: Unit::Megabytes, goals, reads_text: false, ours, peer: None }
}

/// The comparison of this name.
pub fn find(name: &str) -> Option<&'static Comparison> {
    COMPARISONS.iter().find(|comparison| comparison.name == name)
}

/// The comparison of this name, or all whose names begin with it: `idle-memory` is four.
pub fn named(name: &str) -> Vec<&'static Comparison> {
    let group = format!("{name}-");
    match find(name) {
        Some(comparison) => vec![comparison],
        None => COMPARISONS.iter().filter(|c| c.name.starts_with(&group)).collect(),
    }
}
