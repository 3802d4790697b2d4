//! Text files as input: whole, in folders, by glob, compressed, and cut into pieces.

use crate::support::{Folder, env, sorted_output, text, within_patience};
use flate2::{Compression, write::GzEncoder};
use std::{fs, io::Write, path::Path};
use weir::{StreamExecutionEnvironment, connectors::TextFileSource, prelude::*};

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// The lines a job reads, sorted, with what else it shows of itself.
fn lines_read(
    parallelism: u32,
    read: impl FnOnce(&StreamExecutionEnvironment) -> DataStream<Text>,
) -> Vec<String> {
    let folder = Folder::new();
    let env = env([("parallelism.default", parallelism)]);
    read(&env).write_as_text(folder.path("out"));
    env.execute("read").expect("it finishes");
    sorted_output(&folder.path("out"))
}

fn read_path(parallelism: u32, path: &Path) -> Vec<String> {
    let path = path.to_owned();
    lines_read(parallelism, move |env| env.read_text_file(path))
}

fn sorted(lines: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = lines.into_iter().collect();
    lines.sort();
    lines
}

#[test]
fn a_compressed_file_is_read_like_a_plain_one() {
    within_patience(|| {
        let folder = Folder::new();
        let lines = text(1, 5_000);
        let content = lines.join("\n");
        // Two members, as `cat a.gz b.gz` makes them.
        let (first, second) = content.split_at(content.len() / 2);
        let both = [gzip(first.as_bytes()), gzip(second.as_bytes())].concat();
        let path = folder.file("two-members.gz", both);
        for parallelism in [1, 2] {
            assert_eq!(read_path(parallelism, &path), sorted(lines.clone()));
        }
    });
}

#[test]
fn folders_and_globs_are_read_as_their_files() {
    within_patience(|| {
        let folder = Folder::new();
        folder.file("in/a.txt", "a1\na2\n");
        folder.file("in/deep/er/b.log.gz", gzip(b"b1\r\nb2"));
        folder.file("in/.hidden", "never");
        folder.file("in/_SUCCESS", "never");
        fs::create_dir(folder.path("in/empty")).expect("writable");
        let cases: [(&str, &[&str]); 5] = [
            ("in", &["a1", "a2", "b1", "b2"]),
            ("in/*.txt", &["a1", "a2"]),
            ("in/**/*.gz", &["b1", "b2"]),
            ("in/[ad]*", &["a1", "a2", "b1", "b2"]),
            ("in/empty", &[]),
        ];
        for (path, expected) in cases {
            for parallelism in [1, 3] {
                assert_eq!(read_path(parallelism, &folder.path(path)), expected, "{path}");
            }
        }
    });
}

#[test]
fn a_file_read_by_four_subtasks_gives_each_line_once() {
    within_patience(|| {
        // Lengths around the pieces' borders: empty lines, long ones, and no newline at the end.
        let lines: Vec<String> = (0..6_000usize)
            .map(|n| format!("{n}{}", "é".repeat(n * n % 41 * usize::from(n % 3 > 0))))
            .chain([String::new(), "x".repeat(100_000), "last".to_owned()])
            .collect();
        let folder = Folder::new();
        for (name, end) in [("unix", "\n"), ("dos", "\r\n")] {
            let path = folder.file(name, lines.join(end));
            for piece_bytes in [7, 1_000, 65_536, u64::MAX] {
                let path = path.clone();
                let found = lines_read(4, move |env| {
                    env.from_source(TextFileSource::new(path).split_size_bytes(piece_bytes))
                });
                assert!(found == sorted(lines.clone()), "{name} in pieces of {piece_bytes} bytes");
            }
        }
    });
}

#[test]
fn all_subtasks_take_part_in_reading_a_cut_file() {
    within_patience(|| {
        let folder = Folder::new();
        let path = folder.file("in", text(2, 4_000).join("\n"));
        let env = env([("parallelism.default", 4)]);
        let lines = env.from_source(TextFileSource::new(path).split_size_bytes(1_000));
        lines.write_as_text(folder.path("out"));
        env.execute("shares").expect("it finishes");
        for part in 0..4 {
            let part =
                fs::read_to_string(folder.path(&format!("out/part-{part}"))).expect("a part");
            assert!(part.lines().count() > 500, "the bytes are dealt evenly");
        }
    });
}

#[test]
fn a_subtask_without_records_leaves_an_empty_part() {
    within_patience(|| {
        let folder = Folder::new();
        let env = env([("parallelism.default", 3)]);
        env.read_text_file(folder.file("in", "one line\n")).write_as_text(folder.path("out"));
        env.execute("parts").expect("it finishes");
        let names = |path| {
            let entries = fs::read_dir(path).expect("a folder");
            sorted(entries.map(|e| e.expect("readable").file_name().into_string().expect("text")))
        };
        assert_eq!(names(folder.path("out")), ["part-0", "part-1", "part-2"]);
        assert_eq!(sorted_output(&folder.path("out")), ["one line"]);
    });
}

#[test]
fn an_empty_input_gives_an_empty_output() {
    within_patience(|| {
        for mode in ["STREAMING", "BATCH"] {
            let folder = Folder::new();
            let env = env([("execution.runtime-mode", mode)]);
            let lines = env.read_text_file(folder.file("in", ""));
            crate::support::count(lines)
                .write_as_text_with(folder.path("out"), crate::support::as_line);
            env.execute("nothing").expect("it finishes");
            assert_eq!(fs::read(folder.path("out")).expect("a file"), b"", "{mode}");
        }
    });
}

/// Regression: one that kept its checkpoints in a folder was not cleaned up, although it does not start
/// again.
#[test]
fn a_job_that_has_failed_for_good_leaves_nothing_in_progress() {
    const LAST: u64 = 3_000_000;
    within_patience(|| {
        let interval = ("execution.checkpointing.interval", "10 ms");
        let restarts = [
            ("restart-strategy.type", "fixed-delay"),
            ("restart-strategy.fixed-delay.attempts", "3"),
            ("restart-strategy.fixed-delay.delay", "0 ms"),
        ];
        let no_restart = ("restart-strategy.type", "none");
        for parallelism in ["1", "3"] {
            for hosts in ["1", "2"] {
                let common = [
                    ("parallelism.default", parallelism),
                    ("weir.local.task-hosts", hosts),
                    ("execution.buffer-timeout.interval", "0"),
                ];
                let in_folder = ("execution.checkpointing.dir", "");
                let cases: [Vec<_>; 4] = [
                    vec![no_restart],
                    vec![no_restart, interval],
                    vec![no_restart, interval, in_folder],
                    [&restarts[..], &[interval, in_folder]].concat(),
                ];
                for case in cases {
                    let name = format!("{common:?} {case:?}");
                    let (folder, checkpoints) = (Folder::new(), Folder::new());
                    let settings = common.into_iter().chain(case).map(|(key, value)| match key {
                        "execution.checkpointing.dir" => {
                            (key, checkpoints.path("chk").display().to_string())
                        }
                        _ => (key, value.to_owned()),
                    });
                    let env = env(settings);
                    let segments = folder.path(".out.inprogress");
                    let checked = env.sequence(0, LAST).try_map(move |n| {
                        // So little is written that only a barrier makes a segment.
                        let has_segment = n % 64 == 0
                            && fs::read_dir(&segments)
                                .is_ok_and(|mut entries| entries.next().is_some());
                        if has_segment || n == LAST { Err("enough".into()) } else { Ok(n) }
                    });
                    checked.filter(|n| n % 10_000 == 0).write_as_text(folder.path("out"));
                    let error = env.execute("fails").expect_err("it fails");
                    assert_eq!(error.code(), "WEIR-TASK-0002", "{name}");
                    let names = folder.names();
                    assert!(names.is_empty() || names == ["out"], "{names:?} {name}");
                }
            }
        }
    });
}
