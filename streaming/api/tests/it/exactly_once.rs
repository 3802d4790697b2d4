//! Exactly once: user code that fails at seeded moments changes nothing about the output.
//!
//! Every run has many checkpoints (see `paced`), so failures fall before, between and behind them.

use crate::paced::PacedLines;
use crate::support::{
    Folder, as_line, assert_each_update_once, assert_final_counts, config, count, count_words, env,
    read_output, split_words, text, updates_by_word, within_patience,
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use weir::{JobExecutionResult, StreamExecutionEnvironment, UserResult};
use weir_base::SeededRng;

/// Where user code fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum FailurePoint {
    /// In a function chained to the source, in front of the exchange.
    BeforeKeying,
    /// In the function that takes the key.
    Key,
    /// Behind the counts, in front of the sink.
    AfterCounting,
    /// In the function that formats lines, inside the sink.
    Sink,
}

const PLACES: [FailurePoint; 4] = [
    FailurePoint::BeforeKeying,
    FailurePoint::Key,
    FailurePoint::AfterCounting,
    FailurePoint::Sink,
];

/// How user code fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Panic,
    Error,
}

/// Fails when the calls of all subtasks and attempts together reach one of some seeded numbers.
#[derive(Clone)]
struct Mishaps {
    calls: Arc<AtomicU64>,
    at: Arc<Vec<u64>>,
    happened: Arc<AtomicU64>,
}

impl Mishaps {
    /// Number of failures among the first `calls` calls: all of these calls will happen.
    fn seeded(seed: u64, count: usize, calls: u64) -> Self {
        let mut rng = SeededRng::new(seed);
        let at = (0..count).map(|_| 1 + rng.below(calls)).collect();
        Self { calls: Arc::default(), at: Arc::new(at), happened: Arc::default() }
    }

    fn call(&self) -> UserResult {
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        if self.at.contains(&call) {
            self.happened.fetch_add(1, Ordering::Relaxed);
            return Err(format!("mishap at call {call}").into());
        }
        Ok(())
    }

    fn maybe_panic(&self) {
        if let Err(mishap) = self.call() {
            panic!("{mishap}");
        }
    }

    /// Fails if the place is the one that was chosen.
    fn at(
        &self,
        here: FailurePoint,
        chosen: FailurePoint,
    ) -> impl Fn() + Clone + Send + Sync + use<> {
        let mishaps = (here == chosen).then(|| self.clone());
        move || mishaps.iter().for_each(Self::maybe_panic)
    }
}

#[derive(Debug)]
struct Case {
    seed: u64,
    parallelism: u32,
    task_hosts: u32,
    mode: &'static str,
    in_folder: bool,
    place: FailurePoint,
    kind: Kind,
    delay: &'static str,
}

impl Case {
    fn streaming(seed: u64, parallelism: u32, place: FailurePoint) -> Self {
        let (mode, kind, delay) = ("STREAMING", Kind::Panic, "0 ms");
        let seed = seed + other_seeds();
        Self { seed, parallelism, task_hosts: 1, mode, in_folder: false, place, kind, delay }
    }

    fn run(&self) {
        // Shown when the test fails.
        println!("{self:?}");
        let folder = Folder::new();
        let lines = text(self.seed, 1_200);
        let expected = count_words(&lines);
        let mishaps = Mishaps::seeded(self.seed, 8, expected.values().sum());
        let output = folder.path("counts");
        let result = self.execute(&folder, lines, &mishaps);

        assert_eq!(
            mishaps.happened.load(Ordering::Relaxed),
            mishaps.at.iter().collect::<std::collections::BTreeSet<_>>().len() as u64,
            "every mishap happens"
        );
        assert!(result.restarts > 0);
        assert!(result.completed_checkpoints > 1, "{result:?}");
        match self.mode {
            "STREAMING" => assert_each_update_once(&output, &expected),
            _ => assert_final_counts(&output, &expected),
        }
        let mut left = vec!["counts"];
        left.splice(0..0, self.in_folder.then_some("checkpoints"));
        assert_eq!(folder.names(), left, "nothing is left in progress");
    }

    fn execute(
        &self,
        folder: &Folder,
        lines: Vec<String>,
        mishaps: &Mishaps,
    ) -> JobExecutionResult {
        let mut settings = vec![
            ("parallelism.default", self.parallelism.to_string()),
            ("weir.local.task-hosts", self.task_hosts.to_string()),
            ("execution.runtime-mode", self.mode.to_owned()),
            ("execution.checkpointing.interval", "10 ms".to_owned()),
            ("execution.buffer-timeout.interval", "1 ms".to_owned()),
            ("restart-strategy.type", "fixed-delay".to_owned()),
            ("restart-strategy.fixed-delay.attempts", "100".to_owned()),
            ("restart-strategy.fixed-delay.delay", self.delay.to_owned()),
        ];
        if self.in_folder {
            let checkpoints = folder.path("checkpoints").display().to_string();
            settings.push(("execution.checkpointing.dir", checkpoints));
        }
        let env = StreamExecutionEnvironment::with_config(config(settings));
        let before = mishaps.at(FailurePoint::BeforeKeying, self.place);
        let key = mishaps.at(FailurePoint::Key, self.place);
        let after = mishaps.at(FailurePoint::AfterCounting, self.place);
        let sink = mishaps.at(FailurePoint::Sink, self.place);
        let words = env.from_source(PacedLines::new(lines)).flat_map(split_words);
        let words = match self.kind {
            Kind::Panic => words
                .map(move |word| {
                    before();
                    word
                })
                .seal(),
            Kind::Error => {
                let mishaps = mishaps.clone();
                words.try_map(move |word| mishaps.call().map(|()| word))
            }
        };
        words
            .key_by(move |(word, _)| {
                key();
                word.clone()
            })
            .sum(|(_, count)| count)
            .map(move |counted| {
                after();
                counted
            })
            .write_as_text_with(folder.path("counts"), move |counted, out| {
                sink();
                as_line(counted, out);
            });
        env.execute("exactly once").expect("the job survives")
    }
}

/// `WEIR_TEST_SEED=n` runs everything here with other seeds, for a search by hand.
fn other_seeds() -> u64 {
    let number = std::env::var("WEIR_TEST_SEED").unwrap_or_default();
    number.parse::<u64>().unwrap_or_default() * 1_000
}

#[test]
fn panics_leave_no_trace_in_the_output() {
    within_patience(|| {
        for (seed, place) in (1..).zip(PLACES) {
            for parallelism in [1, 2, 4] {
                Case::streaming(seed * 10 + u64::from(parallelism), parallelism, place).run();
            }
        }
    });
}

#[test]
fn panics_leave_no_trace_between_two_task_hosts() {
    within_patience(|| {
        for (seed, place) in (50..).zip(PLACES) {
            for parallelism in [2, 4] {
                let seed = seed * 10 + u64::from(parallelism);
                Case { task_hosts: 2, ..Case::streaming(seed, parallelism, place) }.run();
            }
        }
    });
}

#[test]
fn panics_leave_no_trace_with_checkpoints_in_a_folder() {
    within_patience(|| {
        for (seed, task_hosts) in [(71, 1), (72, 2)] {
            for parallelism in [1, 2, 4] {
                let seed = seed * 10 + u64::from(parallelism);
                let place = PLACES[parallelism as usize % PLACES.len()];
                let case = Case::streaming(seed, parallelism, place);
                Case { task_hosts, in_folder: true, delay: "1 ms", ..case }.run();
            }
        }
    });
}

#[test]
fn errors_leave_no_trace_in_the_output() {
    within_patience(|| {
        for parallelism in [1, 2, 4] {
            let seed = 90 + u64::from(parallelism);
            // The place of panics plays no part.
            let case = Case::streaming(seed, parallelism, FailurePoint::BeforeKeying);
            Case { kind: Kind::Error, ..case }.run();
        }
    });
}

#[test]
fn panics_leave_no_trace_in_batch_mode() {
    within_patience(|| {
        for (parallelism, task_hosts) in [(1, 1), (2, 1), (2, 2), (4, 1)] {
            let seed = 200 + u64::from(parallelism);
            let case = Case::streaming(seed, parallelism, FailurePoint::BeforeKeying);
            Case { mode: "BATCH", task_hosts, ..case }.run();
        }
    });
}

#[test]
fn a_job_that_fails_for_good_shows_only_what_was_committed() {
    within_patience(|| {
        for parallelism in [1, 2] {
            let folder = Folder::new();
            let lines = text(300, 1_200);
            let expected = count_words(&lines);
            let words: u64 = expected.values().sum();
            let env = env([
                ("parallelism.default", parallelism.to_string()),
                ("execution.checkpointing.interval", "10 ms".to_owned()),
                ("restart-strategy.type", "none".to_owned()),
            ]);
            let calls = AtomicU64::new(0);
            count(env.from_source(PacedLines::new(lines))).write_as_text_with(
                folder.path("counts"),
                move |counted, out| {
                    assert_ne!(calls.fetch_add(1, Ordering::Relaxed), words * 2 / 3, "too many");
                    as_line(counted, out);
                },
            );
            let error = env.execute("fails late").expect_err("it fails");
            assert_eq!(error.code(), "WEIR-TASK-0001", "{error}");
            for (word, counts) in updates_by_word(&read_output(&folder.path("counts"))) {
                assert!((1..).zip(&counts).all(|(n, count)| n == *count), "{word}: {counts:?}");
                assert!(counts.len() as u64 <= expected[&word]);
            }
        }
    });
}
