//! Random inputs, repeated and late: the invariants hold, and no container is launched twice.

use super::*;
use std::collections::BTreeSet;
use weir_base::SeededRng;

fn any_input(rng: &mut SeededRng, script: &Script) -> Input {
    let sequence = 1 + rng.below(4);
    let tag = 1 + u8::try_from(rng.below(3)).expect("small");
    let failure = DownloadFailure { problem: DownloadProblem::Transient, message: String::new() };
    let no_launch = LaunchFailure { exit_status: exit_status::INVALID, message: String::new() };
    match rng.below(12) {
        0 | 1 => start(sequence, &[tag]),
        2 => stop(sequence),
        3 | 4 => Input::Downloaded { hash: hash(tag), result: Ok(10) },
        5 => Input::Downloaded { hash: hash(tag), result: Err(failure) },
        6 => launched(sequence),
        7 => Input::Launched { container: container(sequence), result: Err(no_launch) },
        8 => exited(sequence, 1),
        _ => {
            let orders = NodeOrders {
                sequence: script.sequence,
                launch: (rng.below(3) == 0).then(|| launch(sequence, &[tag])).into_iter().collect(),
                kill: (rng.below(3) == 0)
                    .then(|| kill(container(sequence), exit_status::ABORTED))
                    .into_iter()
                    .collect(),
                forget: (rng.below(2) == 0).then(|| container(sequence)).into_iter().collect(),
                ..no_orders()
            };
            Input::Answered { sequence: script.sequence, result: Ok(orders) }
        }
    }
}

#[test]
fn any_order_of_inputs_keeps_the_invariants() {
    for seed in 0..300 {
        let mut rng = SeededRng::new(seed);
        let mut script = Script::joined();
        let mut launches = BTreeSet::new();
        for _ in 0..60 {
            let input = any_input(&mut rng, &script);
            let mut effects = script.step_all(input);
            effects.extend(script.wait_all(rng.below(300)));
            for effect in effects {
                if let Effect::Launch(launch) = effect {
                    assert!(launches.insert(launch.container), "seed {seed}: launched twice");
                }
            }
        }
    }
}
