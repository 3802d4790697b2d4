//! A task manager against a job master of the test, over a real socket, with real children.

mod fake;

use fake::{Connected, JobMaster, settings};
use std::{
    fs,
    path::Path,
    process::{Child, Command},
};
use weir_base::LeaderEpoch;
use weir_protocol::{
    challenge::JobKey,
    control::{HostEnd, ManagerOrder, ManagerReport, VERSION},
};
use weir_service::ProcessId;

#[test]
fn host_that_ends_by_itself_is_reported_with_its_exit_code() {
    let (master, manager) = JobMaster::with_manager();
    let mut peer = master.admit();
    assert_eq!(peer.introduction.slots, 2);
    peer.start_host(0, "echo to the log; exit 3");
    assert!(matches!(peer.report(), ManagerReport::HostStarted { host: 0, .. }));
    let HostEnd { host, code, reason } = peer.host_end();
    assert_eq!((host, code.as_str()), (0, "WEIR-TM-0002"));
    assert_eq!(reason, "ended with exit code 3");
    peer.order(ManagerOrder::Shutdown);
    assert!(manager.join().expect("no panic").is_ok());
}

#[test]
fn host_gets_only_the_variables_of_its_launch() {
    let (master, manager) = JobMaster::with_manager();
    let mut peer = master.admit();
    peer.start_host(7, "env > \"$1\"; pwd >> \"$1\"");
    peer.host_end();
    let seen = fs::read_to_string(master.folder().join("out")).expect("written");
    let has = |line: &str| seen.lines().any(|seen| seen == line);
    for line in ["WEIR_ROLE=task", "WEIR_TASK_HOST=7", "WEIR_LEADER_EPOCH=4", "WEIR_JOB_ORDINAL=0"]
    {
        assert!(has(line), "{line} is missing in\n{seen}");
    }
    assert!(has(&format!("WEIR_JOB={}", master.job())), "{seen}");
    // Cargo's variables are in this process's environment and no business of a job.
    assert!(!seen.contains("CARGO_"), "{seen}");
    assert!(has(master.folder().to_str().expect("text")), "{seen}");
    drop(peer);
    assert_eq!(manager.join().expect("no panic").expect_err("lost").code(), "WEIR-TM-0006");
}

#[test]
fn host_that_cannot_be_started_is_reported() {
    let (master, _manager) = JobMaster::with_manager();
    let mut peer = master.admit();
    for (number, name) in [(0, "missing"), (1, "../sh"), (2, "not-executable")] {
        fs::write(master.folder().join("not-executable"), "no").expect("written");
        peer.start_executable(number, name);
        let HostEnd { host, code, reason } = peer.host_end();
        assert_eq!((host, code.as_str()), (number, "WEIR-TM-0001"), "{reason}");
    }
}

#[test]
fn host_above_its_memory_is_killed_with_the_numbers() {
    let (master, _manager) = JobMaster::with_manager();
    let mut peer = master.admit();
    // The shell's child holds the memory: the tree counts, not the process.
    let hog = "sh -c 'x=$(head -c 60000000 /dev/zero | tr \"\\0\" x); sleep 600' & wait";
    peer.start_host(0, hog);
    let HostEnd { code, reason, .. } = peer.host_end();
    assert_eq!(code, "WEIR-TM-0003", "{reason}");
    assert!(reason.contains("32 mb are allowed"), "{reason}");
}

#[test]
fn stopped_host_ends_by_its_lifeline_or_by_force() {
    let (master, _manager) = JobMaster::with_manager();
    let mut peer = master.admit();
    // It does not look at its lifeline, nor does its child.
    peer.start_host(0, "trap '' TERM; sleep 600 & echo $! > \"$1\"; wait; sleep 600");
    let pid = master.read_number("out");
    let child = ProcessId::of(pid).expect("it runs");
    peer.order(ManagerOrder::StopHost { host: 0 });
    peer.host_end();
    fake::wait_until("the child has ended", || !child.is_alive());
}

#[test]
fn processes_in_another_session_end_with_their_host() {
    let (master, _manager) = JobMaster::with_manager();
    let mut peer = master.admit();
    // The host ends by itself, and only the mark tells whose the other one is.
    let begin = "sleep 600 & echo $! > \"$1.draft\"; mv \"$1.draft\" \"$1\"";
    peer.start_host(0, &format!("setsid {begin}; while ! [ -e \"$1.go\" ]; do sleep 0.01; done"));
    let left = ProcessId::of(master.read_number("out")).expect("it runs");
    fs::write(master.folder().join("out.go"), b"").expect("written");
    peer.host_end();
    fake::wait_until("it has ended", || !left.is_alive());
    fs::remove_file(master.folder().join("out")).expect("there");
    // The other one has no mark, and loses its parent when the host is killed.
    peer.start_host(1, &format!("trap '' TERM; env -i setsid {begin}; wait"));
    let left = ProcessId::of(master.read_number("out")).expect("it runs");
    peer.order(ManagerOrder::StopHost { host: 1 });
    peer.host_end();
    fake::wait_until("it has ended", || !left.is_alive());
}

#[test]
fn hosts_end_with_the_control_connection() {
    let (master, manager) = JobMaster::with_manager();
    let mut peer = master.admit();
    peer.start_host(0, "echo $$ > \"$1\"; exec sleep 600");
    let host = ProcessId::of(master.read_number("out")).expect("it runs");
    drop(peer);
    assert_eq!(manager.join().expect("no panic").expect_err("lost").code(), "WEIR-TM-0006");
    fake::wait_until("the host has ended", || !host.is_alive());
}

#[test]
fn orders_of_an_older_leader_are_ignored() {
    let (master, manager) = JobMaster::with_manager();
    let mut peer = master.admit();
    peer.order_as(LeaderEpoch(3), ManagerOrder::Shutdown);
    peer.start_host(0, "exit 0");
    assert_eq!(peer.host_end().host, 0);
    peer.order(ManagerOrder::Shutdown);
    assert!(manager.join().expect("no panic").is_ok());
}

/// The beginning of a connection in this version of the protocol, and what follows it.
fn greeting(then: &[u8]) -> Vec<u8> {
    [b"WEIRCTRL", &VERSION.to_le_bytes()[..], then].concat()
}

#[test]
fn orders_without_the_key_are_refused() {
    type Admit = fn(&JobMaster);
    let cases: [(Admit, &str); 5] = [
        (|master| master.answer(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "WEIR-CTRL-0001"),
        (|master| master.answer(b"WEIRCTRL\x63\x00"), "WEIR-CTRL-0002"),
        (|master| master.answer(&greeting(b"\xff\xff\xff\xff")), "WEIR-CTRL-0003"),
        (|master| master.answer(&greeting(b"\x01\x00\x00\x00\xc1")), "WEIR-CTRL-0004"),
        (|master| master.challenge_with(&JobKey::new([9; 32])), "WEIR-CTRL-0005"),
    ];
    for (admit, code) in cases {
        let (master, manager) = JobMaster::with_manager();
        admit(&master);
        assert_eq!(manager.join().expect("no panic").expect_err(code).code(), code);
    }
}

#[test]
fn refusal_is_passed_on() {
    let (master, manager) = JobMaster::with_manager();
    master.refuse("WEIR-AM-0001", "not leased");
    let error = manager.join().expect("no panic").expect_err("refused");
    assert_eq!(error.code(), "WEIR-CTRL-0006");
    assert!(error.to_string().contains("not leased"), "{error}");
}

/// Not a separate test: the task manager that the next test kills.
#[test]
#[ignore = "a process of the test below"]
fn task_manager_of_its_own_process() {
    let folder = std::env::current_dir().expect("a folder");
    let settings = settings(Path::new(&folder), &std::env::var("JOB_MASTER").expect("given"));
    let _ = weir_task_manager::run_with(&settings);
}

/// A task manager in a separate process, with a task host that ends with its lifeline, as a job executable
/// does.
fn manager_process(master: &JobMaster) -> (Child, Connected, ProcessId) {
    let manager = Command::new(std::env::current_exe().expect("known"))
        .args(["--exact", "--ignored", "task_manager_of_its_own_process"])
        .current_dir(master.folder())
        .env("JOB_MASTER", master.address())
        .env("WEIR_CONTAINER_FOLDER", master.folder())
        .spawn()
        .expect("started");
    let mut peer = master.admit();
    peer.start_host(0, "echo $$ > \"$1\"; eval \"read x <&$WEIR_LIFELINE_FD\"; exit 0");
    let host = ProcessId::of(master.read_number("out")).expect("it runs");
    (manager, peer, host)
}

#[test]
fn hosts_end_with_a_killed_task_manager() {
    let master = JobMaster::new();
    let (mut manager, _peer, host) = manager_process(&master);
    let environment = fs::read_to_string(format!("/proc/{}/environ", host.pid)).expect("readable");
    let mark = format!("WEIR_CONTAINER_FOLDER={}", master.folder().display());
    assert!(environment.split('\0').any(|one| one == mark), "the agent finds it by that");
    manager.kill().expect("killed");
    manager.wait().expect("ended");
    fake::wait_until("the host has ended", || !host.is_alive());
}

#[test]
fn task_manager_ends_its_hosts_before_it_ends_by_a_signal() {
    let master = JobMaster::new();
    let (mut manager, _peer, host) = manager_process(&master);
    let own = ProcessId::of(manager.id()).expect("it runs");
    own.signal(libc::SIGTERM).expect("ours");
    assert!(manager.wait().expect("ended").success());
    fake::wait_until("the host has ended", || !host.is_alive());
}
