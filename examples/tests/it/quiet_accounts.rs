//! `quiet-accounts` against a server of the test.

use crate::program::{Watched, command};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    process::Stdio,
};

#[test]
fn totals_come_out_when_accounts_are_quiet() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("bound").port().to_string();
    let mut command =
        command(env!("CARGO_BIN_EXE_quiet-accounts"), &[("parallelism.default", "2")]);
    command.args(["--hostname", "127.0.0.1", "--port", &port, "--quiet-ms", "50"]);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut watched = Watched(Some(command.spawn().expect("it starts")));
    let stdout = watched.child().stdout.take().expect("piped");
    let mut lines = BufReader::new(stdout).lines().map(|line| line.expect("text"));

    let (mut connection, _) = listener.accept().expect("the job connects");
    connection.write_all(b"alice 5\nbob 1\nalice 7\n").expect("it reads");
    // An account may be quiet between two of its lines, on a slow machine.
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    while found.values().sum::<u64>() < 13 {
        let line = lines.next().expect("the job goes on");
        if let Some((account, total)) = line.split_once(" : ") {
            *found.entry(account.to_owned()).or_default() +=
                total.parse::<u64>().expect("a number");
        }
    }
    assert_eq!(found, [("alice".to_owned(), 12), ("bob".to_owned(), 1)].into());

    drop(connection);
    assert!(lines.any(|line| line == "Program execution finished"));
    assert!(watched.wait().status.success());
}
