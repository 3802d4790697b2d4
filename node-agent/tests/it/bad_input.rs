//! Invalid requests and how they are refused.

use crate::support::{Node, artifact, block_on, container, shell, spawn_agent};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};
use weir_base::NodeId;
use weir_protocol::cluster::{LaunchContext, Lease, LeaseToken};
use weir_service::{CallError, Client, Secret};

fn refusal(node: &Node, token: LeaseToken, launch: LaunchContext) -> (u16, String) {
    match node.start_request(&token, launch) {
        Err(CallError::Refused { status, code, .. }) => (status, code),
        other => panic!("{other:?}"),
    }
}

#[test]
fn start_without_a_good_lease_is_refused() {
    let node = Node::start();
    let id = container(1);
    let good = node.token(id, 512);
    let mut changed = good.clone();
    changed.mac[0] ^= 1;
    let claims = Lease {
        container: id,
        node: NodeId(node.address().to_owned()),
        resources: weir_base::Resources { memory_mib: 1, vcores: 1 },
    };
    let foreign = Secret::of_hex("ab".repeat(32)).sign_lease(&claims);
    let elsewhere = Lease { node: NodeId("127.0.0.1:1".to_owned()), ..claims };
    let elsewhere = node.secret.sign_lease(&elsewhere);
    for token in [changed, foreign, LeaseToken { claims: vec![], mac: vec![] }] {
        assert_eq!(refusal(&node, token, shell("")), (401, "WEIR-NM-0003".to_owned()));
    }
    assert_eq!(refusal(&node, elsewhere, shell("")), (403, "WEIR-NM-0004".to_owned()));
    let (status, _) = node.get(&format!("/ws/v1/node/containers/{id}"));
    assert_eq!(status, 404, "nothing was started");
}

#[test]
fn launch_that_makes_no_sense_is_refused() {
    let node = Node::start();
    let mut outside = shell("exit 0");
    outside.artifacts = vec![artifact("../outside", b"x")];
    for launch in [LaunchContext::default(), outside] {
        let token = node.token(container(1), 512);
        assert_eq!(refusal(&node, token, launch), (400, "WEIR-NM-0007".to_owned()));
    }
}

#[test]
fn body_without_a_good_lease_is_not_read() {
    let node = Node::start();
    let mut bad = node.token(container(1), 512);
    bad.mac[0] ^= 1;
    for (authorization, status) in [
        (String::new(), "401"),
        (format!("Authorization: Bearer {bad}\r\n"), "401"),
        (format!("Authorization: Bearer {}\r\n", node.secret.bearer()), "401"),
        // Valid, but larger than any launch.
        (format!("Authorization: Bearer {}\r\n", node.token(container(1), 512)), "413"),
    ] {
        let mut stream = TcpStream::connect(node.address()).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("set");
        let head = format!(
            "POST /internal/v1/containers/start HTTP/1.1\r\nHost: {}\r\nX-Weir-Protocol: 1\r\n\
             {authorization}Content-Length: 60000000\r\n\r\n",
            node.address()
        );
        stream.write_all(head.as_bytes()).expect("sent");
        // The answer comes before any byte of the body is sent.
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).expect("an answer");
        assert!(line.starts_with(&format!("HTTP/1.1 {status}")), "{authorization}: {line}");
    }
}

#[test]
fn invalid_body_with_a_valid_lease_is_refused() {
    let node = Node::start();
    let url = format!("http://{}/internal/v1/containers/start", node.address());
    let token = node.token(container(1), 512);
    let status = block_on(async {
        let request = Client::new().raw().post(&url).bearer_auth(token).body(vec![0xc1; 1000]);
        request.send().await.expect("an answer").status().as_u16()
    });
    assert_eq!(status, 400);
}

#[test]
fn idle_connections_do_not_lock_out_app_masters() {
    weir_service::process::raise_descriptor_limit().expect("raised");
    let node = Node::start();
    let mut flood: Vec<_> =
        (0..1024).map(|_| TcpStream::connect(node.address()).expect("it listens")).collect();
    flood.iter_mut().step_by(2).for_each(|stream| drop(stream.write_all(b"POST / HTTP/1.1\r\n")));
    node.run(container(1), shell("exit 0"));
    node.ended(container(1));
    // The oldest was closed, without an answer about a timeout.
    flood[1].set_read_timeout(Some(Duration::from_secs(60))).expect("set");
    let mut answer = String::new();
    let _ = flood[1].read_to_string(&mut answer);
    assert_eq!(answer, "");
}

#[test]
fn second_agent_in_a_data_folder_is_refused() {
    let node = Node::start();
    let (mut process, line) = spawn_agent(&node, "127.0.0.1:0", &[]);
    assert!(line.starts_with("failed WEIR-NM-0001 "), "{line}");
    assert!(!process.wait().expect("it ends").success());
    assert_eq!(node.get("/ws/v1/node").0, 200, "the first one goes on");
}

#[test]
fn port_in_use_is_refused() {
    let node = Node::without_agent(&[]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound").to_string();
    let (mut process, line) = spawn_agent(&node, &address, &[]);
    assert!(line.starts_with("failed WEIR-HTTP-0001 "), "{line}");
    assert!(!process.wait().expect("it ends").success());
}
