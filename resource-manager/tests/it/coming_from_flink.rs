//! Checks the list of YARN's endpoints in `docs/coming-from-flink.md`.

use crate::daemon::{Daemon, read, test};
use reqwest::Method;
use serde_json::json;

/// The endpoints in the page, and whether the page says that they are served.
fn endpoints() -> Vec<(Method, String, bool)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/coming-from-flink.md");
    let page = std::fs::read_to_string(path).expect("the page");
    let headline = "REST of YARN's resource manager\n";
    let section = page.split("\n## ").find(|section| section.starts_with(headline));
    let mut endpoints = Vec::new();
    for row in section.expect("its part").lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let is_served = match cells[1] {
            "yes" => true,
            answer => {
                assert!(answer == "not yet" || answer.starts_with("never, because "), "{row}");
                false
            }
        };
        for name in cells[0].split('`').skip(1).step_by(2) {
            let (method, path) = name.split_once(' ').expect("method and path");
            endpoints.push((method.parse().expect("a method"), path.to_owned(), is_served));
        }
    }
    endpoints
}

#[test]
fn page_says_of_each_endpoint_whether_it_is_served() {
    let daemon = Daemon::start();
    test(async {
        let client = daemon.client();
        let id = client.new_application().await.to_string();
        let endpoints = endpoints();
        assert!(endpoints.len() > 40, "{}", endpoints.len());
        for (method, path, is_served) in endpoints {
            let path = path.replace(":appid", &id);
            let parts: Vec<_> = path
                .split('/')
                .map(|part| if part.starts_with(':') { "1" } else { part })
                .collect();
            let path = format!("/ws/v1/cluster{}", parts.join("/"));
            let request = client.request(method.clone(), &path).json(&json!({}));
            let (status, body) = read(request.send().await.expect("an answer")).await;
            let text = body.to_string();
            let is_unknown = (status == 404 && text.contains("Not found: ")) || status == 405;
            let what = format!("the page is stale: {method} {path} gives {status} {text}");
            assert_eq!(!is_unknown, is_served, "{what}");
        }
    });
}
