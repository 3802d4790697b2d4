//! `user-source` and `user-sink`.

use crate::program::{Folder, command, names, run};
use std::fs;

const USER_SOURCE: &str = env!("CARGO_BIN_EXE_user-source");
const USER_SINK: &str = env!("CARGO_BIN_EXE_user-sink");

#[test]
fn a_user_defined_source_is_read_by_any_number_of_subtasks() {
    let maxima = |parallelism: &str| {
        let mut command = command(USER_SOURCE, &[("parallelism.default", parallelism)]);
        let printed = run(command.args(["--thermometers", "3", "--readings", "5000"]));
        let lines = printed.lines().filter_map(|line| line.split_once("thermometer "));
        let mut lines: Vec<String> = lines.map(|(_, maximum)| maximum.to_owned()).collect();
        lines.sort();
        lines
    };
    // Noise of 0 to 25.5 degrees on top of 20, 21 and 22.
    let expected = ["0: 45.5 °C", "1: 46.5 °C", "2: 47.5 °C"];
    for parallelism in ["1", "2", "5"] {
        assert_eq!(maxima(parallelism), expected, "parallelism {parallelism}");
    }
}

#[test]
fn a_user_defined_sink_shows_each_line_once() {
    let folder = Folder::new();
    let lines: Vec<String> = (0..200_000).map(|n| format!("line {n:06}")).collect();
    let input = folder.file("input", &lines.join("\n"));
    for parallelism in ["1", "3"] {
        let outbox = folder.path(parallelism);
        let settings =
            [("parallelism.default", parallelism), ("execution.checkpointing.interval", "10 ms")];
        run(command(USER_SINK, &settings).arg("--input").arg(&input).arg("--outbox").arg(&outbox));
        let messages = names(&outbox);
        assert!(messages.iter().all(|name| !name.starts_with('.')), "all are committed");
        let read = |name: &String| fs::read_to_string(outbox.join(name)).expect("a message");
        let text: String = messages.iter().map(read).collect();
        let mut found: Vec<&str> = text.lines().collect();
        found.sort_unstable();
        assert!(found == lines, "parallelism {parallelism}: each line once");
    }
}
