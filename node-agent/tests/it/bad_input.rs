//! What is refused, and how.

use crate::support::{Node, artifact, block_on, container, shell, spawn_agent};
use weir_base::NodeId;
use weir_protocol::cluster::{LaunchContext, LeaseClaims, LeaseToken, StartContainer};
use weir_service::{CallError, Client, Secret};

fn refusal(node: &Node, token: LeaseToken, launch: LaunchContext) -> (u16, String) {
    match node.start_request(&StartContainer { token, launch }) {
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
    let claims = LeaseClaims {
        container: id,
        node: NodeId(node.address().to_owned()),
        resources: weir_base::Resources { memory_mib: 1, vcores: 1 },
    };
    let foreign = Secret::of_hex("ab".repeat(32)).sign_lease(&claims);
    let elsewhere = LeaseClaims { node: NodeId("127.0.0.1:1".to_owned()), ..claims };
    let elsewhere = node.secret.sign_lease(&elsewhere);
    for token in [changed, foreign, LeaseToken { claims: vec![], mac: vec![] }] {
        assert_eq!(refusal(&node, token, shell("")), (403, "WEIR-NM-0003".to_owned()));
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
fn garbage_is_refused() {
    let node = Node::start();
    let url = format!("http://{}/internal/v1/containers/start", node.address());
    let status = block_on(async {
        let request = Client::new().raw().post(url).body(vec![0xc1; 1000]);
        request.send().await.expect("an answer").status().as_u16()
    });
    assert_eq!(status, 400);
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
