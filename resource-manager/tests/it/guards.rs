//! Checks of requests: tokens, hosts, origins, versions, and invalid bodies.

use crate::daemon::{Agent, Daemon, code, read, submission, test};
use reqwest::Method;
use serde_json::json;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};
use weir_protocol::cluster::{FinalStatus, FinishAppMaster, PROTOCOL_HEADER, RegisterNode, encode};

#[test]
fn everything_that_changes_something_needs_the_token() {
    let daemon = Daemon::start();
    test(async {
        let id = "application_1_0001";
        for (method, path) in [
            (Method::POST, "/ws/v1/cluster/apps".to_owned()),
            (Method::POST, "/ws/v1/cluster/apps/new-application".to_owned()),
            (Method::PUT, format!("/ws/v1/cluster/apps/{id}/state")),
            (Method::PUT, format!("/ws/v1/cluster/artifacts/{}", "ab".repeat(32))),
            (Method::POST, "/internal/v1/nodes/register".to_owned()),
            (Method::POST, "/internal/v1/nodes/heartbeat".to_owned()),
            (Method::POST, "/internal/v1/nodes/leave".to_owned()),
            (Method::POST, "/internal/v1/app-masters/register".to_owned()),
            (Method::POST, "/internal/v1/app-masters/allocate".to_owned()),
            (Method::POST, "/internal/v1/app-masters/finish".to_owned()),
        ] {
            for caller in [
                daemon.client().without_token(),
                daemon.client().with_token(&"00".repeat(32)),
                daemon.client().with_token(""),
            ] {
                let request = caller.request(method.clone(), &path).body("garbage");
                let (status, body) = read(request.send().await.expect("an answer")).await;
                assert_eq!((status, code(&body)), (401, "WEIR-HTTP-0011"), "{method} {path}");
            }
        }
    });
}

/// Opens a connection without a token and sends this text.
fn raw_connection(daemon: &Daemon, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(daemon.address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("set");
    stream.write_all(text.as_bytes()).expect("sent");
    stream
}

#[test]
fn body_without_a_token_is_not_read() {
    let daemon = Daemon::start();
    for (method, path) in [
        ("POST", "/ws/v1/cluster/apps".to_owned()),
        ("PUT", format!("/ws/v1/cluster/artifacts/{}", "ab".repeat(32))),
        ("POST", "/internal/v1/nodes/heartbeat".to_owned()),
        ("POST", "/internal/v1/app-masters/finish".to_owned()),
        ("PATCH", "/proxy/application_1_0001/jobs/1".to_owned()),
    ] {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: 60000000\r\n\r\n",
            daemon.address
        );
        // The answer comes before any byte of the body was sent.
        let mut line = String::new();
        BufReader::new(raw_connection(&daemon, &head)).read_line(&mut line).expect("an answer");
        assert!(line.starts_with("HTTP/1.1 401"), "{method} {path}: {line}");
    }
}

#[test]
fn idle_connections_do_not_lock_out_agents() {
    // This process has both ends of each connection.
    weir_service::process::raise_descriptor_limit().expect("raised");
    let daemon = Daemon::start();
    let mut flood: Vec<_> =
        (0..1024).map(|n| raw_connection(&daemon, ["", "GET /"][n % 2])).collect();
    test(async {
        Agent::start(&daemon, "127.0.0.1:1").await;
        daemon.client().submit().await;
    });
    // The oldest connection was closed without an answer about a timeout.
    let mut answer = String::new();
    let _ = flood[0].read_to_string(&mut answer);
    assert_eq!(answer, "");
}

#[test]
fn foreign_hosts_and_origins_are_refused_on_every_path() {
    let daemon = Daemon::start();
    test(async {
        let client = daemon.client();
        for path in ["/", "/ws/v1/cluster", "/proxy/application_1_0001/", "/metrics"] {
            for (header, value, expected) in [
                ("host", "evil.example", "WEIR-HTTP-0012"),
                ("origin", "http://evil.example", "WEIR-HTTP-0013"),
                ("origin", "null", "WEIR-HTTP-0013"),
            ] {
                let request = client.request(Method::GET, path).header(header, value);
                let (status, body) = read(request.send().await.expect("an answer")).await;
                assert_eq!((status, code(&body)), (403, expected), "{path} {header}: {value}");
            }
            let own = format!("http://{}", daemon.address);
            let request = client.request(Method::GET, path).header("origin", own);
            assert_ne!(request.send().await.expect("an answer").status(), 403, "{path}");
        }
    });
}

#[test]
fn invalid_requests_are_refused_without_effect() {
    let daemon = Daemon::start();
    test(async {
        let client = daemon.client();
        let bodies: [&[u8]; 5] = [b"", b"{", b"\xff\xfe\x00", b"[]", b"{\"application-id\": 7}"];
        for body in bodies {
            let request = client
                .request(Method::POST, "/ws/v1/cluster/apps")
                .header("content-type", "application/json")
                .body(body);
            let (status, answer) = read(request.send().await.expect("an answer")).await;
            assert_eq!((status, code(&answer)), (400, "WEIR-HTTP-0015"), "{body:?}: {answer}");
            let request = client
                .request(Method::POST, "/internal/v1/nodes/heartbeat")
                .header(PROTOCOL_HEADER, "1")
                .body(body);
            let (status, answer) = read(request.send().await.expect("an answer")).await;
            assert_eq!((status, code(&answer)), (400, "WEIR-HTTP-0017"), "{body:?}: {answer}");
        }
        let large = vec![b' '; 5 * 1024 * 1024];
        let request = client
            .request(Method::POST, "/ws/v1/cluster/apps")
            .header("content-type", "application/json")
            .body(large);
        let (status, _) = read(request.send().await.expect("an answer")).await;
        assert_eq!(status, 413);
        client.submit().await;
    });
}

#[test]
fn daemon_of_another_version_is_refused_with_both_versions() {
    let daemon = Daemon::start();
    test(async {
        let message = RegisterNode {
            node: weir_base::NodeId("127.0.0.1:1".to_owned()),
            total: weir_base::Resources { memory_mib: 1, vcores: 1 },
            weir_version: "9.0.0".to_owned(),
            incarnation: 1,
            containers: Vec::new(),
        };
        for (version, expected) in [(Some("3"), 409), (Some("x"), 400), (None, 400)] {
            let mut request = daemon
                .client()
                .request(Method::POST, "/internal/v1/nodes/register")
                .body(encode(&message));
            if let Some(version) = version {
                request = request.header(PROTOCOL_HEADER, version);
            }
            let (status, body) = read(request.send().await.expect("an answer")).await;
            assert_eq!((status, code(&body)), (expected, "WEIR-HTTP-0016"), "{version:?}: {body}");
        }
        assert_eq!(daemon.client().get("/ws/v1/cluster/nodes").await, json!({"nodes": {}}));
    });
}

#[test]
fn app_master_may_act_only_for_its_own_attempt() {
    let daemon = Daemon::start();
    test(async {
        let client = daemon.client();
        let mut agent = Agent::start(&daemon, "127.0.0.1:1").await;
        let id = client.submit().await;
        let attempt = agent.launched().await.container.attempt;
        let other = weir_base::AttemptId { number: 2, ..attempt };
        let other = crate::daemon::AppMaster::new(&daemon, other);
        let finish = FinishAppMaster {
            attempt,
            final_status: FinalStatus::Succeeded,
            diagnostics: String::new(),
            archive: Vec::new(),
        };
        let refused = other.call::<_, weir_protocol::cluster::AppMasterFinished>("finish", &finish);
        let error = refused.await.expect_err("another's token");
        assert_eq!(error.code(), "WEIR-RM-0034");
        assert_eq!(client.app(id).await["state"], "ACCEPTED");
        let (status, _) = client
            .clone()
            .with_token(&daemon.data_dir.secret.application_token(attempt))
            .json(Method::POST, "/ws/v1/cluster/apps", &submission(id, &[]))
            .await;
        assert_eq!(status, 401);
    });
}
