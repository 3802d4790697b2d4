//! `word-count` and `first-job`: counts equal those of `tr`, `sort` and `uniq -c`.

use crate::program::{Folder, Watched, command, finish, names, run, wait_until};
use std::{
    collections::BTreeMap,
    fs, io,
    path::Path,
    process::{Command, Stdio},
};

const WORD_COUNT: &str = env!("CARGO_BIN_EXE_word-count");
const FIRST_JOB: &str = env!("CARGO_BIN_EXE_first-job");

/// This number of lines from the documents and sources of this repository.
fn documents(lines: usize) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let documents = ["README.md", "CONTRIBUTING.md", "docs/configuration.md", "LICENSE"];
    let read = |name: &&str| fs::read_to_string(root.join(name)).expect("a document");
    let text: String = documents.iter().map(read).collect();
    text.lines().cycle().take(lines).flat_map(|line| [line, "\n"]).collect()
}

/// How often each word occurs, by the tools of the system.
fn counted_by_tools(input: &Path) -> BTreeMap<String, u64> {
    let pipeline = "tr -s '[:space:]' '\\n' < \"$1\" | grep . | sort | uniq -c";
    let mut shell = Command::new("sh");
    let shell = shell.env("LC_ALL", "C").args(["-c", pipeline, "sh"]).arg(input);
    let table = run(shell);
    let row = |line: &str| {
        let (count, word) = line.trim_start().split_once(' ').expect("a count and a word");
        (word.to_owned(), count.parse().expect("a number"))
    };
    table.lines().map(row).collect()
}

/// The counts of each word in an output, in order.
fn counts_in(output: &Path) -> BTreeMap<String, Vec<u64>> {
    let parts = if output.is_dir() {
        names(output).iter().map(|name| output.join(name)).collect()
    } else {
        vec![output.to_owned()]
    };
    let mut counts: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for part in parts {
        for line in fs::read_to_string(part).expect("a part").lines() {
            let (word, count) = line.rsplit_once(' ').expect("a word and its count");
            counts.entry(word.to_owned()).or_default().push(count.parse().expect("a number"));
        }
    }
    counts
}

/// Checks that an output has every update of every word once, in order.
#[track_caller]
fn assert_updates(output: &Path, expected: &BTreeMap<String, u64>) {
    let found = counts_in(output);
    for (word, counts) in &found {
        let in_order = counts.iter().copied().eq(1..=counts.len() as u64);
        assert!(in_order, "updates of {word:?} are not in order");
        assert_eq!(Some(&(counts.len() as u64)), expected.get(word), "number of {word:?}");
    }
    assert_eq!(found.len(), expected.len(), "words are missing");
}

fn word_count(input: &Path, output: &Path, settings: &[(&str, &str)]) -> Command {
    let mut command = command(WORD_COUNT, settings);
    command.arg("--input").arg(input).arg("--output").arg(output);
    command
}

#[test]
fn counts_equal_those_of_the_systems_tools() {
    let folder = Folder::new();
    let input = folder.file("input", &documents(3_000));
    let expected = counted_by_tools(&input);
    for parallelism in ["1", "2", "4"] {
        for mode in ["STREAMING", "BATCH"] {
            let output = folder.path(&format!("{mode}-{parallelism}"));
            let settings = [("parallelism.default", parallelism), ("execution.runtime-mode", mode)];
            let printed = run(&mut word_count(&input, &output, &settings));
            assert!(printed.starts_with("Job has been submitted with JobID "), "{printed}");
            assert!(printed.contains("\nProgram execution finished\n"), "{printed}");
            assert!(printed.contains("\nJob Runtime: "), "{printed}");
            if mode == "STREAMING" {
                assert_updates(&output, &expected);
            } else {
                let once = |(word, count): (&String, &u64)| (word.clone(), vec![*count]);
                assert_eq!(counts_in(&output), expected.iter().map(once).collect());
            }
        }
    }
    assert_eq!(folder.names().len(), 7, "the input, six outputs, nothing else");
}

#[test]
fn panics_do_not_show_in_the_output() {
    let folder = Folder::new();
    let input = folder.file("input", &documents(40_000));
    let expected = counted_by_tools(&input);
    for parallelism in ["1", "2", "4"] {
        let output = folder.path(parallelism);
        let settings = [
            ("parallelism.default", parallelism),
            ("execution.checkpointing.interval", "10 ms"),
            ("restart-strategy.type", "fixed-delay"),
            ("restart-strategy.fixed-delay.attempts", "100000"),
            ("restart-strategy.fixed-delay.delay", "0 ms"),
        ];
        let mut command = word_count(&input, &output, &settings);
        run(command.args(["--panics-per-million", "30"]));
        assert_updates(&output, &expected);
    }
}

#[test]
fn panics_end_a_job_that_does_not_restart() {
    let folder = Folder::new();
    let input = folder.file("input", &documents(10));
    let mut command = word_count(&input, &folder.path("out"), &[]);
    let output = finish(command.args(["--panics-per-million", "1000000"]));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("a defect that shows now and then"), "{stderr}");
    assert!(stderr.contains("[WEIR-TASK-0001]"), "{stderr}");
    assert_eq!(folder.names(), ["input"]);
}

#[test]
fn a_killed_word_count_continues_from_its_checkpoint() {
    let folder = Folder::new();
    let input = folder.file("input", &documents(150_000));
    let output = folder.path("counts");
    let slow = folder.file("slow", "");
    let checkpoints = folder.path("checkpoints").display().to_string();
    let settings = [
        ("parallelism.default", "2"),
        ("execution.checkpointing.interval", "10 ms"),
        ("execution.checkpointing.dir", checkpoints.as_str()),
    ];
    for log_records in [4, 10] {
        let mut command = word_count(&input, &output, &settings);
        command.arg("--slow-while").arg(&slow);
        let child = command.stdout(Stdio::null()).spawn().expect("it starts");
        let mut watched = Watched(Some(child));
        wait_until("its log grows", || {
            assert_eq!(watched.child().try_wait().expect("ours"), None, "it is killed first");
            let log = fs::read_dir(folder.path("checkpoints/log"));
            log.is_ok_and(|log| log.count() >= log_records)
        });
    }
    run(&mut word_count(&input, &output, &settings));
    assert_updates(&output, &counted_by_tools(&input));
    assert_eq!(folder.names(), ["checkpoints", "counts", "input", "slow"]);
}

#[test]
fn without_an_output_counts_are_printed_with_their_subtask() {
    let folder = Folder::new();
    let input = folder.file("input", "b a\na\n");
    let printed = |parallelism| {
        let settings = [("parallelism.default", parallelism), ("execution.runtime-mode", "BATCH")];
        let text = run(command(WORD_COUNT, &settings).arg("--input").arg(&input));
        let is_count = |line: &&str| line.ends_with(" 1") || line.ends_with(" 2");
        let mut lines: Vec<String> = text.lines().filter(is_count).map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(printed("1"), ["a 2", "b 1"]);
    let with_subtask = printed("2");
    let (subtasks, counts): (Vec<&str>, Vec<&str>) =
        with_subtask.iter().map(|line| line.split_once("> ").expect("a prefix")).unzip();
    assert!(subtasks.iter().all(|subtask| ["1", "2"].contains(subtask)), "{with_subtask:?}");
    let mut counts = counts;
    counts.sort_unstable();
    assert_eq!(counts, ["a 2", "b 1"]);
}

#[test]
fn a_failed_job_ends_its_program_with_an_error() {
    let folder = Folder::new();
    let output = finish(&mut word_count(&folder.path("nowhere"), &folder.path("out"), &[]));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("nowhere") && stderr.contains("[WEIR-SRC-0001]"), "{stderr}");
    assert_eq!(folder.names(), [""; 0]);
}

#[test]
fn the_first_job_prints_every_update() {
    let printed = run(&mut command(FIRST_JOB, &[]));
    let updates: Vec<&str> = printed.lines().filter(|line| line.starts_with('(')).collect();
    let words = ["to", "be", "or", "not", "to", "be", "that", "is", "the", "question"];
    let expected = (0..).zip(words).map(|(at, word)| {
        let count = 1 + words[..at].iter().filter(|earlier| **earlier == word).count();
        format!("({word:?}, {count})")
    });
    assert_eq!(updates, expected.collect::<Vec<_>>());
}

/// `first-job | head -0`: a closed standard output does not fail the job.
#[test]
fn a_job_with_a_closed_output_pipe_succeeds() {
    for is_stderr_read in [true, false] {
        let closed = || {
            let (reader, writer) = io::pipe().expect("a pipe");
            drop(reader);
            writer
        };
        let mut command = command(FIRST_JOB, &[("weir.progress", "always")]);
        command.stdout(closed());
        if is_stderr_read {
            command.stderr(Stdio::piped())
        } else {
            command.stderr(closed())
        };
        let output = Watched(Some(command.spawn().expect("it starts"))).wait();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {stderr}", output.status);
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
}
