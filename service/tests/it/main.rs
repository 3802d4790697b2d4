//! Server and client against each other, and each against invalid peers.

use actix_web::{
    HttpResponse,
    web::{self, Data, ServiceConfig},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    fs::File,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::Command,
    thread,
    time::Duration,
};
use weir_protocol::cluster::Message;
use weir_service::{
    ApiError, CallError, Client, ErrorStyle, Msgpack, Secret, Server, ServerConfig, bind,
    require_cluster,
};

const TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Number {
    number: u64,
}

impl Message for Number {
    const NAME: &'static str = "Number";
}

async fn double(Msgpack(asked): Msgpack<Number>) -> Result<Msgpack<Number>, ApiError> {
    match asked.number {
        13 => Err(ApiError::conflict("WEIR-TEST-0013", "not this one")),
        number => Ok(Msgpack(Number { number: number * 2 })),
    }
}

async fn guarded(
    request: actix_web::HttpRequest,
    secret: Data<Secret>,
) -> Result<HttpResponse, ApiError> {
    require_cluster(&request, &secret)?;
    Ok(HttpResponse::Ok().json(json!({"in": true})))
}

async fn echo(body: web::Json<Value>) -> HttpResponse {
    HttpResponse::Ok().json(body.into_inner())
}

fn secret() -> Secret {
    Secret::of_hex("ab".repeat(32))
}

fn routes(config: &mut ServiceConfig) {
    config
        .app_data(Data::new(secret()))
        .route("/double", web::post().to(double))
        .route("/guarded", web::get().to(guarded))
        .route("/echo", web::post().to(echo));
}

fn server(error_style: ErrorStyle) -> Server {
    bind(config("127.0.0.1:0".parse().expect("an address"), error_style), routes).expect("a port")
}

fn config(bind: SocketAddr, error_style: ErrorStyle) -> ServerConfig {
    ServerConfig { name: "test", bind, error_style, allowed_hosts: Vec::new(), workers: 1 }
}

fn run(test: impl Future<Output = ()>) {
    actix_web::rt::System::new().block_on(test);
}

/// Sends raw bytes and reads until the server closes the connection.
async fn raw(address: SocketAddr, request: String) -> String {
    web::block(move || {
        let mut stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(TIMEOUT)).expect("set");
        // A server that closes the connection early may still have answered.
        let _ = stream.write_all(request.as_bytes());
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    })
    .await
    .expect("no panic")
}

#[test]
fn messages_go_there_and_back_and_refusals_keep_their_code() {
    run(async {
        for style in [ErrorStyle::Yarn, ErrorStyle::Flink] {
            let address = server(style).address().to_string();
            let client = Client::new();
            let [right, wrong] = [21, 13].map(|number| Number { number });
            let answer: Number =
                client.call(&address, "/double", &right, TIMEOUT).await.expect("answered");
            assert_eq!(answer, Number { number: 42 });
            let refused = client.call::<_, Number>(&address, "/double", &wrong, TIMEOUT);
            let expect = CallError::Refused {
                status: 409,
                code: "WEIR-TEST-0013".to_owned(),
                message: "not this one".to_owned(),
            };
            assert_eq!(refused.await, Err(expect), "{style:?}");
        }
    });
}

#[test]
fn tokens_hosts_and_origins_are_checked() {
    run(async {
        let address = server(ErrorStyle::Yarn).address();
        let at = address.to_string();
        let code = |result: Result<Value, CallError>| match result {
            Ok(value) => value.to_string(),
            Err(error) => error.code().to_owned(),
        };
        assert_eq!(code(Client::new().get_json(&at, "/guarded").await), "WEIR-HTTP-0011");
        let wrong = Client::with_bearer(&"cd".repeat(32));
        assert_eq!(code(wrong.get_json(&at, "/guarded").await), "WEIR-HTTP-0011");
        let right = Client::with_bearer(&secret().bearer());
        assert_eq!(code(right.get_json(&at, "/guarded").await), "{\"in\":true}");

        let get = |headers: String| {
            format!("GET /guarded HTTP/1.1\r\n{headers}Connection: close\r\n\r\n")
        };
        let foreign_host = raw(address, get("Host: evil.example\r\n".to_owned())).await;
        assert!(foreign_host.starts_with("HTTP/1.1 403"), "{foreign_host}");
        assert!(foreign_host.contains("WEIR-HTTP-0012"), "{foreign_host}");
        let page = format!("Host: {address}\r\nOrigin: http://evil.example\r\n");
        let foreign_page = raw(address, get(page)).await;
        assert!(foreign_page.contains("WEIR-HTTP-0013"), "{foreign_page}");
    });
}

#[test]
fn invalid_requests_are_answered_with_errors() {
    run(async {
        let address = server(ErrorStyle::Yarn).address();
        let post = |path: &str, headers: &str, body: &str| {
            format!(
                "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            )
        };
        let json = "Content-Type: application/json\r\n";
        let protocol = "X-Weir-Protocol: 1\r\n";
        let newer = "X-Weir-Protocol: 7\r\n";
        for (request, status, code) in [
            (post("/echo", json, "{"), "400", "WEIR-HTTP-0015"),
            (post("/echo", json, &format!("\"{}\"", "x".repeat(5 << 20))), "413", "WEIR-HTTP-0015"),
            (post("/nowhere", "", ""), "404", "WEIR-HTTP-0014"),
            (post("/double", "", "x"), "400", "WEIR-HTTP-0016"),
            (post("/double", newer, "x"), "409", "WEIR-HTTP-0016"),
            (post("/double", protocol, "garbage"), "400", "WEIR-HTTP-0017"),
            (post("/double", protocol, ""), "400", "WEIR-HTTP-0017"),
        ] {
            let answer = raw(address, request).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{code}: {answer}");
            assert!(answer.contains(code), "{code}: {answer}");
        }
        let _ = raw(address, "\u{0}\u{1}\u{2}garbage\r\n\r\n".to_owned()).await;
        let whole: Value =
            Client::new().post_json(&address.to_string(), "/echo", &json!([1])).await.expect("up");
        assert_eq!(whole, json!([1]));
    });
}

/// Reads until the connection ends.
async fn rest_of(mut stream: TcpStream) -> String {
    web::block(move || {
        stream.set_read_timeout(Some(TIMEOUT)).expect("set");
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    })
    .await
    .expect("no panic")
}

#[test]
fn idle_connections_without_a_token_are_dropped_first() {
    // This process has both ends of each connection.
    weir_service::process::raise_descriptor_limit().expect("raised");
    run(async {
        let address = server(ErrorStyle::Yarn).address();
        let at = address.to_string();
        let get = move |token: &str| {
            format!(
                "GET /guarded HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\r\n"
            )
        };
        let connect = |text: String| async move {
            let opened = web::block(move || {
                let mut stream = TcpStream::connect(address).expect("it listens");
                stream.set_read_timeout(Some(TIMEOUT)).expect("set");
                stream.write_all(text.as_bytes()).expect("sent");
                let mut answer = [0; 12];
                if text.ends_with("\r\n\r\n") {
                    stream.read_exact(&mut answer).expect("answered");
                }
                (stream, String::from_utf8_lossy(&answer).into_owned())
            });
            opened.await.expect("no panic")
        };
        let (mut trusted, answer) = connect(get(&secret().bearer())).await;
        assert_eq!(answer, "HTTP/1.1 200");
        let (stranger, answer) = connect(get(&"cd".repeat(32))).await;
        assert_eq!(answer, "HTTP/1.1 401");
        let mut flood = Vec::new();
        for n in 0..1024 {
            let text = ["", "GET /guar"][n % 2].to_owned();
            flood.push(connect(text).await.0);
        }
        let answer: Value = Client::with_bearer(&secret().bearer())
            .get_json(&at, "/guarded")
            .await
            .expect("there is room for it");
        assert_eq!(answer, json!({"in": true}));
        // The oldest were closed, without an answer about a timeout.
        assert_eq!(rest_of(flood.swap_remove(0)).await, "");
        let answered = rest_of(stranger).await;
        assert!(!answered.contains("HTTP/1.1"), "{answered}");
        let last = get(&secret().bearer()).replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
        trusted.write_all(last.as_bytes()).expect("sent");
        let answer = rest_of(trusted).await;
        assert!(answer.contains("HTTP/1.1 200"), "it was closed: {answer}");
    });
}

#[test]
fn body_that_announces_too_much_is_refused_at_once() {
    run(async {
        let address = server(ErrorStyle::Yarn).address();
        let head = format!(
            "POST /double HTTP/1.1\r\nHost: {address}\r\nX-Weir-Protocol: 1\r\n\
             Content-Length: 99999999\r\n\r\n"
        );
        let answer = raw(address, head).await;
        assert!(
            answer.starts_with("HTTP/1.1 413") && answer.contains("WEIR-HTTP-0017"),
            "{answer}"
        );
    });
}

#[test]
fn taken_port_is_named() {
    run(async {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = taken.local_addr().expect("bound");
        let refused = bind(config(address, ErrorStyle::Yarn), routes);
        let error = refused.err().expect("it is taken");
        assert_eq!(error.code(), "WEIR-HTTP-0001");
        assert!(error.to_string().contains(&address.to_string()), "{error}");
    });
}

/// A server that answers one connection with these bytes. Returns its address.
fn foreign_server(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a caller");
        let mut request = [0; 4096];
        let _ = stream.read(&mut request);
        let _ = stream.write_all(answer);
    });
    address
}

#[test]
fn servers_that_are_not_daemons_are_recognised() {
    run(async {
        let call = |address: String| async move {
            let asked = Number { number: 1 };
            let client = Client::new();
            let called = client.call::<_, Number>(&address, "/double", &asked, TIMEOUT);
            called.await.expect_err("not a daemon").code().to_owned()
        };
        let page = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
        assert_eq!(call(foreign_server(page)).await, "WEIR-HTTP-0023");
        let lost = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(call(foreign_server(lost)).await, "WEIR-HTTP-0023");
        let newer = b"HTTP/1.1 200 OK\r\nX-Weir-Protocol: 9\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(call(foreign_server(newer)).await, "WEIR-HTTP-0016");
        let short = b"HTTP/1.1 200 OK\r\nX-Weir-Protocol: 1\r\nContent-Length: 99\r\n\r\nhi";
        assert_eq!(call(foreign_server(short)).await, "WEIR-HTTP-0021");
        // No program listens at this port; only root may do so.
        assert_eq!(call("127.0.0.1:1".to_owned()).await, "WEIR-HTTP-0021");
    });
}

/// Set in the child process of a test: the daemon whose log cannot be written.
const UNLOGGED: &str = "WEIR_TEST_UNLOGGED";

/// Regression: the logger reported a failed write with a macro that panicked, because it could not
/// write either. A daemon ended when the disk of its log was full.
#[test]
fn daemon_continues_when_its_log_cannot_be_written() {
    if std::env::var_os(UNLOGGED).is_some() {
        weir_service::logs::init_logging("test daemon");
        weir_service::logs::log_line("a line");
        return;
    }
    let full = File::options().write(true).open("/dev/full").expect("a Linux system");
    let output = Command::new(std::env::current_exe().expect("a path"))
        .args(["--exact", "daemon_continues_when_its_log_cannot_be_written", "--nocapture"])
        .env(UNLOGGED, "1")
        .stderr(full)
        .output()
        .expect("it starts");
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && shown.contains("1 passed"), "{shown}");
}
