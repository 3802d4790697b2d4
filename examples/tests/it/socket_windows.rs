//! `socket-window-word-count` against a server of the test.

use crate::program::{Watched, command};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    process::Stdio,
};

#[test]
fn words_of_a_socket_are_counted_in_windows() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("bound").port().to_string();
    let mut command =
        command(env!("CARGO_BIN_EXE_socket-window-word-count"), &[("parallelism.default", "2")]);
    command.args(["--hostname", "127.0.0.1", "--port", &port]).stdout(Stdio::piped());
    command.stderr(Stdio::null());
    let mut watched = Watched(Some(command.spawn().expect("it starts")));
    let stdout = watched.child().stdout.take().expect("piped");
    let mut lines = BufReader::new(stdout).lines().map(|line| line.expect("text"));

    let (mut connection, _) = listener.accept().expect("the job connects");
    connection.write_all(b"to be or not\nto be\n").expect("it reads");
    // All words come at once, but a window may end between them.
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    while found.values().sum::<u64>() < 6 {
        let line = lines.next().expect("the job goes on");
        if let Some((word, count)) = line.split_once(" : ") {
            *found.entry(word.to_owned()).or_default() += count.parse::<u64>().expect("a number");
        }
    }
    let expected = [("be", 2), ("not", 1), ("or", 1), ("to", 2)];
    assert_eq!(found, expected.map(|(word, count)| (word.to_owned(), count)).into());

    drop(connection);
    let rest: Vec<String> = lines.collect();
    assert!(rest.iter().any(|line| line == "Program execution finished"), "{rest:?}");
    assert!(watched.wait().status.success());
}
