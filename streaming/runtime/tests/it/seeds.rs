//! Seeded interleavings: whatever the order in which channels are looked at and snapshots are
//! encoded, a snapshot holds exactly what lies in front of its barriers, and the output splits at
//! the barrier in the same way.

use crate::{
    bench::{Bench, Sent, barrier, records},
    operators::{Holding, Sums, sums_in},
};
use std::collections::BTreeMap;
use weir_base::SeededRng;
use weir_dataflow::{Element, Operator};

const SEEDS: u64 = 300;
const KEYS: u64 = 3_000;

type Sums64 = BTreeMap<u64, u64>;

/// What one run is to do, and the sums in front of each barrier.
struct Plan {
    channels: Vec<Vec<Step>>,
    expected: Vec<Sums64>,
}

enum Step {
    Records(Vec<(u64, u64)>),
    Barrier(u64),
}

impl Plan {
    fn seeded(rng: &mut SeededRng) -> Self {
        let count = 1 + rng.below(3) as usize;
        let checkpoints = 1 + rng.below(4);
        let mut channels: Vec<Vec<Step>> = (0..count).map(|_| Vec::new()).collect();
        let mut sums = Sums64::new();
        let mut expected = Vec::new();
        for checkpoint in 1..=checkpoints + 1 {
            for channel in &mut channels {
                for _ in 0..rng.below(4) {
                    let batch: Vec<(u64, u64)> =
                        (0..=rng.below(900)).map(|_| (rng.below(KEYS), rng.below(9))).collect();
                    batch.iter().for_each(|(key, n)| *sums.entry(*key).or_default() += n);
                    channel.push(Step::Records(batch));
                }
                if checkpoint <= checkpoints {
                    channel.push(Step::Barrier(checkpoint));
                }
            }
            expected.push(sums.clone());
        }
        Self { channels, expected }
    }
}

/// The last sum of each key that was sent in front of each barrier, and at the end.
fn sums_sent(sent: &[Sent]) -> Vec<Sums64> {
    let mut sums = Sums64::new();
    let mut at_barriers = Vec::new();
    for element in sent {
        match element {
            Sent::Records(updates) => sums.extend(updates.iter().copied()),
            Sent::Barrier(_) => at_barriers.push(sums.clone()),
            _ => {}
        }
    }
    at_barriers.push(sums);
    at_barriers
}

fn run(seed: u64) {
    let mut rng = SeededRng::new(seed);
    let plan = Plan::seeded(&mut rng);
    let mut operators: Vec<Box<dyn Operator>> = vec![Box::new(Sums::default())];
    if rng.percent(50) {
        operators.insert(0, Box::new(Holding::default()));
    }
    let mut bench = Bench::new(plan.channels.len(), operators);
    for (channel, steps) in plan.channels.iter().enumerate() {
        for step in steps {
            bench.push(
                channel,
                match step {
                    Step::Records(batch) => records(batch),
                    Step::Barrier(checkpoint) => barrier(*checkpoint),
                },
            );
        }
        bench.push(channel, Element::EndOfData);
        bench.push(channel, Element::EndOfInput);
    }
    loop {
        match rng.below(3) {
            0 => drop(bench.step_snapshot()),
            // As the runner: a cut batch is finished before another element is looked at.
            _ if bench.core.has_pending() => bench.core.step_pending(bench.now).expect("handled"),
            _ => {
                // A barrier whose snapshot is still encoded would not be triggered yet.
                while bench.step_snapshot() {}
                let ready = bench.ready();
                if ready.is_empty() {
                    break;
                }
                bench.take(ready[rng.below(ready.len() as u64) as usize]);
            }
        }
    }
    while bench.step_snapshot() {}
    assert!(bench.core.is_finished(), "seed {seed}: nothing is stuck");

    let sent = bench.output.take();
    assert_eq!(sent[sent.len() - 2..], [Sent::EndOfData, Sent::EndOfInput], "seed {seed}");
    assert!(sums_sent(&sent) == plan.expected, "seed {seed}: sums in front of the barriers");
    let snapshots: Vec<Sums64> = bench.snapshots.iter().map(|(_, s)| sums_in(s)).collect();
    let barriers = plan.expected.len() - 1;
    assert!(snapshots == plan.expected[..barriers], "seed {seed}: sums in the snapshots");
}

#[test]
fn snapshots_and_output_agree_at_every_barrier() {
    (0..SEEDS).for_each(run);
}
