//! A job on a socket that the test serves: lines as they come, in windows of processing time.

use crate::support::{env, wait_until, within_patience};
use std::{
    collections::BTreeMap,
    io::Write,
    net::TcpListener,
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};
use weir::{Error, JobStatus, StreamExecutionEnvironment, prelude::*};

fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    (listener, port)
}

/// Word counts by window of a socket's lines; each result goes to the channel.
fn count_windows(env: &StreamExecutionEnvironment, port: u16) -> mpsc::Receiver<(String, u64)> {
    let (sender, results) = mpsc::channel();
    let sender = Arc::new(Mutex::new(sender));
    env.socket_text_stream("127.0.0.1", port)
        .flat_map(crate::support::split_words)
        .key_by(|(word, _)| word.clone())
        .window(TumblingProcessingTimeWindows::of(Duration::from_millis(20)))
        .sum(|(_, count)| count)
        .map(move |(word, count)| {
            let result = (word.as_str().to_owned(), count);
            sender.lock().expect("whole").send(result).expect("the test listens");
            count
        })
        .discard();
    results
}

#[test]
fn windows_of_a_socket_count_every_word_once() {
    within_patience(|| {
        for (parallelism, hosts) in [(1, 1), (2, 1), (2, 2)] {
            let (listener, port) = listen();
            let env = env([("parallelism.default", parallelism), ("weir.local.task-hosts", hosts)]);
            let results = count_windows(&env, port);
            let client = env.execute_async("windows").expect("it starts");
            let (mut connection, _) = listener.accept().expect("the job connects");

            let mut found: BTreeMap<String, u64> = BTreeMap::new();
            for round in 1..=3 {
                connection.write_all(b"to be or not\r\nto be\n").expect("it reads");
                // Windows close by themselves, while the socket stays open.
                while found.values().sum::<u64>() < round * 6 {
                    let (word, count) = results.recv().expect("a window closes");
                    *found.entry(word).or_default() += count;
                }
            }
            let expected = [("be", 6), ("not", 3), ("or", 3), ("to", 6)];
            assert_eq!(found, expected.map(|(word, count)| (word.to_owned(), count)).into());

            drop(connection);
            let result = client.wait().expect("the job ends with its input");
            assert_eq!(result.restarts, 0);
        }
    });
}

#[test]
fn a_record_is_not_held_back_for_a_full_batch() {
    within_patience(|| {
        let (listener, port) = listen();
        let env = env([("parallelism.default", 2)]);
        let (sender, seen) = mpsc::channel();
        let sender = Arc::new(Mutex::new(sender));
        env.socket_text_stream("127.0.0.1", port)
            .key_by(|line| line.clone())
            .reduce(|_, _| {})
            .map(move |line| {
                sender.lock().expect("whole").send(line.as_str().to_owned()).expect("listens");
                0u8
            })
            .discard();
        let client = env.execute_async("echo").expect("it starts");
        let (mut connection, _) = listener.accept().expect("the job connects");
        for line in ["one", "two", "three"] {
            connection.write_all(format!("{line}\n").as_bytes()).expect("it reads");
            assert_eq!(seen.recv().expect("before the next line is sent"), line);
        }
        client.cancel();
        assert!(matches!(client.wait(), Err(Error::JobCanceled)));
    });
}

#[test]
fn refused_connection_is_an_error_that_names_the_address() {
    within_patience(|| {
        // A separate address: no other program takes the port that is released.
        let listener = TcpListener::bind(("127.0.0.5", 0)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        drop(listener);
        let env = env([("parallelism.default", 1)]);
        env.socket_text_stream("127.0.0.5", port).discard();
        let error = env.execute("alone").expect_err("no program listens");
        assert_eq!(error.code(), "WEIR-SRC-0010", "{error}");
        assert!(error.to_string().contains(&port.to_string()), "{error}");
    });
}

#[test]
fn an_idle_socket_job_is_cancelled() {
    within_patience(|| {
        let (listener, port) = listen();
        let env = env([("task.cancellation.timeout", "1 min")]);
        env.socket_text_stream("127.0.0.1", port).discard();
        let client = env.execute_async("idle").expect("it starts");
        let connection = listener.accept().expect("the job connects");
        wait_until("the job runs", || client.status().status == JobStatus::Running);
        client.cancel();
        assert!(matches!(client.wait(), Err(Error::JobCanceled)));
        drop(connection);
    });
}
