//! Files that cannot be run, and programs that are no Weir jobs or not whole ones.

use crate::fixture::{Folder, finished, hello, hello_of, submitted};
use std::fs;

#[test]
fn what_cannot_be_started_is_refused_with_the_reason() {
    let folder = Folder::new();
    fs::create_dir(folder.path("folder")).expect("new");
    folder.file("text", "echo this is no program\n", 0o755);
    folder.file("script", "#!/bin/sh\n", 0o644);
    folder.file("job.jar", "PK\x03\x04", 0o755);
    folder.file("orphan", "#!/no/such/interpreter\n", 0o755);
    for (executable, parts) in [
        ("missing", ["there is no such file", "cargo build --release", "WEIR-CLI-0001"]),
        ("text/inside", ["cannot run text/inside", "Not a directory", "WEIR-CLI-0002"]),
        ("folder", ["it is a directory", "target/release", "WEIR-CLI-0002"]),
        ("script", ["it is not executable", "chmod +x ./script", "WEIR-CLI-0002"]),
        ("text", ["neither an ELF executable nor a script", "crate weir", "WEIR-CLI-0002"]),
        ("job.jar", ["zip or jar archive", "native executable", "WEIR-CLI-0002"]),
        ("orphan", ["interpreter or loader it names is missing", "ldd", "WEIR-CLI-0002"]),
    ] {
        for action in ["run", "info"] {
            folder.weir(&[action, executable]).fails(1, &parts);
        }
    }
}

#[test]
fn program_without_environment_is_no_weir_job() {
    let folder = Folder::new();
    folder.script("job", "echo hello");
    let ended = folder.weir(&["run", "job"]);
    let what = "job is not a Weir job: it ended without creating a StreamExecutionEnvironment";
    ended.fails(1, &[what, "WEIR-CLI-0003"]);
    assert_eq!(ended.stdout, "hello\n");
    folder.script("job", "exit 7");
    let what = "job ended with exit code 7 before it created a StreamExecutionEnvironment";
    for action in ["run", "info"] {
        let help = "help: the cause is what the program itself printed above";
        folder.weir(&[action, "job"]).fails(1, &[what, help, "WEIR-CLI-0003"]);
    }
}

#[test]
fn program_that_never_executes_contains_no_job() {
    let folder = Folder::new();
    folder.job("job", &[hello()], "");
    let what = "The program didn't contain a Weir job. Perhaps you forgot to call execute() on the \
                execution environment.";
    for action in ["run", "info"] {
        folder.weir(&[action, "job"]).fails(1, &[what, "WEIR-CLI-0004"]);
    }
}

#[test]
fn job_of_another_release_is_ended() {
    let folder = Folder::new();
    // Waits for the end of its lifeline, as a job does; in a process that is not killed where it is slow.
    let wait = "(cat \"/dev/fd/$WEIR_LIFELINE_FD\"; touch released) & wait";
    folder.job("job", &[hello_of(99), submitted("a")], wait);
    let parts = ["built with Weir 9.8.7 (protocol 99)", "(protocol 2)", "rebuild", "WEIR-CLI-0005"];
    folder.weir(&["run", "job"]).fails(1, &parts);
    folder.wait_for("released");
}

#[test]
fn program_that_writes_something_else_is_killed() {
    let folder = Folder::new();
    folder.script("job", "echo hello > \"/dev/fd/$WEIR_PARENT_FD\"; exec sleep 60");
    folder.weir(&["run", "job"]).fails(1, &["job: message of", "WEIR-CLI-0102"]);
}

#[test]
fn message_cut_short_is_damaged() {
    let folder = Folder::new();
    folder.script("job", "printf '\\100\\0' > \"/dev/fd/$WEIR_PARENT_FD\"");
    folder.weir(&["run", "job"]).fails(1, &["ends within its length", "WEIR-CLI-0103"]);
}

#[test]
fn program_killed_by_a_signal_names_it() {
    let folder = Folder::new();
    folder.job("job", &[hello(), submitted("a")], "kill -KILL $$");
    let parts = ["job was ended by SIGKILL", "memory was exhausted", "WEIR-CLI-0009"];
    folder.weir(&["run", "job"]).fails(1, &parts);
    folder.job("job", &[hello(), submitted("a")], "kill -SEGV $$");
    folder.weir(&["run", "job"]).fails(1, &["job was ended by SIGSEGV", "crashed"]);
}

#[test]
fn program_that_fails_after_its_job_is_a_failure() {
    let folder = Folder::new();
    folder.job("job", &[hello(), submitted("a"), finished("a")], "exit 5");
    folder.weir(&["run", "job"]).fails(1, &["job ended with exit code 5", "WEIR-CLI-0008"]);
}

#[test]
fn child_of_the_program_that_keeps_the_pipe_does_not_keep_weir() {
    let folder = Folder::new();
    // The child ends with the lifeline, which is after weir.
    let child = "cat \"/dev/fd/$WEIR_LIFELINE_FD\" > /dev/null 2>&1 &";
    folder.job("job", &[hello(), submitted("a"), finished("a")], child);
    folder.weir(&["run", "job"]).succeeds();
}
