//! Files of containers: downloaded once, checked, linked into the folder.

use crate::support::{Node, artifact, container, shell};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use weir_protocol::cluster::{LaunchContext, exit_status};

const SCRIPT: &[u8] = b"#!/bin/sh\necho ran $0\n";

fn with_script() -> LaunchContext {
    let command = vec!["./run".to_owned()];
    LaunchContext { command, artifacts: vec![artifact("run", SCRIPT)], ..LaunchContext::default() }
}

fn offer(node: &Node, content: &[u8], as_if: &[u8]) {
    let hash = artifact("", as_if).hash.to_string();
    node.resource_manager.state().artifacts.insert(hash, content.to_vec());
}

#[test]
fn file_is_fetched_once_and_run_by_many_containers() {
    let node = Node::start();
    offer(&node, SCRIPT, SCRIPT);
    for sequence in 1..=2 {
        let id = container(sequence);
        node.run(id, with_script());
        let report = node.ended(id);
        assert_eq!(report.exit_status, Some(0), "{}", report.diagnostics);
        assert!(node.log(id, "stdout").starts_with("ran "));
        let file = node.container_folder(id).join("run").metadata().expect("there");
        assert_eq!(file.permissions().mode() & 0o777, 0o555);
        assert_eq!(file.nlink(), sequence + 1, "a link, not a copy");
    }
    assert_eq!(node.resource_manager.state().downloads, 1);
}

#[test]
fn file_that_is_not_what_its_hash_says_is_refused() {
    for (lie, code) in [
        (&b"#!/bin/sh\necho evil!!\n"[..], "WEIR-NM-0012"),
        (&b"#!/bin/sh\n"[..], "WEIR-NM-0012"),
        (&[b'x'; 1000][..], "WEIR-NM-0012"),
    ] {
        let node = Node::start();
        offer(&node, lie, SCRIPT);
        let id = container(1);
        node.run(id, with_script());
        let report = node.ended(id);
        assert_eq!(report.exit_status, Some(exit_status::INVALID));
        assert!(report.diagnostics.contains(code), "{}", report.diagnostics);
        let cache = node.data_dir().join("cache");
        let left = cache.read_dir().expect("there").count();
        assert_eq!(left, 0, "nothing of it is kept");
        offer(&node, SCRIPT, SCRIPT);
        node.run(container(2), with_script());
        assert_eq!(node.ended(container(2)).exit_status, Some(0), "the right one works later");
    }
}

#[test]
fn file_that_the_resource_manager_lacks_fails_its_container() {
    let node = Node::start();
    let id = container(1);
    node.run(id, with_script());
    let report = node.ended(id);
    assert_eq!(report.exit_status, Some(exit_status::INVALID));
    assert!(report.diagnostics.contains("WEIR-NM-0011"), "{}", report.diagnostics);
    node.run(container(2), shell("exit 0"));
    assert_eq!(node.ended(container(2)).exit_status, Some(0));
}

#[test]
fn file_that_a_container_has_changed_is_fetched_again() {
    let mut node = Node::start();
    offer(&node, SCRIPT, SCRIPT);
    let evil = "chmod u+w run && echo 'echo evil' >> run";
    let changes = |node: &Node, sequence| {
        let launch = LaunchContext { command: shell(evil).command, ..with_script() };
        node.run(container(sequence), launch);
        assert_eq!(node.ended(container(sequence)).exit_status, Some(0));
    };
    let is_whole = |node: &Node, sequence| {
        node.run(container(sequence), with_script());
        assert_eq!(node.ended(container(sequence)).exit_status, Some(0));
        assert!(!node.log(container(sequence), "stdout").contains("evil"));
    };
    changes(&node, 1);
    is_whole(&node, 2);
    is_whole(&node, 3);
    assert_eq!(node.resource_manager.state().downloads, 2);
    changes(&node, 4);
    let address = node.kill_agent();
    node.restart_agent(&address);
    is_whole(&node, 5);
    let original = node.container_folder(container(5)).join("run").metadata().expect("there");
    assert_eq!(original.len(), SCRIPT.len() as u64);
}
