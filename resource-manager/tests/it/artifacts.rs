//! Upload and download of artefacts. An upload is stored completely or not at all.

use crate::daemon::{
    Agent, Caller, Daemon, DataDir, code, eventually, hash_of, read, report, staging, test,
};
use reqwest::Method;
use std::fs;
use tokio::{io::AsyncWriteExt, net::TcpStream};

fn path_of(hash: &str) -> String {
    format!("/ws/v1/cluster/artifacts/{hash}")
}

fn small(limit: &str) -> Daemon {
    Daemon::with(DataDir::new(), &[&format!("weir.resource-manager.max-artifact-size={limit}")])
}

async fn assert_nothing_left(daemon: &Daemon, client: &Caller, hash: &str) {
    let left = || async {
        let staged = fs::read_dir(staging(&daemon.data_dir.own())).expect("a folder");
        (staged.count() == 0).then_some(())
    };
    eventually("an empty staging folder", left).await;
    assert_eq!(client.send(Method::HEAD, &path_of(hash)).await.status(), 404);
}

#[test]
fn uploaded_file_is_downloaded_completely() {
    let daemon = Daemon::start();
    test(async {
        let client = daemon.client();
        let content: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        let path = path_of(&hash_of(&content));
        assert_eq!(client.send(Method::HEAD, &path).await.status(), 404);
        for expected in [201, 200] {
            let request = client.request(Method::PUT, &path).body(content.clone());
            assert_eq!(request.send().await.expect("an answer").status(), expected);
        }
        let head = client.clone().without_token().send(Method::HEAD, &path).await;
        assert_eq!(head.status(), 200);
        assert_eq!(head.headers()["content-length"], "3000000");
        let got = client.send(Method::GET, &path).await;
        assert_eq!(got.content_length(), Some(3_000_000));
        assert_eq!(got.bytes().await.expect("a body"), content);
    });
}

#[test]
fn only_holders_of_a_token_write_or_read_files() {
    let daemon = Daemon::start();
    test(async {
        let client = daemon.client();
        let path = path_of(&client.upload(b"abc").await);
        let mut agent = Agent::start(&daemon, "127.0.0.1:1").await;
        client.submit().await;
        let launch = agent.launched().await;
        let attempt = launch.container.attempt;
        let attempt = client.clone().with_token(&daemon.data_dir.secret.application_token(attempt));
        let nobody = client.clone().without_token();
        for (caller, method, expected) in [
            (&nobody, Method::PUT, 401),
            (&nobody, Method::GET, 401),
            (&attempt, Method::PUT, 401),
            (&attempt, Method::GET, 200),
        ] {
            let (status, body) = read(caller.send(method.clone(), &path).await).await;
            assert_eq!(status, expected, "{method}");
            assert!(status == 200 || code(&body) == "WEIR-HTTP-0011", "{method}: {body}");
        }
        // The token of an attempt that has ended is refused.
        agent.beat(&[report(&launch, Some(1))], 0).await;
        let (status, body) = read(attempt.send(Method::GET, &path).await).await;
        assert_eq!((status, code(&body)), (409, "WEIR-RM-0008"));
    });
}

#[test]
fn file_that_does_not_match_its_hash_is_refused_with_both() {
    let daemon = Daemon::start();
    test(async {
        let client = daemon.client();
        let (expected, actual) = (hash_of(b"abcd"), hash_of(b"abce"));
        let request = client.request(Method::PUT, &path_of(&expected)).body("abce");
        let (status, body) = read(request.send().await.expect("an answer")).await;
        assert_eq!((status, code(&body)), (400, "WEIR-RM-0041"));
        let message = body["RemoteException"]["message"].to_string();
        assert!(message.contains(&expected) && message.contains(&actual), "{message}");
        assert_nothing_left(&daemon, &client, &expected).await;
    });
}

#[test]
fn file_that_is_too_large_is_refused_announced_or_not() {
    let daemon = small("64 kb");
    test(async {
        let client = daemon.client();
        let content = vec![7; 100_000];
        let hash = hash_of(&content);
        let announced = client.request(Method::PUT, &path_of(&hash)).body(content.clone());
        let (status, body) = read(announced.send().await.expect("an answer")).await;
        assert_eq!((status, code(&body)), (413, "WEIR-RM-0040"));
        let pieces = content.chunks(1000).map(|piece| Ok::<_, std::io::Error>(piece.to_vec()));
        let stream = reqwest::Body::wrap_stream(futures::stream::iter(pieces.collect::<Vec<_>>()));
        let unannounced = client.request(Method::PUT, &path_of(&hash)).body(stream);
        let (status, body) = read(unannounced.send().await.expect("an answer")).await;
        assert_eq!((status, code(&body)), (413, "WEIR-RM-0040"));
        assert_nothing_left(&daemon, &client, &hash).await;
    });
}

#[test]
fn interrupted_upload_leaves_nothing() {
    let daemon = Daemon::start();
    test(async {
        let client = daemon.client();
        let hash = hash_of(b"whole");
        let token = daemon.data_dir.secret.bearer();
        let mut socket = TcpStream::connect(daemon.address).await.expect("connected");
        let head = format!(
            "PUT {} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nContent-Length: 600000\
             \r\n\r\n",
            path_of(&hash),
            daemon.address
        );
        socket.write_all(head.as_bytes()).await.expect("sent");
        socket.write_all(&vec![0; 400_000]).await.expect("sent");
        let begun = || async {
            let staged = fs::read_dir(staging(&daemon.data_dir.own())).expect("a folder");
            (staged.count() == 1).then_some(())
        };
        eventually("an upload under way", begun).await;
        drop(socket);
        assert_nothing_left(&daemon, &client, &hash).await;
    });
}

#[test]
fn uploads_of_the_same_file_at_once_all_succeed() {
    let daemon = Daemon::start();
    test(async {
        let client = daemon.client();
        let content = vec![9; 700_000];
        let uploads = (0..4).map(|_| client.upload(&content));
        let hashes = futures::future::join_all(uploads).await;
        assert!(hashes.iter().all(|hash| *hash == hash_of(&content)));
        let got = client.send(Method::GET, &path_of(&hashes[0])).await;
        assert_eq!(got.bytes().await.expect("a body"), content);
    });
}

#[test]
fn path_that_is_no_hash_is_refused() {
    let daemon = Daemon::start();
    test(async {
        let client = daemon.client();
        let upper = "AB".repeat(32);
        for hash in ["x", "..%2f..%2fetc%2fpasswd", upper.as_str()] {
            let (status, body) = read(client.send(Method::GET, &path_of(hash)).await).await;
            assert_eq!((status, code(&body)), (400, "WEIR-RM-0043"), "{hash}");
        }
    });
}
