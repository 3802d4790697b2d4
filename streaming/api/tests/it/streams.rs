//! Results of each transformation, through the whole engine and between task hosts.

use crate::support::{Folder, env, sorted_output, within_patience};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    io::{self, Write},
    sync::{Arc, Mutex},
};
use weir::{StreamExecutionEnvironment, connectors::PrintSink, prelude::*};

/// Gathers what a sink prints.
#[derive(Clone, Default)]
struct Printed(Arc<Mutex<Vec<u8>>>);

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("whole").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs a job and gives the records of its last stream, sorted.
fn results<T: weir::Record + std::fmt::Debug>(
    settings: &[(&'static str, &str)],
    plan: impl FnOnce(&StreamExecutionEnvironment) -> DataStream<T>,
) -> Vec<String> {
    let folder = Folder::new();
    let env = env(settings.iter().copied());
    plan(&env).write_as_text_with(folder.path("out"), |record, out| {
        out.push_str(&format!("{record:?}"));
    });
    env.execute("results").expect("the job finishes");
    sorted_output(&folder.path("out"))
}

/// The same on one task host and on two, whose results must be equal.
fn results_everywhere<T: weir::Record + std::fmt::Debug>(
    mode: &str,
    plan: impl Fn(&StreamExecutionEnvironment) -> DataStream<T>,
) -> Vec<String> {
    let on = |parallelism: &str, hosts: &str| {
        let settings = [
            ("parallelism.default", parallelism),
            ("weir.local.task-hosts", hosts),
            ("execution.runtime-mode", mode),
        ];
        results(&settings, &plan)
    };
    let expected = on("1", "1");
    for (parallelism, hosts) in [("2", "1"), ("2", "2"), ("3", "2"), ("4", "3")] {
        let found = on(parallelism, hosts);
        assert_same(&found, &expected, &format!("parallelism {parallelism}, {hosts} hosts"));
    }
    expected
}

/// Compares long lists without printing them.
#[track_caller]
fn assert_same(found: &[String], expected: &[String], what: &str) {
    if let Some(at) = found.iter().zip(expected).position(|(a, b)| a != b) {
        panic!("{what}: record {at} is {} instead of {}", found[at], expected[at]);
    }
    assert_eq!(found.len(), expected.len(), "{what}: number of records");
}

fn sorted<T: std::fmt::Debug>(records: impl IntoIterator<Item = T>) -> Vec<String> {
    let mut lines: Vec<String> = records.into_iter().map(|record| format!("{record:?}")).collect();
    lines.sort();
    lines
}

const NUMBERS: u64 = 5_000;
const KEYS: u64 = 37;

/// Each key with the aggregate of its numbers.
fn by_key<V: std::fmt::Debug>(of: impl Fn(&[u64]) -> V) -> Vec<String> {
    let mut groups: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    (1..=NUMBERS).for_each(|n| groups.entry(n % KEYS).or_default().push(n));
    sorted(groups.iter().map(|(key, numbers)| (*key, of(numbers))))
}

fn keyed(env: &StreamExecutionEnvironment) -> DataStream<(u64, u64)> {
    keyed_numbers(env.sequence(1, NUMBERS))
}

/// The same from one subtask: the order within a key is that of the source.
fn serial(env: &StreamExecutionEnvironment) -> DataStream<(u64, u64)> {
    keyed_numbers(env.sequence(1, NUMBERS).set_parallelism(1)).set_parallelism(1)
}

fn keyed_numbers(numbers: DataStream<u64>) -> DataStream<(u64, u64)> {
    numbers.map(|n| (n % KEYS, n)).seal()
}

#[derive(Clone)]
struct Mean;

impl AggregateFunction for Mean {
    type In = (u64, u64);
    type Accumulator = (u64, u64, u64);
    type Out = (u64, String);

    fn create_accumulator(&self) -> (u64, u64, u64) {
        (0, 0, 0)
    }

    fn add(&self, (key, n): (u64, u64), accumulator: &mut (u64, u64, u64)) {
        *accumulator = (key, accumulator.1 + n, accumulator.2 + 1);
    }

    fn result(&self, (key, sum, count): &(u64, u64, u64)) -> (u64, String) {
        (*key, format!("{sum}/{count}"))
    }

    fn merge(&self, accumulator: &mut (u64, u64, u64), other: (u64, u64, u64)) {
        *accumulator = (other.0, accumulator.1 + other.1, accumulator.2 + other.2);
    }
}

#[test]
fn aggregates_of_a_batch_emit_each_key_once() {
    within_patience(|| {
        let sum = results_everywhere("BATCH", |env| keyed(env).key_by(|r| r.0).sum(|r| &mut r.1));
        assert_same(&sum, &by_key(|numbers| numbers.iter().sum::<u64>()), "sum");
        let min = results_everywhere("BATCH", |env| keyed(env).key_by(|r| r.0).min(|r| &mut r.1));
        assert_same(&min, &by_key(|numbers| numbers[0]), "min");
        let max = results_everywhere("BATCH", |env| keyed(env).key_by(|r| r.0).max(|r| &mut r.1));
        assert_same(&max, &by_key(|numbers| numbers[numbers.len() - 1]), "max");
        let reduced = results_everywhere("BATCH", |env| {
            keyed(env).key_by(|r| r.0).reduce(|total, next| total.1 ^= next.1)
        });
        assert_same(&reduced, &by_key(|numbers| numbers.iter().fold(0, |a, b| a ^ b)), "reduced");
        let folded = results_everywhere("BATCH", |env| {
            keyed(env).key_by(|r| r.0).fold(
                (0, Vec::new()),
                |all: &mut (u64, Vec<u64>), (key, n)| {
                    all.0 = key;
                    all.1.push(n);
                    all.1.sort_unstable();
                },
            )
        });
        assert_same(&folded, &by_key(<[u64]>::to_vec), "folded");
        let mean = results_everywhere("BATCH", |env| keyed(env).key_by(|r| r.0).aggregate(Mean));
        let expected = by_key(|n| format!("{}/{}", n.iter().sum::<u64>(), n.len()));
        assert_same(&mean, &expected, "mean");
    });
}

#[test]
fn aggregates_of_a_stream_emit_every_update() {
    within_patience(|| {
        let running = |update: fn(u64, u64) -> u64| {
            let mut totals: BTreeMap<u64, u64> = BTreeMap::new();
            let mut emit = |n: u64| {
                let total = totals.entry(n % KEYS).and_modify(|t| *t = update(*t, n)).or_insert(n);
                (n % KEYS, *total)
            };
            sorted((1..=NUMBERS).map(&mut emit))
        };
        let mode = "STREAMING";
        let sum = results_everywhere(mode, |env| serial(env).key_by(|r| r.0).sum(|r| &mut r.1));
        assert_same(&sum, &running(|a, b| a + b), "sum");
        let min = results_everywhere(mode, |env| serial(env).key_by(|r| r.0).min(|r| &mut r.1));
        assert_same(&min, &running(u64::min), "min");
        let max = results_everywhere(mode, |env| serial(env).key_by(|r| r.0).max(|r| &mut r.1));
        assert_same(&max, &running(u64::max), "max");
        let reduced = results_everywhere(mode, |env| {
            serial(env).key_by(|r| r.0).reduce(|total, next| total.1 ^= next.1)
        });
        assert_same(&reduced, &running(|a, b| a ^ b), "reduced");
    });
}

/// Emits every third record of a key with the sum of the three, and knows its calls.
#[derive(Clone, Default)]
struct Threes {
    seen: StateHandle<Vec<u64>>,
    totals: StateHandle<BTreeMap<String, u64>>,
    opened: bool,
}

impl KeyedProcessFunction for Threes {
    type Key = u64;
    type In = (u64, u64);
    type Out = (u64, u64, u64);

    fn declare(&mut self, states: &mut States<u64>) {
        self.seen = states.list("seen");
        self.totals = states.map("totals");
    }

    fn open(&mut self, context: RuntimeContext<'_>) -> UserResult {
        assert_eq!((context.job_name(), context.operator_name()), ("results", "Threes"));
        assert!(context.subtask() < context.parallelism());
        self.opened = true;
        Ok(())
    }

    fn process(
        &mut self,
        (key, n): (u64, u64),
        context: &mut KeyedContext<'_, u64>,
        out: &mut Collector<(u64, u64, u64)>,
    ) -> UserResult {
        assert!(self.opened && *context.key() == key);
        let count = context.update(self.seen, |seen| {
            seen.push(n);
            seen.len()
        });
        if count == 3 {
            let sum = context.clear(self.seen).into_iter().flatten().sum();
            let groups = context.update(self.totals, |totals| {
                let groups = totals.entry("groups".to_owned()).or_default();
                *groups += 1;
                *groups
            });
            out.collect((key, groups, sum));
        }
        Ok(())
    }
}

#[test]
fn a_keyed_function_keeps_state_per_key() {
    within_patience(|| {
        let found = results_everywhere("STREAMING", |env| {
            serial(env).key_by(|r| r.0).process(Threes::default()).name("Threes")
        });
        let expected = (0..KEYS).flat_map(|key| {
            let of_key: Vec<u64> = (1..=NUMBERS).filter(|n| n % KEYS == key).collect();
            let threes: Vec<u64> = of_key.chunks_exact(3).map(|three| three.iter().sum()).collect();
            (1..).zip(threes).map(move |(groups, sum)| (key, groups, sum)).collect::<Vec<_>>()
        });
        assert_same(&found, &sorted(expected), "threes");
    });
}

/// Tells which subtask saw a record.
#[derive(Clone, Default)]
struct Where(u32);

impl ProcessFunction for Where {
    type In = u64;
    type Out = (u32, u64);

    fn open(&mut self, context: RuntimeContext<'_>) -> UserResult {
        self.0 = context.subtask();
        Ok(())
    }

    fn process(&mut self, record: u64, out: &mut Collector<(u32, u64)>) -> UserResult {
        out.collect((self.0, record));
        Ok(())
    }
}

/// The numbers that each subtask of a stage sees behind a partitioning.
fn seen_behind(hosts: &str, partition: fn(DataStream<u64>) -> DataStream<u64>) -> [Vec<u64>; 3] {
    let settings = [("parallelism.default", "3"), ("weir.local.task-hosts", hosts)];
    let lines = results(&settings, |env| {
        partition(env.sequence(0, NUMBERS - 1).start_new_chain()).process(Where::default())
    });
    let mut seen = [const { Vec::new() }; 3];
    for line in lines {
        let inner = line.trim_matches(['(', ')']);
        let (subtask, number) = inner.split_once(", ").expect("a pair");
        let subtask: usize = subtask.parse().expect("a number");
        seen[subtask].push(number.parse().expect("a number"));
    }
    seen.iter_mut().for_each(|numbers| numbers.sort_unstable());
    seen
}

#[test]
fn partitionings_lead_records_where_they_say() {
    within_patience(|| {
        let all: Vec<u64> = (0..NUMBERS).collect();
        for hosts in ["1", "2", "3"] {
            assert_eq!(
                seen_behind(hosts, DataStream::broadcast),
                [all.clone(), all.clone(), all.clone()]
            );
            assert_eq!(seen_behind(hosts, DataStream::global), [all.clone(), vec![], vec![]]);

            // The sequence is dealt in ranges.
            let forward = seen_behind(hosts, DataStream::forward);
            assert_eq!(forward.concat(), all, "each range on its own subtask, in order");

            for partition in [DataStream::rebalance as fn(_) -> _, |stream: DataStream<u64>| {
                stream.key_by(|n| *n).into_stream()
            }] {
                let seen = seen_behind(hosts, partition);
                assert!(seen.iter().all(|numbers| numbers.len() > 500), "all subtasks work");
                let mut together = seen.concat();
                together.sort_unstable();
                assert_eq!(together, all, "{hosts} hosts");
            }
        }
        let keyed = |hosts| seen_behind(hosts, |stream| stream.key_by(|n| *n).into_stream());
        assert_eq!(keyed("1"), keyed("2"), "a key has one owner, wherever it runs");
    });
}

#[test]
fn unions_and_streams_that_are_read_twice() {
    within_patience(|| {
        let found = results_everywhere("STREAMING", |env| {
            let numbers = env.sequence(1, 100).map(|n| n * 10).seal();
            let plus_one = numbers.clone().map(|n| n + 1);
            let elements = env.from_elements([7, 8]);
            // The same stream twice in one union, and once through a function.
            numbers.clone().union(plus_one).union(elements).union(numbers)
        });
        let tens = || (1..=100).map(|n| n * 10);
        let expected = tens().chain(tens()).chain(tens().map(|n| n + 1)).chain([7, 8]);
        assert_same(&found, &sorted(expected), "union");
    });
}

#[test]
fn a_union_is_keyed_and_forwarded_as_one_stream() {
    within_patience(|| {
        let found = results_everywhere("BATCH", |env| {
            let odd = env.sequence(1, 100).filter(|n| n % 2 == 1);
            let even = env.sequence(1, 100).filter(|n| n % 2 == 0);
            odd.union(even).map(|n| (n % 10, n)).key_by(|r| r.0).sum(|r| &mut r.1)
        });
        let sum_of = |key| (1..=100u64).filter(|n| n % 10 == key).sum::<u64>();
        assert_same(&found, &sorted((0..10).map(|key| (key, sum_of(key)))), "sums");
    });
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
enum Event {
    Opened,
    Renamed(String, Option<String>),
    Moved { path: Vec<String>, at: (i64, f64) },
    Nested(Box<Event>),
}

fn event(n: u64) -> Event {
    match n % 4 {
        0 => Event::Opened,
        1 => Event::Renamed(
            format!("n{n}"),
            n.is_multiple_of(3).then(|| "ü".repeat(n as usize % 50)),
        ),
        2 => Event::Moved { path: vec!["x".to_owned(); n as usize % 7], at: (-(n as i64), 0.5) },
        _ => Event::Nested(Box::new(event(n / 4))),
    }
}

#[test]
fn records_of_every_shape_cross_hosts() {
    within_patience(|| {
        let found = results_everywhere("STREAMING", |env| {
            let events = env.sequence(0, 2_000).map(|n| (n, event(n))).seal();
            events.rebalance().map(|record| record).key_by(|(n, _)| *n).into_stream()
        });
        assert_same(&found, &sorted((0..=2_000).map(|n| (n, event(n)))), "events");
    });
}

#[test]
fn large_records_cross_hosts() {
    within_patience(|| {
        let sizes = [1, 32 * 1024 - 1, 32 * 1024, 40_000, 300_000, 1 << 20, 3_000_000, 0, 2];
        let expected = sorted(sizes.map(|size: usize| (size, size as u64 * 120)));
        let found = results_everywhere("STREAMING", |env| {
            let texts = env.from_elements(sizes).map(|size| (size, "x".repeat(size))).seal();
            texts
                .rebalance()
                .map(|(size, text): (usize, String)| {
                    (size, text.bytes().map(u64::from).sum::<u64>())
                })
                .seal()
        });
        assert_same(&found, &expected, "sizes");
    });
}

#[test]
fn print_shows_the_subtask_where_there_are_several() {
    within_patience(|| {
        for (parallelism, expected) in [(1, "0\n1\n"), (2, "1> 0\n2> 1\n")] {
            let printed = Printed::default();
            let env = env([("parallelism.default", parallelism)]);
            let sink = PrintSink::new(|n: &u64, out: &mut String| out.push_str(&n.to_string()));
            env.sequence(0, 1).sink_to(sink.with_output(Arc::new(Mutex::new(printed.clone()))));
            env.execute("print").expect("it finishes");
            let text = String::from_utf8(printed.0.lock().expect("whole").clone()).expect("text");
            let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
            lines.sort_unstable();
            assert_eq!(lines.concat(), expected);
        }
    });
}
