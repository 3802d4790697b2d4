//! Destructors of an author's values that panic: the job ends with the reason, and never hangs.

use crate::support::{env, wait_until, within_patience};
use serde::{Deserialize, Serialize};
use signal_hook::consts::SIGABRT;
use std::{fmt, os::unix::process::ExitStatusExt, panic::panic_any, process::Command, thread};
use weir::{Error, JobStatus, StreamExecutionEnvironment, prelude::*};
use weir_base::Failure;

/// The task and operator whose values are broken.
const BOMB: &str = "bomb";

/// Panics when it is dropped on a task of that name.
#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        let thread = thread::current();
        if thread.name().is_some_and(|name| name.starts_with(BOMB)) {
            panic!("broken in drop");
        }
    }
}

/// An error that is as broken as a value can be.
#[derive(Debug)]
enum BrokenError {
    InDisplay,
    InDrop(Bomb),
}

impl fmt::Display for BrokenError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InDisplay => panic!("broken in display"),
            Self::InDrop(_) => out.write_str("an error that breaks when it is dropped"),
        }
    }
}

impl std::error::Error for BrokenError {}

fn failure_of(write: impl Fn(&StreamExecutionEnvironment)) -> Failure {
    let env = env([("restart-strategy.type", "none")]);
    write(&env);
    match env.execute("broken") {
        Err(Error::JobFailed(failure)) => *failure,
        other => panic!("expected a failed job, got {other:?}"),
    }
}

/// Runs `broken` as the only operator of a separate task.
fn alone<T: weir::Record>(
    env: &StreamExecutionEnvironment,
    broken: impl Fn(u64) -> T + Clone + Send + Sync + 'static,
) {
    let numbers = env.sequence(1, 2_000).name("numbers");
    numbers.map(broken).name(BOMB).start_new_chain().discard();
}

#[track_caller]
fn assert_is_blamed(failure: &Failure, code: &str, text: &str) {
    assert_eq!(failure.code, code, "{failure:?}");
    assert!(failure.message.contains(text), "{failure:?}");
    assert_eq!(failure.operator.as_deref(), Some(BOMB), "{failure:?}");
}

#[test]
fn a_captured_value_that_panics_when_the_task_ends_fails_the_job() {
    within_patience(|| {
        let failure = failure_of(|env| {
            let bomb = Bomb;
            alone(env, move |n| {
                let _captured = &bomb;
                n
            });
        });
        assert_is_blamed(&failure, "WEIR-TASK-0001", "broken in drop");
        assert!(failure.message.contains("destructors.rs:"), "the place is named: {failure:?}");
    });
}

/// Holds a value that panics when the function is dropped, after `close`.
#[derive(Clone)]
struct Holder(Bomb);

impl ProcessFunction for Holder {
    type In = u64;
    type Out = u64;

    fn process(&mut self, record: u64, out: &mut Collector<u64>) -> UserResult {
        let _held = &self.0;
        out.collect(record);
        Ok(())
    }
}

#[test]
fn a_function_that_panics_when_it_is_dropped_fails_the_job() {
    within_patience(|| {
        let failure = failure_of(|env| {
            let numbers = env.sequence(1, 2_000).name("numbers");
            numbers.process(Holder(Bomb)).name(BOMB).start_new_chain().discard();
        });
        assert_is_blamed(&failure, "WEIR-TASK-0001", "broken in drop");
    });
}

#[test]
fn a_cancelled_job_ends_although_a_destructor_panics() {
    within_patience(|| {
        let env = env([("weir.local.task-hosts", "2")]);
        let endless = env.sequence(0, u64::MAX).name("numbers");
        endless.process(Holder(Bomb)).name(BOMB).start_new_chain().discard();
        let client = env.execute_async("cancelled").expect("it starts");
        wait_until("the job runs", || client.status().status == JobStatus::Running);
        client.cancel();
        assert!(matches!(client.wait(), Err(Error::JobCanceled)));
    });
}

#[test]
fn the_first_error_is_reported_although_a_destructor_panics_later() {
    within_patience(|| {
        let failure = failure_of(|env| {
            let bomb = Bomb;
            let numbers = env.sequence(1, 2_000).name("numbers");
            let checked = numbers.try_map(move |n| {
                let _captured = &bomb;
                if n == 13 { Err("13 is not welcome".into()) } else { Ok(n) }
            });
            checked.name(BOMB).start_new_chain().discard();
        });
        assert_is_blamed(&failure, "WEIR-TASK-0002", "13 is not welcome");
    });
}

#[test]
fn a_record_that_panics_when_it_is_dropped_fails_the_job() {
    within_patience(|| {
        let failure = failure_of(|env| {
            let numbers = env.sequence(1, 2_000).name("numbers");
            let mapped = numbers.map(|n| if n == 1_500 { Some(Bomb) } else { None });
            let kept = mapped.name("arm").filter(Option::is_none).name(BOMB).start_new_chain();
            kept.discard();
        });
        assert_is_blamed(&failure, "WEIR-TASK-0001", "broken in drop");
    });
}

/// Sums with an accumulator that panics when the task's state is dropped.
#[derive(Clone)]
struct SumWithBomb;

impl AggregateFunction for SumWithBomb {
    type In = u64;
    type Accumulator = (u64, Bomb);
    type Out = u64;

    fn create_accumulator(&self) -> (u64, Bomb) {
        (0, Bomb)
    }

    fn add(&self, record: u64, (sum, _): &mut (u64, Bomb)) {
        *sum += record;
    }

    fn result(&self, (sum, _): &(u64, Bomb)) -> u64 {
        *sum
    }

    fn merge(&self, (sum, _): &mut (u64, Bomb), other: (u64, Bomb)) {
        *sum += other.0;
    }
}

#[test]
fn state_that_panics_when_it_is_dropped_fails_the_job() {
    within_patience(|| {
        let failure = failure_of(|env| {
            let numbers = env.sequence(1, 100).name("numbers");
            numbers.key_by(|_| 0).aggregate(SumWithBomb).name(BOMB).discard();
        });
        assert_is_blamed(&failure, "WEIR-TASK-0001", "broken in drop");
    });
}

#[test]
fn an_error_whose_display_panics_is_reported() {
    within_patience(|| {
        let failure = failure_of(|env| {
            let numbers = env.sequence(1, 10).name("numbers");
            let checked =
                numbers.try_map(|_| UserResult::<u64>::Err(BrokenError::InDisplay.into()));
            checked.name(BOMB).start_new_chain().discard();
        });
        assert_is_blamed(&failure, "WEIR-TASK-0001", "broken in display");
        let failure = failure_of(|env| {
            let numbers = env.sequence(1, 10).name("numbers");
            let checked =
                numbers.try_map(|_| UserResult::<u64>::Err(BrokenError::InDrop(Bomb).into()));
            checked.name(BOMB).start_new_chain().discard();
        });
        assert_is_blamed(&failure, "WEIR-TASK-0001", "broken in drop");
    });
}

#[test]
fn a_panic_whose_value_panics_when_it_is_dropped_fails_the_job() {
    within_patience(|| {
        let failure = failure_of(|env| alone(env, |_| -> u64 { panic_any(Bomb) }));
        assert_is_blamed(&failure, "WEIR-TASK-0001", "a panic without a message");
    });
}

const CHILD: &str = "WEIR_TEST_ABORTS";

/// A panic while another one unwinds cannot be caught: the process ends, and must say why.
#[test]
fn a_destructor_that_panics_while_a_panic_unwinds_ends_the_process_with_both_messages() {
    let name = "destructors::a_destructor_that_panics_while_a_panic_unwinds_ends_the_process_with_both_messages";
    if std::env::var_os(CHILD).is_some() {
        let failure = failure_of(|env| {
            alone(env, |n| {
                let held = Bomb;
                assert_ne!(n, 13, "13 is not welcome");
                std::mem::forget(held);
                n
            });
        });
        unreachable!("the process was to end: {failure:?}");
    }
    let mut child = Command::new(std::env::current_exe().expect("this test"));
    let output = child.args([name, "--exact", "--nocapture"]).env(CHILD, "1").output();
    let output = output.expect("it starts");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(SIGABRT), "{text}");
    for message in ["13 is not welcome", "broken in drop", "thread 'bomb"] {
        assert!(text.contains(message), "{message}: {text}");
    }
}
