//! Commands in containers: how they run, end and are killed.

use crate::support::{Node, container, shell, wait_for};
use std::fs;
use weir_protocol::cluster::exit_status;

#[test]
fn command_runs_with_its_environment_and_its_exit_code_is_reported() {
    let node = Node::start();
    let id = container(1);
    let mut launch = shell("env | sort; pwd; echo wrong >&2; exit 3");
    launch.environment = vec![("GREETING".to_owned(), "hello there".to_owned())];
    node.run(id, launch);
    let report = node.ended(id);
    assert_eq!((report.exit_status, report.diagnostics.as_str()), (Some(3), ""));
    let out = node.log(id, "stdout");
    let folder = node.container_folder(id).canonicalize().expect("there");
    let logs = folder.ancestors().nth(2).expect("the data folder").join("logs");
    let (host, port) = node.address().split_once(':').expect("host and port");
    for line in [
        format!("CONTAINER_ID={id}"),
        format!("NM_HOST={host}"),
        format!("NM_HTTP_PORT={port}"),
        format!(
            "LOG_DIRS={}",
            logs.join(id.attempt.application.to_string()).join(id.to_string()).display()
        ),
        "WEIR_CONTAINER_MEMORY_MIB=512".to_owned(),
        "GREETING=hello there".to_owned(),
        format!("PWD={}", folder.display()),
        folder.display().to_string(),
    ] {
        assert!(out.lines().any(|found| found == line), "{line} is missing in\n{out}");
    }
    assert!(!out.contains("SECRET_OF_THE_AGENT"), "{out}");
    assert_eq!(node.log(id, "stderr"), "wrong\n");
    let shown = node.json(&format!("/ws/v1/node/containers/{id}"));
    assert_eq!(shown.pointer("/container/exitCode"), Some(&3.into()));
    assert_eq!(shown.pointer("/container/state"), Some(&"COMPLETE".into()));
    node.nothing_is_left();
}

#[test]
fn kill_reaches_grandchildren_that_ignore_sigterm_and_left_the_session() {
    let node = Node::start();
    let id = container(1);
    let deaf = "trap '' TERM; while :; do sleep 1; done";
    let script = format!(
        "trap '' TERM; setsid sh -c \"{deaf}\" & (sh -c \"{deaf}\" &); env -i sh -c \"{deaf}\" & \
         touch begun; {deaf}"
    );
    node.run(id, shell(&script));
    wait_for("it begins", || node.container_folder(id).join("begun").exists().then_some(()));
    node.stop(id);
    let report = node.ended(id);
    assert_eq!(report.exit_status, Some(exit_status::KILLED_BY_APP_MASTER));
    assert_eq!(report.diagnostics, "killed by its app master");
    node.nothing_is_left();
    let exit = fs::read_to_string(node.container_folder(id).join(".weir/exit"));
    assert!(exit.expect("written by the shim").contains("\"exit_status\":137"));
}

#[test]
fn sigterm_gives_the_command_time_to_end() {
    let node = Node::start_with(&["yarn.nodemanager.sleep-delay-before-sigkill.ms=60 s"]);
    let id = container(1);
    node.run(id, shell("trap 'echo bye; exit 0' TERM; touch begun; while :; do sleep 0.01; done"));
    wait_for("it begins", || node.container_folder(id).join("begun").exists().then_some(()));
    node.stop(id);
    node.ended(id);
    assert_eq!(node.log(id, "stdout"), "bye\n");
}

#[test]
fn sigterm_ends_a_command_without_a_handler() {
    let node = Node::start_with(&["yarn.nodemanager.sleep-delay-before-sigkill.ms=1 h"]);
    let id = container(1);
    // No shell, since a shell changes the signal mask.
    node.run(id, shell("exec sleep 600"));
    node.running(id);
    node.stop(id);
    node.ended(id);
    let exit = fs::read_to_string(node.container_folder(id).join(".weir/exit"));
    assert!(exit.expect("written by the shim").contains("\"exit_status\":143"));
}

#[test]
fn killed_shim_leaves_no_process_behind() {
    let node = Node::start();
    let id = container(1);
    let forever = "while :; do sleep 1; done";
    let script = format!("sh -c '{forever}' & setsid sh -c '{forever}' & touch begun; {forever}");
    node.run(id, shell(&script));
    wait_for("it begins", || node.container_folder(id).join("begun").exists().then_some(()));
    // The command may be ahead of the state that its shim has reported.
    node.running(id);
    let shim = node.pid(id, "/shim/pid");
    // SAFETY: plain system call.
    unsafe { libc::kill(shim, libc::SIGKILL) };
    let report = node.ended(id);
    assert_eq!(report.exit_status, Some(137));
    assert!(report.diagnostics.contains("its shim was killed"), "{}", report.diagnostics);
    node.nothing_is_left();
}

#[test]
fn children_that_the_command_leaves_are_killed_with_its_end() {
    let node = Node::start();
    let id = container(1);
    node.run(id, shell("setsid sleep 600 & sleep 600 & exit 0"));
    assert_eq!(node.ended(id).exit_status, Some(0));
    node.nothing_is_left();
}

#[test]
fn repeated_start_runs_the_command_once() {
    let node = Node::start();
    let id = container(1);
    let launch = shell("echo ran; while ! [ -e go ]; do sleep 0.01; done");
    node.run(id, launch.clone());
    node.running(id);
    node.run(id, launch.clone());
    fs::write(node.container_folder(id).join("go"), b"").expect("written");
    node.ended(id);
    node.run(id, launch);
    assert_eq!(node.log(id, "stdout"), "ran\n");
}

#[test]
fn container_above_its_memory_is_killed_with_the_numbers() {
    let node = Node::start();
    let id = container(1);
    let script = "x=$(head -c 100000000 /dev/zero | tr '\\0' a); while :; do sleep 1; done";
    let token = node.token(id, 32);
    node.start_request(&token, shell(script)).expect("accepted");
    let report = node.ended(id);
    assert_eq!(report.exit_status, Some(exit_status::KILLED_EXCEEDING_MEMORY));
    let text = &report.diagnostics;
    let parts = [
        format!("container {id} was killed: its processes used "),
        " mb of 32 mb leased; the largest is ".to_owned(),
        " (pid ".to_owned(),
        " mb [WEIR-NM-0010]".to_owned(),
    ];
    for part in parts {
        assert!(text.contains(&part), "{part:?} is missing in {text:?}");
    }
    node.nothing_is_left();
}

#[test]
fn command_that_cannot_be_started_says_why() {
    let node = Node::start();
    for (sequence, word) in [(1, "./not-there"), (2, "no-such-program")] {
        let id = container(sequence);
        let mut launch = shell("");
        launch.command = vec![word.to_owned()];
        node.run(id, launch);
        let report = node.ended(id);
        assert_eq!(report.exit_status, Some(exit_status::INVALID));
        let expected = format!("{word} cannot be started: No such file or directory");
        assert!(report.diagnostics.starts_with(&expected), "{}", report.diagnostics);
        assert!(report.diagnostics.ends_with("[WEIR-NM-0014]"), "{}", report.diagnostics);
    }
}
