//! The word count equals a count made without the engine: at every parallelism, in every mode,
//! with one task host and with two that exchange records over TCP.

use crate::support::{
    Folder, as_line, assert_each_update_once, assert_final_counts, count, count_words, env, text,
    within_patience,
};

const PARALLELISMS: [u32; 3] = [1, 2, 4];

struct Case {
    parallelism: u32,
    mode: &'static str,
    task_hosts: u32,
}

impl Case {
    fn all() -> impl Iterator<Item = Self> {
        PARALLELISMS.into_iter().flat_map(|parallelism| {
            ["STREAMING", "BATCH", "AUTOMATIC"].into_iter().flat_map(move |mode| {
                [1, 2].map(|task_hosts| Self { parallelism, mode, task_hosts })
            })
        })
    }

    fn run(&self) {
        let folder = Folder::new();
        let lines = text(7, 3_000);
        let input = folder.file("input.txt", lines.join("\n"));
        let output = folder.path("counts");
        let env = env([
            ("parallelism.default", self.parallelism.to_string()),
            ("execution.runtime-mode", self.mode.to_owned()),
            ("weir.local.task-hosts", self.task_hosts.to_string()),
        ]);
        count(env.read_text_file(&input)).write_as_text_with(&output, as_line);
        let result = env.execute("word count").expect("the job finishes");

        assert_eq!((result.name.as_str(), result.restarts), ("word count", 0));
        let expected = count_words(&lines);
        match self.mode {
            "STREAMING" => assert_each_update_once(&output, &expected),
            _ => assert_final_counts(&output, &expected),
        }
        assert_eq!(output.is_dir(), self.parallelism > 1, "one file, or a folder of parts");
        assert_eq!(folder.names(), ["counts", "input.txt"], "nothing else is left");
    }
}

#[test]
fn counts_equal_an_independent_count() {
    within_patience(|| Case::all().for_each(|case| case.run()));
}

#[test]
fn operators_report_received_and_emitted_records() {
    let lines = text(8, 500);
    let words: u64 = count_words(&lines).values().sum();
    let env = env([("parallelism.default", 2)]);
    let stream = env.from_collection(lines.iter().map(|line| line.as_str().into()).collect());
    count(stream).discard();
    let result = env.execute("counters").expect("the job finishes");
    let rows: Vec<(&str, u32, u64, u64)> = result
        .operators
        .iter()
        .map(|row| (row.name.as_str(), row.parallelism, row.records_in, row.records_out))
        .collect();
    assert_eq!(
        rows,
        [
            // Its input is what it reads from outside.
            ("Source: Collection Source", 1, 500, 500),
            ("Flat Map", 2, 500, words),
            ("Sum", 2, words, words),
            ("Sink: Discard", 2, words, 0),
        ]
    );
}
