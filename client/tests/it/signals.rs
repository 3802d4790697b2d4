//! Signals to `weir`, and its death.

use crate::fixture::{Ended, Folder, hello, send, submitted};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// A job that says it is up, and then waits for its lifeline to end.
fn waiting_job(folder: &Folder, traps: &str) {
    let wait = format!(
        "{traps}\ntouch up\nwhile read -r line; do :; done < \"/dev/fd/$WEIR_LIFELINE_FD\"\n\
         touch released"
    );
    folder.job("job", &[hello(), submitted("a")], &wait);
}

#[test]
fn termination_is_passed_on_and_the_program_waited_for() {
    let folder = Folder::new();
    waiting_job(&folder, "trap 'touch ended; exit 3' TERM");
    let child = folder.start(&mut folder.command(&["run", "job"]));
    folder.wait_for("up");
    send(libc::SIGTERM, child.id());
    Ended::of(child).fails(1, &["job ended with exit code 3", "WEIR-CLI-0008"]);
    assert!(folder.path("ended").exists());
}

#[test]
fn interrupt_that_is_not_the_terminals_is_passed_on() {
    let folder = Folder::new();
    waiting_job(&folder, "");
    let mut command = folder.command(&["run", "job"]);
    // In its own process group it is not in the foreground of a terminal.
    let child = folder.start(command.process_group(0));
    folder.wait_for("up");
    send(libc::SIGINT, child.id());
    let ended = Ended::of(child);
    ended.fails(1, &["job was ended by SIGINT", "not a defect of the program", "WEIR-CLI-0009"]);
}

#[test]
fn program_learns_that_weir_is_dead() {
    let folder = Folder::new();
    waiting_job(&folder, "exec > /dev/null 2>&1");
    let child = folder.start(&mut folder.command(&["run", "job"]));
    folder.wait_for("up");
    send(libc::SIGKILL, child.id());
    assert_eq!(Ended::of(child).code, None);
    folder.wait_for("released");
}

#[test]
fn interrupt_that_was_ignored_stays_ignored() {
    let folder = Folder::new();
    folder.job("job", &[hello(), submitted("a")], "kill -INT $$; kill -INT $PPID; echo survived");
    let mut command = Command::new("/bin/sh");
    let line = "trap '' INT; exec \"$0\" run job";
    command.args(["-c", line, env!("CARGO_BIN_EXE_weir")]).current_dir(folder.path(""));
    let ended = Ended::of(folder.start(&mut command));
    ended.succeeds();
    assert_eq!(ended.stdout, "survived\n");
}
