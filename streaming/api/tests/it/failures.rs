//! The error of a job that fails permanently.

use crate::support::{config, env, within_patience};
use weir::{Error, Result, StreamExecutionEnvironment, prelude::*};
use weir_base::FailureOrigin;

fn failure_of(result: Result<weir::JobExecutionResult>) -> weir_base::Failure {
    match result {
        Err(Error::JobFailed(failure)) => *failure,
        other => panic!("expected a failed job, got {other:?}"),
    }
}

fn fails_at_13(env: &StreamExecutionEnvironment, errors: bool) {
    let numbers = env.sequence(1, 20).set_parallelism(1);
    let checked = if errors {
        numbers.try_map(|n| if n == 13 { Err("13 is not welcome".into()) } else { Ok(n) })
    } else {
        numbers
            .map(|n| {
                assert_ne!(n, 13, "13 is not welcome");
                n
            })
            .seal()
    };
    checked.name("Doorman").set_parallelism(1).discard().set_parallelism(1);
}

#[test]
fn without_restarts_the_first_panic_fails_the_job() {
    within_patience(|| {
        let env = env([("restart-strategy.type", "none")]);
        fails_at_13(&env, false);
        let result = env.execute("doors");
        let text = result.as_ref().map(|_| ()).unwrap_err().to_string();
        let failure = failure_of(result);
        assert_eq!(failure.code, "WEIR-TASK-0001");
        assert_eq!(failure.origin, FailureOrigin::User);
        assert_eq!(failure.operator.as_deref(), Some("Doorman"));
        assert!(failure.task.as_deref().is_some_and(|task| task.ends_with("(1/1)")), "{failure:?}");
        assert!(failure.message.contains("13 is not welcome"), "{failure:?}");
        assert!(failure.message.contains("failures.rs:"), "the place is named: {failure:?}");
        assert!(text.contains("Doorman") && text.contains("13 is not welcome"), "{text}");
    });
}

#[test]
fn without_restarts_the_first_error_fails_the_job() {
    within_patience(|| {
        let env = env([("restart-strategy.type", "none")]);
        fails_at_13(&env, true);
        let failure = failure_of(env.execute("doors"));
        assert_eq!(failure.code, "WEIR-TASK-0002");
        assert_eq!(failure.operator.as_deref(), Some("Doorman"));
        assert_eq!(failure.message, "13 is not welcome");
    });
}

#[test]
fn the_subtask_that_failed_is_named() {
    within_patience(|| {
        let env = env([("parallelism.default", 4)]);
        env.sequence(0, 3)
            .map(|n| {
                assert_ne!(n, 2, "it is two");
                n
            })
            .name("Third")
            .discard();
        let failure = failure_of(env.execute("who"));
        let task = failure.task.expect("a subtask");
        assert!(task.ends_with("(3/4)"), "{task}");
    });
}

#[test]
fn restarts_are_used_up() {
    within_patience(|| {
        let env = StreamExecutionEnvironment::with_config(config([
            ("restart-strategy.type", "fixed-delay"),
            ("restart-strategy.fixed-delay.attempts", "3"),
            ("restart-strategy.fixed-delay.delay", "0 ms"),
        ]));
        fails_at_13(&env, true);
        let client = env.execute_async("again and again").expect("it starts");
        let view = client.status();
        assert_eq!(view.name, "again and again");
        let failure = failure_of(client.wait());
        assert_eq!(failure.code, "WEIR-TASK-0002");
    });
}

/// Panics in one of its calls.
#[derive(Clone)]
struct Fragile(&'static str);

impl Fragile {
    fn call(&self, name: &str) {
        assert_ne!(self.0, name, "broken in {name}");
    }
}

impl ProcessFunction for Fragile {
    type In = u64;
    type Out = u64;

    fn open(&mut self, _: RuntimeContext<'_>) -> UserResult {
        self.call("open");
        Ok(())
    }

    fn process(&mut self, record: u64, out: &mut Collector<u64>) -> UserResult {
        self.call("process");
        out.collect(record);
        Ok(())
    }

    fn finish(&mut self, _: &mut Collector<u64>) -> UserResult {
        self.call("finish");
        Ok(())
    }

    fn close(&mut self) -> UserResult {
        self.call("close");
        Ok(())
    }
}

#[test]
fn a_panic_in_any_call_of_a_function_names_the_operator() {
    within_patience(|| {
        for call in ["open", "process", "finish", "close"] {
            let env = env([("parallelism.default", 2)]);
            let processed = env.sequence(1, 100).process(Fragile(call)).name("Fragile");
            processed.map(|n| n + 1).name("After").discard();
            let failure = failure_of(env.execute(call));
            assert_eq!(failure.code, "WEIR-TASK-0001", "{call}");
            assert!(failure.message.contains(&format!("broken in {call}")), "{failure:?}");
            assert_eq!(failure.operator.as_deref(), Some("Fragile"), "{call}");
        }
    });
}
