//! From the program to the graph: parallelism, names, chains, and what is refused before a task
//! runs.

use crate::support::{Folder, config, env, within_patience};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use weir::{
    Error, Result, RuntimeMode, StreamExecutionEnvironment, connectors::SocketTextSource,
    prelude::*,
};

/// Name and parallelism of every task of the job that was planned, hidden ones left out.
fn tasks(env: &StreamExecutionEnvironment) -> Vec<(String, u32)> {
    let client = env.execute_async("graph").expect("it starts");
    let view = client.status();
    let shown = view.vertices.iter().filter(|vertex| !vertex.coordinator);
    let tasks = shown.map(|vertex| (vertex.name.clone(), vertex.parallelism)).collect();
    client.wait().expect("it finishes");
    tasks
}

fn check_tasks(env: &StreamExecutionEnvironment, expected: &[(&str, u32)]) {
    let tasks = tasks(env);
    let tasks: Vec<(&str, u32)> = tasks.iter().map(|(name, p)| (name.as_str(), *p)).collect();
    assert_eq!(tasks, expected);
}

#[track_caller]
fn refused<T>(result: Result<T>, code: &str, parts: &[&str]) {
    let error = result.err().expect("it is refused");
    assert_eq!(error.code(), code, "{error}");
    for part in parts {
        assert!(error.to_string().contains(part), "{part:?} is missing in: {error}");
    }
}

#[test]
fn parallelism_of_operator_beats_environment_beats_configuration() {
    within_patience(|| {
        let configured = || env([("parallelism.default", 2)]);
        let plan = |env: &StreamExecutionEnvironment| {
            env.sequence(1, 10).map(|n| n).name("own").set_parallelism(4).discard();
        };

        let env = configured();
        plan(&env);
        check_tasks(&env, &[("Source: Sequence Source", 2), ("own", 4), ("Sink: Discard", 2)]);
        let env = configured();
        env.set_parallelism(3);
        plan(&env);
        check_tasks(&env, &[("Source: Sequence Source", 3), ("own", 4), ("Sink: Discard", 3)]);
    });
}

#[test]
fn operators_are_chained_by_default() {
    type Change = fn(DataStream<u64>) -> DataStream<u64>;
    let cases: &[(Change, &[&str])] = &[
        (|stream| stream, &["Source: Sequence Source -> middle -> Sink: Discard"]),
        (
            |stream| stream.disable_chaining(),
            &["Source: Sequence Source", "middle", "Sink: Discard"],
        ),
        (
            |stream| stream.start_new_chain(),
            &["Source: Sequence Source", "middle -> Sink: Discard"],
        ),
        (|stream| stream.forward(), &["Source: Sequence Source -> middle -> Sink: Discard"]),
        (|stream| stream.rebalance(), &["Source: Sequence Source -> middle", "Sink: Discard"]),
        (|stream| stream.broadcast(), &["Source: Sequence Source -> middle", "Sink: Discard"]),
        (|stream| stream.global(), &["Source: Sequence Source -> middle", "Sink: Discard"]),
    ];
    within_patience(move || {
        for (change, expected) in cases {
            let env = env([("parallelism.default", 2)]);
            change(env.sequence(1, 10).map(|n| n).name("middle")).discard();
            let expected: Vec<(&str, u32)> = expected.iter().map(|name| (*name, 2)).collect();
            check_tasks(&env, &expected);
        }
        let env = env([("pipeline.operator-chaining.enabled", false)]);
        env.sequence(1, 10).map(|n| n).name("middle").discard();
        check_tasks(&env, &[("Source: Sequence Source", 1), ("middle", 1), ("Sink: Discard", 1)]);
    });
}

#[test]
fn closures_are_fused_and_a_name_ends_the_run() {
    within_patience(|| {
        let env = env([("parallelism.default", 1)]);
        let halves = env.sequence(1, 10).map(|n| n * 3).filter(|n| n % 2 == 0).name("halves");
        halves.flat_map(|n, out: &mut Collector<u64>| out.collect(n)).discard();
        let chain = "Source: Sequence Source -> halves -> Flat Map -> Sink: Discard";
        check_tasks(&env, &[(chain, 1)]);
    });
}

#[test]
fn bad_parallelisms_are_refused() {
    type Plan = fn(&StreamExecutionEnvironment);
    let cases: &[(Plan, &str, &str)] = &[
        (|env| drop(env.sequence(1, 2).set_parallelism(0).discard()), "WEIR-PLAN-0001", "Sequence"),
        (
            |env| drop(env.set_parallelism(0).sequence(1, 2).discard()),
            "WEIR-CFG-0002",
            "parallelism.default in the program",
        ),
        (
            |env| drop(env.sequence(1, 2).discard().set_parallelism(40_000)),
            "WEIR-PLAN-0002",
            "Discard",
        ),
        (
            |env| {
                let counted = env.sequence(1, 2).key_by(|n| *n).sum(|n| n);
                counted.set_max_parallelism(4).set_parallelism(5).discard();
            },
            "WEIR-PLAN-0002",
            "Sum",
        ),
        (
            |env| drop(env.sequence(1, 2).set_max_parallelism(0).discard()),
            "WEIR-PLAN-0003",
            "Sequence",
        ),
        (
            |env| {
                let numbers = env.sequence(1, 2).set_parallelism(2);
                numbers.forward().map(|n| n).set_parallelism(3).discard();
            },
            "WEIR-PLAN-0006",
            "forward",
        ),
        (
            |env| drop(env.from_elements([1]).set_parallelism(2).discard()),
            "WEIR-PLAN-0007",
            "Collection",
        ),
    ];
    for (plan, code, part) in cases {
        let env = env([("parallelism.default", 1)]);
        plan(&env);
        refused(env.execute("bad"), code, &[part]);
    }
    let mut config = config([("parallelism.default", 1)]);
    let zero = config.set(&weir::keys::PARALLELISM_DEFAULT, 0).expect_err("refused");
    assert_eq!(zero.code(), "WEIR-CFG-0002", "{zero}");
}

#[test]
fn a_max_parallelism_of_the_environment_out_of_range_is_refused() {
    let env = env([("parallelism.default", 1)]);
    env.set_max_parallelism(0).sequence(1, 2).discard();
    let error = env.execute("bad").expect_err("refused");
    assert!(error.code().starts_with("WEIR-CFG") || error.code() == "WEIR-PLAN-0003", "{error:?}");
}

#[test]
fn a_parallelism_up_to_max_parallelism_runs() {
    within_patience(|| {
        let env = env([("parallelism.default", 8)]);
        env.set_max_parallelism(8);
        let sums = env.sequence(1, 1000).key_by(|n| *n % 50).sum(|n| n);
        sums.discard();
        assert_eq!(
            env.execute("as many as key groups").expect("it runs").operators[1].records_out,
            1000
        );
    });
}

#[test]
fn two_operators_with_one_uid_are_refused() {
    let env = env([("parallelism.default", 1)]);
    env.sequence(1, 2).uid("a").map(|n| n).uid("b").discard().uid("a");
    refused(env.execute("twice"), "WEIR-PLAN-0004", &["\"a\"", "Sequence Source", "Discard"]);
}

#[test]
fn uids_are_names_and_an_operator_has_one() {
    let env = env([("parallelism.default", 2)]);
    env.sequence(1, 2).map(|n| n).name("middle").uid(" ").discard();
    refused(env.execute("uids"), "WEIR-PLAN-0008", &["\"middle\"", "is empty"]);

    let numbers = env.sequence(1, 2);
    numbers.clone().uid("a").discard();
    numbers.uid("b").discard();
    refused(env.execute("uids"), "WEIR-RUN-0010", &["Sequence Source", "\"a\"", "\"b\""]);

    env.sequence(1, 2).uid("a").map(|n| n).uid("b").uid("b").discard().uid("c");
    env.execute("uids").expect("each has one");
}

#[test]
fn two_sinks_with_one_output_are_refused() {
    let env = env([("parallelism.default", 2)]);
    let folder = tempfile::tempdir().expect("a folder");
    let output = folder.path().join("out");
    let numbers = env.sequence(1, 2);
    numbers.clone().map(|n| n + 1).write_as_text(&output);
    numbers.write_as_text(folder.path().join("./out/"));
    refused(env.execute("one output"), "WEIR-PLAN-0010", &[&output.display().to_string()]);
    assert!(!output.exists());
    env.sequence(1, 2).write_as_text(&output);
    env.execute("another job").expect("the refused job did not take the path");
}

#[test]
fn a_job_without_a_sink_is_refused() {
    let env = env([("parallelism.default", 2)]);
    drop(env.sequence(1, 2).map(|n| n + 1).name("last"));
    refused(env.execute("sinkless"), "WEIR-PLAN-0009", &["\"sinkless\"", "\"last\"", "discard()"]);
}

#[test]
fn a_stream_belongs_to_one_job_of_one_environment() {
    within_patience(|| {
        let env = env([("parallelism.default", 1)]);
        let numbers = env.sequence(1, 2);
        numbers.clone().discard();
        env.execute("first").expect("it finishes");
        env.sequence(1, 2).discard();
        numbers.clone().discard();
        refused(
            env.execute("second"),
            "WEIR-RUN-0009",
            &["Sink: Discard", "make the stream again"],
        );
        drop(numbers.clone().name("late"));
        refused(env.execute("third"), "WEIR-RUN-0009", &[]);

        let other = crate::support::env([("parallelism.default", 1)]);
        other.sequence(1, 2).union(env.sequence(1, 2)).discard();
        refused(other.execute("union"), "WEIR-RUN-0009", &["Union"]);
    });
}

#[derive(Clone, Default)]
struct Forgetful {
    declared: StateHandle<u64>,
    forgotten: StateHandle<u64>,
}

impl KeyedProcessFunction for Forgetful {
    type Key = u64;
    type In = u64;
    type Out = u64;

    fn declare(&mut self, states: &mut States<u64>) {
        self.declared = states.value("declared");
    }

    fn process(
        &mut self,
        record: u64,
        context: &mut KeyedContext<'_, u64>,
        _: &mut Collector<u64>,
    ) -> UserResult {
        context.set(self.declared, record);
        context.update(self.forgotten, |sum| *sum += record);
        Err("not reached".into())
    }
}

#[test]
fn a_state_that_was_not_declared_fails_the_job_with_its_type() {
    within_patience(|| {
        let env = env([
            ("restart-strategy.type", "fixed-delay"),
            ("restart-strategy.fixed-delay.delay", "1 d"),
        ]);
        env.sequence(1, 2).key_by(|n| *n).process(Forgetful::default()).discard();
        refused(env.execute("forgetful"), "WEIR-STATE-0002", &["type u64", "`declare`"]);
    });
}

#[test]
fn operators_without_uid_are_refused_where_all_must_have_one() {
    let env = env([("pipeline.auto-generate-uids", false)]);
    env.sequence(1, 2).uid("a").map(|n| n).discard().uid("c");
    refused(env.execute("uids"), "WEIR-RUN-0004", &["Map"]);
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Offer {
    article: String,
    prices: Vec<Option<f32>>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
enum Figure {
    Point,
    Circle { radius: f64 },
}

#[test]
fn keys_with_floats_or_maps_are_refused() {
    fn keyed_by<K: weir::Key>(key: fn(&u64) -> K) -> Result<()> {
        let env = env([("parallelism.default", 1)]);
        env.sequence(1, 3).key_by(key).sum(|n| n).discard();
        env.execute("keys").map(drop)
    }
    within_patience(|| {
        let code = "WEIR-KEY-0001";
        refused(keyed_by(|n| *n as f64), code, &["f64", "float"]);
        refused(keyed_by(|n| (*n, *n as f32)), code, &[".1"]);
        refused(keyed_by(|n| vec![Some(*n as f64)]), code, &["float"]);
        let offer = |_: &u64| Offer { article: String::new(), prices: Vec::new() };
        refused(keyed_by(offer), code, &[".prices", "float"]);
        // Whichever variant a key has: the type is refused.
        refused(keyed_by(|_| Figure::Circle { radius: 1.0 }), code, &["::Circle.radius", "float"]);
        refused(keyed_by(|_| Some(Figure::Point)), code, &["::Circle.radius", "float"]);
        refused(keyed_by(|n| HashMap::from([(*n, 1u8)])), code, &["map"]);
        for fine in [
            keyed_by(|n| *n % 2 == 0),
            keyed_by(|n| (n.to_string(), -1i8, 'x', Some(*n))),
            keyed_by(|n| vec![*n]),
            keyed_by(|_| ()),
        ] {
            fine.expect("such a key is fine");
        }
    });
}

#[test]
fn batch_mode_refuses_a_source_that_never_ends() {
    let env = env([("execution.runtime-mode", "BATCH")]);
    env.from_source(SocketTextSource::new("localhost", 1)).discard();
    refused(env.execute("endless batch"), "WEIR-RUN-0005", &["Socket", "STREAMING"]);
}

#[test]
fn a_job_without_a_source_is_refused() {
    let env = env([("parallelism.default", 1)]);
    env.set_runtime_mode(RuntimeMode::Batch);
    refused(env.execute("nothing"), "WEIR-PLAN-0005", &["nothing"]);
}

#[test]
fn a_refused_plan_is_spent_and_the_next_one_runs() {
    within_patience(|| {
        let env = env([("parallelism.default", 1)]);
        env.sequence(1, 3).set_parallelism(0).discard();
        refused(env.execute("first"), "WEIR-PLAN-0001", &[]);
        env.sequence(1, 3).discard();
        assert_eq!(env.execute("second").expect("it runs").name, "second");
    });
}

#[test]
fn one_program_executes_several_jobs() {
    within_patience(|| {
        let folder = Folder::new();
        let env = env([("parallelism.default", 1)]);
        for job in ["first", "second", "third"] {
            env.from_elements([job.to_owned()]).write_as_text(folder.path(job));
            let result = env.execute(job).expect("it finishes");
            assert_eq!((result.name.as_str(), result.operators.len()), (job, 2));
        }
        assert_eq!(folder.names(), ["first", "second", "third"]);
    });
}

#[test]
fn name_of_a_job_is_that_of_execute_or_else_the_configured_one() {
    within_patience(|| {
        for (settings, name, expect) in [
            (&[("pipeline.name", "configured")][..], "by program", "by program"),
            (&[("pipeline.name", "configured")], "", "configured"),
            (&[], "", "Weir Streaming Job"),
        ] {
            let env = env(settings.iter().copied());
            env.sequence(1, 1).discard();
            assert_eq!(env.execute(name).expect("it runs").name, expect);
        }
    });
}

#[test]
fn values_computed_once_are_computed_once() {
    let env = env([("parallelism.default", 1)]);
    let mut calls = 0;
    let mut value = || {
        calls += 1;
        (calls, "seed".to_owned())
    };
    assert_eq!(env.once("seed", &mut value).expect("plain data"), (1, "seed".to_owned()));
    assert_eq!(env.once("other", &mut value).expect("plain data").0, 2);
    assert_eq!(env.once("seed", &mut value).expect("plain data").0, 1, "recorded already");
    let wrong: Result<u8> = env.once("seed", || 1);
    assert!(matches!(wrong, Err(Error::Operator { code: "WEIR-RUN-0006", .. })));
}
