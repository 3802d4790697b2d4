//! Bad input and output: a clear error with its code, nothing overwritten, no file left.

use crate::{
    files::gzip,
    support::{Folder, env, sorted_output, text, within_patience},
};
use std::{fs, os::unix::fs::symlink, path::PathBuf};
use weir::{Error, Result, StreamExecutionEnvironment, connectors::TextFileSource};

/// Environments that must all end at once. Those with a restart strategy would wait for a day
/// before they try again: what no retry mends is not tried again. Those with checkpoints have begun
/// output that will never be committed: no job here takes so long that one is due, and would leave some correctly.
fn environments() -> Vec<StreamExecutionEnvironment> {
    let mut environments = Vec::new();
    for parallelism in ["1", "3"] {
        for restart in ["none", "fixed-delay"] {
            for hosts in ["1", "2"] {
                // An empty value is the default: no checkpoints.
                for checkpoints in ["", "1 h"] {
                    environments.push(env([
                        ("parallelism.default", parallelism),
                        ("restart-strategy.type", restart),
                        ("restart-strategy.fixed-delay.attempts", "5"),
                        ("restart-strategy.fixed-delay.delay", "1 d"),
                        ("weir.local.task-hosts", hosts),
                        ("execution.checkpointing.interval", checkpoints),
                    ]));
                }
            }
        }
    }
    environments
}

#[track_caller]
fn check_error<T>(result: Result<T>, code: &str, parts: &[&str]) {
    let error = result.err().expect("it fails");
    assert_eq!(error.code(), code, "{error}");
    for part in parts {
        assert!(error.to_string().contains(part), "{part:?} is missing in: {error}");
    }
}

/// Copies an input to an output in every environment, and expects it to fail.
fn copying_fails(folder: &Folder, input: &str, code: &str, parts: &[&str]) {
    let before = folder.names();
    for env in environments() {
        env.read_text_file(folder.path(input)).write_as_text(folder.path("out"));
        check_error(env.execute("copy"), code, parts);
        assert_eq!(folder.names(), before, "nothing is left behind");
    }
}

#[test]
fn missing_input_is_named() {
    within_patience(|| {
        let folder = Folder::new();
        fs::create_dir(folder.path("in")).expect("writable");
        copying_fails(&folder, "nowhere.txt", "WEIR-SRC-0001", &["nowhere.txt", "does not exist"]);
        copying_fails(&folder, "in/*.txt", "WEIR-SRC-0001", &["in/*.txt", "no file"]);
    });
}

#[test]
fn unreadable_input_is_named() {
    within_patience(|| {
        let folder = Folder::new();
        // Also root cannot read a link that leads to itself.
        symlink(folder.path("circle"), folder.path("circle")).expect("writable");
        let env = env([("parallelism.default", 2)]);
        env.read_text_file(folder.path("circle")).write_as_text(folder.path("out"));
        check_error(env.execute("copy"), "WEIR-SRC-0002", &["circle"]);
        assert_eq!(folder.names(), ["circle"]);
    });
}

#[test]
fn damaged_compressed_input_is_named() {
    within_patience(|| {
        let folder = Folder::new();
        let whole = gzip(text(1, 2_000).join("\n").as_bytes());
        folder.file("cut.gz", &whole[..whole.len() - 100]);
        folder.file("plain.gz", "this is no gzip\n");
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 0x10;
        folder.file("flipped.gz", &flipped);
        for name in ["cut.gz", "plain.gz", "flipped.gz"] {
            copying_fails(&folder, name, "WEIR-SRC-0003", &[name]);
        }
    });
}

#[test]
fn invalid_utf8_is_found_at_its_byte_or_replaced() {
    within_patience(|| {
        let folder = Folder::new();
        let good = text(1, 20_000).join("\n");
        let offset = good.len() + 5;
        let content = [good.as_bytes(), b"\nbad \xffbyte\n"].concat();
        folder.file("bad.txt", &content);
        folder.file("bad.gz", gzip(&content));
        for name in ["bad.txt", "bad.gz"] {
            let place = format!("byte {offset}");
            copying_fails(&folder, name, "WEIR-SRC-0004", &[name, &place, "lossy_utf8"]);

            let env = env([("parallelism.default", 2)]);
            let out = folder.path(&format!("{name}.out"));
            let source = TextFileSource::new(folder.path(name)).lossy_utf8();
            env.from_source(source).filter(|line| line.contains("bad")).write_as_text(&out);
            env.execute("lossy").expect("bad bytes are replaced");
            assert_eq!(sorted_output(&out), ["bad \u{fffd}byte"]);
            fs::remove_dir_all(out).expect("it is ours");
        }
    });
}

#[test]
fn output_that_exists_is_not_touched() {
    within_patience(|| {
        let folder = Folder::new();
        let input = folder.file("in", "new\n");
        folder.file("file", "precious\n");
        folder.file("folder/part-0", "precious\n");
        fs::create_dir(folder.path("empty")).expect("writable");
        symlink(folder.path("gone"), folder.path("dangling")).expect("writable");
        let before = folder.names();
        for output in ["file", "folder", "empty", "dangling"] {
            for env in environments() {
                env.read_text_file(&input).write_as_text(folder.path(output));
                check_error(env.execute("copy"), "WEIR-SINK-0001", &[output, "exists already"]);
                assert_eq!(folder.names(), before);
            }
        }
        for kept in ["file", "folder/part-0"] {
            assert_eq!(fs::read_to_string(folder.path(kept)).expect("kept"), "precious\n");
        }
    });
}

#[test]
fn a_second_run_does_not_overwrite_the_first() {
    within_patience(|| {
        let folder = Folder::new();
        let copy = |content: &str| {
            let env = env([("parallelism.default", 1)]);
            env.read_text_file(folder.file("in", content)).write_as_text(folder.path("out"));
            env.execute("copy")
        };
        copy("first\n").expect("nothing is there yet");
        check_error(copy("second\n"), "WEIR-SINK-0001", &["out"]);
        assert_eq!(sorted_output(&folder.path("out")), ["first"]);
    });
}

#[test]
fn an_output_below_a_file_is_refused() {
    within_patience(|| {
        let folder = Folder::new();
        let input = folder.file("in", "line\n");
        let env = env([("parallelism.default", 1)]);
        env.read_text_file(&input).write_as_text(folder.path("in/out"));
        check_error(env.execute("copy"), "WEIR-SINK-0002", &["in/out"]);
        assert_eq!(folder.names(), ["in"]);
    });
}

#[test]
fn a_checkpoint_folder_that_cannot_be_made_is_refused_before_anything_runs() {
    within_patience(|| {
        let folder = Folder::new();
        let input = folder.file("in", "line\n");
        let checkpoints: PathBuf = folder.path("in/checkpoints");
        let env = env([("execution.checkpointing.dir", checkpoints.display().to_string())]);
        env.read_text_file(&input).write_as_text(folder.path("out"));
        let error = env.execute("copy").expect_err("it fails");
        assert!(matches!(error, Error::Checkpoints(_)), "{error:?}");
        assert_eq!(error.code(), "WEIR-CKPT-0001");
        assert!(error.to_string().contains("in/checkpoints"), "{error}");
        assert_eq!(folder.names(), ["in"]);
    });
}
