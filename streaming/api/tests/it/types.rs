//! Types that serde offers and the codec cannot read back: refused before anything runs, or carried
//! by an encoding of their own.

use crate::support::{Folder, env, sorted_output, within_patience};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use weir::{SelfDescribing, prelude::*};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    Click { x: i32, at: Option<u8> },
    Close,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Skipping {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<u8>,
    a: u64,
    #[serde(flatten)]
    more: BTreeMap<String, serde_json::Value>,
}

/// Leaves out a field for a few values only.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Leaky {
    #[serde(default, skip_serializing_if = "above_100")]
    a: u64,
    b: u64,
}

fn above_100(value: &u64) -> bool {
    *value > 100
}

/// Runs a job on one task host and on several; both refuse it.
#[track_caller]
fn check_refused(job: fn(&StreamExecutionEnvironment), code: &str, part: &str) {
    for hosts in [1, 2] {
        let env = env([("parallelism.default", 2), ("weir.local.task-hosts", hosts)]);
        job(&env);
        let error = env.execute("refused").expect_err("it is refused");
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(part), "{part:?} is missing in: {error}");
    }
}

#[test]
fn types_that_do_not_come_back_are_refused_wherever_they_are_used() {
    within_patience(|| {
        let code = "WEIR-TYPE-0003";
        let record: fn(&StreamExecutionEnvironment) =
            |env| drop(env.sequence(1, 9).map(|_| Tagged::Close).rebalance().discard());
        check_refused(record, code, "types::Tagged cannot be sent or stored: it asks the data");
        let state: fn(&StreamExecutionEnvironment) = |env| {
            let keyed = env.sequence(1, 9).key_by(|n| *n);
            let make = || SelfDescribing(serde_json::Value::Null);
            drop(keyed.fold(make(), |_, _| ()).discard());
            let keyed = env.sequence(1, 9).key_by(|n| *n);
            drop(keyed.fold(serde_json::Value::Null, |_, _| ()).map(|_| 0u8).discard());
        };
        check_refused(state, code, "serde_json::value::Value) asks the data");
        check_refused(
            |env| drop(env.sequence(1, 9).key_by(|n| *n).process(Keeps).discard()),
            code,
            "::Second",
        );
        check_refused(|env| drop(env.from_elements([Tagged::Close]).discard()), code, "Tagged");
    });
}

#[derive(Clone, Serialize, Deserialize)]
enum Kept {
    First,
    Second(Vec<Tagged>),
}

#[derive(Clone)]
struct Keeps;

impl KeyedProcessFunction for Keeps {
    type Key = u64;
    type In = u64;
    type Out = u64;

    fn declare(&mut self, states: &mut States<u64>) {
        states.value::<Kept>("kept");
    }

    fn process(
        &mut self,
        _: u64,
        _: &mut KeyedContext<'_, u64>,
        _: &mut Collector<u64>,
    ) -> UserResult {
        Ok(())
    }
}

#[test]
fn elements_that_do_not_come_back_are_refused_by_their_values() {
    within_patience(|| {
        let good = || Leaky { a: 100, b: 1 };
        let env = env([("parallelism.default", 1)]);
        env.from_elements([good()]).discard();
        env.execute("good").expect("no field is left out");
        let job: fn(&StreamExecutionEnvironment) = |env| {
            let elements = [Leaky { a: 1, b: 1 }, Leaky { a: 101, b: 1 }];
            env.from_elements(elements).discard();
        };
        check_refused(job, "WEIR-TYPE-0003", "element 2 of type");
    });
}

#[test]
fn a_field_that_is_left_out_fails_the_job_and_shifts_no_record() {
    within_patience(|| {
        let env = env([("parallelism.default", 2), ("weir.local.task-hosts", 2)]);
        env.sequence(1, 200).map(|n| Leaky { a: n, b: n }).broadcast().discard();
        let error = env.execute("leaky").expect_err("a value cannot be sent");
        assert_eq!(error.code(), "WEIR-TYPE-0001", "{error}");
        assert!(error.to_string().contains("leaves out its field \"a\""), "{error}");
    });
}

#[test]
fn sets_without_an_order_are_refused_as_keys_and_as_elements() {
    within_patience(|| {
        let key: fn(&StreamExecutionEnvironment) = |env| {
            let set = |n: &u64| Some(HashSet::from([*n, 1, 2]));
            drop(env.sequence(1, 9).key_by(set).sum(|n| n).discard());
        };
        check_refused(key, "WEIR-KEY-0001", "HashSet<u64>");
        let elements: fn(&StreamExecutionEnvironment) =
            |env| drop(env.from_elements([(1u8, HashSet::from([1u8, 2]))]).discard());
        check_refused(
            elements,
            "WEIR-TYPE-0004",
            "its part .1 is a std::collections::hash::set::HashSet",
        );
        let value: fn(&StreamExecutionEnvironment) =
            |env| drop(env.sequence(1, 9).key_by(|n| SelfDescribing(*n)).sum(|n| n).discard());
        check_refused(value, "WEIR-KEY-0001", "SelfDescribing");
    });
}

#[test]
fn sorted_sets_are_keys() {
    within_patience(|| {
        let folder = Folder::new();
        let env = env([
            ("parallelism.default", "2"),
            ("weir.local.task-hosts", "2"),
            ("execution.runtime-mode", "BATCH"),
        ]);
        env.sequence(1, 1_000)
            .map(|n| (BTreeSet::from([n % 2, 7, 3]), 1u64))
            .key_by(|(set, _)| set.clone())
            .sum(|(_, count)| count)
            .map(|(set, count)| format!("{set:?} {count}"))
            .write_as_text(folder.path("out"));
        env.execute("sets").expect("it finishes");
        assert_eq!(sorted_output(&folder.path("out")), ["{0, 3, 7} 500", "{1, 3, 7} 500"]);
    });
}

#[test]
fn self_describing_values_cross_hosts_unchanged() {
    within_patience(|| {
        let folder = Folder::new();
        let env = env([("parallelism.default", 2), ("weir.local.task-hosts", 2)]);
        let tagged = |n: u64| match n % 3 {
            0 => Tagged::Close,
            _ => Tagged::Click { x: n as i32, at: n.is_multiple_of(2).then_some(7) },
        };
        let skipping = |n: u64| Skipping {
            note: n.is_multiple_of(2).then_some(n as u8),
            a: n,
            more: BTreeMap::from([(format!("k{n}"), serde_json::json!([n, null, {"deep": "x"}]))]),
        };
        let make = move |n| (SelfDescribing(tagged(n)), SelfDescribing(skipping(n)));
        env.sequence(1, 100)
            .map(make)
            .rebalance()
            .map(|pair| format!("{pair:?}"))
            .write_as_text(folder.path("out"));
        env.execute("self-describing").expect("it finishes");
        let mut expected: Vec<String> = (1..=100).map(|n| format!("{:?}", make(n))).collect();
        expected.sort();
        assert_eq!(sorted_output(&folder.path("out")), expected);
    });
}
