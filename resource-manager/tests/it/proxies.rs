//! The web page, the proxy to app masters, and the proxy to agents.

use crate::daemon::{Agent, AppMaster, Daemon, code, read, report, test};
use actix_web::{
    HttpRequest, HttpResponse,
    web::{self, Bytes},
};
use reqwest::Method;
use serde_json::{Value, json};
use std::net::SocketAddr;
use weir_base::ApplicationId;
use weir_service::{ErrorStyle, Server, ServerConfig, bind};

/// A server that returns the request that it got.
fn echo() -> Server {
    let config = ServerConfig {
        name: "the echo",
        bind: SocketAddr::from(([127, 0, 0, 1], 0)),
        error_style: ErrorStyle::Flink,
        allowed_hosts: Vec::new(),
        workers: 1,
    };
    bind(config, |services| {
        services
            .route("/own", web::get().to(own))
            .route("/index.html", web::get().to(own))
            .route("/slow", web::get().to(slow))
            .route("/{path:.*}", web::to(describe_request));
    })
    .expect("bound")
}

async fn describe_request(request: HttpRequest, body: Bytes) -> HttpResponse {
    let header = |name: &str| {
        let value = request.headers().get(name).and_then(|value| value.to_str().ok());
        value.map(str::to_owned)
    };
    HttpResponse::Accepted()
        .insert_header(("set-cookie", "a=b"))
        .insert_header(("x-kept", "yes"))
        .json(json!({
            "method": request.method().as_str(),
            "path": request.uri().to_string(),
            "body": String::from_utf8_lossy(&body),
            "authorization": header("authorization"),
            "cookie": header("cookie"),
            "accept": header("accept"),
        }))
}

/// Claims to come from the same build of Weir.
async fn own() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(("x-weir-version", env!("CARGO_PKG_VERSION")))
        .insert_header(("content-security-policy", "default-src *"))
        .content_type("text/html")
        .body("own")
}

/// Sends a body in two pieces, the second after the first has been read.
async fn slow() -> HttpResponse {
    let pieces = futures::stream::unfold(0, |piece| async move {
        tokio::task::yield_now().await;
        (piece < 2).then(|| (Ok::<_, std::io::Error>(Bytes::from(format!("{piece}"))), piece + 1))
    });
    HttpResponse::Ok().streaming(pieces)
}

/// An application whose app master listens at a port.
async fn running(daemon: &Daemon, rest_port: u16) -> (Agent, ApplicationId, AppMaster) {
    let mut agent = Agent::start(daemon, "127.0.0.1:1").await;
    let id = daemon.client().submit().await;
    let launch = agent.launched().await;
    agent.beat(&[report(&launch, None)], 0).await;
    let master = AppMaster::new(daemon, launch.container.attempt);
    master.register(rest_port).await;
    (agent, id, master)
}

#[test]
fn requests_reach_the_app_master_without_the_proxys_token() {
    let daemon = Daemon::start();
    test(async {
        let echo = echo();
        let (_agent, id, master) = running(&daemon, echo.address().port()).await;
        let client = daemon.client();
        let path = format!("/proxy/{id}/jobs/a%20b?x=1&y=%2F");
        let request =
            client.request(Method::GET, &path).header("cookie", "c=d").header("accept", "a/b");
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 202);
        let headers = response.headers();
        assert!(!headers.contains_key("set-cookie"));
        assert_eq!(headers["x-kept"], "yes");
        let policy = headers["content-security-policy"].to_str().expect("text");
        assert!(policy.starts_with("sandbox"), "{policy}");
        let (_, forwarded) = read(response).await;
        let expected = json!({"method": "GET", "path": "/jobs/a%20b?x=1&y=%2F", "body": "",
            "authorization": null, "cookie": null, "accept": "a/b"});
        assert_eq!(forwarded, expected);

        // A changing request is forwarded with the token of the attempt.
        let path = format!("/proxy/{id}/v1/jobs/a?mode=cancel");
        let request = client.request(Method::PATCH, &path).body("why");
        let (_, forwarded) = read(request.send().await.expect("an answer")).await;
        let token = daemon.data_dir.secret.application_token(master.attempt);
        assert_eq!(forwarded["authorization"], format!("Bearer {token}"));
        assert_eq!((&forwarded["method"], &forwarded["body"]), (&json!("PATCH"), &json!("why")));
        let nobody = client.clone().without_token();
        let (status, body) = read(nobody.send(Method::PATCH, &path).await).await;
        assert_eq!(status, 401);
        assert!(body["errors"][0].as_str().is_some_and(|text| text.contains("WEIR-HTTP-0011")));

        let own = client.send(Method::GET, &format!("/proxy/{id}/own")).await;
        let policies: Vec<_> = own.headers().get_all("content-security-policy").iter().collect();
        assert_eq!(policies, ["sandbox allow-scripts allow-forms allow-popups"]);
        let page = client.send(Method::GET, &format!("/proxy/{id}/index.html")).await;
        assert!(page.text().await.expect("a page").starts_with("<!doctype html>"), "ours");
        let slow = client.send(Method::GET, &format!("/proxy/{id}/slow")).await;
        assert_eq!(slow.text().await.expect("a body"), "01");
        echo.stop().await;
    });
}

#[test]
fn missing_app_master_is_reported() {
    let daemon = Daemon::start();
    test(async {
        let client = daemon.client();
        let id = client.submit().await;
        let response = client.send(Method::GET, &format!("/proxy/{id}/jobs")).await;
        assert_eq!(response.headers()["retry-after"], "1");
        let (status, body) = read(response).await;
        assert_eq!(status, 503);
        let text = |body: &Value| body["errors"][0].as_str().unwrap_or_default().to_owned();
        assert!(text(&body).contains("[WEIR-RM-0050]"), "{body}");
        let unknown = client.send(Method::GET, "/proxy/application_1_0009/jobs").await;
        let (status, body) = read(unknown).await;
        assert_eq!(status, 404);
        assert!(text(&body).contains("[WEIR-RM-0002]"), "{body}");
    });
    let daemon = Daemon::start();
    test(async {
        // No program listens at this port; only root may do so.
        let (_agent, id, _) = running(&daemon, 1).await;
        let response = daemon.client().send(Method::GET, &format!("/proxy/{id}/jobs")).await;
        let (status, body) = read(response).await;
        assert_eq!(status, 503);
        assert!(body["errors"][0].as_str().is_some_and(|text| text.contains("[WEIR-RM-0051]")));
    });
}

#[test]
fn page_is_served_at_all_its_paths() {
    let daemon = Daemon::start();
    test(async {
        let client = daemon.client().without_token();
        let id = daemon.client().submit().await;
        let mut pages = Vec::new();
        for path in ["/", "/cluster", "/index.html", &format!("/proxy/{id}/")] {
            let response = client.send(Method::GET, path).await;
            assert_eq!(response.status(), 200, "{path}");
            assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
            pages.push(response.text().await.expect("a page"));
        }
        assert!(pages.iter().all(|page| *page == pages[0] && page.starts_with("<!doctype html>")));
        let inner = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        let inner = inner.no_proxy().build().expect("a client");
        let address = format!("http://{}/proxy/{id}", daemon.address);
        let response = inner.get(address).send().await.expect("an answer");
        assert_eq!(response.status(), 302);
        assert_eq!(response.headers()["location"], format!("/proxy/{id}/").as_str());
        let metrics = client.send(Method::GET, "/metrics").await.text().await.expect("text");
        assert!(metrics.contains("weir_applications{state=\"PENDING\"} 1"), "{metrics}");
    });
}

#[test]
fn agents_are_read_through_the_resource_manager_and_never_changed() {
    let daemon = Daemon::start();
    test(async {
        let echo = echo();
        let node = echo.address().to_string();
        let _agent = Agent::start(&daemon, &node).await;
        let client = daemon.client();
        let path = format!("/proxy-node/{node}/ws/v1/node/containers?x=1");
        let response = client.send(Method::GET, &path).await;
        assert_eq!(response.headers()["content-security-policy"], "sandbox");
        let (_, forwarded) = read(response).await;
        assert_eq!(forwarded["path"], "/ws/v1/node/containers?x=1");
        assert_eq!(forwarded["authorization"], Value::Null);
        for (method, path, status, expected) in [
            (Method::POST, path.clone(), 405, "WEIR-RM-0053"),
            (Method::GET, format!("/proxy-node/{node}/internal/v1/x"), 404, "WEIR-RM-0030"),
            (Method::GET, "/proxy-node/127.0.0.1:9/ws/v1/node".to_owned(), 404, "WEIR-RM-0030"),
            (Method::GET, "/proxy-node/evil.example:80/ws/v1/node".to_owned(), 404, "WEIR-RM-0030"),
        ] {
            let (found, body) = read(client.send(method, &path).await).await;
            assert_eq!((found, code(&body)), (status, expected), "{path}");
        }
        echo.stop().await;
    });
}
