//! Logs: rotated, served in parts, and kept after the end.

use crate::support::{Node, container, shell};

#[test]
fn logs_are_rotated_and_served_whole_and_in_parts() {
    let node =
        Node::start_with(&["weir.node-agent.log.max-size=4 kb", "weir.node-agent.log.max-files=2"]);
    let id = container(1);
    node.run(id, shell("i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done"));
    node.ended(id);
    let shown = node.json(&format!("/ws/v1/node/containers/{id}/logs"));
    let files = shown.pointer("/containerLogsInfo/containerLogInfo").expect("a list");
    let names: Vec<_> = files.as_array().expect("a list").iter().map(|f| &f["fileName"]).collect();
    assert_eq!(names, ["stderr", "stdout", "stdout.1", "stdout.2"]);
    let newest = node.log(id, "stdout");
    assert!(newest.ends_with("line 1999\n"), "{newest}");
    let kept = node.log(id, "stdout.2") + &node.log(id, "stdout.1") + &newest;
    assert!(kept.len() <= 3 * 4096, "{} bytes", kept.len());
    let first: usize = kept.lines().next().expect("a line")[5..].parse().expect("a number");
    let expected: String = (first..2000).map(|i| format!("line {i}\n")).collect();
    assert_eq!(kept, expected, "no line is lost or torn between the files");

    assert_eq!(node.log(id, "stdout?size=-10"), "line 1999\n");
    assert_eq!(node.log(id, "stdout?size=4"), "line");
    let offset = newest.len() - 5;
    assert_eq!(node.log(id, &format!("stdout?offset={offset}")), "1999\n");
    assert_eq!(node.log(id, "stdout?offset=99999999"), "");
    let (status, text) = node.get(&format!("/containerlogs/{id}/stdout?size=-5"));
    assert_eq!((status, text.as_str()), (200, "1999\n"));
}

#[test]
fn only_logs_are_served() {
    let node = Node::start();
    let id = container(1);
    node.run(id, shell("exit 0"));
    node.ended(id);
    for path in [
        format!("/ws/v1/node/containers/{id}/logs/launch"),
        format!("/ws/v1/node/containers/{id}/logs/..%2F..%2F..%2F..%2Ftoken"),
        format!("/ws/v1/node/containers/{id}/logs/%2e%2e"),
        format!("/ws/v1/node/containers/{}/logs", container(2)),
        "/ws/v1/node/containers/..%2F..%2Ftoken/logs".to_owned(),
        format!("/containerlogs/{}/stdout", container(2)),
    ] {
        let (status, body) = node.get(&path);
        assert_eq!(status, 404, "{path}: {body}");
    }
    let (status, body) = node.get(&format!("/ws/v1/node/containers/{id}/logs/stdout?size=x"));
    assert_eq!(status, 400, "{body}");
}

#[test]
fn pipes_and_links_among_the_logs_are_not_followed() {
    let node = Node::start();
    let id = container(1);
    node.run(id, shell("cd $LOG_DIRS; mkfifo fifo; ln -s /etc/passwd link; mkdir folder; echo up"));
    node.ended(id);
    let shown = node.json(&format!("/ws/v1/node/containers/{id}"));
    assert_eq!(shown["container"]["containerLogFiles"], serde_json::json!(["stderr", "stdout"]));
    for name in ["fifo", "link", "folder"] {
        let (status, body) = node.get(&format!("/containerlogs/{id}/{name}"));
        assert_eq!(status, 404, "{name}: {body}");
    }
    assert_eq!(node.log(id, "stdout"), "up\n");
}
