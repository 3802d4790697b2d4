//! Cancelling, also when user code never comes back.

use crate::support::{Folder, env, wait_until, within_patience};
use std::{
    fs,
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver, Sender},
    },
    thread,
};
use weir::{Error, JobClient, JobStatus, StreamExecutionEnvironment, prelude::*};

/// A function that says that it was entered, and then waits until the test lets it go.
#[derive(Clone)]
struct Trap {
    entered: Sender<u64>,
    release: Arc<Mutex<Receiver<()>>>,
}

impl Trap {
    /// The trap, the count of threads in it, and its lock.
    fn new() -> (Self, Receiver<u64>, Sender<()>) {
        let (entered, entries) = mpsc::channel();
        let (held, release) = mpsc::channel();
        (Self { entered, release: Arc::new(Mutex::new(release)) }, entries, held)
    }

    fn enter(&self, record: u64) -> u64 {
        let _ = self.entered.send(record);
        let _ = self.release.lock().expect("not poisoned").recv();
        record
    }
}

/// Whether a thread of this process has a name that begins like this.
fn has_thread(prefix: &str) -> bool {
    let threads = fs::read_dir("/proc/self/task").expect("Linux");
    let name = |entry: fs::DirEntry| fs::read_to_string(entry.path().join("comm"));
    threads.flatten().any(|entry| name(entry).is_ok_and(|name| name.starts_with(prefix)))
}

fn endless(env: &StreamExecutionEnvironment) -> DataStream<u64> {
    env.sequence(0, u64::MAX)
}

fn wait_for_running(client: &JobClient) {
    wait_until("the job runs", || client.status().status == JobStatus::Running);
}

#[test]
fn a_running_job_is_cancelled() {
    within_patience(|| {
        for task_hosts in [1, 2] {
            let env = env([("parallelism.default", 2), ("weir.local.task-hosts", task_hosts)]);
            endless(&env).key_by(|n| *n % 100).reduce(|a, b| *a ^= b).discard();
            let client = env.execute_async("endless").expect("it starts");
            wait_for_running(&client);
            wait_until("records flow", || client.operators().iter().all(|op| op.records_in > 0));
            client.cancel();
            assert!(matches!(client.wait(), Err(Error::JobCanceled)));
        }
    });
}

#[test]
fn cancel_does_not_wait_for_a_function_that_never_returns() {
    within_patience(|| {
        let env = env([("task.cancellation.timeout", "20 ms")]);
        let (trap, entries, held) = Trap::new();
        endless(&env).map(move |n| trap.enter(n)).name("left-behind").start_new_chain().discard();
        let client = env.execute_async("trap").expect("it starts");
        entries.recv().expect("the function is entered");
        client.cancel();
        assert!(matches!(client.wait(), Err(Error::JobCanceled)));
        // A listing may miss a thread while others come and go.
        wait_until("the thread that the test holds", || has_thread("left-behind"));

        drop(held);
        wait_until("the thread ends by itself once it can", || !has_thread("left-behind"));
    });
}

#[test]
fn a_job_that_waits_for_its_restart_is_cancelled() {
    within_patience(|| {
        let env = env([
            ("restart-strategy.type", "fixed-delay"),
            ("restart-strategy.fixed-delay.delay", "1 d"),
        ]);
        env.sequence(1, 2).try_map(|_| UserResult::<u64>::Err("no".into())).discard();
        let client = env.execute_async("tomorrow").expect("it starts");
        wait_until("it restarts", || client.status().status == JobStatus::Restarting);
        client.cancel();
        assert!(matches!(client.wait(), Err(Error::JobCanceled)));
    });
}

#[test]
fn a_backpressured_job_is_cancelled_and_its_threads_end() {
    within_patience(|| {
        let env = env([("task.cancellation.timeout", "1 min"), ("parallelism.default", "2")]);
        let (trap, entries, held) = Trap::new();
        let slow = endless(&env).name("pressed-src").rebalance().map(move |n| trap.enter(n));
        slow.name("pressed-map").discard();
        let client = env.execute_async("pressure").expect("it starts");
        entries.recv().expect("the function is entered");
        wait_until("the sources stand still", || {
            let emitted = || client.operators()[0].records_out;
            let before = emitted();
            (0..1000).for_each(|_| thread::yield_now());
            before > 0 && before == emitted()
        });
        client.cancel();
        drop(held);
        assert!(matches!(client.wait(), Err(Error::JobCanceled)));
        wait_until("its threads are gone", || !has_thread("pressed-"));
    });
}

#[test]
fn a_failure_is_returned_while_another_task_hangs() {
    within_patience(|| {
        let env = env([("task.cancellation.timeout", "20 ms"), ("parallelism.default", "1")]);
        let (trap, entries, held) = Trap::new();
        let numbers = env.sequence(1, 10).name("numbers");
        numbers.clone().map(move |n| trap.enter(n)).start_new_chain().discard();
        let entries = Arc::new(Mutex::new(entries));
        numbers
            .try_map(move |_| {
                // Not before the other one hangs.
                let _ = entries.lock().expect("not poisoned").recv();
                UserResult::<u64>::Err("enough".into())
            })
            .start_new_chain()
            .discard();
        let error = env.execute("one hangs").expect_err("it fails");
        assert_eq!(error.code(), "WEIR-TASK-0002", "{error}");
        drop(held);
    });
}

#[test]
fn a_cancelled_job_keeps_what_it_has_committed() {
    within_patience(|| {
        let folder = Folder::new();
        let output = folder.path("numbers");
        let env = env([
            ("execution.checkpointing.interval", "10 ms"),
            ("execution.buffer-timeout.interval", "0"),
        ]);
        endless(&env).filter(|n| n % 100_000 == 0).write_as_text(&output);
        let client = env.execute_async("cancelled").expect("it starts");
        wait_until("output is committed", || fs::metadata(&output).is_ok_and(|f| f.len() > 0));
        client.cancel();
        assert!(matches!(client.wait(), Err(Error::JobCanceled)));
        let text = fs::read_to_string(&output).expect("committed");
        let expected: Vec<String> =
            (0..text.lines().count()).map(|n| (n * 100_000).to_string()).collect();
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
        assert_eq!(folder.names(), ["numbers"], "what was prepared and not committed is gone");
    });
}
